"""Branch and bound over states: the search for large portfolios, in which areas share platforms.

A node is a set of live states for each year. Its bound comes from the linear program with states and from the best chain of
states at the prices of that program; a state through which no chain is better than the best plan so far is dead below. A node
is split by a kind that the linear program opens in part: open in that year, or not. Where few states are left, or nothing is open
in part, the mixed-integer program takes over; told that only plans above a value are of interest it mostly says soon that there
are none. A plan is sought near the linear programs of nodes (:mod:`~gridplan.roadmap._near`); if it is better by more than the
gap asked for the search begins anew with the states that can still be part of a better one. While more states than the linear
program bears are live, a round looks only at those with the highest bounds: everything above its floor.
"""

from __future__ import annotations

import heapq
import time
from dataclasses import dataclass, field

import highspy
import numpy as np

from gridplan.roadmap._cuts import Knapsack, knapsacks
from gridplan.roadmap._cuts import cuts as budget_cuts
from gridplan.roadmap._near import Near, Plan
from gridplan.roadmap._objective import Weights
from gridplan.roadmap._order import pack
from gridplan.roadmap._program import read
from gridplan.roadmap._solver import Cut, Effort, Part, cut, quiet, relaxed, run
from gridplan.roadmap._states import NEG, States, through
from gridplan.roadmap._strong import Strong, first_values, kept, strengthen, values

STATES = 1500  # live states of a first round, which looks only at the most promising ones if there are more
SMALL = 30  # live states from which down a node is tried by the mixed-integer program
NODES = 20  # of that program at first, four times as many each time it comes back
DIVE = 10  # nodes after which the search goes straight down once more
REST = 0.5  # share of the gap asked for that the mixed-integer program may leave
STARTS = 3  # searches for a plan near the program without states
FIRST = 20000  # orders tried by each of them
LOOKS = 20  # nodes of a round near each of which a plan is sought; then near one of DIVE
TRIES = 3000  # orders tried at each node
ROUNDS = 60  # of cuts at a node
FEW = 60  # live states from which down a node is cut
GAIN = 0.01  # share of the way to a finished node that a round of cuts must bring
DEVEX = 1  # pricing of the dual simplex: a start from another basis costs it nothing
PART = 0.02  # a kind open by less, or by more than one less this, counts as shut or open

Node = tuple[float, np.ndarray, highspy.HighsBasis | None]  # bound, live states, basis of the program it comes from


@dataclass(frozen=True)
class Linear:
    """A solution of a linear program: its value, the columns, prices of the rows and reduced costs of the columns."""

    value: float
    x: np.ndarray
    prices: np.ndarray
    costs: np.ndarray


@dataclass
class Tree:
    """What one search has found so far."""

    strong: Strong
    solver: highspy.Highs
    near: Near
    end: float
    floor: float  # bound below which nodes are left aside in this round
    limits: list[Knapsack]
    cuts: list[Cut]
    first: np.ndarray | None = None  # values of the states at the prices of the first node
    rest: float = -np.inf  # bound of nodes that are given up
    effort: dict[bytes, int] = field(default_factory=dict)  # nodes of the mixed-integer program of each small node so far
    heap: list[tuple[float, int, Node]] = field(default_factory=list)
    count: int = 0
    done: int = 0

    @property
    def value(self) -> float:
        """Value of the best plan so far."""
        return self.near.value

    @property
    def gap(self) -> float:
        """Gap asked for, as a share."""
        return self.strong.states.model.choices.gap_percent / 100

    @property
    def least(self) -> float:
        """Value above which a node must promise to be looked at."""
        return max(_least(self.value, self.gap), self.floor)

    @property
    def left(self) -> float:
        """Seconds left."""
        return self.end - time.monotonic()

    def push(self, nodes: list[Node]) -> None:
        """Keep nodes for later."""
        for node in nodes:
            self.count += 1
            heapq.heappush(self.heap, (-node[0], self.count, node))


def _least(value: float, gap: float) -> float:
    return value + max(gap * abs(value), 1e-7 * max(abs(value), 1.0))


