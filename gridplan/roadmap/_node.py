"""Nodes of the search over states: the linear program of a node, sharpened by cuts, and the parts into which the node is split.

A node is looked at in a seat, which has a solver of its own: several seats work at the same time. Looking at a node changes
nothing but its seat, and depends on nothing but the node, the cuts of earlier rounds and the goal, so that the search takes the
same steps however many seats really run at once.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace

import highspy
import numpy as np

from gridplan.roadmap._cuts import Knapsack, cuts, knapsacks
from gridplan.roadmap._near import Near, Sketch
from gridplan.roadmap._program import read
from gridplan.roadmap._solver import Cut, Effort, Part, add, quiet, run
from gridplan.roadmap._states import NEG, States, best_chain, through
from gridplan.roadmap._strong import Strong, kept, values

NODES = 20  # of the mixed-integer program at first, four times as many each time a node comes back
REST = 0.5  # share of the gap asked for that the mixed-integer program may leave
ROUNDS = 60  # of cuts at a node
CLOSE = 0.015  # share by which a node may be above what it must promise to be cut: further up states are mixed, no cut mends that
GAIN = 0.05  # share of the way to a finished node that a round of cuts must bring
TIGHT = 1e-2  # gap to which a plan is sought in a chain of states
DEVEX = 1  # pricing of the dual simplex: a start from another basis costs it nothing
PART = 0.02  # a kind open by less, or by more than one less this, counts as shut or open


@dataclass(frozen=True)
class Node:
    """A part of the search.

    Attributes
    ----------
    bound
        No plan of it is worth more.
    alive
        Its live states, year x state.
    starts
        Which starts of shared projects are its own.
    basis
        Basis of the program that it comes from.
    effort
        Nodes that the mixed-integer program may take if it comes to that.
    """

    bound: float
    alive: np.ndarray
    starts: np.ndarray
    basis: highspy.HighsBasis | None = None
    effort: int = NODES


@dataclass(frozen=True)
class Goal:
    """What a round of nodes starts from: the best value, what a node must promise, the gap asked for, and the end of the time."""

    value: float
    least: float
    gap: float
    end: float

    @property
    def left(self) -> float:
        """Seconds left."""
        return max(self.end - time.monotonic(), 0.01)


@dataclass
class Outcome:
    """What came of a node: its parts, plans, cuts, and the bound of what was given up."""

    parts: list[Node] = field(default_factory=list)
    sketch: Sketch = field(default_factory=Sketch)
    cuts: list[Cut] = field(default_factory=list)
    table: np.ndarray | None = None  # values of the states at the prices of the linear program
    rest: float = -np.inf
    solved: bool = False


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
    strong
        The program.
    near
        Where plans are sought.
    cuts
        Cuts to begin with.
    """

    def __init__(self, strong: Strong, near: Near, cuts: list[Cut]) -> None:
        self._strong, self._near, self._cuts = strong, near, list(cuts)
        self._limits: list[Knapsack] = knapsacks(strong.program)
        self._solver = quiet(Effort())
        self._solver.passModel(strong.lp)
        self._solver.setOptionValue("solve_relaxation", True)
        add(self._solver, cuts)
        self._nodes = tuple(np.array(list(strong.columns), dtype=int).T)
        self._shared = shared_starts(strong)
        columns = [*strong.columns.values(), *self._shared.values()]
        self._columns = np.array(columns, dtype=np.int32)

    def learn(self, cuts: list[Cut], own: int) -> None:
        """Take the cuts of a round, among them its own, which are the last rows so far."""
        rows = self._solver.getNumRow()
        if own:
            self._solver.deleteRows(own, np.arange(rows - own, rows, dtype=np.int32))
        add(self._solver, cuts)
        self._cuts += cuts

    def look(self, node: Node, goal: Goal) -> Outcome:
        """Look at a node, and for a plan near it."""
        found, new = self._sharpened(node, goal)
        if found is None:
            return Outcome(cuts=new)
        if not len(found.x):
            return Outcome(cuts=new, rest=node.bound)  # no time left, or the solver gave up
        strong, basis = self._strong, self._solver.getBasis()
        tables = [strong.base, values(strong, found.prices, node.alive, [*self._cuts, *new])]
        best, alive = kept(node.alive, tables, goal.least)
        same = replace(node, bound=min(node.bound, found.value, best), alive=alive, basis=basis)
        outcome, level = Outcome(cuts=new, table=tables[1], solved=True), levels(strong, same, found.x)
        if same.bound > goal.value:
            self._favoured(same, best_chain(np.where(node.alive, level, NEG)), goal, outcome)
        if same.bound > goal.least:
            parts = split_states(strong.states, same, level, tables, goal.least) or split_starts(strong, same, found.x)
            parts = parts or self._settled(same, goal, outcome)
            outcome.parts = [part for part in parts if part.bound > goal.least]
        return outcome

    def _favoured(self, node: Node, chain: np.ndarray, goal: Goal, outcome: Outcome) -> None:
        """Seek a plan in the chain of states that a node favours, unless it has been sought there or is not likely."""
        if (key := chain.tobytes()) in self._near.seen:
            return
        alive = np.zeros_like(node.alive)
        alive[np.arange(len(chain)), chain] = True
        alone = replace(node, alive=alive)
        found, new = self._sharpened(alone, replace(goal, least=goal.value), close=np.inf)
        outcome.sketch.tried, outcome.cuts = key, [*outcome.cuts, *new]
        if found is None or not len(found.x) or not self._near.promises(found.value, goal.value):
            return
        effort, part = Effort(goal.left, TIGHT, nodes=1), self._part(alone, outcome.cuts)
        result = run(self._strong.program, self._strong.lp, effort, part=part)
        if result.values is not None:
            outcome.sketch.top = found.value
            outcome.sketch.plans.append(read(self._strong.program, result.values))

    def _part(self, node: Node, new: list[Cut]) -> Part:
        """Return the part of the program that a node is, with cuts that are new beside those of earlier rounds."""
        upper = np.r_[node.alive[self._nodes], node.starts].astype(float)
        return Part(self._columns, np.zeros(len(upper)), upper, [*self._cuts, *new])

    def _sharpened(self, node: Node, goal: Goal, *, close: float = CLOSE) -> tuple[Linear | None, list[Cut]]:
        """Return the solution of the linear program of a node after rounds of cuts, and the cuts; none if it is not close."""
        self._part(node, []).narrow(self._solver)
        if node.basis is not None:
            self._solver.setOptionValue("simplex_dual_edge_weight_strategy", DEVEX)
            _set(self._solver, node.basis)
        found, new = self._solution(goal), []
        top = goal.least + close * max(abs(goal.least), 1.0)
        for _ in range(ROUNDS):
            if found is None or not goal.least < found.value <= top or not len(found.x):
                break
            more = cuts(self._limits, found.x, found.costs)
            if not more:
                break
            add(self._solver, more)
            new += more
            before, found = found.value, self._solution(goal)
            if found is None or before - found.value < GAIN * (before - goal.least):
                break
        return found, new

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

    def _settled(self, node: Node, goal: Goal, outcome: Outcome) -> list[Node]:
        """Return a node as the mixed-integer program leaves it: none if that is through."""
        effort = Effort(goal.left, REST * goal.gap, 1, node.effort, goal.least)
        result = run(self._strong.program, self._strong.lp, effort, part=self._part(node, outcome.cuts))
        if result.values is not None:
            outcome.sketch.plans.append(read(self._strong.program, result.values))
        if result.proved:
            outcome.rest = result.bound
            return []
        return [replace(node, bound=min(node.bound, result.bound), effort=4 * node.effort)]


