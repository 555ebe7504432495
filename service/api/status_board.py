"""What kinds of job tell about themselves without being asked: gauges for /metrics, warnings for /health/ready.

Each is looked at by a thread of its own, at most once a minute, however many ask; what it found last is told meanwhile.
A look that fails leaves what was known, and the log says so.
"""

import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import structlog
from prometheus_client import CollectorRegistry, Gauge, generate_latest

_LOOK_EVERY_S = 60.0
_log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class GaugeValue:
    """A number for Prometheus. One with the label `bucket` is told only to keys that may see the bucket."""

    name: str
    description: str
    value: float
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Status:
    """What a feature tells. `warnings` are read by anybody: they name no bucket."""

    gauges: tuple[GaugeValue, ...] = ()
    warnings: tuple[str, ...] = ()


Probe = Callable[[], Status]


class StatusBoard:
    """The last known status of each probe, by name. `clock`: seconds that never go back."""

    def __init__(self, probes: Mapping[str, Probe], clock: Callable[[], float] = time.monotonic) -> None:
        self._looks = [_Look(name, probe, clock) for name, probe in probes.items()]

    def warnings(self) -> list[str]:
        return [warning for look in self._looks for warning in look.latest().warnings]

    def page(self, may_see: Callable[[str], bool]) -> bytes:
        """All gauges in Prometheus' text form, those of buckets only where `may_see` says so of their name."""
        gauges = [gauge for look in self._looks for gauge in look.latest().gauges]
        return _page(gauge for gauge in gauges if "bucket" not in gauge.labels or may_see(gauge.labels["bucket"]))

    def look(self) -> None:
        """Look at all of them now, in this thread."""
        for look in self._looks:
            look.look()


class _Look:
    """One probe and what it told last."""

    def __init__(self, name: str, probe: Probe, clock: Callable[[], float]) -> None:
        self._name = name
        self._probe = probe
        self._clock = clock
        self._lock = threading.Lock()
        self._is_looking = False
        self._looked_at = float("-inf")
        self._status = Status()

    def latest(self) -> Status:
        """What is known; begins a look when that is old."""
        with self._lock:
            is_due = not self._is_looking and self._clock() - self._looked_at >= _LOOK_EVERY_S
            self._is_looking = self._is_looking or is_due
            status = self._status
        if is_due:
            threading.Thread(target=self.look, name=f"status of {self._name}", daemon=True).start()
        return status

    def look(self) -> None:
        try:
            status = self._probe()
        except Exception as broken:  # noqa: BLE001  (whatever it is, what was known stays)
            reason = getattr(broken, "message", None) or type(broken).__name__
            _log.warning("the status of a feature is not known", feature=self._name, reason=reason)
            status = None
        with self._lock:
            self._status = self._status if status is None else status
            self._looked_at = self._clock()
            self._is_looking = False


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
