"""A Postfix of its own, as Debian packages it. Wants root."""

import shutil
import subprocess
from pathlib import Path

from pillarbox import free_port


class Postfix:
    """Takes mail over SMTP at `port` of 127.0.0.1 until `stop`. `settings` are what `main.cf` says
    beyond the instance itself."""

    def __init__(self, folder: Path, settings: str) -> None:
        self.port = free_port()
        self.configuration = folder / "etc"
        folder.chmod(0o755)
        for name in ("etc", "queue", "lib"):
            (folder / name).mkdir()
        shutil.chown(folder / "lib", "postfix")
        main_cf = _MAIN_CF.format(folder=folder) + settings
        (self.configuration / "main.cf").write_text(main_cf)
        (self.configuration / "master.cf").write_text(_MASTER_CF.format(port=self.port))
        self._run("start")

    def stop(self) -> None:
        self._run("stop")

    def _run(self, word: str) -> None:
        command = ["postfix", "-c", self.configuration, word]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr


_MAIN_CF = """\
compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/lib
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
mail_owner = postfix
setgid_group = postdrop
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
alias_maps =
"""
_MASTER_CF = """\
127.0.0.1:{port} inet n - n - - smtpd
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
local unix - n n - - local
smtp unix - - n - - smtp
error unix - - n - - error
retry unix - - n - - error
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
tlsmgr unix - - n 1000? 1 tlsmgr
"""
