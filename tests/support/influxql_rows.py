"""Reads points back from a real InfluxDB past the product's own readers: InfluxQL, msgpack, exact types."""

from typing import Any

import msgpack

from tests.support.servers import InfluxServer

Stored = dict[tuple[str, tuple[tuple[str, str], ...], str, int], Any]
"""(measurement, tags without absent ones, field, time in ns) -> value."""


def stored_in(influx: InfluxServer, bucket: str) -> Stored:
    """Every point of a bucket whose fields keep one type."""
    [names] = _ask(influx, bucket, ["SHOW MEASUREMENTS"])
    measurements = [row[0] for series in names for row in series["values"]]
    answers = _ask(influx, bucket, [f"SELECT *::field FROM {_quoted(name)} GROUP BY *" for name in measurements])
    return {
        (
            name,
            tuple(sorted((key, value) for key, value in series.get("tags", {}).items() if value)),
            field,
            row[0],
        ): value
        for name, found in zip(measurements, answers, strict=True)
        for series in found
        for row in series["values"]
        for field, value in zip(series["columns"][1:], row[1:], strict=True)
        if value is not None
    }


def field_types(influx: InfluxServer, bucket: str) -> dict[tuple[str, str], str]:
    """(measurement, field) -> type."""
    [found] = _ask(influx, bucket, ["SHOW FIELD KEYS"])
    return {(series["name"], field): kind for series in found for field, kind in series["values"]}


def _ask(influx: InfluxServer, bucket: str, statements: list[str]) -> list[list[dict[str, Any]]]:
    if not statements:
        return []
    with influx.http() as http:
        answer = http.post(
            "/query",
            params={"db": bucket, "epoch": "ns"},
            data={"q": "; ".join(statements)},
            headers={"Accept": "application/x-msgpack"},
        )
    assert answer.is_success, answer.text
    results = msgpack.unpackb(answer.content, strict_map_key=False)["results"]
    assert all("error" not in result for result in results), results
    return [result.get("series", []) for result in results]


def _quoted(name: str) -> str:
    return '"' + name.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'
