"""Both engines on made-up mail, and the way from the 250 to a hit.

make bench-search ARGS="--only whoosh"        one part: whoosh, postgres or delay
make bench-search ARGS="--messages 20000"     a smaller mailbox for Postgres
"""

import argparse
import asyncio
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from random import Random
from uuid import UUID

import asyncpg

from app.embedded.postgres import EmbeddedPostgres
from app.search.port import Document, SearchIndex
from app.search.postgres import PostgresIndex
from app.search.query import And, Field, Node, Phrase, Prefix, Word
from app.search.tokens import tokenise
from app.search.whoosh_engine.index import WhooshIndex
from app.storage.db.database import Database
from app.storage.db.migrate import migrate
from piccolo_conf import DB
from tests.benchmarks.mail_text import BETWEEN, START, MailText
from tests.benchmarks.report import percentile, report

_WHOOSH_MESSAGES = 5_000
_POSTGRES_MESSAGES = 100_000
_COMMIT = 200
_QUERIES = 300
_PAGE = 51
_TENANT, _DOMAIN, _MAILBOX = UUID(int=1), UUID(int=2), UUID(int=3)

Asked = Sequence[tuple[Node, datetime | None]]


async def measure_whoosh(count: int) -> Mapping[str, float]:
    """Indexing in commits of 200, then queries of each kind."""
    documents = list(MailText().documents(count, tenant_id=_TENANT, mailbox_id=_MAILBOX))
    with tempfile.TemporaryDirectory(prefix="pbx-bench-") as folder:
        index = WhooshIndex(Path(folder) / "search")
        cpu_started, slowest = time.process_time(), 0.0
        for start in range(0, count, _COMMIT):
            started = time.perf_counter()
            await index.put(documents[start : start + _COMMIT])
            slowest = max(slowest, time.perf_counter() - started)
        cpu_seconds = time.process_time() - cpu_started
        size_bytes = _size_bytes(Path(folder))
        times = await measure_queries(index, documents)
        await index.close()
    return {
        "whoosh_messages": count,
        "whoosh_messages_a_cpu_second": count / cpu_seconds,
        "whoosh_slowest_commit_ms": slowest * 1000,
        "whoosh_bytes_a_message": size_bytes / count,
        **{f"whoosh_{name}": value for name, value in times.items()},
    }


