"""Cuts of budgets: which starts a year cannot pay together, as rows that cut off fractions of projects and no plan.

A linear program fills each budget to the last euro with a part of a project. The cuts of a row of a limit are the facets of the
convex hull of what fits into it: of each project one start at most, its use of the limit rounded down. For a point they are found
exactly: a small linear program seeks the factors that the point breaks most, a dynamic program the set of starts that fits and
breaks these factors most, until none does. Projects that the point leaves out are then lifted into the row one after the other.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import highspy
import numpy as np
from numba import njit

from gridplan.roadmap._program import INF, Program
from gridplan.roadmap._solver import Cut, Effort, quiet

PARTS = 4000  # whole parts into which a limit is divided at least, if its uses are not whole numbers by themselves
WHOLE = 12  # parts of a unit up to which uses are tried to be whole numbers
TRIES = 80  # sets of starts that are taken into account for one cut
BREAK = 0.01  # least by which a point breaks a cut
ENOUGH = 0.8  # share of the most by which a point could break a cut at which the search for a better one ends
FEW = 1e-6  # a level, or a factor, below this counts as none


@dataclass(frozen=True)
class Knapsack:
    """A limit in a year: choices, each of some starts of a project that use as much; a project makes one choice at most.

    Attributes
    ----------
    starts
        Columns of the starts of each choice.
    weights
        What each choice uses, in whole parts.
    begins
        Where the choices of each project begin, lightest first; one place more than there are projects.
    room
        What there is, in whole parts.
    sets
        Sets of choices that fit, as far as the search for cuts has come across them.
    """

    starts: tuple[np.ndarray, ...]
    weights: np.ndarray
    begins: np.ndarray
    room: int
    sets: list[np.ndarray] = field(default_factory=list)


def knapsacks(program: Program) -> list[Knapsack]:
    """Return the limits of each year that projects use; not those of which some project gives back.

    Nor those that carry over: a year that is not filled leaves its rest to the next, so that little is lost by packing, and their
    sums of many years make large and slow programs.
    """
    model, found = program.model, []
    for limit in model.limits:
        if not limit.carry and (limit.use >= 0).all():
            found += [_knapsack(program, limit.use[:, :, t], float(limit.amount[t])) for t in range(model.horizon)]
    return [one for one in found if sum(one.weights) > one.room]


def _knapsack(program: Program, use: np.ndarray, amount: float) -> Knapsack:
    scale = _scale(use, amount)
    whole, room = np.floor(use * scale + FEW).astype(np.int64), int(amount * scale + FEW)
    starts, weights, begins = [], [], [0]
    for p in range(len(use)):
        some = [s for s in program.model.starts(p) if whole[p, s] > 0]
        for weight in np.unique(whole[p, some]):
            starts.append(np.array([program.start[p, s] for s in some if whole[p, s] == weight], dtype=np.int32))
            weights.append(weight)
        begins += [len(starts)] if some else []
    return Knapsack(tuple(starts), np.array(weights, dtype=np.int64), np.array(begins, dtype=np.int64), room)


def _scale(use: np.ndarray, amount: float) -> float:
    """Return the number of parts of a unit: so many that uses are whole numbers, or many."""
    for parts in range(1, WHOLE + 1):
        if np.allclose(use * parts, np.round(use * parts), rtol=0.0, atol=FEW):
            return float(parts)
    return PARTS / max(amount, FEW)


def cuts(limits: Iterable[Knapsack], x: np.ndarray, costs: np.ndarray) -> list[Cut]:
    """Return cuts that a solution `x` breaks, one a limit at most; projects of high reduced cost `costs` are lifted first."""
    return [cut for limit in limits if (cut := _cut(limit, x, costs)) is not None]


def _cut(limit: Knapsack, x: np.ndarray, costs: np.ndarray) -> Cut | None:
    level = np.array([x[columns].sum() for columns in limit.starts])
    if (np.abs(level - np.round(level)) < FEW).all():
        return None
    projects = np.arange(len(limit.begins) - 1)
    inside = np.add.reduceat(level, limit.begins[:-1]) > FEW
    factors = _factors(limit, level, projects[inside])
    if factors is None:
        return None
    price = np.maximum.reduceat([costs[columns].max() for columns in limit.starts], limit.begins[:-1])
    outside = projects[~inside]
    order = outside[np.argsort(-price[outside], kind="stable")]
    lift(limit.weights, limit.begins, limit.room, factors, projects[inside], order)
    own = np.flatnonzero(factors > FEW)
    columns = np.concatenate([limit.starts[j] for j in own])
    return Cut(columns, np.repeat(factors[own], [len(limit.starts[j]) for j in own]))


def _factors(limit: Knapsack, level: np.ndarray, inside: np.ndarray) -> np.ndarray | None:
    """Return the factors of the choices of some projects in the cut that a point breaks most; None if it breaks none."""
    own = np.concatenate([np.arange(limit.begins[g], limit.begins[g + 1]) for g in inside])
    solver, factors = _master(level[own], [taken[own] for taken in limit.sets]), np.zeros(len(level))
    for _ in range(TRIES):
        solver.run()
        factors[own] = np.clip(solver.getSolution().col_value, 0.0, 1.0)
        top = factors @ level  # no factors that are allowed bring more
        if top <= 1 + BREAK:
            return None
        raise_factors(factors, limit.begins, inside)
        most, taken = fullest(limit.weights, limit.begins, limit.room, factors, inside)
        if factors @ level / max(most, 1.0) - 1 >= max(ENOUGH * (top - 1), BREAK):
            return factors / max(most, 1.0)
        limit.sets.append(taken)
        _forbid(solver, taken[own])
    return None


def _master(level: np.ndarray, sets: list[np.ndarray]) -> highspy.Highs:
    """Return the program of factors between 0 and 1 by which a point is to be as large as possible."""
    count, lp = len(level), highspy.HighsLp()
    lp.num_col_, lp.num_row_ = count, 0
    lp.col_cost_, lp.col_lower_, lp.col_upper_ = level, np.zeros(count), np.ones(count)
    lp.sense_ = highspy.ObjSense.kMaximize
    lp.a_matrix_.start_ = np.zeros(count + 1, dtype=np.int32)
    solver = quiet(Effort())
    solver.setOptionValue("presolve", "off")  # it takes longer than these small programs
    solver.passModel(lp)
    if sets:
        rows = np.unique(sets, axis=0).astype(np.int32)
        rows = rows[(rows @ (1 - rows).T == 0).sum(axis=1) == 1]  # those that are part of another say nothing
        begins, places = np.cumsum([0, *rows.sum(axis=1)]), np.nonzero(rows)[1].astype(np.int32)
        lower, upper = np.full(len(rows), -INF), np.ones(len(rows))
        solver.addRows(len(rows), lower, upper, len(places), begins[:-1], places, np.ones(len(places)))
    return solver


def _forbid(solver: highspy.Highs, taken: np.ndarray) -> None:
    """Let the factors of choices that fit together not add up to more than one."""
    places = np.flatnonzero(taken).astype(np.int32)
    solver.addRow(-INF, 1.0, len(places), places, np.ones(len(places)))


@njit(cache=True, nogil=True)
def raise_factors(factors: np.ndarray, begins: np.ndarray, projects: np.ndarray) -> None:
    """Give each choice at least the factor of the lighter choices of its project: it fits only where they do."""
    for g in projects:
        for j in range(begins[g] + 1, begins[g + 1]):
            factors[j] = max(factors[j], factors[j - 1])


@njit(cache=True, nogil=True)
def fullest(weights: np.ndarray, begins: np.ndarray, room: int, factors: np.ndarray, projects: np.ndarray) -> tuple:
    """Return the largest sum of factors of choices that fit together, and which they are."""
    best = np.zeros((len(projects) + 1, room + 1))
    for i, g in enumerate(projects):
        best[i + 1] = best[i]
        add(best[i], best[i + 1], weights, factors, begins[g], begins[g + 1])
    taken, left = np.zeros(len(weights), np.bool_), room
    for i in range(len(projects) - 1, -1, -1):
        if best[i + 1, left] > best[i, left]:
            g = projects[i]
            for j in range(begins[g], begins[g + 1]):
                if weights[j] <= left and best[i, left - weights[j]] + factors[j] == best[i + 1, left]:
                    taken[j] = True
                    left -= weights[j]
                    break
    return best[-1, room], taken


@njit(cache=True, nogil=True)
def add(old: np.ndarray, new: np.ndarray, weights: np.ndarray, factors: np.ndarray, begin: int, end: int) -> None:
    """Let the choices of one project into a table of the largest sum by room."""
    for j in range(begin, end):
        if factors[j] > 0.0:
            for r in range(weights[j], len(old)):
                new[r] = max(new[r], old[r - weights[j]] + factors[j])


@njit(cache=True, nogil=True)
def lift(
    weights: np.ndarray, begins: np.ndarray, room: int, factors: np.ndarray, inside: np.ndarray, outside: np.ndarray
) -> None:
    """Give the choices of projects outside a cut the largest factors, one project after the other."""
    best = np.zeros(room + 1)
    for g in inside:
        old = best.copy()
        add(old, best, weights, factors, begins[g], begins[g + 1])
    for g in outside:
        old = best.copy()
        for j in range(begins[g], begins[g + 1]):
            factors[j] = 1.0 if weights[j] > room else max(1.0 - old[room - weights[j]], 0.0)
        add(old, best, weights, factors, begins[g], begins[g + 1])
