"""Reliability: where minutes are lost, and what brings them back.

:func:`prepare` finds the sections of a network, the tree in which they are supplied and the ties between them; :func:`indices`
enumerates the failures of a year, lets protection trip and stages of switching restore the supply, and gives the indices of IEEE
1366; :func:`totals` gives only the system's, for searches.
"""

from gridplan.reliability._calibrate import Calibration, calibrate, plausible_factors
from gridplan.reliability._cost import customer_costs
from gridplan.reliability._history import Threshold, daily_indices, threshold, yearly_indices
from gridplan.reliability._inputs import CONTROLS, DEVICES, Outages
from gridplan.reliability._loading import loading
from gridplan.reliability._model import Model, prepare
from gridplan.reliability._results import Reliability, indices, totals
from gridplan.reliability._simulate import Sampling, Years, simulate
from gridplan.reliability._summary import OUTSIDE, bound_by_state, stage_worth, stages, ties

__all__ = [
    "CONTROLS",
    "DEVICES",
    "OUTSIDE",
    "Calibration",
    "Model",
    "Outages",
    "Reliability",
    "Sampling",
    "Threshold",
    "Years",
    "bound_by_state",
    "calibrate",
    "customer_costs",
    "daily_indices",
    "indices",
    "loading",
    "plausible_factors",
    "prepare",
    "simulate",
    "stage_worth",
    "stages",
    "threshold",
    "ties",
    "totals",
    "yearly_indices",
]
