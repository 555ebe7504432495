"""What a process of the service does. Processes of several roles may share a state database."""

from enum import StrEnum


class Role(StrEnum):
    """The role of a process; it stands in rows and in the names of files."""

    GATEWAY = "gateway"
    WORKER = "worker"
    SCHEDULER = "scheduler"
