"""The kinds of job there are, and the desk where they are ordered."""

from service.jobs.desk import JobDesk
from service.jobs.protocol import JobContext, Kind, Kinds

__all__ = ["JobContext", "JobDesk", "Kind", "Kinds"]
