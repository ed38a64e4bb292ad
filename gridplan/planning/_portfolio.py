"""The problem that a roadmap solves, of one scenario."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd

from gridplan import roadmap, valuation
from gridplan.errors import ParameterError, Problem, suggest
from gridplan.planning._case import Case

NEEDED = ["area", "group", "option", "year"]


def portfolio(
    given: Case,
    scenario: str,
    *,
    budget_percent: float = 100.0,
    targets: bool = True,
    scores: pd.DataFrame | None = None,
    kpis: list[str] | None = None,
) -> roadmap.Portfolio:
    """Return the projects, needs, benefits and limits of a study in one scenario, checked with each other.

    Declared benefits stay out: no plan is chosen for a benefit that nobody simulated. :func:`declared_after` says what they add
    to a plan.

    Parameters
    ----------
    given
        From :func:`gridplan.planning.case`.
    scenario
        Scenario whose benefits and KPIs count.
    budget_percent
        Every capital budget is multiplied by it [%].
    targets
        Whether the targets of the study hold.
    scores
        `project`, `score`, for the plan by rank and the objective ``score``.
    kpis
        KPIs that the roadmap follows; by default all.

    Raises
    ------
    ParameterError
        The scenario is unknown.
    StudyError
        The tables contradict each other.
    """
    _refuse(given, scenario, budget_percent)
    parts = given.contributions[given.contributions["scenario"] == scenario].drop(columns="scenario")
    own = {name: table for name, table in given.tables.items() if name != "targets" or targets}
    own |= {
        "closures": given.closures,
        "benefits": valuation.by_option(given.benefits, scenario=scenario)[[*NEEDED, "benefit_keur"]],
        "contributions": parts if kpis is None else parts[[*NEEDED, *kpis]],
    }
    if "budgets" in own:
        own["budgets"] = scaled(own["budgets"], budget_percent)
    return roadmap.portfolio(own if scores is None else own | {"scores": scores[["project", "score"]]})


def _refuse(given: Case, scenario: str, budget_percent: float) -> None:
    problems = []
    if scenario not in given.scenarios:
        problems.append(Problem("scenario", f"'{scenario}' has no metrics", remedy=suggest(scenario, given.scenarios)))
    if not budget_percent >= 0:
        problems.append(Problem("budget_percent", f"{budget_percent:g} is not at least 0 [%]"))
    if problems:
        raise ParameterError("portfolio", problems)


def scaled(budgets: pd.DataFrame, percent: float) -> pd.DataFrame:
    """Return budgets whose capital amounts are multiplied by a percentage."""
    capital = budgets["kind"] != "opex"
    return budgets.assign(budget_keur=budgets["budget_keur"].where(~capital, budgets["budget_keur"] * percent / 100))


def years_of(given: Case) -> tuple[int, int]:
    """Return the first and the last year of a plan: the first after the base year of the metrics, and their last."""
    years = given.metrics["year"]
    return int(years.min()) + 1, int(years.max())


def choices(given: Case, **picked: object) -> roadmap.Choices:
    """Return the choices of a roadmap with the years and the discount rate of the study.

    Parameters
    ----------
    given
        From :func:`gridplan.planning.case`.
    **picked
        Any other of :class:`gridplan.roadmap.Choices`; also `first_year`, `last_year` and `discount_percent` to differ.
    """
    first, last = years_of(given)
    own = {"first_year": first, "last_year": last, "discount_percent": given.assumptions["discount_rate_percent"]}
    return roadmap.Choices(**(own | picked))


def quick(chosen: roadmap.Choices, *, share: float = 0.5) -> roadmap.Choices:
    """Return choices with a shorter search, for roadmaps that are solved beside the one of the page.

    Parameters
    ----------
    chosen
        Choices of that one.
    share
        Share of its time.
    """
    return replace(chosen, time_limit_s=max(share * chosen.time_limit_s, 1.0))
