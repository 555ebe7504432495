"""Listeners of telemetry share look-ups, are counted, and are told what failed."""

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import anyio
import orjson
import pytest

from service.api.telemetry_listeners import Listener, Topic
from service.api.telemetry_topics import LookupResult, StreamLimits, TelemetryTopics, failure_pause_s
from service.cache.cancel_token import CancelToken
from service.domain.access import Principal, Scope
from service.errors import StoreUnavailable, TooManyListeners
from service.reads.telemetry import LatestQuestion
from service.reads.telemetry_changes import Snapshot
from tests.support.telemetry_client import Event, events_of

pytestmark = pytest.mark.anyio
QUESTION = LatestQuestion((), (), 30)
LIMITS = StreamLimits(interval_s=0.02, listeners=6, listeners_per_key=3, questions=4, document_bytes=1000)


def reader(name: str = "k", *buckets: str) -> Principal:
    return Principal(name, name, frozenset({Scope.READ}), frozenset(buckets) or None)


class Answers:
    """The look-ups: each question is answered with the values that the test sets, and counted."""

    def __init__(self) -> None:
        self.values: dict[str, object] = {"a": 1.0}
        self.failure: Exception | None = None
        self.asked: Counter[LatestQuestion] = Counter()
        self.readers: list[Principal] = []
        self.age_s = 0.0

    async def look(self, last: Snapshot, principal: Principal, forced: bool, token: CancelToken) -> LookupResult:
        self.asked[last.question] += 1
        self.readers.append(principal)
        if self.failure is not None:
            raise self.failure
        document = orjson.dumps({"ts": self.asked.total(), "values": self.values})
        return LookupResult(last.followed_by(document, 0, forced), b"{}", self.age_s)


@pytest.fixture
def answers() -> Answers:
    return Answers()


async def until(is_true: Callable[[], object]) -> None:
    with anyio.fail_after(10):
        while not is_true():
            await anyio.sleep(0.002)


async def told(listener: Listener) -> list[Event]:
    """The next events of a listener: all that are due when some are."""
    events: list[Event] = []

    def is_told() -> bool:
        events.extend(events_of(b"".join(listener.due()).decode().split("\n")))
        return bool(events)

    await until(is_told)
    return events


def leave_all(topics: TelemetryTopics, *listeners: Listener) -> None:
    for listener in listeners:
        topics.leave(listener)


async def test_all_who_ask_the_same_share_each_look(answers: Answers) -> None:
    topics = TelemetryTopics(answers.look, replace(LIMITS, listeners=60, listeners_per_key=50))
    listeners = [topics.join(QUESTION, reader(), None) for _ in range(50)]
    for listener in listeners:
        assert [(event.name, event.data["values"]) for event in await told(listener)] == [("state", {"a": 1.0})]
    rounds = answers.asked.total()
    answers.values = {"a": 2.0}
    for listener in listeners:
        assert [(event.name, event.data["values"]) for event in await told(listener)] == [("change", {"a": 2.0})]
    assert topics.listeners == 50
    assert answers.asked.total() - rounds < 50
    leave_all(topics, *listeners)


async def test_keys_with_other_rights_share_nothing(answers: Answers) -> None:
    topics = TelemetryTopics(answers.look, LIMITS)
    listeners = [topics.join(QUESTION, reader(*names), None) for names in (("a",), ("b",), ("c", "x"), ("d", "y"))]
    await until(lambda: len(answers.readers) >= 3)
    rights = {principal.buckets for principal in answers.readers}
    assert rights == {None, frozenset({"x"}), frozenset({"y"})}
    assert listeners[0].topic is listeners[1].topic
    assert len({listener.topic for listener in listeners}) == 3
    leave_all(topics, *listeners)


async def test_nobody_looks_when_nobody_listens(answers: Answers) -> None:
    topics = TelemetryTopics(answers.look, LIMITS)
    listener = topics.join(QUESTION, reader(), None)
    await told(listener)
    topics.leave(listener)
    await anyio.sleep(0.01)
    rounds = answers.asked.total()
    await anyio.sleep(5 * LIMITS.interval_s)
    assert (answers.asked.total(), topics.listeners) == (rounds, 0)


