"""Series in the terminal."""

from dataclasses import replace

import pytest

from service.console.terminal_chart import COLOURS, TerminalSize, terminal_chart
from tests.unit.pictures.charts import DAY, series

SIZE = TerminalSize(40, 8)
_BLANK = "\u2800"


def lines(*shown: object, size: TerminalSize = SIZE, zone: str = "UTC") -> list[str]:
    return terminal_chart(shown, DAY, zone, size)  # type: ignore[arg-type]


def signs(shown: list[str]) -> list[str]:
    """The lines of the plot, without its labels."""
    return [line[12:] for line in shown if line[11:12] in ("│", "┤")]


def test_a_line_from_corner_to_corner() -> None:
    shown = lines(series("power", [0, 70], every_s=86_399))
    plot = signs(shown)
    assert len(plot) == 8 and all(len(row) == 40 for row in plot)
    assert plot[-1][0] != _BLANK and plot[0][-1] != _BLANK
    assert plot[0][0] == _BLANK and plot[-1][-1] == _BLANK
    assert [line[:11].strip() for line in shown if line[11:12] == "┤"] == ["50", "0"]
    assert shown[-1] == "            ━━ site power"


def test_times_stand_below_the_plot() -> None:
    axis, times, days = lines(series("power", [0, 70], every_s=86_399), size=TerminalSize(60, 6))[6:9]
    assert axis == "           └┬──────────────┬──────────────┬──────────────┬──────────────"
    assert times.split() == ["00:00", "06:00", "12:00", "18:00"]
    assert days.strip() == "1 Jan 2026"
    berlin = lines(series("power", [0, 70], every_s=86_399), size=TerminalSize(60, 6), zone="Asia/Tokyo")
    assert berlin[7].split() == ["12:00", "18:00", "00:00", "06:00"]


def test_a_gap_stays_empty() -> None:
    whole = series("power", [5.0] * 144)
    rows = [*range(40), *range(100, 144)]
    cut = replace(whole, times=whole.times[rows], values=whole.values[rows])
    row = next(row for row in signs(lines(cut)) if row.strip(_BLANK))
    assert _BLANK not in row[:11] + row[29:] and set(row[12:27]) == {_BLANK}


def test_a_point_alone_is_a_dot() -> None:
    assert sum(sign != _BLANK for row in signs(lines(series("power", [5.0]))) for sign in row) == 1


def test_each_series_has_an_entry_without_signs_of_control() -> None:
    shown = lines(series("power", [1, 2], meter="\x1b[31mred\n"), series("power", [2, 1], meter="b"))
    assert shown[-2:] == ["            ━━ meter=\u241b[31mred\u240a", "            ━━ meter=b"]


def test_there_are_as_many_colours_as_series() -> None:
    shown = lines(*(series(f"f{number:02}", [1, number]) for number in range(len(COLOURS))))
    assert [line.split()[-1] for line in shown[-len(COLOURS) :]] == [f"f{number:02}" for number in range(len(COLOURS))]


@pytest.mark.parametrize(("columns", "rows"), [(1, 1), (80, 24), (500, 200)])
def test_any_terminal_has_a_size(columns: int, rows: int) -> None:
    size = TerminalSize.of_terminal(columns, rows)
    assert 6 <= size.height <= 30 and size.width >= 20 and size.columns == 2 * size.width
    assert all(len(row) == size.width for row in signs(lines(series("power", [1, 2]), size=size)))
