"""Limits how many reads run at one time in this process, and for one key. Others get TooManyReads."""

import threading
from collections.abc import Callable

from service.errors import TooManyReads
from service.frames.frame import Reading
from service.shares import Full, Reserve, Shares, share_of_key

_RETRY_AFTER_S = 1.0


class Slots:
    """At most `most` reads at a time. Thread-safe."""

    def __init__(self, most: int) -> None:
        self._shares = Shares(most, share_of_key(most, Reserve.QUARTER))

    @property
    def taken(self) -> int:
        """How many reads run now."""
        return self._shares.taken

    def take(self, key_id: str) -> Callable[[], None]:
        """Take a slot for a key; the result gives it back (once, however often it is called). Raises TooManyReads."""
        full = self._shares.take(key_id)
        if full is not None:
            raise self._refusal(full)
        lock, given_back = threading.Lock(), False

        def give_back() -> None:
            nonlocal given_back
            with lock:
                due, given_back = not given_back, True
            if due:
                self._shares.give_back(key_id)

        return give_back

    def begin(
        self, key_id: str, read: Callable[[], Reading], ended: Callable[[], object]
    ) -> tuple[Reading, Callable[[], None]]:
        """Begin a read in a slot of a key. The second part of the result ends it: the query, the slot, then `ended`.

        Raises TooManyReads, and what `read` raises.
        """
        give_back = self.take(key_id)
        try:
            reading = read()
        except BaseException:
            give_back()
            raise

        def end() -> None:
            reading.cancel()
            give_back()
            ended()

        return reading, end

    def _refusal(self, full: Full) -> TooManyReads:
        most, of_key = self._shares.most, self._shares.of_key
        if full is Full.ALL:
            message = f"All {most} reads of this gateway (MAX_READS) are under way. Ask again in a moment."
        else:
            message = f"This key has {of_key} reads under way, its share of the {most} of this gateway (MAX_READS)."
            message += " Ask again when one has ended."
        return TooManyReads(message, _RETRY_AFTER_S)
