"""Plotly figures, tables, cards and prose for notebooks and reports; nothing here computes a result."""

from gridplan.figures import (
    applications,
    architecture,
    capability,
    communications,
    futures,
    hosting,
    inventory,
    maps,
    needs,
    operation,
    plans,
    reliability,
    restoration,
    roadmap,
    robustness,
    scoring,
    sentences,
    theme,
)
from gridplan.figures import applications, futures, hosting, maps, needs, operation, reliability, restoration, roadmap, sentences, theme
from gridplan.figures.maps import Map
from gridplan.figures.outputs import Card, Cards, Figure, Table, Text, number, prose

__all__ = [
    "Card",
    "Cards",
    "Figure",
    "Map",
    "Table",
    "Text",
    "applications",
    "architecture",
    "capability",
    "communications",
    "futures",
    "hosting",
    "inventory",
    "maps",
    "needs",
    "number",
    "operation",
    "plans",
    "prose",
    "reliability",
    "restoration",
    "roadmap",
    "robustness",
    "scoring",
    "sentences",
    "theme",
]
