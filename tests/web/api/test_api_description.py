"""The description of the API is whole, and so is the page that is drawn from it."""

import re
from typing import Any

import httpx
import msgspec
import pytest

from app.assembly import assemble
from app.main import web_application
from app.settings import Settings
from app.web.api.openapi import describe
from app.web.problems import KINDS

METHODS = ("get", "post", "put", "patch", "delete")


@pytest.fixture
def schema(settings: Settings) -> dict[str, Any]:
    """As it is sent."""
    described = describe(web_application(assemble(settings)))
    sent: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(described))
    return sent


def operations(schema: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    return [
        (method, path, item[method])
        for path, item in schema["paths"].items()
        for method in METHODS
        if method in item
    ]


def test_every_operation_says_what_it_does_and_shows_an_example(schema: dict[str, Any]) -> None:
    found = operations(schema)
    assert len(found) > 10
    for method, path, operation in found:
        where = f"{method} {path}"
        assert re.fullmatch(r"[a-z]+(_[a-z]+)+", operation["operationId"]), where
        assert operation["summary"], where
        assert len(operation.get("description", "")) > 20, where
        assert operation["tags"], where
        for parameter in operation.get("parameters", ()):
            assert parameter["in"] == "path" or parameter.get("description"), (where, parameter)
        success = operation["responses"][min(operation["responses"])]
        for media_type, media in success.get("content", {}).items():
            assert media_type != "application/json" or "example" in media, where
        for media in operation.get("requestBody", {}).get("content", {}).values():
            assert "example" in media, where


def test_operation_ids_are_unique(schema: dict[str, Any]) -> None:
    names = [operation["operationId"] for _, _, operation in operations(schema)]
    assert len(names) == len(set(names))


def test_every_operation_tells_its_problems(schema: dict[str, Any]) -> None:
    for method, path, operation in operations(schema):
        where = f"{method} {path}"
        responses = operation["responses"]
        for status, response in responses.items():
            if status >= "4" and operation.get("security"):
                assert "application/problem+json" in response["content"], (where, status)
        if operation.get("security"):
            assert {"401", "403", "429", "503"} <= set(responses), where
            assert "x-scope" in operation, where
        if "{" in path:
            assert "404" in responses, where
        if method != "get" and _takes_idempotency_key(operation):
            assert {"400", "409", "422"} <= set(responses), where


def _takes_idempotency_key(operation: dict[str, Any]) -> bool:
    """All writes do, but those that wait for others."""
    names = {parameter["name"] for parameter in operation.get("parameters", ())}
    return "Idempotency-Key" in names


def test_examples_of_problems_are_known_kinds(schema: dict[str, Any]) -> None:
    types = {kind.type for kind in KINDS}
    for _, _, operation in operations(schema):
        for response in operation["responses"].values():
            media = response.get("content", {}).get("application/problem+json", {})
            for example in media.get("examples", {}).values():
                assert example["value"]["type"] in types


async def test_page_shows_every_operation_and_every_problem(
    web: httpx.AsyncClient, schema: dict[str, Any]
) -> None:
    page = await web.get("/api/v1/docs")
    assert page.status_code == 200
    assert "script-src 'self'" in page.headers["content-security-policy"]
    for _, path, operation in operations(schema):
        assert f'id="{operation["operationId"]}"' in page.text
        assert path in page.text
    for kind in KINDS:
        assert f'id="problem-{kind.name}"' in page.text
    assert (await web.get("/api/v1/openapi.json")).json() == schema
