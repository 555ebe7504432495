"""Bodies of a write that cost as much as their size allows: each a shape that a parser could stumble over, at any size.

`lines(size)` gives line protocol and `points(size)` JSON, of about `size` bytes.
"""

from collections.abc import Callable

Make = Callable[[int], bytes]


def _repeated(piece: bytes) -> Make:
    return lambda size: piece * (size // len(piece))


def _numbered(pattern: bytes, before: bytes = b"", after: bytes = b"") -> Make:
    """`pattern` with a number in it, again and again."""
    return lambda size: before + b"".join([pattern % number for number in range(size // (len(pattern) + 4))]) + after


def _alternating(size: int) -> bytes:
    """Every line of another shape, so that no two can be parsed together."""
    return b"".join([b"m%d,t%d=a f%d=1,g=%di 1\n" % (n % 997, n % 991, n % 983, n) for n in range(size // 30)])


def _mixed(size: int) -> bytes:
    """A quote, a backslash and a bad line between good ones, again and again."""
    return b'm f=1 1\nm g="a\\"b" 2\nm\\ x f=1 3\nbad\n' * (size // 40)


LINES: dict[str, Make] = {
    "lines without fields": _repeated(b"x\n"),
    "one line without fields": _repeated(b"x"),
    "one line of one string": lambda size: b'm f="' + b"x" * size + b'" 1\n',
    "many tags on one line": _numbered(b",t%d=v", b"m", b" f=1 1\n"),
    "NULs": _repeated(b"\0"),
    "blank lines": _repeated(b"\n"),
    "NULs in lines": _repeated(b"\0\n"),
    "many series": _numbered(b"m,t=%d f=1 1\n"),
    "many field names": _numbered(b"m f%d=1 1\n"),
    "many fields on one line": _numbered(b"f%d=1,", b"m ", b"f=1 1\n"),
    "the same field on one line": lambda size: b"m " + b"a=1," * (size // 4) + b"a=1 1\n",
    "quotes": _repeated(b'"'),
    "quotes behind a field": lambda size: b"m f=" + b'"' * size + b" 1\n",
    "lines that open a string": _repeated(b'm f="\n'),
    "backslashes": _repeated(b"\\"),
    "backslashes and line feeds": _repeated(b"\\\n"),
    "backslashes in lines": _repeated(b"m\\\\\\ \\\\ f=1\n"),
    "spaces behind backslashes": lambda size: b"m" + b"\\ " * (size // 2),
    "commas": _repeated(b","),
    "equals signs": lambda size: b"m " + b"=" * size,
    "spaces": _repeated(b" "),
    "spaces in lines": lambda size: b"m" + b" " * size + b"f=1 1\n",
    "digits": lambda size: b"m f=" + b"1" * size + b" 1\n",
    "digits of a time": lambda size: b"m f=1 " + b"1" * size + b"\n",
    "comments": _repeated(b"#\n"),
    "comments with quotes": _repeated(b'#"\n'),
    "alternating shapes": _alternating,
    "mixed lines": _mixed,
    "values out of range": _repeated(b"m f=1e999 1\n"),
    "not UTF-8": _repeated(b"m\xff f=1 1\n"),
    "carriage returns": _repeated(b"\r"),
    "carriage returns in lines": _repeated(b"m f=1\r 1\n"),
}


def _nested(size: int) -> bytes:
    return b"[" * (size // 2) + b"]" * (size // 2)


def _nested_members(size: int) -> bytes:
    return b'{"a":' * (size // 6) + b"1" + b"}" * (size // 6)


def _listed(point: bytes) -> Make:
    return lambda size: b"[" + b",".join([point] * (size // (len(point) + 1))) + b"]"


_POINT = b'{"measurement": "m", "fields": {%s}}'

POINTS: dict[str, Make] = {
    "nested lists": _nested,
    "nested objects": _nested_members,
    "empty objects": _listed(b"{}"),
    "empty lists": _listed(b"[]"),
    "zeros": _listed(b"0"),
    "a huge integer": lambda size: b"[" + _POINT % (b'"f": ' + b"9" * size) + b"]",
    "a huge float": lambda size: b"[" + _POINT % (b'"f": 1.' + b"9" * size) + b"]",
    "integers as long as Python reads": lambda size: (
        b"[" + b",".join([_POINT % (b'"f": ' + b"9" * 4300)] * (size // 4300)) + b"]"
    ),
    "a huge string": lambda size: b"[" + _POINT % (b'"f": "' + b"x" * size + b'"') + b"]",
    "duplicated members": lambda size: b"[" + _POINT % (b'"f": 1,' * (size // 7) + b'"f": 1') + b"]",
    "a huge name": lambda size: b'[{"measurement": "' + b"x" * size + b'", "fields": {"f": 1}}]',
    "a huge name of backslashes": lambda size: (
        b'[{"measurement": "' + b"\\\\ " * (size // 3) + b'x", "fields": {"f": 1}}]'
    ),
    "a huge unknown member": lambda size: b'[{"' + b"x" * size + b'": 1}]',
    "a huge time": lambda size: b'[{"measurement": "m", "fields": {"f": 1}, "time": "' + b"1" * size + b'"}]',
    "an object as a tag": lambda size: (
        b'[{"measurement": "m", "tags": {"t": [' + b"0," * (size // 2) + b'0]}, "fields": {"f": 1}}]'
    ),
    "points of one field": _listed(_POINT % b'"f":1'),
}
