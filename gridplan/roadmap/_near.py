"""Plans near the solution of a linear program.

Near that of the whole problem, in which shared projects are built in parts, its order of units is packed and improved. Near that
of a chain of states each project is put at the start that it has most of. Both are then improved by small changes of starts.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from gridplan.roadmap import _moves, _plan
from gridplan.roadmap._model import NEVER
from gridplan.roadmap._order import Packed
from gridplan.roadmap._program import Program

TRIES = 300_000  # changes of starts after a linear program
ORDERS = 5000  # orders tried for each of the first plans
ORDER_HEAT = 0.003  # of that search: it stays near
YEARS = 0.3  # years of service from which on a unit is in its first order
SEEDS = 4  # searches after each
HEAT = (1e-4, 5e-6)  # of the search, first and last, as shares of the value
FAR = 0.02  # share by which the plan of the first search may be below the best: others would not be better either
RARE = 0.003  # share of changes of shared projects, which take long: every block must be valued anew
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
        choice = (np.setdiff1d(own, shared), shared, model.mandatory, RARE)
        self._limits = (choice, self.packed.later, self.packed.blocks_of)

    def by_order(self, program: Program, x: np.ndarray, prices: np.ndarray, seed: int) -> np.ndarray:
        """Return a plan from the order in which the solution `x` of a linear program runs options, improved twice."""
        model, level = self.packed.model, np.zeros(len(self.packed.groups))
        for (b, o, _), column in program.option.items():
            if x[column] > 1e-6:
                level[list(model.blocks[b].units[o])] += x[column]
        for p in np.flatnonzero((self.packed.goal[0] > 0).any(axis=1)):
            level[len(model.units) + p] = sum(x[program.state[p, s + int(model.steps[p])]] for s in model.starts(p))
        every = np.argsort(-level, kind="stable")
        every = every[level[every] > 0.0]
        many = int((level[every] > YEARS).sum())
        starts, value = self.packed.improve(every[:many], every[many:], ORDERS, heat=ORDER_HEAT, seed=seed)
        better, top = self._anneal(starts, (prices, self.value), seed)
        return better if top > value else starts

    def plans(self, program: Program, x: np.ndarray, prices: np.ndarray, value: float) -> list[np.ndarray]:
        """Return plans near the solution `x` of a linear program; changes nothing here.

        `prices` are what a limit is worth, limit x year; `value` is that of the best plan known.
        """
        begin, found = self._rounded(program, x), []
        for seed in range(SEEDS):
            starts, worth = self._anneal(begin, (prices, value), seed)
            if worth < value - FAR * abs(value):
                break  # the shared projects as they are rounded do not fit together
            found.append(starts)
        return found

    def idle(self) -> None:
        """Have compiled what finds plans."""
        nothing = np.full(len(self.packed.model.names), NEVER)
        self.packed.improve([0], [], 0)
        self._anneal(nothing, (np.zeros_like(self.packed.amount), 0.0), 0, tries=0)

    def _anneal(self, begin: np.ndarray, measure: tuple, seed: int, tries: int = TRIES) -> tuple[np.ndarray, float]:
        """Return the best plan from a beginning on and its value, minus infinity if none keeps every limit."""
        packed, (prices, value) = self.packed, measure
        size = max(abs(value), 1.0)
        price = np.maximum(prices, LEAST_PRICE * max(prices.max(initial=0.0), 1e-6))
        tries = tries if len(self._limits[0][0]) + len(self._limits[0][1]) else 0
        effort, limits = (tries, HEAT[0] * size, HEAT[1] * size), (packed.amount, price, *self._limits)
        return _moves.anneal(begin, effort, np.random.default_rng(seed), limits, packed.space, packed.goal)

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
