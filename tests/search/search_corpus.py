"""Messages to search, as rows of the database and as documents of an engine."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

from app.assembly import Services
from app.search.matching import StoredMessage, matches
from app.search.port import Document
from app.search.query import Node

START = datetime(2026, 1, 1, tzinfo=UTC)

# Name of the message, and what is in it.
MAIL: dict[str, dict[str, object]] = {
    "plan": {
        "subject": "Quarterly plan",
        "sender_name": "Anna Berg",
        "sender_address": "Anna.Berg@North.example.org",
        "to": "box@example.test, Carl <carl@south.example>",
        "text": "Please find the quarterly plan for the harbour attached. Best, Anna",
        "file_names": ["quarterly-plan.pdf"],
    },
    "harbour": {
        "subject": "RE: harbour plan",
        "sender_name": "Carl",
        "sender_address": "carl@south.example",
        "to": "anna.berg@north.example.org",
        "cc": "box@example.test, team@lists.example.org",
        "text": "The harbour plan is fine. The plan for the quay is not. Harbour harbour.",
    },
    "invoice": {
        "subject": "Rechnung Nr. 4711 – STRASSE",
        "sender_name": "Buchhaltung, Größe & Söhne",
        "sender_address": "rechnung@groesse.example",
        "to": "box@example.test",
        "text": "Die Rechnung über 1.234,56 € für die Straße liegt bei. ＦＵＬＬ width ﬁn",
        "file_names": ["Rechnung_4711.PDF", "anhang.zip"],
    },
    "japanese": {
        "subject": "東京駅で会いましょう",
        "sender_name": "山田 太郎",
        "sender_address": "taro@example.jp",
        "to": "box@example.test",
        "text": "明日の会議は東京駅です。ｶﾀｶﾅ",
    },
    "hostile": {
        "subject": "it's a 'quoted' \\ back\\slash & | ! ( ) : * <-> %s $1 \"double\"",
        "sender_name": "O'Brien",
        "sender_address": "o'brien+tag@example.com",
        "to": '<"odd local"@example.com>, undisclosed-recipients:;',
        "text": "'); drop table message; -- under_score snake_case_name a::tsvector 1:2,3",
    },
    "repeats": {
        "subject": "again again again",
        "sender_name": "",
        "sender_address": "",
        "to": "",
        "text": "again " * 400 + "finally again over",
    },
    "long": {
        "subject": "x" * 300,
        "sender_name": "Long",
        "sender_address": "long@example.net",
        "to": "box@example.test",
        "text": "word " * 14_999 + "inside outside",
    },
    "empty": {
        "subject": "",
        "sender_name": "",
        "sender_address": "nobody@example.org",
        "to": "",
        "text": "",
    },
}


@dataclass
class Corpus:
    """`MAIL` in one mailbox, newest last, an hour apart; and another mailbox without mail."""

    services: Services
    tenant_id: UUID
    mailbox_id: UUID
    other_id: UUID
    documents: dict[str, Document]

    def name_of(self, message_id: UUID) -> str:
        return next(n for n, each in self.documents.items() if each.message_id == message_id)

    async def add(self, name: str, document: Document) -> Document:
        self.documents[name] = document
        await store(self.services, [document])
        return document

    def like(self, name: str, **changes: object) -> Document:
        return replace(self.documents[name], message_id=uuid4(), **changes)  # type: ignore[arg-type]


async def make_corpus(services: Services) -> Corpus:
    tenant = await services.tenants.create("Example", "developer")
    await services.domains.add("example.test", tenant.id, vouched=True)
    mailbox = await services.mailboxes.add("box@example.test", tenant.id)
    other = await services.mailboxes.add("other@example.test", tenant.id)
    documents = {
        name: Document(
            message_id=UUID(int=number),
            tenant_id=tenant.id,
            mailbox_id=mailbox.id,
            received_at=START + timedelta(hours=number),
            **{"cc": "", **fields},  # type: ignore[arg-type]
        )
        for number, (name, fields) in enumerate(MAIL.items(), 1)
    }
    await store(services, list(documents.values()))
    return Corpus(services, tenant.id, mailbox.id, other.id, documents)


async def store(services: Services, documents: Sequence[Document]) -> None:
    """The rows that searching needs of these messages."""
    for each in documents:
        await services.database.execute(
            """insert into message (id, tenant_id, mailbox_id, trace_id, identity, fingerprint,
                sha256, content_sha256, size_bytes, envelope_from, from_name, from_address,
                to_header, cc_header, subject, snippet, received_at, attachment_count)
            values ($1, $2, $3, $1, sha256($4), sha256($4), sha256($4), sha256($4), 2000, '', $5,
                $6, $7, $8, $9, '', $10, $11)""",
            each.message_id,
            each.tenant_id,
            each.mailbox_id,
            f"{each.message_id}@ids.example".encode(),
            each.sender_name,
            each.sender_address,
            each.to,
            each.cc,
            each.subject,
            each.received_at,
            len(each.file_names),
        )


def fits(node: Node, document: Document) -> bool:
    """Whether `node`, which is text, is in the document: what both engines are held against."""
    return matches(node, StoredMessage(document, b"", (), "", (), 0, 0, ""))
