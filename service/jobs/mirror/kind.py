"""The job `mirror`: one run of one mirror over its pairs of buckets, or a look at whether both sides are equal.

What is wrong with the mirror is refused when it is ordered; what is wrong with the buckets, before anything is copied.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from service.domain.access import Scope
from service.domain.job import Json
from service.domain.mirror import BucketPair, Endpoint, Mirror, SliceState
from service.domain.schema import Bucket, BucketSpec
from service.domain.timerange import TimeRange, parse_time
from service.errors import CallerError, FluxgateError, InvalidParameter, MirrorConflict, MirrorIncomplete, UnknownBucket
from service.jobs.mirror.copying import Copier
from service.jobs.mirror.definitions import KIND, LOG_BUCKET, MirrorBook
from service.jobs.mirror.ground import Ground, Links, ground_of
from service.jobs.mirror.journal import Journal, TargetLog
from service.jobs.mirror.pair import PairReport, PairRun, Work
from service.jobs.mirror.patience import Budget, Once, Patience
from service.jobs.mirror.rejects import DeadLetters
from service.jobs.mirror.sides import Side, told_by
from service.jobs.mirror.verifying import Verifier
from service.jobs.protocol import JobContext
from service.state.database import StateDatabase
from service.state.mirror_ledger import PairLedger, pairs_of
from service.stores.protocol import Store

_SWITCHES = {"dry_run", "again", "verify"}
_AGAIN_HINT = "`again` tries them once more."
_PARAMETERS = {"mirror", "bucket", "start", "stop", *_SWITCHES}


@dataclass(frozen=True)
class OpenStore:
    """A store for the time of a run, and how many bytes went over its link so far."""

    store: Store
    moved_bytes: Callable[[], int]


Opener = Callable[[Endpoint], AbstractContextManager[OpenStore]]


class MirrorKind:
    """`open_store` connects to an endpoint; `directory` takes dead-letter files; `touched` is told of buckets of the own store that were written."""

    name = KIND
    scope = Scope.MIRROR
    max_attempts = None
    deadline_s = None

    def __init__(
        self,
        book: MirrorBook,
        database: StateDatabase,
        open_store: Opener,
        directory: Path,
        clock: Callable[[], float],
        touched: Callable[[str], None] = lambda bucket: None,
    ) -> None:
        self.book = book
        self.database = database
        self._open_store = open_store
        self._directory = directory
        self._clock = clock
        self._touched = touched

    def exclusion_key(self, parameters: Mapping[str, Any]) -> str | None:
        return f"{KIND}:{parameters.get('mirror')}"

    def validate(self, parameters: Mapping[str, Any]) -> None:
        unknown = sorted(set(parameters) - _PARAMETERS)
        if unknown:
            raise InvalidParameter(unknown[0], f"A mirror has no parameter {unknown[0]!r}. It has: {', '.join(sorted(_PARAMETERS))}.")
        name = parameters.get("mirror")
        if not isinstance(name, str):
            raise InvalidParameter("mirror", "Name the mirror.")
        mirror = self.book.get(name)
        _refuse_other_types(parameters)
        _span(parameters)
        bucket = parameters.get("bucket")
        if bucket is not None and mirror.buckets is not None and bucket not in {pair.source for pair in mirror.buckets}:
            named = ", ".join(repr(pair.source) for pair in mirror.buckets)
            raise InvalidParameter("bucket", f"The mirror {name!r} does not copy the bucket {bucket!r}. It copies {named}.")

    def run(self, parameters: Mapping[str, Any], context: JobContext) -> Json:
        mirror = self.book.get(parameters["mirror"])
        journal = Journal(context.log, self._clock)
        with self._sides(mirror) as (source, target):
            links = self._links(mirror, context, journal, source, target)
            if mirror.log_in_target and not parameters.get("dry_run"):
                journal.beyond = TargetLog(target.store, self._clock)
            pairs = links.patience.call(
                lambda: self.pairs(mirror, source.store, target.store, parameters.get("bucket"), bool(parameters.get("dry_run")))
            )
            if parameters.get("verify"):
                return self._verify(mirror, pairs, source.store, target.store, links)
            return self._mirror(mirror, pairs, parameters, source.store, target.store, links)

    def diff(self, mirror: Mirror, bucket: str, span: TimeRange) -> Json:
        """Which series of a bucket differ in which hours of `span`, as the two sides answer now. Raises InvalidParameter, StoreError."""
        with self._sides(mirror) as (source, target):
            pair = self.pairs(mirror, source.store, target.store, bucket, dry=True)
            if not pair:
                raise InvalidParameter("bucket", f"The target ({mirror.target}) has no copy of {bucket!r} yet. Run the mirror first.")
            return Verifier(self._ground(mirror, pair[0], source.store, target.store), Once()).diff(span)

    @contextmanager
    def _sides(self, mirror: Mirror) -> Iterator[tuple[OpenStore, OpenStore]]:
        with self._open_store(mirror.source) as source, self._open_store(mirror.target) as target:
            yield source, target

    def _links(self, mirror: Mirror, context: JobContext, journal: Journal, source: OpenStore, target: OpenStore) -> Links:
        patience = Patience(context, journal.tell)

        def moved() -> int:
            return source.moved_bytes() + target.moved_bytes()

        budget = Budget(context, mirror.budget_bytes, moved, journal.tell, self._clock)
        return Links(context, patience, budget, journal.tell, self._clock)

    def pairs(self, mirror: Mirror, source: Store, target: Store, bucket: str | None, dry: bool) -> list[BucketPair]:
        """The pairs to be looked at. Both sides are asked with their tokens; buckets that the target lacks are made.

        Raises InvalidParameter: a bucket that the source lacks, or two mirrors that write one bucket.
        """
        there = {one.name: one for one in _buckets("source", mirror.source, source)}
        pairs = list(mirror.buckets) if mirror.buckets is not None else self._all(mirror, there)
        self._refuse_overlaps(mirror, pairs)
        wanted = [pair for pair in pairs if bucket is None or pair.source == bucket]
        if bucket is not None and not wanted:
            raise InvalidParameter("bucket", f"The source ({mirror.source}) has no bucket {bucket!r} that {mirror.name!r} copies.")
        present = {one.name for one in _buckets("target", mirror.target, target)}
        for pair in wanted:
            if pair.source not in there:
                raise UnknownBucket(pair.source, [name for name in there if name.lower() == pair.source.lower()])
            if pair.target not in present and not dry:
                spec = there[pair.source]
                with told_by("target", mirror.target):
                    target.create_bucket(BucketSpec(pair.target, spec.description, spec.retention_ns))
        return [pair for pair in wanted if not dry or pair.target in present]

    def _all(self, mirror: Mirror, there: Mapping[str, object]) -> list[BucketPair]:
        """Every bucket of the source; where the mirror tells in the target what it does, not the one for that."""
        return [BucketPair(name, name) for name in sorted(there) if not (mirror.log_in_target and name == LOG_BUCKET)]

    def _refuse_overlaps(self, mirror: Mirror, pairs: list[BucketPair]) -> None:
        targets = {pair.target for pair in pairs}
        for other in self.book.others(mirror.name):
            if other.target.identity != mirror.target.identity:
                continue
            pairs_there = pairs_of(self.database, other.name) if other.buckets is None else [(pair.source, pair.target) for pair in other.buckets]
            both = sorted(targets & {name for _, name in pairs_there})
            if both:
                raise InvalidParameter(
                    "buckets", f"The mirrors {mirror.name!r} and {other.name!r} both write the bucket {both[0]!r} of {mirror.target}."
                )

    def _ground(self, mirror: Mirror, pair: BucketPair, source: Store, target: Store) -> Ground:
        stamped = mirror.windows is not None
        here = Side("source", mirror.source, source, pair.source, mirror.windows, stamped)
        there = Side("target", mirror.target, target, pair.target, None, stamped)
        return ground_of(mirror, pair, here, there, int(self._clock() * 1e9))

    def _mirror(self, mirror: Mirror, pairs: list[BucketPair], parameters: Mapping[str, Any], source: Store, target: Store, links: Links) -> Json:
        """Run over all pairs. What is wrong with one does not keep the others; it fails the run at its end."""
        work = Work(_span(parameters), bool(parameters.get("dry_run")), bool(parameters.get("again")))
        letters = DeadLetters(self._directory, mirror.name)
        reports: dict[BucketPair, PairReport] = {}
        wrong: list[FluxgateError] = []
        for pair in pairs:
            try:
                reports[pair] = self._one(mirror, pair, work, source, target, letters, links)
            except (CallerError, MirrorConflict) as broken:
                links.tell("error", f"{pair}: {broken.message}")
                wrong.append(broken)
                continue
            links.context.progress(reports[pair].compared, reports[pair].compared, "slices")
            links.tell(*_sentence(pair, reports[pair], work.dry, letters.path))
        if wrong:
            raise wrong[0]
        if not work.dry and any(one.states[SliceState.DIFFERENT] for one in reports.values()):
            raise MirrorIncomplete(_lacking(mirror, reports))
        state = _worst(one.states for one in reports.values()) if work.dry else self._standing(mirror, pairs, links)
        return {"mirror": mirror.name, "dry_run": work.dry, "state": state.value, "pairs": [_told(pair, one) for pair, one in reports.items()]}

    def _one(self, mirror: Mirror, pair: BucketPair, work: Work, source: Store, target: Store, letters: DeadLetters, links: Links) -> PairReport:
        ground = links.patience.call(lambda: self._ground(mirror, pair, source, target))
        copier = Copier(ground.source, ground.target, mirror.on_conflict, links.context.check, letters.add)
        ledger = PairLedger(self.database, mirror.name, pair.source, pair.target)
        run = PairRun(ground, ledger, copier, links, lambda done, total: links.context.progress(done, total, "slices"))
        try:
            return run.run(work)
        finally:
            if run.report.copied and mirror.target.url is None:
                self._touched(pair.target)

    def _standing(self, mirror: Mirror, pairs: list[BucketPair], links: Links) -> SliceState:
        """The worst state of all slices that are known, also of those that this run had no reason to look at."""
        known = pairs_of(self.database, mirror.name)
        totals = [known[key][1] for pair in pairs if (key := (pair.source, pair.target)) in known]
        states = [{SliceState(name): count for name, count in one.states.items()} for one in totals]
        refused = sum(one.rejected for one in totals)
        if refused:
            links.tell("warning", f"{refused:,} values are not on the target, because it refused them. {_AGAIN_HINT}")
        return _worst(states)

    def _verify(self, mirror: Mirror, pairs: list[BucketPair], source: Store, target: Store, links: Links) -> Json:
        told = []
        for pair in pairs:
            ground = links.patience.call(lambda pair=pair: self._ground(mirror, pair, source, target))  # type: ignore[misc]
            found = Verifier(ground, links.patience, links.tell).verify(links)
            told.append({"source": pair.source, "target": pair.target, **found})
            level = "info" if found["equal"] else "error"
            links.tell(level, f"{pair}: {found['points']:,} points in {found['slices']} slices, of which {found['different']} differ.")
        return {"mirror": mirror.name, "equal": all(one["equal"] for one in told), "pairs": told}


def _buckets(role: str, endpoint: Endpoint, store: Store) -> list[Bucket]:
    with told_by(role, endpoint):
        return store.buckets()


def _refuse_other_types(parameters: Mapping[str, Any]) -> None:
    for name, value in parameters.items():
        kind, told = (bool, "true or false") if name in _SWITCHES else (str, "a text")
        if value is not None and not isinstance(value, kind):
            raise InvalidParameter(name, f"{name}={value!r} is not {told}.")


def _span(parameters: Mapping[str, Any]) -> TimeRange | None:
    start, stop = parameters.get("start"), parameters.get("stop")
    if start is None and stop is None:
        return None
    if start is None or stop is None:
        raise InvalidParameter("start" if start is None else "stop", "Give start and stop together.")
    start_ns, stop_ns = parse_time(start, "start"), parse_time(stop, "stop")
    if start_ns >= stop_ns:
        raise InvalidParameter("stop", "stop is not after start.")
    return TimeRange(start_ns, stop_ns)


def _worst(states: Iterable[Mapping[SliceState, int]]) -> SliceState:
    found = {state for one in states for state, count in one.items() if count}
    worst_first = (SliceState.DIFFERENT, SliceState.UNKNOWN, SliceState.PARTIAL, SliceState.EXTRA)
    return next((state for state in worst_first if state in found), SliceState.EQUAL)


def _told(pair: BucketPair, report: PairReport) -> Json:
    return {
        "source": pair.source, "target": pair.target, "compared": report.compared, "summed": report.summed, "copied_slices": report.copied_slices,
        "copied_points": report.copied, "rejected": report.rejected, "deleted": report.deleted,
        "slices": {state.value: report.states[state] for state in SliceState}, "differing": report.differing, "would_delete": report.would_delete,
    }  # fmt: skip


def _sentence(pair: BucketPair, report: PairReport, dry: bool, letters: Path) -> tuple[str, str]:
    if dry:
        return "info", f"{pair}: {report.compared} slices compared, {report.states[SliceState.DIFFERENT]} would be copied."
    done = f"{pair}: {report.compared} slices compared, {report.copied_slices} copied with {report.copied:,} points"
    if report.states[SliceState.PARTIAL]:
        return "error", f"{done}. PARTIAL: the target refused {report.rejected:,} values; {letters} has each with the reason."
    if report.states[SliceState.EXTRA]:
        return "warning", f"{done}. {report.states[SliceState.EXTRA]} slices of the target hold points that the source has not (deleted there?)."
    return "info", f"{done}."


def _lacking(mirror: Mirror, reports: Mapping[BucketPair, PairReport]) -> str:
    pair, report = next((pair, one) for pair, one in reports.items() if one.states[SliceState.DIFFERENT])
    return (
        f"The target ({mirror.target}) acknowledged points of {pair} that it does not give back, in {report.states[SliceState.DIFFERENT]} slices,"
        f" the first of {report.differing[0] if report.differing else 'an earlier run'}. They are copied again at the next try."
    )
