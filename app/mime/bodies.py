"""What a reader sees of a MIME tree: a text, a page of HTML, and attachments."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from urllib.parse import unquote

from app.mime.charsets import decode_text, one_line
from app.mime.file_names import display_file_name, safe_file_name
from app.mime.headers import header_text, read_header
from app.mime.html_text import html_to_text
from app.mime.multipart import Part
from app.mime.parameters import Value
from app.mime.parsed import MAX_HTML_CHARS, MAX_TEXT_CHARS, Attachment
from app.mime.tnef import NotTnef, PackedFile, PackedMessage, open_tnef

# What is decoded is bounded too: each octet that a charset does not have costs a microsecond.
_OCTETS_PER_CHAR = 2
_MAX_CONTAINERS = 5
_CONTENT_ID = re.compile(r"cid:([^\s\"'<>)]{1,1000})", re.I)


@dataclass(frozen=True, slots=True)
class Bodies:
    """The fields of the same names in `ParsedMessage`."""

    text: str
    html: str
    attachments: tuple[Attachment, ...]
    defects: tuple[str, ...]


def read_bodies(root: Part) -> Bodies:
    """Every leaf of the tree is in the result: shown, attached, or both where it is too long.

    A winmail.dat is opened as well: its files are attached behind it, and its text is shown where
    the message has none of its own.
    """
    reader = _Reader()
    sections = reader.read(root, is_choice=False)
    for message in reader.open_containers():
        if not any((section.text or section.html or "").strip() for section in sections):
            sections = reader.read_packed(message)
    html = _join_html(sections) if any(section.html is not None for section in sections) else ""
    attachments = tuple(_attach(reader.attached, html)) if reader.attached else ()
    text = _join_text(sections)[:MAX_TEXT_CHARS]
    return Bodies(text, html, attachments, tuple(sorted(reader.defects)))


@dataclass(frozen=True, slots=True)
class _Section:
    """A piece of the body, in one form or in both."""

    text: str | None
    html: str | None


class _Reader:
    """Walks the tree and sorts its leaves into sections and attachments."""

    def __init__(self) -> None:
        self.attached: list[Part] = []
        self.defects: set[str] = set()
        self._text_left = MAX_TEXT_CHARS
        self._html_left = MAX_HTML_CHARS
        self._found_body = False

    def read(self, part: Part, *, is_choice: bool) -> Sequence[_Section]:
        if not part.children:
            return self._read_leaf(part, is_choice=is_choice)
        has_choices = part.content_type in ("multipart/alternative", "multipart/related")
        found = [self.read(child, is_choice=has_choices) for child in part.children]
        if part.content_type == "multipart/alternative":
            return _merge_alternatives(found)
        return [section for sections in found for section in sections]

    def _read_leaf(self, part: Part, *, is_choice: bool) -> Sequence[_Section]:
        """RFC 2183, section 2: text is body unless it is marked as an attachment. We also take it
        for one when it has a name and is neither the first text nor one of several forms of it."""
        is_text = part.content_type in ("text/plain", "text/html")
        is_named_extra = self._found_body and not is_choice and bool(part.file_name)
        if not is_text or _disposition(part) == "attachment" or is_named_extra:
            self.attached.append(part)
            return ()
        self._found_body = True
        if part.content_type == "text/html":
            shown = self._decode(part, self._html_left)
            self._html_left -= len(shown)
            return (_Section(None, shown),)
        shown = self._decode(part, self._text_left)
        self._text_left -= len(shown)
        return (_Section(shown, None),)

    def open_containers(self) -> Sequence[PackedMessage]:
        """The messages in containers among what is attached; their files are attached now."""
        opened: list[PackedMessage] = []
        for part in [part for part in self.attached if _is_container(part)][:_MAX_CONTAINERS]:
            try:
                message = open_tnef(part.content)
            except NotTnef:
                self.defects.add("winmail-unreadable")
                continue
            self.attached.extend(map(_unpacked_part, message.files))
            opened.append(message)
        return opened

    def read_packed(self, message: PackedMessage) -> Sequence[_Section]:
        """The text of a container, which has one form or both."""
        forms = [("text/plain", message.text), ("text/html", message.html)]
        return _merge_alternatives(
            [
                self._read_leaf(_utf8_part(content_type, text), is_choice=True)
                for content_type, text in forms
                if text.strip()
            ]
        )

    def _decode(self, part: Part, chars_left: int) -> str:
        """The text of a part, cut where it is too long for a page."""
        octets = part.content[: _OCTETS_PER_CHAR * chars_left]
        text = decode_text(octets, part.charset)
        if len(octets) < len(part.content) or len(text) > chars_left:
            self.attached.append(part)
            self.defects.add("body-too-long")
        return text[:chars_left]


def _merge_alternatives(found: Sequence[Sequence[_Section]]) -> Sequence[_Section]:
    """Forms of the same content (RFC 2046, section 5.1.4) become one section with both forms."""
    rich: list[_Section] = []
    plain: list[_Section] = []
    for sections in found:
        has_html = any(section.html is not None for section in sections)
        (rich if has_html else plain).extend(sections)
    text = _join_text(plain)
    if not rich or not text.strip():
        return rich or plain
    return (_Section(text, _join_html(rich)),)


def _join_text(sections: Iterable[_Section]) -> str:
    return "\n".join(
        section.text if section.text is not None else html_to_text(section.html or "")
        for section in sections
    )


def _join_html(sections: Iterable[_Section]) -> str:
    return "\n".join(
        section.html
        if section.html is not None
        else f'<div style="white-space:pre-wrap">{escape(section.text or "", quote=False)}</div>'
        for section in sections
    )


def _attach(parts: Iterable[Part], html: str) -> Iterable[Attachment]:
    shown = {unquote(identifier) for identifier in _CONTENT_ID.findall(html)}
    taken: set[str] = set()
    for part in parts:
        content_id = one_line(part.content_id)
        name = part.file_name or _embedded_subject(part)
        storage_name = safe_file_name(name, part.content_type, taken)
        taken.add(storage_name)
        yield Attachment(
            file_name=display_file_name(name, part.content_type),
            storage_name=storage_name,
            content_type=part.content_type,
            content=part.content,
            content_id=content_id,
            disposition=_disposition(part),
            is_inline=bool(content_id) and content_id in shown,
        )


def _is_container(part: Part) -> bool:
    return part.content_type in ("application/ms-tnef", "application/vnd.ms-tnef") or (
        part.content_type == "application/octet-stream" and part.file_name.lower() == "winmail.dat"
    )


def _unpacked_part(file: PackedFile) -> Part:
    disposition = Value("attachment", {"filename": file.name})
    return Part(Value(file.content_type), disposition, file.content_id, file.content)


def _utf8_part(content_type: str, text: str) -> Part:
    return Part(Value(content_type, {"charset": "utf-8"}), Value(""), "", text.encode())


def _disposition(part: Part) -> str:
    """A type that nobody knows counts as `attachment` (RFC 2183, section 2.8)."""
    token = part.disposition.token
    return token if token in ("", "inline") else "attachment"


def _embedded_subject(part: Part) -> str:
    """A name for a message inside the message: its subject."""
    if part.content_type != "message/rfc822":
        return ""
    header = read_header(part.content, 0, len(part.content))
    subject = re.sub(r"[/\\]", "-", header_text(header.first("subject")))
    return f"{subject}.eml" if subject else ""
