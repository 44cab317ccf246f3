"""DKIM (RFC 6376) over mail that another implementation signed."""

import base64
import hashlib
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from functools import cache

import dkim
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import (
    RSAPrivateKey,
    RSAPublicNumbers,
    generate_private_key,
)
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from dns_server import Zone

from app.core.dns import Resolver
from app.inbound.authentication.authenticator import Arrived, Authenticator
from app.inbound.authentication.organisation import Organisations
from app.inbound.authentication.results import Finding
from app.mime.dkim_canonical import split_fields
from app.mime.dkim_signature import read_signature
from app.mime.dkim_verify import _signed_octets

ORGANISATIONS = Organisations()
RECEIVED_AT = datetime(2026, 11, 22, 9, tzinfo=UTC)
KEY_NAME = "s1._domainkey.acme.example"
PREFIX = b"Return-Path: <a@b.example>\r\nReceived: from x by y; Sun, 22 Nov 2026 09:00:00 +0000\r\n"
HEADER = (
    b"From: Ada <ada@acme.example>\r\nTo: box@example.test\r\nSubject:  Notes \t on\r\n"
    b" the engine\r\nDate: Sun, 22 Nov 2026 08:59:00 +0000\r\n"
)
BODY = b"The  table\tholds. \r\n\r\n \r\nYours,\r\nAda\r\n\r\n \r\n\r\n"
MAIL = HEADER + b"\r\n" + BODY


@cache
def private_key(bits: int) -> RSAPrivateKey:
    return generate_private_key(65537, bits)


def record(key: RSAPrivateKey, *, form: PublicFormat = PublicFormat.SubjectPublicKeyInfo) -> str:
    public = key.public_key().public_bytes(Encoding.DER, form)
    return "v=DKIM1; k=rsa; p=" + base64.b64encode(public).decode()


def sign(mail: bytes = MAIL, *, bits: int = 1024, **options: object) -> bytes:
    """The mail with a signature that dkimpy made on top."""
    pem = private_key(bits).private_bytes(
        Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()
    )
    arguments = {"canonicalize": (b"relaxed", b"relaxed"), **options}
    return dkim.sign(mail, b"s1", b"acme.example", pem, **arguments) + mail


def resign(mail: bytes, *changes: tuple[bytes, bytes]) -> bytes:
    """The mail with its signature changed, and right again for what it then says."""
    for old, new in changes:
        assert old in mail
        mail = mail.replace(old, new, 1)
    fields = split_fields(mail.partition(b"\r\n\r\n")[0])
    signature = read_signature(fields[0])
    value = private_key(1024).sign(_signed_octets(signature, fields), PKCS1v15(), SHA256())
    return put_signature(mail, value)


def put_signature(mail: bytes, value: bytes) -> bytes:
    """The mail with another value in the `b=` of its first field, which dkimpy puts last."""
    return re.sub(
        rb"(;\s*b=)[A-Za-z0-9+/=\s]*?(?=\r\n[A-Z])",
        lambda match: match[1] + base64.b64encode(value),
        mail,
        count=1,
    )


async def check(resolver: Resolver, mail: bytes, *, chunk_bytes: int = 64 * 1024) -> Finding:
    async def chunks() -> AsyncIterator[bytes]:
        for start in range(0, len(raw), chunk_bytes):
            yield raw[start : start + chunk_bytes]

    raw = PREFIX + mail
    arrived = Arrived("127.0.0.1", "client", "a@b.example", RECEIVED_AT, len(PREFIX))
    findings = await Authenticator(resolver, ORGANISATIONS).check(arrived, chunks())
    return findings.dkim


@pytest.fixture
def zone(zone: Zone) -> Zone:
    zone.add_text(KEY_NAME, record(private_key(1024)))
    return zone


@pytest.mark.parametrize("header_form", [b"simple", b"relaxed"])
@pytest.mark.parametrize("body_form", [b"simple", b"relaxed"])
@pytest.mark.parametrize("body", [BODY, b"", b"\r\n\r\n", b" \t\r\n", b"no end", b"\r\n a\rb\r\n"])
@pytest.mark.parametrize("chunk_bytes", [1, 65536])
async def test_signature_of_another_implementation_passes_in_every_form(
    zone: Zone,
    resolver: Resolver,
    header_form: bytes,
    body_form: bytes,
    body: bytes,
    chunk_bytes: int,
) -> None:
    mail = sign(HEADER + b"\r\n" + body, canonicalize=(header_form, body_form))
    found = await check(resolver, mail, chunk_bytes=chunk_bytes)
    assert found == Finding("pass", "acme.example")


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        (b"Yours", b"Mine!", "body-changed"),
        (b"the engine", b"the motor!", "header-changed"),
        (b"From: Ada", b"From: Bob", "header-changed"),
        (b"To: box", b"To: fox", "header-changed"),
    ],
)
async def test_signature_fails_when_the_mail_was_changed(
    zone: Zone, resolver: Resolver, old: bytes, new: bytes, reason: str
) -> None:
    found = await check(resolver, sign().replace(old, new))
    assert (found.result, found.reason) == ("fail", reason)


