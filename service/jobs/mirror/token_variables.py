"""Which variables of the environment a mirror may name as its token.

Whoever configures a mirror says where its token is sent. So `token_env` reaches only variables that were made for it, and
what others hold (the gateway's own key and tokens among them), or whether there are any, nobody learns.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field

from service.domain.mirror import TOKEN_PREFIX
from service.errors import InvalidParameter


@dataclass(frozen=True)
class TokenVariables:
    """Those that begin with TOKEN_PREFIX, and those that are `listed`: names that the operator gave, none of the gateway's own."""

    listed: frozenset[str] = frozenset()
    environment: Mapping[str, str] = field(default_factory=lambda: os.environ, repr=False)

    def value(self, name: str, parameter: str, use: str = "tokens of mirrors") -> str:
        """The token in the variable `name`. `use`: what such variables are for, as errors say it.

        Raises InvalidParameter: it was not made for tokens, which is said alike whether it is set or not; or it was, and is empty.
        """
        if not (name.startswith(TOKEN_PREFIX) or name in self.listed):
            raise InvalidParameter(
                parameter,
                f"{name} is no variable for {use}. Name one that begins with {TOKEN_PREFIX}, or have the operator list it in MIRROR_TOKEN_VARIABLES.",
            )
        token = self.environment.get(name, "")
        if not token:
            raise InvalidParameter(parameter, f"The environment variable {name} is not set in the gateway's process, or empty.")
        return token


FROM_PREFIX = TokenVariables()
"""None listed."""
