"""The only client for outgoing HTTP: what a stranger names is called with care, or not at all."""

import asyncio
import ssl
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import httpcore

from app.core.egress.addresses import AllowList
from app.core.egress.dial import CheckedDialler, Resolve, SystemResolver
from app.core.egress.errors import TargetRefused, Unreachable
from app.core.egress.target import Target

USER_AGENT = "Pillarbox"


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much of an answer is read, and how long one may take."""

    max_bytes: int
    total_seconds: float = 10.0
    connect_seconds: float = 5.0


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back. Names of headers are in lower case.

    `content` is decoded where it came compressed (gzip). `is_cut`: there was more of it than the
    bound let in, and the rest was not read.
    """

    status: int
    headers: Sequence[tuple[str, str]]
    content: bytes
    is_cut: bool

    def header(self, name: str) -> str:
        """The first value of a header, or an empty string."""
        return next((value for each, value in self.headers if each == name), "")


class Egress:
    """Calls `http` and `https` addresses.

    Only public addresses are reached, and those of `allowed`; the address that was checked is the
    one that is connected to. Redirects are answers like any other and are not followed, nothing is
    taken from the environment, and no cookie or connection is kept between two calls. https is
    verified against the name of the host, by the certificates that the machine trusts.
    """

    def __init__(
        self,
        allowed: AllowList,
        *,
        resolve: Resolve | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._dialler = CheckedDialler(allowed, resolve or SystemResolver())
        self._own_tls = tls

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        """Made at the first call: the certificates of a machine take a while to read."""
        return self._own_tls or ssl.create_default_context()

    async def send(
        self,
        method: str,
        url: str,
        bounds: Bounds,
        *,
        headers: Mapping[str, str] | None = None,
        content: bytes = b"",
    ) -> Answer:
        """The answer, whatever its status. Raises `TargetRefused`, or `Unreachable`, which may be
        tried again."""
        target = Target.parse(url)
        request = _build(method, target, headers or {}, content, bounds)
        connection = httpcore.AsyncHTTPConnection(
            request.url.origin, ssl_context=self._tls, network_backend=self._dialler
        )
        try:
            async with asyncio.timeout(bounds.total_seconds), connection:
                response = await connection.handle_async_request(request)
                return await _read(response, bounds.max_bytes)
        except TimeoutError as error:
            raise Unreachable("The answer took too long.") from error
        except httpcore.LocalProtocolError as error:
            raise TargetRefused("The request is not one that HTTP can carry.") from error
        except (
            httpcore.NetworkError,
            httpcore.TimeoutException,
            httpcore.ProtocolError,
            ssl.SSLError,
            OSError,
            zlib.error,
        ) as error:
            raise Unreachable("The host did not answer as it should.") from error


def _build(
    method: str, target: Target, headers: Mapping[str, str], content: bytes, bounds: Bounds
) -> httpcore.Request:
    fields = {
        "host": target.authority,
        "user-agent": USER_AGENT,
        "accept-encoding": "identity",
        "connection": "close",
        **{name.lower(): value for name, value in headers.items()},
    }
    if content or method not in ("GET", "HEAD"):
        fields["content-length"] = str(len(content))
    each = bounds.connect_seconds
    return httpcore.Request(
        method,
        httpcore.URL(
            scheme=target.scheme.encode(),
            host=target.host.encode(),
            port=target.port,
            target=target.path.encode(),
        ),
        headers=[(name.encode(), value.encode()) for name, value in fields.items()],
        content=content,
        extensions={"timeout": {"connect": each, "write": bounds.total_seconds}},
    )


async def _read(response: httpcore.Response, max_bytes: int) -> Answer:
    headers = [
        (name.decode("latin-1").lower(), value.decode("latin-1"))
        for name, value in response.headers
    ]
    encoding = next((value for name, value in headers if name == "content-encoding"), "")
    gunzip = zlib.decompressobj(16 + zlib.MAX_WBITS) if encoding.lower() in _GZIP else None
    content = bytearray()
    async for chunk in response.aiter_stream():
        # One byte past the bound tells that there was more; no more than that is ever unpacked.
        room = max_bytes + 1 - len(content)
        content += gunzip.decompress(chunk, room) if gunzip else chunk[:room]
        if len(content) > max_bytes:
            return Answer(response.status, headers, bytes(content[:max_bytes]), is_cut=True)
    return Answer(response.status, headers, bytes(content), is_cut=False)


# Stores serve an object as it was put, whatever the request accepts.
_GZIP = ("gzip", "x-gzip")
