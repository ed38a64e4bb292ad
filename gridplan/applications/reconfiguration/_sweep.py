"""Compiled kernels: backward-forward sweeps on one tree, exchange of branches, all spanning trees.

Everything is per unit. A topology is a boolean array over the branches: closed or not. The cost of a topology is its weighted
losses; one whose power flow does not converge, or that is no forest with every node on exactly one source, costs infinity; one
outside the limits costs `_OUTSIDE` and more, so that it never beats one inside them.
"""

from __future__ import annotations

from typing import NamedTuple

import numba
import numpy as np

_OUTSIDE = 1e9
_TOLERANCE = 1e-9
_LOWEST, _HIGHEST = 0.3, 3.0  # pu; a voltage outside is no solution
_ITERATIONS = 200
_SCREEN = 1.03  # of the estimated losses: a place in a loop above it is not solved
_SCREEN_OUTSIDE = 1.2  # the same where limits are not kept yet: to keep them may cost losses
_SLACKNESS = 1e-7  # pu of voltage or of loading that a limit may be exceeded by: rounding


class Arrays(NamedTuple):
    """A network for the kernels.

    Parameters
    ----------
    start, end
        Nodes of each branch, (branches,); the ratio of a transformer stands at `start`.
    z, ratio, inverse
        Series impedance, complex turns ratio and its inverse, (branches,).
    shunt_start, shunt_end
        Admittance that a closed branch adds at its nodes, (branches,).
    rating
        Highest current allowed by the limits, (branches,); infinite without a rating.
    first, incident
        Branches at each node: those of node n are ``incident[first[n]:first[n + 1]]``.
    source
        Voltage of each node that is a source, 0 elsewhere; complex, (nodes,).
    shunt
        Admittance at each node whatever is switched, (nodes,).
    power
        Consumption at nominal voltage, (states, nodes).
    current_share, impedance_share
        Shares of the consumption that follow the voltage and its square: real part for active, imaginary part for reactive
        power, (nodes,).
    weight
        Weight of each state in the cost, (states,).
    band
        Lowest and highest voltage allowed at nodes that carry one, (2,).
    """

    start: np.ndarray
    end: np.ndarray
    z: np.ndarray
    ratio: np.ndarray
    inverse: np.ndarray
    shunt_start: np.ndarray
    shunt_end: np.ndarray
    rating: np.ndarray
    first: np.ndarray
    incident: np.ndarray
    source: np.ndarray
    shunt: np.ndarray
    power: np.ndarray
    current_share: np.ndarray
    impedance_share: np.ndarray
    weight: np.ndarray
    band: np.ndarray


@numba.njit(cache=True, nogil=True)
def tree(a, closed, order, parent):
    """Walk from the sources; False if a loop, a path between two sources or a node without supply is found.

    `order` gets the nodes from the sources outwards, `parent` the branch that supplies each (-1 at sources).
    """
    nodes = len(a.source)
    seen = np.zeros(nodes, np.bool_)
    count = 0
    for node in range(nodes):
        if a.source[node] != 0:
            order[count] = node
            parent[node] = -1
            seen[node] = True
            count += 1
    at = 0
    while at < count:
        node = order[at]
        at += 1
        for k in range(a.first[node], a.first[node + 1]):
            branch = a.incident[k]
            if not closed[branch] or branch == parent[node]:
                continue
            other = a.end[branch] if a.start[branch] == node else a.start[branch]
            if seen[other]:
                return False
            seen[other] = True
            parent[other] = branch
            order[count] = other
            count += 1
    return count == nodes


@numba.njit(cache=True, nogil=True, inline="always")
def _square(z):
    """Square of the size of a complex number; its size itself would be found by a slow function that knows no overflow."""
    return z.real * z.real + z.imag * z.imag


@numba.njit(cache=True, nogil=True, inline="always")
def _drawn(a, node, state, v):
    """Return the current that the consumption at a node draws at voltage `v`."""
    s = a.power[state, node]
    if s == 0:
        return 0j
    i, z, square = a.current_share[node], a.impedance_share[node], _square(v)
    if i == 0 and z == 0:
        return np.conj(s) * v * (1.0 / square)
    m = np.sqrt(square)
    p = s.real * (1 - i.real - z.real + i.real * m + z.real * square)
    q = s.imag * (1 - i.imag - z.imag + i.imag * m + z.imag * square)
    return complex(p, -q) * v * (1.0 / square)


@numba.njit(cache=True, nogil=True)
def _shunts(a, closed):
    """Admittance at each node with the branches that are closed."""
    shunt = a.shunt.copy()
    for branch in range(len(closed)):
        if closed[branch]:
            shunt[a.start[branch]] += a.shunt_start[branch]
            shunt[a.end[branch]] += a.shunt_end[branch]
    return shunt


