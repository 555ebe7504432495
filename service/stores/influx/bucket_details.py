"""The labels of a bucket, and the InfluxDB 1 names (DBRP mappings) that were made for it by hand.

Seen on InfluxDB 2.9.1: names of labels differ in more than large and small letters; the first mapping of a database
becomes its default; a mapping by hand takes the name of a bucket's virtual mapping away from that bucket, and a new
default the place of the old one. The last two are refused: who adds a mapping changes no other bucket.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from service.domain.bucket_details import LABELS, MAPPINGS, BucketDetails, DbrpMapping, Label
from service.errors import StoreDenied, StoreError, StoreFailed
from service.stores.influx.answers import objects
from service.stores.influx.catalog import Catalog, making_sense
from service.stores.influx.transport import Transport

_REFUSALS = (StoreDenied, StoreFailed)
"""What is said of one label or mapping. Any other error is of the server or the way to it, and ends the call."""


@dataclass(frozen=True)
class BucketDetailsApi:
    """`catalog` finds the bucket and the organization."""

    transport: Transport
    catalog: Catalog

    def read(self, bucket: str) -> BucketDetails:
        """What the port's `bucket_details` promises."""
        bucket_id = self._id(bucket)
        unreadable = []
        labels: list[Label] = []
        mappings: list[DbrpMapping] = []
        try:
            labels = [_label(label) for label in self._bucket_labels(bucket_id)]
        except StoreDenied:
            unreadable.append(LABELS)
        try:
            listed = self._mappings({"bucketID": bucket_id})
            mappings = [_mapping(mapping) for mapping in listed if not mapping.get("virtual")]
        except StoreDenied:
            unreadable.append(MAPPINGS)
        labels.sort(key=lambda label: label.name)
        mappings.sort(key=lambda mapping: (mapping.database, mapping.retention_policy))
        return BucketDetails(tuple(labels), tuple(mappings), tuple(unreadable))

    def add(self, bucket: str, details: BucketDetails) -> list[str]:
        """What the port's `add_bucket_details` promises."""
        bucket_id = self._id(bucket)
        return [*self._add_labels(bucket, bucket_id, details), *self._add_mappings(bucket, bucket_id, details)]

    def _add_labels(self, bucket: str, bucket_id: str, details: BucketDetails) -> Iterator[str]:
        for label in details.labels:
            subject = f"The label {label.name!r} of the bucket {bucket!r}"
            try:
                yield from self._add_label(subject, bucket_id, label)
            except _REFUSALS as failure:
                yield _not_made(subject, failure)

    def _add_label(self, subject: str, bucket_id: str, label: Label) -> Iterator[str]:
        """A label that is there is used; a sentence when its properties differ."""
        if any(_key(present["name"]) == _key(label.name) for present in self._bucket_labels(bucket_id)):
            return
        parameters = {"orgID": self.catalog.org_id()}
        known = objects(self.transport.open("GET", "/api/v2/labels", parameters).read(), "labels")
        with making_sense("/api/v2/labels"):
            document = next((present for present in known if _key(present["name"]) == _key(label.name)), None)
            if document is None:
                payload = {"orgID": self.catalog.org_id(), "name": label.name, "properties": dict(label.properties)}
                document = dict(self.transport.json("POST", "/api/v2/labels", None, payload)["label"])
            label_id = str(document["id"])
        self.transport.json("POST", f"/api/v2/buckets/{bucket_id}/labels", None, {"labelID": label_id})
        if _label(document).properties != label.properties:
            yield f"{subject} is the one that the organization has by this name; its color or description is another."

    def _add_mappings(self, bucket: str, bucket_id: str, details: BucketDetails) -> Iterator[str]:
        for mapping in details.mappings:
            subject = f"The mapping {mapping.database}/{mapping.retention_policy} of the bucket {bucket!r}"
            try:
                yield from self._add_mapping(subject, bucket_id, mapping)
            except _REFUSALS as failure:
                yield _not_made(subject, failure)

    def _add_mapping(self, subject: str, bucket_id: str, mapping: DbrpMapping) -> Iterator[str]:
        listed = self._mappings({"db": mapping.database})
        present = [other for other in listed if other.get("database") == mapping.database]
        others = [other for other in present if other.get("bucketID") != bucket_id]
        if any(other.get("retention_policy") == mapping.retention_policy for other in others):
            yield f"{subject} was not made: another bucket has these names. Delete that mapping, or rename that bucket."
            return
        if any(other.get("virtual") and other.get("default") for other in others):
            yield f"{subject} was not made: its database is the name of another bucket, which it would hide."
            return
        if any(not own.get("virtual") and own.get("retention_policy") == mapping.retention_policy for own in present):
            return
        is_taken = mapping.default and any(other.get("default") for other in others)
        self._make(bucket_id, mapping, mapping.default and not is_taken)
        if is_taken:
            yield (
                f"{subject} was made, but not as the default of its database: that is another bucket's mapping."
                " `influx v1 dbrp update --default` changes it."
            )

    def _make(self, bucket_id: str, mapping: DbrpMapping, default: bool) -> None:
        payload = {
            "orgID": self.catalog.org_id(),
            "bucketID": bucket_id,
            "database": mapping.database,
            "retention_policy": mapping.retention_policy,
            "default": default,
        }
        self.transport.json("POST", "/api/v2/dbrps", None, payload)

    def _id(self, bucket: str) -> str:
        return str(self.catalog.user_document(bucket)["id"])

    def _bucket_labels(self, bucket_id: str) -> list[dict[str, Any]]:
        return objects(self.transport.open("GET", f"/api/v2/buckets/{bucket_id}/labels").read(), "labels")

    def _mappings(self, asked: dict[str, str]) -> list[dict[str, Any]]:
        parameters = {"org": self.transport.org, **asked}
        return objects(self.transport.open("GET", "/api/v2/dbrps", parameters).read(), "content")


def _label(document: dict[str, Any]) -> Label:
    with making_sense("/api/v2/labels"):
        properties = dict(document.get("properties") or {})
        return Label(str(document["name"]), tuple(sorted((str(key), str(value)) for key, value in properties.items())))


def _mapping(document: dict[str, Any]) -> DbrpMapping:
    with making_sense("/api/v2/dbrps"):
        names = str(document["database"]), str(document["retention_policy"])
        return DbrpMapping(*names, bool(document.get("default")))


def _key(name: object) -> str:
    """What InfluxDB compares of a label's name."""
    return str(name).strip().lower()


def _not_made(subject: str, failure: StoreError) -> str:
    return f"{subject} was not made. {failure.message}"
