"""`pillarbox smtp`: nothing is imported here that accepting mail does not need."""

import argparse
import os

from app.settings import read_settings
from workers.smtp import run_smtp


def run(_: argparse.Namespace) -> None:
    run_smtp(read_settings(os.environ))
