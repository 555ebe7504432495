"""Values that an upstream refuses: kept once, counted, bounded, and sent again on request."""

from pathlib import Path
from typing import Any

import pytest

from service.errors import UpstreamStopped
from service.jobs.forward.dead_letter_table import DeadLetterTable, fingerprint
from service.jobs.forward.letter_frames import frame_of, frames_of
from service.upstream.protocol import Batch
from tests.support.forwarding import MINUTE_NS, NOON_NS, ForwardContext, ForwardRig, dead_letter, values_of


def refusing(rig: ForwardRig) -> ForwardRig:
    """Ten values of each of two sensors, of which one is refused."""
    rig.run()
    for sensor in ("good", "bad"):
        rig.source.fill(NOON_NS, NOON_NS + 10 * MINUTE_NS, sensor=sensor)
    rig.sink.refused = {"bad"}
    rig.at(10.6)
    return rig


def test_refused_values_are_kept_and_do_not_hold_up_the_bookmark(rig: ForwardRig) -> None:
    context = ForwardContext()
    result = refusing(rig).run(context)
    assert (result["accepted"], result["refused"], rig.bookmark()) == (10, 10, "12:10")
    assert context.lines[0] == (
        "warning",
        "2026-01-01T12:00:00Z: the upstream refused 5 values. They are dead letters now.",
    )
    totals = rig.letters.totals("c")
    assert (totals.count, totals.oldest_ns) == (10, NOON_NS)
    assert rig.bookmarks.get("c").counts.refused == 10
    first = rig.letters.page("c", 0, 1)[0].letter
    assert (first["tags"], first["value"], first["reason"]) == ({"sensor": "bad"}, "0.0", "It is not wanted.")


def test_a_value_that_is_refused_again_is_kept_once(rig: ForwardRig) -> None:
    refusing(rig).run()
    rig.run(start_time="2026-01-01T12:00:00Z", end_time="2026-01-01T12:10:00Z")
    assert rig.letters.totals("c").count == 10


def test_letters_of_connectors_are_apart(rig: ForwardRig) -> None:
    refusing(rig).run()
    assert rig.letters.totals("other").count == 0
    assert rig.letters.clear("other") == 0
    assert rig.letters.totals("c").count == 10


def test_a_connector_stops_where_there_is_no_room_and_drops_nothing(rig: ForwardRig, tmp_path: Path) -> None:
    full = DeadLetterTable(rig.state, rig.clock, 7)
    rig.letters = rig.bookmarks.letters = full
    with pytest.raises(UpstreamStopped, match=r"no room for more dead letters \(CONNECTOR_MAX_DEAD_LETTERS=7\)"):
        refusing(rig).run()
    assert (full.totals("c").count, rig.bookmark()) == (5, "12:05"), "the second window is not noted"
    assert rig.run()["state"] == "stopped"
    assert full.clear("c") == 5
    rig.bookmarks.resume("c")
    rig.run()
    assert (full.totals("c").count, rig.bookmark()) == (5, "12:10")


def test_a_replay_sends_letters_again_and_removes_what_is_accepted(rig: ForwardRig) -> None:
    refusing(rig).run()
    rig.sink.refused = set()
    result = rig.run(lane="replay")
    assert (result["removed"], result["left"], result["accepted"]) == (10, 0, 10)
    assert set(rig.sink.accepted) == rig.source.all()
    assert set(rig.sink.accepted.values()) == {1}
    assert rig.letters.totals("c").count == 0


def test_a_replay_keeps_what_is_refused_again(rig: ForwardRig) -> None:
    refusing(rig).run()
    result = rig.run(lane="replay")
    assert (result["removed"], result["left"]) == (0, 10)


def test_a_replay_that_is_killed_after_the_acceptance_sends_the_same_batch_again(rig: ForwardRig) -> None:
    refusing(rig).run()
    rig.sink.refused = set()
    batches: list[Batch] = []
    deliver = rig.sink.deliver

    def dying(batch: Batch, first_tried_s: float | None = None) -> Any:
        deliver(batch)
        batches.append(batch)
        raise KeyboardInterrupt

    rig.sink.deliver = dying  # type: ignore[method-assign]
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            rig.run(lane="replay")
    first, second = ([value for frame in batch.frames for value in values_of(frame)] for batch in batches)
    assert (first, batches[0].window) == (second, batches[1].window)
    assert rig.letters.totals("c").count == 10


@pytest.mark.parametrize(
    ("field_type", "text", "value"),
    [
        ("float", "-0.0", -0.0),
        ("float", "5e-324", 5e-324),
        ("integer", "-9223372036854775808", -(2**63)),
        ("unsigned", "18446744073709551615", 2**64 - 1),
        ("boolean", "True", True),
        ("string", "", ""),
        ("string", "a\nb", "a\nb"),
    ],
)
def test_a_letter_becomes_the_value_that_it_was(field_type: str, text: str, value: object) -> None:
    frame = frame_of({**dead_letter(("s", 1, 0.0)), "type": field_type, "value": text})
    assert frame is not None
    assert repr(frame.column(1)[0].as_py()) == repr(value)
    assert frame.column(0).cast("int64")[0].as_py() == 1


def test_letters_that_are_no_values_stay_where_they_are() -> None:
    assert frame_of({"line": "m v=1 1", "time_ns": 1, "code": "x", "reason": "y"}) is None
    assert frame_of({**dead_letter(("s", 1, 0.0)), "type": "float", "value": "none"}) is None


def test_letters_of_one_shape_become_one_frame() -> None:
    letters = [dead_letter((sensor, number, float(number))) for number in range(3) for sensor in "ab"]
    (frame,) = frames_of(letters)
    assert list(values_of(frame)) == [(sensor, number, float(number)) for number in range(3) for sensor in "ab"]


def test_the_reason_does_not_make_another_letter() -> None:
    letter = dead_letter(("s", 1, 2.0))
    assert fingerprint(letter) == fingerprint({**letter, "reason": "other", "code": "other"})
    assert fingerprint(letter) != fingerprint({**letter, "value": "3.0"})


def test_a_window_with_more_refused_values_than_there_is_room_for_is_not_sent_to_its_end(rig: ForwardRig) -> None:
    rig.run()
    rig.source.fill(NOON_NS, NOON_NS + 5 * MINUTE_NS, step_ns=MINUTE_NS // 1000, sensor="bad")
    rig.sink.refused = {"bad"}
    rig.at(5.6)
    with pytest.raises(UpstreamStopped, match=r"CONNECTOR_MAX_DEAD_LETTERS=1000"):
        rig.run()
    assert (len(rig.sink.batches), rig.letters.totals("c").count, rig.bookmark()) == (11, 0, "12:00")
