"""What a picture shows, before anything is drawn: its series, its texts, and what is missing in it."""

from dataclasses import dataclass

from service.domain.timerange import TimeRange
from service.pictures.look import Look
from service.pictures.series_points import SeriesPoints


@dataclass(frozen=True)
class Chart:
    """The range `span` on the clock of `zone` (IANA), with a line for each of `series`.

    `labels` has one for each series. `notes` say what is cut or left out. `empty` says why there is no series. All
    texts may hold any character; they are cut where they are too long.
    """

    look: Look
    span: TimeRange
    zone: str
    title: str
    subtitle: str
    series: tuple[SeriesPoints, ...] = ()
    labels: tuple[str, ...] = ()
    unit: str = ""
    notes: tuple[str, ...] = ()
    empty: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if len(self.series) != len(self.labels):
            raise ValueError(f"{len(self.series)} series and {len(self.labels)} labels")
