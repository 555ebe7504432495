"""Which files are changed, which tests must notice, and which changes nobody could notice."""

import tomllib
from dataclasses import dataclass
from pathlib import Path

from tests.mutants.changes import Change

FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class Source:
    """A file of `service`, the group it is counted in, and the tests that must notice a change of it."""

    path: str
    group: str
    tests: tuple[str, ...]


def sources() -> list[Source]:
    """The files of groups.toml, in its order."""
    document = tomllib.loads((FOLDER / "groups.toml").read_text())
    return [
        Source(f"service/{path}", group, tuple(f"tests/{name}" for name in tests))
        for group, files in document.items()
        for path, tests in files.items()
    ]


@dataclass(frozen=True)
class Equivalents:
    """The changes that are not counted: path, line as it is, line as it becomes."""

    changes: frozenset[tuple[str, str, str]]

    def has(self, path: str, change: Change, text: str) -> bool:
        """Whether that change of the file `path` with this text is not counted."""
        return (path, *change.lines_in(text)) in self.changes

    def unmatched(self, path: str, changes: list[Change], text: str) -> list[tuple[str, str]]:
        """Entries of the file that are no change of its text any more: line as it was, and as it became."""
        present = {change.lines_in(text) for change in changes}
        entries = [(line, becomes) for name, line, becomes in self.changes if name == path]
        return sorted(entry for entry in entries if entry not in present)


def equivalents() -> Equivalents:
    """The entries of equivalent.toml. Each has a reason; `becomes` may be several lines."""
    document = tomllib.loads((FOLDER / "equivalent.toml").read_text())
    entries = []
    for path, changes in document.items():
        for change in changes:
            lines = change["becomes"] if isinstance(change["becomes"], list) else [change["becomes"]]
            assert change["reason"], change
            entries += [(f"service/{path}", change["line"], becomes) for becomes in lines]
    return Equivalents(frozenset(entries))
