"""Every setting, typed and checked once at start. The only reader of the environment."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, dataclass, fields
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from pathlib import Path
from typing import Any, get_args, get_type_hints
from urllib.parse import unquote, urlsplit

from app.core.errors import BadSetting
from app.core.secrets import Secret

_DOMAIN = re.compile(r"(?=.{1,253}\Z)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9-]{1,63}\Z")
_MAILBOX = re.compile(r"(?:[^<>\r\n]+ <[^\s<>@]+@[^\s<>@]+>|[^\s<>@]+@[^\s<>@]+)\Z")
_KAFKA_TOPIC = re.compile(r"(?!\.{1,2}\Z)[A-Za-z0-9._-]{1,249}\Z")
_S3_SPOOL = re.compile(r"s3:[A-Za-z0-9._/-]*\Z")


@dataclass(frozen=True, slots=True)
class Listen:
    """A host and a port to listen on or connect to, written `HOST:PORT` (`[::1]:25` for IPv6)."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @classmethod
    def parse(cls, text: str) -> "Listen":
        """Raises ValueError unless `text` is HOST:PORT with a port from 0 to 65535."""
        host, colon, port = text.rpartition(":")
        host = host.removeprefix("[").removesuffix("]")
        if not (colon and host and port.isascii() and port.isdigit() and int(port) <= 65535):
            raise ValueError(f"{text!r} is not HOST:PORT")
        return cls(host, int(port))


