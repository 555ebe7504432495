"""A Python class as a source: only what a package offers is loaded, and each of its tables is checked."""

import importlib.metadata
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pyarrow as pa
import pytest

from service.domain.timerange import TimeRange
from service.errors import InvalidParameter, QueryRefused, StoreFailed
from service.sources.config import SourceText
from service.sources.opening import SourceOpener
from service.sources.python_source import PythonSource
from service.sources.rules import ENTRY_POINTS, SourceRules
from service.stores.protocol import Store
from tests.support.rows import Row, at, row, span
from tests.support.sources import DAY, FREE, opened, rows_in

EXAMPLE = Path(__file__).parents[3] / "docs" / "examples" / "historian"
START_NS = DAY.start_ns
TIMES = pa.array([START_NS, START_NS + 1], pa.timestamp("ns", tz="UTC"))
GIVEN = {"python": {"class": "given"}}
GOOD = {"time": TIMES, "value": pa.array([1.5, 2.5])}


class Given(PythonSource):
    """Gives the tables of its options."""

    closed = 0

    def check(self) -> None:
        if self.options.get("bad"):
            raise ValueError("the site has no name")

    def read(self, window: TimeRange) -> Iterator[pa.Table]:
        if self.options.get("broken"):
            raise OSError("the historian is away: password=secret")
        yield from self.options["tables"]

    def oldest_ns(self) -> int | None:
        return START_NS

    def close(self) -> None:
        Given.closed += 1


class NoSource:
    """It derives from nothing."""


def opener(value: str = f"{__name__}:Given") -> SourceOpener:
    """One installed source. pytest gives this module a name that can be imported."""
    entry_point = importlib.metadata.EntryPoint("given", value, ENTRY_POINTS)
    return SourceOpener(cast(Store, None), SourceRules(installed=lambda: [entry_point]))


@pytest.fixture(autouse=True)
def this_module_is_importable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, __name__, sys.modules.get(__name__) or sys.modules["__main__"])


def rows(*tables: Any, **options: Any) -> list[Row]:
    source = {"python": {"class": "given", "options": {"tables": list(tables), **options}}}
    with opened(opener(), source) as loaded:
        loaded.check()
        return rows_in(loaded, DAY)


def test_rows_become_long_frames() -> None:
    table = pa.table(
        {**GOOD, "sensor": ["a", None], "site": ["n", "n"], "field": ["x", "y"], "measurement": ["m", "k"]}
    )
    assert rows(table) == [
        row("k", {"site": "n"}, "y", START_NS + 1, 2.5),
        row("m", {"sensor": "a", "site": "n"}, "x", START_NS, 1.5),
    ]
    assert rows(pa.table(GOOD), pa.table(GOOD).slice(1)) == [
        row("given", {}, "value", START_NS, 1.5),
        row("given", {}, "value", START_NS + 1, 2.5),
        row("given", {}, "value", START_NS + 1, 2.5),
    ]


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([1, 2], "integer"),
        ([True, False], "boolean"),
        (["a", ""], "string"),
        (pa.array([1, 2], pa.uint64()), "unsigned"),
    ],
)
def test_the_type_of_values_is_kept(values: Any, kind: str) -> None:
    assert {found.type for found in rows(pa.table({**GOOD, "value": values}))} == {kind}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"value": None}, "without the column 'value'"),
        ({"value": [1.0, None]}, "without a value"),
        ({"value": [b"x", b"y"]}, "values of the type binary"),
        ({"time": [1, 2]}, "times of the type int64; they are timestamps with a zone"),
        ({"time": TIMES.cast(pa.timestamp("ns"))}, "they are timestamps with a zone"),
        ({"time": pa.array([START_NS, None], TIMES.type)}, "without a time"),
        ({"time": TIMES[::-1]}, "after a later one; the oldest come first"),
        ({"time": pa.array([START_NS, DAY.stop_ns], TIMES.type)}, "outside the window"),
        ({"sensor": [1, 2]}, "the column 'sensor' with the type int64"),
        ({"sensor": ["a", ""]}, "an empty text in the column 'sensor'"),
        ({"measurement": ["a", None]}, "without a measurement"),
    ],
)
def test_a_table_that_breaks_its_promise_is_refused(change: dict[str, Any], reason: str) -> None:
    columns = {name: column for name, column in {**GOOD, **change}.items() if column is not None}
    with pytest.raises(QueryRefused, match=f"The Python source 'given' gave .*{reason}"):
        rows(pa.table(columns))


