"""Tables of commands: names are shown as they are, and no cell is cut.

A terminal, or COLUMNS, says how wide a table may be, and what is longer goes on in the next line of its cell. A pipe or
file has no width, so a row there is one line, for `grep` and `head`.
"""

import os

from rich.table import Table

from service.console.plain_console import PlainConsole

_NO_WIDTH = 100_000


def print_table(table: Table) -> None:
    """Print `table` on standard output."""
    console = PlainConsole(markup=False, highlight=False)
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console.width = _NO_WIDTH
    for column in table.columns:
        column.overflow = "fold"
    console.print(table)