def search(states: States, weight: Weights, value: float, *, seconds: float) -> tuple[Plan | None, float]:
    """Return a plan better than a value, None if none was found, and a bound on all plans.

    Parameters
    ----------
    states
        States of the model.
    weight
        Objective.
    value
        Value of the best plan known.
    seconds
        Time limit [s].
    """
    end, gap = time.monotonic() + seconds, states.model.choices.gap_percent / 100
    base = first_values(states, weight)
    cuts: list[Cut] = []
    near, at_prices = _first(states, weight, base, value=value, end=end)
    tables, alive = [base, at_prices], states.affordable
    bound, most = np.inf, STATES
    while True:
        least, before = _least(near.value, gap), near.value
        top, alive = kept(alive, tables, least)
        bound = max(min(bound, top), least)
        if bound <= least or end <= time.monotonic():
            return near.plan, bound
        floor = max(least, _level(alive, tables, most))
        top, some = kept(alive, tables, floor)
        tree = _tree(strengthen(states, weight, base, some), near, cuts, end=end, floor=floor)
        tree.push([(top, some, None)])
        _explore(tree)
        tables += [] if tree.first is None or floor > least else [tree.first]
        waiting = max((-one for one, _, _ in tree.heap), default=-np.inf)
        bound = max(min(bound, max(waiting, tree.rest, tree.least)), least)
        if not tree.heap and floor <= least:
            return near.plan, bound
        most *= 4 if near.value == before else 1


def _first(states: States, weight: Weights, base: np.ndarray, *, value: float, end: float) -> tuple[Near, np.ndarray]:
    """Return plans near the program without states, and values of the states at its prices."""
    plain = strengthen(states, weight, base, states.affordable, rows=False)
    near = Near(pack(states.model, weight), plain.program, plain.lp, states.shared, value)
    x, prices, _ = relaxed(plain.lp, seconds=end - time.monotonic())
    if not len(prices):
        return near, base
    for seed in range(STARTS):
        near.look(plain.program, x, FIRST, seconds=max(end - time.monotonic(), 0.01), seed=seed)
    return near, values(plain, prices, states.affordable)


def _level(alive: np.ndarray, tables: list[np.ndarray], most: int) -> float:
    """Return the bound that no more than so many live states reach; minus infinity if there are no more."""
    chain = np.sort(np.min([through(np.where(alive, table, NEG)) for table in tables], axis=0)[alive])
    return float(chain[-most]) if len(chain) > most else -np.inf


def _tree(strong: Strong, near: Near, cuts: list[Cut], *, end: float, floor: float) -> Tree:
    """Return a tree with the solver of its linear programs."""
    solver, whole = quiet(Effort()), strong.lp.integrality_
    strong.lp.integrality_ = []
    solver.passModel(strong.lp)
    strong.lp.integrality_ = whole
    solver.setOptionValue("simplex_dual_edge_weight_strategy", DEVEX)
    cut(solver, cuts)
    return Tree(strong, solver, near, end, floor, knapsacks(strong.program), cuts)


def _explore(tree: Tree) -> None:
    """Look at nodes until none is left, the time is over, or the plan is so much better that it pays to begin anew."""
    down, below, least = True, None, _least(tree.value, tree.gap)
    while tree.left > 0 and tree.value <= least and (below or tree.heap):
        if below is None:
            below = heapq.heappop(tree.heap)[2]
        parts = _node(tree, *below) if below[0] > tree.least else []
        parts.sort(key=lambda part: part[0])
        down = bool(parts) and (down or tree.near.plan is None or tree.done % DIVE == 0)
        below = parts.pop() if down else None
        tree.push(parts)
    if below is not None:
        tree.push([below])


def _node(tree: Tree, bound: float, alive: np.ndarray, basis: highspy.HighsBasis | None) -> list[Node]:
    """Return the parts of a node with their bounds; none if it is finished."""
    found = _sharpened(tree, alive, _linear(tree, alive, basis))
    if found is None:
        return []
    if not len(found.x):
        tree.rest = max(tree.rest, bound)  # no time left, or the solver gave up
        return []
    tree.done += 1
    if tree.done <= LOOKS or tree.done % DIVE == 0:
        tree.near.look(tree.strong.program, found.x, TRIES, seconds=max(tree.left, 0.01), seed=tree.done)
    tables = [tree.strong.base, values(tree.strong, found.prices, alive, tree.cuts)]
    tree.first = tables[1] if tree.first is None else tree.first
    best, alive = kept(alive, tables, tree.least)
    return _parts(tree, found.x, tables, alive, min(bound, found.value, best))


def _sharpened(tree: Tree, alive: np.ndarray, found: Linear | None) -> Linear | None:
    """Return the solution of the linear program of a node after rounds of cuts; states are too much mixed where many are left."""
    for _ in range(ROUNDS if alive.sum() <= FEW else 0):
        if found is None or found.value <= tree.least:
            break
        new = budget_cuts(tree.limits, found.x, found.costs)
        if not new:
            break
        cut(tree.solver, new)
        tree.cuts += new
        before, found = found.value, _solved(tree)
        if found is None or before - found.value < GAIN * (before - tree.least):
            break
    return found


