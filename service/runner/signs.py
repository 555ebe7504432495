"""Signs of life in files: what a probe on the same machine looks at, also while the state database is away.

A process touches its file in the folder `processes` of DATA_DIR. The name has its role, its machine and its id.
"""

import contextlib
import os
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from service.domain.roles import Role

FOLDER = "processes"
"""In DATA_DIR."""
SILENT_S = 60.0
"""A process that gives no sign for longer hangs."""
_FORGOTTEN_S = 86_400.0


def sign_file(folder: Path, role: Role) -> Path:
    """The file of this process."""
    return folder / f"{role.value}-{socket.gethostname()}-{os.getpid()}"


def give_sign(file: Path) -> None:
    """Touch `file`. Raises OSError."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.touch()


def remove_forgotten(folder: Path) -> None:
    """Remove the files of processes, on any machine, that gave no sign for a day."""
    for file in folder.glob("*"):
        with contextlib.suppress(OSError):  # another process removes it too
            if time.time() - file.stat().st_mtime > _FORGOTTEN_S:
                file.unlink()


def silence(folder: Path, role: Role, runs: Callable[[int], bool], now: float) -> str | None:
    """Why the processes of `role` on this machine are not well; None: one runs, and all that run give signs.

    `runs`: whether a process with this id runs. `now`: seconds since 1970.
    """
    ages_s = {number: now - signed_at for number, signed_at in _signs(folder, role) if runs(number)}
    if not ages_s:
        return f"No {role.value} runs on this machine with DATA_DIR={folder.parent}."
    number, age_s = max(ages_s.items(), key=lambda sign: sign[1])
    if age_s > SILENT_S:
        return f"The {role.value} with the process id {number} has given no sign of life for {age_s:.0f} s."
    return None


def _signs(folder: Path, role: Role) -> Iterator[tuple[int, float]]:
    """Process id and time of the last sign, in seconds since 1970, of each process of this machine."""
    prefix = f"{role.value}-{socket.gethostname()}-"
    for file in folder.glob(f"{role.value}-*"):
        number = file.name.removeprefix(prefix)
        if number.isdecimal():
            with contextlib.suppress(OSError):  # it has just ended
                yield int(number), file.stat().st_mtime
