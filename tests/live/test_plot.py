"""`fluxgate plot` against a gateway of its own process: in the terminal, and into files."""

import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from fluxgate_client import connect
from tests.support.gateways import KEY, Gateway, environment, running_gateway

LINES = "".join(
    f'probe,place={place} celsius={180 + n * sign},open=true,note="warm" {1767225600 + n * 60}\n'
    for place, sign in (("oven", 1), ("hood", -1))
    for n in range(60)
)
RANGE = ("--start", "2026-01-01T00:00:00Z", "--stop", "2026-01-01T01:00:00Z")


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with running_gateway(tmp_path_factory.mktemp("plot"), {}) as running:
        with connect(running.url, KEY) as client:
            client.create_buckets([{"name": "Lab 1"}])
            assert client.write("Lab 1", LINES, precision="s")["stored"] == 120
        yield running


def plot(folder: Path, gateway: Gateway, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "service", "plot", "Lab 1", *RANGE, *arguments, "--url", gateway.url]
    variables = environment({"COLUMNS": "90", "LINES": "30", "PYTHONIOENCODING": "utf-8", **settings}, folder)
    return subprocess.run(command, cwd=folder, env=variables, capture_output=True, text=True, timeout=60)


def test_a_bucket_is_drawn_in_the_terminal(gateway: Gateway, tmp_path: Path) -> None:
    done = plot(tmp_path, gateway)
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0] == "Lab 1" and lines[1].startswith("All points, ") and lines[1].endswith(", UTC")
    assert [line.strip() for line in lines[-3:]] == [
        "━━ place=hood",
        "━━ place=oven",
        "Not drawn, as they hold no numbers: probe.note, probe.open.",
    ]
    assert "\x1b" not in done.stdout


def test_functions_and_raw_points_are_drawn_too(gateway: Gateway, tmp_path: Path) -> None:
    highest = plot(tmp_path, gateway, "--fn", "max", "--every", "10m", "--tag", "place=oven", "--tz", "Europe/Berlin")
    assert "Max of each 10m, 1 Jan 2026 01:00 to 1 Jan 2026 02:00, Europe/Berlin" in highest.stdout.splitlines()
    raw = plot(tmp_path, gateway, "--every", "raw", "--field", "celsius", "--field", "note")
    assert raw.stdout.splitlines()[-1] == "Not drawn, as they hold no numbers: probe.note."


def test_a_range_without_points_says_so(gateway: Gateway, tmp_path: Path) -> None:
    done = plot(tmp_path, gateway, "--field", "kelvin")
    assert done.returncode == 0 and "No numbers in this range" in done.stdout
    assert "unknown field kelvin" in done.stderr


def test_a_file_is_a_picture_by_its_ending(gateway: Gateway, tmp_path: Path) -> None:
    options = ("--width", "500", "--height", "250", "--theme", "dark", "--no-title")
    for name in ("lab.svg", "lab.PNG"):
        done = plot(tmp_path, gateway, "-o", name, *options)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", ""), name
    root = ET.parse(tmp_path / "lab.svg").getroot()
    assert (root.get("width"), root.get("height")) == ("500", "250")
    with Image.open(tmp_path / "lab.PNG") as picture:
        assert picture.size == (500, 250)
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_file()) == ["lab.PNG", "lab.svg"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("-o", "lab.gif"), "lab.gif ends in neither .svg nor .png."),
        (("-o", "lab"), "lab ends in neither .svg nor .png."),
        (("-o", "nowhere/lab.svg"), "There is no such folder."),
        (("-o", "lab.svg", "--width", "5"), "Write a whole number of pixels from 240 to 3840."),
        (("--theme", "dark"), "--theme is for a picture in a file."),
        (("--no-legend",), "--no-legend is for a picture in a file."),
        (("--tz", "Europe/Berln"), "is no IANA time zone"),
    ],
)
def test_what_cannot_be_drawn_says_why_and_leaves_no_file(
    gateway: Gateway, tmp_path: Path, arguments: tuple[str, ...], words: str
) -> None:
    done = plot(tmp_path, gateway, *arguments)
    assert (done.returncode, done.stdout) == (1, "")
    assert words in done.stderr
    assert [path for path in tmp_path.iterdir() if path.suffix] == []


def test_a_terminal_without_the_signs_is_told_apart(gateway: Gateway, tmp_path: Path) -> None:
    done = plot(tmp_path, gateway, PYTHONIOENCODING="ascii")
    assert done.returncode == 1 and "Set PYTHONIOENCODING=utf-8, or name a file with -o." in done.stderr
