"""The status that features report to monitoring: gauges for /metrics, warnings for /health/ready.

One thread per feature calls its probe at most once a minute, however many requests ask. Until it ends, the last status
is shown. When a probe fails, the last status stays, and the log says so.
"""

import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import structlog
from prometheus_client import CollectorRegistry, Gauge, generate_latest

_PROBE_INTERVAL_S = 60.0
_log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class GaugeValue:
    """A number for Prometheus. A gauge with the label `bucket` is shown only to keys that may see the bucket.

    `reaches_buckets`: it tells of any bucket, so that only keys without a limit to buckets see it.
    """

    name: str
    description: str
    value: float
    labels: Mapping[str, str] = field(default_factory=dict)
    reaches_buckets: bool = False


@dataclass(frozen=True)
class Status:
    """The status of a feature. Anybody can read the `warnings`, so they name no bucket."""

    gauges: tuple[GaugeValue, ...] = ()
    warnings: tuple[str, ...] = ()


Probe = Callable[[], Status]


class StatusBoard:
    """The last status of each feature, by name. `clock` gives monotonic seconds."""

    def __init__(self, probes: Mapping[str, Probe], clock: Callable[[], float] = time.monotonic) -> None:
        self._statuses = [_ProbedStatus(name, probe, clock) for name, probe in probes.items()]

    def warnings(self) -> list[str]:
        """The warnings of all features."""
        return [warning for status in self._statuses for warning in status.latest().warnings]

    def page(self, may_see: Callable[[str], bool], sees_all: bool = True) -> bytes:
        """All gauges in the text format of Prometheus. Gauges of buckets need `may_see` to be true for the name.

        `sees_all`: whether the key has no limit to buckets.
        """
        gauges = [gauge for status in self._statuses for gauge in status.latest().gauges]
        shown = (gauge for gauge in gauges if sees_all or not gauge.reaches_buckets)
        return _page(gauge for gauge in shown if "bucket" not in gauge.labels or may_see(gauge.labels["bucket"]))

    def refresh(self) -> None:
        """Call all probes now, in this thread."""
        for status in self._statuses:
            status.refresh()


class _ProbedStatus:
    """A probe and its last status."""

    def __init__(self, name: str, probe: Probe, clock: Callable[[], float]) -> None:
        self._name = name
        self._probe = probe
        self._clock = clock
        self._lock = threading.Lock()
        self._is_probing = False
        self._probed_at = float("-inf")
        self._status = Status()

    def latest(self) -> Status:
        """The last status. Starts a probe when it is old."""
        with self._lock:
            is_due = not self._is_probing and self._clock() - self._probed_at >= _PROBE_INTERVAL_S
            self._is_probing = self._is_probing or is_due
            status = self._status
        if is_due:
            threading.Thread(target=self.refresh, name=f"status of {self._name}", daemon=True).start()
        return status

    def refresh(self) -> None:
        """Call the probe, and keep the last status when it fails."""
        try:
            status = self._probe()
        except Exception as broken:  # noqa: BLE001  (after any error, the last status stays)
            reason = getattr(broken, "message", None) or type(broken).__name__
            _log.warning("the status of a feature is not known", feature=self._name, reason=reason)
            status = None
        with self._lock:
            self._status = self._status if status is None else status
            self._probed_at = self._clock()
            self._is_probing = False


def _page(gauges: Iterable[GaugeValue]) -> bytes:
    registry = CollectorRegistry()
    families: dict[str, Gauge] = {}
    for gauge in gauges:
        names: Sequence[str] = sorted(gauge.labels)
        if gauge.name not in families:
            families[gauge.name] = Gauge(gauge.name, gauge.description, names, registry=registry)
        family = families[gauge.name]
        (family.labels(**gauge.labels) if names else family).set(gauge.value)
    return generate_latest(registry)
