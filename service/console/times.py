"""Times of answers, as tables show them."""


def minute_text(time: str | None) -> str:
    """An RFC 3339 time in UTC, cut to the minute; empty for None."""
    return "" if time is None else f"{time[:10]} {time[11:16]}Z"
