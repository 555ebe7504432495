"""Secrets in runtime configuration: hidden when it is shown, and kept when what was shown is sent back."""

from collections.abc import Mapping
from typing import Any

HIDDEN = "***"
_SECRETS = {"token", "password", "api_key"}


def hide(value: Any) -> Any:  # noqa: ANN401  (JSON of any shape)
    """`value` with every secret member as `***`."""
    if isinstance(value, Mapping):
        return {name: HIDDEN if name in _SECRETS and isinstance(own, str) else hide(own) for name, own in value.items()}
    return [hide(own) for own in value] if isinstance(value, list) else value


def unhide(value: Any, stored: Any) -> Any:  # noqa: ANN401
    """`value` with `***` replaced by what is stored at the same place, as long as the address beside it is the same."""
    if isinstance(value, Mapping):
        before = stored if isinstance(stored, Mapping) else {}
        kept = _SECRETS & set(before) if value.get("url") == before.get("url") else set()
        return {name: before[name] if own == HIDDEN and name in kept else unhide(own, before.get(name)) for name, own in value.items()}
    if isinstance(value, list):
        before_list = stored if isinstance(stored, list) else []
        return [unhide(own, before_list[place] if place < len(before_list) else None) for place, own in enumerate(value)]
    return value
