"""The compiled part of derivatives: voltages at given powers, and the adjoint of the power-flow equations.

With ``V = Z I(V) + w`` a derivative of any quantity by the power at every bus is one solution with the conjugate transposed
matrix. It is found by the same fixed point as the voltages, on the same factors, many quantities side by side; see
:mod:`gridplan.powerflow._kernel` for the layout.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from gridplan.powerflow import _kernel
from gridplan.powerflow._kernel import _COMPILED, Block

_WIDTH = 64  # quantities or steps side by side
_MOST = 100  # iterations
_ACCURATE = 1e-5  # relative change at which derivatives are taken; their error is less
_SMALL = 1e-10  # error of voltages [pu] at which a solution is taken


@njit(**_COMPILED)
def voltages(grid, demand, power, out):
    """Solve for powers [pu] (buses, steps), from the voltages in `out` on, into `out`; NaN where there is no solution."""
    n, count = grid.unknown, power.shape[1]
    for first in range(0, count, _WIDTH):
        last = min(first + _WIDTH, count)
        p, q = power[:, first:last].real.copy(), power[:, first:last].imag.copy()
        vr, vi = out[:, first:last].real.copy(), out[:, first:last].imag.copy()
        space = np.zeros((n, last - first)), np.zeros((n, last - first)), np.zeros(last - first)
        iterations = np.zeros(last - first, np.int64)
        _kernel._fixed_point(grid, demand, Block(p, q, vr, vi, *space), _SMALL, _MOST, iterations)
        for t in range(last - first):
            for k in range(n):
                out[k, first + t] = complex(vr[k, t], vi[k, t]) if iterations[t] > 0 else complex(np.nan, np.nan)


@njit(**_COMPILED)
def _solve_adjoint(grid, xr, xi):
    """Solve with the conjugate transposed factors in place: first those of the upper, then those of the lower triangle."""
    for k in range(grid.unknown):
        a, b = grid.d_re[k], grid.d_im[k]
        for t in range(xr.shape[1]):
            real = a * xr[k, t] + b * xi[k, t]
            xi[k, t] = a * xi[k, t] - b * xr[k, t]
            xr[k, t] = real
        for e in range(grid.u_ptr[k], grid.u_ptr[k + 1]):
            j = grid.u_col[e]
            _kernel._take((grid.u_re[e], -grid.u_im[e]), (xr[k], xi[k]), (xr[j], xi[j]))
    for k in range(grid.unknown - 1, -1, -1):
        for e in range(grid.l_ptr[k], grid.l_ptr[k + 1]):
            j = grid.l_col[e]
            _kernel._take((grid.l_re[e], -grid.l_im[e]), (xr[k], xi[k]), (xr[j], xi[j]))


@njit(**_COMPILED)
def _seed(grid, meters, row, voltage, seed):
    """Add the gradient of a quantity by the voltages, g with df = Re(g^H dV), to `seed`; elements stand behind the buses."""
    if row < grid.start.size:
        if row < grid.unknown:
            seed[row] += voltage[row] / abs(voltage[row])
        return
    at = row - grid.start.size
    worst, place, current = -1.0, -1, 0.0 + 0.0j
    for m in range(meters.row_ptr[at], meters.row_ptr[at + 1]):
        start, end, y = voltage[meters.branch_from[m]], voltage[meters.branch_to[m]], meters.branch_y[m]
        for side in range(2):
            flow = y[2 * side] * start + y[2 * side + 1] * end
            scale = meters.scale_to[m] if side else meters.scale_from[m]
            if abs(flow) * scale > worst:
                worst, place, current = abs(flow) * scale, 2 * m + side, scale * flow / max(abs(flow), 1e-12)
    if place < 0:
        return
    m, side = place // 2, place % 2
    start, end = meters.branch_from[m], meters.branch_to[m]
    if start < grid.unknown:
        seed[start] += np.conj(meters.branch_y[m, 2 * side]) * current
    if end < grid.unknown:
        seed[end] += np.conj(meters.branch_y[m, 2 * side + 1]) * current


@njit(**_COMPILED)
def _answers(demand, k, power, v):
    """Return factors of the adjoint and of its conjugate by what a bus draws, and the shares of MW and Mvar drawn."""
    p, q, size = power.real, power.imag, abs(v)
    ip, zp, iq, zq = demand.current_p[k], demand.impedance_p[k], demand.current_q[k], demand.impedance_q[k]
    p_share = 1.0 - ip - zp + ip * size + zp * size * size
    q_share = 1.0 - iq - zq + iq * size + zq * size * size
    slope = complex(p * (ip + 2.0 * zp * size), -q * (iq + 2.0 * zq * size)) / (2.0 * size)
    back = complex(p * p_share, -q * q_share) / np.conj(v) ** 2 - slope * v / np.conj(v)
    return -np.conj(slope), back, p_share, q_share


@njit(**_COMPILED)
def _adjoint(grid, factors, seeds, x):
    """Iterate the adjoint of a block of quantities until every one has come to rest."""
    ar, ai, br, bi = factors
    sr, si = seeds
    xr, xi = x
    n, steps = xr.shape
    yr, yi = np.zeros((n, steps)), np.zeros((n, steps))
    change, size = np.empty(steps), np.empty(steps)
    for _ in range(_MOST):
        for k in range(n):
            for t in range(steps):  # seed + ahead * x + back * conj(x)
                yr[k, t] = sr[k, t] + (ar[k, t] + br[k, t]) * xr[k, t] + (bi[k, t] - ai[k, t]) * xi[k, t]
                yi[k, t] = si[k, t] + (ar[k, t] - br[k, t]) * xi[k, t] + (bi[k, t] + ai[k, t]) * xr[k, t]
        _solve_adjoint(grid, yr, yi)
        change[:], size[:] = 0.0, 1e-300
        for k in range(n):
            for t in range(steps):
                dr, di = yr[k, t] - xr[k, t], yi[k, t] - xi[k, t]
                change[t] = max(change[t], dr * dr + di * di)
                size[t] = max(size[t], yr[k, t] * yr[k, t] + yi[k, t] * yi[k, t])
                xr[k, t], xi[k, t] = yr[k, t], yi[k, t]
        if (change <= _ACCURATE * _ACCURATE * size).all():
            return


@njit(**_COMPILED)
def gradients(grid, demand, meters, state, rows, out):
    """Write derivatives of quantities by the power at each bus [per pu], into `out` (quantities, buses).

    `state` is (voltages, power) [pu], (buses, steps) each; `rows` is (position of the step, row of the quantity).
    """
    voltage, power = state
    step, row = rows
    n = grid.unknown
    for first in range(0, row.size, _WIDTH):
        count = min(_WIDTH, row.size - first)
        ar, ai, br, bi = np.empty((n, count)), np.empty((n, count)), np.empty((n, count)), np.empty((n, count))
        sr, si, xr, xi = np.empty((n, count)), np.empty((n, count)), np.zeros((n, count)), np.zeros((n, count))
        seed = np.empty(n, np.complex128)
        for t in range(count):
            at = step[first + t]
            seed[:] = 0.0
            _seed(grid, meters, row[first + t], voltage[:, at], seed)
            for k in range(n):
                ahead, back, _, _ = _answers(demand, k, power[k, at], voltage[k, at])
                ar[k, t], ai[k, t], br[k, t], bi[k, t] = ahead.real, ahead.imag, back.real, back.imag
                sr[k, t], si[k, t] = seed[k].real, seed[k].imag
        _adjoint(grid, (ar, ai, br, bi), (sr, si), (xr, xi))
        for t in range(count):
            at = step[first + t]
            for k in range(n):
                _, _, p_share, q_share = _answers(demand, k, power[k, at], voltage[k, at])
                found = -complex(xr[k, t], -xi[k, t]) / np.conj(voltage[k, at])
                out[first + t, k] = complex(found.real * p_share, found.imag * q_share)
