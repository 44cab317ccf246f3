"""Starts Postgres and waits to be killed: `start_postgres.py DATA SOCKETS`."""

import signal
import sys
from pathlib import Path

from app.embedded.postgres import EmbeddedPostgres

postgres = EmbeddedPostgres(data_folder=Path(sys.argv[1]), socket_folder=Path(sys.argv[2]))
postgres.start()
postgres.wait_ready()
print("ready", flush=True)
signal.pause()
