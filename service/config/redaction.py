"""Secrets in runtime configuration: hidden when it is shown, and kept when what was shown is sent back.

A secret goes to no other host than the one it was stored with. So `***` stands for a stored secret only at the place
where that is stored, and with the same addresses and organizations beside it and around it. Anywhere else it is
refused.
"""

from collections.abc import Mapping
from itertools import zip_longest
from typing import Any

from service.errors import InvalidParameter

HIDDEN = "***"
_SECRETS = {"token", "password", "api_key", "client_secret"}
_ADDRESS = "url"
_BOUND_TO = (_ADDRESS, "org")
"""The members that a secret belongs to: the hosts that it goes to, and the organizations there."""
_MOST_LEVELS = 50
Path = tuple[str, ...]
"""The names of a member and of all members around it."""
Owners = tuple[tuple[Mapping[str, Any], Mapping[str, Any]], ...]
"""The members around a secret, as sent and as stored, from the outermost on."""


def hide(value: Any) -> Any:  # noqa: ANN401  (JSON of any shape)
    """`value` with every secret member as `***`."""
    if isinstance(value, Mapping):
        return {name: _hidden_member(name, member) for name, member in value.items()}
    return [hide(entry) for entry in value] if isinstance(value, list) else value


def _hidden_member(name: str, member: Any) -> Any:  # noqa: ANN401
    return HIDDEN if name in _SECRETS and isinstance(member, str) else hide(member)


def restore_hidden(value: Any, stored: Any, path: Path = (), owners: Owners = ()) -> Any:  # noqa: ANN401
    """`value` with each hidden secret replaced by the one that is stored at the same place, for the same `owners`.

    Raises InvalidParameter: `***` where no such secret is stored, or a value that is nested too deep.
    """
    if len(path) > _MOST_LEVELS:
        finding = f"{path[0]} is nested deeper than {_MOST_LEVELS} levels, and no section is."
        raise InvalidParameter(path[0], f"{finding} Send fewer.")
    if isinstance(value, Mapping):
        stored_members = stored if isinstance(stored, Mapping) else {}
        owners = (*owners, (value, stored_members))
        return {name: _restored(name, owners, path) for name in value}
    if isinstance(value, list):
        stored_entries = stored if isinstance(stored, list) else []
        pairs = zip_longest(value, stored_entries[: len(value)])
        return [restore_hidden(entry, earlier, (*path, str(at)), owners) for at, (entry, earlier) in enumerate(pairs)]
    return value


def _restored(name: str, owners: Owners, path: Path) -> Any:  # noqa: ANN401
    members, stored = owners[-1]
    member, secret, path = members[name], stored.get(name), (*path, str(name))
    if member != HIDDEN or name not in _SECRETS:
        return restore_hidden(member, secret, path, owners)
    if not isinstance(secret, str) or not _are_same(owners):
        place = ".".join(path)[:200]
        bound_to = " and ".join(_BOUND_TO)
        finding = f"{place}: {HIDDEN} stands for the {name} that is stored there for the same {bound_to}"
        raise InvalidParameter(place, f"{finding}, and there is none. Write the {name}.")
    return secret


def _are_same(owners: Owners) -> bool:
    """Whether all addresses and organizations are the same, character by character.

    What only looks like the same address may be another one. A secret without an address has no owner.
    """
    is_same = all(members.get(name) == stored.get(name) for members, stored in owners for name in _BOUND_TO)
    return is_same and any(isinstance(members.get(_ADDRESS), str) for members, _ in owners)
