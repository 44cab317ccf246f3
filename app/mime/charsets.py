"""Bytes to text, whatever charset the sender named, and text that any store can hold."""

import codecs
import re
from encodings.aliases import aliases

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_BIDI_CONTROLS = re.compile("[\u202a-\u202e\u2066-\u2069]")
_NOT_ALPHANUMERIC = re.compile(r"[^a-z0-9]")

# Labels that senders use and Python does not know, and labels that mean a larger charset in
# practice (WHATWG Encoding Standard, section 4.2, "Names and labels").
_MEANT: dict[str, str] = {
    "iso88591": "cp1252",
    "latin1": "cp1252",
    "iso88599": "cp1254",
    "latin5": "cp1254",
    "iso885911": "cp874",
    "tis620": "cp874",
    "iso88598i": "iso8859_8",
    "iso88598e": "iso8859_8",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "xgbk": "gb18030",
    "big5": "cp950",
    "xxbig5": "cp950",
    "shiftjis": "cp932",
    "sjis": "cp932",
    "xsjis": "cp932",
    "windows31j": "cp932",
    "euckr": "cp949",
    "ksc5601": "cp949",
    "ksc56011987": "cp949",
    "windows949": "cp949",
    "iso2022jp": "iso2022_jp_2",
    "koi8": "koi8_r",
    "koi8u": "koi8_u",
    "windows874": "cp874",
    "macroman": "mac_roman",
    "macintosh": "mac_roman",
    "xmacroman": "mac_roman",
    "ansi": "cp1252",
    "utf8mb4": "utf_8",
    "unicode11utf8": "utf_8",
    "unicode": "utf_16",
    "unicode11utf7": "utf_7",
}


def decode_text(data: bytes, charset: str) -> str:
    """`data` as text that a database can hold, with line ends as LF. Never fails.

    A charset that is missing, unknown or US-ASCII is read as UTF-8, and as Windows-1252 where the
    bytes are not UTF-8; octets that a named charset does not have become U+FFFD.
    """
    codec = _CODECS.get(_squash(charset))
    if codec is None:
        text = _decode_unlabelled(data)
    else:
        try:
            text = data.decode(codec, "replace")
        except UnicodeError:  # a stateful codec may fail in spite of "replace"
            text = _decode_unlabelled(data)
    text = text.removeprefix("\ufeff")
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    return storable(text)


def storable(text: str) -> str:
    """`text` with NUL and lone surrogates, which Postgres refuses, replaced by U+FFFD."""
    try:
        text.encode()  # much quicker than to search for surrogates
    except UnicodeEncodeError:
        return _UNSTORABLE.sub("\ufffd", text)
    return text.replace("\x00", "\ufffd")


def one_line(text: str) -> str:
    """`text` for one line of a page: no controls, no direction overrides, single spaces.

    Overrides (Unicode UAX 9) let a name read otherwise than it is: `gpj.exe` as `exe.jpg`.
    """
    text = " ".join(text.split())
    if text.isprintable():  # then there is nothing of all that in it
        return text
    text = _CONTROLS.sub(" ", _BIDI_CONTROLS.sub("", text))
    return " ".join(storable(text).split())


def _decode_unlabelled(data: bytes) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("cp1252", "replace")


def _squash(charset: str) -> str:
    return _NOT_ALPHANUMERIC.sub("", charset[:60].lower())


def _text_codecs() -> dict[str, str]:
    """Squashed label -> codec, closed: a label outside of it is never given to `codecs`.

    `codecs.lookup` remembers every name it was ever asked for, and knows names that are no
    charsets: decompressors (zlib) and quadratic ones (punycode, idna).
    """
    known = {
        _squash(alias): codec
        for alias, codec in (*aliases.items(), *((codec, codec) for codec in aliases.values()))
        if codec != "mbcs" and codecs.lookup(codec)._is_text_encoding
    }
    known |= {label: known.get(_squash(codec), codec) for label, codec in _MEANT.items()}
    known |= {label: _MEANT.get(_squash(codec), codec) for label, codec in known.items()}
    return {label: codec for label, codec in known.items() if codec != "ascii"}


_CODECS = _text_codecs()
