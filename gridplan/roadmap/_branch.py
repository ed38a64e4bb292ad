"""Branch and bound over states: the search for large portfolios, in which areas share platforms.

A node is a set of live states for each year. Its bound comes from the linear program with states and from the best chain of
states at the prices of that program; a state through which no chain is better than the best plan so far is dead below. A node
is split by a kind that the linear program opens in part: open in that year, or not. Near its end cuts of the budgets sharpen the
program (:mod:`~gridplan.roadmap._cuts`); where nothing is open in part the starts of a shared project are split, and where these
are whole the mixed-integer program takes over; told that only plans above a value are of interest it mostly says soon that there
are none. A plan is sought in the chain of states that a node favours (:mod:`~gridplan.roadmap._node`); if it is better by more
than the gap asked for the search begins anew with the states that can still be part of a better one. While more states than the
linear program bears are live, a round looks only at those with the highest bounds: everything above its floor.

Two nodes are looked at side by side, always, and what comes of them is taken in order: on one core or on many, the search
takes the same steps.
"""

from __future__ import annotations

import heapq
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np

from gridplan.roadmap._near import Near, Plan
from gridplan.roadmap._node import Goal, Node, Outcome, Seat, placed, shared_starts
from gridplan.roadmap._objective import Weights
from gridplan.roadmap._order import pack
from gridplan.roadmap._solver import Cut, relaxed
from gridplan.roadmap._states import NEG, States, through
from gridplan.roadmap._strong import Strong, first_values, kept, strengthen, values

SEATS = 2  # nodes that are looked at side by side
STATES = 1500  # live states of a first round, which looks only at the most promising ones if there are more
STARTS = 4  # searches for a plan near the program without states
FIRST = 20000  # orders tried by each of them


@dataclass
class Tree:
    """What one search has found so far."""

    strong: Strong
    near: Near
    end: float
    floor: float  # bound below which nodes are left aside in this round
    cuts: list[Cut]
    seats: list[Seat]
    first: np.ndarray | None = None  # values of the states at the prices of the first node
    rest: float = -np.inf  # bound of nodes that are given up
    heap: list[tuple[float, int, Node]] = field(default_factory=list)
    count: int = 0
    done: int = 0

    @property
    def goal(self) -> Goal:
        """What the next nodes start from."""
        value, gap = self.near.value, self.strong.states.model.choices.gap_percent / 100
        return Goal(value, max(_least(value, gap), self.floor), gap, self.end)

    @property
    def waiting(self) -> float:
        """The highest bound of what has not been finished."""
        return max(self.rest, -self.heap[0][0] if self.heap else -np.inf)

    def push(self, nodes: list[Node]) -> None:
        """Keep nodes for later."""
        for node in nodes:
            self.count += 1
            heapq.heappush(self.heap, (-node.bound, self.count, node))

    def pop(self) -> list[Node]:
        """Return the nodes with the highest bounds, one for each seat."""
        found, least = [], self.goal.least
        while len(found) < len(self.seats) and self.heap:
            node = heapq.heappop(self.heap)[2]
            found += [node] if node.bound > least else []
        return found

    def take(self, outcomes: list[Outcome]) -> None:
        """Keep what came of nodes."""
        rows, before = self.strong.lp.num_row_ + len(self.cuts), 0
        for outcome in outcomes:
            for basis in {id(part.basis): part.basis for part in outcome.parts}.values():
                placed(basis, rows, before, len(outcome.cuts))
            before += len(outcome.cuts)
            self.near.take(outcome.sketch)
            self.first = outcome.table if self.first is None else self.first
            self.rest, self.done = max(self.rest, outcome.rest), self.done + outcome.solved
            self.push(outcome.parts)
        new = [cut for outcome in outcomes for cut in outcome.cuts]
        self.cuts += new
        for seat, outcome in zip(self.seats, [*outcomes, *[Outcome()] * len(self.seats)], strict=False):
            seat.learn(new, len(outcome.cuts))


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
    base, cuts = first_values(states, weight), []
    with ThreadPoolExecutor(SEATS) as pool:
        near, at_prices = _first(states, weight, base, value=value, end=end, pool=pool)
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
            strong = strengthen(states, weight, base, some)
            tree = Tree(strong, near, end, floor, cuts, [Seat(strong, near, cuts) for _ in range(SEATS)])
            tree.push([Node(top, some, np.ones(len(shared_starts(strong)), dtype=bool))])
            _explore(tree, pool)
            tables += [] if tree.first is None or floor > least else [tree.first]
            bound = max(min(bound, max(tree.waiting, tree.goal.least)), least)
            if tree.waiting == -np.inf and floor <= least:
                return near.plan, bound
            most *= 4 if near.value == before else 1


def _first(
    states: States, weight: Weights, base: np.ndarray, *, value: float, end: float, pool: ThreadPoolExecutor
) -> tuple[Near, np.ndarray]:
    """Return plans near the program without states, and values of the states at its prices."""
    plain = strengthen(states, weight, base, states.affordable, rows=False)
    near = Near(pack(states.model, weight), plain.program, plain.lp, states.shared, value)
    x, prices, _ = relaxed(plain.lp, seconds=end - time.monotonic())
    if not len(prices):
        return near, base
    left = max(end - time.monotonic(), 0.01)
    looks = [pool.submit(near.look, plain.program, x, FIRST, (value, left, seed)) for seed in range(STARTS)]
    for look in looks:
        near.take(look.result())
    return near, values(plain, prices, states.affordable)


def _level(alive: np.ndarray, tables: list[np.ndarray], most: int) -> float:
    """Return the bound that no more than so many live states reach; minus infinity if there are no more."""
    chain = np.sort(np.min([through(np.where(alive, table, NEG)) for table in tables], axis=0)[alive])
    return float(chain[-most]) if len(chain) > most else -np.inf


def _explore(tree: Tree, pool: ThreadPoolExecutor) -> None:
    """Look at nodes until none is left, the time is over, or the plan is so much better that it pays to begin anew."""
    begin = tree.goal
    while time.monotonic() < tree.end and tree.near.value <= _least(begin.value, begin.gap):
        nodes, goal = tree.pop(), tree.goal
        if not nodes:
            return
        jobs = [pool.submit(seat.look, node, goal) for seat, node in zip(tree.seats, nodes, strict=False)]
        tree.take([job.result() for job in jobs])
