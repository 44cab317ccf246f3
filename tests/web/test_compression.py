"""What is compressed on the wire, and how a page keeps its length to itself."""

import gzip
import re
import zlib
from collections.abc import AsyncIterator

import httpx
import pytest
from litestar import Litestar, Response, get
from litestar.response import Stream
from litestar.testing import TestClient

from app.web.compression import accepts_gzip, compress, compress_pages

_PAGE = "<p>Mail arrives here, and stays.</p>" * 100


@get("/page", media_type="text/html")
async def show_page() -> str:
    return _PAGE


@get("/short", media_type="text/html")
async def show_short() -> str:
    return "<p>Hello</p>"


@get("/file", media_type="application/octet-stream")
async def send_file() -> bytes:
    return _PAGE.encode()


@get("/packed")
async def send_packed() -> Response[bytes]:
    packed = gzip.compress(_PAGE.encode())
    return Response(packed, media_type="text/html", headers={"content-encoding": "gzip"})


@get("/stream")
async def stream() -> Stream:
    async def chunks() -> AsyncIterator[str]:
        yield _PAGE
        yield "end"

    return Stream(chunks(), media_type="text/html")


@get("/broken")
async def fail() -> None:
    raise ValueError


_APP = Litestar(
    [show_page, show_short, send_file, send_packed, stream, fail], middleware=[compress_pages]
)


def ask(path: str, accepted: str = "gzip, br") -> httpx.Response:
    with TestClient(_APP, raise_server_exceptions=False) as client:
        answer: httpx.Response = client.get(path, headers={"accept-encoding": accepted})
        return answer


def test_page_is_compressed_and_says_so() -> None:
    answer = ask("/page")
    assert answer.headers["content-encoding"] == "gzip"
    assert "accept-encoding" in answer.headers["vary"]
    assert int(answer.headers["content-length"]) < len(_PAGE) / 4
    assert answer.text == _PAGE


@pytest.mark.parametrize("path", ["/short", "/file", "/stream", "/broken"])
def test_what_is_short_or_no_page_passes_as_it_is(path: str) -> None:
    answer = ask(path)
    assert "content-encoding" not in answer.headers
    assert answer.status_code == (500 if path == "/broken" else 200)


def test_what_is_compressed_already_passes_as_it_is() -> None:
    assert ask("/packed").text == _PAGE


def test_page_is_sent_plain_to_those_who_take_no_gzip() -> None:
    for accepted in ("", "br", "gzip;q=0", "identity, gzip; q=0.0"):
        answer = ask("/page", accepted)
        assert "content-encoding" not in answer.headers
        assert answer.text == _PAGE


def test_gzip_is_taken_when_it_is_worth_anything() -> None:
    assert accepts_gzip("gzip;q=0.5, *;q=0")
    assert accepts_gzip("deflate, gzip")


def test_length_of_a_page_does_not_tell_what_it_holds() -> None:
    """The same page has another length each time, and every reader of gzip understands it."""
    packed = [compress(_PAGE.encode()) for _ in range(200)]
    assert len({len(page) for page in packed}) > 50
    assert all(gzip.decompress(page).decode() == _PAGE for page in packed)
    reader = zlib.decompressobj(16 + zlib.MAX_WBITS)
    assert reader.decompress(packed[0] + b"rest").decode() == _PAGE
    assert reader.unused_data == b"rest"


async def test_pages_of_the_application_are_compressed(web: httpx.AsyncClient) -> None:
    answer = await web.get("/")
    assert answer.headers["content-encoding"] == "gzip"
    assert "text/html" in answer.headers["content-type"]
    assert "<main" in answer.text


async def test_static_file_is_kept_for_ever_at_its_own_address_only(web: httpx.AsyncClient) -> None:
    address = re.search(r"/static/style\.css\?v=\w+", (await web.get("/")).text)
    assert address
    for path, kept in ((address[0], True), ("/static/style.css?v=0", False)):
        answer = await web.get(path)
        assert ("immutable" in answer.headers["cache-control"]) is kept
        assert answer.headers["content-encoding"] == "gzip"
        assert answer.headers["content-type"].startswith("text/css")
        assert "{" in answer.text


async def test_static_file_is_sent_plain_to_those_who_take_no_gzip(web: httpx.AsyncClient) -> None:
    answer = await web.get("/static/favicon.svg", headers={"accept-encoding": "identity"})
    assert answer.text.startswith("<svg")


@pytest.mark.parametrize("name", ["none.css", "../pyproject.toml", "vendor/README.md", ""])
async def test_static_file_that_does_not_exist_is_not_found(
    name: str, web: httpx.AsyncClient
) -> None:
    assert (await web.get(f"/static/{name}")).status_code == 404
