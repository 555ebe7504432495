"""Where times go back. They are compared, never subtracted: two times can be more than 2^63 ns apart."""

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]


def descents(times_ns: Ints, before_ns: int) -> Ints:
    """The rows whose time is before that of the row before them; `before_ns` stands before the first row."""
    previous_ns = np.concatenate([np.array([before_ns], np.int64), times_ns[:-1]])
    return np.flatnonzero(times_ns < previous_ns)
