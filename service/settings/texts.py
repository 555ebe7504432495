"""What a setting's text means before its type is looked at: a list with commas, JSON, an empty text, or a duration."""

import json

from service.domain.durations import parse_duration
from service.errors import InvalidParameter


def separated(text: object) -> object:
    """The parts of a text between its commas, without blanks and empty ones. What is no text stays as it is."""
    return tuple(part.strip() for part in text.split(",") if part.strip()) if isinstance(text, str) else text


def empty_is_absent(value: object) -> object:
    """None for an empty text, as compose files and shells set a variable without a value."""
    return None if value == "" else value


def from_json(value: object) -> object:
    """The document of a text. What is no text stays as it is. Raises ValueError."""
    try:
        return json.loads(value) if isinstance(value, str) else value
    except json.JSONDecodeError as broken:
        raise ValueError(f"this is no JSON (line {broken.lineno}, column {broken.colno})") from None


def duration(text: str) -> str:
    """The text, which is a duration such as `30s`. Raises ValueError."""
    try:
        parse_duration(text, "it")  # `load_settings` puts the setting's name in front
    except InvalidParameter as refused:
        raise ValueError(refused.message) from None
    return text
