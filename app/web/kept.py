"""Parts of pages that are kept as they were drawn: what most looks at a list see again.

Drawing costs more than all the rest of a page. What is kept depends on nothing but the values it
is kept under, so a part is drawn anew as soon as any of them is another.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any

from jinja2 import Environment
from markupsafe import Markup

from app.core.clock import Clock
from app.inbox.listing import MessageRow
from app.inbox.view import View

_KEPT_ROWS = 5000
_KEPT_PAGES = 100
_KEPT_PARTS = 500
# How long a page of rows may say the same age of them, which the page itself then corrects.
_PAGE_SECONDS = 15


def keep_rows(
    environment: Environment, clock: Clock, say_age: Callable[[datetime], str]
) -> Callable[..., Markup]:
    """A function that draws rows as the template `messages/_row.html` does. A row that has changed
    in any value is drawn anew, and so is one that has come to another age."""
    template = environment.get_template("messages/_row.html")

    @lru_cache(_KEPT_ROWS)
    def draw(row: MessageRow, base_url: str, view: View | None, may_write: bool, _age: str) -> str:
        return template.render(rows=[row], base_url=base_url, view=view, may_write=may_write)

    @lru_cache(_KEPT_PAGES)
    def draw_page(
        rows: tuple[MessageRow, ...],
        base_url: str,
        view: View | None,
        may_write: bool,
        _moment: int,
    ) -> Markup:
        drawn = (draw(row, base_url, view, may_write, say_age(row.received_at)) for row in rows)
        return Markup("".join(drawn))  # noqa: S704

    def draw_rows(
        rows: Sequence[MessageRow], base_url: str, view: View | None, may_write: bool
    ) -> Markup:
        moment = int(clock.now().timestamp()) // _PAGE_SECONDS
        return draw_page(tuple(rows), base_url, view, may_write, moment)

    return draw_rows


def keep_part(environment: Environment, template_name: str, *names: str) -> Callable[..., Markup]:
    """A function of the values that a template knows by these names, which draws it."""
    template = environment.get_template(template_name)

    @lru_cache(_KEPT_PARTS)
    def draw(*values: Any) -> Markup:
        return Markup(template.render(zip(names, values, strict=True)))  # noqa: S704

    def draw_part(*values: Any) -> Markup:
        return draw(*(tuple(value) if isinstance(value, list) else value for value in values))

    return draw_part
