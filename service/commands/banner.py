"""What `fluxgate serve` prints at the start.

It says where the pages are, which store answers and which key is valid, and shows calls that work.
"""

import shlex
import threading
from dataclasses import dataclass
from pathlib import Path

from service.errors import FluxgateError, StoreDenied, StoreTimeout, StoreUnavailable
from service.settings import Settings
from service.wiring import ask_own_store

_LONGEST_LOOK_S = 3.0
_SILENT = "DOES NOT ANSWER"


@dataclass(frozen=True)
class FirstKey:
    """The key that the first start made, and the file that keeps it."""

    key: str
    file: Path


def banner(url: str, store: str, first_key: FirstKey | None, on_terminal: bool, demo: bool) -> str:
    """The lines for people.

    The key itself is shown on a terminal alone: everything else may be a log that others read.
    """
    described, shown = _key(first_key, on_terminal)
    curl = f'  curl -sS --fail -H "X-API-Key: {shown}" "{url}'
    lines = [
        f"Page      {url}/   (API: {url}/docs   {url}/health/ready)",
        f"Store     {store}",
        f"Key       {described}",
        "",
        "Try       (in another terminal)" if demo else "Ask       (in another terminal)",
        f'{curl}/buckets"',
    ]
    if demo:
        lines.append(f'{curl}/buckets/Power%20Consumption?window=30d&every=1h" -o power.csv')
    return "\n".join(["", *lines, f'{curl}/telemetry/latest"', ""])


def _key(first_key: FirstKey | None, on_terminal: bool) -> tuple[str, str]:
    """What is said of the key, and how a call names it."""
    if first_key is None:
        return "the one you set or made, here as FLUXGATE_API_KEY", "$FLUXGATE_API_KEY"
    if on_terminal:
        return first_key.key, first_key.key
    return f"in {first_key.file} (printed on a terminal only)", f"$(cat {shlex.quote(str(first_key.file))})"


def store_line(settings: Settings) -> str:
    """Which store is served, and whether it answers; known after three seconds at most."""
    if settings.influxdb_url is None:
        return f"embedded in {settings.data_dir}/ (no INFLUXDB_URL)"
    found = [_SILENT]
    look = threading.Thread(target=lambda: found.append(_look(settings)), name="look at the store", daemon=True)
    look.start()
    look.join(_LONGEST_LOOK_S)
    return f"InfluxDB {settings.influxdb_url}  {found[-1]}"


def _look(settings: Settings) -> str:
    try:
        ask_own_store(settings)
    except StoreDenied:
        return "REFUSES THE TOKEN"
    except (StoreUnavailable, StoreTimeout):
        return _SILENT
    except FluxgateError as error:
        return f"FAILS: {error.message}"
    return "answers"
