"""`pillarbox up`: everything on this machine."""

import argparse
import os

from app.cli.preparation import bring_to_newest_schema
from app.cli.welcome import greet
from app.core.log import configure_logging
from app.embedded.children import pillarbox_children
from app.embedded.supervisor import UpOptions, run_up


def run(options: argparse.Namespace) -> int:
    configure_logging(human=True)
    return run_up(
        UpOptions(
            data=options.data,
            web=options.web,
            smtp=options.smtp,
            environment=os.environ,
            children=pillarbox_children(options.web, options.smtp),
            migrate=bring_to_newest_schema,
            welcome=greet,
        )
    )
