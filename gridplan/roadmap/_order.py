"""Plans from an order: needs met one after the other as early as they fit, and the search for a better order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from graphlib import TopologicalSorter

import numpy as np

from gridplan.roadmap import _kernel
from gridplan.roadmap._model import NEVER, Model
from gridplan.roadmap._objective import Weights
from gridplan.roadmap._windows import before


@dataclass(frozen=True)
class Packed:
    """A model and an objective in flat arrays for the compiled search; unit number `len(units) + p` is project p alone.

    Attributes
    ----------
    space
        First and last starts, steps, use of limits; predecessors and rivals of projects; units, clauses, ways, chains, prices.
    goal
        Value of starts; blocks, what their options ask for, value of options.
    """

    model: Model
    weight: Weights
    amount: np.ndarray
    space: tuple
    goal: tuple

    @property
    def mandatory(self) -> np.ndarray:
        """Units of the mandatory projects."""
        return len(self.model.units) + np.flatnonzero(self.model.mandatory)

    def place(self, order: Sequence[int]) -> np.ndarray:
        """Return the starts of a plan that meets units in an order, mandatory projects first."""
        order = np.asarray(order, dtype=np.int64)
        return _kernel.decode(order, len(order), self.mandatory, self.amount, self.space)

    def extend(self, starts: np.ndarray, units: Sequence[int]) -> np.ndarray:
        """Return the starts of a plan with units added to it as early as they fit; those that do not fit are left out."""
        found, room = starts.copy(), self.amount.copy()
        for p in np.flatnonzero(starts >= 0):
            room -= self.space[3][:, p, starts[p], :]
        for unit in units:
            _kernel.meet(unit, found, room, self.space)
        return found

    @cached_property
    def groups(self) -> np.ndarray:
        """Return a number for each unit, the same for units that need the same shared projects."""
        model = self.model
        chain = before(len(model.names), model.waits)
        units = [*model.units, *((((p,),),) for p in range(len(model.names)))]
        needs = [frozenset().union(*(chain[p] for clause in unit for p in clause[0])) for unit in units]
        counts = Counter(p for need in needs[: len(model.units)] for p in need)
        shared = [frozenset(p for p in need if counts[p] > 1) for need in needs]
        number = {one: place for place, one in enumerate(dict.fromkeys(shared))}
        return np.array([number[one] for one in shared], dtype=np.int64)

    @cached_property
    def later(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Where the list of each project begins, the projects that wait for it, and how many years after it they start."""
        waits = self.model.waits
        lists = [[(one, offset) for one, other, offset in waits if other == p] for p in range(len(self.model.names))]
        at, one = _flat([[project for project, _ in some] for some in lists])
        return at, one, _flat([[offset for _, offset in some] for some in lists])[1]

    @cached_property
    def blocks_of(self) -> tuple[np.ndarray, np.ndarray]:
        """Where the list of each project begins, and the blocks of which options ask for it."""
        model, lists = self.model, [[] for _ in self.model.names]
        for b, block in enumerate(model.blocks):
            asked = {u for units in block.units for u in units}
            for p in sorted({p for u in asked for clause in model.units[u] for way in clause for p in way}):
                lists[p].append(b)
        return _flat(lists)

    def in_order(self, starts: np.ndarray) -> np.ndarray:
        """Return starts with each project behind those it waits for, left out if that is impossible."""
        model, found, rank = self.model, starts.copy(), _rank(self.model)
        for p in sorted(range(len(found)), key=lambda p: (rank[p], p)):
            for other, offset in ((other, offset) for one, other, offset in model.waits if one == p and found[p] != NEVER):
                begin = max(found[p], found[other] + offset)
                found[p] = NEVER if found[other] == NEVER or begin > model.high[p] else begin
        for _, members in model.sets:
            there = [p for p in members if found[p] != NEVER]
            found[there[1:]] = NEVER
        return found

    def worth(self, starts: np.ndarray) -> float:
        """Return the value of a plan."""
        return float(_kernel.worth(starts, self.space, self.goal))

    def improve(
        self, order: Sequence[int], rest: Sequence[int], tries: int, *, heat: float = 0.01, seed: int = 0
    ) -> tuple[np.ndarray, float]:
        """Return better starts and their value, from an order on; `rest` are units that it leaves out."""
        every = np.array([*order, *rest], dtype=np.int64)
        random = np.random.default_rng(seed)
        limits = (self.mandatory, self.amount)
        starts, value = _kernel.anneal((every, len(order), self.groups), (tries, heat), random, limits, self.space, self.goal)
        return starts, float(value)


