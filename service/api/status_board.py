"""The status that features report to monitoring: gauges for /metrics, warnings for /health/ready.

The probe of each feature is called at most once a minute, in a thread (`probed_value`), however many requests ask.
"""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from prometheus_client import CollectorRegistry, Gauge, generate_latest

from service.api.probed_value import ProbedValue


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
        self._statuses = [ProbedValue(f"status of {name}", probe, Status(), clock) for name, probe in probes.items()]

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
