"""Explorers of the roadmap: other weights, other budgets."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pandas as pd

from gridplan import planning, scoring
from gridplan import roadmap as roadmaps
from gridplan.explorers._widgets import Explorer, choice, slider
from gridplan.figures import plans, prose
from gridplan.figures import roadmap as roadmap_figures
from gridplan.figures import scoring as scoring_figures

SECONDS = 20.0
"""Longest search that an explorer waits for [s]."""


def weights(criteria: pd.DataFrame, alternatives: pd.DataFrame, *, labels: Mapping[str, str] | None = None) -> Explorer:
    """Explore the ranking of projects with other weights.

    Parameters
    ----------
    criteria, alternatives
        Tables `criteria` and `alternatives`; the sliders start at the weights of the table.
    labels
        Names of the projects.
    """
    names = dict(zip(criteria["criterion"], criteria["label"], strict=True))
    controls = {
        row.criterion: slider(row.label, round(100 * float(row.weight)), (0, 100), 1, "points") for row in criteria.itertuples()
    }
    return Explorer(functools.partial(_weights, (criteria, alternatives, {**(labels or {}), **names})), controls)


def _weights(given: tuple[pd.DataFrame, pd.DataFrame, dict[str, str]], **points: float) -> list[Any]:
    criteria, alternatives, labels = given
    total = sum(points.values())
    if not total > 0:
        return [prose("Give at least one criterion a weight.")]
    chosen = pd.DataFrame({"criterion": list(points), "weight": [value / total for value in points.values()]})
    table = scoring.contributions(criteria, alternatives, chosen)
    return [scoring_figures.ranking(table, labels=labels, rows=20).renamed("what-if-ranking")]


def budget(
    given: planning.Case, scenario: str, choices: roadmaps.Choices, *, percent: float = 100.0, scores: pd.DataFrame | None = None
) -> Explorer:
    """Explore the roadmap with other budgets, another objective, and without the targets: it is solved again each time.

    Parameters
    ----------
    given
        From :func:`gridplan.planning.case`.
    scenario
        Scenario to begin with.
    choices
        Choices to begin with; a search ends after 20 s at the latest, with its gap.
    percent
        Budget to begin with [%].
    scores
        As for :func:`gridplan.planning.portfolio`.
    """
    first = min(max(percent, 10.0), 200.0)
    controls = {
        "percent": slider("Capital budgets", first, (10, 200), 10, "%"),
        "objective": choice("Best is", list(dict.fromkeys([choices.objective, "npv", "cost", "benefit"]))),
        "scenario": choice("Scenario", list(dict.fromkeys([scenario, *given.scenarios]))),
        "targets": choice("Targets", ["hold", "are left out"]),
    }
    return Explorer(functools.partial(_budget, (given, choices, scores)), controls)


def _budget(
    given: tuple[planning.Case, roadmaps.Choices, pd.DataFrame | None],
    *,
    percent: float,
    objective: str,
    scenario: str,
    targets: str,
) -> list[Any]:
    case, choices, scores = given
    problem = planning.portfolio(case, scenario, budget_percent=percent, targets=targets == "hold", scores=scores)
    limit = min(choices.time_limit_s, SECONDS)
    found = roadmaps.solve(problem, replace(choices, objective=objective, time_limit_s=limit))
    currency = case.money.currency
    shown: list[Any] = [plans.cards(found, planning.break_even(case, found, scenario), currency=currency)]
    if found.status == "infeasible":
        return shown
    drawn = roadmap_figures.gantt(found.schedule, roadmaps.edges(problem), last_year=choices.last_year)
    return [drawn.renamed("what-if-gantt"), *shown]