class LoopbackListen(Listen):
    """A host and a port that only this machine can reach."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: str) -> "LoopbackListen":
        """Raises ValueError unless `text` is HOST:PORT with a loopback address or `localhost`."""
        listen = Listen.parse(text)
        if listen.host != "localhost" and not ip_address(listen.host).is_loopback:
            raise ValueError(f"{text!r} can be reached from elsewhere")
        return cls(listen.host, listen.port)


@dataclass(frozen=True, slots=True)
class Networks:
    """A list of networks, written as comma-separated addresses and CIDR blocks."""

    blocks: tuple[IPv4Network | IPv6Network, ...] = ()

    def __contains__(self, address: str) -> bool:
        parsed = ip_address(address)
        return any(parsed in block for block in self.blocks)

    @classmethod
    def parse(cls, text: str) -> "Networks":
        """Raises ValueError for a part that is neither an address nor a network."""
        parts = (part.strip() for part in text.split(","))
        return cls(tuple(ip_network(part, strict=False) for part in parts if part))


LOOPBACK = Networks.parse("127.0.0.0/8, ::1")


@dataclass(frozen=True, slots=True)
class Servers:
    """A list of servers by address, written as comma-separated `ADDRESS:PORT`."""

    addresses: tuple[Listen, ...] = ()

    @classmethod
    def parse(cls, text: str) -> "Servers":
        """Raises ValueError for a part that is no address with a port."""
        servers = tuple(Listen.parse(part.strip()) for part in text.split(",") if part.strip())
        for server in servers:
            ip_address(server.host)
        return cls(servers)


@dataclass(frozen=True, slots=True)
class Brokers:
    """A list of servers by name or address, written as comma-separated `HOST:PORT`."""

    addresses: tuple[Listen, ...]

    def __str__(self) -> str:
        return ",".join(map(str, self.addresses))

    @classmethod
    def parse(cls, text: str) -> "Brokers":
        """Raises ValueError for a part that is not HOST:PORT."""
        return cls(tuple(Listen.parse(part.strip()) for part in text.split(",")))


@dataclass(frozen=True, slots=True)
class HostNames:
    """Names of hosts, in lower case and in their order, written with commas between them."""

    names: tuple[str, ...] = ()

    @classmethod
    def parse(cls, text: str) -> "HostNames":
        """Raises ValueError for a part that is no host name."""
        names = tuple(part.strip().lower().removesuffix(".") for part in text.split(","))
        if not all(_DOMAIN.match(name) for name in names):
            raise ValueError("not a list of host names")
        return cls(names)


@dataclass(frozen=True, slots=True)
class MailUrl:
    """How mail leaves: `smtp://[USER:PASSWORD@]HOST[:PORT]`, `smtps://…` (TLS from the start),
    `ses:` or `outbox:`. User and password are percent-encoded (RFC 3986, section 3.2.1)."""

    scheme: str
    host: str = ""
    port: int = 0
    username: str = ""
    password: Secret | None = None

    @classmethod
    def parse(cls, text: str) -> "MailUrl":
        """Raises ValueError for any other form."""
        if text in ("ses:", "outbox:"):
            return cls(text.removesuffix(":"))
        parts = urlsplit(text)
        default_port = {"smtp": 587, "smtps": 465}.get(parts.scheme)
        rest = parts.path + parts.query + parts.fragment
        if default_port is None or not parts.hostname or rest.strip("/"):
            raise ValueError("not a way for mail to leave")
        if (parts.username is None) != (parts.password is None):
            raise ValueError("a user needs a password")
        return cls(
            parts.scheme,
            parts.hostname,
            parts.port or default_port,
            unquote(parts.username or ""),
            Secret(unquote(parts.password)) if parts.password is not None else None,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The environment, understood. Names in the environment are these in capitals."""

    pillarbox_env: str = "development"
    pillarbox_data: Path = Path("data")
    dyno: str = ""
    port: int | None = None

    database_url: Secret | None = None
    redis_url: Secret | None = None
    postgres_bin: Path | None = None
    valkey_bin: Path | None = None
    secret_key: Secret
    encryption_key: Secret

    s3_bucket_name: str = ""
    s3_endpoint_url: str = ""
    aws_region: str = "us-east-1"
    aws_access_key_id: str = ""
    aws_secret_access_key: Secret | None = None

    spool_url: str = ""
    spool_keep_seconds: int = 86_400
    spool_min_free_bytes: int = 512 * 1024 * 1024
    spool_min_free_inodes: int = 1000
    spool_max_backlog_bytes: int = 16 * 1024 * 1024 * 1024

    web_listen: Listen = Listen("127.0.0.1", 8000)
    web_concurrency: int = 1
    ingester_listen: Listen = Listen("127.0.0.1", 8001)
    public_url: str = "http://127.0.0.1:8000"
    trusted_proxies: Networks = Networks()
    egress_allow: Networks = Networks()
    dns_resolvers: Servers = Servers()
    api_requests_per_minute: int = 6000
    mx_hostnames: HostNames = HostNames()

    smtp_listen: Listen = Listen("127.0.0.1", 2525)
    smtp_hostname: str = "localhost"
    smtp_max_message_bytes: int = 75 * 1024 * 1024
    smtp_proxy_from: Networks = Networks()
    smtp_lmtp_listen: Listen | None = None
    smtp_tls_cert: Path | None = None
    smtp_tls_key: Path | None = None
    smtp_trusted: Networks = LOOPBACK
    smtp_max_connections: int = 2000
    smtp_max_host_connections: int = 100
    smtp_max_network_connections: int = 400
    smtp_host_connections_per_minute: int = 1000
    smtp_network_connections_per_minute: int = 5000
    smtp_host_messages_per_minute: int = 6000
    smtp_host_recipients_per_minute: int = 12_000
    smtp_domain_recipients_per_minute: int = 60_000
    smtp_max_recipients: int = 100
    smtp_max_connection_messages: int = 1000
    smtp_max_connection_recipients: int = 10_000
    smtp_max_errors: int = 10
    smtp_max_fruitless_commands: int = 100
    smtp_hello_timeout_seconds: int = 60
    smtp_command_timeout_seconds: int = 300
    smtp_data_timeout_seconds: int = 300
    smtp_data_bytes_per_second: int = 1024
    smtp_stop_seconds: int = 10

    metrics_listen: LoopbackListen | None = None

    search_engine: str = "postgres"

    kafka_brokers: Brokers | None = None
    kafka_topic: str = "pillarbox.events"
    kafka_security_protocol: str = "plaintext"
    kafka_ssl_ca: Path | None = None
    kafka_sasl_mechanism: str = "SCRAM-SHA-512"
    kafka_sasl_username: str = ""
    kafka_sasl_password: Secret | None = None

    temporary_domain: str = "pillarbox.test"
    temporary_ttl_seconds: int = 3600
    temporary_max_ttl_seconds: int = 86_400
    temporary_inboxes_per_hour: int = 60
    temporary_max_message_bytes: int = 25 * 1024 * 1024
    temporary_max_messages: int = 20_000
    temporary_max_inbox_bytes: int = 1024 * 1024 * 1024
    temporary_messages_per_hour: int = 10_000

    ingester_inbound_token: Secret | None = None

    auth_mail_url: MailUrl | None = None
    mail_from: str = ""
    sign_in_mails_per_hour: int = 5
    sign_in_requests_per_hour: int = 20

    audit_keep_days: int = 365
    events_keep_days: int = 365

    @property
    def production(self) -> bool:
        return self.pillarbox_env == "production"

    @property
    def encryption_keys(self) -> Sequence[Secret]:
        """The first seals; all of them open what they sealed."""
        return [Secret(key.strip()) for key in self.encryption_key.reveal().split(",")]

    @property
    def spool_folder(self) -> Path:
        return Path(self.spool_url) if self.spool_url else self.pillarbox_data / "spool"

    @property
    def spool_s3_prefix(self) -> str | None:
        """The key prefix of a spool in the object store; None for a folder spool."""
        return self.spool_url[len("s3:") :] if self.spool_url.startswith("s3:") else None

    @property
    def mx_hosts(self) -> Sequence[str]:
        """What the MX records of our domains name, the first before the others."""
        return self.mx_hostnames.names or (self.smtp_hostname.lower(),)

    @property
    def worker_metrics_listen(self) -> Listen | None:
        """Where the worker serves its metrics: the port after the sidecar's, which may be beside
        it on one machine. Port 0 stays what it is."""
        if self.metrics_listen is None:
            return None
        port = self.metrics_listen.port
        return Listen(self.metrics_listen.host, port + 1 if port else 0)

    @property
    def auth_mail(self) -> MailUrl | None:
        """How sign-in mail leaves; None where it does not."""
        return self.auth_mail_url or (None if self.production else MailUrl("outbox"))

    @property
    def mail_sender(self) -> str:
        """The mailbox, with its name, that our own mails are from."""
        return self.mail_from or f"Pillarbox <no-reply@{self.temporary_domain}>"

    @property
    def blob_folder(self) -> Path:
        return self.pillarbox_data / "blobs"

    @property
    def search_folder(self) -> Path:
        """Of the Whoosh engine."""
        return self.pillarbox_data / "search"

    def http_listen(self, default: Listen) -> Listen:
        """Where a process that serves HTTP listens: on `PORT` of every address if that is set."""
        return Listen("0.0.0.0", self.port) if self.port else default  # noqa: S104


