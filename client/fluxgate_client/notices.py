"""What the gateway says beside an answer, as Python warnings: the answer is whole, and may not be what was meant."""

import warnings
from collections.abc import Mapping
from urllib.parse import unquote

_NO_POINT = {"none": "the bucket has no points", "unknown": "the gateway could not find its newest point"}


class GatewayWarning(UserWarning):
    """A filter names what the bucket does not know, or no point is in the range."""


def warn(headers: Mapping[str, str]) -> None:
    """Warn of what the headers of a good answer say. Silence it with `warnings.simplefilter`."""
    if unknown := headers.get("X-Fluxgate-Warning"):
        warnings.warn(f"The bucket does not know all names: {unquote(unknown)}.", GatewayWarning, stacklevel=2)
    if newest := headers.get("X-Fluxgate-Newest-Point"):
        reason = _NO_POINT.get(newest, f"the newest point of the bucket is at {newest}")
        warnings.warn(f"The answer has no rows; {reason}.", GatewayWarning, stacklevel=2)
