"""Both distributions as a stranger gets them: wheels in environments that hold what they declare and nothing else."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.clean_environments import clean_environment
from tests.support.gateways import KEY, Gateway, running_gateway
from tests.support.wheels import ROOT, build_wheel

pytestmark = pytest.mark.timeout(300)
FROM_WHEELS = {"PYTHONPATH": ""}
WRITE_AND_READ = """
import asyncio, json, os, sys
import fluxgate_client
from fluxgate_client import connect, connect_async

url, key = os.environ["URL"], os.environ["KEY"]
span = {"start": "2026-01-01T00:00:00Z", "stop": "2026-01-02T00:00:00Z", "every": "raw"}

async def read_again():
    async with connect_async(url, key) as gateway:
        return await gateway.read("Lab 1", **span).to_arrow()

with connect(url, key) as gateway:
    gateway.create_buckets({"name": "Lab 1"})
    gateway.write("Lab 1", "probe,place=oven runs=9007199254740993i 1767225600000000001")
    table = gateway.read("Lab 1", **span).to_arrow()
    try:
        pandas = str(gateway.read("Lab 1", **span).to_pandas()["_value"].dtype)
    except ModuleNotFoundError as missing:
        pandas = str(missing)
assert table.equals(asyncio.run(read_again()))
value = table["_value"][0].as_py()
print(json.dumps([fluxgate_client.__file__, fluxgate_client.__version__, value, pandas, "service" in sys.modules]))
"""


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The client's and the gateway's."""
    folder = tmp_path_factory.mktemp("wheels")
    return build_wheel(ROOT / "client", folder), build_wheel(ROOT, folder)


@pytest.fixture(scope="module")
def gateway_bin(wheels: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return clean_environment(tmp_path_factory.mktemp("gateway") / "env", wheels)


@pytest.fixture(scope="module")
def gateway(gateway_bin: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with running_gateway(tmp_path_factory.mktemp("data"), FROM_WHEELS, [str(gateway_bin / "fluxgate")]) as running:
        yield running


def write_and_read(bin_folder: Path, gateway: Gateway, folder: Path) -> list[object]:
    command = [str(bin_folder / "python"), "-c", WRITE_AND_READ]
    environment = {"URL": gateway.url, "KEY": KEY}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    answer: list[object] = json.loads(done.stdout)
    return answer


def test_the_wheels_have_names_that_are_free_on_the_public_index(wheels: tuple[Path, Path]) -> None:
    """`fluxgate` there is a circuit breaker: installed beside it, one would overwrite the other."""
    assert [wheel.name for wheel in wheels] == [
        "fluxgate_client-0.1.0-py3-none-any.whl",
        "fluxgate_gateway-0.1.0-py3-none-any.whl",
    ]


def test_the_light_client_writes_and_reads_without_pandas_and_without_the_service(
    wheels: tuple[Path, Path], gateway: Gateway, tmp_path: Path
) -> None:
    bin_folder = clean_environment(tmp_path / "env", wheels[:1])
    file, version, value, pandas, has_service = write_and_read(bin_folder, gateway, tmp_path)
    assert str(file).startswith(str(tmp_path / "env"))
    assert (version, value, has_service) == ("0.1.0", 9007199254740993, False)
    assert pandas == 'pandas is not installed: pip install "fluxgate-client[pandas]", or use to_arrow().'


def test_the_extra_gives_data_frames(wheels: tuple[Path, Path], gateway: Gateway, tmp_path: Path) -> None:
    bin_folder = clean_environment(tmp_path / "env", wheels[:1], ["pandas"])
    assert write_and_read(bin_folder, gateway, tmp_path)[3] == "int64"


def test_the_gateways_command_uses_the_client(gateway_bin: Path, gateway: Gateway, tmp_path: Path) -> None:
    command = [str(gateway_bin / "fluxgate"), "buckets", "list", "--json", "--url", gateway.url, "--key", KEY]
    environment = {"DATA_DIR": str(tmp_path)}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert isinstance(json.loads(done.stdout), list)
