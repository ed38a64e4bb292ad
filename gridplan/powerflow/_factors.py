"""The compiled part of other values in the same matrix: its factors, in the order of elimination that is there."""

from __future__ import annotations

import numpy as np
from numba import njit

from gridplan.powerflow._kernel import _COMPILED


@njit(**_COMPILED)
def refactored(grid, y):
    """Factors of a matrix with other values, and its voltages without load.

    Returns the values of the lower triangle and of the upper one, both by column, with their places, the inverse of the diagonal,
    and the voltages; the inverse is not finite where the matrix is singular.
    """
    values, inverse = _eliminated(grid, y)
    lower, upper = _by_column(grid, values, below=True), _by_column(grid, values, below=False)
    return lower, upper, inverse, _without_load(grid, y, values, inverse)


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
def _by_column(grid, values, below):
    """One strict triangle of a row pattern by column: pointers, rows and values."""
    n = grid.unknown
    pointers = np.zeros(n + 1, np.int64)
    for k in range(n):  # the pattern is symmetric: what stands right of a diagonal stands below it too
        count = grid.f_ptr[k + 1] - grid.f_diag[k] - 1 if below else grid.f_diag[k] - grid.f_ptr[k]
        pointers[k + 1] = pointers[k] + count
    rows, found = np.empty(pointers[n], np.int64), np.empty(pointers[n], np.complex128)
    free = pointers.copy()
    for k in range(n):
        first, last = (grid.f_ptr[k], grid.f_diag[k]) if below else (grid.f_diag[k] + 1, grid.f_ptr[k + 1])
        for e in range(first, last):
            at = free[grid.f_col[e]]
            rows[at], found[at] = k, values[e]
            free[grid.f_col[e]] += 1
    return pointers, rows, found


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
