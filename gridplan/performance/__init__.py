"""How a network performs over a year: results of a batch of power flows as the tables a planner reads.

Every table has plain columns from the dictionary. A step without a solution is missing in extremes and averages and counted
by :func:`failed_hours`; it never counts as a step within limits.
"""

from gridplan.performance._figures import Inventory, KeyFigures, failed_hours, inventory, key_figures, limits, outlook, outside
from gridplan.performance._series import daily, hourly, loading_curves, mean_day, monthly, profile_summary, shape
from gridplan.performance._tables import area_summary, buses, events, geometry, line_areas, lines, scaled, stations, worst_needs

__all__ = [
    "Inventory",
    "KeyFigures",
    "area_summary",
    "buses",
    "daily",
    "events",
    "failed_hours",
    "geometry",
    "hourly",
    "inventory",
    "key_figures",
    "limits",
    "line_areas",
    "lines",
    "loading_curves",
    "mean_day",
    "monthly",
    "outlook",
    "outside",
    "profile_summary",
    "scaled",
    "shape",
    "stations",
    "worst_needs",
]
