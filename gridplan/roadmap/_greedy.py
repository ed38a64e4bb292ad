"""Plans made without a solver: by value per cost, the same with the enablers taken along, by rank of given scores."""

from __future__ import annotations

import numpy as np

from gridplan.roadmap._model import NEVER, Model
from gridplan.roadmap._objective import Weights
from gridplan.roadmap._order import Packed, pack

PLANS = {
    "value per cost": "projects one by one by attributed value per cost, each at the first year in which it and its budget fit",
    "with enablers": "applications by value per cost of all that they still need, everything they need taken along",
    "by rank": "projects in order of their scores, without scores of their attributed value, each with those before it",
}


def attributed(model: Model, weight: Weights) -> np.ndarray:
    """Return the value of each project when every application's own value is shared equally by the projects it needs.

    That is how a ranking by project sees value: each by itself, without the question what is in service beside it.
    """
    found = model.score + np.maximum(weight.starts.max(axis=1, initial=0.0), 0.0)
    for block, value in zip(model.blocks, weight.options, strict=True):
        none = value[0].sum()
        for units, row in zip(block.units, value, strict=True):
            if len(units) != 1:
                continue
            projects = {p for u in units for clause in model.units[u] for way in clause[:1] for p in way}
            for p in projects:
                found[p] += max(row.sum() - none, 0.0) / len(projects)
    return found


def plans(model: Model, weight: Weights) -> dict[str, np.ndarray]:
    """Return the starts of each plan of :data:`PLANS`."""
    packed = pack(model, weight)
    worth, price = attributed(model, weight), model.spend[:, 0, :].sum(axis=1) + 1e-9
    alone = len(model.units)
    rank = model.score if model.score.any() else worth
    ratio = [alone + p for p in _down(worth / price) if worth[p] > 0]
    ranked = [alone + p for p in _down(rank) if rank[p] > 0]
    return {
        "value per cost": packed.place(ratio),
        "with enablers": packed.place(enablers(packed)),
        "by rank": packed.place(ranked),
    }


def _down(values: np.ndarray) -> np.ndarray:
    return np.argsort(-values, kind="stable")


def useful(model: Model, weight: Weights) -> list[int]:
    """Return the units that options ask for, and projects that have a value of their own."""
    asked = sorted({u for block in model.blocks for units in block.units for u in units})
    own = np.flatnonzero((weight.starts > 0).any(axis=1))
    return [*asked, *(len(model.units) + own).tolist()]


def enablers(packed: Packed) -> list[int]:
    """Return the order in which units are met when each time the one with the highest gain per cost is next.

    An enabler burdens the first application that needs it, so that a first gain may be negative; the order goes on to the end and
    is then cut where the plan is worth most.
    """
    model = packed.model
    rest, order = useful(model, Weights(packed.goal[0], ())), []
    starts, price = packed.place(order), model.spend[:, 0, :].sum(axis=1)
    worths = [packed.worth(starts)]
    while rest:
        tried = [packed.extend(starts, [unit]) for unit in rest]
        gains = np.array([packed.worth(found) for found in tried]) - worths[-1]
        extra = np.array([price[(found != NEVER) & (starts == NEVER)].sum() for found in tried])
        free = [unit for unit, found in zip(rest, tried, strict=True) if (found == starts).all()]
        if len(free) == len(rest):
            break
        ratio = np.where([(found == starts).all() for found in tried], -np.inf, gains / (extra + 1e-9))
        best = int(np.argmax(ratio))
        order.append(rest[best])
        starts = tried[best]
        worths.append(packed.worth(starts))
        rest = [unit for unit in rest if unit not in (*free, rest[best])]
    return order[: int(np.argmax(worths))]
