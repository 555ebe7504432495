"""The port of a provider of weather: what it observes at a place. A provider is one class in one file.

Providers differ in their routes, keys and names; what they observe is the same kind of thing: a moment, numbers and a
word or two.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from service.jobs.weather.http import WeatherHttp


@dataclass(frozen=True)
class Place:
    """A place by the name that people gave it, which becomes the tag `location`. Degrees north and east."""

    name: str
    latitude: float
    longitude: float


@dataclass(frozen=True)
class Observation:
    """What a provider observed at `time_s`, in whole seconds since 1970, by its own clock.

    `numbers` are floats for ever, also where the provider sends whole numbers: the type of a field never changes.
    `skipped`: members of the answer that should be numbers or words, and are not.
    """

    time_s: int
    numbers: Mapping[str, float]
    words: Mapping[str, str]
    skipped: tuple[str, ...] = ()


class Provider(Protocol):
    name: str
    """The tag `source` of its points."""

    def observe(self, place: Place, now_s: float) -> Observation:
        """The current weather of `place`; `now_s` is now, in seconds since 1970.

        Raises:
            UpstreamUnavailable: it does not answer, or is busy for a while.
            UpstreamStopped: only a human can mend it, such as a wrong key, or a limit that is used up.
            UpstreamError: the answer makes no sense for this place.
        """


@dataclass(frozen=True)
class ProviderAccess:
    """How a provider is reached: over `http`, which knows its address, with `key`."""

    http: WeatherHttp
    key: str


MakeProvider = Callable[[ProviderAccess], Provider]
