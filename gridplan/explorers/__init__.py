"""Explorers: controls around a plain function whose outputs are shown again whenever a control is released.

The function is a model: keyword arguments in, displayable outputs (:mod:`gridplan.figures`) out. It knows no widgets, so
a report can show its outputs for fixed values and a test can call it without a browser.
"""

from gridplan.explorers._applications import applications
from gridplan.explorers._architecture import architecture, projects
from gridplan.explorers._network import adoption, hosting_capacity, series, today
from gridplan.explorers._reliability import restoration
from gridplan.explorers._roadmap import budget, weights
from gridplan.explorers._widgets import Explorer, choice, slider

__all__ = [
    "Explorer",
    "adoption",
    "architecture",
    "budget",
    "choice",
    "hosting_capacity",
    "projects",
    "restoration",
    "series",
    "slider",
    "today",
    "weights",
]
__all__ = ["Explorer", "adoption", "applications", "choice", "hosting_capacity", "restoration", "series", "slider", "today"]
