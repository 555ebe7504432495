"""Runs the tests of a file against a change of it: in a copy of the tree, in a process that ends in time.

The process is a fork of one that has imported the libraries, but nothing of the project, so that a trial costs the
tests and little more. Hypothesis takes the same examples in every trial and does not shrink: a failure is enough.
"""

import contextlib
import importlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import psutil

from tests.mutants.changes import Change

_LIBRARIES = (
    "pytest", "hypothesis.strategies", "numpy", "pyarrow.compute", "pyarrow.csv", "pyarrow.parquet", "duckdb", "httpx",
    "sqlalchemy", "psycopg", "pydantic", "fakeredis", "orjson", "msgpack", "obstore", "structlog", "stamina",
)  # fmt: skip
_OURS = ("tests", "service", "fluxgate_client", "bench")
_COPIED = ("service", "client", "tests", "pyproject.toml", "openapi", "docs", "bench")
_PASSED, _FAILED, _NOTHING_IMPORTED, _WRONG_TREE = 0, (1, 2, 3), 4, 99


@dataclass(frozen=True)
class Outcome:
    """How the tests of a file ended. `noticed`: some failed, or they did not end in time."""

    noticed: bool
    seconds: float
    output: str


class TrialBroken(Exception):
    """The tests could not be run at all, so nothing is known about a change."""


class Copy:
    """A copy of the tree, in which files change and tests run. The tree itself is never touched."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def text(self, path: str) -> str:
        """The text of a file, without any change."""
        return (self._folder / path).read_text()

    def trial(self, tests: Sequence[str], timeout_s: float, change: tuple[str, Change] | None = None) -> Outcome:
        """Run `tests` with one change, of the file with that path, or with none.

        Raises TrialBroken.
        """
        if change is None:
            return self._run(tests, timeout_s, is_changed=False)
        path = self._folder / change[0]
        text = path.read_text()
        for compiled in path.parent.glob(f"__pycache__/{path.stem}.*.pyc"):
            compiled.unlink()  # it would be taken for the changed file, if its size and second were the same
        path.write_text(change[1].applied_to(text))
        try:
            return self._run(tests, timeout_s, is_changed=True)
        finally:
            path.write_text(text)

    def _run(self, tests: Sequence[str], timeout_s: float, *, is_changed: bool) -> Outcome:
        log = self._folder / "trial.log"
        begun = time.monotonic()
        child = os.fork()
        if child == 0:
            self._child(tests, log, keep_bytecode=not is_changed)
        code = _exit_code(child, begun + timeout_s)
        seconds, output = time.monotonic() - begun, log.read_text(errors="replace")
        if code == _PASSED:
            return Outcome(False, seconds, output)
        if code is None or code in _FAILED or code < 0 or (is_changed and code == _NOTHING_IMPORTED):
            return Outcome(True, seconds, output)
        raise TrialBroken(f"{' '.join(tests)} ended with {code}:\n{output[-2000:]}")

    def _child(self, tests: Sequence[str], log: Path, *, keep_bytecode: bool) -> NoReturn:
        code = _WRONG_TREE
        try:
            os.setsid()
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            written = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            os.dup2(written, 1)
            os.dup2(written, 2)
            os.chdir(self._folder)
            sys.dont_write_bytecode = not keep_bytecode
            sys.path.insert(0, str(self._folder))
            for name in [name for name in sys.modules if name.partition(".")[0] in _OURS]:
                del sys.modules[name]
            code = _pytest(tests)
            service = sys.modules.get("service")
            if service is not None and not str(service.__file__).startswith(str(self._folder)):
                print(f"the tests ran the code of {service.__file__}, not that of the copy")
                code = _WRONG_TREE
        finally:
            sys.stdout.flush()
            os._exit(code)


def _pytest(tests: Sequence[str]) -> int:
    hypothesis = importlib.import_module("hypothesis")
    hypothesis.settings.register_profile(
        "mutants",
        deadline=None,
        derandomize=True,
        database=None,
        phases=[hypothesis.Phase.explicit, hypothesis.Phase.generate],
    )
    options = ["-x", "-q", "-p", "no:cacheprovider", "--hypothesis-profile=mutants", "--rootdir=.", "--tb=line"]
    return int(importlib.import_module("pytest").main([*options, *tests]))


def _exit_code(child: int, deadline: float) -> int | None:
    """The child's exit code, negative for a signal; None: it was ended at `deadline`. What it started ends with it."""
    code = None
    try:
        while code is None and time.monotonic() < deadline:
            pid, status = os.waitpid(child, os.WNOHANG)
            if pid == child:
                code = os.waitstatus_to_exitcode(status)
            else:
                time.sleep(0.02)
    finally:
        if code is None:
            for process in psutil.Process(child).children(recursive=True):  # servers have sessions of their own
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.kill()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child, signal.SIGKILL)
        if code is None:
            os.waitpid(child, 0)
    return code


@contextlib.contextmanager
def copy_of(root: Path) -> Iterator[Copy]:
    """A copy of what tests need of the tree at `root`. It is removed in the end."""
    for library in _LIBRARIES:
        importlib.import_module(library)
    with tempfile.TemporaryDirectory(prefix="mutants-") as temporary:
        folder = Path(temporary).resolve()
        for name in _COPIED:
            source = root / name
            if source.is_dir():
                shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
            elif source.exists():
                shutil.copy2(source, folder / name)
        subprocess.run(
            [sys.executable, "-m", "compileall", "-q", "-j", "1", folder / "service"], check=True, timeout=300
        )
        yield Copy(folder)
