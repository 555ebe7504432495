"""One logical backup: every bucket, slice by slice, then the files written are read back, then the manifest."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field

from service import __version__
from service.archive import catalog
from service.archive.checking import check_slice
from service.archive.encryption import Decrypter, KeyPair
from service.archive.manifest import (
    BackupKind,
    BackupState,
    BucketBackup,
    Manifest,
    Missing,
    NotCovered,
    OtherFile,
    SliceFile,
)
from service.errors import ArchiveUnavailable, CallerError, StoreError
from service.jobs.backup.backup_tools import BackupTools
from service.jobs.backup.bucket_backup import BucketArchiver
from service.jobs.backup.bucket_plans import BucketPlans
from service.jobs.backup.bucket_snapshot import snapshot_of
from service.jobs.backup.options import BackupOptions
from service.jobs.backup.previous import PreviousBackups
from service.stores.protocol import Store
from service.transfer.run_log import log_failure
from service.transfer.splitting import Splitter

NOT_COVERED = (
    NotCovered(
        "tasks, dashboards, variables, checks, notification rules",
        (),
        "they are no points: export them with `influx export`",
    ),
    NotCovered("tokens, users, organizations", (), "they are secrets of the server: only a physical backup holds them"),
)


@dataclass
class _Taken:
    """What a run has collected so far."""

    buckets: list[BucketBackup] = field(default_factory=list)
    files: list[OtherFile] = field(default_factory=list)
    missing: list[Missing] = field(default_factory=list)
    written: list[tuple[str, SliceFile]] = field(default_factory=list)
    not_covered: list[NotCovered] = field(default_factory=list)


class LogicalBackup:
    """A backup `tools.backup_id` of `store`. `clock` gives seconds since 1970; `key_pair` encrypts."""

    def __init__(
        self,
        store: Store,
        tools: BackupTools,
        splitter: Splitter,
        options: BackupOptions,
        previous: PreviousBackups,
        key_pair: KeyPair | None,
        created_ns: int,
        clock: Callable[[], float],
    ) -> None:
        self._store = store
        self._tools = tools
        self._splitter = splitter
        self._options = options
        self._key_pair = key_pair
        self._created_ns = created_ns
        self._plans = BucketPlans(options, previous, self._recipients, created_ns)
        self._clock = clock
        self._slices_done = 0

    def run(self) -> Manifest:
        """The manifest, written last. What cannot be backed up of one bucket is missing; the others go on.

        Raises StoreError (a store that is away), ArchiveError, RetryLater, JobInterrupted.
        """
        taken = _Taken()
        for number, name in enumerate(self._names(taken), start=1):
            try:
                self._bucket(number, name, taken)
            except (CallerError, StoreError) as failure:
                if failure.retryable:
                    raise
                log_failure(
                    self._tools.log, "error", f"{name}: {failure.message} It is missing in the backup.", failure
                )
                taken.missing.append(Missing(name, None, failure.message))
        self._read_back(taken.written)
        return self._finish(taken)

    def _names(self, taken: _Taken) -> list[str]:
        present = [bucket.name for bucket in self._tools.retry.call(self._store.buckets)]
        wanted = self._options.buckets
        if wanted is None:
            return present
        for name in wanted:
            if name not in present:
                self._tools.log("error", f"There is no bucket {name!r}. It is missing in the backup.")
                taken.missing.append(Missing(name, None, "there is no bucket of this name"))
        return [name for name in present if name in wanted]

    def _bucket(self, number: int, name: str, taken: _Taken) -> None:
        within = self._options.span
        snapshot = self._tools.retry.call(
            lambda: snapshot_of(
                self._store, name, within, self._splitter, lambda step_ns: self._plans.sealed(name, step_ns).span
            )
        )
        sealed = self._plans.sealed(name, snapshot.step_ns)
        for reason in snapshot.unreadable:
            self._tools.log("error", f"{name}: {reason}. It is missing in the backup.")
            taken.missing.append(Missing(name, None, reason))
        for what in snapshot.hidden:
            taken.not_covered.append(NotCovered(what, (name,), "the token may not list them"))
        archiver = BucketArchiver(self._tools, snapshot, number)
        archiver.take_over(sealed.slices)
        result = archiver.run(self._plans.slices(snapshot), self._slice_done)
        taken.buckets.append(result.backup(within, () if sealed.span is None else (sealed.span,)))
        taken.files += result.copies
        taken.missing += result.missing
        taken.written += [(name, entry) for entry in result.written]
        counted = sum(entry.digest.count for entry in result.slices)
        self._tools.log(
            "info",
            f"{name}: {counted:,} values in {len(result.slices)} slices, {len(result.written)} of them written now.",
        )

    @property
    def _recipients(self) -> tuple[str, ...]:
        return () if self._key_pair is None else (self._key_pair.recipient,)

    def _slice_done(self) -> None:
        self._slices_done += 1
        self._tools.job.progress(self._slices_done, None, "slices")

    def _read_back(self, written: list[tuple[str, SliceFile]]) -> None:
        """Every file that this run wrote, read from where it lies and held against what was sent."""
        tools = self._tools
        decrypter = None if self._key_pair is None else Decrypter((self._key_pair.identity,))
        for bucket, entry in written:
            tools.job.check()
            finding = check_slice(tools.place.destination, entry, bucket, decrypter)
            if finding is not None:
                tools.progress.forget(entry.file)
                raise ArchiveUnavailable(
                    f"{finding.path} was written and cannot be read back: {finding.reason}. It is written again."
                    f" If this comes again, look at the disk or the network of {tools.place.name}.",
                )

    def _finish(self, taken: _Taken) -> Manifest:
        tools = self._tools
        manifest = Manifest(
            backup_id=tools.backup_id,
            kind=BackupKind.LOGICAL,
            state=BackupState.PARTIAL if taken.missing else BackupState.COMPLETE,
            tool_version=__version__,
            server=self._store.server(),
            created_ns=self._created_ns,
            finished_ns=max(self._created_ns, math.floor(self._clock() * 1e9)),
            comment=self._options.comment,
            recipients=self._recipients,
            buckets=tuple(taken.buckets),
            files=(*self._key_file(), *taken.files),
            missing=tuple(taken.missing),
            not_covered=(*NOT_COVERED, *taken.not_covered),
        )
        tools.job.check()
        catalog.remove_strays(tools.place.destination, manifest)
        catalog.finish(tools.place.destination, manifest, tools.place.key)
        tools.progress.clear()
        return manifest

    def _key_file(self) -> tuple[OtherFile, ...]:
        if self._key_pair is None:
            return ()
        return (self._tools.place.key_file(self._tools.backup_id, self._key_pair),)
