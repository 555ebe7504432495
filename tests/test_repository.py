"""The files at the top agree with the project: what they name exists, and what they promise is kept.

There is no Docker where these tests run, so the Dockerfile is read and held against the tree.
"""

import ast
import re
import shlex
import subprocess
import sys
import tomllib
import zipfile
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import fluxgate_client
import service
from tests.support.wheels import build_wheel

ROOT = Path(__file__).parents[1]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())
CLIENT: dict[str, Any] = tomllib.loads((ROOT / "client" / "pyproject.toml").read_text())
LOCKS = ("runtime", "dev", "generator")
MACHINE = re.compile(
    r"/(?:work(?![a-z])|root|home/[a-z]|Users/|tmp/[a-z])[\w/]*"  # paths of somebody's machine
    r"|--(?:extra-)?index-url|--find-links|--trusted-host|https?://[^\s\"']*/simple\b"  # addresses of an index
    r"|(?:py[p]i|npmj[s]|crate[s]|deb[i]an|mave[n])\.(?:org|com|io)\b"  # hosts of registries
    r"|BEGIN [A-Z ]*PRIVATE KEY"
)


def tracked() -> list[Path]:
    """Every file that is, or would be, committed."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        timeout=30,
        check=True,
    )
    return [path for name in listed.stdout.decode().split("\0") if name and (path := ROOT / name).is_file()]


def pins(lock: str) -> dict[str, str]:
    """Names and exact versions of a lock."""
    text = (ROOT / "requirements" / f"{lock}.txt").read_text()
    return {
        canonicalize_name(name): version for name, version in re.findall(r"^([\w.-]+)==(\S+) \\$", text, re.MULTILINE)
    }


def dockerfile() -> list[tuple[str, str]]:
    """Instructions and their arguments, with continued lines joined."""
    text = re.sub(r"\\\n", " ", (ROOT / "Dockerfile").read_text())
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return [(name, rest) for name, _, rest in (line.partition(" ") for line in lines)]


def instructions(name: str) -> list[str]:
    return [rest for found, rest in dockerfile() if found == name]


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_holds_hashes_and_no_address(lock: str) -> None:
    text = (ROOT / "requirements" / f"{lock}.txt").read_text()
    assert not re.search(
        r"https?:|^\s*-", re.sub(r"^\s+--hash=sha256:[0-9a-f]{64}( \\)?$", "", text, flags=re.MULTILINE), re.MULTILINE
    )
    entries = re.split(r"\n(?=\S)", text.strip())
    assert len(entries) == len(pins(lock))
    assert all("--hash=sha256:" in entry for entry in entries)


@pytest.mark.parametrize("lock", ["runtime", "dev"])
def test_a_lock_satisfies_what_the_project_asks_for(lock: str) -> None:
    extras = [name for names in PROJECT["project"]["optional-dependencies"].values() for name in names]
    asked = [*PROJECT["project"]["dependencies"], *extras, *PROJECT["build-system"]["requires"]]
    asked += [
        *CLIENT["project"]["dependencies"],
        *CLIENT["project"]["optional-dependencies"]["pandas"],
        *CLIENT["build-system"]["requires"],
    ]
    if lock == "dev":
        asked += PROJECT["dependency-groups"]["dev"]
    pinned = pins(lock)
    for requirement in map(Requirement, asked):
        if requirement.name == CLIENT["project"]["name"]:
            continue  # built from this repository
        version = pinned.get(canonicalize_name(requirement.name))
        assert version is not None, f"requirements/{lock}.txt lacks {requirement}: run `make lock`"
        assert requirement.specifier.contains(version, prereleases=True), (
            f"{requirement}, but {lock} has {version}: run `make lock`"
        )


def test_the_dev_lock_contains_the_runtime_lock() -> None:
    assert pins("runtime").items() <= pins("dev").items()


def test_what_the_service_imports_is_declared() -> None:
    """A package that only the lock brings along would vanish without a word."""
    client = [*CLIENT["project"]["dependencies"], *CLIENT["project"]["optional-dependencies"]["pandas"]]
    assert undeclared(ROOT / "service", PROJECT["project"]["dependencies"]) <= {"psycopg", "obstore", "pyrage"}
    assert undeclared(ROOT / "client" / "fluxgate_client", client) == set()


def undeclared(package: Path, dependencies: list[str]) -> set[str]:
    """Foreign modules that `package` imports and none of `dependencies` brings."""
    declared = {canonicalize_name(Requirement(dependency).name) for dependency in dependencies}
    modules = {
        "PIL": "pillow",
        "yaml": "pyyaml",
        "dotenv": "python-dotenv",
        "influxdb_client": "influxdb-client",
        "prometheus_client": "prometheus-client",
        "starlette": "fastapi",
    }
    imported: set[str] = set()
    for path in package.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [one.name for one in node.names] if isinstance(node, ast.Import) else []
            names += [node.module] if isinstance(node, ast.ImportFrom) and node.module and not node.level else []
            imported |= {name.partition(".")[0] for name in names}
    foreign = {name for name in imported if name not in sys.stdlib_module_names and name != package.name}
    return {name for name in foreign if canonicalize_name(modules.get(name, name)) not in declared}


def test_no_file_names_a_machine_an_index_or_a_secret() -> None:
    found = []
    for path in tracked():
        if path == Path(__file__) or path.name == "go.sum":
            continue
        try:
            text = path.read_text()
        except UnicodeDecodeError:
            continue
        found += [f"{path.relative_to(ROOT)}: {hit[0]}" for hit in MACHINE.finditer(text)]
    assert found == []


def test_no_code_has_a_stub_or_a_mock() -> None:
    words = re.compile(r"\b(TODO|FIXME|XXX|NotImplementedError)\b|unittest\.mock|mock\.patch")
    found = []
    for path in tracked():
        if path.suffix == ".py" and path != Path(__file__):
            found += [f"{path.relative_to(ROOT)}: {hit[0]}" for hit in words.finditer(path.read_text())]
    assert found == []


def test_no_code_file_is_longer_than_500_lines() -> None:
    code = [path for path in tracked() if path.suffix == ".py"]
    assert [str(path.relative_to(ROOT)) for path in code if len(path.read_text().splitlines()) > 500] == []


def test_every_code_file_opens_with_why_it_exists() -> None:
    code = [path for path in tracked() if path.suffix == ".py"]
    assert [str(path.relative_to(ROOT)) for path in code if not path.read_text().startswith(('"""', "'''", "#!"))] == []


