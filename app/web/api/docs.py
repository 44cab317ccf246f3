"""The page that explains the API, drawn from its description."""

from typing import Any

from litestar import Request, Router, get
from litestar.response import Template

from app.settings import Settings
from app.web.api.openapi import Description
from app.web.api.reference import read_reference
from app.web.given import Given
from app.web.guards import allow_public
from app.web.problems import KINDS


@get("/docs", opt=allow_public(), include_in_schema=False, sync_to_thread=False)
def show_docs(
    request: Request[Any, Any, Any], description: Given[Description], settings: Given[Settings]
) -> Template:
    """Everything on one page, so that it can be searched and linked to."""
    return Template(
        "api/docs.html",
        context={
            "reference": read_reference(description.of(request.app), settings.public_url),
            "problems": KINDS,
        },
    )


docs_router = Router("/", route_handlers=[show_docs])
