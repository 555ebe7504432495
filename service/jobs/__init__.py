"""The kinds of job there are, and the queue where they are ordered."""

from service.jobs.kind import JobKind
from service.jobs.kinds import Kinds
from service.jobs.protocol import JobContext, Runnable
from service.jobs.queue import JobQueue

__all__ = ["JobContext", "JobKind", "JobQueue", "Kinds", "Runnable"]
