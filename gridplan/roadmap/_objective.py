"""Objectives as weights: of each start of a project, and of each option in each year."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gridplan.roadmap._model import Model


@dataclass(frozen=True)
class Weights:
    """A linear objective, to be made as large as possible: `starts[p, s]`, and `options[b][o, t]` for each block."""

    starts: np.ndarray
    options: tuple[np.ndarray, ...]

    def less(self, other: Weights, factor: float) -> Weights:
        """Return this objective less `factor` times another."""
        options = tuple(one - factor * two for one, two in zip(self.options, other.options, strict=True))
        return Weights(self.starts - factor * other.starts, options)


def weights(model: Model, objective: str) -> Weights:
    """Return the weights of an objective, see :class:`~gridplan.roadmap.Choices`."""
    nothing = np.zeros_like(model.cost)
    idle = tuple(np.zeros_like(block.benefit) for block in model.blocks)
    worth = tuple(block.benefit * model.factor for block in model.blocks)
    if objective == "npv":
        return Weights(model.gains @ model.factor - model.cost, worth)
    if objective == "benefit":
        return Weights(model.gains @ model.factor, worth)
    if objective == "cost":
        return Weights(-model.cost, idle)
    if objective == "score":
        return Weights(nothing + model.score[:, None], idle)
    word, kpi = objective.split(" ", 1)
    sign = -1.0 if word == "least" else 1.0
    return Weights(nothing, tuple(sign * block.kpis[kpi] for block in model.blocks))


def spent(model: Model) -> Weights:
    """Return the present value of cost."""
    return weights(model, "cost").less(weights(model, "cost"), 2.0)


def by_rule(model: Model) -> Weights:
    """Return what settles ties: fewer and earlier starts, then names in order of the alphabet."""
    count, years = model.cost.shape
    name = 1 + np.arange(count)[:, None] / (count * count * years + 1.0)
    return Weights(-(np.arange(years)[None, :] + 1.0) * name, tuple(np.zeros_like(block.benefit) for block in model.blocks))
