"""The command `fluxgate` and the Python client, against a gateway of its own process."""

import datetime as dt
import json
import os
import pty
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fluxgate_client import AnswerBroken, GatewayRefused, GatewayUnreachable, connect
from tests.support.gateways import KEY, Gateway, environment, running_gateway
from tests.support.servers import free_port
from tests.support.sheets import table

LINES = "".join(
    f"probe,place=oven celsius={180 + n},runs={n}i,open={'true' if n % 2 else 'false'} {1767225600 + n * 60}\n"
    for n in range(10)
)
RANGE = ("--start", "2026-01-01T00:00:00Z", "--stop", "2026-01-01T01:00:00Z")


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with running_gateway(tmp_path_factory.mktemp("cli"), {}) as running:
        with connect(running.url, KEY) as client:
            client.create_buckets([{"name": "Lab 1", "description": "Bench"}])
            assert client.write("Lab 1", LINES, precision="s") == {
                "stored": 10,
                "bad": [],
                "bad_count": 0,
                "refused": [],
                "refused_count": 0,
            }
        yield running


def fluxgate(folder: Path, *arguments: str, given: str = "", **settings: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "service", *arguments]
    variables = environment(settings, folder)
    return subprocess.run(command, cwd=folder, env=variables, input=given, capture_output=True, text=True, timeout=60)


def test_read_prints_rows_to_standard_output(gateway: Gateway, tmp_path: Path) -> None:
    done = fluxgate(tmp_path, "read", "Lab 1", *RANGE, "--every", "1h", "--field", "celsius", "--url", gateway.url)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "_time,_value,_field,_measurement,place\n2026-01-01T01:00:00Z,184.5,celsius,probe,oven\n"


def test_read_says_on_standard_error_which_name_the_bucket_does_not_know(gateway: Gateway, tmp_path: Path) -> None:
    done = fluxgate(tmp_path, "read", "Lab 1", *RANGE, "--every", "1h", "--field", "Celsius", "--url", gateway.url)
    assert (done.returncode, done.stdout) == (0, "_time,_value,_field,_measurement\n")
    assert done.stderr == (
        "Warning: The bucket does not know all names: unknown field Celsius (near: celsius).\n"
        "Warning: The answer has no rows; the newest point of the bucket is at 2026-01-01T00:09:00Z.\n"
    )


