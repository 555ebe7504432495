"""A fake InfluxDB Cloud in front of a real InfluxDB: quotas, late visibility, late rejections, nginx's limits.

What it does is said by one `CloudRules`, which may be changed at any time; without rules every request
passes. It follows Cloud's documents (account-management/limits, write-data/troubleshoot) with two liberties:
a request that crosses a quota still passes, the next one does not; and when writes are applied late, a line
that cannot be parsed is found late too, and takes its whole write with it (see `Cloud.refused_later`).
"""

import contextlib
import gzip
import hashlib
import http.client
import json
import math
import re
import threading
import time
import zlib
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from tests.support.liar import Answer
from tests.support.passing import Gate, Headers, Passer, ask, kept

READS = ("/api/v2/query", "/query")
WRITE = "/api/v2/write"
SETTLE_WITHIN_S = 60.0
_LINE = re.compile(rb'(?:[^\\ \n]+|\\.|\\)*+(?: (?:[^\\=\n]+|\\.|="(?:[^\\"]+|\\.)*+"|[=\\])*+)?', re.DOTALL)
"""A line as InfluxDB ends it (v2.9.1 models/points.go, scanLine): a line feed inside a text value is none."""


@dataclass(frozen=True)
class CloudRules:
    """What the fake does. None: no limit.

    `read_bytes`: payload of answers to queries, as sent; `write_bytes`: bodies of writes, inflated. Both hold for fixed
    windows of `window_s`, the first of which begins with `become`. Whoever is over a quota gets 429 until the window
    ends, with `Retry-After` unless `retry_after` is off, and as nginx's page with `html_errors`.

    A write is answered at once and applied `visible_after_s` later. The share `rejects_later` of all lines is answered
    204 and never stored: the first time that a line comes, or each time with `rejects_for_ever`. A write of more than
    `largest_body_bytes`, as sent, gets nginx's 413.
    """

    read_bytes: int | None = None
    write_bytes: int | None = None
    window_s: float = 300.0
    retry_after: bool = True
    html_errors: bool = False
    visible_after_s: float = 0.0
    rejects_later: float = 0.0
    rejects_for_ever: bool = False
    largest_body_bytes: int | None = None

    def __post_init__(self) -> None:
        assert self.window_s > 0 and self.visible_after_s >= 0 and 0 <= self.rejects_later <= 1, self


@dataclass(frozen=True)
class Write:
    """A write as it came: `path` with its query, `body` as sent."""

    path: str
    headers: Headers
    body: bytes

    def text(self) -> bytes:
        """The lines, inflated. Raises OSError, EOFError or zlib.error when the body is not what its coding says."""
        coding = next((value for name, value in self.headers if name.lower() == "content-encoding"), "")
        return gzip.decompress(self.body) if coding.lower() in ("gzip", "x-gzip") else self.body

    def holding(self, text: bytes) -> "Write":
        """The same write of other lines, sent plain."""
        return replace(self, headers=kept(self.headers, "content-encoding", "content-length"), body=text)