@pytest.mark.parametrize(
    "name", ["README.md", "CHANGELOG.md", "CONTRIBUTING.md", "LICENSE", ".env.example", "openapi/openapi.json", "docs"]
)
def test_the_files_at_the_top_are_there(name: str) -> None:
    assert (ROOT / name).exists()


def test_the_licence_is_the_one_that_the_project_names() -> None:
    assert PROJECT["project"]["license"] == "MIT"
    text = (ROOT / "LICENSE").read_text()
    assert text.startswith("MIT License\n")
    assert re.search(r"^Copyright \(c\) \d{4} Fluxgate contributors$", text, re.MULTILINE)


def test_links_between_the_documents_lead_somewhere() -> None:
    broken = []
    for path in [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]:
        for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", path.read_text()):
            if not re.match(r"\w+:", target) and not (path.parent / target).exists():
                broken.append(f"{path.relative_to(ROOT)} -> {target}")
    assert broken == []


@pytest.mark.parametrize(
    "target", ["run", "test", "servers", "check", "openapi", "lock", "bench", "mutants", "screenshots", "clean"]
)
def test_make_knows_its_targets(target: str) -> None:
    shown = subprocess.run(
        ["make", "--dry-run", "--always-make", target],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert shown.returncode == 0, shown.stderr


@pytest.mark.parametrize("script", [".ci/run", "tests/servers/build"])
def test_scripts_are_executable_and_valid(script: str) -> None:
    path = ROOT / script
    assert path.stat().st_mode & 0o111
    assert "set -euo pipefail" in path.read_text()
    assert subprocess.run(["bash", "-n", path], capture_output=True, timeout=30, check=False).returncode == 0


def test_the_command_of_the_project_exists() -> None:
    module, _, name = PROJECT["project"]["scripts"]["fluxgate"].partition(":")
    assert callable(getattr(import_module(module), name))


@pytest.mark.parametrize(("root", "package"), [(ROOT, "service"), (ROOT / "client", "fluxgate_client")])
def test_a_wheel_holds_every_file_of_its_package_and_no_other(root: Path, package: str, tmp_path: Path) -> None:
    """An editable install would hide a page or a migration that the wheel forgets."""
    contents = set(zipfile.ZipFile(build_wheel(root, tmp_path)).namelist())
    kept = {str(path.relative_to(root)) for path in tracked() if path.is_relative_to(root / package)}
    assert kept == {name for name in contents if ".dist-info/" not in name}
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in contents)


