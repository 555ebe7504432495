"""Delivers one batch: its posts, the halves of refused posts, and letters for what the upstream does not take."""

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from service.domain.answer_rules import Verdict
from service.domain.bisection import ENOUGH_VALUES, AllRefused, Bisection, Cause, GivenUp, Part
from service.domain.item_errors import ItemError, WrongItems, item_errors
from service.errors import UpstreamStopped
from service.transfer.dead_letters import DeadLetter
from service.upstream.client import origin_of
from service.upstream.config import Upstream
from service.upstream.document import Document
from service.upstream.posting import Outcome, Post, Poster, Tally, key_of
from service.upstream.protocol import Batch


class BodyBound:
    """The most bytes of a body: those of the configuration, and fewer once the upstream answered 413 to so many.

    A body that is larger is halved as if it had been answered with 413, so posts and their keys are the same whether
    the bound is known or not. Threads may share it.
    """

    def __init__(self, most_bytes: int) -> None:
        self.most_bytes = most_bytes
        self._lock = threading.Lock()

    def lower(self, refused_bytes: int) -> None:
        """So many bytes are too many."""
        with self._lock:
            self.most_bytes = min(self.most_bytes, refused_bytes - 1)


@dataclass(frozen=True)
class _Evidence:
    """Why items are given up. `outcome` None: nothing was posted."""

    reason: str
    outcome: Outcome | None = None

    @property
    def members(self) -> Mapping[str, object]:
        """What a dead letter says of the answer."""
        if self.outcome is None:
            return {}
        return {"status": self.outcome.answer.status, "upstream": self.outcome.text}


class Delivery:
    """The delivery of one batch, in one thread. `accepted`: values that the upstream has."""

    def __init__(
        self,
        upstream: Upstream,
        poster: Poster,
        bound: BodyBound,
        batch: Batch,
        document: Document,
        first_tried_s: float | None,
    ) -> None:
        self._upstream, self._poster, self._bound = upstream, poster, bound
        self._batch, self._document, self._first_tried_s = batch, document, first_tried_s
        self._bisection: Bisection[_Evidence] = Bisection(range(len(document)), document.sensors_of)
        self._last: Outcome | None = None
        self._named_letters: list[DeadLetter] = []
        self.accepted = 0
        self.tally = Tally()

    def run(self) -> list[DeadLetter]:
        """Post everything, and return letters for what the upstream does not take.

        Raises UpstreamUnavailable, UpstreamStopped, JobInterrupted.
        """
        try:
            while (part := self._bisection.next()) is not None:
                self._post(part)
        except AllRefused as refused:
            raise self._all_refused(refused) from None
        if not self.accepted and len(self._named_letters) >= ENOUGH_VALUES:
            raise self._all_refused(AllRefused(self._bisection.refusals, is_everything=True))
        letters = [letter for given_up in self._bisection.given_up for letter in self._letters(given_up)]
        return [*letters, *self._named_letters]

    def _post(self, part: Part) -> None:
        body, window = self._document.body(part), self._batch.window
        if len(body) > self._bound.most_bytes:
            reason = f"A body with nothing else has {len(body)} bytes, more than the upstream takes."
            self._bisection.split(_Evidence(reason))
            return
        values = self._document.values(part)
        key = key_of(self._upstream.connector_name, window.start_ns, window.stop_ns, body)
        post = Post(body, values, key, self._document.content_type, self._first_tried_s)
        outcome = self._last = self._poster.post(post, self.tally)
        if outcome.verdict is Verdict.TOO_LARGE:
            self._bound.lower(len(body))
            self._bisection.split(_Evidence("The upstream takes no body of this size.", outcome))
            return
        rest = self._without_named(part, outcome)
        if outcome.verdict is Verdict.ACCEPTED:
            self.accepted += self._document.values(rest) if rest else 0
            self._bisection.accept()
        elif len(rest) < len(part):
            self._bisection.replace(rest)
        else:
            self._bisection.refuse(_Evidence(f"The upstream {outcome.finding}.", outcome))

    def _without_named(self, part: Part, outcome: Outcome) -> Part:
        """The items of the part that the answer does not name as wrong. Letters are made of the others."""
        rule = self._upstream.rules.items
        if rule is None:
            return part
        try:
            named = self._named(part, item_errors(rule, outcome.answer.document))
        except WrongItems as wrong:
            finding = f"The upstream at {origin_of(self._upstream.url)} {wrong}."
            advice = "Check accept.items of the connector's upstream."
            raise UpstreamStopped(f"{finding} {advice}", upstream=outcome.answer.text) from None
        if not named:
            return part
        items_of_text: dict[str, list[int]] = {}
        for item, text in named.items():
            items_of_text.setdefault(text, []).append(item)
        reason = "The upstream names this value as wrong."
        for text, items in items_of_text.items():
            members = {"status": outcome.answer.status, "upstream": text}
            self._named_letters += self._document.dead_letters(items, Cause.REFUSED.value, reason, **members)
        return [item for item in part if item not in named]

    def _named(self, part: Part, errors: Sequence[ItemError]) -> dict[int, str]:
        """The items that the errors name, with the text of each. Raises WrongItems."""
        places = self._document.places(part) if errors else None
        named: dict[int, str] = {}
        for error in errors:
            if error.sensor is not None:
                positions = self._document.named(part, error.sensor, error.timestamp)
            else:
                positions = np.flatnonzero(places == error.index)
            if not len(positions):
                raise WrongItems("names a value in its list of errors that is not in the post")
            named.update((part[position], error.reason) for position in positions.tolist())
        return named

    def _letters(self, given_up: GivenUp[_Evidence]) -> list[DeadLetter]:
        evidence = given_up.evidence
        reason = evidence.reason
        if given_up.cause is Cause.SENSOR_REFUSED:
            reason = f"{reason} It was refused with its sensor, of which nothing is accepted."
        return self._document.dead_letters(given_up.part, given_up.cause.value, reason, **evidence.members)

    def _all_refused(self, refused: AllRefused) -> UpstreamStopped:
        name, last = f"The upstream at {origin_of(self._upstream.url)}", self._last
        extent = "all values of a batch" if refused.is_everything else "too many values of a batch"
        answered = f", and {last.finding} at last" if last is not None else ""
        advice = "Nothing is given up. Read its answer, and change payload, sensor, max_bytes or drop_on, or the data."
        text = "" if last is None else last.answer.text
        return UpstreamStopped(
            f"{name} refuses {extent} in {refused.refusals} posts{answered}. {advice}", upstream=text
        )
