"""What mail is sent with out there, each asked to hand one mail to the sidecar.

A client that this machine lacks skips its test; with SMTP_CLIENTS=all in the environment
(`make smtp-clients`) it fails it.
"""

import os
import shutil
import smtplib
import ssl
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import NoReturn

import pytest

from app.settings import Listen

SENDER = "writer@clients.test"


@dataclass(frozen=True)
class Errand:
    """A mail to hand in. `raw` has CRLF for the end of a line; `folder` is for what the
    clients keep."""

    server: Listen
    certificate: Path
    folder: Path
    recipient: str
    raw: bytes
    tls: bool

    @property
    def text(self) -> bytes:
        """As a program on Unix is given a mail."""
        return self.raw.replace(b"\r\n", b"\n")


@dataclass(frozen=True)
class Outcome:
    """How a client ended, and what it said."""

    succeeded: bool
    said: str


Client = Callable[[Errand], Outcome]


def send_by_smtplib(errand: Errand) -> Outcome:
    try:
        with smtplib.SMTP(errand.server.host, errand.server.port, timeout=20) as client:
            if errand.tls:
                client.starttls(context=ssl.create_default_context(cafile=errand.certificate))
            client.sendmail(SENDER, errand.recipient, errand.raw, ["BODY=8BITMIME"])
    except smtplib.SMTPRecipientsRefused as error:
        code, text = error.recipients[errand.recipient]
        return Outcome(succeeded=False, said=f"{code} {text.decode()}")
    return Outcome(succeeded=True, said="")


def send_by_swaks(errand: Errand) -> Outcome:
    if errand.tls and not run("perl", "-MNet::SSLeay", "-e", "1").succeeded:
        lack("swaks has no TLS: libnet-ssleay-perl is not installed")
    file = errand.folder / "mail"
    file.write_bytes(errand.text.removesuffix(b"\n"))  # It ends the last line itself.
    tls = ["--tls", "--tls-verify", "--tls-ca-path", errand.certificate] if errand.tls else []
    return run(
        *("swaks", "--server", errand.server.host, "--port", str(errand.server.port)),
        *("--helo", "client.example.org", "--from", SENDER, "--to", errand.recipient),
        *("--data", f"@{file}", *tls),
    )


def send_by_curl(errand: Errand) -> Outcome:
    tls = ["--ssl-reqd", "--cacert", errand.certificate] if errand.tls else []
    return run(
        *("curl", "--silent", "--verbose", f"smtp://{errand.server}/client.example.org"),
        *("--mail-from", SENDER, "--mail-rcpt", errand.recipient, "--upload-file", "-", *tls),
        given=errand.raw,
    )


def send_by_msmtp(errand: Errand) -> Outcome:
    tls = ["--tls=on", f"--tls-trust-file={errand.certificate}"] if errand.tls else ["--tls=off"]
    return run(
        *("msmtp", f"--host={errand.server.host}", f"--port={errand.server.port}"),
        *(f"--from={SENDER}", "--domain=client.example.org", *tls, "--", errand.recipient),
        given=errand.text,
    )


def send_by_nodemailer(errand: Errand) -> Outcome:
    require("npm", "node")
    program = errand.folder / "nodemailer"
    installed = install_nodemailer(program)
    if not installed.succeeded:
        why = installed.said.partition("\n")[0]
        lack(f"npm cannot install nodemailer: {why}")
    return run(
        *("node", program / "send.js", errand.server.host, str(errand.server.port)),
        *(errand.certificate if errand.tls else "", SENDER, errand.recipient),
        given=errand.raw,
    )


@cache
def install_nodemailer(folder: Path) -> Outcome:
    """In the version that is locked. Where there is no network, tried once only."""
    shutil.copytree(Path(__file__).with_name("nodemailer"), folder)
    return run("npm", "ci", cwd=folder)


CLIENTS: Mapping[str, Client] = {
    "smtplib": send_by_smtplib,
    "swaks": send_by_swaks,
    "curl": send_by_curl,
    "msmtp": send_by_msmtp,
    "nodemailer": send_by_nodemailer,
}


def run(
    program: str,
    *arguments: str | Path,
    given: bytes = b"",
    cwd: Path | None = None,
) -> Outcome:
    require(program)
    done = subprocess.run(
        [program, *arguments],
        input=given,
        cwd=cwd,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=60,
        check=False,
    )
    return Outcome(done.returncode == 0, done.stdout.decode(errors="replace"))


def require(*programs: str) -> None:
    if missing := [name for name in programs if shutil.which(name) is None]:
        lack(f"not installed: {', '.join(missing)}")


def lack(reason: str) -> NoReturn:
    if os.environ.get("SMTP_CLIENTS") == "all":
        pytest.fail(reason)
    pytest.skip(reason)