def test_tables_have_to_ascend_too_and_to_be_tables() -> None:
    with pytest.raises(QueryRefused, match="after a later one"):
        rows(pa.table(GOOD), pa.table(GOOD))
    with pytest.raises(QueryRefused, match="gave a list, and no pyarrow Table"):
        rows([1, 2])


def test_what_the_class_raises_names_it_and_goes_to_the_log() -> None:
    with pytest.raises(InvalidParameter, match="refuses its options") as wrong:
        rows(bad=True)
    assert (wrong.value.parameter, wrong.value.upstream) == ("source.python.options", "the site has no name")
    with pytest.raises(StoreFailed, match=r"failed \(KeyError\)"), opened(opener(), GIVEN) as source:
        rows_in(source, DAY)
    with pytest.raises(StoreFailed, match=r"failed \(OSError\)") as failed:
        rows(broken=True)
    assert "secret" not in failed.value.message
    assert "the historian is away" in failed.value.upstream


def test_a_class_that_no_package_offers_is_never_imported() -> None:
    for name in ("os:system", f"{__name__}:NoSource", "Given"):
        with pytest.raises(InvalidParameter, match="No installed package offers") as wrong:
            SourceText.model_validate({"python": {"class": name}}).check(opener().rules)
        assert wrong.value.parameter == "source.python.class"


@pytest.mark.parametrize("value", [f"{__name__}:NoSource", f"{__name__}:Nothing", "no_such_module_here:X"])
def test_an_entry_point_that_leads_to_no_source(value: str) -> None:
    with (
        opened(opener(value), {"python": {"class": "given"}}) as source,
        pytest.raises(InvalidParameter, match=r"derives from PythonSource|cannot be imported") as wrong,
    ):
        source.check()
    assert wrong.value.parameter == "source.python.class"


def test_the_example_of_the_documentation_is_installed_and_read(tmp_path: Path) -> None:
    package, target = tmp_path / "package", tmp_path / "installed"
    shutil.copytree(EXAMPLE, package)
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    subprocess.run([*pip, "--target", str(target), str(package)], check=True, timeout=100, cwd=tmp_path)
    files = tmp_path / "files"
    files.mkdir()
    (files / "2026-01-01.csv").write_text("time,sensor,value\n2026-01-01T23:59:59Z,boiler,71.5\n")
    (files / "2026-01-02.csv").write_text("time,sensor,value\n2026-01-02T00:00:00Z,boiler,72\n")
    (found,) = (point for point in importlib.metadata.distributions(path=[str(target)]))
    rules = SourceRules(installed=lambda: found.entry_points.select(group=ENTRY_POINTS))
    sys.path.insert(0, str(target))
    try:
        text = SourceText.model_validate(
            {"python": {"class": "historian_source:Historian", "options": {"folder": str(files)}}}
        )
        source = SourceOpener(cast(Store, None), rules).open(text, FREE)
        source.check()
        assert source.oldest_ns() == at("2026-01-01T23:59:59Z")
        assert rows_in(source, DAY) == [row("historian", {"sensor": "boiler"}, "value", "2026-01-01T23:59:59Z", 71.5)]
        assert len(rows_in(source, span("2026-01-01T00:00:00Z", "2026-01-03T00:00:00Z"))) == 2
    finally:
        sys.path.remove(str(target))
        sys.modules.pop("historian_source", None)
