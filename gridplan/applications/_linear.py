"""Linear programs with HiGHS: built from arrays, solved by the dual simplex method, solved again from where they stood."""

from __future__ import annotations

from typing import NamedTuple

import highspy
import numpy as np
from scipy import sparse

from gridplan.errors import NotConverged

_BY_COLUMN, _MINIMISE = 1, 1
_OPTIONS = {
    "output_flag": False,
    "threads": 1,
    "presolve": "off",  # programs of a few days are solved faster than reduced
    "solver": "simplex",
    "simplex_dual_edge_weight_strategy": 1,
    "dual_simplex_cost_perturbation_multiplier": 0.0,
}
_CAREFUL = {"presolve": "on", "simplex_dual_edge_weight_strategy": -1, "dual_simplex_cost_perturbation_multiplier": 1.0}
_FINAL = (highspy.HighsModelStatus.kOptimal, highspy.HighsModelStatus.kInfeasible)


class Span(NamedTuple):
    """Lowest and highest value of variables or of rows."""

    low: np.ndarray
    high: np.ndarray


class Program:
    """Least ``cost @ x`` with ``variables.low <= x <= variables.high`` and ``rows.low <= matrix @ x <= rows.high``.

    Parameters
    ----------
    cost
        Cost of each variable, (variables,).
    variables
        Their bounds.
    matrix
        Coefficients, (rows, variables).
    rows
        Bounds of the rows.
    start
        Basis to start from: variables that stand in the place of rows, as many of each. The method starts from the rows if not
        given.
    """

    def __init__(
        self,
        cost: np.ndarray,
        variables: Span,
        matrix: sparse.spmatrix,
        rows: Span,
        *,
        start: tuple[np.ndarray, np.ndarray] | None = None,
    ) -> None:
        self._highs, columns = highspy._Highs(), sparse.csc_matrix(matrix)  # highspy.Highs says hello on the standard output
        for name, value in _OPTIONS.items():
            self._highs.setOptionValue(name, value)
        size = (len(cost), columns.shape[0], columns.nnz, _BY_COLUMN, _MINIMISE, 0.0)
        bounds = [np.ascontiguousarray(values, float) for values in (cost, *variables, *rows)]
        entries = columns.indptr.astype(np.int32), columns.indices.astype(np.int32), columns.data.astype(float)
        self._highs.passModel(*size, *bounds, *entries, np.zeros(len(cost), np.int32))
        if start is not None:
            self._highs.setBasis(_basis(columns.shape, *start))

    def solve(self) -> np.ndarray:
        """Return the best values, (variables,).

        Raises
        ------
        NotConverged
            HiGHS finds none.
        """
        self._highs.run()
        status = self._highs.getModelStatus()
        if status not in _FINAL:  # it lost its way: from the beginning, with all of its precautions
            self._highs.clearSolver()
            for name, value in _CAREFUL.items():
                self._highs.setOptionValue(name, value)
            self._highs.run()
            status = self._highs.getModelStatus()
        if status != highspy.HighsModelStatus.kOptimal:
            raise NotConverged(f"a linear program has no solution: HiGHS says {self._highs.modelStatusToString(status)!r}")
        return np.array(self._highs.getSolution().col_value)

    def bound(self, columns: np.ndarray, low: np.ndarray, high: np.ndarray) -> None:
        """Change the bounds of some variables; the next solution starts from the last one."""
        self._highs.changeColsBounds(len(columns), columns.astype(np.int32), low, high)


def _basis(shape: tuple[int, int], variables: np.ndarray, rows: np.ndarray) -> highspy.HighsBasis:
    basis, status = highspy.HighsBasis(), highspy.HighsBasisStatus
    columns, lines = np.full(shape[1], status.kLower, object), np.full(shape[0], status.kBasic, object)
    columns[variables], lines[rows] = status.kBasic, status.kLower
    basis.col_status, basis.row_status = columns.tolist(), lines.tolist()
    basis.valid = True
    return basis
