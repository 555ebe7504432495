"""What the configuration of a mirror or the order of a restore may name: addresses, and variables that hold tokens."""

from dataclasses import dataclass

from service.config.token_variables import PREFIXED_ONLY, TokenVariables
from service.domain.addresses import AddressPolicy, WrongAddress, parse_address, refusal_of
from service.domain.endpoint import Endpoint, endpoint_at
from service.errors import InvalidParameter


@dataclass(frozen=True)
class EndpointRules:
    """`addresses`: those that source and target may have. `variables`: those that `token_env` may name."""

    addresses: AddressPolicy = AddressPolicy.PRIVATE_TOO
    variables: TokenVariables = PREFIXED_ONLY

    def endpoint(self, url: str, org: str, token: str, member: str, role: str) -> Endpoint:
        """The InfluxDB at `url`, where addresses may lead there.

        `member`: the name of the parameter that holds `url`; `role`: what it is to be, as errors say it. Raises
        InvalidParameter.
        """
        try:
            address = parse_address(url)
            refused = refusal_of(address, self.addresses)
            if refused is None:
                return endpoint_at(url, org, token)
        except WrongAddress as wrong:
            raise InvalidParameter(member, f"The url is no address of an InfluxDB: {wrong}.") from None
        setting = " (MIRROR_PRIVATE_ADDRESSES)" if refusal_of(address, AddressPolicy.PRIVATE_TOO) is None else ""
        raise InvalidParameter(member, f"{str(address)!r} cannot be {role}: {refused}{setting}.")


DEFAULT_RULES = EndpointRules()
"""The rules of the default settings."""
