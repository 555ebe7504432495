"""What a gateway can be asked, each as a request with the way to read its answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from fluxgate_client import requests
from fluxgate_client.answers import Call, as_buckets, as_object
from fluxgate_client.points import to_lines
from fluxgate_client.requests import LatestOptions, Names, Request

if TYPE_CHECKING:
    from fluxgate_client.points import Table

Json = dict[str, Any]


def buckets() -> Call[list[Json]]:
    return Call(Request("GET", "/buckets"), as_buckets)


def create_buckets(wanted: Any) -> Call[dict[str, list[str]]]:  # noqa: ANN401  (JSON as the caller has it)
    return Call(requests.create_buckets(wanted), as_object)


def update_bucket(bucket: str, changes: Mapping[str, str | None]) -> Call[Json]:
    return Call(requests.update_bucket(bucket, changes), as_object)


def schema(bucket: str) -> Call[Json]:
    return Call(Request("GET", requests.bucket_path(bucket, "/schema")), as_object)


def latest(options: LatestOptions) -> Call[Json]:
    return Call(requests.latest(options), as_object)


def write(bucket: str, lines: str | bytes, precision: str, partial: bool) -> Call[Json]:
    return Call(requests.write(bucket, lines, precision, partial), as_object)


def write_table(bucket: str, table: Table, measurement: str, tags: Names, time: str) -> Call[Json]:
    lines = to_lines(table, measurement, requests.names(tags), time)
    return Call(requests.write(bucket, lines, "ns", partial=False), as_object)
