"""A point that was given to a writer is written, rejected with its reason, or still waiting; none vanishes."""

import gc
import threading
import warnings

import pytest

from fluxgate_client import (
    GatewayUnreachable,
    InvalidRequest,
    LinesOutcome,
    Measurement,
    RefusedLine,
    Rejected,
    UnwrittenPoints,
    Writer,
    WriterFull,
    field,
    tag,
)
from fluxgate_client.errors import TooLarge
from tests.support.clock import Clock
from tests.support.waiting import until


class Reading(Measurement, name="reading"):
    sensor: str = tag()
    value: int = field()


class Target:
    """Keeps the lines of each request. Values below zero are refused; `names` of them by line. It may be away."""

    def __init__(self, names: int = 1000, most_lines: int = 10**9) -> None:
        self.requests: list[list[str]] = []
        self.stored: set[str] = set()
        self.away = False
        self._names, self._most_lines = names, most_lines

    def write_lines(self, bucket: str, lines: bytes) -> LinesOutcome:
        if self.away:
            raise GatewayUnreachable("There is no gateway.")
        texts = lines.decode().splitlines()
        if len(texts) > self._most_lines:
            raise TooLarge(413, {"detail": "Too many lines."})
        self.requests.append(texts)
        bad = [number for number, text in enumerate(texts, 1) if "value=-" in text]
        self.stored |= {text for text in texts if "value=-" not in text}
        refused = [RefusedLine(number, "refused", f"line {number} is below zero") for number in bad[: self._names]]
        return LinesOutcome(refused, len(bad) - len(refused))


def readings(*values: int) -> list[Reading]:
    return [Reading(sensor="s", value=value, time=number) for number, value in enumerate(values)]


def test_points_go_out_in_batches_and_the_rest_at_the_end() -> None:
    target = Target()
    with Writer(target, bucket="Lab", batch=2) as writer:
        for point in readings(1, 2, 3, 4, 5):
            writer.write(point)
        assert [len(request) for request in target.requests] == [2, 2]
        assert writer.waiting == tuple(readings(1, 2, 3, 4, 5)[4:])
    assert [len(request) for request in target.requests] == [2, 2, 1]
    assert (writer.written, writer.rejected_count, writer.waiting) == (5, 0, ())


def test_each_rejected_point_is_given_back_with_its_reason() -> None:
    seen: list[Rejected] = []
    points = readings(1, -2, 3, -4)
    with Writer(Target(), bucket="Lab", batch=3, on_rejected=seen.append, most_rejected=1) as writer:
        for point in points:
            writer.write(point)
    assert seen == [Rejected(points[1], "refused", "line 2 is below zero"),
                    Rejected(points[3], "refused", "line 1 is below zero")]  # fmt: skip
    assert writer.rejected == seen[:1]
    assert (writer.written, writer.rejected_count) == (2, 2)


def test_rejected_points_beyond_those_that_an_answer_names_are_found_all_the_same() -> None:
    target, points = Target(names=2), readings(*range(-10, 10))
    with Writer(target, bucket="Lab", batch=20) as writer:
        for point in points:
            writer.write(point)
    assert sorted(rejected.point.time_ns for rejected in writer.rejected) == list(range(10))
    assert (writer.written, writer.rejected_count, len(target.stored)) == (10, 10, 10)


def test_what_takes_rejected_points_may_write_others() -> None:
    target, clock = Target(), Clock(0.0)
    with Writer(target, bucket="Lab", batch=2, clock=clock, on_rejected=lambda rejected: mend(rejected)) as writer:

        def mend(rejected: Rejected) -> None:
            for time_ns in (rejected.point.time_ns, rejected.point.time_ns + 10):
                writer.write(Reading(sensor="mended", value=0, time=time_ns))

        for point in readings(-1, -2):
            writer.write(point)
    assert (writer.written, writer.rejected_count, len(target.stored)) == (4, 2, 4)


def test_a_request_that_is_too_large_is_parted_and_a_point_that_is_too_large_rejected() -> None:
    target = Target(most_lines=3)
    with Writer(target, bucket="Lab", batch=10) as writer:
        for point in readings(*range(10)):
            writer.write(point)
    assert (writer.written, len(target.stored)) == (10, 10)
    with Writer(Target(most_lines=0), bucket="Lab") as writer:
        writer.write(readings(1)[0])
    assert [(rejected.code, rejected.reason) for rejected in writer.rejected] == [("error", "Too many lines.")]


