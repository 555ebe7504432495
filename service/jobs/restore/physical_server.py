"""A whole InfluxDB in place of another: what has to be true before, the stores, and what is said afterwards.

Restoring the key-value store deletes every point of the server at once, and replaces its tokens. So everything that
could fail later is looked at first: the files, and whether the operator token of the settings is one of the backup's.
"""

from collections.abc import Iterable, Iterator

from service.archive.manifest import BackupState, Manifest
from service.archive.physical_buckets import full_name, is_system
from service.archive.physical_counts import BucketCounts
from service.archive.physical_files import content_checks, gunzipped
from service.archive.physical_folder import PhysicalFolder
from service.domain.job import Json
from service.errors import CallerError, InvalidParameter, StoreError
from service.jobs.backup.physical_contents import OTHER_BUCKETS
from service.jobs.backup.value_counts import ValueCounter
from service.jobs.restore.physical_comparison import CountComparison, sentence, worst
from service.stores.influx.physical import PhysicalBackups
from service.stores.protocol import Store
from service.transfer.retry import Retrying
from service.transfer.run_log import Log

TOKENS_CHANGED = (
    "Tokens, users and passwords of the server are those of the backup now: a token that was made later does not work"
    " any more, INFLUXDB_TOKEN included. Restart every gateway of this server."
)


class ServerRestore:
    """One backup into the server of `physical`. `store` sees its points."""

    def __init__(
        self,
        physical: PhysicalBackups,
        store: Store,
        folder: PhysicalFolder,
        manifest: Manifest,
        retry: Retrying,
        log: Log,
    ) -> None:
        self._physical = physical
        self._store = store
        self._folder = folder
        self._manifest = manifest
        self._retry = retry
        self._log = log
        self._plain = folder.manifest()

    def demand_fitting(self, confirmation: str | None) -> None:
        """Raises InvalidParameter, BackupDamaged: this restore would not end well. Nothing is changed."""
        name = self._physical.server_name
        if confirmation != name:
            raise InvalidParameter(
                "confirmation",
                f"This deletes everything on the InfluxDB {name} first: points, tokens, users, tasks, dashboards."
                f" If that is what you want, give its name: confirmation={name}.",
            )
        if self._manifest.state is not BackupState.COMPLETE:
            raise InvalidParameter("backup", f"{self._manifest.backup_id} is partial: restore its buckets by name.")
        if any(part.what == OTHER_BUCKETS for part in self._manifest.not_covered):
            raise InvalidParameter(
                "backup",
                f"{self._manifest.backup_id} has the points of some buckets alone, and all others would be empty"
                " afterwards: restore its buckets by name, or choose a backup of the whole server.",
            )
        for damage in self._folder.damages(content_checks(self._plain)):
            raise damage
        if not self._knows_token():
            raise InvalidParameter(
                "backup",
                "INFLUXDB_OPERATOR_TOKEN is none of the tokens in the backup, so that after the tokens were replaced"
                " nobody could restore the points. Give the server the operator token of the backup first (on a new"
                " one: `influx setup --token`), and set INFLUXDB_OPERATOR_TOKEN to it.",
            )

    def replace_stores(self) -> None:
        """From here on the server is empty until its shards are uploaded."""
        self._log("warning", f"{self._physical.server_name}: everything is replaced by {self._manifest.backup_id}.")
        before = [bucket.name for bucket in self._retry.call(self._store.buckets)]
        kv, sql = self._plain.kv, self._plain.sql
        self._retry.call(lambda: self._physical.restore_kv(self._folder.content(kv), gzipped=kv.is_gzipped))
        self._log("warning", TOKENS_CHANGED)
        if sql is not None:
            self._retry.call(lambda: self._physical.restore_sql(self._folder.content(sql), gzipped=sql.is_gzipped))
        self._forget_answers(before)

    def report(self, counter: ValueCounter) -> Json:
        """The result, with every bucket of the gateway's organization counted."""
        organization, buckets = self._physical.organization, self._plain.buckets
        own = [bucket for bucket in buckets if bucket.organization == organization and not is_system(bucket.name)]
        self._forget_answers(bucket.name for bucket in own)
        expected, counted = self._folder.counts(), self._counted(counter, [bucket.name for bucket in own])
        reports: list[Json] = []
        for bucket in own:
            comparison = CountComparison(expected.get(full_name(bucket)), counted.get(bucket.name)).json()
            self._log(*sentence(bucket.name, comparison))
            reports.append({"bucket": bucket.name, "target": bucket.name, **comparison, "notes": []})
        return {
            "backup": self._manifest.backup_id,
            "kind": self._manifest.kind.value,
            "server": self._physical.server_name,
            "state": worst({str(report["state"]) for report in reports}),
            "buckets": reports,
            "notes": [TOKENS_CHANGED],
        }

    def _counted(self, counter: ValueCounter, names: list[str]) -> dict[str, BucketCounts]:
        """Nothing where the gateway's own token is none of the backup's."""
        try:
            return counter.counts(names)
        except StoreError as failure:
            self._log("warning", f"Nothing is counted: {failure.message}")
            return {}

    def _knows_token(self) -> bool:
        kv = self._plain.kv
        content = self._folder.content(kv)
        return _holds_any(gunzipped(content) if kv.is_gzipped else content, self._physical.token_forms())

    def _forget_answers(self, names: Iterable[str]) -> None:
        """Have the store tell its listeners that these buckets changed: their kept answers are those of other points.

        The port has no other way to say it than to give a bucket the description and retention that it has; whether
        the server takes them does not matter.
        """
        for name in names:
            try:
                self._store.update_bucket(name, *self._present_values(name))
            except (CallerError, StoreError) as failure:
                self._log("info", f"{name}: its description and retention are not touched ({failure.code}).")

    def _present_values(self, name: str) -> tuple[str, int]:
        try:
            bucket = self._store.bucket(name)
        except (CallerError, StoreError):
            return "", 0
        return bucket.description, bucket.retention_ns


def _holds_any(pieces: Iterator[bytes], marks: tuple[bytes, ...]) -> bool:
    """Whether any of `marks` stands in the bytes, across pieces too."""
    longest = max(map(len, marks))
    held = b""
    for piece in pieces:
        held += piece
        if any(mark in held for mark in marks):
            for _ in pieces:  # its checksum is compared at its end
                pass
            return True
        held = held[-longest:]
    return False
