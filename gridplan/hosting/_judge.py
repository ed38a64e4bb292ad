"""From voltages and loadings to what binds: every limit as a value, the value allowed, an element and a step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from gridplan.hosting._batch import Batch, Solved
from gridplan.hosting._choices import Averaged, Limits


class Kind(NamedTuple):
    """A limit: its name, the table of the element that binds, its unit."""

    name: str
    element: str
    unit: str


KINDS = (
    Kind("no convergence", "network", ""),
    Kind("control does not settle", "network", ""),
    Kind("line loading", "line", "%"),
    Kind("transformer loading", "trafo", "%"),
    Kind("transformer loading", "trafo3w", "%"),
    Kind("overvoltage", "bus", "pu"),
    Kind("undervoltage", "bus", "pu"),
    Kind("voltage change", "bus", "pu"),
    Kind("reverse flow", "network", "MW"),
    Kind("average line loading", "line", "%"),
    Kind("average transformer loading", "trafo", "%"),
    Kind("average transformer loading", "trafo3w", "%"),
    Kind("voltage outside the band too often", "bus", "%"),
    Kind("curtailment", "network", "%"),
)
"""In the order in which they are named when several are reached at once."""

CURTAILMENT = len(KINDS) - 1
_MOMENTARY = 9
_LOW = 6  # the undervoltage, whose values are held negative so that every limit is an upper one


@dataclass(frozen=True, eq=False)
class Verdict:
    """The worst of each kind of limit by case.

    Parameters
    ----------
    value
        Value, (kinds, cases); NaN where a kind does not apply.
    place, step
        Position of the element in its table and step where it is worst, (kinds, cases); -1: none.
    energy_mw
        Available and delivered power of the plants, summed over the steps judged, (2, cases).
    """

    value: np.ndarray
    place: np.ndarray
    step: np.ndarray
    energy_mw: np.ndarray

    def take(self, cases: np.ndarray) -> Verdict:
        """Keep some of the cases."""
        return Verdict(self.value[:, cases], self.place[:, cases], self.step[:, cases], self.energy_mw[:, cases])


@dataclass(frozen=True, eq=False)
class Judge:
    """Limits, in the units and signs of :class:`Verdict`.

    Parameters
    ----------
    limits
        The limits.
    allowed
        Highest value of each kind, (kinds,); infinite without a limit.
    base_vm
        Voltages without plants (buses, steps) if their change is limited, else None.
    ends
        First row of trafo and of trafo3w among the rated elements, and their number.
    """

    limits: Limits
    allowed: np.ndarray
    base_vm: np.ndarray | None
    ends: tuple[int, int, int]

    def excess(self, verdict: Verdict) -> np.ndarray:
        """By how much each kind is beyond what is allowed, in its unit, (kinds, cases); above 0 is a violation."""
        return np.where(np.isnan(verdict.value), -np.inf, verdict.value - self.allowed[:, None])

    def binding(self, verdict: Verdict) -> np.ndarray:
        """First kind violated by case, -1 for none; (cases,)."""
        over = self.excess(verdict) > 0
        return np.where(over.any(axis=0), over.argmax(axis=0), -1)


def judge(batch: Batch, limits: Limits, base_vm: np.ndarray | None) -> Judge:
    """Make ready the limits for the cases of a batch."""
    momentary, averaged = limits.momentary, limits.averaged
    nothing = np.inf
    trafo = momentary.trafo_loading_max_percent
    allowed = [0.0, 0.0, momentary.line_loading_max_percent, trafo, trafo, momentary.vm_max_pu, -momentary.vm_min_pu]
    allowed += [nothing if v is None else v for v in (limits.voltage_change_max_pu, limits.reverse_flow_max_mw)]
    if averaged is None:
        allowed += [nothing] * 4
    else:
        trafo = averaged.trafo_loading_max_percent
        allowed += [averaged.line_loading_max_percent, trafo, trafo, 100.0 - averaged.voltage_share_percent]
    allowed.append(nothing if limits.curtailment_max_percent is None else limits.curtailment_max_percent)
    counts = [len(batch.model.elements[name]) for name in ("line", "trafo", "trafo3w")]
    return Judge(limits, np.array(allowed), base_vm, tuple(int(n) for n in np.cumsum(counts)))


def assess(judge: Judge, solved: Solved, steps: np.ndarray, groups: np.ndarray, step_h: float) -> Verdict:
    """Find the worst of each kind in each case.

    Parameters
    ----------
    solved
        Columns of several cases one after the other, each with the same steps.
    steps
        Steps of a case, (columns of a case,).
    groups
        Where the weeks begin among them.
    """
    each = len(steps)
    cases = len(solved.failed) // each
    shape = (len(KINDS), cases)
    value, at, step = np.full(shape, np.nan), np.full(shape, -1), np.full(shape, -1)
    values, where = _momentary(judge, solved, np.tile(steps, cases))
    values = values.reshape(_MOMENTARY, cases, each)
    filled = np.where(np.isnan(values), -np.inf, values)
    worst = filled.argmax(axis=2)
    pick = (np.arange(_MOMENTARY)[:, None], np.arange(cases)[None, :], worst)
    value[:_MOMENTARY] = np.where(np.isneginf(filled[pick]), np.nan, filled[pick])
    at[:_MOMENTARY] = where.reshape(_MOMENTARY, cases, each)[pick]
    step[:_MOMENTARY] = steps[worst]
    if judge.limits.averaged is not None:
        for case in range(cases):
            own = slice(case * each, (case + 1) * each)
            _average(judge, (solved.vm[:, own], solved.loading[:, own]), (steps, groups, step_h), (value, at, step, case))
    energy = np.stack([solved.available_mw, solved.delivered_mw]).reshape(2, cases, each).sum(axis=2)
    return Verdict(value, at, step, energy)


def _momentary(judge: Judge, solved: Solved, steps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Values of the momentary kinds and the positions that have them; (kinds, columns)."""
    values = np.full((_MOMENTARY, len(solved.failed)), np.nan)
    at = np.full(values.shape, -1)
    values[0], values[1] = solved.failed, solved.unsettled
    values[2:5], values[5], values[_LOW] = solved.extreme[2:], solved.extreme[1], solved.extreme[0]
    at[5], at[_LOW] = solved.extreme_at[1], solved.extreme_at[0]
    at[2:5] = np.where(solved.extreme_at[2:] < 0, -1, solved.extreme_at[2:] - np.array([0, *judge.ends[:2]])[:, None])
    if judge.base_vm is not None:
        change = np.nan_to_num(np.abs(solved.vm - judge.base_vm[:, steps]))
        at[7] = change.argmax(axis=0)
        values[7] = change.max(axis=0)
    if judge.limits.reverse_flow_max_mw is not None:
        values[8] = solved.returned_mw
    return values, at


