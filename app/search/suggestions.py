"""What the last word in the search box may become, while it is typed."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from app.inbox.listing import Access
from app.mime.addresses import is_valid_address
from app.search.saved import SavedSearches
from app.storage.db.database import Database

MAX_SUGGESTIONS = 8
_OF_A_KIND = 5
_MAX_TYPED_CHARACTERS = 1024

# What a person may write before a colon, and what they are told of it.
OPERATORS: Mapping[str, str] = {
    "from:": "who sent it",
    "to:": "who it was for",
    "cc:": "who got a copy",
    "subject:": "words of the subject",
    "filename:": "an attachment's name",
    "label:": "with a label",
    "has:attachment": "with attachments",
    "is:unread": "not read yet",
    "is:read": "read",
    "is:starred": "with a star",
    "in:inbox": "in the inbox",
    "in:archive": "in the archive",
    "in:spam": "in spam",
    "in:trash": "in the trash",
    "in:anywhere": "spam and trash as well",
    "before:": "before a day, such as 2026/11/22",
    "after:": "from a day on, such as 2026/11/22",
    "newer_than:": "at most so old, such as 7d",
    "older_than:": "older, such as 1y",
    "larger:": "at least so large, such as 5M",
    "smaller:": "at most so large, such as 100K",
}
_PEOPLE = ("from:", "to:", "cc:")
_FIRST = ("from:", "has:attachment", "is:unread", "newer_than:")

_DOMAIN = re.compile(r"@?((?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.)+[a-z]{2,24})\Z", re.IGNORECASE)
_MESSAGE_ID = re.compile(r"<([^\s<>]+@[^\s<>]+)>\Z")
_PLAIN = re.compile(r"[\w.@+!#$%&'*/=?^`{|}~-]+\Z")
_ABOVE_ALL = "\U0010ffff"


@dataclass(frozen=True, slots=True)
class Suggestion:
    """`query` is what the box then holds; when it `is_whole` it can be searched at once."""

    kind: str
    text: str
    hint: str
    query: str
    is_whole: bool = True


@dataclass(frozen=True, slots=True)
class Suggestions:
    """Completing what is typed from operators and from what the person may see."""

    database: Database
    saved: SavedSearches

    async def suggest(self, access: Access, user_id: UUID, typed: str) -> Sequence[Suggestion]:
        """At most `MAX_SUGGESTIONS`, the likeliest first. Nothing in another tenant's mailboxes
        is named, nor in those that `access` leaves out."""
        if len(typed) > _MAX_TYPED_CHARACTERS or "\0" in typed:
            return []
        before, last = split_last_word(typed)
        name, colon, value = last.partition(":")
        operator = f"{name.lower()}:" if colon else ""
        found = await self._find(access, user_id, before, last, operator, value.strip('"'))
        unique = {suggestion.query.strip(): suggestion for suggestion in reversed(found)}
        return [s for s in reversed(unique.values()) if s.query.strip() != typed.strip()][
            :MAX_SUGGESTIONS
        ]

    async def _find(
        self, access: Access, user_id: UUID, before: str, last: str, operator: str, value: str
    ) -> list[Suggestion]:
        if operator in _PEOPLE:
            mailboxes = await self._mailboxes(access, value) if operator != "from:" else []
            people = await self._people(access, value)
            return [
                Suggestion(kind, text, hint, f"{before}{operator}{_quote(address)}")
                for kind, text, hint, address in (*mailboxes, *people)
            ]
        if operator == "label:":
            return [
                Suggestion("label", label, "label", f"{before}label:{_quote(label)}")
                for label in await self._labels(access, value)
            ]
        found = _detect(before, last)
        if not before:
            found += await self._saved(access, user_id, last)
        found += _operators(before, last)
        if last and not operator:
            found += [
                Suggestion("label", label, "label", f"{before}label:{_quote(label)}")
                for label in await self._labels(access, last)
            ]
            for find, word in ((self._people, "from:"), (self._mailboxes, "to:")):
                found += [
                    Suggestion(kind, text, hint, f"{before}{word}{_quote(address)}")
                    for kind, text, hint, address in await find(access, last)
                ]
        return found

    async def _saved(self, access: Access, user_id: UUID, prefix: str) -> list[Suggestion]:
        return [
            Suggestion("saved", search.name, search.query, search.query)
            for search in await self.saved.list(access.tenant_id, user_id)
            if search.name.lower().startswith(prefix.lower())
        ][:_OF_A_KIND]

    async def _labels(self, access: Access, prefix: str) -> list[str]:
        rows = await self.database.fetch(
            """select name from label where tenant_id = $1 and starts_with(lower(name), lower($2))
            order by lower(name) limit $3""",
            access.tenant_id,
            prefix,
            _OF_A_KIND,
        )
        return [row["name"] for row in rows]

    async def _people(self, access: Access, prefix: str) -> list[tuple[str, str, str, str]]:
        rows = await self.database.fetch(
            _PEOPLE_SQL,
            access.tenant_id,
            access.mailbox_ids,
            prefix.lower(),
            prefix.lower() + _ABOVE_ALL,
            _OF_A_KIND,
        )
        return [
            ("person", row["name"] or row["address"], row["address"], row["address"])
            for row in rows
        ]

    async def _mailboxes(self, access: Access, prefix: str) -> list[tuple[str, str, str, str]]:
        rows = await self.database.fetch(
            """select address from mailbox
            where tenant_id = $1 and ($2::uuid[] is null or id = any($2))
                and starts_with(address, $3)
            order by address limit $4""",
            access.tenant_id,
            access.mailbox_ids,
            prefix.lower(),
            _OF_A_KIND,
        )
        return [("mailbox", row["address"], "mailbox", row["address"]) for row in rows]


# As many as these of either kind are looked at, however many begin with one letter.
_LOOKED_AT = 300
_PEOPLE_SQL = f"""
with seen as (
    (select address, name, last_seen_at from correspondent
    where tenant_id = $1 and ($2::uuid[] is null or mailbox_id = any($2))
        and address ~>=~ $3 and address ~<~ $4
    order by address using ~<~ limit {_LOOKED_AT})
    union all
    (select address, name, last_seen_at from correspondent
    where tenant_id = $1 and ($2::uuid[] is null or mailbox_id = any($2))
        and lower(name) ~>=~ $3 and lower(name) ~<~ $4
    order by lower(name) using ~<~ limit {_LOOKED_AT})
)
select address, (array_agg(name order by last_seen_at desc))[1] as name
from seen group by address order by max(last_seen_at) desc, address limit $5
"""


def split_last_word(typed: str) -> tuple[str, str]:
    """What is typed up to its last word, and that word, which is empty after a space.

    A quotation that was opened behind an operator is part of the word.
    """
    start = 0
    quoted = False
    for place, character in enumerate(typed):
        if character == '"':
            quoted = not quoted
        elif not quoted and (character.isspace() or character in "(){}"):
            start = place + 1
    minus = typed[start : start + 1] == "-"
    return typed[: start + minus], typed[start + minus :]


def _operators(before: str, last: str) -> list[Suggestion]:
    """Those that begin with the last word; where there is none, some to begin with."""
    names: Iterable[str] = _FIRST if not last else OPERATORS
    return [
        Suggestion("operator", name, OPERATORS[name], before + name, not name.endswith(":"))
        for name in names
        if name.startswith(last.lower()) and name != last.lower()
    ]


def _detect(before: str, last: str) -> list[Suggestion]:
    """An address, a domain or a Message-ID that was typed or pasted as it is."""
    if match := _MESSAGE_ID.match(last):
        query = f"{before}rfc822msgid:{match[1]}"
        return [Suggestion("message", match[1], "the message with this Message-ID", query)]
    if "@" in last and is_valid_address(last):
        return [
            Suggestion("address", last, "mail from this address", f"{before}from:{last}"),
            Suggestion("address", last, "mail to this address", f"{before}to:{last}"),
        ]
    if match := _DOMAIN.match(last):
        query = f"{before}from:{match[1]}"
        return [Suggestion("domain", match[1], "mail from this domain", query)]
    return []


def _quote(value: str) -> str:
    """Quoted where it would otherwise be more than one word."""
    return value if _PLAIN.match(value) else '"' + value.replace('"', " ") + '"'
