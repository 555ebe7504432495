"""Lines are found without being parsed, and exactly where the parser finds them."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from service.lineprotocol.line_ends import line_starts, line_times
from service.lineprotocol.single_line import line_end, skip_blanks

SNIPPETS = ["m", ",t=a", " f=1", ' f="x', '"', "\\", "\n", " 12", "#", '\\"', ",", "=", "\r\n", " -5", 'g="a\nb"']


def by_hand(text: bytes) -> list[int]:
    starts, position = [0], 0
    while position < len(text):
        end = line_end(text, skip_blanks(text, position))
        if end >= len(text):
            break
        position = end + 1
        starts.append(position)
    return starts


@given(st.lists(st.sampled_from(SNIPPETS), max_size=30).map("".join))
def test_lines_begin_where_the_parser_lets_them_begin(text: str) -> None:
    assert line_starts(text.encode()).tolist() == by_hand(text.encode())


def test_a_line_feed_in_a_string_ends_no_line_and_one_behind_a_comment_does() -> None:
    text = b'm f="a\nb" 1\n# "\nm f=2 2\nm f="unfinished\n'
    assert line_starts(text).tolist() == [0, 12, 16, 24]


def test_the_time_of_a_line_is_the_number_behind_its_last_space() -> None:
    lines = ["m f=1 12", "m f=1 -7", "m f=1", "# 5", "", "m f=1i 3\r", "m f=1 9223372036854775807", "m f=1 12 ", "12"]
    text = "".join(f"{line}\n" for line in lines).encode()
    times, suspects = line_times(text, line_starts(text))
    assert suspects.tolist() == [2, 4, 7, 8]
    assert np.delete(times, suspects).tolist() == [12, -7, 5, 3, 9223372036854775807]
