"""How firm a ranking is: under uncertain weights, and how far one weight would have to move."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

from gridplan.errors import ParameterError, Problem
from gridplan.scoring._inputs import checked, default
from gridplan.scoring._score import _costs
from gridplan.scoring._values import points_matrix
from gridplan.scoring._weights import weights_checked

TIE = 1e-9
"""Scores [points] that differ by less count as equal."""


def acceptability(
    criteria: pd.DataFrame,
    alternatives: pd.DataFrame,
    weights: pd.DataFrame | None = None,
    *,
    concentration: float | None = None,
    samples: int | None = None,
    seed: int = 0,
) -> pd.DataFrame:
    """Return how often each project comes to each rank when the weights are uncertain (rank acceptability index [1]_).

    Parameters
    ----------
    criteria, alternatives
        Tables `criteria` and `alternatives`.
    weights
        `criterion`, `weight`: the weights vary around these (Dirichlet, whose mean they are; a weight of 0 stays 0). Without
        them nothing is known of the weights: uniform on all that sum to 1.
    concentration
        How closely they vary around `weights`: a weight w has the variance w (1 - w) / (concentration + 1); by default 50.
    samples
        Sets of weights; by default 10 000.
    seed
        Seed of the random numbers.

    Returns
    -------
    pd.DataFrame
        `project`, `rank`, `share_percent` [%] (of the samples), `at_least_percent` [%] (at this rank or better); every project
        at every rank, in the order of the mean rank. Projects of equal score share the better rank.

    Raises
    ------
    StudyError
        The tables or the weights do not hold what they must.
    ParameterError
        `concentration` or `samples` is not above 0.

    References
    ----------
    .. [1] R. Lahdelma, P. Salminen, "SMAA-2: Stochastic multicriteria acceptability analysis for group decision making",
       Operations Research 49(3), 2001.
    """
    own, raw = checked(criteria, alternatives)
    size = int(default("samples")) if samples is None else samples
    spread = default("concentration") if concentration is None else concentration
    problems = [Problem(n, f"{v:g} is not above 0") for n, v in (("samples", size), ("concentration", spread)) if not v > 0]
    if problems:
        raise ParameterError("rank acceptability", problems)
    alpha = np.ones(len(own)) if weights is None else spread * weights_checked(weights, own)["weight"].to_numpy()
    drawn = np.zeros((size, len(own)))
    drawn[:, alpha > 0] = np.random.default_rng(seed).dirichlet(alpha[alpha > 0], size)
    return _shares(ranks_of(points_matrix(own, raw).to_numpy() @ drawn.T), raw.index)


def ranks_of(scores: np.ndarray) -> np.ndarray:
    """Return ranks from 1 in each column; scores that are equal share the better rank."""
    order = np.argsort(-scores, axis=0, kind="stable")
    ordered = np.take_along_axis(scores, order, axis=0)
    place = np.broadcast_to(np.arange(len(scores))[:, None], scores.shape)
    new = np.vstack([np.full((1, scores.shape[1]), True), -np.diff(ordered, axis=0) > TIE])
    first = np.maximum.accumulate(np.where(new, place, 0), axis=0)
    ranks = np.empty(scores.shape, int)
    np.put_along_axis(ranks, order, first + 1, axis=0)
    return ranks


def _shares(ranks: np.ndarray, projects: pd.Index) -> pd.DataFrame:
    n, samples = ranks.shape
    counts = np.stack([np.bincount(row, minlength=n + 1)[1:] for row in ranks]) * 100 / samples
    table = pd.DataFrame(
        {
            "project": np.repeat(projects.to_numpy(), n),
            "rank": np.tile(np.arange(1, n + 1), n),
            "share_percent": counts.ravel(),
            "at_least_percent": counts.cumsum(axis=1).ravel(),
        }
    )
    order = table["project"].map(pd.Series(ranks.mean(axis=1), projects))
    return table.assign(order=order).sort_values(["order", "project", "rank"], ignore_index=True).drop(columns="order")


def stability(
    criteria: pd.DataFrame,
    alternatives: pd.DataFrame,
    weights: pd.DataFrame,
    *,
    first: int | None = None,
    costs: pd.DataFrame | None = None,
    budget_keur: float | None = None,
) -> pd.DataFrame:
    """Return how far each weight can move, one at a time, before a project leaves the plan or enters it.

    When the weight of a criterion moves to w, the others keep their proportions and share 1 - w (equal parts if they were all
    0). Every score is then a straight line in w, so the weights at which two projects change places are known in closed form;
    between two of them the order, and so the plan, does not change. The plan is the first `first` projects, or the projects
    taken in order of score as long as the budget pays for them (one that does not fit is passed over). Equal scores stand in
    the order of the names.

    Parameters
    ----------
    criteria, alternatives, weights
        As for :func:`gridplan.scoring.contributions`.
    first
        Number of projects in the plan.
    costs
        `project`, `cost_keur`, with a budget.
    budget_keur
        Money for the plan [kEUR].

    Returns
    -------
    pd.DataFrame
        `project`, `criterion`, `in_plan` (with the weights given), `weight` [1], `weight_low`, `weight_high` [1] (the range of
        this weight in which that does not change; 0 or 1 where nothing changes), `rival_low`, `rival_high` (which project it
        changes places with at that end), `weight_change` [1] (the smallest move that changes it; missing if none does),
        `next_criterion` (whether this is the criterion with the smallest move for the project).

    Raises
    ------
    StudyError
        The tables or the weights do not hold what they must.
    ParameterError
        Neither or both of `first` and a budget are given, or `first` is not from 1 to the number of projects.
    """
    own, raw = checked(criteria, alternatives)
    raw = raw.sort_index()
    weight = weights_checked(weights, own)["weight"].to_numpy()
    points = points_matrix(own, raw).to_numpy()
    choose = _chooser(raw.index, first, costs, budget_keur)
    tables = [_ray(points, weight, at, choose).assign(criterion=name) for at, name in enumerate(own["criterion"])]
    table = pd.concat(tables, ignore_index=True)
    for column in ("project", "rival_low", "rival_high"):
        table[column] = [raw.index[i] if i >= 0 else "" for i in table[column]]
    least = table.groupby("project")["weight_change"].transform(lambda moves: moves.abs().min())
    table["next_criterion"] = table["weight_change"].abs() == least
    shown = ["project", "criterion", "in_plan", "weight", "weight_low", "weight_high", "rival_low", "rival_high"]
    return table[[*shown, "weight_change", "next_criterion"]]


Chooser = Callable[[np.ndarray], np.ndarray]


def _chooser(projects: pd.Index, first: int | None, costs: pd.DataFrame | None, budget: float | None) -> Chooser:
    """Return what takes an order of projects and says which are in the plan."""
    if (first is None) == (budget is None) or (budget is not None and costs is None):
        raise ParameterError("stability", [Problem("plan", "is not clear", remedy="give `first`, or `costs` and `budget_keur`")])
    if first is not None:
        if not 1 <= first <= len(projects):
            raise ParameterError("stability", [Problem("first", f"{first} is not from 1 to {len(projects)} projects")])
        return lambda order: np.isin(np.arange(len(order)), order[:first])
    cost = _costs(costs, projects.tolist()).reindex(projects).to_numpy()
    return lambda order: _affordable(order, cost, budget)


def _affordable(order: np.ndarray, cost: np.ndarray, budget: float) -> np.ndarray:
    taken, left = np.zeros(len(order), bool), budget
    for project in order:
        if cost[project] <= left + 1e-9:
            taken[project], left = True, left - cost[project]
    return taken


def _ray(points: np.ndarray, weight: np.ndarray, at: int, choose: Chooser) -> pd.DataFrame:
    """Follow one weight down to 0 and up to 1 from where it is; projects and rivals by their position."""
    rest = np.delete(weight, at)
    share = rest / rest.sum() if rest.sum() > 0 else np.full(len(rest), 1 / max(len(rest), 1))
    offset = np.delete(points, at, axis=1) @ share
    slope = points[:, at] - offset
    here, names = weight[at], np.arange(len(points))
    crossings = _crossings(offset, slope)

    def plan(w: float) -> np.ndarray:
        return choose(np.lexsort((names, -(offset + slope * w).round(9))))

    low, rival_low = _follow(plan, here, crossings, -1)
    high, rival_high = _follow(plan, here, crossings, 1)
    down = np.where(rival_low >= 0, low - here, np.nan)
    up = np.where(rival_high >= 0, high - here, np.nan)
    nearer = np.where(np.isnan(up) | (np.abs(down) <= np.abs(up)), down, up)
    table = {"project": names, "in_plan": plan(here), "weight": here, "weight_low": low, "weight_high": high}
    return pd.DataFrame(table | {"rival_low": rival_low, "rival_high": rival_high, "weight_change": nearer})


def _follow(
    plan: Callable[[float], np.ndarray], here: float, crossings: tuple[np.ndarray, np.ndarray], side: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return up to where each project stays in or out of the plan on one side, and its rival there (-1 for no change)."""
    places, pairs = crossings
    now, end = plan(here), 0.0 if side < 0 else 1.0
    # The first stretch begins where the weight is: projects that are equal today may part at once.
    starts = np.append(here, np.unique(places[(places - here) * side > TIE])[::side])
    until, rivals = np.full(len(now), end), np.full(len(now), -1)
    for start, stop in zip(starts, np.append(starts[1:], end), strict=True):
        if start == stop:
            continue
        changed = (rivals < 0) & (plan((start + stop) / 2) != now)
        until[changed] = start
        for project in np.flatnonzero(changed):
            rivals[project] = _rival(project, pairs[np.abs(places - start) <= TIE])
    return until, rivals


def _rival(project: int, pairs: np.ndarray) -> int:
    """Return with whom a project changes places; where it is moved by a budget, the first of those who do."""
    own = pairs[(pairs == project).any(axis=1)]
    return int(own[0][own[0] != project][0]) if len(own) else int(pairs[0][0])


def _crossings(offset: np.ndarray, slope: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the weights from 0 to 1 at which two projects have the same score, and which two."""
    one, other = np.triu_indices(len(offset), 1)
    steep = slope[one] - slope[other]
    apart = np.abs(steep) > TIE
    one, other, steep = one[apart], other[apart], steep[apart]
    places = (offset[other] - offset[one]) / steep
    inside = (places >= 0) & (places <= 1)
    return places[inside], np.stack([one[inside], other[inside]], axis=1)
