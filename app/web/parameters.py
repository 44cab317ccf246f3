"""Query parameters that every list has."""

from typing import Annotated

from litestar.params import Parameter

from app.inbox.listing import MAX_PAGE

Cursor = Annotated[
    str | None, Parameter(query="cursor", max_length=100, description="From `next_cursor`.")
]
Limit = Annotated[int, Parameter(query="limit", ge=1, le=MAX_PAGE)]
After = Annotated[
    int,
    Parameter(query="after", ge=0, le=2**62, description="A position in the event log."),
]
