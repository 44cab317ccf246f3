"""Changing the encryption key, step by step, as an operator does it."""

import asyncio
import functools
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from app.cli import main
from app.core.encryption import Keyring
from app.core.ids import Ids
from app.core.secrets import Secret
from app.embedded.folders import hold_data_folder
from app.embedded.keys import keep_keys, kept_encryption_keys
from app.embedded.run_file import RunFile, write_run_file
from app.settings import Settings
from app.storage.sealed_columns import SealedColumn
from app.storage.sealed_secrets import SealedSecrets

COLUMN = SealedColumn("kept_token", "id", "token_sealed")


class Up:
    """A data folder that a running `pillarbox up` holds, with a table of secrets."""

    def __init__(self, settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
        assert settings.database_url
        assert settings.redis_url
        self.data = settings.pillarbox_data
        self.database_url = settings.database_url.reveal()
        self.redis_url = settings.redis_url.reveal()
        self._capsys = capsys
        self.execute("create table kept_token (id integer primary key, token_sealed bytea)")

    def start(self, **given: str) -> None:
        """As `up` does: the keys of the environment, else those that it keeps."""
        keys = keep_keys(self.data, given, Ids())
        urls = {"DATABASE_URL": self.database_url, "REDIS_URL": self.redis_url}
        environment = {**keys, **urls, "PILLARBOX_DATA": str(self.data)}
        run = RunFile(os.getpid(), self.database_url, self.redis_url, "", "", environment)
        write_run_file(self.data, run)

    def rotate(self) -> tuple[int, dict[str, Any]]:
        self._capsys.readouterr()
        code = main(["keys", "rotate-encryption", "--data", str(self.data), "--json"])
        return code, json.loads(self._capsys.readouterr().out)

    def seal(self, row_id: int, *keys: str) -> None:
        sealed = Keyring([Secret(key) for key in keys]).encrypt("it", COLUMN.context(row_id))
        self.execute("insert into kept_token values ($1, $2)", row_id, sealed)

    def open(self, row_id: int, key: str) -> str:
        sealed = self.execute("select token_sealed from kept_token where id = $1", row_id)
        return Keyring([Secret(key)]).decrypt(sealed, COLUMN.context(row_id))

    def execute(self, sql: str, *arguments: object) -> Any:
        async def run() -> Any:
            connection = await asyncpg.connect(self.database_url)
            try:
                return await connection.fetchval(sql, *arguments)
            finally:
                await connection.close()

        return asyncio.run(run())


@pytest.fixture
def up(
    settings: Settings, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Up]:
    monkeypatch.delenv("DATABASE_URL", raising=False)
    monkeypatch.setattr(
        "app.assembly.SealedSecrets", functools.partial(SealedSecrets, columns=[COLUMN])
    )
    settings.pillarbox_data.mkdir()
    with hold_data_folder(settings.pillarbox_data):
        yield Up(settings, capsys)


def test_key_of_up_is_changed_in_two_steps_and_the_old_one_goes(up: Up) -> None:
    up.start()
    (old,) = kept_encryption_keys(up.data)
    up.seal(1, old)

    assert up.rotate() == (0, {"step": "restart", "new_key": "made"})
    new, kept = kept_encryption_keys(up.data)
    assert kept == old
    assert up.rotate() == (1, {"step": "restart", "new_key": "waits"})
    assert kept_encryption_keys(up.data) == [new, old]
    assert up.open(1, old) == "it"

    up.start()
    code, told = up.rotate()
    assert (code, told["step"], told["resealed"], told["left"]) == (0, "done", 1, {})
    assert up.open(1, new) == "it"
    assert kept_encryption_keys(up.data) == [new]
    # A command that is given once more begins nothing new before the next start.
    assert up.rotate()[1]["step"] == "done"
    assert kept_encryption_keys(up.data) == [new]
    assert json.loads((up.data / "secrets.json").read_text())["SECRET_KEY"]


def test_old_key_stays_when_a_secret_still_needs_one(up: Up) -> None:
    up.start()
    up.seal(1, "a key that was lost, of some length")
    up.rotate()
    up.start()
    code, told = up.rotate()
    assert (code, told["step"], told["unreadable"]) == (1, "blocked", ["kept_token.token_sealed/1"])
    assert told["can_go"] == []
    assert len(kept_encryption_keys(up.data)) == 2


def test_keys_of_the_environment_are_named_and_left_to_the_operator(up: Up) -> None:
    old, new = "o" * 40, "n" * 40
    up.start(ENCRYPTION_KEY=old)
    up.seal(1, old)
    code, told = up.rotate()
    assert (code, told["resealed"], told["can_go"]) == (0, 0, [])

    up.start(ENCRYPTION_KEY=f"{new}, {old}")
    code, told = up.rotate()
    assert (code, told["resealed"]) == (0, 1)
    assert told["can_go"] == Keyring([Secret(old)]).key_ids
    assert up.open(1, new) == "it"
    assert kept_encryption_keys(up.data) == []


def test_words_say_what_comes_next(up: Up, capsys: pytest.CaptureFixture[str]) -> None:
    def rotate() -> str:
        main(["keys", "rotate-encryption", "--data", str(up.data)])
        return capsys.readouterr().out

    up.start()
    up.seal(1, *kept_encryption_keys(up.data))
    assert "Stop `pillarbox up`, start it again" in rotate()
    up.start()
    said = rotate()
    assert "1 of 1 secrets are sealed anew." in said
    assert "holds no other. Backups made before now need the old key." in said


def test_it_says_so_when_nothing_runs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DATABASE_URL", raising=False)
    assert main(["keys", "rotate-encryption", "--data", str(tmp_path)]) == 3
    assert "pillarbox up" in capsys.readouterr().err