def test_read_writes_a_file_in_the_format_of_its_name_without_a_bar_off_a_terminal(
    gateway: Gateway, tmp_path: Path
) -> None:
    done = fluxgate(
        tmp_path,
        "read",
        "Lab 1",
        *RANGE,
        "--every",
        "raw",
        "--shape",
        "wide",
        "--tag",
        "place=oven",
        "-o",
        "lab.parquet",
        FLUXGATE_URL=gateway.url,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert pq.read_table(tmp_path / "lab.parquet").num_rows == 10
    assert [path.name for path in tmp_path.iterdir()] == ["lab.parquet"]


def test_a_read_that_cannot_be_done_leaves_no_file_and_one_sentence(gateway: Gateway, tmp_path: Path) -> None:
    done = fluxgate(tmp_path, "read", "Lab", "-o", "lab.csv", "--url", gateway.url)
    assert done.returncode == 1
    assert done.stderr == "There is no bucket 'Lab'. Did you mean 'Lab 1'? (404 unknown_bucket)\n"
    assert list(tmp_path.iterdir()) == []


def test_a_bucket_whose_name_leads_to_another_route_is_refused_before_anything_is_sent(tmp_path: Path) -> None:
    """`..` read the gateway's page, and saved it as data."""
    done = fluxgate(tmp_path, "read", "..", "-o", "page.csv", "--url", f"http://127.0.0.1:{free_port()}")
    assert (done.returncode, list(tmp_path.iterdir())) == (1, [])
    assert done.stderr == "The name '..' cannot be part of an address: it would lead to another route.\n"


def test_no_gateway_is_one_sentence_too(tmp_path: Path) -> None:
    done = fluxgate(tmp_path, "buckets", "list", "--url", f"http://127.0.0.1:{free_port()}")
    assert done.returncode == 1
    assert "Is the gateway running there?" in done.stderr and "Traceback" not in done.stderr


def test_wrong_calls_exit_with_2(tmp_path: Path) -> None:
    assert [
        fluxgate(tmp_path, *call).returncode
        for call in (["read"], ["nothing"], ["keys", "create"], ["read", "b", "--nope"])
    ] == [2] * 4


def test_buckets_of_a_file_are_made_and_existing_ones_reported(gateway: Gateway, tmp_path: Path) -> None:
    (tmp_path / "buckets.json").write_text(
        json.dumps([{"name": "Lab 1"}, {"name": "Lab 2", "description": "New", "retention": "30d"}])
    )
    done = fluxgate(tmp_path, "buckets", "create", "buckets.json", "--url", gateway.url)
    assert (done.returncode, done.stdout) == (0, "created   Lab 2\nexisting  Lab 1\n")
    listed = json.loads(fluxgate(tmp_path, "buckets", "list", "--json", "--url", gateway.url).stdout)
    assert {one["name"]: one["retention"] for one in listed} == {"Lab 1": None, "Lab 2": "30d"}
    (tmp_path / "buckets.json").write_text("{")
    assert fluxgate(tmp_path, "buckets", "create", "buckets.json", "--url", gateway.url).returncode == 1
    assert (
        fluxgate(tmp_path, "buckets", "create", "missing.json", "--url", gateway.url).stderr
        == "missing.json: No such file or directory.\n"
    )


def test_lines_of_a_file_are_written(gateway: Gateway, tmp_path: Path) -> None:
    (tmp_path / "new.json").write_text('[{"name": "Lab 3"}]')
    fluxgate(tmp_path, "buckets", "create", "new.json", "--url", gateway.url)
    (tmp_path / "lines").write_text("probe celsius=1 1767225600\nprobe celsius=2 1767225601\n")
    done = fluxgate(tmp_path, "write", "Lab 3", "lines", "--precision", "s", "--url", gateway.url)
    assert (done.returncode, done.stdout, done.stderr) == (0, "2 points stored.\n", "")
    wrong = fluxgate(tmp_path, "write", "Lab 3", "missing", "--url", gateway.url)
    assert (wrong.returncode, wrong.stderr) == (1, "missing: No such file or directory.\n")


def test_lines_that_are_not_stored_are_named(gateway: Gateway, tmp_path: Path) -> None:
    text = "good celsius=1 1767225600000000000\nbad celsius=\n"
    refused = fluxgate(tmp_path, "write", "Lab 1", "-", "--url", gateway.url, given=text)
    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr.startswith("line 2: ") and "nothing was stored" in refused.stderr
    partial = fluxgate(tmp_path, "write", "Lab 1", "-", "--partial", "--url", gateway.url, given=text)
    assert (partial.returncode, partial.stdout) == (1, "1 points stored.\n")
    assert partial.stderr.startswith("line 2: ") and partial.stderr.endswith("1 lines were not stored.\n")


def test_the_gaps_of_a_bucket_are_shown_and_checked(gateway: Gateway, tmp_path: Path) -> None:
    asked = ("gaps", "Lab 1", *RANGE, "--measurement", "probe", "--expect", "1m", "--url", gateway.url)
    shown = fluxgate(tmp_path, *asked, COLUMNS="200")
    assert shown.returncode == 0, shown.stderr
    assert "probe, place=oven" in shown.stdout and "SILENT" in shown.stdout and "51m" in shown.stdout
    assert "3 of them silent" in shown.stdout
    assert fluxgate(tmp_path, *asked, "--check").returncode == 3
    none = fluxgate(
        tmp_path, *asked, "--tag", "place=oven", "--start", "2019-01-01T00:00:00Z", "--stop", "2019-01-02T00:00:00Z"
    )
    assert "No series has a point in this range or shortly before it." in none.stdout
    early = ("--start", "2026-01-01T00:00:00Z", "--stop", "2026-01-01T00:10:00Z", "--tag", "place=oven")
    well = fluxgate(tmp_path, "gaps", "Lab 1", *early, "--expect", "1m", "--check", "--json", "--url", gateway.url)
    assert well.returncode == 0, well.stderr
    assert [series["covered"] for series in json.loads(well.stdout)["series"]] == [1.0, 1.0, 1.0]


def test_the_schema_of_a_bucket_is_shown(gateway: Gateway, tmp_path: Path) -> None:
    shown = fluxgate(tmp_path, "schema", "Lab 1", "--url", gateway.url).stdout
    assert {"probe", "place", "celsius", "float", "runs", "integer"} <= set(shown.replace("│", " ").split())
    document = json.loads(fluxgate(tmp_path, "schema", "Lab 1", "--json", "--url", gateway.url).stdout)
    assert document["bucket"] == "Lab 1"


def test_read_makes_a_workbook_and_an_arrow_file(gateway: Gateway, tmp_path: Path) -> None:
    asked = ("read", "Lab 1", *RANGE, "--every", "raw", "--measurement", "probe", "--url", gateway.url)
    for name in ("lab.xlsx", "lab.arrow"):
        done = fluxgate(tmp_path, *asked, "-o", name)
        assert (done.returncode, done.stderr) == (0, "")
    assert len(table((tmp_path / "lab.xlsx").read_bytes())) == 30
    assert pa.ipc.open_file((tmp_path / "lab.arrow").read_bytes()).read_all().num_rows == 30


def test_a_terminal_is_told_rows_bytes_and_seconds(gateway: Gateway, tmp_path: Path) -> None:
    asked = (
        "read",
        "Lab 1",
        *RANGE,
        "--every",
        "raw",
        "--field",
        "celsius",
        "--measurement",
        "probe",
        "--url",
        gateway.url,
    )
    reader, terminal = pty.openpty()
    command, variables = [sys.executable, "-m", "service", *asked], environment({"COLUMNS": "200"}, tmp_path)
    done = subprocess.run(command, cwd=tmp_path, env=variables, stdout=subprocess.PIPE, stderr=terminal, timeout=60)
    os.close(terminal)
    shown = os.read(reader, 4096).decode()
    os.close(reader)
    assert (done.returncode, done.stdout.count(b"\n")) == (0, 11)
    assert f"10 rows, {len(done.stdout)} bytes, " in shown


def test_keys_are_made_listed_and_revoked(tmp_path: Path) -> None:
    made = fluxgate(
        tmp_path,
        "keys",
        "create",
        "--init",
        "--name",
        "analyst",
        "--scope",
        "read",
        "--bucket",
        "Lab 1",
        "--expires",
        "30d",
    )
    key = made.stdout.strip()
    assert key.startswith("fg_") and "not shown again" in made.stderr
    (listed,) = json.loads(fluxgate(tmp_path, "keys", "list", "--json").stdout)
    assert (listed["name"], listed["scopes"], listed["buckets"], listed["revoked_at"]) == (
        "analyst",
        ["read"],
        ["Lab 1"],
        None,
    )
    assert fluxgate(tmp_path, "keys", "revoke", listed["id"]).returncode == 0
    assert json.loads(fluxgate(tmp_path, "keys", "list", "--json").stdout)[0]["revoked_at"] is not None
    assert "keys list" in fluxgate(tmp_path, "keys", "revoke", "nothing").stderr
    assert (
        fluxgate(
            tmp_path, "keys", "create", "--name", "x", "--scope", "read", "--expires", "2020-01-01T00:00:00Z"
        ).returncode
        == 1
    )


def serving(folder: Path, *options: str, **settings: str) -> str:
    """What `serve` says when it refuses to."""
    done = fluxgate(folder, "serve", *options, **{"API_KEY": "", **settings})
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    return done.stderr


def test_serve_refuses_what_cannot_be_safe_or_cannot_work(tmp_path: Path, gateway: Gateway) -> None:
    assert "there is no key" in serving(tmp_path, "--host", "0.0.0.0")
    assert "belongs to one process" in serving(tmp_path, "--workers", "2")
    assert "INFLUXDB_TOKEN and INFLUXDB_ORG" in serving(tmp_path, INFLUXDB_URL="http://127.0.0.1:1")
    assert "at least 16" in serving(tmp_path, API_KEY="short")
    assert "MAX_READS" in serving(tmp_path, MAX_READS="0")


def test_a_second_gateway_on_the_same_store_is_told_so(gateway: Gateway, tmp_path: Path) -> None:
    said = serving(tmp_path, "--port", str(free_port()), DATA_DIR=str(gateway.log.parent), API_KEY=KEY)
    assert "store.duckdb" in said and "process" in said


def test_pandas_gets_exact_types_and_nanoseconds(gateway: Gateway) -> None:
    answer = connect(gateway.url, KEY).read(
        "Lab 1",
        start=dt.datetime(2026, 1, 1, tzinfo=dt.UTC),
        stop="2026-01-01T01:00:00Z",
        every="raw",
        shape="wide",
        tags={"place": "oven"},
    )
    frame = answer.to_pandas()
    assert [str(kind) for kind in frame.dtypes[["_time", "celsius", "runs", "open"]]] == [
        "datetime64[ns, UTC]",
        "float64",
        "int64",
        "bool",
    ]
    assert (len(frame), frame["runs"].sum(), frame["_time"].iloc[1]) == (10, 45, pd.Timestamp("2026-01-01T00:01:00Z"))


def test_the_client_says_what_was_refused(gateway: Gateway) -> None:
    client = connect(gateway.url, KEY)
    with pytest.raises(GatewayRefused) as refused:
        client.write("Lab 1", "probe celsius=\n")
    assert (refused.value.status, refused.value.code) == (422, "points_refused")
    with pytest.raises(GatewayRefused, match="valid API key"):
        connect(gateway.url, "wrong").buckets()
    with pytest.raises(GatewayUnreachable):
        connect(f"http://127.0.0.1:{free_port()}").buckets()
    with pytest.raises(ValueError, match="no time zone"):
        client.read("Lab 1", start=dt.datetime(2026, 1, 1))


class CutShort(BaseHTTPRequestHandler):
    """Promises more than it sends."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "1000")
        self.end_headers()
        self.wfile.write(b"_time,_value\n")

    def log_message(self, format: str, *args: object) -> None:
        pass


def test_a_broken_answer_gives_out_nothing(tmp_path: Path) -> None:
    server = HTTPServer(("127.0.0.1", 0), CutShort)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    answer = connect(f"http://127.0.0.1:{server.server_port}").read("b")
    (tmp_path / "kept.csv").write_text("before")
    with pytest.raises(AnswerBroken):
        answer.save(tmp_path / "kept.csv")
    with pytest.raises(AnswerBroken):
        answer.to_pandas()
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("kept.csv", "before")]
    done = fluxgate(tmp_path, "read", "b", "-o", "new.csv", "--url", f"http://127.0.0.1:{server.server_port}")
    assert (done.returncode, [path.name for path in tmp_path.iterdir()]) == (1, ["kept.csv"])
    server.shutdown()
    server.server_close()
