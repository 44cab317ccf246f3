"""Who sent a message, as far as the DNS can prove it: SPF, DKIM and DMARC together."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from app.core.dns import DnsUnavailable, Resolver
from app.inbound.authentication.dkim import (
    choose_finding,
    hash_body,
    look_up_keys,
    read_signatures,
    verify_signatures,
)
from app.inbound.authentication.dmarc import (
    DmarcRecord,
    evaluate_dmarc,
    find_record,
    has_proof,
    read_from_domain,
)
from app.inbound.authentication.organisation import Organisations
from app.inbound.authentication.results import Finding, Findings, Result
from app.inbound.authentication.spf import check_spf, find_why_mute
from app.mime.addresses import normalise_domain, split_address
from app.mime.dkim_canonical import split_fields
from app.mime.headers import MAX_HEADER_BYTES

_T = TypeVar("_T")

_SECONDS = 1.5
_END_OF_HEADER = (b"\r\n\r\n", b"\n\n")


@dataclass(frozen=True, slots=True)
class Arrived:
    """How a message came: what the SMTP dialogue said, and when. `prefix_size_bytes` counts the
    trace fields that we put on top of it, which nobody signed."""

    client_address: str
    client_name: str
    mail_from: str
    received_at: datetime
    prefix_size_bytes: int


@dataclass(frozen=True, slots=True)
class Authenticator:
    """Checks messages. What the DNS does not answer within one and a half seconds is `temperror`.

    Memory is bounded whatever the size of a message.
    """

    resolver: Resolver
    organisations: Organisations

    async def check(self, arrived: Arrived, raw: AsyncIterator[bytes]) -> Findings:
        """`raw` is the message as it is stored. Errors of its store are raised as they are."""
        head, body = await _split(_skip(raw, arrived.prefix_size_bytes))
        from_domain = read_from_domain(head)
        fields = split_fields(head)
        candidates = read_signatures(fields, self.organisations, from_domain or "")
        is_signed = bool(candidates.signatures or candidates.broken)
        can_prove = is_signed or not find_why_mute(arrived.client_address)
        async with asyncio.TaskGroup() as tasks:
            spf = tasks.create_task(self._check_spf(arrived))
            keys = tasks.create_task(_bounded(look_up_keys(self.resolver, candidates.signatures)))
            record = tasks.create_task(
                _bounded(self._find_record(from_domain if can_prove else ""))
            )
            hashes = await hash_body(candidates.signatures, body)
        found = keys.result()
        if isinstance(found, DnsUnavailable):
            found = [found] * len(candidates.signatures)
        dkim = choose_finding(
            await asyncio.to_thread(
                verify_signatures, candidates, fields, hashes, found, arrived.received_at
            ),
            self.organisations,
            from_domain or "",
        )
        return self._conclude(from_domain, record.result(), spf.result(), dkim)

    def _conclude(
        self,
        from_domain: str | None,
        record: DmarcRecord | DnsUnavailable | None,
        spf: Finding,
        dkim: Finding,
    ) -> Findings:
        if from_domain is None:
            return Findings(
                spf, dkim, Finding(Result.PERMERROR, reason="several-senders"), "", False
            )
        if isinstance(record, DnsUnavailable):
            return Findings(spf, dkim, Finding(Result.TEMPERROR, from_domain), "", False)
        dmarc = evaluate_dmarc(self.organisations, from_domain, record, spf, dkim)
        is_aligned = has_proof(self.organisations, from_domain, record, spf, dkim)
        return Findings(spf, dkim, dmarc, record.policy if record else "", is_aligned)

    async def _check_spf(self, arrived: Arrived) -> Finding:
        sender = arrived.client_address, arrived.client_name, arrived.mail_from
        found = await _bounded(check_spf(self.resolver, *sender))
        if isinstance(found, DnsUnavailable):
            domain = split_address(arrived.mail_from)[1] or arrived.client_name
            return Finding(Result.TEMPERROR, normalise_domain(domain))
        return found

    async def _find_record(self, from_domain: str | None) -> DmarcRecord | None:
        return await find_record(self.resolver, self.organisations, from_domain or "")


async def _bounded(question: Coroutine[Any, Any, _T]) -> _T | DnsUnavailable:
    try:
        async with asyncio.timeout(_SECONDS):
            return await question
    except TimeoutError:
        return DnsUnavailable("The DNS takes too long.")
    except DnsUnavailable as error:
        return error


async def _skip(chunks: AsyncIterator[bytes], size_bytes: int) -> AsyncIterator[bytes]:
    async for chunk in chunks:
        if size_bytes < len(chunk):
            yield chunk[size_bytes:]
        size_bytes = max(0, size_bytes - len(chunk))


async def _split(chunks: AsyncIterator[bytes]) -> tuple[bytes, AsyncIterator[bytes]]:
    """The header section with its empty line, and what comes behind it. A header beyond its bound
    goes on in the body, where it is signed by nobody."""
    head = b""
    async for chunk in chunks:
        head += chunk
        ends = [head.find(mark) + len(mark) for mark in _END_OF_HEADER if mark in head]
        if ends:
            return head[: min(ends)], _chain(head[min(ends) :], chunks)
        if len(head) > MAX_HEADER_BYTES:
            break
    return head, _chain(b"", chunks)


async def _chain(first: bytes, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    async for chunk in chunks:
        yield chunk
