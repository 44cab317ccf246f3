"""Follows events as they happen, from where it stopped last time. The position is kept in a file.

PILLARBOX_URL=https://mail.example.org PILLARBOX_KEY=… python examples/follow.py position.txt
"""

import os
import sys
from pathlib import Path

from pillarbox_client import Pillarbox


def main() -> None:
    kept = Path(sys.argv[1])
    after = int(kept.read_text()) if kept.exists() else 0
    with Pillarbox(os.environ["PILLARBOX_URL"], os.environ["PILLARBOX_KEY"]) as pillarbox:
        for event in pillarbox.events.follow(after=after):
            print(event.position, event.type, event.subject_id)
            kept.write_text(str(event.position))


if __name__ == "__main__":
    main()