def read_settings(environment: Mapping[str, str]) -> Settings:
    """The settings that `environment` holds. Raises `BadSetting`, one line, for the first bad one.

    An empty value counts as unset, as platforms cannot always remove a variable.
    """
    hints = get_type_hints(Settings)
    values: dict[str, Any] = {}
    for field in fields(Settings):
        name = field.name.upper()
        if text := environment.get(name, "").strip():
            values[field.name] = _parse(name, text, hints[field.name])
        elif field.default is MISSING:
            raise BadSetting(
                f"{name} is not set. `pillarbox up` makes one; elsewhere set your own."
            )
    settings = Settings(**values)
    _check(settings)
    return settings


_PARSERS: Mapping[type, tuple[Callable[[str], Any], str]] = {
    str: (str, "text"),
    int: (int, "a whole number"),
    Path: (lambda text: Path(text).expanduser(), "a path"),
    Secret: (Secret, "text"),
    Listen: (Listen.parse, "HOST:PORT"),
    LoopbackListen: (
        LoopbackListen.parse,
        "a loopback address and a port, such as 127.0.0.1:9090, as metrics are for this machine",
    ),
    Networks: (Networks.parse, "addresses or networks with commas between them"),
    HostNames: (HostNames.parse, "host names with commas between them"),
    Servers: (Servers.parse, "ADDRESS:PORT with commas between them"),
    Brokers: (Brokers.parse, "HOST:PORT with commas between them"),
    MailUrl: (MailUrl.parse, "smtp://[USER:PASSWORD@]HOST:PORT, smtps://…, ses: or outbox:"),
}
_HIDDEN = (Secret, MailUrl)


def _parse(name: str, text: str, hint: Any) -> Any:
    kind = next((part for part in get_args(hint) if part is not type(None)), hint)
    parser, form = _PARSERS[kind]
    try:
        return parser(text)
    except ValueError as error:
        shown = "" if kind in _HIDDEN else f", not {text!r}"
        raise BadSetting(f"{name} must be {form}{shown}.") from error


_AT_LEAST_ONE = (
    *("web_concurrency", "temporary_ttl_seconds", "temporary_inboxes_per_hour"),
    *("api_requests_per_minute", "audit_keep_days"),
    *("sign_in_mails_per_hour", "sign_in_requests_per_hour"),
    *("smtp_max_connections", "smtp_max_recipients", "smtp_max_errors"),
    *("smtp_max_fruitless_commands", "smtp_hello_timeout_seconds", "smtp_command_timeout_seconds"),
    *("smtp_data_timeout_seconds", "smtp_data_bytes_per_second"),
)
_NOT_NEGATIVE = (
    *("spool_keep_seconds", "spool_min_free_bytes", "spool_min_free_inodes"),
    *("spool_max_backlog_bytes", "smtp_max_message_bytes", "smtp_max_host_connections"),
    *("smtp_max_network_connections", "smtp_host_connections_per_minute"),
    *("smtp_network_connections_per_minute", "smtp_host_messages_per_minute"),
    *("smtp_host_recipients_per_minute", "smtp_domain_recipients_per_minute"),
    *("smtp_max_connection_messages", "smtp_max_connection_recipients", "smtp_stop_seconds"),
    *("temporary_max_ttl_seconds", "temporary_max_message_bytes", "temporary_max_messages"),
    *("temporary_max_inbox_bytes", "temporary_messages_per_hour", "events_keep_days"),
)