def _parts(tree: Tree, x: np.ndarray, tables: list[np.ndarray], alive: np.ndarray, bound: float) -> list[Node]:
    """Return both halves of a node that can still be part of a better plan; itself if it cannot be split."""
    split = _split(tree, x, tables, alive, bound) if bound > tree.least else None
    if bound > tree.least and (split is None or alive.sum() <= SMALL):
        bound = min(bound, _small(tree, alive))
    basis = tree.solver.getBasis()
    parts = [(bound, alive, basis)]
    if bound > tree.least and split is not None:
        year, has = split
        parts = []
        for side in (has, ~has):
            half = alive.copy()
            half[year] &= side
            top, some = kept(half, tables, tree.least)
            parts.append((min(top, bound), some, basis))
    return [part for part in parts if part[0] > tree.least]


def _linear(tree: Tree, alive: np.ndarray, basis: highspy.HighsBasis | None) -> Linear | None:
    """Return the solution of the linear program of a node, from a basis; None if it has none."""
    _part(tree, alive).narrow(tree.solver)
    if basis is not None:
        rows = tree.solver.getNumRow() - len(basis.row_status)
        if rows:
            basis.row_status = [*basis.row_status, *[highspy.HighsBasisStatus.kBasic] * rows]
        tree.solver.setBasis(basis)
    return _solved(tree)


def _solved(tree: Tree) -> Linear | None:
    """Return the solution of the linear program as it is in the solver; None if it has none, an empty one if there is no time."""
    solver = tree.solver
    solver.setOptionValue("time_limit", solver.getRunTime() + max(tree.left, 0.01))
    solver.run()
    status = solver.getModelStatus()
    if status == highspy.HighsModelStatus.kInfeasible:
        return None
    if status != highspy.HighsModelStatus.kOptimal:
        return Linear(np.inf, np.zeros(0), np.zeros(0), np.zeros(0))
    solution, value = solver.getSolution(), solver.getInfo().objective_function_value
    return Linear(value, *(np.array(some) for some in (solution.col_value, solution.row_dual, solution.col_dual)))


def _part(tree: Tree, alive: np.ndarray) -> Part:
    """Return the part of the program that a node is."""
    nodes = tree.strong.columns
    columns, upper = np.array(list(nodes.values()), dtype=np.int32), np.array([alive[node] for node in nodes], dtype=float)
    return Part(columns, upper, tree.cuts)


def _split(tree: Tree, x: np.ndarray, tables: list[np.ndarray], alive: np.ndarray, bound: float) -> tuple[int, np.ndarray] | None:
    """Return a year and the states that have the kind by which a node is split; None if no kind is open in part.

    Of all kinds that are open in part it is that for which the best chains of both halves lose most.
    """
    states, level = tree.strong.states, np.zeros(alive.shape)
    for node, column in tree.strong.columns.items():
        level[node] = x[column] if alive[node] else 0.0
    chain = np.min([through(np.where(alive, table, NEG)) for table in tables], axis=0)
    best, most, size = None, -1.0, max(abs(bound), 1e-9)
    for k in range(len(states.kinds)):
        has = states.has(1 << k)
        share = level[:, has].sum(axis=1)
        for t in np.flatnonzero((share > PART) & (share < 1 - PART)):
            losses = [(bound - chain[t, side & alive[t]].max(initial=NEG)) / size for side in (has, ~has)]
            score = np.prod(np.clip(losses, 0.0, 0.1) + 1e-3) + 1e-9 * min(share[t], 1 - share[t])
            if score > most:
                best, most = (t, has), score
    if best is None:
        return None
    return best


def _small(tree: Tree, alive: np.ndarray) -> float:
    """Return a bound from the mixed-integer program with the states that are left; a few nodes of it at first, more each time."""
    strong, key = tree.strong, alive.tobytes()
    nodes = tree.effort[key] = 4 * tree.effort.get(key, NODES // 4)
    effort = Effort(max(tree.left, 0.01), REST * tree.gap, strong.states.model.choices.threads, nodes, tree.least)
    result = run(strong.program, strong.lp, effort, part=_part(tree, alive))
    if result.values is not None:
        tree.near.keep(*read(strong.program, result.values))
    if result.proved:
        tree.rest = max(tree.rest, result.bound)
    return -np.inf if result.proved else result.bound
