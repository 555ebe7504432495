"""The job `backup`: what it takes, takes over, calls complete, and leaves behind when something breaks."""

import gzip
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from service.archive.catalog import ListedState
from service.archive.checking import check_backup
from service.archive.manifest import BackupState
from service.domain.schema import BucketSpec
from service.domain.timerange import EARLIEST_NS, LATEST_NS
from service.errors import ArchiveUnavailable, InvalidParameter, StoreBroken, StoreUnavailable
from service.frames.frame import Reading
from service.jobs.backup.limits import WorkLimits
from service.jobs.backup.proofs import Judgement, Outcome
from service.jobs.backup.slice_progress import SliceProgress
from service.stores.embedded.store import EmbeddedStore
from tests.support.backups import NOW_S, BackupRig, values_of
from tests.support.embedded_stores import floats, points
from tests.support.mirrors import KeptContext
from tests.support.stores import Through

DAY_NS = 86_400_000_000_000
NOW_NS = int(NOW_S) * 1_000_000_000
FIRST_NS = NOW_NS - 40 * DAY_NS
"""The noon of the first day of the test's data."""


def fill(store: EmbeddedStore, bucket: str, days: int = 40, first_ns: int = FIRST_NS) -> None:
    """One point a day, of two fields."""
    store.create_bucket(BucketSpec(bucket, "about", 0))
    store.write(
        bucket, points("\n".join(f"m,host=a f={day}.5,i={day}i {first_ns + day * DAY_NS}" for day in range(days)))
    )


def files(rig: BackupRig, backup_id: str) -> dict[str, Path]:
    """The slice files that lie in the folder of a backup, by their day."""
    root = Path(rig.place.name) / backup_id
    return {path.name[:8]: path for path in root.rglob("*.lp.gz")}


def test_everything_is_taken_with_its_bucket_and_can_be_read_by_others(rig: BackupRig, store: EmbeddedStore) -> None:
    fill(store, "Power", days=2)
    store.create_bucket(BucketSpec("empty bucket", "", 0))
    result = rig.run()
    assert (result["state"], values_of(result)) == ("complete", {"Power": 4, "empty bucket": 0})
    manifest = rig.place.manifest(result["backup"])
    [empty, power] = sorted(manifest.buckets, key=lambda held: len(held.slices))
    assert (power.metadata.description, power.metadata.retention_ns, len(power.slices)) == ("about", 0, 2)
    assert empty.slices == ()
    assert manifest.server.startswith("embedded")
    [first, _] = files(rig, result["backup"]).values()
    assert gzip.decompress(first.read_bytes()) == f"m,host=a f=0.5,i=0i {FIRST_NS}\n".encode()
    assert list(check_backup(rig.place.destination, manifest)) == []


def test_a_second_backup_takes_over_what_did_not_change(rig: BackupRig, store: EmbeddedStore) -> None:
    fill(store, "Power")
    first = rig.run()
    store.write("Power", points(f"m,host=a late=1 {FIRST_NS + 5}"))
    second = rig.run()
    assert values_of(second) == {"Power": 81}
    before, after = files(rig, first["backup"]), files(rig, second["backup"])
    changed = {day for day in after if not after[day].samefile(before[day])}
    assert changed == {"20231122"}


def test_a_backup_of_fewer_buckets_between_two_breaks_no_chain(rig: BackupRig, store: EmbeddedStore) -> None:
    fill(store, "Power", days=3)
    fill(store, "Weather", days=3)
    first = rig.run()
    rig.run(buckets=["Weather"])
    rig.run(buckets=["not there"])
    rig.run(buckets=["Power"], start="2023-11-23T00:00:00Z")
    third = rig.run()
    before, after = files(rig, first["backup"]), files(rig, third["backup"])
    assert all(after[day].samefile(before[day]) for day in after)


def test_a_value_that_was_overwritten_is_found_the_next_day_when_it_is_young(
    rig: BackupRig, store: EmbeddedStore
) -> None:
    fill(store, "Power")
    rig.run()
    store.write("Power", points(f"m,host=a f=77 {FIRST_NS + 38 * DAY_NS}"))
    same_day = rig.run()
    rig.pass_days(1)
    next_day = rig.run()
    youngest = [_text(files(rig, backup["backup"])["20231230"]) for backup in (same_day, next_day)]
    assert youngest == ["m,host=a f=38.5,i=38i", "m,host=a f=77,i=38i"]


