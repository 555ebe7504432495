"""Texts of cells as instants: RFC 3339, local times of a zone, numbers since 1970, and a pattern of one's own.

Exact to the nanosecond. A cell that names no instant, or two, is named by its row with the reason.
"""

import datetime as dt
import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from service.domain.durations import DAY_NS
from service.domain.local_time import instants_of, shown_ns
from service.domain.moments import parse_moment
from service.domain.timerange import EARLIEST_NS, LATEST_NS, TimeRange
from service.domain.windows import clock_segments
from service.errors import InvalidParameter
from service.fileformats.cell_values import Bad, shown, without_blanks
from service.frames.frame import TIME
from service.lineprotocol.parser import UNITS_NS

Longs = npt.NDArray[np.int64]
_NAIVE = pa.timestamp("ns")
_MOST_SPAN_NS = 200 * 366 * DAY_NS
_HAS_OFFSET = r"[Zz]$|[+-][0-9]{2}:?[0-9]{2}$"
_NUMBER = r"^-?[0-9]+(?:\.[0-9]*)?$"
_SOME_FORM = r"[0-9]{4}-[0-9]{2}-[0-9]{2}|-?[0-9]+[a-z]*$"
_NO_TIME = "has no time"
_OUTSIDE = "is outside 1677-09-21 to 2262-04-11, what InfluxDB can store"


