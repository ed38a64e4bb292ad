"""What the events of a year add up to: by section, and by event and way back."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from gridplan.reliability._topology import _COMPILED

WAYS = 7
#: Ways back in the order of the columns of `times`: stage and control.
STAGES = ("upstream", "upstream", "upstream", "transfer", "transfer", "transfer", "repair")
REPAIR = 6
_FAULT, _TRANSIENT, _PLANNED = 0, 1, 2


class Events(NamedTuple):
    """Events: pattern, kind, rate [1/yr] and the hours until each way back, (events, 7)."""

    pattern: np.ndarray
    kind: np.ndarray
    rate: np.ndarray
    times: np.ndarray


class Reach(NamedTuple):
    """What each pattern leaves without supply: top section, end, where its sections start in `mask` (states, entries)."""

    top: np.ndarray
    end: np.ndarray
    start: np.ndarray
    mask: np.ndarray


class Sums(NamedTuple):
    """Yearly sums by state and section: sustained and momentary interruptions, hours of all and of sustained ones, planned."""

    sustained: np.ndarray
    momentary: np.ndarray
    hours: np.ndarray
    sustained_h: np.ndarray
    planned: np.ndarray
    planned_h: np.ndarray


def blank(states: int, sections: int) -> Sums:
    """Return sums of nothing."""
    return Sums(*(np.zeros((states, sections)) for _ in Sums._fields))


@njit(**_COMPILED)
def _earliest(times, best):
    """For each combination of ways back (6 bits), the earliest of them and of the repair."""
    for mask in range(64):
        way = 6
        for bit in range(6):
            if (mask >> bit) & 1 and times[bit] < times[way]:
                way = bit
        best[mask] = way


@njit(**_COMPILED)
def by_section(events, reach, momentary_h, sums):
    """Add up the events of a year by state and section."""
    best = np.empty(64, np.int64)
    for e in range(events.pattern.size):
        p, rate, kind = events.pattern[e], events.rate[e], events.kind[e]
        _earliest(events.times[e], best)
        for state in range(reach.mask.shape[0]):
            for s in range(reach.top[p], reach.end[p]):
                if kind == _TRANSIENT:
                    sums.momentary[state, s] += rate
                    continue
                hours = events.times[e, best[reach.mask[state, reach.start[p] + s - reach.top[p]]]]
                if kind != _FAULT:
                    if hours > 0:
                        sums.planned[state, s] += rate
                        sums.planned_h[state, s] += rate * hours
                    continue
                sums.hours[state, s] += rate * hours
                if hours > momentary_h:
                    sums.sustained[state, s] += rate
                    sums.sustained_h[state, s] += rate * hours
                elif hours > 0:
                    sums.momentary[state, s] += rate


@njit(**_COMPILED)
def cost_by_section(events, reach, unit, out):
    """Add up the yearly cost of one unit of each class: `unit` (events, ways, classes), `out` (classes, states, sections)."""
    best = np.empty(64, np.int64)
    for e in range(events.pattern.size):
        p, rate, kind = events.pattern[e], events.rate[e], events.kind[e]
        if kind == _PLANNED:
            continue
        _earliest(events.times[e], best)
        for state in range(reach.mask.shape[0]):
            for s in range(reach.top[p], reach.end[p]):
                way = best[reach.mask[state, reach.start[p] + s - reach.top[p]]]
                for c in range(unit.shape[2]):
                    out[c, state, s] += rate * unit[e, way, c]


@njit(**_COMPILED)
def by_way(events, reach, weights, out):
    """Add up, for each event, state and way back, what is in the sections: `weights` (quantities, states, sections)."""
    best = np.empty(64, np.int64)
    for e in range(events.pattern.size):
        p = events.pattern[e]
        _earliest(events.times[e], best)
        for state in range(reach.mask.shape[0]):
            for s in range(reach.top[p], reach.end[p]):
                way = 6
                if events.kind[e] != _TRANSIENT:
                    way = best[reach.mask[state, reach.start[p] + s - reach.top[p]]]
                for q in range(weights.shape[0]):
                    out[e, state, way, q] += weights[q, state, s]


def ways(events: Events, reach: Reach, section: int, state: int) -> tuple[np.ndarray, np.ndarray]:
    """Events that interrupt a section, and the way back in each."""
    hit = np.flatnonzero((reach.top[events.pattern] <= section) & (section < reach.end[events.pattern]))
    best, found = np.empty(64, np.int64), []
    for e in hit:
        p = events.pattern[e]
        _earliest(events.times[e], best)
        mask = reach.mask[state, reach.start[p] + section - reach.top[p]]
        found.append(REPAIR if events.kind[e] == _TRANSIENT else best[mask])
    return hit, np.array(found, np.int64)
