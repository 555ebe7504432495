"""What the configuration of a mirror may name: addresses, and variables that hold tokens."""

from dataclasses import dataclass

from service.domain.addresses import AddressPolicy
from service.jobs.mirror.token_variables import FROM_PREFIX, TokenVariables


@dataclass(frozen=True)
class EndpointRules:
    """`addresses`: where a side may lead. `variables`: which ones `token_env` may name."""

    addresses: AddressPolicy = AddressPolicy.PRIVATE_TOO
    variables: TokenVariables = FROM_PREFIX


DEFAULT_RULES = EndpointRules()
"""Those of the default settings."""
