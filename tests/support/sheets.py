"""Reads a workbook as ECMA-376 says, with the standard library alone, so that no reader's kindness hides a mistake."""

import datetime as dt
import io
import re
import zipfile
from xml.etree import ElementTree

_MAIN = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
_DAY_ZERO = dt.datetime(1899, 12, 30)
Cell = str | float | bool | dt.datetime


def sheet(workbook: bytes, number: int = 1) -> list[dict[str, Cell]]:
    """The rows of a sheet, each by the letters of its columns. Each cell stands in the row that holds it."""
    archive = zipfile.ZipFile(io.BytesIO(workbook))
    assert archive.testzip() is None
    root = ElementTree.fromstring(archive.read(f"xl/worksheets/sheet{number}.xml"))
    rows = []
    for count, row in enumerate(root.iter(f"{_MAIN}row"), 1):
        assert row.get("r") == str(count)
        cells = {}
        for cell in row.iter(f"{_MAIN}c"):
            letters, digits = re.fullmatch(r"([A-Z]+)(\d+)", cell.get("r", "")).groups()  # type: ignore[union-attr]
            assert digits == str(count)
            cells[letters] = _value(cell)
        rows.append(cells)
    return rows


def table(workbook: bytes) -> list[dict[str, Cell]]:
    """The rows of the first sheet by the names of their columns."""
    header, *rows = sheet(workbook)
    return [{str(header[letters]): cell for letters, cell in row.items()} for row in rows]


def about(workbook: bytes) -> list[tuple[Cell, Cell]]:
    return [(row["A"], row["B"]) for row in sheet(workbook, 2)]


def _value(cell: ElementTree.Element) -> Cell:
    if cell.get("t") == "inlineStr":
        return _text(cell.find(f"{_MAIN}is/{_MAIN}t").text or "")  # type: ignore[union-attr]
    text = cell.find(f"{_MAIN}v").text or ""  # type: ignore[union-attr]
    if cell.get("t") == "b":
        return text == "1"
    if cell.get("s") in ("1", "2"):
        return _DAY_ZERO + dt.timedelta(milliseconds=round(float(text) * 86_400_000))
    return float(text)


def _text(escaped: str) -> str:
    return re.sub("_x([0-9A-Fa-f]{4})_", lambda code: chr(int(code[1], 16)), escaped)
