"""The job `mirror`: it copies the pairs of buckets of one mirror, or verifies that they are equal.

A wrong mirror is refused before the job is queued. Wrong buckets are refused before anything is copied.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from service.domain.job import Json
from service.domain.mirror import Mirror
from service.domain.timerange import TimeRange
from service.errors import InvalidParameter
from service.jobs.mirror.bucket_pairs import BucketPairs
from service.jobs.mirror.definitions import KIND
from service.jobs.mirror.endpoints import OpenEndpoints, opened_endpoints
from service.jobs.mirror.lateness import measured_lateness
from service.jobs.mirror.ledger import PairState, SliceTotals, pairs_of
from service.jobs.mirror.mirror_sync import MirrorSync
from service.jobs.mirror.pair_setup import PairSetup
from service.jobs.mirror.registry import MirrorRegistry
from service.jobs.mirror.run_options import RunOptions, mirror_name
from service.jobs.mirror.run_services import RunServices
from service.jobs.mirror.target_log import TargetLog
from service.jobs.mirror.verifying import MirrorVerify, diff
from service.jobs.protocol import JobContext
from service.state.database import StateDatabase
from service.stores.opener import Opener
from service.transfer.dead_letter_file import DeadLetterFile
from service.transfer.retry import NoRetry
from service.transfer.run_log import RunLog
from service.transfer.splitting import Splitter


class MirrorRunnable:
    """Runs mirrors. `open_store` connects to an endpoint, and `directory` holds the files of dead letters.

    `clock` gives seconds since 1970.
    """

    def __init__(
        self,
        registry: MirrorRegistry,
        database: StateDatabase,
        open_store: Opener,
        directory: Path,
        clock: Callable[[], float],
    ) -> None:
        self.registry = registry
        self._database = database
        self._pairs = BucketPairs(registry, database)
        self._open_store = open_store
        self._directory = directory
        self._clock = clock

    def known_pairs(self, mirror: str) -> dict[tuple[str, str], tuple[PairState, SliceTotals]]:
        """What is known of each pair of buckets of a mirror, by source and target."""
        return pairs_of(self._database, mirror)

    def late_points(self) -> dict[str, int]:
        """How late the points of buckets of the gateway's own store were in the last days, in ns."""
        return measured_lateness(self._database, self.registry.own_store, self._clock())

    def exclusion_key(self, parameters: Mapping[str, Any]) -> str | None:
        return f"{KIND}:{parameters.get('mirror')}"

    def validate(self, parameters: Mapping[str, Any]) -> None:
        mirror = self.registry.get(mirror_name(parameters))
        bucket = RunOptions.of(parameters).bucket
        if bucket is not None and mirror.buckets is not None and bucket not in {pair.source for pair in mirror.buckets}:
            copied = ", ".join(repr(pair.source) for pair in mirror.buckets)
            raise InvalidParameter(
                "bucket",
                f"The mirror {mirror.name!r} does not copy the bucket {bucket!r}. It copies {copied}.",
            )

    def run(self, parameters: Mapping[str, Any], context: JobContext) -> Json:
        mirror, options = self.registry.get(parameters["mirror"]), RunOptions.of(parameters)
        with opened_endpoints(mirror, self._open_store) as endpoints:
            log = self._log(mirror, options, context, endpoints)
            services = RunServices.of(context, log.write, mirror.budget_bytes, endpoints.moved_bytes, self._clock)
            bucket, changes_nothing = options.bucket, options.changes_nothing
            pairs = services.retry.call(lambda: self._pairs.of(mirror, endpoints, bucket, changes_nothing))
            setup = PairSetup(mirror, endpoints, services.splitter, self._clock)
            if options.verify:
                return MirrorVerify(mirror, setup, services).run(pairs)
            dead_letters = DeadLetterFile(self._directory / f"rejects-{mirror.name}.ndjson")
            sync = MirrorSync(mirror, setup, services, options, self._database, dead_letters)
            return sync.run(pairs)

    def diff(self, mirror: Mirror, bucket: str, span: TimeRange) -> Json:
        """The series of a bucket that differ now, by the hours of `span`.

        Raises InvalidParameter, StoreError.
        """
        with opened_endpoints(mirror, self._open_store) as endpoints:
            pairs = self._pairs.of(mirror, endpoints, bucket, changes_nothing=True)
            if not pairs.present:
                raise InvalidParameter(
                    "bucket",
                    f"The target ({mirror.target}) has no copy of {bucket!r} yet. Run the mirror first.",
                )
            splitter = Splitter(NoRetry(), lambda level, message: None)
            setup = PairSetup(mirror, endpoints, splitter, self._clock)
            return setup.with_context(pairs.present[0], NoRetry(), lambda context: diff(context, span))

    def _log(self, mirror: Mirror, options: RunOptions, context: JobContext, endpoints: OpenEndpoints) -> RunLog:
        """The job's log, and the log in the target where the mirror has one.

        A dry run and a verification change nothing, so they do not write into the target.
        """
        sinks = [context.log]
        if mirror.log_in_target and not options.changes_nothing:
            sinks.append(TargetLog(endpoints.target, self._clock).write)
        return RunLog(sinks, self._clock)
