"""Posts notices to a webhook: one post for each, tried again a few times. No error shows more than the host of it."""

import random
import time
from collections.abc import Callable
from typing import Self

import orjson

from service.domain.answer_rules import LATER_STATUSES
from service.domain.backoff import wait_s
from service.errors import AddressRefused, UpstreamStopped, UpstreamUnavailable
from service.jobs.watch.definitions import WebhookText
from service.jobs.watch.watch_states import Notice
from service.sockets import Connector
from service.transfer.run_control import RunControl
from service.upstream.auth import Auth, OAuth2
from service.upstream.client import HttpAnswer, HttpClient, RequestFailed, origin_of, tls_context
from service.upstream.credentials import credentials_for
from service.upstream.rules import UpstreamRules

TIMEOUT_S = 10.0
TRIES = 3
_WAITING = "What it did not take waits, and the next look posts it."


def destination(text: WebhookText, rules: UpstreamRules) -> tuple[str, Auth]:
    """Where notices go, and the secret for it.

    Raises InvalidParameter: its address may not be connected to, or a secret is missing.
    """
    return text.whole_url(rules.url(text.url, "webhook.url")), text.auth.to_auth(rules)


class Webhook:
    """An open webhook, and a context manager that closes its connections. `control` ends posts and waits.

    Raises InvalidParameter: its address may not be connected to, or a secret is missing.
    """

    def __init__(
        self,
        text: WebhookText,
        rules: UpstreamRules,
        control: RunControl,
        monotonic: Callable[[], float] = time.monotonic,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._url, auth = destination(text, rules)
        self._name = f"The webhook at {origin_of(self._url)}"
        self._control, self._chance = control, chance
        uses_tls = any(url.startswith("https:") for url in (self._url, auth.url if isinstance(auth, OAuth2) else ""))
        self._client = HttpClient(
            Connector(rules.addresses),
            tls_context(None, None) if uses_tls else None,
            timeout_s=TIMEOUT_S,
            connections=1,
            monotonic=monotonic,
            check=control.check,
        )
        self._credentials = credentials_for(auth, self._client, monotonic)

    def post(self, notice: Notice) -> None:
        """Post a notice until it is taken (2xx).

        Raises UpstreamUnavailable: it is not taken now. UpstreamStopped: it will not be. JobInterrupted.
        """
        tries = 1
        while True:
            self._control.check()
            try:
                answer = self._sent(notice)
            except RequestFailed as failed:
                finding, text = failed.finding, failed.detail
            else:
                if 200 <= answer.status < 300:
                    return
                finding, text = f"answered {answer.status}", answer.text
                if answer.status < 500 and answer.status not in LATER_STATUSES:
                    advice = "Check url and auth of the webhook; redirects are not followed."
                    raise UpstreamStopped(f"{self._name} {finding}. {advice} {_WAITING}", upstream=text)
            if tries == TRIES:
                reason = f"{self._name} {finding}, {tries} times in a row. {_WAITING}"
                raise UpstreamUnavailable(reason, upstream=text)
            self._control.sleep(wait_s(tries, self._chance()))
            tries += 1

    def _sent(self, notice: Notice) -> HttpAnswer:
        headers = {
            "Content-Type": "application/json",
            "Idempotency-Key": str(notice["id"]),
            **self._credentials.headers(),
        }
        try:
            return self._client.post(self._credentials.url(self._url), headers, orjson.dumps(notice))
        except AddressRefused as refused:
            raise UpstreamStopped(refused.message) from None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self._client.close()
