"""The linear programs of shifting and storage: one over some days, built from what stands around it."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from scipy import sparse

from gridplan.applications._linear import Program, Span
from gridplan.applications._sensitivities import Network

SPARE = 1e-6
"""MW by which a demand may be above its cap for numerical reasons."""
_PENALTY = 1e3  # MW of peak that a violation of as much as a MW could mend is worth
_FRESH = 10.0  # times as much where nothing was outside before
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
    """What each resource does: x, y [MW] and state [MWh], (resources, steps) each.

    And the days in which it was refused because the power flow was worse with it, and those whose programs and power flows did
    not come to agree.
    """

    x: np.ndarray
    y: np.ndarray
    state: np.ndarray
    refused: np.ndarray
    unsettled: np.ndarray


class Task(NamedTuple):
    """Everything that a program needs and that does not change."""

    network: Network
    resources: Resources
    day: np.ndarray
    zone: np.ndarray
    demand: np.ndarray  # by area [MW], (areas, steps)


class Watched(NamedTuple):
    """Quantities held to a limit: step, effect of every resource and room left towards it, and whether it was outside first."""

    step: np.ndarray
    effect: np.ndarray
    room: np.ndarray
    old: np.ndarray


def consumption(resources: Resources, out: Dispatch) -> np.ndarray:
    """Power that the resources draw in addition [MW], (resources, steps)."""
    return resources.sign[:, None] * (out.y - out.x)


class _Layout(NamedTuple):
    """Where the variables of a program stand: position of each resource and step (-1: none), steps, and how many there are."""

    at: np.ndarray
    steps: np.ndarray
    count: int


def _layout(task: Task, numbers: np.ndarray, useful: np.ndarray) -> _Layout:
    steps = np.flatnonzero(np.isin(task.day, numbers))
    who = useful[:, task.day[steps]]
    at = np.full(who.shape, -1)
    at[who] = np.arange(who.sum())
    return _Layout(at, steps, int(who.sum()))


def lowest_peak(task: Task, numbers: np.ndarray, area: int, floor: float) -> float:
    """Lowest peak of an area in some days that its resources allow, but not less than a floor [MW]."""
    own = np.repeat((task.resources.area == area)[:, None], task.day.max() + 1, axis=1)
    layout = _layout(task, numbers, own)
    need = np.zeros((len(task.demand) + 1, len(layout.steps)), bool)
    need[area] = True
    limit = _demand_rows(task, layout, need)
    balance, held = _balance(task, layout)
    peak = sparse.csr_matrix(-np.ones((limit.shape[0], 1)))
    matrix = sparse.vstack([sparse.hstack([limit, peak]), _widened(balance, 1)])
    rows = Span(np.r_[np.full(len(layout.steps), -np.inf), held], np.r_[-task.demand[area, layout.steps], held])
    cost = np.r_[np.full(2 * layout.count, _MOVED), np.zeros(layout.count), 1.0]
    low, high = _bounds(task, layout)
    variables, start = Span(np.r_[low, floor], np.r_[high, np.inf]), _start(layout, limit.shape[0])
    return float(Program(cost, variables, matrix, rows, start=start).solve()[-1])


def schedule(task: Task, watched: Watched | None, cap: np.ndarray, chosen: tuple[np.ndarray, np.ndarray], out: Dispatch) -> None:
    """Find what the resources do in some days: limits first, then no peak above the cap, then as little as possible.

    Parameters
    ----------
    task
        What does not change.
    watched
        Quantities held to their limits, or not at a price.
    cap
        Highest demand of each area [MW].
    chosen
        Numbers of the days, and which resources take part in each day, (resources, days).
    out
        Dispatch into which the answer is written.
    """
    layout = _layout(task, *chosen)
    if not layout.count:
        return
    need = _near_cap(task, layout, cap)
    room = np.repeat(cap[:, None] + SPARE, len(layout.steps), axis=1) - task.demand[:, layout.steps]
    limits, spare, price = _limit_rows(task, layout, watched)
    extra = len(price)
    balance, held = _balance(task, layout)
    matrix = sparse.vstack([_widened(_demand_rows(task, layout, need), extra), limits, _widened(balance, extra)])
    upper = np.r_[room[need[:-1]], spare]
    rows = Span(np.r_[np.full(len(upper), -np.inf), held], np.r_[upper, held])
    low, high = _bounds(task, layout)
    variables = Span(np.r_[low, np.zeros(extra)], np.r_[high, np.full(extra, np.inf)])
    cost = np.r_[np.full(2 * layout.count, _MOVED), np.zeros(layout.count), price]
    program = Program(cost, variables, matrix, rows, start=_start(layout, len(upper)))
    _write(task, layout, _without_burning(task, layout, program), out)


def _start(layout: _Layout, before: int) -> tuple[np.ndarray, np.ndarray]:
    """Basis in which nothing is moved: the states stand in the place of their balances, which follow some other rows."""
    return np.arange(2 * layout.count, 3 * layout.count), before + np.arange(layout.count)


def _widened(matrix: sparse.spmatrix, more: int) -> sparse.spmatrix:
    """Matrix with some columns of zeros behind it."""
    return sparse.csr_matrix((matrix.data, matrix.indices, matrix.indptr), shape=(matrix.shape[0], matrix.shape[1] + more))


def _without_burning(task: Task, layout: _Layout, program: Program) -> np.ndarray:
    """Solve a program so that nothing is drawn and given at once: where losses make a difference, the larger keeps its way."""
    unit = np.nonzero(layout.at >= 0)[0]
    lossy = task.resources.fill[unit] != task.resources.drain[unit]
    x, y = slice(layout.count), slice(layout.count, 2 * layout.count)
    for _ in range(_TURNS):
        values = program.solve()
        both = np.minimum(values[x], values[y])
        values[x] -= np.where(lossy, 0.0, both)
        values[y] -= np.where(lossy, 0.0, both)
        hit = np.flatnonzero(lossy & (both > SPARE))
        if not len(hit):
            break
        hit += np.where(values[x][hit] >= values[y][hit], layout.count, 0)
        zero = np.zeros(len(hit))
        program.bound(hit, zero, zero)
    return values


def _bounds(task: Task, layout: _Layout) -> Span:
    """Bounds of x, y and state."""
    resources, who = task.resources, layout.at >= 0
    low, high = resources.low[:, layout.steps].copy(), resources.high[:, layout.steps].copy()
    last = np.flatnonzero(np.diff(task.day[layout.steps], append=-1) != 0)
    low[:, last], high[:, last] = resources.start[:, None], resources.start[:, None]
    most = [values[:, layout.steps][who] for values in (resources.most_x, resources.most_y)]
    return Span(np.r_[np.zeros(2 * layout.count), low[who]], np.r_[most[0], most[1], high[who]])


def _balance(task: Task, layout: _Layout) -> tuple[sparse.csr_matrix, np.ndarray]:
    """State of each step from that of the step before."""
    resources, count = task.resources, layout.count
    unit, step = np.nonzero(layout.at >= 0)
    number = layout.at[unit, step]
    first = np.diff(task.day[layout.steps], prepend=-1)[step] != 0
    before = layout.at[unit[~first], step[~first] - 1]
    rows = np.r_[number, number, number, number[~first]]
    columns = np.r_[number, count + number, 2 * count + number, 2 * count + before]
    values = np.r_[-resources.fill[unit], resources.drain[unit], np.ones(count), -np.ones(len(before))]
    held = np.zeros(count)
    held[number[first]] = resources.start[unit[first]]
    return sparse.csr_matrix((values, (rows, columns)), shape=(count, 3 * count)), held


def _near_cap(task: Task, layout: _Layout, cap: np.ndarray) -> np.ndarray:
    """Areas (and one more row for none) and steps in which the resources could lift the demand above its cap."""
    resources, who = task.resources, layout.at >= 0
    more = np.where(resources.sign[:, None] > 0, resources.most_y[:, layout.steps], resources.most_x[:, layout.steps])
    reach, has = np.zeros((len(cap) + 1, len(layout.steps))), np.zeros((len(cap) + 1, len(layout.steps)), bool)
    np.add.at(reach, resources.area, np.where(who, more, 0.0))  # -1: the row for none
    np.logical_or.at(has, resources.area, who)
    need = has & (np.vstack([task.demand[:, layout.steps], np.zeros(len(layout.steps))]) + reach > np.r_[cap, np.inf][:, None])
    need[-1] = False
    return need


def _demand_rows(task: Task, layout: _Layout, need: np.ndarray) -> sparse.csr_matrix:
    """Return what the resources add to the demand of some areas in some steps; `need` is as of :func:`_near_cap`."""
    position = np.full(need.shape, -1)
    position[need] = np.arange(need.sum())
    unit, step = np.nonzero((layout.at >= 0) & need[task.resources.area])
    row, number, sign = position[task.resources.area[unit], step], layout.at[unit, step], task.resources.sign[unit]
    entries = (np.r_[-sign, sign], (np.r_[row, row], np.r_[number, layout.count + number]))
    return sparse.csr_matrix(entries, shape=(int(need.sum()), 3 * layout.count))


def _limit_rows(task: Task, layout: _Layout, watched: Watched | None) -> tuple[sparse.csr_matrix, np.ndarray, np.ndarray]:
    """Watched quantities inside their limits, or not at a price; rows are scaled to MW of the most effective resource."""
    if watched is None:
        return sparse.csr_matrix((0, 3 * layout.count)), np.zeros(0), np.zeros(0)
    scale = np.abs(watched.effect).max(axis=1, initial=0.0)
    kept = np.flatnonzero(np.isin(watched.step, layout.steps) & (scale > 1e-12))
    step, effect = np.searchsorted(layout.steps, watched.step[kept]), watched.effect[kept] / scale[kept, None]
    at = layout.at[:, step].T
    row, unit = np.nonzero(at >= 0)
    number, value = at[row, unit], effect[row, unit] * task.resources.sign[unit]
    rows = np.r_[row, row, np.arange(len(kept))]
    columns = np.r_[number, layout.count + number, 3 * layout.count + np.arange(len(kept))]
    values = np.r_[-value, value, -np.ones(len(kept))]
    matrix = sparse.csr_matrix((values, (rows, columns)), shape=(len(kept), 3 * layout.count + len(kept)))
    return matrix, watched.room[kept] / scale[kept], np.where(watched.old[kept], _PENALTY, _FRESH * _PENALTY)


def _write(task: Task, layout: _Layout, values: np.ndarray, out: Dispatch) -> None:
    """Put the answer into the dispatch; the state is summed up again from what is done."""
    resources = task.resources
    for number, array in enumerate((out.x, out.y)):
        part = np.zeros(layout.at.shape)
        part[layout.at >= 0] = np.maximum(values[number * layout.count : (number + 1) * layout.count], 0.0)
        array[:, layout.steps] = part
    edges = np.r_[0, np.flatnonzero(np.diff(task.day[layout.steps])) + 1, len(layout.steps)]
    for start, end in pairwise(edges.tolist()):
        own = layout.steps[start:end]
        change = resources.fill[:, None] * out.x[:, own] - resources.drain[:, None] * out.y[:, own]
        out.state[:, own] = resources.start[:, None] + np.cumsum(change, axis=1)
