"""What an answer says of the picture in it: where the plot is, what its edges mean, and what is missing.

The cache keeps it as a text, so it is read back from one unchanged.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass

_FACT = "picture"


@dataclass(frozen=True)
class PictureFacts:
    """The plot is `width` times `height` CSS pixels, `left` and `top` from the upper left corner of the picture.

    `low` and `high` are the values at its lower and upper edge; None when nothing is drawn. `drawn` of `series` series
    are drawn. `not_finite`: so many values were NaN or infinite.
    """

    left: int
    top: int
    width: int
    height: int
    low: float | None
    high: float | None
    drawn: int
    series: int
    not_finite: int

    def texts(self) -> dict[str, str]:
        return {_FACT: json.dumps(asdict(self))}

    @classmethod
    def from_texts(cls, texts: Mapping[str, str]) -> "PictureFacts | None":
        return cls(**json.loads(texts[_FACT])) if _FACT in texts else None
