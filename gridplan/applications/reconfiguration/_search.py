"""Find the topology of lowest losses: by enumeration, by branch and bound, and by branch exchange from several starts."""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from itertools import count

import numpy as np

from gridplan.applications.reconfiguration import _sweep
from gridplan.applications.reconfiguration._sweep import Arrays

#: Costs from here on are no losses: outside the limits, or no solution.
NO_SOLUTION = 1e8


@dataclass(frozen=True, eq=False)
class Found:
    """Outcome of a search.

    Parameters
    ----------
    closed
        The best topology, (branches,).
    cost
        Its weighted losses [pu].
    bound
        What the losses of no topology can be below [pu]; NaN if it cannot be proven.
    method
        ``enumeration``, ``branch and bound`` or ``branch exchange``.
    topologies
        How many there are, if they were enumerated, else -1.
    """

    closed: np.ndarray
    cost: float
    bound: float
    method: str
    topologies: int = -1


def tree_count(a: Arrays, switchable: np.ndarray) -> float:
    """Logarithm of the number of radial topologies, by the matrix-tree theorem; sources and fixed branches are one node each."""
    group, branches = _contracted(a, np.flatnonzero(~switchable)), np.flatnonzero(switchable)
    size = group.max() + 1
    laplacian = np.zeros((size, size))
    x, y = group[a.start[branches]], group[a.end[branches]]
    for i, j, sign in ((x, x, 1), (y, y, 1), (x, y, -1), (y, x, -1)):
        np.add.at(laplacian, (i, j), sign)
    root = group[np.flatnonzero(a.source)[0]]
    rest = np.delete(np.arange(size), root)
    return float(np.linalg.slogdet(laplacian[np.ix_(rest, rest)])[1]) if len(rest) else 0.0


def _contracted(a: Arrays, fixed: np.ndarray) -> np.ndarray:
    """Return the number of the group of each node when sources, and the ends of some branches, are joined."""
    up = np.arange(len(a.source))
    sources = np.flatnonzero(a.source)
    pairs = [(sources[0], s) for s in sources[1:]] + list(zip(a.start[fixed], a.end[fixed], strict=True))
    for x, y in pairs:
        up[_sweep._root(up, y)] = _sweep._root(up, x)
    return np.unique([_sweep._root(up, n) for n in range(len(up))], return_inverse=True)[1]


def first_tree(a: Arrays, switchable: np.ndarray, order: np.ndarray) -> np.ndarray:
    """Topology that closes branches in some order wherever that makes no loop; fixed branches first."""
    up = np.empty(len(a.source), np.int64)
    state = np.where(switchable, 0, 1)
    _sweep._fits(a, state, up)
    closed = ~switchable
    for branch in order:
        x, y = _sweep._root(up, a.start[branch]), _sweep._root(up, a.end[branch])
        if switchable[branch] and x != y:
            up[y] = x
            closed[branch] = True
    return closed


def flows(a: Arrays, closed: np.ndarray) -> np.ndarray:
    """Power that each branch carries if it divides by resistances alone, without losses, [pu] (states, branches)."""
    return _resistive(a, np.where(closed)[0])[0]


