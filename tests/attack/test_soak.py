"""A gateway under twenty clients for three minutes.

Nothing grows, nothing fails unnamed, every job ends, every acknowledged point is there.
"""

from pathlib import Path

import pytest

from tests.support.servers import InfluxServer
from tests.support.soak import failures, soaking


@pytest.mark.timeout(480)
def test_three_minutes_of_everything_at_once(
    tmp_path: Path, influx: InfluxServer, redis_url: str, postgres_url: str
) -> None:
    """The fixtures only say which servers must be on this machine: the soak freezes servers of its own."""
    with soaking(tmp_path, minutes=3) as soak:
        report = soak.run()
    assert failures(report, warm_up_s=40) == []
    assert len(report.acknowledged) > 5_000
    assert report.reads_while_frozen["redis"] > 0
