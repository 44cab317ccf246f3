"""A bad setting stops the start with one clear line; a good one is what it says."""

from pathlib import Path

import pytest

from app.core.errors import BadSetting
from app.core.secrets import Secret
from app.settings import Listen, MailUrl, Settings, read_settings

KEYS = {"SECRET_KEY": "s" * 32, "ENCRYPTION_KEY": "e" * 32}

KAFKA_USER = {
    "KAFKA_SECURITY_PROTOCOL": "sasl_ssl",
    "KAFKA_SASL_USERNAME": "pillarbox",
    "KAFKA_SASL_PASSWORD": "hunter2",
}


def read(**changes: str) -> Settings:
    return read_settings({**KEYS, **changes})


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"SECRET_KEY": ""}, "SECRET_KEY"),
        ({"SECRET_KEY": "short"}, "SECRET_KEY"),
        ({"ENCRYPTION_KEY": "short"}, "ENCRYPTION_KEY"),
        ({"ENCRYPTION_KEY": "e" * 32 + ","}, "ENCRYPTION_KEY"),
        ({"PORT": "http"}, "PORT"),
        ({"SMTP_LISTEN": "2525"}, "SMTP_LISTEN"),
        ({"SMTP_LISTEN": "host:70000"}, "SMTP_LISTEN"),
        ({"SMTP_LMTP_LISTEN": "127.0.0.1:25"}, "SMTP_LMTP_LISTEN"),
        ({"SMTP_PROXY_FROM": "office"}, "SMTP_PROXY_FROM"),
        ({"SMTP_TLS_CERT": "chain.pem"}, "SMTP_TLS_KEY"),
        ({"TRUSTED_PROXIES": "10.0.0.0/8,office"}, "TRUSTED_PROXIES"),
        ({"PUBLIC_URL": "mail.example.org"}, "PUBLIC_URL"),
        ({"TEMPORARY_DOMAIN": "not a domain"}, "TEMPORARY_DOMAIN"),
        ({"TEMPORARY_TTL_SECONDS": "0"}, "TEMPORARY_TTL_SECONDS"),
        ({"SPOOL_KEEP_SECONDS": "-1"}, "SPOOL_KEEP_SECONDS"),
        ({"SPOOL_URL": "s3:spool"}, "S3_BUCKET_NAME"),
        ({"SPOOL_URL": "s3:no spaces", "S3_BUCKET_NAME": "b"}, "SPOOL_URL"),
        ({"DYNO": "web.1"}, "SPOOL_URL"),
        ({"PILLARBOX_ENV": "staging"}, "PILLARBOX_ENV"),
        ({"AUTH_MAIL_URL": "mail.example.org"}, "AUTH_MAIL_URL"),
        ({"AUTH_MAIL_URL": "http://mail.example.org"}, "AUTH_MAIL_URL"),
        ({"AUTH_MAIL_URL": "smtp://"}, "AUTH_MAIL_URL"),
        ({"AUTH_MAIL_URL": "smtp://host:70000"}, "AUTH_MAIL_URL"),
        ({"AUTH_MAIL_URL": "smtp://user@host"}, "AUTH_MAIL_URL"),
        ({"AUTH_MAIL_URL": "smtp://host/path"}, "AUTH_MAIL_URL"),
        ({"AUTH_MAIL_URL": "outbox:", "PILLARBOX_ENV": "production"}, "AUTH_MAIL_URL"),
        ({"MAIL_FROM": "Pillarbox"}, "MAIL_FROM"),
        ({"MAIL_FROM": "A <a@b.test>\r\nBcc: <c@d.test>"}, "MAIL_FROM"),
        ({"SIGN_IN_MAILS_PER_HOUR": "0"}, "SIGN_IN_MAILS_PER_HOUR"),
        ({"METRICS_LISTEN": ":9090"}, "METRICS_LISTEN must be a loopback address"),
        ({"METRICS_LISTEN": "9090"}, "METRICS_LISTEN must be a loopback address"),
        ({"METRICS_LISTEN": "0.0.0.0:9090"}, "METRICS_LISTEN must be a loopback address"),
        ({"METRICS_LISTEN": "[::]:9090"}, "METRICS_LISTEN must be a loopback address"),
        ({"METRICS_LISTEN": "*:9090"}, "METRICS_LISTEN must be a loopback address"),
        ({"METRICS_LISTEN": "192.0.2.1:9090"}, "METRICS_LISTEN must be a loopback address"),
        ({"METRICS_LISTEN": "metrics.test:9090"}, "METRICS_LISTEN must be a loopback address"),
        ({"METRICS_LISTEN": "[::ffff:10.0.0.1]:9090"}, "METRICS_LISTEN must be a loopback"),
        ({"METRICS_LISTEN": "127.0.0.1:65535"}, "METRICS_LISTEN"),
        ({"KAFKA_BROKERS": "kafka.test"}, "KAFKA_BROKERS must be HOST:PORT"),
        ({"KAFKA_BROKERS": "kafka.test:9092,"}, "KAFKA_BROKERS must be HOST:PORT"),
        ({"KAFKA_TOPIC": "two words"}, "KAFKA_TOPIC"),
        ({"KAFKA_TOPIC": ".."}, "KAFKA_TOPIC"),
        ({"KAFKA_SECURITY_PROTOCOL": "tls"}, "KAFKA_SECURITY_PROTOCOL"),
        ({"KAFKA_SECURITY_PROTOCOL": "sasl_ssl"}, "KAFKA_SASL_USERNAME"),
        ({"KAFKA_SASL_USERNAME": "u", "KAFKA_SASL_PASSWORD": "p"}, "KAFKA_SECURITY_PROTOCOL"),
        ({**KAFKA_USER, "KAFKA_SASL_MECHANISM": "GSSAPI"}, "KAFKA_SASL_MECHANISM"),
        (
            {
                **KAFKA_USER,
                "KAFKA_SECURITY_PROTOCOL": "sasl_plaintext",
                "KAFKA_SASL_MECHANISM": "PLAIN",
            },
            "sent as it is",
        ),
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