@numba.njit(cache=True, nogil=True)
def _flat(a, order, parent, v):
    """Voltages of the sources everywhere, but for the ratios on the way."""
    for node in order:
        branch = parent[node]
        if branch < 0:
            v[node] = a.source[node]
        elif a.start[branch] == node:
            v[node] = v[a.end[branch]] * a.ratio[branch]
        else:
            v[node] = v[a.start[branch]] * a.inverse[branch]


@numba.njit(cache=True, nogil=True)
def _gather(a, order, parent, drawn, current):
    """Add the currents up towards the sources; that of a branch flows through its impedance, on the side without the ratio."""
    for k in range(len(order) - 1, -1, -1):
        node = order[k]
        branch = parent[node]
        if branch < 0:
            continue
        if a.start[branch] == node:
            current[branch] = drawn[node] * np.conj(a.ratio[branch])
            drawn[a.end[branch]] += current[branch]
        else:
            current[branch] = drawn[node]
            drawn[a.start[branch]] += current[branch] * np.conj(a.inverse[branch])


@numba.njit(cache=True, nogil=True)
def _spread(a, order, parent, v, current):
    """Voltages from the sources outwards; the square of the largest change, infinite where a voltage is none."""
    change = 0.0
    for node in order:
        branch = parent[node]
        if branch < 0:
            continue
        if a.start[branch] == node:
            new = (v[a.end[branch]] - a.z[branch] * current[branch]) * a.ratio[branch]
        else:
            new = v[a.start[branch]] * a.inverse[branch] - a.z[branch] * current[branch]
        change = max(change, _square(new - v[node]))
        v[node] = new
        if not _LOWEST**2 < _square(new) < _HIGHEST**2:
            return np.inf
    return change


@numba.njit(cache=True, nogil=True)
def solve(a, state, walk, shunt, v, current):
    """Backward-forward sweep of one state on one tree; False if it does not converge. Fills `v` and branch currents."""
    order, parent = walk
    drawn = np.empty(len(order), np.complex128)
    _flat(a, order, parent, v)
    for _ in range(_ITERATIONS):
        for node in range(len(order)):
            drawn[node] = _drawn(a, node, state, v[node]) + shunt[node] * v[node]
        _gather(a, order, parent, drawn, current)
        change = _spread(a, order, parent, v, current)
        if change == np.inf:
            return False
        if change < _TOLERANCE**2:
            return True
    return False


@numba.njit(cache=True, nogil=True)
def losses(a, closed, v, current):
    """Active losses of the branches and their shunts [pu]."""
    total = 0.0
    for branch in range(len(closed)):
        if closed[branch]:
            total += a.z[branch].real * _square(current[branch])
            total += a.shunt_start[branch].real * _square(v[a.start[branch]])
            total += a.shunt_end[branch].real * _square(v[a.end[branch]])
    return total


@numba.njit(cache=True, nogil=True)
def excess(a, closed, v, current):
    """How far a state is outside the limits: voltages [pu] and currents [share of the limit], added up."""
    total = 0.0
    for node in range(len(v)):
        size = np.sqrt(_square(v[node]))
        if a.source[node] == 0:
            total += max(0.0, a.band[0] - size - _SLACKNESS) + max(0.0, size - a.band[1] - _SLACKNESS)
    for branch in range(len(closed)):
        if closed[branch]:
            total += max(0.0, np.sqrt(_square(current[branch])) / a.rating[branch] - 1.0 - _SLACKNESS)
    return total


@numba.njit(cache=True, nogil=True)
def cost(a, closed, order, parent, v, current, ceiling=np.inf):  # noqa: PLR0913, PLR0917
    """Weighted losses of a topology [pu]; infinite without a solution, above `_OUTSIDE` outside the limits.

    States after the one in which losses or limits pass `ceiling` are not solved.
    """
    if not tree(a, closed, order, parent):
        return np.inf
    total, outside, shunt = 0.0, 0.0, _shunts(a, closed)
    for state in range(len(a.weight)):
        if total > ceiling:
            return total
        if outside > 0.0 and _OUTSIDE * (1.0 + outside) > ceiling:
            return _OUTSIDE * (1.0 + outside)
        if not solve(a, state, (order, parent), shunt, v, current):
            return np.inf
        total += a.weight[state] * losses(a, closed, v, current)
        outside += excess(a, closed, v, current)
    return total if outside == 0.0 else _OUTSIDE * (1.0 + outside)


