"""The gateway's own metrics, for Prometheus. Labels are routes, never buckets or paths, so their number is bounded."""

from collections.abc import Callable

import psutil
from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
)

from service import __version__

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)


class Metrics:
    """The metrics of one application. Each has its own registry, so that several may run in one process."""

    def __init__(self, reads_running: Callable[[], float]) -> None:
        # Else each counter and histogram has a second family, which nobody graphs.
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = CollectorRegistry()
        build = Gauge("fluxgate_build_info", "1, with the version.", ("version",), registry=self.registry)
        build.labels(__version__).set(1)
        self.requests = self._counter("fluxgate_requests", "Requests answered.", "method", "route", "status")
        self.seconds = self._histogram("fluxgate_request_seconds", "Time to the end of an answer.", "method", "route")
        self.cache = self._counter("fluxgate_cache_outcomes", "Answers by where they came from.", "outcome")
        self.windows_served = self._counter("fluxgate_cache_windows_served", "Windows in answers that have some kept.")
        self.windows_asked = self._counter("fluxgate_cache_windows_asked", "Windows that the store was asked for.")
        self.window_bytes = self._counter("fluxgate_cache_windows_kept_bytes", "Bytes of windows put into the cache.")
        self.window_waits = self._counter("fluxgate_cache_waits", "Waits for somebody else who asks the store.")
        self.windows_checked = self._counter("fluxgate_cache_checked", "Answers that were asked again and compared.")
        self.stale_found = self._counter("fluxgate_cache_stale_found", "Kept windows that differed from the store.")
        self.window_reads = self._counter(
            "fluxgate_cache_window_reads", "Windowed and raw reads of the store, by what was kept.", "outcome"
        )
        self.upstream_seconds = self._histogram("fluxgate_upstream_read_seconds", "Time of whole reads from the store.")
        self.picture_seconds = self._histogram(
            "fluxgate_picture_seconds",
            "Time to draw a picture after its rows are read, with the wait for others: one is drawn at a time.",
        )
        self.upstream_rows = self._counter("fluxgate_upstream_rows", "Rows read from the store.")
        self.upstream_failures = self._counter("fluxgate_upstream_failures", "Reads that failed, by code.", "code")
        self.bytes_out = self._counter("fluxgate_bytes_out", "Bytes of answers sent.")
        self.bytes_in = self._counter("fluxgate_bytes_in", "Bytes of requests taken.")
        self.points_in = self._counter("fluxgate_points_stored", "Points stored through the gateway.")
        self.telemetry_lookups = self._counter(
            "fluxgate_telemetry_stream_looks",
            "Looks at the newest values for all listeners of a question, by outcome.",
            "outcome",
        )
        self.telemetry_listeners = Gauge(
            "fluxgate_telemetry_stream_listeners", "Open streams of telemetry.", registry=self.registry
        )
        Gauge("fluxgate_reads_running", "Reads under way.", registry=self.registry).set_function(reads_running)
        self._memory = Gauge("fluxgate_memory_bytes", "Resident memory of the process.", registry=self.registry)
        self._process = psutil.Process()

    def value(self, name: str, **labels: str) -> float:
        """The value of a metric as it is shown; 0 for one that was never counted."""
        return self.registry.get_sample_value(name, labels) or 0.0

    def _counter(self, name: str, description: str, *labels: str) -> Counter:
        return Counter(name, description, labels, registry=self.registry)

    def _histogram(self, name: str, description: str, *labels: str) -> Histogram:
        return Histogram(name, description, labels, registry=self.registry, buckets=_SECONDS)

    def page(self) -> bytes:
        """All metrics in the text format of Prometheus."""
        self._memory.set(self._process.memory_info().rss)
        return generate_latest(self.registry)
