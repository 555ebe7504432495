"""Plausible data for a first look: a month of it in an empty embedded store, and a simulator that goes on writing.

Only `fluxgate serve --demo` uses it. A store that holds other data gets none.
"""

from service.demo.filling import fill_if_empty
from service.demo.simulator import Simulator

__all__ = ["Simulator", "fill_if_empty"]
