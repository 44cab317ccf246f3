"""A bad setting stops the start with one clear line; a good one is what it says."""

from pathlib import Path

import pytest

from app.core.errors import BadSetting
from app.settings import Listen, Settings, read_settings

KEYS = {"SECRET_KEY": "s" * 32, "ENCRYPTION_KEY": "e" * 32}


def read(**changes: str) -> Settings:
    return read_settings({**KEYS, **changes})


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"SECRET_KEY": ""}, "SECRET_KEY"),
        ({"SECRET_KEY": "short"}, "SECRET_KEY"),
        ({"PORT": "http"}, "PORT"),
        ({"SMTP_LISTEN": "2525"}, "SMTP_LISTEN"),
        ({"SMTP_LISTEN": "host:70000"}, "SMTP_LISTEN"),
        ({"TRUSTED_PROXIES": "10.0.0.0/8,office"}, "TRUSTED_PROXIES"),
        ({"PUBLIC_URL": "mail.example.org"}, "PUBLIC_URL"),
        ({"TEMPORARY_DOMAIN": "not a domain"}, "TEMPORARY_DOMAIN"),
        ({"TEMPORARY_TTL_SECONDS": "0"}, "TEMPORARY_TTL_SECONDS"),
        ({"SPOOL_KEEP_SECONDS": "-1"}, "SPOOL_KEEP_SECONDS"),
        ({"SPOOL_URL": "s3:spool"}, "S3_BUCKET_NAME"),
        ({"SPOOL_URL": "s3:no spaces", "S3_BUCKET_NAME": "b"}, "SPOOL_URL"),
        ({"DYNO": "web.1"}, "SPOOL_URL"),
        ({"PILLARBOX_ENV": "staging"}, "PILLARBOX_ENV"),
    ],
)
def test_start_is_refused_in_one_line_that_names_the_setting_when_it_is_bad(
    changes: dict[str, str], named: str
) -> None:
    with pytest.raises(BadSetting) as caught:
        read(**changes)
    assert named in str(caught.value)
    assert "\n" not in str(caught.value)


def test_secrets_do_not_show_themselves() -> None:
    settings = read(DATABASE_URL="postgresql://u:hunter2@h/d")
    assert "hunter2" not in repr(settings)
    assert "s" * 32 not in repr(settings)
    with pytest.raises(BadSetting) as caught:
        read(SECRET_KEY="hunter2")
    assert "hunter2" not in str(caught.value)


def test_empty_value_counts_as_unset() -> None:
    assert read(PORT=" ", DATABASE_URL="").port is None


def test_port_is_obeyed_on_all_addresses_when_a_platform_sets_it() -> None:
    assert read(PORT="5000").http_listen(Listen("127.0.0.1", 8000)) == Listen("0.0.0.0", 5000)
    assert read().http_listen(Listen("127.0.0.1", 8000)) == Listen("127.0.0.1", 8000)


def test_spool_is_a_folder_in_the_data_or_a_prefix_in_the_object_store() -> None:
    assert read(PILLARBOX_DATA="/d").spool_folder == Path("/d/spool")
    settings = read(SPOOL_URL="s3:accepted", S3_BUCKET_NAME="b", DYNO="web.1")
    assert settings.spool_s3_prefix == "accepted"


@pytest.mark.parametrize(
    ("text", "listen"), [("[::1]:25", Listen("::1", 25)), ("h:0", Listen("h", 0))]
)
def test_listen_address_reads_as_it_is_written(text: str, listen: Listen) -> None:
    assert Listen.parse(text) == listen
    assert str(listen) == text


def test_every_setting_is_documented() -> None:
    from dataclasses import fields

    documentation = (Path(__file__).parents[2] / "docs/settings.md").read_text()
    names = {field.name.upper() for field in fields(Settings)} - {"PORT", "DYNO"}
    assert {name for name in names if f"`{name}`" not in documentation} == set()
