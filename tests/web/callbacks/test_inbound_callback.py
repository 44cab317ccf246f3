"""`POST /events/inbound`: mail that a provider hands over."""

import asyncio
import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import httpx
import pytest
from application import serving
from mailroom import Mailroom

from app.assembly import assemble
from app.core.secrets import Secret
from app.main import ingester_application
from app.settings import Networks, Settings

RAW = b"Subject: From a provider\r\nMessage-ID: <p@example.org>\r\n\r\n\xff8-bit\r\n"


def payload(**changes: Any) -> dict[str, Any]:
    body = {
        "event_id": "e-1",
        "provider": "example",
        "recipients": ["box@example.test"],
        "raw_mime_base64": base64.b64encode(RAW).decode(),
    }
    return {name: value for name, value in {**body, **changes}.items() if value is not None}


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return replace(
        settings,
        ingester_inbound_token=Secret("right"),
        smtp_max_message_bytes=2000,
        egress_allow=Networks.parse("127.0.0.1"),
    )


@pytest.fixture
async def ingester(settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    app = ingester_application(assemble(settings))
    async with serving(app, authorization="Bearer right") as client:
        yield client


async def test_message_is_delivered_when_a_provider_was_told_202(
    ingester: httpx.AsyncClient, mailroom: Mailroom
) -> None:
    answer = await ingester.post("/events/inbound", json=payload())
    assert answer.status_code == 202
    await mailroom.take_in()
    (row,) = await mailroom.rows()
    assert row.subject == "From a provider"
    assert row.size_bytes == len(RAW)


@pytest.mark.parametrize(
    "changes",
    [
        {"raw_mime_base64": None},
        {"raw_mime": "Subject: both\r\n\r\n"},
        {"raw_mime_url": "https://mail.example/both"},
        {"raw_mime_base64": None, "raw_mime_url": ""},
        {"raw_mime_base64": None, "raw_mime_url": "file:///etc/passwd"},
        {"raw_mime_base64": None, "raw_mime_url": "http://169.254.169.254/latest/meta-data/"},
        {"raw_mime_base64": None, "raw_mime_url": "http://[::1]:8000/"},
        {"raw_mime_base64": "not base64!"},
        {"recipients": []},
        {"recipients": ["no address"]},
        {"event_id": None},
    ],
)
async def test_request_is_refused_and_nothing_spooled_when_its_body_is_wrong(
    ingester: httpx.AsyncClient, mailroom: Mailroom, changes: dict[str, Any]
) -> None:
    answer = await ingester.post("/events/inbound", json=payload(**changes))
    assert answer.status_code == 400
    assert not await mailroom.drain.take_what_is_there()


@asynccontextmanager
async def answering(answer: bytes) -> AsyncIterator[str]:
    """The address of a message at another host."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1")
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/message"


def response(content: bytes, status: str = "200 OK") -> bytes:
    head = f"HTTP/1.1 {status}\r\nContent-Length: {len(content)}\r\n\r\n"
    return head.encode() + content


async def test_message_is_fetched_when_its_address_was_given(
    ingester: httpx.AsyncClient, mailroom: Mailroom
) -> None:
    async with answering(response(RAW)) as url:
        body = payload(raw_mime_base64=None, raw_mime_url=url)
        assert (await ingester.post("/events/inbound", json=body)).status_code == 202
    await mailroom.take_in()
    (row,) = await mailroom.rows()
    assert (row.subject, row.size_bytes) == ("From a provider", len(RAW))


@pytest.mark.parametrize(
    "answer,status",
    [
        (response(b"", "404 Not Found"), 400),
        (response(b"", "302 Found"), 400),
        (response(b""), 400),
        (response(b"x" * 3000), 400),
        (response(b"", "429 Too Many Requests"), 503),
        (response(b"", "500 Internal Server Error"), 503),
        (response(RAW)[:-1], 503),
        (b"", 503),
    ],
)
async def test_provider_is_told_to_come_again_only_when_that_may_help(
    ingester: httpx.AsyncClient, mailroom: Mailroom, answer: bytes, status: int
) -> None:
    async with answering(answer) as url:
        body = payload(raw_mime_base64=None, raw_mime_url=url)
        assert (await ingester.post("/events/inbound", json=body)).status_code == status
    assert not await mailroom.drain.take_what_is_there()


@pytest.mark.parametrize("authorization", ["", "Bearer wrong", "right"])
async def test_request_is_refused_when_the_token_is_missing_or_wrong(
    ingester: httpx.AsyncClient, authorization: str
) -> None:
    answer = await ingester.post(
        "/events/inbound", json=payload(), headers={"authorization": authorization}
    )
    assert answer.status_code == 401


async def test_request_is_refused_in_production_when_no_token_is_configured(
    settings: Settings,
) -> None:
    bare = replace(settings, pillarbox_env="production", ingester_inbound_token=None)
    async with serving(ingester_application(assemble(bare))) as client:
        assert (await client.post("/events/inbound", json=payload())).status_code == 401


async def test_ingester_has_no_pages(ingester: httpx.AsyncClient) -> None:
    for path in ("/", "/inbox", "/api/v1/messages"):
        assert (await ingester.get(path)).status_code == 404
