"""Several plans in several futures: regret, the plan that minimises the largest, and what is the same in every future."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from gridplan.errors import ParameterError, Problem, StudyError, suggest
from gridplan.robustness._distributions import Draws
from gridplan.robustness._evaluate import evaluate
from gridplan.robustness._inputs import Plan, Terms

BETTER = ("more", "less")


@dataclass(frozen=True, eq=False)
class Regret:
    """How much each plan loses against the best one in each future.

    Parameters
    ----------
    table
        `plan`, `future`, `result`, `best` (of all plans in that future), `regret`.
    plans
        `plan`, `regret_max`, `worst_future`, `result_mean`, `result_worst`, `best_in` (futures in which no plan is better),
        `rank` by the largest regret; the chosen plan first.
    """

    table: pd.DataFrame
    plans: pd.DataFrame

    @property
    def choice(self) -> str:
        """The plan with the smallest largest regret; of several the first by name."""
        return str(self.plans["plan"].iloc[0])


def across(
    plans: Mapping[str, Plan], terms: Terms, uncertain: pd.DataFrame | None = None, draws: Draws | None = None
) -> pd.DataFrame:
    """Return the net present value of each plan in each future.

    Parameters
    ----------
    plans
        Plans by name, with the same scenarios and horizon.
    terms
        Rate and base year.
    uncertain, draws
        Futures as samples, the same for every plan, as for :func:`gridplan.robustness.evaluate`; by default each scenario is a
        future, as if it were certain and everything else as planned.

    Returns
    -------
    pd.DataFrame
        `plan`, `future` (the scenario, or the number of the sample), `result` [kEUR].

    Raises
    ------
    StudyError
        Plans differ in scenarios or horizon.
    """
    first = next(iter(plans.values()))
    problems = [
        Problem(f"plan '{name}'", "has other scenarios or years than the first plan", remedy="evaluate all in the same futures")
        for name, plan in plans.items()
        if set(plan.scenarios) != set(first.scenarios) or list(plan.years) != list(first.years)
    ]
    if problems:
        raise StudyError("plans", problems)
    futures = first.scenarios if draws is None else [str(i) for i in range(len(draws.mix))]
    tables = []
    for name, plan in plans.items():
        lived = Draws(pd.DataFrame(index=range(len(futures))), _certain(first.scenarios)) if draws is None else draws
        same = Draws(lived.settings, lived.mix[plan.scenarios])
        result = evaluate(plan, terms, uncertain if draws is not None else None, same).money["npv_keur"]
        tables.append(pd.DataFrame({"plan": name, "future": futures, "result": result}))
    return pd.concat(tables, ignore_index=True)


def _certain(scenarios: list[str]) -> pd.DataFrame:
    """Return a mix with one row a scenario, in which it is certain."""
    return pd.DataFrame(np.eye(len(scenarios)), columns=scenarios)


def regret(results: pd.DataFrame, *, better: str = "more") -> Regret:
    """Return the regret of each plan in each future, and the plan whose largest regret is smallest (minimax regret [1]_).

    Parameters
    ----------
    results
        `plan`, `future`, `result`: one row for every pair, from :func:`across` or from anything else; futures may be scenarios
        or samples.
    better
        Whether ``more`` or ``less`` of the result is better.

    Returns
    -------
    Regret

    Raises
    ------
    StudyError
        A pair is missing, occurs twice or has no finite result.
    ParameterError
        `better` is neither.

    References
    ----------
    .. [1] L. J. Savage, "The theory of statistical decision", J. American Statistical Association 46, 1951.
    """
    if better not in BETTER:
        raise ParameterError("regret", [Problem("better", f"'{better}' is not allowed", remedy=suggest(better, BETTER))])
    _refuse(results)
    sign = 1.0 if better == "more" else -1.0
    grid = sign * results.pivot_table(index="plan", columns="future", values="result", sort=False)
    lost = grid.max(axis=0) - grid
    table = results[["plan", "future", "result"]].reset_index(drop=True)
    table["best"] = table["future"].map(sign * grid.max(axis=0))
    table["regret"] = [lost.at[plan, future] for plan, future in zip(table["plan"], table["future"], strict=True)]
    summary = pd.DataFrame(
        {
            "plan": grid.index,
            "regret_max": lost.max(axis=1).to_numpy(),
            "worst_future": lost.idxmax(axis=1).to_numpy(),
            "result_mean": sign * grid.mean(axis=1).to_numpy(),
            "result_worst": sign * grid.min(axis=1).to_numpy(),
            "best_in": (lost <= 1e-9 * grid.abs().max(axis=None)).sum(axis=1).to_numpy(),
        }
    )
    summary["rank"] = summary["regret_max"].rank(method="min").astype(int)
    return Regret(table, summary.sort_values(["rank", "plan"], ignore_index=True))


def _refuse(results: pd.DataFrame) -> None:
    problems = [Problem("results", f"has no column '{c}'") for c in ("plan", "future", "result") if c not in results]
    if not problems and results.empty:
        problems.append(Problem("results", "is empty"))
    if not problems:
        plans, futures = results["plan"].unique(), results["future"].unique()
        counts = results.groupby(["plan", "future"]).size()
        found = counts.reindex(pd.MultiIndex.from_product([plans, futures]), fill_value=0)
        for (plan, future), count in found[found != 1].items():
            problems.append(
                Problem("results", f"plan '{plan}' has {count} results in '{future}'", remedy="give one for every pair")
            )
        odd = results[~np.isfinite(results["result"].astype(float))]
        problems += [
            Problem("results", f"plan '{r.plan}' in '{r.future}': {r.result} is no finite number") for r in odd.itertuples()
        ]
    if problems:
        raise StudyError("regret", problems)


def decisions(schedules: Mapping[str, pd.DataFrame], *, now: int) -> pd.DataFrame:
    """Return which decisions are the same in every future, and which can wait until one knows more.

    Parameters
    ----------
    schedules
        The best plan of each future: `project`, `start_year`, by the name of the future.
    now
        Last year of the decisions that are due today.

    Returns
    -------
    pd.DataFrame
        `project`, `futures` (in how many it is built), `of_futures`, `first_year`, `last_year` (of its starts), `decision`:
        ``start in every future`` (due today, no regret), ``start in some futures`` (due today in some: the choice that matters),
        ``in every future, later`` (sure, but it can wait), ``in some futures, later`` (wait and see); and `in_futures`, the
        futures that build it. In that order.

    Raises
    ------
    ParameterError
        There is no future.
    """
    if not schedules:
        raise ParameterError("decisions", [Problem("schedules", "hold no future", remedy="give at least one")])
    tables = [table[["project", "start_year"]].assign(future=name) for name, table in schedules.items()]
    whole = pd.concat(tables, ignore_index=True)
    rows = [_decision(str(project), own, len(schedules), now) for project, own in whole.groupby("project")]
    table = pd.DataFrame(rows, columns=["project", "futures", "of_futures", "first_year", "last_year", "decision", "in_futures"])
    order = table["decision"].map({name: at for at, name in enumerate(DECISIONS)})
    return table.assign(order=order).sort_values(["order", "first_year", "project"], ignore_index=True).drop(columns="order")


DECISIONS = ("start in every future", "start in some futures", "in every future, later", "in some futures, later")
"""Kinds of decisions, the surest first."""


def _decision(project: str, own: pd.DataFrame, of: int, now: int) -> dict[str, object]:
    years, futures = own["start_year"], own["future"].nunique()
    due = own.loc[years <= now, "future"].nunique()
    kind = 0 if due == of else 1 if due else 2 if futures == of else 3
    return {
        "project": project,
        "futures": futures,
        "of_futures": of,
        "first_year": int(years.min()),
        "last_year": int(years.max()),
        "decision": DECISIONS[kind],
        "in_futures": ", ".join(own["future"].astype(str)),
    }
