"""What can go wrong, as exceptions."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import httpx


class PillarboxError(Exception):
    """Everything that this client raises."""


class ConnectionFailed(PillarboxError):
    """No answer came. A write that was sent may have been carried out all the same; the client
    repeats it under the same `Idempotency-Key` before it gives up."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong with a request: in its body, at `pointer` (RFC 6901), or in the
    parameter of that name."""

    detail: str
    pointer: str = ""
    parameter: str = ""


class Problem(PillarboxError):
    """The API's answer to a request that it did not carry out (RFC 9457).

    `kind` is what programs go by, such as `not-found`; it is empty where something between you
    and Pillarbox answered. `next_position` is where to go on in the event log, when what was asked
    for is not kept any more (`position-gone`).
    """

    def __init__(
        self,
        *,
        status: int,
        kind: str,
        title: str,
        detail: str,
        errors: Sequence[Fault],
        next_position: int | None = None,
    ) -> None:
        super().__init__(f"{status} {title}: {detail}")
        self.status = status
        self.kind = kind
        self.title = title
        self.detail = detail
        self.errors = tuple(errors)
        self.next_position = next_position


def read_problem(response: httpx.Response) -> Problem:
    """The problem in an answer of 400 or above."""
    try:
        told: dict[str, Any] = response.json()
        return Problem(
            status=response.status_code,
            kind=str(told["type"]).rpartition("#problem-")[2],
            title=str(told["title"]),
            detail=str(told["detail"]),
            errors=[
                Fault(each["detail"], each.get("pointer", ""), each.get("parameter", ""))
                for each in told.get("errors", ())
            ],
            next_position=told.get("next_cursor"),
        )
    except (ValueError, KeyError, TypeError):
        return Problem(
            status=response.status_code,
            kind="",
            title=response.reason_phrase,
            detail=response.text[:200],
            errors=(),
        )
