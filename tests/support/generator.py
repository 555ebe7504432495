"""A generator of API clients, as somebody else would use it, in an environment of its own under its lock."""

import hashlib
import shutil
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

from tests.support.servers import ServerMissing, cache_folder

LOCK = Path(__file__).parents[2] / "requirements" / "generator.txt"
INSTALL_WITHIN_S = 240


def generator_python() -> Path:
    """Python of an environment that has openapi-python-client; installed once for each lock, and kept in the cache.

    Raises:
        ServerMissing: it is not in the cache and could not be installed; the message ends with pip's last line.
    """
    kept = cache_folder() / f"generator-{hashlib.sha256(LOCK.read_bytes()).hexdigest()[:12]}"
    if not kept.exists():
        kept.parent.mkdir(parents=True, exist_ok=True)
        part = Path(tempfile.mkdtemp(dir=kept.parent, prefix="generator-part-"))
        try:
            _install(part)
            part.rename(kept)
        finally:
            shutil.rmtree(part, ignore_errors=True)
    return kept / "bin" / "python"


def _install(folder: Path) -> None:
    venv.create(folder, symlinks=True)
    pip = [sys.executable, "-m", "pip", "--python", str(folder / "bin" / "python"), "--disable-pip-version-check"]
    command = [*pip, "install", "--quiet", "--retries", "2", "--require-hashes", "-r", str(LOCK)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=INSTALL_WITHIN_S, check=False)
    except subprocess.TimeoutExpired:
        raise ServerMissing(f"openapi-python-client was not installed within {INSTALL_WITHIN_S} s") from None
    if done.returncode:
        said = (done.stderr.strip().splitlines() or ["nothing"])[-1]
        raise ServerMissing(f"openapi-python-client could not be installed from the package index: {said}")
