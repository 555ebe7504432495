"""Connectors over a source and an upstream in memory."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.forwarding import ForwardRig


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[ForwardRig]:
    made = ForwardRig(tmp_path)
    made.configure()
    yield made
    made.state.close()
