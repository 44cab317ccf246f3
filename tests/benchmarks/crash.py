"""Kill -9 of the sidecar, fifty times under load: what got a 250 is in the inbox once."""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "flows"))
from sidecar_crashes import kill_sidecar_under_load

from tests.benchmarks.report import report


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=50)
    options = parser.parse_args()
    outcome = kill_sidecar_under_load(options.kills)
    report(
        "crash",
        {
            "kills": outcome.kills,
            "acknowledged": outcome.acknowledged,
            "broken_off_before_a_reply": outcome.unanswered,
            "sent_again_and_told_apart": outcome.duplicates_told_apart,
            "in_the_inbox": outcome.in_inbox,
            "lost": len(outcome.lost),
            "stored_twice": len(outcome.stored_twice),
            "seconds": outcome.seconds,
        },
    )
    return 1 if outcome.lost or outcome.stored_twice else 0


if __name__ == "__main__":
    raise SystemExit(main())
