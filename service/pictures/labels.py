"""What each series is called in the legend: the parts of its name in which the series of a picture differ."""

from collections.abc import Sequence

from service.pictures.series_points import SeriesPoints


def labels(series: Sequence[SeriesPoints]) -> list[str]:
    """A label for each series. A single series has its measurement and field."""
    has_measurements = len({each.key.measurement for each in series}) > 1
    has_fields = len({each.field for each in series}) > 1
    keys = sorted({key for each in series for key, _ in each.key.tags})
    differing = [key for key in keys if len({dict(each.key.tags).get(key) for each in series}) > 1]
    is_plain = not has_measurements and not has_fields and not differing
    return [
        _label(each, has_measurements or is_plain, has_fields or is_plain or not differing, differing)
        for each in series
    ]


def _label(series: SeriesPoints, with_measurement: bool, with_field: bool, keys: Sequence[str]) -> str:
    tags = dict(series.key.tags)
    names = [series.key.measurement] if with_measurement else []
    names += [series.field] if with_field else []
    values = [f"{key}={tags[key]}" for key in keys if key in tags]
    return ", ".join([" ".join(names), *values] if names else values) or series.field
