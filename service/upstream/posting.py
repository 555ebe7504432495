"""Sends one post until the upstream answers it, and says what the answer means.

A post without an answer may be stored. It is sent again under the same key, and where the upstream may no longer know
that key, a header says that the post may be a repeat.
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NoReturn

from isal import igzip

from service.domain.answer_rules import LATER_STATUSES, Decision, Verdict, decide
from service.domain.backoff import wait_s
from service.domain.job import UPSTREAM
from service.domain.retry_after import retry_after_s
from service.errors import AddressRefused, UpstreamStopped, UpstreamUnavailable, printable_line
from service.transfer.run_control import RunControl
from service.transfer.run_log import Log
from service.upstream.client import HttpAnswer, HttpClient, RequestFailed, origin_of
from service.upstream.config import Upstream
from service.upstream.credentials import Credentials
from service.upstream.gate import Gate

REPEAT_HEADER = "X-Fluxgate-Repeat"
NOTHING_STORED = LATER_STATUSES | {503}
"""Statuses after which a post is sent again, and is no repeat: the upstream did not begin with it (RFC 9110)."""
MOST_TRIES = 8
LONGEST_WAIT_S = 60.0
"""The longest wait inside a run. An upstream that asks for more ends the run, which is tried again then."""
LONGEST_RETRY_AFTER_S = 3_600.0
_SHORTER = 4
"""Waits are so much shorter than those between runs: half a second at first."""
_GZIP_LEVEL = 1
_MOST_TEXT = 20_000
"""So much of an answer is searched for the text that means busy, and kept."""


@dataclass
class Tally:
    """`posts`: requests that were made. `unknown`: those without an answer that may be stored. Of one thread."""

    posts: int = 0
    unknown: int = 0


@dataclass
class Post:
    """A body with its key. `first_tried_s`: when it may have been stored first (seconds since 1970); None: never.

    `is_announced`: the log says already that it may be a repeat.
    """

    body: bytes
    values: int
    key: str
    content_type: str
    first_tried_s: float | None = None
    is_announced: bool = False

    def may_be_stored(self, since_s: float) -> None:
        """The upstream may have stored it, at the earliest at that time."""
        self.first_tried_s = since_s if self.first_tried_s is None else self.first_tried_s


@dataclass(frozen=True)
class Outcome:
    """The last answer to a post: the verdict is accepted, refused or too_large."""

    verdict: Verdict
    finding: str
    answer: HttpAnswer

    @property
    def text(self) -> str:
        """The beginning of the answer in one line."""
        return printable_line(self.answer.text[:_MOST_TEXT])


def key_of(connector_name: str, start_ns: int, stop_ns: int, body: bytes) -> str:
    """The key of a post: equal for the same connector, window and bytes, in any process."""
    digest = hashlib.blake2b(json.dumps([connector_name, start_ns, stop_ns]).encode(), digest_size=16)
    digest.update(body)
    return digest.hexdigest()


class Poster:
    """Sends posts to one upstream. Threads may share it; `clock` tells seconds since 1970.

    `longest_s`: after it a post is not tried again in this run, so that a silent upstream holds no slot for long.
    """

    def __init__(
        self,
        upstream: Upstream,
        client: HttpClient,
        credentials: Credentials,
        gate: Gate,
        control: RunControl,
        log: Log,
        clock: Callable[[], float],
        chance: Callable[[], float],
        monotonic: Callable[[], float],
        longest_s: float,
    ) -> None:
        self._upstream, self._client, self._credentials, self._gate = upstream, client, credentials, gate
        self._monotonic, self._longest_s = monotonic, longest_s
        self._control, self._log = control, log
        self._clock, self._chance = clock, chance
        self._name = f"The upstream at {origin_of(upstream.url)}"

    def post(self, post: Post, tally: Tally) -> Outcome:
        """Send `post` until it is answered with accepted, refused or too large.

        Raises UpstreamUnavailable, UpstreamStopped, JobInterrupted.
        """
        body = igzip.compress(post.body, _GZIP_LEVEL) if self._upstream.gzip else post.body
        tries, has_renewed, last_try_s = 0, False, self._monotonic() + self._longest_s
        while True:
            self._control.check()
            credentials = self._credentials.headers()
            try:
                answer = self._send(post, body, credentials, tally)
            except RequestFailed as failed:
                tries += 1
                self._wait(tries, last_try_s, failed.finding, failed.detail, None)
                continue
            rules = self._upstream.rules
            decision = decide(rules, answer.status, answer.text[:_MOST_TEXT], answer.document)
            if decision.verdict is Verdict.DENIED and not has_renewed and self._credentials.renew(credentials):
                has_renewed = True
            elif decision.verdict in (Verdict.DENIED, Verdict.STOPPED):
                self._stop(decision, answer)
            elif decision.verdict is Verdict.RETRY:
                tries += 1
                if answer.status not in NOTHING_STORED:
                    post.may_be_stored(self._clock())
                asked_s = retry_after_s(answer.headers.get("retry-after"), self._clock())
                self._wait(tries, last_try_s, decision.finding, answer.text, asked_s)
            else:
                return Outcome(decision.verdict, decision.finding, answer)

    def _send(self, post: Post, body: bytes, credentials: Mapping[str, str], tally: Tally) -> HttpAnswer:
        """One request. Raises RequestFailed, UpstreamStopped, JobInterrupted."""
        with self._gate.passed(post.values):
            headers = {**credentials, **self._headers(post)}
            started_s = self._clock()
            tally.posts += 1
            try:
                return self._client.post(self._credentials.url(self._upstream.url), headers, body)
            except AddressRefused as refused:
                raise UpstreamStopped(refused.message) from None
            except RequestFailed as failed:
                if failed.was_sent:
                    tally.unknown += 1
                    post.may_be_stored(started_s)
                raise

    def _headers(self, post: Post) -> dict[str, str]:
        headers = {"Content-Type": post.content_type, self._upstream.idempotency.header: post.key}
        if self._upstream.gzip:
            headers["Content-Encoding"] = "gzip"
        if self._may_be_repeat(post):
            headers[REPEAT_HEADER] = "possible"
            self._announce(post)
        return headers

    def _announce(self, post: Post) -> None:
        if not post.is_announced:
            post.is_announced = True
            self._log("warning", f"{self._name} may get the {post.values} values of a post twice: {self._why()}.")

    def _may_be_repeat(self, post: Post) -> bool:
        """Whether the post may be stored already, and the upstream does not notice that."""
        idempotency = self._upstream.idempotency
        if post.first_tried_s is None or idempotency.replaces:
            return False
        lifetime_s = idempotency.key_lifetime_s
        is_over = lifetime_s is not None and self._clock() - post.first_tried_s > lifetime_s
        return is_over or not idempotency.declared

    def _why(self) -> str:
        lifetime_s = self._upstream.idempotency.key_lifetime_s
        if lifetime_s is None:
            return "an earlier try may have stored them, and the connector does not declare how repeats are recognized"
        return f"they were first sent longer ago than it remembers keys ({lifetime_s:.0f} s)"

    def _wait(self, tries: int, last_try_s: float, finding: str, text: str, asked_s: float | None) -> None:
        """Wait before the next try. Raises UpstreamUnavailable when there is none in this run."""
        text = printable_line(text[:_MOST_TEXT])
        longest = None if asked_s is None else min(asked_s, LONGEST_RETRY_AFTER_S)
        if asked_s is not None and asked_s > LONGEST_WAIT_S:
            message = f"{self._name} {finding}, and asks to wait {longest:.0f} s."
            raise UpstreamUnavailable(message, retry_after_s=longest, upstream=text)
        if tries >= MOST_TRIES or self._monotonic() >= last_try_s:
            message = f"{self._name} {finding}, {tries} times in a row."
            raise UpstreamUnavailable(message, retry_after_s=longest, upstream=text)
        pause_s = wait_s(tries, self._chance()) / _SHORTER if asked_s is None else asked_s
        self._log("warning", f"{self._name} {finding}. Trying again in {pause_s:.1f} s.")
        if text:
            self._log(UPSTREAM, text)
        if asked_s is not None:
            self._gate.close_for(asked_s)
        self._control.sleep(pause_s)

    def _stop(self, decision: Decision, answer: HttpAnswer) -> NoReturn:
        message = f"{self._name} {decision.finding}. {_advice(answer.status)}"
        raise UpstreamStopped(message, upstream=answer.text[:_MOST_TEXT])


def _advice(status: int) -> str:
    if status in (401, 403):
        auth = "auth of the connector's upstream (POST_DATA_API_KEY of `default`)"
        return f"Check the credentials in {auth}, and what they allow."
    if status in (404, 405):
        return "Check url of the connector's upstream (POST_DATA_ENDPOINT of `default`), and that it takes POST."
    if 300 <= status < 400:
        return "Name the address that it leads to as url of the connector's upstream."
    return "Read its answer, and say in accept, retry_on, drop_on or stop_on what it means."
