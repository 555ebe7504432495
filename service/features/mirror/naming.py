"""How the routes of mirrors find the mirror that a path names."""

from typing import Annotated

from fastapi import Path

from service.api.deps import Parts
from service.domain.mirror import Mirror
from service.errors import InvalidParameter, NotFound
from service.jobs.mirror.definitions import KIND
from service.jobs.mirror.runnable import MirrorRunnable

Name = Annotated[str, Path(description="The mirror, as `GET /mirror` names it.", examples=["plant"])]


def mirrors_of(parts: Parts) -> MirrorRunnable:
    """What runs mirrors."""
    return parts.kinds.runnable(KIND, MirrorRunnable)


def configured_mirror(parts: Parts, name: str) -> Mirror:
    """The mirror `name`. Raises NotFound."""
    try:
        return mirrors_of(parts).registry.get(name)
    except InvalidParameter as unknown:
        raise NotFound(unknown.message) from None
