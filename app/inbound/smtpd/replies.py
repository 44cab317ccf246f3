"""Every reply the SMTP sidecar can give.

Codes follow RFC 5321 (section 4.2.3), enhanced codes RFC 3463 and its registry (RFC 5248).
RFC 2034 gives none to the greeting, to HELO and EHLO, and to 354.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Reply:
    """One reply of one line. Text in braces is filled in when it is sent.

    A refusal has a `cause`, by which metrics and `message.rejected` know it whatever its text.
    """

    code: int
    enhanced_code: str
    text: str
    cause: str = ""
    _line: bytes = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        # Most replies are sent as they stand, and thousands of times a second.
        object.__setattr__(self, "_line", self._make_line(self.text))

    def encode(self, **facts: object) -> bytes:
        """The line as it is sent. No fact may hold a CR or an LF."""
        return self._make_line(self.text.format(**facts)) if facts else self._line

    def _make_line(self, text: str) -> bytes:
        code = f"{self.code} {self.enhanced_code}".rstrip()
        return f"{code} {text}\r\n".encode()


class Refusal(Exception):
    """A command or a message is answered with `reply`, whose text `facts` complete.

    `recipients` are those who get no mail by it, where it is about single ones.
    """

    def __init__(self, reply: Reply, **facts: object) -> None:
        super().__init__(reply.text)
        self.reply = reply
        self.facts = facts
        self.recipients: tuple[str, ...] = ()


def encode_lines(code: int, lines: Iterable[str]) -> bytes:
    """A reply of several lines (RFC 5321, section 4.2.1)."""
    *first, last = lines
    return "".join((*(f"{code}-{line}\r\n" for line in first), f"{code} {last}\r\n")).encode()


# The connection
GREETING = Reply(220, "", "{hostname} {protocol} Pillarbox")
GOODBYE = Reply(221, "2.0.0", "Goodbye")
TIMED_OUT = Reply(421, "4.4.2", "Timed out waiting for the client", "timed_out")
SHUTTING_DOWN = Reply(421, "4.3.2", "Shutting down, try again soon", "shutting_down")
INTERNAL_ERROR = Reply(421, "4.3.0", "Internal error, try again later", "internal_error")
TOO_MANY_ERRORS = Reply(421, "4.7.0", "Too many errors", "too_many_errors")
DATA_NEVER_ENDS = Reply(421, "4.3.4", "Far over the size limit, closing", "data_never_ends")
TOO_MANY_CONNECTIONS = Reply(
    421, "4.3.2", "Too many clients, try again soon", "too_many_connections"
)
PLACE_TAKEN = Reply(421, "4.3.2", "Waited too long for you while others wait", "place_taken")
TOO_MANY_HOST_CONNECTIONS = Reply(
    421, "4.7.0", "Too many connections from your address", "too_many_host_connections"
)
TOO_MANY_NETWORK_CONNECTIONS = Reply(
    421, "4.7.0", "Too many connections from your network", "too_many_network_connections"
)
HOST_CONNECTION_RATE = Reply(
    421, "4.7.0", "Too many connections a minute from your address", "host_connection_rate"
)
NETWORK_CONNECTION_RATE = Reply(
    421, "4.7.0", "Too many connections a minute from your network", "network_connection_rate"
)
CONNECTION_USED_UP = Reply(
    421, "4.7.0", "Enough mail over one connection, make another", "connection_used_up"
)
TOO_MANY_COMMANDS = Reply(421, "4.7.0", "Too many commands and no mail", "too_many_commands")
OUT_OF_STEP = Reply(421, "4.5.2", "Connect anew after a message with bare CR or LF", "out_of_step")

# TLS
READY_FOR_TLS = Reply(220, "2.0.0", "Ready to start TLS")
TLS_ALREADY = Reply(503, "5.5.1", "TLS is active already", "tls_already")
NOT_BEFORE_TLS = Reply(
    554, "5.5.1", "Nothing may be sent between STARTTLS and its reply", "not_before_tls"
)

# Commands
OK = Reply(250, "2.0.0", "OK")
HELP = Reply(214, "2.0.0", "See RFC 5321, and RFC 2033 for LMTP")
VERIFY_OFF = Reply(252, "2.5.0", "Will not verify; send mail to find out")
LINE_TOO_LONG = Reply(500, "5.5.2", "Line too long", "line_too_long")
BAD_LINE = Reply(500, "5.5.2", "Commands are UTF-8 text and end with CRLF", "bad_line")
UNRECOGNISED = Reply(500, "5.5.1", "Command unrecognised", "unrecognised")
NOT_IMPLEMENTED = Reply(502, "5.5.1", "Command not implemented", "not_implemented")
BAD_ARGUMENT = Reply(501, "5.5.4", "Syntax: {syntax}", "bad_argument")
HELLO_FIRST = Reply(503, "5.5.1", "Say {hello} first", "hello_first")
NESTED_MAIL = Reply(503, "5.5.1", "A transaction is open already; RSET ends it", "nested_mail")
MAIL_FIRST = Reply(503, "5.5.1", "Say MAIL first", "mail_first")
RECIPIENT_FIRST = Reply(
    503, "5.5.1", "Say RCPT first: no recipient was accepted", "recipient_first"
)
UNKNOWN_PARAMETER = Reply(
    555, "5.5.4", "Parameter not recognised or not implemented", "unknown_parameter"
)

# Sender and recipients
SENDER_OK = Reply(250, "2.1.0", "Sender OK")
RECIPIENT_OK = Reply(250, "2.1.5", "Recipient OK")
BAD_SENDER = Reply(553, "5.1.7", "Malformed sender address", "bad_sender")
BAD_RECIPIENT = Reply(553, "5.1.3", "Malformed recipient address", "bad_recipient")
NEEDS_SMTPUTF8 = Reply(553, "5.6.7", "This address needs SMTPUTF8", "needs_smtputf8")
UNKNOWN_RECIPIENT = Reply(550, "5.1.1", "No such mailbox here", "unknown_recipient")
RELAYING_DENIED = Reply(550, "5.7.1", "Relaying denied", "relaying_denied")
DOMAIN_SUSPENDED = Reply(550, "5.3.2", "This domain does not take mail", "domain_suspended")
DOMAIN_PAUSED = Reply(
    451, "4.3.2", "This domain does not take mail at present, try again later", "domain_paused"
)
DIRECTORY_UNAVAILABLE = Reply(
    451, "4.3.0", "Cannot tell at present, try again later", "directory_unavailable"
)
TOO_MANY_RECIPIENTS = Reply(
    452, "4.5.3", "Too many recipients, send the rest separately", "too_many_recipients"
)
HOST_RECIPIENT_RATE = Reply(
    450, "4.7.1", "Too many recipients a minute from your address", "host_recipient_rate"
)
HOST_MESSAGE_RATE = Reply(
    451, "4.7.1", "Too many messages a minute from your address", "host_message_rate"
)
DOMAIN_RECIPIENT_RATE = Reply(
    450, "4.3.2", "Too much mail a minute for this domain", "domain_recipient_rate"
)

# The message
SEND_DATA = Reply(354, "", "End data with <CR><LF>.<CR><LF>")
QUEUED = Reply(250, "2.6.0", "Queued as {item_id}")
NO_VALID_RECIPIENTS = Reply(554, "5.5.1", "No valid recipients", "no_valid_recipients")
REFUSED_AFTER_DATA = Reply(
    550, "5.1.1", "Not every recipient exists; nobody was sent this message", "refused_after_data"
)
BARE_LINE_ENDING = Reply(
    550, "5.5.2", "Lines must end with CRLF; bare CR or LF is refused", "bare_line_ending"
)
TOO_LARGE = Reply(552, "5.3.4", "Message over the limit of {max_message_bytes} bytes", "too_large")
STORAGE_FULL = Reply(452, "4.3.1", "Storage is full, try again later", "storage_full")
BACKLOG_FULL = Reply(452, "4.3.1", "Too much mail waits here, try again later", "backlog_full")
NOT_STORED = Reply(451, "4.3.0", "Not stored, try again later", "not_stored")
