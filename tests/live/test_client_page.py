"""The examples of docs/client.md and docs/writers.md, each run as it stands against a gateway with the demo data."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fluxgate_client import connect, errors
from tests.support.demo import running_demo

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "client.md").read_text()
EXAMPLES = re.findall(r"```python\n(.*?)```", PAGE + (DOCS / "writers.md").read_text(), re.DOTALL)


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, dict[str, str]]]:
    folder = tmp_path_factory.mktemp("client")
    with running_demo(folder) as environment:
        yield folder, environment


@pytest.mark.parametrize("text", EXAMPLES)
def test_an_example_works_as_printed(demo: tuple[Path, dict[str, str]], text: str) -> None:
    folder, environment = demo
    command = [sys.executable, "-W", "error::FutureWarning", "-"]
    done = subprocess.run(command, input=text, cwd=folder, env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    if "print(" in text:
        assert done.stdout.strip()
    else:
        assert pq.read_table(folder / "power.parquet").num_rows > 100


def test_a_table_that_is_read_can_be_written_and_read_back_the_same(demo: tuple[Path, dict[str, str]]) -> None:
    _, environment = demo
    span = {"start": "2026-01-01T00:00:00Z", "stop": "2026-01-02T00:00:00Z"}
    with connect(environment["FLUXGATE_URL"], environment["FLUXGATE_API_KEY"]) as gateway:
        gateway.create_buckets([{"name": "From"}, {"name": "To"}])
        values = 'f=0.1,i=9007199254740993i,u=18446744073709551615u,b=true,s="\\"x\\""'
        gateway.write("From", f"m,k=a {values} 1767225600000000001")
        gateway.write("From", "m,k=b f=-0 1767225600000000002")
        rows = gateway.read("From", every="raw", shape="wide", **span).to_arrow()
        fields = rows.drop_columns([name for name in rows.column_names if name == "_measurement"])
        assert gateway.write_table("To", fields, measurement="m", tags="k")["stored"] == 2
        again = gateway.read("To", every="raw", shape="wide", **span).to_arrow()
    assert isinstance(again, pa.Table)
    assert again.equals(rows)


def test_the_page_names_every_class_of_error() -> None:
    classes = {name for name, kind in vars(errors).items() if isinstance(kind, type) and issubclass(kind, Exception)}
    assert classes - {"GatewayError", "GatewayRefused"} == set(re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE))
