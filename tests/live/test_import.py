"""`fluxgate import` and `fluxgate export` against gateways of their own processes, with InfluxDB's own programs."""

import gzip
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from fluxgate_client import connect
from tests.support.demanded import or_skip
from tests.support.gateways import KEY, Gateway, environment, running_gateway
from tests.support.servers import InfluxServer, influx_program, influxd_program
from tests.support.waiting import until

pytestmark = pytest.mark.live
T0_NS = 1_700_000_000_000_000_000
ODD = (
    'cpu,host=a b=true,n=3i,s="two\nlines \\"q\\" , x",u=18446744073709551615u,usage=1.5 1700000000000000001\n'
    "cpu,host=b\\ c usage=-0 1700000000000000002\n"
    "mem\\,x free=7 1700000000000000005\n"
    'mem\\,x,j=z,k=ü\\=1 free=5e-324,text="" 1700000000000000003\n'
    'mem\\,x,j=z,k=ü\\=1 free=1e+300,text="a\\\\b" 1700000000000000004\n'
)
WITHOUT_EMPTY_TEXT = ODD.replace(',text=""', "")


@pytest.fixture(scope="module")
def gateway(influx: InfluxServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    settings = {"INFLUXDB_URL": influx.url, "INFLUXDB_TOKEN": influx.token, "INFLUXDB_ORG": influx.org}
    with running_gateway(tmp_path_factory.mktemp("gateway"), settings) as running:
        yield running


@pytest.fixture(scope="module")
def embedded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with running_gateway(tmp_path_factory.mktemp("embedded"), {}) as running:
        yield running


def command(url: str, *arguments: str) -> list[str]:
    return [sys.executable, "-m", "service", *arguments, "--url", url]


def fluxgate(folder: Path, url: str, *arguments: str, given: bytes = b"") -> subprocess.CompletedProcess[str]:
    variables = environment({"XDG_CACHE_HOME": str(folder / "cache")}, folder)
    done = subprocess.run(
        command(url, *arguments), cwd=folder, env=variables, input=given, capture_output=True, timeout=120
    )
    return subprocess.CompletedProcess(done.args, done.returncode, done.stdout.decode(), done.stderr.decode())


def imported(folder: Path, url: str, *arguments: str, given: bytes = b"") -> str:
    """Standard output of an import that went well."""
    done = fluxgate(folder, url, "import", *arguments, "--create", given=given)
    assert done.returncode == 0, done.stderr
    return done.stdout


def exported(folder: Path, url: str, bucket: str) -> list[str]:
    """The points of a bucket as sorted lines."""
    done = fluxgate(folder, url, "export", "--bucket", bucket, "-o", "back.lp")
    assert done.returncode == 0, done.stderr
    return sorted((folder / "back.lp").read_text().splitlines(keepends=True))


def sorted_lines(text: str) -> list[str]:
    return sorted(text.splitlines(keepends=True))


def influx_cli(influx: InfluxServer, command_words: str, *arguments: str) -> bytes:
    """What InfluxDB's own command line says."""
    program = str(or_skip(influx_program))
    flags = ["--host", influx.url, "--token", influx.token, "--org", influx.org]
    done = subprocess.run(
        [program, *command_words.split(), *flags, *arguments], capture_output=True, timeout=60, check=True
    )
    return done.stdout


@pytest.mark.parametrize("name", ["x.lp", "x.lp.gz", "x.annotated.csv", "x.annotated.csv.zst", "x.parquet"])
def test_what_is_exported_is_imported_as_it_was(gateway: Gateway, tmp_path: Path, name: str) -> None:
    (tmp_path / "odd.lp").write_text(ODD)
    imported(tmp_path, gateway.url, "odd.lp", "--bucket", f"from {name}")
    done = fluxgate(tmp_path, gateway.url, "export", "--bucket", f"from {name}", "-o", name)
    assert (done.returncode, done.stderr) == (0, "")
    imported(tmp_path, gateway.url, name, "--bucket", f"to {name}")
    assert exported(tmp_path, gateway.url, f"to {name}") == sorted_lines(ODD)


def test_what_influxdb_exports_is_imported(influx: InfluxServer, gateway: Gateway, tmp_path: Path) -> None:
    influx.write("source", ODD)
    span = "range(start: 2023-11-14T00:00:00Z, stop: 2023-11-16T00:00:00Z)"
    raw = influx_cli(influx, "query", "--raw", f'from(bucket: "source") |> {span}')
    imported(tmp_path, gateway.url, "-", "--bucket", "from query", given=raw)
    assert exported(tmp_path, gateway.url, "from query") == sorted_lines(ODD)
    pivot = '|> pivot(rowKey: ["_time"], columnKey: ["_field"], valueColumn: "_value")'
    of = 'filter(fn: (r) => r._measurement == "cpu"'
    results = f'from(bucket: "source") |> {span} |> {of} and r.host == "a") {pivot} |> yield(name: "one")\n'
    results += f'from(bucket: "source") |> {span} |> {of} and r.host != "a") |> yield(name: "two")'
    raw = influx_cli(influx, "query", "--raw", results)
    imported(tmp_path, gateway.url, "-", "--bucket", "from results", given=gzip.compress(raw))
    assert exported(tmp_path, gateway.url, "from results") == sorted_lines("".join(ODD.splitlines(True)[:3]))


def test_what_the_inspector_of_influxdb_exports_is_imported(
    influx: InfluxServer, gateway: Gateway, tmp_path: Path
) -> None:
    influx.write("inspected", ODD)
    [bucket] = json.loads(influx_cli(influx, "bucket list", "--name", "inspected", "--json"))
    flags = ["--bucket-id", bucket["id"], "--engine-path", f"{influx.folder}/engine", "--output-path", "exported.lp"]
    program = [str(or_skip(influxd_program)), "inspect", "export-lp", *flags]
    subprocess.run(program, cwd=tmp_path, check=True, capture_output=True, timeout=60)
    imported(tmp_path, gateway.url, "exported.lp", "--bucket", "from inspector")
    assert exported(tmp_path, gateway.url, "from inspector") == sorted_lines(ODD)


@pytest.mark.parametrize(("name", "form"), [("x.lp", "lp"), ("x.annotated.csv", "csv")])
def test_influxdb_reads_our_exports_again(
    influx: InfluxServer, gateway: Gateway, tmp_path: Path, name: str, form: str
) -> None:
    (tmp_path / "odd.lp").write_text(WITHOUT_EMPTY_TEXT)
    imported(tmp_path, gateway.url, "odd.lp", "--bucket", f"ours {form}")
    assert fluxgate(tmp_path, gateway.url, "export", "--bucket", f"ours {form}", "-o", name).returncode == 0
    theirs = influx.new_bucket(f"theirs {form}")
    influx_cli(influx, "write", "--bucket", theirs, "--file", str(tmp_path / name), "--format", form)
    assert exported(tmp_path, gateway.url, theirs) == sorted_lines(WITHOUT_EMPTY_TEXT)


def many_lines(count: int) -> str:
    return "".join(f'm,host=h{number % 9} f={number},s="{"x" * 150}" {T0_NS + number}\n' for number in range(count))


def started(folder: Path, url: str, *arguments: str) -> subprocess.Popen[bytes]:
    variables = environment({"XDG_CACHE_HOME": str(folder / "cache")}, folder)
    pipe = subprocess.PIPE
    return subprocess.Popen(command(url, *arguments), cwd=folder, env=variables, stdout=pipe, stderr=pipe)


def states(folder: Path) -> list[Path]:
    return list((folder / "cache" / "fluxgate" / "imports").glob("*.json"))


def test_a_killed_import_goes_on_where_it_was(embedded: Gateway, tmp_path: Path) -> None:
    count = 150_000
    (tmp_path / "many.lp").write_text(many_lines(count))
    arguments = ("import", "many.lp", "--bucket", "killed", "--create")
    process = started(tmp_path, embedded.url, *arguments)
    until(lambda: states(tmp_path) != [])
    process.kill()
    process.communicate(timeout=30)
    [state] = states(tmp_path)
    acknowledged = json.loads(state.read_text())["stored"]
    assert 0 < acknowledged < count
    done = fluxgate(tmp_path, embedded.url, *arguments)
    assert (done.returncode, done.stdout) == (0, f"{count:,} points stored.\n")
    assert f"{acknowledged:,} points are stored already" in done.stderr
    assert states(tmp_path) == []
    with connect(embedded.url, KEY) as client:
        counted = client.read(
            "killed", start="2023-11-14T00:00:00Z", stop="2023-11-16T00:00:00Z", every="2d", fn="count", field="f"
        )
        assert sum(counted.to_arrow().column("_value").to_pylist()) == count


def test_an_import_goes_on_when_the_gateway_is_restarted(tmp_path: Path) -> None:
    (tmp_path / "many.lp").write_text(many_lines(100_000))
    data = tmp_path / "data"
    with running_gateway(data, {}) as first:
        port = first.url.rpartition(":")[2]
        process = started(tmp_path, first.url, "import", "many.lp", "--bucket", "restarted", "--create")
        until(lambda: states(tmp_path) != [])
        first.process.kill()
        first.process.wait(20)
    again = [sys.executable, "-m", "service", "serve", "--host", "127.0.0.1", "--port", port]
    with (data / "second.log").open("wb") as log:
        second = subprocess.Popen(again, env=environment({}, data), cwd=data, stdout=log, stderr=log)
        try:
            out, problems = process.communicate(timeout=90)
            assert (process.returncode, out) == (0, b"100,000 points stored.\n"), problems
            assert b"Waiting for the gateway" in problems
        finally:
            second.terminate()
            second.wait(20)


def test_rejected_lines_are_named_in_their_file_which_can_be_mended(embedded: Gateway, tmp_path: Path) -> None:
    (tmp_path / "some.lp").write_bytes(b"m f=1 1\nbad line\n# fine\nm f=2 2\nm s=\xff 3\n")
    done = fluxgate(tmp_path, embedded.url, "import", "some.lp", "--bucket", "rejects", "--create")
    assert (done.returncode, done.stdout) == (3, "2 points stored.\n")
    assert "line 2: the field 'line' at column 5 has no value (name=value)\n" in done.stderr
    assert "line 5: byte 0xff at column 5 is not UTF-8\n" in done.stderr
    assert "2 lines or values were not stored: some.lp.rejects names each.\n" in done.stderr
    file = tmp_path / "some.lp.rejects"
    file.write_text(file.read_bytes().decode(errors="replace").replace("bad line", "m f=3 3").split("# line 5")[0])
    assert imported(tmp_path, embedded.url, file.name, "--bucket", "rejects") == "1 points stored.\n"
    assert exported(tmp_path, embedded.url, "rejects") == ["m f=1 1\n", "m f=2 2\n", "m f=3 3\n"]


def test_a_dry_run_says_what_would_be_written_and_writes_nothing(embedded: Gateway, tmp_path: Path) -> None:
    (tmp_path / "power.csv").write_text("when;site;volts\n31.12.2025 23:30;A;230,5\n01.01.2026 00:30;B;7\n")
    columns = ("--time", "when", "--time-format", "%d.%m.%Y %H:%M", "--tz", "Europe/Berlin", "--tag", "site")
    how = (*columns, "--measurement", "power", "--sep", ";", "--decimal", ",")
    dry = fluxgate(tmp_path, embedded.url, "import", "power.csv", "--bucket", "dry", *how, "--dry-run")
    assert (dry.returncode, dry.stdout) == (
        0,
        "power.csv (csv): 2 points for dry. Nothing was written.\n"
        "from 2025-12-31T22:30:00Z to 2025-12-31T23:30:00Z\n"
        "power: 2 values, tags: site\n  volts: float\n",
    )
    assert imported(tmp_path, embedded.url, "power.csv", "--bucket", "dry", *how) == "2 points stored.\n"
    (tmp_path / "later.csv").write_text("when,site,volts\n2026-02-01,A,231\n")
    later = ("--time", "when", "--tz", "Europe/Berlin", "--tag", "site", "--measurement", "power")
    imported(tmp_path, embedded.url, "later.csv", "--bucket", "dry", *later)
    assert exported(tmp_path, embedded.url, "dry")[-1] == "power,site=B volts=7 1767223800000000000\n"
    assert "power,site=A volts=231 1769900400000000000\n" in exported(tmp_path, embedded.url, "dry")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("nowhere.lp",), "nowhere.lp: No such file or directory."),
        ((".",), ". is a folder."),
        (("empty.lp",), "empty.lp is empty: there is nothing to import."),
        (("cut.lp.gz",), "It was read up to line"),
        (("rubbish.bin",), "is no text"),
        (("table.csv", "--time", "When", "--measurement", "m"), "no column 'When'. Did you mean 'when'?"),
        (("table.csv", "--time", "when", "--measurement", "m"), "--precision s, ms, us or ns"),
        (("table.csv",), "Name the column of times: --time."),
        (("cut.parquet",), "is no whole Parquet file"),
    ],
)
def test_bad_files_are_refused_with_a_sentence(
    embedded: Gateway, tmp_path: Path, arguments: tuple[str, ...], sentence: str
) -> None:
    (tmp_path / "empty.lp").touch()
    (tmp_path / "cut.lp.gz").write_bytes(gzip.compress(many_lines(5_000).encode())[:-2_000])
    (tmp_path / "rubbish.bin").write_bytes(bytes(range(256)) * 64)
    (tmp_path / "table.csv").write_text("when,v\n1,2\n")
    (tmp_path / "cut.parquet").write_bytes(b"PAR1" + b"\0" * 100)
    done = fluxgate(tmp_path, embedded.url, "import", *arguments, "--bucket", "bad", "--create")
    assert done.returncode == 1
    assert sentence in done.stderr


