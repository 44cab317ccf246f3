"""Sealed secrets open with the right key in the right place, and nowhere else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.encryption import Keyring, UnknownEncryptionKey, key_id_of
from app.core.errors import Corrupt, PillarboxError
from app.core.secrets import Secret

OLD, NEW, OTHER = (Secret(letter * 44) for letter in "ONX")
KEYRING = Keyring([NEW, OLD])
PLAIN = "hunter2, Grüße, 秘密"


@given(plain=st.text(), context=st.text())
def test_secret_is_what_it_was_when_it_is_opened_where_it_was_sealed(
    plain: str, context: str
) -> None:
    sealed = KEYRING.encrypt(plain, context)
    assert KEYRING.decrypt(sealed, context) == plain
    assert KEYRING.encrypt(plain, context) != sealed


@given(data=st.data())
def test_secret_is_refused_when_any_bit_of_it_was_changed(data: st.DataObject) -> None:
    sealed = bytearray(KEYRING.encrypt(PLAIN, "here"))
    at = data.draw(st.integers(0, len(sealed) - 1))
    sealed[at] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises((Corrupt, UnknownEncryptionKey)):
        KEYRING.decrypt(bytes(sealed), "here")


@given(sealed=st.binary(max_size=80) | st.binary(max_size=60).map(lambda tail: b"\x01" + tail))
def test_anything_else_is_refused_by_name(sealed: bytes) -> None:
    with pytest.raises(PillarboxError):
        KEYRING.decrypt(sealed, "here")


@given(end=st.integers(0, 200))
def test_secret_is_refused_when_it_was_cut(end: int) -> None:
    sealed = KEYRING.encrypt(PLAIN * 10, "here")
    with pytest.raises(Corrupt):
        KEYRING.decrypt(sealed[:end], "here")


def test_secret_is_refused_when_it_was_moved_to_another_row() -> None:
    sealed = KEYRING.encrypt(PLAIN, "table.column/1")
    with pytest.raises(Corrupt, match="belongs elsewhere"):
        KEYRING.decrypt(sealed, "table.column/2")


def test_first_key_seals_and_all_keys_open() -> None:
    old = Keyring([OLD]).encrypt(PLAIN, "here")
    new = KEYRING.encrypt(PLAIN, "here")
    assert KEYRING.decrypt(old, "here") == PLAIN
    assert key_id_of(new) == KEYRING.key_ids[0] == Keyring([NEW]).key_ids[0]
    assert key_id_of(old) == KEYRING.key_ids[1]
    assert new.startswith(KEYRING.sealing_head)
    assert not old.startswith(KEYRING.sealing_head)


def test_key_is_named_when_it_is_not_among_ours() -> None:
    sealed = Keyring([OTHER]).encrypt(PLAIN, "here")
    with pytest.raises(UnknownEncryptionKey, match=key_id_of(sealed)):
        KEYRING.decrypt(sealed, "here")


def test_form_of_what_is_stored_stays_as_it_is() -> None:
    """Values that earlier releases stored have to open for ever."""
    sealed = bytes.fromhex(
        "0100a8284326f423135aec761ab23326448ec5dc2fb4d71c3bcfcab7ccc58cfbe18d6a4c3a7b43c887"
    )
    assert Keyring([OLD]).decrypt(sealed, "table.column/1") == "kept"


def test_nothing_of_keys_or_secrets_shows_in_a_repr() -> None:
    assert "NNNN" not in repr(KEYRING)
    assert "NNNN" not in repr(vars(KEYRING))
