"""Deletes the points of one series in a range, or refuses where InfluxDB would delete others, or silently none.

A predicate knows only "tag equals". InfluxQL's scanner reads it (influxdb v2.9.1 predicate/parser.go), and it is
compared with series keys whose escapes are read loosely (tsdb/engine/tsm1/predicate.go). The range includes both ends.
The engine fails where series keys differ only by what sorts before the mark that ends a key in its files
(`deleteSeriesRange` in tsm1/engine.go): it skips such a series in a file and then drops it, with all of its points,
from the index. All seen on 2.9.1. InfluxDB Cloud deletes some time after its answer.
"""

import json
import re
from collections.abc import Iterable, Iterator

from service.domain.schema import MeasurementSchema
from service.domain.series import SeriesKey, Tags
from service.domain.timerange import EVER, TimeRange, format_time
from service.errors import InvalidParameter
from service.lineprotocol.names import RESERVED_TAGS
from service.stores.influx import influxql
from service.stores.influx.catalog import Catalog
from service.stores.influx.transport import Transport

_KEY_END = "#!~#"
"""The mark between series and field in a key of a file."""
_BEFORE_KEY_END = r'[\x01-\x1f!"]'
"""Characters that sort before `_KEY_END`. A space is stored after a backslash, which sorts after the mark."""
_MANGLED = re.compile(r'\\[,= "]')


def delete_points(transport: Transport, catalog: Catalog, bucket: str, series: SeriesKey, span: TimeRange) -> None:
    """Delete the points of `series` in `span`.

    Raises InvalidParameter, with nothing deleted, where InfluxDB cannot delete these points alone.
    """
    predicate = predicate_of(series)
    with catalog.reached(bucket):
        _check_adjacent_series(catalog, bucket, series)
    body = {"start": format_time(span.start_ns), "stop": format_time(span.stop_ns - 1), "predicate": predicate}
    parameters = {"org": transport.org, "bucket": bucket}
    headers = {"Content-Type": "application/json"}
    transport.open("POST", "/api/v2/delete", parameters, json.dumps(body).encode(), headers, bucket=bucket).read()


def predicate_of(series: SeriesKey) -> str:
    """The predicate that fits `series`, and those with more tags.

    Raises:
        InvalidParameter: InfluxDB cannot hold or find such a name in a predicate.
    """
    for text in (series.measurement, *(text for tag in series.tags for text in tag)):
        _check_text(text)
    _check_series(series)
    equal = [("_measurement", series.measurement), *series.tags]
    return " AND ".join(f"{influxql.identifier(key)}={influxql.identifier(text)}" for key, text in equal)


def _check_text(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise _refused(f"{text!r} is no Unicode text") from None
    if not text:
        raise _refused("a measurement, tag key or tag value is empty")
    if "\0" in text or "\r" in text:
        raise _refused(f"{text!r} holds a NUL or a carriage return, which its predicates cannot say")
    if text.endswith("\\"):
        raise _refused(f"{text!r} ends in a backslash, which its predicates read as part of what follows")


def _check_series(series: SeriesKey) -> None:
    name, keys = series.measurement, [key for key, _ in series.tags]
    if _MANGLED.search(name):
        raise _refused(f'the measurement {name!r} has a backslash before a comma, space, = or "')
    if _KEY_END in stored_key(series):
        raise _refused(f"{stored_key(series)!r} holds {_KEY_END}, which ends a series in its files")
    for key in keys:
        if key in RESERVED_TAGS:
            raise _refused(f"{key!r} cannot be a tag key, it means something else in a predicate")
        if name.replace("\\", "").startswith(key.replace("\\", "") + "="):
            raise _refused(f"the measurement {name!r} looks like the tag {key!r} to its predicates")
    if len(set(keys)) < len(keys):
        raise _refused("a tag key stands twice")


def _check_adjacent_series(catalog: Catalog, bucket: str, series: SeriesKey) -> None:
    """Refuse where the files of InfluxDB may hold series in an order that its delete does not expect.

    Nearly always this costs one small query that finds nothing.
    """
    schema = catalog.schema(bucket)
    if any(one.name == series.measurement and one.unreadable for one in schema):
        raise _refused(
            f"the measurement {series.measurement!r} has names that are not UTF-8, which its predicates cannot tell"
        )
    if not series.tags:
        _check_measurements(schema, series)
    keys = next((measurement.tags for measurement in schema if measurement.name == series.measurement), ())
    if not keys:
        return
    origin = catalog.source(bucket, series.measurement)
    odd = catalog.tag_sets(bucket, influxql.one_point_each(origin, _perhaps_odd(keys)))
    if odd:
        shared = [(key, (value,)) for key, value in series.tags[:-1] if influxql.can_filter(key)]
        near = catalog.tag_sets(bucket, influxql.one_point_each(origin, influxql.where(EVER, shared)))
        _check_order(series, odd, near)


def _perhaps_odd(keys: Iterable[str]) -> str:
    """A condition that all series fit whose values could stand out of order."""
    can_quote = all(influxql.can_filter(key) for key in keys)
    return influxql.any_tag_like(keys, f"/{_BEFORE_KEY_END}/") if can_quote else influxql.where(EVER)


def _check_measurements(schema: list[MeasurementSchema], series: SeriesKey) -> None:
    """A series without tags may also lie next to those of another measurement."""
    for other in schema:
        key = stored_key(SeriesKey(other.name))
        if stored_key(series) in hidden_by(key) or key in hidden_by(stored_key(series)):
            raise _mixed_up(series.measurement, other.name)


def _check_order(series: SeriesKey, odd: set[Tags], near: set[Tags]) -> None:
    """`near`: all series with the tags of `series` but the last: those that its delete covers, and shorter ones."""
    stored = {stored_key(SeriesKey(series.measurement, tags)) for tags in near}
    covered = [tags for tags in near if set(series.tags) <= set(tags)]
    deleted = {stored_key(SeriesKey(series.measurement, tags)) for tags in covered} | {stored_key(series)}
    for longer in (stored_key(SeriesKey(series.measurement, tags)) for tags in odd):
        for shorter in hidden_by(longer):
            if shorter in deleted or (longer == stored_key(series) and shorter in stored):
                raise _mixed_up(shorter, longer)


def hidden_by(longer: str) -> Iterator[str]:
    """The shorter keys that stand after `longer` in a file although they sort before it."""
    for place in range(1, len(longer)):
        rest = longer[place:]
        if rest + _KEY_END < _KEY_END or rest.startswith(_KEY_END):
            yield longer[:place]


def stored_key(series: SeriesKey) -> str:
    """The text by which InfluxDB's files hold and sort a series."""
    tags = (f",{_escaped(key, ', =')}={_escaped(value, ', =')}" for key, value in series.tags)
    return _escaped(series.measurement, ", ") + "".join(tags)


def _escaped(text: str, special: str) -> str:
    return re.sub(f"([{special}])", r"\\\1", text)


def _mixed_up(left: str, right: str) -> InvalidParameter:
    return _refused(f'it mixes up the series {left!r} and {right!r}, which differ by a control character, ! or "')


def _refused(reason: str) -> InvalidParameter:
    finding = f"InfluxDB cannot delete these points alone: {reason}."
    return InvalidParameter("series", f"{finding} Nothing was deleted. Delete a whole bucket, or rename.")
