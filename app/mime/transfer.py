"""Content-Transfer-Encoding, undone leniently (RFC 2045, section 6)."""

import binascii
import re

_ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_NOT_BASE64 = bytes(set(range(256)) - set(_ALPHABET))
_BLOCK = re.compile(rb"[A-Za-z0-9+/\s]*+")
_MAX_BLOCKS = 10_000


def decode_transfer(data: bytes, encoding: str) -> tuple[bytes, bool]:
    """The decoded octets, and whether `data` was well formed. An unknown encoding leaves it so."""
    if encoding == "base64":
        return decode_base64(data)
    if encoding == "quoted-printable":
        return binascii.a2b_qp(data), True
    return data, encoding in ("", "7bit", "8bit", "binary")


def decode_base64(data: bytes) -> tuple[bytes, bool]:
    """As `decode_transfer`. What is not of the alphabet is skipped and a cut-off quantum dropped.

    Padding ends the data only where something else follows than base64: senders join blocks that
    they encoded one by one, and mailing lists put a footer behind.
    """
    padding = data.find(b"=")
    if padding < 0 or not data[padding:].strip(b"= \t\r\n"):
        try:
            return binascii.a2b_base64(data), True
        except binascii.Error:
            pass
    first, *others = data.split(b"=", _MAX_BLOCKS)
    decoded = [_decode_block(first)]
    for block in others:
        if not _BLOCK.fullmatch(block):
            break
        decoded.append(_decode_block(block))
    return b"".join(decoded), False


def _decode_block(data: bytes) -> bytes:
    symbols = data.translate(None, _NOT_BASE64)
    if len(symbols) % 4 == 1:
        symbols = symbols[:-1]
    return binascii.a2b_base64(symbols + b"=" * (-len(symbols) % 4))