def pack(model: Model, weight: Weights, *, limits: bool = True) -> Packed:
    """Flatten a model and an objective; without limits budgets and staff are left aside."""
    use, amount = _limits(model)
    times = (model.low.astype(np.int64), model.high.astype(np.int64), model.steps.astype(np.int64))
    return Packed(
        model,
        weight,
        amount if limits else np.full_like(amount, np.inf),
        (*times, use, *_waits(model), *_needs(model)),
        (np.ascontiguousarray(weight.starts, dtype=float), *_blocks(model, weight)),
    )


class Shelf:
    """Whether projects can all be in service in a year, within every limit of every year, other projects aside.

    A limit of which some project gives back, a running budget with savings, is left aside: other projects may make room.
    """

    def __init__(self, model: Model) -> None:
        use, self._amount = _limits(model)
        self._amount[[bool((limit.use < 0).any()) for limit in model.limits]] = np.inf
        times = (model.low.astype(np.int64), model.high.astype(np.int64), model.steps.astype(np.int64))
        self._space = (*times, use, *_waits(model)[:3])
        self._rank, self._price = _rank(model), model.spend[:, 0, :].sum(axis=1)

    def takes(self, projects: Iterable[int], year: int, tries: int) -> bool:
        """Return whether projects, with all that they wait for, fit; true if so many tries do not tell."""
        members = sorted(projects, key=lambda p: (self._rank[p], -self._price[p], p))
        return bool(_kernel.packable(np.array(members, dtype=np.int64), year, tries, self._amount, self._space))


def _rank(model: Model) -> np.ndarray:
    """Return how long the longest chain of projects is that each waits for."""
    graph = {p: {other for one, other, _ in model.waits if one == p} for p in range(len(model.names))}
    rank = np.zeros(len(model.names), dtype=int)
    for p in TopologicalSorter(graph).static_order():
        rank[p] = max((rank[other] + 1 for other in graph[p]), default=0)
    return rank


def _flat(lists: Sequence[Sequence]) -> tuple[np.ndarray, np.ndarray]:
    """Return where each list begins, and all of them one after the other."""
    return np.cumsum([0, *map(len, lists)]), np.array([item for one in lists for item in one], dtype=np.int64)


def _limits(model: Model) -> tuple[np.ndarray, np.ndarray]:
    count, years = len(model.names), model.horizon
    use, amount = [one.held[0] for one in model.limits], [one.held[1] for one in model.limits]
    return np.array(use, dtype=float).reshape(-1, count, years, years), np.array(amount, dtype=float).reshape(-1, years)


def _waits(model: Model) -> tuple:
    count = len(model.names)
    others: list[list[int]] = [[] for _ in range(count)]
    offsets: list[list[int]] = [[] for _ in range(count)]
    rivals: list[list[int]] = [[] for _ in range(count)]
    for one, other, offset in model.waits:
        others[one].append(other)
        offsets[one].append(offset)
    for _, members in model.sets:
        for p in members:
            rivals[p] += [other for other in members if other != p]
    at, other = _flat(others)
    return at, other, _flat(offsets)[1], *_flat(rivals)


def _needs(model: Model) -> tuple:
    count = len(model.names)
    units = [*model.units, *((((p,),),) for p in range(count))]
    clauses = [clause for unit in units for clause in unit]
    ways = [way for clause in clauses for way in clause]
    rank = _rank(model)
    chains = [sorted(chain, key=lambda p: (rank[p], p)) for chain in before(count, model.waits)]
    price = model.spend[:, 0, :].sum(axis=1) + 1e-3
    return np.cumsum([0, *map(len, units)]), np.cumsum([0, *map(len, clauses)]), *_flat(ways), *_flat(chains), price


def _blocks(model: Model, weight: Weights) -> tuple:
    asks = [sorted(units) for block in model.blocks for units in block.units]
    value = [row for table in weight.options for row in table]
    at = np.cumsum([0, *(len(block.options) for block in model.blocks)])
    return at, *_flat(asks), np.array(value, dtype=float).reshape(-1, model.horizon)
