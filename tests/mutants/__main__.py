"""Makes random changes to files of `service`, and counts those that the tests of the file notice.

    make mutants                                                   60 changes of each group
    make mutants ARGS="--group cache --sample 100"                 of one group
    make mutants ARGS="--files domain/windows.py --all"            every change of a file
    make mutants ARGS="--seed 7 --sample 40 --files domain/windows.py"    the same changes again

The exit code is 1 when a group has less than 95% noticed.
"""

import argparse
import difflib
import random
import signal
import sys
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from tests.mutants.changes import Change, changes_of
from tests.mutants.table import Source, equivalents, sources
from tests.mutants.trials import Copy, copy_of

ROOT = Path(__file__).parents[2]
WANTED = 0.95
_BASELINE_S = 600.0


@dataclass
class Count:
    """How many changes were noticed, of how many that were tried."""

    noticed: int = 0
    tried: int = 0


def main() -> int:
    options = _options()
    chosen = [source for source in sources() if _is_chosen(source, options)]
    if not chosen:
        print("No file of tests/mutants/groups.toml has that name or group.")
        return 2
    seed = random.SystemRandom().randrange(10_000) if options.seed is None else options.seed
    print(f"seed {seed}", flush=True)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    counts: dict[Source, Count] = {}
    with copy_of(ROOT) as copy:
        sample = _sampled(copy, chosen, seed, None if options.all else options.sample)
        try:
            for source, changes in sample.items():
                if changes:
                    counts[source] = Count()
                    _try(copy, source, changes, counts[source])
        except KeyboardInterrupt:
            print("\nInterrupted: what follows is about the changes that were tried.")
    return _summary(counts)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="make mutants", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--seed", type=int, help="which changes are taken; without it, other ones each time")
    parser.add_argument("--sample", type=int, default=60, help="so many changes of each group (default: 60)")
    parser.add_argument("--all", action="store_true", help="every change")
    parser.add_argument("--group", nargs="+", default=[], help="only these groups of tests/mutants/groups.toml")
    parser.add_argument("--files", nargs="+", default=[], help="only these files, as `domain/windows.py`")
    return parser.parse_args()


def _is_chosen(source: Source, options: argparse.Namespace) -> bool:
    if options.files:
        return any(source.path == f"service/{name.removeprefix('service/')}" for name in options.files)
    return not options.group or source.group in options.group


def _sampled(copy: Copy, chosen: list[Source], seed: int, size: int | None) -> dict[Source, list[Change]]:
    """`size` changes of each group, spread over its files by chance; equivalent ones are none."""
    equivalent = equivalents()
    of_group: defaultdict[str, list[tuple[Source, Change]]] = defaultdict(list)
    for source in chosen:
        text = copy.text(source.path)
        changes = changes_of(text)
        for line, becomes in equivalent.unmatched(source.path, changes, text):
            print(f"equivalent.toml: {source.path} has no change any more of `{line}` to `{becomes}`: remove it")
        countable = [change for change in changes if not equivalent.has(source.path, change, text)]
        of_group[source.group] += [(source, change) for change in countable]
    taken: defaultdict[Source, list[Change]] = defaultdict(list)
    for group, pairs in of_group.items():
        picked = pairs if size is None else random.Random(f"{seed} {group}").sample(pairs, min(size, len(pairs)))
        for source, change in picked:
            taken[source].append(change)
    return {source: sorted(taken[source], key=lambda change: change.start) for source in chosen}


def _try(copy: Copy, source: Source, changes: list[Change], count: Count) -> None:
    """Count which changes of a file are noticed. Prints those that are not."""
    baseline = copy.trial(source.tests, _BASELINE_S)
    if baseline.noticed:
        sys.exit(f"The tests of {source.path} fail without any change:\n{baseline.output[-3000:]}")
    text = copy.text(source.path)
    for change in changes:
        outcome = copy.trial(source.tests, 3 * baseline.seconds + 5, (source.path, change))
        count.tried += 1
        count.noticed += outcome.noticed
        if not outcome.noticed:
            print(f"\nnot noticed: {source.path}:{change.line}\n{_diff(source.path, text, change)}", flush=True)
    print(f"{source.path}: {count.noticed} of {count.tried} ({baseline.seconds:.1f} s a trial)", flush=True)


def _diff(path: str, text: str, change: Change) -> str:
    old, new = text.splitlines(), change.applied_to(text).splitlines()
    return "\n".join([*difflib.unified_diff(old, new, path, path, n=1, lineterm="")][2:])


def _summary(counts: dict[Source, Count]) -> int:
    groups: defaultdict[str, Count] = defaultdict(Count)
    for source, count in counts.items():
        groups[source.group].noticed += count.noticed
        groups[source.group].tried += count.tried
    print()
    for group, count in groups.items():
        share = f" ({count.noticed / count.tried:.1%})" if count.tried else ""
        print(f"{group}: {count.noticed} of {count.tried} noticed{share}")
    return 0 if all(count.noticed >= WANTED * count.tried for count in groups.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
