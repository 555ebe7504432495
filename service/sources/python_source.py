"""A source that is written in Python: the class that its author derives from, and what the gateway makes of it.

    class Historian(PythonSource):
        def read(self, window):
            for page in my_client.pages(window.start_ns, window.stop_ns):
                yield pa.table({"time": …, "value": …, "sensor": …})

        def oldest_ns(self):
            return None

The package of the class names it among its entry points, in the group `fluxgate.sources`. docs/sources.md has a whole
example.
"""

import contextlib
import traceback
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import pyarrow as pa

from service.domain.timerange import TimeRange
from service.errors import FluxgateError, InvalidParameter, StoreFailed
from service.sources.python_frames import FrameMaker
from service.sources.python_text import PythonDefinition
from service.transfer.run_control import RunControl


class PythonSource(ABC):
    """Points by time, of whatever there is a Python client for. One thread uses an object.

    What a method raises ends the run; the job is tried again later. Nothing is skipped.
    """

    def __init__(self, options: Mapping[str, Any]) -> None:
        """`options`: what the configuration has under `options`."""
        self.options = options

    def check(self) -> None:  # noqa: B027  (most sources have nothing to add)
        """Prove that `read` would work: the server answers, the options make sense. Raise ValueError for those."""

    @abstractmethod
    def read(self, window: TimeRange) -> Iterable[pa.RecordBatch | pa.Table]:
        """The rows of `window` (`start_ns` included, `stop_ns` excluded), oldest first, in tables of any size.

        Columns: `time` (a timestamp with a zone), `value` (numbers, booleans or texts, none of them null); optional
        `measurement` and `field` (texts); every other column is a tag (texts, null where it is absent). The same
        window gives the same rows in the same order, as long as the data is the same.
        """

    @abstractmethod
    def oldest_ns(self) -> int | None:
        """Time of the oldest point in nanoseconds since 1970; None when there is none."""

    def close(self) -> None:  # noqa: B027  (most sources have nothing to close)
        """Let go of connections. It may be called twice."""


class LoadedSource:
    """The source of a package. It is loaded at its first use, and each of its tables is checked."""

    def __init__(self, definition: PythonDefinition, control: RunControl) -> None:
        self._definition = definition
        self._control = control
        self._source: PythonSource | None = None

    def check(self) -> None:
        """Load the class, and ask it."""
        with self._named_errors():
            try:
                self._loaded().check()
            except ValueError as wrong:
                name = self._definition.entry_point.value
                reason = f"{name!r} refuses its options ({type(wrong).__name__}). The log has its reason."
                raise InvalidParameter("source.python.options", reason, upstream=str(wrong)) from wrong

    def frames(self, window: TimeRange) -> Iterator[pa.RecordBatch]:
        """The rows of `read` as long frames. Raises StoreFailed for rows that are not what `read` promises."""
        maker = FrameMaker(window, self._definition.entry_point.name)
        with self._named_errors():
            for rows in self._loaded().read(window):
                self._control.check()
                yield from maker.frames(rows)

    def oldest_ns(self) -> int | None:
        with self._named_errors():
            return self._loaded().oldest_ns()

    def close(self) -> None:
        if self._source is not None:
            self._source.close()

    def _loaded(self) -> PythonSource:
        if self._source is None:
            entry_point = self._definition.entry_point
            try:
                loaded = entry_point.load()
            except Exception as broken:
                finding = f"{entry_point.value!r} cannot be imported ({type(broken).__name__})."
                advice = "The log has its reason; install what the package needs, where gateway and workers run."
                raise InvalidParameter(
                    "source.python.class", f"{finding} {advice}", upstream=traceback.format_exc(limit=-3)
                ) from broken
            if not (isinstance(loaded, type) and issubclass(loaded, PythonSource)):
                finding = f"{entry_point.value!r} is no class that derives from PythonSource"
                raise InvalidParameter("source.python.class", f"{finding} (service.sources.python_source).")
            self._source = loaded(self._definition.options)
        return self._source

    @contextlib.contextmanager
    def _named_errors(self) -> Iterator[None]:
        """What the class raises becomes an error that names it. Its own text goes to the log."""
        name = self._definition.entry_point.value
        try:
            yield
        except FluxgateError:
            raise
        except Exception as broken:
            raise StoreFailed(
                f"The Python source {name!r} failed ({type(broken).__name__}).",
                advice="The log has the place in its code.",
                upstream=traceback.format_exc(limit=-2),
            ) from broken
