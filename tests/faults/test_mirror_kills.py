"""Mirrors whose processes are killed and frozen, over links that fail.

Nothing is lost, nothing is added, and nobody writes after its lease.

Every check is shown to fail on the bug that it is there for, planted into the process.
"""

import asyncio
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from service.domain.durations import parse_duration
from service.domain.job import Job, JobState
from tests.support.jobs import BUG, POINT
from tests.support.mirror_process import PAUSE_S, POINTS, SIGNAL, Site
from tests.support.mirrors import digests
from tests.support.proxy import CLEAN, PIECE_BYTES, End, Proxy, Toxic, bad_link
from tests.support.servers import InfluxServer, running_influx
from tests.support.waiting import until

pytestmark = pytest.mark.timeout(400)

DAY_NS = parse_duration("1d", "day")
FIELDS, SLICES = 5, 31
LANES, KILLS = 4, 25
"""So many processes at a time, each killed so often: a hundred in all."""
UNNOTICED_S = 60.0


@pytest.fixture(scope="module")
def target() -> Iterator[InfluxServer]:
    """A second InfluxDB, which may be frozen."""
    with running_influx() as started:
        yield started


@pytest.fixture
def site(influx: InfluxServer, target: InfluxServer, tmp_path: Path) -> Site:
    return filled(Site(tmp_path, influx, target))


