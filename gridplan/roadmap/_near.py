"""Plans near a linear program: its order of units packed and improved, then everything but the shared projects anew.

The search over orders finds when shared projects start, but packs the projects of areas only roughly. With the starts of the
shared projects given, the linear program of the rest is nearly tight, so that a small mixed-integer program settles it.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field

import highspy
import numpy as np

from gridplan.roadmap import _plan
from gridplan.roadmap._order import Packed
from gridplan.roadmap._program import Program, read
from gridplan.roadmap._solver import Effort, relaxed, run

HEAT = 0.003  # of the search over orders: it stays near
LEVEL = 0.3  # years of service from which on a unit is in the first order
LOSS = 0.004  # share by which the relaxation of the rest must be above the best value; the program loses about as much
TIGHT = 1e-2  # gap to which the rest is solved
SAME = 1e-9  # a plan is better only by more than this share: less is rounding
NODES = 1  # of its tree at most: a plan is wanted, no proof

Plan = tuple[np.ndarray, list[np.ndarray]]  # starts, options


@dataclass
class Near:
    """Where to look for plans, the best one, and which starts of shared projects have been tried.

    Attributes
    ----------
    packed
        Model and objective for the search over orders.
    program, lp
        The program of the model without states.
    shared
        Shared projects.
    value
        Value of the best plan known.
    plan
        The best plan found here; none while none is better than the one known at first.
    seen
        Starts of the shared projects that have been tried.
    """

    packed: Packed
    program: Program
    lp: highspy.HighsLp
    shared: np.ndarray
    value: float
    plan: Plan | None = None
    seen: set[bytes] = field(default_factory=set)

    def look(self, program: Program, x: np.ndarray, tries: int, *, seconds: float, seed: int = 0) -> None:
        """Look for a better plan near the solution `x` of a linear program, by so many tries of orders."""
        every, many = self._order(program, x)
        starts, _ = self.packed.improve(every[:many], every[many:], tries, heat=HEAT, seed=seed)
        self.keep(starts)
        key = starts[self.shared].tobytes()
        if key not in self.seen:
            self.seen.add(key)
            self.finish(starts, seconds=seconds)

    def _order(self, program: Program, x: np.ndarray) -> tuple[np.ndarray, int]:
        """Return units in order of how many years the solution runs options that need them, and how many come first."""
        model, level = self.packed.model, np.zeros(len(self.packed.groups))
        for (b, o, _), column in program.option.items():
            if x[column] > 1e-6:
                level[list(model.blocks[b].units[o])] += x[column]
        for p in np.flatnonzero((self.packed.goal[0] > 0).any(axis=1)):
            level[len(model.units) + p] = sum(x[program.state[p, s + int(model.steps[p])]] for s in model.starts(p))
        every = np.argsort(-level, kind="stable")
        every = every[level[every] > 0.0]
        return every, int((level[every] > LEVEL).sum())

    def finish(self, starts: np.ndarray, *, seconds: float) -> None:
        """Keep the starts of the shared projects and choose the rest anew."""
        end = time.monotonic() + seconds
        upper, lower = np.array(self.lp.col_upper_), np.array(self.lp.col_lower_)
        for p in self.shared:
            for s in self.packed.model.starts(p):
                lower[self.program.start[p, s]] = upper[self.program.start[p, s]] = float(starts[p] == s)
        free = self.lp.col_upper_, self.lp.col_lower_
        self.lp.col_upper_, self.lp.col_lower_ = upper, lower
        top = relaxed(self.lp, seconds=seconds)[2]
        if top > self.value + LOSS * abs(self.value):
            result = run(self.program, self.lp, Effort(end - time.monotonic(), TIGHT, nodes=NODES))
            if result.values is not None:
                self.keep(*read(self.program, result.values))
        self.lp.col_upper_, self.lp.col_lower_ = free

    def keep(self, starts: np.ndarray, options: list[np.ndarray] | None = None) -> None:
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
