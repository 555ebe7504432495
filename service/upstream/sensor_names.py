"""The names of sensors at one upstream, made of its template; and a word about names that several series share."""

import threading

from service.domain.sensor_template import SensorTemplate, TagMissing
from service.domain.series import FieldSeries, SeriesKey
from service.transfer.run_log import Log

_MOST_KEPT = 100_000
_MOST_WARNINGS = 10


class SensorNames:
    """Names of series. Threads may share it."""

    def __init__(self, template: SensorTemplate, log: Log) -> None:
        self._template = template
        self._log = log
        self._lock = threading.Lock()
        self._names: dict[FieldSeries, str] = {}
        self._first: dict[str, tuple[SeriesKey, str]] = {}
        self._warned: set[str] = set()

    def name(self, series: FieldSeries) -> str:
        """The sensor of a series. Raises TagMissing."""
        known = self._names.get(series)
        return self._new(series) if known is None else known

    def _new(self, series: FieldSeries) -> str:
        name = self._template.name(series)
        with self._lock:
            if len(self._names) >= _MOST_KEPT:
                self._names.clear()
                self._first.clear()
            self._names[series] = name
            first = self._first.setdefault(name, (series.key, series.field))
            is_shared = first != (series.key, series.field) and name not in self._warned
            if not is_shared or len(self._warned) >= _MOST_WARNINGS:
                return name
            self._warned.add(name)
        self._log(
            "warning",
            f"The sensor {name!r} stands for several series, such as {_shown(*first)} and "
            f"{_shown(series.key, series.field)}. Their values are sent in one list, ordered by time. "
            "Name more tags in the template to tell them apart.",
        )
        return name


def _shown(key: SeriesKey, field: str) -> str:
    tags = "".join(f",{name}={value}" for name, value in key.tags)
    return repr(f"{key.measurement}{tags} {field}"[:200])


def missing_tag_reason(template: SensorTemplate, missing: TagMissing) -> str:
    """Why a series has no name."""
    return f"The series has no tag {missing.key!r}, which the template {template.text!r} of the sensor names."
