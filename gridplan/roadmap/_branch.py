"""Branch and bound over states: the search for large portfolios, in which areas share platforms.

A node is a set of live states for each year. Its bound is one by prices (:mod:`~gridplan.roadmap._rents`), which takes
milliseconds; a state through which no chain is better than the best plan so far is dead below. A node is split by a kind in a
year, open or not, until one chain of states is left. That goes to the linear program with cuts of the budgets, near whose
solution plans are sought (:mod:`~gridplan.roadmap._node`); where it is still better than the best plan, the starts of a shared
project are split, and where these are whole the mixed-integer program takes over: told that only plans above a value are of
interest it mostly says soon that there are none.

From time to time the search dives: it follows the better part of a node until one chain is left, since plans are found there.
Nodes are looked at side by side, always as many, and what comes of them is taken in order. Plans and mixed-integer programs are
worked on behind the search, and what comes of them is taken a fixed number of steps later: on one core or on many, fast or slow,
the search takes the same steps.
"""

from __future__ import annotations

import heapq
import time
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace

import numpy as np

from gridplan.roadmap._near import Near, Plan
from gridplan.roadmap._node import Goal, Node, Outcome, Seat
from gridplan.roadmap._objective import Weights
from gridplan.roadmap._order import pack
from gridplan.roadmap._program import Program, load, write
from gridplan.roadmap._rents import Dual, Live, Terms, best_split, descend, first_dual, linked, living, padded, terms, with_cuts
from gridplan.roadmap._solver import Cut, relaxed
from gridplan.roadmap._states import States

SEATS = 2  # linear programs that are looked at side by side
BATCH = 8  # nodes that are split side by side
FIRST = (300, 12, 0.3)  # bounds of the first node, see `descend`
LATER = (20, 6, 0.7)  # bounds of a part of a node
CHAIN = (200, 6, 0.5)  # bounds of a single chain of states
FIRST_PLANS = 16  # near the program as a whole
MOST_CUTS = 80  # in the bounds by prices, about
DIVE = 25  # batches from one dive to the next


@dataclass(frozen=True)
class Branch:
    """A part of the search that is split by states.

    Attributes
    ----------
    bound
        No plan of it is worth more.
    live
        Its live states.
    prices
        Prices that gave the bound.
    split, sides
        Year and kind by which it will be split; the bounds of both parts.
    """

    bound: float
    live: Live
    prices: np.ndarray
    split: tuple[int, int]
    sides: tuple[float, float]


