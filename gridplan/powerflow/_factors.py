"""The compiled part of other values in the same matrix: its factors, in the order of elimination that is there."""

from __future__ import annotations

import numpy as np
from numba import njit

from gridplan.powerflow._kernel import _COMPILED


@njit(**_COMPILED)
def refactored(grid, y):
    """Factors of a matrix with other values, in the row pattern of `grid`, and its voltages without load.

    Returns the values of both triangles, the inverse of the diagonal, which is not finite where the matrix is singular, and the
    voltages.
    """
    values, inverse = _eliminated(grid, y)
    return values, inverse, _without_load(grid, y, values, inverse)


@njit(**_COMPILED)
def _eliminated(grid, y):
    """L and U in the row pattern of `grid`, without pivoting; the diagonal of U is returned by its inverse."""
    n, f_ptr, f_col, f_diag = grid.unknown, grid.f_ptr, grid.f_col, grid.f_diag
    values, inverse, work = np.zeros(f_col.size, np.complex128), np.zeros(n, np.complex128), np.zeros(n, np.complex128)
    for k in range(n):
        for e in range(f_ptr[k], f_ptr[k + 1]):
            work[f_col[e]] = 0.0
        for e in range(grid.y_ptr[k], grid.y_ptr[k + 1]):
            if grid.y_col[e] < n:
                work[grid.y_col[e]] += y[e]
        for e in range(f_ptr[k], f_diag[k]):
            i = f_col[e]
            values[e] = work[i] * inverse[i]
            for o in range(f_diag[i] + 1, f_ptr[i + 1]):
                work[f_col[o]] -= values[e] * values[o]
        inverse[k] = 1.0 / work[k]
        for e in range(f_diag[k] + 1, f_ptr[k + 1]):
            values[e] = work[f_col[e]]
    return values, inverse


@njit(**_COMPILED)
def _without_load(grid, y, values, inverse):
    """Voltages of the unknown buses when nothing is drawn."""
    n = grid.unknown
    x = np.zeros(n, np.complex128)
    for k in range(n):
        for e in range(grid.y_ptr[k], grid.y_ptr[k + 1]):
            if grid.y_col[e] >= n:
                x[k] -= y[e] * grid.start[grid.y_col[e]]
        for e in range(grid.f_ptr[k], grid.f_diag[k]):
            x[k] -= values[e] * x[grid.f_col[e]]
    for k in range(n - 1, -1, -1):
        for e in range(grid.f_diag[k] + 1, grid.f_ptr[k + 1]):
            x[k] -= values[e] * x[grid.f_col[e]]
        x[k] *= inverse[k]
    return x
