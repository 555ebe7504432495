"""The buckets of a store as a source, as people write them: the same selection as a read of a bucket."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from service.domain.durations import parse_duration, parse_every
from service.domain.local_time import is_zone
from service.domain.selection import Fn, Windows, one_row_function
from service.errors import InvalidParameter

RAW = "raw"
TAG = "tag."


def _as_list(value: object) -> object:
    return [value] if isinstance(value, str) else value


Name = Annotated[str, Field(min_length=1, max_length=1000)]
Names = Annotated[list[Name], BeforeValidator(_as_list)]


@dataclass(frozen=True)
class StoreDefinition:
    """What of which buckets is read. `windows` None: raw points. An empty filter selects everything.

    `bucket_tag`: the tag that names the bucket of a row; None: rows say nothing of their bucket.
    """

    buckets: Sequence[str]
    measurements: tuple[str, ...] = ()
    fields: tuple[str, ...] = ()
    tags: tuple[tuple[str, tuple[str, ...]], ...] = ()
    windows: Windows | None = None
    bucket_tag: str | None = None
    settle_ns: int = 0


class StoreText(BaseModel):
    """`bucket`, `measurement` and `field` are a name or a list of names; `tags` has the accepted values by key."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    bucket: Annotated[Names, Field(min_length=1, max_length=1000)]
    measurement: Annotated[Names, Field(max_length=1000)] = []
    field: Annotated[Names, Field(max_length=1000)] = []
    tags: dict[str, Names] = Field(default_factory=dict, max_length=100)
    every: str = RAW
    fn: Fn | None = None
    zone: str = "UTC"
    bucket_tag: str | None = Field(None, min_length=1, max_length=200)
    settle: str | None = None

    def definition(self, place: str) -> StoreDefinition:
        """The source, whose members stand at `place`. Raises InvalidParameter."""
        buckets = tuple(dict.fromkeys(self.bucket))
        return StoreDefinition(
            buckets,
            tuple(sorted(set(self.measurement))),
            tuple(sorted(set(self.field))),
            tuple((key, tuple(sorted(set(values)))) for key, values in sorted(self.tags.items())),
            self._windows(place),
            self.bucket_tag or ("bucket" if len(buckets) > 1 else None),
            settle_ns(self.settle, f"{place}.settle"),
        )

    def _windows(self, place: str) -> Windows | None:
        if self.every == RAW:
            if self.fn is not None:
                reason = "every is raw, so fn has no meaning. Give every, such as 1m, or leave fn out."
                raise InvalidParameter(f"{place}.fn", reason)
            return None
        length = parse_every(self.every, f"{place}.every")
        fn = one_row_function(self.fn or Fn.MEAN, f"{place}.fn")
        return Windows(length.ns, fn, zone_name(self.zone, f"{place}.zone"), length.months)


def zone_name(text: str, parameter: str) -> str:
    """The IANA zone `text`. Raises InvalidParameter when there is none."""
    if not is_zone(text):
        reason = f"{text[:100]!r} is no IANA time zone. Write one like Europe/Berlin or UTC."
        raise InvalidParameter(parameter, reason)
    return text


def settle_ns(text: str | None, parameter: str) -> int:
    """Nanoseconds of a duration; 0 for `0s` and None. Raises InvalidParameter."""
    return 0 if text in (None, "0s") else parse_duration(str(text), parameter)
