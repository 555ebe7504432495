"""The kind `mirror` as one value."""

from service.domain.access import Scope
from service.jobs.kind import JobKind
from service.jobs.mirror.definitions import KIND
from service.jobs.mirror.runnable import MirrorRunnable


def mirror_kind(runnable: MirrorRunnable) -> JobKind:
    """Mirrors are tried again for as long as it takes.

    They are written in the section `mirrors`, with their schedules.
    """
    registry = runnable.registry
    return JobKind(KIND, Scope.MIRROR, runnable, sections=(registry.section(),), schedules=registry.schedules)
