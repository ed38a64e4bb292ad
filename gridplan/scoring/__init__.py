"""Scores of projects against several criteria, and how firm they are.

A *criterion* has a range, a direction and a value function that turns raw values into 0 to 100 points; *weights* that sum to 1
are given (:func:`direct`), come from swings (:func:`swing`) or from comparisons in pairs (:func:`ahp`). :func:`weighted_sum`
and :func:`topsis` rank; :func:`routes` puts the weighted and the monetised route side by side; :func:`acceptability` and
:func:`stability` say how much of a rank is owed to the weights; :func:`screen` applies the test of each class of spend.

A weighted sum is only as good as its criteria: two that measure the same count it twice. And what a project brings depends on
what else is there: :func:`attribute` shares the simulated values of combinations among the projects that they need. The roadmap,
not the score, schedules what depends on what.

Only tables are read here; no network is needed.
"""

from gridplan.scoring._attribute import attribute
from gridplan.scoring._inputs import bundled
from gridplan.scoring._score import Routes, contributions, monetised, routes, topsis, weighted_sum
from gridplan.scoring._screen import screen
from gridplan.scoring._stability import acceptability, stability
from gridplan.scoring._values import values
from gridplan.scoring._weights import Comparison, ahp, direct, matrix, swing

__all__ = [
    "Comparison",
    "Routes",
    "acceptability",
    "ahp",
    "attribute",
    "bundled",
    "contributions",
    "direct",
    "matrix",
    "monetised",
    "routes",
    "screen",
    "stability",
    "swing",
    "topsis",
    "values",
    "weighted_sum",
]
