"""The job `restore`: brings buckets of a backup back, and says of each whether it is equal.

Whatever is wrong with the order, the backup or the target is refused before anything is written. A run that is killed
goes on after the last slice that the target acknowledged.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from service.archive.manifest import BackupKind, BackupState, Manifest
from service.domain.job import Json
from service.errors import InvalidParameter
from service.jobs.backup.choosing import LATEST, chosen_backup
from service.jobs.backup.kind_names import RESTORE
from service.jobs.backup.limits import WorkLimits
from service.jobs.backup.place import BackupPlace
from service.jobs.protocol import JobContext
from service.jobs.restore.options import RestoreOptions
from service.jobs.restore.physical_restore import PhysicalRestore
from service.jobs.restore.plan import restore_plan
from service.jobs.restore.progress import RestoreProgress
from service.jobs.restore.report import restore_result
from service.jobs.restore.restorer import Restorer
from service.jobs.restore.run_tools import RunTools
from service.jobs.restore.slice_source import SliceSource
from service.jobs.restore.target import RestoreRules, naming_target
from service.stores.influx.physical import PhysicalOpener
from service.stores.opener import Opener
from service.stores.protocol import Store
from service.transfer.run_log import Log, RunLog


@dataclass(frozen=True)
class PhysicalServer:
    """The InfluxDB whose files can be given back, and its points as the gateway's own store sees them."""

    opener: PhysicalOpener
    store: Store


class RestoreRunnable:
    """Restores from `place`. `open_store` connects to the target; `clock` gives seconds since 1970.

    `physical` None: physical backups cannot be restored here.
    """

    def __init__(
        self,
        place: BackupPlace,
        open_store: Opener,
        rules: RestoreRules,
        limits: WorkLimits,
        clock: Callable[[], float],
        physical: PhysicalServer | None = None,
    ) -> None:
        self._place = place
        self._open_store = open_store
        self._rules = rules
        self._limits = limits
        self._clock = clock
        self._physical = physical

    def exclusion_key(self, parameters: Mapping[str, Any]) -> str | None:
        return RESTORE

    def validate(self, parameters: Mapping[str, Any]) -> None:
        options = RestoreOptions.of(parameters)
        self._rules.endpoint(options.target)
        self._rules.passphrase(options.passphrase_env)
        if options.replace_server is not None:
            options.refuse_for_physical()
            self._demanded_physical()

    def run(self, parameters: Mapping[str, Any], context: JobContext) -> Json:
        options = RestoreOptions.of(parameters)
        log = RunLog([context.log], self._clock).write
        endpoint = self._rules.endpoint(options.target)
        progress = RestoreProgress(context.checkpoint, context.save)
        manifest = self._manifest(progress, options, log)
        if manifest.kind is BackupKind.PHYSICAL:
            return self._restored_physical(manifest, options, context, log)
        if options.replace_server is not None:
            raise InvalidParameter(
                "replace_server", f"{manifest.backup_id} is no physical backup. Leave replace_server out."
            )
        plan = restore_plan(manifest, options)
        decrypter = self._place.decrypter(manifest, self._rules.passphrase(options.passphrase_env))
        source = SliceSource(self._place.destination, decrypter)
        with naming_target(endpoint), self._open_store(endpoint) as target:
            tools = RunTools.of(context, log, self._clock, self._limits.concurrency, endpoint.is_remote)
            buckets = Restorer(target.store, plan, source, options, progress, tools).run()
        return restore_result(plan, endpoint, options.dry_run, buckets)

    def _restored_physical(self, manifest: Manifest, options: RestoreOptions, context: JobContext, log: Log) -> Json:
        options.refuse_for_physical()
        physical = self._demanded_physical()
        restore = PhysicalRestore(self._place, physical.opener, physical.store, context, log, self._limits.concurrency)
        passphrase = self._rules.passphrase(options.passphrase_env)
        if options.replace_server is not None:
            return restore.whole_server(manifest, options.replace_server, passphrase)
        return restore.buckets(manifest, options.names, passphrase)

    def _demanded_physical(self) -> PhysicalServer:
        """Raises InvalidParameter: this gateway cannot restore physical backups."""
        if self._physical is None:
            raise InvalidParameter(
                "backup",
                "Physical backups are restored into an InfluxDB 2, with INFLUXDB_OPERATOR_TOKEN set. "
                "Set both, or restore a logical backup.",
            )
        return self._physical

    def _manifest(self, progress: RestoreProgress, options: RestoreOptions, log: Log) -> Manifest:
        """The backup that was chosen, which later runs of the job keep to."""
        name = progress.backup or options.backup
        kind = None if name != LATEST else _kind_of(options)
        manifest = chosen_backup(self._place, name, log, kind)
        if progress.backup is None:
            progress.chosen(manifest.backup_id)
        if manifest.state is BackupState.PARTIAL:
            lacking = f"{len(manifest.missing)} parts of what it was to hold are missing"
            log("warning", f"{manifest.backup_id} is partial, and so is what is restored of it: {lacking}.")
        return manifest


def _kind_of(options: RestoreOptions) -> BackupKind:
    """What `latest` is the latest of."""
    return BackupKind.LOGICAL if options.replace_server is None else BackupKind.PHYSICAL
