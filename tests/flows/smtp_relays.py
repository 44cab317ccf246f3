"""Postfix and Exim, each set up to hand all mail on to the sidecar. Both want root."""

import os
import shutil
import smtplib
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from postfix import Postfix
from smtp_clients import SENDER, Errand, lack, require, run

Relay = Callable[[Errand], AbstractContextManager[None]]
"""Takes the mail, and works until the context ends."""


@contextmanager
def relay_by_postfix(errand: Errand) -> Iterator[None]:
    """An instance of its own, which takes the mail over SMTP."""
    require("postfix")
    with open_folder(errand) as folder:
        server = f"[{errand.server.host}]:{errand.server.port}"
        tls = "secure" if errand.tls else "none"
        postfix = Postfix(folder, _POSTFIX.format(folder=folder, server=server, tls=tls))
        try:
            with smtplib.SMTP("127.0.0.1", postfix.port, timeout=20) as client:
                client.sendmail(SENDER, errand.recipient, errand.raw, ["BODY=8BITMIME"])
            yield
        finally:
            postfix.stop()


@contextmanager
def relay_by_exim(errand: Errand) -> Iterator[None]:
    """Delivers at once, and whatever comes of it too. Debian's package need not be installed:
    the program is enough, as its user exists in a mount namespace only."""
    require("exim4", "unshare")
    with open_folder(errand) as folder:
        tls = _EXIM_TLS.format(folder=folder) if errand.tls else _EXIM_PLAIN
        (folder / "exim.conf").write_text(
            _EXIM_CONF.format(
                program=shutil.which("exim4"), folder=folder, server=errand.server, tls=tls
            )
        )
        for name, line in (("passwd", _EXIM_PASSWD), ("group", _EXIM_GROUP)):
            (folder / name).write_text(Path("/etc", name).read_text() + line)
        script = 'mount --bind passwd /etc/passwd && mount --bind group /etc/group && exec "$@"'
        done = run(
            *("unshare", "--mount", "sh", "-c", script, "sh"),
            *("exim4", "-C", folder / "exim.conf", "-odf", "-oi", "-f", SENDER, errand.recipient),
            given=errand.text,
            cwd=folder,
        )
        assert done.succeeded, done.said
        yield


RELAYS: Mapping[str, Relay] = {"postfix": relay_by_postfix, "exim": relay_by_exim}


@contextmanager
def open_folder(errand: Errand) -> Iterator[Path]:
    """One that others than root may look into, with the certificate."""
    if os.getuid() != 0:
        lack("a relay of its own takes root to start")
    with tempfile.TemporaryDirectory(prefix="relay-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        shutil.copyfile(errand.certificate, folder / "chain.pem")
        yield folder


_POSTFIX = """\
myhostname = relay.example.org
mydestination =
relayhost = {server}
smtp_tls_security_level = {tls}
smtp_tls_CAfile = {folder}/chain.pem
smtp_tls_secure_cert_match = mx.clients.test
"""
_EXIM_PASSWD = "Debian-exim:x:65533:65533::/nonexistent:/usr/sbin/nologin\n"
_EXIM_GROUP = "Debian-exim:x:65533:\n"
_EXIM_CONF = """\
primary_hostname = relay.example.org
exim_path = {program}
spool_directory = {folder}/spool
log_file_path = {folder}/spool/%slog
keep_environment = LD_LIBRARY_PATH
add_environment =
trusted_users = root
never_users =
begin routers
onward:
  driver = manualroute
  transport = onward
  route_list = * {server.host}::{server.port} byname
  self = send
begin transports
onward:
  driver = smtp
  hosts_try_fastopen =
{tls}
begin retry
* * F,1h,1m
"""
_EXIM_PLAIN = "  hosts_avoid_tls = *"
_EXIM_TLS = """\
  hosts_require_tls = *
  tls_verify_hosts = *
  tls_verify_certificates = {folder}/chain.pem
  tls_verify_cert_hostnames = :"""
