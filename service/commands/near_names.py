"""Names in the environment that look like settings and are none, such as INFLUX_URL.

Without a word they have no effect. Names that begin with FLUXGATE_ are `service.settings`' own matter.
"""

import difflib
import os
import warnings
from collections.abc import Iterator, Mapping

from dotenv import dotenv_values

from service.settings import ENV_FILE, Settings

_CLOSE = 0.87
"""INFLUX_URL is 0.91 close to INFLUXDB_URL; XDG_DATA_DIRS is 0.76 close to DATA_DIR."""
_OTHER_WORDS = {"INFLUX_HOST": "INFLUXDB_URL", "INFLUXDB_HOST": "INFLUXDB_URL", "INFLUXDB_ORGANIZATION": "INFLUXDB_ORG"}


def near_names(environment: Mapping[str, str | None]) -> Iterator[tuple[str, str]]:
    """Each such name and the setting that it may mean, where that is not set."""
    settings = [name.upper() for name in Settings.model_fields]
    present = {name.upper() for name, value in environment.items() if value}
    for name in sorted(present - set(settings)):
        if name.startswith("FLUXGATE_"):
            continue
        near = [_OTHER_WORDS[name]] if name in _OTHER_WORDS else difflib.get_close_matches(name, settings, 1, _CLOSE)
        if near and near[0] not in present:
            yield name, near[0]


def warn_of_near_names(environment: Mapping[str, str] = os.environ) -> None:
    """One warning for each, of the environment and of `.env`."""
    for name, setting in near_names({**dotenv_values(ENV_FILE), **environment}):
        warnings.warn(f"{name} is no setting of Fluxgate and has no effect. Did you mean {setting}?", stacklevel=1)
