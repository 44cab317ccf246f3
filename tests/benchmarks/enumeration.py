"""Whether asking for a sign-in link, or typing a code, tells whose address is known here.

Requests for known and unknown addresses are sent in random order to a whole installation that
delivers the mail of the known ones meanwhile. The area under the curve is the chance that a random
known one is answered later than a random unknown one: 0.5 when times tell nothing.
"""

import argparse
import random
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import httpx

sys.path.insert(0, str(Path(__file__).parents[1] / "flows"))
from pillarbox import Pillarbox, installation

from tests.benchmarks.recipients import area_under_curve
from tests.benchmarks.report import percentile, report

KNOWN = 25
UNLIMITED = {"SIGN_IN_REQUESTS_PER_HOUR": "1000000", "SIGN_IN_MAILS_PER_HOUR": "1000000"}

Ask = Callable[[httpx.Client, str], tuple[float, tuple[int, bytes]]]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=400, help="half of each kind")
    options = parser.parse_args()
    chance = random.Random(7)
    areas: dict[str, float] = {}
    figures: dict[str, float] = {}
    answers: set[tuple[int, bytes]] = set()
    with installation(**UNLIMITED) as pillarbox:
        pillarbox.start()
        known = [f"person{number}@known.test" for number in range(KNOWN)]
        for email in known:
            pillarbox.run("user", "add", email, "--tenant", "Pillarbox", "--role", "viewer")
        unknown = [email.replace("person", "nobody") for email in known]
        for name, ask in (("link", ask_for_link), ("code", type_code)):
            asked = [(chance.choice(known), True) for _ in range(options.requests // 2)]
            asked += [(chance.choice(unknown), False) for _ in range(options.requests // 2)]
            chance.shuffle(asked)
            times, seen = measure(pillarbox, asked, ask)
            areas[name] = area_under_curve(*times)
            answers |= {(status, name.encode() + body) for status, body in seen}
            figures[f"{name}_median_ms"] = percentile(times[0] + times[1], 0.5) * 1000
    figures |= {f"{name}_area_percent": 100 * area for name, area in areas.items()}
    figures["different_answers"] = len(answers) - len(areas)
    report("enumeration", figures, areas)
    told = len(answers) != len(areas) or not all(0.45 <= area <= 0.55 for area in areas.values())
    return int(told)


def measure(
    pillarbox: Pillarbox, asked: Sequence[tuple[str, bool]], ask: Ask
) -> tuple[tuple[list[float], list[float]], set[tuple[int, bytes]]]:
    """How long each took, of known and of unknown addresses, and every answer."""
    times: tuple[list[float], list[float]] = ([], [])
    answers = set()
    with httpx.Client(base_url=pillarbox.url, timeout=30) as client:
        for email, is_known in asked:
            seconds, answer = ask(client, email)
            times[not is_known].append(seconds)
            answers.add(answer)
    return times, answers


def ask_for_link(client: httpx.Client, email: str) -> tuple[float, tuple[int, bytes]]:
    client.cookies.clear()
    return _send(client, "/sign-in", email=email)


def type_code(client: httpx.Client, email: str) -> tuple[float, tuple[int, bytes]]:
    """A wrong one, once the mail would have come."""
    ask_for_link(client, email)
    time.sleep(0.02)
    return _send(client, "/sign-in/code", code="no code")


def _send(client: httpx.Client, path: str, **form: str) -> tuple[float, tuple[int, bytes]]:
    began = time.perf_counter()
    answer = client.post(path, data=form)
    return time.perf_counter() - began, (answer.status_code, answer.content)


if __name__ == "__main__":
    raise SystemExit(main())
