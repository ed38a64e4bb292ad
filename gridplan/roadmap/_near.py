"""Plans near a linear program, in two ways.

Near the program without states its order of units is packed and improved. That search over orders finds when shared projects
start, but packs the projects of areas only roughly; with the starts of the shared projects given, a small mixed-integer program
settles the rest. Near a program with states the chain of states that it favours is taken (:mod:`~gridplan.roadmap._node`); what
the linear program says of that chain alone tells cheaply whether a mixed-integer program is likely to find a better plan in it.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field

import highspy
import numpy as np

from gridplan.roadmap import _plan
from gridplan.roadmap._order import Packed
from gridplan.roadmap._program import Program, read
from gridplan.roadmap._solver import Effort, Part, relaxed, run

HEAT = 0.003  # of the search over orders: it stays near
LEVEL = 0.3  # years of service from which on a unit is in the first order
LOSS = 0.004  # share by which the relaxation of the rest must be above the best value; the program loses about as much
TIGHT = 1e-2  # gap to which the rest is solved
SAME = 1e-9  # a plan is better only by more than this share: less is rounding
LEAST_LOSS = 0.002  # share that the mixed-integer program of a chain of states is taken to lose at least
NODES = 1  # of its tree at most: a plan is wanted, no proof

Plan = tuple[np.ndarray, list[np.ndarray]]  # starts, options


@dataclass
class Sketch:
    """What a look for plans found: plans, with options of their own or none, what was tried, and the bound that it had."""

    plans: list[tuple[np.ndarray, list[np.ndarray] | None]] = field(default_factory=list)
    tried: bytes = b""
    top: float | None = None


@dataclass
class Near:
    """Where to look for plans, the best one, and what has been tried.

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
        Starts of the shared projects, and chains of states, that have been tried.
    loss
        Least share by which the plan found in a chain of states was below what the linear program says of it.
    """

    packed: Packed
    program: Program
    lp: highspy.HighsLp
    shared: np.ndarray
    value: float
    plan: Plan | None = None
    seen: set[bytes] = field(default_factory=set)
    loss: float = 0.0

    def look(self, program: Program, x: np.ndarray, tries: int, aim: tuple[float, float, int]) -> Sketch:
        """Look for plans near the solution `x` of a linear program, by so many tries of orders; changes nothing here.

        The aim is the value to beat, the seconds that there are, and the seed of the search.
        """
        value, seconds, seed = aim
        every, many = self._order(program, x)
        starts, _ = self.packed.improve(every[:many], every[many:], tries, heat=HEAT, seed=seed)
        found = Sketch([(starts, None)], starts[self.shared].tobytes())
        if found.tried not in self.seen:
            found.plans += self._finished(starts, value, seconds)
        return found

    def promises(self, top: float, value: float) -> bool:
        """Return whether a chain of states of which no plan is worth more than `top` is likely to have a better one."""
        return top > value + self.loss / 2 * abs(value)

    def take(self, found: Sketch) -> None:
        """Keep the best plan of a look, and what has been tried and learned."""
        values = [self._keep(*plan) for plan in found.plans]
        if found.top is not None and values:
            loss = found.top / max(values) - 1 if max(values) > 0 else 0.0
            self.loss = max(min(loss, self.loss or loss), LEAST_LOSS)
        self.seen.add(found.tried)

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

    def _finished(self, starts: np.ndarray, value: float, seconds: float) -> list[Plan]:
        """Return a plan with the same starts of the shared projects and everything else anew; none if it is no better."""
        end = time.monotonic() + seconds
        columns = {(p, s): self.program.start[p, s] for p in self.shared for s in self.packed.model.starts(p)}
        fixed = np.array([starts[p] == s for p, s in columns], dtype=float)
        part = Part(np.array(list(columns.values()), dtype=np.int32), fixed, fixed)
        top = relaxed(self.lp, seconds=seconds, part=part)[2]
        if not top > value + LOSS * abs(value):
            return []
        result = run(self.program, self.lp, Effort(max(end - time.monotonic(), 0.01), TIGHT, nodes=NODES), part=part)
        return [] if result.values is None else [read(self.program, result.values)]

    def _keep(self, starts: np.ndarray, options: list[np.ndarray] | None) -> float:
        """Keep a plan if it is the best so far; return its value."""
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
        return value
