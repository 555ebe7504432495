"""One definition of a measurement, written through a gateway and directly, to the embedded store and to InfluxDB."""

import subprocess
import sys
from pathlib import Path

import pytest

from fluxgate_client import LineTarget, Measurement, NotFound, Rejected, UInt, Writer, connect, field, tag
from service.domain.schema import BucketSpec
from service.errors import StoreBusy, StoreTimeout, UnknownBucket
from service.transfer.store_target import StoreTarget
from service.writers import open_configured, open_embedded, open_influxdb
from tests.support.clock import Clock
from tests.support.gateways import IMPORTS, KEY, running_gateway
from tests.support.servers import InfluxServer
from tests.support.stores import Through, embedded_store

T = 1_767_225_600_000_000_001
BUCKET = "Writers 🏭"


class Climate(Measurement, name="climate"):
    room: str = tag()
    celsius: float | None = field(default=None)
    count: int | None = field(default=None)
    ticks: UInt | None = field(default=None)
    open: bool | None = field(default=None)
    note: str | None = field(default=None)


class Clash(Measurement, name="climate"):
    """Gives `count` another type than `Climate`."""

    room: str = tag()
    note: str = field()
    count: str = field()


GOOD = [
    Climate(room="a", celsius=21.5, count=-1, ticks=2**64 - 1, open=False, note="two\nlines", time=T),
    Climate(room="b, c", celsius=-0.0, time=T + 1),
]


def check_writer(target: LineTarget) -> None:
    """Good points are stored; of 1,500 with a type conflict among good ones each is named, whatever stands before."""
    with Writer(target, bucket=BUCKET, batch=4000) as writer:
        for point in GOOD:
            writer.write(point)
    assert (writer.written, writer.rejected) == (2, [])
    clashes = [Clash(room="a", note="line\nfeed", count="x", time=T + 10 + number) for number in range(1500)]
    good = [Climate(room="a", note="a\nb\nc", time=T + 5000 + number) for number in range(20)]
    with Writer(target, bucket=BUCKET, batch=4000) as writer:
        for point in [*good[:10], *clashes, *good[10:]]:
            writer.write(point)
    assert writer.written == 20
    assert [rejected.point for rejected in writer.rejected] == clashes
    assert {rejected.code for rejected in writer.rejected} == {"type_conflict"}


def test_directly_into_the_embedded_store(tmp_path: Path) -> None:
    with open_embedded(tmp_path) as target:
        with pytest.raises(UnknownBucket):
            target.write_lines(BUCKET, b"m f=1 1\n")
        target.store.create_bucket(BucketSpec(BUCKET))
        check_writer(target)


def test_directly_into_an_influxdb(influx: InfluxServer, monkeypatch: pytest.MonkeyPatch) -> None:
    with open_influxdb(influx.url, influx.token, influx.org) as target:
        target.store.create_bucket(BucketSpec(BUCKET))
        check_writer(target)
    for name, value in (("URL", influx.url), ("TOKEN", influx.token), ("ORG", influx.org)):
        monkeypatch.setenv(f"INFLUXDB_{name}", value)
    with open_configured() as target:
        assert target.store.name == "influx"


@pytest.mark.parametrize("kind", ["embedded", "influx"])
def test_through_a_gateway(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    settings = {}
    if kind == "influx":
        influx = request.getfixturevalue("influx")
        settings = {"INFLUXDB_URL": influx.url, "INFLUXDB_TOKEN": influx.token, "INFLUXDB_ORG": influx.org}
    with running_gateway(tmp_path, settings) as running, connect(running.url, KEY) as gateway:
        gateway.create_buckets({"name": BUCKET})
        check_writer(gateway)
        seen: list[Rejected] = []
        with (
            pytest.raises(NotFound, match="There is no bucket 'None'"),
            Writer(gateway, bucket="None", on_rejected=seen.append) as writer,
        ):
            writer.write(GOOD[0])
        assert (writer.waiting, seen) == ((GOOD[0],), [])


def test_a_busy_store_is_asked_again_for_a_while(tmp_path: Path) -> None:
    store = embedded_store(tmp_path / "store.duckdb")
    store.create_bucket(BucketSpec(BUCKET))
    clock, busy = Clock(0.0), [3]

    def write(*arguments: object) -> object:
        if busy[0]:
            busy[0] -= 1
            raise StoreBusy("The store asks to wait.", retry_after_s=20)
        return store.write(*arguments)  # type: ignore[arg-type]

    def sleep(seconds: float) -> None:
        clock.now += seconds

    through = Through(store, write=write, bucket=store.bucket)
    target = StoreTarget(through, patience_s=60.0, clock=clock, sleep=sleep)  # type: ignore[arg-type]
    with Writer(target, bucket=BUCKET) as writer:
        writer.write(GOOD[0])
    assert (writer.written, clock.now) == (1, 60.0)
    busy[0] = 100
    with pytest.raises(StoreTimeout, match="took no points within 60 s"), Writer(target, bucket=BUCKET) as writer:
        writer.write(GOOD[1])
    store.close()


PROGRAM = """
from fluxgate_client import Measurement, Writer, field
class Level(Measurement, name="level"):
    metres: float = field()
class Nowhere:
    def write_lines(self, bucket, lines): raise AssertionError
writer = Writer(Nowhere(), bucket="Lab")
writer.write(Level(metres=1.5))
"""


def test_a_program_that_ends_without_closing_its_writer_is_told() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], env={"PYTHONPATH": IMPORTS}, capture_output=True, text=True, timeout=60
    )
    assert "1 points of 'Lab' were never written. Use the writer as a context manager" in done.stderr
    assert done.returncode == 0


TYPED = """
import datetime as dt
from fluxgate_client import Measurement, UInt, Writer, connect, field, tag
class Climate(Measurement, name="climate"):
    room: str = tag()
    celsius: float = field()
    ticks: UInt | None = field(default=None)
good = Climate(room="a", celsius=21.5)
reveal_type(good.celsius)
reveal_type(good.ticks)
Climate(room="a", celsius=21.5, time=dt.datetime.now(dt.UTC))
Climate(room="a", celsius="warm")
Climate(room="a")
Climate("a", 21.5)
good.celsius = 2.0
with Writer(connect(), bucket="Lab") as writer:
    writer.write(good)
"""


def test_a_type_checker_knows_the_members(tmp_path: Path) -> None:
    (tmp_path / "typed.py").write_text(TYPED)
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--follow-imports=silent", "--cache-dir", str(tmp_path), "typed.py"],
        cwd=tmp_path, env={"MYPYPATH": f"{IMPORTS.split(':')[-1]}"}, capture_output=True, text=True, timeout=200,
    )  # fmt: skip
    found = [line.removeprefix("typed.py:") for line in done.stdout.splitlines() if line.startswith("typed.py")]
    revealed = [text.partition("Revealed type is ")[2].replace("builtins.", "") for text in found if "Revealed" in text]
    wrong = {int(text.split(":")[0]) for text in found if ": error: " in text}
    assert (revealed, wrong) == (['"float"', '"int | None"'], {12, 13, 14, 15}), done.stdout
