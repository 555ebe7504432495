"""Parses the question of a request, in a thread where that can take long."""

from collections.abc import Callable
from typing import TypeVar

from service.api.deps import Parts
from service.api.read_parameters import Pairs, needs_clock
from service.domain.access import Principal

Asked = TypeVar("Asked")


async def parsed(parts: Parts, principal: Principal, pairs: Pairs, parse: Callable[[], Asked]) -> Asked:
    """What `parse` makes of the parameters `pairs`; in a thread when it loads a time zone.

    Raises DependencyBusy, and what `parse` raises.
    """
    return await parts.pools.parsing.run(parse, key=principal.id) if needs_clock(pairs) else parse()
