"""Signatures that the receiver's library takes, and nothing else."""

import base64
import json
from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook, WebhookVerificationError

from app.core.ids import Ids
from app.core.secrets import Secret
from app.webhooks.signing import message_id, new_secret, sign, signed_headers

keys = st.binary(min_size=24, max_size=64).map(
    lambda key: Secret("whsec_" + base64.b64encode(key).decode())
)
bodies = st.recursive(
    st.none() | st.booleans() | st.text(),
    lambda part: st.lists(part) | st.dictionaries(st.text(), part),
).map(lambda value: json.dumps({"value": value}, ensure_ascii=False).encode("utf-8", "replace"))


def now() -> datetime:
    return datetime.now(UTC)


@given(secret=keys, delivery_id=st.uuids(), body=bodies)
def test_any_payload_verifies_with_the_library(
    secret: Secret, delivery_id: UUID, body: bytes
) -> None:
    headers = signed_headers([secret], delivery_id, now(), body)
    assert Webhook(secret.reveal()).verify(body, dict(headers)) == json.loads(body)


@given(old=keys, new=keys, other=keys, delivery_id=st.uuids())
def test_both_secrets_verify_while_one_is_replaced(
    old: Secret, new: Secret, other: Secret, delivery_id: UUID
) -> None:
    headers = dict(signed_headers([new, old], delivery_id, now(), b"{}"))
    for secret in (old, new):
        Webhook(secret.reveal()).verify(b"{}", headers)
    if other not in (old, new):
        with pytest.raises(WebhookVerificationError):
            Webhook(other.reveal()).verify(b"{}", headers)


@given(secret=keys, delivery_id=st.uuids(), place=st.integers(0, 9), bit=st.integers(0, 6))
def test_no_changed_body_verifies(secret: Secret, delivery_id: UUID, place: int, bit: int) -> None:
    body = b'{"a": "bc"}'
    headers = dict(signed_headers([secret], delivery_id, now(), body))
    changed = bytearray(body)
    changed[place] ^= 1 << bit
    with pytest.raises(WebhookVerificationError):
        Webhook(secret.reveal()).verify(bytes(changed), headers)


def test_signature_is_the_one_of_the_specification() -> None:
    """Of a published example of the libraries that verify."""
    secret = Secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    signature = sign(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
    assert signature == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_secret_has_enough_random_bits_and_no_two_are_alike() -> None:
    secrets = {new_secret(Ids()).reveal() for _ in range(50)}
    assert len(secrets) == 50
    for secret in secrets:
        assert len(base64.b64decode(secret.removeprefix("whsec_"), validate=True)) == 32


@given(st.uuids())
def test_id_has_no_full_stop(delivery_id: UUID) -> None:
    assert "." not in message_id(delivery_id)
