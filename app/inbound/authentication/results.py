"""What the checks of a message come to (RFC 8601, section 2.7)."""

from dataclasses import dataclass
from enum import StrEnum


class Result(StrEnum):
    """`temperror` is the one that another try may change."""

    NONE = "none"
    NEUTRAL = "neutral"
    PASS = "pass"  # noqa: S105
    SOFTFAIL = "softfail"
    FAIL = "fail"
    POLICY = "policy"
    TEMPERROR = "temperror"
    PERMERROR = "permerror"


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found about one domain. `reason` is a short word where there is one to give,
    such as `expired`; the words are in `docs/authentication.md`."""

    result: Result
    domain: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Findings:
    """What is known of who sent a message.

    `policy` is what the domain of From asks for mail that fails (`none`, `quarantine`, `reject`;
    empty without a DMARC record). `is_aligned`: SPF or DKIM passed for that domain itself.
    """

    spf: Finding
    dkim: Finding
    dmarc: Finding
    policy: str
    is_aligned: bool

    @property
    def is_final(self) -> bool:
        """Whether the DNS answered all that was asked of it."""
        found = (self.spf, self.dkim, self.dmarc)
        return all(finding.result is not Result.TEMPERROR for finding in found)
