"""Which failed tests CI may try again: those of the list, under their whole names, and none else."""

import datetime as dt
import tomllib

from tests.support.retries import LIST, ROOT, reasons, unlisted


def test_only_listed_tests_may_be_tried_again() -> None:
    listed = {"tests/a.py::test_one": "slow server"}
    assert unlisted(["tests/a.py::test_one", "tests/a.py::test_one[influx]"], listed) == []
    assert unlisted(["tests/a.py::test_one_more", "tests/b.py::test_one"], listed) == [
        "tests/a.py::test_one_more",
        "tests/b.py::test_one",
    ]


def test_every_listed_test_exists_and_says_why_and_since_when() -> None:
    for name in reasons():
        file, _, test = name.partition("::")
        assert f"def {test}(" in (ROOT / file).read_text()
    for test in tomllib.loads(LIST.read_text())["test"]:
        assert len(test["reason"]) > 40
        assert isinstance(test["since"], dt.date)