def test_a_value_that_was_overwritten_long_ago_is_found_within_thirty_days(
    rig: BackupRig, store: EmbeddedStore
) -> None:
    fill(store, "Power")
    rig.run()
    store.write("Power", points(f"m,host=a f=77 {FIRST_NS}"))
    texts = []
    for _ in range(30):
        rig.pass_days(1)
        texts.append(_text(files(rig, rig.run()["backup"])["20231122"]))
    assert "f=77," in texts[-1]


def test_every_value_is_compared_when_that_is_asked_for(rig: BackupRig, store: EmbeddedStore) -> None:
    fill(store, "Power")
    rig.run()
    store.write("Power", points(f"m,host=a f=77 {FIRST_NS}"))
    result = rig.run(compare_values=True)
    assert "f=77," in _text(files(rig, result["backup"])["20231122"])


def test_points_at_the_ends_of_time_and_in_the_future_are_taken(rig: BackupRig, store: EmbeddedStore) -> None:
    store.create_bucket(BucketSpec("W", "", 0))
    store.write("W", points("\n".join(f"m f=1 {at_ns}" for at_ns in (EARLIEST_NS, -1, NOW_NS + 9 * DAY_NS, LATEST_NS))))
    result = rig.run()
    assert (result["state"], values_of(result)) == ("complete", {"W": 4})


def test_a_range_is_taken_with_its_cut_edges(rig: BackupRig, store: EmbeddedStore) -> None:
    fill(store, "Power")
    result = rig.run(start="2023-11-23T11:59:59Z", stop="2023-11-25T12:00:00Z")
    assert values_of(result) == {"Power": 4}


def test_a_bucket_that_is_not_there_makes_the_backup_partial(rig: BackupRig, store: EmbeddedStore) -> None:
    fill(store, "Power", days=1)
    result = rig.run(buckets=["Power", "Powr"])
    assert (result["state"], values_of(result)) == ("partial", {"Power": 2})
    assert [(part["bucket"], part["reason"]) for part in result["missing"]] == [
        ("Powr", "there is no bucket of this name")
    ]
    assert [backup.state for backup in rig.place.listed()] == [ListedState.PARTIAL]


def test_what_line_protocol_cannot_hold_makes_the_backup_partial_and_is_named_each_time(
    rig: BackupRig, store: EmbeddedStore
) -> None:
    store.create_bucket(BucketSpec("W", "", 0))
    store.write("W", floats("line\nfeed", 2, [5]))
    store.write("W", points("m f=1 6"))
    for _ in range(2):
        result = rig.run()
        assert (result["state"], values_of(result)) == ("partial", {"W": 1})
        [part] = result["missing"]
        assert part["reason"].startswith(
            "2 values cannot be written as line protocol; the first: the measurement 'line\\nfeed'"
        )


def test_a_bucket_that_cannot_be_read_is_missing_and_the_others_are_taken(rig: BackupRig, store: EmbeddedStore) -> None:
    fill(store, "Power", days=1)
    fill(store, "Weather", days=1)

    class OddBucket(Through):
        def read(self, selection: Any) -> Reading:
            if selection.bucket == "Power":
                raise InvalidParameter("bucket", "The name leads elsewhere.")
            return store.read(selection)

    rig.store = OddBucket(store)  # type: ignore[assignment]
    result = rig.run()
    assert (result["state"], values_of(result)) == ("partial", {"Weather": 2})
    assert result["missing"] == [{"bucket": "Power", "range": None, "reason": "The name leads elsewhere."}]


def test_a_store_that_is_away_ends_the_run_and_the_next_one_goes_on(rig: BackupRig, store: EmbeddedStore) -> None:
    fill(store, "Power", days=6)
    reads: list[int] = []

    class Away(Through):
        def read(self, selection: Any) -> Reading:
            reads.append(selection.span.start_ns)
            if len(reads) > 3:
                raise StoreUnavailable("No connection.")
            return store.read(selection)

    rig.store = Away(store)  # type: ignore[assignment]
    rig.limits = WorkLimits(concurrency=1)
    broken = KeptContext()
    with pytest.raises(StoreUnavailable):
        rig.run(broken)
    assert [backup.state for backup in rig.place.listed()] == [ListedState.UNFINISHED]
    context = KeptContext()
    context.checkpoint = broken.saved[-1]
    first_reads, reads[:] = set(reads[:3]), []
    rig.store = Through(store, read=lambda selection: reads.append(selection.span.start_ns) or store.read(selection))  # type: ignore[assignment]
    result = rig.run(context)
    assert (result["state"], values_of(result)) == ("complete", {"Power": 12})
    assert not first_reads & set(reads)
    assert rig.started == 1


