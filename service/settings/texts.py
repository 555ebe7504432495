"""What a setting's text means before its type is looked at: a list with commas, and an empty text."""


def separated(text: object) -> object:
    """The parts of a text between its commas, without blanks and empty ones. What is no text stays as it is."""
    return tuple(part.strip() for part in text.split(",") if part.strip()) if isinstance(text, str) else text


def empty_is_absent(value: object) -> object:
    """None for an empty text, as compose files and shells set a variable without a value."""
    return None if value == "" else value
