"""Whether the tests that failed in the last run may be tried once more: only those that tests/retries.toml lists.

`python -m tests.support.retries` exits with 0 when every failed test is listed, and prints the reason of each.
Else it names those that are not.
"""

import json
import sys
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path

ROOT = Path(__file__).parents[2]
LIST = ROOT / "tests" / "retries.toml"
LAST_FAILED = ROOT / ".pytest_cache" / "v" / "cache" / "lastfailed"


def reasons() -> dict[str, str]:
    """The reason and day of each listed test, by its name without parameters."""
    return {
        test["name"]: f"{test['reason']} (listed {test['since']})" for test in tomllib.loads(LIST.read_text())["test"]
    }


def unlisted(failed: Iterable[str], listed: Mapping[str, str]) -> list[str]:
    """The failed tests that may not be tried again; parameters of a test do not count."""
    return sorted(test for test in failed if test.partition("[")[0] not in listed)


def main() -> int:
    failed = list(json.loads(LAST_FAILED.read_text())) if LAST_FAILED.is_file() else []
    listed = reasons()
    final = unlisted(failed, listed)
    for test in final:
        print(f"not to be tried again: {test}")
    for test in sorted(set(failed) - set(final)):
        print(f"to be tried once more: {test}\n  {listed[test.partition('[')[0]]}")
    return 1 if final or not failed else 0


if __name__ == "__main__":
    sys.exit(main())
