"""The parameters of the latest telemetry, for one answer and for a stream of them."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Query, Request

from service.api.choices import member
from service.api.deps import parts_of
from service.api.read_parameters import unknown_parameter
from service.domain.durations import parse_duration
from service.domain.telemetry import Missing
from service.errors import InvalidParameter
from service.reads.telemetry import LatestQuestion
from service.reads.telemetry_document import TelemetryForm

_MOST_NAMES = 100
"""Most buckets and most measurements in one request, because each measurement is looked up in each bucket."""
PARAMETERS = ("bucket", "measurement", "lookback", "format", "by", "missing")
_MEASUREMENT = Query(description="Only these measurements, whatever their names; repeatable.")
_LOOKBACK = Query(description="How old a value may be, like 30s.", examples=["30s"])
_FORMAT = Query(description="thingsboard (default), flat or rows.", examples=["thingsboard"])
_BY = Query(description="The tag that names devices. The answer has one object per device.", examples=["device"])
_SILENT = Query(description="The value of a field without new points: zero (default), null or omit.", examples=["omit"])


@dataclass(frozen=True)
class LatestParameters:
    """The parameters as they were sent. `question` checks them, once the key is accepted."""

    request: Request
    bucket: Annotated[list[str] | None, Query(description="Only these buckets; repeatable.")] = None
    measurement: Annotated[list[str] | None, _MEASUREMENT] = None
    lookback: Annotated[str | None, _LOOKBACK] = None
    format: Annotated[str, _FORMAT] = "thingsboard"
    by: Annotated[str | None, _BY] = None
    missing: Annotated[str | None, _SILENT] = None

    def question(self) -> LatestQuestion:
        """The question that they ask. Raises InvalidParameter."""
        for name in self.request.query_params:
            if name not in PARAMETERS:
                raise unknown_parameter(name, PARAMETERS)
        form = member(TelemetryForm, "format", self.format)
        missing = member(Missing, "missing", self.missing or Missing.ZERO)
        _check_devices(form, self.by, self.missing)
        for parameter, values in (("bucket", self.bucket), ("measurement", self.measurement)):
            if len(values or ()) > _MOST_NAMES:
                reason = f"More than {_MOST_NAMES} times {parameter}. Ask for fewer at a time, or leave it out."
                raise InvalidParameter(parameter, reason)
        lookback_ns = parse_duration(self.lookback or parts_of(self.request).limits.telemetry_lookback, "lookback")
        names = (tuple(sorted(set(self.bucket or ()))), tuple(sorted(set(self.measurement or ()))))
        return LatestQuestion(*names, lookback_ns, form, self.by, missing)


def _check_devices(form: TelemetryForm, by: str | None, missing: str | None) -> None:
    """Raises InvalidParameter for `by` and `missing` with rows, which have all tags and only fields with a value."""
    if by == "":
        raise InvalidParameter("by", "by= names no tag. Write the tag that names the device, like by=device.")
    for parameter, value in (("by", by), ("missing", missing)):
        if value is not None and form is TelemetryForm.ROWS:
            reason = f"{parameter} has no meaning with format=rows, where every series stands alone."
            raise InvalidParameter(parameter, f"{reason} Leave one of them out.")
