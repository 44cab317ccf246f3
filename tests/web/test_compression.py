"""What is compressed on the wire, and what must not be."""

import httpx


async def test_static_files_are_compressed_and_kept_for_ever(web: httpx.AsyncClient) -> None:
    answer = await web.get("/static/style.css")
    assert answer.headers["content-encoding"] == "gzip"
    assert "immutable" in answer.headers["cache-control"]
    assert "{" in answer.text


async def test_pages_are_not_compressed(web: httpx.AsyncClient) -> None:
    """A page may hold a secret beside words of a stranger's."""
    assert "content-encoding" not in (await web.get("/")).headers