async def test_the_last_to_leave_ends_the_look_that_is_under_way() -> None:
    tokens: list[CancelToken] = []

    async def look(last: Snapshot, principal: Principal, forced: bool, token: CancelToken) -> LookupResult:
        tokens.append(token)
        await until(lambda: token.cancelled)
        raise StoreUnavailable("cancelled")

    topics = TelemetryTopics(look, LIMITS)
    first, second = (topics.join(QUESTION, reader(), None) for _ in range(2))
    await until(lambda: tokens)
    topics.leave(first)
    await anyio.sleep(0.02)
    assert not tokens[0].cancelled
    topics.leave(second)
    third = topics.join(QUESTION, reader(), None)
    await until(lambda: len(tokens) == 2)
    assert tokens[0].cancelled
    assert third.due() == [], "the end of a look that nobody waited for is no failure"
    topics.leave(third)


async def test_who_comes_back_is_sent_what_changed_since(answers: Answers) -> None:
    topics = TelemetryTopics(answers.look, LIMITS)
    first = topics.join(QUESTION, reader(), None)
    answers.values = {"a": 1.0, "b": 5.0}
    [state] = await told(first)
    topics.leave(first)
    answers.values = {"a": 2.0, "b": 5.0}
    second = topics.join(QUESTION, reader(), state.id)
    change = (await told(second))[0]
    assert (change.name, change.data["values"]) == ("change", {"a": 2.0})
    for unknown in ("nonsense", "00000000.1", f"{state.id[:9]}99", None):
        other = topics.join(QUESTION, reader("other"), unknown)
        assert (await told(other))[0].name == "state", unknown
        topics.leave(other)
    topics.leave(second)


async def test_who_comes_to_an_idle_topic_is_not_sent_what_was_true_once(answers: Answers) -> None:
    topics = TelemetryTopics(answers.look, LIMITS)
    first = topics.join(QUESTION, reader(), None)
    await told(first)
    topics.leave(first)
    answers.values = {"a": 7.0}
    second = topics.join(QUESTION, reader(), None)
    assert second.due() == []
    assert [event.data["values"] for event in await told(second)] == [{"a": 7.0}]
    topics.leave(second)


async def test_a_failure_is_told_and_the_end_of_it_too(answers: Answers) -> None:
    outcomes: list[str] = []
    topics = TelemetryTopics(answers.look, LIMITS, outcomes.append, chance=lambda: 0.0)
    listener = topics.join(QUESTION, reader(), None)
    await told(listener)
    answers.failure = StoreUnavailable("The store is away.", upstream="secret words of InfluxDB")
    [problem] = await told(listener)
    assert (problem.name, problem.id, problem.data["code"], problem.data["retry_in_s"]) == (
        "problem",
        "",
        "store_unavailable",
        1.0,
    )
    assert problem.data["detail"].startswith("The store is away.")
    assert "secret" not in json.dumps(problem.data)
    late = topics.join(QUESTION, reader("late"), None)
    assert [event.name for event in await told(late)] == ["problem"], "a stale state is not sent"
    answers.failure = None
    for each, name in ((listener, "change"), (late, "state")):
        [event] = await told(each)
        assert (event.name, event.data["values"]) == (name, {} if name == "change" else {"a": 1.0})
    assert set(outcomes) == {"answered", "failed"}
    leave_all(topics, listener, late)


async def test_an_admin_is_shown_the_words_of_the_store(answers: Answers) -> None:
    answers.failure = StoreUnavailable("The store is away.", upstream="words of InfluxDB")
    topics = TelemetryTopics(answers.look, LIMITS)
    listener = topics.join(QUESTION, Principal("k", "k", frozenset(Scope)), None)
    assert (await told(listener))[0].data["upstream"] == "words of InfluxDB"
    topics.leave(listener)


async def test_a_defect_is_told_without_its_text_and_the_next_look_may_work(answers: Answers) -> None:
    answers.failure = RuntimeError("inner words")
    topics = TelemetryTopics(answers.look, LIMITS, chance=lambda: 0.0)
    listener = topics.join(QUESTION, reader(), None)
    [problem] = await told(listener)
    assert (problem.name, "inner words" in problem.data["detail"]) == ("problem", False)
    answers.failure = None
    assert [event.name for event in await told(listener)] == ["state"]
    topics.leave(listener)


