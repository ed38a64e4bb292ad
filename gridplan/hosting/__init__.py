"""Hosting capacity: how much more generation or load a network takes, where, and what ends it.

:func:`capacity` treats every bus by itself, :func:`simultaneous` groups of buses that grow together, :func:`stochastic` random
sequences of plants. Each names the limit, the element and the step that bind.
"""

from gridplan.hosting._capacity import capacity, compare, simultaneous
from gridplan.hosting._choices import CONTROLS, Averaged, Connection, Control, Limits, Options, curves
from gridplan.hosting._placements import Placements, Sizes, draw, places, quantiles, stochastic

__all__ = [
    "CONTROLS",
    "Averaged",
    "Connection",
    "Control",
    "Limits",
    "Options",
    "Placements",
    "Sizes",
    "capacity",
    "compare",
    "curves",
    "draw",
    "places",
    "quantiles",
    "simultaneous",
    "stochastic",
]
