"""The set-up verbs: tenants, domains, mailboxes and users."""

import argparse
import json

from app.access.grants import COMMAND_LINE
from app.access.sign_in_policy import parse_networks
from app.assembly import Services
from app.cli.installation import with_services


def create_tenant(options: argparse.Namespace) -> None:
    async def work(services: Services) -> None:
        tenant = await services.tenants.create(options.name, options.plan)
        _say(options, f"Tenant {tenant.name} is made.", id=tenant.id, name=tenant.name)

    with_services(options.data, work)


def allow_from(options: argparse.Namespace) -> None:
    """The way back in for owners who locked themselves out."""
    networks = parse_networks(" ".join(options.networks))

    async def work(services: Services) -> None:
        tenant = await services.tenants.find(options.name)
        await services.sign_in_settings.set_admin_networks(tenant.id, networks, COMMAND_LINE)
        whence = ", ".join(networks) or "anywhere"
        _say(options, f"{tenant.name} is administered from {whence}.", networks=networks)

    with_services(options.data, work)


def add_domain(options: argparse.Namespace) -> None:
    async def work(services: Services) -> None:
        tenant = await services.tenants.find(options.tenant)
        domain = await services.domain_changes.add(
            COMMAND_LINE, tenant.id, options.name, vouched=not options.verify
        )
        _say(
            options,
            f"Domain {domain.name} is {domain.status}.",
            id=domain.id,
            name=domain.name,
            status=domain.status,
        )

    with_services(options.data, work)


def set_recipient_policy(options: argparse.Namespace) -> None:
    async def work(services: Services) -> None:
        domain = await services.domains.find_receiving(options.name)
        await services.domain_changes.change(COMMAND_LINE, domain, recipient_policy=options.policy)
        _say(
            options,
            f"Unknown addresses of {domain.name}: {options.policy}.",
            id=domain.id,
            name=domain.name,
            recipient_policy=options.policy,
        )

    with_services(options.data, work)


def add_mailbox(options: argparse.Namespace) -> None:
    async def work(services: Services) -> None:
        tenant = await services.tenants.find(options.tenant)
        mailbox = await services.mailboxes.add(options.address, tenant.id)
        _say(
            options, f"Mailbox {mailbox.address} receives.", id=mailbox.id, address=mailbox.address
        )

    with_services(options.data, work)


def add_user(options: argparse.Namespace) -> None:
    async def work(services: Services) -> None:
        tenant = await services.tenants.find(options.tenant)
        user = await services.users.add(
            options.email, tenant.id, options.role, is_operator=options.operator
        )
        link = await services.sign_in.create_link(user.id)
        url = f"{services.settings.public_url}/sign-in/{link}"
        _say(options, f"{user.email} signs in once at {url}", id=user.id, sign_in_url=url)

    with_services(options.data, work)


def _say(options: argparse.Namespace, words: str, **facts: object) -> None:
    print(json.dumps(facts, default=str) if options.json else words)
