"""Wheels of this repository, built as a release is: from a copy of the tracked files, without the network."""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
BUILD_WITHIN_S = 100


def build_wheel(root: Path, folder: Path) -> Path:
    """The wheel of the distribution whose `pyproject.toml` is in `root`, in `folder`."""
    listing = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    listed = subprocess.run(listing, cwd=root, capture_output=True, timeout=30, check=True)
    build = Path(tempfile.mkdtemp(dir=folder))
    source, wheels = build / "source", build / "wheels"
    for name in filter(None, listed.stdout.decode().split("\0")):
        if (root / name).is_file():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(root / name, source / name)
    options = ["--quiet", "--no-deps", "--no-build-isolation", "--no-index", "-w", str(wheels)]
    command = [sys.executable, "-m", "pip", "wheel", *options, str(source)]
    built = subprocess.run(command, capture_output=True, text=True, timeout=BUILD_WITHIN_S, check=False)
    assert built.returncode == 0, built.stderr
    (wheel,) = wheels.glob("*.whl")
    return wheel
