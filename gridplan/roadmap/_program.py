"""The mixed-integer program: binary starts, continuous "in service" and options, budgets written on the starts.

For a project p that may start in the years s: ``x[p,t] = x[p,t-1] + s[p,t-D]`` is its state in the year t, D years after the
start. Exactly one option runs in each block and year, ``sum of z = 1``. All options that need p, through whichever of their
applications, run together at most as far as p serves: ``sum of z over these options <= x[p,t]``; that is tighter than a row for
each application. Where one of several ways meets a need, the sum of ``w[way,t]`` takes the place of x, and ``w <= x``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import highspy
import numpy as np

from gridplan.roadmap._model import NEVER, Clause, Model
from gridplan.roadmap._objective import Weights

INF = highspy.kHighsInf


@dataclass
class Program:
    """Columns and rows while the program is put together, and the places of its columns."""

    model: Model
    whole_options: bool
    cost: list[float] = field(default_factory=list)
    upper: list[float] = field(default_factory=list)
    whole: list[bool] = field(default_factory=list)
    begins: list[int] = field(default_factory=list)
    index: list[int] = field(default_factory=list)
    factor: list[float] = field(default_factory=list)
    row_low: list[float] = field(default_factory=list)
    row_high: list[float] = field(default_factory=list)
    names: dict[tuple, int] = field(default_factory=dict)  # rows that are asked for later
    links: dict[tuple, int] = field(default_factory=dict)  # rows that tie options to projects, and projects to each other
    start: dict[tuple[int, int], int] = field(default_factory=dict)
    state: dict[tuple[int, int], int] = field(default_factory=dict)
    clause: dict[tuple[Clause, int], int] = field(default_factory=dict)
    way: dict[tuple[tuple[int, ...], int], int] = field(default_factory=dict)
    option: dict[tuple[int, int, int], int] = field(default_factory=dict)

    def column(self, *, upper: float = 1.0, whole: bool = False, cost: float = 0.0) -> int:
        """Add a column from 0 to `upper`."""
        self.cost.append(cost)
        self.upper.append(upper)
        self.whole.append(whole)
        return len(self.cost) - 1

    def row(self, terms: Iterable[tuple[int, float]], low: float, high: float, name: tuple | None = None) -> None:
        """Add a row of (column, factor); factors of a column that occurs twice add up."""
        added: dict[int, float] = {}
        for column, factor in terms:
            added[column] = added.get(column, 0.0) + factor
        self.begins.append(len(self.index))
        self.index += added.keys()
        self.factor += added.values()
        self.row_low.append(low)
        self.row_high.append(high)
        if name is not None:
            self.names[name] = len(self.row_low) - 1

    def served(self, project: int, year: int) -> int | None:
        """Return the column that says whether a project is in service in a year; None if it cannot be."""
        last = self.model.high[project] + self.model.steps[project]
        return self.state.get((project, min(year, int(last))))


def write(model: Model, *, whole_options: bool, floors: Sequence[tuple[Weights, float]] = ()) -> Program:
    """Write the program; `floors` are objectives that must stay at a value or above."""
    program = Program(model, whole_options)
    _projects(program)
    _clauses(program)
    _blocks(program)
    _waits(program)
    _limits(program)
    _targets(program)
    for number, (weight, floor) in enumerate(floors):
        constant, terms = objective(program, weight)
        program.row([(c, v) for c, v in terms.items() if v], floor - constant, INF, ("floor", number))
    return program


def _projects(program: Program) -> None:
    model = program.model
    for p in range(len(model.names)):
        for s in model.starts(p):
            program.start[p, s] = program.column(whole=True)
        for s in model.starts(p):
            t = s + int(model.steps[p])
            program.state[p, t] = program.column()
            before = [(program.state[p, t - 1], -1.0)] if (p, t - 1) in program.state else []
            program.row([(program.state[p, t], 1.0), *before, (program.start[p, s], -1.0)], 0, 0)
    for p in np.flatnonzero(model.mandatory):
        program.row([(program.start[p, s], 1.0) for s in model.starts(p)], 1, 1, ("mandatory", int(p)))
    for name, members in model.sets:
        terms = [(program.served(p, model.horizon), 1.0) for p in members if model.low[p] <= model.high[p]]
        program.row(terms, -INF, 1, ("set", name))


def _clauses(program: Program) -> None:
    """Add a column for each need that one of several ways meets."""
    model = program.model
    for clause in sorted({clause for unit in model.units for clause in unit if len(clause) > 1}):
        for t in range(model.horizon):
            ways = [(way, [program.served(p, t) for p in way]) for way in clause]
            open_now = [
                states[0] if len(way) == 1 else _way(program, way, states, t) for way, states in ways if None not in states
            ]
            if open_now:
                own = program.clause[clause, t] = program.column()
                program.row([(own, 1.0), *((column, -1.0) for column in open_now)], -INF, 0)


def _way(program: Program, way: tuple[int, ...], states: list[int], t: int) -> int:
    if (way, t) not in program.way:
        column = program.way[way, t] = program.column()
        for state in states:
            program.row([(column, 1.0), (state, -1.0)], -INF, 0)
    return program.way[way, t]


def _blocks(program: Program) -> None:
    """Add the options: one runs in each block and year, and those that need a project together at most as far as it serves."""
    model = program.model
    for b, block in enumerate(model.blocks):
        asked = _asked(model, block.units)
        for t in range(model.horizon):
            open_now = [o for o in range(len(block.options)) if block.ready[o] <= t]
            for o in open_now:
                program.option[b, o, t] = program.column(whole=program.whole_options and len(open_now) > 1)
            program.row([(program.option[b, o, t], 1.0) for o in open_now], 1, 1)
            for need, options in asked.items():
                terms = [(program.option[b, o, t], 1.0) for o in options if (b, o, t) in program.option]
                if terms:
                    column = program.served(need, t) if isinstance(need, int) else program.clause[need, t]
                    program.row([*terms, (column, -1.0)], -INF, 0)
                    program.links["ask", b, need, t] = len(program.row_low) - 1


def _asked(model: Model, wanted: Sequence[frozenset[int]]) -> dict[int | Clause, list[int]]:
    """Return which options need each project or clause of several ways."""
    found: dict[int | Clause, list[int]] = {}
    for o, units in enumerate(wanted):
        clauses = {clause for u in units for clause in model.units[u]}
        needs = {p for clause in clauses if len(clause) == 1 for p in clause[0]} | {c for c in clauses if len(c) > 1}
        for need in sorted(needs, key=str):
            found.setdefault(need, []).append(o)
    return found


def _waits(program: Program) -> None:
    model = program.model
    for one, other, offset in model.waits:
        for s in model.starts(one):
            after = program.served(one, s + int(model.steps[one]))
            before = program.served(other, s - offset + int(model.steps[other]))
            if before is None:
                program.row([(after, 1.0)], -INF, 0)
            else:
                program.row([(after, 1.0), (before, -1.0)], -INF, 0)
            program.links["wait", one, other, s] = len(program.row_low) - 1


def _limits(program: Program) -> None:
    model = program.model
    for limit in model.limits:
        use, amount = limit.held
        for t in range(model.horizon):
            terms = [(column, float(use[p, s, t])) for (p, s), column in program.start.items() if use[p, s, t] > 0]
            if terms:
                program.row(terms, -INF, float(amount[t]), ("limit", limit.kind, limit.name, t))


def _targets(program: Program) -> None:
    model = program.model
    for row in model.targets.itertuples():
        t = int(row.year - model.years[0])
        columns = [(b, o, column) for (b, o, year), column in program.option.items() if year == t]
        terms = [(column, float(model.blocks[b].kpis[row.kpi][o, t])) for b, o, column in columns]
        bounds = (-INF, row.value) if row.sense == "at most" else (row.value, INF)
        program.row([(c, v) for c, v in terms if v], *bounds, ("target", row.kpi, int(row.year), row.sense))


def objective(program: Program, weight: Weights) -> tuple[float, dict[int, float]]:
    """Return the constant and the factor of each column in an objective."""
    terms = {column: float(weight.starts[p, s]) for (p, s), column in program.start.items()}
    terms |= {column: float(weight.options[b][o, t]) for (b, o, t), column in program.option.items()}
    return 0.0, terms


def point(program: Program, starts: np.ndarray, options: list[np.ndarray]) -> np.ndarray:
    """Return the values of all columns of a plan."""
    model, found = program.model, np.zeros(len(program.cost))
    when = np.where(starts == NEVER, model.horizon + 1, starts + model.steps)
    for (p, s), column in program.start.items():
        found[column] = starts[p] == s
    for (p, t), column in program.state.items():
        found[column] = when[p] <= t
    for (way, t), column in program.way.items():
        found[column] = max(when[p] for p in way) <= t
    for (clause, t), column in program.clause.items():
        found[column] = min(max(when[p] for p in way) for way in clause) <= t
    for (b, o, t), column in program.option.items():
        found[column] = options[b][t] == o
    return found


def read(program: Program, values: np.ndarray) -> tuple[np.ndarray, list[np.ndarray]]:
    """Return starts and options from the values of the columns."""
    model = program.model
    starts = np.full(len(model.names), NEVER)
    for (p, s), column in program.start.items():
        if values[column] > 0.5:
            starts[p] = s
    options = [np.zeros(model.horizon, int) for _ in model.blocks]
    best = [np.full(model.horizon, -1.0) for _ in model.blocks]
    for (b, o, t), column in program.option.items():
        if values[column] > best[b][t] + 1e-9:
            best[b][t], options[b][t] = values[column], o
    return starts, options


def load(program: Program, weight: Weights) -> highspy.HighsLp:
    """Return the program in the solver's form; its objective is to be made as large as possible."""
    lp = highspy.HighsLp()
    constant, terms = objective(program, weight)
    cost = np.array(program.cost, dtype=float)
    cost[list(terms)] += list(terms.values())
    lp.num_col_, lp.num_row_ = len(cost), len(program.row_low)
    lp.offset_ = constant
    lp.col_cost_, lp.col_lower_, lp.col_upper_ = cost, np.zeros(len(cost)), np.array(program.upper, dtype=float)
    lp.row_lower_, lp.row_upper_ = np.array(program.row_low, dtype=float), np.array(program.row_high, dtype=float)
    lp.sense_ = highspy.ObjSense.kMaximize
    lp.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
    lp.a_matrix_.num_col_, lp.a_matrix_.num_row_ = lp.num_col_, lp.num_row_
    lp.a_matrix_.start_ = np.array([*program.begins, len(program.index)], dtype=np.int32)
    lp.a_matrix_.index_ = np.array(program.index, dtype=np.int32)
    lp.a_matrix_.value_ = np.array(program.factor, dtype=float)
    kinds = (highspy.HighsVarType.kContinuous, highspy.HighsVarType.kInteger)
    lp.integrality_ = [kinds[whole] for whole in program.whole]
    return lp
