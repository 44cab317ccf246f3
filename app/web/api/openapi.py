"""The description of the API (OpenAPI 3.1): what handlers say of themselves, completed by what
holds for all of them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from litestar import Litestar, Request, Router
from litestar.enums import MediaType
from litestar.handlers import HTTPRouteHandler
from litestar.openapi.config import OpenAPIConfig
from litestar.openapi.plugins import OpenAPIRenderPlugin
from litestar.openapi.spec import Components, SecurityScheme, Tag
from litestar.routes import HTTPRoute

from app.web.api.writing import is_transaction
from app.web.guards import Door, Rule, allow_public, rule_of
from app.web.problems import (
    INVALID_INPUT,
    KEY_REUSED,
    KEY_TAKEN,
    MEDIA_TYPE,
    NOT_ALLOWED,
    NOT_FOUND,
    STILL_RUNNING,
    TOO_LARGE,
    TOO_MANY_REQUESTS,
    UNAUTHENTICATED,
    UNAVAILABLE,
    Kind,
    Problem,
)

_SECURITY = "api_key"
_SHOWN = "shown"
_WRITES = frozenset({"POST", "PUT", "PATCH", "DELETE"})
_INTRODUCTION = """\
Everything that Pillarbox keeps can be read and changed here. Send an API key with each request, as
`Authorization: Bearer KEY`; a cookie never counts.

**Lists** answer `{"items": […], "next_cursor": …}`, newest first, or by name, and take `cursor` and
`limit`. Ask again with `cursor` set to `next_cursor` until it is null. A cursor stays good while
things come and go.

**Errors** are problem details (RFC 9457): `type` says which kind, `detail` what happened, and
`errors` names each part of the request that is wrong. A query parameter that does not exist is
wrong too, so a mistyped `limt` is never passed over.

**Reads** carry an `ETag`. Send it back as `If-None-Match`, and an answer that has not changed is
304 without a body.

**Writes** take an `Idempotency-Key` of your choice, such as a UUID. A request that is sent again
with the same key within 24 hours is not carried out again: it gets the first answer, with
`Idempotent-Replayed: true`. A key counts for your tenant, the method and the address. Another body
is refused with 422, and while the first request runs, the second gets 409. An answer of 400 or
above is not kept, as nothing was changed: send the request again. Answers are stored encrypted for
the API key that asked; with any other key of the tenant the repeat gets 409. So a repeated
`POST /admin/keys` by the same API key shows the same new key once more, which nobody can read from
what we store.

**Limits**: each answer says in `RateLimit-Policy` and `RateLimit` how many requests your key may
send and how many are left. Past that, the answer is 429 and `Retry-After` says when to go on.

