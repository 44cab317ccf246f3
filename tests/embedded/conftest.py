import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from installation import NOBODY, PROGRAMS, Up, open_folder, skip_unless_readable_by_all


@pytest.fixture
def up() -> Iterator[Up]:
    """Not started yet; of an account without any rights, if we may choose."""
    with installation(drop_rights=os.geteuid() == 0) as up:
        yield up


@pytest.fixture(params=["root", "an ordinary user"] if os.geteuid() == 0 else ["an ordinary user"])
def up_of_each(request: pytest.FixtureRequest) -> Iterator[Up]:
    """The same for root, whose engines run as somebody else, and for an ordinary user."""
    with installation(drop_rights=os.geteuid() == 0 and request.param != "root") as up:
        yield up


@contextlib.contextmanager
def installation(*, drop_rights: bool) -> Iterator[Up]:
    with open_folder() as folder:
        if drop_rights:
            skip_unless_readable_by_all(Path(sys.executable))
            skip_unless_readable_by_all(PROGRAMS)
            os.chown(folder, NOBODY, NOBODY)
        up = Up(folder, NOBODY if drop_rights else None)
        try:
            yield up
        finally:
            up.stop()


@pytest.fixture
def folder() -> Iterator[Path]:
    with open_folder() as folder:
        yield folder
