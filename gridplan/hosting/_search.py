"""The largest size without a violation: along many paths at once, and exactly over a year.

A path says which plants stand where at each level: the kilowatts of one plant at one bus, or how many plants of a random
sequence have been built. The search finds the first level that violates a limit. Over many steps it looks at the critical ones,
then at every step of the year at the level found, and again with the steps that it had missed, until nothing is missed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple, Protocol

import numpy as np

from gridplan.hosting._batch import Batch, Plants, solve
from gridplan.hosting._choices import Limits
from gridplan.hosting._judge import CURTAILMENT, KINDS, Judge, Verdict, assess, judge

_FEW = 200  # steps that are all taken as critical
_SEEDS = 2  # steps of each ranking that are critical from the start
_LIKELY = 100  # one step in so many of each ranking is judged before all are
_ROUND = 3  # rungs tried at once
_MOST_ROWS = 64  # paths side by side in a chunk


class Paths(Protocol):
    """What stands where along each path."""

    def plants(self, path: np.ndarray, level: np.ndarray) -> tuple[Plants, np.ndarray]:
        """Places, and rated power [MW] by place and case, of the cases (path, level)."""

    def cost(self) -> int:
        """How many cases fit into a chunk because of their places."""


class Answer(NamedTuple):
    """What the search found, by path.

    `level` is the highest level without a violation; `kind` the limit that the next level violates (-1: none up to the highest
    level tried); `verdict` is about that next level; `curtailed` the share of energy cut at `level` [%].
    """

    level: np.ndarray
    kind: np.ndarray
    verdict: Verdict
    curtailed: np.ndarray


@dataclass(frozen=True, eq=False)
class Search:
    """Everything the search needs.

    Parameters
    ----------
    batch, judge, paths
        How to solve, what to hold against it, what to try.
    ladder
        Levels tried one after the other before the search halves the interval in which the first violation appears.
    unit
        Unit of time that must be judged as a whole, of each step: the step itself, or its week; (steps,).
    active
        Steps in which a plant can have power.
    seeds, likely
        Units that are critical from the start, and those among which most of the other critical ones are.
    """

    batch: Batch
    judge: Judge
    paths: Paths
    ladder: np.ndarray
    unit: np.ndarray
    active: np.ndarray
    seeds: np.ndarray
    likely: np.ndarray


def rungs(upper: int) -> np.ndarray:
    """Levels from 8 to `upper`, three to a doubling."""
    count = int(np.ceil(3 * np.log2(max(upper, 8) / 8.0))) + 1
    ladder = np.unique(np.r_[np.round(8.0 * 2.0 ** (np.arange(count) / 3.0)).astype(int), upper])
    return ladder[ladder <= upper]


def begin(batch: Batch, limits: Limits, paths: Paths, ladder: np.ndarray) -> tuple[Search, Verdict]:
    """Judge the network without plants, and get ready to search."""
    steps = np.arange(len(batch.time))
    units = steps if limits.averaged is None else _weeks(batch)
    plain = judge(batch, limits, None)
    keep_vm = limits.voltage_change_max_pu is not None
    verdict, extremes, base_vm = None, [], []
    for part in _parts(steps, units, batch.width):
        none = Plants(np.zeros(0, int), np.zeros(0, int))
        solved = solve(batch, none, np.zeros((0, len(part))), part)
        found = assess(plain, solved, part, _starts(units[part]), batch.step_h)
        verdict = found if verdict is None else _worse(verdict, found)
        extremes.append(solved.extreme)
        base_vm += [solved.vm] if keep_vm else []
    power = batch.shapes.max(axis=0)
    seeds, likely = (_foremost(np.concatenate(extremes, axis=1), power, units, n) for n in (_SEEDS, len(steps) // _LIKELY))
    full = replace(plain, base_vm=np.concatenate(base_vm, axis=1)) if keep_vm else plain
    return Search(batch, full, paths, ladder, units, power > 0, seeds, likely), verdict


def _weeks(batch: Batch) -> np.ndarray:
    hours = np.arange(len(batch.time)) * batch.step_h
    return (hours // (7 * 24)).astype(int)


def _foremost(extremes: np.ndarray, power: np.ndarray, units: np.ndarray, count: int) -> np.ndarray:
    """Units of the first steps when ranked by plants' power while the network is high, low or full already."""
    share = power / max(float(power.max()), 1e-12)
    known = np.where(np.isfinite(extremes), extremes, 0.0)
    scaled = known / np.maximum(np.abs(known).max(axis=1, keepdims=True), 1e-9)
    best = [np.argsort(-(ranking + share), kind="stable")[:count] for ranking in (share, *scaled)]
    return np.unique(units[np.concatenate(best)])