def filled(site: Site) -> Site:
    """20,000 values: 10 series of all five types over 30 days until now, at odd nanoseconds.

    Those are parts of 31 days whatever the hour."""
    chance, now_ns = random.Random(1), time.time_ns()
    hourly = [now_ns - 30 * DAY_NS + place * 30 * DAY_NS // 399 for place in range(400)]
    times = [time_ns + chance.randrange(10**9) for time_ns in hourly]
    site.source.write(
        site.bucket, "".join(line(place, host, time_ns) for place, time_ns in enumerate(times) for host in range(10))
    )
    return site


def line(number: int, host: int, time_ns: int) -> str:
    return f'm,host={host} f={number / 3},i={number}i,u={number}u,b={number % 2 == 0},s="text {number}" {time_ns}\n'


@contextmanager
def late_points(site: Site, seed: int) -> Iterator[Counter[str]]:
    """Meanwhile points come in at the source. Their number is under `points`.

    They are late ones, old ones into what is copied already, and future ones."""
    written, done = Counter[str](), threading.Event()
    writing = threading.Thread(target=_write, args=(site, random.Random(seed), written, done), name="late points")
    writing.start()
    try:
        yield written
    finally:
        done.set()
        writing.join(30)


def _write(site: Site, chance: random.Random, written: Counter[str], done: threading.Event) -> None:
    with site.source.http() as http:
        while not done.wait(0.2):
            now_ns = time.time_ns()
            times = now_ns - chance.randrange(60 * 10**9), now_ns - 26 * DAY_NS, now_ns + DAY_NS
            lines = [
                line(written["points"] + place, chance.randrange(10), time_ns) for place, time_ns in enumerate(times)
            ]
            http.post("/api/v2/write", params={"bucket": site.bucket}, content="".join(lines)).raise_for_status()
            written["points"] += len(lines)


def run_over_everything(site: Site) -> Job:
    """The end of a run that counted all slices: one does so when the last that did is a second ago."""
    while True:
        job = site.run()
        if job.result is None or job.result["pairs"][0]["compared"] >= SLICES:
            return job


def must_be_exact(site: Site, values: int, **environment: str) -> None:
    """A last run over everything ends with both buckets equal, one more copies nothing, and no job is left over.

    Raises AssertionError."""
    with site.process(**environment):
        last, again = run_over_everything(site), run_over_everything(site)
    here, there = (digests(store, site.bucket) for store in site.stores())
    lost = sum(max(one.count - (there[name].count if name in there else 0), 0) for name, one in here.items())
    added = sum(max(one.count - (here[name].count if name in here else 0), 0) for name, one in there.items())
    assert (lost, added) == (0, 0), f"{lost} values lost and {added} added"
    assert here == there, f"{sum(here[name] != there[name] for name in here)} series have other values or times"
    assert sum(one.count for one in here.values()) == values
    assert (last.state, last.result and last.result["state"]) == (JobState.SUCCEEDED, "equal")
    assert again.result is not None
    assert (again.result["pairs"][0]["copied_slices"], again.result["pairs"][0]["copied_points"]) == (0, 0)
    assert {job.state for job in site.jobs()} == {JobState.SUCCEEDED}


def kill_at_point(site: Site, point: str) -> None:
    """Run jobs until the process dies there."""
    with site.process(**{POINT: point, PAUSE_S: "0.03"}) as running:

        def died() -> bool:
            site.keep_busy()
            return running.ended_by() == signal.SIGKILL

        until(died, UNNOTICED_S)


def kill_at_random(site: Site, chance: random.Random) -> None:
    """Kill the process some time after it took up the job."""
    site.keep_busy()
    before = site.jobs()[0].fence
    with site.process(**{PAUSE_S: "0.03"}) as running:
        until(lambda: site.jobs()[0].fence > before, UNNOTICED_S)
        time.sleep(chance.uniform(0.0, 0.6))
        assert running.ended_by() is None
        running.kill()


def killed_over_and_over(site: Site, lane: int) -> int:
    """Half of the kills at random moments, half at named points; how many points came in meanwhile."""
    chance = random.Random(lane)
    with late_points(site, lane) as written:
        for number in range(KILLS):
            if number % 2:
                kill_at_random(site, chance)
            else:
                point = POINTS[(number // 2 + lane) % len(POINTS)]
                kill_at_point(site, f"{point}:{chance.randint(1, 1 if point in ('renewing', 'ending') else 3)}")
    return written["points"]


def test_a_hundred_kills_lose_nothing_and_add_nothing(
    influx: InfluxServer, target: InfluxServer, tmp_path: Path
) -> None:
    sites = [filled(Site(tmp_path / str(lane), influx, target)) for lane in range(LANES)]
    with ThreadPoolExecutor(LANES) as lanes:
        late = list(lanes.map(killed_over_and_over, sites, range(LANES)))
        list(lanes.map(lambda site, points: must_be_exact(site, 20_000 + FIELDS * points), sites, late))
    lines = [line.message for site in sites for job in site.jobs() for line in site.job_store.lines(job.id)]
    assert sum("did not renew its lease: queued" in one for one in lines) >= LANES * KILLS // 2
    assert min(late) > 50


def test_that_check_sees_a_ledger_that_is_written_before_the_points(site: Site) -> None:
    """What is killed after the note and before the write is lost, as later runs believe the note."""
    site.order()
    with site.process(**{BUG: "ledger first", POINT: "read:3"}) as running:
        until(running.ended_by, UNNOTICED_S)
    with pytest.raises(AssertionError, match=r"[1-9][0-9]* values lost and 0 added"):
        must_be_exact(site, 20_000, **{BUG: "ledger first"})


def test_that_check_sees_times_that_lost_their_nanoseconds(site: Site) -> None:
    with pytest.raises(AssertionError, match="50 series have other values or times"):
        must_be_exact(site, 20_000, **{BUG: "cut nanoseconds"})


class CountingLink(Proxy):
    """A link that counts the writes that go to the server."""

    writes = 0

    async def send_up(self, reader: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        counted = asyncio.StreamReader()
        passing = asyncio.ensure_future(super().send_up(counted, back))
        try:
            while piece := await reader.read(PIECE_BYTES):
                self.writes += piece.count(b"POST /api/v2/write")
                counted.feed_data(piece)
            counted.feed_eof()
            await passing
        finally:
            passing.cancel()


@contextmanager
def counting_link(port: int) -> Iterator[CountingLink]:
    link = CountingLink(port)
    try:
        yield link
    finally:
        link.close()


def writes_of_a_zombie(site: Site, point: str, bug: str = "") -> int:
    """A process freezes at `point`, another one ends its job; how often the first one writes once it is thawed."""
    frozen = {POINT: point, SIGNAL: str(int(signal.SIGSTOP)), PAUSE_S: "0.2", BUG: bug}
    job_id = site.order()
    with counting_link(site.target.server.port) as link, site.process(target_url=link.url, **frozen) as zombie:
        until(zombie.is_frozen, UNNOTICED_S)
        with site.process(**{BUG: bug}):
            until(lambda: site.job_store.show(job_id).state.ended, UNNOTICED_S)
        assert (site.job_store.show(job_id).state, site.job_store.show(job_id).fence) == (JobState.SUCCEEDED, 2)
        before = link.writes
        assert before > 0
        zombie.thaw()
        assert site.run().state is JobState.SUCCEEDED  # it has one slot: once it did this, the old run is over
        return link.writes - before


def test_a_process_frozen_for_longer_than_its_lease_writes_nothing_more(site: Site) -> None:
    assert writes_of_a_zombie(site, "rested:4") == 0
    must_be_exact(site, 20_000)


def test_a_process_frozen_on_its_way_into_a_write_does_no_more_than_that_one(site: Site) -> None:
    assert writes_of_a_zombie(site, "read:3") <= 1
    must_be_exact(site, 20_000)


def test_that_check_sees_a_process_that_looks_at_no_lease(site: Site) -> None:
    assert writes_of_a_zombie(site, "rested:4", bug="no fence") > 1


def bad_weather(chance: random.Random) -> Toxic:
    """What a link does next."""
    kinds = [
        Toxic(pass_bytes=chance.randrange(60_000), end=chance.choice(list(End))),
        Toxic(latency_s=chance.uniform(0.0, 0.1)),
        Toxic(refuse=True),
        CLEAN,
    ]
    return chance.choice(kinds)


def blow(here: Proxy, there: Proxy, site: Site, chance: random.Random) -> None:
    """Change both links again and again while runs go on, until both sides failed some of them."""
    for turn in range(200):
        here.become(bad_weather(chance))
        there.become(bad_weather(chance))
        site.keep_busy()
        time.sleep(chance.uniform(0.1, 0.5))
        if turn >= 20 and site.has_logged("The source (") and site.has_logged("The target ("):
            return
    raise AssertionError("the links did not hurt")


def test_links_that_cut_delay_hang_and_refuse_cost_time_only(site: Site) -> None:
    chance = random.Random(3)
    with (
        bad_link(site.source.server.port) as here,
        bad_link(site.target.server.port) as there,
        late_points(site, 3) as written,
        site.process(source_url=here.url, target_url=there.url, **{PAUSE_S: "0.03"}),
    ):
        blow(here, there, site, chance)
        here.become(CLEAN)
        there.become(CLEAN)
        until(lambda: not site.jobs(JobState.QUEUED, JobState.RUNNING), UNNOTICED_S)
    assert site.has_logged("Trying again in")
    must_be_exact(site, 20_000 + FIELDS * written["points"])


def test_a_target_that_is_silent_for_seconds_is_waited_for(site: Site) -> None:
    job_id = site.order()
    with counting_link(site.target.server.port) as link, site.process(target_url=link.url, **{PAUSE_S: "0.05"}):
        until(lambda: link.writes >= 2, UNNOTICED_S)
        site.target.server.freeze()
        try:
            until(lambda: site.has_logged("Trying again in"), UNNOTICED_S)
            time.sleep(2)
        finally:
            site.target.server.thaw()
        until(lambda: site.job_store.show(job_id).state.ended, UNNOTICED_S)
    assert site.job_store.show(job_id).state is JobState.SUCCEEDED
    must_be_exact(site, 20_000)


def test_a_target_that_is_down_for_longer_than_the_patience_of_a_run_is_tried_again(site: Site) -> None:
    job_id = site.order()
    with counting_link(site.target.server.port) as link, site.process(target_url=link.url, **{PAUSE_S: "0.05"}):
        until(lambda: link.writes >= 2, UNNOTICED_S)
        link.become(Toxic(pass_bytes=0, end=End.RESET, refuse=True))
        until(lambda: site.has_logged("It is tried again in"), UNNOTICED_S)
        link.become(CLEAN)
        until(lambda: site.job_store.show(job_id).state.ended, UNNOTICED_S)
    assert site.job_store.show(job_id).state is JobState.SUCCEEDED
    must_be_exact(site, 20_000)
