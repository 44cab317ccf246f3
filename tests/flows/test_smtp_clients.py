"""Real clients hand their mail to the real sidecar, with TLS and without."""

import re
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from certificates import make_certificate
from pillarbox import wait_until
from sidecar import Sidecar, sidecar
from smtp_clients import CLIENTS, SENDER, Errand
from smtp_relays import RELAYS

from app.directory.snapshot import DirectorySnapshot, DomainEntry, MailboxEntry, save_snapshot
from app.storage.spool.port import Item

pytestmark = pytest.mark.flow

KNOWN, UNKNOWN = "box+tag@clients.test", "nobody@clients.test"
SNAPSHOT = DirectorySnapshot(
    1,
    {"clients.test": DomainEntry()},
    {"box@clients.test": MailboxEntry(), SENDER: MailboxEntry()},
)
BODY = "\r\n".join(
    ("Grüße, 8 bits each.", ".begins with a dot", ".", "..", "", "Ends with an empty line.", "", "")
)


@pytest.fixture(scope="module")
def mail_exchanger(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sidecar]:
    folder = tmp_path_factory.mktemp("mx")
    chain, key = make_certificate("mx.clients.test")
    (folder / "chain.pem").write_bytes(chain)
    (folder / "key.pem").write_bytes(key)
    tls = {"SMTP_TLS_CERT": str(folder / "chain.pem"), "SMTP_TLS_KEY": str(folder / "key.pem")}
    with sidecar(folder, **tls) as one:
        yield one


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("clients")


@pytest.fixture(params=[False, True], ids=["plain", "tls"])
def tls(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


def make_errand(one: Sidecar, folder: Path, recipient: str, tls: bool) -> Errand:
    """A mail that is like no other."""
    # What is unknown is refused for good only by a fresh snapshot.
    save_snapshot(one.spool / "directory.snapshot", SNAPSHOT)
    assert one.address is not None
    head = (
        f"From: {SENDER}",
        f"To: {recipient}",
        "Subject: A mail",
        "Date: Sun, 22 Nov 2026 12:00:00 +0000",
        f"Message-ID: <{uuid4()}@clients.test>",
        "MIME-Version: 1.0",
        "Content-Type: text/plain; charset=utf-8",
        "Content-Transfer-Encoding: 8bit",
    )
    raw = "\r\n".join((*head, "", BODY)).encode()
    return Errand(one.address, one.folder / "chain.pem", folder, recipient, raw, tls)


def find(one: Sidecar, errand: Errand, sender: str = SENDER) -> Item | None:
    """What came from `sender` and is the mail or holds it."""
    name = next(line for line in errand.raw.splitlines() if line.startswith(b"Message-ID: "))
    found = [item for item in one.stored() if name in item.raw]
    found = [item for item in found if item.metadata.envelope.mail_from == sender]
    assert len(found) < 2
    return found[0] if found else None


def protocol(item: Item) -> bytes:
    """The keyword of our own Received field."""
    found = re.search(rb"\swith (\S+)", item.raw[: item.metadata.prefix_size_bytes])
    assert found is not None
    return found[1]


@pytest.mark.parametrize("name", CLIENTS)
def test_mail_arrives_byte_for_byte(
    name: str, tls: bool, mail_exchanger: Sidecar, folder: Path
) -> None:
    errand = make_errand(mail_exchanger, folder, KNOWN, tls)
    outcome = CLIENTS[name](errand)
    assert outcome.succeeded, outcome.said
    item = find(mail_exchanger, errand)
    assert item is not None
    assert item.raw[item.metadata.prefix_size_bytes :] == errand.raw
    assert item.metadata.envelope.mail_from == SENDER
    assert item.metadata.envelope.rcpt_to == (KNOWN,)
    assert protocol(item) == (b"ESMTPS" if tls else b"ESMTP")


@pytest.mark.parametrize("name", CLIENTS)
def test_client_reports_an_unknown_recipient(
    name: str, tls: bool, mail_exchanger: Sidecar, folder: Path
) -> None:
    errand = make_errand(mail_exchanger, folder, UNKNOWN, tls)
    outcome = CLIENTS[name](errand)
    assert not outcome.succeeded
    assert "550 5.1.1" in outcome.said
    assert find(mail_exchanger, errand) is None


@pytest.mark.parametrize("name", RELAYS)
def test_relay_hands_mail_on_with_its_trace_on_top(
    name: str, tls: bool, mail_exchanger: Sidecar, tmp_path: Path
) -> None:
    errand = make_errand(mail_exchanger, tmp_path, KNOWN, tls)
    with RELAYS[name](errand):
        wait_until(lambda: find(mail_exchanger, errand), "it was handed on", 20)
    item = find(mail_exchanger, errand)
    assert item is not None
    received, _, rest = item.raw[item.metadata.prefix_size_bytes :].partition(b"From: ")
    assert re.fullmatch(rb"Received: [^\r\n]+\r\n(?:[ \t][^\r\n]+\r\n)*", received)
    assert b"From: " + rest == errand.raw
    assert item.metadata.client_name == "relay.example.org"
    assert item.metadata.envelope.rcpt_to == (KNOWN,)
    assert protocol(item) == (b"ESMTPS" if tls else b"ESMTP")


@pytest.mark.parametrize("name", RELAYS)
def test_relay_tells_the_sender_of_an_unknown_recipient(
    name: str, tls: bool, mail_exchanger: Sidecar, tmp_path: Path
) -> None:
    errand = make_errand(mail_exchanger, tmp_path, UNKNOWN, tls)
    with RELAYS[name](errand):
        wait_until(lambda: find(mail_exchanger, errand, ""), "a report came back", 20)
    report = find(mail_exchanger, errand, "")
    assert report is not None
    assert report.metadata.envelope.rcpt_to == (SENDER,)
    assert b"550 5.1.1" in report.raw
    assert find(mail_exchanger, errand) is None
