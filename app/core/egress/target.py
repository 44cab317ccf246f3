"""The address of an outgoing call, read once and strictly."""

import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from urllib.parse import quote

import idna

from app.core.egress.errors import TargetRefused

MAX_URL_CHARS = 8192


@dataclass(frozen=True, slots=True)
class Target:
    """Where a call goes. `host` is a name in ASCII and lower case or a literal address, without
    brackets; `path` is the request target: path and query (RFC 9112, section 3.2.1)."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def authority(self) -> str:
        """The value of `Host`."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"

    @classmethod
    def parse(cls, url: str) -> "Target":
        """Raises `TargetRefused` for what is not plainly `http` or `https`, a host, a port that
        the web uses, a path: other programs would read such an address in other ways."""
        found = _URL.fullmatch(url) if len(url) <= MAX_URL_CHARS else None
        if found is None:
            raise TargetRefused("This is no address of the web that can be called.")
        scheme = found["scheme"].lower()
        path = found["path"] or "/"
        return cls(
            scheme=scheme,
            host=_read_host(found["host"]),
            port=_read_port(found["port"], _PORTS[scheme]),
            path=quote(path if path[0] == "/" else f"/{path}", safe=_KEPT_IN_PATH),
        )


def _read_host(host: str) -> str:
    if host[0] == "[":
        try:
            return str(IPv6Address(host[1:-1]))
        except ValueError as error:
            raise TargetRefused("The host is no IPv6 address.") from error
    try:
        name = host if host.isascii() else idna.encode(host, uts46=True).decode()
    except idna.IDNAError as error:
        raise TargetRefused("The host is no name.") from error
    name = name.lower().removesuffix(".")
    if _NUMBER.search(name):
        # Octal, hexadecimal and shortened forms mean what the reader of the moment makes of them.
        try:
            return str(IPv4Address(name))
        except ValueError as error:
            raise TargetRefused("The host is no IPv4 address of four decimal numbers.") from error
    if not _NAME.fullmatch(name):
        raise TargetRefused("The host is no name.")
    return name


def _read_port(written: str | None, usual: int) -> int:
    port = int(written) if written else usual
    if port not in _PORTS.values() and not 1024 <= port <= 65535:
        raise TargetRefused("The port must be 80, 443 or one from 1024 on.")
    return port


_PORTS = {"http": 80, "https": 443}
_URL = re.compile(
    r"(?P<scheme>https?)://(?P<host>\[[0-9a-f:.]+\]|[^\s/?#\\@:\[\]%\x00-\x20\x7f]+)"
    r"(?::(?P<port>[0-9]{1,5})?)?(?P<path>[/?][^#\\\x00-\x1f\x7f\ud800-\udfff]*)?(?:#.*)?",
    re.I | re.A,
)
# As the URL Standard tells an IPv4 address from a name: by its last label (section 3.5).
_NUMBER = re.compile(r"(?:\A|\.)(?:[0-9]+|0x[0-9a-f]*)\Z")
_NAME = re.compile(r"(?=.{1,253}\Z)[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*")
_KEPT_IN_PATH = "/?:@!$&'()*+,;=%~-._[]|"
