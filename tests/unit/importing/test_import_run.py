"""An import keeps its place behind what was acknowledged, waits for a busy gateway, and names every refused line."""

import gzip
import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from fluxgate_client.errors import GatewayUnreachable, NotFound
from fluxgate_client.retries import Retry
from fluxgate_client.transport import Transport
from service.fileformats.lines import line_pieces
from service.fileformats.pieces import Piece, Position
from service.importing.dry_run import Summary
from service.importing.posts import Poster
from service.importing.rejects import Rejects
from service.importing.run import ImportRun
from service.importing.state import Progress, StateFile, state_file
from service.lineprotocol.parser import parse_lines
from tests.support.imported import source_of

LINES = "".join(f"m,host=h{number % 3} f={number} {number}\n" for number in range(300))
Answer = Callable[[httpx.Request], httpx.Response]


class WriteRoute:
    """The write route of a gateway, in memory: it parses as the gateway does, and names at most `most_named` lines."""

    def __init__(self, most_named: int = 1_000) -> None:
        self.stored: list[bytes] = []
        self.first: list[Answer] = []
        """Answers that come before those of the route."""
        self._most_named = most_named
        self._lock = threading.Lock()

    def __call__(self, request: httpx.Request) -> httpx.Response:
        with self._lock:
            if self.first:
                return self.first.pop(0)(request)
            body = request.content
            if request.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            parsed = parse_lines(body, dict(request.url.params)["precision"], 0)
            if parsed.points.text:
                self.stored.append(parsed.points.text)
            bad = [{"line": line.line, "reason": f"{line.reason}: {line.text}"} for line in parsed.bad]
            answer = {"stored": len(parsed.points), "bad": bad[: self._most_named], "bad_count": parsed.bad_count}
            return httpx.Response(200, json={**answer, "refused": [], "refused_count": 0})

    @property
    def lines(self) -> list[bytes]:
        return b"".join(self.stored).splitlines()


@pytest.fixture
def route() -> WriteRoute:
    return WriteRoute()


@pytest.fixture
def slept() -> list[float]:
    return []


def poster_of(route: WriteRoute, slept: list[float], patience_s: float = 60.0, pack: bool = False) -> Poster:
    transport = Transport("http://gateway", None, retry=Retry(tries=1), http_transport=httpx.MockTransport(route))
    return Poster(
        transport, "B", "ns", patience_s, pack, clock=lambda: sum(slept), sleep=lambda seconds: slept.append(seconds)
    )


def run_of(poster: Poster, folder: Path, progress: Progress | None = None, state: StateFile | None = None) -> ImportRun:
    done = progress or Progress(0)
    rejects = Rejects(folder / "file.rejects", done.rejects_bytes)
    return ImportRun(poster, done, state or StateFile(folder / "state.json"), rejects)


def pieces_of(text: str, position: Position | None = None) -> Iterator[Piece]:
    return line_pieces(source_of(text.encode()), position or Position(), "ns", 0, 1_000)


@pytest.mark.parametrize("pack", [False, True])
def test_every_line_is_sent_in_order(route: WriteRoute, slept: list[float], tmp_path: Path, pack: bool) -> None:
    run = run_of(poster_of(route, slept, pack=pack), tmp_path)
    run.send(pieces_of(LINES))
    assert sorted(route.lines) == sorted(LINES.encode().splitlines())
    assert (run.progress.stored, run.progress.rejected, run.progress.position.line) == (300, 0, 301)
    assert not (tmp_path / "file.rejects").exists()


def test_values_of_one_point_are_never_under_way_together(slept: list[float], tmp_path: Path) -> None:
    route = WriteRoute()
    text = "".join(f'm f={number},text="{"x" * 40}" 7\n' for number in range(200))
    run_of(poster_of(route, slept), tmp_path).send(pieces_of(text))
    assert [line.split(b",")[0] for line in route.lines] == [b"m f=%d" % number for number in range(200)]


