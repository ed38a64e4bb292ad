"""What each application is worth: the metrics table, one row per area, group, option, scenario and year.

It is the hinge of a study: left of it everything knows networks, right of it only tables. Beside it stands the outage model of a
study, brought to its history.
"""

from gridplan.assess._additivity import additivity
from gridplan.assess._cache import default as default_cache
from gridplan.assess._measure import measure
from gridplan.assess._options import GROUPS, NONE, members, options
from gridplan.assess._outages import (
    ReliabilityToday,
    calibrated,
    cost_by_class,
    given,
    interruption_costs,
    logged,
    observed,
    outages,
    reliability_today,
    with_calibration,
)
from gridplan.assess._replay import ROADMAP, replay
from gridplan.assess._restoration import devices, restoration, services
from gridplan.assess._run import COLUMNS, KEY, Execution, fleet, metrics
from gridplan.assess._tasks import Settings, groups

__all__ = [
    "COLUMNS",
    "GROUPS",
    "KEY",
    "NONE",
    "ROADMAP",
    "Execution",
    "ReliabilityToday",
    "Settings",
    "additivity",
    "calibrated",
    "cost_by_class",
    "default_cache",
    "devices",
    "fleet",
    "given",
    "groups",
    "interruption_costs",
    "logged",
    "measure",
    "members",
    "metrics",
    "observed",
    "options",
    "outages",
    "replay",
    "reliability_today",
    "restoration",
    "services",
    "with_calibration",
]