def test_password_of_a_mail_server_does_not_show_itself() -> None:
    settings = read(AUTH_MAIL_URL="smtps://ada:hunter2%40@mail.example.org")
    assert "hunter2" not in repr(settings)
    assert settings.auth_mail
    assert settings.auth_mail.password == Secret("hunter2@")
    with pytest.raises(BadSetting) as caught:
        read(AUTH_MAIL_URL="imap://ada:hunter2@mail.example.org")
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("smtp://mail.example.org", MailUrl("smtp", "mail.example.org", 587)),
        ("smtp://[::1]:25", MailUrl("smtp", "::1", 25)),
        ("smtps://mail.example.org", MailUrl("smtps", "mail.example.org", 465)),
        ("smtp://u:p@h:2525", MailUrl("smtp", "h", 2525, "u", Secret("p"))),
        ("ses:", MailUrl("ses")),
        ("outbox:", MailUrl("outbox")),
    ],
)
def test_way_of_mail_reads_as_it_is_written(text: str, url: MailUrl) -> None:
    assert read(AUTH_MAIL_URL=text).auth_mail == url


def test_sign_in_mail_stays_here_unless_told_otherwise_and_in_production_is_not_sent() -> None:
    assert read().auth_mail == MailUrl("outbox")
    assert read(PILLARBOX_ENV="production").auth_mail is None


def test_our_mail_is_from_the_temporary_domain_unless_told_otherwise() -> None:
    assert read(TEMPORARY_DOMAIN="t.test").mail_sender == "Pillarbox <no-reply@t.test>"
    assert read(MAIL_FROM="Post <post@example.org>").mail_sender == "Post <post@example.org>"


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


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.9.10", "[::1]", "localhost"])
def test_metrics_are_served_on_loopback_with_the_worker_one_port_on(host: str) -> None:
    settings = read(METRICS_LISTEN=f"{host}:9090")
    assert str(settings.metrics_listen) == f"{host}:9090"
    assert str(settings.worker_metrics_listen) == f"{host}:9091"


def test_metrics_are_off_when_nothing_is_set() -> None:
    assert read(METRICS_LISTEN="").metrics_listen is None
    assert read().worker_metrics_listen is None
