"""Stored secrets change their key one by one, while they are in use."""

import asyncio
from collections.abc import AsyncIterator
from uuid import UUID, uuid4

import pytest

from app.assembly import Services
from app.core.encryption import Keyring, key_id_of
from app.core.errors import Corrupt
from app.core.secrets import Secret
from app.storage.sealed_columns import SealedColumn
from app.storage.sealed_secrets import SealedSecrets

OLD, NEW, LOST = (Secret(letter * 44) for letter in "ONL")
TOKEN = SealedColumn("kept_token", "id", "token_sealed")
NOTE = SealedColumn("kept_note", "name", "note_sealed")


class Interrupted(Exception):
    pass


class Vault:
    """Two tables with secrets, and the installation's functions on them."""

    def __init__(self, services: Services) -> None:
        self.database = services.database
        self.keyring = Keyring([NEW, OLD])
        self.secrets = SealedSecrets(self.database, self.keyring, [TOKEN, NOTE])

    async def add(self, key: Secret, plain: str) -> UUID:
        row_id = uuid4()
        sealed = Keyring([key]).encrypt(plain, TOKEN.context(row_id))
        await self.database.execute("insert into kept_token values ($1, $2)", row_id, sealed)
        return row_id

    async def sealed(self, row_id: UUID) -> bytes:
        value: bytes = await self.database.fetch_value(
            "select token_sealed from kept_token where id = $1", row_id
        )
        return value

    async def read(self, row_id: UUID) -> str:
        return self.keyring.decrypt(await self.sealed(row_id), TOKEN.context(row_id))


@pytest.fixture
async def vault(services: Services) -> AsyncIterator[Vault]:
    await services.database.execute(
        "create table kept_token (id uuid primary key, token_sealed bytea)"
    )
    await services.database.execute(
        "create table kept_note (name text primary key, note_sealed bytea)"
    )
    yield Vault(services)


def ignore(done: int, total: int) -> None:
    pass


async def test_every_secret_has_the_new_key_and_is_what_it_was(vault: Vault) -> None:
    rows = {await vault.add(OLD, f"secret {number}"): number for number in range(250)}
    note = Keyring([OLD]).encrypt("a note", NOTE.context("first"))
    await vault.database.execute("insert into kept_note values ('first', $1), ('none', null)", note)
    said: list[tuple[int, int]] = []
    resealed = await vault.secrets.reseal(lambda done, total: said.append((done, total)))
    assert (resealed.secrets, resealed.unreadable) == (251, [])
    assert said == [(100, 251), (200, 251), (250, 251), (251, 251)]
    assert await vault.secrets.count_by_key() == {vault.keyring.key_ids[0]: 251}
    only_new = Keyring([NEW])
    for row_id, number in rows.items():
        opened = only_new.decrypt(await vault.sealed(row_id), TOKEN.context(row_id))
        assert opened == f"secret {number}"
    kept = await vault.database.fetch_value("select note_sealed from kept_note where name='first'")
    assert only_new.decrypt(kept, NOTE.context("first")) == "a note"
    assert (await vault.secrets.reseal(ignore)).secrets == 0


async def test_rest_is_sealed_when_an_earlier_pass_was_cut_off(vault: Vault) -> None:
    for number in range(150):
        await vault.add(OLD, f"secret {number}")

    def interrupt(done: int, total: int) -> None:
        raise Interrupted

    with pytest.raises(Interrupted):
        await vault.secrets.reseal(interrupt)
    new, old = vault.keyring.key_ids
    assert await vault.secrets.count_by_key() == {new: 100, old: 50}
    assert (await vault.secrets.reseal(ignore)).secrets == 50
    assert await vault.secrets.count_by_key() == {new: 150}


async def test_what_is_written_or_deleted_meanwhile_is_as_the_writer_left_it(vault: Vault) -> None:
    rows = [await vault.add(OLD, "before") for _ in range(200)]

    async def write() -> None:
        for row_id in rows[::2]:
            sealed = vault.keyring.encrypt("after", TOKEN.context(row_id))
            await vault.database.execute(
                "update kept_token set token_sealed = $2 where id = $1", row_id, sealed
            )
        await vault.database.execute("delete from kept_token where id = $1", rows[1])

    async def read() -> None:
        for row_id in rows[3::2]:
            assert await vault.read(row_id) == "before"

    await asyncio.gather(vault.secrets.reseal(ignore), write(), read())
    assert {await vault.read(row_id) for row_id in rows[::2]} == {"after"}
    assert {await vault.read(row_id) for row_id in rows[3::2]} == {"before"}
    assert await vault.secrets.count_by_key() == {vault.keyring.key_ids[0]: 199}


async def test_secret_that_no_key_opens_is_named_and_left(vault: Vault) -> None:
    lost = await vault.add(LOST, "lost")
    moved, other = await vault.add(OLD, "moved"), await vault.add(OLD, "other")
    await vault.database.execute(
        """update kept_token set token_sealed = (select token_sealed from kept_token where id = $2)
        where id = $1""",
        moved,
        other,
    )
    before = {row: await vault.sealed(row) for row in (lost, moved)}
    resealed = await vault.secrets.reseal(ignore)
    assert resealed.secrets == 1
    assert set(resealed.unreadable) == {TOKEN.context(lost), TOKEN.context(moved)}
    assert {row: await vault.sealed(row) for row in (lost, moved)} == before
    assert (await vault.secrets.count_by_key())[key_id_of(before[lost])] == 1
    with pytest.raises(Corrupt):
        await vault.read(moved)