@dataclass
class Tree:
    """What one search has found so far."""

    states: States
    program: Program
    given: Terms
    caps: np.ndarray
    near: Near
    seats: list[Seat]
    pool: ThreadPoolExecutor
    behind: ThreadPoolExecutor
    end: float
    rest: float = -np.inf  # bound of nodes that are given up
    branches: list[tuple[float, int, Branch]] = field(default_factory=list)
    leaves: list[tuple[float, int, Node]] = field(default_factory=list)
    dive: Branch | Node | None = None  # where a dive is, or has ended
    jobs: list[tuple[int, int, float, Future]] = field(default_factory=list)  # step when due, number, bound, what comes of it
    steps: int = 0
    batches: int = 0
    count: int = 0
    known: set[tuple[bytes, bytes]] = field(default_factory=set)  # cuts in the bounds by prices

    @property
    def goal(self) -> Goal:
        """What nodes are measured by."""
        value, gap = self.near.value, self.states.model.choices.gap_percent / 100
        return Goal(value, value + max(gap * abs(value), 1e-7 * max(abs(value), 1.0)), gap, self.end)

    @property
    def waiting(self) -> float:
        """The highest bound of what has not been finished."""
        dive = self.dive.bound if self.dive is not None else -np.inf
        jobs = max((job[2] for job in self.jobs), default=-np.inf)
        return max(self.rest, dive, jobs, *(-heap[0][0] for heap in (self.branches, self.leaves) if heap), -np.inf)

    def plant(self, dual: Dual) -> None:
        """Begin with the node of all states."""
        least = self.goal.least
        live = living(self.states.affordable)
        top, dual, through = descend(dual, live, self.given, least, FIRST)
        live, on = linked(live, through >= least, self.states.count)
        self.caps = dual.caps
        if top > least and on.any():
            self.push(_node(self.states, live, top, dual.prices, through[on]))

    def push(self, found: Branch | Node) -> None:
        """Keep a node for later."""
        self.count += 1
        heap = self.branches if isinstance(found, Branch) else self.leaves
        heapq.heappush(heap, (-found.bound, self.count, found))

    def pop(self, heap: list, many: int) -> list:
        """Return the nodes with the highest bounds; those that promise too little are dropped."""
        found, least = [], self.goal.least
        while len(found) < many and heap:
            node = heapq.heappop(heap)[2]
            found += [node] if node.bound > least else []
        return found

    def step(self) -> bool:
        """Look at a few nodes, or split a few, and take what has come of jobs; return whether there was anything to do."""
        self.steps += 1
        while self.jobs and self.jobs[0][0] <= self.steps:
            self._take(heapq.heappop(self.jobs)[-1].result())
        top = -self.branches[0][0] if self.branches else -np.inf
        if isinstance(self.dive, Node) or (self.leaves and self.dive is None and -self.leaves[0][0] >= top):
            self._look()
        elif not self._split():
            self.steps = self.jobs[0][0] if self.jobs else self.steps
            return bool(self.jobs)
        return True

    def _look(self) -> None:
        """Look at the end of a dive, or at the next nodes for linear programs; a dive goes on while such a node has two parts."""
        landed = self.dive is not None
        nodes, self.dive = [self.dive] if landed else self.pop(self.leaves, SEATS), None
        looks = [self.pool.submit(seat.look, node, self.goal) for seat, node in zip(self.seats, nodes, strict=False)]
        outcomes = [look.result() for look in looks]
        if landed and len(outcomes[0].parts) > 1:
            self.dive = outcomes[0].parts.pop()
        for outcome in outcomes:
            self._take(outcome)

    def _split(self) -> bool:
        """Split the next branches; return whether anything is left to look at without waiting for a job."""
        least, diving = self.goal.least, self.dive is not None or self.batches % DIVE == 0
        nodes = [] if self.dive is None else [self.dive]
        nodes, self.dive = [*nodes, *self.pop(self.branches, BATCH - len(nodes))], None
        if not nodes:
            return bool(self.leaves)
        self.batches += 1
        parts = list(self.pool.map(lambda node: split(self.states, node, (self.given, self.caps), least), nodes))
        if diving and parts[0]:
            parts[0].sort(key=lambda part: -part.bound)
            self.dive = parts[0].pop(0)
        for part in (part for some in parts for part in some):
            self.push(part)
        return True

    def _take(self, outcome: Outcome) -> None:
        """Keep what came of a node, and have those of its jobs done that the best plan so far leaves something to decide."""
        self.rest = max(self.rest, outcome.rest)
        for plan in outcome.plans:
            self.near.take(*plan)
        for part in outcome.parts:
            self.push(part)
        self._learn(outcome.cuts)
        goal = self.goal
        for job in outcome.jobs:
            if job.bound > goal.least or job.bound == -np.inf:
                self.count += 1
                heapq.heappush(self.jobs, (self.steps + job.steps, self.count, job.bound, self.behind.submit(job.work, goal)))

    def _learn(self, cuts: list[Cut]) -> None:
        """Let cuts that are new sharpen the bounds by prices from now on."""
        keys = [(cut.columns.tobytes(), cut.factors.round(6).tobytes()) for cut in cuts]
        new = {key: cut for key, cut in zip(keys, cuts, strict=True) if key not in self.known}
        if new and len(self.known) < MOST_CUTS:
            self.known |= new.keys()
            self.given = with_cuts(self.given, self.program, list(new.values()))


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
    end, given = time.monotonic() + seconds, terms(states, weight)
    program = write(states.model, whole_options=len(states.model.targets) > 0)
    lp, near = load(program, weight), Near(pack(states.model, weight), states.shared, value)
    x, prices, _ = relaxed(lp, seconds=seconds)
    dual, seats = first_dual(states, weight, program, prices), [Seat(states, program, lp, near) for _ in range(SEATS)]
    with ThreadPoolExecutor(SEATS) as pool, ThreadPoolExecutor(SEATS) as behind:
        tree = Tree(states, program, given, dual.caps, near, seats, pool, behind, end)
        if len(x):
            limits = seats[0].prices(prices)
            looks = range(FIRST_PLANS if time.monotonic() < end else 0)
            for starts in list(pool.map(lambda seed: near.by_order(program, x, limits, seed), looks)):
                near.take(starts)
        tree.plant(dual)
        try:
            while time.monotonic() < end and tree.step():
                pass
        finally:
            behind.shutdown(cancel_futures=True)
    return near.plan, max(tree.waiting, tree.goal.least)


def compiled(states: States, weight: Weights) -> None:
    """Have compiled what the search needs, which takes a while once on a machine."""
    given, packed = terms(states, weight), pack(states.model, weight)
    live = living(np.ones((states.model.horizon, states.count), dtype=bool))
    nothing = Dual(np.zeros(len(given.side)), np.zeros(given.gain.shape))
    _, _, through = descend(nothing, live, given, 0.0, (1, 1, 1.0))
    linked(live, through > 0.0, states.count)
    best_split(live, through, len(states.kinds), 0.0)
    Near(packed, states.shared, 0.0).idle()


def split(states: States, node: Branch, model: tuple[Terms, np.ndarray], least: float) -> list[Branch | Node]:
    """Return the parts of a node that promise more than `least`; the model is its terms and the caps of rents."""
    (year, kind), (given, caps), found = node.split, model, []
    state, at = node.live
    for side, top in zip((1, 0), node.sides, strict=True):
        keep = (state >> kind & 1) == side
        keep[: at[year]] = keep[at[year + 1] :] = True
        live, on = linked(node.live, keep, states.count)
        if top <= least or not on.any():
            continue
        bound, dual, through = descend(Dual(padded(node.prices, given), caps), live, given, least, LATER)
        live, on = linked(live, through >= least, states.count)
        if bound <= least or not on.any():
            continue
        part = _node(states, live, min(bound, top), dual.prices, through[on])
        if isinstance(part, Node):
            part = replace(part, bound=min(part.bound, descend(dual, live, given, least, CHAIN)[0]))
        found += [part] if part.bound > least else []
    return found


def _node(states: States, live: Live, bound: float, prices: np.ndarray, through: np.ndarray) -> Branch | Node:
    """Return a node by the way in which it is looked at: by the linear program if it is a single chain of states."""
    year, kind, *sides = best_split(live, through, len(states.kinds), bound)
    if year < 0:
        return Node(bound, live)
    return Branch(bound, live, prices, (year, kind), tuple(min(bound, side) for side in sides))
