"""Least curtailment in every step: linear programs on exact sensitivities, linearised again until the power flow agrees."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import sparse

from gridplan.applications._linear import Program, Span
from gridplan.applications._sensitivities import Network, Rows, Slopes
from gridplan.applications.der_management._controls import Controls

_PENALTY = 1e4  # MW of curtailment that a violation of as much as a MW could mend is worth
_AGREED = 1e-6  # relative change of the objective at which a step is done
_FRESH_MW = 0.003  # change of a step's curtailment after which its sensitivities are computed anew
_MISSES = 3  # programs in a row that cannot mend a limit before it is let go
_HALVES = 8  # of a move after which the power flow has no solution
_SPARE = 1e-6  # MW by which a program may miss a limit for numerical reasons


class Cured(NamedTuple):
    """Variables by step, the quantities that could not be brought inside their limits, and whether each step came to rest."""

    values: np.ndarray
    hopeless: np.ndarray
    settled: np.ndarray


def cure(network: Network, steps: np.ndarray, controls: Controls, zone: np.ndarray, *, rounds: int) -> Cured:
    """Find the least curtailment with which each step holds every limit that can be held.

    A quantity that cannot be brought inside its limit is left as it is: curtailment that mends nothing is not spent, but it
    must not get worse either.

    Parameters
    ----------
    network
        Network with its sensitivities.
    steps
        Steps that are outside limits.
    controls
        What can be turned in these steps.
    zone
        Number of the area of each quantity; the worst of each area enters the programs first.
    rounds
        Linearisations, at most.
    """
    state = _Steps(network, steps, controls)
    for _ in range(rounds):
        wrong = state.wrong()
        if not state.open.any():
            break
        state.watch(wrong, zone)
        own = np.flatnonzero(state.open)
        values, unmet = _programs(state, own)
        state.move(own, values, unmet)
    return Cured(state.values, state.hopeless, state.solved & ~state.open)


class _Steps:
    """Where the steps stand: values of the variables and what they mean.

    Parameters
    ----------
    network, steps, controls
        As for :func:`cure`.
    """

    def __init__(self, network: Network, steps: np.ndarray, controls: Controls) -> None:
        self.network, self.steps, self.controls = network, steps, controls
        self.demand = network.demand(steps)
        self.voltage = network.solve(steps, self.demand)
        self.found = network.values(steps, self.voltage)
        self.start, self.margin = self.found.copy(), network.margin[:, None]
        shape = self.found.shape
        self.low, self.high = (np.repeat(side[:, None], len(steps), axis=1) for side in (network.low, network.high))
        self.values, self.cost = np.zeros_like(controls.upper), np.zeros(len(steps))
        self.hopeless, self.low_watched, self.high_watched = (np.zeros(shape, bool) for _ in range(3))
        self.solved = np.isfinite(self.voltage).all(axis=0)
        self.open = self.solved.copy()
        self.missed = np.zeros(shape, np.int8)
        self.moved, self.damping = np.zeros_like(self.values), np.ones(len(steps))
        self.slopes = Slopes((1, len(steps)), _FRESH_MW)

    def wrong(self) -> tuple[np.ndarray, np.ndarray]:
        """Return what is below and what is above its limit; steps that are at rest without any of it are closed."""
        spare = self.margin / 2
        low = (self.found < self.low + spare) & self.open
        high = (self.found > self.high - spare) & self.open
        total = _total(self.controls, self.values)
        moved = np.abs(total - self.cost) > _AGREED * np.maximum(1.0, total)
        self.open &= (low | high).any(axis=0) | moved
        self.cost = total
        return low, high

    def watch(self, wrong: tuple[np.ndarray, np.ndarray], zone: np.ndarray) -> None:
        """Let the worst of each zone enter the programs; where something cannot be mended, all that is wrong."""
        stuck = self.hopeless.any(axis=0)
        for watched, side, bound in ((self.low_watched, wrong[0], self.low), (self.high_watched, wrong[1], self.high)):
            if side.any():
                watched[:] |= _worst(side, np.abs(self.found - bound) / self.margin, zone) | (side & stuck)

    def move(self, own: np.ndarray, values: np.ndarray, unmet: tuple[np.ndarray, np.ndarray]) -> None:
        """Take new values in some steps, and let go of limits that cannot be held."""
        more = np.maximum(*unmet)
        self.missed[:, own] = np.where(more > 0, np.minimum(self.missed[:, own] + more, _MISSES), 0)
        for side, bound, sign in ((unmet[0], self.low, -1.0), (unmet[1], self.high, 1.0)):
            row, column = np.nonzero((side > 0) & (self.missed[:, own] >= _MISSES))
            self.hopeless[row, own[column]] = True
            self.cost[own[column]] = np.inf  # once more, without that limit
            bound[row, own[column]] = self.start[row, own[column]] + sign * 4 * self.network.margin[row]
        before, waiting = self.values.copy(), own
        self.values[:, own] += self.damped(own, values - before[:, own])
        for _ in range(_HALVES):
            power = self.demand[:, waiting] + self.controls.take(waiting).power(self.values[:, waiting])
            voltage = self.network.solve(self.steps[waiting], power, self.voltage[:, waiting])
            good = np.isfinite(voltage).all(axis=0)
            self.voltage[:, waiting[good]] = voltage[:, good]
            waiting = waiting[~good]
            if not len(waiting):
                break
            self.values[:, waiting] = (self.values[:, waiting] + before[:, waiting]) / 2  # too far for the power flow
        self.open[waiting], self.values[:, waiting] = False, 0.0
        self.solved[waiting] = False
        own = own[self.solved[own]]
        self.found[:, own] = self.network.values(self.steps[own], self.voltage[:, own])

    def damped(self, own: np.ndarray, move: np.ndarray) -> np.ndarray:
        """Shorten the moves of steps that go to and fro; (variables, steps)."""
        last = self.moved[:, own]
        back = (move * last).sum(axis=0) < -0.2 * np.linalg.norm(move, axis=0) * np.linalg.norm(last, axis=0)
        self.damping[own] = np.where(back, self.damping[own] / 2, np.minimum(1.0, self.damping[own] * 1.5))
        self.moved[:, own] = move * self.damping[own]
        return self.moved[:, own]

    def effects(self, row: np.ndarray, step: np.ndarray) -> np.ndarray:
        """Effect of each variable on some quantities; those of steps that have hardly moved are taken from before."""

        def compute(needed: np.ndarray) -> np.ndarray:
            own, at = np.unique(step[needed], return_inverse=True)
            part = self.controls.take(own)
            state = self.voltage[:, own], self.demand[:, own] + part.power(self.values[:, own])
            return part.effect(self.network.gradient(self.steps[own], state, Rows(at, row[needed])), at)

        return self.slopes.of(Rows(step, row), _total(self.controls, self.values)[None], compute)


def _total(controls: Controls, values: np.ndarray) -> np.ndarray:
    return (controls.cost * values).sum(axis=0)


def _worst(wrong: np.ndarray, excess: np.ndarray, zone: np.ndarray) -> np.ndarray:
    """Of what is outside limits the worst of each zone, in each step."""
    out = np.zeros_like(wrong)
    columns = np.flatnonzero(wrong.any(axis=0))
    if not len(columns):
        return out
    score = np.where(wrong[:, columns], excess[:, columns], -1.0)
    for number in np.unique(zone[wrong.any(axis=1)]):
        rows = np.flatnonzero(zone == number)
        best = rows[score[rows].argmax(axis=0)]
        hit = score[best, np.arange(len(columns))] >= 0
        out[best[hit], columns[hit]] = True
    return out


def _programs(state: _Steps, own: np.ndarray) -> tuple[np.ndarray, tuple[np.ndarray, np.ndarray]]:
    """Solve the linear programs of some steps, side by side in one; the values, and how often what they cannot mend is missed."""
    sides = [np.nonzero(side[:, own].T) for side in (state.low_watched, state.high_watched)]
    step, row = (np.concatenate([side[n] for side in sides]) for n in (0, 1))
    sign = np.repeat([-1.0, 1.0], [len(side[0]) for side in sides])
    controls, values = state.controls.take(own), state.values[:, own]
    effect = state.effects(row, own[step]) * sign[:, None]
    bound = np.where(sign > 0, state.high[row, own[step]], -state.low[row, own[step]]) - state.network.margin[row]
    room = bound - sign * state.found[row, own[step]] + (effect * values[:, step].T).sum(axis=1)
    scale = np.maximum(np.abs(effect).max(axis=1, initial=0.0), 1e-12)
    effect, room = effect / scale[:, None], room / scale
    solved, slack = _solve((controls.cost, controls.upper), (effect, room, step))
    unmet, helpless = slack > _SPARE, ~((effect < 0) & (controls.upper[:, step].T > 0)).any(axis=1)
    result = []
    for side in (-1.0, 1.0):
        misses = np.zeros((len(state.low), len(own)), np.int8)
        hit = unmet & (sign == side)
        misses[row[hit], step[hit]] = np.where(helpless[hit], _MISSES, 1)
        result.append(misses)
    return solved, tuple(result)


def _solve(variables: tuple[np.ndarray, np.ndarray], rows: tuple) -> tuple[np.ndarray, np.ndarray]:
    """Least cost within bounds and rows; each row may be missed at a price."""
    (cost, upper), (effect, room, step) = variables, rows
    count, steps = cost.shape
    values = np.zeros(cost.shape)
    if not len(room):
        return values, np.zeros(0)
    useful = np.zeros((count, steps), bool)
    np.logical_or.at(useful.T, step, effect < 0)
    useful &= upper > 0
    number = np.full((count, steps), -1)
    number.T[useful.T] = np.arange(useful.sum())
    col = number[:, step].T
    kept = (col >= 0) & (effect != 0)
    at = np.nonzero(kept)[0]
    size = int(useful.sum())
    matrix = sparse.csr_matrix((effect[kept], (at, col[kept])), shape=(len(room), size))
    slack = -sparse.identity(len(room), format="csr")
    free = np.full(len(room), np.inf)
    variables = Span(np.zeros(size + len(room)), np.r_[upper.T[useful.T], free])
    costs = np.r_[cost.T[useful.T], np.full(len(room), _PENALTY)]
    found = Program(costs, variables, sparse.hstack([matrix, slack]), Span(-free, room)).solve()
    values.T[useful.T] = found[:size]
    return values, found[size:]
