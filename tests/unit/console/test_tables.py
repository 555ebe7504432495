"""Tables of commands show every name whole, whatever it holds and wherever it is printed."""

import pytest
from rich.table import Table

from service.console.tables import print_table

NAME = "real_power, meter=M-100, site=Assembly, line=7, building=North of the river, floor=3, room=Transformers"


def printed(capsys: pytest.CaptureFixture[str], *cells: str) -> str:
    table = Table("series", "last point")
    table.add_row(*cells)
    print_table(table)
    return capsys.readouterr().out


def test_a_row_in_a_pipe_is_one_line(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    assert f"│ {NAME} │ 2026-01-31T11:48:09.25Z │" in printed(capsys, NAME, "2026-01-31T11:48:09.25Z").splitlines()


def test_a_narrow_table_cuts_nothing(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    rows = [line.split("│") for line in printed(capsys, NAME, "M" * 60).splitlines() if line.startswith("│")]
    assert "".join("".join(row[1] for row in rows).split()) == NAME.replace(" ", "")
    assert "".join(row[2].strip() for row in rows) == "M" * 60


def test_brackets_in_a_name_are_no_markup(capsys: pytest.CaptureFixture[str]) -> None:
    assert "│ [/red] [bold]line │ now" in printed(capsys, "[/red] [bold]line", "now")
