"""Plausible data: a month of it for a first look, a simulator that goes on writing, and sensors for a write test.

`fluxgate serve --demo` fills an empty embedded store; a store that holds other data gets none. `fluxgate simulate`
writes sensors to the bucket that it is given.
"""

from service.demo.filling import fill_if_empty
from service.demo.simulator import Simulator

LATITUDE, LONGITUDE = 53.5436, 9.9658
"""Where the demo measures: a harbour."""

__all__ = ["LATITUDE", "LONGITUDE", "Simulator", "fill_if_empty"]
