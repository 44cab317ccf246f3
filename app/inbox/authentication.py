"""What SPF, DKIM and DMARC found out about a message, for people to read.

The results are those of RFC 8601, section 2.7; `docs/authentication.md` explains them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import msgspec

AUTHENTICATION_COLUMN = """(select row_to_json(checked) from (
    select spf, spf_domain, spf_reason, dkim, dkim_domain, dkim_reason, dmarc, dmarc_reason,
        dmarc_policy, from_domain, is_aligned, next_attempt_at is not null as is_pending
    from message_authentication as result where result.message_id = message.id
) as checked) as authentication"""


class Verdict(StrEnum):
    VERIFIED = "verified"
    UNPROVEN = "unproven"
    FAILED = "failed"
    PENDING = "pending"


@dataclass(frozen=True, slots=True)
class Method:
    """One of the three checks: what it found in a sentence, and as the standard calls it."""

    name: str
    result: str
    sentence: str


@dataclass(frozen=True, slots=True)
class AuthenticationView:
    """The results for one message. `is_pending`: the DNS is going to be asked again."""

    spf: str
    spf_domain: str
    spf_reason: str
    dkim: str
    dkim_domain: str
    dkim_reason: str
    dmarc: str
    dmarc_reason: str
    dmarc_policy: str
    from_domain: str
    is_aligned: bool
    is_pending: bool

    @property
    def verdict(self) -> Verdict:
        if self.dmarc == "pass" or (self.dmarc == "none" and self.is_aligned):
            return Verdict.VERIFIED
        if self.dmarc == "fail" and self.dmarc_policy in ("quarantine", "reject"):
            return Verdict.FAILED
        return Verdict.PENDING if self.is_pending else Verdict.UNPROVEN

    @property
    def headline(self) -> str:
        """The verdict and, after a colon, what it means: one line of plain text."""
        domain = self.from_domain
        match self.verdict:
            case Verdict.VERIFIED:
                return f"Verified: sent by {domain}"
            case Verdict.FAILED:
                return f"Failed: {domain} says that this is not from it"
            case Verdict.PENDING:
                return "Being checked: the DNS did not answer yet"
        if self.dmarc_reason == "several-senders":
            return "Not verified: it claims several senders at once"
        if not domain:
            return "Not verified: it does not say who sent it"
        return f"Not verified: nothing proves that {domain} sent this"

    @property
    def methods(self) -> Sequence[Method]:
        return (
            Method("SPF", self.spf, self._say_spf()),
            Method("DKIM", self.dkim, self._say_dkim()),
            Method("DMARC", self.dmarc, self._say_dmarc()),
        )

    def _say_spf(self) -> str:
        sentence = _SPF_REASONS.get(self.spf_reason) or _SPF.get(self.spf, _UNKNOWN)
        return sentence.format(domain=self.spf_domain or "the sender")

    def _say_dkim(self) -> str:
        sentence = _DKIM_REASONS.get(self.dkim_reason) or _DKIM.get(self.dkim, _UNKNOWN)
        return sentence.format(domain=self.dkim_domain or "somebody")

    def _say_dmarc(self) -> str:
        sentence = _DMARC_REASONS.get(self.dmarc_reason) or _DMARC.get(self.dmarc, _UNKNOWN)
        asked = _POLICIES.get(self.dmarc_policy, "") if self.dmarc == "fail" else ""
        return (sentence + asked).format(domain=self.from_domain or "the sender")


def read_authentication(column: str | None) -> AuthenticationView | None:
    """From the value of `AUTHENTICATION_COLUMN`; None while a message was not checked yet."""
    return msgspec.json.decode(column, type=AuthenticationView) if column else None


_UNKNOWN = "The check did not come to a result."
_TRY_AGAIN = "The DNS did not answer."

_SPF: Mapping[str, str] = {
    "pass": "{domain} lets the server that sent this send its mail.",
    "fail": "{domain} does not let the server that sent this send its mail.",
    "softfail": "{domain} thinks that the server that sent this should not send its mail.",
    "neutral": "{domain} does not say whether this server may send its mail.",
    "none": "{domain} does not say which servers may send its mail.",
    "permerror": "What {domain} says of its servers cannot be understood.",
    "temperror": _TRY_AGAIN,
}
_SPF_REASONS: Mapping[str, str] = {
    "no-client-address": "It did not come from a mail server, so there is none to ask about.",
    "internal-client": "It came from inside this network, which says nothing about its sender.",
    "no-domain": "The server that sent this gave no domain to ask about.",
    "check-failed": _UNKNOWN,
}
_DKIM: Mapping[str, str] = {
    "pass": "{domain} signed it, and it is as it was when it was signed.",
    "fail": "It does not match the signature of {domain}.",
    "none": "Nobody signed it.",
    "permerror": "The signature of {domain} cannot be verified.",
    "temperror": _TRY_AGAIN,
}
_DKIM_REASONS: Mapping[str, str] = {
    "expired": "The signature of {domain} had expired when it arrived.",
    "body-changed": "Its text was changed after {domain} signed it.",
    "header-changed": "It does not match the signature of {domain}.",
    "body-partly-signed": "{domain} signed only a part of it, so the rest may be anyone's.",
    "no-key": "{domain} does not publish the key of this signature.",
    "key-revoked": "{domain} took back the key of this signature.",
    "weak-key": "The key of {domain} is too short to prove anything.",
    "weak-algorithm": "The signature of {domain} is of a kind that proves nothing any more.",
    "from-not-signed": "The signature of {domain} leaves out who sent it.",
    "check-failed": _UNKNOWN,
}
_DMARC: Mapping[str, str] = {
    "pass": "What was proven is about {domain}, whom the message names as its sender.",
    "fail": "Nothing that was proven is about {domain}, whom the message names as its sender.",
    "none": "{domain} does not say what to think of mail that nothing proves.",
    "permerror": "It cannot be said whose word counts.",
    "temperror": _TRY_AGAIN,
}
_DMARC_REASONS: Mapping[str, str] = {
    "several-senders": "It names several senders, so nobody's word counts.",
    "internal-client": "It came from inside this network, where nothing could prove its sender.",
    "no-client-address": "It did not come from a mail server, so nothing could prove its sender.",
    "check-failed": _UNKNOWN,
}
_POLICIES: Mapping[str, str] = {
    "none": " {domain} asks for nothing to be done about it.",
    "quarantine": " {domain} asks to treat it with suspicion.",
    "reject": " {domain} asks to refuse it.",
}
