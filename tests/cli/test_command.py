"""The `pillarbox` command, as an operator meets it."""

import json
import re
from pathlib import Path

import pytest

from app.cli import main


def test_it_says_so_in_one_line_and_exits_3_when_nothing_runs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DATABASE_URL", raising=False)
    code = main(["tenant", "create", "A", "--plan", "developer", "--data", str(tmp_path)])
    assert code == 3
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.count("\n") == 1
    assert "pillarbox up" in said.err


def test_key_is_printed_alone_when_everything_before_it_was_set_up(
    installed: None, capsys: pytest.CaptureFixture[str]
) -> None:
    for line in (
        "tenant create Acme --plan developer",
        "domain add acme.test --tenant Acme",
        "mailbox add hello@acme.test --tenant Acme",
        "mailbox add *@acme.test --tenant Acme",
        "user add ada@acme.test --tenant Acme --role owner",
    ):
        assert main(line.split()) == 0
    said = capsys.readouterr().out
    assert "/sign-in/" in said
    line = "key create --tenant Acme --domain acme.test --mailbox hello@acme.test"
    assert main([*line.split(), "--scope", "messages:read", "events:read"]) == 0
    assert re.fullmatch(r"[0-9a-f]{64}\n", capsys.readouterr().out)


def test_owners_who_locked_themselves_out_are_let_in_again(
    installed: None, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(line: str) -> str:
        assert main(line.split()) == 0, line
        return capsys.readouterr().out.strip()

    run("tenant create Acme --plan enterprise")
    said = run("tenant allow-from Acme 192.0.2.7 2001:db8::/32")
    assert said == "Acme is administered from 192.0.2.7/32, 2001:db8::/32."
    assert run("tenant allow-from Acme --clear") == "Acme is administered from anywhere."
    assert main(["tenant", "allow-from", "Acme", "office"]) == 1
    assert "neither an address nor a network" in capsys.readouterr().err


def test_keys_are_listed_replaced_and_revoked(
    installed: None, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(line: str) -> str:
        assert main(line.split()) == 0, line
        return capsys.readouterr().out

    run("tenant create Acme --plan developer")
    first = run("key create --tenant Acme --name build --days 30").strip()
    second = run(f"key rotate {first[:8]} --tenant Acme --overlap-hours 1").strip()
    assert re.fullmatch(r"[0-9a-f]{64}", second)
    listed = json.loads(run("key list --tenant Acme --json"))
    assert [key["prefix"] for key in listed] == [second[:8], first[:8]]
    assert listed[1]["replaced_by"] == listed[0]["id"]
    assert "admin" not in listed[0]["scopes"]
    assert run(f"key revoke {listed[0]['id']} --tenant Acme").startswith("Key ")
    shown = run("key list --tenant Acme").splitlines()
    assert ["revoked" in line for line in shown] == [True, False]
    assert all("build" in line for line in shown)
    assert main(["key", "revoke", "00000000", "--tenant", "Acme"]) == 1


@pytest.mark.parametrize(
    "line",
    [
        "tenant create Acme --plan gold",
        "domain add acme.test --tenant Nobody",
        "domain add nodots --tenant Acme",
        "domain recipients acme.test guess",
        "domain recipients elsewhere.test reject_unknown",
        "mailbox add hello@elsewhere.test --tenant Acme",
        "mailbox add hello@acme.test@ --tenant Acme",
        "user add nobody --tenant Acme --role owner",
        "user add a@acme.test --tenant Acme --role emperor",
        "key create --tenant Acme --scope everything",
        "key create --tenant Acme --mailbox no@acme.test --scope messages:read",
        "reindex --mailbox nobody@acme.test",
        "replay nobody --from 1",
        "replay indexer",
        "consumer forget nobody",
        "consumer start new --at 0",
        "parked retry",
        "parked drop 01a20000-0000-7000-8000-000000000000",
        "parked retry nonsense",
        "quarantine show nonsense",
        "quarantine drop 01a20000-0000-7000-8000-000000000000",
    ],
)
def test_fault_is_told_in_one_line_when_a_command_cannot_be_done(
    installed: None, capsys: pytest.CaptureFixture[str], line: str
) -> None:
    main(["tenant", "create", "Acme", "--plan", "developer"])
    main(["domain", "add", "acme.test", "--tenant", "Acme"])
    capsys.readouterr()
    assert main(line.split()) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert len([row for row in said.err.splitlines() if "[" not in row]) == 1


def test_policy_for_unknown_addresses_of_a_domain_can_be_set(
    installed: None, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["tenant", "create", "Acme", "--plan", "developer"])
    main(["domain", "add", "acme.test", "--tenant", "Acme"])
    capsys.readouterr()
    assert main(["domain", "recipients", "Acme.Test", "accept_and_discard", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["name"], told["recipient_policy"]) == ("acme.test", "accept_and_discard")


def test_domain_of_another_tenant_is_not_given_away(
    installed: None, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("One", "Two"):
        assert main(["tenant", "create", name, "--plan", "enterprise"]) == 0
    assert main(["domain", "add", "shared.test", "--tenant", "One"]) == 0
    assert main(["domain", "add", "shared.test", "--tenant", "Two"]) == 1
    assert main(["domain", "add", "shared.test", "--tenant", "Two", "--verify"]) == 0
    assert main(["mailbox", "add", "a@shared.test", "--tenant", "Two"]) == 1


def test_facts_are_json_when_asked_for(installed: None, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["tenant", "create", "Acme", "--plan", "developer", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["name"] == "Acme"
    assert main(["status", "--json"]) == 0
    status = json.loads(capsys.readouterr().out)
    assert (status["redis"], status["spool_waiting_bytes"], status["quarantined"]) == (
        "answers",
        0,
        0,
    )
    assert main(["quarantine", "list", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == []
