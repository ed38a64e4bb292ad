"""The network model: open it from anywhere, judge it, find its feeders and its places on the map.

A network is a ``pandapowerNet``; an element is addressed by the number it has in its pandapower table.
"""

from gridplan.network.areas import areas, feeder_heads
from gridplan.network.diagnosis import check, diagnose, unrated
from gridplan.network.inventory import describe, display_name
from gridplan.network.places import coordinates, layout, line_paths
from gridplan.network.references import load, unassigned
from gridplan.network.sources import open  # noqa: A004 - network.open is the name of the act

__all__ = [
    "areas",
    "check",
    "coordinates",
    "describe",
    "diagnose",
    "display_name",
    "feeder_heads",
    "layout",
    "line_paths",
    "load",
    "open",
    "unassigned",
    "unrated",
]
