"""The drawing library is loaded with the first picture, and by nothing else."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.gateways import IMPORTS


@pytest.mark.parametrize("module", ["service.app", "service.cli", "service.commands.plot", "service.pictures.picture"])
def test_nothing_loads_the_library_before_a_picture_is_drawn(module: str) -> None:
    script = f"import sys, {module}; print([name for name in ('matplotlib', 'PIL', 'plotille') if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "[]\n"


def test_what_a_user_has_configured_changes_no_picture(tmp_path: Path) -> None:
    """A matplotlibrc in the folder where the gateway starts."""
    script = (
        "import os, sys\nfrom pathlib import Path\nos.chdir(sys.argv[1])\n"
        "Path('matplotlibrc').write_text('svg.fonttype: path\\nlines.linewidth: 20\\ntext.usetex: True\\n')\n"
        "from tests.unit.pictures.charts import chart, series\nfrom service.pictures.picture import Picture\n"
        "sys.stdout.buffer.write(Picture.of(chart(series('a', [1, 5, 2]))).drawn())"
    )
    command = [sys.executable, "-c", script, str(tmp_path)]
    done = subprocess.run(command, env={"PYTHONPATH": IMPORTS}, capture_output=True, timeout=60, check=True)
    assert b"stroke-width: 1.4" in done.stdout and b">Power</text>" in done.stdout
