"""Secrets in runtime configuration: hidden when it is shown, and kept when what was shown is sent back.

A secret goes to no other host than the one it was stored with. So `***` stands for a stored secret only at the place
where that is stored, and beside the same address and organization. Anywhere else it is refused.
"""

from collections.abc import Mapping
from typing import Any

from service.errors import InvalidParameter

HIDDEN = "***"
_SECRETS = {"token", "password", "api_key"}
_ADDRESS = "url"
_BESIDE = (_ADDRESS, "org")
"""What a secret is stored with: the host that it goes to, and whose it is there."""
_DEEPEST = 50
Place = tuple[str, ...]


def hide(value: Any) -> Any:  # noqa: ANN401  (JSON of any shape)
    """`value` with every secret member as `***`."""
    if isinstance(value, Mapping):
        return {name: HIDDEN if name in _SECRETS and isinstance(own, str) else hide(own) for name, own in value.items()}
    return [hide(own) for own in value] if isinstance(value, list) else value


def restore_hidden(value: Any, stored: Any, place: Place = ()) -> Any:  # noqa: ANN401
    """`value` with each hidden secret replaced by the one that is stored at the same place, beside the same address.

    Raises InvalidParameter: `***` where no such secret is stored, or a value that is nested too deep.
    """
    if len(place) > _DEEPEST:
        raise InvalidParameter(place[0], f"{place[0]} is nested deeper than {_DEEPEST} levels, and no section is. Send fewer.")
    if isinstance(value, Mapping):
        before = stored if isinstance(stored, Mapping) else {}
        return {name: _member(name, own, value, before, (*place, str(name))) for name, own in value.items()}
    if isinstance(value, list):
        earlier = stored if isinstance(stored, list) else []
        return [restore_hidden(own, earlier[at] if at < len(earlier) else None, (*place, str(at))) for at, own in enumerate(value)]
    return value


def _member(name: str, own: Any, value: Mapping[str, Any], before: Mapping[str, Any], place: Place) -> Any:  # noqa: ANN401
    if own != HIDDEN or name not in _SECRETS:
        return restore_hidden(own, before.get(name), place)
    kept = before.get(name)
    if not isinstance(kept, str) or not _same_beside(value, before):
        where = ".".join(place)[:200]
        raise InvalidParameter(
            where,
            f"{where}: {HIDDEN} stands for the {name} that is stored there for the same {' and '.join(_BESIDE)}, "
            f"and there is none. Write the {name}.",
        )
    return kept


def _same_beside(value: Mapping[str, Any], before: Mapping[str, Any]) -> bool:
    """Character by character: what only looks like the same address may be another one. A secret beside no address is never kept."""
    return isinstance(value.get(_ADDRESS), str) and all(value.get(name) == before.get(name) for name in _BESIDE)
