"""When to shift and when to store: linear programs over days on exact sensitivities, verified by the power flow.

A resource is anything that can draw more at one time and less at another: the cars of a feeder that charge by one profile, its
heat pumps, a battery. Each has a state, the energy put off or held, that returns to its start at the end of every day, so that
days are independent and energy is conserved in each of them. The programs put limits first, then the yearly peak of each area,
then as little energy moved as possible.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

from gridplan.applications import _flexible
from gridplan.applications._case import OperatingCase
from gridplan.applications._flexible import State
from gridplan.applications._programs import SPARE, Dispatch, Resources, Task, Watched, consumption, lowest_peak, schedule
from gridplan.applications._sensitivities import Network, Rows, Slopes, zones

_LITTLE = 0.05  # resources with less than this share of the largest effect on everything that is outside in a day are left out
_FIRST = 8  # days of highest demand of each area looked at first
_BATCH = 1_000  # resources times steps in one program; small ones are solved faster
_ENOUGH_MW = 0.02  # change of a step's powers after which its sensitivities are computed anew
_BETTER = 0.98  # a day is solved again only while this share at most of what was outside is left


def days(time: pd.DatetimeIndex, start_h: float) -> np.ndarray:
    """Return number of the day of each step; days begin at `start_h` o'clock."""
    shifted = (time - pd.Timedelta(hours=start_h)).floor("D")
    return np.unique(shifted, return_inverse=True)[1]


def areas(case: OperatingCase) -> list[str]:
    """Names of the areas, in the order of their numbers."""
    return sorted(case.areas["area"].unique())


def dispatch(
    start: tuple[OperatingCase, State], network: Network, resources: Resources, *, day: np.ndarray, peak: bool, rounds: int = 10
) -> Dispatch:
    """Find what each resource does.

    Every day is linearised again at its own answer until its power flows agree with its program: nothing is outside any more, or
    what is left does not get less. The best answer of each day counts, no answer being one of them.

    Parameters
    ----------
    start
        Case and its power flows.
    network
        Its sensitivities.
    resources
        What can be moved.
    day
        Number of the day of each step.
    peak
        Whether the yearly peak of each area is lowered too; it is never raised.
    rounds
        Linearisations, at most.
    """
    case, before = start
    demand = before.net_load[areas(case)].to_numpy(float).T
    task = Task(network, resources, day, zones(case, network), demand)
    search = _Search(task)
    open_, cap = search.look(np.unique(day[before.steps]), first=True), demand.max(axis=1)
    if peak:
        cap = _peaks(task, cap)
    open_ = np.union1d(open_, np.unique(day[(demand > cap[:, None] + SPARE).any(axis=0)]))
    for _ in range(rounds):
        if not len(open_):
            break
        _solve(task, search.watched(open_), cap, (open_, search.now))
        open_ = search.look(open_)
    return search.best._replace(unsettled=open_)


def _nothing(resources: Resources) -> Dispatch:
    zero = np.zeros(resources.most_x.shape)
    return Dispatch(zero, zero.copy(), zero + resources.start[:, None], np.zeros(0, int), np.zeros(0, int))


