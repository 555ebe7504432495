"""The examples of docs/importing.md, run in their order as they stand, against a gateway with the demo data."""

import re
import subprocess
from pathlib import Path

from tests.support.demo import running_demo
from tests.support.gateways import ROOT

PAGE = (ROOT / "docs" / "importing.md").read_text()
EXAMPLES = re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)


def test_the_examples_work_as_printed(tmp_path: Path) -> None:
    assert len(EXAMPLES) == 5
    with running_demo(tmp_path) as environment:
        variables = {**environment, "XDG_CACHE_HOME": str(tmp_path / "cache")}
        said = []
        for example in EXAMPLES:
            text = re.sub("^fluxgate ", ".venv/bin/python -m service ", example, flags=re.MULTILINE)
            done = subprocess.run(["sh", "-ec", text], cwd=tmp_path, env=variables, capture_output=True, timeout=120)
            assert done.returncode == 0, (example, done.stderr.decode())
            said.append(done.stdout.decode())
    assert re.fullmatch(r"[\d,]{3,} points stored\.\n", said[1])
    assert said[3] == "1 points stored.\n"
    assert "Nothing was written." in said[4]