@numba.njit(cache=True, nogil=True)
def _loop(a, tie, parent, depth):
    """Branches that an open branch makes a loop of (or a path between two sources), from its one end to its other."""
    left = np.empty(len(parent), np.int64)
    right = np.empty(len(parent), np.int64)
    x, y, nl, nr = a.start[tie], a.end[tie], 0, 0
    while x != y and (parent[x] >= 0 or parent[y] >= 0):
        if parent[x] >= 0 and (depth[x] >= depth[y] or parent[y] < 0):
            left[nl] = parent[x]
            x = a.end[parent[x]] if a.start[parent[x]] == x else a.start[parent[x]]
            nl += 1
        else:
            right[nr] = parent[y]
            y = a.end[parent[y]] if a.start[parent[y]] == y else a.start[parent[y]]
            nr += 1
    return np.concatenate((left[:nl][::-1], np.array([tie]), right[:nr]))


@numba.njit(cache=True, nogil=True)
def depths(a, order, parent):
    """Branches between each node and its source."""
    depth = np.zeros(len(order), np.int64)
    for node in order:
        branch = parent[node]
        if branch >= 0:
            depth[node] = 1 + depth[a.end[branch] if a.start[branch] == node else a.start[branch]]
    return depth


@numba.njit(cache=True, nogil=True)
def _estimates(a, walk, loop, tie):
    """Weighted losses with each branch of a loop open instead of the tie [pu], by branch of the loop; for screening only.

    Without losses on the way and at the voltages of the sources, the flows along the loop differ by what the branch carries.
    """
    (order, parent), at = walk, np.flatnonzero(loop == tie)[0]
    values, flow = np.zeros(len(loop)), np.zeros(len(loop), np.complex128)
    resistance = a.z.real[loop].sum()
    for state in range(len(a.weight)):
        if a.weight[state] == 0.0:
            continue
        carried, total, along = a.power[state].copy(), 0.0, 0j
        for k in range(len(order) - 1, -1, -1):
            node = order[k]
            branch = parent[node]
            if branch >= 0:
                carried[a.end[branch] if a.start[branch] == node else a.start[branch]] += carried[node]
                total += a.z[branch].real * _square(carried[node])
        for k in range(len(loop)):
            if k != at:
                below = a.end[loop[k]] if parent[a.end[loop[k]]] == loop[k] else a.start[loop[k]]
                flow[k] = carried[below] if k < at else -carried[below]
                along += a.z[loop[k]].real * flow[k]
        for k in range(len(loop)):
            saved = 2.0 * (flow[k].real * along.real + flow[k].imag * along.imag)
            values[k] += a.weight[state] * (total + resistance * _square(flow[k]) - saved)
    return values


@numba.njit(cache=True, nogil=True)
def _walk(a, closed, switchable, tie, best, whole):
    """Move one opening along its loop to where the cost is lowest; the new cost. `closed` is changed.

    From the present place outwards on both sides as long as the cost falls, or over the whole loop.
    """
    nodes = len(a.source)
    order, parent = np.empty(nodes, np.int64), np.empty(nodes, np.int64)
    v, current = np.zeros(nodes, np.complex128), np.zeros(len(closed), np.complex128)
    tree(a, closed, order, parent)
    loop = _loop(a, tie, parent, depths(a, order, parent))
    here, chosen = np.flatnonzero(loop == tie)[0], tie
    estimates = _estimates(a, (order, parent), loop, tie) if whole else np.zeros(len(loop))
    limit = (_SCREEN if best < _OUTSIDE else _SCREEN_OUTSIDE) * estimates[here]
    closed[tie] = True
    for way in (-1, 1):
        at, reached = here + way, best
        while 0 <= at < len(loop):
            branch, promising = loop[at], estimates[at] <= limit
            at += way
            if not switchable[branch]:
                continue
            closed[branch] = False
            value = cost(a, closed, order, parent, v, current, best) if promising else np.inf
            closed[branch] = True
            if value < best - 1e-12:
                best, chosen = value, branch
            if value > reached and not whole:
                break
            reached = value
    closed[chosen] = False
    return best


@numba.njit(cache=True, nogil=True)
def exchange(a, closed, switchable, best):
    """Branch exchange until no single exchange lowers the cost; `closed` is changed, the cost returned.

    Neighbours first; only when they are exhausted the whole of every loop.
    """
    whole = False
    while True:
        before = best
        for tie in np.flatnonzero(~closed & switchable):
            if not closed[tie]:
                best = _walk(a, closed, switchable, tie, best, whole)
        if best >= before - 1e-12:
            if whole:
                return best
            whole = True
        else:
            whole = False


