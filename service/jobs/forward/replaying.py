"""Sends dead letters again, and removes those that the upstream accepts now.

A letter is removed only after the acceptance. A process that dies in between sends it again, under the same key.
"""

from collections.abc import Sequence

from service.domain.job import Json
from service.domain.timerange import LATEST_NS, TimeRange, floor_to
from service.jobs.forward.counts import Counts
from service.jobs.forward.dead_letter_table import StoredLetter, fingerprint
from service.jobs.forward.letter_frames import frame_of, frames_of
from service.jobs.forward.run import ForwardRun
from service.upstream.protocol import Batch

_PLACE = "after_number"
_PAGE = 500


def run_replay(run: ForwardRun) -> Json:
    """Send every dead letter once. Raises ConfigurationChanged, Yielded, and what the sink raises."""
    letters, name = run.bookmarks.letters, run.connector.name
    after, total = int(run.context.checkpoint.get(_PLACE, 0)), letters.totals(name).count
    removed = int(run.context.checkpoint.get("removed", 0))
    while page := letters.page(name, after, _PAGE):
        for group in _by_window(page, run.connector.window_ns):
            run.check(**{_PLACE: after, "removed": removed})
            removed += _send(run, group)
        after = page[-1].number
        run.save(**{_PLACE: after, "removed": removed})
        run.context.progress(run.counts.read, total, "dead letters")
        run.make_way(**{_PLACE: after, "removed": removed})
    position = run.bookmarks.get(name).position
    return run.result("sent", position, removed=removed, left=letters.totals(name).count)


def _by_window(page: Sequence[StoredLetter], window_ns: int) -> list[list[StoredLetter]]:
    """The letters of each window, in the order of time. What is no value is left out."""
    groups: dict[int, list[StoredLetter]] = {}
    for stored in page:
        if frame_of(stored.letter) is not None:
            groups.setdefault(floor_to(stored.letter["time_ns"], window_ns), []).append(stored)
    return [groups[start_ns] for start_ns in sorted(groups)]


def _send(run: ForwardRun, group: Sequence[StoredLetter]) -> int:
    """Send the letters of a window, and remove those that were accepted. Returns how many those are."""
    start_ns = floor_to(group[0].letter["time_ns"], run.connector.window_ns)
    window = TimeRange(start_ns, min(start_ns + run.connector.window_ns, LATEST_NS + 1))
    delivered = run.delivery.deliver(Batch(window, 0, tuple(frames_of(stored.letter for stored in group))))
    refused = {fingerprint(letter) for letter in delivered.dead_letters}
    accepted = [stored.number for stored in group if fingerprint(stored.letter) not in refused]
    run.counts += Counts.of_delivery(len(group), delivered)
    run.bookmarks.count(run.connector.name, Counts(0, len(accepted), 0, delivered.posts, delivered.unknown))
    run.bookmarks.letters.remove(run.connector.name, accepted)
    return len(accepted)
