"""What verifications and drills said of each backup. Kept beside the jobs, and not with the files that they judge."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import sqlalchemy as sa

from service.jobs.backup.tables import backup_proofs
from service.state.database import StateDatabase


class Outcome(StrEnum):
    """Of a verification: `intact` or `failed`. Of a drill: `proven`, `failed`, or `inconclusive`: it could not be done
    to its end (no room, a store away), which proves nothing."""

    INTACT = "intact"
    PROVEN = "proven"
    FAILED = "failed"
    INCONCLUSIVE = "inconclusive"


@dataclass(frozen=True)
class Judgement:
    """`at`: seconds since 1970. `detail`: what was wrong, for people; empty when nothing was."""

    at: float
    outcome: Outcome
    detail: str = ""


@dataclass(frozen=True)
class Proof:
    """The newest verification and the newest drill of a backup."""

    verification: Judgement | None = None
    drill: Judgement | None = None

    @property
    def is_proven(self) -> bool:
        """Its newest drill restored it, and no later verification found damage."""
        if self.drill is None or self.drill.outcome is not Outcome.PROVEN:
            return False
        return self.verification is None or self.verification.outcome is not Outcome.FAILED


class ProofStore:
    """The proofs of the backups in one place."""

    def __init__(self, database: StateDatabase, place: str) -> None:
        self._database = database
        self._place = place

    def all(self) -> dict[str, Proof]:
        """By the id of the backup; those that were never judged are absent."""
        with self._database.read() as connection:
            rows = connection.execute(sa.select(backup_proofs).where(backup_proofs.c.place == self._place)).all()
        return {row.backup_id: _proof(row) for row in rows}

    def of(self, backup_id: str) -> Proof:
        """Of one backup; empty when it was never judged."""
        with self._database.read() as connection:
            row = connection.execute(sa.select(backup_proofs).where(self._is(backup_id))).one_or_none()
        return Proof() if row is None else _proof(row)

    def note_verification(self, backup_id: str, judgement: Judgement) -> None:
        self._note(backup_id, "verify", "verified_at", judgement)

    def note_drill(self, backup_id: str, judgement: Judgement) -> None:
        """An inconclusive drill says nothing about a backup, so it does not take the place of one that did."""
        if judgement.outcome is Outcome.INCONCLUSIVE:
            known = self.of(backup_id).drill
            if known is not None and known.outcome is not Outcome.INCONCLUSIVE:
                return
        self._note(backup_id, "drill", "drilled_at", judgement)

    def forget(self, backup_id: str) -> None:
        """Of a backup that was removed nothing is known any more."""
        with self._database.write() as connection:
            connection.execute(sa.delete(backup_proofs).where(self._is(backup_id)))

    def _note(self, backup_id: str, prefix: str, at: str, judgement: Judgement) -> None:
        values: Mapping[str, Any] = {
            at: judgement.at,
            f"{prefix}_outcome": judgement.outcome.value,
            f"{prefix}_detail": judgement.detail[:5000],
        }
        with self._database.write() as connection:
            changed = connection.execute(sa.update(backup_proofs).where(self._is(backup_id)).values(values))
            if not changed.rowcount:
                connection.execute(sa.insert(backup_proofs).values(place=self._place, backup_id=backup_id, **values))

    def _is(self, backup_id: str) -> sa.ColumnElement[bool]:
        return sa.and_(backup_proofs.c.place == self._place, backup_proofs.c.backup_id == backup_id)


def _proof(row: sa.Row[Any]) -> Proof:
    return Proof(
        _judgement(row.verified_at, row.verify_outcome, row.verify_detail),
        _judgement(row.drilled_at, row.drill_outcome, row.drill_detail),
    )


def _judgement(at: float | None, outcome: str | None, detail: str | None) -> Judgement | None:
    return None if at is None or outcome is None else Judgement(at, Outcome(outcome), detail or "")
