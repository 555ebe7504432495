"""Reads the latest telemetry: one request to the store for each bucket, and one document for all who ask."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial

import structlog

from service.cache.answers import EVERY_BUCKET, AnswerCache, CancelToken, Served
from service.cache.single_flight import Produced
from service.domain.access import Principal
from service.domain.telemetry import Missing, fold
from service.domain.timerange import EARLIEST_NS, TimeRange
from service.errors import BUCKET_ERRORS, FluxgateError, StoreTimeout, UnknownBucket
from service.reads.facts import LatestFacts, NameList
from service.reads.limits import ReadLimits
from service.reads.slots import Slots
from service.reads.streams import UNOBSERVED, ReadObserver
from service.reads.telemetry_document import Place, TelemetryForm, newest_of, row_document, value_document
from service.stores.protocol import Latest, Store

_log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class LatestQuestion:
    """`buckets`: to look in, and all of them must be read; none: every bucket that the reader may see.

    `measurements`: only these; none: those whose name contains the word of the limits. `by`: the tag whose values are
    devices, each with an object of its own. `missing`: what stands for a silent field.
    """

    buckets: tuple[str, ...]
    measurements: tuple[str, ...]
    lookback_ns: int
    form: TelemetryForm = TelemetryForm.THINGSBOARD
    by: str | None = None
    missing: Missing = Missing.ZERO


@dataclass(frozen=True)
class LatestAnswer:
    """A JSON document. The bytes are `served.chunks`; whoever takes them calls `served.close` at the end."""

    facts: LatestFacts
    served: Served


class TelemetryReads:
    """May be used from many threads. `place`: where the telemetry is from, as configured now."""

    def __init__(
        self,
        store: Store,
        answers: AnswerCache,
        slots: Slots,
        limits: ReadLimits,
        place: Callable[[], Place],
        clock_ns: Callable[[], int],
        observer: ReadObserver = UNOBSERVED,
    ) -> None:
        self._store = store
        self._answers = answers
        self._slots = slots
        self._limits = limits
        self._place = place
        self._clock_ns = clock_ns
        self._observer = observer

    def latest(
        self,
        question: LatestQuestion,
        reader: Principal,
        cancel_token: CancelToken | None = None,
    ) -> LatestAnswer:
        """The newest values that `reader` may see, of one moment for all who ask at the same time.

        Raises: UnknownBucket, also for a bucket that the reader may not see; TooManyReads; what the store raises.
        """
        for bucket in question.buckets:
            if not reader.may_see(bucket):
                raise UnknownBucket(bucket)
        place = self._place()
        scope = "all" if reader.buckets is None else repr(sorted(reader.buckets))
        name = repr((self._limits.store_identity, "latest telemetry", scope, question, place.version))
        produce = partial(self._produce, question, reader, place)
        ttl_s = self._limits.cache_telemetry_s
        served = self._answers.serve(name, [EVERY_BUCKET], ttl_s, produce, cancel_token=cancel_token)
        return LatestAnswer(LatestFacts.from_texts(served.headers), served)

    def _produce(self, question: LatestQuestion, reader: Principal, place: Place) -> Produced:
        visible = (bucket.name for bucket in self._store.buckets() if reader.may_see(bucket.name))
        buckets = question.buckets or tuple(visible)
        give_back = self._slots.take(reader.id)
        try:
            return self._look(buckets, question, place)
        finally:
            give_back()

    def _look(self, buckets: tuple[str, ...], question: LatestQuestion, place: Place) -> Produced:
        now_ns = self._clock_ns()
        span = TimeRange(max(now_ns - question.lookback_ns, EARLIEST_NS), now_ns)
        looked, unread = self._latest_of_buckets(buckets, question, span)
        rows = [row for bucket, latest in looked.items() for frame in latest.frames for row in newest_of(bucket, frame)]
        known = {(bucket, name): fields for bucket, latest in looked.items() for name, fields in latest.fields.items()}
        self._observer.rows(len(rows))
        parts, store_name = fold(rows, known, question.by, question.missing), self._store.name
        if question.form is TelemetryForm.ROWS:
            document = row_document(rows, parts, place, now_ns, store_name)
        else:
            document = value_document(question.form, parts, question.by, place, now_ns, store_name)
        unread_measurements = [(bucket, name) for bucket, latest in looked.items() for name in latest.unread]
        facts = replace(
            document.facts,
            unread=NameList.of((bucket,) for bucket in unread),
            unread_measurements=NameList.of(sorted(unread_measurements)),
        )
        return Produced(facts.texts(), iter([document.body]), lambda: None)

    def _latest_of_buckets(
        self,
        buckets: tuple[str, ...],
        question: LatestQuestion,
        span: TimeRange,
    ) -> tuple[Mapping[str, Latest], list[str]]:
        """What each bucket holds, and the buckets that cannot be read.

        Raises what a bucket raised that the question names, or when none can be read.
        """
        looked: dict[str, Latest] = {}
        unread: dict[str, FluxgateError] = {}
        begun_s = time.monotonic()
        for bucket in buckets:
            if time.monotonic() - begun_s > self._limits.timeout_s:
                late = "Looking for the latest values took longer than READ_TIMEOUT_S."
                raise StoreTimeout(f"{late} Name fewer buckets, or raise it.")
            try:
                looked[bucket] = self._latest(bucket, question.measurements, span)
                if looked[bucket].unread:
                    _log.warning("telemetry without measurements", bucket=bucket, measurements=looked[bucket].unread)
            except UnknownBucket:
                if question.buckets:
                    raise  # else it was deleted since the buckets were listed
            except BUCKET_ERRORS as error:
                unread[bucket] = error
                _log.warning("telemetry without a bucket", bucket=bucket, code=error.code, detail=error.message)
        if unread and (question.buckets or not looked):
            raise next(iter(unread.values()))
        return looked, sorted(unread)

    def _latest(self, bucket: str, measurements: tuple[str, ...], span: TimeRange) -> Latest:
        if measurements:
            return self._store.latest(bucket, span, "", measurements)
        return self._store.latest(bucket, span, self._limits.telemetry_word)
