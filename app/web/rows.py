"""Rows of lists as they are drawn: each is kept, since lists are looked at again and again."""

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import lru_cache

from jinja2 import Environment
from markupsafe import Markup

from app.inbox.listing import MessageRow
from app.inbox.view import View

_KEPT_ROWS = 5000


def keep_rows(
    environment: Environment, say_age: Callable[[datetime], str]
) -> Callable[..., Markup]:
    """A function that draws rows as the template `messages/_row.html` does, which costs more than
    everything else on a page. A row that has changed in any value is drawn anew, and so is one
    that has come to another age."""
    template = environment.get_template("messages/_row.html")

    @lru_cache(_KEPT_ROWS)
    def draw(row: MessageRow, base_url: str, view: View | None, _age: str) -> str:
        return template.render(rows=[row], base_url=base_url, view=view)

    def draw_rows(rows: Sequence[MessageRow], base_url: str, view: View | None) -> Markup:
        drawn = (draw(row, base_url, view, say_age(row.received_at)) for row in rows)
        return Markup("".join(drawn))  # noqa: S704

    return draw_rows
