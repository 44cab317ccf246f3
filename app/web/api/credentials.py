"""Who calls the API: the `Authorization` header and nothing else, never a cookie."""

from typing import Any

from litestar import Request

from app.access.keys import ApiKeys, Grant
from app.core.errors import Unauthenticated
from app.web.given import Given


async def require_key(request: Request[Any, Any, Any], keys: Given[ApiKeys]) -> Grant:
    """What the bearer's key grants (RFC 6750, section 2.1). Raises `Unauthenticated`."""
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not key.strip():
        raise Unauthenticated("Send an API key: `Authorization: Bearer KEY`.")
    return await keys.authenticate(key.strip())
