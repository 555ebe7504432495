"""Commands that are imported when they are run: `fluxgate --help` and `--version` answer at once.

The services behind the commands take seconds to import, so the list of commands holds their names and sentences, and
nothing else. A test holds the sentences against the commands.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command, get_group


@dataclass(frozen=True)
class Entry:
    """A command that is not imported yet. `load` gives a group of commands, or the function of one."""

    name: str
    summary: str
    load: Callable[[], typer.Typer | Callable[..., Any]]


def at(name: str, summary: str, module: str, member: str = "cli") -> Entry:
    """The entry of `member` in `module`."""
    return Entry(name, summary, lambda: getattr(import_module(module), member))


class LazyCommand(TyperCommand):
    """Stands for a command in the list, and gives way to it when it is called."""

    def __init__(self, entry: Entry) -> None:
        super().__init__(name=entry.name, help=entry.summary)
        self._entry = entry

    def loaded(self) -> Any:  # noqa: ANN401  (a command of typer's own copy of click, which has no public type)
        """The command itself."""
        target = self._entry.load()
        if isinstance(target, typer.Typer):
            command: Any = get_group(target)
        else:
            single = typer.Typer(add_completion=False)
            single.command(self._entry.name)(target)
            command = get_command(single)
        command.name = self._entry.name
        return command

    def make_context(self, *arguments: Any, **options: Any) -> Any:  # noqa: ANN401  (as in the class above)
        return self.loaded().make_context(*arguments, **options)


def group_of(entries: Sequence[Entry]) -> type[TyperGroup]:
    """The class of a group with these commands, in this order; as `cls` of a typer application."""

    class Group(TyperGroup):
        def __init__(self, **attributes: Any) -> None:  # noqa: ANN401  (what typer gives a group)
            commands = {entry.name: LazyCommand(entry) for entry in entries}
            super().__init__(**{**attributes, "commands": commands})

    return Group