def shared_starts(strong: Strong) -> dict[tuple[int, int], int]:
    """Return the columns of the starts of shared projects, by project and start."""
    shared = set(strong.states.shared.tolist())
    return {start: column for start, column in strong.program.start.items() if start[0] in shared}


def placed(basis: highspy.HighsBasis, rows: int, before: int, own: int) -> highspy.HighsBasis:
    """Return a basis in which its last `own` rows, after `rows` of earlier rounds, come behind `before` others."""
    status = list(basis.row_status)
    basis.row_status = [*status[:rows], *[highspy.HighsBasisStatus.kBasic] * before, *status[rows : rows + own]]
    return basis


def _set(solver: highspy.Highs, basis: highspy.HighsBasis) -> None:
    """Start from a basis; rows that it does not know are loose."""
    status = list(basis.row_status)
    basis.row_status = [*status, *[highspy.HighsBasisStatus.kBasic] * (solver.getNumRow() - len(status))]
    solver.setBasis(basis)


def levels(strong: Strong, node: Node, x: np.ndarray) -> np.ndarray:
    """Return how far each state is there in a solution of the linear program, year x state."""
    found = np.zeros(node.alive.shape)
    for one, column in strong.columns.items():
        found[one] = x[column]
    return np.where(node.alive, found, 0.0)


def split_states(states: States, node: Node, level: np.ndarray, tables: list[np.ndarray], least: float) -> list[Node]:
    """Return two parts of a node: a kind open in a year, or not; none if no kind is open in part.

    Of all kinds that are open in part it is that for which the best chains of both parts lose most.
    """
    chain = np.min([through(np.where(node.alive, table, NEG)) for table in tables], axis=0)
    best, most, size = None, -1.0, max(abs(node.bound), 1e-9)
    for k in range(len(states.kinds)):
        has = states.has(1 << k)
        share = level[:, has].sum(axis=1)
        for t in np.flatnonzero((share > PART) & (share < 1 - PART)):
            losses = [(node.bound - chain[t, side & node.alive[t]].max(initial=NEG)) / size for side in (has, ~has)]
            score = np.prod(np.clip(losses, 0.0, 0.1) + 1e-3) + 1e-9 * min(share[t], 1 - share[t])
            if score > most:
                best, most = (t, has), score
    return [] if best is None else [_half(node, best[0], side, tables, least) for side in (best[1], ~best[1])]


def _half(node: Node, year: int, side: np.ndarray, tables: list[np.ndarray], least: float) -> Node:
    """Return the part of a node with some states in a year."""
    alive = node.alive.copy()
    alive[year] &= side
    top, alive = kept(alive, tables, least)
    return replace(node, bound=min(node.bound, top), alive=alive)


def split_starts(strong: Strong, node: Node, x: np.ndarray) -> list[Node]:
    """Return two parts of a node: a shared project not after a year, or only after it; none if no start is in parts.

    Of all shared projects that start in parts it is that of which the dearest part starts apart.
    """
    shared, model = shared_starts(strong), strong.states.model
    best, most = None, 0.0
    for p in strong.states.shared:
        begun = np.cumsum([x[shared[p, s]] for s in model.starts(p)])
        apart = np.minimum(begun, begun[-1] - begun) if len(begun) else np.zeros(1)
        place = int(np.argmax(apart))
        if apart[place] > PART and apart[place] * model.spend[p, 0].sum() > most:
            best, most = (p, model.low[p] + place), apart[place] * model.spend[p, 0].sum()
    if best is None:
        return []
    early = np.array([p != best[0] or s <= best[1] for p, s in shared])
    late = np.array([p != best[0] or s > best[1] for p, s in shared])
    return [replace(node, starts=node.starts & side) for side in (early, late)]
