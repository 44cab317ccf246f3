"""`pillarbox up` with the children of the tests: `up.py DATA WEB SMTP FOLDER [FLAGS OF SMTP]`."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path

import asyncpg

from app.embedded.children import ChildProcess, accepts_tcp, answers_http
from app.embedded.run_file import RunFile
from app.embedded.supervisor import UpOptions, run_up
from app.settings import Listen

CHILD = str(Path(__file__).with_name("child.py"))


async def migrate(database_url: str) -> None:
    connection = await asyncpg.connect(database_url)
    try:
        await connection.execute("CREATE TABLE IF NOT EXISTS mail (subject text)")
    finally:
        await connection.close()


async def welcome(run: RunFile) -> Sequence[str]:
    return [f"The inbox is at http://{run.web}/"]


def main() -> int:
    data, web, smtp, folder, *flags = sys.argv[1:]
    command = (sys.executable, CHILD)
    web_listen, smtp_listen = Listen.parse(web), Listen.parse(smtp)
    web_argv = ("http", web_listen.host, str(web_listen.port))
    smtp_argv = ("tcp", smtp_listen.host, str(smtp_listen.port), *flags)
    children = [
        ChildProcess("worker", (*command, "worker", folder)),
        ChildProcess(
            "web", (*command, "web", folder, *web_argv), answers_http(web_listen, "/api/v1/ready")
        ),
        ChildProcess(
            "smtp",
            (*command, "smtp", folder, *smtp_argv),
            accepts_tcp(smtp_listen),
            stop_seconds=0.2 if "stubborn" in flags else 10,
        ),
    ]
    options = UpOptions(
        data=Path(data),
        web=web_listen,
        smtp=smtp_listen,
        environment=os.environ,
        children=children,
        migrate=migrate,
        welcome=welcome,
    )
    return run_up(options)


if __name__ == "__main__":
    sys.exit(main())
