"""A connector whose processes are killed again and again, before an upstream that fails in every way.

No value is lost, values come twice only under one key, and the bookmark is never ahead of what the upstream accepted.

Every check is shown to fail on the bug that it is there for, planted into the process.
"""

import os
import random
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.support.forward_process import POINTS, ForwardSite
from tests.support.jobs import BUG, POINT
from tests.support.mirror_process import PAUSE_S
from tests.support.recording_upstream import Faults, RecordingUpstream, recording_upstream
from tests.support.waiting import until

pytestmark = pytest.mark.timeout(600)

KILLS = int(os.environ.get("FORWARD_KILLS", "20"))
"""How often processes are killed in all. A hundred take about two minutes."""
LANES = 2
RARE = ("saving", "renewing", "ending")
UNNOTICED_S, CAUGHT_UP_S = 60.0, 120.0
BAD = Faults(errors=0.3, lost_replies=0.05, resets=0.02, busy=0.05, retry_after="0", slow=0.05, slow_s=0.05)


@pytest.fixture
def upstream() -> Iterator[RecordingUpstream]:
    with recording_upstream(faults=BAD, seed=1) as started:
        yield started


def kill_at_point(site: ForwardSite, point: str) -> None:
    """Run the connector until the process dies there."""
    with site.process(**{POINT: point, PAUSE_S: "0.01"}) as running:
        until(lambda: running.ended_by() == signal.SIGKILL, UNNOTICED_S)


def kill_at_random(site: ForwardSite, chance: random.Random) -> None:
    """Kill the process some time after something was noted."""
    before = site.state().counts.posts
    with site.process(**{PAUSE_S: "0.01"}) as running:
        until(lambda: site.state().counts.posts > before, UNNOTICED_S)
        time.sleep(chance.uniform(0.0, 0.5))
        assert running.ended_by() is None
        running.kill()


def killed_over_and_over(site: ForwardSite, lane: int, kills: int) -> None:
    """Half of the kills at random moments, half at named points. The promises hold after each."""
    chance = random.Random(lane)
    for number in range(kills):
        if number % 2:
            kill_at_random(site, chance)
        else:
            point = POINTS[(number // 2 + lane) % len(POINTS)]
            kill_at_point(
                site, f"{point}:{chance.randint(1, 3) if point in ('read', 'posted', 'noting', 'noted') else 1}"
            )
        site.must_hold()


def test_kills_lose_nothing_and_repeat_nothing_under_another_key(tmp_path: Path) -> None:
    sites = [
        ForwardSite(
            tmp_path / str(lane), RecordingUpstream(faults=BAD, seed=lane), backlog_s=80 + 8 * KILLS, later_s=600
        )
        for lane in range(LANES)
    ]
    with ThreadPoolExecutor(LANES) as lanes:
        list(lanes.map(lambda lane: killed_over_and_over(sites[lane], lane, KILLS // LANES), range(LANES)))
        list(lanes.map(lambda site: site.must_be_exact(CAUGHT_UP_S), sites))
    for site in sites:
        assert site.upstream.repeats(), "no reply was lost, so nothing was tried"
        assert site.state().counts.unknown
        site.upstream.close()


def test_that_check_sees_a_bookmark_that_moves_before_the_acceptance(
    upstream: RecordingUpstream, tmp_path: Path
) -> None:
    site = ForwardSite(tmp_path, upstream, backlog_s=60, later_s=60)
    kill = {BUG: "bookmark first", POINT: "read:3"}
    with site.process(**kill) as running:
        until(running.ended_by, UNNOTICED_S)
    with pytest.raises(AssertionError, match=r"[1-9][0-9]* values lost"):
        site.must_hold()


def test_that_check_sees_keys_with_chance_in_them(upstream: RecordingUpstream, tmp_path: Path) -> None:
    site = ForwardSite(tmp_path, upstream, backlog_s=60, later_s=60)
    bug = {BUG: "random keys"}
    kill_and_go_on = {**bug, POINT: "posted:3"}
    with site.process(**kill_and_go_on) as running:
        until(running.ended_by, UNNOTICED_S)
    with pytest.raises(AssertionError, match=r"[1-9][0-9]* values under several keys"):
        site.must_be_exact(CAUGHT_UP_S, **bug)


def test_that_check_sees_windows_that_are_skipped(upstream: RecordingUpstream, tmp_path: Path) -> None:
    site = ForwardSite(tmp_path, upstream, backlog_s=60, later_s=60)
    with pytest.raises(AssertionError, match=r"[1-9][0-9]* values lost"):
        site.must_be_exact(CAUGHT_UP_S, **{BUG: "windows skipped"})
