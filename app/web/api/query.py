"""Queries that ask for what there is not, a mistyped `limt=`, or twice for what can be one thing
only: neither may pass for the default, or for the last that was said."""

from collections.abc import Mapping
from typing import Any

from litestar.connection import ASGIConnection
from litestar.di import Provide
from litestar.exceptions import ValidationException
from litestar.handlers import BaseRouteHandler
from litestar.params import QueryParameter
from litestar.utils.signature import ParsedSignature


def check_query(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
    """A guard. Raises `ValidationException`, which names each parameter that the route does not
    take, with those that it does, and each that was given more often than it can be."""
    given = connection.query_params
    if not given:
        return
    taken = _find_parameters(handler.parsed_fn_signature, handler.resolve_dependencies())
    there_is = f"There are: {', '.join(sorted(taken))}." if taken else "There are none here."
    faults = dict.fromkeys(given.keys() - taken.keys(), f"No such parameter. {there_is}")
    for name in given.keys() & taken.keys():
        if not taken[name] and len(given.getall(name)) > 1:
            faults[name] = "This can be given once."
    if faults:
        raise ValidationException(
            extra=[
                {"message": faults[name], "key": name, "source": "query"} for name in sorted(faults)
            ]
        )


def _find_parameters(
    signature: ParsedSignature, dependencies: Mapping[str, Provide]
) -> dict[str, bool]:
    """What a function takes from the query, itself or through what it depends on; and whether it
    takes several of it."""
    found: dict[str, bool] = {}
    for name, field in signature.parameters.items():
        if isinstance(field.kwarg_definition, QueryParameter):
            kinds = (field, *field.inner_types)
            several = any(kind.is_non_string_sequence for kind in kinds)
            found[str(field.kwarg_definition.name)] = several
        elif provider := dependencies.get(name):
            found |= _find_parameters(provider.parsed_fn_signature, dependencies)
    return found
