"""The list of features, one line for each kind of job. docs/maintaining.md says how to add one."""

from service.features.backup.feature import BACKUPS
from service.features.connector.feature import CONNECTOR
from service.features.feature import Feature
from service.features.mirror.feature import MIRROR
from service.features.watches.feature import WATCHES
from service.features.weather.feature import WEATHER

FEATURES: tuple[Feature, ...] = (
    MIRROR,
    BACKUPS,
    CONNECTOR,
    WEATHER,
    WATCHES,
)  # fmt: skip
