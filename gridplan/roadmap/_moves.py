"""Compiled: improve the starts of a plan one or two at a time; limits may be broken on the way, at a price that rises.

Simulated annealing from the solution of a linear program, rounded: that keeps the order of projects but breaks a few limits by a
little, and a change of one or two starts mostly mends that.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from gridplan.roadmap._kernel import ready, worth

FAR = 0.3  # share of changes of one start that go to any start, or to none; the others go to one nearby
SWAP = 0.3  # share of changes that exchange the starts of two projects
NEARBY = 2  # years
PRICES = (2.0, 300.0)  # of what limits are broken by, first and last, as multiples of the prices given
EPS = 1e-7


@njit(cache=True, nogil=True)
def block_worth(b: int, starts: np.ndarray, space: tuple, goal: tuple) -> float:
    """Value of the options of a block: in each year that of the best one whose needs are met."""
    _, block_at, asks_at, asks, value = goal
    never = value.shape[1]
    best = np.full(never, -np.inf)
    for o in range(block_at[b], block_at[b + 1]):
        begin = 0
        for k in range(asks_at[o], asks_at[o + 1]):
            begin = max(begin, ready(asks[k], starts, space, never))
        for t in range(begin, never):
            best[t] = max(best[t], value[o, t])
    return best.sum()


@njit(cache=True, nogil=True)
def in_order(p: int, starts: np.ndarray, space: tuple, after: tuple) -> bool:
    """Whether a project keeps the order with those it waits for and those that wait for it, and excludes none that is there."""
    first, other, offset, rivals_at, rivals = space[4], space[5], space[6], space[7], space[8]
    after_at, later, lag = after
    s = starts[p]
    for k in range(after_at[p], after_at[p + 1]):
        if starts[later[k]] >= 0 and (s < 0 or starts[later[k]] < s + lag[k]):
            return False
    if s < 0:
        return True
    for k in range(first[p], first[p + 1]):
        if starts[other[k]] < 0 or s < starts[other[k]] + offset[k]:
            return False
    return (starts[rivals[rivals_at[p] : rivals_at[p + 1]]] < 0).all()


@njit(cache=True, nogil=True)
def shift(p: int, s: int, starts: np.ndarray, room: np.ndarray, use: np.ndarray) -> None:
    """Give a project another start, or none."""
    if starts[p] >= 0:
        room += use[:, p, starts[p], :]
    starts[p] = s
    if s >= 0:
        room -= use[:, p, s, :]


@njit(cache=True, nogil=True)
def excess(room: np.ndarray, price: np.ndarray) -> float:
    """Return what it costs that limits are broken."""
    found = 0.0
    for one in range(room.shape[0]):
        for t in range(room.shape[1]):
            if room[one, t] < -EPS:
                found -= room[one, t] * price[one, t]
    return found


@njit(cache=True, nogil=True)
def draw(starts: np.ndarray, choice: tuple, space: tuple, random: np.random.Generator, change: np.ndarray) -> int:
    """Draw one or two projects and other starts for them into the rows of `change`; return how many, 0 if nothing comes of it."""
    own, shared, fixed, rare = choice
    low, high = space[0], space[1]
    some = shared if len(own) == 0 or (len(shared) and random.random() < rare) else own
    p = some[random.integers(0, len(some))]
    change[0, 0], s = p, starts[p]
    if random.random() < SWAP:
        q = some[random.integers(0, len(some))]
        r = starts[q]
        change[1, 0], change[0, 1], change[1, 1] = q, r, s
        for one, other in ((p, r), (q, s)):
            if (other < 0 and fixed[one]) or (other >= 0 and not low[one] <= other <= high[one]):
                return 0
        return 0 if s == r else 2
    if s < 0 or random.random() < FAR:
        new = random.integers(low[p] - 1, high[p] + 1)
        new = -1 if new < low[p] else new
    else:
        step = random.integers(1, NEARBY + 1)
        new = min(max(s + (step if random.random() < 0.5 else -step), low[p]), high[p])
    change[0, 1] = new
    return 0 if new == s or (new < 0 and fixed[p]) else 1


@njit(cache=True, nogil=True)
def difference(change: np.ndarray, old: np.ndarray, starts: np.ndarray, values: tuple, space: tuple, goal: tuple) -> float:
    """Return what a change that has been made brings; the new values of the blocks that it touches are left in `fresh`."""
    block_at, blocks, held, fresh, seen = values
    gain, found, stamp = goal[0], 0.0, seen[-1] + 1
    seen[-1] = stamp
    for i in range(len(old)):
        p = change[i, 0]
        found += (gain[p, starts[p]] if starts[p] >= 0 else 0.0) - (gain[p, old[i]] if old[i] >= 0 else 0.0)
        for k in range(block_at[p], block_at[p + 1]):
            b = blocks[k]
            if seen[b] != stamp:
                seen[b] = stamp
                fresh[b] = block_worth(b, starts, space, goal)
                found += fresh[b] - held[b]
    return found


@njit(cache=True, nogil=True)
def anneal(begin: np.ndarray, effort: tuple, random: np.random.Generator, limits: tuple, space: tuple, goal: tuple) -> tuple:
    """Change starts, accepting worse plans less and less; return the best plan that breaks nothing, and its value.

    The effort is a number of tries, and the first and last heat. The limits are what there is of each, the prices of breaking
    them, projects of blocks and shared ones, which are mandatory, who waits for whom, and the blocks of each project.
    """
    tries, warm, cold = effort
    amount, price, choice, after, (block_at, blocks) = limits
    starts, room, use, count = begin.copy(), amount.copy(), space[3], len(goal[1]) - 1
    for p in range(len(starts)):
        if starts[p] >= 0:
            room -= use[:, p, starts[p], :]
    held, fresh, seen = np.empty(count), np.empty(count), np.zeros(count + 1, np.int64)
    for b in range(count):
        held[b] = block_worth(b, starts, space, goal)
    value, over = worth(starts, space, goal), excess(room, price)
    best, top = starts.copy(), value if over == 0.0 else -np.inf
    change, every = np.empty((2, 2), np.int64), np.empty(2, np.int64)
    for n in range(tries):
        size = draw(starts, choice, space, random, change)
        old = every[:size]
        for i in range(size):
            old[i] = starts[change[i, 0]]
            shift(change[i, 0], change[i, 1], starts, room, use)
        good = size > 0
        for i in range(size):
            good = good and in_order(change[i, 0], starts, space, after)
        if good:
            beyond, part = excess(room, price), n / tries
            gain = difference(change, old, starts, (block_at, blocks, held, fresh, seen), space, goal)
            sure = gain - PRICES[0] * (PRICES[1] / PRICES[0]) ** part * (beyond - over)
            good = sure >= 0.0 or random.random() < np.exp(sure / (warm * (cold / warm) ** part))
        if not good:
            for i in range(size - 1, -1, -1):
                shift(change[i, 0], old[i], starts, room, use)
            continue
        value, over = value + gain, beyond
        for i in range(size):
            for k in range(block_at[change[i, 0]], block_at[change[i, 0] + 1]):
                held[blocks[k]] = fresh[blocks[k]]
        if over == 0.0 and value > top + 1e-9 * abs(value):
            top, best = value, starts.copy()
    return best, top
