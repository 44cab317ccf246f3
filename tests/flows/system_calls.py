"""What a process asked of the kernel, in order, as strace wrote it down."""

import re
import shutil
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

WATCHED = (
    "openat,rename,renameat,renameat2,write,writev,pwrite64,pwritev,pwritev2,"
    "fdatasync,fsync,sendto,sendmsg,sendmmsg"
)
_CALL = re.compile(r"(?P<name>\w+)\((?P<rest>.*)")
_LINE = re.compile(r"(?P<pid>\d+) +(?P<call>.*)")
_RESUMED = re.compile(r"<\.\.\. (?P<name>\w+) resumed>(?P<rest>.*)")
_UNFINISHED = " <unfinished ...>"


@dataclass(frozen=True)
class SystemCall:
    """`begun` and `done` are places in the one order of all that happened."""

    name: str
    text: str
    begun: int
    done: int

    @property
    def succeeded(self) -> bool:
        return re.search(r"= \d", self.text[self.text.rfind(")") :]) is not None

    @property
    def target(self) -> str:
        """The path of the descriptor that the call is about, or `socket:…`."""
        match = re.match(r"\d+<(.*?)>[,)]", self.text)
        return match[1] if match else ""


def why_no_strace() -> str:
    """Empty when system calls can be traced here; else the reason why not."""
    if shutil.which("strace") is None:
        return "strace is not installed: apt-get install strace"
    tried = subprocess.run(
        ["strace", "-o", "/dev/null", "true"], capture_output=True, text=True, check=False
    )
    return "" if tried.returncode == 0 else f"nothing may be traced here: {tried.stderr.strip()}"


def strace_into(path: Path) -> Sequence[str | Path]:
    """The command that runs another under strace, which keeps its own process id."""
    return (
        *("strace", "-D", "-f", "-y", "-q", "-s", "100000", "-e", f"trace={WATCHED}"),
        *("-e", "signal=none", "-o", path),
    )


def read_trace(path: Path) -> Sequence[SystemCall]:
    """The calls that ended, in the order in which they began."""
    calls: list[SystemCall] = []
    begun: dict[str, tuple[str, str, int]] = {}
    for place, line in enumerate(path.read_text(errors="replace").splitlines()):
        match = _LINE.match(line)
        if match is None:
            continue
        pid, text = match["pid"], match["call"]
        if (resumed := _RESUMED.match(text)) and pid in begun:
            name, start, began = begun.pop(pid)
            calls.append(SystemCall(name, start + resumed["rest"], began, place))
        elif call := _CALL.match(text):
            if text.endswith(_UNFINISHED):
                begun[pid] = (call["name"], call["rest"].removesuffix(_UNFINISHED), place)
            else:
                calls.append(SystemCall(call["name"], call["rest"], place, place))
    return sorted(calls, key=lambda call: call.begun)


def first(
    calls: Sequence[SystemCall], what: str, wanted: Callable[[SystemCall], bool]
) -> SystemCall:
    """The first successful call that is wanted; the test fails when there is none."""
    found = next((call for call in calls if call.succeeded and wanted(call)), None)
    assert found is not None, f"the trace shows no {what}"
    return found
