"""Ends what the children of a killed supervisor left behind.

Run as a process of its own, by file name, with nothing but the standard library. It reads lines
`+GROUP` and `-GROUP` and kills the groups it still knows when the other end of the pipe closes,
as it does when the supervisor is gone, however it went.
"""

import contextlib
import os
import signal
import sys


def main() -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    groups: set[int] = set()
    for line in sys.stdin.buffer:
        group = int(line[1:])
        groups.add(group) if line.startswith(b"+") else groups.discard(group)
    for group in groups:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(group, signal.SIGKILL)


if __name__ == "__main__":
    main()