def test_a_run_that_was_killed_after_its_manifest_gives_the_same_result(rig: BackupRig, store: EmbeddedStore) -> None:
    fill(store, "Power", days=2)
    context = KeptContext()
    first = rig.run(context)
    again = KeptContext()
    again.checkpoint = context.saved[-1]
    assert rig.run(again) == first
    assert len(rig.place.listed()) == 1


def test_a_run_that_was_killed_after_its_manifest_notes_what_was_left_to_note(
    rig: BackupRig, store: EmbeddedStore
) -> None:
    fill(store, "Power", days=2)
    context = KeptContext()
    manifest = rig.place.manifest(rig.run(context)["backup"])
    rig.runnable.proofs.forget(manifest.backup_id)
    progress = SliceProgress(rig.state, rig.place.name, manifest.backup_id)
    progress.note("a", manifest.buckets[0].slices[0])
    again = KeptContext()
    again.checkpoint = context.saved[-1]
    rig.run(again)
    read_back = rig.runnable.proofs.all()[manifest.backup_id].verification
    assert read_back == Judgement(manifest.finished_ns / 1e9, Outcome.INTACT)
    assert SliceProgress(rig.state, rig.place.name, manifest.backup_id).finished("a") is None


def test_a_run_that_was_killed_while_its_backup_began_goes_on_with_the_same(
    rig: BackupRig, store: EmbeddedStore
) -> None:
    fill(store, "Power", days=2)
    killed = KeptContext()

    class Killed(Through):
        def write_new(self, path: str, content: bytes) -> None:
            original.write_new(path, content)
            raise RuntimeError("killed")

    original = rig.place.destination
    object.__setattr__(rig.place, "destination", Killed(original))  # type: ignore[arg-type]
    with pytest.raises(RuntimeError):
        rig.run(killed)
    object.__setattr__(rig.place, "destination", original)
    context = KeptContext()
    context.checkpoint = killed.saved[-1]
    result = rig.run(context)
    assert (result["state"], result["backup"]) == ("complete", killed.saved[-1]["backup"])
    assert (rig.started, len(rig.place.listed())) == (1, 1)


def test_a_file_that_does_not_read_back_is_no_part_of_a_backup(rig: BackupRig, store: EmbeddedStore) -> None:
    fill(store, "Power", days=3)
    broken = KeptContext()

    class FlipsABit(Through):
        """Ends the bucket list with a damaged first file, as a bad disk would."""

        def server(self) -> str:
            return "embedded"

    rig.store = FlipsABit(store)  # type: ignore[assignment]
    original = rig.place.destination

    class BadDisk(Through):
        def read(self, path: str, start: int = 0, stop: int | None = None) -> Iterator[bytes]:
            pieces = original.read(path, start, stop)
            if "20231123" not in path:
                return pieces
            return (piece[:-1] + bytes([piece[-1] ^ 1]) for piece in pieces)

    object.__setattr__(rig.place, "destination", BadDisk(original))  # type: ignore[arg-type]
    with pytest.raises(ArchiveUnavailable, match="cannot be read back"):
        rig.run(broken)
    [listed] = rig.place.listed()
    assert (listed.state, "cannot be read back" in listed.reason) == (ListedState.FAILED, True)
    object.__setattr__(rig.place, "destination", original)
    context = KeptContext()
    context.checkpoint = broken.saved[-1]
    assert rig.run(context)["state"] == "complete"


def test_a_file_of_the_backup_before_that_is_gone_is_written_anew(rig: BackupRig, store: EmbeddedStore) -> None:
    fill(store, "Power", days=3)
    first = rig.run()
    files(rig, first["backup"])["20231123"].unlink()
    result = rig.run()
    assert (result["state"], values_of(result)) == ("complete", {"Power": 6})


def test_points_that_come_between_the_count_and_the_read_are_taken(rig: BackupRig, store: EmbeddedStore) -> None:
    fill(store, "Power", days=1)

    def read(selection: Any) -> Reading:
        store.write("Power", points(f"m,host=b f=1 {FIRST_NS + 1}"))
        return store.read(selection)

    rig.store = Through(store, read=read)  # type: ignore[assignment]
    assert values_of(rig.run()) == {"Power": 3}


def test_a_store_that_sends_points_of_another_time_makes_no_backup(rig: BackupRig, store: EmbeddedStore) -> None:
    fill(store, "Power", days=2)

    def read(selection: Any) -> Reading:
        return store.read(type(selection)(selection.bucket, type(selection.span)(FIRST_NS, NOW_NS), complete_rows=True))

    rig.store = Through(store, read=read)  # type: ignore[assignment]
    with pytest.raises(StoreBroken, match="outside the range"):
        rig.run()


