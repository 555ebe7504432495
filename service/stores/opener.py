"""Stores that are open for the time of a block: connected, used, and closed again."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

from service.domain.endpoint import Endpoint
from service.stores.protocol import Store


@dataclass(frozen=True)
class OpenStore:
    """A store for the time of a run, and how many bytes were sent and received so far."""

    store: Store
    moved_bytes: Callable[[], int]


Opener = Callable[[Endpoint], AbstractContextManager[OpenStore]]
"""Connects to the store at an endpoint. The gateway's own stays open afterwards."""
