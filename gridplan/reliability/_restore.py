"""What a fault leaves without supply, and which class of switching brings which section back.

A *pattern* is the place of a fault and the device that trips. For each class of control (automatic, remote, manual) the *zone* is
the connected piece around the fault bounded by switches that the class can operate. What lies above the zone comes back when the
tripped device is closed again. Each piece below it comes back if a tie, an open switch that the class can close, joins it to
sections that are energised, and a power flow says that it is carried.

Ties are closed one after the other: the first, in the order of their numbers, that carries the whole of its piece; if none does,
the one that carries most power, as many parts of its piece as it can. Parts are what switches of the class divide; those behind
fewer switches from the tie come first, then those behind the switch with the lower number.

Every class starts from the state after the fault, whatever faster classes have done: what a crew can do does not depend on which
switches are automated. A section comes back with the fastest class that brings it back, and stays.
"""

# Compiled functions take their arrays flat, so they have more parameters than others.
# ruff: noqa: PLR0913, PLR0917

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from gridplan.reliability._sweep import check
from gridplan.reliability._topology import _COMPILED

CLASSES = 3
NOBODY = 3
_OUT, _UP, _ZONE, _PIECE = 0, 1, 2, 3


class Patterns(NamedTuple):
    """Places of faults: section(s), top section of what trips, a broken switch (-1: none), whether it is planned work."""

    first: np.ndarray
    second: np.ndarray
    top: np.ndarray
    broken: np.ndarray
    lowest: np.ndarray
    planned: np.ndarray


class Control(NamedTuple):
    """Who can operate which switch: class by edge, whether it protects."""

    klass: np.ndarray
    protects: np.ndarray


class State(NamedTuple):
    """Switching state that is changed and put back: energised sections, edges in use, way of supply, its normal value."""

    on: np.ndarray
    inuse: np.ndarray
    way: np.ndarray
    normal: np.ndarray


class Work(NamedTuple):
    """Working arrays by section; `lit` is the array of energised sections."""

    mark: np.ndarray
    stack: np.ndarray
    order: np.ndarray
    feed: np.ndarray
    atom_end: np.ndarray
    seen: np.ndarray
    lit: np.ndarray


class Log(NamedTuple):
    """Transfers tried: numbers (pattern, class, state, piece, tie, limit, where) and figures (carried share, value, allowed)."""

    number: np.ndarray
    figure: np.ndarray


@njit(**_COMPILED)
def _zone(tree, klass, c, seeds, top, back, work):
    """Mark the zone, what lies above it and the pieces below; returns how many pieces.

    Where the tripped device cannot be closed again (`back` is False), what lies above is a piece like the others.
    """
    mark, stack = work.mark, work.stack
    end = tree.last[top]
    mark[top:end] = _OUT
    count = 0
    for seed in seeds:
        if seed >= top and seed < end and mark[seed] != _ZONE:
            mark[seed] = _ZONE
            stack[count] = seed
            count += 1
    while count > 0:
        count -= 1
        s = stack[count]
        if s != top and klass[tree.parent_edge[s]] > c and mark[tree.parent[s]] != _ZONE:
            mark[tree.parent[s]] = _ZONE
            stack[count] = tree.parent[s]
            count += 1
        for k in range(tree.child_ptr[s], tree.child_ptr[s + 1]):
            t = tree.child[k]
            if klass[tree.parent_edge[t]] > c and mark[t] != _ZONE:
                mark[t] = _ZONE
                stack[count] = t
                count += 1
    pieces = 0
    for s in range(top, end):
        if mark[s] == _ZONE:
            continue
        if back and (s == top or mark[tree.parent[s]] == _UP):
            mark[s] = _UP
        else:
            mark[s] = _PIECE
            pieces += s == top or mark[tree.parent[s]] == _ZONE
    return pieces


@njit(**_COMPILED)
def _switch_off(tree, top, state):
    for s in range(top, tree.last[top]):
        state.on[s] = False
        if tree.parent_edge[s] >= 0:
            state.inuse[tree.parent_edge[s]] = False


@njit(**_COMPILED)
def _switch_on(tree, top, state):
    """Put the normal state back, but for ties, which their user opens again."""
    for s in range(top, tree.last[top]):
        state.on[s] = True
        state.way[s] = state.normal[s]
        if tree.parent_edge[s] >= 0:
            state.inuse[tree.parent_edge[s]] = True