def test_parquet_copies_have_the_same_points_and_are_taken_over_too(rig: BackupRig, store: EmbeddedStore) -> None:
    fill(store, "Power", days=3)
    rig.limits = WorkLimits(parquet=True)
    first, second = rig.run(), rig.run()
    for result in (first, second):
        manifest = rig.place.manifest(result["backup"])
        assert sorted(file.file.rpartition("/")[0] for file in manifest.files) == [
            f"parquet/bucket=Power/day=2023-11-2{day}" for day in (2, 3, 4)
        ]
        assert list(check_backup(rig.place.destination, manifest)) == []
    copies = [sorted((Path(rig.place.name) / result["backup"]).rglob("*.parquet")) for result in (first, second)]
    assert all(before.samefile(after) for before, after in zip(*copies, strict=True))


@pytest.mark.parametrize("passphrase", ["correct horse battery", "ключ 🔑"])
def test_encrypted_backups_are_taken_over_and_open_with_the_passphrase(
    rig: BackupRig, store: EmbeddedStore, passphrase: str
) -> None:
    fill(store, "Power", days=2)
    object.__setattr__(rig.place, "passphrase", passphrase)
    first, second = rig.run(), rig.run()
    manifests = [rig.place.manifest(result["backup"]) for result in (first, second)]
    assert manifests[0].recipients == manifests[1].recipients != ()
    assert second["own_bytes"] > 0
    for manifest in manifests:
        assert list(check_backup(rig.place.destination, manifest, rig.place.decrypter(manifest))) == []
    paths = [sorted((Path(rig.place.name) / result["backup"]).rglob("*.age")) for result in (first, second)]
    slices = [[path for path in found if "lp.gz" in path.name] for found in paths]
    assert all(before.samefile(after) for before, after in zip(*slices, strict=True))


def test_what_is_sealed_is_not_looked_at_once_it_is_proven(rig: BackupRig, store: EmbeddedStore) -> None:
    from service.jobs.backup.proofs import Judgement, Outcome

    fill(store, "Power")
    first = rig.run()
    store.write("Power", points(f"m,host=a late=1 {FIRST_NS + 5}"))
    rig.runnable.proofs.note_drill(first["backup"], Judgement(NOW_S, Outcome.PROVEN))
    sealed = rig.run(seal_before="2023-12-10T00:00:00Z")
    assert values_of(sealed) == {"Power": 80}
    manifest = rig.place.manifest(sealed["backup"])
    assert [span.stop_ns for span in manifest.buckets[0].sealed] == [FIRST_NS - DAY_NS // 2 + 18 * DAY_NS]
    assert manifest.state is BackupState.COMPLETE
    assert values_of(rig.run()) == {"Power": 81}


def test_a_range_may_be_sealed_up_to_its_end(rig: BackupRig, store: EmbeddedStore) -> None:
    from service.jobs.backup.proofs import Judgement, Outcome

    fill(store, "Power")
    first = rig.run()
    rig.runnable.proofs.note_drill(first["backup"], Judgement(NOW_S, Outcome.PROVEN))
    stop = "2023-11-20T00:00:00Z"
    whole = rig.run(stop=stop, seal_before="2023-12-10T00:00:00Z")
    manifest = rig.place.manifest(whole["backup"])
    [held] = manifest.buckets
    assert held.sealed == (held.span,)
    assert manifest.state is BackupState.COMPLETE
    assert values_of(whole) == values_of(rig.run(stop=stop))


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"bucket": "W"}, "A backup has no parameter 'bucket'. It has: buckets, comment"),
        ({"buckets": []}, "Name between 1 and 1000 buckets"),
        ({"buckets": [1]}, "buckets is a list of names"),
        ({"start": "2024-01-01T00:00:00Z", "stop": "2023-01-01T00:00:00Z"}, "stop is not after start"),
        ({"kind": "both"}, "kind='both' is neither logical nor physical"),
        ({"comment": "a\nb"}, "without control characters"),
        ({"compare_values": "yes"}, "compare_values is neither true nor false"),
    ],
)
def test_a_wrong_order_is_refused_before_anything_is_done(
    rig: BackupRig, parameters: dict[str, Any], words: str
) -> None:
    with pytest.raises(InvalidParameter, match=words):
        rig.run(**parameters)
    assert rig.place.listed() == []


def _text(path: Path) -> str:
    """The first line of a file, without its time."""
    return gzip.decompress(path.read_bytes()).decode().splitlines()[0].rpartition(" ")[0]
