"""Queries that ask for what there is not: a mistyped `limt=` must not pass for the default."""

from typing import Any

from litestar.connection import ASGIConnection
from litestar.exceptions import ValidationException
from litestar.handlers import BaseRouteHandler
from litestar.params import QueryParameter


def refuse_unknown_query(
    connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler
) -> None:
    """A guard. Raises `ValidationException`, which names each parameter that the route does not
    take and those that it does."""
    given = frozenset(connection.query_params)
    if not given:
        return
    taken = {
        str(field.kwarg_definition.name)
        for field in handler.parsed_fn_signature.parameters.values()
        if isinstance(field.kwarg_definition, QueryParameter)
    }
    if unknown := sorted(given - taken):
        there_is = f"There are: {', '.join(sorted(taken))}." if taken else "There are none here."
        message = f"No such parameter. {there_is}"
        raise ValidationException(
            extra=[{"message": message, "key": name, "source": "query"} for name in unknown]
        )
