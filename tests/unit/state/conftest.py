"""The jobs of a new state database."""

from collections.abc import Iterator

import pytest

from service.state.database import StateDatabase
from tests.support.job_desk import Desk


@pytest.fixture
def queue(state_url: str) -> Iterator[Desk]:
    database = StateDatabase(state_url)
    database.migrate()
    yield Desk(database)
    database.close()
