"""Where a value of somebody's configuration is wrong, in the members' own names, and why."""

from pydantic import ValidationError

VARIANT = "variant:"
"""Tags of unions begin with it. They say which form was meant, and are no member that anybody wrote."""
_REASONS = {"extra_forbidden": "there is no such member", "model_type": "members are wanted here, as in {…}"}


def wrong_members(broken: ValidationError) -> list[tuple[str, str]]:
    """Each wrong member with its reason, without the value, which may be a secret. The whole value is called ''."""
    return [(_place(one["loc"]), _REASONS.get(one["type"]) or _reason(one["msg"])) for one in broken.errors(include_input=False)]


def _place(parts: tuple[int | str, ...]) -> str:
    return ".".join(str(part) for part in parts if not str(part).startswith(VARIANT))


def _reason(text: str) -> str:
    return text.removeprefix("Value error, ").removesuffix(".")
