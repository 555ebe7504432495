"""What runs on Windows too: no module needs what only Unix has when it is imported, and nor does the start script.

Windows itself is not at hand in these tests.
"""

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]
UNIX_MODULES = {"uvloop", "fcntl", "termios", "resource", "pwd", "grp", "pty", "tty", "syslog", "posix", "readline"}
UNIX_NAMES = {
    "os": {"fork", "O_DIRECTORY", "O_NOFOLLOW", "O_CLOEXEC", "O_NONBLOCK", "geteuid", "getuid", "killpg", "setsid"},
    "signal": {"SIGKILL", "SIGHUP", "SIGSTOP", "SIGUSR1", "SIGUSR2", "SIGALRM"},
    "socket": {"AF_UNIX", "SO_REUSEPORT"},
}
FILES = sorted([*(ROOT / "service").rglob("*.py"), *(ROOT / "client" / "fluxgate_client").rglob("*.py")])


def at_import(node: ast.AST) -> Iterator[ast.AST]:
    """What runs when the module is imported: no bodies of functions, and nothing that is kept from Windows."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) or _is_guarded(child):
            continue
        yield child
        yield from at_import(child)


def _is_guarded(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and "sys.platform != 'win32'" in ast.unparse(node.test)


def unix_only(source: str) -> list[str]:
    """The modules and names of Unix that `source` needs when it is imported."""
    needed: list[str] = []
    for node in at_import(ast.parse(source)):
        if isinstance(node, ast.Import):
            needed += [alias.name for alias in node.names if alias.name.split(".")[0] in UNIX_MODULES]
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in UNIX_MODULES:
            needed.append(str(node.module))
        elif isinstance(node, ast.Attribute) and node.attr in UNIX_NAMES.get(ast.unparse(node.value), ()):
            needed.append(ast.unparse(node))
    return needed


def test_no_module_needs_unix_when_it_is_imported() -> None:
    assert {str(file.relative_to(ROOT)): needed for file in FILES if (needed := unix_only(file.read_text()))} == {}


@pytest.mark.parametrize(
    ("source", "needed"),
    [
        ("import fcntl", ["fcntl"]),
        ("from uvloop import run", ["uvloop"]),
        ("import os\nX = os.O_DIRECTORY", ["os.O_DIRECTORY"]),
        ("class A:\n    import resource", ["resource"]),
        ("def f():\n    import fcntl", []),
        ("import sys\nif sys.platform != 'win32':\n    import fcntl", []),
    ],
)
def test_this_test_finds_them(source: str, needed: list[str]) -> None:
    assert unix_only(source) == needed


def test_uvloop_is_installed_where_it_exists_alone() -> None:
    wanted = map(Requirement, tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"])
    (uvloop,) = [requirement for requirement in wanted if requirement.name == "uvloop"]
    assert uvloop.marker is not None
    assert [uvloop.marker.evaluate({"sys_platform": system}) for system in ("linux", "win32")] == [True, False]


def test_the_start_script_uses_what_windows_has() -> None:
    script = (ROOT / "startup.ps1").read_text()
    assert '"-m", "service", "serve"' in script
    commands = "\n".join(line for line in script.splitlines() if not line.startswith("#"))
    assert not re.search(r"\b(uvloop|bash|make|source|bin/|sudo|nohup)\b", commands)
    assert commands.count("{") == commands.count("}") and commands.count("(") == commands.count(")")
