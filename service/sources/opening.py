"""Opens the source that a configuration means."""

from dataclasses import dataclass
from typing import assert_never

from service.sources.config import SourceText
from service.sources.protocol import Source
from service.sources.python_source import LoadedSource
from service.sources.python_text import PythonDefinition
from service.sources.rules import SourceRules
from service.sources.sql_source import SqlSource
from service.sources.sql_text import SqlDefinition
from service.sources.store_source import PIECES, PieceBounds, StoreSource
from service.sources.store_text import StoreDefinition
from service.stores.protocol import Store
from service.transfer.run_control import RunControl
from service.transfer.run_log import Log


def _no_log(_level: str, _message: str) -> None:
    """What a caller hears who asks only whether a source works."""


@dataclass(frozen=True)
class SourceOpener:
    """Makes sources. `store`: the gateway's own. `rules`: what a configuration may name.

    `pieces`: how much of a bucket is in memory at one time.
    """

    store: Store
    rules: SourceRules
    pieces: PieceBounds = PIECES

    def open(self, text: SourceText, control: RunControl, log: Log = _no_log) -> Source:
        """The source. Nothing is connected to before its first use. The caller closes it.

        `control` ends reads and waits; `log` takes what people should know.

        Raises InvalidParameter.
        """
        definition = text.definition(self.rules)
        match definition:
            case StoreDefinition():
                return StoreSource(definition, self.store, control, log, self.pieces)
            case SqlDefinition():
                return SqlSource(definition, self.rules.addresses, control, log)
            case PythonDefinition():
                return LoadedSource(definition, control)
            case _:
                assert_never(definition)
