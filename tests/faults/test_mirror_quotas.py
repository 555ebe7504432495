"""The mirror under the limits of a fake InfluxDB Cloud, between real servers: its quotas, and a budget of its own.

What the mirror says is never believed here: the buckets of the real servers are read past the Cloud, and digests of
every point have to be equal.
"""

import re
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import pytest

from service.domain.timerange import parse_time
from tests.support.cloud import CloudRules, fake_cloud
from tests.support.mirror_clouds import (
    DAY_NS,
    NO_LIMITS,
    START,
    Benches,
    Skipping,
    Waiting,
    filled_bucket,
    opened,
    statuses,
)
from tests.support.mirrors import B, KeptContext
from tests.support.servers import InfluxServer

pytestmark = pytest.mark.live
FREE_PLAN = CloudRules(write_bytes=5_000_000)


@pytest.fixture(scope="module")
def much(influx: InfluxServer) -> str:
    """800,000 points in 40 slices without a gap: 12 MB of answer, 3 MB when packed."""
    return filled_bucket(influx, range(40), 5_000)


def days_of_groups(context: KeptContext) -> list[int]:
    """How many days each group had, as the checkpoints tell; they begin at START."""
    ends = [START - 1, *(parse_time(one["until"], "until") for one in context.saved)]
    return [(stop - start) // DAY_NS for start, stop in pairwise(ends)]


# Quotas


@pytest.mark.parametrize(("packed", "read_bytes"), [(False, 200_000), (True, 50_000)])
def test_a_read_quota_is_waited_for_exactly_as_long_as_the_cloud_says(
    benches: Benches, apart: str, packed: bool, read_bytes: int
) -> None:
    context = Waiting()
    with benches.from_cloud(apart, CloudRules(read_bytes=read_bytes, window_s=2), packed=packed) as bench:
        assert bench.run(context)["slices"]["equal"] == 6
        bench.assert_equal()
        refused = statuses(bench.cloud, "/query").count(429)
        asked = [float(seconds) for _, line in context.lines for seconds in re.findall(r"asks to wait (\d+) s", line)]
        assert context.slept == asked, "neither longer nor shorter than asked"
        assert len(asked) == refused >= 1, "after the wait that was asked for, the next question passes"
        bench.cloud.become(NO_LIMITS)
        bench.assert_nothing_more_moves(context, 6)


@pytest.mark.parametrize(
    ("rules", "waits_s"),
    [
        (CloudRules(read_bytes=200_000, html_errors=True), range(280, 301)),
        (CloudRules(read_bytes=200_000, retry_after=False), [60]),
        (CloudRules(read_bytes=200_000, retry_after=False, html_errors=True), [60]),
    ],
)
def test_without_a_length_a_minute_is_waited_and_a_web_page_says_as_much(
    benches: Benches, apart: str, rules: CloudRules, waits_s: Sequence[int]
) -> None:
    with benches.from_cloud(apart, rules) as bench:
        context = Skipping(lambda _: bench.cloud.become(rules))
        assert bench.run(context)["slices"]["equal"] == 6
        bench.assert_equal()
        assert len(context.slept) == statuses(bench.cloud, "/query").count(429) >= 2
        assert all(seconds in waits_s for seconds in context.slept)
        bench.assert_nothing_more_moves(context, 6)


@pytest.mark.parametrize(("packed", "read_bytes"), [(False, 1_500_000), (True, 400_000)])
def test_a_read_quota_that_is_less_than_a_group_slows_the_mirror_down(
    benches: Benches, much: str, packed: bool, read_bytes: int
) -> None:
    """It used to begin the same group again after each wait, and run into the quota at the same place for ever."""
    rules = CloudRules(read_bytes=read_bytes)
    with benches.from_cloud(much, rules, packed=packed) as bench:
        context = Skipping(lambda _: bench.cloud.become(rules))
        assert bench.run(context)["slices"]["equal"] == 40
        bench.assert_equal()
        assert len(context.slept) <= 25
        groups = days_of_groups(context)
        assert sum(groups) == 40
        assert groups[0] > groups[1] > groups[2]
        bench.assert_nothing_more_moves(context, 40)


def test_verifying_gets_on_under_a_quota_too(benches: Benches, much: str) -> None:
    with benches.from_cloud(much, NO_LIMITS) as bench:
        bench.run(Skipping())
        rules = CloudRules(read_bytes=1_500_000)
        bench.cloud.become(rules)
        context = Skipping(lambda _: bench.cloud.become(rules))
        [told] = bench.rig.run(context, verify=True)["pairs"]
        assert (told["equal"], told["points"]) == (True, 800_000)
        assert 2 <= len(context.slept) <= 25


@pytest.mark.parametrize("packed", [False, True])
def test_a_write_quota_that_is_less_than_a_group_slows_the_mirror_down(
    benches: Benches, much: str, packed: bool
) -> None:
    with benches.to_cloud(much, FREE_PLAN, packed=packed) as bench:
        context = Skipping(lambda _: bench.cloud.become(FREE_PLAN))
        assert bench.run(context)["slices"]["equal"] == 40
        bench.assert_equal()
        assert 2 <= len(context.slept) <= 25
        assert all(280 <= seconds <= 300 for seconds in context.slept)
        groups = days_of_groups(context)
        assert groups[0] > groups[1]
        bench.assert_nothing_more_moves(context, 40)


@pytest.mark.parametrize("packed", [False, True])
def test_bodies_that_are_too_large_are_written_in_halves(benches: Benches, apart: str, packed: bool) -> None:
    context = Skipping()
    with benches.to_cloud(apart, CloudRules(largest_body_bytes=20_000), packed=packed) as bench:
        assert bench.run(context)["slices"]["equal"] == 6
        bench.assert_equal()
        assert statuses(bench.cloud, "/api/v2/write").count(413) >= 6
        assert context.slept == [], "a 413 is nothing to wait for"
        bench.assert_nothing_more_moves(context, 6)


# The budget


class Metering(Skipping):
    """Notes how many bytes the Clouds saw when a group was done, and when the mirror waited."""

    def __init__(self, seen_bytes: Callable[[], int]) -> None:
        super().__init__(lambda _: self.at_waits.append(seen_bytes()))
        self._seen_bytes = seen_bytes
        self.at_groups, self.at_waits = [seen_bytes()], [seen_bytes()]

    def save(self, checkpoint: Any) -> None:
        super().save(checkpoint)
        self.at_groups.append(self._seen_bytes())


def steps(marks: Sequence[int]) -> list[int]:
    return [after - before for before, after in pairwise(marks)]


@pytest.mark.parametrize(("packed", "budget", "budget_bytes"), [(False, "300kB", 300_000), (True, "100kB", 100_000)])
def test_a_budget_holds_for_each_five_minutes_but_for_one_group(
    benches: Benches, apart: str, beyond: InfluxServer, packed: bool, budget: str, budget_bytes: int
) -> None:
    """Both links count. Writes are measured as they are sent, so they stay plain."""
    with (
        benches.from_cloud(apart, NO_LIMITS, packed=packed, budget=budget) as bench,
        fake_cloud(beyond.server.port, NO_LIMITS) as second,
    ):
        with opened(beyond, second.url) as bench.rig.stores[B]:
            context = Metering(
                lambda: sum(one.read_bytes_sent + one.write_bytes_taken for one in (bench.cloud, second))
            )
            assert bench.run(context)["slices"]["equal"] == 6
        bench.assert_equal()
        windows, group_bytes = steps([*context.at_waits, context.at_groups[-1]]), max(steps(context.at_groups))
        assert len(context.slept) >= 2
        assert all(250 <= seconds <= 300 for seconds in context.slept), "the rest of the five minutes"
        assert max(windows) <= budget_bytes + group_bytes
        assert sum(windows[:-1]) >= len(windows[:-1]) * budget_bytes * 0.8, "it is used up before the mirror waits"
        bench.rig.stores[B] = bench.target
        bench.assert_nothing_more_moves(context, 6)
