"""What becomes of values whose field has another type where they are written."""

from enum import StrEnum


class OnConflict(StrEnum):
    """Stop, leave the values out, or write them as text to `<field>_string`."""

    FAIL = "fail"
    SKIP = "skip"
    AS_STRING = "as_string"
