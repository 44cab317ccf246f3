"""TLS for connections that ask for it with STARTTLS (RFC 3207)."""

import ssl
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from app.core.clock import Clock
from app.core.errors import BadSetting
from app.core.log import get_logger

_log = get_logger("smtp")

_LOOK_EVERY = timedelta(seconds=2)


class Certificate:
    """A certificate chain and its key in two PEM files, which may be replaced while we run.

    A new pair serves the handshakes from two seconds later on. While the files on disk are no
    pair, as between the writing of the one and of the other, the last good pair serves.
    """

    def __init__(self, chain: Path, key: Path, clock: Clock) -> None:
        """Raises `BadSetting` when the files are no certificate and its key."""
        self._chain = chain
        self._key = key
        self._clock = clock
        self._looked_at = clock.now()
        self._seen = self._look()
        try:
            self._context = _load(chain, key)
        except (OSError, ValueError) as error:
            raise BadSetting(f"SMTP_TLS_CERT, SMTP_TLS_KEY: {_reason(error)}.") from error

    def context(self) -> ssl.SSLContext:
        """For one handshake, of a server that asks its clients for no certificate."""
        now = self._clock.now()
        if abs(now - self._looked_at) >= _LOOK_EVERY:
            self._looked_at = now
            self._reload()
        return self._context

    def _reload(self) -> None:
        # Looked at before they are read: a file that changes meanwhile is seen next time.
        seen = self._look()
        if seen == self._seen:
            return
        self._seen = seen
        try:
            self._context = _load(self._chain, self._key)
        except (OSError, ValueError) as error:
            _log.warning("smtp.certificate_kept", reason=_reason(error))
        else:
            _log.info("smtp.certificate_loaded", path=str(self._chain))

    def _look(self) -> list[tuple[int, int, int]]:
        """What differs as soon as a file was written or replaced; nothing while one is missing."""
        try:
            found = [path.stat() for path in (self._chain, self._key)]
        except OSError:
            return []
        return [(each.st_mtime_ns, each.st_ino, each.st_size) for each in found]


@dataclass(frozen=True, slots=True)
class TlsFacts:
    """What a handshake agreed on, as the TLS library names it: `TLSv1.3`, its cipher, its bits."""

    version: str
    cipher: str
    bits: int

    @classmethod
    def of(cls, agreed: ssl.SSLObject) -> "TlsFacts":
        cipher, _, bits = agreed.cipher() or ("unknown", "", 0)
        return cls(agreed.version() or "unknown", cipher, bits)

    def __str__(self) -> str:
        """As trace fields commonly say it."""
        return f"version={self.version} cipher={self.cipher} bits={self.bits}"


def _load(chain: Path, key: Path) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION
    # With no passphrase at hand an encrypted key must fail, not ask at the terminal.
    context.load_cert_chain(chain, key, password=lambda: "")
    return context


def _reason(error: OSError | ValueError) -> str:
    """In one line, and without what the files hold."""
    if isinstance(error, ssl.SSLError):
        return f"no certificate and its key ({error.reason or 'unreadable'})"
    if isinstance(error, OSError):
        return f"{error.filename or 'a file'}: {error.strerror}"
    return str(error)
