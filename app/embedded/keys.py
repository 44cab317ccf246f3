"""The two keys that `pillarbox up` makes once and keeps."""

import base64
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from app.core.errors import BadSetting
from app.core.ids import Ids
from app.embedded.files import write_private

NAMES = ("SECRET_KEY", "ENCRYPTION_KEY")
_FILE = "secrets.json"


def keep_keys(data: Path, environment: Mapping[str, str], ids: Ids) -> Mapping[str, str]:
    """SECRET_KEY and ENCRYPTION_KEY: from `environment` where set, else from `data`.

    What is in neither is made, unless `data` already holds a database: with another key nothing
    that was encrypted there could be read again. Raises `BadSetting`.
    """
    path = data / _FILE
    kept = _read(path)
    keys = {name: environment.get(name, "").strip() or kept.get(name, "") for name in NAMES}
    missing = [name for name in NAMES if not keys[name]]
    if not missing:
        return keys
    if (data / "postgres").exists():
        raise BadSetting(
            f"{path} is gone or incomplete: put it back, or set {' and '.join(missing)} "
            "to what it held."
        )
    made = {name: _new_key(ids) for name in missing}
    write_private(path, msgspec.json.encode({**kept, **made}))
    return {**keys, **made}


def kept_encryption_keys(data: Path) -> Sequence[str]:
    """Those that `data` keeps, the one that seals first. Raises `BadSetting`."""
    return [key for key in _read(data / _FILE).get("ENCRYPTION_KEY", "").split(",") if key]


def add_encryption_key(data: Path, ids: Ids) -> None:
    """Puts a new one before those that `data` keeps; `up` uses it from its next start."""
    _write_encryption_keys(data, [_new_key(ids), *kept_encryption_keys(data)])


def keep_encryption_key(data: Path, key: str) -> None:
    """`data` keeps no other any more."""
    _write_encryption_keys(data, [key])


def _write_encryption_keys(data: Path, keys: Sequence[str]) -> None:
    path = data / _FILE
    kept = {**_read(path), "ENCRYPTION_KEY": ",".join(keys)}
    write_private(path, msgspec.json.encode(kept))


def _new_key(ids: Ids) -> str:
    return base64.urlsafe_b64encode(ids.random_bytes(32)).decode()


def _read(path: Path) -> Mapping[str, str]:
    try:
        return msgspec.json.decode(path.read_bytes(), type=dict[str, str])
    except FileNotFoundError:
        return {}
    except (OSError, msgspec.MsgspecError) as error:
        raise BadSetting(f"{path} cannot be read: {error}.") from error
