"""Parameters that handlers share."""

from typing import Annotated

from litestar.params import QueryParameter

from app.inbox.listing import MAX_PAGE

Cursor = Annotated[
    str | None, QueryParameter(name="cursor", max_length=600, description="From `next_cursor`.")
]
Limit = Annotated[
    int, QueryParameter(name="limit", ge=1, le=MAX_PAGE, description="How many to list at most.")
]
After = Annotated[
    int,
    QueryParameter(name="after", ge=0, le=2**62, description="A position in the event log."),
]
SearchWords = Annotated[
    str, QueryParameter(name="q", max_length=320, description="Only those with these words.")
]
