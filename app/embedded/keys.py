"""The two keys that `pillarbox up` makes once and keeps."""

import base64
from collections.abc import Mapping
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
    made = {name: base64.urlsafe_b64encode(ids.random_bytes(32)).decode() for name in missing}
    write_private(path, msgspec.json.encode({**kept, **made}))
    return {**keys, **made}


def _read(path: Path) -> Mapping[str, str]:
    try:
        return msgspec.json.decode(path.read_bytes(), type=dict[str, str])
    except FileNotFoundError:
        return {}
    except (OSError, msgspec.MsgspecError) as error:
        raise BadSetting(f"{path} cannot be read: {error}.") from error