@njit(**_COMPILED)
def _energise_up(tree, top, state, work):
    for s in range(top, tree.last[top]):
        if work.mark[s] == _UP:
            state.on[s] = True
            if tree.parent_edge[s] >= 0:
                state.inuse[tree.parent_edge[s]] = True


@njit(**_COMPILED)
def _tie(tree, tie, closed, way, state):
    """Close or open a tie, with the dead sections inside it."""
    for k in range(tree.tie_edge_ptr[tie], tree.tie_edge_ptr[tie + 1]):
        state.inuse[tree.tie_edge[k]] = closed
    for k in range(tree.tie_section_ptr[tie], tree.tie_section_ptr[tie + 1]):
        state.on[tree.tie_section[k]] = closed
        state.way[tree.tie_section[k]] = way


@njit(**_COMPILED)
def _by_edge(stack, first, after, feed):
    """Sort stack[first:after] by the edge through which each section is fed."""
    for k in range(first + 1, after):
        s, place = stack[k], k
        while place > first and feed[stack[place - 1]] > feed[s]:
            stack[place] = stack[place - 1]
            place -= 1
        stack[place] = s


@njit(**_COMPILED)
def _flood(tree, klass, c, start, top, state, work):
    """Parts of the piece around `start` that are still off, nearest first; fills order, feed and atom_end, returns their number.

    A part is what no switch of the class can divide; sections already back or in the zone bound the piece.
    """
    order, feed, atom_end, seen, stack, mark = work.order, work.feed, work.atom_end, work.seen, work.stack, work.mark
    count = atoms = 0
    head, tail = 0, 1
    stack[0] = start
    seen[start] = True
    feed[start] = -1
    while head < tail:
        first, border = count, tail
        order[count] = stack[head]
        head += 1
        count += 1
        k = first
        while k < count:
            s = order[k]
            k += 1
            for a in range(tree.child_ptr[s] - 1, tree.child_ptr[s + 1]):
                if a < tree.child_ptr[s]:  # the section above
                    t, edge = tree.parent[s], tree.parent_edge[s]
                else:
                    t = tree.child[a]
                    edge = tree.parent_edge[t]
                if t < top or seen[t] or mark[t] != _PIECE or state.on[t]:
                    continue
                seen[t] = True
                feed[t] = edge
                if klass[edge] > c:
                    order[count] = t
                    count += 1
                else:
                    stack[tail] = t
                    tail += 1
        _by_edge(stack, border, tail, feed)
        atom_end[atoms] = count
        atoms += 1
    for k in range(count):
        seen[order[k]] = False
    return atoms


@njit(**_COMPILED)
def _attach(first, after, way, closed, state, work):
    """Energise (or switch off again) the sections order[first:after]."""
    for k in range(first, after):
        s = work.order[k]
        state.on[s] = closed
        state.way[s] = way
        if work.feed[s] >= 0:
            state.inuse[work.feed[s]] = closed


@njit(**_COMPILED)
def _next(low, high, below, above):
    """Choose how many parts to try next: where a straight line has no excess, kept away from the ends; else the middle."""
    width = high + 1 - low
    share = 0.5
    if below < 0.0 and above > 0.0 and above < np.inf:
        share = min(max(-below / (above - below), 0.1), 0.9)
    return min(max(low + int(np.ceil(share * width)), low + 1), high)


@njit(**_COMPILED)
def _carried(net, tie, way, atoms, state, work, loading):
    """Largest number of parts, nearest first, that a tie carries; and what binds: (parts, limit, where, value)."""
    tree, wires, power, bounds, space, free = net
    _tie(tree, tie, True, way, state)
    done, low, high = 0, 0, atoms
    limit, where, value = 0, -1, np.nan
    below, above = np.nan, np.nan  # excess with `low` parts, and with one part more than `high`
    trial = atoms
    while True:
        sections = work.atom_end[trial - 1]
        before = 0 if done == 0 else work.atom_end[done - 1]
        if sections > before:
            _attach(before, sections, way, True, state, work)
        else:
            _attach(sections, before, way, False, state, work)
        done = trial
        if free:
            low = atoms
            break
        found = check(wires, power, bounds, (state.on, state.inuse), way, loading, space)
        if found[0] == 0:
            low, below = trial, found[3]
        else:
            high, above = trial - 1, found[3]
            limit, where, value = found[0], found[1], found[2]
        if low >= high:
            break
        trial = _next(low, high, below, above)
    before = 0 if done == 0 else work.atom_end[done - 1]
    _attach(0, before, way, False, state, work)
    _tie(tree, tie, False, way, state)
    return low, limit, where, value


