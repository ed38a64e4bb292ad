"""The best roadmap of every scenario, and what moves the value of one."""

from __future__ import annotations

import pandas as pd

from gridplan import roadmap, robustness
from gridplan.planning._case import Case
from gridplan.planning._plan import plan, terms
from gridplan.planning._portfolio import portfolio


def in_each_future(
    given: Case,
    choices: roadmap.Choices,
    *,
    known: dict[str, roadmap.Roadmap] | None = None,
    budget_percent: float = 100.0,
    targets: bool = True,
) -> dict[str, roadmap.Roadmap]:
    """Return the best roadmap of each scenario, as if it were certain.

    Parameters
    ----------
    given
        From :func:`gridplan.planning.case`.
    choices
        As for :func:`gridplan.roadmap.solve`; the time limit holds for each scenario.
    known
        Roadmaps by scenario that are solved already.
    budget_percent, targets
        As for :func:`gridplan.planning.portfolio`.
    """
    found = dict(known or {})
    for name in given.scenarios:
        if name not in found:
            found[name] = roadmap.solve(portfolio(given, name, budget_percent=budget_percent, targets=targets), choices)
    return {name: found[name] for name in given.scenarios}


def regret(given: Case, roadmaps: dict[str, roadmap.Roadmap]) -> robustness.Regret:
    """Return what the roadmap of each scenario loses in every scenario against the best of them.

    Parameters
    ----------
    given
        From :func:`gridplan.planning.case`.
    roadmaps
        From :func:`in_each_future`; an infeasible one is no plan and is left out; without any the tables are empty.
    """
    plans = {f"best for {name}": plan(given, found) for name, found in roadmaps.items() if found.status != "infeasible"}
    first = next(iter(roadmaps.values())).choices.first_year
    if not plans:
        lost = pd.DataFrame(columns=["plan", "future", "result", "best", "regret"])
        return robustness.Regret(
            lost, pd.DataFrame(columns=["plan", "regret_max", "worst_future", "result_mean", "result_worst"])
        )
    return robustness.regret(robustness.across(plans, terms(given, first)))


def decisions(given: Case, roadmaps: dict[str, roadmap.Roadmap], *, now: int) -> pd.DataFrame:
    """Return which projects are the same in every future, see :func:`gridplan.robustness.decisions`; projects by their names."""
    feasible = {name: found.schedule for name, found in roadmaps.items() if found.status != "infeasible"}
    if not feasible:
        return pd.DataFrame(columns=["project", "futures", "of_futures", "first_year", "last_year", "decision", "in_futures"])
    table = robustness.decisions(feasible, now=now)
    return table.assign(project=[given.labels.get(name, name) for name in table["project"]])


def tornado(own: robustness.Plan, at: robustness.Terms, uncertain: pd.DataFrame) -> pd.DataFrame:
    """Move each uncertainty alone and see the net present value of a plan, see :func:`gridplan.robustness.tornado`."""

    def worth(draws: robustness.Draws) -> pd.Series:
        return robustness.evaluate(own, at, uncertain, draws).money["npv_keur"]

    return robustness.tornado(worth, uncertain, at.weights(own.scenarios))