def test_an_unknown_bucket_is_named_and_nothing_is_left_of_an_export(embedded: Gateway, tmp_path: Path) -> None:
    (tmp_path / "a.lp").write_text("m f=1 1\n")
    done = fluxgate(tmp_path, embedded.url, "import", "a.lp", "--bucket", "not there")
    assert (done.returncode, "not there" in done.stderr) == (1, True)
    assert "With --create the bucket is made where it is absent." in done.stderr
    done = fluxgate(tmp_path, embedded.url, "export", "--bucket", "not there", "-o", "folder/x.lp")
    assert (done.returncode, done.stderr.split("\n")[-2]) == (1, "folder: There is no such folder.")
    done = fluxgate(tmp_path, embedded.url, "export", "--bucket", "not there", "-o", "x.lp")
    assert (done.returncode, "not there" in done.stderr) == (1, True)
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_file()) == ["a.lp"]


def test_an_export_that_breaks_leaves_what_was_there(tmp_path: Path) -> None:
    with running_gateway(tmp_path / "data", {}) as gateway:
        (tmp_path / "many.lp").write_text(many_lines(100_000))
        imported(tmp_path, gateway.url, "many.lp", "--bucket", "broken")
        (tmp_path / "x.lp").write_text("what was there\n")
        process = started(tmp_path, gateway.url, "export", "--bucket", "broken", "-o", "x.lp")
        part = tmp_path / ".x.lp.part"
        until(lambda: part.exists() or process.poll() is not None)
        gateway.process.kill()
        process.communicate(timeout=60)
    if process.returncode:
        assert (tmp_path / "x.lp").read_text() == "what was there\n"
    else:
        assert len((tmp_path / "x.lp").read_text().splitlines()) == 100_000
    assert not part.exists()


def test_a_read_gives_line_protocol_and_says_what_it_cannot_do(embedded: Gateway) -> None:
    with embedded.http() as http, connect(embedded.url, KEY) as client:
        client.create_buckets([{"name": "formats"}])
        client.write("formats", f"m,a=1 f=1,g=2i {time.time_ns()}")
        lines = http.get("/buckets/formats", params={"window": "1h", "every": "raw", "format": "lineprotocol"})
        assert (lines.status_code, lines.text.split(" ")[1]) == (200, "f=1,g=2i")
        windows = http.get("/buckets/formats", params={"window": "1h", "every": "1m", "format": "lineprotocol"})
        assert (windows.status_code, "every=raw" in windows.json()["detail"]) == (422, True)
        wide = http.get("/buckets/formats", params={"every": "raw", "format": "annotated_csv", "shape": "wide"})
        assert (wide.status_code, wide.json()["parameter"]) == (422, "shape")
        assert isinstance(lines, httpx.Response)
