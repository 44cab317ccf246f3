"""The DNS records that a domain should have. Pure: from our own names and what the domain is."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import ip_address

from app.directory.mta_sts import MtaStsMode, policy_id, write_policy

OWNERSHIP_LABEL = "_pillarbox"
OWNERSHIP_KEY = "pillarbox-verification="
_MX_PREFERENCE = 10


class Purpose(StrEnum):
    """What a record is for."""

    OWNERSHIP = "ownership"
    MX = "mx"
    SPF = "spf"
    DKIM = "dkim"
    DMARC = "dmarc"
    MTA_STS = "mta_sts"
    MTA_STS_HOST = "mta_sts_host"
    TLS_RPT = "tls_rpt"


@dataclass(frozen=True, slots=True)
class DnsRecord:
    """One record to publish: `value` as it is typed into a zone, `why` for the person who does.

    Mail is taken without those that are not required.
    """

    purpose: Purpose
    name: str
    type: str
    value: str
    why: str
    is_required: bool = False


@dataclass(frozen=True, slots=True)
class Installation:
    """What is the same for every domain here. `mx_hosts` take its mail, the first before the
    others; `web_host` serves the pages; `spf_include` names whom our mail leaves by, if another."""

    mx_hosts: Sequence[str]
    web_host: str
    spf_include: str = ""


@dataclass(frozen=True, slots=True)
class DkimKey:
    """The public half of a key pair (RFC 6376, section 3.6.1); `public_key` is base64."""

    selector: str
    public_key: str


def list_records(
    name: str,
    *,
    verification_token: str,
    mta_sts_mode: MtaStsMode,
    key: DkimKey,
    installation: Installation,
) -> Sequence[DnsRecord]:
    """What the domain of this name should have, the most important first."""
    return (
        DnsRecord(
            Purpose.OWNERSHIP,
            f"{OWNERSHIP_LABEL}.{name}",
            "TXT",
            f"{OWNERSHIP_KEY}{verification_token}",
            "Shows that the domain is yours. It has to stay: mail is refused once it is gone.",
            is_required=True,
        ),
        *_mx_records(name, installation),
        DnsRecord(
            Purpose.SPF,
            name,
            "TXT",
            _spf(installation),
            "Says who may send as your domain. Where you have such a record already, put what is "
            "new into it: there must be only one.",
        ),
        DnsRecord(
            Purpose.DKIM,
            f"{key.selector}._domainkey.{name}",
            "TXT",
            f"v=DKIM1; k=rsa; p={key.public_key}",
            "The public half of this domain's signing key. Publish it before mail is sent as your "
            "domain from here, so that the first signature can be checked.",
        ),
        DnsRecord(
            Purpose.DMARC,
            f"_dmarc.{name}",
            "TXT",
            f"v=DMARC1; p=none; rua=mailto:postmaster@{name}",
            "Has others report who sends as your domain. Once the reports are good, p=quarantine "
            "or p=reject keeps forgeries away.",
        ),
        *_mta_sts_records(name, mta_sts_mode, installation),
        DnsRecord(
            Purpose.TLS_RPT,
            f"_smtp._tls.{name}",
            "TXT",
            f"v=TLSRPTv1; rua=mailto:postmaster@{name}",
            "Has others report when mail could not come to you encrypted.",
        ),
    )


def _mx_records(name: str, installation: Installation) -> Sequence[DnsRecord]:
    first, *others = installation.mx_hosts
    return (
        DnsRecord(
            Purpose.MX,
            name,
            "MX",
            f"{_MX_PREFERENCE} {first}.",
            "Brings your mail here. Remove the MX records of other hosts, which would get some "
            "of it.",
            is_required=True,
        ),
        *(
            DnsRecord(
                Purpose.MX,
                name,
                "MX",
                f"{_MX_PREFERENCE * place} {host}.",
                "Brings your mail here, too, while the hosts before it cannot be reached.",
            )
            for place, host in enumerate(others, start=2)
        ),
    )


def _spf(installation: Installation) -> str:
    include = f" include:{installation.spf_include}" if installation.spf_include else ""
    return f"v=spf1 mx{include} ~all"


def _mta_sts_records(
    name: str, mode: MtaStsMode, installation: Installation
) -> Sequence[DnsRecord]:
    identifier = policy_id(write_policy(mode, installation.mx_hosts))
    kind, value = _point_to(installation.web_host)
    return (
        DnsRecord(
            Purpose.MTA_STS,
            f"_mta-sts.{name}",
            "TXT",
            f"v=STSv1; id={identifier}",
            "Tells others that your mail is to come encrypted, and by its id when the policy has "
            "changed.",
        ),
        DnsRecord(
            Purpose.MTA_STS_HOST,
            f"mta-sts.{name}",
            kind,
            value,
            "Where that policy is fetched: we serve it, over HTTPS with a certificate for this "
            "name.",
        ),
    )


def _point_to(host: str) -> tuple[str, str]:
    try:
        return ("A" if ip_address(host).version == 4 else "AAAA"), host
    except ValueError:
        return "CNAME", f"{host}."
