"""The files that a browser keeps: scripts, stylesheets and pictures; and the icons of a page.

They are read once, when the application starts, and sent from memory, compressed beforehand.
"""

import gzip
import hashlib
import mimetypes
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from litestar import Request, Response, get
from litestar.params import FromPath, FromQuery
from markupsafe import Markup

from app.core.errors import NotFound
from app.web.compression import accepts_gzip
from app.web.given import Given
from app.web.guards import allow_public

STATIC_FOLDER = Path(__file__).parents[2] / "static"
LIBRARY = "htmx.js"
SCRIPT = "app.js"
SPRITE = "vendor/lucide.svg"
# htmx comes first and starts when the document is there, so its extension has come by then.
_LIBRARIES = ("vendor/htmx.min.js", "vendor/hx-sse.min.js")
_SERVED = (".css", ".svg")
_FOR_EVER = "public, max-age=31536000, immutable"
_SYMBOL = re.compile(r'<symbol id="([^"]+)" viewBox="0 0 24 24">(.+)</symbol>')
# Its shapes stand in the page itself: a reference to the sprite would be one more request, and a
# browser opens what is referred to as a document of its own and then lays out the page again.
_ICON = Markup('<svg class="icon" aria-hidden="true" viewBox="0 0 24 24">{}</svg>')
_WHOLE_LINE_COMMENT = re.compile(r"^\s*//.*\n|^\s+", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Asset:
    """A file as it is sent. `version` changes with its content."""

    content: bytes
    compressed: bytes
    media_type: str
    version: str


@dataclass(frozen=True, slots=True)
class Assets:
    """All of them by name, and the icons of the sprite ready to be put into a page."""

    files: Mapping[str, Asset]
    icons: Mapping[str, Markup]

    @classmethod
    def of(cls, folder: Path) -> "Assets":
        files = {name: _make_asset(name, content) for name, content in _read(folder)}
        return cls(files, dict(_read_icons(folder / SPRITE)))

    def url(self, name: str) -> str:
        """The address of the file `name`, another one when its content changes, so that what is
        served there may be kept for ever. Raises `KeyError` if there is none."""
        return _address(name, self.files[name])

    def icon(self, name: str) -> Markup:
        """The Lucide icon `name`, as decoration: a word stands beside it or in its label.
        Raises `KeyError` if there is none."""
        return self.icons[name]


@get("/static/{path:path}", include_in_schema=False, sync_to_thread=False, opt=allow_public())
def send_asset(
    request: Request[Any, Any, Any],
    path: FromPath[str],
    assets: Given[Assets],
    v: FromQuery[str] = "",
) -> Response[bytes]:
    """A file for ever, but at the address of another version only for now: during an update the
    old process must not be remembered for what the new page asked."""
    asset = assets.files.get(str(path).lstrip("/"))
    if asset is None:
        raise NotFound("There is no such file.")
    headers = {
        "cache-control": _FOR_EVER if v == asset.version else "no-cache",
        "vary": "accept-encoding",
    }
    if not accepts_gzip(request.headers.get("accept-encoding", "")):
        return Response(asset.content, media_type=asset.media_type, headers=headers)
    headers["content-encoding"] = "gzip"
    return Response(asset.compressed, media_type=asset.media_type, headers=headers)


def _read(folder: Path) -> Iterator[tuple[str, bytes]]:
    for file in sorted(folder.rglob("*")):
        name = str(file.relative_to(folder))
        if file.suffix in _SERVED and name != SPRITE:
            yield name, file.read_bytes()
    libraries = [folder / name for name in _LIBRARIES if (folder / name).is_file()]
    yield LIBRARY, "\n".join(file.read_text() for file in libraries).encode()
    # Our own lose what only people read.
    own = [_WHOLE_LINE_COMMENT.sub("", file.read_text()) for file in sorted(folder.glob("*.js"))]
    yield SCRIPT, "\n".join(own).encode()


def _read_icons(sprite: Path) -> Iterator[tuple[str, Markup]]:
    for name, shapes in _SYMBOL.findall(sprite.read_text()) if sprite.is_file() else ():
        yield name, _ICON.format(Markup(shapes))  # noqa: S704


def _make_asset(name: str, content: bytes) -> Asset:
    media_type, _ = mimetypes.guess_type(name)
    version = hashlib.sha256(content).hexdigest()[:8]
    compressed = gzip.compress(content, 9, mtime=0)
    return Asset(content, compressed, media_type or "application/octet-stream", version)


def _address(name: str, asset: Asset) -> str:
    return f"/static/{name}?v={asset.version}"
