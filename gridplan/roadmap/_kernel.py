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
def put(p: int, starts: np.ndarray, room: np.ndarray, space: tuple) -> bool:
    """Start a project as early as it can, the ones it waits for being placed; false if it cannot."""
    low, high, _, use, first, other, offset, rivals_at, rivals, _, _, _, _, _, _, _ = space
    for k in range(rivals_at[p], rivals_at[p + 1]):
        if starts[rivals[k]] >= 0:
            return False
    s = low[p]
    for k in range(first[p], first[p + 1]):
        if starts[other[k]] < 0:
            return False
        s = max(s, starts[other[k]] + offset[k])
    s = next_start(p, s, high[p], use, room)
    if s < 0:
        return False
    starts[p] = s
    room -= use[:, p, s, :]
    return True


@njit(cache=True)
def next_start(p: int, s: int, last: int, use: np.ndarray, room: np.ndarray) -> int:
    """First start from s to `last` at which a project keeps every limit; -1 if there is none."""
    while s <= last:
        if fits(p, s, use, room):
            return s
        s += 1
    return -1


@njit(cache=True, nogil=True)
def packable(members: np.ndarray, when: int, tries: int, amount: np.ndarray, space: tuple) -> bool:
    """Whether projects can all be in service in a year, each placed after those it waits for; true if `tries` do not tell."""
    low, high, steps, use, first, other, offset = space
    room = amount.copy()
    starts = np.full(len(low), -1)
    trial = np.full(len(members) + 1, -1)  # start that each place tries next; -1: none yet
    place = 0
    for _ in range(tries):
        p = members[place]
        if starts[p] >= 0:
            room += use[:, p, starts[p], :]
            starts[p] = -1
        if trial[place] < 0:
            trial[place] = low[p]
            for k in range(first[p], first[p + 1]):
                trial[place] = max(trial[place], starts[other[k]] + offset[k])
        s = next_start(p, trial[place], min(high[p], when - steps[p]), use, room)
        if s < 0:
            place -= 1
            if place < 0:
                return False
            continue
        starts[p] = s
        room -= use[:, p, s, :]
        trial[place] = s + 1
        place += 1
        trial[place] = -1
        if place == len(members):
            return True
    return True


@njit(cache=True)
def cheapest(c: int, starts: np.ndarray, space: tuple) -> int:
    """Way of a clause whose missing projects, with all before them, cost least."""
    clause_at, way_at, ways, chain_at, chain, price = space[10:]
    best, least = -1, np.inf
    for w in range(clause_at[c], clause_at[c + 1]):
        cost = 0.0
        for k in range(way_at[w], way_at[w + 1]):
            for i in range(chain_at[ways[k]], chain_at[ways[k] + 1]):
                if starts[chain[i]] < 0:
                    cost += price[chain[i]]
        if cost < least:
            best, least = w, cost
    return best


@njit(cache=True)
def meet(u: int, starts: np.ndarray, room: np.ndarray, space: tuple) -> bool:
    """Place everything that a unit needs and all before it; undo it all and return false if something has no place."""
    use, unit_at = space[3], space[9]
    way_at, ways, chain_at, chain = space[11], space[12], space[13], space[14]
    placed = np.empty(len(starts), np.int64)
    count = 0
    for c in range(unit_at[u], unit_at[u + 1]):
        best = cheapest(c, starts, space)
        good = best >= 0
        if good:
            for k in range(way_at[best], way_at[best + 1]):
                for i in range(chain_at[ways[k]], chain_at[ways[k] + 1]):
                    p = chain[i]
                    if good and starts[p] < 0:
                        good = put(p, starts, room, space)
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


@njit(cache=True, nogil=True)
def ready(unit: int, starts: np.ndarray, space: tuple, never: int) -> int:
    """Year from which a unit is met."""
    steps, unit_at, clause_at, way_at, ways = space[2], space[9], space[10], space[11], space[12]
    found = 0
    for c in range(unit_at[unit], unit_at[unit + 1]):
        first = never
        for w in range(clause_at[c], clause_at[c + 1]):
            last = 0
            for i in range(way_at[w], way_at[w + 1]):
                s = starts[ways[i]]
                last = max(last, never if s < 0 else s + steps[ways[i]])
            first = min(first, last)
        found = max(found, first)
    return found


