"""The arguments of SMTP commands (RFC 5321, section 4.1), understood. Pure functions."""

import re
from dataclasses import dataclass

from app.inbound.smtpd import replies
from app.inbound.smtpd.replies import Refusal, Reply


@dataclass(frozen=True, slots=True)
class MailCommand:
    """MAIL FROM: `address` is empty for the null reverse-path, `size_bytes` 0 if not declared."""

    address: str
    size_bytes: int = 0
    smtputf8: bool = False


_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.\-\u0080-\U0010ffff]+"
_QUOTED = r'"(?:[^"\\\x00-\x1f\x7f]|\\[\x20-\x7e])*"'
_DOMAIN = r"[A-Za-z0-9_\u0080-\U0010ffff][A-Za-z0-9_.\-\u0080-\U0010ffff]*"
_LITERAL = r"\[[A-Za-z0-9:.\-]+\]"
_MAILBOX = rf"(?:{_ATOM}|{_QUOTED})@(?:{_DOMAIN}|{_LITERAL})"
# A source route is accepted and ignored (RFC 5321, appendix C), and so are missing brackets.
_PATH = re.compile(
    rf"\s*(?:<(?:@[^:<>\s]+:)?(?P<path>{_MAILBOX}|(?i:postmaster)|)>|(?P<bare>{_MAILBOX}))"
    r"(?:\s+(?P<parameters>.*))?\s*\Z",
)
_MAX_ADDRESS_BYTES = 64 + 1 + 255
# No RFC 5322 specials, as the name goes into the Received field.
_CLIENT_NAME = re.compile(r'[^\s()<>@,;\\"]{1,255}\Z')
_MAIL_SYNTAX = "MAIL FROM:<address> [SIZE=n] [BODY=7BIT|8BITMIME] [SMTPUTF8]"
_RECIPIENT_SYNTAX = "RCPT TO:<address>"


def parse_mail(argument: str) -> MailCommand:
    """MAIL and its parameters: SIZE (RFC 1870), BODY (RFC 6152), SMTPUTF8 (RFC 6531).

    Raises `Refusal`.
    """
    path, parameters = _split(argument, "FROM:", _MAIL_SYNTAX, replies.BAD_SENDER)
    if path and "@" not in path:
        raise Refusal(replies.BAD_SENDER)
    size_bytes, smtputf8 = 0, False
    for parameter in parameters:
        name, _, value = parameter.upper().partition("=")
        if name == "SIZE" and value.isascii() and value.isdigit() and len(value) <= 20:
            size_bytes = int(value)
        elif name == "SMTPUTF8" and parameter.upper() == name:
            smtputf8 = True
        elif name != "BODY" or value not in ("7BIT", "8BITMIME"):
            raise Refusal(replies.UNKNOWN_PARAMETER)
    if not (smtputf8 or path.isascii()):
        raise Refusal(replies.NEEDS_SMTPUTF8)
    return MailCommand(path, size_bytes, smtputf8)


def parse_recipient(argument: str, *, smtputf8: bool) -> str:
    """The address of a RCPT. It may be the bare word `postmaster` (section 4.1.1.3).

    Raises `Refusal`.
    """
    path, parameters = _split(argument, "TO:", _RECIPIENT_SYNTAX, replies.BAD_RECIPIENT)
    if parameters:
        raise Refusal(replies.UNKNOWN_PARAMETER)
    if not path:
        raise Refusal(replies.BAD_RECIPIENT)
    if not (smtputf8 or path.isascii()):
        raise Refusal(replies.NEEDS_SMTPUTF8)
    return path


def parse_client_name(argument: str, syntax: str) -> str:
    """The name after HELO or EHLO: one visible word, as many clients have no domain to give.

    Raises `Refusal`.
    """
    name = argument.strip()
    if not (_CLIENT_NAME.match(name) and name.isprintable()):
        raise Refusal(replies.BAD_ARGUMENT, syntax=syntax)
    return name


def _split(argument: str, keyword: str, syntax: str, bad_address: Reply) -> tuple[str, list[str]]:
    """The address and the parameters behind `keyword`."""
    if argument[: len(keyword)].upper() != keyword:
        raise Refusal(replies.BAD_ARGUMENT, syntax=syntax)
    match = _PATH.match(argument, len(keyword))
    if match is None:
        raise Refusal(bad_address)
    address = match["path"] or match["bare"] or ""
    # Unicode has line ends and controls of its own, which would show up in the trace fields.
    if len(address.encode()) > _MAX_ADDRESS_BYTES or not address.isprintable():
        raise Refusal(bad_address)
    return address, (match["parameters"] or "").split()
