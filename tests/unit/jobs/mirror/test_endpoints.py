"""Both stores of a mirror: whatever breaks says which endpoint it is, in the words of the mirror."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from service.domain.endpoint import Endpoint
from service.domain.schema import BucketSpec
from service.domain.selection import Selection
from service.domain.series import SeriesKey
from service.domain.timerange import EVER
from service.errors import FluxgateError, StoreDenied, StoreUnavailable, UnknownBucket, WriteProgress
from service.frames.frame import Reading
from service.jobs.mirror.endpoints import NamedStore
from service.stores.influx.failures import failure
from tests.support.mirrors import OWN

FAR = Endpoint("http://far.test:8086", "org", "token", "far.test:8086", is_remote=True)
CALLS: dict[str, Callable[[NamedStore], object]] = {
    "buckets": lambda store: store.buckets(),
    "bucket": lambda store: store.bucket("W"),
    "create_bucket": lambda store: store.create_bucket(BucketSpec("W")),
    "first_point": lambda store: store.first_point("W"),
    "last_point": lambda store: store.last_point("W"),
    "schema": lambda store: store.schema("W"),
    "read": lambda store: store.read(Selection("W", EVER)),
    "count_points": lambda store: store.count_points("W", ["m"], EVER, 10),
    "latest": lambda store: store.latest("W", EVER, "real"),
    "write": lambda store: store.write("W", None),  # type: ignore[arg-type]
    "delete_points": lambda store: store.delete_points("W", SeriesKey("m"), EVER),
    "ping": lambda store: store.ping(),
}


class Broken:
    """A store whose every method raises the same error."""

    name = "influx"

    def __init__(self, error: FluxgateError) -> None:
        self._error = error

    def __getattr__(self, method: str) -> Any:
        def call(*arguments: object) -> None:
            raise self._error

        return call


def named(error: FluxgateError, role: str, endpoint: Endpoint) -> NamedStore:
    return NamedStore(Broken(error), role, endpoint)  # type: ignore[arg-type]


@pytest.mark.parametrize("method", CALLS)
def test_an_error_of_any_call_names_the_endpoint_once(method: str) -> None:
    store = named(StoreUnavailable("away"), "source", FAR)
    for _ in range(2):
        with pytest.raises(StoreUnavailable, match=r"^The source \(far\.test:8086\): away$"):
            CALLS[method](store)


def test_an_error_in_the_middle_of_a_read_names_the_endpoint_too() -> None:
    class BreaksLater:
        name = "influx"

        def read(self, selection: Selection) -> Reading:
            def blocks() -> Iterator[Any]:
                yield ()
                raise StoreUnavailable("cut")

            return Reading(None, blocks(), lambda: None)  # type: ignore[arg-type]

    reading = NamedStore(BreaksLater(), "target", FAR).read(Selection("W", EVER))  # type: ignore[arg-type]
    assert next(reading.blocks) == ()
    with pytest.raises(StoreUnavailable, match=r"^The target \(far\.test:8086\): cut$"):
        next(reading.blocks)


@pytest.mark.parametrize(
    ("role", "endpoint", "advice"),
    [
        ("source", FAR, "Check the mirror's source.token, and that it may read the buckets that are mirrored."),
        (
            "target",
            FAR,
            "Check the mirror's target.token, and that it may read and write the buckets that are mirrored.",
        ),
        ("source", OWN, "Check INFLUXDB_TOKEN, and that it may read the buckets that are mirrored."),
    ],
)
def test_advice_names_members_of_the_mirror_or_settings(role: str, endpoint: Endpoint, advice: str) -> None:
    with pytest.raises(StoreDenied) as denied:
        named(failure(401, {}, b""), role, endpoint).ping()
    assert denied.value.message == f"The {role} ({endpoint}): InfluxDB refuses the token (401). {advice}"


def test_a_name_that_looks_like_a_setting_stays_as_it_is() -> None:
    """It was rewritten as if it were the setting."""
    with pytest.raises(UnknownBucket, match=r"^The source \(far\.test:8086\): There is no bucket 'INFLUXDB_URL'\."):
        named(UnknownBucket("INFLUXDB_URL"), "source", FAR).bucket("INFLUXDB_URL")


def test_a_write_that_broke_off_says_last_how_much_is_stored() -> None:
    broken = StoreDenied("Refused.", advice="Check {token}.")
    broken.progress = WriteProgress(3, 5)
    with pytest.raises(StoreDenied) as denied:
        named(broken, "target", FAR).ping()
    known = "3 of 5 lines are known to be stored; sending all of them again is safe."
    expected = f"The target (far.test:8086): Refused. Check the mirror's target.token. {known}"
    assert (denied.value.message, str(denied.value)) == (expected, expected)
