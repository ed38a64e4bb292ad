"""The cheapest sequence of positions with a limited number of changes a day, by dynamic programming."""

from __future__ import annotations

from itertools import product

import numpy as np
from numba import njit


@njit(cache=True, error_model="numpy")
def _better(a_excess, a_cost, b_excess, b_cost):
    return a_excess < b_excess or (a_excess == b_excess and a_cost < b_cost)


@njit(cache=True, error_model="numpy")
def _used(moves, digits, most, weight):
    """Find the row of digits after a move; -1 if a device has more operations than allowed."""
    after = 0
    for d in range(moves.size):
        count = moves[d] + digits[d]
        if count > most:
            return -1
        after += count * weight[d]
    return after


@njit(cache=True, error_model="numpy")
def _after(moves, digits):
    """Row of digits after each move, (states, used, states); -1 where a device has more operations than allowed."""
    states, used, most = moves.shape[0], digits.shape[0], digits.max()
    weight = (most + 1) ** np.arange(moves.shape[2] - 1, -1, -1)
    after = np.empty((states, used, states), np.int64)
    for a in range(states):
        for u in range(used):
            for b in range(states):
                after[a, u, b] = _used(moves[a, b], digits[u], most, weight)
    return after


@njit(cache=True, error_model="numpy")
def _search(excess, cost, moves, digits, day, highest):
    """Best sequence of states; the value of a sequence is (sum of excess, sum or highest of cost), compared in this order.

    `moves` (states, states, devices) are the operations between two states, `digits` (used, devices) the operations already
    used that day. The first step is free.
    """
    steps, states, used = cost.shape[1], cost.shape[0], digits.shape[0]
    after, worst = _after(moves, digits), np.int64(2**62)
    e, c = np.full((states, used), worst), np.zeros((states, used))
    back = np.full((steps, states, used), -1, np.int32)
    for s in range(states):
        e[s, 0], c[s, 0] = excess[s, 0], cost[s, 0]
    e2, c2 = np.empty_like(e), np.empty_like(c)
    for t in range(1, steps):
        e2[:] = worst
        fresh = day[t] != day[t - 1]
        for a in range(states):
            least, lowest = worst, -np.inf
            for u in range(used):
                if not _better(e[a, u], c[a, u], least, lowest):  # not reached, or no better than with fewer operations
                    continue
                least, lowest = e[a, u], c[a, u]
                for b in range(states):
                    v = after[a, 0 if fresh else u, b]
                    if v < 0:
                        continue
                    ne = e[a, u] + excess[b, t]
                    nc = max(c[a, u], cost[b, t]) if highest else c[a, u] + cost[b, t]
                    if back[t, b, v] < 0 or _better(ne, nc, e2[b, v], c2[b, v]):
                        e2[b, v], c2[b, v] = ne, nc
                        back[t, b, v] = a * used + u
        e, e2, c, c2 = e2, e, c2, c
    return _traced(back, e, c, worst)


@njit(cache=True, error_model="numpy")
def _traced(back, e, c, worst):
    """States of the best sequence, from the last step back to the first."""
    used = e.shape[1]
    s, u = 0, -1
    for a in range(e.shape[0]):
        for b in range(used):
            if e[a, b] != worst and (u < 0 or _better(e[a, b], c[a, b], e[s, u], c[s, u])):
                s, u = a, b
    path = np.empty(len(back), np.int64)
    for t in range(len(back) - 1, -1, -1):
        path[t] = s
        before = back[t, s, u]
        s, u = before // used, before % used
    return path


def cheapest(
    excess: np.ndarray, cost: np.ndarray, positions: np.ndarray, day: np.ndarray, most: int | None, *, highest: bool = False
) -> np.ndarray:
    """State of each step with the least sum of excess and, among those, of cost.

    Parameters
    ----------
    excess
        Violation, whole numbers, (states, steps).
    cost
        Cost, (states, steps).
    positions
        Positions of each device in each state, (states, devices).
    day
        Number of the day of each step.
    most
        Most operations of each device and day; None: no limit.
    highest
        Compare the highest cost instead of the sum.

    Returns
    -------
    np.ndarray
        State of each step, (steps,).
    """
    if most is None:
        return freely(excess, cost)
    moves = np.abs(positions[:, None, :] - positions[None, :, :]).astype(np.int64)
    most = int(min(most, max(1, moves.max(initial=0) * np.bincount(day - day.min()).max())))
    digits = np.array(list(product(range(most + 1), repeat=positions.shape[1])), np.int64)
    return _search(excess, np.ascontiguousarray(cost), moves, digits, day, highest)


def size(states: int, devices: int, most: int | None) -> int:
    """Count the transitions of one step."""
    return states if most is None else states**2 * (most + 1) ** devices


def freely(excess: np.ndarray, cost: np.ndarray) -> np.ndarray:
    """Best state of each step by itself."""
    least = np.where(excess == excess.min(axis=0), cost, np.inf)
    return least.argmin(axis=0)
