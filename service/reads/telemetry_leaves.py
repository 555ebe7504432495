"""The latest telemetry as single values under paths, so that two answers can be compared value by value.

A path names device (only with `by`), measurement and field. The same module puts some of the values into a document of
the shape that the whole answer has, so that a client reads both in one way.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import orjson

from service.reads.telemetry import LatestQuestion
from service.reads.telemetry_document import TelemetryForm

Path = tuple[str, ...]
Leaves = Mapping[Path, object]
_ROWS = "rows"
_LABELS = ("bucket", "measurement", "tags", "field")


def leaves_of(question: LatestQuestion, document: Any) -> dict[Path, object]:  # noqa: ANN401  (parsed JSON)
    """Every value of `document`, the parsed answer to `question`. A measurement without values is an empty object."""
    if question.form is TelemetryForm.ROWS:
        rows: dict[Path, object] = {(_ROWS, _row_name(row)): row for row in document[_ROWS]}
        return {**rows, ("latitude",): document["latitude"], ("longitude",): document["longitude"]}
    if question.by is None:
        return dict(_values(document["values"], ()))
    return {
        path: value
        for device, [telemetry] in document.items()
        for path, value in _values(telemetry["values"], (device,))
    }


def moment_of(question: LatestQuestion, document: Any, now_ms: int) -> int:  # noqa: ANN401  (parsed JSON)
    """The `ts` of a parsed answer; `now_ms` where devices have one each and there is no device."""
    if question.by is None:
        return int(document["ts"])
    return next((int(telemetry["ts"]) for [telemetry] in document.values()), now_ms)


def change_document(question: LatestQuestion, ts: int, leaves: Leaves, changed: Leaves, removed: Iterable[Path]) -> Any:  # noqa: ANN401
    """`changed` in the shape of the whole answer, and under `removed` what is gone; `leaves` is all that is there now.

    `removed` has the shortest paths below which nothing is left, and is absent when nothing is gone.
    """
    if question.form is TelemetryForm.ROWS:
        rows = [row for path, row in changed.items() if path[0] == _ROWS]
        names = [dict(zip(_LABELS, orjson.loads(path[1]), strict=True)) for path in removed]
        place = {name: leaves[name,] for name in ("latitude", "longitude")}
        return {"ts": ts, **place, _ROWS: rows, **({"removed": names} if names else {})}
    gone = dict.fromkeys(_shortest(leaves, removed))
    if question.by is None:
        return _object(ts, changed, gone)
    present = {path[0] for path in leaves}
    changed_of, gone_of = _by_device(changed), _by_device(gone)
    return {
        device: [_object(ts, changed_of.get(device, {}), gone_of.get(device, {}))] if device in present else []
        for device in dict.fromkeys(path[0] for path in (*changed, *gone))
    }


def same(value: object, other: object) -> bool:
    """Whether two values are the same to the bit: 1 is not 1.0, and 0.0 is not -0.0."""
    return value == other and (value is other or repr(value) == repr(other))


def _row_name(row: Mapping[str, Any]) -> str:
    return orjson.dumps([row[label] for label in _LABELS], option=orjson.OPT_SORT_KEYS).decode()


def _values(values: Mapping[str, object], prefix: Path) -> Iterator[tuple[Path, object]]:
    if prefix and not values:
        yield prefix, {}
    for name, value in values.items():
        if isinstance(value, dict) and value:
            for field, number in value.items():
                yield (*prefix, name, field), number
        else:
            yield (*prefix, name), value


def _object(ts: int, changed: Leaves, gone: Iterable[Path]) -> dict[str, object]:
    values: dict[str, Any] = {}
    for path, value in changed.items():
        if len(path) == 1:
            values[path[0]] = value
        elif path:
            values.setdefault(path[0], {})[path[1]] = value
    paths = [list(path) for path in gone]
    return {"ts": ts, "values": values, **({"removed": paths} if paths else {})}


def _by_device(leaves: Leaves) -> dict[str, dict[Path, object]]:
    """Each device's values, or paths, without its name. What stands for a whole device is left out."""
    devices: dict[str, dict[Path, object]] = {}
    for (device, *rest), value in leaves.items():
        if rest:
            devices.setdefault(device, {})[tuple(rest)] = value
    return devices


def _shortest(leaves: Leaves, removed: Iterable[Path]) -> list[Path]:
    """For each removed path the shortest part of it below which nothing is left, each once, in order."""
    paths = tuple(removed)
    if not paths:
        return []
    present = {path[:length] for path in leaves for length in range(1, len(path) + 1)}
    is_left: Callable[[Path], bool] = present.__contains__
    shortest = (
        next((path[:length] for length in range(1, len(path)) if not is_left(path[:length])), path) for path in paths
    )
    return list(dict.fromkeys(shortest))
