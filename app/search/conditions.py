"""A query as a condition of SQL on `message`."""

from collections.abc import Callable, Collection, Mapping
from uuid import UUID

from app.inbox.view import Folder
from app.search.matching import identity_of
from app.search.query import (
    And,
    Flag,
    HasAttachment,
    HasId,
    HasMessageId,
    InFolder,
    InMailbox,
    Labelled,
    Node,
    Not,
    Or,
    Received,
    Size,
    is_text,
)

_FLAG_COLUMNS: Mapping[str, str] = {
    "read": "is_read",
    "starred": "is_starred",
    "bounce": "is_bounce",
    "auto_reply": "is_auto_reply",
}


def condition_of(
    node: Node,
    argument: Callable[[object], str],
    *,
    tenant_id: UUID,
    found: Mapping[Node, Collection[UUID]],
    mailboxes: Mapping[InMailbox, Collection[UUID]],
) -> str:
    """`argument` takes a value and gives the parameter that stands for it. `found` has what the
    engine found for each largest part that is text, `mailboxes` those that each name means."""

    def write(node: Node) -> str:
        if node in found:
            return f"message.id = any({argument(list(found[node]))}::uuid[])"
        match node:
            case And(parts):
                return f"({' and '.join(map(write, parts)) or 'true'})"
            case Or(parts):
                return f"({' or '.join(map(write, parts)) or 'false'})"
            case Not(part):
                return f"not {write(part)}"
            case InMailbox():
                ids = list(mailboxes.get(node, ()))
                return f"message.mailbox_id = any({argument(ids)}::uuid[])"
            case _:
                return f"({_of_message(node, argument, tenant_id)})"

    return write(node)


def gather(node: Node) -> Node:
    """The same, with what is text among the parts of a node made one part, so that the engine is
    asked once for it."""
    match node:
        case Not(part):
            return Not(gather(part))
        case And(parts) | Or(parts) if not is_text(node):
            texts = tuple(part for part in parts if is_text(part))
            others = [gather(part) for part in parts if not is_text(part)]
            return type(node)((*others, *([_fewest(type(node)(texts))] if texts else ())))
        case _:
            return node


def largest_texts(node: Node) -> list[Node]:
    """The largest parts of `node` that an engine can answer alone, but for what is not to be
    there: an engine would have to name all the others."""
    match node:
        case Not(part):
            return largest_texts(part)
        case _ if is_text(node):
            return [node]
        case And(parts) | Or(parts):
            return [text for part in parts for text in largest_texts(part)]
        case _:
            return []


def _fewest(text: And | Or) -> Node:
    """The same by De Morgan's laws, such that fewer messages have to be named: those that have
    something, not all the others."""
    absent = tuple(part.part for part in text.parts if isinstance(part, Not))
    present = tuple(part for part in text.parts if not isinstance(part, Not))
    if isinstance(text, And):
        return text if present else Not(Or(absent))
    return Not(And((*absent, *map(Not, present)))) if absent else text


def names_of_mailboxes(node: Node) -> list[InMailbox]:
    match node:
        case And(parts) | Or(parts):
            return [name for part in parts for name in names_of_mailboxes(part)]
        case Not(part):
            return names_of_mailboxes(part)
        case InMailbox():
            return [node]
        case _:
            return []


def within_folders(root: Node) -> Node:
    """The same without spam and trash, unless it says itself where it looks, or asks for one
    message."""
    return root if _names_folder(root) else And((root, Not(InFolder(("spam", "trash")))))


def _names_folder(node: Node) -> bool:
    match node:
        case And(parts) | Or(parts):
            return any(map(_names_folder, parts))
        case Not(part):
            return _names_folder(part)
        case _:
            return isinstance(node, InFolder | HasId | HasMessageId)


def _of_message(node: Node, argument: Callable[[object], str], tenant_id: UUID) -> str:
    match node:
        case Flag(name):
            return _FLAG_COLUMNS[name]
        case HasAttachment():
            return "attachment_count > 0"
        case InFolder(names):
            # In constants, so that partial indexes are found.
            return f"folder in ({', '.join(repr(Folder(name).value) for name in names)})"
        case Labelled(name):
            return _labelled(name, argument, tenant_id)
        case Received(since, until):
            parts = [f"received_at >= {argument(since)}"] if since else []
            parts += [f"received_at < {argument(until)}"] if until else []
            return " and ".join(parts) or "true"
        case Size(at_least, at_most):
            most = f" and size_bytes <= {argument(at_most)}" if at_most is not None else ""
            return f"size_bytes >= {argument(at_least)}{most}"
        case HasId(message):
            return f"message.id = {argument(message)}"
        case HasMessageId(message_id):
            return f"identity = {argument(identity_of(message_id))}"
        case _:
            raise TypeError(f"{node} is no condition")


def _labelled(name: str, argument: Callable[[object], str], tenant_id: UUID) -> str:
    """A name may be written with hyphens in place of spaces, as in Gmail."""
    if not name:
        return "exists (select from message_label where message_label.message_id = message.id)"
    given = argument(name)
    return f"""exists (select from message_label join label on label.id = label_id
        where message_label.message_id = message.id and label.tenant_id = {argument(tenant_id)}
            and lower({given}::text) in (lower(name), lower(replace(name, ' ', '-'))))"""
