"""The README's examples, run as they stand.

Each shell block and the Python one run against a gateway with the demo data.
"""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.demo import running_demo

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
SECTION = README[README.index("## Ten things to do") : README.index("## In front of your InfluxDB")]
BLOCKS = re.findall(r"```(sh|python)\n(.*?)```", SECTION, re.DOTALL)


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, dict[str, str]]]:
    """A folder as `make run` leaves it, with the gateway of the demo running; and the environment of the shell."""
    folder = tmp_path_factory.mktemp("readme")
    with running_demo(folder) as environment:
        yield folder, environment


def test_there_are_ten_examples() -> None:
    assert len([block for kind, block in BLOCKS if not block.startswith("export")]) >= 10


@pytest.mark.parametrize(("kind", "text"), [block for block in BLOCKS if not block[1].startswith("export")])
def test_an_example_works_as_printed(demo: tuple[Path, dict[str, str]], kind: str, text: str) -> None:
    folder, environment = demo
    command = ["sh", "-eu"] if kind == "sh" else [str(folder / ".venv" / "bin" / "python"), "-"]
    done = subprocess.run(command, input=text, cwd=folder, env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    written = re.search(r"-o (\S+)", text)
    answer = (folder / written[1]).read_bytes() if written else done.stdout.encode()
    assert len(answer) > 60, answer