async def test_white_space_may_change_in_the_relaxed_form_alone(
    zone: Zone, resolver: Resolver
) -> None:
    relaxed = sign().replace(b"Notes \t on\r\n the", b"Notes on the")
    simple = sign(canonicalize=(b"simple", b"simple")).replace(
        b"Notes \t on\r\n the", b"Notes on the"
    )
    assert (await check(resolver, relaxed)).result == "pass"
    assert (await check(resolver, simple)).reason == "header-changed"


async def test_signature_passes_when_line_ends_were_lost_on_the_way(
    zone: Zone, resolver: Resolver
) -> None:
    assert (await check(resolver, sign().replace(b"\r\n", b"\n"))).result == "pass"


async def test_field_that_was_oversigned_cannot_be_added(zone: Zone, resolver: Resolver) -> None:
    names = [b"from", b"from", b"subject", b"subject"]
    mail = sign(include_headers=names)
    assert (await check(resolver, mail)).result == "pass"
    assert (await check(resolver, b"Subject: Another\r\n" + mail)).reason == "header-changed"


async def test_our_own_trace_fields_are_not_what_was_signed(zone: Zone, resolver: Resolver) -> None:
    """A sender may have signed that there is no other Received than those that he put there."""
    first = b"Received: from a by b; Sun, 22 Nov 2026 08:00:00 +0000\r\n"
    mail = resign(sign(first + MAIL), (b"h=from", b"h=received : received : from"))
    assert (await check(resolver, mail)).result == "pass"
    found = await check(resolver, first.replace(b"a by b", b"c by d") + mail)
    assert found.reason == "header-changed"


async def test_ed25519_signature_passes(zone: Zone, resolver: Resolver) -> None:
    key = Ed25519PrivateKey.generate()
    public = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    zone.records[(KEY_NAME, "TXT")] = [
        f'"v=DKIM1; k=ed25519; p={base64.b64encode(public).decode()}"'
    ]
    mail = sign().replace(b"a=rsa-sha256", b"a=ed25519-sha256")
    fields = split_fields(mail.partition(b"\r\n\r\n")[0])
    octets = _signed_octets(read_signature(fields[0]), fields)
    mail = put_signature(mail, key.sign(hashlib.sha256(octets).digest()))
    assert (await check(resolver, mail)).result == "pass"
    assert (await check(resolver, mail.replace(b"Ada", b"Bob"))).result == "fail"


@pytest.mark.parametrize("bits", [2048, 5000])
async def test_key_of_any_usual_size_is_taken(zone: Zone, resolver: Resolver, bits: int) -> None:
    zone.records.clear()
    zone.add_text(KEY_NAME, record(private_key(bits)))
    assert (await check(resolver, sign(bits=bits))).result == "pass"


@pytest.mark.parametrize(("bits", "reason"), [(1023, "weak-key"), (8200, "bad-key")])
async def test_key_is_refused_when_it_is_too_short_or_too_long(
    zone: Zone, resolver: Resolver, bits: int, reason: str
) -> None:
    modulus = (1 << (bits - 1)) + 1
    public = RSAPublicNumbers(65537, modulus).public_key()
    der = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    zone.records.clear()
    zone.add_text(KEY_NAME, "p=" + base64.b64encode(der).decode())
    found = await check(resolver, sign())
    assert (found.result, found.reason) == ("permerror", reason)


@pytest.mark.parametrize(
    ("key", "reason"),
    [
        (None, "no-key"),
        ("v=DKIM1; p=", "key-revoked"),
        ("v=DKIM1; k=rsa; p=AAAA", "bad-key"),
        ("v=DKIM1; k=rsa; p=%%%", "bad-key"),
        ("v=DKIM1; k=ed25519; p={key}", "bad-key"),
        ("v=DKIM2; p={key}", "bad-key"),
        ("v=DKIM1; h=sha1; p={key}", "bad-key"),
        ("v=DKIM1; s=tlsrpt; p={key}", "bad-key"),
        ("nonsense", "malformed"),
        ("v=DKIM1; p={key}; p={key}", "malformed"),
    ],
)
async def test_key_that_is_none_for_the_signature_is_a_permanent_error(
    zone: Zone, resolver: Resolver, key: str | None, reason: str
) -> None:
    zone.records.clear()
    if key is not None:
        zone.add_text(KEY_NAME, key.replace("{key}", record(private_key(1024)).partition("p=")[2]))
    found = await check(resolver, sign())
    assert (found.result, found.reason) == ("permerror", reason)


async def test_key_without_tags_but_its_own_is_enough(zone: Zone, resolver: Resolver) -> None:
    zone.records.clear()
    text = record(private_key(1024), form=PublicFormat.PKCS1)
    zone.add_text(KEY_NAME, text.partition("k=rsa; ")[2])
    assert (await check(resolver, sign())).result == "pass"


