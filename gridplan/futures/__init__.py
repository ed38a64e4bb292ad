"""What the network has to carry in the years to come: scenarios, adoption, roll-out to buses, time series.

A scenario is a set of dated changes on the base year: growth of what is there (``load_growth``), technologies that spread along
S-curves (``adoption``) and plants whose place is known (``placements``). What a technology is - its power, its profile, how it
behaves - stands in ``technologies``. The base year's network and profiles hold what is there today, so that only what is added
since then becomes a new element: in the base year every scenario is the network as it stands.

The unit of everything is the bus of the network; units (cars, heat pumps, plants, batteries) are whole numbers. A unit that has
been placed stays where it is, and the same seed gives the same places in every scenario.
"""

from gridplan.futures._case import Case, case, cases, envelope, given, horizon, power
from gridplan.futures._compare import adoption, assumption_difference, by_area, difference
from gridplan.futures._curves import growth_factors, logistic, shares
from gridplan.futures._inputs import Inputs, check
from gridplan.futures._profiles import profiles
from gridplan.futures._rollout import apportion, order, rollout
from gridplan.futures._storage import self_consumption

__all__ = [
    "Case",
    "Inputs",
    "adoption",
    "apportion",
    "assumption_difference",
    "by_area",
    "case",
    "cases",
    "check",
    "difference",
    "envelope",
    "given",
    "growth_factors",
    "horizon",
    "logistic",
    "order",
    "power",
    "profiles",
    "rollout",
    "self_consumption",
    "shares",
]
