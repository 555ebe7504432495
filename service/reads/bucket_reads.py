"""Reading a bucket: a kept answer, one that somebody else is waiting for already, or a new one.

A new one takes a slot of the key that asked first, asks the store, and encodes its frames; others may join it.
Nothing in this file knows of HTTP: routes, and whoever reads without a socket, call the same two methods.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from service.cache.answers import AnswerCache, CancelToken, Served
from service.cache.single_flight import Produced
from service.domain.selection import ReadPlan, plan_read
from service.encoding.encoders import encode
from service.reads.drawing import Drawing
from service.reads.empty_answers import explained
from service.reads.facts import NameList, ReadFacts
from service.reads.limits import ReadLimits
from service.reads.origins import told
from service.reads.pictures import picture_of
from service.reads.question import Question
from service.reads.slots import Slots
from service.reads.streams import UNOBSERVED, ReadObserver, measured
from service.stores.protocol import Store


@dataclass(frozen=True)
class ReadAnswer:
    """The answer to `question`. The bytes are `served.chunks`; whoever takes them calls `served.close` at the end."""

    question: Question
    facts: ReadFacts
    served: Served


class BucketReads:
    """May be used from many threads. `uncached`: the store that answers who wants nothing kept; absent: `store`."""

    def __init__(
        self,
        store: Store,
        answers: AnswerCache,
        slots: Slots,
        limits: ReadLimits,
        observer: ReadObserver = UNOBSERVED,
        uncached: Store | None = None,
    ) -> None:
        self._store = store
        self._uncached = uncached or store
        self._answers = answers
        self._slots = slots
        self.limits = limits
        self._observer = observer

    def cached(self, question: Question, fresh: bool = False) -> ReadAnswer | None:
        """The kept answer, when looking for it costs no wait; else None."""
        served = self.kept(question, fresh)
        return None if served is None else _answer(question, served)

    def kept(self, question: Question, fresh: bool = False) -> Served | None:
        """As `cached`, with the facts still as the texts that the cache keeps."""
        return self._answers.cached(*self._kept_as(question), fresh)

    def read(
        self,
        question: Question,
        key_id: str,
        fresh: bool = False,
        cancel_token: CancelToken | None = None,
    ) -> ReadAnswer:
        """The answer, once its first bytes are there. `fresh` does not look in the cache.

        `cancel_token` ends the waiting when the reader leaves.

        Raises: TooManyReads, and what the store raises before the first bytes. What fails later, the chunks raise.
        """
        produce = partial(self._produce, question, key_id, self._uncached if fresh else self._store)
        stale_s = self.limits.cache_stale_s
        served = self._answers.serve(*self._kept_as(question), produce, fresh, cancel_token, stale_s)
        return _answer(question, served)

    def facts(self, question: Question, key_id: str) -> ReadFacts:
        """What an answer would say of itself, out of the bucket's schema: no point is read.

        Raises: TooManyReads, and what the store raises.
        """
        give_back = self._slots.take(key_id)
        try:
            schema = self._store.schema(question.selection.bucket)
        finally:
            give_back()
        return self._facts(question, plan_read(question.selection, schema))

    def _facts(self, question: Question, plan: ReadPlan) -> ReadFacts:
        names = [(field.measurement, field.field) for field in plan.skipped]
        skipped = NameList.of(names if question.picture is None else dict.fromkeys([*names, *_without_numbers(plan)]))
        return ReadFacts(question.selection.span, self._store.name, skipped, NameList.of_unknown(plan.unknown))

    def _kept_as(self, question: Question) -> tuple[str, Sequence[str], float]:
        """How the cache knows an answer: its name (which database, which question), its buckets, and for how long."""
        name = f"{self.limits.store_identity}\0bucket read\0{question.key}"
        return name, [question.selection.bucket], self.limits.kept_s(question)

    def _produce(self, question: Question, key_id: str, store: Store) -> Produced:
        """Begin a read in a slot of the key. Raises TooManyReads, and what the store raises."""
        reading, end = self._slots.begin(key_id, lambda: store.read(question.selection), self._observer.ended)
        facts = self._facts(question, reading.plan)
        texts = facts.texts()
        blocks = measured(told(reading, texts), self.limits.timeout_s, self._observer)
        blocks = explained(blocks, self._store, question.selection, facts, texts)
        if question.picture is not None:
            drawing = Drawing(end)
            picture = picture_of(blocks, question, question.picture, texts, self._observer.drawn, drawing)
            return Produced(texts, picture, drawing.cancel)
        return Produced(texts, encode(blocks, reading.plan, question.layout, question.limit), end)


def _without_numbers(plan: ReadPlan) -> Iterator[tuple[str, str]]:
    """The fields that have texts or booleans in an answer, after their measurements."""
    for measurement in plan.measurements:
        for field in measurement.fields:
            if not all(field_type.numeric for field_type in field.output):
                yield measurement.name, field.name


def _answer(question: Question, served: Served) -> ReadAnswer:
    return ReadAnswer(question, ReadFacts.from_texts(served.headers), served)
