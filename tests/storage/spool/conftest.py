"""What every test of the spool may ask for."""

import pytest
from spool_samples import Items, NewMetadata, ReadAll, TurnedClock

from app.core.ids import Ids


@pytest.fixture
def clock() -> TurnedClock:
    return TurnedClock()


@pytest.fixture
def ids() -> Ids:
    return Ids()


@pytest.fixture
def new_metadata() -> NewMetadata:
    return Items()


@pytest.fixture
def read_all() -> ReadAll:
    return ReadAll()
