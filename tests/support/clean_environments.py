"""A virtual environment that holds what a wheel declares, and nothing else, made without the network.

The declared packages, and what they need in turn, are linked from the environment of the tests: the versions of the
lock. A dependency that is used and not declared is missing there.
"""

import subprocess
import sys
import venv
import zipfile
from collections.abc import Iterator, Sequence
from email.parser import BytesParser
from importlib.metadata import Distribution, distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

INSTALL_WITHIN_S = 60


def clean_environment(folder: Path, wheels: Sequence[Path], extras: Sequence[str] = ()) -> Path:
    """An environment in `folder` with `wheels` installed; its `bin`. `extras` are those of the last wheel."""
    venv.create(folder, symlinks=True)
    site = next(folder.glob("lib/python*/site-packages"))
    built = {canonicalize_name(wheel.name.split("-")[0]): _required(wheel) for wheel in wheels}
    last = list(built)[-1]
    linked: set[str] = set()
    for needed in _closure(Requirement(f"{last}[{','.join(extras)}]"), built, set()):
        for name in _top_level(needed):
            assert name not in linked, f"two packages have files in {name}"
            (site / name).symlink_to(Path(str(needed.locate_file(name))))
            linked.add(name)
    pip = [sys.executable, "-m", "pip", "--python", str(folder / "bin" / "python")]
    command = [*pip, "install", "--quiet", "--no-index", *map(str, wheels)]
    installed = subprocess.run(command, capture_output=True, text=True, timeout=INSTALL_WITHIN_S, check=False)
    assert installed.returncode == 0, installed.stderr
    return folder / "bin"


def _required(wheel: Path) -> list[str]:
    with zipfile.ZipFile(wheel) as archive:
        name = next(name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        return BytesParser().parsebytes(archive.read(name)).get_all("Requires-Dist") or []


def _closure(asked: Requirement, built: dict[str, list[str]], seen: set[tuple[str, str]]) -> Iterator[Distribution]:
    """Every installed package that `asked` needs, directly or not, once."""
    name = canonicalize_name(asked.name)
    source = None if name in built else distribution(name)
    if source is not None and not any(known == name for known, _ in seen):
        yield source
    required = built[name] if source is None else source.requires or []
    for extra in ("", *sorted(asked.extras)):
        if (name, extra) in seen:
            continue
        seen.add((name, extra))
        for requirement in map(Requirement, required):
            if requirement.marker is None or requirement.marker.evaluate({"extra": extra}):
                yield from _closure(requirement, built, seen)


def _top_level(needed: Distribution) -> set[str]:
    files = needed.files or []
    return {file.parts[0] for file in files if file.parts[0] not in ("..", "__pycache__")}