class _Search:
    """What the resources do now, the best that they did in each day, and what is held to a limit.

    Parameters
    ----------
    task
        What does not change.
    """

    def __init__(self, task: Task) -> None:
        self.task, count = task, int(task.day.max()) + 1
        self.now, self.best = _nothing(task.resources), _nothing(task.resources)
        self._score, self._size = np.zeros((count, 3)), np.full(count, np.inf)
        self._old = np.zeros((task.zone.max() + 1, len(task.day)), bool)
        self._keys = np.zeros(0, int)
        self._slopes = Slopes(self.now.x.shape, _ENOUGH_MW)

    def look(self, numbers: np.ndarray, *, first: bool = False) -> np.ndarray:
        """Simulate some days, remember what is better than before, and return the days that are not done.

        Parameters
        ----------
        numbers
            Days.
        first
            Whether nothing has been done yet: what is outside now was outside from the start.
        """
        task, steps = self.task, np.flatnonzero(np.isin(self.task.day, numbers))
        if not len(steps):
            return numbers
        quick = task.network.quick(steps, task.resources.weights, consumption(task.resources, self.now)[:, steps])
        lost = np.isnan(quick).all(axis=0)
        step, row, side, excess = _outside(quick, task)
        zone, step, over = task.zone[row], steps[step], excess > 0
        if first:
            self._old[zone[over], step[over]] = True
        fresh = over & ~self._old[zone, step]
        day, count = task.day[step], len(self._score)
        size = np.bincount(day, np.maximum(excess, 0.0), count).round()
        score = [np.bincount(day[fresh], minlength=count), np.bincount(day[over], minlength=count), size]
        score[0] += (not first) * len(task.zone) * np.bincount(task.day[steps[lost]], minlength=count)
        self._keep(numbers, np.column_stack(score), first=first)
        keys = (step * len(task.zone) + row) * 2 + (side > 0)
        new = np.unique(task.day[step[~np.isin(keys, self._keys)]])
        self._keys = np.union1d(self._keys, keys)
        better = size < _BETTER * self._size
        self._size[numbers] = size[numbers]
        return numbers[(np.isin(numbers, new) | better[numbers]) & np.isin(numbers, day)]

    def _keep(self, numbers: np.ndarray, score: np.ndarray, *, first: bool) -> None:
        """Remember the days that are as good as their best or better."""
        if first:
            self._score = score
            return
        kept = [n for n in numbers.tolist() if tuple(score[n]) <= tuple(self._score[n])]
        self._score[kept] = score[kept]
        steps = np.flatnonzero(np.isin(self.task.day, kept))
        for best, now in zip(self.best[:3], self.now[:3], strict=True):
            best[:, steps] = now[:, steps]

    def watched(self, numbers: np.ndarray) -> Watched | None:
        """Linearise what is held to a limit in some days at what is done there now."""
        task, (where, upper) = self.task, np.divmod(self._keys, 2)
        step, row = np.divmod(where, len(task.zone))
        own = np.isin(task.day[step], numbers)
        if not own.any():
            return None
        network, resources, sign = task.network, task.resources, 2.0 * upper[own] - 1.0
        moved = consumption(resources, self.now)
        step, row = step[own], row[own]
        steps, at = np.unique(step, return_inverse=True)
        demand = network.demand(steps) + resources.weights @ moved[:, steps]
        voltage = network.solve(steps, demand)
        found = network.values(steps, voltage)[row, at]

        def effects(needed: np.ndarray) -> np.ndarray:
            gradient = network.gradient(steps, (voltage, demand), Rows(at[needed], row[needed]))
            return gradient.real @ resources.weights.real + gradient.imag @ resources.weights.imag

        effect = self._slopes.of(Rows(step, row), moved, effects) * sign[:, None]
        bound = np.where(sign > 0, network.high[row], -network.low[row]) - network.margin[row]
        room = bound - sign * found + (effect * moved[:, step].T).sum(axis=1)
        good = np.isfinite(room)
        return Watched(step[good], effect[good], room[good], self._old[task.zone[row], step][good])