@pytest.mark.parametrize(
    ("change", "result", "reason"),
    [
        ((b"; t=", b"; x=1700000000; t="), "fail", "expired"),
        ((b"; t=", b"; x=2700000000; t="), "pass", ""),
        ((b"; t=", b"; x=soon; t="), "permerror", "malformed"),
        ((b"a=rsa-sha256", b"a=rsa-sha1"), "permerror", "weak-algorithm"),
        ((b"v=1", b"v=2"), "permerror", "malformed"),
        ((b"c=relaxed/relaxed", b"c=relaxed/strange"), "permerror", "malformed"),
        ((b"d=acme.example", b"d=other.example"), "permerror", "malformed"),
        ((b"q=dns/txt", b"q=http"), "permerror", "malformed"),
        ((b"bh=", b"bh=!"), "permerror", "malformed"),
        ((b"h=from", b"h=form"), "permerror", "from-not-signed"),
        ((b"; t=", b"; d=acme.example; t="), "permerror", "malformed"),
    ],
)
async def test_signature_is_judged_by_its_tags(
    zone: Zone, resolver: Resolver, change: tuple[bytes, bytes], result: str, reason: str
) -> None:
    mail = sign(include_headers=[b"from", b"subject"])
    if result in ("pass", "fail"):
        mail = resign(mail, change)
    else:
        assert change[0] in mail
        mail = mail.replace(*change, 1)
    found = await check(resolver, mail)
    assert (found.result, found.reason) == (result, reason)


async def test_body_signed_in_part_is_no_proof_once_more_was_added(
    zone: Zone, resolver: Resolver
) -> None:
    mail = sign(length=True)
    assert (await check(resolver, mail)).result == "pass"
    found = await check(resolver, mail.rstrip() + b"\r\nPay here: https://evil.example\r\n")
    assert (found.result, found.reason) == ("policy", "body-partly-signed")


async def test_five_signatures_are_verified_when_there_are_fifty(
    zone: Zone, resolver: Resolver
) -> None:
    mail = sign()
    own = mail[: mail.index(b"From:")]
    others = b"".join(own.replace(b"acme.example", b"d%d.example" % number) for number in range(49))
    found = await check(resolver, others + mail)
    assert found == Finding("pass", "acme.example"), "that of the domain in From comes first"
    assert sum(kind == "TXT" and "_domainkey" in name for name, kind in zone.questions) == 5


async def test_other_signature_stands_for_the_message_when_one_is_broken(
    zone: Zone, resolver: Resolver
) -> None:
    found = await check(resolver, b"DKIM-Signature: v=1; nonsense\r\n" + sign())
    assert found.result == "pass"
    found = await check(resolver, b"DKIM-Signature: v=1; nonsense\r\n" + MAIL)
    assert (found.result, found.reason) == ("permerror", "malformed")


async def test_result_is_temporary_when_the_key_cannot_be_looked_up(
    zone: Zone, resolver: Resolver
) -> None:
    zone.failing.add(KEY_NAME)
    assert await check(resolver, sign()) == Finding("temperror", "acme.example")


async def test_mail_without_signature_is_none(resolver: Resolver) -> None:
    assert await check(resolver, MAIL) == Finding("none")


@pytest.mark.parametrize(("form", "megabytes"), [(b"simple", 10), (b"relaxed", 1)])
async def test_large_body_is_verified(
    zone: Zone, resolver: Resolver, form: bytes, megabytes: int
) -> None:
    line = b"word  and word \t again \r\n"
    body = line * (megabytes * 1024 * 1024 // len(line))
    mail = sign(HEADER + b"\r\n" + body, canonicalize=(b"simple", form))
    assert (await check(resolver, mail)).result == "pass"


@pytest.mark.parametrize("filling", [b" ", b"\r\n", b"\t\r\n", b"\r", b"a", b"=\r\n", b" a"])
async def test_body_costs_no_more_than_its_size_when_it_is_made_to_be_slow(
    zone: Zone, resolver: Resolver, filling: bytes
) -> None:
    mail = sign() + filling * (5_000_000 // len(filling))
    assert (await check(resolver, mail)).result in ("fail", "pass")


@pytest.mark.parametrize(
    "header",
    [
        b"DKIM-Signature: " + b"a" * 900_000,
        b"DKIM-Signature: " + b"a=b;" * 200_000,
        b"DKIM-Signature: v=1; h=" + b"from:" * 150_000,
        b"x" * 900_000,
        b"DKIM-Signature:" + b"\r\n " * 200_000,
        b"DKIM-Signature: b" + b" " * 900_000,
    ],
)
async def test_header_costs_no_more_than_its_size_when_it_is_made_to_be_slow(
    zone: Zone, resolver: Resolver, header: bytes
) -> None:
    found = await check(resolver, header + b"\r\n" + MAIL)
    assert found.result in ("permerror", "none")
