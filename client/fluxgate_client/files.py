"""A file that appears when it is whole; until then what was there before stays."""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

FORMATS = {
    ".csv": "csv",
    ".json": "json",
    ".ndjson": "ndjson",
    ".parquet": "parquet",
    ".arrow": "arrow_file",
    ".arrows": "arrow",
    ".xlsx": "xlsx",
    ".lp": "lineprotocol",
    ".svg": "svg",
    ".png": "png",
}
PIECE_BYTES = 1 << 20


def format_of(path: Path, format: str | None) -> str:
    """`format`, else the one that the ending of `path` names. Raises ValueError when there is neither."""
    chosen = format or FORMATS.get(path.suffix.lower())
    if chosen is None:
        raise ValueError(f"{path.name} does not end in one of {', '.join(FORMATS)}: name a format.")
    return chosen


@contextmanager
def whole_file(target: Path, progress: Callable[[int], object] | None) -> Iterator[Callable[[bytes], None]]:
    """Gives a function that takes the pieces; `progress` is called with the size of each."""
    with tempfile.NamedTemporaryFile(dir=target.parent, prefix=f".{target.name}.", delete=False) as part:

        def write(piece: bytes) -> None:
            part.write(piece)
            if progress is not None:
                progress(len(piece))

        try:
            yield write
            part.close()
            Path(part.name).chmod(0o644)
            Path(part.name).replace(target)
        except BaseException:
            Path(part.name).unlink(missing_ok=True)
            raise
