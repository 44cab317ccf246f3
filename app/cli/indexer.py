"""`pillarbox indexer`."""

import argparse
import asyncio

from app.cli.preparation import prepare, start_logging
from workers.index import run_indexer


def run(options: argparse.Namespace) -> None:
    settings = start_logging()
    asyncio.run(prepare(settings))
    run_indexer(settings, options.leader)
