"""The systemd units: what they start is a command, and `systemd-analyze verify` finds nothing wrong with them."""

import re
import subprocess
from pathlib import Path

import pytest

from service.cli import cli
from service.settings import Settings
from tests.support.demanded import or_skip
from tests.support.servers import installed

UNITS = sorted((Path(__file__).parents[1] / "deploy" / "systemd").glob("*.service"))


def test_there_is_a_unit_for_each_process() -> None:
    assert [unit.stem for unit in UNITS] == ["fluxgate-gateway", "fluxgate-scheduler", "fluxgate-worker"]


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_a_unit_starts_a_command_and_waits_for_its_end(unit: Path) -> None:
    text = unit.read_text()
    names = {command.name for command in cli.registered_commands} | set(_commands())
    started = re.findall(r"^ExecStart(?:Pre)?=/opt/fluxgate/bin/fluxgate ([a-z]+)", text, re.MULTILINE)
    assert started and set(started) <= names
    (stop_s,) = re.findall(r"^TimeoutStopSec=(\d+)$", text, re.MULTILINE)
    assert int(stop_s) > Settings(_env_file=None).shutdown_grace_s + 10  # type: ignore[call-arg]


def _commands() -> list[str]:
    from typer.main import get_command

    return list(get_command(cli).commands)  # type: ignore[attr-defined]


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_systemd_finds_nothing_wrong_with_a_unit(unit: Path, tmp_path: Path) -> None:
    """The program and the user are not on this machine, so they are replaced by some that are."""
    program = or_skip(lambda: installed("systemd-analyze", package="systemd"))
    text = unit.read_text().replace("/opt/fluxgate/bin/fluxgate", "/bin/true")
    (tmp_path / unit.name).write_text(re.sub(r"^(User|Group)=fluxgate$", r"\1=root", text, flags=re.MULTILINE))
    done = subprocess.run(
        [program, "verify", "--man=no", str(tmp_path / unit.name)], capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, [line for line in done.stderr.splitlines() if unit.name in line]) == (0, [])
