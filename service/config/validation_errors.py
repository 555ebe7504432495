"""Where a configured value is wrong, in the names of its members, and why."""

from pydantic import ValidationError

VARIANT = "variant:"
"""The prefix of the tags of unions. A tag says which form was meant; it is not a member."""
_REASONS = {"extra_forbidden": "there is no such member", "model_type": "members are wanted here, as in {…}"}


def wrong_members(broken: ValidationError) -> list[tuple[str, str]]:
    """Each wrong member with the reason. The value, which may be a secret, is left out. '' is the whole value."""
    errors = broken.errors(include_input=False)
    return [(_place(error["loc"]), _REASONS.get(error["type"]) or _reason(error["msg"])) for error in errors]


def _place(parts: tuple[int | str, ...]) -> str:
    return ".".join(str(part) for part in parts if not str(part).startswith(VARIANT))


def _reason(text: str) -> str:
    return text.removeprefix("Value error, ").removesuffix(".")
