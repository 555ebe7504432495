"""`fluxgate probe`: whether a worker or scheduler of this machine is alive, for health checks. It asks no server."""

import time
from enum import StrEnum
from typing import Annotated

import psutil
import typer

from service.domain.roles import Role
from service.runner.signs import FOLDER, silence
from service.settings import load_settings


class ProbedRole(StrEnum):
    """What may be probed. A gateway answers for itself, at /health/live."""

    WORKER = "worker"
    SCHEDULER = "scheduler"


def probe(
    role: Annotated[ProbedRole, typer.Argument(help="What to look for.", show_choices=True)],
) -> None:
    """Check that a worker or scheduler of this machine is alive. Exit code 1 when none is, or one hangs.

    It looks at what the processes leave in DATA_DIR. So it needs the same DATA_DIR, and no database or broker.
    """
    reason = silence(load_settings().data_dir / FOLDER, Role(role.value), psutil.pid_exists, time.time())
    if reason is not None:
        typer.echo(reason, err=True)
        raise typer.Exit(1)
    typer.echo("alive")
