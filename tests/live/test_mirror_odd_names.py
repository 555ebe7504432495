"""A mirror of an InfluxDB that holds odd names: everything else is copied, and the odd one is named.

One odd series or bucket stopped a whole mirror, which was then tried for ever; or it was left out without a word.
"""

import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from service.domain.schema import BucketSpec
from service.domain.series import SeriesKey
from service.domain.timerange import EVER
from service.errors import FluxgateError, StoreFailed
from service.stores.influx.store import InfluxStore
from service.stores.protocol import Store
from tests.support.mirrors import A, B, KeptContext, Rig, side
from tests.support.rows import at, read, row
from tests.support.servers import InfluxServer
from tests.support.stores import Through, embedded_store

pytestmark = pytest.mark.live
NOON = at("2024-01-01T12:00:00Z")
WEEK = 7 * 86_400 * 10**9


@pytest.fixture
def target(tmp_path: Path) -> Iterator[Store]:
    opened = embedded_store(tmp_path / "target")
    yield opened
    opened.close()


@pytest.fixture
def rig(store: InfluxStore, target: Store, tmp_path: Path) -> Rig:
    return Rig(tmp_path, {A: store, B: target})


@pytest.fixture
def bucket(influx: InfluxServer, rig: Rig) -> str:
    name = f"odd {secrets.token_hex(4)}"
    influx.new_bucket(name)
    rig.configure(buckets=[name])
    return name


ODD = {
    "measurement": (b"m\xfc v=1", "m\\xfc", "the measurement m\\xfc"),
    "tag key": (b"m,k\xfc=1 v=1", "m", "the tag key k\\xfc of the measurement m"),
    "field": (b"m f\xfc=3", "m", "the field f\\xfc of the measurement m"),
    "tag value": (b"m,k=a\xfc v=1", "m", "in the measurement 'm'"),
    "text": (b'm v="a\xfc"', "m", "in the measurement 'm'"),
}


@pytest.mark.parametrize("kind", ODD)
def test_a_measurement_with_a_name_that_is_no_utf_8_is_left_out_and_named(
    influx: InfluxServer, rig: Rig, target: Store, bucket: str, kind: str
) -> None:
    """`verify` called both sides equal with one of two points copied."""
    line, measurement, reason = ODD[kind]
    influx.write(bucket, line + b" %d\nok v=1 %d\nz\xef\xbf\xbd v=2 %d\n" % (NOON, NOON, NOON))
    for again in (False, True):
        context = KeptContext()
        result = rig.run(context)
        (entry,) = result["pairs"][0]["left_out"]
        assert (result["state"], entry["measurement"], reason in entry["reason"]) == ("partial", measurement, True)
        assert ("error", True) in [(level, "PARTIAL" in line and reason in line) for level, line in context.lines]
        assert result["pairs"][0]["copied_points"] == (0 if again else 2)
    assert sorted(read(target, bucket, EVER)) == [row("ok", {}, "v", NOON, 1.0), row("z\ufffd", {}, "v", NOON, 2.0)]
    verified = rig.run(verify=True)
    assert (verified["equal"], verified["pairs"][0]["left_out"]) == (False, [entry])
    assert verified["pairs"][0]["points"] == 2
    dry = rig.run(dry_run=True)
    if kind == "text":  # counts read no text
        assert dry["state"] == "different"
    else:
        assert (dry["state"], dry["pairs"][0]["left_out"]) == ("partial", [entry])


def test_a_line_feed_in_a_tag_beside_a_field_that_changed_its_type_keeps_nothing_else(
    influx: InfluxServer, rig: Rig, target: Store, bucket: str
) -> None:
    """Nothing was copied, and `verify` did not answer."""
    plain = "".join(f"m,nl=h{number:04} v={number},w=1 {NOON}\n" for number in range(1000))
    influx.write(bucket, f"{plain}m,nl=z\\\nb v=1,w=1 {NOON}\nm,nl=y v=2i {NOON + 5 * WEEK}\nok v=1 {NOON}\n")
    result = rig.run()
    assert (result["state"], result["pairs"][0]["rejected"]) == ("partial", 2)
    assert len(read(target, bucket, EVER)) == 2002
    assert rig.run(verify=True)["equal"] is False


