"""All keys at hand: read at most once a second, and a list that could not be read is not taken for an empty one."""

import pytest

from service.errors import NotReady
from service.state.key_list import KeyList


class Database:
    """Gives one key, or fails; counts how often it is asked."""

    def __init__(self) -> None:
        self.asked = 0
        self.is_away = False

    def __call__(self) -> dict[bytes, str]:
        self.asked += 1
        if self.is_away:
            raise NotReady("The state database is away.", 2.0)
        return {b"hash": "owner"}


def test_a_list_that_could_not_be_read_is_no_answer_for_a_second_and_is_asked_for_once() -> None:
    """The second question used to be told that there is no such key."""
    now, database = [100.0], Database()
    keys = KeyList(database, lambda: now[0])
    database.is_away = True
    for _ in range(3):
        with pytest.raises(NotReady, match="away"):
            keys.find(b"hash")
    assert database.asked == 1
    database.is_away = False
    now[0] += 1.0
    assert keys.find(b"hash") == "owner"
    assert keys.find(b"other") is None
    assert database.asked == 2
