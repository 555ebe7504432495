"""Which variables of the environment may be named as a token by what users configure and order.

Whoever names an endpoint decides where its token is sent. So `token_env` can name only variables that were made for
that. Of all others, such as the gateway's own key and tokens, nobody learns the value, nor whether they are set.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field

from service.domain.endpoint import TOKEN_PREFIX, TOKEN_VARIABLES_SETTING
from service.errors import InvalidParameter


@dataclass(frozen=True)
class TokenVariables:
    """Variables that begin with TOKEN_PREFIX, and those that the operator `listed`, none of the gateway's own."""

    listed: frozenset[str] = frozenset()
    environment: Mapping[str, str] = field(default_factory=lambda: os.environ, repr=False)

    def value(self, name: str, parameter: str, use: str = "secrets") -> str:
        """The token in the variable `name`. `use`: what such variables are for, as errors say it.

        Raises InvalidParameter: it was not made for tokens (the same text whether it is set or not), or it is empty.
        """
        if not (name.startswith(TOKEN_PREFIX) or name in self.listed):
            raise InvalidParameter(
                parameter,
                f"{name} is no variable for {use}. Name one that begins with {TOKEN_PREFIX}, "
                f"or have the operator list it in {TOKEN_VARIABLES_SETTING}.",
            )
        token = self.environment.get(name, "")
        if not token:
            finding = f"The environment variable {name} is not set in the gateway's process, or empty."
            raise InvalidParameter(parameter, finding)
        return token


PREFIXED_ONLY = TokenVariables()
"""No variable is listed."""