A key sees its own tenant, and of it only the domains and mailboxes that it was made for. What it
may not see answers 404, exactly as what does not exist.
"""
_TAGS = (
    ("messages", "Mail that has arrived, and what you do with it."),
    ("search", "The same search as in the inbox."),
    ("labels", "Words to put on messages, shared by everybody of the tenant."),
    ("mailboxes", "The addresses that receive mail."),
    ("domains", "The domains that mailboxes are in."),
    ("events", "Everything that happened, in order, to follow from where you stopped."),
    ("webhooks", "Addresses of yours that are told of events, and what they were sent."),
    ("admin", "Keys, people and the audit trail of your tenant. Needs the scope `admin`."),
    ("probes", "Whether this installation works. These need no key."),
)


class Description(OpenAPIRenderPlugin):
    """Serves the description of the API, and keeps it once it was made."""

    def __init__(self) -> None:
        super().__init__(path="/", media_type=MediaType.JSON)
        self._schema: Mapping[str, Any] | None = None

    def of(self, app: Litestar) -> Mapping[str, Any]:
        if self._schema is None:
            self._schema = describe(app)
        return self._schema

    def render(self, request: Request[Any, Any, Any], openapi_schema: dict[str, Any]) -> bytes:
        """The whole of it in place of `openapi_schema`, which is what handlers say."""
        del openapi_schema
        return self.render_json(request, dict(self.of(request.app)))


def configure_openapi(path: str, description: Description) -> OpenAPIConfig:
    """What the framework is to know; `describe` adds the rest."""
    return OpenAPIConfig(
        title="Pillarbox",
        version="1",
        description=_INTRODUCTION,
        use_handler_docstrings=True,
        # A router of the framework answers all addresses below its own.
        openapi_router=Router(
            path, route_handlers=[], include_in_schema=False, opt=dict(allow_public())
        ),
        render_plugins=[description],
        tags=[Tag(name, description=text) for name, text in _TAGS],
        components=Components(
            security_schemes={
                _SECURITY: SecurityScheme(
                    type="http",
                    scheme="bearer",
                    description="An API key: 64 hexadecimal characters.",
                )
            }
        ),
    )


@dataclass(frozen=True, slots=True)
class Shown:
    """What a route is described with: examples, and problems beyond those that its shape tells."""

    answer: Any = None
    body: Any = None
    problems: Sequence[Kind] = ()

    def __deepcopy__(self, _: Any) -> "Shown":
        """The framework copies a handler for each router around it, and this never changes."""
        return self


def shown(
    *,
    answer: Any = None,
    body: Any = None,
    problems: Sequence[Kind] = (),
) -> Mapping[str, Any]:
    """`opt` of a route: an example of its answer and of its body, and which problems it answers
    with beyond those that its shape tells."""
    return {_SHOWN: Shown(answer, body, problems)}


def describe(app: Litestar) -> dict[str, Any]:
    """The whole description, as plain values."""
    schema = app.openapi_schema.to_schema()
    _, components = msgspec.json.schema_components(
        [Problem], ref_template="#/components/schemas/{name}"
    )
    schema["components"].setdefault("schemas", {}).update(components)
    for path, handler in _handlers(app):
        _close_body(schema["components"]["schemas"], handler)
        for method in handler.http_methods:
            _complete(schema["paths"][path][method.lower()], handler, method)
    return schema


def _handlers(app: Litestar) -> Iterator[tuple[str, HTTPRouteHandler]]:
    for route in app.routes:
        if isinstance(route, HTTPRoute):
            for handler in route.route_handlers:
                if handler.resolve_include_in_schema():
                    yield route.path_format, handler


def _close_body(schemas: dict[str, Any], handler: HTTPRouteHandler) -> None:
    """Says that a body takes no other fields, where that is so."""
    data = handler.parsed_fn_signature.parameters.get("data")
    if data is not None and data.annotation.__struct_config__.forbid_unknown_fields:
        schemas[data.annotation.__name__]["additionalProperties"] = False


def _complete(operation: dict[str, Any], handler: HTTPRouteHandler, method: str) -> None:
    told: Shown = handler.opt.get(_SHOWN, Shown())
    rule = rule_of(handler)
    needs_key = rule is not None and rule.door is not Door.PUBLIC
    is_write = method in _WRITES and is_transaction(handler)
    success = operation["responses"][str(handler.status_code)]
    for media in success.get("content", {}).values():
        if told.answer is not None:
            media["example"] = msgspec.to_builtins(told.answer)
    for media in operation.get("requestBody", {}).get("content", {}).values():
        if told.body is not None:
            media["example"] = msgspec.to_builtins(told.body)
    operation["responses"].pop("400", None)
    for kind in _problems(operation, needs_key=needs_key, is_write=is_write, more=told.problems):
        _add_problem(operation["responses"], kind)
    if needs_key:
        operation["security"] = [{_SECURITY: []}]
        _say_permission(operation, rule)
        success.setdefault("headers", {}).update(_LIMIT_HEADERS)
    if is_write and needs_key:
        operation.setdefault("parameters", []).append(_IDEMPOTENCY_KEY)
    if method == "GET" and needs_key and "application/json" in success.get("content", {}):
        operation.setdefault("parameters", []).append(_IF_NONE_MATCH)
        success["headers"]["ETag"] = _ETAG
        operation["responses"]["304"] = {"description": "What `If-None-Match` names still holds."}


def _problems(
    operation: Mapping[str, Any], *, needs_key: bool, is_write: bool, more: Sequence[Kind]
) -> Sequence[Kind]:
    """By what an operation takes."""
    parameters = operation.get("parameters", ())
    kinds: list[Kind] = []
    if parameters or "requestBody" in operation or is_write:
        kinds.append(INVALID_INPUT)
    if needs_key:
        kinds += [UNAUTHENTICATED, NOT_ALLOWED]
    if any(parameter["in"] == "path" for parameter in parameters):
        kinds.append(NOT_FOUND)
    if is_write:
        kinds += [STILL_RUNNING, KEY_TAKEN, KEY_REUSED]
    if "requestBody" in operation:
        kinds.append(TOO_LARGE)
    if needs_key:
        kinds += [TOO_MANY_REQUESTS, UNAVAILABLE]
    return [*kinds, *(kind for kind in more if kind not in kinds)]


def _add_problem(responses: dict[str, Any], kind: Kind) -> None:
    response = responses.setdefault(
        str(kind.status),
        {
            "description": "",
            "content": {
                MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}, "examples": {}}
            },
        },
    )
    response["description"] = " ".join(filter(None, (response["description"], kind.meaning)))
    response["content"][MEDIA_TYPE]["examples"][kind.name] = {
        "summary": kind.title,
        "value": {
            "type": kind.type,
            "title": kind.title,
            "status": kind.status,
            "detail": kind.example,
        },
    }


def _say_permission(operation: dict[str, Any], rule: Rule | None) -> None:
    if rule is not None and rule.permission is not None:
        operation["x-scope"] = rule.permission.value
        needs = f"Needs the scope `{rule.permission.value}`."
        operation["description"] = "\n\n".join(filter(None, (operation.get("description"), needs)))


_LIMIT_HEADERS = {
    "RateLimit-Policy": {
        "description": "How many requests (`q`) this key may send in how many seconds (`w`).",
        "schema": {"type": "string"},
        "example": '"requests";q=6000;w=60',
    },
    "RateLimit": {
        "description": "How many are left (`r`), and in how many seconds all are back (`t`).",
        "schema": {"type": "string"},
        "example": '"requests";r=5999;t=42',
    },
}
_ETAG = {
    "description": "Names this very answer, for `If-None-Match`.",
    "schema": {"type": "string"},
    "example": '"rO0ABXNyAB5jb20uYWNtZS4"',
}
_IF_NONE_MATCH = {
    "name": "If-None-Match",
    "in": "header",
    "description": "The `ETag` of an earlier answer: 304 without a body if it still holds.",
    "schema": {"type": "string"},
}
_IDEMPOTENCY_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "description": "A name for this request, so that sending it again does not do it again.",
    "schema": {"type": "string", "pattern": "^[!-~]{1,255}$"},
    "example": "8e03978e-40d5-43e8-bc93-6894a57f9324",
}
