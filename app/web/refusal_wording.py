"""Why mail was refused, in the words of a person, by the causes of docs/smtp.md."""

from collections.abc import Mapping
from dataclasses import dataclass

_BY_ITSELF = "Nothing has to be done: the sender's server tries again by itself."


@dataclass(frozen=True, slots=True)
class Explanation:
    """What happened, and what whoever sent the mail should do."""

    reason: str
    advice: str


def explain_refusal(cause: str, *, is_temporary: bool) -> Explanation:
    """A cause that is not known (it was noted by another version) is explained by its code."""
    known = _EXPLANATIONS.get(cause)
    return known or (_UNKNOWN_TEMPORARY if is_temporary else _UNKNOWN)


_UNKNOWN = Explanation(
    "The message was refused.", "The sender's operator finds the reason in the reply below."
)
_UNKNOWN_TEMPORARY = Explanation("The message could not be taken just then.", _BY_ITSELF)
_PROTOCOL = Explanation(
    "The sender's server did not speak as the mail standard asks.",
    "Its operator has to correct it, and finds what was wrong in the reply below.",
)
_BUSY = Explanation("Too many servers wanted to deliver at once.", _BY_ITSELF)
_BUSY_SENDER = Explanation(
    "The sender's server connected more often than we take from one place.", _BY_ITSELF
)
_FAST_SENDER = Explanation(
    "The sender's server sent more in a minute than we take from one server.", _BY_ITSELF
)

_EXPLANATIONS: Mapping[str, Explanation] = {
    "unknown_recipient": Explanation(
        "There is no such mailbox here.",
        "The sender should look for a typing error in the address. If it ought to exist, "
        "make the mailbox and ask them to send again.",
    ),
    "refused_after_data": Explanation(
        "One of the recipients does not exist, so nobody was sent this message.",
        "The sender should check every address and send it again.",
    ),
    "no_valid_recipients": Explanation(
        "None of its recipients was accepted.",
        "The sender should check the addresses and send it again.",
    ),
    "relaying_denied": Explanation(
        "The address is of a domain that is not hosted here.",
        "The sender should look for a typing error in the address.",
    ),
    "bad_recipient": Explanation(
        "The recipient's address is not written as an address.",
        "The sender should look for a typing error in it.",
    ),
    "bad_sender": Explanation(
        "The sender's own address is not written as an address.",
        "The sender should correct it in the settings of their mail program.",
    ),
    "needs_smtputf8": Explanation(
        "An address has letters that the sender's server did not announce.",
        "The sender needs a server that knows internationalised addresses (SMTPUTF8).",
    ),
    "too_many_recipients": Explanation(
        "The message had more recipients than we take at once.",
        "Nothing has to be done: the sender's server sends to the rest separately.",
    ),
    "domain_suspended": Explanation(
        "The domain is suspended and takes no mail.",
        "Verify the domain again; then the sender can send it once more.",
    ),
    "domain_paused": Explanation(
        "The domain took no mail just then, as its DNS no longer led here.",
        "The sender's server tries again by itself. Check the domain's MX records meanwhile.",
    ),
    "domain_recipient_rate": Explanation(
        "More mail came for the domain in a minute than we take.", _BY_ITSELF
    ),
    "directory_unavailable": Explanation(
        "We could not tell just then whether the address exists.", _BY_ITSELF
    ),
    "too_large": Explanation(
        "The message was larger than we take.",
        "The sender should send a smaller one, or a link to the file.",
    ),
    "data_never_ends": Explanation(
        "The message was far larger than we take.",
        "The sender should send a smaller one, or a link to the file.",
    ),
    "bare_line_ending": Explanation(
        "The lines of the message did not end as the mail standard asks.",
        "The program that sent it has to be corrected; its maker finds more in the reply below.",
    ),
    "storage_full": Explanation(
        "Our storage was too full to keep the message safely.",
        "The sender's server tries again by itself. Your operator has to make room.",
    ),
    "backlog_full": Explanation("Too much mail was waiting here to be filed.", _BY_ITSELF),
    "not_stored": Explanation(
        "Our storage failed to keep the message.",
        "The sender's server tries again by itself. Your operator should look at the disk.",
    ),
    "internal_error": Explanation(
        "Something failed on our side.",
        "The sender's server tries again by itself. Your operator finds more in the log.",
    ),
    "shutting_down": Explanation("We were being restarted.", _BY_ITSELF),
    "timed_out": Explanation(
        "The sender's server fell silent in the middle of the message.",
        "It tries again by itself. If this happens again and again, its network is at fault.",
    ),
    "place_taken": Explanation(
        "The sender's server kept us waiting while others waited for their turn.", _BY_ITSELF
    ),
    "connection_used_up": Explanation(
        "The sender's server had sent as much as we take over one connection.", _BY_ITSELF
    ),
    **dict.fromkeys(("too_many_connections",), _BUSY),
    **dict.fromkeys(
        (
            *("too_many_host_connections", "too_many_network_connections"),
            *("host_connection_rate", "network_connection_rate"),
        ),
        _BUSY_SENDER,
    ),
    **dict.fromkeys(("host_recipient_rate", "host_message_rate"), _FAST_SENDER),
    **dict.fromkeys(
        (
            *("too_many_errors", "too_many_commands", "tls_already", "not_before_tls"),
            "out_of_step",
            *("line_too_long", "bad_line", "unrecognised", "not_implemented", "bad_argument"),
            *("hello_first", "nested_mail", "mail_first", "recipient_first", "unknown_parameter"),
        ),
        _PROTOCOL,
    ),
}
EXPLAINED_CAUSES = frozenset(_EXPLANATIONS)
