"""Plausible data for a first look: a month of it in an empty embedded store, and a sensor that goes on writing.

Asked for by `fluxgate serve --demo`, never otherwise, and never mixed into a store that holds other data.
"""

from service.demo.filling import fill_if_empty
from service.demo.simulator import Simulator

LATITUDE, LONGITUDE = 53.5436, 9.9658
"""Where the demo measures: a harbour."""

__all__ = ["LATITUDE", "LONGITUDE", "Simulator", "fill_if_empty"]
