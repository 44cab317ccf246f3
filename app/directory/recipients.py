"""Which mailboxes a recipient means: by its own address, by a route, or by a catch-all."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from app.core.clock import Clock
from app.directory.mailboxes import Mailbox
from app.directory.route_patterns import choose_pattern, is_wildcard
from app.mime.addresses import normalise_address, split_address, strip_subaddress
from app.storage.db.database import Database


@dataclass(frozen=True, slots=True)
class Places:
    """What a batch of recipients could mean: mailboxes by their address, and of each domain the
    mailboxes that its routes end in, by pattern."""

    mailboxes: Mapping[str, Mailbox] = field(default_factory=dict)
    routes: Mapping[str, Mapping[str, Sequence[Mailbox]]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Recipients:
    """Finding the mailboxes of recipients. `snapshot.resolve_recipient` answers for the sidecar
    in the same order."""

    database: Database
    clock: Clock

    async def find_mailboxes(self, recipients: Collection[str]) -> Mapping[str, Sequence[Mailbox]]:
        """The mailboxes that each recipient means; recipients with none are left out."""
        addresses = {recipient: normalise_address(recipient) for recipient in recipients}
        places = Places(
            await self._find_by_address(addresses.values()),
            await self._find_by_route(addresses.values()),
        )
        return {
            recipient: found
            for recipient, address in addresses.items()
            if (found := choose_mailboxes(address, places))
        }

    async def _find_by_address(self, addresses: Collection[str]) -> Mapping[str, Mailbox]:
        wanted = {form for address in addresses for form in (*_forms(address), _catch_all(address))}
        rows = await self.database.fetch(
            """select id, tenant_id, address, expires_at from mailbox
            where address = any($1::text[]) and detached_at is null
                and (expires_at is null or expires_at > $2)""",
            sorted(wanted),
            self.clock.now(),
        )
        return {row["address"]: Mailbox(**row) for row in rows}

    async def _find_by_route(
        self, addresses: Collection[str]
    ) -> Mapping[str, Mapping[str, Sequence[Mailbox]]]:
        forms = [split_address(form) for address in addresses for form in _forms(address)]
        rows = await self.database.fetch(
            """select domain.name, pattern, mailbox.id, mailbox.tenant_id, address, expires_at
            from domain
            join route on domain_id = domain.id
            join route_target on route_id = route.id
            join mailbox on mailbox.id = mailbox_id
            where domain.name = any($1::text[]) and domain.status <> 'pending'
                and (pattern = any($2::text[]) or pattern like '%*%')
                and mailbox.tenant_id = route.tenant_id
                and (expires_at is null or expires_at > $3)
            order by mailbox.id""",
            sorted({domain for _, domain in forms}),
            sorted({local_part for local_part, _ in forms}),
            self.clock.now(),
        )
        found: dict[str, dict[str, list[Mailbox]]] = {}
        for domain, pattern, *mailbox in rows:
            found.setdefault(domain, {}).setdefault(pattern, []).append(Mailbox(*mailbox))
        return found


def choose_mailboxes(address: str, places: Places) -> Sequence[Mailbox]:
    """What a normalised address means. Tried in order: the mailbox or the route of exactly this
    address, those of it without its `+tag` (RFC 5233), the pattern that says most of it, and the
    catch-all of its domain. A mailbox goes before a route of the same address."""
    routes = places.routes.get(split_address(address)[1], {})
    local_parts = []
    for form in _forms(address):
        if mailbox := places.mailboxes.get(form):
            return (mailbox,)
        local_part = split_address(form)[0]
        # A `*` that somebody writes to is a character as any other.
        if local_part in routes and not is_wildcard(local_part):
            return routes[local_part]
        local_parts.append(local_part)
    pattern = choose_pattern(filter(is_wildcard, routes), local_parts)
    if pattern is not None:
        return routes[pattern]
    catch_all = places.mailboxes.get(_catch_all(address))
    return (catch_all,) if catch_all else ()


def _forms(address: str) -> Sequence[str]:
    """The address, and the address without its tag if it has one."""
    return tuple(dict.fromkeys((address, strip_subaddress(address))))


def _catch_all(address: str) -> str:
    return f"@{split_address(address)[1]}"
