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
    "primal_feasibility_tolerance": 1e-9,
    "dual_feasibility_tolerance": 1e-9,
}


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
    """

    def __init__(self, cost: np.ndarray, variables: Span, matrix: sparse.spmatrix, rows: Span) -> None:
        self._highs, columns = highspy._Highs(), sparse.csc_matrix(matrix)  # highspy.Highs says hello on the standard output
        for name, value in _OPTIONS.items():
            self._highs.setOptionValue(name, value)
        size = (len(cost), columns.shape[0], columns.nnz, _BY_COLUMN, _MINIMISE, 0.0)
        bounds = [np.ascontiguousarray(values, float) for values in (cost, *variables, *rows)]
        entries = columns.indptr.astype(np.int32), columns.indices.astype(np.int32), columns.data.astype(float)
        self._highs.passModel(*size, *bounds, *entries, np.zeros(len(cost), np.int32))

    def solve(self) -> np.ndarray:
        """Return the best values, (variables,).

        Raises
        ------
        NotConverged
            HiGHS finds none.
        """
        self._highs.run()
        status = self._highs.getModelStatus()
        if status != highspy.HighsModelStatus.kOptimal:
            raise NotConverged(f"a linear program has no solution: HiGHS says {self._highs.modelStatusToString(status)!r}")
        return np.array(self._highs.getSolution().col_value)

    def bound(self, columns: np.ndarray, low: np.ndarray, high: np.ndarray) -> None:
        """Change the bounds of some variables; the next solution starts from the last one."""
        self._highs.changeColsBounds(len(columns), columns.astype(np.int32), low, high)