@njit(**_COMPILED)
def _usable(tree, klass, c, tie, state, work, bounds_):
    """Find the section of a tie in a piece that is off (-1: other side not energised), and how the other side is supplied."""
    top, end = bounds_
    for k in range(tree.tie_edge_ptr[tie], tree.tie_edge_ptr[tie + 1]):
        if klass[tree.tie_edge[k]] > c and k < tree.tie_edge_ptr[tie] + 2:
            return -1, -1
    for k in range(tree.tie_section_ptr[tie], tree.tie_section_ptr[tie + 1]):
        if state.on[tree.tie_section[k]]:
            return -1, -1
    a, b = tree.tie_a[tie], tree.tie_b[tie]
    if a >= top and a < end and work.mark[a] == _PIECE and not state.on[a] and state.on[b]:
        return a, state.way[b]
    if b >= top and b < end and work.mark[b] == _PIECE and not state.on[b] and state.on[a]:
        return b, state.way[a]
    return -1, -1


@njit(**_COMPILED)
def _candidates(tree, top, ties):
    """Ties with an end below `top`, in order of number; returns how many."""
    count = 0
    for s in range(top, tree.last[top]):
        for k in range(tree.section_tie_ptr[s], tree.section_tie_ptr[s + 1]):
            tie = tree.section_tie[k]
            if s == tree.tie_a[tie] or tree.tie_a[tie] < top or tree.tie_a[tie] >= tree.last[top]:
                ties[count] = tie
                count += 1
    ties[:count].sort()
    return count


@njit(**_COMPILED)
def _load(work, first, after, weight):
    total = 0.0
    for k in range(first, after):
        total += weight[work.order[k]]
    return total


@njit(**_COMPILED)
def _bound(bounds, found, loading):
    """Value allowed where a limit binds."""
    limit, where, value = found
    if limit == 1:
        return bounds.low[loading, where] if value < bounds.low[loading, where] else bounds.high[loading, where]
    return bounds.loading[loading, where] if limit in {2, 3} else np.nan


@njit(**_COMPILED)
def _transfer(net, klass, c, place, ties, state, work, weight, log, used):
    """Bring back the pieces below a zone through ties, one tie at a time, until none helps; returns the new length of the log."""
    tree, bounds = net[0], net[3]
    pattern, top, loading, logged = place
    limits = (top, tree.last[top])
    closed = 0
    while True:
        best, most, share = -1, -1.0, 0.0
        best_found = (0, -1, np.nan)
        best_parts = 0
        whole = 0.0
        for k in range(ties.size):
            start, way = _usable(tree, klass, c, ties[k], state, work, limits)
            if start < 0:
                continue
            atoms = _flood(tree, klass, c, start, top, state, work)
            everything = _load(work, 0, work.atom_end[atoms - 1], weight)
            parts, limit, where, value = _carried(net, ties[k], way, atoms, state, work, loading)
            carried = 0.0 if parts == 0 else _load(work, 0, work.atom_end[parts - 1], weight)
            ratio = 1.0 if parts == atoms else carried / max(everything, 1e-12)
            rank = carried + (1e9 if parts == atoms else 0.0)
            if rank > most + 1e-9 and not (best >= 0 and parts == 0):
                best, most, share, whole = k, rank, ratio, everything
                best_found = (limit, where, value)
                best_parts = parts
                if parts == atoms:
                    break
        if best < 0:
            break
        start, way = _usable(tree, klass, c, ties[best], state, work, limits)
        _flood(tree, klass, c, start, top, state, work)
        piece = start
        while piece != top and work.mark[tree.parent[piece]] == _PIECE:
            piece = tree.parent[piece]
        if logged < log.number.shape[0]:
            row = log.number[logged]
            row[0], row[1], row[2], row[3], row[4], row[5], row[6] = (
                pattern,
                c,
                loading,
                piece,
                ties[best],
                best_found[0],
                best_found[1],
            )
            log.figure[logged, 0], log.figure[logged, 1] = share, best_found[2]
            log.figure[logged, 2], log.figure[logged, 3] = _bound(bounds, best_found, loading), whole
        logged += 1
        if best_parts == 0:
            break
        _tie(tree, ties[best], True, way, state)
        _attach(0, work.atom_end[best_parts - 1], way, True, state, work)
        used[closed] = ties[best]
        closed += 1
    return logged, closed


