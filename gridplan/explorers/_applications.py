"""Explorer of applications: what is in service in each area, and what that gives."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import ipywidgets as widgets
import pandas as pd

from gridplan import assess, figures
from gridplan.assess import GROUPS
from gridplan.explorers._widgets import Explorer, choice

_SHOWN = (
    ("restoration", "saidi_min", "SAIDI", "min/yr", 1),
    ("restoration", "interruption_cost_keur", "Cost of interruptions", "k/yr", 0),
    ("voltage", "energy_taken_mwh", "Energy taken", "MWh/yr", 0),
    ("voltage", "losses_mwh", "Losses", "MWh/yr", 0),
    ("flexibility", "outside_h", "Outside limits", "area hours", 0),
    ("flexibility", "curtailed_mwh", "Energy cut", "MWh/yr", 0),
    ("flexibility", "reinforcement_keur", "Reinforcement", "k", 0),
)


def applications(metrics: pd.DataFrame, scenario: str, year: int, currency: str = "") -> Explorer:
    """Explore what applications give, ticked area by area.

    Parameters
    ----------
    metrics
        From :func:`gridplan.assess.metrics`.
    scenario, year
        The future shown first.
    currency
        Currency of the study.
    """
    areas = sorted(metrics["area"].unique())
    names = [name for group in GROUPS.values() for name in group if metrics["option"].str.split("+").explode().eq(name).any()]
    scenarios = [scenario, *(name for name in dict.fromkeys(metrics["scenario"]) if name != scenario)]
    years = [str(year), *(str(other) for other in sorted(set(metrics["year"])) if other != year)]
    controls: dict[str, widgets.ValueWidget] = {"scenario": choice("Scenario", scenarios), "year": choice("Year", years)}
    for number, area in enumerate(areas):
        first = [name for name in ("remote_control", "flisr", "voltvar", "der_management") if name in names] if not number else []
        controls[area] = _ticks(area, names, first)
    return Explorer(functools.partial(_shown, metrics, currency), controls)


def _ticks(area: str, names: Sequence[str], first: Sequence[str]) -> widgets.SelectMultiple:
    options = [(assess.in_words(name, _group(name)), name) for name in names]
    layout = {"width": "290px", "height": "230px"}
    return widgets.SelectMultiple(options=options, value=tuple(first), description=area, layout=layout)


def _group(name: str) -> str:
    return next(group for group, members in GROUPS.items() if name in members)


def _shown(metrics: pd.DataFrame, currency: str, scenario: str, year: str, **in_service: tuple[str, ...]) -> list[Any]:
    today = assess.chosen(metrics, scenario, int(year), {})
    after = assess.chosen(metrics, scenario, int(year), in_service)
    before, now = (assess.totals(_one(table)).set_index("group") for table in (today, after))
    cards = [
        figures.Card(
            label,
            now.at[group, column],
            unit.replace("k", f"k{currency}", 1) if column.endswith("_keur") else unit,
            f"today {figures.number(before.at[group, column], digits)}",
            digits=digits,
        )
        for group, column, label, unit, digits in _SHOWN
        if group in now.index and pd.notna(now.at[group, column])
    ]
    return [figures.Cards(cards), figures.applications.ticked(today, after)]


def _one(table: pd.DataFrame) -> pd.DataFrame:
    """Areas in different options, summed as one."""
    return table.assign(option="chosen")
