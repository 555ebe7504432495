"""The kinds of job that this service has, one line for each. docs/maintaining.md says how to add one."""

from service.features.backup.feature import BACKUP
from service.features.feature import Feature
from service.features.mirror.feature import MIRROR

FEATURES: tuple[Feature, ...] = (
    MIRROR,
    BACKUP,
)  # fmt: skip
