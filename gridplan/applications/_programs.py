"""The linear programs of shifting and storage: one over some days, built from what stands around it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy import sparse
from scipy.optimize import linprog

from gridplan.applications._sensitivities import Network
from gridplan.errors import NotConverged

SPARE = 1e-6
_PENALTY = 1e3  # MW of peak that a violation of as much as a MW could mend is worth
_MOVED = 1e-5  # MW of peak that a MWh moved is worth
_TURNS = 12  # programs solved until nothing is drawn and given at once


@dataclass(frozen=True, eq=False)
class Resources:
    """Resources of a case over its steps.

    The state follows ``e(t) = e(t-1) + fill * x(t) - drain * y(t)``. Shifting puts off x and draws y later (consumption
    ``y - x``); storage charges x and gives y (``x - y``).

    Parameters
    ----------
    weights
        Consumption [MW + j Mvar] at each bus of the matrix by MW of each resource, (buses, resources).
    area
        Number of the area of each resource; -1: none.
    most_x, most_y
        Largest x and y [MW], (resources, steps).
    low, high
        Bounds of the state at the end of each step [MWh], (resources, steps).
    fill, drain
        Energy into and out of the state by MW and step [MWh/MW], (resources,).
    start
        State at the start and at the end of each day [MWh], (resources,).
    sign
        1 for shifting, -1 for storage, (resources,).
    """

    weights: np.ndarray
    area: np.ndarray
    most_x: np.ndarray
    most_y: np.ndarray
    low: np.ndarray
    high: np.ndarray
    fill: np.ndarray
    drain: np.ndarray
    start: np.ndarray
    sign: np.ndarray


class Dispatch(NamedTuple):
    """What each resource does: x, y [MW] and state [MWh], (resources, steps) each; days in which it was not worth it."""

    x: np.ndarray
    y: np.ndarray
    state: np.ndarray
    refused: np.ndarray


class Task(NamedTuple):
    """Everything that a program needs and that does not change."""

    network: Network
    resources: Resources
    day: np.ndarray
    zone: np.ndarray
    demand: np.ndarray  # by area [MW], (areas, steps)


class Watched(NamedTuple):
    """Quantities held to a limit: their step and row, the side (1 upper, -1 lower), and effect of every resource."""

    step: np.ndarray
    row: np.ndarray
    sign: np.ndarray
    effect: np.ndarray
    room: np.ndarray


def consumption(resources: Resources, out: Dispatch) -> np.ndarray:
    """Power that the resources draw in addition [MW], (resources, steps)."""
    return resources.sign[:, None] * (out.y - out.x)


class _Layout(NamedTuple):
    """Where the variables of a program stand: position of each resource and step (-1: none), steps, and how many there are."""

    at: np.ndarray
    steps: np.ndarray
    count: int


def program(problem: Task, watched: Watched | None, cap: np.ndarray, given: tuple, out: Dispatch) -> float:
    """Solve one program over some days.

    `given` is (days, resources that take part: (resources,) or (resources, days), area whose peak is sought or None). With an
    area its lowest peak is returned and nothing is written; else the dispatch is written.
    """
    numbers, who, area = given
    steps = np.flatnonzero(np.isin(problem.day, numbers))
    who = who[:, None] & np.ones(len(steps), bool) if who.ndim == 1 else who[:, problem.day[steps]]
    if not who.any():
        return float("inf")
    at = np.full(who.shape, -1)
    at[who] = np.arange(who.sum())
    layout = _Layout(at, steps, int(who.sum()))
    parts = [_peak_rows(problem, layout, cap, area), _limit_rows(problem, layout, watched)]
    slack = len(parts[1][1])
    extra = slack + (area is not None)
    blocks = [sparse.hstack([parts[0][0], sparse.csr_matrix((len(parts[0][1]), slack))]), parts[1][0]]
    if area is not None:
        blocks[0] = sparse.hstack([parts[0][0], sparse.csr_matrix(-np.ones((len(parts[0][1]), 1)))])
        blocks = blocks[:1]
    matrix, room = sparse.vstack(blocks).tocsr(), np.concatenate([part[1] for part in parts[: len(blocks)]])
    cost = np.r_[np.full(2 * layout.count, _MOVED), np.zeros(layout.count), np.full(slack, _PENALTY) if area is None else 1.0]
    balance, held = _balance(problem, layout, extra)
    bounds = _bounds(problem, layout)
    bounds = np.vstack([bounds, np.tile([0.0 if area is None else -np.inf, np.inf], (extra, 1))])
    rows = (matrix, room), (balance, held)
    if area is not None:
        return float(_solved(cost, *rows, bounds)[-1])
    _write(problem, layout, _without_burning(problem, layout, (cost, *rows, bounds)), out)
    return float("nan")


def _without_burning(problem: Task, layout: _Layout, program: tuple) -> np.ndarray:
    """Solve a program so that nothing is drawn and given at once: where losses make a difference, the larger keeps its way."""
    cost, rows, equal, bounds = program
    unit = np.nonzero(layout.at >= 0)[0]
    lossy = problem.resources.fill[unit] != problem.resources.drain[unit]
    x, y = slice(layout.count), slice(layout.count, 2 * layout.count)
    for _ in range(_TURNS):
        values = _solved(cost, rows, equal, bounds)
        both = np.minimum(values[x], values[y])
        values[x] -= np.where(lossy, 0.0, both)
        values[y] -= np.where(lossy, 0.0, both)
        both = lossy & (both > SPARE)
        if not both.any():
            break
        first = values[x] >= values[y]
        bounds[x, 1] = np.where(both & ~first, 0.0, bounds[x, 1])
        bounds[y, 1] = np.where(both & first, 0.0, bounds[y, 1])
    return values


def _solved(cost: np.ndarray, rows: tuple, equal: tuple, bounds: np.ndarray) -> np.ndarray:
    upper = {"A_ub": rows[0], "b_ub": rows[1]} if len(rows[1]) else {}
    result = linprog(cost, **upper, A_eq=equal[0], b_eq=equal[1], bounds=bounds, method="highs-ds", options={"presolve": False})
    if result.x is None:
        raise NotConverged(f"the linear program of a dispatch has no solution: {result.message}")
    return result.x


def _bounds(problem: Task, layout: _Layout) -> np.ndarray:
    """Bounds of x, y and state, (variables, 2)."""
    resources, who = problem.resources, layout.at >= 0
    low, high = resources.low[:, layout.steps].copy(), resources.high[:, layout.steps].copy()
    last = np.flatnonzero(np.diff(problem.day[layout.steps], append=-1) != 0)
    low[:, last], high[:, last] = resources.start[:, None], resources.start[:, None]
    zero = np.zeros(layout.count)
    most = [values[:, layout.steps][who] for values in (resources.most_x, resources.most_y)]
    return np.vstack([np.column_stack([zero, most[0]]), np.column_stack([zero, most[1]]), np.column_stack([low[who], high[who]])])


def _balance(problem: Task, layout: _Layout, extra: int) -> tuple[sparse.csr_matrix, np.ndarray]:
    """State of each step from that of the step before."""
    resources, count = problem.resources, layout.count
    unit, step = np.nonzero(layout.at >= 0)
    number = layout.at[unit, step]
    first = np.diff(problem.day[layout.steps], prepend=-1)[step] != 0
    before = layout.at[unit[~first], step[~first] - 1]
    rows = np.r_[number, number, number, number[~first]]
    columns = np.r_[number, count + number, 2 * count + number, 2 * count + before]
    values = np.r_[-resources.fill[unit], resources.drain[unit], np.ones(count), -np.ones(len(before))]
    matrix = sparse.csr_matrix((values, (rows, columns)), shape=(count, 3 * count + extra))
    held = np.zeros(count)
    held[number[first]] = resources.start[unit[first]]
    return matrix, held


def _peak_rows(problem: Task, layout: _Layout, cap: np.ndarray, area: int | None) -> tuple[sparse.csr_matrix, np.ndarray]:
    """Demand of each area and step below its cap, where the resources could lift it above; or below the peak sought."""
    resources, rows, columns, values, room = problem.resources, [], [], [], []
    who = layout.at >= 0
    reach = np.where(
        who, np.where(resources.sign[:, None] > 0, resources.most_y[:, layout.steps], resources.most_x[:, layout.steps]), 0
    )
    for number in range(len(cap)) if area is None else [area]:
        own = np.flatnonzero(resources.area == number)
        if not len(own):
            continue
        demand = problem.demand[number, layout.steps]
        steps = (
            np.arange(len(demand))
            if area is not None
            else np.flatnonzero((demand + reach[own].sum(axis=0) > cap[number]) & who[own].any(axis=0))
        )
        for position, step in enumerate(steps.tolist(), start=len(room)):
            units = own[who[own, step]]
            rows += [position] * (2 * len(units))
            columns += [*(layout.at[units, step]).tolist(), *(layout.count + layout.at[units, step]).tolist()]
            values += [*(-resources.sign[units]).tolist(), *resources.sign[units].tolist()]
        room += ((0.0 if area is not None else cap[number] + SPARE) - demand[steps]).tolist()
    return sparse.csr_matrix((values, (rows, columns)), shape=(len(room), 3 * layout.count)), np.array(room)


def _limit_rows(problem: Task, layout: _Layout, watched: Watched | None) -> tuple[sparse.csr_matrix, np.ndarray]:
    """Watched quantities inside their limits, or not at a price; rows are scaled to MW of the most effective resource."""
    if watched is None:
        return sparse.csr_matrix((0, 3 * layout.count)), np.zeros(0)
    kept = np.flatnonzero(np.isin(watched.step, layout.steps))
    step = np.searchsorted(layout.steps, watched.step[kept])
    effect = watched.effect[kept]
    scale = np.abs(effect).max(axis=1, initial=0.0)
    fine = scale > 1e-12
    kept, step, effect = kept[fine], step[fine], effect[fine] / scale[fine, None]
    at = layout.at[:, step].T
    row, unit = np.nonzero(at >= 0)
    number, value = at[row, unit], effect[row, unit] * problem.resources.sign[unit]
    rows = np.r_[row, row, np.arange(len(kept))]
    columns = np.r_[number, layout.count + number, 3 * layout.count + np.arange(len(kept))]
    values = np.r_[-value, value, -np.ones(len(kept))]
    matrix = sparse.csr_matrix((values, (rows, columns)), shape=(len(kept), 3 * layout.count + len(kept)))
    return matrix, watched.room[kept] / scale[fine]


def _write(problem: Task, layout: _Layout, values: np.ndarray, out: Dispatch) -> None:
    """Put the answer into the dispatch; the state is summed up again from what is done."""
    resources = problem.resources
    for number, array in enumerate((out.x, out.y)):
        part = np.zeros(layout.at.shape)
        part[layout.at >= 0] = np.maximum(values[number * layout.count : (number + 1) * layout.count], 0.0)
        array[:, layout.steps] = part
    for start, end in runs(problem.day[layout.steps]):
        own = layout.steps[start:end]
        change = resources.fill[:, None] * out.x[:, own] - resources.drain[:, None] * out.y[:, own]
        out.state[:, own] = resources.start[:, None] + np.cumsum(change, axis=1)


def runs(numbers: np.ndarray) -> list[tuple[int, int]]:
    edges = np.r_[0, np.flatnonzero(np.diff(numbers)) + 1, len(numbers)]
    return list(zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True))
