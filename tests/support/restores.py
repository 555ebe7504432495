"""A target of restores that counts what would be seen by others, and a look at what a restore did to it."""

from collections import Counter
from typing import Any

import pytest

from service.domain.schema import BucketSpec
from service.errors import (
    FluxgateError,
)
from service.frames.points import Points
from service.stores.protocol import UNBOUNDED, Store, WriteBounds, WriteOutcome
from tests.support.backup_site import (
    BackupSite,
)
from tests.support.stores import Through

URL, TOKEN = "http://target.test:8086", "FLUXGATE_TOKEN_TARGET"
TARGET = {"url": URL, "org": "plant", "token_env": TOKEN}


class CountingStore(Through):
    """A store that counts what would be seen by others."""

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self.acts = Counter[str]()

    def create_bucket(self, spec: BucketSpec) -> bool:
        self.acts["made"] += 1
        return self.store.create_bucket(spec)

    def update_bucket(self, name: str, description: str, retention_ns: int) -> None:
        self.acts["updated"] += 1
        self.store.update_bucket(name, description, retention_ns)

    def write(self, bucket: str, points: Points, bounds: WriteBounds = UNBOUNDED) -> WriteOutcome:
        self.acts["written"] += 1
        return self.store.write(bucket, points, bounds)


def target_of(site: BackupSite) -> CountingStore:
    target = site.targets[URL]
    assert isinstance(target, CountingStore)
    return target


def refused(site: BackupSite, error: type[FluxgateError], match: str, **parameters: Any) -> None:
    """The restore is refused, and the target was not touched."""
    before = Counter(target_of(site).acts)
    with pytest.raises(error, match=match):
        site.restore(**{"target": TARGET, **parameters})
    assert target_of(site).acts == before


def states(result: dict[str, Any]) -> dict[str, str]:
    return {bucket["target"]: bucket["state"] for bucket in result["buckets"]}
