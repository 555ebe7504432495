"""A client generated from the committed document: it compiles, and it talks to a running gateway."""

import ast
import json
import os
import subprocess
from pathlib import Path

import pytest

from tests.support.gateways import KEY, ROOT, running_gateway

pytestmark = pytest.mark.timeout(360)
DOCUMENT = ROOT / "openapi" / "openapi.json"
USE = """
import os
from gateway_api import AuthenticatedClient
from gateway_api.api.buckets import create_buckets, list_buckets, read_bucket_schema
from gateway_api.api.health import check_ready
from gateway_api.models import BucketList, Health, NewBucket, Problem

client = AuthenticatedClient(os.environ["URL"], os.environ["KEY"], prefix="", auth_header_name="X-API-Key")
assert create_buckets.sync(client=client, body=NewBucket(name="Lab 1")).created == ["Lab 1"]
listed = list_buckets.sync(client=client)
assert isinstance(listed, BucketList) and [bucket.name for bucket in listed.buckets] == ["Lab 1"]
missing = read_bucket_schema.sync("Lab 2", client=client)
assert isinstance(missing, Problem) and (missing.code, missing.near) == ("unknown_bucket", ["Lab 1"]), missing
stranger = AuthenticatedClient(os.environ["URL"], "wrong", prefix="", auth_header_name="X-API-Key")
refused = list_buckets.sync(client=stranger)
assert isinstance(refused, Problem) and (refused.code, refused.status) == ("unauthorized", 401)
ready = check_ready.sync(client=client)
assert isinstance(ready, Health) and ready.dependencies["store"].state == "up"
"""
CONFIG = """
post_hooks: []
content_type_overrides:
  # a whole backup, and dead letters line by line: the generator knows bytes by this name alone
  application/x-tar: application/octet-stream
  application/x-ndjson: application/octet-stream
"""
IMPORT_ALL = """
import importlib, pkgutil, warnings
warnings.simplefilter("error", SyntaxWarning)
import gateway_api
for module in pkgutil.walk_packages(gateway_api.__path__, "gateway_api."):
    importlib.import_module(module.name)
    print(module.name)
"""


@pytest.fixture(scope="module")
def package(generator_python: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that holds the generated package `gateway_api`."""
    folder = tmp_path_factory.mktemp("generated")
    (folder / "config.yaml").write_text(CONFIG)
    where = ["--path", str(DOCUMENT), "--output-path", str(folder / "gateway_api")]
    options = ["--meta", "none", "--config", str(folder / "config.yaml")]
    command = [generator_python, "-m", "openapi_python_client", "generate", *where, *options]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    left_out = [line for line in (done.stdout + done.stderr).splitlines() if line.startswith(("WARNING", "ERROR"))]
    assert left_out == ["WARNING parsing POST /buckets/{name}/points within buckets."]  # it knows no text/plain bodies
    return folder


def run(generator_python: str, script: str, folder: Path, **settings: str) -> str:
    environment = {**settings, "PATH": os.environ["PATH"]}
    command = [generator_python, "-c", script]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_generated_client_compiles_with_a_module_for_each_operation(generator_python: str, package: Path) -> None:
    modules = run(generator_python, IMPORT_ALL, package).split()
    document = json.loads(DOCUMENT.read_text())
    ids = {operation["operationId"] for path in document["paths"].values() for operation in path.values()}
    assert ids <= {module.rpartition(".")[2] for module in modules if ".api." in module}
    assert all(ast.parse(path.read_text()) for path in package.rglob("*.py"))


def test_a_generated_client_gets_typed_answers(generator_python: str, package: Path, tmp_path: Path) -> None:
    with running_gateway(tmp_path / "data", {}) as gateway:
        run(generator_python, USE, package, URL=gateway.url, KEY=KEY)
