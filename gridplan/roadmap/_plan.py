"""A plan is a start for each project, or none: what it breaks, when needs are met, which options it runs, what it is worth."""

from __future__ import annotations

import numpy as np

from gridplan.roadmap._model import NEVER, Model
from gridplan.roadmap._objective import Weights

EPS = 1e-6


def service(model: Model, starts: np.ndarray) -> np.ndarray:
    """Return the year from which each project is in service; the number of years if never."""
    return np.where(starts == NEVER, model.horizon, starts + model.steps)


def unit_years(model: Model, starts: np.ndarray) -> np.ndarray:
    """Return the year from which each unit of needs is met."""
    when = service(model, starts)
    return np.array(
        [max((min(max(when[p] for p in way) for way in clause) for clause in unit), default=0) for unit in model.units]
    )


def choose(model: Model, starts: np.ndarray, weight: Weights) -> list[np.ndarray]:
    """Return for each block the option of each year with the most weight; of equal ones the one with the fewest applications."""
    met = unit_years(model, starts)
    found = []
    for block, value in zip(model.blocks, weight.options, strict=True):
        ready = np.array([max((met[u] for u in units), default=0) for units in block.units])
        allowed = np.arange(model.horizon)[None, :] >= ready[:, None]
        found.append(np.where(allowed, value, -np.inf).argmax(axis=0))
    return found


def value(model: Model, starts: np.ndarray, options: list[np.ndarray], weight: Weights) -> float:
    """Return the value of a plan with its options."""
    on = np.flatnonzero(starts != NEVER)
    total = weight.starts[on, starts[on]].sum()
    years = np.arange(model.horizon)
    return float(total + sum(table[picked, years].sum() for table, picked in zip(weight.options, options, strict=True)))


def used(model: Model, starts: np.ndarray) -> list[np.ndarray]:
    """Return what a plan uses of each limit by year."""
    on = np.flatnonzero(starts != NEVER)
    return [limit.use[on, starts[on]].sum(axis=0) for limit in model.limits]


def room(model: Model, starts: np.ndarray) -> list[np.ndarray]:
    """Return what is left of each limit by year, of one that carries over the sum up to the year."""
    found = []
    for limit, use in zip(model.limits, used(model, starts), strict=True):
        left = limit.amount - use
        found.append(np.cumsum(left) if limit.carry else left)
    return found


def kpi_path(model: Model, options: list[np.ndarray], kpi: str) -> np.ndarray:
    """Return a KPI by year."""
    years = np.arange(model.horizon)
    return sum(
        (block.kpis[kpi][picked, years] for block, picked in zip(model.blocks, options, strict=True)), np.zeros(len(years))
    )


def broken(model: Model, starts: np.ndarray) -> list[str]:
    """Return in words every rule that the starts of a plan break; targets apart."""
    found = []
    outside = (starts != NEVER) & ((starts < model.low) | (starts > model.high))
    found += [f"{model.names[p]} starts outside its years" for p in np.flatnonzero(outside)]
    found += [f"{model.names[p]} is mandatory" for p in np.flatnonzero(model.mandatory & (starts == NEVER))]
    for one, other, offset in model.waits:
        if starts[one] != NEVER and (starts[other] == NEVER or starts[one] < starts[other] + offset):
            found.append(f"{model.names[one]} does not wait for {model.names[other]}")
    found += [f"more than one of {name}" for name, members in model.sets if (starts[list(members)] != NEVER).sum() > 1]
    for limit, left in zip(model.limits, room(model, starts), strict=True):
        short = left < -EPS * np.maximum(1.0, limit.amount)
        found += [f"{limit.kind} {limit.name} in {model.years[t]}" for t in np.flatnonzero(short)]
    return found


def targets_met(model: Model, options: list[np.ndarray]) -> np.ndarray:
    """Return whether each target is met."""
    found = []
    for row in model.targets.itertuples():
        level = kpi_path(model, options, row.kpi)[int(row.year) - model.years[0]]
        slack = EPS * max(1.0, abs(row.value))
        found.append(level <= row.value + slack if row.sense == "at most" else level >= row.value - slack)
    return np.array(found, dtype=bool)
