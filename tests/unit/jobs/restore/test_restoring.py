"""A restore brings back every point, to the bit, and refuses what would lose or mix anything before it writes."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from service.domain.bucket_details import BucketDetails, DbrpMapping, Label
from service.domain.durations import parse_duration
from service.domain.schema import Bucket, BucketSpec
from service.domain.timerange import EARLIEST_NS, LATEST_NS
from service.errors import (
    ArchiveKeyRefused,
    InvalidParameter,
    NotFound,
    StoreUnavailable,
)
from service.frames.points import Points
from service.stores.protocol import UNBOUNDED, Store, WriteBounds, WriteOutcome
from tests.support.backup_site import (
    DAY_NS,
    HOSTILE,
    NOW,
    BackupSite,
    SavingContext,
    every_type,
    filled,
    write,
)
from tests.support.embedded_stores import points as points_of
from tests.support.mirrors import digests
from tests.support.restores import TARGET, TOKEN, URL, CountingStore, refused, states, target_of
from tests.support.stores import Through, embedded_store

HOUR_NS = parse_duration("1h", "hour")


def test_every_bucket_comes_back_equal_to_the_bit(tmp_path: Path) -> None:
    site = BackupSite(tmp_path)
    site.environment[TOKEN] = "secret"
    target = site.targets[URL] = embedded_store(tmp_path / "target.duckdb")
    times = (EARLIEST_NS, -1, 0, 1, NOW, NOW + 40_000 * DAY_NS, LATEST_NS - 1)
    for bucket in HOSTILE:
        write(site.store, bucket, "".join(every_type(time_ns, place + 1) for place, time_ns in enumerate(times)))
    site.store.create_bucket(BucketSpec("empty", "holds nothing"))
    site.backup()
    result = site.restore(target=TARGET)
    assert (result["state"], result["target"]) == ("equal", "target.test:8086")
    assert states(result) == dict.fromkeys([*HOSTILE, "empty"], "equal")
    for bucket in (*HOSTILE, "empty"):
        assert digests(target, bucket) == digests(site.store, bucket)
        assert target.bucket(bucket) == site.store.bucket(bucket)


def test_retention_description_labels_and_mappings_come_last(site: BackupSite) -> None:
    details = BucketDetails((Label("critical", (("color", "#f00"),)),), (DbrpMapping("db", "rp", True),))
    acts: list[tuple[str, Any]] = []
    own = site.store
    site.store = Through(own, bucket_details=lambda name: details if name == "kept" else BucketDetails())

    def add_details(name: str, added: BucketDetails) -> list[str]:
        acts.append(("details", added))
        return ["The name db/rp is another bucket's."]

    inner = target_of(site).store
    meddling = Through(
        inner,
        write=lambda bucket, points, bounds=UNBOUNDED: (
            acts.append(("write", bucket)) or inner.write(bucket, points, bounds)
        ),
        update_bucket=lambda *values: acts.append(("update", values)) or inner.update_bucket(*values),
        add_bucket_details=add_details,
    )
    site.targets[URL] = meddling
    recent_ns = int(site.clock() * 1e9) - HOUR_NS
    write(own, "kept", every_type(recent_ns), description="of now", retention_ns=10**6 * DAY_NS // 10, shard_ns=DAY_NS)
    site.backup()
    result = site.restore(target=TARGET, buckets=["kept"])
    assert acts == [("write", "kept"), ("update", ("kept", "of now", 10**5 * DAY_NS)), ("details", details)]
    assert inner.bucket("kept") == Bucket("kept", "of now", 10**5 * DAY_NS, DAY_NS)
    assert result["buckets"][0]["notes"] == ["The name db/rp is another bucket's."]


def test_points_older_than_the_retention_are_restored_and_said_to_go(site: BackupSite) -> None:
    site.store.create_bucket(BucketSpec("short", "", 0, HOUR_NS))
    write(site.store, "short", every_type(NOW - 5 * DAY_NS))
    site.backup(buckets=["short"])
    site.store.update_bucket("short", "", 10**5 * DAY_NS)
    result = site.restore(buckets={"short": "long"})
    assert result["buckets"][0]["notes"] == []
    own = site.store
    site.store = Through(own, bucket=lambda name: Bucket("short", "", 2 * DAY_NS, HOUR_NS))
    site.backup(buckets=["short"])
    report = site.restore(target=TARGET)["buckets"][0]
    assert (report["state"], report["values"]) == ("equal", 8)
    assert report["notes"] == [
        "Points before 2026-01-30T00:00:00Z (the oldest is of 2026-01-27T00:00:00Z) are older than the bucket's "
        "retention, which removes them. Give it a longer one to keep them.",
    ]


def test_chosen_buckets_come_back_under_new_names(site: BackupSite) -> None:
    site.backup()
    result = site.restore(buckets={HOSTILE[0]: "restored", HOSTILE[1]: "other"})
    assert [(bucket["bucket"], bucket["target"]) for bucket in result["buckets"]] == [
        (HOSTILE[1], "other"),
        (HOSTILE[0], "restored"),
    ]
    assert digests(site.store, "restored") == digests(site.store, HOSTILE[0])
    assert [bucket.name for bucket in site.store.buckets()] == sorted([*HOSTILE[:2], "empty", "other", "restored"])


def test_a_range_comes_back_to_the_nanosecond(site: BackupSite) -> None:
    name = HOSTILE[0]
    site.backup()
    result = site.restore(
        target=TARGET,
        buckets=[name],
        start="2026-01-31T00:00:00.000000002Z",
        stop="2026-02-01T00:00:00.000000001Z",
    )
    assert (result["state"], result["buckets"][0]["slices"]) == ("equal", 2)
    found = digests(target_of(site), name)
    kept = {(series.measurement, digest.count) for series, digest in found.items()}
    assert kept == {("m 1", 1), ("m2", 1)}


def test_a_dry_run_changes_nothing_and_says_what_would_happen(site: BackupSite) -> None:
    site.backup()
    context = SavingContext()
    result = site.restore(context, target=TARGET, dry_run=True)
    assert target_of(site).acts == {}
    assert (result["state"], result["dry_run"]) == ("planned", True)
    assert [(bucket["bucket"], bucket["made"], bucket["values"]) for bucket in result["buckets"]] == [
        (HOSTILE[1], True, 24),
        ("empty", True, 0),
        (HOSTILE[0], True, 24),
    ]


def test_a_bucket_that_is_there_is_not_touched_unless_merging(site: BackupSite) -> None:
    site.backup()
    target_of(site).store.create_bucket(BucketSpec(HOSTILE[0]))
    refused(site, InvalidParameter, "The target has a bucket 'plant a/b' already")
    assert site.restore(target=TARGET, merge=True)["state"] == "equal"


def test_a_repeated_restore_adds_nothing(site: BackupSite) -> None:
    site.backup()
    first = site.restore(target=TARGET)
    before = {bucket: digests(target_of(site), bucket) for bucket in HOSTILE[:2]}
    again = site.restore(target=TARGET, merge=True)
    assert (first["state"], again["state"]) == ("equal", "equal")
    assert [bucket["made"] for bucket in again["buckets"]] == [False, False, False]
    assert {bucket: digests(target_of(site), bucket) for bucket in HOSTILE[:2]} == before


def test_a_merge_says_what_the_bucket_has_besides(site: BackupSite) -> None:
    name = HOSTILE[0]
    site.backup()
    write(target_of(site).store, name, f"other f=1 {NOW}\nm2 f=99i {NOW + 1}\n")
    result = site.restore(target=TARGET, buckets=[name], merge=True)
    report = result["buckets"][0]
    assert (result["state"], report["different_slices"]) == ("more", 1)
    assert report["differing"] == [
        {
            "range": {"start": "2026-02-01T00:00:00Z", "stop": "2026-02-02T00:00:00Z"},
            "state": "more",
            "lacking": 0,
            "changed_series": 0,
            "more": 1,
        }
    ]


def test_a_merge_with_another_type_is_refused_with_the_field(site: BackupSite) -> None:
    name = HOSTILE[0]
    site.backup()
    write(target_of(site).store, name, f'm2 f="text" {NOW + 5}\n')
    refused(
        site,
        InvalidParameter,
        "The field 'f' of the measurement 'm2' is integer in the backup, and string in",
        merge=True,
    )


def test_another_type_in_another_shard_group_is_no_reason(site: BackupSite) -> None:
    site.backup()
    write(target_of(site).store, HOSTILE[0], f'm2 f="text" {NOW - 90 * DAY_NS}\n')
    assert site.restore(target=TARGET, buckets=[HOSTILE[0]], merge=True)["state"] == "equal"


def test_a_merge_into_a_shorter_retention_is_refused(site: BackupSite) -> None:
    site.backup()
    target_of(site).store.create_bucket(BucketSpec(HOSTILE[0], "", DAY_NS, HOUR_NS))
    refused(
        site, InvalidParameter, "keeps points for 86400 s, and the backup has older ones, from 2026-01-30", merge=True
    )
    match = r"start=2026-01-31T00:00:01Z"
    refused(site, InvalidParameter, match, merge=True, buckets=[HOSTILE[0]])


def test_another_passphrase_comes_from_a_variable(site: BackupSite) -> None:
    site.passphrase = "that of then"
    site.backup()
    site.passphrase = None
    refused(site, ArchiveKeyRefused, "is encrypted: give its passphrase")
    site.environment["FLUXGATE_TOKEN_OLD"] = "a wrong one"
    refused(site, ArchiveKeyRefused, "does not open", passphrase_env="FLUXGATE_TOKEN_OLD")
    refused(site, InvalidParameter, "API_KEY is no variable for tokens and passphrases", passphrase_env="API_KEY")
    site.environment["FLUXGATE_TOKEN_OLD"] = "that of then"
    assert site.restore(target=TARGET, passphrase_env="FLUXGATE_TOKEN_OLD")["state"] == "equal"


@pytest.mark.parametrize(
    ("wrong", "match"),
    [
        ({"backup": 1}, "backup is the id"),
        ({"backup": "00000009-20260101T000000Z"}, "There is no finished backup 00000009"),
        ({"buckets": []}, "buckets is a list"),
        ({"buckets": ["a", "a"]}, "buckets is a list"),
        ({"buckets": {"a": ""}}, "buckets is a list"),
        ({"buckets": {"a": "x", "b": "x"}}, "Two buckets cannot both be restored as 'x'"),
        ({"buckets": ["other"]}, "holds no bucket 'other'. It holds: '..🚜', 'empty', 'plant a/b'"),
        ({"buckets": {"empty": 'say "hi"'}}, "No bucket can be named"),
        ({"start": "2026-01-01"}, "RFC 3339"),
        ({"start": "2026-01-02T00:00:00Z", "stop": "2026-01-01T00:00:00Z"}, "stop is not after start"),
        ({"merge": "yes"}, "merge is neither true nor false"),
        ({"token": "x"}, "A restore has no parameter 'token'"),
        ({"target": {"url": URL, "org": "o", "token": "x"}}, "A target has url, org and token_env"),
        ({"target": {**TARGET, "token_env": "API_KEY"}}, "API_KEY is no variable for tokens"),
        ({"target": {**TARGET, "token_env": "FLUXGATE_TOKEN_NONE"}}, "is not set"),
        ({"target": {**TARGET, "url": "http://169.254.169.254"}}, "cannot be the target of a restore"),
        ({"target": {**TARGET, "url": "file:///x"}}, "The url is no address of an InfluxDB"),
    ],
)
def test_what_cannot_be_asked_is_refused(site: BackupSite, wrong: dict[str, Any], match: str) -> None:
    site.backup()
    with pytest.raises((InvalidParameter, NotFound), match=match):
        site.restore(**{"target": TARGET, **wrong})
    assert target_of(site).acts == {}


def test_a_target_that_swallows_points_is_told_by_the_result(site: BackupSite) -> None:
    name, inner = HOSTILE[0], target_of(site).store

    def swallow(bucket: str, points: Points, bounds: WriteBounds = UNBOUNDED) -> WriteOutcome:
        if int(points.times_ns.max()) > NOW:
            return WriteOutcome(len(points))
        return inner.write(bucket, points, bounds)

    site.targets[URL] = Through(inner, write=swallow)
    site.backup()
    context = PatientClock(site)
    result = site.restore(context, target=TARGET, buckets=[name])
    assert (result["state"], result["buckets"][0]["state"]) == ("different", "different")
    assert result["buckets"][0]["differing"][0]["lacking"] == 8
    assert ("error", "plant a/b: 24 values in 3 slices, 1 of them differ.") in context.lines


class PatientClock(SavingContext):
    """A context whose waits move the clock of the site."""

    def __init__(self, site: BackupSite) -> None:
        super().__init__()
        self._site = site

    def sleep(self, seconds: float) -> None:
        self._site.clock.now += seconds


def test_a_target_that_lost_points_once_gets_them_again(site: BackupSite) -> None:
    inner, lost = target_of(site).store, list[int]()

    def lose_one(bucket: str, points: Points, bounds: WriteBounds = UNBOUNDED) -> WriteOutcome:
        if not lost:
            lost.append(len(points))
            return WriteOutcome(len(points))
        return inner.write(bucket, points, bounds)

    site.targets[URL] = Through(inner, write=lose_one)
    site.backup()
    assert site.restore(PatientClock(site), target=TARGET, buckets=[HOSTILE[0]])["state"] == "equal"


def test_a_link_that_breaks_is_tried_again(site: BackupSite) -> None:
    inner, breaks = target_of(site).store, list[int]()

    def break_at_first(bucket: str, points: Points, bounds: WriteBounds = UNBOUNDED) -> WriteOutcome:
        if len(breaks) < 2:
            breaks.append(1)
            raise StoreUnavailable("The target is away.")
        return inner.write(bucket, points, bounds)

    site.targets[URL] = Through(inner, write=break_at_first)
    site.backup()
    assert site.restore(PatientClock(site), target=TARGET)["state"] == "equal"


def test_errors_of_the_target_name_it_and_not_the_settings(site: BackupSite) -> None:
    def away() -> list[Bucket]:
        raise StoreUnavailable("It does not answer.", advice="Is {url} right?")

    site.backup()
    site.targets[URL] = Through(target_of(site).store, buckets=away)
    with pytest.raises(StoreUnavailable) as broken:
        site.restore(PatientClock(site), target=TARGET)
    assert (
        broken.value.message == "The target of the restore (target.test:8086): It does not answer. Is target.url right?"
    )


class Ended(Exception):
    """The process is gone."""


class DyingContext(SavingContext):
    """Dies before or after its n-th checkpoint."""

    def __init__(self, checkpoint: dict[str, Any], at: int, after: bool) -> None:
        super().__init__()
        self.checkpoint, self._left, self._after = checkpoint, at, after

    def save(self, checkpoint: Any) -> None:
        self._left -= 1
        if self._left == 0 and not self._after:
            raise Ended
        super().save(checkpoint)
        if self._left == 0:
            raise Ended


@pytest.mark.parametrize("after", [False, True])
def test_a_run_that_died_anywhere_goes_on_and_ends_equal(tmp_path: Path, after: bool) -> None:
    site = filled(BackupSite(tmp_path))
    site.environment[TOKEN] = "secret"
    site.store.update_bucket("empty", "", 0)
    site.backup()
    for at in range(1, 30):
        target = CountingStore(embedded_store(tmp_path / f"target-{at}.duckdb"))
        site.targets[URL] = target
        dying = DyingContext({}, at, after)
        try:
            result = site.restore(dying, target=TARGET)
        except Ended:
            result = site.restore(DyingContext(dying.checkpoint, 0, after), target=TARGET)
        else:
            assert at == 12
            return
        finally:
            written = target.acts["written"]
        assert result["state"] == "equal"
        assert all(bucket["made"] for bucket in result["buckets"])
        assert written <= 6 + 2, "no more than what was under way is written twice"
        target.store.close()
    raise AssertionError("it never ended")


def test_a_bucket_that_somebody_made_meanwhile_is_not_written_to(site: BackupSite) -> None:
    inner = target_of(site).store

    def overtaken(spec: BucketSpec) -> bool:
        inner.create_bucket(spec)
        return False

    target_of(site).__dict__["create_bucket"] = overtaken
    site.backup()
    context = SavingContext()
    with pytest.raises(InvalidParameter, match=r"Somebody made the bucket '\.\.🚜' on the target"):
        site.restore(context, target=TARGET)
    with pytest.raises(InvalidParameter, match=r"has a bucket '\.\.🚜' already"):
        site.restore(context, target=TARGET)
    assert target_of(site).acts["written"] == 0


def test_refused_lines_are_counted_and_named(site: BackupSite) -> None:
    inner: Store = target_of(site).store
    write_to: Callable[..., WriteOutcome] = inner.write

    def clash(bucket: str, points: Points, bounds: WriteBounds = UNBOUNDED) -> WriteOutcome:
        if not inner.schema(bucket):
            write_to(bucket, points_of(f'm2 f="text" {NOW + 7}\n'))
        return write_to(bucket, points, bounds)

    site.targets[URL] = Through(inner, write=clash)
    site.backup()
    report = site.restore(PatientClock(site), target=TARGET, buckets=[HOSTILE[0]])["buckets"][0]
    assert (report["state"], report["refused_lines"]) == ("different", 3)
    assert report["refused"][0]["code"] == "type_conflict"
