"""What happens to values whose field has another type at the target."""

from enum import StrEnum


class OnConflict(StrEnum):
    """Fail the run, skip the values, or write them as text to the field `<field>_string`."""

    FAIL = "fail"
    SKIP = "skip"
    AS_STRING = "as_string"
