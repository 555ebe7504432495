"""Jobs and their leases over one state database, at a time that the test sets."""

from dataclasses import dataclass, field

from service.domain.job import Job
from service.state.database import StateDatabase
from service.state.jobs import JobStore
from service.state.leases import Lease, LeaseStore

LEASE_S = 30.0
KINDS = ["mirror"]


@dataclass
class Desk:
    """A job_store and its leases over one database, at a time that the test sets."""

    database: StateDatabase
    now: float = 1_000_000.0
    job_store: JobStore = field(init=False)
    lease_store: LeaseStore = field(init=False)

    def __post_init__(self) -> None:
        self.job_store = JobStore(self.database, lambda: self.now)
        self.lease_store = LeaseStore(self.database, lambda: self.now)

    def order(self, name: str = "a", key: str | None = None, **more: object) -> Job:
        self.now += 0.001
        return self.job_store.enqueue("mirror", {"name": name}, key, **more)[0]

    def claim(self, owner: str = "one") -> tuple[Job, Lease]:
        claimed = self.job_store.claim(owner, LEASE_S, KINDS)
        assert claimed is not None
        return claimed

    def nothing_due(self) -> bool:
        return self.job_store.claim("one", LEASE_S, KINDS) is None

    def log(self, job: Job) -> list[str]:
        return [line.message for line in self.job_store.lines(job.id)]
