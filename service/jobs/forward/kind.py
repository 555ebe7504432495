"""The kind `forward` as one value."""

from service.domain.access import Scope
from service.jobs.forward.definitions import KIND
from service.jobs.forward.runnable import ForwardRunnable
from service.jobs.kind import JobKind


def forward_kind(runnable: ForwardRunnable, slots: int | None = None) -> JobKind:
    """The kind of job. A run that fails is tried again without a limit.

    The section `connectors` defines the connectors and their schedules. `slots`: runs at one time in each process,
    beside those of other kinds: an upstream that takes long must not hold up a mirror or a backup.
    """
    registry = runnable.registry
    return JobKind(
        KIND,
        Scope.CONNECTOR,
        runnable,
        sections=(registry.section(),),
        schedules=registry.schedules,
        slots=slots,
    )