@njit(**_COMPILED)
def _override(tree, klass, patterns, p, control, own):
    """Classes of the switches for one pattern: a device that failed to trip is opened by hand, a broken one not at all."""
    own[:] = klass
    s = patterns.lowest[p]
    while s >= 0 and s != patterns.top[p]:
        e = tree.parent_edge[s]
        if control.protects[e] and not patterns.planned[p] and own[e] < 2:
            own[e] = 2
        s = tree.parent[s]
    if patterns.broken[p] >= 0:
        own[patterns.broken[p]] = NOBODY


@njit(**_COMPILED)
def _mark_up(mask, shift, top, end, c, work):
    for loading in range(mask.shape[0]):
        for s in range(top, end):
            if work.mark[s] == _UP:
                mask[loading, shift + s] |= 1 << c


@njit(**_COMPILED)
def _signature(tree, top, broken, back, work):
    """Highest section of the zone, and a number that stands for the zone: equal zones leave equal pieces to equal ties."""
    sign, highest = 1469598103934665603, -1
    for s in range(top, tree.last[top]):
        if work.mark[s] == _ZONE:
            highest = s if highest < 0 else highest
            sign = (sign ^ (s + 1)) * 1099511628211
    if broken >= 0:
        sign = (sign ^ (broken + 7919)) * 1099511628211
    if not back:
        sign = (sign ^ (top + 104729)) * 1099511628211
    return highest, sign & 0x7FFFFFFFFFFFFFFF


@njit(**_COMPILED)
def _repeat(tree, place, memo, at, mask, log, logged, work):
    """Take over what an earlier pattern with the same zone found; returns the new length of the log."""
    p, c, top = place
    starts, tops = at
    other = memo[1]
    here, there = starts[p] - top, starts[other] - tops[other]
    for loading in range(mask.shape[0]):
        for s in range(top, tree.last[top]):
            if work.mark[s] == _PIECE:
                mask[loading, here + s] |= mask[loading, there + s] & (8 << c)
    for k in range(memo[2], memo[3]):
        if logged < log.number.shape[0]:
            log.number[logged] = log.number[k]
            log.figure[logged] = log.figure[k]
            log.number[logged, 0] = p
        logged += 1
    return logged


@njit(**_COMPILED)
def restore(net, control, patterns, chosen, state, work, weight, out):
    """Fill, for the chosen patterns and classes, who is brought back.

    `chosen` is (patterns, class, may the tripped device be closed again by pattern); `out` is (start of the pattern's sections,
    mask by loading state and section, log). Bit c of the mask: back from above in class c; bit 3 + c: transferred. Returns the
    number of transfers logged.
    """
    tree = net[0]
    which, c, recloses = chosen
    starts, mask, log = out
    own = control.klass.copy()
    ties, used = np.empty(tree.tie_a.size * 2 + 1, np.int64), np.empty(tree.tie_a.size * 2 + 1, np.int64)
    memo = np.full((tree.parent.size, 4), -1)
    logged = 0
    for p in which:
        top, back = patterns.top[p], recloses[p]
        _override(tree, control.klass, patterns, p, control, own)
        pieces = _zone(tree, own, c, (patterns.first[p], patterns.second[p]), top, back, work)
        shift = starts[p] - top
        _mark_up(mask, shift, top, tree.last[top], c, work)
        count = _candidates(tree, top, ties) if pieces > 0 else 0
        if count == 0:
            continue
        highest, sign = _signature(tree, top, patterns.broken[p], back, work)
        if memo[highest, 0] == sign:
            logged = _repeat(tree, (p, c, top), memo[highest], (starts, patterns.top), mask, log, logged, work)
            continue
        begun = logged
        for loading in range(mask.shape[0]):
            _switch_off(tree, top, state)
            _energise_up(tree, top, state, work)
            place = (p, top, loading, logged)
            logged, closed = _transfer(net, own, c, place, ties[:count], state, work, weight[loading], log, used)
            for s in range(top, tree.last[top]):
                if work.mark[s] == _PIECE and state.on[s]:
                    mask[loading, shift + s] |= 8 << c
            for k in range(closed):
                _tie(tree, used[k], False, -1, state)
            _switch_on(tree, top, state)
        memo[highest, 0], memo[highest, 1], memo[highest, 2], memo[highest, 3] = sign, p, begun, logged
    return logged
