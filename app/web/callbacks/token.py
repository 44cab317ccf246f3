"""The token that providers send with their callbacks."""

import hmac
from dataclasses import dataclass
from typing import Any

from litestar.connection import ASGIConnection

from app.core.errors import Unauthenticated
from app.core.secrets import Secret


@dataclass(frozen=True, slots=True)
class ProviderToken:
    """`INGESTER_INBOUND_TOKEN`. Where it is not set everybody is let in, unless it `is_needed`."""

    token: Secret | None
    is_needed: bool

    def check(self, connection: ASGIConnection[Any, Any, Any, Any]) -> None:
        """Before anything of the body is read. Raises `Unauthenticated`."""
        if self.token is None:
            if self.is_needed:
                raise Unauthenticated("INGESTER_INBOUND_TOKEN is not set on this server.")
            return
        given = connection.headers.get("authorization", "")
        if not hmac.compare_digest(given.encode(), f"Bearer {self.token.reveal()}".encode()):
            raise Unauthenticated("The inbound token is missing or wrong.")
