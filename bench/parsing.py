"""What a body that is hard to parse costs: seconds of a megabyte, and of two megabytes against one.

The shapes are those of tests/support/worst_bodies.py. Work that grows with the square of a body shows as 4.0; a shape
whose parsing ends early, after so many bad lines, shows as 1.0. Run: python -m bench.parsing
"""

import time

from service.lineprotocol.parser import parse_lines
from tests.support.worst_bodies import LINES

MB = 1_000_000
RUNS = 3
_BAD_VALUES = b"".join(b"m,t=%d f=%s %d\n" % (n % 9, b"1e400" if n % 50 == 0 else b"1.5", n) for n in range(50_000))


def cpu_s(body: bytes, columnar: bool | None = None) -> float:
    """The least CPU seconds of a few runs."""
    taken = []
    for _ in range(RUNS):
        begun = time.process_time()
        parse_lines(body, "ns", 0, columnar=columnar)
        taken.append(time.process_time() - begun)
    return min(taken)


def main() -> None:
    print(f"{'body':30} {'1 MB':>8} {'2 MB against 1 MB':>18}")
    for name, make in LINES.items():
        half, whole = cpu_s(make(MB)), cpu_s(make(2 * MB))
        print(f"{name:30} {half:6.3f} s {whole / half:18.2f}", flush=True)
    print(f"\n{'body':30} {'by columns against line by line':>32}")
    for name, body in (("bad values among good ones", _BAD_VALUES), ("quotes in tags", b'm,t=a"b f=1 1\n' * 50_000)):
        print(f"{name:30} {cpu_s(body, columnar=True) / cpu_s(body, columnar=False):32.2f}", flush=True)


if __name__ == "__main__":
    main()
