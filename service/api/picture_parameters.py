"""Parses the parameters of a picture: its size, its colours, and what stands around the plot."""

from collections.abc import Mapping

from service.api.choices import flag, member
from service.encoding.encoders import Format
from service.errors import InvalidParameter
from service.pictures.look import HEIGHTS, WIDTHS, Form, Look, Theme

OF_PICTURES = ("width", "height", "theme", "title", "legend")


def look_of(simple: Mapping[str, str], form: Format | Form) -> Look | None:
    """How the picture looks; None when the answer is none. Raises InvalidParameter."""
    if isinstance(form, Format):
        for parameter in (name for name in OF_PICTURES if name in simple):
            advice = "Leave it out, or write format=svg or format=png."
            raise InvalidParameter(parameter, f"{parameter} is for pictures, and this answer is {form.value}. {advice}")
        return None
    return Look(
        form,
        _pixels("width", simple.get("width"), WIDTHS, Look.width),
        _pixels("height", simple.get("height"), HEIGHTS, Look.height),
        member(Theme, "theme", simple.get("theme", Theme.LIGHT)),
        flag("title", simple.get("title", "true")),
        flag("legend", simple.get("legend", "true")),
    )


def _pixels(parameter: str, text: str | None, allowed: range, default: int) -> int:
    if text is None:
        return default
    if not (text.isascii() and text.isdigit() and len(text) <= 9 and int(text) in allowed):
        reason = f"{parameter}={text[:100]!r} is no size of a picture."
        advice = f"Write a whole number of pixels from {allowed[0]} to {allowed[-1]}."
        raise InvalidParameter(parameter, f"{reason} {advice}")
    return int(text)