async def test_a_newcomer_does_not_wait_for_the_end_of_a_long_pause(answers: Answers) -> None:
    answers.failure = StoreUnavailable("away")
    topics = TelemetryTopics(answers.look, LIMITS, chance=lambda: 0.999)
    first = topics.join(QUESTION, reader(), None)
    [problem] = await told(first)
    assert problem.data["retry_in_s"] == 2.0
    topics.leave(first)
    answers.failure = None
    second = topics.join(QUESTION, reader(), None)
    with anyio.fail_after(1.5):
        assert [event.name for event in await told(second)] == ["state"]
    topics.leave(second)


def test_pauses_grow_while_the_store_fails_and_have_an_end() -> None:
    assert [failure_pause_s(failures, 1.0, 0.0) for failures in range(1, 8)] == [1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0]
    assert failure_pause_s(1, 60.0, 0.0) == 60.0, "never shorter than the usual pause"


async def test_streams_are_counted_in_all_and_per_key(answers: Answers) -> None:
    topics = TelemetryTopics(answers.look, LIMITS)
    listeners = [topics.join(QUESTION, reader("a"), None) for _ in range(3)]
    with pytest.raises(TooManyListeners, match="This key has 3 open streams"):
        topics.join(QUESTION, reader("a"), None)
    listeners += [topics.join(QUESTION, reader("b"), None) for _ in range(3)]
    with pytest.raises(TooManyListeners, match="All 6 streams"):
        topics.join(QUESTION, reader("c"), None)
    topics.leave(listeners.pop())
    listeners.append(topics.join(QUESTION, reader("c"), None))
    leave_all(topics, *listeners)
    assert topics.listeners == 0


async def test_questions_are_counted_in_all_and_per_key(answers: Answers) -> None:
    topics = TelemetryTopics(answers.look, LIMITS)
    questions = [replace(QUESTION, lookback_ns=number) for number in range(1, 7)]
    listeners = [topics.join(question, reader("a"), None) for question in questions[:2]]
    with pytest.raises(TooManyListeners, match="listens to 2 different questions"):
        topics.join(questions[2], reader("a"), None)
    listeners.append(topics.join(questions[0], reader("a"), None))
    listeners += [topics.join(question, reader("b"), None) for question in questions[2:4]]
    with pytest.raises(TooManyListeners, match="ask 4 different questions"):
        topics.join(questions[4], reader("c"), None)
    assert topics.listeners == 5, "who is refused is not counted"
    topics.leave(listeners.pop())
    listeners.append(topics.join(questions[4], reader("c"), None))
    leave_all(topics, *listeners)


async def test_a_slow_listener_gets_the_newest_values_and_nothing_is_queued(answers: Answers) -> None:
    topics = TelemetryTopics(answers.look, LIMITS)
    slow, quick = (topics.join(QUESTION, reader(), None) for _ in range(2))
    await told(slow)
    await told(quick)
    for number in range(2, 6):
        answers.values = {"a": float(number), "b": 1.0}
        await told(quick)
    events = await told(slow)
    assert [(event.name, event.data["values"]) for event in events] == [("change", {"a": 5.0, "b": 1.0})]
    leave_all(topics, slow, quick)


async def test_the_age_of_a_kept_answer_counts_as_time_since_the_look(answers: Answers) -> None:
    answers.age_s = 99.0
    topics = TelemetryTopics(answers.look, replace(LIMITS, interval_s=5.0))
    listener = topics.join(QUESTION, reader(), None)
    await until(lambda: answers.asked.total() >= 2)
    topics.leave(listener)


def test_listeners_at_many_different_places_are_sent_everything_once_changes_cost_too_much() -> None:
    values, count = {str(number): 0.0 for number in range(10_000)}, 40
    topic = Topic(Snapshot(QUESTION), reader())
    for number in range(1, count + 1):
        document = orjson.dumps({"ts": number, "values": {"m": {**values, "a": number}}})
        topic.answered(topic.snapshot.followed_by(document, 0), b"{}")
    events = [topic.values_since(number) for number in range(1, count)]
    kinds = [event.split(b"\n", 1)[0] for event in events]
    assert kinds == [b"event: change"] * 9 + [b"event: state"] * 29 + [b"event: change"]
    assert len({id(event) for event in events[9:-1]}) == 1, "everything is made once for all of them"
    assert topic.values_since(10**16) is topic.values_since(0), "and so it is for ids that never were"