def test_a_busy_gateway_and_one_that_is_away_are_waited_for(
    route: WriteRoute, slept: list[float], tmp_path: Path
) -> None:
    def away(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused", request=request)

    busy = httpx.Response(429, headers={"Retry-After": "7"}, json={"code": "too_many_writes", "detail": "wait"})
    route.first = [lambda _: busy, away, away, lambda _: httpx.Response(503, json={"code": "not_ready", "detail": ""})]
    run = run_of(poster_of(route, slept), tmp_path)
    run.send(pieces_of("m f=1 1\n"))
    assert slept == [7.0, 1.0, 2.0, 4.0]
    assert run.progress.stored == 1


def test_a_gateway_that_stays_away_ends_the_import_at_what_it_acknowledged(
    route: WriteRoute, slept: list[float], tmp_path: Path
) -> None:
    def away(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused", request=request)

    route.first = [_passed(route), _passed(route), *[away] * 100]
    run = run_of(poster_of(route, slept, patience_s=20), tmp_path)
    with pytest.raises(GatewayUnreachable, match=r"within 20 s \(--patience\)"):
        run.send(pieces_of(LINES))
    state = StateFile(tmp_path / "state.json").load()
    assert state is not None
    assert state.stored == run.progress.stored > 0
    rest = run_of(poster_of(again := WriteRoute(), []), tmp_path, state)
    rest.send(pieces_of(LINES, state.position))
    assert {*route.lines, *again.lines} == set(LINES.encode().splitlines())
    assert rest.progress.stored == 300
    assert len(again.lines) == 300 - state.stored


def _passed(route: WriteRoute) -> Answer:
    """An answer of the route itself, for the front of `first`."""

    def answer(request: httpx.Request) -> httpx.Response:
        points = parse_lines(request.content, "ns", 0).points
        route.stored.append(points.text)
        counts = {"stored": len(points), "bad": [], "bad_count": 0, "refused": [], "refused_count": 0}
        return httpx.Response(200, json=counts)

    return answer


def test_an_answer_that_waiting_does_not_change_ends_the_import(
    route: WriteRoute, slept: list[float], tmp_path: Path
) -> None:
    route.first = [lambda _: httpx.Response(404, json={"code": "unknown_bucket", "detail": "There is no bucket"})]
    with pytest.raises(NotFound):
        run_of(poster_of(route, slept), tmp_path).send(pieces_of("m f=1 1\n"))
    assert slept == []


def test_every_rejected_line_is_named_also_where_the_gateway_names_a_few(slept: list[float], tmp_path: Path) -> None:
    text = "".join(f"m f={number} {number}\n" + ("bad\n" if number % 2 else "") for number in range(3_000))
    route = WriteRoute(most_named=1_000)
    run = run_of(poster_of(route, slept), tmp_path)
    run.send(line_pieces(source_of(text.encode()), Position(), "ns", 0))
    assert (run.progress.stored, run.progress.rejected) == (3_000, 1_500)
    entries = (tmp_path / "file.rejects").read_text().splitlines()
    numbers = [int(entry.split()[2].rstrip(":")) for entry in entries if entry.startswith("#")]
    assert numbers == [number for number, line in enumerate(text.splitlines(), 1) if line == "bad"]
    assert entries[0] == "# line 3: there are no fields after the measurement and tags"


def test_a_body_that_the_gateway_refuses_whole_is_sent_in_parts(slept: list[float], tmp_path: Path) -> None:
    def too_many(_request: httpx.Request) -> httpx.Response:
        problem = {"code": "points_refused", "detail": "after 10000 of them", "stored": 0, "bad": [], "refused": []}
        return httpx.Response(422, json=problem)

    route = WriteRoute()
    route.first = [too_many, too_many]
    run = run_of(poster_of(route, slept), tmp_path)
    run.send([Piece(b"m f=1 1\nm f=2 2\n", Position(16, 3))])
    assert run.progress.stored == 1
    assert run.progress.rejected == 1


def test_rejects_of_an_interrupted_import_are_kept_once(tmp_path: Path) -> None:
    path, route = tmp_path / "file.rejects", WriteRoute()
    run = run_of(poster_of(route, []), tmp_path)
    run.send(pieces_of("bad\nm f=1 1\n"))
    state = StateFile(tmp_path / "state.json").load()
    assert state is not None
    with path.open("a") as file:
        file.write("# line 9: written before the kill and not acknowledged\n")
    again = run_of(poster_of(route, []), tmp_path, state)
    again.send(pieces_of("bad\nm f=1 1\nworse\n", state.position))
    assert [line for line in path.read_text().splitlines() if not line.startswith("#")] == ["bad", "worse"]


def test_a_state_is_known_by_the_file_and_by_how_it_is_read(tmp_path: Path) -> None:
    file = tmp_path / "points.lp"
    file.write_text("m f=1 1\n")
    first = state_file(tmp_path / "cache", file, bucket="A")
    first.save(Progress(5, Position(8, 2, "head"), stored=1))
    assert state_file(tmp_path / "cache", file, bucket="A").load() == Progress(5, Position(8, 2, "head"), stored=1)
    assert state_file(tmp_path / "cache", file, bucket="B").load() is None
    file.write_text("m f=2 1\n")
    assert state_file(tmp_path / "cache", file, bucket="A").load() is None


def test_a_state_that_cannot_be_read_begins_anew(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    for text in ("", "[]", json.dumps({"version": 9}), json.dumps({"version": 1, "position": {}, "more": 1})):
        path.write_text(text)
        assert StateFile(path).load() is None


def test_a_dry_run_tells_what_is_in_a_file() -> None:
    summary = Summary()
    for piece in pieces_of('m,a=1 f=1,s="x" 5\nm f=2i 1\nn b=t 9\nbad\n'):
        summary.add(piece, "ns", 0)
    assert (summary.points, summary.rejected, summary.first_ns, summary.last_ns) == (3, 1, 1, 9)
    assert summary.measurements["m"].fields == {"f": {"float", "integer"}, "s": {"string"}}
    assert (summary.measurements["m"].values, summary.measurements["m"].tags) == (3, {"a"})
    assert [reject.line for reject in summary.shown] == [4]


def piece_of(text: str) -> Piece:
    [piece] = line_pieces(source_of(text.encode()), Position(), "ns", 0)
    return piece


@pytest.mark.parametrize(
    ("first", "second", "may_meet"),
    [
        ("m f=1 1\nm f=1 2\n", "m f=1 3\n", False),
        ("m f=1 1\nm f=1 3\n", "m f=1 2\n", False),
        ("m f=1 1\nm f=1 3\n", "m g=1 3\n", True),
        ("m,a=1,b=2 f=1 3\n", "m,b=2,a=1 f=1 3\n", True),
        ("m,a=1 f=1 3\n", "m,a=2 f=1 3\n", False),
        ("m,a=\\ 1 f=1 3\n", "m,a=2 f=1 3\n", True),
        ("m f=1\n", "m f=1 3\n", True),
    ],
)
def test_posts_meet_where_they_may_hold_one_point(first: str, second: str, may_meet: bool) -> None:
    assert piece_of(first).may_meet(piece_of(second)) is may_meet
