"""The linear program of a node, sharpened by cuts of the budgets, plans near it, and the parts into which a node is split.

The program is that of the model. The states that are live in a node hold shared projects in service where every one of them takes
them, and options back that none of them has the kinds for. A node is looked at in a seat, which has a solver of its own: several
seats work at the same time. What comes of a node depends on the seat, the nodes that it has had before, the node and the goal, so
that the search takes the same steps on any number of cores.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial

import highspy
import numpy as np

from gridplan.roadmap._cuts import Knapsack, cuts, knapsacks
from gridplan.roadmap._near import Near
from gridplan.roadmap._program import Program, read
from gridplan.roadmap._rents import Live
from gridplan.roadmap._solver import Cut, Effort, Part, add, quiet, run
from gridplan.roadmap._states import States

NODES = 200  # of the mixed-integer program at first, four times as many each time a node comes back
REST = 0.5  # share of the gap asked for that the mixed-integer program may leave
PLANS = 12  # steps until plans near a node are waited for
SETTLED = 40  # steps until the mixed-integer program is waited for
ROUNDS = 60  # of cuts at a node
GAIN = 0.05  # share of the way to a finished node that a round of cuts must bring
DEAREST = 6  # cuts of a node that are kept for bounds by prices
PART = 0.02  # a start less than this is none


@dataclass(frozen=True)
class Node:
    """A part of the search that a linear program looks at: the plans of some live states, mostly of a single chain.

    Attributes
    ----------
    bound
        No plan of it is worth more.
    live
        Its live states.
    starts
        Which starts of shared projects are its own; all of them if none are given.
    cuts
        Cuts of the program that it comes from.
    effort
        Nodes that the mixed-integer program may take if it comes to that.
    """

    bound: float
    live: Live
    starts: np.ndarray | None = None
    cuts: tuple[Cut, ...] = ()
    effort: int = NODES


@dataclass(frozen=True)
class Goal:
    """What nodes are measured by: the best value, what a node must promise, the gap asked for, and the end of the time."""

    value: float
    least: float
    gap: float
    end: float

    @property
    def left(self) -> float:
        """Seconds left."""
        return max(self.end - time.monotonic(), 0.01)


@dataclass(frozen=True)
class Job:
    """Work that takes long, after how many steps it is waited for, and a bound on the plans that it decides about."""

    work: Callable[[Goal], Outcome]
    steps: int
    bound: float = -np.inf


@dataclass
class Outcome:
    """What came of a node: parts, starts and options of plans, cuts that matter, the bound of what was given up, jobs to do."""

    parts: list[Node] = field(default_factory=list)
    plans: list[tuple[np.ndarray, list[np.ndarray] | None]] = field(default_factory=list)
    cuts: list[Cut] = field(default_factory=list)
    rest: float = -np.inf
    jobs: list[Job] = field(default_factory=list)


@dataclass(frozen=True)
class Linear:
    """A solution of a linear program: its value, the columns, prices of the rows and reduced costs of the columns."""

    value: float
    x: np.ndarray
    prices: np.ndarray
    costs: np.ndarray


class Seat:
    """A place at which nodes are looked at one after the other.

    Parameters
    ----------
    states, program, lp
        The states, and the program of their model.
    near
        Where plans are sought.
    """

    def __init__(self, states: States, program: Program, lp: highspy.HighsLp, near: Near) -> None:
        self._states, self._program, self._lp, self._near = states, program, lp, near
        self._limits: list[Knapsack] = knapsacks(program)
        years, limits = range(states.model.horizon), states.model.limits
        self._rows = np.array([[program.names.get(("limit", one.kind, one.name, t), -1) for t in years] for one in limits])
        self._solver = quiet(Effort())
        self._solver.passModel(lp)
        self._solver.setOptionValue("solve_relaxation", True)
        self._starts = shared_starts(states, program)
        self._served = {(p, t): column for (p, t), column in program.state.items() if p in set(states.shared.tolist())}
        self._options = np.array([(t, states.open_kinds[b][o], column) for (b, o, t), column in program.option.items()])

    def look(self, node: Node, goal: Goal) -> Outcome:
        """Look at a node, and for plans near it."""
        part = self._part(node)
        if part is None:
            return Outcome()
        found, new = self._sharpened(node, part, goal)
        if found is None:
            return Outcome()
        if not len(found.x):
            return Outcome(rest=node.bound)  # no time left, or the solver gave up
        price = found.prices[self._lp.num_row_ :]
        dear = [new[i] for i in np.argsort(-price, kind="stable")[:DEAREST] if price[i] > 0.0]
        outcome, same = Outcome(cuts=dear), replace(node, bound=min(node.bound, found.value), cuts=new)
        parts = split_starts(self._states, self._starts, same, found.x)
        last = []
        if same.bound > goal.least:
            outcome.parts = parts
            last = [] if parts else [Job(partial(self._settled, same, part), SETTLED, same.bound)]
        if same.bound > goal.value and (not parts or node.starts is None):
            outcome.jobs.append(Job(partial(self._plans, found, last), PLANS, same.bound if last else -np.inf))
        return outcome

    def prices(self, rows: np.ndarray) -> np.ndarray:
        """Return the price of each limit in each year from those of the rows of the program."""
        return np.where(self._rows >= 0, np.maximum(rows[self._rows], 0.0), 0.0)

    def _part(self, node: Node) -> Part | None:
        """Return the part of the program that a node is; None if a shared project cannot be there in time."""
        states, program = self._states, self._program
        served = dict.fromkeys(self._served.values(), 0.0)
        live = np.split(node.live.state, node.live.at[1:-1])
        taken = np.array([states.takes[some].all(axis=0) for some in live])
        for j, p in enumerate(states.shared):
            if taken[:, j].any():
                column = program.served(int(p), int(taken[:, j].argmax()))
                if column is None:
                    return None
                served[column] = 1.0
        kinds = np.unique(self._options[:, 1])
        there = np.array([[((some & kind) == kind).any() for kind in kinds] for some in live], dtype=float)
        upper = there[self._options[:, 0], np.searchsorted(kinds, self._options[:, 1])]
        columns = np.r_[list(self._starts.values()), list(served), self._options[:, 2]].astype(np.int32)
        lower = np.r_[np.zeros(len(self._starts)), list(served.values()), np.zeros(len(upper))]
        own = np.ones(len(self._starts)) if node.starts is None else node.starts.astype(float)
        return Part(columns, lower, np.r_[own, np.ones(len(served)), upper])

    def _sharpened(self, node: Node, part: Part, goal: Goal) -> tuple[Linear | None, tuple[Cut, ...]]:
        """Return the solution of the linear program of a node after rounds of cuts, and the cuts; none if it has no solution."""
        own = self._lp.num_row_
        self._solver.deleteRows(self._solver.getNumRow() - own, np.arange(own, self._solver.getNumRow(), dtype=np.int32))
        part.narrow(self._solver)
        add(self._solver, node.cuts)
        found, new = self._solution(goal), list(node.cuts)
        for _ in range(ROUNDS):
            if found is None or found.value <= goal.least or not len(found.x):
                break
            more = cuts(self._limits, found.x, found.costs)
            if not more:
                break
            add(self._solver, more)
            new += more
            before, found = found.value, self._solution(goal)
            if found is None or before - found.value < GAIN * (before - goal.least):
                break
        return found, tuple(new)

    def _solution(self, goal: Goal) -> Linear | None:
        """Return the solution of the program as it is in the solver; None if it has none, an empty one if there is no time."""
        solver = self._solver
        solver.setOptionValue("time_limit", solver.getRunTime() + goal.left)
        solver.run()
        status = solver.getModelStatus()
        if status == highspy.HighsModelStatus.kInfeasible:
            return None
        if status != highspy.HighsModelStatus.kOptimal:
            return Linear(np.inf, np.zeros(0), np.zeros(0), np.zeros(0))
        solution, value = solver.getSolution(), solver.getInfo().objective_function_value
        return Linear(value, *(np.array(some) for some in (solution.col_value, solution.row_dual, solution.col_dual)))

    def _plans(self, found: Linear, last: list[Job], goal: Goal) -> Outcome:
        """Return plans near a solution, and jobs for afterwards."""
        plans = self._near.plans(self._program, found.x, self.prices(found.prices), goal.value)
        return Outcome(plans=[(starts, None) for starts in plans], jobs=last)

    def _settled(self, node: Node, part: Part, goal: Goal) -> Outcome:
        """Return a node as the mixed-integer program leaves it: without parts if that is through."""
        effort = Effort(goal.left, REST * goal.gap, 1, node.effort, goal.least)
        result = run(self._program, self._lp, effort, part=replace(part, cuts=node.cuts))
        plans = [] if result.values is None else [read(self._program, result.values)]
        if result.proved:
            return Outcome(plans=plans, rest=result.bound)
        return Outcome([replace(node, bound=min(node.bound, result.bound), effort=4 * node.effort)], plans)


def shared_starts(states: States, program: Program) -> dict[tuple[int, int], int]:
    """Return the columns of the starts of shared projects, by project and start."""
    shared = set(states.shared.tolist())
    return {start: column for start, column in program.start.items() if start[0] in shared}


def split_starts(states: States, starts: dict[tuple[int, int], int], node: Node, x: np.ndarray) -> list[Node]:
    """Return two parts of a node: a shared project not after a year, or only after it; none if no start is in parts.

    Of all shared projects that start in parts it is that of which the dearest part starts apart.
    """
    model, best, most = states.model, None, 0.0
    for p in states.shared:
        begun = np.cumsum([x[starts[p, s]] for s in model.starts(p)])
        apart = np.minimum(begun, begun[-1] - begun) if len(begun) else np.zeros(1)
        place = int(np.argmax(apart))
        if apart[place] > PART and apart[place] * model.spend[p, 0].sum() > most:
            best, most = (p, model.low[p] + place), apart[place] * model.spend[p, 0].sum()
    if best is None:
        return []
    early = np.array([p != best[0] or s <= best[1] for p, s in starts])
    late = np.array([p != best[0] or s > best[1] for p, s in starts])
    return [replace(node, starts=side if node.starts is None else node.starts & side) for side in (early, late)]
