"""How late points of a bucket are, as runs of a mirror measure it. Runs begin at noon and later."""

import pytest

from service.domain.series import SeriesKey
from service.domain.timerange import TimeRange
from service.jobs.mirror.lateness import measured_lateness
from tests.support.mirrors import A, B, KeptContext
from tests.support.rows import store_all
from tests.unit.jobs.mirror.conftest import Stage, fill

HOUR_NS = 3_600_000_000_000


@pytest.fixture
def run(stage: Stage) -> Stage:
    """A stage whose buckets hold the same, as a run at noon found."""
    fill(stage)
    stage.run()
    return stage


def late(stage: Stage, bucket: str = "W", url: str = A) -> int | None:
    (endpoint,) = {endpoint for endpoint in stage.opened if endpoint.url == url}
    return measured_lateness(stage.state, endpoint, stage.time.now).get(bucket)


def test_a_first_run_measures_nothing(run: Stage) -> None:
    assert late(run) is None


def test_points_of_an_hour_that_was_over_are_late(run: Stage) -> None:
    """The point of 09:30 was not there at noon: it is at least two hours later than the end of its hour."""
    store_all(run.a, "W", f"late v=1i {run.at(-2.5 / 24)}")
    run.wait(1 / 24)
    run.run()
    assert (late(run), late(run, url=B)) == (2 * HOUR_NS, 2 * HOUR_NS)


def test_points_of_the_present_hour_are_not_late(run: Stage) -> None:
    run.wait(0.5 / 24)
    store_all(run.a, "W", f"new v=1i {run.at(-0.1 / 24)}\nnew v=2i {run.at(1 / 24)}")
    run.run()
    assert late(run) is None


def test_the_greatest_lateness_of_seven_days_counts(run: Stage) -> None:
    for hours in (5.5, 3.5):
        store_all(run.a, "W", f"late v={hours} {run.at(-hours / 24)}")
        run.wait(1)
        store_all(run.a, "W", f"late v=0.5 {run.at()}")
        run.run()
    assert late(run) == 5 * HOUR_NS
    run.wait(6)
    assert late(run) == 3 * HOUR_NS
    run.wait(1)
    assert late(run) is None


def test_an_import_of_old_data_is_not_lateness(run: Stage) -> None:
    store_all(run.a, "W", f"old v=1i {run.at(-9)}")
    run.wait(1 / 24)
    run.run(start="2026-05-01T00:00:00Z", stop="2026-05-29T00:00:00Z")
    assert late(run) is None


def test_points_that_the_target_lost_are_not_late(run: Stage) -> None:
    for host in ("h0", "h1", "h2"):
        run.b.delete_points("W", SeriesKey("cpu", (("host", host),)), TimeRange(run.at(-0.3), run.at(-0.2)))
    run.wait(1 / 24)
    assert run.pair()["copied_points"] > 0
    assert late(run) is None


def test_a_dry_run_measures_nothing(run: Stage) -> None:
    store_all(run.a, "W", f"late v=1i {run.at(-2.5 / 24)}")
    run.run(KeptContext(), dry_run=True)
    assert late(run) is None
