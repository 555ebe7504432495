"""The unit of a field, where its name says it plainly: `power_kw`, `Temperature (°C)`, `humidity [%]`.

Nothing is guessed from what a field is about: `power` alone has no unit.
"""

import re
from collections.abc import Iterable

_IN_BRACKETS = re.compile(r"[(\[]\s*([^()\[\]\s][^()\[\]]{0,11}?)\s*[)\]]\s*$")
_LAST_WORD = re.compile(r"[A-Za-z0-9][_\s.-]([A-Za-z0-9%°µ]{1,10})$")
_UNITS = (
    "W kW MW GW mW Wh kWh MWh VA kVA MVA var kvar kvarh V kV mV A mA kA Ah Hz kHz MHz K °C °F Pa hPa kPa MPa bar mbar "
    "psi % ppm ppb lx lm dB dBm m/s km/h mph m mm cm km kg mg t l ml s ms min h rpm Nm N kN J kJ MJ kB MB GB bps Mbps"
)
_WORDS = {
    **{unit.lower(): unit for unit in _UNITS.split() if len(unit) > 1 and unit.isalpha()},
    "w": "W",
    "v": "V",
    "a": "A",
    "c": "°C",
    "degc": "°C",
    "celsius": "°C",
    "f": "°F",
    "degf": "°F",
    "fahrenheit": "°F",
    "k": "K",
    "kelvin": "K",
    "pct": "%",
    "percent": "%",
    "%": "%",
    "°c": "°C",
    "°f": "°F",
    "ms": "ms",
    "mw": "MW",
    "mv": "mV",
    "ma": "mA",
    "watts": "W",
    "volts": "V",
    "amps": "A",
}
"""Units by the last word of a name, in small letters. A single letter counts only behind a separator."""
_NO_UNITS = frozenset({"min", "s", "h", "m", "t", "n", "l", "j", "var", "bar"})
"""Words that more often mean something else: the lowest value, a variable, a chart."""


def unit_of(name: str) -> str:
    """The unit that `name` ends with; empty when it names none."""
    bracketed = _IN_BRACKETS.search(name[-40:])
    if bracketed:
        return bracketed[1]
    word = _LAST_WORD.search(name[-40:])
    if word is None:
        return ""
    if word[1] in _UNITS.split() and word[1] not in _NO_UNITS:
        return word[1]
    return "" if word[1].lower() in _NO_UNITS else _WORDS.get(word[1].lower(), "")


def common_unit(names: Iterable[str]) -> str:
    """The units of the axis that shows these fields, at most three; empty when a name says none."""
    units = list(dict.fromkeys(unit_of(name) for name in names))
    return ", ".join(units) if units and all(units) and len(units) <= 3 else ""