def run(search: Search, upper: np.ndarray) -> Answer:
    """Find the first violation of every path, exact for all steps at the level found.

    Parameters
    ----------
    upper
        Highest level of each path, (paths,).
    """
    everything = np.unique(search.unit[search.active])
    few = len(search.unit) <= _FEW
    critical = everything if few else np.intersect1d(search.seeds, everything)
    likely = np.intersect1d(search.likely, everything)
    answer = _empty(upper)
    pending = np.arange(len(upper))
    while len(pending):
        open_ = pending
        while len(open_):  # most of what the critical units miss is found among the likely ones, at little cost
            _write(answer, open_, _climb(search, open_, answer.level[open_], critical, whole=few))
            if few:
                return _finished(search, answer, everything)
            open_, critical = _missed(search, answer, open_, (likely, critical))
        pending, critical = _missed(search, answer, pending, (everything, critical), whole=True)
    return _finished(search, answer, everything)


def _missed(
    search: Search, answer: Answer, paths: np.ndarray, units: tuple[np.ndarray, np.ndarray], *, whole: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """Paths whose answer violates a limit in units not seen so far, and the critical units with those added.

    Where more energy is cut than allowed the answer is found at once: no single unit says it.
    """
    judged, critical = units
    check = evaluate(search, paths, answer.level[paths], judged, whole=whole)
    kind = search.judge.binding(check)
    cut = kind == CURTAILMENT
    if cut.any():
        _write(answer, paths[cut], _halve_all(search, paths[cut], answer.level[paths[cut]], judged))
    missed = (kind >= 0) & ~cut
    return paths[missed], np.union1d(critical, _units_violated(search, check.take(missed)))


def _finished(search: Search, answer: Answer, units: np.ndarray) -> Answer:
    answer.curtailed[:] = _curtailed(search, answer.level, units)
    return answer


def _empty(upper: np.ndarray) -> Answer:
    shape = (len(KINDS), len(upper))
    verdict = Verdict(np.full(shape, np.nan), np.full(shape, -1), np.full(shape, -1), np.zeros((2, len(upper))))
    return Answer(upper.copy(), np.full(len(upper), -1), verdict, np.zeros(len(upper)))


def _write(answer: Answer, paths: np.ndarray, found: tuple[np.ndarray, np.ndarray, Verdict]) -> None:
    """Put what was found for some paths into the answer."""
    level, kind, verdict = found
    answer.level[paths], answer.kind[paths] = level, kind
    for name in ("value", "place", "step", "energy_mw"):
        getattr(answer.verdict, name)[:, paths] = getattr(verdict, name)


def _units_violated(search: Search, verdict: Verdict) -> np.ndarray:
    over = search.judge.excess(verdict)[:CURTAILMENT] > 0
    return np.unique(search.unit[verdict.step[:CURTAILMENT][over]])


def _climb(
    search: Search, paths: np.ndarray, upper: np.ndarray, units: np.ndarray, *, whole: bool
) -> tuple[np.ndarray, np.ndarray, Verdict]:
    """Climb the ladder to the first violation, then halve the interval below it; levels, kinds and what is violated."""
    low, high = np.zeros(len(paths), int), upper + 1
    climbing = np.ones(len(paths), bool)
    for start in range(0, len(search.ladder), _ROUND):
        tried = search.ladder[start : start + _ROUND]
        climbing &= low < upper
        index = np.flatnonzero(climbing)
        if not len(index):
            break
        level = np.minimum(tried[None, :], upper[index, None])
        verdict = evaluate(search, np.repeat(paths[index], len(tried)), level.ravel(), units, whole=whole)
        bad = (search.judge.binding(verdict) >= 0).reshape(level.shape)
        first = np.where(bad.any(axis=1), bad.argmax(axis=1), len(tried))
        below = np.take_along_axis(level, np.maximum(first - 1, 0)[:, None], axis=1)[:, 0]
        low[index] = np.where(first > 0, below, low[index])
        hit = first < len(tried)
        high[index[hit]] = level[hit, first[hit]]
        climbing[index[hit]] = False
    _halve(search, (paths, low, high), units, whole=whole)
    return _at_next(search, (paths, low, high, upper), units, whole=whole)


def _halve(search: Search, between: tuple[np.ndarray, np.ndarray, np.ndarray], units: np.ndarray, *, whole: bool) -> None:
    """Halve the interval between a level that is within limits and one that is not until they are neighbours."""
    paths, low, high = between
    while (wide := np.flatnonzero(high - low > 1)).size:
        middle = (low[wide] + high[wide]) // 2
        bad = search.judge.binding(evaluate(search, paths[wide], middle, units, whole=whole)) >= 0
        high[wide[bad]], low[wide[~bad]] = middle[bad], middle[~bad]


def _halve_all(search: Search, paths: np.ndarray, upper: np.ndarray, units: np.ndarray) -> tuple[np.ndarray, np.ndarray, Verdict]:
    """Halve with all steps of the year: what is cut is a sum over them."""
    low, high = np.zeros(len(paths), int), upper.copy()
    _halve(search, (paths, low, high), units, whole=True)
    return _at_next(search, (paths, low, high, upper), units, whole=True)


def _at_next(
    search: Search, found: tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray], units: np.ndarray, *, whole: bool
) -> tuple[np.ndarray, np.ndarray, Verdict]:
    """Say what is violated one level above the answer; nothing if the answer is the highest level."""
    paths, low, high, upper = found
    verdict = evaluate(search, paths, np.minimum(high, upper), units, whole=whole)
    return low, np.where(high > upper, -1, search.judge.binding(verdict)), verdict


