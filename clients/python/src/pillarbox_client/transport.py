"""Sending requests: the key, repeats, problems and pages."""

import random
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from uuid import uuid4

import httpx

from pillarbox_client.problems import ConnectionFailed, Problem, read_problem

_BUSY = frozenset({429, 503})
_WRITES = frozenset({"POST", "PATCH", "PUT", "DELETE"})
_FIRST_PAUSE_SECONDS = 0.5
_LONGEST_PAUSE_SECONDS = 60.0
_REDIRECTS = frozenset({301, 302, 303, 307, 308})


class Transport:
    """Requests to one installation.

    A request that finds it busy (429, 503) or away is sent again, at most `attempts` times in all,
    after what `Retry-After` says or a growing pause. Each write has an `Idempotency-Key` that its
    repeats share, so that it is carried out once.
    """

    def __init__(
        self,
        url: str,
        key: str,
        *,
        attempts: int,
        timeout_seconds: float,
        transport: httpx.BaseTransport | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._client = httpx.Client(
            base_url=f"{url.rstrip('/')}/api/v1",
            headers={"authorization": f"Bearer {key}", "user-agent": "pillarbox-client"},
            timeout=timeout_seconds,
            transport=transport,
        )
        self._timeout_seconds = timeout_seconds
        self._attempts = attempts
        self._sleep = sleep

    def close(self) -> None:
        self._client.close()

    def send(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, Any] | None = None,
        body: Mapping[str, Any] | None = None,
        idempotency_key: str | None = None,
        extra_seconds: float = 0,
    ) -> httpx.Response:
        """The answer, below 400, for which the server may take `extra_seconds` longer than usual.
        Raises `Problem` or `ConnectionFailed`."""
        headers = {}
        if method in _WRITES:
            headers["idempotency-key"] = idempotency_key or str(uuid4())
        request = self._client.build_request(
            method,
            path,
            params=_without_none(query or {}),
            json=body,
            headers=headers,
            timeout=self._timeout_seconds + extra_seconds,
        )
        for attempt in range(1, self._attempts + 1):
            try:
                response = self._client.send(request)
            except httpx.TransportError as error:
                if attempt == self._attempts:
                    raise ConnectionFailed(str(error)) from error
                self._sleep(_pause(attempt))
                continue
            if response.status_code < 400:
                return response
            problem = read_problem(response)
            if attempt == self._attempts or not _is_passing(problem):
                raise problem
            self._sleep(_pause(attempt, response.headers.get("retry-after")))
        raise AssertionError("the last attempt returns or raises")

    def fetch(self, path: str) -> bytes:
        """The bytes behind an address, or behind the link that it leads to. The key is not sent
        along with that, which needs none."""
        response = self.send("GET", path)
        if response.status_code in _REDIRECTS:
            target = self._client.base_url.join(response.headers["location"])
            request = self._client.build_request("GET", target)
            del request.headers["authorization"]
            response = self._client.send(request)
            if response.status_code >= 400:
                raise read_problem(response)
        return response.content

    def walk(self, path: str, query: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        """All items of a list, fetched a page at a time as they are asked for."""
        cursor: str | None = None
        while True:
            page = self.send("GET", path, query={**query, "cursor": cursor}).json()
            yield from page["items"]
            cursor = page["next_cursor"]
            if cursor is None:
                return


def _is_passing(problem: Problem) -> bool:
    return problem.status in _BUSY or problem.kind == "still-running"


def _pause(attempt: int, retry_after: str | None = None) -> float:
    """In seconds: what the server says, or twice as long each time, with some chance in it."""
    if retry_after and retry_after.isascii() and retry_after.isdigit():
        return min(float(retry_after), _LONGEST_PAUSE_SECONDS)
    longest = min(_FIRST_PAUSE_SECONDS * 2.0 ** (attempt - 1), _LONGEST_PAUSE_SECONDS)
    return longest * random.uniform(0.5, 1)  # noqa: S311 - not a secret


def _without_none(query: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in query.items() if value is not None}
