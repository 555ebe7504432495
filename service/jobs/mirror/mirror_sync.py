"""One run of one mirror over its pairs of buckets, and the result of that run."""

from collections.abc import Mapping, Sequence

from service.domain.job import Json
from service.domain.mirror import BucketPair, Mirror
from service.domain.mirror_slices import SliceState
from service.errors import CallerError, FluxgateError, MirrorConflict, MirrorIncomplete, StoreFailed, UnreadableText
from service.jobs.mirror.bucket_pairs import Pairs
from service.jobs.mirror.ledger import PairLedger, pairs_of
from service.jobs.mirror.pair_context import PairContext
from service.jobs.mirror.pair_report import PairReport
from service.jobs.mirror.pair_setup import PairSetup
from service.jobs.mirror.pair_sync import PairSync
from service.jobs.mirror.report import (
    dry_run_state,
    incomplete_message,
    pair_result,
    pair_sentence,
    with_left_out,
    worst_state,
)
from service.jobs.mirror.run_options import RunOptions
from service.jobs.mirror.run_services import RunServices
from service.state.database import StateDatabase
from service.transfer.bucket_writer import BucketWriter
from service.transfer.dead_letter_file import DeadLetterFile
from service.transfer.run_log import log_failure


class MirrorSync:
    """Makes the targets of all pairs equal to their sources, one pair after the other."""

    def __init__(
        self,
        mirror: Mirror,
        setup: PairSetup,
        services: RunServices,
        options: RunOptions,
        database: StateDatabase,
        dead_letters: DeadLetterFile,
    ) -> None:
        self._mirror = mirror
        self._setup = setup
        self._services = services
        self._options = options
        self._database = database
        self._dead_letters = dead_letters

    def run(self, pairs: Pairs) -> Json:
        """The result of the job. A pair that fails does not stop the others; it fails the run at its end.

        The run is tried again for what time may mend, and only for that.

        Raises MirrorIncomplete, MirrorConflict, CallerError, StoreError, RetryLater, JobInterrupted.
        """
        reports: dict[BucketPair, PairReport] = {}
        failures: list[FluxgateError] = [*pairs.refused.values()]
        for pair, reason in pairs.refused.items():
            self._services.log("error", f"{pair}: {reason.message} A mirror can name another target for it.")
        slices = 0
        for pair in pairs.present:
            try:
                reports[pair] = self._sync(pair, slices)
            except (CallerError, MirrorConflict, StoreFailed) as failure:
                log_failure(self._services.log, "error", f"{pair}: {failure.message}", failure)
                failures.append(failure)
                continue
            slices += reports[pair].compared
            self._services.job.progress(slices, slices, "slices")
            self._services.log(*pair_sentence(pair, reports[pair], self._options.dry_run, self._dead_letters.path))
        for pair in pairs.lacking:
            self._services.log(
                "info",
                f"{pair}: the target has no bucket {pair.target!r} yet; a run makes it and copies everything.",
            )
            reports[pair] = PairReport(target_lacks_bucket=True)
        if failures:
            raise next((failure for failure in failures if failure.retryable), failures[0])
        if not self._options.dry_run and any(report.states[SliceState.DIFFERENT] for report in reports.values()):
            raise MirrorIncomplete(incomplete_message(self._mirror, reports))
        state = dry_run_state(reports.values()) if self._options.dry_run else self._run_state(pairs.present, reports)
        results = [pair_result(pair, report) for pair, report in reports.items()]
        return {"mirror": self._mirror.name, "dry_run": self._options.dry_run, "state": state.value, "pairs": results}

    def _sync(self, pair: BucketPair, slices_before: int) -> PairReport:
        ledger = PairLedger(self._database, self._mirror.name, pair.source, pair.target)
        earlier = PairReport()

        def sync(context: PairContext) -> PairReport:
            writer = self._writer(context)
            pair_sync = PairSync(context, ledger, writer, self._services, self._options, slices_before)
            try:
                return pair_sync.run()
            except UnreadableText:
                earlier.add_work(pair_sync.report)
                raise

        report = self._setup.with_context(pair, self._services.retry, sync)
        report.add_work(earlier)
        return report

    def _writer(self, context: PairContext) -> BucketWriter:
        target = context.target
        return BucketWriter(
            target.store,
            target.bucket,
            self._mirror.on_conflict,
            lambda reason: MirrorConflict(reason, target.bucket),
            self._services.job.check,
            self._dead_letters.add,
            target.stamped_at_stop,
        )

    def _run_state(self, pairs: Sequence[BucketPair], reports: Mapping[BucketPair, PairReport]) -> SliceState:
        return with_left_out(self._known_state(pairs), reports.values())

    def _known_state(self, pairs: Sequence[BucketPair]) -> SliceState:
        """The worst state of all slices with a record, also of those that this run did not look at."""
        by_pair = pairs_of(self._database, self._mirror.name)
        totals = [by_pair[key][1] for pair in pairs if (key := (pair.source, pair.target)) in by_pair]
        refused = sum(total.rejected for total in totals)
        if refused:
            lost = f"{refused:,} values are not on the target as the source has them, because it refused them."
            self._services.log("warning", f"{lost} `again` tries them once more.")
        return worst_state({SliceState(name): count for name, count in total.states.items()} for total in totals)