class _Quota:
    """Bytes of one kind in the window that is under way. Times are `time.monotonic`'s."""

    def __init__(self, most_bytes: int | None, window_s: float, began_s: float) -> None:
        self._most_bytes, self._window_s, self._began_s = most_bytes, window_s, began_s
        self._window, self._used_bytes = 0, 0

    def add(self, size_bytes: int, now_s: float) -> None:
        self._turn(now_s)
        self._used_bytes += size_bytes

    def wait_s(self, now_s: float) -> int | None:
        """None: a request may pass. Else whole seconds after which the next window has begun, at least 1."""
        self._turn(now_s)
        if self._most_bytes is None or self._used_bytes < self._most_bytes:
            return None
        return max(math.ceil(self._began_s + (self._window + 1) * self._window_s - now_s), 1)

    def _turn(self, now_s: float) -> None:
        window = int((now_s - self._began_s) // self._window_s)
        if window != self._window:
            self._window, self._used_bytes = window, 0


class _Later:
    """Applies writes in their order, each when it is due, in its own thread."""

    def __init__(self, apply: Callable[[Write], None]) -> None:
        self._apply = apply
        self._waiting: deque[tuple[float, Write]] = deque()
        self._changed = threading.Condition()
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="cloud applies writes", daemon=True)
        self._thread.start()

    @property
    def idle(self) -> bool:
        """Everything is applied."""
        return not self._waiting

    def add(self, write: Write, after_s: float) -> None:
        with self._changed:
            earliest_s = self._waiting[-1][0] if self._waiting else 0.0
            self._waiting.append((max(time.monotonic() + after_s, earliest_s), write))
            self._changed.notify_all()

    def settle(self, within_s: float) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: self.idle, within_s), (
                f"{len(self._waiting)} writes are not applied after {within_s} s"
            )

    def close(self) -> None:
        """Writes that are not due yet are never applied."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._thread.join(10)

    def _run(self) -> None:
        while (write := self._next()) is not None:
            self._apply(write)
            with self._changed:
                self._waiting.popleft()
                self._changed.notify_all()

    def _next(self) -> Write | None:
        with self._changed:
            while not self._closing:
                left_s = self._waiting[0][0] - time.monotonic() if self._waiting else None
                if left_s is not None and left_s <= 0:
                    return self._waiting[0][1]
                self._changed.wait(left_s)
        return None


class Cloud:
    """A fake Cloud in front of the InfluxDB at `target_port` of 127.0.0.1."""

    def __init__(self, target_port: int, rules: CloudRules) -> None:
        self.target_port = target_port
        self.requests: list[tuple[str, str, int]] = []
        """Method, path without its query, and status of each request, in the order of the answers."""
        self.lines_seen = 0
        """Lines of writes that were answered 204."""
        self.lines_rejected: list[bytes] = []
        """Lines of them that were not stored, one entry for each time."""
        self.refused_later: list[tuple[int, str]] = []
        """What the real server answered to writes that had been answered 204 before, unless it took them."""
        self.read_bytes_sent = 0
        self.write_bytes_taken = 0
        """Inflated, of writes that were answered 204."""
        self._lock = threading.Lock()
        self._rejected_before: set[bytes] = set()
        self.become(rules)
        self._later = _Later(self._apply)
        self._gate = Gate(lambda *connection: _Door(self, *connection), "fake cloud")

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._gate.port}"

    @property
    def port(self) -> int:
        return self._gate.port

    def become(self, rules: CloudRules) -> None:
        """Follow `rules` from now on, with new windows. Writes that wait stay due when they were."""
        with self._lock:
            self._rules, now_s = rules, time.monotonic()
            self._reads = _Quota(rules.read_bytes, rules.window_s, now_s)
            self._writes = _Quota(rules.write_bytes, rules.window_s, now_s)

    def settle(self, within_s: float = SETTLE_WITHIN_S) -> None:
        """Wait until every write that was answered is applied."""
        self._later.settle(within_s)

    def close(self) -> None:
        self._gate.close()
        self._later.close()

    def refusal_of_read(self) -> Answer | None:
        """The 429 for a query, or None when it may pass."""
        return self._over(self._reads, "limited_query")

    def count_read(self, size_bytes: int) -> None:
        with self._lock:
            self.read_bytes_sent += size_bytes
            self._reads.add(size_bytes, time.monotonic())

    def write(self, write: Write) -> Answer:
        """Take a write, or refuse it; where the rules have nothing to say, the real server's answer."""
        rules = self._rules
        if rules.largest_body_bytes is not None and len(write.body) > rules.largest_body_bytes:
            return _page(413, "Request Entity Too Large")
        refusal = self._over(self._writes, "limited_write")
        if refusal is not None:
            return refusal
        try:
            text = write.text()
        except (OSError, EOFError, zlib.error) as broken:
            return _error(400, "invalid", f"the body is not gzip: {broken}")
        lines = split_lines(text)
        rejected = [line for line in lines if self._rejects(line, rules)]
        answer = self._store(write.holding(_without(lines, rejected)) if rejected else write, rules)
        if answer.status == 204:
            self._count_write(len(text), len(lines), rejected)
        return answer

    def _over(self, quota: _Quota, limit: str) -> Answer | None:
        with self._lock:
            wait_s, rules = quota.wait_s(time.monotonic()), self._rules
        return None if wait_s is None else _throttled(limit, wait_s, rules)

    def _rejects(self, line: bytes, rules: CloudRules) -> bool:
        return is_of_share(line, rules.rejects_later) and (rules.rejects_for_ever or line not in self._rejected_before)

    def _count_write(self, size_bytes: int, lines: int, rejected: Sequence[bytes]) -> None:
        with self._lock:
            self._writes.add(size_bytes, time.monotonic())
            self.write_bytes_taken += size_bytes
            self.lines_seen += lines
            self.lines_rejected += rejected
            self._rejected_before.update(rejected)

    def _store(self, write: Write, rules: CloudRules) -> Answer:
        """Apply the write, or have it applied later: always so while others wait, since order counts."""
        if write.body and not rules.visible_after_s and self._later.idle:
            return self._sent(write)
        answer = self._sent(write.holding(b""))
        if (
            answer.status == 204 and write.body
        ):  # a wrong token, bucket or precision is said at once, also to no lines at all (v2.9.1)
            self._later.add(write, rules.visible_after_s)
        return answer

    def _apply(self, write: Write) -> None:
        try:
            answer = self._sent(write)
        except (OSError, http.client.HTTPException) as broken:
            answer = Answer(0, repr(broken).encode())
        if answer.status != 204:
            self.refused_later.append((answer.status, answer.body.decode(errors="replace")))

    def _sent(self, write: Write) -> Answer:
        with contextlib.closing(ask(self.target_port, "POST", write.path, write.headers, write.body)) as reply:
            return Answer(reply.status, reply.read(), dict(reply.getheaders()))


