"""`pillarbox domain records` and `domain check`."""

import json

import pytest

from app.cli import main
from app.settings import Settings


@pytest.fixture
def installation(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    assert settings.database_url
    assert settings.redis_url
    for name, value in {
        "DATABASE_URL": settings.database_url.reveal(),
        "REDIS_URL": settings.redis_url.reveal(),
        "SECRET_KEY": settings.secret_key.reveal(),
        "ENCRYPTION_KEY": settings.encryption_key.reveal(),
        "PILLARBOX_DATA": str(settings.pillarbox_data),
        "SMTP_HOSTNAME": "mx.pillarbox.example",
        # Nothing listens there, so nothing is known.
        "DNS_RESOLVERS": "127.0.0.1:1",
    }.items():
        monkeypatch.setenv(name, value)


def run(line: str, capsys: pytest.CaptureFixture[str]) -> str:
    assert main(line.split()) == 0
    return capsys.readouterr().out


def test_records_are_printed_as_they_are_typed_into_a_zone(
    installation: None, capsys: pytest.CaptureFixture[str]
) -> None:
    run("tenant create Acme --plan enterprise", capsys)
    run("domain add acme.example --tenant Acme --verify", capsys)
    said = run("domain records acme.example", capsys)
    assert "acme.example. MX 10 mx.pillarbox.example.\n" in said
    found = json.loads(run("domain records acme.example --json", capsys))
    assert (found["name"], found["status"]) == ("acme.example", "pending")
    assert found["records"][0]["name"] == "_pillarbox.acme.example"
    assert found["records"][0]["required"] is True


def test_check_says_what_was_seen_and_changes_nothing_when_the_dns_is_down(
    installation: None, capsys: pytest.CaptureFixture[str]
) -> None:
    run("tenant create Acme --plan enterprise", capsys)
    run("domain add acme.example --tenant Acme --verify", capsys)
    assert "acme.example is pending (unknown)" in run("domain check acme.example", capsys)
    found = json.loads(run("domain check acme.example --tenant Acme --json", capsys))
    assert (found["status"], found["outcome"], found["changes"]) == ("pending", "unknown", [])
    assert {record["state"] for record in found["records"]} == {"unknown"}


@pytest.mark.parametrize("verb", ["check", "records"])
def test_name_that_several_tenants_wait_for_needs_the_tenant(
    installation: None, capsys: pytest.CaptureFixture[str], verb: str
) -> None:
    for tenant in ("Acme", "Other"):
        run(f"tenant create {tenant} --plan enterprise", capsys)
        run(f"domain add acme.example --tenant {tenant} --verify", capsys)
    assert main(["domain", verb, "acme.example"]) == 1
    assert "Say which with --tenant" in capsys.readouterr().err
    assert main(["domain", verb, "nothing.example"]) == 1
