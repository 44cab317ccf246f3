"""Prints unread mail and marks it as read.

PILLARBOX_URL=https://mail.example.org PILLARBOX_KEY=… python examples/unread.py
"""

import os

from pillarbox_client import Pillarbox


def main() -> None:
    with Pillarbox(os.environ["PILLARBOX_URL"], os.environ["PILLARBOX_KEY"]) as pillarbox:
        for message in pillarbox.messages.list(folder="inbox", is_unread=True):
            print(f"{message.received_at:%d %b %H:%M}  {message.sender}: {message.subject}")
            pillarbox.messages.change(message.id, is_read=True)


if __name__ == "__main__":
    main()
