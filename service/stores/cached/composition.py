"""Puts rows of pieces in the order in which the store gives them when it is asked for the whole range."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from service.domain.selected_windows import grids_of
from service.domain.selection import MeasurementPlan, ReadPlan, Selection, Stamp
from service.domain.timerange import TimeRange
from service.domain.windows import Grid
from service.frames import long_form
from service.frames.frame import Block
from service.frames.label_combinations import combine, texts_of
from service.stores.cached.rows import Frames, cut, joined
from service.stores.row_order import RowOrder, SeriesSortKey, in_runs

_BLOCK_ROWS = 65_536
_Key = tuple[int, SeriesSortKey]


def composed(
    frames: Sequence[pa.RecordBatch], selection: Selection, plan: ReadPlan, order: RowOrder
) -> Iterator[Block]:
    """The blocks of a read of `selection`, made of the rows of its windows.

    Raises OtherColumns: a row has a tag, or is of a measurement, that the plan does not know.
    """
    windows = selection.windows
    assert windows is not None
    grids = grids_of(selection.span, windows)
    by_measurement: dict[str, Frames] = {}
    for frame in joined(frames, {measurement.name: measurement.tags for measurement in plan.measurements}):
        by_measurement.setdefault(long_form.measurement(frame), []).append(frame)
    for measurement in plan.measurements:
        of_measurement = by_measurement.get(measurement.name, [])
        for grid in grids if of_measurement else ():
            in_grid = of_measurement if len(grids) == 1 else _within(of_measurement, grid.span, windows.stamp)
            arranged = _arranged(in_grid, measurement, order)
            if not selection.complete_rows:
                yield from _in_parts(arranged)
            elif order.has_runs:
                yield from in_runs(grid, partial(_of_run, arranged, windows.stamp))
            elif arranged:
                yield tuple(arranged)


def _within(frames: Frames, span: TimeRange, stamp: Stamp) -> Frames:
    parts = (cut(frame, [span], stamp) for frame in frames)
    return [part for part in parts if part.num_rows]


@dataclass(frozen=True)
class _Ranked:
    """A frame, sorted by the rank of each row's series."""

    frame: pa.RecordBatch
    ranks: npt.NDArray[np.int64]


def _arranged(frames: Frames, measurement: MeasurementPlan, order: RowOrder) -> Frames:
    """The rows by section, series and time, in frames of one type each."""
    keyed = [_keys_of_rows(frame, measurement, order) for frame in frames]
    rank_of = {key: rank for rank, key in enumerate(sorted({key for keys, _ in keyed for key in keys}))}
    ranked = []
    for frame, (keys, of_row) in zip(frames, keyed, strict=True):
        ranks = np.array([rank_of[key] for key in keys], np.int64)[of_row]
        rows = np.lexsort((long_form.times_ns(frame), ranks))
        ranked.append(_Ranked(frame.take(pa.array(rows)), ranks[rows]))
    return [part.frame for part in ranked] if len(ranked) < 2 else list(_in_turns(ranked))


def _keys_of_rows(
    frame: pa.RecordBatch, measurement: MeasurementPlan, order: RowOrder
) -> tuple[list[_Key], npt.NDArray[np.int64]]:
    """The sort key of each series in the frame, and the series of each row."""
    labels = [long_form.fields(frame), *long_form.tags(frame)]
    combinations = combine(labels)
    fields, *columns = texts_of(labels, combinations)
    keys: list[_Key] = []
    for place, field in enumerate(fields):
        texts = [(key, column[place]) for key, column in zip(measurement.tags, columns, strict=True)]
        tags = tuple((key, text) for key, text in texts if text is not None)
        section = order.sections.get((measurement.name, str(field)), 0)
        keys.append((section, order.series_key(measurement.tags, tags, str(field))))
    return keys, combinations.rows(frame.num_rows)


def _in_turns(ranked: Sequence[_Ranked]) -> Iterator[pa.RecordBatch]:
    """Frames of several types, cut where a series of another type comes between."""
    owner_of = {int(rank): place for place, part in enumerate(ranked) for rank in np.unique(part.ranks)}
    ranks = sorted(owner_of)
    first = 0
    for place in range(1, len(ranks) + 1):
        if place == len(ranks) or owner_of[ranks[place]] != owner_of[ranks[first]]:
            part = ranked[owner_of[ranks[first]]]
            start, stop = np.searchsorted(part.ranks, [ranks[first], ranks[place - 1] + 1])
            yield part.frame.slice(int(start), int(stop - start))
            first = place


def _in_parts(frames: Frames) -> Iterator[Block]:
    for frame in frames:
        for start in range(0, frame.num_rows, _BLOCK_ROWS):
            yield (frame.slice(start, _BLOCK_ROWS),)


def _of_run(frames: Frames, stamp: Stamp, run: Grid) -> Block:
    return tuple(_within(frames, run.span, stamp))
