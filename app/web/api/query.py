"""Queries that ask for what there is not: a mistyped `limt=` must not pass for the default."""

from collections.abc import Mapping
from typing import Any

from litestar.connection import ASGIConnection
from litestar.di import Provide
from litestar.exceptions import ValidationException
from litestar.handlers import BaseRouteHandler
from litestar.params import QueryParameter
from litestar.utils.signature import ParsedSignature


def refuse_unknown_query(
    connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler
) -> None:
    """A guard. Raises `ValidationException`, which names each parameter that the route does not
    take and those that it does."""
    given = frozenset(connection.query_params)
    if not given:
        return
    taken = _query_names(handler.parsed_fn_signature, handler.resolve_dependencies())
    if unknown := sorted(given - taken):
        there_is = f"There are: {', '.join(sorted(taken))}." if taken else "There are none here."
        message = f"No such parameter. {there_is}"
        raise ValidationException(
            extra=[{"message": message, "key": name, "source": "query"} for name in unknown]
        )


def _query_names(signature: ParsedSignature, dependencies: Mapping[str, Provide]) -> set[str]:
    """What a function takes from the query, itself or through what it depends on."""
    names: set[str] = set()
    for name, field in signature.parameters.items():
        if isinstance(field.kwarg_definition, QueryParameter):
            names.add(str(field.kwarg_definition.name))
        elif provider := dependencies.get(name):
            names |= _query_names(provider.parsed_fn_signature, dependencies)
    return names
