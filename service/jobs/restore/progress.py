"""What a restore has done: its checkpoint, from which a run goes on after its process died.

Nothing stands in it before the target acknowledged it.
"""

from collections.abc import Callable, Mapping
from typing import Any

from service.domain.job import Json


class RestoreProgress:
    """`save` keeps a checkpoint.

    `backup`: its id. `is_checked`: every file was checked, and the target too. `made`: the buckets that are the
    restore's own, as the target lacked them. `damaged`: reasons, by the number of the slice, of those that are skipped.
    `written`: slices before this number are on the target. `compared`: the reports of buckets that were compared.
    """

    def __init__(self, checkpoint: Json, save: Callable[[Mapping[str, Any]], None]) -> None:
        self._save = save
        self.backup: str | None = checkpoint.get("backup")
        self.is_checked: bool = checkpoint.get("checked", False)
        self.made: frozenset[str] = frozenset(checkpoint.get("made", ()))
        self.damaged: dict[int, str] = {int(number): reason for number, reason in checkpoint.get("damaged", {}).items()}
        self.written: int = checkpoint.get("written", 0)
        self.compared: dict[str, Json] = dict(checkpoint.get("compared", {}))

    def chosen(self, backup: str) -> None:
        self.backup = backup
        self._keep()

    def checked(self, made: frozenset[str], damaged: Mapping[int, str]) -> None:
        """Before the first act that others can see."""
        self.is_checked, self.made, self.damaged = True, made, dict(damaged)
        self._keep()

    def must_check_again(self) -> None:
        """The target is not as it was checked."""
        self.is_checked = False
        self._keep()

    def wrote(self, number: int) -> None:
        """The slice with this number, and all before it."""
        self.written = number + 1
        self._keep()

    def compare(self, bucket: str, report: Json) -> None:
        """Before its retention is set, by which old points go."""
        self.compared[bucket] = report
        self._keep()

    def _keep(self) -> None:
        damaged = {str(number): reason for number, reason in self.damaged.items()}
        self._save(
            {
                "backup": self.backup,
                "checked": self.is_checked,
                "made": sorted(self.made),
                "damaged": damaged,
                "written": self.written,
                "compared": self.compared,
            }
        )
