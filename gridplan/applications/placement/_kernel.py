"""Loss of the events of a year in a given state of control: the inner loop of the search."""

from __future__ import annotations

import numpy as np
from numba import njit

from gridplan.reliability._restore import _PIECE, _UP, _override, _zone
from gridplan.reliability._tally import _earliest
from gridplan.reliability._topology import _COMPILED


@njit(**_COMPILED)
def first_ways(times, out):
    """For each event and combination of ways back (6 bits), the earliest way."""
    best = np.empty(64, np.int64)
    for e in range(times.shape[0]):
        _earliest(times[e], best)
        for mask in range(64):
            out[e, mask] = best[mask]


@njit(**_COMPILED)
def relaxed(tree, own, control, patterns, chosen, has_tie, work, out):  # noqa: PLR0913, PLR0917 - arrays of a kernel
    """Ways back in one class if every tie in reach carried everything: marks in the mask, as `restore` does.

    A piece is back as soon as any tie leaves it, whatever lies behind the tie. So each section comes back if at least one of a
    set of switches is operable, which makes the gain of a set of switches submodular, and no less than the true gain.
    """
    c, recloses = chosen
    starts, mask = out
    klass = own.copy()
    head = np.zeros(tree.parent.size, np.int64)
    lit = np.zeros(tree.parent.size, np.bool_)
    for p in range(patterns.first.size):
        top = patterns.top[p]
        end = tree.last[top]
        _override(tree, own, patterns, p, control, klass)
        _zone(tree, klass, c, (patterns.first[p], patterns.second[p]), top, recloses[p], work)
        shift = starts[p] - top
        for s in range(top, end):
            if work.mark[s] == _PIECE:
                above = tree.parent[s]
                head[s] = head[above] if s != top and work.mark[above] == _PIECE else s
                if head[s] == s:
                    lit[s] = False
                lit[head[s]] |= has_tie[s]
        for state in range(mask.shape[0]):
            for s in range(top, end):
                if work.mark[s] == _UP:
                    mask[state, shift + s] |= 1 << c
                elif work.mark[s] == _PIECE and lit[head[s]]:
                    mask[state, shift + s] |= 8 << c


@njit(**_COMPILED)
def loss(events, reach, units, values):
    """Add up rate x units x value of the earliest way back over events, states and sections.

    `events` is (pattern, rate, earliest way by mask), `reach` (top, end, start, mask), `units` (quantities, states, sections)
    with the weights of the states in it, `values` (events, ways, quantities).
    """
    pattern, rate, first = events
    top, end, start, mask = reach
    total, worth = 0.0, np.empty((units.shape[0], first.shape[1]))
    for e in range(pattern.size):
        p = pattern[e]
        own = 0.0
        for q in range(units.shape[0]):
            for way in range(first.shape[1]):
                worth[q, way] = values[e, first[e, way], q]
            for state in range(mask.shape[0]):
                for s in range(top[p], end[p]):
                    own += units[q, state, s] * worth[q, mask[state, start[p] + s - top[p]]]
        total += rate[e] * own
    return total