async def measure_postgres(count: int) -> Mapping[str, float]:
    """The same on one large mailbox."""
    with _postgres() as url:
        await migrate(DB, url)
        database = Database(DB, url)
        await database.open()
        index = PostgresIndex(database)
        text = MailText()
        sample: list[Document] = []
        seconds = 0.0
        await _make_mailbox(url)
        documents = text.documents(count, tenant_id=_TENANT, mailbox_id=_MAILBOX)
        for batch in _batches(documents, 500):
            sample += batch[:: max(1, count // 5_000)]
            await _store(url, batch)
            started = time.perf_counter()
            await index.put(batch)
            seconds += time.perf_counter() - started
        await database.execute("vacuum analyze search_document")
        times = await measure_queries(index, sample)
        await database.close()
    return {
        "postgres_messages": count,
        "postgres_messages_a_second": count / seconds,
        **{f"postgres_{name}": value for name, value in times.items()},
    }


def measure_delay() -> Mapping[str, float]:
    """From the 250 until a search finds the mail, at 20 mails a second."""
    from tests.benchmarks.search_delay import measure_delay

    return measure_delay()


async def measure_queries(index: SearchIndex, documents: Sequence[Document]) -> Mapping[str, float]:
    """The newest 50 hits of each kind of query; what is asked for stands in the documents, so
    common words are asked for often."""
    figures: dict[str, float] = {}
    for name, asked in _queries(documents, Random(7)).items():
        times = []
        for node, since in asked:
            started = time.perf_counter()
            await index.find(node, [_MAILBOX], since=since, limit=_PAGE)
            times.append((time.perf_counter() - started) * 1000)
        figures[f"{name}_median_ms"] = percentile(times, 0.5)
        figures[f"{name}_p99_ms"] = percentile(times, 0.99)
    return figures


def _queries(documents: Sequence[Document], choose: Random) -> Mapping[str, Asked]:
    def words(count: int) -> tuple[str, ...]:
        while True:
            tokens = tokenise(choose.choice(documents).text)
            if len(tokens) > count:
                start = choose.randrange(len(tokens) - count)
                return tuple(tokens[start : start + count])

    def prefix() -> str:
        while len(word := words(1)[0]) < 4:
            pass
        return word[: choose.choice((3, 4))]

    def field_and_date() -> tuple[Node, datetime]:
        document = choose.choice(documents)
        sender = tokenise(document.sender_name)[0]
        subject = choose.choice(tokenise(document.subject))
        since = max(START, document.received_at - BETWEEN * choose.randrange(len(documents)))
        return And((Word(sender, Field.SENDER), Word(subject, Field.SUBJECT))), since

    times = range(_QUERIES)
    return {
        "word": [(Word(words(1)[0]), None) for _ in times],
        "phrase": [(Phrase(words(2)), None) for _ in times],
        "prefix": [(Prefix(prefix()), None) for _ in times],
        "field_and_date": [field_and_date() for _ in times],
    }


def _size_bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*.idx"))


@contextmanager
def _postgres() -> Iterator[str]:
    with tempfile.TemporaryDirectory(prefix="pbx-bench-") as folder:
        root = Path(folder)
        root.chmod(0o755)
        postgres = EmbeddedPostgres(data_folder=root / "pg", socket_folder=root / "pgs")
        try:
            postgres.start()
            postgres.wait_ready()
            yield postgres.url
        finally:
            postgres.stop()


async def _make_mailbox(url: str) -> None:
    connection = await asyncpg.connect(url)
    now = START
    await connection.execute(
        "insert into tenant (id, name, plan, created_at) values ($1, 'T', 'developer', $2)",
        _TENANT,
        now,
    )
    await connection.execute(
        """insert into domain (id, tenant_id, name, status, verification_token, created_at)
        values ($1, $2, 'example.test', 'verified', '', $3)""",
        _DOMAIN,
        _TENANT,
        now,
    )
    await connection.execute(
        """insert into mailbox (id, tenant_id, domain_id, address, created_at)
        values ($1, $2, $3, 'box@example.test', $4)""",
        _MAILBOX,
        _TENANT,
        _DOMAIN,
        now,
    )
    await connection.close()


async def _store(url: str, documents: Sequence[Document]) -> None:
    """The rows that the engine's refer to."""
    connection = await asyncpg.connect(url)
    await connection.execute(
        """insert into message (id, tenant_id, mailbox_id, trace_id, identity, fingerprint, sha256,
            content_sha256, size_bytes, envelope_from, from_name, from_address, to_header,
            cc_header, subject, snippet, received_at)
        select id, $3, $4, id, id::text::bytea, '', '', '', 4000, '', '', '', '', '', '', '', at
        from unnest($1::uuid[], $2::timestamptz[]) as new (id, at)""",
        [document.message_id for document in documents],
        [document.received_at for document in documents],
        _TENANT,
        _MAILBOX,
    )
    await connection.close()


def _batches(documents: Iterator[Document], size: int) -> Iterator[Sequence[Document]]:
    batch: list[Document] = []
    for document in documents:
        batch.append(document)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", choices=("whoosh", "postgres", "delay"))
    parser.add_argument("--messages", type=int, default=_POSTGRES_MESSAGES)
    options = parser.parse_args()
    figures: dict[str, float] = {}
    if options.only in (None, "whoosh"):
        figures |= asyncio.run(measure_whoosh(_WHOOSH_MESSAGES))
    if options.only in (None, "postgres"):
        figures |= asyncio.run(measure_postgres(options.messages))
    if options.only in (None, "delay"):
        figures |= measure_delay()
    report("search", figures)


if __name__ == "__main__":
    main()
