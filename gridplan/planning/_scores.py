"""Raw values of projects for scores, and what screening needs."""

from __future__ import annotations

import numpy as np
import pandas as pd

from gridplan import roadmap, scoring, valuation
from gridplan.errors import Problem, StudyError
from gridplan.planning._case import Case
from gridplan.planning._plan import needed, needs

STREAMS = {
    "reliability": ("interruption_cost",),
    "efficiency": ("losses", "energy", "peak_capacity", "switching"),
    "capacity": ("curtailment", "reinforcement"),
    "climate": ("carbon",),
}
"""Criteria in money: the streams of benefit that each adds up; present values over the plan."""
OTHERS = ("enabling", "certainty")
"""Criteria without a price: gaps of today that a project takes part in closing, and the class of its cost estimate."""


def criteria(given: Case) -> pd.DataFrame:
    """Return the criteria of the study.

    Raises
    ------
    StudyError
        The study has none.
    """
    if "criteria" not in given.tables:
        raise StudyError("scores", [Problem("criteria.csv", "is missing", remedy="add the table 'criteria'")])
    return given.tables["criteria"].copy()


def criterion_labels(given: Case) -> dict[str, str]:
    """Return the names of the criteria as a reader knows them."""
    table = criteria(given)
    return dict(zip(table["criterion"], table["label"], strict=True))


def alternatives(given: Case, scenario: str) -> pd.DataFrame:
    """Return the raw value of each project by criterion, for the criteria of the study that gridplan can compute.

    What combinations of applications bring, as present value over the years of the metrics, is shared among the projects that
    they need by the Shapley value (:func:`gridplan.scoring.attribute`): nothing is counted twice, and projects without a value
    of their own get their part in what they enable.

    Returns
    -------
    pd.DataFrame
        Table `alternatives`: `project`, `criterion`, `value`. Money in kEUR; `enabling` in gaps, `certainty` in classes.

    Raises
    ------
    StudyError
        The study has criteria that gridplan does not compute and for which it gives no values.
    """
    names = list(criteria(given)["criterion"])
    columns = ["project", "criterion", "value"]
    own = given.tables.get("alternatives", pd.DataFrame(columns=columns))[columns]
    unknown = [name for name in names if name not in (*STREAMS, *OTHERS) and name not in set(own["criterion"])]
    if unknown:
        remedy = f"give values in alternatives.csv, or use {', '.join((*STREAMS, *OTHERS))}"
        raise StudyError("scores", [Problem("criteria.csv", f"'{name}' has no values", remedy=remedy) for name in unknown])
    computed = pd.concat([_shared(given, scenario), _counted(given)], ignore_index=True)
    computed = computed[computed["criterion"].isin(set(names) - set(own["criterion"]))]
    return pd.concat([part for part in (own, computed) if len(part)], ignore_index=True)


def _shared(given: Case, scenario: str) -> pd.DataFrame:
    """Return the present value of streams by project and criterion, shared among enablers."""
    rows = given.benefits[given.benefits["scenario"] == scenario]
    first = int(rows["year"].min()) + 1
    factors = valuation.discount_factors(range(first, int(rows["year"].max()) + 1), valuation.discount(given.assumptions, first))
    rows = rows[rows["year"] >= first]
    named = {stream: name for name, streams in STREAMS.items() for stream in streams}
    present = rows.assign(value=rows["benefit_keur"] * rows["year"].map(factors), criterion=rows["stream"].map(named))
    values = present.dropna(subset=["criterion"]).pivot_table(
        index=["area", "group", "option"], columns="criterion", values="value", aggfunc="sum", fill_value=0.0, sort=False
    )
    values = values.reindex(columns=list(STREAMS), fill_value=0.0).assign(total=lambda table: table.sum(axis=1))
    values, needs = _reachable(given, values)
    long = values.reset_index().melt(["area", "group", "option"], var_name="criterion", value_name="value")
    shared = (
        scoring.attribute(long, needs, by="total")
        if len(long) and len(needs)
        else pd.DataFrame(columns=["project", "criterion", "value"])
    )
    grid = shared[shared["criterion"] != "total"].pivot_table(index="project", columns="criterion", values="value", aggfunc="sum")
    grid = grid.reindex(index=given.projects["project"], columns=list(STREAMS)).fillna(0.0)
    return grid.rename_axis("project").reset_index().melt("project", var_name="criterion", value_name="value")


def _reachable(given: Case, values: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return values and needs of the options whose every gap some project closes."""
    never = given.closures[given.closures["way"] == 0]
    stuck, known = set(zip(never["application"], never["area"], strict=True)), needs(given.closures)
    rows, kept = [], []
    for area, group, option in values.index:
        if stuck & {(name, where) for name in option.split("+") for where in ("", area)}:
            continue
        kept.append((area, group, option))
        rows += [(area, group, option, name) for name in sorted(needed(known, option, area))]
    return values.loc[kept], pd.DataFrame(rows, columns=["area", "group", "option", "project"])


def _counted(given: Case) -> pd.DataFrame:
    """Return the criteria that are no money: gaps closed, and class of the estimate."""
    closed = given.closures[given.closures["project"] != ""].drop_duplicates(["kind", "item", "area", "application", "project"])
    gaps = given.projects["project"].map(closed.groupby("project").size()).fillna(0).astype(float)
    classes = given.projects["cost_class"].fillna(5).astype(float) if "cost_class" in given.projects else np.full(len(gaps), 5.0)
    parts = [("enabling", gaps), ("certainty", classes)]
    return pd.concat(
        [
            pd.DataFrame({"project": given.projects["project"], "criterion": name, "value": np.asarray(value)})
            for name, value in parts
        ],
        ignore_index=True,
    )


def costs(given: Case, first_year: int, last_year: int) -> pd.DataFrame:
    """Return the present value of the cost of each project that starts in the first year: `project`, `cost_keur`."""
    rates = valuation.discount(given.assumptions, first_year)
    table = valuation.project_economics(given.projects, rates, last_year=last_year, starts=first_year)
    return table[["project", "pv_cost_keur"]].set_axis(["project", "cost_keur"], axis=1)


def screening(given: Case, found: roadmap.Roadmap, values: pd.DataFrame) -> pd.DataFrame:
    """Return what the test of each class of spend looks at, for the projects of the portfolio.

    Parameters
    ----------
    given
        From :func:`gridplan.planning.case`.
    found
        From :func:`gridplan.roadmap.solve`; its years count.
    values
        From :func:`alternatives`; the criteria in money are the benefit.

    Returns
    -------
    pd.DataFrame
        Table `screening`. Mandatory spend and the platform are judged by least cost, everything else by benefits over costs; the
        platform is one bundle. Without costed alternatives a least-cost test stays open.
    """
    cost = costs(given, found.choices.first_year, found.choices.last_year).set_index("project")["cost_keur"]
    money = values[values["criterion"].isin(list(STREAMS))].groupby("project")["value"].sum()
    classes = given.projects["class_of_spend"].replace("", "benefit") if "class_of_spend" in given.projects else "benefit"
    rows = pd.DataFrame({"project": given.projects["project"], "own": classes})
    return pd.DataFrame(
        {
            "project": rows["project"],
            "class_of_spend": rows["own"],
            "need": rows["own"].map({"comply": "security law", "platform": "platform of the applications"}).fillna(""),
            "bundle": rows["own"].map({"platform": "platform"}).fillna(""),
            "meets_need": True,
            "cost_keur": rows["project"].map(cost).clip(lower=0.0),
            "benefit_keur": rows["project"].map(money),
            "paid_keur": np.nan,
        }
    )