def _outside(quick: np.ndarray, task: Task) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return the worst of each zone at or outside its limit: position of the step, quantity, side, and by how many margins."""
    network, found = task.network, []
    for side, bound in ((-1.0, network.low), (1.0, network.high)):
        sign = np.float32(side)
        edge = (side * bound - network.margin / 2).astype(np.float32)
        rows = np.flatnonzero((sign * quick > edge[:, None]).any(axis=1))
        excess = (side * (quick[rows] - bound[rows, None])) / network.margin[rows, None]
        excess[~(excess > -0.5)] = -1.0
        for number in np.unique(task.zone[rows]):
            own = np.flatnonzero(task.zone[rows] == number)
            worst = excess[own].argmax(axis=0)
            value = excess[own[worst], np.arange(quick.shape[1])]
            step = np.flatnonzero(value > -1.0)
            found.append((step, rows[own[worst[step]]], np.full(len(step), side), value[step]))
    if not found:
        return np.zeros(0, int), np.zeros(0, int), np.zeros(0), np.zeros(0)
    return tuple(np.concatenate(part) for part in zip(*found, strict=True))


def undone(out: Dispatch, resources: Resources, steps: np.ndarray, refused: np.ndarray) -> Dispatch:
    """Return a dispatch without what was done in some steps."""
    parts = [values.copy() for values in out[:3]]
    for values, rest in zip(parts, (0.0, 0.0, resources.start[:, None]), strict=True):
        values[:, steps] = rest
    return Dispatch(*parts, refused, out.unsettled)


def reasons(why: str, out: Dispatch | None) -> dict[str, str]:
    """Why something is left: what holds in general, and what happened in single days."""
    if out is not None and len(out.refused):
        why += f"; in {len(out.refused)} days the schedule was refused because the power flow was worse with it"
    if out is not None and len(out.unsettled):
        why += f"; in {len(out.unsettled)} days programs and power flows did not come to agree"
    return {"": why}


def _peaks(task: Task, cap: np.ndarray) -> np.ndarray:
    """Lowest yearly peak of each area that its resources allow; (areas,)."""
    best = cap.copy()
    for area in np.unique(task.resources.area[task.resources.area >= 0]).tolist():
        highest = pd.Series(task.demand[area]).groupby(task.day).max().sort_values(ascending=False, kind="stable")
        floor, order = 0.0, highest.index.to_numpy()
        for start in range(0, len(order), _FIRST):
            tried = order[start : start + _FIRST]
            tried = tried[highest[tried].to_numpy() > floor + SPARE]
            if not len(tried):
                break
            floor = lowest_peak(task, tried, area, floor)
        best[area] = min(cap[area], floor)
    return best


def _solve(task: Task, watched: Watched | None, cap: np.ndarray, given: tuple[np.ndarray, Dispatch]) -> None:
    """Solve some days, in batches; writes into the dispatch."""
    chosen, out = given
    useful = _useful(task, watched, cap)
    size = useful[:, chosen].sum(axis=0) * np.bincount(task.day)[chosen]
    for batch in np.split(chosen, np.flatnonzero(np.diff(np.cumsum(size) // _BATCH)) + 1):
        schedule(task, watched, cap, (batch, useful), out)


def _useful(task: Task, watched: Watched | None, cap: np.ndarray) -> np.ndarray:
    """Resources that have a say in each day: (resources, days)."""
    useful = np.zeros((len(task.resources.area), task.day.max() + 1), bool)
    high = task.demand > cap[:, None] + SPARE
    for area in range(len(cap)):
        hit = np.unique(task.day[high[area]])
        useful[np.ix_(task.resources.area == area, hit)] = True
    if watched is not None:
        size = np.abs(watched.effect)
        strong = size >= _LITTLE * size.max(axis=1, keepdims=True, initial=1e-12)
        np.logical_or.at(useful.T, task.day[watched.step], strong)
    return useful


def accepted(
    case: OperatingCase,
    before: State,
    given: tuple[Resources, Dispatch, np.ndarray],
    write: Callable[[Dispatch], OperatingCase],
) -> tuple[Dispatch, OperatingCase, State]:
    """Verify a dispatch by full power flows of every step, and undo the days that have become worse.

    A day is worse if an area is outside limits in a step in which it was not before, or if a step has lost its solution.

    Parameters
    ----------
    case, before
        Case without the resources' moves, and its power flows.
    given
        Resources, their dispatch, number of the day of each step.
    write
        Makes the case of a dispatch.
    """
    resources, found, day = given
    if not ((found.x != 0).any() or (found.y != 0).any()):
        return found, case, before
    while True:
        after = write(found)
        state = _flexible.simulate(after, before, changed=np.flatnonzero(((found.x != 0) | (found.y != 0)).any(axis=0)))
        fresh = (state.outside & ~before.outside).to_numpy().any(axis=1)  # steps without a solution are outside everywhere
        worse = np.unique(day[fresh | (before.result.converged & ~state.result.converged)])
        if not len(worse):
            return found, after, state
        found = undone(found, resources, np.flatnonzero(np.isin(day, worse)), np.union1d(found.refused, worse))
