"""Understanding the command line.

What a verb does stands in the module that it names, which is imported only when it is used: the
SMTP sidecar starts without the database driver, and `--help` answers at once.
"""

import argparse
import importlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TypeAlias
from uuid import UUID

from app.core.errors import PillarboxError
from app.embedded.errors import NotRunning
from app.settings import Listen

EXIT_FAILED = 1
EXIT_NOT_RUNNING = 3


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command and returns its exit code: 0 done, 1 failed, 2 misused, 3 not running."""
    options = _parser().parse_args(arguments)
    try:
        module, _, function = options.run.partition(":")
        code = getattr(importlib.import_module(module), function)(options)
    except NotRunning as error:
        print(error, file=sys.stderr)
        return EXIT_NOT_RUNNING
    except PillarboxError as error:
        print(error, file=sys.stderr)
        return EXIT_FAILED
    return int(code or 0)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="pillarbox", description="One place for an organisation's mail."
    )
    verbs = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    _add_processes(verbs)
    _add_directory(verbs)
    _add_operations(verbs)
    return parser


_Verbs: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"


def _add_processes(verbs: _Verbs) -> None:
    up = verbs.add_parser("up", help="run everything on this machine")
    up.add_argument("--data", type=Path, default=_default_data(), help="default: ./data")
    up.add_argument("--web", type=_listen, default=Listen("127.0.0.1", 8000), metavar="HOST:PORT")
    up.add_argument("--smtp", type=_listen, default=Listen("127.0.0.1", 2525), metavar="HOST:PORT")
    up.set_defaults(run="app.cli.up:run")
    for name, run, words in (
        ("web", "app.cli.serving:run_web", "serve pages and the API"),
        ("ingester", "app.cli.serving:run_ingester", "serve provider callbacks"),
        ("worker", "app.cli.background:run", "do the background work"),
        ("smtp", "app.cli.sidecar:run", "receive mail over SMTP"),
        ("migrate", "app.cli.preparation:run", "bring the database to the newest schema"),
    ):
        verbs.add_parser(name, help=words).set_defaults(run=run)
    indexer = verbs.add_parser("indexer", help="keep the search index (`worker` runs one)")
    indexer.add_argument("--leader", type=UUID, help=argparse.SUPPRESS)
    indexer.set_defaults(run="app.cli.indexer:run")


def _add_directory(verbs: _Verbs) -> None:
    _add_tenant(verbs)
    _add_domain(verbs)

    add = _add_noun(verbs, "mailbox", "add", "app.cli.directory:add_mailbox", "host an address")
    add.add_argument("address", help="*@DOMAIN is a catch-all")
    add.add_argument("--tenant", required=True)

    add = _add_noun(verbs, "user", "add", "app.cli.directory:add_user", "give a person a role")
    add.add_argument("email")
    add.add_argument("--tenant", required=True)
    add.add_argument("--role", required=True, help="owner, admin, agent or viewer")
    add.add_argument("--operator", action="store_true", help="may see all of the installation")

    _add_key(verbs)


def _add_key(verbs: _Verbs) -> None:
    group = verbs.add_parser("key", help="let programs call the API")
    actions = group.add_subparsers(required=True, metavar="VERB")
    create = actions.add_parser("create", help="make a key, which is printed this once")
    create.add_argument("--domain", action="append", default=[], help="only this domain")
    create.add_argument("--mailbox", action="append", default=[], help="only this mailbox")
    create.add_argument(
        "--scope", nargs="+", action="extend", help="such as messages:read; default: all but admin"
    )
    create.add_argument("--name", default="", help="what it is for")
    create.add_argument("--days", type=int, help="how long it works; default: until revoked")
    listed = actions.add_parser("list", help="the newest first")
    revoke = actions.add_parser("revoke", help="stop a key at once")
    rotate = actions.add_parser("rotate", help="make a key in place of another")
    rotate.add_argument(
        "--overlap-hours", type=int, default=24, help="how long the old one works yet; default: 24"
    )
    for action, run in (
        (create, "app.cli.keys:create_key"),
        (listed, "app.cli.keys:list_keys"),
        (revoke, "app.cli.keys:revoke_key"),
        (rotate, "app.cli.keys:rotate_key"),
    ):
        action.add_argument("--tenant", required=True)
        _talk_to_installation(action, run)
    for action in (revoke, rotate):
        action.add_argument("key", help="its id, or its first 8 characters")


def _add_tenant(verbs: _Verbs) -> None:
    group = verbs.add_parser("tenant", help="own domains and mail")
    actions = group.add_subparsers(required=True, metavar="VERB")
    create = actions.add_parser("create", help="own domains and mail")
    create.add_argument("name")
    create.add_argument("--plan", required=True, help="developer, temporary or enterprise")
    _talk_to_installation(create, "app.cli.directory:create_tenant")

    allowed = actions.add_parser("allow-from", help="say from where it may be administered")
    allowed.add_argument("name")
    which = allowed.add_mutually_exclusive_group(required=True)
    which.add_argument("networks", nargs="*", default=[], metavar="NETWORK")
    which.add_argument("--clear", action="store_true", help="from anywhere")
    _talk_to_installation(allowed, "app.cli.directory:allow_from")


def _add_domain(verbs: _Verbs) -> None:
    group = verbs.add_parser("domain", help="receive for a domain")
    actions = group.add_subparsers(required=True, metavar="VERB")
    add = actions.add_parser("add", help="receive for a domain")
    add.add_argument("name")
    add.add_argument("--tenant", required=True)
    add.add_argument("--verify", action="store_true", help="only once its DNS records are right")
    _talk_to_installation(add, "app.cli.directory:add_domain")

    policy = actions.add_parser("recipients", help="say what unknown addresses meet")
    policy.add_argument("name")
    policy.add_argument("policy", help="reject_unknown, accept_and_discard or reply_after_data")
    _talk_to_installation(policy, "app.cli.directory:set_recipient_policy")

    for verb, run, words in (
        ("records", "app.cli.domains:show_records", "the DNS records that it needs"),
        ("check", "app.cli.domains:check", "look at its DNS records now, and act on them"),
    ):
        action = actions.add_parser(verb, help=words)
        action.add_argument("name")
        action.add_argument("--tenant", help="whose, where several wait for the name")
        _talk_to_installation(action, run)


def _add_noun(verbs: _Verbs, noun: str, verb: str, run: str, words: str) -> argparse.ArgumentParser:
    """`pillarbox NOUN VERB`, with what every command needs that talks to an installation."""
    group = verbs.add_parser(noun, help=words)
    command = group.add_subparsers(required=True, metavar="VERB").add_parser(verb, help=words)
    _talk_to_installation(command, run)
    return command


def _add_operations(verbs: _Verbs) -> None:
    shown = verbs.add_parser("status", help="what runs, and what waits")
    _talk_to_installation(shown, "app.cli.status:show_status")

    again = verbs.add_parser("reindex", help="make the search index anew while it is in use")
    again.add_argument("--mailbox", metavar="ADDRESS", help="only of this mailbox")
    _talk_to_installation(again, "app.cli.reindex:reindex")

    rotate = _add_noun(
        verbs,
        "keys",
        "rotate-encryption",
        "app.cli.encryption:rotate",
        "change the key that stored secrets are sealed with",
    )
    rotate.description = "Does the next step and says which comes after it (docs/secrets.md)."

    _add_spool(verbs)
    _add_event_log(verbs)

    group = verbs.add_parser("quarantine", help="what could not be taken in")
    actions = group.add_subparsers(required=True, metavar="VERB")
    listed = actions.add_parser("list", help="the newest first")
    _talk_to_installation(listed, "app.cli.quarantine:list_items")
    for verb, run, words in (
        ("show", "app.cli.quarantine:show_item", "why, and its first lines"),
        ("retry", "app.cli.quarantine:retry_item", "take it in again"),
        ("drop", "app.cli.quarantine:drop_item", "forget it for good"),
    ):
        action = actions.add_parser(verb, help=words)
        action.add_argument("id")
        _talk_to_installation(action, run)


def _add_event_log(verbs: _Verbs) -> None:
    again = verbs.add_parser("replay", help="hand events to a consumer again")
    again.add_argument("consumer")
    again.add_argument("--from", dest="first", type=int, metavar="POSITION")
    again.add_argument(
        "--to", dest="last", type=int, metavar="POSITION", help="default: where the consumer is"
    )
    again.add_argument("--type", nargs="+", action="extend", help="only of these types")
    again.add_argument("--cancel", action="store_true", help="end its replays where they are")
    _talk_to_installation(again, "app.cli.replay:replay")

    group = verbs.add_parser("consumer", help="readers of the event log")
    actions = group.add_subparsers(required=True, metavar="VERB")
    start = actions.add_parser("start", help="say where one begins that never ran")
    start.add_argument("--at", dest="first", type=int, metavar="POSITION", required=True)
    forget = actions.add_parser("forget", help="let go of one that will not run again")
    for action, run in (
        (start, "app.cli.replay:start"),
        (forget, "app.cli.replay:forget"),
    ):
        action.add_argument("consumer")
        _talk_to_installation(action, run)

    group = verbs.add_parser("parked", help="events that a consumer could not handle")
    actions = group.add_subparsers(required=True, metavar="VERB")
    listed = actions.add_parser("list", help="the oldest first")
    retry = actions.add_parser("retry", help="have them handled again")
    drop = actions.add_parser("drop", help="forget them for good")
    for action, run in (
        (listed, "app.cli.parked:list_events"),
        (retry, "app.cli.parked:retry_events"),
        (drop, "app.cli.parked:drop_events"),
    ):
        action.add_argument("--consumer", metavar="NAME", help="only, or all, of this consumer")
        _talk_to_installation(action, run)
    for action in (retry, drop):
        action.add_argument("ids", nargs="*", metavar="ID")


def _add_spool(verbs: _Verbs) -> None:
    group = verbs.add_parser("spool", help="what was accepted, as it lies on the disk")
    actions = group.add_subparsers(required=True, metavar="VERB")
    for verb, run, words in (
        ("status", "app.cli.spool:show_status", "how much there is, and how much waits"),
        ("verify", "app.cli.spool:verify", "read all of it, and exit with 1 if any is damaged"),
    ):
        _talk_to_installation(actions.add_parser(verb, help=words), run)

    listed = actions.add_parser("list", help="the newest items first")
    _choose_items(listed)
    for name in ("sender", "recipient"):
        words = f"part of a {name}'s address"
        listed.add_argument(f"--{name}", type=str.lower, default="", metavar="TEXT", help=words)
    listed.add_argument("--state", choices=("waiting", "deferred", "done"))
    listed.add_argument("--limit", type=int, default=100, help="default: 100")
    _talk_to_installation(listed, "app.cli.spool:list_all")

    shown = actions.add_parser("show", help="one item")
    shown.add_argument("id")
    shown.add_argument("--raw", action="store_true", help="its bytes, and nothing else")
    _talk_to_installation(shown, "app.cli.spool:show_item")

    again = actions.add_parser("replay", help="take items in again; what is there stays as it is")
    again.add_argument("ids", nargs="*", metavar="ID")
    _choose_items(again)
    _talk_to_installation(again, "app.cli.spool:replay")


def _choose_items(command: argparse.ArgumentParser) -> None:
    command.add_argument("--since", metavar="TIME", help="2026-03-01T12:00, or an age such as 2h")
    command.add_argument("--until", metavar="TIME", help="before this time")
    command.add_argument("--segment", metavar="PRODUCER/NUMBER", help="such as smtp-0/12")


def _talk_to_installation(command: argparse.ArgumentParser, run: str) -> None:
    command.add_argument("--data", type=Path, default=_default_data(), help="of a running `up`")
    command.add_argument("--json", action="store_true", help="print JSON")
    command.set_defaults(run=run)


def _default_data() -> Path:
    return Path(os.environ.get("PILLARBOX_DATA") or "data")


def _listen(text: str) -> Listen:
    try:
        return Listen.parse(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
