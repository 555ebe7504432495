"""The store that a restore writes to. Its errors name it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from service.domain.endpoint import Endpoint
from service.errors import RetryLater, StoreError, Subject
from service.jobs.endpoint_rules import DEFAULT_RULES, EndpointRules
from service.jobs.restore.options import TargetText

_VARIABLES = "tokens and passphrases"


@dataclass(frozen=True)
class RestoreRules:
    """What an order may name. `own`: the gateway's own store."""

    own: Endpoint
    rules: EndpointRules = DEFAULT_RULES

    def endpoint(self, target: TargetText | None) -> Endpoint:
        """Raises InvalidParameter: the address is refused, or the variable has no token."""
        if target is None:
            return self.own
        token = self.rules.variables.value(target.token_env, "target.token_env", _VARIABLES)
        return self.rules.endpoint(target.url, target.org, token, "target.url", "the target of a restore")

    def passphrase(self, variable: str | None) -> str | None:
        """What the variable holds; None when none is named. Raises InvalidParameter."""
        return None if variable is None else self.rules.variables.value(variable, "passphrase_env", _VARIABLES)


@contextmanager
def naming_target(endpoint: Endpoint) -> Iterator[None]:
    """Errors of a store that are raised inside are about this one."""
    try:
        yield
    except (StoreError, RetryLater) as broken:
        if endpoint.url is not None:
            broken.subject = broken.subject or Subject(
                f"The target of the restore ({endpoint})",
                "target.url",
                "the variable of target.token_env",
                "target.org",
                "make buckets, and read and write them",
            )
        raise
