import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from installation import NOBODY, PROGRAMS, Up, open_folder, skip_unless_readable_by_all

from app.embedded.postgres import EmbeddedPostgres


@pytest.fixture(scope="session")
def made_cluster() -> Iterator[Path]:
    """What making a cluster leaves; to be copied, which is ten times faster than making one."""
    with open_folder() as folder:
        made = EmbeddedPostgres(data_folder=folder / "postgres", socket_folder=folder / "sockets")
        made.start()
        made.wait_ready()
        made.stop()
        yield made.data_folder


@pytest.fixture
def up(made_cluster: Path) -> Iterator[Up]:
    """Not started yet; of an account without any rights, if we may choose."""
    with installation(made_cluster, drop_rights=os.geteuid() == 0) as up:
        yield up


@pytest.fixture(params=["root", "an ordinary user"] if os.geteuid() == 0 else ["an ordinary user"])
def up_of_each(request: pytest.FixtureRequest, made_cluster: Path) -> Iterator[Up]:
    """The same for root, whose engines run as somebody else, and for an ordinary user."""
    drop_rights = os.geteuid() == 0 and request.param != "root"
    with installation(made_cluster, drop_rights=drop_rights) as up:
        yield up


@contextlib.contextmanager
def installation(made_cluster: Path, *, drop_rights: bool) -> Iterator[Up]:
    with open_folder() as folder:
        if drop_rights:
            skip_unless_readable_by_all(Path(sys.executable))
            skip_unless_readable_by_all(PROGRAMS)
            os.chown(folder, NOBODY, NOBODY)
        up = Up(folder, NOBODY if drop_rights else None)
        up.prepare(made_cluster)
        try:
            yield up
        finally:
            up.stop()


@pytest.fixture
def folder() -> Iterator[Path]:
    with open_folder() as folder:
        yield folder
