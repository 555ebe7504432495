"""The kinds of job there are, and the queue where they are ordered."""

from service.jobs.protocol import JobContext, Kind, Kinds
from service.jobs.queue import JobQueue

__all__ = ["JobContext", "JobQueue", "Kind", "Kinds"]
