"""What only the S3 form must do: fail in bounded time, import late."""

import subprocess
import sys
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import pytest
from moto.server import ThreadedMotoServer

from app.core.errors import Unavailable
from app.core.secrets import Secret
from app.storage.blobs.s3 import S3Blobs

Call = Callable[[S3Blobs], Coroutine[Any, Any, object]]


async def _first_of_list(store: S3Blobs) -> object:
    return [info async for info in store.list("")]


async def _first_of_stream(store: S3Blobs) -> object:
    return [chunk async for chunk in store.stream("a")]


CALLS: dict[str, Call] = {
    "put": lambda store: store.put("a", b"", {}),
    "get": lambda store: store.get("a"),
    "delete": lambda store: store.delete("a"),
    "list": _first_of_list,
    "stream": _first_of_stream,
    "check": lambda store: store.check(),
    "metadata": lambda store: store.metadata("a"),
}


def connect(endpoint: str) -> S3Blobs:
    return S3Blobs(
        "no-such-bucket",
        region="eu-west-1",
        endpoint_url=endpoint,
        access_key_id="key",
        secret_access_key=Secret("secret"),
    )


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.mark.parametrize("name", CALLS)
async def test_every_operation_raises_unavailable_when_the_bucket_is_missing(
    endpoint: str, name: str
) -> None:
    with pytest.raises(Unavailable):
        await CALLS[name](connect(endpoint))


@pytest.mark.parametrize("name", ["put", "stream"])
async def test_an_operation_raises_unavailable_when_nothing_listens(name: str) -> None:
    with pytest.raises(Unavailable):
        await CALLS[name](connect("http://127.0.0.1:1"))


def test_importing_the_module_does_not_import_boto3() -> None:
    code = "import sys, app.storage.blobs.s3; print({'boto3', 'botocore'} & set(sys.modules))"
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "set()"
