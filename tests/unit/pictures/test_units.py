"""Units that names say plainly, and nothing guessed."""

import pytest

from service.pictures.units import common_unit, unit_of


@pytest.mark.parametrize(
    ("name", "unit"),
    [
        ("power_kw", "kW"),
        ("Power (kW)", "kW"),
        ("energy_wh", "Wh"),
        ("temp [°C]", "°C"),
        ("temperature_c", "°C"),
        ("outside temperature celsius", "°C"),
        ("humidity_pct", "%"),
        ("humidity %", "%"),
        ("pressure.hPa", "hPa"),
        ("voltage_v", "V"),
        ("delay_ms", "ms"),
        ("flow (m³/h)", "m³/h"),
        ("power", ""),
        ("kw", ""),
        ("power_min", ""),
        ("vitamin_c2", ""),
        ("site_a_b_n", ""),
        ("count", ""),
        ("", ""),
        ("note (see the manual of 2019)", ""),
        ("$x^2$ (W)", "W"),
    ],
)
def test_a_unit_is_what_the_name_ends_with(name: str, unit: str) -> None:
    assert unit_of(name) == unit


def test_an_axis_has_the_units_of_all_its_fields_or_none() -> None:
    assert common_unit(["power_kw", "peak_kw"]) == "kW"
    assert common_unit(["power_kw", "temp_c"]) == "kW, °C"
    assert common_unit(["power_kw", "count"]) == ""
    assert common_unit(["a_kw", "b_v", "c_a", "d_hz"]) == ""
    assert common_unit([]) == ""