def _curtailed(search: Search, level: np.ndarray, units: np.ndarray) -> np.ndarray:
    connection = search.batch.connection
    possible = connection.control.volt_watt is not None or connection.control.apparent_pu is not None
    if not possible and search.batch.export_mw is None:
        return np.zeros(len(level))
    verdict = evaluate(search, np.arange(len(level)), level, units, whole=True)
    return np.nan_to_num(verdict.value[CURTAILMENT])


def evaluate(search: Search, path: np.ndarray, level: np.ndarray, units: np.ndarray, *, whole: bool) -> Verdict:
    """Solve and judge cases in the steps of some units.

    Parameters
    ----------
    path, level
        The cases, (cases,).
    units
        Units of time judged.
    whole
        Whether these are all units with power, so that the energy cut can be judged.
    """
    steps = np.flatnonzero(np.isin(search.unit, units))
    parts = list(_parts(steps, search.unit[steps], search.batch.width))
    together = 1 if len(parts) > 1 else max(1, min(search.batch.width // max(1, len(steps)), search.paths.cost()))
    found = []
    for first in range(0, len(path), together):
        chunk = slice(first, first + together)
        plants, rated = search.paths.plants(path[chunk], level[chunk])
        verdict = None
        for part in parts:
            columns = np.repeat(rated, len(part), axis=1)
            solved = solve(search.batch, plants, columns, np.tile(part, rated.shape[1]))
            new = assess(search.judge, solved, part, _starts(search.unit[part]), search.batch.step_h)
            verdict = new if verdict is None else _worse(verdict, new)
        found.append(verdict)
    joined = _joined(found)
    if whole:
        available, delivered = joined.energy_mw
        joined.value[CURTAILMENT] = 100.0 * (1.0 - delivered / np.where(available > 0, available, np.nan))
    return joined


def _parts(steps: np.ndarray, units: np.ndarray, width: int) -> list[np.ndarray]:
    """Cut steps into parts of about `width`, between units."""
    if not len(steps):
        return []
    starts = _starts(units)
    part = np.searchsorted(np.arange(1, len(steps) // width + 1) * width, starts, side="right")
    return np.split(steps, starts[np.flatnonzero(np.diff(part)) + 1])


def _starts(units: np.ndarray) -> np.ndarray:
    return np.r_[0, np.flatnonzero(np.diff(units)) + 1]


def _worse(old: Verdict, new: Verdict) -> Verdict:
    """Keep the worse of two verdicts about the same cases in different steps."""
    better = (new.value > old.value) | np.isnan(old.value)
    picked = [np.where(better, getattr(new, name), getattr(old, name)) for name in ("value", "place", "step")]
    return Verdict(*picked, old.energy_mw + new.energy_mw)


def _joined(verdicts: list[Verdict]) -> Verdict:
    names = ("value", "place", "step", "energy_mw")
    return Verdict(*(np.concatenate([getattr(v, name) for v in verdicts], axis=1) for name in names))
