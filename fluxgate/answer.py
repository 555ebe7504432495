"""A read that has been described but not yet sent, and the shapes that it can be taken in.

Each way of taking it is one request. A broken answer raises and gives nothing out: a data frame or
a file is whole, or it is not there.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from fluxgate.errors import AnswerBroken
from fluxgate.wire import Parameters, Wire

if TYPE_CHECKING:
    import pandas as pd

FORMATS = {".csv": "csv", ".json": "json", ".ndjson": "ndjson", ".parquet": "parquet", ".arrow": "arrow", ".arrows": "arrow"}


class Answer:
    """The rows of one read. Nothing is asked before one of the methods is called; each call asks anew."""

    def __init__(self, wire: Wire, path: str, parameters: Parameters) -> None:
        self._wire = wire
        self._path = path
        self._parameters = parameters

    def to_arrow(self) -> pa.Table:
        """All rows as an Arrow table: exact types, `_time` as timestamp[ns] in the zone of the read."""
        with self._wire.stream("GET", self._path, [*self._parameters, ("format", "arrow")]) as response:
            body = pa.BufferReader(b"".join(response.iter_bytes()))
        try:
            return pa.ipc.open_stream(body).read_all()
        except pa.ArrowInvalid as broken:
            raise AnswerBroken(f"The answer to {self._path} is no whole Arrow stream ({broken}). Ask again.") from broken

    def to_pandas(self) -> pd.DataFrame:
        """All rows as a DataFrame. Integers and booleans that are absent in places stay exact (nullable types)."""
        import pandas as pd

        nullable = {
            pa.int64(): pd.Int64Dtype(),
            pa.uint64(): pd.UInt64Dtype(),
            pa.bool_(): pd.BooleanDtype(),
        }
        table = self.to_arrow()
        with_gaps = {column.type for column in table.columns if column.null_count}
        return table.to_pandas(types_mapper={kind: nullable[kind] for kind in with_gaps if kind in nullable}.get)

    def pieces(self, format: str) -> Iterator[bytes]:
        """The answer's bytes in `format`, as they come; raises in the middle when it breaks."""
        with self._wire.stream("GET", self._path, [*self._parameters, ("format", format)]) as response:
            yield from response.iter_bytes(1 << 20)

    def to_csv(self, path: str | Path) -> Path:
        """The rows as a CSV file at `path`, replaced only when the answer is whole."""
        return self.save(path, "csv")

    def save(self, path: str | Path, format: str | None = None, progress: Callable[[int], object] | None = None) -> Path:
        """The rows as a file, in `format` or the one that the file's ending names.

        The file appears when it is complete; a broken read leaves what was there before.
        `progress` is called with the number of bytes of each piece.
        """
        target = Path(path)
        chosen = format or FORMATS.get(target.suffix.lower())
        if chosen is None:
            raise ValueError(f"{target.name} does not end in one of {', '.join(FORMATS)}: name a format.")
        with (
            self._wire.stream("GET", self._path, [*self._parameters, ("format", chosen)]) as response,
            tempfile.NamedTemporaryFile(dir=target.parent, prefix=f".{target.name}.", delete=False) as part,
        ):
            try:
                for piece in response.iter_bytes(1 << 20):
                    part.write(piece)
                    if progress is not None:
                        progress(len(piece))
                part.close()
                Path(part.name).chmod(0o644)
                Path(part.name).replace(target)
            except BaseException:
                Path(part.name).unlink(missing_ok=True)
                raise
        return target
