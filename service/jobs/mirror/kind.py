"""The kind `mirror` as one value."""

from service.domain.access import Scope
from service.jobs.kind import JobKind
from service.jobs.mirror.definitions import KIND
from service.jobs.mirror.runnable import MirrorRunnable


def mirror_kind(runnable: MirrorRunnable) -> JobKind:
    """The kind of job. A run that fails is tried again without a limit.

    The section `mirrors` defines the mirrors and their schedules.
    """
    registry = runnable.registry
    return JobKind(KIND, Scope.MIRROR, runnable, sections=(registry.section(),), schedules=registry.schedules)
