"""What holds for every message and every record."""

from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime

from dkim.canonicalization import Relaxed, Simple
from hypothesis import given, settings
from hypothesis import strategies as st

from app.inbound.authentication.dkim import read_signatures
from app.inbound.authentication.dmarc import parse_dmarc, read_from_domain
from app.inbound.authentication.organisation import Organisations
from app.inbound.authentication.spf_record import BadRecord, parse_record
from app.mime.dkim_canonical import BodyHash, RawField, canonicalise_field, split_fields
from app.mime.dkim_signature import BadSignature, read_key, read_signature

ORGANISATIONS = Organisations()
PIECES = st.sampled_from([b" ", b"\t", b"\r\n", b"\n", b"\r", b"a", b"b ", b"\r\n\r\n", b"\xff"])
SIGNATURE = (
    "DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/simple; d=acme.example; s=s1; h=from:to;"
    " i=@acme.example; q=dns/txt; x=9; l=5; bh=AAAA; b=AAAA"
)


def hash_chunks(chunks: Sequence[bytes], *, is_relaxed: bool, length: int | None) -> bytes:
    body_hash = BodyHash(is_relaxed=is_relaxed, length_bytes=length)
    for chunk in chunks:
        body_hash.update(chunk)
    return body_hash.finish()


@settings(max_examples=150, deadline=None)
@given(st.lists(PIECES, max_size=30), st.booleans(), st.none() | st.integers(0, 20))
def test_body_hash_is_the_same_however_the_body_comes(
    pieces: list[bytes], is_relaxed: bool, length: int | None
) -> None:
    body = b"".join(pieces)
    whole = hash_chunks([body], is_relaxed=is_relaxed, length=length)
    assert hash_chunks(pieces, is_relaxed=is_relaxed, length=length) == whole
    single = [body[place : place + 1] for place in range(len(body))]
    assert hash_chunks(single, is_relaxed=is_relaxed, length=length) == whole


@settings(max_examples=150, deadline=None)
@given(st.lists(st.sampled_from([b" ", b"\t", b"a", b"bc", b""]), max_size=30), st.booleans())
def test_canonical_body_is_that_of_another_implementation(
    words: list[bytes], is_relaxed: bool
) -> None:
    body = b"".join(word or b"\r\n" for word in words) + b"\r\n"
    other = (Relaxed if is_relaxed else Simple).canonicalize_body(body)
    ours = hash_chunks([body], is_relaxed=is_relaxed, length=None)
    plain = BodyHash(is_relaxed=False, length_bytes=len(other))
    plain.update(other)
    assert ours == (plain.finish() if other else hash_chunks([], is_relaxed=True, length=None))


@settings(max_examples=150, deadline=None)
@given(st.lists(PIECES, max_size=20))
def test_canonical_field_is_that_of_another_implementation(pieces: list[bytes]) -> None:
    value = b"".join(piece for piece in pieces if b"\n" not in piece and b"\r" not in piece)
    ((name, other),) = Relaxed.canonicalize_headers([(b"Subject", value + b"\r\n")])
    assert canonicalise_field(b"Subject:" + value + b"\n", is_relaxed=True) == (name + b":" + other)


_SPLICED = st.tuples(st.integers(0, len(SIGNATURE)), st.text(max_size=12), st.integers(0, 20)).map(
    lambda cut: SIGNATURE[: cut[0]] + cut[1] + SIGNATURE[cut[0] + cut[2] :]
)


@settings(max_examples=200, deadline=None)
@given(_SPLICED, st.binary(max_size=60) | st.text(max_size=60).map(str.encode))
def test_nothing_but_a_reason_is_raised_whatever_the_signature_and_the_key(
    text: str, key: bytes
) -> None:
    head = text.encode("utf-8", "surrogatepass") + b"\r\n\r\n"
    read_signatures(split_fields(head), ORGANISATIONS, "acme.example")
    try:
        signature = read_signature(RawField("dkim-signature", head))
        assert signature.expires_at is None or signature.expires_at > datetime(
            1970, 1, 1, tzinfo=UTC
        )
        read_key(b"p=" + key, signature)
    except BadSignature as error:
        assert 0 < len(error.reason) <= 30
        assert len(error.domain) <= 253


_WORDS = st.sampled_from(
    [
        "v=spf1",
        "a",
        "mx",
        "ip4:",
        "1.2.3.4",
        "/33",
        "//",
        "%{",
        "}",
        "include:",
        "exp=",
        "-all",
        ":",
    ]
)


@settings(max_examples=200, deadline=None)
@given(st.lists(_WORDS | st.text(max_size=6), max_size=12), st.booleans())
def test_nothing_but_a_bad_record_is_raised_whatever_is_published(
    words: list[str], is_spaced: bool
) -> None:
    text = (" " if is_spaced else "").join(words).encode("utf-8", "surrogatepass")
    with suppress(BadRecord):
        parse_record(b"v=spf1 " + text)
    parse_dmarc(b"v=DMARC1; p=" + text, is_subdomain=True)
    read_from_domain(b"From: " + text + b"\r\n\r\n")