def _average(judge: Judge, read: tuple[np.ndarray, np.ndarray], time: tuple[np.ndarray, np.ndarray, float], into: tuple) -> None:
    """Fill in the averaged kinds of one case, week by week."""
    averaged: Averaged = judge.limits.averaged
    (vm, loading), (steps, groups, step_h), (value, at, step, case) = read, time, into
    line, trafo, trafo3w = judge.ends
    several = max(1, round(averaged.loading_window_h / step_h))
    mean_steps = max(1, round(averaged.voltage_window_min / 60.0 / step_h))
    for start, stop in zip(groups, [*groups[1:], len(steps)], strict=True):
        means = _means(loading[:, start:stop], several)
        parts = [(9, means[:line], several), (10, means[line:trafo], several), (11, means[trafo:trafo3w], several)]
        mean_vm = _means(vm[:, start:stop], mean_steps)
        outside = (mean_vm > averaged.vm_max_pu) | (mean_vm < averaged.vm_min_pu)
        parts.append((12, 100.0 * outside.mean(axis=1, keepdims=True), stop - start))
        for kind, found, width in parts:
            known = np.where(np.isfinite(found), found, -np.inf)
            if np.isfinite(known.max(initial=-np.inf)) and not known.max() <= value[kind, case]:
                row, column = np.unravel_index(known.argmax(), known.shape)
                value[kind, case] = known[row, column]
                at[kind, case], step[kind, case] = row, steps[start + column * width]


def _means(values: np.ndarray, several: int) -> np.ndarray:
    """Mean over windows of `several` columns that follow one another; the last may be shorter."""
    starts = np.arange(0, values.shape[1], several)
    lengths = np.diff(np.r_[starts, values.shape[1]])
    return np.add.reduceat(values.astype(float), starts, axis=1) / lengths
