"""What the configuration of several features may name, from the settings: addresses, and variables with secrets."""

from service.config.token_variables import TokenVariables
from service.domain.addresses import AddressPolicy
from service.settings import Settings
from service.upstream.rules import UpstreamRules


def token_variables(settings: Settings) -> TokenVariables:
    """The variables that members such as `token_env` may name."""
    return TokenVariables(frozenset(settings.mirror_token_variables))


def upstream_rules(settings: Settings) -> UpstreamRules:
    """The rules for whatever posts to an upstream."""
    addresses = AddressPolicy.PRIVATE_TOO if settings.connector_private_addresses else AddressPolicy.PUBLIC_ONLY
    return UpstreamRules(addresses, token_variables(settings))
