"""`pillarbox keys rotate-encryption`: from one ENCRYPTION_KEY to the next, without a gap.

The new key stands before the old one until nothing is sealed with the old one any more. Beside
`up` the command keeps the keys itself; elsewhere whoever runs the processes does.
"""

import argparse
import json
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from app.assembly import Services
from app.cli.installation import with_services
from app.core.ids import Ids
from app.embedded.keys import add_encryption_key, keep_encryption_key, kept_encryption_keys
from app.embedded.run_file import read_run_file
from app.storage.sealed_secrets import Resealed

_NOT_DONE = 1


def rotate(options: argparse.Namespace) -> int:
    """Does the next step and says what comes after it; 1 while something stands in the way."""

    def say(line: str) -> None:
        if not options.json:
            print(line, flush=True)

    running, kept = _keys_of_up(options.data)
    ours = bool(set(running) & set(kept))  # else the environment of `up` names them
    if ours and running == kept and len(kept) == 1:
        add_encryption_key(options.data, Ids())
        return _ask_for_restart(options, "made", 0)
    if ours and running[0] != kept[0]:
        return _ask_for_restart(options, "waits", _NOT_DONE)

    resealed, key_ids, counts = with_services(options.data, lambda s: _reseal(s, say))
    left = {key_id: count for key_id, count in counts.items() if key_id != key_ids[0]}
    if ours and not left:
        keep_encryption_key(options.data, kept[0])
    _tell(options, resealed, key_ids, left, kept_by_us=ours)
    return _NOT_DONE if left else 0


def _keys_of_up(data: Path) -> tuple[Sequence[str], Sequence[str]]:
    """Those that a running `up` works with and those that its data folder keeps; none where the
    environment names a database. Raises `NotRunning`."""
    if os.environ.get("DATABASE_URL"):
        return [], []
    running = read_run_file(data).environment["ENCRYPTION_KEY"]
    return [key.strip() for key in running.split(",")], kept_encryption_keys(data)


async def _reseal(
    services: Services, say: Callable[[str], None]
) -> tuple[Resealed, Sequence[str], Mapping[str, int]]:
    def note_progress(done: int, total: int) -> None:
        say(f"{done:,} of {total:,} secrets are sealed anew.")

    resealed = await services.sealed_secrets.reseal(note_progress)
    return resealed, services.keyring.key_ids, await services.sealed_secrets.count_by_key()


def _ask_for_restart(options: argparse.Namespace, new_key: str, code: int) -> int:
    if options.json:
        print(json.dumps({"step": "restart", "new_key": new_key}))
    else:
        first = "A new key is made" if new_key == "made" else "A new key waits"
        print(
            f"{first}: {options.data}/secrets.json holds it beside the old one. Stop `pillarbox "
            "up`, start it again, and run this command once more: it seals every secret anew."
        )
    return code


def _tell(
    options: argparse.Namespace,
    resealed: Resealed,
    key_ids: Sequence[str],
    left: Mapping[str, int],
    *,
    kept_by_us: bool,
) -> None:
    if options.json:
        facts = {
            "step": "blocked" if left else "done",
            "key": key_ids[0],
            "resealed": resealed.secrets,
            "unreadable": resealed.unreadable,
            "left": left,
            "can_go": [] if left else key_ids[1:],
        }
        print(json.dumps(facts))
        return
    for secret in resealed.unreadable:
        print(f"{secret} cannot be read: its key is not in ENCRYPTION_KEY, or it was changed.")
    for key_id, count in left.items():
        print(f"Key {key_id} has to stay: {count:,} secrets are sealed with it.")
    if left:
        print("Run this again once they are put right.")
    elif kept_by_us:
        print(
            f"Every secret is sealed with key {key_ids[0]}, and {options.data}/secrets.json holds "
            "no other. Backups made before now need the old key."
        )
    elif len(key_ids) > 1:
        print(
            f"Every secret is sealed with key {key_ids[0]}. Once no process runs that was started "
            f"without it, take what follows it out of ENCRYPTION_KEY: {', '.join(key_ids[1:])}."
        )
    else:
        print(
            f"Every secret is sealed with the only key, {key_ids[0]}. To change it, put a new one "
            "before it (ENCRYPTION_KEY=NEW,OLD), start every process with both, and run this again."
        )
