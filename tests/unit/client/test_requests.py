"""Requests of the client: every name goes out exactly, or nothing does."""

import datetime as dt
from urllib.parse import parse_qsl, unquote

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fluxgate_client import InvalidRequest, requests
from fluxgate_client.requests import Request, have_times, segment

TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)


@pytest.mark.parametrize("name", ["", ".", ".."])
def test_a_name_that_would_lead_to_another_route_is_refused(name: str) -> None:
    """`..` gave the answer of `GET /`, which was saved as data."""
    with pytest.raises(InvalidRequest, match="another route"):
        requests.read(name, {})
    with pytest.raises(InvalidRequest, match="another route"):
        requests.write(name, "m f=1 1", "ns", partial=False)


@given(TEXT.filter(lambda name: name not in (".", "..")))
def test_a_name_is_one_part_of_the_path_and_comes_back(name: str) -> None:
    url = httpx.URL("http://host/base").join(f"/base/buckets/{segment(name)}/schema")
    sent = url.raw_path.decode()
    assert sent.startswith("/base/buckets/") and sent.endswith("/schema")
    assert unquote(sent.removeprefix("/base/buckets/").removesuffix("/schema")) == name


@given(st.lists(st.tuples(TEXT, st.text(st.characters(exclude_categories=["Cs"])))))
def test_parameters_come_back(pairs: list[tuple[str, str]]) -> None:
    target = Request("GET", "/buckets", pairs).target
    query = httpx.URL(f"http://host{target}").query.decode()
    assert parse_qsl(query, keep_blank_values=True, max_num_fields=1000) == pairs


def test_options_of_a_read_become_parameters_in_a_fixed_order() -> None:
    tags = {"site": "A", "x y": ("1", "2")}
    read = requests.read("Lab 1", {"limit": 3, "stop": "2026-01-01", "field": ["a"], "tags": tags})
    path, _, query = read.request("csv").target.partition("?")
    assert path == "/buckets/Lab%201"
    assert query == "stop=2026-01-01&limit=3&field=a&tag.site=A&tag.x%20y=1&tag.x%20y=2&format=csv"


def test_options_of_a_picture_are_sent_as_the_gateway_says_them() -> None:
    look: requests.ReadOptions = {"width": 800, "height": 300, "theme": "dark", "title": False, "legend": True}
    _, _, query = requests.read("b", look).request("svg").target.partition("?")
    assert query == "width=800&height=300&theme=dark&title=false&legend=true&format=svg"


def test_an_aware_time_is_sent_with_its_offset() -> None:
    read = requests.read("b", {"start": dt.datetime(2026, 1, 1, tzinfo=dt.UTC)})
    assert read.parameters == (("start", "2026-01-01T00:00:00+00:00"),)


def test_names_of_a_filter_may_come_from_a_generator_and_are_asked_twice() -> None:
    read = requests.read("b", {"field": (name for name in ("a", "b"))})
    assert read.request("csv").target == read.request("csv").target == "/buckets/b?field=a&field=b&format=csv"


@pytest.mark.parametrize("options", [{"start": dt.datetime(2026, 1, 1)}, {"window_size": "1d"}, {"field": "\ud800"}])
def test_what_cannot_be_sent_exactly_is_refused(options: requests.ReadOptions) -> None:
    with pytest.raises(InvalidRequest):
        requests.read("b", options).request("csv")
    assert issubclass(InvalidRequest, ValueError)


@pytest.mark.parametrize("lines", [b"m f=1 1", b"m f=1i -5\nm f=2 6\r\n\n", b'm f="a b=3" 1', b""])
def test_lines_with_times_may_be_sent_twice(lines: bytes) -> None:
    assert have_times(lines)


@pytest.mark.parametrize(
    "lines",
    [
        b"m f=1",
        b"m f=1 1\nm f=2",
        b'm f="a 12"',
        b"m a\\ 12=3",
        b'm f="a 12\n#b"',
        b'm f="a 12\n\n"',
        b"# a comment\nm f=1 1",
        b"m f=1 1\n  # x",
    ],
)
def test_lines_without_times_and_those_hard_to_judge_may_not(lines: bytes) -> None:
    """Each arrival of a line without a time is another point."""
    assert not have_times(lines)


def test_options_of_the_latest_telemetry_become_parameters() -> None:
    request = requests.latest({"missing": "omit", "by": "device name", "bucket": ["a", "b"], "lookback": None})
    assert request.target == "/telemetry/latest?bucket=a&bucket=b&by=device%20name&missing=omit"
    with pytest.raises(InvalidRequest, match="no option bye"):
        requests.latest({"bye": "x"})  # type: ignore[typeddict-unknown-key]
