"""DMARC (RFC 7489): does what passed speak for the domain that the reader sees?"""

from collections.abc import Sequence
from dataclasses import dataclass

from app.core.dns import Resolver
from app.inbound.authentication.organisation import Organisations
from app.inbound.authentication.results import Finding, Result
from app.inbound.authentication.spf import MUTE_REASONS
from app.mime.addresses import normalise_domain, parse_addresses, split_address
from app.mime.headers import read_header, unfold

_POLICIES = ("none", "quarantine", "reject")
_MAX_TAGS = 50


@dataclass(frozen=True, slots=True)
class DmarcRecord:
    """What a domain asks for. The policies are `none`, `quarantine` or `reject`."""

    policy: str
    is_spf_strict: bool
    is_dkim_strict: bool


def read_from_domain(head: bytes) -> str | None:
    """The domain of the header's From, empty where there is none. None for several domains, of
    which nobody could say whose word counts (section 6.6.1)."""
    fields = read_header(head, 0, len(head)).all("from")
    mailboxes = [mailbox for field in fields for mailbox in parse_addresses(unfold(field))]
    domains = {
        normalise_domain(split_address(mailbox.address)[1])
        for mailbox in mailboxes
        if mailbox.address
    }
    if len(domains) > 1 or len(fields) > 1:
        return None
    return next(iter(domains), "")


async def find_record(
    resolver: Resolver, organisations: Organisations, domain: str
) -> DmarcRecord | None:
    """Policy discovery (section 6.6.3). Raises `DnsUnavailable`."""
    if "." not in domain:
        return None
    if text := _single(await resolver.texts(f"_dmarc.{domain}")):
        return parse_dmarc(text, is_subdomain=False)
    organisation = organisations.domain_of(domain)
    if organisation == domain:
        return None
    text = _single(await resolver.texts(f"_dmarc.{organisation}"))
    return parse_dmarc(text, is_subdomain=True) if text else None


def parse_dmarc(text: bytes, *, is_subdomain: bool) -> DmarcRecord | None:
    """Section 6.3. For a subdomain, `sp` counts before `p`. A record without a valid policy counts
    as `none` where somebody wants reports (section 6.6.3), and otherwise for nothing."""
    tags: dict[str, str] = {}
    for spec in text.decode("ascii", "replace").split(";", _MAX_TAGS)[:_MAX_TAGS]:
        name, _, value = spec.partition("=")
        tags.setdefault(name.strip().lower(), value.strip().lower())
    policy = tags.get("sp", tags.get("p")) if is_subdomain else tags.get("p")
    if policy not in _POLICIES or tags.get("p") not in _POLICIES:
        if not tags.get("rua", "").startswith("mailto:"):
            return None
        policy = "none"
    return DmarcRecord(
        policy,
        is_spf_strict=tags.get("aspf") == "s",
        is_dkim_strict=tags.get("adkim") == "s",
    )


def evaluate_dmarc(
    organisations: Organisations,
    from_domain: str,
    record: DmarcRecord | None,
    spf: Finding,
    dkim: Finding,
) -> Finding:
    """Section 6.6.2. Without a record it is `none`, as it is for mail that came in a way of which
    SPF can say nothing: that it lacks proof proves nothing."""
    if record is None:
        is_moot = spf.reason in MUTE_REASONS and dkim.result is Result.NONE
        return Finding(Result.NONE, from_domain, spf.reason if is_moot else "no-record")
    if has_proof(organisations, from_domain, record, spf, dkim):
        return Finding(Result.PASS, from_domain)
    if Result.TEMPERROR in (spf.result, dkim.result):
        return Finding(Result.TEMPERROR, from_domain)
    if spf.reason in MUTE_REASONS:
        return Finding(Result.NONE, from_domain, spf.reason)
    return Finding(Result.FAIL, from_domain)


def has_proof(
    organisations: Organisations,
    from_domain: str,
    record: DmarcRecord | None,
    spf: Finding,
    dkim: Finding,
) -> bool:
    """Whether DKIM or SPF passed for the domain of From; relaxed where no record says otherwise."""
    return any(
        finding.result is Result.PASS
        and organisations.are_aligned(from_domain, finding.domain, is_strict=is_strict)
        for finding, is_strict in (
            (dkim, record is not None and record.is_dkim_strict),
            (spf, record is not None and record.is_spf_strict),
        )
    )


def _single(texts: Sequence[bytes]) -> bytes | None:
    """The one record that there is; several count for none."""
    found = [text for text in texts if _is_dmarc(text)]
    return found[0] if len(found) == 1 else None


def _is_dmarc(text: bytes) -> bool:
    name, _, value = text.partition(b";")[0].partition(b"=")
    return name.strip().lower() == b"v" and value.strip() == b"DMARC1"
