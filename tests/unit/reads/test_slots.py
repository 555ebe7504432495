"""The slots of reads: all of them, and the share of one key."""

import pytest

from service.errors import TooManyReads
from service.reads.slots import Slots


@pytest.mark.parametrize(("most", "of_key"), [(1, 1), (2, 2), (3, 3), (4, 3), (8, 6), (16, 12)])
def test_one_key_leaves_a_quarter_of_the_reads_to_others(most: int, of_key: int) -> None:
    slots = Slots(most)
    given = [slots.take("a") for _ in range(of_key)]
    with pytest.raises(TooManyReads, match="This key has .* its share" if of_key < most else f"All {most} reads"):
        slots.take("a")
    given += [slots.take("b") for _ in range(most - of_key)]
    with pytest.raises(TooManyReads, match=f"All {most} reads of this gateway"):
        slots.take("c")
    for give_back in given:
        give_back()
        give_back()
    assert slots.taken == 0


def test_a_slot_that_comes_back_is_there_for_the_same_key_again() -> None:
    slots = Slots(4)
    give_back, _, _ = (slots.take("a") for _ in range(3))
    give_back()
    slots.take("a")
    with pytest.raises(TooManyReads, match="This key has 3 reads under way, its share of the 4"):
        slots.take("a")
