"""Which addresses and which variables with tokens the configuration of a mirror may name."""

from dataclasses import dataclass

from service.domain.addresses import AddressPolicy
from service.jobs.mirror.token_variables import PREFIXED_ONLY, TokenVariables


@dataclass(frozen=True)
class EndpointRules:
    """`addresses`: those that source and target may have. `variables`: those that `token_env` may name."""

    addresses: AddressPolicy = AddressPolicy.PRIVATE_TOO
    variables: TokenVariables = PREFIXED_ONLY


DEFAULT_RULES = EndpointRules()
"""The rules of the default settings."""