def _resistive(a: Arrays, kept: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Lossless flows of least loss over some branches, and resistance seen at their ends as a share of their own."""
    inner = np.flatnonzero(a.source == 0)
    place = np.full(len(a.source), -1)
    place[inner] = np.arange(len(inner))
    g = 1 / np.maximum(a.z.real[kept], 1e-9)
    incidence = np.zeros((len(kept), len(inner) + 1))
    incidence[np.arange(len(kept)), place[a.start[kept]]] += 1
    incidence[np.arange(len(kept)), place[a.end[kept]]] -= 1
    incidence = incidence[:, :-1]  # the last column gathered the sources
    inverse = np.linalg.inv(incidence.T @ (g[:, None] * incidence))
    through = g[:, None] * (incidence @ inverse)
    flow = np.zeros((len(a.power), len(a.start)), complex)
    flow[:, kept] = -(through @ a.power[:, inner].T).T
    seen = np.zeros(len(a.start))
    seen[kept] = np.einsum("ij,ij->i", through, incidence)
    return flow, seen


def by_opening(a: Arrays, switchable: np.ndarray) -> np.ndarray:
    """Topology found by closing everything and opening the branch whose opening costs least, one after the other.

    References
    ----------
    D. Shirmohammadi, H. W. Hong, Reconfiguration of electric distribution networks for resistive line losses reduction, IEEE
    Transactions on Power Delivery 4 (1989) 1492-1498.
    """
    closed = np.ones(len(a.start), bool)
    loops = len(closed) - int((a.source == 0).sum())
    for _ in range(loops):
        flow, seen = _resistive(a, np.flatnonzero(closed))
        free = closed & switchable & (seen < 1 - 1e-9)
        extra = a.z.real * (a.weight @ np.abs(flow) ** 2) / np.maximum(1 - seen, 1e-12)
        closed[np.argmin(np.where(free, extra, np.inf))] = False
    return closed


def search(a: Arrays, switchable: np.ndarray, present: np.ndarray, rounds: int) -> tuple[np.ndarray, float]:
    """Branch exchange from the present topology and from that of :func:`by_opening`, then from shaken copies of the best.

    It ends when `rounds` shakes in a row have found nothing better. Deterministic.
    """
    now = np.where(present, 0, 1)
    starts = [first_tree(a, switchable, np.argsort(now, kind="stable")), by_opening(a, switchable)]
    best, value = starts[0], np.inf
    for start in starts:
        closed = start.copy()
        reached = _sweep.exchange(a, closed, switchable, _cost(a, closed))
        if reached < value:
            best, value = closed, reached
    idle, seed, tried = 0, 0, set()
    loops = int((~best & switchable).sum())
    while idle < rounds and loops:
        closed, seed = best.copy(), seed + 1
        _sweep.shake(a, closed, switchable, 2 + seed % max(1, min(5, loops - 1)), seed)
        _sweep.rough(a, closed, switchable)
        known = closed.tobytes() in tried
        tried.add(closed.tobytes())
        reached = np.inf if known else _sweep.exchange(a, closed, switchable, _cost(a, closed))
        better = reached < value - 1e-12
        idle = 0 if better else idle + 1
        if better:
            best, value = closed, reached
    return best, value


def _cost(a: Arrays, closed: np.ndarray) -> float:
    nodes = len(a.source)
    order, parent = np.empty(nodes, np.int64), np.empty(nodes, np.int64)
    return _sweep.cost(a, closed, order, parent, np.zeros(nodes, complex), np.zeros(len(closed), complex))


def provable(a: Arrays) -> bool:
    """Whether the resistive flow bounds the losses from below: consumption everywhere, nothing capacitive, ratios of one.

    Then the power into each branch of a tree is at least the consumption behind it, and voltages do not rise along a path.
    """
    still = not (a.current_share.any() or a.impedance_share.any() or a.shunt.any() or a.shunt_start.any() or a.shunt_end.any())
    passive = (a.power.real >= 0).all() and (a.power.imag >= 0).all() and (a.z.real >= 0).all() and (a.z.imag >= 0).all()
    return bool(still and passive and (a.ratio == 1).all())


def branch_and_bound(
    a: Arrays, switchable: np.ndarray, best: np.ndarray, *, value: float, nodes: int
) -> tuple[np.ndarray, float, float]:
    """Prove the best topology, or find a better one, by ruling branches out loop by loop; also return the lower bound.

    The bound of a set of branches is the loss of the resistive flow over them at the highest source voltage: it is the least
    over all ways of dividing the lossless flows, of which those of every tree are one, and losses and voltage drop only add
    (see :func:`provable`). A set is split by the branches of one of its loops: the first of them that is left out.
    """
    ceiling = np.abs(a.source).max() ** 2
    ticket, best, loops = count(), best.copy(), len(a.start) - int((a.source == 0).sum())
    heap = [(0.0, next(ticket), np.zeros(len(a.start), bool), ~switchable)]
    for _ in range(nodes):
        if not heap or heap[0][0] >= value:
            return best, value, value
        _, _, out, taken = heapq.heappop(heap)
        if out.sum() == loops:
            reached = _cost(a, ~out)
            if reached < value:
                best, value = ~out, reached
            continue
        flow, seen = _resistive(a, np.flatnonzero(~out))
        here = a.weight @ (np.abs(flow) ** 2 @ a.z.real) / ceiling
        extra = a.z.real * (a.weight @ np.abs(flow) ** 2) / np.maximum(1 - seen, 1e-12) / ceiling
        loop = _short_loop(a, ~out, taken)
        fixed = taken.copy()
        for branch in loop[np.argsort(extra[loop])]:
            if fixed[branch] or seen[branch] > 1 - 1e-9:
                continue
            if here + extra[branch] < value:
                child = out.copy()
                child[branch] = True
                heapq.heappush(heap, (here + extra[branch], next(ticket), child, fixed.copy()))
            fixed[branch] = True
    return best, value, min(value, heap[0][0]) if heap else value


def _short_loop(a: Arrays, kept: np.ndarray, taken: np.ndarray) -> np.ndarray:
    """Loop with the fewest branches still to be decided, among those of one tree of the branches kept."""
    order = np.argsort(np.where(taken, 0, np.where(kept, 1, 2)), kind="stable")
    tree = first_tree(a, np.ones(len(kept), bool), order[: int(kept.sum())])
    nodes = len(a.source)
    walk, parent = np.empty(nodes, np.int64), np.empty(nodes, np.int64)
    _sweep.tree(a, tree, walk, parent)
    depth = _sweep.depths(a, walk, parent)
    loops = [_sweep._loop(a, tie, parent, depth) for tie in np.flatnonzero(kept & ~tree)]
    return min(loops, key=lambda loop: int((~taken[loop]).sum()))


def optimise(a: Arrays, switchable: np.ndarray, present: np.ndarray, *, rounds: int, trees: float, nodes: int) -> Found:
    """Enumerate if there are at most `trees` topologies; else exchange branches, and bound with at most `nodes` sets."""
    if tree_count(a, switchable) <= np.log(trees) + 1e-9:
        number, costs, kept = _sweep.enumerate_trees(a, switchable, 1)
        return Found(kept[0], float(costs[0]), float(costs[0]), "enumeration", int(number))
    best, value = search(a, switchable, present, rounds)
    if not provable(a):
        return Found(best, value, np.nan, "branch exchange")
    best, value, bound = branch_and_bound(a, switchable, best, value=value, nodes=nodes)
    return Found(best, value, bound, "branch and bound" if bound >= value else "branch exchange")
