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
from gridplan.assess._outlook import Conventional, conventional, outlook
from gridplan.assess._replay import ROADMAP, replay
from gridplan.assess._restoration import devices, restoration, services
from gridplan.assess._run import COLUMNS, KEY, Execution, fleet, metrics
from gridplan.assess._studies import cvr, known_sections, operating_case, sensor_curve
from gridplan.assess._tasks import Settings, groups
from gridplan.assess._views import (
    additivity_totals,
    alone_and_together,
    chosen,
    flexibility_table,
    gain_paths,
    gains,
    in_words,
    overlap,
    single_gains,
    topology_losses,
    totals,
)

__all__ = [
    "COLUMNS",
    "GROUPS",
    "KEY",
    "NONE",
    "ROADMAP",
    "Conventional",
    "Execution",
    "ReliabilityToday",
    "Settings",
    "additivity",
    "additivity_totals",
    "alone_and_together",
    "calibrated",
    "chosen",
    "conventional",
    "cost_by_class",
    "cvr",
    "default_cache",
    "devices",
    "fleet",
    "flexibility_table",
    "gain_paths",
    "gains",
    "given",
    "groups",
    "in_words",
    "interruption_costs",
    "known_sections",
    "logged",
    "measure",
    "members",
    "metrics",
    "observed",
    "operating_case",
    "options",
    "outages",
    "outlook",
    "overlap",
    "reliability_today",
    "replay",
    "restoration",
    "sensor_curve",
    "services",
    "single_gains",
    "topology_losses",
    "totals",
    "with_calibration",
]
