"""HiGHS: one run of a program, with a plan to start from and without its banner."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import highspy
import numpy as np

from gridplan.errors import GridplanError
from gridplan.roadmap._program import INF, Program

SEED = 0


@dataclass(frozen=True)
class Run:
    """What one run found: values of the columns (None if nothing), their value, the bound, whether the search was complete."""

    values: np.ndarray | None
    value: float
    bound: float
    proved: bool
    infeasible: bool


@dataclass(frozen=True)
class Effort:
    """How far one run goes; plans worth no more than `cutoff` are of no interest, and then none are sought but by branching."""

    seconds: float = np.inf
    gap: float = 0.0
    threads: int = 1
    nodes: int | None = None
    cutoff: float | None = None


def quiet(effort: Effort) -> highspy.Highs:
    """Return a solver that prints nothing; the plain class, whose wrapper prints a banner before it can be silenced."""
    solver, options = highspy._Highs(), {"output_flag": False, "random_seed": SEED, "mip_abs_gap": 1e-6}
    options |= {"threads": effort.threads, "mip_rel_gap": effort.gap}
    if effort.nodes is not None:
        options["mip_max_nodes"] = effort.nodes
    if effort.cutoff is not None:
        options |= {"objective_bound": -effort.cutoff, "mip_heuristic_effort": 0.0}
    if np.isfinite(effort.seconds):
        options["time_limit"] = max(float(effort.seconds), 0.01)
    for name, value in options.items():
        solver.setOptionValue(name, value)
    return solver


@dataclass(frozen=True)
class Cut:
    """A row that every plan keeps: the sum of factors times columns is at most one."""

    columns: np.ndarray
    factors: np.ndarray


@dataclass(frozen=True)
class Part:
    """A part of a program: some of its columns within bounds of their own, and cuts."""

    columns: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    cuts: Sequence[Cut] = ()

    def narrow(self, solver: highspy.Highs) -> None:
        """Give the columns their bounds in a solver that has the program."""
        solver.changeColsBounds(len(self.columns), self.columns, self.lower, self.upper)


def add(solver: highspy.Highs, cuts: Iterable[Cut]) -> None:
    """Add cuts to the program in a solver."""
    for one in cuts:
        solver.addRow(-INF, 1.0, len(one.columns), one.columns, one.factors)


def run(
    program: Program, lp: highspy.HighsLp, effort: Effort, *, start: np.ndarray | None = None, part: Part | None = None
) -> Run:
    """Solve a program from :func:`~gridplan.roadmap._program.load` or a part of it, from a plan if one is given.

    HiGHS 1.16 may report the value of a plan that its presolve has made better than the one it was started from, and still return
    the latter. A value that does not belong to the plan returned is therefore not believed: if the search was complete it is run
    again without a start, otherwise the plan is kept with its own value.
    """
    begin = time.monotonic()
    found = _once(program, _solver(lp, effort, part), start)
    if start is not None and found.proved and found.values is not None:
        own = lp.offset_ + float(np.asarray(lp.col_cost_) @ found.values)
        if found.value - own > 1e-6 * max(abs(own), 1.0):
            left = effort.seconds - (time.monotonic() - begin)
            again = _once(program, _solver(lp, replace(effort, seconds=left), part), None)
            return again if again.values is not None else found
    if effort.cutoff is not None:
        found = replace(found, bound=effort.cutoff if found.infeasible else max(found.bound, effort.cutoff))
    return found


def _solver(lp: highspy.HighsLp, effort: Effort, part: Part | None) -> highspy.Highs:
    solver = quiet(effort)
    if solver.passModel(lp) == highspy.HighsStatus.kError:
        raise GridplanError("the solver refuses the program of the roadmap; this is a fault of gridplan")
    if part is not None:
        part.narrow(solver)
        add(solver, part.cuts)
    return solver


def _once(program: Program, solver: highspy.Highs, start: np.ndarray | None) -> Run:
    if start is not None:
        solution = highspy.HighsSolution()
        solution.col_value = list(start)
        solver.setSolution(solution)
    if solver.run() == highspy.HighsStatus.kError:
        raise GridplanError("the solver of the roadmap stopped with an error; this is a fault of gridplan")
    status, info = solver.getModelStatus(), solver.getInfo()
    infeasible = status in (highspy.HighsModelStatus.kInfeasible, highspy.HighsModelStatus.kUnboundedOrInfeasible)
    found = info.primal_solution_status == 2
    values = np.array(solver.getSolution().col_value) if found else None
    value = float(info.objective_function_value) if found else -np.inf
    bound = float(info.mip_dual_bound) if any(program.whole) else value
    return Run(values, value, bound, status == highspy.HighsModelStatus.kOptimal, infeasible)


def relaxed(lp: highspy.HighsLp, *, seconds: float = np.inf, part: Part | None = None) -> tuple[np.ndarray, np.ndarray, float]:
    """Return values of the columns, duals of the rows and the value, with fractions of projects allowed.

    Without columns and rows if there is no optimum or the time is over.
    """
    solver = _solver(lp, Effort(seconds), part)
    solver.setOptionValue("solve_relaxation", True)
    solver.run()
    if solver.getModelStatus() != highspy.HighsModelStatus.kOptimal:
        return np.zeros(0), np.zeros(0), np.nan
    solution = solver.getSolution()
    return np.array(solution.col_value), np.array(solution.row_dual), float(solver.getInfo().objective_function_value)