class _Door(Passer):
    """One connection to the cloud."""

    def __init__(self, cloud: Cloud, *connection: object) -> None:
        self._cloud = cloud
        super().__init__(*connection)  # type: ignore[arg-type]

    def serve(self) -> None:
        path = self.path.partition("?")[0]
        if path == WRITE:
            self._answer(path, self._cloud.write(Write(self.path, kept(self.headers.items()), b"".join(self.pieces()))))
        elif path in READS:
            self._read(path)
        else:
            self._relay(path, lambda _size: None)

    def _read(self, path: str) -> None:
        refusal = self._cloud.refusal_of_read()
        if refusal is None:
            self._relay(path, self._cloud.count_read)
            return
        for _ in self.pieces():
            pass
        self._answer(path, refusal)

    def _relay(self, path: str, counted: Callable[[int], None]) -> None:
        reply = self.pass_on(self._cloud.target_port)
        self._cloud.requests.append((self.command, path, reply.status))
        self.relay(reply, counted)

    def _answer(self, path: str, answer: Answer) -> None:
        self._cloud.requests.append((self.command, path, answer.status))
        self.say(answer)


def split_lines(text: bytes) -> list[bytes]:
    """The lines of line protocol that hold points: neither blank ones nor comments."""
    found = (line.strip() for line in _LINE.findall(text))
    return [line for line in found if line and not line.startswith(b"#")]


def is_of_share(line: bytes, share: float) -> bool:
    """Whether a line is of the `share` of all lines that is rejected.

    It is always the same lines, and a share includes every smaller one."""
    return int.from_bytes(hashlib.blake2b(line, digest_size=8).digest(), "big") < share * 2**64


def _without(lines: Sequence[bytes], rejected: Sequence[bytes]) -> bytes:
    out = set(rejected)
    return b"".join(line + b"\n" for line in lines if line not in out)


def _throttled(limit: str, wait_s: int, rules: CloudRules) -> Answer:
    message = f"org 1234 has exceeded {limit} plan limit"
    answer = _page(429, "Too Many Requests") if rules.html_errors else _error(429, "too many requests", message)
    return replace(answer, headers={**answer.headers, "Retry-After": str(wait_s)}) if rules.retry_after else answer


def _error(status: int, code: str, message: str) -> Answer:
    return Answer(
        status,
        json.dumps({"code": code, "message": message}).encode(),
        {"Content-Type": "application/json; charset=utf-8"},
    )


def _page(status: int, title: str) -> Answer:
    """An error as nginx says it."""
    head = (
        f"<html>\r\n<head><title>{status} {title}</title></head>\r\n"
        f"<body>\r\n<center><h1>{status} {title}</h1></center>\r\n"
    )
    return Answer(
        status, f"{head}<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n".encode(), {"Content-Type": "text/html"}
    )


@contextlib.contextmanager
def fake_cloud(target_port: int, rules: CloudRules) -> Iterator[Cloud]:
    """A fake Cloud that is stopped at the end; what is not visible by then never will be."""
    cloud = Cloud(target_port, rules)
    try:
        yield cloud
    finally:
        cloud.close()