@dataclass(frozen=True)
class TimeForm:
    """How times are written. `unit` (ns, us, ms, s): of numbers since 1970. `pattern`: as strptime has it.

    `zone` (IANA): of times without an offset. `second_hour`: in the hour that autumn repeats, the second one is meant;
    None refuses such times.
    """

    unit: str | None = None
    zone: str | None = None
    pattern: str | None = None
    second_hour: bool | None = None

    def read(self, texts: pa.StringArray) -> tuple[Longs, Bad]:
        """The instants (ns since 1970) of cells; those of rows in the second part have no meaning."""
        plain = without_blanks(texts)
        if self.pattern is not None:
            return self._by_pattern(plain)
        if self.unit is not None or _are_numbers(plain):
            return self._by_unit(plain)
        if not plain.null_count:
            fast = self._fast(plain)
            if fast is not None:
                return fast
        return self._by_single(plain, self._moment)

    def of_timestamps(self, column: pa.TimestampArray) -> tuple[Longs, Bad]:
        """The instants of a column of timestamps of any unit, with a zone or without one."""
        absent = {int(row): _NO_TIME for row in np.flatnonzero(column.is_null().to_numpy(zero_copy_only=False))}
        per_unit = UNITS_NS[column.type.unit]
        numbers = column.view(pa.int64()).fill_null(0).to_numpy()
        outside = (numbers > LATEST_NS // per_unit) | (numbers < -(-EARLIEST_NS // per_unit))
        times = np.where(outside, 0, numbers) * per_unit
        bad = {int(row): _OUTSIDE for row in np.flatnonzero(outside)} | absent
        if column.type.tz is not None or not len(times):
            return times, bad
        self._check_zone()
        instants, wrong = self._local(times)
        return instants, wrong | bad

    def of_numbers(self, column: pa.Array) -> tuple[Longs, Bad]:
        """The instants of a column of whole numbers since 1970. Raises InvalidParameter without a unit."""
        return self._by_unit(column.cast(pa.string()))

    def _fast(self, plain: pa.StringArray) -> tuple[Longs, Bad] | None:
        """All at once, where every cell has the same plain form."""
        with_offset = pc.match_substring_regex(plain, _HAS_OFFSET)
        try:
            if pc.all(with_offset).as_py():
                return plain.cast(TIME).view(pa.int64()).to_numpy(), {}
            if self.zone is not None and not pc.any(with_offset).as_py():
                return self._local(plain.cast(_NAIVE).view(pa.int64()).to_numpy())
        except pa.ArrowInvalid:
            return None
        return None

    def _local(self, local_ns: Longs) -> tuple[Longs, Bad]:
        """Instants at which the clock of the zone shows these times."""
        assert self.zone is not None
        first, last = int(local_ns.min()) - DAY_NS, int(local_ns.max()) + DAY_NS
        if self.zone == "UTC" or last - first > _MOST_SPAN_NS:
            return self._single_local(local_ns) if self.zone != "UTC" else (local_ns, {})
        span = TimeRange(max(first, EARLIEST_NS), min(last, LATEST_NS + 1))
        instants, count = np.zeros_like(local_ns), np.zeros(len(local_ns), np.int64)
        for segment, offset_ns in clock_segments(span, self.zone):
            inside = (local_ns - offset_ns >= segment.start_ns) & (local_ns - offset_ns < segment.stop_ns)
            taken = inside & ((count == 0) | bool(self.second_hour))
            instants[taken] = local_ns[taken] - offset_ns
            count += inside
        return instants, self._unclear(local_ns, count)

    def _single_local(self, local_ns: Longs) -> tuple[Longs, Bad]:
        assert self.zone is not None
        instants = [instants_of(int(shown), self.zone) for shown in local_ns]
        count = np.array([len(times) for times in instants], np.int64)
        chosen = [times[-1 if self.second_hour else 0] if times else 0 for times in instants]
        return np.array(chosen, np.int64), self._unclear(local_ns, count)

    def _unclear(self, local_ns: Longs, count: Longs) -> Bad:
        bad = {}
        for row in np.flatnonzero((count == 0) | ((count > 1) & (self.second_hour is None))).tolist():
            clock = str(np.datetime64(int(local_ns[row]), "ns"))
            if count[row]:
                advice = "say which hour is meant: --repeated-hour first, or second"
                bad[row] = f"the time {clock} comes twice in {self.zone}; {advice}"
            else:
                bad[row] = f"the time {clock} does not exist in {self.zone}, whose clock skips it"
        return bad

    def _by_unit(self, plain: pa.StringArray) -> tuple[Longs, Bad]:
        if self.unit is None:
            advice = "Say the unit of the numbers since 1970: --precision s, ms, us or ns"
            raise InvalidParameter("precision", f"The times are numbers. {advice}.")
        per_unit = UNITS_NS[self.unit]
        if not plain.null_count and pc.all(pc.match_substring_regex(plain, r"^-?[0-9]{1,19}$")).as_py():
            try:
                numbers = plain.cast(pa.int64()).to_numpy()
                most = LATEST_NS // per_unit
                if ((numbers >= -most) & (numbers <= most)).all():  # not abs(): the lowest number has none
                    return numbers * per_unit, {}
            except pa.ArrowInvalid:
                pass  # some number has more than 64 bits
        return self._by_single(plain, self._number)

    def _by_single(self, plain: pa.StringArray, read: Callable[[str], int]) -> tuple[Longs, Bad]:
        times, bad = np.zeros(len(plain), np.int64), {}
        for row, text in enumerate(plain.to_pylist()):
            try:
                if text is None:
                    raise ValueError(_NO_TIME)
                times[row] = read(text)
            except InvalidParameter as refused:
                bad[row] = refused.message
            except (ValueError, OverflowError) as reason:
                bad[row] = str(reason)
        return times, bad

    def _number(self, text: str) -> int:
        try:
            exact = Decimal(text) * UNITS_NS[self.unit or "ns"]
        except InvalidOperation:
            raise ValueError(f"the time {shown(text)} is no number since 1970 (--precision {self.unit})") from None
        if not exact.is_finite() or exact != exact.to_integral_value():
            raise ValueError(f"the time {shown(text)} is no whole number of nanoseconds")
        if not EARLIEST_NS <= exact <= LATEST_NS:
            raise ValueError(f"the time {shown(text)} {_OUTSIDE}; is the precision right?")
        return int(exact)

    def _moment(self, text: str) -> int:
        if self.zone is not None and self.second_hour is not None and not re.search(_HAS_OFFSET, text):
            instants, bad = self._local(_local_clock(text))
            if bad:
                raise ValueError(bad[0])
            return int(instants[0])
        if re.match(_SOME_FORM, text) is None:
            advice = "--time-format says how it is written, such as %d.%m.%Y %H:%M"
            raise ValueError(f"the time {shown(text)} is not written like 2026-01-31T08:00:00Z: {advice}")
        return parse_moment(text, "time", self.zone, "--tz")

    def _by_pattern(self, plain: pa.StringArray) -> tuple[Longs, Bad]:
        """Times as `pattern` writes them. Those without an offset are on the clock of the zone."""
        assert self.pattern is not None
        local = self._quick_pattern(plain)
        if local is not None:
            return self._local(local)
        instants, shown_times, bad = np.zeros(len(plain), np.int64), {}, {}
        for row, text in enumerate(plain.to_pylist()):
            try:
                moment = dt.datetime.strptime(text or "", self.pattern)
            except ValueError:
                bad[row] = _NO_TIME if text is None else f"the time {shown(text)} is not written like {self.pattern}"
                continue
            if moment.tzinfo is None:
                shown_times[row] = shown_ns(moment)
            else:
                instants[row] = shown_ns(moment.astimezone(dt.UTC).replace(tzinfo=None))
        if shown_times:
            rows = np.array(list(shown_times), np.int64)
            self._check_zone()
            instants[rows], unclear = self._local(np.array(list(shown_times.values()), np.int64))
            bad |= {int(rows[index]): reason for index, reason in unclear.items()}
        return instants, bad

    def _quick_pattern(self, plain: pa.StringArray) -> Longs | None:
        """Local times, where every cell has one and the pattern is of whole seconds without an offset."""
        assert self.pattern is not None
        if plain.null_count or "%f" in self.pattern or "%z" in self.pattern.lower() or not len(plain):
            return None
        moments = pc.strptime(plain, format=self.pattern, unit="s", error_is_null=True)
        if moments.null_count:
            return None
        self._check_zone()
        seconds: Longs = moments.view(pa.int64()).to_numpy()
        return seconds * 1_000_000_000 if (abs(seconds) < LATEST_NS // 1_000_000_000).all() else None

    def _check_zone(self) -> None:
        if self.zone is None:
            raise InvalidParameter("tz", "The times have no offset. Name their zone: --tz Europe/Berlin, or --tz UTC.")


def _are_numbers(plain: pa.StringArray) -> bool:
    return plain.null_count < len(plain) and pc.all(pc.match_substring_regex(plain, _NUMBER)).as_py() is not False


def _local_clock(text: str) -> Longs:
    try:
        clock: Longs = pa.array([text]).cast(_NAIVE).view(pa.int64()).to_numpy()
    except pa.ArrowInvalid:
        raise ValueError(f"the time {shown(text)} is not written like 2026-01-31 08:00:00") from None
    return clock
