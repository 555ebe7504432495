"""A look at a watch over an embedded store: nothing is lost, repeated or unbounded, whatever ends it."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from service.domain.job import Cancelled
from service.domain.schema import BucketSpec
from service.domain.series import SeriesKey
from service.errors import InvalidParameter, RetryLater, UpstreamUnavailable
from service.jobs.watch import runnable as watch_runnable
from service.jobs.watch.definitions import WatchTexts
from service.jobs.watch.runnable import WatchRunnable
from service.jobs.watch.watch_states import WatchState, WatchStates
from service.lineprotocol.parser import parse_lines
from service.state.database import StateDatabase
from service.stores.protocol import Store
from service.upstream.rules import DEFAULT_RULES
from tests.support.clock import Clock
from tests.support.mirrors import KeptContext
from tests.support.run_controls import ClockedControl
from tests.support.servers import free_port
from tests.support.stores import embedded_store
from tests.support.webhook import Webhook, webhook

NOW_S = 1_767_268_800.0
Job = Callable[..., dict[str, Any]]


class EndingContext(KeptContext):
    """A run of a job that takes no time, and can be ended at a check."""

    def __init__(self, ends_after: int | None = None) -> None:
        super().__init__()
        self.control = ClockedControl()
        self.control.ends_after = ends_after

    def check(self) -> None:
        self.control.check()

    def sleep(self, seconds: float) -> None:
        self.control.sleep(seconds)


@pytest.fixture
def hook() -> Iterator[Webhook]:
    with webhook() as received:
        yield received


@pytest.fixture
def states(tmp_path: Path) -> Iterator[WatchStates]:
    database = StateDatabase.in_directory(tmp_path / "state")
    database.migrate()
    yield WatchStates(database)
    database.close()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = embedded_store(tmp_path / "store.duckdb")
    opened.create_bucket(BucketSpec("b"))
    yield opened
    opened.close()


@pytest.fixture
def clock() -> Clock[float]:
    return Clock(NOW_S)


@pytest.fixture
def watching(store: Store, states: WatchStates, clock: Clock[float]) -> Callable[..., WatchRunnable]:
    """The job over one watch, `w`, of these members."""

    def make(**members: Any) -> WatchRunnable:
        section = WatchTexts.model_validate({"w": {"bucket": "b", "expect": "1m", **members}}).model_dump()
        return WatchRunnable(store, lambda: section, states, DEFAULT_RULES, clock)

    return make


def points(store: Store, ago_s: float, *series: str) -> None:
    lines = "\n".join(f"{name} v=1 {int((NOW_S - ago_s) * 1e9)}" for name in series)
    store.write("b", parse_lines(lines.encode(), "ns", 0).points)


def run(job: WatchRunnable, context: EndingContext | None = None) -> dict[str, Any]:
    return dict(job.run({"watch": "w"}, context or EndingContext()))


def test_a_process_that_dies_after_the_look_loses_no_notice_and_makes_none_twice(
    watching: Callable[..., WatchRunnable], store: Store, states: WatchStates, hook: Webhook
) -> None:
    job = watching(webhook={"url": hook.url})
    points(store, 90, "m,t=1", "m,t=2", "m,t=3")
    ended = 0
    for checks in range(20):
        try:
            run(job, EndingContext(ends_after=checks))
            break
        except Cancelled:
            ended += 1
    assert ended >= 2
    told = {notice["id"]: notice["series"]["tags"]["t"] for notice in hook.taken}  # the id tells a repeat of a post
    assert list(told.values()) == ["1", "2", "3"]
    assert (states.get("w").notices, len(states.get("w").silent)) == ((), 3)


def test_a_webhook_that_never_answers_ends_the_look_after_some_tries(
    watching: Callable[..., WatchRunnable], store: Store, states: WatchStates
) -> None:
    job, context = watching(webhook={"url": f"http://127.0.0.1:{free_port()}/secret-path"}), EndingContext()
    points(store, 90, "m")
    with pytest.raises(
        UpstreamUnavailable, match=r"3 times in a row\. What it did not take waits, and the next look posts it"
    ) as failed:
        run(job, context)
    assert "secret-path" not in failed.value.message
    assert len(context.control.sleeps) == 2
    assert (len(states.get("w").notices), states.get("w").error) == (1, failed.value.message)


def test_notices_that_wait_are_bounded_and_what_is_dropped_is_said(
    watching: Callable[..., WatchRunnable], store: Store, states: WatchStates, clock: Clock[float]
) -> None:
    most = watch_runnable.MOST_NOTICES
    job, context = watching(webhook={"url": f"http://127.0.0.1:{free_port()}"}), EndingContext()
    points(store, 90, *(f"m,t={number:05}" for number in range(most + 5)))
    with pytest.raises(UpstreamUnavailable):
        run(job, context)
    waiting = states.get("w").notices
    assert (len(waiting), waiting[0]["series"]["tags"]["t"]) == (most, "00005")
    assert ("error", "5 notices were dropped: the webhook takes none.") in context.lines
    assert len(states.get("w").silent) == most + 5


def test_too_many_series_are_refused_with_what_to_do(
    watching: Callable[..., WatchRunnable], store: Store, states: WatchStates
) -> None:
    points(store, 90, *(f"m,t={number}" for number in range(watch_runnable.MOST_SERIES + 1)))
    with pytest.raises(InvalidParameter, match="more than 5,000 series"):
        run(watching())
    assert "Name measurements or tags" in str(states.get("w").error)
    assert run(watching(tags={"t": ["7"]}))["series"] == 1


def test_series_with_names_that_fill_the_memory_are_refused(
    watching: Callable[..., WatchRunnable], store: Store, states: WatchStates
) -> None:
    points(store, 90, *(f"m,t={number}{'x' * 60_000}" for number in range(34)), "short")
    with pytest.raises(InvalidParameter, match="more than 2,000,000 letters"):
        run(watching())
    assert states.get("w").silent == {}
    assert run(watching(measurements=["short"]))["series"] == 1


def test_notices_with_long_names_are_bounded_too(
    watching: Callable[..., WatchRunnable], store: Store, states: WatchStates
) -> None:
    job, context = watching(webhook={"url": f"http://127.0.0.1:{free_port()}"}), EndingContext()
    states.replace("w", WatchState("b", notices=[{"id": "old", "series": {"measurement": "m" * 1_500_000}}]))
    points(store, 90, *(f"m,t={number}{'x' * 60_000}" for number in range(10)))
    with pytest.raises(UpstreamUnavailable):
        run(job, context)
    assert [notice["series"]["tags"]["t"][0] for notice in states.get("w").notices] == list("0123456789")
    assert ("error", "1 notices were dropped: the webhook takes none.") in context.lines


def test_a_slow_webhook_leaves_notices_to_the_next_look(
    store: Store, states: WatchStates, clock: Clock[float], hook: Webhook
) -> None:
    section = WatchTexts.model_validate({"w": {"bucket": "b", "expect": "1m", "webhook": {"url": hook.url}}})
    seconds = iter(range(0, 10_000, 25))
    job = WatchRunnable(store, section.model_dump, states, DEFAULT_RULES, clock, lambda: float(next(seconds)))
    points(store, 90, "a", "b", "c")
    context = EndingContext()
    assert run(job, context)["posted"] == 2
    assert ("warning", "The webhook takes notices slowly. Left to the next look: 1.") in context.lines
    assert run(job)["posted"] == 1
    assert [notice["series"]["measurement"] for notice in hook.taken] == ["a", "b", "c"]


def test_any_field_of_a_series_is_a_sign_of_life(watching: Callable[..., WatchRunnable], store: Store) -> None:
    now_ns = int(NOW_S * 1e9)
    lines = f"m a=1 {now_ns - 90 * 10**9}\nm b=1 {now_ns - 10**9}\nfuture x=1 {now_ns + 10**12}"
    store.write("b", parse_lines(lines.encode(), "ns", 0).points)
    assert run(watching()) == {"series": 1, "silent": 0, "changes": 0, "posted": 0}


def test_a_series_that_is_forgotten_is_no_longer_silent(
    watching: Callable[..., WatchRunnable], store: Store, clock: Clock[float]
) -> None:
    job = watching(known="1h")
    points(store, 90, "m")
    assert run(job)["silent"] == 1
    clock.now += 3600
    assert run(job) == {"series": 0, "silent": 0, "changes": 0, "posted": 0}


def test_another_bucket_is_another_watch(watching: Callable[..., WatchRunnable], store: Store, hook: Webhook) -> None:
    store.create_bucket(BucketSpec("c"))
    points(store, 90, "m")
    run(watching())
    store.write("c", parse_lines(f"m v=1 {int((NOW_S - 90) * 1e9)}".encode(), "ns", 0).points)
    assert run(watching(bucket="c", webhook={"url": hook.url}))["posted"] == 1


def test_a_look_that_another_one_overtook_changes_nothing(states: WatchStates) -> None:
    overtaken(states)


def test_states_come_back_as_they_were_stored_and_go_with_their_watch(states: WatchStates) -> None:
    stored_and_forgotten(states)


def overtaken(states: WatchStates) -> None:
    """What the test of this name promises, also of another database."""
    first = states.replace("w", WatchState(bucket="b", silent={SeriesKey("m", (("t", "1"),)): 5}))
    second = states.replace("w", WatchState(bucket="b", series=7, version=first.version))
    with pytest.raises(RetryLater, match="Another process"):
        states.replace("w", WatchState(bucket="b", series=9, version=first.version))
    assert states.get("w") == second
    with pytest.raises(RetryLater):
        states.replace("w", WatchState(bucket="b"))


def stored_and_forgotten(states: WatchStates) -> None:
    """What the test of states that come back promises, also of another database."""
    silent = {SeriesKey("m", (("a b", "ü,=\n"), ("t", ""))): 2**62, SeriesKey("n"): -5}
    stored = states.replace("w", WatchState("b", 12.5, "why", 3, silent, ({"id": "x"},)))
    states.failed("other", "away")
    assert states.all() == {"w": stored, "other": WatchState(error="away", version=1)}
    states.taken("w", "x")
    assert states.get("w").notices == ()
    states.keep_only(["other"])
    assert set(states.all()) == {"other"}
