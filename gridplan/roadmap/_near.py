"""Plans near the solution of a linear program: each project at the start that it has most of, then improved by small changes."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from gridplan.roadmap import _moves, _plan
from gridplan.roadmap._model import NEVER
from gridplan.roadmap._order import Packed
from gridplan.roadmap._program import Program

TRIES = 300_000  # changes of starts after a linear program
SEEDS = 4  # searches after each
HEAT = (1e-4, 5e-6)  # of the search, first and last, as shares of the value
LEVEL = 0.5  # part of a project from which on it is in the rounded plan
LEAST_PRICE = 0.1  # of breaking a limit, as a share of the highest price
SAME = 1e-9  # a plan is better only by more than this share: less is rounding

Plan = tuple[np.ndarray, list[np.ndarray]]  # starts, options


@dataclass
class Near:
    """Model and objective for the search, and the best plan so far; none while none is better than the value known at first."""

    packed: Packed
    shared: np.ndarray
    value: float
    plan: Plan | None = None
    _limits: tuple = field(init=False)

    def __post_init__(self) -> None:
        model = self.packed.model
        own = np.array([p for p in range(len(model.names)) if model.low[p] <= model.high[p]], dtype=np.int64)
        shared = np.intersect1d(own, self.shared)
        choice = (np.setdiff1d(own, shared), shared, model.mandatory)
        self._limits = (choice, self.packed.later, self.packed.blocks_of)

    def plans(self, program: Program, x: np.ndarray, prices: np.ndarray) -> list[np.ndarray]:
        """Return plans near the solution `x` of a linear program; changes nothing here.

        `prices` are what a limit is worth, limit x year.
        """
        begin, size = self._rounded(program, x), max(abs(self.value), 1.0)
        price = np.maximum(prices, LEAST_PRICE * max(prices.max(initial=0.0), 1e-6))
        effort = (TRIES, HEAT[0] * size, HEAT[1] * size)
        limits, packed = (self.packed.amount, price, *self._limits), self.packed
        found = [
            _moves.anneal(begin, effort, np.random.default_rng(seed), limits, packed.space, packed.goal) for seed in range(SEEDS)
        ]
        return [starts for starts, value in found if np.isfinite(value)]

    def take(self, starts: np.ndarray, options: list[np.ndarray] | None = None) -> None:
        """Keep a plan if it is the best so far."""
        model, weight = self.packed.model, self.packed.weight
        if not len(model.targets) or options is None:
            options = _plan.choose(model, starts, weight)
        value = _plan.value(model, starts, options, weight)
        if (
            value > self.value + SAME * max(abs(value), 1.0)
            and not _plan.broken(model, starts)
            and _plan.targets_met(model, options).all()
        ):
            self.value, self.plan = value, (starts, options)

    def _rounded(self, program: Program, x: np.ndarray) -> np.ndarray:
        """Return each project at the start that it has most of, if it is there by more than a level or must be."""
        model = self.packed.model
        starts = np.full(len(model.names), NEVER)
        for p in range(len(starts)):
            level = np.array([x[program.start[p, s]] for s in model.starts(p)])
            if len(level) and (level.sum() > LEVEL or model.mandatory[p]):
                starts[p] = model.low[p] + int(level.argmax())
        return self.packed.in_order(starts)
