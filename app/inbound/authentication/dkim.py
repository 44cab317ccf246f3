"""DomainKeys Identified Mail (RFC 6376): which domains answer for a message?"""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from app.core.dns import DnsUnavailable, Resolver
from app.inbound.authentication.organisation import Organisations
from app.inbound.authentication.results import Finding, Result
from app.mime.dkim_canonical import BodyHash, RawField
from app.mime.dkim_signature import BadSignature, Signature, read_key, read_signature
from app.mime.dkim_verify import is_header_signed

MAX_SIGNATURES = 5

# The finding that says most stands for the message.
_RANKS = (Result.PASS, Result.TEMPERROR, Result.FAIL, Result.POLICY, Result.PERMERROR, Result.NONE)


@dataclass(frozen=True, slots=True)
class Candidates:
    """The signatures that are looked at, and what is known already of those that are broken."""

    signatures: Sequence[Signature]
    broken: Sequence[Finding]


def read_signatures(
    fields: Sequence[RawField], organisations: Organisations, from_domain: str
) -> Candidates:
    """At most `MAX_SIGNATURES`, those of the domain in From first."""
    signatures: list[Signature] = []
    broken: list[Finding] = []
    found = [field for field in fields if field.name == "dkim-signature"]
    for field in found[: 10 * MAX_SIGNATURES]:
        try:
            signatures.append(read_signature(field))
        except BadSignature as error:
            broken.append(Finding(Result.PERMERROR, error.domain, error.reason))
    signatures.sort(
        key=lambda one: not organisations.are_aligned(from_domain, one.domain, is_strict=False)
    )
    return Candidates(signatures[:MAX_SIGNATURES], broken)


BodyHashes = Mapping[tuple[bool, int | None], BodyHash]


async def hash_body(signatures: Sequence[Signature], body: AsyncIterator[bytes]) -> BodyHashes:
    """The hash of the body for each form and length that a signature asks for."""
    hashes = {
        _form(one): BodyHash(is_relaxed=one.is_body_relaxed, length_bytes=one.length_bytes)
        for one in signatures
    }
    if hashes:
        async for chunk in body:
            for body_hash in hashes.values():
                body_hash.update(chunk)
    return hashes


async def look_up_keys(
    resolver: Resolver, signatures: Sequence[Signature]
) -> Sequence[Sequence[bytes] | DnsUnavailable]:
    """The TXT records where the key of each signature should be."""
    return await asyncio.gather(*(_look_up(resolver, one) for one in signatures))


def verify_signatures(
    candidates: Candidates,
    fields: Sequence[RawField],
    hashes: BodyHashes,
    keys: Sequence[Sequence[bytes] | DnsUnavailable],
    received_at: datetime,
) -> Sequence[Finding]:
    """What each signature comes to. Takes some milliseconds of computing."""
    digests = {form: body_hash.finish() for form, body_hash in hashes.items()}
    findings: list[Finding] = []
    for signature, records in zip(candidates.signatures, keys, strict=True):
        form = _form(signature)
        if isinstance(records, DnsUnavailable):
            findings.append(Finding(Result.TEMPERROR, signature.domain))
        elif signature.expires_at and signature.expires_at < received_at:
            findings.append(Finding(Result.FAIL, signature.domain, "expired"))
        elif digests[form] != signature.body_hash:
            findings.append(Finding(Result.FAIL, signature.domain, "body-changed"))
        elif not hashes[form].covers_all:
            findings.append(Finding(Result.POLICY, signature.domain, "body-partly-signed"))
        else:
            findings.append(_verify_header(signature, fields, records))
    return [*findings, *candidates.broken]


def choose_finding(
    findings: Sequence[Finding], organisations: Organisations, from_domain: str
) -> Finding:
    """The one finding that speaks for the message: proof for its From before any other."""

    def rank(finding: Finding) -> tuple[int, bool]:
        is_aligned = organisations.are_aligned(from_domain, finding.domain, is_strict=False)
        return _RANKS.index(finding.result), not is_aligned

    return min(findings, key=rank, default=Finding(Result.NONE))


def _form(signature: Signature) -> tuple[bool, int | None]:
    return signature.is_body_relaxed, signature.length_bytes


async def _look_up(resolver: Resolver, signature: Signature) -> Sequence[bytes] | DnsUnavailable:
    try:
        return await resolver.texts(signature.key_name)
    except DnsUnavailable as error:
        return error


def _verify_header(
    signature: Signature, fields: Sequence[RawField], records: Sequence[bytes]
) -> Finding:
    """Several records are not foreseen (section 3.6.2.2); the first counts."""
    if not records:
        return Finding(Result.PERMERROR, signature.domain, "no-key")
    try:
        key = read_key(records[0], signature)
    except BadSignature as error:
        return Finding(Result.PERMERROR, signature.domain, error.reason)
    if is_header_signed(signature, fields, key):
        return Finding(Result.PASS, signature.domain)
    return Finding(Result.FAIL, signature.domain, "header-changed")
