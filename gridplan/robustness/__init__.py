"""How sure a plan is: costs, delays, prices, adoption and failure rates as they may turn out.

A :class:`Plan` is a roadmap and its benefits as tables, :class:`Terms` say how money of different years and scenarios is
compared. :func:`uncertainties` gives a table of ranges to start from, :func:`draw` samples it, :func:`evaluate` values the plan
in every sample, :func:`distribution` and :func:`probabilities` say what comes out. :func:`tornado` moves one thing at a time.
:func:`across`, :func:`regret` and :func:`decisions` compare several plans in several futures. Everything is computed on arrays of
all samples at once; no physics and no solver runs here.
"""

from gridplan.robustness._distributions import Draws, draw, mean, planned, quantile, uncertainties
from gridplan.robustness._evaluate import Outcome, evaluate
from gridplan.robustness._inputs import Plan, Terms, bundled, enablers_of
from gridplan.robustness._regret import Regret, across, decisions, regret
from gridplan.robustness._summary import distribution, probabilities
from gridplan.robustness._tornado import tornado

__all__ = [
    "Draws",
    "Outcome",
    "Plan",
    "Regret",
    "Terms",
    "across",
    "bundled",
    "decisions",
    "distribution",
    "draw",
    "enablers_of",
    "evaluate",
    "mean",
    "planned",
    "probabilities",
    "quantile",
    "regret",
    "tornado",
    "uncertainties",
]
