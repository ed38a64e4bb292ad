"""What applications are worth: the outage model of a study, brought to its history, and the options of the restoration group."""

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
from gridplan.assess._restoration import devices, restoration, services

__all__ = [
    "GROUPS",
    "NONE",
    "ReliabilityToday",
    "calibrated",
    "cost_by_class",
    "devices",
    "given",
    "interruption_costs",
    "logged",
    "members",
    "observed",
    "options",
    "outages",
    "reliability_today",
    "restoration",
    "services",
    "with_calibration",
]
