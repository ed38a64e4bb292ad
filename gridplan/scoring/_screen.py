"""Screening by class of spend: which test a project must pass, and whether it does."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

from gridplan import tables
from gridplan.errors import Problem, StudyError, suggest
from gridplan.scoring._inputs import bundled, default

Verdict = tuple[bool | None, str]


def screen(screening: pd.DataFrame, spend_classes: pd.DataFrame | None = None) -> pd.DataFrame:
    """Apply to each project the test of its class of spend.

    ``least_cost``: the need is given, so among the alternatives with the same `need` that meet it the cheapest passes; a bundle
    is judged by the sum of its projects. ``benefit_cost``: benefits in money are to reach the cost. ``self_supporting``: what
    the customers who take part pay is to cover the cost. What a test needs and the table does not hold is said; a project is
    then neither passed nor failed.

    Parameters
    ----------
    screening
        Table `screening`: `project`, `class_of_spend`, `need`, `bundle`, `meets_need`, `cost_keur`, `benefit_keur`,
        `paid_keur`; money as present values of the same horizon. An alternative that was looked at and is no project of the
        plan has a row too.
    spend_classes
        `class_of_spend`, `label`, `test`, `judged` (``project`` or ``bundle``), `source`, `evidence`; by default the table
        that comes with gridplan, after the categories of the US Department of Energy.

    Returns
    -------
    pd.DataFrame
        `project`, `class_of_spend`, `test`, `cost_keur`, `benefit_keur`, `bcr`, `passed` (missing where it cannot be said),
        `why`.

    Raises
    ------
    StudyError
        The tables do not hold what they must, or a class of spend has no test.
    """
    rows = tables.check({"screening": screening})["screening"]
    classes = (bundled("spend_classes") if spend_classes is None else spend_classes).set_index("class_of_spend")
    _refuse(rows, classes)
    judged = rows.join(classes[["test", "judged"]], on="class_of_spend")
    found = [TESTS[row["test"]](row, judged) for _, row in judged.iterrows()]
    judged["bcr"] = judged["benefit_keur"] / judged["cost_keur"].where(judged["cost_keur"] > 0)
    judged["passed"] = pd.array([passed for passed, _ in found], dtype="boolean")
    judged["why"] = [why for _, why in found]
    return judged[["project", "class_of_spend", "test", "cost_keur", "benefit_keur", "bcr", "passed", "why"]]


def _refuse(rows: pd.DataFrame, classes: pd.DataFrame) -> None:
    problems = []
    for at, row in rows.iterrows():
        name = row["class_of_spend"]
        if name not in classes.index:
            what = f"'{name}' has no test"
            problems.append(Problem("screening.csv", what, int(at) + 2, "class_of_spend", suggest(name, classes.index)))
        elif classes.loc[name, "judged"] == "bundle" and not row["bundle"]:
            what = f"is empty, and '{name}' is judged by the bundle"
            problems.append(Problem("screening.csv", what, int(at) + 2, "bundle", "name the projects that only pay together"))
    for name, row in classes.iterrows():
        if row["test"] not in TESTS:
            problems.append(Problem("spend_classes", f"'{name}': '{row['test']}' is no test", remedy=suggest(row["test"], TESTS)))
    if problems:
        raise StudyError("screening", problems)


def _least_cost(row: pd.Series, rows: pd.DataFrame) -> Verdict:
    unit = "bundle" if row["judged"] == "bundle" else "project"
    if not row["need"]:
        return None, "no need is named, so that no alternative can be compared"
    same = rows[rows["need"] == row["need"]]
    solution = same["bundle"].where((same["judged"] == "bundle") & (same["bundle"] != ""), same["project"])
    whole = same.groupby(solution, sort=False).agg(cost=("cost_keur", "sum"), fits=("meets_need", "all"))
    own = row[unit]
    if not whole.loc[own, "fits"]:
        return False, f"does not meet the need '{row['need']}'"
    others = whole[whole["fits"]].drop(index=own)["cost"]
    said = f"{unit} '{own}' costs {whole.loc[own, 'cost']:,.0f} kEUR".replace(",", "\u2009")
    if others.empty:
        return None, f"{said}; no other alternative that meets the need was costed"
    least, cheapest = others.min(), others.idxmin()
    ahead = f"{abs(least - whole.loc[own, 'cost']):,.0f} kEUR".replace(",", "\u2009")
    if whole.loc[own, "cost"] <= least:
        return True, f"{said}, the least of {len(others) + 1} that meet the need; the next, '{cheapest}', costs {ahead} more"
    return False, f"{said}; '{cheapest}' meets the same need for {ahead} less"


def _benefit_cost(row: pd.Series, rows: pd.DataFrame) -> Verdict:  # noqa: ARG001 - the signature of a test
    if np.isnan(row["benefit_keur"]):
        return None, "no benefit in money is given"
    return _covers(row["benefit_keur"], row["cost_keur"], "benefits", default("benefit_cost_least"))


def _self_supporting(row: pd.Series, rows: pd.DataFrame) -> Verdict:  # noqa: ARG001 - the signature of a test
    if np.isnan(row["paid_keur"]):
        return None, "what the customers who take part pay is not given"
    return _covers(row["paid_keur"], row["cost_keur"], "payments of those who take part", 1.0)


def _covers(gain: float, cost: float, what: str, least: float) -> Verdict:
    passed = bool(gain >= least * cost)
    said = f"{what} of {gain:,.0f} kEUR against costs of {cost:,.0f} kEUR".replace(",", "\u2009")
    ratio = f", {gain / cost:.2f} where at least {least:g} is asked" if cost > 0 else ""
    return passed, said + ratio


TESTS: dict[str, Callable[[pd.Series, pd.DataFrame], Verdict]] = {
    "least_cost": _least_cost,
    "benefit_cost": _benefit_cost,
    "self_supporting": _self_supporting,
}
"""Tests by the name that the table of classes gives them."""
