"""`Retry-After` is read as seconds or as a date, and nothing else."""

import pytest

from service.domain.retry_after import retry_after_s

NOW_S = 1_767_225_600.0  # 2026-01-01T00:00:00Z


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0.0),
        (" 120 ", 120.0),
        ("Thu, 01 Jan 2026 00:01:00 GMT", 60.0),
        ("Thursday, 01-Jan-26 00:01:00 GMT", 60.0),
        ("Thu Jan  1 00:01:00 2026", 60.0),
        ("Wed, 31 Dec 2025 00:00:00 GMT", 0.0),
        (None, None),
        ("", None),
        ("-1", None),
        ("1.5", None),
        ("soon", None),
        ("1e9", None),
        ("99999999999", None),
        ("Thu, 99 Jan 2026 00:01:00 GMT", None),
    ],
)
def test_a_header(text: str | None, seconds: float | None) -> None:
    assert retry_after_s(text, NOW_S) == seconds
