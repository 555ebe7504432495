"""Where the axis of values has its lines, and what stands beside them. Pure arithmetic."""

import math
from dataclasses import dataclass

import numpy as np

from service.pictures.pixel_columns import Numbers

_STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)
_PADDING = 0.05
"""So much of the range is left free above and below the lines."""
_LONGEST = 8
"""Longer labels do not fit beside the plot; then they count from a base."""
_BIG, _SMALL = 1e7, 1e-4
_MOST_DIGITS = 3
_FLAT = 1e-13
"""Values that differ by less than this share of their size are drawn as equal ones: a float hardly tells them apart."""
_LARGEST, _LEAST = 1.7e308, 1e-300
"""The ends of what is drawn, and the least room: a little within what a float holds."""


@dataclass(frozen=True)
class ValueAxis:
    """From `low` to `high`. `ticks` are pairs of a value and its label. `base`: what the labels count from, as text."""

    low: float
    high: float
    ticks: tuple[tuple[float, str], ...]
    base: str = ""

    def share(self, value: float) -> float:
        """How far up `value` lies, from 0 to 1."""
        return float(self.shares(np.array([value]))[0])

    def shares(self, values: Numbers) -> Numbers:
        """How far up each value lies, from 0 to 1. Quarters of values have differences that a float holds."""
        shares: Numbers = (values / 4 - self.low / 4) / (self.high / 4 - self.low / 4)
        return np.clip(shares, 0, 1)


def value_axis(lowest: float, highest: float, most: int) -> ValueAxis:
    """The axis for finite values from `lowest` to `highest`, with at most about `most` ticks."""
    low, high = _padded(*(min(max(value, -_LARGEST), _LARGEST) for value in (lowest, highest)))
    step = _step(high / 4 - low / 4, max(most, 2))
    first = math.ceil(low / step)
    values = []
    for number in range(first, first + 4 * most + 4):
        if number * step > high:
            break
        values.append(number * step)
    texts, base = _labels(values, step)
    return ValueAxis(low, high, tuple(zip(values, texts, strict=True)), base)


def _padded(lowest: float, highest: float) -> tuple[float, float]:
    """Room around the values, within what a float holds. Values that are all equal stand in the middle."""
    size = max(abs(lowest), abs(highest))
    quarter = highest / 4 - lowest / 4
    is_flat = quarter <= size * _FLAT
    room = (size * _PADDING or 1.0) if is_flat else min(4 * (quarter * _PADDING), _LARGEST / 10)
    room = max(room, _LEAST)
    return max(lowest - room, -_LARGEST), min(highest + room, _LARGEST)


def _step(quarter: float, most: int) -> float:
    """The smallest round step with which a range of four times `quarter` has at most `most` of them."""
    rough = quarter / most * 4
    exponent = math.floor(math.log10(rough))
    power = 10.0**exponent
    return next((step * power for step in _STEPS if step * power >= rough), 10 * power)


def _labels(values: list[float], step: float) -> tuple[list[str], str]:
    """The labels, and the base that they count from when each of them would be too long."""
    size = max(map(abs, values), default=0.0)
    decimals = max(0, -math.floor(math.log10(step) + 1e-9) + (1 if _has_half(step) else 0))
    if size < _BIG and step >= _SMALL:
        texts = [f"{value + 0.0:,.{decimals}f}" for value in values]
        if max(map(len, texts), default=0) <= _LONGEST + 1:
            return [_without_minus_zero(text) for text in texts], ""
    for digits in range(_MOST_DIGITS + 1):
        if all(abs(float(f"{value:.{digits}e}") - value) < step / 100 for value in values):
            return [_with_exponent(value, digits) for value in values], ""
    return _from_base(values, step)


def _with_exponent(value: float, digits: int) -> str:
    number, _, exponent = f"{value:.{digits}e}".partition("e")
    return f"{number}e{int(exponent)}" if value else "0"


def _from_base(values: list[float], step: float) -> tuple[list[str], str]:
    base = values[0]
    differences = [f"+{number * step:g}" for number in range(len(values))]
    return differences, f"{base:,.15g}"


def _has_half(step: float) -> bool:
    """Whether the step is 2.5 times a power of ten, so that it needs one more decimal."""
    return round(step / 10.0 ** math.floor(math.log10(step) + 1e-9), 6) == 2.5


def _without_minus_zero(text: str) -> str:
    return text.removeprefix("-") if not text.strip("-0.,") else text
