"""The tool that tries tests: which changes it makes, and that it tells a test that notices from one that does not."""

import multiprocessing
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Protocol

import pytest

from tests.mutants.changes import Change, changes_of
from tests.mutants.table import equivalents, sources
from tests.mutants.trials import Copy, Outcome, TrialBroken, copy_of

ROOT = Path(__file__).parents[2]


def becomes(text: str) -> list[str]:
    """The changed line of every change."""
    return [change.lines_in(text)[1] for change in changes_of(text)]


@pytest.mark.parametrize(
    ("text", "changed"),
    [
        ("a = b < c", ["a = b <= c", "a = b > c"]),
        ("a = b is not c", ["a = b is c"]),
        ("a = b not  in c", ["a = b in c"]),
        ("a = b <= c == d", ["a = b < c == d", "a = b > c == d", "a = b <= c != d"]),
        ("a = b and c or d", ["a = b or c or d", "a = b and c and d"]),
        ("a = not b", ["a = (b)"]),
        ("a = -b // c", ["a = (b) // c", "a = -b * c"]),
        ("a = 'é' + b", ["a = 'é' - b"]),
        ("a = max(b, 7)", ["a = min(b, 7)", "a = max(b, 6)", "a = max(b, 8)"]),
        ("a = True", ["a = False"]),
        ("a = 0", ["a = (-1)", "a = 1"]),
        ("a = b if c else d", ["a = b if (not (c)) else d"]),
        ("a.b = c", ["pass"]),
        ("a += b", ["pass"]),
        ("a(b)", ["pass"]),
        ("raise ValueError(1 + 2)", ["pass"]),
    ],
)
def test_each_part_of_a_line_is_changed(text: str, changed: list[str]) -> None:
    assert becomes(text) == changed


def test_what_a_function_returns_is_changed_as_its_type_allows() -> None:
    assert becomes("def f() -> bool:\n    return a") == ["return not (a)"]
    assert becomes("def f() -> int:\n    return a") == ["return None"]
    assert becomes("def f() -> None:\n    return") == ["pass"]
    assert becomes("def f() -> int | None:\n    if a:\n        return None\n    return None") == ["pass"]


@pytest.mark.parametrize(
    "text",
    [
        '"""A docstring."""',
        "a: int | None",
        "@dataclass(frozen=True)\nclass A: ...",
        'f"{a + 1}"',
        "import a",
        "a(strict=True)",
    ],
)
def test_what_no_test_could_notice_is_left_alone(text: str) -> None:
    assert [line for line in becomes(text) if line != "pass"] == []


def test_an_operator_after_a_comment_is_the_one_that_is_changed() -> None:
    text = "a = (\n    b  # more < less\n    < c\n)"
    assert becomes(text) == ["<= c", "> c"]


def test_the_table_names_files_that_exist_and_every_entry_has_a_file() -> None:
    paths = {source.path for source in sources()}
    assert [path for path in paths if not (ROOT / path).is_file()] == []
    assert [test for source in sources() for test in source.tests if not (ROOT / test).exists()] == []
    assert {path for path, _, _ in equivalents().changes} <= paths


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Copy]:
    root = tmp_path_factory.mktemp("project")
    (root / "service").mkdir()
    (root / "tests").mkdir()
    (root / "service/__init__.py").write_text("")
    (root / "service/sums.py").write_text("def least(a, b):\n    return a if a < b else b\n")
    (root / "tests/test_least.py").write_text(
        "from service.sums import least\ndef test_least():\n    assert least(1, 2) == 1\n"
    )
    (root / "tests/test_wait.py").write_text(
        "import time\nfrom service.sums import least\n"
        "def test_wait():\n    while least(1, 2) != 1:\n        time.sleep(0.01)\n"
    )
    (root / "pyproject.toml").write_text('[tool.pytest.ini_options]\npythonpath = ["."]\n')
    with copy_of(root) as copy:
        yield copy


class Trial(Protocol):
    def __call__(self, tests: list[str], timeout_s: float, change: tuple[str, Change] | None = None) -> Outcome: ...


@pytest.fixture(scope="module")
def trial(project: Copy) -> Iterator[Trial]:
    """Trials of `project` in a process of their own, as the tool is one: they fork, and this process has threads."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as process:
        yield lambda tests, timeout_s, change=None: process.submit(project.trial, tests, timeout_s, change).result()


def test_a_change_is_noticed_or_not_and_the_next_trial_is_without_it(trial: Trial) -> None:
    text = "def least(a, b):\n    return a if a < b else b\n"
    noticed = {}
    for change in changes_of(text):
        outcome = trial(["tests/test_least.py"], 60, ("service/sums.py", change))
        noticed[change.lines_in(text)[1]] = outcome.noticed
    assert noticed == {
        "return None": True,
        "return a if (not (a < b)) else b": True,
        "return a if a <= b else b": False,
        "return a if a > b else b": True,
    }
    assert not trial(["tests/test_least.py"], 60).noticed


def test_a_change_that_makes_a_test_hang_is_noticed(trial: Trial) -> None:
    text = "def least(a, b):\n    return a if a < b else b\n"
    endless = next(change for change in changes_of(text) if change.new == ">")
    assert trial(["tests/test_wait.py"], 3, ("service/sums.py", endless)).noticed


def test_tests_that_cannot_be_run_prove_nothing(trial: Trial) -> None:
    with pytest.raises(TrialBroken, match="test_absent"):
        trial(["tests/test_absent.py"], 60)
