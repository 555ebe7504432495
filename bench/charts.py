"""What a chart costs: the points of `fn=m4` for 1,000 pixels, on InfluxDB and on the embedded store.

    .venv/bin/python -m bench.charts            (about a minute)

A month of 1,000,000 points of one series, and a day of ten series with a point every ten seconds; prints median seconds
of whole `curl` processes without the cache, and the bytes of the answers.
"""

import random
from collections.abc import Iterator

from bench import measure
from bench.serving import Gateway, on_both_stores
from service.domain.chart_windows import chart_windows
from service.domain.durations import SECOND_NS
from service.domain.timerange import TimeRange, format_time

START_S = 1_767_225_600
DAY_S = 86_400
PIXELS = 1_000
_LINES_AT_ONCE = 50_000
_RUNS = 5


def lines(series: int, length_s: int, points: int) -> Iterator[bytes]:
    """Bodies of line protocol: `points` of each series, evenly over the time, each a random walk."""
    pick = random.Random(7)
    body: list[str] = []
    for number in range(series):
        value = 230.0
        for point in range(points):
            value += pick.gauss(0, 0.1)
            time_ns = START_S * SECOND_NS + point * length_s * SECOND_NS // points
            body.append(f"power,meter=m{number} volts={value:.3f} {time_ns}")
            if len(body) == _LINES_AT_ONCE:
                yield "\n".join(body).encode()
                body.clear()
    if body:
        yield "\n".join(body).encode()


def chart_address(server: Gateway, bucket: str, length_s: int, form: str) -> str:
    chart = chart_windows(TimeRange(START_S * SECOND_NS, (START_S + length_s) * SECOND_NS), PIXELS)
    start, stop = format_time(chart.span.start_ns), format_time(chart.span.stop_ns)
    return f"{server.url}/buckets/{bucket}?start={start}&stop={stop}&every={chart.every}&fn=m4&format={form}"


def measured(server: Gateway, store: str) -> None:
    for bucket, series, length_s, points in (("Month", 1, 30 * DAY_S, 1_000_000), ("Day", 10, DAY_S, 8_640)):
        for body in lines(series, length_s, points):
            server.write(bucket, body)
        key = {"X-API-Key": server.key, "Cache-Control": "no-cache"}
        for form in ("csv", "arrow"):
            url = chart_address(server, bucket, length_s, form)
            taken = sorted(measure.first_byte(url, key) for _ in range(_RUNS))
            spent = sorted(all_s for _, all_s, _ in taken)[_RUNS // 2]
            most_s = 1.0 if series == 1 else 0.3
            measure.row(
                f"{store}: chart of {series} series, {series * points:,} points, {form}",
                f"{spent * 1e3:.0f} ms, {taken[0][2] / 1e3:.0f} kB",
                f"at most {most_s * 1e3:.0f} ms",
                spent <= most_s,
            )


def main() -> None:
    on_both_stores(measured)


if __name__ == "__main__":
    main()
