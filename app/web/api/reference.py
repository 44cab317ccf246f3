"""The description of the API as the page shows it: operations by subject, in words."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from app.web.problems import MEDIA_TYPE

_METHODS = ("get", "post", "put", "patch", "delete")
_EXAMPLE_KEY = "$KEY"


@dataclass(frozen=True, slots=True)
class Field:
    """A parameter, or a part of a body."""

    name: str
    place: str
    type: str
    is_required: bool
    text: str


@dataclass(frozen=True, slots=True)
class Refusal:
    """An error answer: its status and what kinds of problem it may be, as (name, title)."""

    status: int
    kinds: Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Operation:
    """One thing that can be asked for."""

    id: str
    method: str
    path: str
    summary: str
    text: str
    scope: str
    parameters: Sequence[Field]
    body: Sequence[Field]
    curl: str
    status: int
    answer: str
    answer_text: str
    refusals: Sequence[Refusal]


@dataclass(frozen=True, slots=True)
class Subject:
    """Operations that belong together."""

    name: str
    text: str
    operations: Sequence[Operation]


@dataclass(frozen=True, slots=True)
class Reference:
    """The whole page. `introduction` is a list of paragraphs."""

    title: str
    base_url: str
    introduction: Sequence[str]
    subjects: Sequence[Subject]


def read_reference(schema: Mapping[str, Any], public_url: str) -> Reference:
    """Of a description as `describe` gives it."""
    found = list(_operations(schema, public_url))
    return Reference(
        title=schema["info"]["title"],
        base_url=f"{public_url}/api/v1",
        introduction=[
            " ".join(paragraph.split()) for paragraph in schema["info"]["description"].split("\n\n")
        ],
        subjects=[
            Subject(tag["name"], tag["description"], of_tag)
            for tag in schema["tags"]
            if (of_tag := [each for name, each in found if name == tag["name"]])
        ],
    )


def _operations(schema: Mapping[str, Any], public_url: str) -> Iterator[tuple[str, Operation]]:
    for path, item in schema["paths"].items():
        for method in _METHODS:
            if method in item:
                yield (
                    item[method]["tags"][0],
                    _operation(schema, public_url, path, method, item[method]),
                )


def _operation(
    schema: Mapping[str, Any], public_url: str, path: str, method: str, told: Mapping[str, Any]
) -> Operation:
    status = min(int(code) for code in told["responses"] if code < "4")
    success = told["responses"][str(status)]
    media: Mapping[str, Any] = next(iter(success.get("content", {}).values()), {})
    body: Mapping[str, Any] = next(
        iter(told.get("requestBody", {}).get("content", {}).values()), {}
    )
    return Operation(
        id=told["operationId"],
        method=method.upper(),
        path=path,
        summary=told["summary"],
        text=told.get("description", ""),
        scope=told.get("x-scope", ""),
        parameters=[_parameter(schema, each) for each in told.get("parameters", ())],
        body=list(_properties(schema, body.get("schema", {}))),
        curl=_curl(public_url, path, method, told, body.get("example")),
        status=status,
        answer=_pretty(media["example"]) if "example" in media else "",
        answer_text=success.get("description", ""),
        refusals=[
            _refusal(int(code), response)
            for code, response in sorted(told["responses"].items())
            if MEDIA_TYPE in response.get("content", {})
        ],
    )


def _refusal(status: int, response: Mapping[str, Any]) -> Refusal:
    examples = response["content"][MEDIA_TYPE]["examples"]
    return Refusal(status, [(name, example["summary"]) for name, example in examples.items()])


def _parameter(schema: Mapping[str, Any], told: Mapping[str, Any]) -> Field:
    return Field(
        name=told["name"],
        place=told["in"],
        type=_type(schema, told["schema"]),
        is_required=told.get("required", False),
        text=told.get("description", ""),
    )


def _properties(schema: Mapping[str, Any], of: Mapping[str, Any]) -> Iterator[Field]:
    of = _resolve(schema, of)
    for name, told in of.get("properties", {}).items():
        yield Field(
            name=name,
            place="body",
            type=_type(schema, told),
            is_required=name in of.get("required", ()),
            text=told.get("description", ""),
        )


def _type(schema: Mapping[str, Any], of: Mapping[str, Any]) -> str:
    """In a few words: `integer, 1 to 200`, `list of uuid`, `inbox or archive`."""
    of = _resolve(schema, of)
    if choices := of.get("oneOf") or of.get("anyOf"):
        named = [_type(schema, each) for each in choices if each.get("type") != "null"]
        return " or ".join(dict.fromkeys(named))
    if "enum" in of:
        return " or ".join(str(each) for each in of["enum"] if each is not None)
    kind = of.get("type", "any")
    if isinstance(kind, list):
        kind = next(each for each in kind if each != "null")
    if kind == "array":
        return f"list of {_type(schema, of.get('items', {}))}"
    kind = of.get("format", kind)
    low, high = of.get("minimum"), of.get("maximum")
    if low is not None and high is not None and high < 2**31:
        return f"{kind}, {low:g} to {high:g}"
    return str(kind)


def _resolve(schema: Mapping[str, Any], of: Mapping[str, Any]) -> Mapping[str, Any]:
    while "$ref" in of:
        of = schema["components"]["schemas"][of["$ref"].rpartition("/")[2]]
    return of


def _curl(
    public_url: str, path: str, method: str, told: Mapping[str, Any], body: object | None
) -> str:
    """As one would type it, with the key in a variable of the shell."""
    lines = [f"curl {public_url}{_with_examples(path, told)}"]
    if method != "get":
        lines[0] = lines[0].replace("curl ", f"curl -X {method.upper()} ", 1)
    if told.get("security"):
        lines.append(f'-H "Authorization: Bearer {_EXAMPLE_KEY}"')
    if any(each["name"] == "Idempotency-Key" for each in told.get("parameters", ())):
        lines.append('-H "Idempotency-Key: $(uuidgen)"')
    if body is not None:
        lines.append('-H "Content-Type: application/json"')
        lines.append(f"-d '{json.dumps(body, ensure_ascii=False)}'")
    return " \\\n  ".join(lines)


def _with_examples(path: str, told: Mapping[str, Any]) -> str:
    """The path with `ID` in place of what is to be put in, and the query that must be there."""
    for each in told.get("parameters", ()):
        if each["in"] == "path":
            path = path.replace(f"{{{each['name']}}}", f"${each['name'].upper()}")
    return path


def _pretty(value: object) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)
