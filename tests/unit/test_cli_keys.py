"""`fluxgate keys`: when a key ends, said as a person says it."""

import pytest

from service.commands.keys import expiry
from service.errors import InvalidParameter

NOW = 1_767_225_600.0  # 2026-01-01T00:00:00Z


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("30d", 30 * 86_400.0),
        ("1s", 1.0),
        ("2026-01-02T00:00:00Z", 86_400.0),
        ("2026-01-02t00:00:00z", 86_400.0),
        ("2026-01-02 00:00:00Z", 86_400.0),
        ("2026-01-02T00:00:00+02:00", 79_200.0),
    ],
)
def test_a_key_ends_after_a_duration_or_at_a_time(text: str, seconds: float) -> None:
    assert expiry(text, NOW) == NOW + seconds


@pytest.mark.parametrize("text", ["2025-12-31T23:59:59Z", "2026-01-01T00:00:00Z"])
def test_an_end_that_is_over_is_refused(text: str) -> None:
    with pytest.raises(InvalidParameter, match="is over already"):
        expiry(text, NOW)


@pytest.mark.parametrize("text", ["2026-01-02", "2026-01-02T00:00:00"])
def test_a_time_without_its_zone_says_how_to_write_one(text: str) -> None:
    with pytest.raises(InvalidParameter, match="RFC 3339 time with an offset"):
        expiry(text, NOW)


@pytest.mark.parametrize("text", ["", "soon", "0d", "-1d", "1.5h"])
def test_no_duration_says_how_to_write_one(text: str) -> None:
    with pytest.raises(InvalidParameter, match="expires"):
        expiry(text, NOW)
