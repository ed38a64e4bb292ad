"""Batch time-series power flow: one topology, many steps.

:func:`run` solves the steps of some :class:`Profiles` and returns a :class:`PowerFlow`;
the other functions turn that into tables.
"""

from gridplan.powerflow._results import by_area, duration_curve, energy, losses, statistics, violations, worst_hours
from gridplan.powerflow._run import METHODS, Limits, Options, PowerFlow, Profiles, run

__all__ = [
    "METHODS",
    "Limits",
    "Options",
    "PowerFlow",
    "Profiles",
    "by_area",
    "duration_curve",
    "energy",
    "losses",
    "run",
    "statistics",
    "violations",
    "worst_hours",
]