def test_what_could_not_be_written_waits_and_is_tried_again() -> None:
    target, clock = Target(), Clock(0.0)
    writer = Writer(target, bucket="Lab", batch=2, max_age_s=10.0, clock=clock)
    points = readings(1, 2, 3, 4)
    target.away = True
    writer.write(points[0])
    with pytest.raises(GatewayUnreachable):
        writer.write(points[1])
    writer.write(points[2])  # the next try is due in ten seconds, so this one only waits
    assert writer.waiting == tuple(points[:3])
    target.away = False
    clock.now += 10.0
    writer.write(points[3])
    assert (writer.waiting, writer.written, len(target.stored)) == ((), 4, 4)
    writer.close()


def test_a_full_writer_takes_no_more_and_says_so() -> None:
    target = Target()
    target.away = True
    writer = Writer(target, bucket="Lab", batch=2, most_waiting=2)
    points = readings(1, 2, 3)
    writer.write(points[0])
    with pytest.raises(GatewayUnreachable):
        writer.write(points[1])
    with pytest.raises(WriterFull, match="2 points of 'Lab' wait"):
        writer.write(points[2])
    assert writer.waiting == tuple(points[:2])
    target.away = False
    writer.close()
    assert len(target.stored) == 2


def test_an_old_point_is_written_without_another_one() -> None:
    target = Target()
    writer = Writer(target, bucket="Lab", max_age_s=0.05)
    writer.write(readings(1)[0])
    until(lambda: len(target.stored) == 1)
    writer.close()


def test_the_end_of_a_block_raises_when_points_could_not_be_written() -> None:
    target = Target()
    writer = Writer(target, bucket="Lab")

    def use() -> None:
        with writer:
            writer.write(readings(1)[0])
            target.away = True

    with pytest.raises(GatewayUnreachable) as failed:
        use()
    assert failed.value.__notes__ == ["1 points of 'Lab' were not written."]
    assert len(writer.waiting) == 1
    target.away = False
    writer.close()
    assert len(target.stored) == 1


def test_points_that_the_end_of_a_block_raised_about_are_not_warned_of_again() -> None:
    target = Target()

    def use() -> None:
        with Writer(target, bucket="Lab") as writer:
            writer.write(readings(1)[0])
            target.away = True

    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        with pytest.raises(GatewayUnreachable):
            use()
        gc.collect()
    assert [entry for entry in warned if entry.category is UnwrittenPoints] == []


def test_an_error_of_the_block_is_not_hidden_and_what_came_before_it_is_written() -> None:
    target = Target()

    def use() -> None:
        with Writer(target, bucket="Lab") as writer:
            writer.write(readings(1)[0])
            raise ValueError("the sensor broke")

    with pytest.raises(ValueError, match="the sensor broke"):
        use()
    assert len(target.stored) == 1
    target.away = True
    with pytest.raises(ValueError, match="the sensor broke"), pytest.warns(UnwrittenPoints, match="1 points of 'Lab'"):
        use()


def test_a_writer_that_is_forgotten_warns_of_its_points() -> None:
    writer = Writer(Target(), bucket="Lab")
    writer.write(readings(1)[0])
    with pytest.warns(UnwrittenPoints, match="1 points of 'Lab' were never written. Use the writer as a context"):
        del writer
        until(lambda: gc.collect() >= 0 and not [t for t in threading.enumerate() if t.name == "point-writer"])


def test_a_closed_writer_warns_of_nothing_and_takes_nothing() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        writer = Writer(Target(), bucket="Lab")
        writer.write(readings(1)[0])
        writer.close()
        with pytest.raises(InvalidRequest, match="is closed"):
            writer.write(readings(1)[0])
        del writer
        gc.collect()


def test_threads_write_together_and_every_point_arrives_once() -> None:
    target = Target()
    with Writer(target, bucket="Lab", batch=7) as writer:

        def work(sensor: str) -> None:
            for number in range(200):
                writer.write(Reading(sensor=sensor, value=number, time=number))

        threads = [threading.Thread(target=work, args=(f"s{number}",)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert (writer.written, len(target.stored), sum(map(len, target.requests))) == (800, 800, 800)


def test_something_else_than_a_point_and_a_batch_of_nothing_are_refused() -> None:
    with Writer(Target(), bucket="Lab") as writer, pytest.raises(InvalidRequest, match="is no Measurement"):
        writer.write({"value": 1})  # type: ignore[arg-type]
    with pytest.raises(InvalidRequest, match="batch=0"):
        Writer(Target(), bucket="Lab", batch=0)
