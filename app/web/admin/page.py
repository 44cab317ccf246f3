"""What every page of an administrator is rendered with."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from litestar import Request
from litestar.params import QueryParameter
from litestar.response import Redirect, Template

from app.access.sessions import Session
from app.core.errors import AlreadyExists, InvalidInput, NotFound
from app.web.cookies import SessionCookies
from app.web.pages.actions import Notice

Words = Annotated[str, QueryParameter(name="q", max_length=200)]
Done = Annotated[str, QueryParameter(name="done", max_length=20)]

REFUSED = (InvalidInput, AlreadyExists, NotFound)
"""What a person may have got wrong in a form: it is shown again, with what was wrong."""


@dataclass(frozen=True, slots=True)
class AdminPages:
    """Renders pages for somebody who is signed in."""

    cookies: SessionCookies

    def show(
        self, session: Session, name: str, /, *, status_code: int = 200, **context: Any
    ) -> Template:
        """The page `admin/{name}.html`."""
        return Template(
            f"admin/{name}.html",
            context={
                "signed_in_as": session.email,
                "csrf_token": self.cookies.csrf_token(session),
                **context,
            },
            status_code=status_code,
        )


def wants_rows_only(request: Request[Any, Any, Any], cursor: str | None) -> bool:
    """Whether htmx asks for the rest of a list that stands there already."""
    return cursor is not None and request.headers.get("hx-request") == "true"


def redirect_done(path: str, done: str) -> Redirect:
    """To a page that says what was done, by a word that `describe_done` knows."""
    return Redirect(f"{path}?done={done}", status_code=303)


def describe_done(done: str, words: Mapping[str, str]) -> Notice | None:
    return Notice(words[done], None) if done in words else None
