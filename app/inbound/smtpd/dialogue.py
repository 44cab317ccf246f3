"""The commands of one SMTP connection and their replies, without the connection itself."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from time import perf_counter
from typing import ClassVar

from app.core.log import get_logger
from app.inbound.smtpd import replies
from app.inbound.smtpd.arrival import Arrival
from app.inbound.smtpd.commands import parse_client_name, parse_mail, parse_recipient
from app.inbound.smtpd.handler import Client, MailHandler, Transaction
from app.inbound.smtpd.origins import Origin
from app.inbound.smtpd.refusals import Refused
from app.inbound.smtpd.replies import Refusal, Reply, encode_lines
from app.inbound.smtpd.tls import TlsFacts

_log = get_logger("smtp")


class Dialogue:
    """What was said so far (RFC 5321, section 4.1.4): hello, MAIL, RCPT, DATA, in that order.

    After DATA was answered with 354, `arrival` takes the message; whoever reads it then calls
    `end_data`. After a reply that ends the dialogue, `ended` is true. After the reply that TLS
    may begin, `awaits_tls` is true until `secure`.
    """

    PROTOCOL: ClassVar[str] = "ESMTP"
    HELLO: ClassVar[str] = "EHLO"
    NO_RECIPIENTS: ClassVar[Reply] = replies.NO_VALID_RECIPIENTS
    COMMANDS: ClassVar[Mapping[str, "Command"]]

    def __init__(self, handler: MailHandler, origin: Origin, *, offers_tls: bool = False) -> None:
        self.arrival: Arrival | None = None
        self.ended = False
        self.awaits_tls = False
        self.out_of_step = False
        """Once a message had a bare CR or LF. What comes behind it may be what the client takes
        for the rest of that message, so nothing more is taken."""
        self.was_greeted = False
        self._offers_tls = offers_tls
        self._handler = handler
        self._origin = origin
        self._client = Client(origin.address, perf_counter())
        self._transaction: Transaction | None = None
        self._errors = self._fruitless = self._messages = self._recipients = 0

    @property
    def client_address(self) -> str:
        return self._client.address

    @property
    def in_transaction(self) -> bool:
        return self._transaction is not None

    def greet(self) -> bytes:
        return replies.GREETING.encode(hostname=self._handler.hostname, protocol=self.PROTOCOL)

    def answer(self, line: bytes) -> bytes:
        """The reply to one command line."""
        try:
            verb, _, argument = line.decode().partition(" ")
            command = self.COMMANDS.get(verb.upper())
            if command is None:
                raise Refusal(replies.UNRECOGNISED)
            reply = command(self, argument.strip())
            return reply if command in _FRUITFUL else self._spend(reply)
        except UnicodeDecodeError:
            return self.refuse(Refusal(replies.BAD_LINE))
        except Refusal as refusal:
            return self.refuse(refusal)

    def refuse(self, refusal: Refusal, *recipients: str) -> bytes:
        """The reply to a command, or to bytes, that cannot be taken. `recipients` are those who
        therefore get no mail."""
        reply = refusal.reply
        _log.info(
            "smtp.refused",
            client_address=self._client.address,
            code=reply.code,
            enhanced_code=reply.enhanced_code,
            cause=reply.cause,
        )
        self._errors += reply.code == 500
        if self._errors >= self._handler.limits.max_errors:
            return self.end(replies.TOO_MANY_ERRORS)
        recipients = recipients or refusal.recipients
        if reply.code == 421:
            return self.end(reply, *recipients)
        line = self._note(reply, reply.encode(**refusal.facts), recipients)
        if reply in _OUR_OWN_FAULT:
            self._fruitless = 0
            return line
        return self._spend(line)

    def _spend(self, reply: bytes) -> bytes:
        """The reply to a command that brings no mail nearer, or the last of too many."""
        self._fruitless += 1
        if self._fruitless > self._handler.limits.max_fruitless_commands and not self.ended:
            return self.end(replies.TOO_MANY_COMMANDS)
        return reply

    def end(self, reply: Reply, *recipients: str) -> bytes:
        """The last reply of all. Whoever was to get the mail that is open gets none of it."""
        self.ended = True
        if self._transaction is not None:
            recipients = tuple({*self._transaction.recipients, *recipients})
        return self._note(reply, reply.encode(), recipients)

    def _note(self, reply: Reply, line: bytes, recipients: Sequence[str]) -> bytes:
        """The line itself. Counts it if it is a refusal, and notes who gets no mail by it."""
        self._handler.metrics.count_reply(reply)
        if recipients and reply.cause:
            client, transaction, arrival = self._client, self._transaction, self.arrival
            handover = arrival.metadata.handover if arrival else None
            refused = Refused(
                client.address,
                client.name,
                transaction.mail_from if transaction else "",
                recipients,
                handover or self._handler.describe(client, transaction),
                transaction.trace_id if transaction else None,
            )
            self._handler.refusals.take(refused, reply, line.decode().rstrip())
        return line

    def secure(self, tls: TlsFacts) -> None:
        """Starts anew inside TLS: all that was said before is forgotten (RFC 3207, section 4.2),
        except the errors, as a client could otherwise wash them off."""
        self._client = Client(self._client.address, self._client.connected_at, tls=tls)
        self._transaction = None
        self.awaits_tls = self._offers_tls = False

    async def end_data(self, arrival: Arrival) -> bytes:
        """The reply to a message that came in whole: 250 only when it is durable."""
        transaction = self._open_transaction()
        try:
            await arrival.store()
        except Refusal as refusal:
            return self.refuse(refusal, *transaction.recipients)
        finally:
            self._handler.metrics.transaction_seconds.observe(perf_counter() - transaction.began_at)
            self.arrival = self._transaction = None
        self._fruitless = 0
        self._handler.rates.record_stored(self._origin)
        return replies.QUEUED.encode(item_id=arrival.metadata.item_id)

    def _helo(self, argument: str) -> bytes:
        name = parse_client_name(argument, "HELO name")
        self._start(name, "SMTP")
        return encode_lines(250, [self._handler.hostname])

    def _ehlo(self, argument: str) -> bytes:
        name = parse_client_name(argument, f"{self.HELLO} name")
        self._start(name, self.PROTOCOL)
        size = f"SIZE {self._handler.limits.max_message_bytes}"
        starttls = ("STARTTLS",) if self._offers_tls else ()
        return encode_lines(250, [self._handler.hostname, size, *_EXTENSIONS, *starttls])

    def _start(self, name: str, protocol: str) -> None:
        self.was_greeted = True
        self._client = replace(self._client, name=name, protocol=protocol)
        self._transaction = None

    def _starttls(self, argument: str) -> bytes:
        if self._client.tls is not None:
            raise Refusal(replies.TLS_ALREADY)
        if not self._offers_tls:
            raise Refusal(replies.NOT_IMPLEMENTED)
        if argument:
            raise Refusal(replies.BAD_ARGUMENT, syntax="STARTTLS")
        if not self._client.name:
            raise self._hello_first()
        self.awaits_tls = True
        return replies.READY_FOR_TLS.encode()

    def _mail(self, argument: str) -> bytes:
        if not self._client.name:
            raise self._hello_first()
        if self._transaction is not None:
            raise Refusal(replies.NESTED_MAIL)
        if self.out_of_step:
            raise Refusal(replies.OUT_OF_STEP)
        self._require_share(self._messages, self._handler.limits.max_connection_messages)
        self._transaction = self._handler.begin(self._origin, parse_mail(argument))
        self._messages += 1
        return replies.SENDER_OK.encode()

    def _rcpt(self, argument: str) -> bytes:
        transaction = self._open_transaction()
        address = parse_recipient(argument, smtputf8=transaction.smtputf8)
        try:
            self._require_share(self._recipients, self._handler.limits.max_connection_recipients)
            self._handler.add_recipient(self._origin, transaction, address)
        except Refusal as refusal:
            refusal.recipients = (address,)
            raise
        self._recipients += 1
        return replies.RECIPIENT_OK.encode()

    def _data(self, argument: str) -> bytes:
        transaction = self._open_transaction()
        if argument:
            raise Refusal(replies.BAD_ARGUMENT, syntax="DATA")
        if not transaction.accepted_count:
            raise Refusal(self.NO_RECIPIENTS)
        self.arrival = self._handler.open_arrival(self._client, transaction)
        return replies.SEND_DATA.encode()

    def _require_share(self, taken: int, limit: int) -> None:
        if limit and taken >= limit and not self._origin.trusted:
            raise Refusal(replies.CONNECTION_USED_UP)

    def _open_transaction(self) -> Transaction:
        if self._transaction is None:
            raise Refusal(replies.MAIL_FIRST) if self._client.name else self._hello_first()
        return self._transaction

    def _hello_first(self) -> Refusal:
        return Refusal(replies.HELLO_FIRST, hello=self.HELLO)

    def _rset(self, argument: str) -> bytes:
        if argument:
            raise Refusal(replies.BAD_ARGUMENT, syntax="RSET")
        self._transaction = None
        return replies.OK.encode()

    def _noop(self, _argument: str) -> bytes:
        return replies.OK.encode()

    def _help(self, _argument: str) -> bytes:
        return replies.HELP.encode()

    def _vrfy(self, argument: str) -> bytes:
        if not argument:
            raise Refusal(replies.BAD_ARGUMENT, syntax="VRFY address")
        return replies.VERIFY_OFF.encode()

    def _expn(self, _argument: str) -> bytes:
        raise Refusal(replies.NOT_IMPLEMENTED)

    def _quit(self, argument: str) -> bytes:
        if argument:
            raise Refusal(replies.BAD_ARGUMENT, syntax="QUIT")
        return self.end(replies.GOODBYE)


_EXTENSIONS = ("8BITMIME", "PIPELINING", "ENHANCEDSTATUSCODES", "SMTPUTF8", "HELP")

Command = Callable[[Dialogue, str], bytes]
"""Takes what stands behind the verb, and returns the reply or raises `Refusal`."""

COMMANDS: Mapping[str, Command] = {
    "HELO": Dialogue._helo,
    "EHLO": Dialogue._ehlo,
    "STARTTLS": Dialogue._starttls,
    "MAIL": Dialogue._mail,
    "RCPT": Dialogue._rcpt,
    "DATA": Dialogue._data,
    "RSET": Dialogue._rset,
    "NOOP": Dialogue._noop,
    "QUIT": Dialogue._quit,
    "HELP": Dialogue._help,
    "VRFY": Dialogue._vrfy,
    "EXPN": Dialogue._expn,
    "ETRN": Dialogue._expn,
}
_OUR_OWN_FAULT = (
    *(replies.STORAGE_FULL, replies.BACKLOG_FULL),
    *(replies.NOT_STORED, replies.DIRECTORY_UNAVAILABLE),
)
_FRUITFUL = (Dialogue._mail, Dialogue._rcpt, Dialogue._data, Dialogue._starttls)
Dialogue.COMMANDS = COMMANDS
