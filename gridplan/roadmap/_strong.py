"""The program with states: rows that tie platforms and options to whole states, and prices that the states answer.

For each year and live state there is a column, one of them is 1, and they flow from states to larger ones. A project is in
service at least as far as the states that take it; the options that need any of some kinds run at most as far as the states that
have any of them; the value of a year is at most that of its states (:mod:`~gridplan.roadmap._states`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import highspy
import numpy as np
import scipy.sparse as sp

from gridplan.roadmap._model import Model
from gridplan.roadmap._objective import Weights
from gridplan.roadmap._program import INF, Program, load, write
from gridplan.roadmap._solver import Cut
from gridplan.roadmap._states import NEG, States, through, worth

Node = tuple[int, int]  # year, state


@dataclass(frozen=True)
class Strong:
    """A program with states, in the solver's form, and what its prices are turned into values with.

    Attributes
    ----------
    columns
        Column of each year and live state.
    base
        Value of each state by the objective alone, year x state.
    priced
        Whether a row holds nothing but starts and projects in service; its price is kept when states are valued.
    year_rows
        Rows that hold the value of a year to that of its states.
    """

    states: States
    program: Program
    lp: highspy.HighsLp
    weight: Weights
    columns: dict[Node, int]
    base: np.ndarray
    gain: np.ndarray
    priced: np.ndarray
    year_rows: np.ndarray
    matrix: sp.csr_matrix


def gains(model: Model, weight: Weights) -> np.ndarray:
    """Return the objective of starts as value of each project in service in each year, which adds up to the same."""
    found = np.zeros(weight.starts.shape)
    for p in range(len(found)):
        for s in model.starts(p):
            after = weight.starts[p, s + 1] if s < model.high[p] else 0.0
            found[p, s + model.steps[p]] = weight.starts[p, s] - after
    return found


def first_values(states: States, weight: Weights) -> np.ndarray:
    """Return what each affordable state can be worth in each year by the objective alone."""
    return worth(states, gains(states.model, weight), weight.options, states.affordable)


def strengthen(states: States, weight: Weights, base: np.ndarray, alive: np.ndarray, *, rows: bool = True) -> Strong:
    """Return the program with its live states; without rows for them it only leaves out options that no live state runs."""
    model = _narrow(states, alive)
    program = write(model, whole_options=len(model.targets) > 0)
    own, ends = {*program.start.values(), *program.state.values()}, [*program.begins[1:], len(program.index)]
    priced = [own.issuperset(program.index[begin:end]) for begin, end in zip(program.begins, ends, strict=True)]
    gain, columns, first = gains(states.model, weight), {}, len(program.row_low)
    if rows:
        columns = {(int(t), int(state)): program.column() for t, state in np.argwhere(alive)}
        _years(program, columns, weight=weight, gain=gain, base=base)
        opened = _Opened(program, alive, columns)
        _flow(program, states, opened, columns)
        _platforms(program, states, opened)
        _options(program, states, opened)
    lp = load(program, weight)
    begins = [*program.begins, len(program.index)]
    matrix = sp.csr_matrix((program.factor, program.index, begins), shape=(lp.num_row_, lp.num_col_))
    return Strong(
        states=states,
        program=program,
        lp=lp,
        weight=weight,
        columns=columns,
        base=base,
        gain=gain,
        priced=np.r_[priced, np.zeros(lp.num_row_ - first, bool)].astype(bool),
        year_rows=np.arange(first, first + model.horizon) if rows else np.zeros(0, int),
        matrix=matrix.T.tocsr(),
    )


def _narrow(states: States, alive: np.ndarray) -> Model:
    """Return the model in which options are ready no sooner than the first live state that has their kinds."""
    live = [np.flatnonzero(row) for row in alive]
    first: dict[int, int] = {}
    for kinds in {int(k) for block in states.open_kinds for k in block}:
        years = [t for t, some in enumerate(live) if ((some & kinds) == kinds).any()]
        first[kinds] = years[0] if years else states.model.horizon
    blocks = tuple(
        replace(block, ready=np.maximum(block.ready, [first[int(k)] for k in kinds]))
        for block, kinds in zip(states.model.blocks, states.open_kinds, strict=True)
    )
    return replace(states.model, blocks=blocks)


class _Opened:
    """Columns that say how far the states of a year that have any of some kinds are there together; one for all rows that ask.

    Attributes
    ----------
    live
        Live states of each year.
    """

    def __init__(self, program: Program, alive: np.ndarray, columns: dict[Node, int]) -> None:
        self._program, self._columns = program, columns
        self._found: dict[tuple[int, tuple[int, ...]], int] = {}
        self.live = [np.flatnonzero(row) for row in alive]

    def column(self, year: int, kinds: int) -> int | None:
        """Return the column of a year and kinds; None if every live state has some of them."""
        states = self.live[year][(self.live[year] & kinds) > 0]
        if len(states) == len(self.live[year]):
            return None
        key = (year, tuple(states.tolist()))
        if key not in self._found:
            self._found[key] = own = self._program.column()
            self._program.row([(own, 1.0), *((self._columns[year, int(s)], -1.0) for s in states)], 0, 0)
        return self._found[key]


def _flow(program: Program, states: States, opened: _Opened, columns: dict[Node, int]) -> None:
    """Let one state be there in each year, and kinds stay open: every one, and any of two."""
    singles = [1 << k for k in range(len(states.kinds))]
    pairs = sorted({one | other for one in singles for other in singles})
    for t, live in enumerate(opened.live):
        program.row([(columns[t, int(state)], 1.0) for state in live], 1, 1)
        steps = {(opened.column(t - 1, some), opened.column(t, some)) for some in pairs} if t else set()
        for past, now in sorted((past, now) for past, now in steps if past is not None and now is not None):
            program.row([(now, 1.0), (past, -1.0)], 0, INF)


def _platforms(program: Program, states: States, opened: _Opened) -> None:
    """Shared projects are in service as far as the states that take them."""
    takers = [sum(1 << k for k, kind in enumerate(states.kinds) if p in kind) for p in states.shared]
    for t in range(program.model.horizon):
        for p, kinds in zip(states.shared, takers, strict=True):
            if ((opened.live[t] & kinds) > 0).any():
                taken = opened.column(t, kinds)
                terms = [(program.served(int(p), t), 1.0)]
                program.row(terms if taken is None else [*terms, (taken, -1.0)], float(taken is None), INF)


def _options(program: Program, states: States, opened: _Opened) -> None:
    """Options that need any of some kinds run at most as far as the states that have any of them."""
    for t in range(program.model.horizon):
        for b, kinds in enumerate(states.open_kinds):
            open_now = [(o, program.option[b, o, t]) for o in range(len(kinds)) if (b, o, t) in program.option]
            done = set()
            for some in _unions(kinds[[o for o, _ in open_now]]):
                there = opened.column(t, some)
                asking = tuple(column for o, column in open_now if kinds[o] & some)
                if there is not None and asking and (there, asking) not in done:
                    done.add((there, asking))
                    program.row([*((column, 1.0) for column in asking), (there, -1.0)], -INF, 0)


def _unions(kinds: np.ndarray) -> list[int]:
    """Return every set of kinds of which an option has some, at most 31."""
    every = int(np.bitwise_or.reduce(kinds)) if len(kinds) else 0
    bits = [1 << k for k in range(every.bit_length()) if every >> k & 1]
    found = [0]
    for bit in bits:
        found += [one | bit for one in found] if len(found) < 32 else [bit]
    return found[1:]


def _years(program: Program, columns: dict[Node, int], *, weight: Weights, gain: np.ndarray, base: np.ndarray) -> None:
    """Add the rows that hold the value of each year to that of its states."""
    terms: list[list[tuple[int, float]]] = [[] for _ in range(program.model.horizon)]
    for (b, o, t), column in program.option.items():
        terms[t].append((column, float(weight.options[b][o, t])))
    for (p, t), column in program.state.items():
        terms[t].append((column, float(gain[p, t])))
    for node, column in columns.items():
        terms[node[0]].append((column, -float(base[node])))
    for some in terms:
        program.row([(column, factor) for column, factor in some if factor], -INF, 0)


def values(strong: Strong, prices: np.ndarray, alive: np.ndarray, cuts: Sequence[Cut] = ()) -> np.ndarray:
    """Return what live states can be worth when everything else is paid at the prices of the linear program.

    The rows of starts and projects in service leave the program and their prices enter the objective, a Lagrangian relaxation:
    what it is worth at best is a bound for whatever prices. The constant is in the values of the first year. The prices of `cuts`
    come after those of the rows of the program.
    """
    program, model = strong.program, strong.program.model
    low, high = np.asarray(program.row_low), np.asarray(program.row_high)
    dual = np.where(strong.priced, prices[: len(low)], 0.0)
    dual = np.where(((dual > 0) & (high < INF)) | ((dual < 0) & (low > -INF)), dual, 0.0)
    side = np.where(dual > 0, np.where(high < INF, high, 0.0), np.where(low > -INF, low, 0.0))
    reduced = np.asarray(strong.lp.col_cost_) - strong.matrix @ dual
    extra = np.maximum(prices[len(low) :], 0.0)
    for cut, price in zip(cuts, extra, strict=True):
        reduced[cut.columns] -= price * cut.factors
    best = np.zeros(len(model.names))
    for (p, _), column in program.start.items():
        best[p] = max(best[p], reduced[column])
    share = np.maximum(prices[strong.year_rows], 0.0) if len(strong.year_rows) else np.zeros(model.horizon)
    gain = -share * strong.gain
    for (p, t), column in program.state.items():
        gain[p, t] += reduced[column]
    options = [-share * table for table in strong.weight.options]
    for (b, o, t), column in program.option.items():
        options[b][o, t] += reduced[column]
    found = worth(strong.states, gain, options, alive) + share[:, None] * strong.base
    found[0] += dual @ side + extra.sum() + best.sum()
    return found


def kept(alive: np.ndarray, tables: list[np.ndarray], least: float) -> tuple[float, np.ndarray]:
    """Return a bound on all chains of live states, and the states through which one of at least `least` passes."""
    top = np.inf
    for table in tables:
        best = through(np.where(alive, table, NEG))
        top = min(top, best[-1].max())
        alive = alive & (best >= least)
    return (top if alive.any(axis=1).all() else -np.inf), alive
