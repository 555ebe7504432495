"""Mirrors as people write them: the section `mirrors`, the file `mirrors.yaml`, or the settings of one mirror.

All three have the same members. A name in the section wins over the file, and the file over the settings.
"""

import contextlib
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import combinations
from pathlib import Path
from typing import Any, Literal, Self
from urllib.parse import urlsplit

import yaml
from pydantic import BaseModel, ConfigDict, Field, RootModel, ValidationError, model_validator

from service.domain.durations import parse_duration
from service.domain.mirror import EMBEDDED, OWN_STORE, BucketPair, Endpoint, Mirror, OnConflict
from service.domain.schedule import Schedule, parse_interval
from service.domain.selection import Fn, Windows
from service.errors import ConfigurationError, InvalidParameter
from service.state.hidden import HIDDEN

KIND = "mirror"
SCHEDULE_PREFIX = "mirror "
FILE_NAME = "mirrors.yaml"
LOG_BUCKET = "Logging"
"""Where a mirror tells in its target what it does."""
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,60}", re.ASCII)
_SIZE = re.compile(r"([0-9]{1,9})(kB|MB|GB)", re.ASCII)
_SIZES = {"kB": 1_000, "MB": 1_000_000, "GB": 1_000_000_000}
_THIS_MACHINE = {"localhost", "127.0.0.1", "::1"}
_PORTS = {"http": 80, "https": 443}


class InfluxText(BaseModel):
    """An InfluxDB. The token as it is, or `token_env`: the name of the environment variable that holds it."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    url: str = Field(pattern=r"^https?://[^\s@]+$", max_length=500)
    org: str = Field(min_length=1, max_length=200)
    token: str | None = Field(None, min_length=1, max_length=1000)
    token_env: str | None = Field(None, pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")

    @model_validator(mode="after")
    def _has_one_token(self) -> Self:
        if (self.token is None) == (self.token_env is None):
            raise ValueError("give either token, or token_env (the name of an environment variable)")
        if self.token == HIDDEN:
            raise ValueError(f"{HIDDEN} stands for a token that is kept, and none is for this url: write the token")
        return self


class PairText(BaseModel):
    """A bucket of the source, and its name on the target when that differs."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    source: str = Field(min_length=1)
    target: str | None = Field(None, min_length=1)