def test_the_client_has_the_licence_and_the_version_of_the_gateway() -> None:
    assert (ROOT / "client" / "LICENSE").read_text() == (ROOT / "LICENSE").read_text()
    assert fluxgate_client.__version__ == service.__version__ == PROJECT["project"]["version"]
    assert f"{CLIENT['project']['name']}[pandas]=={fluxgate_client.__version__}" in PROJECT["project"]["dependencies"]


def test_the_image_is_built_in_two_stages_from_the_lock() -> None:
    assert len(instructions("FROM")) == 2
    assert all(re.match(r"python:3\.11-slim\b", stage) for stage in instructions("FROM"))
    assert any("--require-hashes -r requirements/runtime.txt" in one for one in instructions("RUN"))
    assert any("--no-deps --no-build-isolation ./client ." in one for one in instructions("RUN"))


def test_what_the_image_copies_exists_and_is_not_ignored() -> None:
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    assert ignored[0] == "*"
    allowed = {line[1:] for line in ignored if line.startswith("!")}
    copied = set()
    for arguments in instructions("COPY"):
        sources = shlex.split(arguments)[:-1]
        if sources[0] == "--from=build":
            assert sources[1:] == ["/opt/fluxgate"]
            continue
        copied |= set(sources)
    assert copied == allowed
    assert all((ROOT / one).exists() for one in copied)
    assert {"service", "client"} <= copied
    assert {PROJECT["project"]["readme"], *PROJECT["project"]["license-files"]} <= copied


def test_the_image_runs_the_service_as_nobody_in_particular() -> None:
    uid = instructions("USER")[-1].partition(":")[0]
    assert uid.isdigit()
    assert int(uid) >= 10_000
    assert instructions("CMD")[-1] == '["fluxgate", "serve", "--host", "0.0.0.0", "--port", "8000"]'
    assert "fluxgate" in PROJECT["project"]["scripts"]
    assert instructions("EXPOSE") == ["8000"]


def test_the_image_writes_to_its_volume_alone() -> None:
    assert instructions("VOLUME") == ["/data"]
    assert instructions("WORKDIR")[-1] == "/data"
    assert any(re.search(r"\bDATA_DIR=/data\b", one) for one in instructions("ENV"))
    assert any("/data" in one and "--owner fluxgate" in one for one in instructions("RUN"))


def test_the_image_checks_its_health_with_what_it_has() -> None:
    check = instructions("HEALTHCHECK")[0]
    assert "http://127.0.0.1:8000/health/live" in check
    assert "curl" not in check
    code = re.search(r'"-c", "([^"]+)"', check)
    assert code is not None
    compile(code[1], "healthcheck", "exec")
    assert "httpx" in pins("runtime")


def test_the_server_versions_are_pinned() -> None:
    pinned = (ROOT / "tests/servers/go.mod").read_text()
    assert re.search(r"github.com/influxdata/influxdb/v2 v2\.9\.1\b", pinned)
