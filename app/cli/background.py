"""`pillarbox worker`."""

import argparse
import asyncio
import os

from app.cli.preparation import prepare, start_logging
from workers.worker import run_worker


def run(_: argparse.Namespace) -> None:
    settings = start_logging()
    asyncio.run(prepare(settings))
    run_worker(settings, os.environ)
