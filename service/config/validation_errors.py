"""Where a configured value is wrong, in the names of its members, and why."""

from pydantic import BaseModel, ValidationError

from service.config.near_members import near_members

VARIANT = "variant:"
"""The prefix of the tags of unions. A tag says which form was meant; it is not a member."""
_UNKNOWN = "extra_forbidden"
_REASONS = {
    _UNKNOWN: "there is no such member",
    "missing": "it is missing",
    **dict.fromkeys(("model_type", "dict_type"), "members are wanted here, as in {…}"),
    "list_type": "a list is wanted here, as in […]",
}


def wrong_members(broken: ValidationError, model: type[BaseModel] | None = None) -> list[tuple[str, str]]:
    """Each wrong member with the reason. The value, which may be a secret, is left out. '' is the whole value.

    Unknown members come first: a misspelt one is often why another is missing. With `model`, which was validated, an
    unknown member is named with those that look like it.
    """
    errors = sorted(broken.errors(include_input=False), key=lambda error: error["type"] != _UNKNOWN)
    return [(_place(error["loc"]), _reason_of(error["type"], error["msg"], error["loc"], model)) for error in errors]


def _reason_of(kind: str, message: str, parts: tuple[int | str, ...], model: type[BaseModel] | None) -> str:
    reason = plain_reason(kind, message)
    if kind != _UNKNOWN or model is None:
        return reason
    near = near_members(model, [part for part in parts if not str(part).startswith(VARIANT)])
    return f"{reason} (did you mean {' or '.join(near)}?)" if near else reason


def plain_reason(kind: str, message: str) -> str:
    """What pydantic says with `message` of an error of this kind, in the words of whoever writes the value."""
    return _REASONS.get(kind) or message.removeprefix("Value error, ").removesuffix(".")


def _place(parts: tuple[int | str, ...]) -> str:
    return ".".join(str(part) for part in parts if not str(part).startswith(VARIANT))