@njit(cache=True)
def met_years(starts: np.ndarray, space: tuple, never: int) -> np.ndarray:
    """Year from which each unit is met."""
    found = np.zeros(len(space[9]) - 1, np.int64)
    for u in range(len(found)):
        found[u] = ready(u, starts, space, never)
    return found


@njit(cache=True, nogil=True)
def worth(starts: np.ndarray, space: tuple, goal: tuple) -> float:
    """Value of a plan: that of its starts, and in each block and year that of the best option."""
    gain, block_at, asks_at, asks, value = goal
    never = value.shape[1]
    met = met_years(starts, space, never)
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
                best[t] = max(best[t], value[o, t])
        total += best.sum()
    return total


@njit(cache=True)
def decode(order: np.ndarray, many: int, first: np.ndarray, amount: np.ndarray, space: tuple) -> np.ndarray:
    """Place the units `first`, then the first `many` of `order`, each with all it needs, as early as they fit."""
    starts = np.full(len(space[0]), -1)
    room = amount.copy()
    for u in first:
        meet(u, starts, room, space)
    for i in range(many):
        meet(order[i], starts, room, space)
    return starts


@njit(cache=True)
def together(now: np.ndarray, many: int, group: np.ndarray, random: np.random.Generator) -> tuple:
    """Another order: all units of a group moved to one place, or left out."""
    chosen = group[now[random.integers(0, len(now))]]
    trial = np.empty_like(now)
    inside, rest = 0, 0
    for i in range(len(now)):
        if group[now[i]] != chosen and i < many:
            rest += 1
    place = random.integers(0, rest + 1) if random.random() < 0.7 else len(now)
    size = 0
    for i in range(len(now)):
        size += group[now[i]] == chosen
    place = min(place, len(now) - size)
    after = place + size
    before = 0
    for i in range(len(now)):
        if group[now[i]] == chosen:
            trial[place + inside] = now[i]
            inside += 1
        elif before < place:
            trial[before] = now[i]
            before += 1
        else:
            trial[after] = now[i]
            after += 1
    return trial, rest + (size if place <= rest else 0)


@njit(cache=True)
def neighbour(now: np.ndarray, many: int, group: np.ndarray, random: np.random.Generator) -> tuple:
    """Another order: a unit or all units of a group moved, two swapped, near or far, or a few more or fewer units taken."""
    trial, count = now.copy(), len(now)
    if random.random() < 0.15 and count > 1:
        return together(now, many, group, random)
    kind = random.random()
    if kind < 0.1 or count < 2:
        return trial, min(max(many + random.integers(-2, 3), 0), count)
    i = random.integers(0, count)
    j = random.integers(0, count) if kind < 0.4 else min(max(i + random.integers(-6, 7), 0), count - 1)
    if kind >= 0.7:
        trial[i], trial[j] = trial[j], trial[i]
        return trial, many
    if i < j:
        trial[i:j] = now[i + 1 : j + 1]
    else:
        trial[j + 1 : i + 1] = now[j:i]
    trial[j] = now[i]
    return trial, many


@njit(cache=True, nogil=True)
def anneal(order: tuple, effort: tuple, random: np.random.Generator, limits: tuple, space: tuple, goal: tuple) -> tuple:
    """Improve an order, accepting worse ones less and less; return the best starts and their value."""
    now, many, group = order
    tries, heat = effort
    first, amount = limits
    best = decode(now, many, first, amount, space)
    held = worth(best, space, goal)
    top = held
    warm = heat * abs(held) + 1e-9
    for n in range(tries):
        trial, length = neighbour(now, many, group, random)
        starts = decode(trial, length, first, amount, space)
        value = worth(starts, space, goal)
        cold = warm * (1.0 - n / tries) ** 2 + 1e-12
        if value >= held or random.random() < np.exp((value - held) / cold):
            now, many, held = trial, length, value
            if value > top:
                top, best = value, starts
    return best, top
