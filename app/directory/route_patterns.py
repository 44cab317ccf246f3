"""What a route answers to: a local part, or a pattern of them with one `*` for any characters.

The router and the sidecar both go by these functions, so that what is accepted has a place to go.
"""

from collections.abc import Iterable, Sequence

from app.core.errors import InvalidInput
from app.mime.addresses import is_valid_address, normalise_address, normalise_domain, split_address

ANY = "*"
_MAX_CHARS = 64


def parse_route_address(text: str) -> tuple[str, str]:
    """The pattern and the domain of `sales@acme.example`, `sales-*@acme.example` or
    `*@acme.example`, in the forms under which they are looked up. Raises `InvalidInput`."""
    text = text.strip()
    local_part, domain_name = split_address(text)
    domain_name = normalise_domain(domain_name)
    # Each character that `*` may stand for is valid where it stands if one is.
    if not domain_name or not is_valid_address(f"{local_part.replace(ANY, 'x')}@{domain_name}"):
        raise InvalidInput("That is not an address. It looks like sales@example.com.")
    pattern, _ = split_address(normalise_address(f"{local_part}@{domain_name}"))
    if pattern.count(ANY) > 1:
        raise InvalidInput("A pattern has one * at most.")
    if len(pattern) > _MAX_CHARS:
        raise InvalidInput(f"What stands before the @ has {_MAX_CHARS} characters at most.")
    return pattern, domain_name


def is_wildcard(pattern: str) -> bool:
    return ANY in pattern


def matches(pattern: str, local_part: str) -> bool:
    """Whether a pattern with a `*` stands for this local part, in linear time."""
    prefix, _, suffix = pattern.partition(ANY)
    return (
        len(local_part) >= len(prefix) + len(suffix)
        and local_part.startswith(prefix)
        and local_part.endswith(suffix)
    )


def choose_pattern(patterns: Iterable[str], local_parts: Sequence[str]) -> str | None:
    """The one that says most of the first local part that any of them stands for: the longest,
    then the one that begins with more of it."""
    patterns = list(patterns)
    for local_part in local_parts:
        if found := [pattern for pattern in patterns if matches(pattern, local_part)]:
            return max(found, key=lambda pattern: (len(pattern), pattern.index(ANY), pattern))
    return None
