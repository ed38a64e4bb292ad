"""Which switches: greedy with bounds, pairs of a tie and a switch, exchange, and branch and bound where that is affordable."""

from __future__ import annotations

import heapq
from collections.abc import Iterable

from gridplan.applications.placement._evaluate import Evaluator

_SMALL = 1e-9
_PARTNERS = 3
Chosen = frozenset[int]


class _Spent(Exception):  # noqa: N818 - not an error: the effort allowed is used up
    """The evaluations allowed are used up."""


class Greedy:
    """Adds the switch that gains most, one after the other.

    Gains are looked at in the order of what they can be at most; a gain that was computed before stands in for its present value
    until it comes first. A tie may gain more after a switch was added, and the other way round: after each addition the ties
    nearby start again from their bound, and so does everything near an added tie.
    """

    def __init__(self, evaluator: Evaluator, ties: Iterable[int]) -> None:
        self._evaluator = evaluator
        self._ties = set(ties) & set(evaluator.candidates)
        self._changed = [0] * len(evaluator.groups)
        self._step = 0
        self._gain = {s: (float("inf"), -1) for s in evaluator.candidates}

    def more(self, chosen: Chosen) -> Chosen:
        """Add the switch that gains most."""
        return chosen | {self._single(chosen)}

    def pair(self, chosen: Chosen, target: float) -> Chosen | None:
        """Add the best pair of a tie and a switch that could gain most with it; None if none gains more than `target`."""
        ties = [t for t in sorted(self._ties - chosen) if self._evaluator.of[t]]
        near = {g for t in ties for g in self._evaluator.of[t]}
        others = [s for s in self._free(chosen) if near.intersection(self._evaluator.of[s])]
        most = {s: self._evaluator.bound(chosen, s) for s in others}
        order = sorted((s for s in others if most[s] > target), key=lambda s: (-most[s], s))
        best, gain = None, target
        for tie in ties:
            groups = set(self._evaluator.of[tie])
            partners = [s for s in order if s != tie and groups.intersection(self._evaluator.of[s])][:_PARTNERS]
            for s in partners:
                both = self._evaluator.change(chosen, tie) + self._evaluator.change(chosen | {tie}, s)
                if both > gain + _SMALL:
                    best, gain = chosen | {tie, s}, both
        return best

    def ranked(self, chosen: Chosen) -> list[int]:
        """Switches that are not chosen, the best by what is known of them first."""
        return sorted(self._free(chosen), key=lambda s: (-self._gain[s][0], s))

    def _free(self, chosen: Chosen) -> list[int]:
        return [s for s in self._evaluator.candidates if s not in chosen]

    def _single(self, chosen: Chosen) -> int:
        free = self._free(chosen)
        for s in free:
            if self._gain[s][1] < 0:
                self._gain[s] = (self._evaluator.bound(chosen, s), -1)
        queue = [(-self._gain[s][0], s) for s in free]
        heapq.heapify(queue)
        while True:
            s = queue[0][1]
            stamp = self._gain[s][1]
            if stamp >= max((self._changed[g] for g in self._evaluator.of[s]), default=0) and stamp >= 0:
                return s
            value = self._evaluator.change(chosen, s)
            self._gain[s] = (value, self._step)
            heapq.heapreplace(queue, (-value, s))

    def moved(self, before: Chosen, after: Chosen) -> None:
        """Take note of a change of the choice: gains in the groups that it touches are no longer certain."""
        self._step += 1
        changed = before ^ after
        touched = {g for s in changed for g in self._evaluator.of[s]}
        for g in touched:
            self._changed[g] = self._step
        for s in set(self._gain) if changed & self._ties else self._ties:
            if touched.intersection(self._evaluator.of[s]):
                self._gain[s] = (float("inf"), -1)


def exchanged(evaluator: Evaluator, chosen: Chosen, ranked: list[int], shortlist: int) -> Chosen:
    """Exchange a chosen switch for one of the best others, as long as that gains anything."""
    while True:
        best, gain = chosen, _SMALL
        for out in sorted(chosen):
            rest = chosen - {out}
            lost = evaluator.change(rest, out)
            for into in [s for s in ranked if s not in chosen][:shortlist]:
                value = evaluator.change(rest, into) - lost
                if value > gain * (1 + 1e-9):
                    best, gain = rest | {into}, value
        if best == chosen:
            return chosen
        chosen = best


class Exact:
    """Branch and bound over all choices of k switches.

    The bound is that of a submodular function [1]_: without limits of ties and with every candidate tie in place, further
    switches gain at most the sum of what each gains by itself.

    References
    ----------
    .. [1] G. L. Nemhauser, L. A. Wolsey, Maximizing submodular set functions: formulations and analysis of algorithms, in:
       Studies on Graphs and Discrete Programming, Annals of Discrete Mathematics 11, 1981.
    """

    def __init__(self, evaluator: Evaluator, effort: int) -> None:
        self._evaluator = evaluator
        self._effort = effort

    def lowest(self, k: int, start: Chosen) -> tuple[Chosen, float, bool]:
        """Find the best choice of at most k switches, no worse than `start`.

        Returns
        -------
        tuple[frozenset[int], float, bool]
            The choice; a loss that no choice goes below; whether the choice is proven best.
        """
        self._best, self._value = start, self._evaluator.loss(start)
        nothing: Chosen = frozenset()
        gains = self._gains(nothing, self._evaluator.candidates)
        self._limit = self._evaluator.spent + self._effort
        floor = self._evaluator.loss(nothing, relaxed=True) - sum(gain for gain, _ in gains[:k])
        try:
            floor = max(floor, self._floor(start, k))
            self._branch(nothing, gains, k)
        except _Spent:
            return self._best, min(floor, self._value), False
        return self._best, self._value, True

    def _floor(self, start: Chosen, k: int) -> float:
        """Bound by what can be added to the choice found."""
        gains = self._gains(start, [s for s in self._evaluator.candidates if s not in start])
        return self._evaluator.loss(start, relaxed=True) - sum(gain for gain, _ in gains[:k])

    def _gains(self, chosen: Chosen, others: Iterable[int]) -> list[tuple[float, int]]:
        """Most that each other switch can gain, largest first."""
        found = []
        for s in others:
            if chosen and self._evaluator.spent > self._limit:
                raise _Spent
            found.append((self._evaluator.change(chosen, s, relaxed=True), s))
        return sorted(found, key=lambda item: (-item[0], item[1]))

    def _branch(self, chosen: Chosen, gains: list[tuple[float, int]], room: int) -> None:
        if self._evaluator.spent > self._limit:
            raise _Spent
        relaxed = self._evaluator.loss(chosen, relaxed=True)
        if relaxed < self._value - _SMALL:  # else this choice itself cannot be better, though more switches may be
            value = self._evaluator.loss(chosen)
            if value < self._value - _SMALL:
                self._best, self._value = chosen, value
        if not room:
            return
        if chosen:
            if relaxed - sum(gain for gain, _ in gains[:room]) >= self._value - _SMALL:
                return
            gains = self._gains(chosen, [s for _, s in gains])
        for place, (_, s) in enumerate(gains):
            if relaxed - sum(gain for gain, _ in gains[place : place + room]) >= self._value - _SMALL:
                return
            self._branch(chosen | {s}, gains[place + 1 :], room - 1)
