"""Reads `buckets.json`: a list of buckets, each with name, description and retention.

The file is read as a whole or refused: the error names the line, or the bucket and its member, and says what to write.
"""

import json
from collections import Counter
from pathlib import Path
from typing import Any

from service.domain.bucket_specs import bucket_spec
from service.domain.schema import BucketSpec
from service.errors import ConfigurationError, InvalidParameter

_MEMBERS = ("name", "description", "retention")
_FORM = '[{"name": "Lab 1", "description": "Bench tests", "retention": "30d"}]'
_MOST_BYTES = 1024 * 1024
_MOST_BUCKETS = 1000


def read_bucket_file(path: Path) -> list[BucketSpec]:
    """The buckets of the file at `path`, in its order. Raises ConfigurationError."""
    try:
        with path.open("rb") as file:
            content = file.read(_MOST_BYTES + 1)
        text = content.decode("utf-8-sig")
    except OSError as broken:
        raise ConfigurationError(f"{path} cannot be read: {broken.strerror or broken}.") from None
    except UnicodeDecodeError as broken:
        line = content.count(b"\n", 0, broken.start) + 1
        raise ConfigurationError(f"{path}, line {line}: this is no UTF-8. Save the file in that encoding.") from None
    if len(content) > _MOST_BYTES:
        raise ConfigurationError(f"{path} has more than {_MOST_BYTES // 1024} kB. Write fewer buckets into a file.")
    return parse_bucket_file(text, str(path))


def parse_bucket_file(text: str, source: str) -> list[BucketSpec]:
    """The buckets of `text`. `source` names it in errors. Raises ConfigurationError."""
    try:
        document = json.loads(text, object_pairs_hook=_unique_members)
    except json.JSONDecodeError as broken:
        place = f"{source}, line {broken.lineno}, column {broken.colno}"
        raise ConfigurationError(f"{place}: {_json_reason(text, broken)}") from None
    except InvalidParameter as repeated:
        raise ConfigurationError(f"{source}: {repeated.message}") from None
    except RecursionError:
        raise ConfigurationError(f"{source}: it is nested too deep. Write {_FORM}.") from None
    entries = [document] if isinstance(document, dict) else document
    if not isinstance(entries, list):
        raise ConfigurationError(f"{source} holds no list of buckets. Write {_FORM}.")
    if len(entries) > _MOST_BUCKETS:
        raise ConfigurationError(f"{source} has {len(entries)} buckets. A file has at most {_MOST_BUCKETS}.")
    specs = [_spec(entry, number, source) for number, entry in enumerate(entries, start=1)]
    for name, count in Counter(spec.name for spec in specs).items():
        if count > 1:
            numbers = [str(number) for number, spec in enumerate(specs, start=1) if spec.name == name]
            raise ConfigurationError(
                f"{source}: the buckets {' and '.join(numbers)} have the same name, {name!r}. Write each bucket once."
            )
    return specs


def _unique_members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        name, _ = Counter(key for key, _ in pairs).most_common(1)[0]
        bucket = f" of the bucket {members['name']!r}" if "name" in members else ""
        raise InvalidParameter(name, f"the member {name!r}{bucket} stands twice. Take one away.")
    return members


def _json_reason(text: str, broken: json.JSONDecodeError) -> str:
    """Why the text is no JSON. A comma behind the last member and a comment are what people write by habit."""
    before, at = text[: broken.pos].rstrip(), text[broken.pos : broken.pos + 2]
    if broken.pos == 0 and not text.strip():
        return f"the file is empty. Write {_FORM}."
    if before.endswith(",") and at[:1] in ("]", "}"):
        return f"a comma stands before {at[0]}. JSON has no comma behind the last member: take it away."
    if at[:1] == "," and text[broken.pos + 1 :].lstrip()[:1] in ("]", "}"):
        return "a comma stands behind the last member. JSON has none there: take it away."
    if at in ("//", "/*") or at[:1] == "#":
        return "JSON has no comments. Take it away."
    if at[:1] == "'":
        return "JSON has texts in double quotes."
    return f"this is no JSON ({broken.msg})."


def _spec(entry: object, number: int, source: str) -> BucketSpec:
    if not isinstance(entry, dict):
        raise ConfigurationError(f"{source}: bucket {number} is no object with members. Write {_FORM}.")
    name = entry.get("name")
    place = f"{source}: bucket {number}" + (f" ({name[:100]!r})" if isinstance(name, str) else "")
    for member in entry:
        if member not in _MEMBERS:
            raise ConfigurationError(f"{place}: there is no member {member!r}. There are: {', '.join(_MEMBERS)}.")
    if not isinstance(name, str):
        raise ConfigurationError(f"{place}: name is {'no text' if 'name' in entry else 'missing'}.")
    description, retention = entry.get("description", ""), entry.get("retention")
    if not isinstance(description, str):
        raise ConfigurationError(f"{place}: description is no text.")
    if isinstance(retention, int) and not isinstance(retention, bool) and retention == 0:
        retention = None
    if not isinstance(retention, str | None):
        wanted = "a text such as 30d; 0, inf or null keeps everything"
        raise ConfigurationError(f"{place}: retention={json.dumps(retention)} is not {wanted}.")
    try:
        return bucket_spec(name, description, retention)
    except InvalidParameter as wrong:
        raise ConfigurationError(f"{place}: {wrong.message}") from None