def _check(settings: Settings) -> None:
    """The rules that a type alone cannot say."""
    if settings.pillarbox_env not in ("development", "production"):
        raise BadSetting("PILLARBOX_ENV must be development or production.")
    if settings.search_engine not in ("whoosh", "postgres"):
        raise BadSetting("SEARCH_ENGINE must be whoosh or postgres.")
    if settings.search_engine == "whoosh" and settings.dyno:
        raise BadSetting("SEARCH_ENGINE must be postgres where DYNO is set: disks do not last.")
    if len(settings.secret_key.reveal()) < 32:
        raise BadSetting("SECRET_KEY must have at least 32 characters.")
    if any(len(key.reveal()) < 32 for key in settings.encryption_keys):
        raise BadSetting(
            "ENCRYPTION_KEY must have at least 32 characters; of several keys, with commas "
            "between them, each."
        )
    if not re.match(r"https?://[^/\s]+\Z", settings.public_url):
        raise BadSetting("PUBLIC_URL must be http://HOST or https://HOST, without a path.")
    if not _DOMAIN.match(settings.temporary_domain):
        raise BadSetting("TEMPORARY_DOMAIN must be a domain name in lower case.")
    if settings.mail_from and not _MAILBOX.match(settings.mail_from):
        raise BadSetting("MAIL_FROM must be ADDRESS or NAME <ADDRESS>.")
    if settings.production and settings.auth_mail_url == MailUrl("outbox"):
        raise BadSetting("AUTH_MAIL_URL must not be outbox: in production: it sends nothing.")
    if settings.spool_url.startswith("s3:"):
        if not _S3_SPOOL.match(settings.spool_url):
            raise BadSetting("SPOOL_URL must be a folder, or s3: and a key prefix.")
        if not settings.s3_bucket_name:
            raise BadSetting("SPOOL_URL is s3:, so S3_BUCKET_NAME must name the bucket.")
    elif settings.dyno:
        raise BadSetting(
            "SPOOL_URL must be s3:PREFIX where DYNO is set: the disk there does not last, "
            "and accepted mail would be lost with it."
        )
    if settings.metrics_listen and settings.metrics_listen.port == 65535:
        raise BadSetting("METRICS_LISTEN must leave a port after its own, which the worker takes.")
    if settings.smtp_lmtp_listen and settings.smtp_lmtp_listen.port == 25:
        raise BadSetting("SMTP_LMTP_LISTEN must not be on port 25, which is for SMTP.")
    if (settings.smtp_tls_cert is None) != (settings.smtp_tls_key is None):
        raise BadSetting("SMTP_TLS_CERT and SMTP_TLS_KEY must be set together.")
    _check_kafka(settings)
    for name in _NOT_NEGATIVE:
        if getattr(settings, name) < 0:
            raise BadSetting(f"{name.upper()} must not be negative.")
    for name in _AT_LEAST_ONE:
        if getattr(settings, name) < 1:
            raise BadSetting(f"{name.upper()} must be at least 1.")


def _check_kafka(settings: Settings) -> None:
    protocol, mechanism = settings.kafka_security_protocol, settings.kafka_sasl_mechanism
    if not _KAFKA_TOPIC.match(settings.kafka_topic):
        raise BadSetting("KAFKA_TOPIC must be at most 249 letters, digits, dots, - and _.")
    if protocol not in ("plaintext", "ssl", "sasl_plaintext", "sasl_ssl"):
        raise BadSetting(
            "KAFKA_SECURITY_PROTOCOL must be plaintext, ssl, sasl_plaintext or sasl_ssl."
        )
    if mechanism not in ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"):
        raise BadSetting("KAFKA_SASL_MECHANISM must be PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512.")
    has_user = bool(settings.kafka_sasl_username and settings.kafka_sasl_password)
    if protocol.startswith("sasl_") != has_user:
        raise BadSetting(
            "KAFKA_SASL_USERNAME and KAFKA_SASL_PASSWORD go with a KAFKA_SECURITY_PROTOCOL of "
            "sasl_ssl or sasl_plaintext, and only with one of them."
        )
    if (protocol, mechanism) == ("sasl_plaintext", "PLAIN"):
        raise BadSetting(
            "KAFKA_SASL_MECHANISM must not be PLAIN with sasl_plaintext: the password would be "
            "sent as it is."
        )
