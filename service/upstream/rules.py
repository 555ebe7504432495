"""What the configuration of an upstream may name: addresses, and variables that hold secrets."""

from dataclasses import dataclass

from service.config.token_variables import PREFIXED_ONLY, TokenVariables
from service.domain.addresses import AddressPolicy, WrongAddress, parse_address, refusal_of
from service.errors import InvalidParameter

TOKEN_PLACE = "{token}"  # noqa: S105  (a mark in addresses, no secret)
_STAND_IN = "token"


@dataclass(frozen=True)
class UpstreamRules:
    """`addresses`: those that an upstream may have. `variables`: those that members such as `token_env` may name."""

    addresses: AddressPolicy = AddressPolicy.PRIVATE_TOO
    variables: TokenVariables = PREFIXED_ONLY

    def url(self, text: str, member: str) -> str:
        """The address in the form in which it is sent, with `{token}` and a slash at its end where `text` has them.

        Raises InvalidParameter where it is none, or addresses may not lead there.
        """
        authority, _, path = text.partition("://")[2].partition("/")
        if TOKEN_PLACE in authority:
            raise InvalidParameter(member, f"{TOKEN_PLACE} stands in the path of url, and not in its host.")
        try:
            address = parse_address(text.replace(TOKEN_PLACE, _STAND_IN))
            refused = refusal_of(address, self.addresses)
        except WrongAddress as wrong:
            advice = ", and write it as members of `query`" if "?" in text else ""
            raise InvalidParameter(member, f"The url is no address of an upstream: {wrong}{advice}.") from None
        if refused is not None:
            is_private = refusal_of(address, AddressPolicy.PRIVATE_TOO) is None
            setting = " (CONNECTOR_PRIVATE_ADDRESSES)" if is_private else ""
            raise InvalidParameter(member, f"{address.origin!r} cannot be an upstream: {refused}{setting}.")
        origin = str(address).removesuffix(address.path) if address.path else str(address)
        return f"{origin}/{path}"

    def secret(self, text: str | None, variable: str | None, member: str) -> str:
        """The secret that stands in the configuration, or in a variable. Raises InvalidParameter."""
        if text is not None:
            return text
        return self.variables.value(variable or "", f"{member}_env", "tokens of mirrors and connectors")


DEFAULT_RULES = UpstreamRules()
"""The rules of the default settings."""