@numba.njit(cache=True, nogil=True)
def rough(a, closed, switchable):
    """Branch exchange on estimated losses over whole loops; `closed` is changed."""
    nodes = len(a.source)
    order, parent = np.empty(nodes, np.int64), np.empty(nodes, np.int64)
    moved = True
    while moved:
        moved = False
        for tie in np.flatnonzero(~closed & switchable):
            if not tree(a, closed, order, parent):
                return
            loop = _loop(a, tie, parent, depths(a, order, parent))
            estimates = np.where(switchable[loop], _estimates(a, (order, parent), loop, tie), np.inf)
            chosen = np.argmin(estimates)
            if estimates[chosen] < estimates[loop == tie][0] - 1e-12:
                closed[tie], closed[loop[chosen]] = True, False
                moved = True


@numba.njit(cache=True, nogil=True)
def shake(a, closed, switchable, swaps, seed):
    """Move some openings, drawn at random, to random places of their loops; `closed` is changed."""
    np.random.seed(seed)  # noqa: NPY002 - the generator that compiled code has
    nodes = len(a.source)
    order, parent = np.empty(nodes, np.int64), np.empty(nodes, np.int64)
    for _ in range(swaps):
        ties = np.flatnonzero(~closed & switchable)
        if len(ties) == 0 or not tree(a, closed, order, parent):
            return
        tie = ties[np.random.randint(len(ties))]  # noqa: NPY002
        loop = _loop(a, tie, parent, depths(a, order, parent))
        loop = loop[switchable[loop]]
        closed[tie] = True
        closed[loop[np.random.randint(len(loop))]] = False  # noqa: NPY002


@numba.njit(cache=True, nogil=True)
def _root(up, node):
    while up[node] != node:
        node = up[node]
    return node


@numba.njit(cache=True, nogil=True)
def _connects(a, state, seen, waiting):
    """Whether branches that are not ruled out (state < 2) still connect every node to a source."""
    seen[:] = False
    count = 0
    for node in range(len(a.source)):
        if a.source[node] != 0:
            seen[node] = True
            waiting[count] = node
            count += 1
    at = 0
    while at < count:
        node = waiting[at]
        at += 1
        for k in range(a.first[node], a.first[node + 1]):
            branch = a.incident[k]
            other = a.end[branch] if a.start[branch] == node else a.start[branch]
            if state[branch] < 2 and not seen[other]:
                seen[other] = True
                waiting[count] = other
                count += 1
    return count == len(a.source)


@numba.njit(cache=True, nogil=True)
def _fits(a, state, up):
    """Whether the branches taken (state 1) hold no loop and no path between sources."""
    nodes = len(a.source)
    root = -1
    for node in range(nodes):
        up[node] = node
        if a.source[node] != 0:
            root = node if root < 0 else root
            up[node] = root
    for branch in range(len(state)):
        if state[branch] == 1:
            x, y = _root(up, a.start[branch]), _root(up, a.end[branch])
            if x == y:
                return False
            up[y] = x
    return True


@numba.njit(cache=True, nogil=True)
def enumerate_trees(a, switchable, keep):
    """Cost of every topology that is radial, supplies every node and joins no sources.

    Returns the number of them, the `keep` lowest costs and their topologies. Branch by branch each is taken or left out, and a
    choice from which no such topology can follow is not pursued.
    """
    branches, nodes = len(switchable), len(a.source)
    state = np.where(switchable, 0, 1).astype(np.int64)
    free = np.flatnonzero(switchable)
    up, waiting = np.empty(nodes, np.int64), np.empty(nodes, np.int64)
    seen = np.empty(nodes, np.bool_)
    order, parent = np.empty(nodes, np.int64), np.empty(nodes, np.int64)
    v, current = np.zeros(nodes, np.complex128), np.zeros(branches, np.complex128)
    best, kept = np.full(keep, np.inf), np.zeros((keep, branches), np.bool_)
    count, level = 0, 0
    while level >= 0:
        if level == len(free):
            closed = state == 1
            count += 1
            value = cost(a, closed, order, parent, v, current)
            if value < best[-1]:
                at = np.searchsorted(best, value)
                best[at + 1 :] = best[at:-1].copy()
                kept[at + 1 :] = kept[at:-1].copy()
                best[at] = value
                kept[at] = closed
            level -= 1
            continue
        branch = free[level]
        state[branch] += 1  # 0 -> taken (1) -> left out (2) -> back
        if state[branch] == 3:
            state[branch] = 0
            level -= 1
        elif state[branch] == 1:
            level += _fits(a, state, up)
        else:
            level += _connects(a, state, seen, waiting)
    return count, best, kept
