"""Scores and ranks: the weighted sum of values, TOPSIS, and the monetised route beside the weighted one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from gridplan.errors import Problem, StudyError
from gridplan.scoring._inputs import checked
from gridplan.scoring._values import points_table
from gridplan.scoring._weights import weights_checked


def contributions(criteria: pd.DataFrame, alternatives: pd.DataFrame, weights: pd.DataFrame) -> pd.DataFrame:
    """Return what each criterion adds to the score of each project.

    Parameters
    ----------
    criteria, alternatives
        Tables `criteria` and `alternatives`.
    weights
        `criterion`, `weight`, from :func:`direct`, :func:`swing` or :func:`ahp`; they sum to 1.

    Returns
    -------
    pd.DataFrame
        Columns of :func:`gridplan.scoring.values`, and `weight` [1], `contribution_points` (weight times value).

    Raises
    ------
    StudyError
        The tables or the weights do not hold what they must.
    """
    own, raw = checked(criteria, alternatives)
    table = points_table(own, raw).merge(weights_checked(weights, own), on="criterion", how="left")
    return table.assign(contribution_points=table["weight"] * table["value_points"])


def weighted_sum(criteria: pd.DataFrame, alternatives: pd.DataFrame, weights: pd.DataFrame) -> pd.DataFrame:
    """Return the weighted sum of the values of each project, best first.

    Parameters
    ----------
    criteria, alternatives, weights
        As for :func:`contributions`.

    Returns
    -------
    pd.DataFrame
        `project`, `score_points` (0 to 100), `rank` (equal scores share a rank and stand in the order of their names).

    Raises
    ------
    StudyError
        As for :func:`contributions`.
    """
    table = contributions(criteria, alternatives, weights)
    return ranked(table.groupby("project", sort=False)["contribution_points"].sum().rename("score_points"))


def ranked(score: pd.Series) -> pd.DataFrame:
    """Return a score per project with its rank, best first; equal scores (to 12 digits) share a rank."""
    table = score.rename_axis("project").reset_index()
    table["rank"] = table[score.name].map(lambda x: float(f"{x:.12g}")).rank(ascending=False, method="min").astype(int)
    return table.sort_values(["rank", "project"], ignore_index=True)


def topsis(criteria: pd.DataFrame, alternatives: pd.DataFrame, weights: pd.DataFrame) -> pd.DataFrame:
    """Return how close each project is to the best of all values, and how far from the worst (TOPSIS), best first.

    The raw values are divided by the length of their column (vector normalisation), as in the method's first description [1]_;
    many libraries, pymcdm among them, scale from the smallest to the largest value unless told otherwise and come to other
    numbers. The value functions play no part. The result depends on which projects are compared: adding one may turn the order
    of two others.

    Parameters
    ----------
    criteria, alternatives, weights
        As for :func:`contributions`.

    Returns
    -------
    pd.DataFrame
        `project`, `closeness` (0 to 1) [1], `rank`.

    Raises
    ------
    StudyError
        As for :func:`contributions`; or there are fewer than two projects, or no criterion tells them apart.

    References
    ----------
    .. [1] C. L. Hwang, K. Yoon, Multiple Attribute Decision Making, Springer 1981.
    """
    from pymcdm.methods import TOPSIS  # noqa: PLC0415 - brings a drawing library with it, most of a second
    from pymcdm.normalizations import vector_normalization  # noqa: PLC0415

    own, raw = checked(criteria, alternatives)
    weight = weights_checked(weights, own)["weight"].to_numpy()
    telling = (np.ptp(raw.to_numpy(), axis=0) > 0) & (weight > 0)
    if not telling.any():
        what = f"{len(raw)} projects are the same in every criterion that has a weight"
        raise StudyError("TOPSIS", [Problem("alternatives", what, remedy="compare at least two that differ")])
    # A column of equal values adds the same nothing to every distance, and may be all zero, which has no length.
    types = np.where(own["direction"] == "more", 1, -1)[telling]
    method = TOPSIS(normalization_function=vector_normalization)
    closeness = method(raw.to_numpy()[:, telling], weight[telling], types, validation=False)
    return ranked(pd.Series(closeness, raw.index, name="closeness"))


@dataclass(frozen=True, eq=False)
class Routes:
    """The monetised and the weighted route from the same data.

    Parameters
    ----------
    table
        One row a project, by rank of the score: `project`, `score_points`, `score_rank`, `cost_keur`, `score_per_meur`,
        `score_per_cost_rank`, `benefit_keur`, `npv_keur`, `npv_rank`, `bcr`, `bcr_rank`, `npv_per_cost`. Ratios are missing
        without a cost.
    agreement
        `route`, `other_route`, `spearman`, `kendall`, `common` (projects that both rank) [1].
    not_monetised
        Criteria without a price per unit: the monetised route leaves them out.
    """

    table: pd.DataFrame
    agreement: pd.DataFrame
    not_monetised: tuple[str, ...]


RANKS = {
    "score_rank": "score",
    "score_per_cost_rank": "score per cost",
    "npv_rank": "net present value",
    "bcr_rank": "benefit over cost",
}
"""Columns of ranks and the names of their routes."""


def monetised(criteria: pd.DataFrame, alternatives: pd.DataFrame) -> pd.DataFrame:
    """Return what the raw values of each project are worth in money.

    Parameters
    ----------
    criteria
        Table `criteria`; `keur_per_unit` is what one unit is worth [kEUR per unit], negative where more is a loss; a criterion
        without it is left out.
    alternatives
        Table `alternatives`; quantities are present quantities over the horizon (or of one year, as long as all are).

    Returns
    -------
    pd.DataFrame
        `project`, `criterion`, `value`, `benefit_keur`.

    Raises
    ------
    StudyError
        The tables do not hold what they must.
    """
    own, raw = checked(criteria, alternatives)
    price = own.set_index("criterion")["keur_per_unit"].dropna()
    long = raw[price.index.tolist()].reset_index().melt("project", var_name="criterion", value_name="value")
    return long.assign(benefit_keur=long["value"] * long["criterion"].map(price))


def routes(criteria: pd.DataFrame, alternatives: pd.DataFrame, weights: pd.DataFrame, costs: pd.DataFrame) -> Routes:
    """Rank the projects by score and by money from the same data, and say how far the two agree.

    Regulators ask for one or the other: a weighted score of all criteria (per cost, where money is short), or benefits in money
    over cost. A criterion that is itself the cost belongs in `costs`, not among the criteria with a price.

    Parameters
    ----------
    criteria, alternatives, weights
        As for :func:`contributions` and :func:`monetised`.
    costs
        `project`, `cost_keur`: present value of what each project costs.

    Returns
    -------
    Routes

    Raises
    ------
    StudyError
        The tables do not hold what they must, or a project has no cost.
    """
    table = weighted_sum(criteria, alternatives, weights).rename(columns={"rank": "score_rank"})
    cost = _costs(costs, table["project"].tolist())
    benefit = monetised(criteria, alternatives).groupby("project")["benefit_keur"].sum()
    table["cost_keur"] = table["project"].map(cost)
    table["benefit_keur"] = table["project"].map(benefit).fillna(0.0)
    table["npv_keur"] = table["benefit_keur"] - table["cost_keur"]
    per = table["cost_keur"].where(table["cost_keur"] > 0)
    table["score_per_meur"] = table["score_points"] / per * 1000
    table["bcr"], table["npv_per_cost"] = table["benefit_keur"] / per, table["npv_keur"] / per
    for rank, column in (("score_per_cost_rank", "score_per_meur"), ("npv_rank", "npv_keur"), ("bcr_rank", "bcr")):
        table[rank] = table[column].rank(ascending=False, method="min").astype("Int64")
    own, _ = checked(criteria)
    missing = tuple(own.loc[own["keur_per_unit"].isna(), "criterion"])
    return Routes(table, _agreement(table), missing)


def _costs(costs: pd.DataFrame, projects: list[str]) -> pd.Series:
    given = costs.set_index("project")["cost_keur"].astype(float)
    problems = [Problem("costs", f"project '{p}' has no cost", remedy="add it") for p in projects if p not in given.index]
    twice = given.index[given.index.duplicated()].unique()
    problems += [Problem("costs", f"project '{p}' occurs twice", remedy="delete one of them") for p in twice]
    bad = given[~(given >= 0)]
    problems += [Problem("costs", f"project '{p}': {c:g} is not a cost of at least 0 [kEUR]") for p, c in bad.items()]
    if problems:
        raise StudyError("costs", problems)
    return given


def _agreement(table: pd.DataFrame) -> pd.DataFrame:
    """Return rank correlations of every two routes; missing where fewer than two projects differ."""
    rows = []
    for i, one in enumerate(RANKS):
        for other in list(RANKS)[i + 1 :]:
            both = table[[one, other]].dropna().astype(float)
            varied = len(both) > 1 and (np.ptp(both.to_numpy(), axis=0) > 0).all()
            found = [both[one].corr(both[other], method=m) if varied else np.nan for m in ("spearman", "kendall")]
            rows.append((RANKS[one], RANKS[other], *found, len(both)))
    return pd.DataFrame(rows, columns=["route", "other_route", "spearman", "kendall", "common"])
