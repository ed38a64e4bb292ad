"""Which shared projects are in service together: the states of a roadmap.

Areas need the same platforms. A *kind* is a set of shared projects that an application needs, a *state* a set of kinds that are
open. States only grow over the years, and there are few of them, so that a search over chains of states, one state a year, is
possible. A linear program knows no states: it builds half of every platform and takes half of every benefit. On portfolios with
large platforms that makes its bound 15 % too high.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from gridplan.roadmap._model import Model
from gridplan.roadmap._order import Shelf
from gridplan.roadmap._windows import before

MOST = 11  # kinds; more would make too many states
TRIES = 5000  # to place the projects of a state; a state for which they do not tell stays


@dataclass(frozen=True)
class States:
    """Kinds of shared projects, states as bits of kinds, and what states and options ask for.

    Attributes
    ----------
    kinds
        Sets of shared projects.
    open_kinds
        For each block and option the kinds that it needs, as bits.
    local
        For each block and option the projects that it needs beside them.
    share
        Part of the cost of a project that one block bears: one over the number of blocks that need it.
    possible
        Whether a project can be in service, project x year.
    used
        Least use of the capital budgets together by a project in service, project x year.
    amount
        Budgets up to each year.
    """

    model: Model
    kinds: tuple[frozenset[int], ...]
    open_kinds: tuple[np.ndarray, ...]
    local: tuple[tuple[np.ndarray, ...], ...]
    share: np.ndarray
    possible: np.ndarray
    used: np.ndarray
    amount: np.ndarray

    @cached_property
    def count(self) -> int:
        """Number of states."""
        return 1 << len(self.kinds)

    @cached_property
    def shared(self) -> np.ndarray:
        """Shared projects."""
        return np.array(sorted(frozenset().union(*self.kinds)), dtype=int)

    @cached_property
    def takes(self) -> np.ndarray:
        """Whether a state takes a shared project, state x shared project."""
        inside = np.array([[p in kind for p in self.shared] for kind in self.kinds], dtype=bool)
        bits = (np.arange(self.count)[:, None] >> np.arange(len(self.kinds))) & 1
        return (bits @ inside) > 0

    @cached_property
    def affordable(self) -> np.ndarray:
        """Whether budgets and dates let the projects of a state be in service, year x state."""
        cost = self.used[self.shared].T @ self.takes.T
        late = (~self.possible[self.shared].T).astype(int) @ self.takes.T > 0
        found = (cost <= self.amount[:, None] * (1 + 1e-9) + 1e-6) & ~late
        shelf, years = Shelf(self.model), len(found)
        first = np.zeros(self.count, dtype=int)
        for state in range(1, self.count):
            first[state] = max(first[state & ~(1 << k)] for k in range(len(self.kinds)) if state >> k & 1)
            projects = self.shared[self.takes[state]]
            while first[state] < years and not (found[first[state], state] and shelf.takes(projects, first[state], TRIES)):
                first[state] += 1
        return found & (np.arange(years)[:, None] >= first)


def states(model: Model) -> States | None:
    """Return the states of a model; None if it has no capital budget or no shared projects."""
    limits = [limit for limit in model.limits if limit.kind == "capex"]
    chain = before(len(model.names), model.waits)
    needs = [[_certain(model, chain, units) for units in block.units] for block in model.blocks]
    kinds = _kinds(model, needs)
    if not limits or not kinds:
        return None
    shared = frozenset().union(*kinds)
    counts = np.zeros(len(model.names))
    for block in needs:
        counts[sorted(frozenset().union(*block))] += 1
    shift = 1 if model.steps.min(initial=1) >= 1 else 0
    amount = np.r_[np.zeros(shift), np.cumsum(sum(limit.amount for limit in limits))][: model.horizon]
    possible, used = _least(model, sum(limit.summed for limit in limits), shift)
    return States(
        model,
        kinds,
        tuple(np.array([_bits(kinds, need & shared) for need in block]) for block in needs),
        tuple(tuple(np.array(sorted(need - shared), dtype=int) for need in block) for block in needs),
        1 / np.maximum(counts, 1),
        possible,
        used,
        amount,
    )


def _certain(model: Model, chain: list[frozenset[int]], units: frozenset[int]) -> frozenset[int]:
    """Return the projects without which units cannot be met."""
    single = [clause[0] for u in units for clause in model.units[u] if len(clause) == 1]
    return frozenset().union(*(chain[p] for way in single for p in way))


def _kinds(model: Model, needs: list[list[frozenset[int]]]) -> tuple[frozenset[int], ...]:
    """Return the sets of shared projects, the dearest projects first, as far as their sets are not too many."""
    areas: dict[int, set[str]] = {}
    for block, options in zip(model.blocks, needs, strict=True):
        for p in frozenset().union(*options):
            areas.setdefault(p, set()).add(block.area)
    price = model.spend[:, 0, :].sum(axis=1)
    single = {
        need
        for block, options in zip(model.blocks, needs, strict=True)
        for units, need in zip(block.units, options, strict=True)
        if len(units) == 1
    }
    chosen: set[int] = set()
    for p in sorted((p for p, where in areas.items() if len(where) > 1), key=lambda p: (-price[p], p)):
        if len({need & (chosen | {p}) for need in single} - {frozenset()}) <= MOST:
            chosen.add(p)
    found = {need & chosen for need in single} - {frozenset()}
    return tuple(sorted(found, key=sorted))


def _bits(kinds: Sequence[frozenset[int]], need: frozenset[int]) -> int:
    return sum(1 << k for k, kind in enumerate(kinds) if kind <= need)


def _least(model: Model, summed: np.ndarray, shift: int) -> tuple[np.ndarray, np.ndarray]:
    """Return whether a project can be in service in a year, and the least that it has used of the budgets then."""
    possible = np.zeros((len(model.names), model.horizon), dtype=bool)
    used = np.zeros(possible.shape)
    for p in range(len(model.names)):
        for t in range(model.horizon):
            starts = [s for s in model.starts(p) if s + model.steps[p] <= t]
            possible[p, t] = len(starts) > 0
            if starts and t >= shift:
                used[p, t] = summed[p, starts, t - shift].min()
    return possible, used
