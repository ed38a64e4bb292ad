"""Compiled: put projects at their earliest years in a given order of needs, and improve that order by annealing."""

from __future__ import annotations

import numpy as np
from numba import njit

EPS = 1e-7


@njit(cache=True)
def fits(p: int, s: int, use: np.ndarray, room: np.ndarray) -> bool:
    """Whether a project started in s keeps every limit."""
    for one in range(room.shape[0]):
        for t in range(room.shape[1]):
            if use[one, p, s, t] > room[one, t] + EPS:
                return False
    return True


@njit(cache=True)
def put(p: int, starts: np.ndarray, room: np.ndarray, low: np.ndarray, high: np.ndarray, waits: tuple, use: np.ndarray) -> bool:
    """Start a project as early as it can, the ones it waits for being placed; false if it cannot."""
    first, other, offset, rivals_at, rivals = waits
    for k in range(rivals_at[p], rivals_at[p + 1]):
        if starts[rivals[k]] >= 0:
            return False
    s = low[p]
    for k in range(first[p], first[p + 1]):
        if starts[other[k]] < 0:
            return False
        s = max(s, starts[other[k]] + offset[k])
    while s <= high[p]:
        if fits(p, s, use, room):
            starts[p] = s
            room -= use[:, p, s, :]
            return True
        s += 1
    return False


@njit(cache=True)
def missing(p: int, starts: np.ndarray, chain_at: np.ndarray, chain: np.ndarray, price: np.ndarray) -> float:
    """Price of a project and all before it that are not placed."""
    total = 0.0
    for k in range(chain_at[p], chain_at[p + 1]):
        if starts[chain[k]] < 0:
            total += price[chain[k]]
    return total


@njit(cache=True)
def meet(
    u: int, starts: np.ndarray, room: np.ndarray, low: np.ndarray, high: np.ndarray, waits: tuple, use: np.ndarray, needs: tuple
) -> bool:
    """Place everything that a unit needs and all before it; undo it all and return false if something has no place."""
    unit_at, clause_at, way_at, ways, chain_at, chain, price = needs
    placed = np.empty(len(starts), np.int64)
    count = 0
    for c in range(unit_at[u], unit_at[u + 1]):
        best, cheapest = -1, np.inf
        for w in range(clause_at[c], clause_at[c + 1]):
            cost = 0.0
            for k in range(way_at[w], way_at[w + 1]):
                cost += missing(ways[k], starts, chain_at, chain, price)
            if cost < cheapest:
                best, cheapest = w, cost
        good = best >= 0
        if good:
            for k in range(way_at[best], way_at[best + 1]):
                for i in range(chain_at[ways[k]], chain_at[ways[k] + 1]):
                    p = chain[i]
                    if good and starts[p] < 0:
                        good = put(p, starts, room, low, high, waits, use)
                        if good:
                            placed[count] = p
                            count += 1
        if not good:
            for i in range(count):
                p = placed[i]
                room += use[:, p, starts[p], :]
                starts[p] = -1
            return False
    return True


@njit(cache=True)
def met_years(starts: np.ndarray, steps: np.ndarray, needs: tuple, never: int) -> np.ndarray:
    """Year from which each unit is met."""
    unit_at, clause_at, way_at, ways = needs[0], needs[1], needs[2], needs[3]
    found = np.zeros(len(unit_at) - 1, np.int64)
    for u in range(len(found)):
        for c in range(unit_at[u], unit_at[u + 1]):
            first = never
            for w in range(clause_at[c], clause_at[c + 1]):
                last = 0
                for k in range(way_at[w], way_at[w + 1]):
                    s = starts[ways[k]]
                    last = max(last, never if s < 0 else s + steps[ways[k]])
                first = min(first, last)
            found[u] = max(found[u], first)
    return found


@njit(cache=True)
def worth(starts: np.ndarray, steps: np.ndarray, needs: tuple, gain: np.ndarray, blocks: tuple) -> float:
    """Value of a plan: that of its starts, and in each block and year that of the best option."""
    block_at, asks_at, asks, value = blocks
    never = value.shape[1]
    met = met_years(starts, steps, needs, never)
    total = 0.0
    for p in range(len(starts)):
        if starts[p] >= 0:
            total += gain[p, starts[p]]
    best = np.empty(never)
    for b in range(len(block_at) - 1):
        best[:] = -np.inf
        for o in range(block_at[b], block_at[b + 1]):
            ready = 0
            for k in range(asks_at[o], asks_at[o + 1]):
                ready = max(ready, met[asks[k]])
            for t in range(ready, never):
                if value[o, t] > best[t]:
                    best[t] = value[o, t]
        total += best.sum()
    return total


@njit(cache=True)
def decode(
    order: np.ndarray, many: int, first: np.ndarray, amount: np.ndarray, times: tuple, waits: tuple, use: np.ndarray, needs: tuple
) -> np.ndarray:
    """Place the units `first`, then the first `many` of `order`, each with all it needs, as early as they fit."""
    low, high = times[0], times[1]
    starts = np.full(len(low), -1)
    room = amount.copy()
    for u in first:
        meet(u, starts, room, low, high, waits, use, needs)
    for i in range(many):
        meet(order[i], starts, room, low, high, waits, use, needs)
    return starts


@njit(cache=True)
def anneal(
    order: np.ndarray,
    many: int,
    tries: int,
    seed: int,
    first: np.ndarray,
    amount: np.ndarray,
    times: tuple,
    waits: tuple,
    use: np.ndarray,
    needs: tuple,
    gain: np.ndarray,
    blocks: tuple,
) -> tuple:
    """Improve an order by moving and swapping units, accepting worse ones less and less; return the best starts and value."""
    np.random.seed(seed)
    steps = times[2]
    now = order.copy()
    best = decode(now, many, first, amount, times, waits, use, needs)
    held = worth(best, steps, needs, gain, blocks)
    top, count = held, len(order)
    warm = 0.003 * abs(held) + 1e-9
    for n in range(tries):
        trial, length = now.copy(), many
        kind = np.random.random()
        if kind < 0.1 and count > 1:
            length = min(max(many + np.random.randint(-2, 3), 0), count)
        else:
            i = np.random.randint(0, count)
            j = np.random.randint(0, count) if kind < 0.4 else min(max(i + np.random.randint(-6, 7), 0), count - 1)
            if kind < 0.7:
                moved = trial[i]
                if i < j:
                    trial[i:j] = now[i + 1 : j + 1]
                else:
                    trial[j + 1 : i + 1] = now[j:i]
                trial[j] = moved
            else:
                trial[i], trial[j] = trial[j], trial[i]
        starts = decode(trial, length, first, amount, times, waits, use, needs)
        value = worth(starts, steps, needs, gain, blocks)
        heat = warm * (1.0 - n / tries) ** 2 + 1e-12
        if value >= held or np.random.random() < np.exp((value - held) / heat):
            now, many, held = trial, length, value
            if value > top:
                top, best = value, starts
    return best, top, now, many
