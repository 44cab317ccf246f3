"""The quarantine verbs."""

import argparse
import json
from collections.abc import Mapping
from dataclasses import asdict
from uuid import UUID

from app.assembly import Services
from app.cli.installation import with_services
from app.core.errors import InvalidInput
from app.inbound.pipeline.quarantine import QuarantinedItem

_HEAD_BYTES = 2000
_STILL_THERE = 1


def list_items(options: argparse.Namespace) -> None:
    items = with_services(options.data, lambda services: services.quarantine.list())
    if options.json:
        print(json.dumps([_facts(item) for item in items]))
        return
    for item in items:
        print(f"{item.item_id}  {item.created_at:%Y-%m-%d %H:%M}  {item.stage}: {item.reason}")
    if not items:
        print("Nothing is in quarantine.")


def show_item(options: argparse.Namespace) -> None:
    item_id = _parse_id(options.id)

    async def work(services: Services) -> tuple[QuarantinedItem, bytes]:
        item = await services.quarantine.show(item_id)
        return item, await services.quarantine.read_raw(item_id)

    item, raw = with_services(options.data, work)
    head = raw[:_HEAD_BYTES].decode("ascii", "backslashreplace")
    if options.json:
        print(json.dumps({**_facts(item), "head": head}))
        return
    for name, value in _facts(item).items():
        print(f"{name:12} {value}")
    print(f"\n{head}")


def retry_item(options: argparse.Namespace) -> int:
    item_id = _parse_id(options.id)

    async def work(services: Services) -> bool:
        return await services.quarantine.retry(item_id, services.pipeline("quarantine"))

    taken_in = with_services(options.data, work)
    words = "It was taken in." if taken_in else "It stays in quarantine: `show` tells why."
    print(json.dumps({"taken_in": taken_in}) if options.json else words)
    return 0 if taken_in else _STILL_THERE


def drop_item(options: argparse.Namespace) -> None:
    item_id = _parse_id(options.id)
    with_services(options.data, lambda services: services.quarantine.drop(item_id))
    print(json.dumps({"dropped": options.id}) if options.json else "It is gone.")


def _parse_id(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError as error:
        raise InvalidInput(
            f"{text!r} is not an id: `pillarbox quarantine list` shows them."
        ) from error


def _facts(item: QuarantinedItem) -> Mapping[str, str | int]:
    return {
        name: value if isinstance(value, int) else str(value)
        for name, value in asdict(item).items()
    }
