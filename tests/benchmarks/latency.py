"""From the 250 to the visible row on an open page: 20 mails a second for a minute."""

import argparse
import sys
import time
from pathlib import Path

from playwright.sync_api import sync_playwright

sys.path[:0] = [str(Path(__file__).parents[1] / "flows"), str(Path(__file__).parents[1])]
from chromium_program import ARGUMENTS, PROGRAM
from pillarbox import compose, installation, send

from tests.benchmarks.report import percentile, report

# Each row is noted by the page itself, at the frame in which it became visible.
_WATCH = """
window.seen = {};
const note = (row) => requestAnimationFrame(() => {
  window.seen[row.querySelector('.subject').textContent] = Date.now();
});
new MutationObserver((changes) => {
  for (const change of changes)
    for (const node of change.addedNodes)
      if (node.nodeType === 1)
        for (const row of [node, ...node.querySelectorAll('.row')])
          if (row.matches('.row')) note(row);
}).observe(document.getElementById('rows'), { childList: true, subtree: true });
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rate", type=float, default=20)
    parser.add_argument("--seconds", type=float, default=60)
    options = parser.parse_args()
    with installation() as pillarbox, sync_playwright() as playwright:
        pillarbox.start()
        inbox = pillarbox.create_inbox()
        browser = playwright.chromium.launch(executable_path=PROGRAM, args=ARGUMENTS)
        page = browser.new_page()
        page.goto(inbox.url)
        page.get_by_text("Live", exact=True).wait_for()
        page.evaluate(_WATCH)
        count = int(options.rate * options.seconds)
        answered: dict[str, float] = {}
        with pillarbox.connect() as client:
            client.ehlo("client.example.org")
            start = time.monotonic()
            for number in range(count):
                time.sleep(max(0.0, start + number / options.rate - time.monotonic()))
                data = compose(inbox.address, number, size_bytes=4096)
                if send(client, inbox.address, data):
                    answered[f"mail {number}"] = time.time() * 1000
        while len(seen := page.evaluate("window.seen")) < len(answered):
            page.wait_for_timeout(100)
        browser.close()
    delays = [seen[subject] - moment for subject, moment in answered.items()]
    report(
        "latency",
        {
            "mails": len(delays),
            "mails_a_second": options.rate,
            "median_ms": percentile(delays, 0.5),
            "p99_ms": percentile(delays, 0.99),
            "slowest_ms": max(delays),
        },
    )


if __name__ == "__main__":
    main()
