"""What a picture costs: pictures of ten series of a day, of a month of 1,000,000 points, and the drawing alone.

    .venv/bin/python -m bench.pictures          (about a minute)

Prints median seconds of whole `curl` processes without the cache, after a first picture has loaded the library, and the
bytes of the answers.
"""

import time

import numpy as np

from bench import measure
from bench.charts import DAY_S, START_S, lines
from bench.serving import Gateway, on_both_stores
from service.domain.durations import SECOND_NS
from service.domain.series import SeriesKey
from service.domain.timerange import TimeRange, format_time
from service.pictures.chart import Chart
from service.pictures.look import Form, Look
from service.pictures.picture import Picture
from service.pictures.pixel_columns import PixelColumns, visible_points
from service.pictures.series_points import SeriesPoints

_RUNS = 7
_BUCKETS = (("Day", 10, DAY_S, 8_640), ("Month", 1, 30 * DAY_S, 1_000_000))
_MOST_MS = {"Day": 300, "Month": 1_000}


def drawing_alone() -> None:
    """Ten series with four points in each column of pixels."""
    span = TimeRange(START_S * SECOND_NS, (START_S + DAY_S) * SECOND_NS)
    for form, most_ms in ((Form.SVG, 200), (Form.PNG, 500)):
        look = Look(form)
        chart = Chart(look, span, "Europe/Berlin", "Day", "All points", *ten_series(span, look.plot_width))
        picture = Picture.of(chart)
        spent = sorted(seconds(picture) for _ in range(_RUNS))[_RUNS // 2]
        what, target = f"drawing {form} of 10 series, {look.width} x {look.height}", f"under {most_ms} ms"
        measure.row(what, f"{spent * 1e3:.0f} ms", target, spent * 1e3 < most_ms)


def ten_series(span: TimeRange, width: int) -> tuple[tuple[SeriesPoints, ...], tuple[str, ...]]:
    generator = np.random.default_rng(7)
    series = []
    for number in range(10):
        times = np.linspace(span.start_ns, span.stop_ns - 1, 20 * width).astype(np.int64)
        values = 230 + np.cumsum(generator.normal(size=len(times)))
        kept = visible_points(PixelColumns(span, width).columns(times), values)
        series.append(SeriesPoints(SeriesKey("power", (("meter", f"m{number}"),)), "volts", times[kept], values[kept]))
    return tuple(series), tuple(f"meter=m{number}" for number in range(10))


def seconds(picture: Picture) -> float:
    begun_s = time.perf_counter()
    picture.drawn()
    return time.perf_counter() - begun_s


def measured(server: Gateway, store: str) -> None:
    for bucket, series, length_s, points in _BUCKETS:
        for body in lines(series, length_s, points):
            server.write(bucket, body)
        key = {"X-API-Key": server.key, "Cache-Control": "no-cache", "Accept-Encoding": "gzip"}
        start, stop = format_time(START_S * SECOND_NS), format_time((START_S + length_s) * SECOND_NS)
        for form in Form:
            url = f"{server.url}/buckets/{bucket}?start={start}&stop={stop}&format={form}"
            measure.first_byte(url, key)
            taken = sorted(measure.first_byte(url, key) for _ in range(_RUNS))
            spent = sorted(all_s for _, all_s, _ in taken)[_RUNS // 2]
            measure.row(
                f"{store}: {form} of {series} series, {series * points:,} points",
                f"{spent * 1e3:.0f} ms, {taken[0][2] / 1e3:.0f} kB",
                f"at most {_MOST_MS[bucket]} ms",
                spent * 1e3 <= _MOST_MS[bucket],
            )


def main() -> None:
    drawing_alone()
    on_both_stores(measured)


if __name__ == "__main__":
    main()
