"""What binds, what one more unit would bring, and why projects are left out."""

from __future__ import annotations

import numpy as np
import pandas as pd

from gridplan.roadmap import _plan
from gridplan.roadmap._model import NEVER, Model, build
from gridplan.roadmap._objective import weights
from gridplan.roadmap._order import pack
from gridplan.roadmap._portfolio import Portfolio
from gridplan.roadmap._program import load, write
from gridplan.roadmap._solver import relaxed

UNITS = {"capex": "kEUR", "opex": "kEUR", "staff": "full-time equivalents"}


def binding(given: Portfolio, model: Model, starts: np.ndarray, options: list[np.ndarray]) -> pd.DataFrame:
    """Return the limits and targets that bind.

    A limit binds where less than 1 % of it is left or where the relaxation gives it a price. `per_unit` is the dual value of the
    relaxed program, in which projects may be done in parts: what one more kEUR, person or unit of a KPI would bring. It is an
    estimate; :func:`~gridplan.roadmap.one_more` solves again and is exact.
    """
    prices = _prices(build(given, model.choices, tight=False))
    rows = []
    for limit, used in zip(model.limits, _plan.used(model, starts), strict=True):
        left = np.cumsum(limit.amount - used) if limit.carry else limit.amount - used
        for t in np.flatnonzero(limit.amount > 0):
            price = abs(prices.get(("limit", limit.kind, limit.name, int(t)), 0.0))
            if price > 1e-6 or left[t] < 0.01 * limit.amount[t]:
                rows.append((limit.kind, limit.name, model.years[t], used[t], limit.amount[t], price, UNITS[limit.kind]))
    for row in model.targets.itertuples():
        price = abs(prices.get(("target", row.kpi, int(row.year), row.sense), 0.0))
        level = _plan.kpi_path(model, options, row.kpi)[int(row.year) - model.years[0]]
        if price > 1e-6:
            rows.append(("target", row.kpi, int(row.year), level, row.value, price, "unit"))
    table = pd.DataFrame(rows, columns=["kind", "fund", "year", "used", "allowed", "per_unit", "unit"])
    said = [
        f"{row.kind} '{row.fund}' in {row.year}: {row.used:,.4g} of {row.allowed:,.4g}; "
        f"one more {row.unit} brings about {row.per_unit:,.3g}"
        for row in table.itertuples()
    ]
    return table.assign(reading=said).drop(columns="unit")


def _prices(model: Model) -> dict[tuple, float]:
    program = write(model, whole_options=False)
    seconds = max(0.05 * model.choices.time_limit_s, 1.0)
    _, duals, _ = relaxed(load(program, weights(model, model.choices.objective)), seconds=seconds)
    return {name: float(duals[row]) for name, row in program.names.items()} if len(duals) else {}


def left_out(given: Portfolio, model: Model, starts: np.ndarray) -> pd.DataFrame:
    """Return the projects that a plan leaves out, and why.

    For each the best that could be added to the plan is tried: the project with all before it and all else that an application
    needs that it closes, each at the first year in which it fits the limits, and again without limits. `gain_keur` is what the
    objective would gain without limits.
    """
    table = given.projects.sort_values("project", ignore_index=True)
    off = np.flatnonzero(starts == NEVER)
    chance = chances(model, starts)
    rows = [
        (table["project"][p], table["label"][p], table["capex_keur"][p], *_reason(model, starts, int(p), chance)) for p in off
    ]
    found = pd.DataFrame(rows, columns=["project", "label", "capex_keur", "reason", "gain_keur"])
    return found.sort_values(["gain_keur", "project"], ascending=[False, True], ignore_index=True)


def chances(model: Model, starts: np.ndarray) -> dict[int, tuple[float, float, str]]:
    """Return for each project left out the best gain without limits, the gain of the same within them, and for what."""
    weight = weights(model, model.choices.objective)
    packed, free = pack(model, weight), pack(model, weight, limits=False)
    held = packed.worth(starts)
    goals = {f"{b.area}: {option}": units for b in model.blocks for option, units in zip(b.options, b.units, strict=True)}
    own = np.flatnonzero((starts == NEVER) & (weight.starts > 0).any(axis=1))
    goals |= {model.names[p]: frozenset([len(model.units) + int(p)]) for p in own}
    found: dict[int, tuple[float, float, str]] = {}
    for goal, units in goals.items():
        wide = free.extend(starts, sorted(units))
        new = np.flatnonzero((wide != NEVER) & (starts == NEVER))
        gain = free.worth(wide) - held
        if all(p in found and gain <= found[p][0] for p in new):
            continue
        narrow = packed.extend(starts, sorted(units))
        within = packed.worth(narrow) - held if (narrow[new] != NEVER).all() else -np.inf
        found |= {int(p): (gain, within, goal) for p in new if p not in found or gain > found[p][0]}
    return found


def _reason(model: Model, starts: np.ndarray, p: int, chance: dict[int, tuple[float, float, str]]) -> tuple[str, float]:
    """Say why a project is left out, and what it would gain without limits."""
    rivals = [(name, other) for name, members in model.sets if p in members for other in members if starts[other] != NEVER]
    if p in model.why_not:
        return f"cannot be delivered: {model.why_not[p]}", np.nan
    if rivals:
        return f"its alternative '{model.names[rivals[0][1]]}' is chosen ({rivals[0][0]})", np.nan
    if p not in chance:
        return "no application that could still be added needs it", np.nan
    return _by_gain(*chance[p], model.names[p]), chance[p][0]


def _by_gain(gain: float, within: float, goal: str, project: str) -> str:
    """Say why a project is left out that could gain so much without and within the limits, at best for a goal."""
    own = goal == project  # it is worth something by itself, and needed by no application that is worth more
    if gain <= 1e-9:
        return "brings less than it costs, with all that it needs" + ("" if own else f" (at best {goal})")
    pays = "would pay" if own else f"would pay ({goal})"
    if within == -np.inf:
        return f"{pays}, but the limits leave no room for it and what it needs"
    if within <= 1e-9:
        return f"{pays}, but fits the limits only so late that it brings less than it costs"
    return f"{pays} and fits; the search was ended before"
