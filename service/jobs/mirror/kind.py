"""The job `mirror`: one run of one mirror over its pairs of buckets, or a look at whether both sides are equal.

What is wrong with the mirror is refused when it is ordered; what is wrong with the buckets, before anything is copied.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from service.domain.access import Scope
from service.domain.job import Json
from service.domain.mirror import BucketPair, Endpoint, Mirror
from service.domain.mirror_slices import SliceState
from service.domain.timerange import TimeRange, parse_range
from service.errors import CallerError, FluxgateError, InvalidParameter, MirrorConflict, MirrorIncomplete
from service.jobs.mirror.bucket_pairs import BucketPairs, Pairs
from service.jobs.mirror.definitions import KIND
from service.jobs.mirror.pair_context import Ground, Links, ground_of
from service.jobs.mirror.pair_sync import PairReport, PairRun, Work
from service.jobs.mirror.registry import MirrorBook
from service.jobs.mirror.report import foreseen, lacking, result_of, sentence, slices_of, worst
from service.jobs.mirror.verifying import Verifier
from service.jobs.protocol import JobContext
from service.state.database import StateDatabase
from service.state.mirror_ledger import PairLedger, pairs_of
from service.stores.protocol import Store
from service.transfer.bucket_reader import Side
from service.transfer.copier import Copier
from service.transfer.dead_letter_file import DeadLetters
from service.transfer.retry import Budget, Once, Patience
from service.transfer.run_log import Journal, TargetLog

_SWITCHES = {"dry_run", "again", "verify"}
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
        touched: Callable[[str], None],
    ) -> None:
        self.book = book
        self._database = database
        self._pairs = BucketPairs(book, database)
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
        bucket, dry = parameters.get("bucket"), bool(parameters.get("dry_run"))
        with self._sides(mirror) as (source, target):
            links = self._links(mirror, context, journal, source, target)
            if mirror.log_in_target and not dry:
                journal.beyond = TargetLog(target.store, self._clock)
            looks = dry or bool(parameters.get("verify"))
            pairs = links.patience.call(lambda: self._pairs.of(mirror, source.store, target.store, bucket, looks))
            if parameters.get("verify"):
                return self._verify(mirror, pairs, source.store, target.store, links)
            return self._mirror(mirror, pairs, parameters, source.store, target.store, links)

    def diff(self, mirror: Mirror, bucket: str, span: TimeRange) -> Json:
        """Which series of a bucket differ in which hours of `span`, as the two sides answer now. Raises InvalidParameter, StoreError."""
        with self._sides(mirror) as (source, target):
            pairs = self._pairs.of(mirror, source.store, target.store, bucket, looks=True)
            if not pairs.there:
                raise InvalidParameter("bucket", f"The target ({mirror.target}) has no copy of {bucket!r} yet. Run the mirror first.")
            return Verifier(self._ground(mirror, pairs.there[0], source.store, target.store), Once()).diff(span)

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

    def _ground(self, mirror: Mirror, pair: BucketPair, source: Store, target: Store) -> Ground:
        stamped = mirror.windows is not None
        here = Side("source", mirror.source, source, pair.source, mirror.windows, stamped)
        there = Side("target", mirror.target, target, pair.target, None, stamped)
        return ground_of(mirror, pair, here, there, int(self._clock() * 1e9))

    def _mirror(self, mirror: Mirror, pairs: Pairs, parameters: Mapping[str, Any], source: Store, target: Store, links: Links) -> Json:
        """Run over all pairs. What is wrong with one does not keep the others; it fails the run at its end."""
        work = Work(_span(parameters), bool(parameters.get("dry_run")), bool(parameters.get("again")))
        letters = DeadLetters(self._directory, mirror.name)
        reports: dict[BucketPair, PairReport] = {}
        wrong: list[FluxgateError] = []
        for pair in pairs.there:
            try:
                reports[pair] = self._one(mirror, pair, work, source, target, letters, links, sum(one.compared for one in reports.values()))
            except (CallerError, MirrorConflict) as broken:
                links.tell("error", f"{pair}: {broken.message}")
                wrong.append(broken)
                continue
            links.context.progress(done := sum(one.compared for one in reports.values()), done, "slices")
            links.tell(*sentence(pair, reports[pair], work.dry, letters.path))
        for pair in pairs.lacking:
            links.tell("info", f"{pair}: the target has no bucket {pair.target!r} yet; a run makes it and copies everything.")
            reports[pair] = PairReport(target_lacks_bucket=True)
        if wrong:
            raise wrong[0]
        if not work.dry and any(one.states[SliceState.DIFFERENT] for one in reports.values()):
            raise MirrorIncomplete(lacking(mirror, reports))
        state = foreseen(reports.values()) if work.dry else self._standing(mirror, pairs.there, links)
        return {"mirror": mirror.name, "dry_run": work.dry, "state": state.value, "pairs": [result_of(pair, one) for pair, one in reports.items()]}

    def _one(
        self, mirror: Mirror, pair: BucketPair, work: Work, source: Store, target: Store, letters: DeadLetters, links: Links, before: int
    ) -> PairReport:
        """`before`: slices of the pairs before this one."""
        ground = links.patience.call(lambda: self._ground(mirror, pair, source, target))
        copier = Copier(ground.source, ground.target, mirror.on_conflict, links.context.check, letters.add)
        ledger = PairLedger(self._database, mirror.name, pair.source, pair.target)
        run = PairRun(ground, ledger, copier, links, work, before)
        try:
            return run.run()
        finally:
            if run.report.copied and mirror.target.url is None:
                self._touched(pair.target)

    def _standing(self, mirror: Mirror, pairs: list[BucketPair], links: Links) -> SliceState:
        """The worst state of all slices that are known, also of those that this run had no reason to look at."""
        known = pairs_of(self._database, mirror.name)
        totals = [known[key][1] for pair in pairs if (key := (pair.source, pair.target)) in known]
        states = [{SliceState(name): count for name, count in one.states.items()} for one in totals]
        refused = sum(one.rejected for one in totals)
        if refused:
            told = f"{refused:,} values are not on the target as the source has them, because it refused them. `again` tries them once more."
            links.tell("warning", told)
        return worst(states)

    def _verify(self, mirror: Mirror, pairs: Pairs, source: Store, target: Store, links: Links) -> Json:
        told: list[Json] = []
        for pair in pairs.there:
            ground = links.patience.call(lambda pair=pair: self._ground(mirror, pair, source, target))  # type: ignore[misc]
            found = Verifier(ground, links.patience, links.tell).verify(links, sum(one["slices"] for one in told))
            told.append({"source": pair.source, "target": pair.target, "target_lacks_bucket": False, **found})
            level = "info" if found["equal"] else "error"
            links.tell(level, f"{pair}: {found['points']:,} points in {slices_of(found['slices'])}, of which {found['different']} differ.")
        for pair in pairs.lacking:
            links.tell("error", f"{pair}: the target has no bucket {pair.target!r}.")
            nothing = {"equal": False, "slices": 0, "points": 0, "different": 0, "differing": []}
            told.append({"source": pair.source, "target": pair.target, "target_lacks_bucket": True, **nothing})
        return {"mirror": mirror.name, "equal": all(one["equal"] for one in told), "pairs": told}


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
    return parse_range(start, stop)
