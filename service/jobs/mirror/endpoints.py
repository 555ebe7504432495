"""The two stores of a mirror, connected for a run. Their errors name the endpoint."""

from collections.abc import Callable, Collection, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace

from service.domain.bucket_details import BucketDetails
from service.domain.endpoint import Endpoint
from service.domain.mirror import Mirror
from service.domain.schema import Bucket, BucketSpec, MeasurementSchema
from service.domain.selection import ReadPlan, Selection
from service.domain.series import SeriesKey
from service.domain.timerange import TimeRange
from service.errors import FluxgateError, Subject
from service.frames.frame import Block, Reading
from service.frames.points import Points
from service.stores.opener import Opener
from service.stores.protocol import MOST_TAG_VALUES, UNBOUNDED, Latest, Store, WriteBounds, WriteOutcome
from service.stores.row_order import RowOrder

_NEEDED = {"source": "read the buckets that are mirrored", "target": "read and write the buckets that are mirrored"}


@dataclass(frozen=True)
class OpenEndpoints:
    """Both stores of a mirror. `moved_bytes`: how many bytes were sent and received so far."""

    source: Store
    target: Store
    moved_bytes: Callable[[], int]


@contextmanager
def opened_endpoints(mirror: Mirror, open_store: Opener) -> Iterator[OpenEndpoints]:
    """Connect to both stores of `mirror` for the time of the block."""
    with open_store(mirror.source) as source, open_store(mirror.target) as target:
        yield OpenEndpoints(
            NamedStore(source.store, "source", mirror.source),
            NamedStore(target.store, "target", mirror.target),
            lambda: source.moved_bytes() + target.moved_bytes(),
        )


def subject_of(role: str, endpoint: Endpoint) -> Subject:
    """How errors name an endpoint.

    Their advice names the members of the mirror, or the gateway's settings where it is the gateway's own store.
    """
    subject = Subject(f"The {role} ({endpoint})", rights=_NEEDED[role])
    if endpoint.url is None:
        return subject
    prefix = f"the mirror's {role}"
    return replace(subject, url=f"{prefix}.url", token=f"{prefix}.token", org=f"{prefix}.org")


@contextmanager
def naming_endpoint(role: str, endpoint: Endpoint) -> Iterator[None]:
    """Errors that the block raises name this endpoint, unless they name another one already."""
    try:
        yield
    except FluxgateError as broken:
        broken.subject = broken.subject or subject_of(role, endpoint)
        raise


class NamedStore:
    """A store whose errors name the endpoint. `role` is `source` or `target`."""

    def __init__(self, store: Store, role: str, endpoint: Endpoint) -> None:
        self.name = store.name
        self._store = store
        self._role = role
        self._endpoint = endpoint

    def _naming(self) -> AbstractContextManager[None]:
        return naming_endpoint(self._role, self._endpoint)

    def server(self) -> str:
        with self._naming():
            return self._store.server()

    def buckets(self) -> list[Bucket]:
        with self._naming():
            return self._store.buckets()

    def bucket(self, name: str) -> Bucket:
        with self._naming():
            return self._store.bucket(name)

    def create_bucket(self, spec: BucketSpec) -> bool:
        with self._naming():
            return self._store.create_bucket(spec)

    def update_bucket(self, name: str, description: str, retention_ns: int) -> None:
        with self._naming():
            self._store.update_bucket(name, description, retention_ns)

    def bucket_details(self, name: str) -> BucketDetails:
        with self._naming():
            return self._store.bucket_details(name)

    def add_bucket_details(self, name: str, details: BucketDetails) -> list[str]:
        with self._naming():
            return self._store.add_bucket_details(name, details)

    def first_point(self, bucket: str) -> int | None:
        with self._naming():
            return self._store.first_point(bucket)

    def last_point(self, bucket: str) -> int | None:
        with self._naming():
            return self._store.last_point(bucket)

    def schema(self, bucket: str) -> list[MeasurementSchema]:
        with self._naming():
            return self._store.schema(bucket)

    def tag_values(
        self, bucket: str, key: str, wanted: Collection[str], most: int = MOST_TAG_VALUES
    ) -> list[str] | None:
        with self._naming():
            return self._store.tag_values(bucket, key, wanted, most)

    def read(self, selection: Selection) -> Reading:
        with self._naming():
            reading = self._store.read(selection)
        return Reading(reading.plan, self._blocks(reading.blocks), reading.cancel)

    def _blocks(self, blocks: Iterator[Block]) -> Iterator[Block]:
        with self._naming():
            yield from blocks

    def window_order(self, selection: Selection, plan: ReadPlan) -> RowOrder | None:
        with self._naming():
            return self._store.window_order(selection, plan)

    def count_points(
        self,
        bucket: str,
        measurements: Collection[str],
        span: TimeRange,
        step_ns: int,
    ) -> dict[int, int] | None:
        with self._naming():
            return self._store.count_points(bucket, measurements, span, step_ns)

    def latest(self, bucket: str, span: TimeRange, word: str, measurements: Collection[str] | None = None) -> Latest:
        with self._naming():
            return self._store.latest(bucket, span, word, measurements)

    def write(self, bucket: str, points: Points, bounds: WriteBounds = UNBOUNDED) -> WriteOutcome:
        with self._naming():
            return self._store.write(bucket, points, bounds)

    def delete_points(self, bucket: str, series: SeriesKey, span: TimeRange) -> None:
        with self._naming():
            self._store.delete_points(bucket, series, span)

    def ping(self) -> None:
        with self._naming():
            self._store.ping()

    def close(self) -> None:
        self._store.close()
