"""Names and messages act on no terminal."""

import io

import pytest
from rich.table import Table

from service.console.plain_console import PlainConsole


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("a\x1b[2Jb", "a\ufffd[2Jb"),  # clears the screen
        ("\x1b]52;c;cm0=\x07", "\ufffd]52;c;cm0=\ufffd"),  # writes the clipboard
        ("\x9b31m", "\ufffd31m"),
        ("ok\rsilent", "ok\ufffdsilent"),
        ("a\u202eb", "a\ufffdb"),
        ("Grüße 温度 😀", "Grüße 温度 😀"),
    ],
)
def test_a_name_is_a_text_in_a_line_and_in_a_table(name: str, shown: str) -> None:
    written = io.StringIO()
    console = PlainConsole(file=written, width=60, highlight=False, markup=False)
    table = Table("name")
    table.add_row(name)
    console.print(name)
    console.print(table)
    assert [shown in line for line in written.getvalue().splitlines()].count(True) == 2
    assert not any(letter in written.getvalue() for letter in "\x1b\x07\x9b\r\u202e")


def test_lines_and_colours_of_the_command_itself_stay() -> None:
    written = io.StringIO()
    PlainConsole(file=written, force_terminal=True, color_system="standard").print("a\nb", style="red")
    assert written.getvalue() == "\x1b[31ma\x1b[0m\n\x1b[31mb\x1b[0m\n"
