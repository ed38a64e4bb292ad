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
from gridplan.applications._programs import SPARE, Dispatch, Resources, Task, Watched, consumption, program
from gridplan.applications._sensitivities import Network, Rows

_LITTLE = 0.05  # resources with less than this share of the largest effect on everything that is outside in a day are left out
_FIRST = 8  # days of highest demand of each area looked at first
_BATCH = 1_200  # resources times steps in one program; small ones are solved faster
_BETTER = 0.98  # a day is solved again only while this share at most of what was outside is left


def days(time: pd.DatetimeIndex, start_h: float) -> np.ndarray:
    """Return number of the day of each step; days begin at `start_h` o'clock."""
    shifted = (time - pd.Timedelta(hours=start_h)).floor("D")
    return np.unique(shifted, return_inverse=True)[1]


def areas(case: OperatingCase) -> list[str]:
    """Names of the areas, in the order of their numbers."""
    return sorted(case.areas["area"].unique())


def dispatch(
    start: tuple[OperatingCase, State], network: Network, resources: Resources, *, day: np.ndarray, peak: bool, rounds: int = 3
) -> Dispatch:
    """Find what each resource does.

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
    problem = Task(network, resources, day, _zones(case, network), demand)
    out = Dispatch(
        *(np.zeros(resources.most_x.shape) for _ in range(2)), np.repeat(resources.start[:, None], len(day), 1), np.zeros(0, int)
    )
    wrong, cap = np.unique(day[before.steps]), demand.max(axis=1)
    watched, _ = _watch(problem, np.flatnonzero(np.isin(day, wrong)), out, None)
    if peak:
        cap = _peaks(problem, cap, out)
    last: dict[int, float] = {}
    for _ in range(rounds):
        chosen = np.union1d(wrong, _above(problem, cap, out))
        if not len(chosen):
            break
        _solve_days(problem, watched, cap, (chosen, out))
        seen = 0 if watched is None else len(watched.step)
        watched, outside = _watch(problem, np.flatnonzero(np.isin(day, chosen)), out, watched)
        fresh = set() if watched is None else set(day[watched.step[seen:]].tolist())
        now = pd.Series(outside, dtype=float).groupby(day[list(outside)]).sum().to_dict() if outside else {}
        wrong = np.array([d for d, size in now.items() if d in fresh or size < _BETTER * last.get(d, np.inf)], int)
        last |= now
    return out


def undone(out: Dispatch, resources: Resources, steps: np.ndarray, refused: np.ndarray) -> Dispatch:
    """Return a dispatch without what was done in some steps."""
    parts = [values.copy() for values in out[:3]]
    for values, rest in zip(parts, (0.0, 0.0, resources.start[:, None]), strict=True):
        values[:, steps] = rest
    return Dispatch(*parts, refused)


def _zones(case: OperatingCase, network: Network) -> np.ndarray:
    """Return number of the area of every quantity; lines by their end, what lies above the areas each for itself."""
    names = {name: number for number, name in enumerate(areas(case))}
    area = case.areas.set_index("bus")["area"].map(names)
    zone = len(names) + 1 + np.arange(len(network.high))
    zone[network.position(area.index.to_numpy())] = area.to_numpy()
    lines = case.net.line["to_bus"].map(area)
    known = np.flatnonzero(lines.notna())
    zone[network.buses + known] = -1 - lines.iloc[known].to_numpy(int)
    return zone


def _watch(problem: Task, steps: np.ndarray, out: Dispatch, known: Watched | None) -> tuple[Watched | None, dict[int, float]]:
    """Add what is outside limits in some steps, the worst of each zone, to what is watched; linearised anew at what is done.

    Also returns how far each step is outside, in margins.
    """
    network, resources = problem.network, problem.resources
    if known is not None:
        steps = np.union1d(steps, known.step)
    if not len(steps):
        return known, {}
    quick = network.quick(steps, resources.weights, consumption(resources, out)[:, steps])
    margin = network.margin[:, None]
    pairs, outside = [], {}
    for sign, bound in ((-1.0, network.low), (1.0, network.high)):
        excess = sign * (quick - bound[:, None]) / margin
        excess[~(excess > -0.5)] = -1.0
        for step, row in _worst(excess, problem.zone):
            pairs.append((int(steps[step]), row, sign))
            outside[int(steps[step])] = outside.get(int(steps[step]), 0.0) + float(excess[row, step])
    old = [] if known is None else list(zip(known.step.tolist(), known.row.tolist(), known.sign.tolist(), strict=True))
    present = set(old)
    pairs = old + [pair for pair in pairs if pair not in present]
    if not pairs:
        return None, {}
    step, row, sign = (np.array(part) for part in zip(*pairs, strict=True))
    steps, step = np.unique(step, return_inverse=True)
    move = consumption(resources, out)[:, steps]
    demand = network.demand(steps) + resources.weights @ move
    voltage = network.solve(steps, demand)
    found = network.values(steps, voltage)
    good = np.isfinite(found[row, step])
    step, row, sign = step[good], row[good], sign[good]
    gradient = network.gradient(steps, (voltage, demand), Rows(step, row))
    effect = (gradient.real @ resources.weights.real + gradient.imag @ resources.weights.imag) * sign[:, None]
    bound = np.where(sign > 0, network.high[row], -network.low[row]) - network.margin[row]
    room = bound - sign * found[row, step] + (effect * move[:, step].T).sum(axis=1)
    return Watched(steps[step], row, sign, effect, room), outside


def _worst(excess: np.ndarray, zone: np.ndarray) -> list[tuple[int, int]]:
    """Step and row of the largest excess of each zone and step, where there is any."""
    hit = (excess > -1.0).any(axis=1)
    pairs = []
    for number in np.unique(zone[hit]):
        rows = np.flatnonzero(zone == number)
        best = excess[rows].argmax(axis=0)
        steps = np.flatnonzero(excess[rows[best], np.arange(excess.shape[1])] > -1.0)
        pairs += list(zip(steps.tolist(), rows[best[steps]].tolist(), strict=True))
    return pairs


def _above(problem: Task, cap: np.ndarray, out: Dispatch) -> np.ndarray:
    """Days in which the demand of an area is above its cap."""
    demand = _demand(problem, out)
    return np.unique(problem.day[(demand > cap[:, None] + SPARE).any(axis=0)])


def _demand(problem: Task, out: Dispatch) -> np.ndarray:
    demand, move = problem.demand.copy(), consumption(problem.resources, out)
    own = problem.resources.area >= 0
    np.add.at(demand, problem.resources.area[own], move[own])
    return demand


def _peaks(problem: Task, cap: np.ndarray, out: Dispatch) -> np.ndarray:
    """Lowest yearly peak of each area that its resources allow; (areas,)."""
    best = cap.copy()
    for area in np.unique(problem.resources.area[problem.resources.area >= 0]):
        own = problem.resources.area == area
        highest = pd.Series(problem.demand[area]).groupby(problem.day).max()
        floor, order = -np.inf, highest.sort_values(ascending=False, kind="stable").index.to_numpy()
        for start in range(0, len(order), _FIRST):
            tried = order[start : start + _FIRST]
            tried = tried[highest[tried].to_numpy() > floor + SPARE]
            if not len(tried):
                break
            floor = max(floor, program(problem, None, np.full(len(cap), np.inf), (tried, own, int(area)), out))
        best[area] = min(cap[area], floor)
    return best


def _solve_days(problem: Task, watched: Watched | None, cap: np.ndarray, given: tuple[np.ndarray, Dispatch]) -> None:
    """Solve some days, in batches; writes into the dispatch."""
    chosen, out = given
    useful = _useful(problem, watched, cap, chosen)
    length = np.bincount(problem.day)
    batch: list[int] = []
    size = 0
    for number in chosen.tolist():
        batch.append(number)
        size += int(useful[:, number].sum()) * length[number]
        if size >= _BATCH:
            _batch(problem, watched, cap, (np.array(batch), useful, out))
            batch, size = [], 0
    if batch:
        _batch(problem, watched, cap, (np.array(batch), useful, out))


def _batch(problem: Task, watched: Watched | None, cap: np.ndarray, given: tuple) -> None:
    numbers, useful, out = given
    program(problem, watched, cap, (numbers, useful, None), out)


def _useful(problem: Task, watched: Watched | None, cap: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """Resources that have a say in each day: (resources, days)."""
    useful = np.zeros((len(problem.resources.area), problem.day.max() + 1), bool)
    high = problem.demand > cap[:, None] + SPARE
    for area in range(len(cap)):
        hit = np.unique(problem.day[high[area]])
        useful[np.ix_(problem.resources.area == area, hit)] = True
    if watched is not None:
        size = np.abs(watched.effect)
        strong = size >= _LITTLE * size.max(axis=1, keepdims=True, initial=1e-12)
        np.logical_or.at(useful.T, problem.day[watched.step], strong)
    kept = np.zeros_like(useful)
    kept[:, chosen] = useful[:, chosen]
    return kept


def accepted(
    case: OperatingCase,
    before: State,
    given: tuple[Resources, Dispatch, np.ndarray],
    write: Callable[[Dispatch], OperatingCase],
) -> tuple[Dispatch, OperatingCase, State]:
    """Verify a dispatch by full power flows of every step, and undo the days that have become worse.

    A day is worse if its hours outside limits, summed over the areas, or its hours without a solution are more than before.

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
    refused = np.zeros(0, int)
    moves = (found.x != 0).any() or (found.y != 0).any()
    if not moves:
        return found, case, before
    while True:
        after = write(found)
        state = _flexible.simulate(after)
        gain = (
            pd.DataFrame(
                {
                    "hours": state.outside.sum(axis=1).to_numpy() - before.outside.sum(axis=1).to_numpy(),
                    "failed": before.result.converged.astype(int) - state.result.converged.astype(int),
                }
            )
            .groupby(day)
            .sum()
        )
        worse = gain.index[(gain > 0).any(axis=1)].to_numpy()
        if not len(worse):
            return found, after, state
        refused = np.union1d(refused, worse)
        found = undone(found, resources, np.flatnonzero(np.isin(day, worse)), refused)