class MirrorText(BaseModel):
    """A mirror under its name."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    source: InfluxText | Literal["store", "embedded"]
    target: InfluxText | Literal["store", "embedded"] = "store"
    buckets: list[str | PairText] | Literal["all"] = "all"
    measurements: list[str] = Field(default_factory=list)
    mode: Literal["raw", "downsample"] = "raw"
    every: str = "10m"
    fn: Fn = Fn.MEAN
    since: str | None = None
    history: dict[str, str] = Field(default_factory=dict)
    future: str = "130h"
    rescan: str = "7d"
    full_count: str = "1d"
    full_rescan: str = "30d"
    budget: str | None = None
    follow_deletes: bool = False
    on_conflict: OnConflict = OnConflict.FAIL
    log_in_target: bool = False
    schedule: str | None = "0 * * * *"
    zone: str = "UTC"
    refresh: str | None = None
    at_start: bool = True
    enabled: bool = True

    def named(self, name: str, own: Endpoint) -> Mirror:
        """Raises InvalidParameter with the member that is wrong."""
        if not _NAME.fullmatch(name):
            raise InvalidParameter("name", f"{name!r} is no name of a mirror. Use 1 to 60 letters, digits, dots, dashes and underscores.")
        mirror = Mirror(
            name=name,
            source=_endpoint(self.source, own),
            target=_endpoint(self.target, own),
            buckets=None if self.buckets == "all" else tuple(_pair(one) for one in self.buckets),
            measurements=tuple(self.measurements),
            windows=Windows(parse_duration(self.every, "every"), self.fn) if self.mode == "downsample" else None,
            since_ns=None if self.since is None else parse_duration(self.since, "since"),
            history=tuple((pattern, parse_duration(text, f"history.{pattern}")) for pattern, text in self.history.items()),
            future_ns=parse_duration(self.future, "future"),
            rescan_ns=parse_duration(self.rescan, "rescan"),
            full_count_ns=parse_duration(self.full_count, "full_count"),
            full_rescan_ns=parse_duration(self.full_rescan, "full_rescan"),
            budget_bytes=None if self.budget is None else parse_size(self.budget, "budget"),
            follow_deletes=self.follow_deletes,
            on_conflict=self.on_conflict,
            log_in_target=self.log_in_target,
        )
        _refuse_senseless(mirror)
        self.timed(name)
        return mirror

    def timed(self, name: str) -> Schedule | None:
        """Its schedule; None: only by hand. Raises InvalidParameter."""
        if self.refresh is not None:
            parse_interval(self.refresh, "refresh")
        if self.schedule is None and self.refresh is None:
            return None
        timing: dict[str, Any] = {"every": self.refresh} if self.refresh is not None else {"cron": self.schedule, "zone": self.zone}
        return Schedule(f"{SCHEDULE_PREFIX}{name}", KIND, {"mirror": name}, enabled=self.enabled, at_start=self.at_start, **timing)


def parse_size(text: str, parameter: str) -> int:
    """Bytes of `300MB`. Raises InvalidParameter."""
    found = _SIZE.fullmatch(text)
    if found is None or not int(found[1]):
        raise InvalidParameter(parameter, f"{parameter}={text!r} is no size. Write a whole number and kB, MB or GB: 300MB.")
    return int(found[1]) * _SIZES[found[2]]


def endpoint_at(url: str, org: str, token: str) -> Endpoint:
    """The InfluxDB at `url`. Names of this machine are one address."""
    parts = urlsplit(url)
    host = (parts.hostname or "").lower()
    here = host in _THIS_MACHINE
    address = f"{'localhost' if here else host}:{parts.port or _PORTS.get(parts.scheme, 0)}{parts.path.rstrip('/')}"
    return Endpoint(url.rstrip("/"), org, token, address, not here)


def _endpoint(text: InfluxText | str, own: Endpoint) -> Endpoint:
    if isinstance(text, str):
        if text != OWN_STORE and own.address != EMBEDDED:
            raise InvalidParameter(
                "target", f"There is no embedded store here: INFLUXDB_URL is set. Write {OWN_STORE!r} for the gateway's own store."
            )
        return own
    token = text.token if text.token is not None else os.environ.get(text.token_env or "", "")
    if not token:
        raise InvalidParameter("token_env", f"The environment variable {text.token_env} is not set in the gateway's process, or empty.")
    try:
        return endpoint_at(text.url, text.org, token)
    except ValueError as broken:
        raise InvalidParameter("url", f"{text.url!r} is no address of an InfluxDB ({broken}).") from None


def _pair(text: str | PairText) -> BucketPair:
    return BucketPair(text, text) if isinstance(text, str) else BucketPair(text.source, text.target or text.source)


def _refuse_senseless(mirror: Mirror) -> None:
    same_side = mirror.source.identity == mirror.target.identity
    if mirror.log_in_target and any(pair.target == LOG_BUCKET for pair in mirror.buckets or ()):
        raise InvalidParameter("log_in_target", f"The mirror {mirror.name!r} writes its log into the bucket {LOG_BUCKET!r}, so it cannot copy to it.")
    if same_side and mirror.buckets is None:
        raise InvalidParameter(
            "target", f"Source and target of {mirror.name!r} are the same store. Name buckets that go to others, or another target."
        )
    pairs = mirror.buckets or ()
    if mirror.buckets is not None and not pairs:
        raise InvalidParameter("buckets", f"The mirror {mirror.name!r} names no bucket. Name some, or write all.")
    for pair in pairs:
        if same_side and pair.source == pair.target:
            raise InvalidParameter("buckets", f"The mirror {mirror.name!r} would copy the bucket {pair.source!r} onto itself.")
    targets = [pair.target for pair in pairs]
    twice = sorted({one for one in targets if targets.count(one) > 1})
    if twice:
        raise InvalidParameter("buckets", f"The mirror {mirror.name!r} has two sources for the bucket {twice[0]!r}.")
    loops = sorted({pair.source for pair in pairs} & set(targets)) if same_side else []
    if loops:
        raise InvalidParameter("buckets", f"The mirror {mirror.name!r} has {loops[0]!r} as a source and as a target of the same store.")


def refuse_overlaps(mirrors: Iterable[Mirror]) -> None:
    """Two mirrors may not write one bucket: each would take the other's points for deleted ones. Nor may two that go in opposite
    directions follow deletes: each would remove what is new on its target. Raises InvalidParameter."""
    mirrors = list(mirrors)
    for left, right in combinations(mirrors, 2):
        _refuse_opposites(left, right)
    taken: dict[tuple[tuple[str, str], str], str] = {}
    whole: dict[tuple[str, str], str] = {}
    for mirror in mirrors:
        side = mirror.target.identity
        if mirror.buckets is None:
            if side in whole:
                raise InvalidParameter(
                    "buckets", f"The mirrors {whole[side]!r} and {mirror.name!r} both write all buckets of {mirror.target}. Name their buckets."
                )
            whole[side] = mirror.name
        for pair in mirror.buckets or ():
            other = taken.setdefault((side, pair.target), mirror.name)
            if other != mirror.name:
                raise InvalidParameter(
                    "buckets", f"The mirrors {other!r} and {mirror.name!r} both write the bucket {pair.target!r} of {mirror.target}."
                )


def _refuse_opposites(left: Mirror, right: Mirror) -> None:
    if not (left.follow_deletes or right.follow_deletes):
        return
    if (left.source.identity, left.target.identity) != (right.target.identity, right.source.identity):
        return
    there = None if left.buckets is None else {(pair.source, pair.target) for pair in left.buckets}
    back = None if right.buckets is None else {(pair.target, pair.source) for pair in right.buckets}
    if there is None or back is None or there & back:
        raise InvalidParameter(
            "follow_deletes",
            f"The mirrors {left.name!r} and {right.name!r} go in opposite directions, so neither may follow deletes: new points would be removed.",
        )


def mirrors_section(own: Endpoint) -> type[BaseModel]:
    """The section `mirrors`, by name; what cannot work is refused when it is stored."""

    class Mirrors(RootModel[dict[str, MirrorText]]):
        model_config = ConfigDict(hide_input_in_errors=True)

        root: dict[str, MirrorText] = Field(default_factory=dict, max_length=200)

        @model_validator(mode="after")
        def _each(self) -> Self:
            refuse_overlaps(_checked(name, text, own) for name, text in self.root.items())
            return self

    return Mirrors


def _checked(name: str, text: MirrorText, own: Endpoint) -> Mirror:
    """A wrong member says whose it is."""
    try:
        return text.named(name, own)
    except InvalidParameter as wrong:
        told = wrong.message if repr(name) in wrong.message else f"The mirror {name!r}: {wrong.message}"
        raise InvalidParameter(f"{name}.{wrong.parameter}", told) from None


class _File(RootModel[dict[str, MirrorText]]):
    root: dict[str, MirrorText]


class MirrorBook:
    """The mirrors of now. `section` gives the stored section; `default` is the mirror of the settings; `file` may not exist."""

    def __init__(self, section: Callable[[], Mapping[str, Any]], own: Endpoint, default: MirrorText | None, file: Path) -> None:
        self._section = section
        self.own = own
        self._default = default
        self._file = file
        self._kept: tuple[float, dict[str, MirrorText]] = (-1.0, {})

    def texts(self) -> dict[str, MirrorText]:
        """Raises ConfigurationError when the file cannot be read."""
        default = {} if self._default is None else {"cloud": self._default}
        section = {name: MirrorText.model_validate(text) for name, text in self._section().items()}
        return {**default, **self._of_file(), **section}

    def names(self) -> list[str]:
        return sorted(self.texts())

    def get(self, name: str) -> Mirror:
        """Raises InvalidParameter: there is none, it cannot work, or another one writes one of its buckets."""
        texts = self.texts()
        if name not in texts:
            known = ", ".join(sorted(texts)) or "none; PUT /config/mirrors makes one"
            raise InvalidParameter("mirror", f"There is no mirror {name[:60]!r}. There are: {known}.")
        mirror = _checked(name, texts[name], self.own)
        for other in self.others(name):
            refuse_overlaps((mirror, other))
        return mirror

    def others(self, name: str) -> Iterator[Mirror]:
        """All but `name`. One that cannot work (the variable of its token is not set) is none that others have to mind."""
        for own, text in sorted(self.texts().items()):
            with contextlib.suppress(InvalidParameter):
                if own != name:
                    yield text.named(own, self.own)

    def schedules(self) -> dict[str, Schedule]:
        """Of all mirrors that have one, by the schedule's name."""
        timed = (text.timed(name) for name, text in self.texts().items())
        return {one.name: one for one in timed if one is not None}

    def _of_file(self) -> dict[str, MirrorText]:
        """Read again when it changed."""
        try:
            changed = self._file.stat().st_mtime
        except FileNotFoundError:
            return {}
        if changed != self._kept[0]:
            self._kept = (changed, read_file(self._file))
        return self._kept[1]


def read_file(path: Path) -> dict[str, MirrorText]:
    """Mirrors by name. Raises ConfigurationError with the place that is wrong."""
    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
        if not isinstance(found, dict):
            raise ConfigurationError(f"{path}: it holds no mirrors. Write a name and below it source, target and buckets.")
        return _File.model_validate({str(name): text for name, text in found.items()}).root
    except yaml.MarkedYAMLError as broken:  # its text shows the line, which may hold a token
        mark = broken.problem_mark
        place = "" if mark is None else f" (line {mark.line + 1}, column {mark.column + 1})"
        raise ConfigurationError(f"{path} is no YAML{place}. Are all quotes, brackets and colons in their places?") from None
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as broken:
        raise ConfigurationError(f"{path} cannot be read: {type(broken).__name__}") from None
    except ValidationError as broken:
        places = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in broken.errors(include_input=False))
        raise ConfigurationError(f"{path}: {places}") from None