@pytest.mark.parametrize("line", ["m\0x,k=v f=1", "m,k\0x=v f=1", "m,k=v\0x f=1", "m,k=v f\0x=1", "m,k=a\rb f=1"])
def test_a_control_character_in_a_name_is_copied(
    influx: InfluxServer, rig: Rig, store: InfluxStore, target: Store, bucket: str, line: str
) -> None:
    influx.write(bucket, f"{line} {NOON}\nok f=2 {NOON}\n")
    rig.run()
    copied = read(target, bucket, EVER)
    assert row("ok", {}, "f", NOON, 2.0) in copied
    assert rig.run(verify=True)["equal"] is (copied == read(store, bucket, EVER))


def test_buckets_that_cannot_be_read_keep_no_other_from_being_copied_and_are_not_tried_for_ever(
    influx: InfluxServer, rig: Rig, target: Store
) -> None:
    influx.drop_buckets()
    for name in ("/lead", "db", "db/autogen", "tr/", "zzz"):
        influx.write(name, f"m v=1 {NOON}\n")
    rig.configure(buckets="all")
    context = KeptContext()
    with pytest.raises(FluxgateError) as failed:
        rig.run(context)
    assert failed.value.retryable is False
    assert [read(target, name, EVER) for name in ("db", "zzz")] == [[row("m", {}, "v", NOON, 1.0)]] * 2
    named = [line for level, line in context.lines if level == "error"]
    assert [
        any(f"{name}: " in line or f"'{name}'" in line for line in named) for name in ("/lead", "db/autogen", "tr/")
    ] == [True] * 3
    rig.configure(buckets=["db", {"source": "db/autogen", "target": "zzz"}])
    verified = rig.run(verify=True)
    assert [pair["equal"] for pair in verified["pairs"]] == [True, False]
    assert "mapping" in verified["pairs"][1]["error"] or "Rename" in verified["pairs"][1]["error"]


@pytest.mark.parametrize("parameters", [{}, {"verify": True}])
def test_a_pair_that_fails_keeps_no_other_and_is_tried_again(
    influx: InfluxServer, rig: Rig, store: InfluxStore, target: Store, parameters: dict[str, bool]
) -> None:
    first, second = (influx.new_bucket(f"pair {secrets.token_hex(4)} {number}") for number in (1, 2))
    influx.write(second, f"m v=1 {NOON}\n")

    def schema(name: str) -> object:
        if name == first:
            raise StoreFailed("InfluxDB answered an error.")
        return store.schema(name)

    rig.stores[A] = Through(store, schema=schema)  # type: ignore[assignment]
    rig.configure(buckets=[first, second], source=side(A))
    context = KeptContext()
    if parameters:
        rig.run(bucket=second)
        target.create_bucket(BucketSpec(first))
    with pytest.raises(StoreFailed, match="answered an error"):
        rig.run(context, **parameters)
    assert any(second in line for level, line in context.lines if level == "info")


def test_deletes_are_followed_beside_a_measurement_that_is_left_out(
    influx: InfluxServer, rig: Rig, store: InfluxStore, target: Store, bucket: str
) -> None:
    rig.configure(buckets=[bucket], follow_deletes=True)
    influx.write(bucket, b"m,k=a\xfc v=1 %d\nok v=1 %d\nok v=2 %d\n" % (NOON, NOON, NOON + 1))
    rig.run()
    store.delete_points(bucket, SeriesKey("ok"), EVER)
    influx.write(bucket, f"ok v=1 {NOON}\n")
    result = rig.run()
    assert result["pairs"][0]["deleted"] == 1
    assert read(target, bucket, EVER) == [row("ok", {}, "v", NOON, 1.0)]
