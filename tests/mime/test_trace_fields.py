"""Trace fields that no client can break."""

from datetime import UTC, datetime
from email import message_from_bytes
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.mime.parse import parse_message
from app.mime.trace import received_field, return_path_field


def received(**changed: object) -> bytes:
    known: dict[str, object] = {
        "client_name": "mail.example.com",
        "client_address": "192.0.2.1",
        "hostname": "mx.example.org",
        "protocol": "ESMTP",
        "item_id": UUID(int=5),
        "received_at": datetime(2026, 11, 22, 7, 0, 1, tzinfo=UTC),
    }
    return received_field(**(known | changed))  # type: ignore[arg-type]


def test_received_field_says_from_where_by_whom_how_and_when() -> None:
    assert received(tls="TLSv1.3 TLS_AES_256_GCM_SHA384", protocol="ESMTPS") == (
        b"Received: from mail.example.com ([192.0.2.1]) by mx.example.org\r\n"
        b"\twith ESMTPS (TLSv1.3 TLS_AES_256_GCM_SHA384)\r\n"
        b"\tid 00000000-0000-0000-0000-000000000005; Sun, 22 Nov 2026 07:00:01 +0000\r\n"
    )


@pytest.mark.parametrize(
    ("address", "literal"),
    [
        ("2001:db8::1", b"([IPv6:2001:db8::1])"),
        ("::ffff:192.0.2.1", b"([192.0.2.1])"),
        ("fe80::1%eth0", b"([IPv6:fe80::1])"),
        ("192.0.2.1", b"([192.0.2.1])"),
    ],
)
def test_received_field_shows_the_address_as_a_literal(address: str, literal: bytes) -> None:
    assert literal in received(client_address=address)


def test_received_field_leaves_out_what_it_does_not_know() -> None:
    field = received(client_name="", client_address="")
    assert field.startswith(b"Received: from unknown by mx.example.org with ESMTP\r\n")


@given(name=st.text(max_size=400), tls=st.text(max_size=400), address=st.text(max_size=60))
def test_received_field_stays_one_field_whatever_the_client_says(
    name: str, tls: str, address: str
) -> None:
    field = received(client_name=name, tls=tls, client_address=address)
    assert field.isascii() and field.endswith(b" +0000\r\n")
    lines = field.removesuffix(b"\r\n").split(b"\r\n")
    assert all(
        line.startswith(b"\t") and b"\r" not in line and b"\n" not in line for line in lines[1:]
    )
    assert all(len(line) <= 998 for line in lines)
    assert len(message_from_bytes(field + b"\r\n").items()) == 1


def test_received_field_stays_within_78_columns_when_names_allow() -> None:
    lines = received(client_name="a" * 40, hostname="b" * 40).split(b"\r\n")
    assert all(len(line) <= 78 for line in lines)


def test_return_path_field_holds_the_reverse_path() -> None:
    assert return_path_field("jane@example.com") == b"Return-Path: <jane@example.com>\r\n"
    assert return_path_field("") == b"Return-Path: <>\r\n"
    assert return_path_field("jäne@x") == "Return-Path: <jäne@x>\r\n".encode()


@given(st.text(max_size=2000))
def test_return_path_field_stays_one_field_whatever_the_address(address: str) -> None:
    field = return_path_field(address)
    assert field.count(b"\r") == field.count(b"\n") == field.count(b"<") == field.count(b">") == 1
    assert len(field.decode()) <= 1000


def test_parse_message_reads_mail_behind_trace_fields_of_ours() -> None:
    prefix = return_path_field("") + received()
    assert parse_message(prefix + b"no header at all\r\n").text == "no header at all\n"
    assert parse_message(prefix + b"Subject: x\r\n\r\nhi").subject == "x"
