"""The compiled part: blocks of time steps, held side by side, through one factorised admittance matrix.

Every array of a block has the shape (buses, steps), so that the innermost loops run over contiguous steps and the compiler can
vectorise them. Real and imaginary parts are kept apart for the same reason. All quantities are per unit.

The fixed point is the current-injection (implicit Z-bus) iteration ``V <- Z conj(S(V)/V) + w`` [1]_. Newton-Raphson works on
the same matrix in polar coordinates, with one 2x2 block per entry and the elimination order of the admittance matrix.

References
----------
.. [1] T.-H. Chen, M.-S. Chen, K.-J. Hwang, P. Kotas, E. A. Chebli, Distribution system power flow analysis - a rigid
   approach, IEEE Trans. Power Delivery 6 (3), 1991.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

# NaN and infinity must keep their meaning (a diverged step is recognised by them), so fastmath without nnan and ninf.
_COMPILED = {"cache": True, "nogil": True, "error_model": "numpy", "fastmath": {"contract", "reassoc", "nsz", "arcp"}}

FIXED_POINT, NEWTON, FAILED = 0, 1, 2
_MAX_NEWTON = 30
_LOST = 1e6  # a squared change of voltages beyond this never comes back
_RATE_FLOOR = 0.1  # a contraction faster than this is not trusted when the remaining error is estimated


class Grid(NamedTuple):
    """The admittance matrix, rows in elimination order, slack buses last, and its factors."""

    unknown: int
    y_ptr: np.ndarray
    y_col: np.ndarray
    y: np.ndarray
    l_ptr: np.ndarray
    l_row: np.ndarray
    l_re: np.ndarray
    l_im: np.ndarray
    u_ptr: np.ndarray
    u_row: np.ndarray
    u_re: np.ndarray
    u_im: np.ndarray
    d_re: np.ndarray
    d_im: np.ndarray
    no_load: np.ndarray
    start: np.ndarray
    controlled: np.ndarray
    f_ptr: np.ndarray
    f_col: np.ndarray
    f_diag: np.ndarray
    newton_only: bool


class Demand(NamedTuple):
    """Consumption less generation by bus: a static part and parts that follow a shape; and its voltage dependence."""

    p: np.ndarray
    q: np.ndarray
    p_bus: np.ndarray
    p_shape: np.ndarray
    p_size: np.ndarray
    q_bus: np.ndarray
    q_shape: np.ndarray
    q_size: np.ndarray
    generation: np.ndarray
    dependent: bool
    current_p: np.ndarray
    impedance_p: np.ndarray
    current_q: np.ndarray
    impedance_q: np.ndarray


class Meters(NamedTuple):
    """What is read off the voltages: which bus at which row, which branches load which element."""

    bus: np.ndarray
    first: np.ndarray
    row_ptr: np.ndarray
    row_kind: np.ndarray
    branch_from: np.ndarray
    branch_to: np.ndarray
    branch_y: np.ndarray
    scale_from: np.ndarray
    scale_to: np.ndarray
    branch_kind: np.ndarray
    angles: bool


class Readings(NamedTuple):
    """Outputs of a chunk of steps."""

    vm: np.ndarray
    va: np.ndarray
    loading: np.ndarray
    losses: np.ndarray
    slack_p: np.ndarray
    slack_q: np.ndarray
    demand: np.ndarray
    extreme: np.ndarray
    extreme_at: np.ndarray
    method: np.ndarray
    iterations: np.ndarray


@njit(**_COMPILED)
def _inject(demand, shapes, first, steps, p, q):  # noqa: PLR0913, PLR0917 - a kernel
    for i in range(p.shape[0]):
        p[i, :] = demand.p[i]
        q[i, :] = demand.q[i]
    for e in range(demand.p_bus.size):
        row, size, shape = p[demand.p_bus[e]], demand.p_size[e], shapes[demand.p_shape[e], first : first + steps]
        for t in range(steps):
            row[t] += size * shape[t]
    for e in range(demand.q_bus.size):
        row, size, shape = q[demand.q_bus[e]], demand.q_size[e], shapes[demand.q_shape[e], first : first + steps]
        for t in range(steps):
            row[t] += size * shape[t]


@njit(**_COMPILED)
def _currents(demand, k, p, q, vr, vi, xr, xi):  # noqa: PLR0913, PLR0917 - a kernel
    """Add the currents that a voltage-dependent demand of bus k draws to the right-hand side."""
    ip, zp, iq, zq = demand.current_p[k], demand.impedance_p[k], demand.current_q[k], demand.impedance_q[k]
    for t in range(p.shape[1]):
        square = vr[k, t] * vr[k, t] + vi[k, t] * vi[k, t]
        size = np.sqrt(square)
        pt = p[k, t] * (1.0 - ip - zp + ip * size + zp * square)
        qt = q[k, t] * (1.0 - iq - zq + iq * size + zq * square)
        xr[k, t] -= (pt * vr[k, t] + qt * vi[k, t]) / square
        xi[k, t] -= (pt * vi[k, t] - qt * vr[k, t]) / square


@njit(**_COMPILED)
def _forward(demand, l_ptr, l_row, l_re, l_im, p, q, vr, vi, xr, xi):  # noqa: PLR0913, PLR0917 - a kernel
    """Currents of all buses, then forward substitution; x must hold zeros."""
    steps = p.shape[1]
    for k in range(xr.shape[0]):
        if demand.dependent:
            _currents(demand, k, p, q, vr, vi, xr, xi)
        else:
            for t in range(steps):
                share = 1.0 / (vr[k, t] * vr[k, t] + vi[k, t] * vi[k, t])
                xr[k, t] -= (p[k, t] * vr[k, t] + q[k, t] * vi[k, t]) * share
                xi[k, t] -= (p[k, t] * vi[k, t] - q[k, t] * vr[k, t]) * share
        for e in range(l_ptr[k], l_ptr[k + 1]):
            i, a, b = l_row[e], l_re[e], l_im[e]
            for t in range(steps):
                xr[i, t] -= a * xr[k, t] - b * xi[k, t]
                xi[i, t] -= a * xi[k, t] + b * xr[k, t]


@njit(**_COMPILED)
def _backward(d_re, d_im, no_load, u_ptr, u_row, u_re, u_im, vr, vi, xr, xi, change):  # noqa: PLR0913, PLR0917 - a kernel
    """Backward substitution, new voltages, squared change of each step; leaves zeros in x."""
    steps = change.size
    for t in range(steps):
        change[t] = 0.0
    for k in range(xr.shape[0] - 1, -1, -1):
        a, b, wr, wi = d_re[k], d_im[k], no_load[k].real, no_load[k].imag
        for t in range(steps):
            r = a * xr[k, t] - b * xi[k, t]
            i = a * xi[k, t] + b * xr[k, t]
            xr[k, t] = r
            xi[k, t] = i
            dr = r + wr - vr[k, t]
            di = i + wi - vi[k, t]
            vr[k, t] += dr
            vi[k, t] += di
            change[t] += dr * dr + di * di
        for e in range(u_ptr[k], u_ptr[k + 1]):
            i, a, b = u_row[e], u_re[e], u_im[e]
            for t in range(steps):
                xr[i, t] -= a * xr[k, t] - b * xi[k, t]
                xi[i, t] -= a * xi[k, t] + b * xr[k, t]
        for t in range(steps):
            xr[k, t] = 0.0
            xi[k, t] = 0.0


@njit(**_COMPILED)
def _sweep(grid, demand, p, q, vr, vi, xr, xi, change):  # noqa: PLR0913, PLR0917 - a kernel
    """One fixed-point iteration of a block; `change` is the squared change of all voltages of a step."""
    _forward(demand, grid.l_ptr, grid.l_row, grid.l_re, grid.l_im, p, q, vr, vi, xr, xi)
    _backward(grid.d_re, grid.d_im, grid.no_load, grid.u_ptr, grid.u_row, grid.u_re, grid.u_im, vr, vi, xr, xi, change)


@njit(**_COMPILED)
def _fixed_point(grid, demand, p, q, vr, vi, xr, xi, change, limits, iterations):  # noqa: PLR0913, PLR0917 - a kernel
    """Iterate a block until every step has converged or is given up; `iterations` stays 0 for the latter."""
    tolerance, most = limits
    before = np.empty_like(change)
    iterations[:] = 0
    xr[:] = 0.0
    xi[:] = 0.0
    for round_ in range(1, int(most) + 1):
        before[:] = change
        _sweep(grid, demand, p, q, vr, vi, xr, xi, change)
        waiting = 0
        for t in range(change.size):
            if iterations[t] > 0:
                continue
            # What is still missing is the rest of a geometric series whose ratio the last two changes show.
            rate = np.sqrt(change[t] / before[t]) if round_ > 1 and before[t] > 0.0 else 0.5
            if change[t] == 0.0 or (rate < 1.0 and np.sqrt(change[t]) * max(rate, _RATE_FLOOR) / (1.0 - rate) < tolerance):
                iterations[t] = round_
            elif change[t] < _LOST:
                waiting += 1
        if waiting == 0:
            return


@njit(**_COMPILED)
def _specified(demand, k, p, q, size):
    """Power that the demand of bus k leaves to be injected [pu], and its derivative for a relative change of voltage."""
    ip, zp, iq, zq = demand.current_p[k], demand.impedance_p[k], demand.current_q[k], demand.impedance_q[k]
    square = size * size
    s = complex(
        demand.generation[k] - p * (1.0 - ip - zp + ip * size + zp * square),
        -q * (1.0 - iq - zq + iq * size + zq * square),
    )
    return s, complex(-p * (ip * size + 2.0 * zp * square), -q * (iq * size + 2.0 * zq * square))


@njit(**_COMPILED)
def _jacobian_row(grid, demand, k, p, q, v, work, mismatch):  # noqa: PLR0913, PLR0917 - a kernel
    """Scatter the 2x2 blocks of row k into `work`, write the mismatch of bus k, return its size."""
    total = 0.0 + 0.0j
    for e in range(grid.f_ptr[k], grid.f_ptr[k + 1]):
        work[grid.f_col[e], :] = 0.0
    for e in range(grid.y_ptr[k], grid.y_ptr[k + 1]):
        i = grid.y_col[e]
        flow = v[k] * np.conj(grid.y[e] * v[i])
        total += flow
        if i < grid.unknown:
            work[i, 0], work[i, 1] = work[i, 0] + flow.imag, work[i, 1] + flow.real
            work[i, 2], work[i, 3] = work[i, 2] - flow.real, work[i, 3] + flow.imag
    wanted, slope = _specified(demand, k, p, q, abs(v[k]))
    work[k, 0] -= total.imag
    work[k, 1] += total.real - slope.real
    work[k, 2] += total.real
    work[k, 3] += total.imag - slope.imag
    mismatch[k, 0] = wanted.real - total.real
    mismatch[k, 1] = wanted.imag - total.imag
    if grid.controlled[k]:
        for e in range(grid.f_ptr[k], grid.f_ptr[k + 1]):
            work[grid.f_col[e], 2:] = 0.0
        work[k, 3] = 1.0
        mismatch[k, 1] = 0.0
    return max(abs(mismatch[k, 0]), abs(mismatch[k, 1]))


@njit(**_COMPILED)
def _factor_row(grid, k, work, blocks, x):
    """Eliminate row k, held in `work`, with the rows above it; keep its upper part and the inverse of its diagonal."""
    for e in range(grid.f_ptr[k], grid.f_diag[k]):
        i = grid.f_col[e]
        d = blocks[grid.f_diag[i]]
        m0 = work[i, 0] * d[0] + work[i, 1] * d[2]
        m1 = work[i, 0] * d[1] + work[i, 1] * d[3]
        m2 = work[i, 2] * d[0] + work[i, 3] * d[2]
        m3 = work[i, 2] * d[1] + work[i, 3] * d[3]
        for o in range(grid.f_diag[i] + 1, grid.f_ptr[i + 1]):
            j, u = grid.f_col[o], blocks[o]
            work[j, 0] -= m0 * u[0] + m1 * u[2]
            work[j, 1] -= m0 * u[1] + m1 * u[3]
            work[j, 2] -= m2 * u[0] + m3 * u[2]
            work[j, 3] -= m2 * u[1] + m3 * u[3]
        x[k, 0] -= m0 * x[i, 0] + m1 * x[i, 1]
        x[k, 1] -= m2 * x[i, 0] + m3 * x[i, 1]
    scale = 1.0 / (work[k, 0] * work[k, 3] - work[k, 1] * work[k, 2])
    diagonal = blocks[grid.f_diag[k]]
    diagonal[0], diagonal[1] = work[k, 3] * scale, -work[k, 1] * scale
    diagonal[2], diagonal[3] = -work[k, 2] * scale, work[k, 0] * scale
    for e in range(grid.f_diag[k] + 1, grid.f_ptr[k + 1]):
        blocks[e] = work[grid.f_col[e]]


@njit(**_COMPILED)
def _newton_step(grid, demand, p, q, v, work, blocks, x):  # noqa: PLR0913, PLR0917 - a kernel
    """One Newton-Raphson step; returns the mismatch before it and the largest change of it, both per unit."""
    worst, largest = 0.0, 0.0
    for k in range(grid.unknown):
        found = _jacobian_row(grid, demand, k, p[k], q[k], v, work, x)
        worst = found if not found <= worst else worst
        _factor_row(grid, k, work, blocks, x)
    for k in range(grid.unknown - 1, -1, -1):
        a, b = x[k]
        for e in range(grid.f_diag[k] + 1, grid.f_ptr[k + 1]):
            i, u = grid.f_col[e], blocks[e]
            a -= u[0] * x[i, 0] + u[1] * x[i, 1]
            b -= u[2] * x[i, 0] + u[3] * x[i, 1]
        d = blocks[grid.f_diag[k]]
        x[k, 0], x[k, 1] = d[0] * a + d[1] * b, d[2] * a + d[3] * b
        change = max(abs(x[k, 0]), abs(x[k, 1]))
        largest = change if not change <= largest else largest
    for k in range(grid.unknown):
        v[k] *= (1.0 + x[k, 1]) * np.exp(1j * x[k, 0])
    return worst, largest


@njit(**_COMPILED)
def _newton(grid, demand, p, q, v, tolerance):  # noqa: PLR0913, PLR0917 - a kernel
    """Solve one step by Newton-Raphson from `v`; the number of iterations, or 0 if there is no solution to be found."""
    work = np.zeros((grid.unknown, 4))
    blocks = np.zeros((grid.f_col.size, 4))
    x = np.zeros((grid.unknown, 2))
    for round_ in range(1, _MAX_NEWTON + 1):
        worst, change = _newton_step(grid, demand, p, q, v, work, blocks, x)
        if not np.isfinite(worst) or not np.isfinite(change):
            return 0
        # Quadratic convergence: after a change this small the next one would be of the order of its square.
        if change * change < tolerance * 1e-5 and worst < 1e-2:
            for k in range(grid.unknown):
                if not abs(v[k]) > 0.0:
                    return 0
            return round_
    return 0


@njit(**_COMPILED)
def _rescue(grid, demand, p, q, vr, vi, last, tolerance, method, iterations):  # noqa: PLR0913, PLR0917 - a kernel
    """Newton-Raphson for the steps without a solution so far; NaN where that fails as well."""
    v = np.empty_like(grid.start)
    for t in range(iterations.size):
        if iterations[t] > 0:
            method[t] = FIXED_POINT
            continue
        method[t] = NEWTON
        v[:] = last
        iterations[t] = _newton(grid, demand, p[:, t].copy(), q[:, t].copy(), v, tolerance)
        if iterations[t] == 0 and grid.newton_only:
            v[:] = grid.start
            iterations[t] = _newton(grid, demand, p[:, t].copy(), q[:, t].copy(), v, tolerance)
        if iterations[t] == 0:
            method[t] = FAILED
            v[:] = complex(np.nan, np.nan)
        elif grid.newton_only:
            last[:] = v
        vr[:, t] = v.real
        vi[:, t] = v.imag


@njit(**_COMPILED)
def _extremes(values, steps, row, kind, best, at):  # noqa: PLR0913, PLR0917 - a kernel
    """Keep, step by step, the largest value of a kind and the row that has it."""
    b, a = best[kind], at[kind]
    for t in range(steps):
        larger = values[t] > b[t]
        b[t] = values[t] if larger else b[t]
        a[t] = row if larger else a[t]


@njit(**_COMPILED)
def _read_buses(meters, vr, vi, first, steps, out, best, at):  # noqa: PLR0913, PLR0917 - a kernel
    size = np.empty(steps)
    for i in range(meters.bus.size):
        k = meters.bus[i]
        if k < 0:
            continue
        if meters.first[i] != i:  # connected by a closed switch to a bus already read
            out.vm[i, first : first + steps] = out.vm[meters.first[i], first : first + steps]
        else:
            row, kr, ki = out.vm[i, first : first + steps], vr[k], vi[k]
            for t in range(steps):
                size[t] = np.sqrt(kr[t] * kr[t] + ki[t] * ki[t])
                row[t] = size[t]
            _extremes(size, steps, i, 1, best, at)
            for t in range(steps):
                size[t] = -size[t]
            _extremes(size, steps, i, 0, best, at)
        if meters.angles:
            for t in range(steps):
                out.va[i, first + t] = np.degrees(np.arctan2(vi[k, t], vr[k, t]))


@njit(**_COMPILED)
def _read_branch(meters, m, steps, vr, vi, losses, worst):  # noqa: PLR0913, PLR0917 - a kernel
    """Add the losses of branch m and raise `worst`, the squared loading of its element, to that of the branch."""
    fr, fi, tr, ti = vr[meters.branch_from[m]], vi[meters.branch_from[m]], vr[meters.branch_to[m]], vi[meters.branch_to[m]]
    y = meters.branch_y[m]
    ffr, ffi, ftr, fti = y[0].real, y[0].imag, y[1].real, y[1].imag
    tfr, tfi, ttr, tti = y[2].real, y[2].imag, y[3].real, y[3].imag
    sf, st = meters.scale_from[m] ** 2, meters.scale_to[m] ** 2
    for t in range(steps):
        a = ffr * fr[t] - ffi * fi[t] + ftr * tr[t] - fti * ti[t]
        b = ffr * fi[t] + ffi * fr[t] + ftr * ti[t] + fti * tr[t]
        c = tfr * fr[t] - tfi * fi[t] + ttr * tr[t] - tti * ti[t]
        d = tfr * fi[t] + tfi * fr[t] + ttr * ti[t] + tti * tr[t]
        losses[t] += fr[t] * a + fi[t] * b + tr[t] * c + ti[t] * d
        from_ = sf * (a * a + b * b)
        to = st * (c * c + d * d)
        both = from_ if from_ > to else to
        worst[t] = worst[t] if worst[t] > both else both


@njit(**_COMPILED)
def _read_branches(meters, vr, vi, first, steps, out, best, at):  # noqa: PLR0913, PLR0917 - a kernel
    worst = np.empty(steps)
    losses = np.zeros((3, steps))
    for r in range(meters.row_ptr.size - 1):
        if meters.row_ptr[r] == meters.row_ptr[r + 1]:
            continue
        worst[:] = 0.0
        for m in range(meters.row_ptr[r], meters.row_ptr[r + 1]):
            _read_branch(meters, m, steps, vr, vi, losses[meters.branch_kind[m]], worst)
        if r >= out.loading.shape[0]:  # the last row collects what has no rating
            continue
        row = out.loading[r, first : first + steps]
        for t in range(steps):
            worst[t] = np.sqrt(worst[t])
            row[t] = worst[t]
        if np.isfinite(meters.scale_from[meters.row_ptr[r]]):
            _extremes(worst, steps, r, meters.row_kind[r], best, at)
    out.losses[:, first : first + steps] = losses


@njit(**_COMPILED)
def _read_totals(grid, demand, p, q, vr, vi, first, steps, out):  # noqa: PLR0913, PLR0917 - a kernel
    """Sum the demand at the voltages found, and find what the slack buses inject."""
    total = np.zeros(steps)
    for k in range(p.shape[0]):
        pk = p[k]
        if demand.dependent and (demand.current_p[k] != 0.0 or demand.impedance_p[k] != 0.0):
            for t in range(steps):
                size = np.sqrt(vr[k, t] * vr[k, t] + vi[k, t] * vi[k, t])
                total[t] += demand.generation[k] - _specified(demand, k, pk[t], 0.0, size)[0].real
        else:
            for t in range(steps):
                total[t] += pk[t]
    out.demand[first : first + steps] = total
    for k in range(grid.unknown, p.shape[0]):
        for t in range(steps):
            current, v = 0.0 + 0.0j, complex(vr[k, t], vi[k, t])
            for e in range(grid.y_ptr[k], grid.y_ptr[k + 1]):
                current += grid.y[e] * complex(vr[grid.y_col[e], t], vi[grid.y_col[e], t])
            s = v * np.conj(current) - _specified(demand, k, p[k, t], q[k, t], abs(v))[0]
            out.slack_p[k - grid.unknown, first + t] = s.real
            out.slack_q[k - grid.unknown, first + t] = s.imag


@njit(**_COMPILED)
def solve(grid, demand, meters, shapes, out, block, tolerance, most):  # noqa: PLR0913, PLR0917 - a kernel
    """Solve all steps of `shapes` (shapes, steps), `block` of them at a time, into `out`."""
    buses, unknown, count = grid.start.size, grid.unknown, shapes.shape[1]
    last = grid.start.copy()
    for first in range(0, count, block):
        steps = min(block, count - first)
        p, q = np.empty((buses, steps)), np.empty((buses, steps))
        vr, vi = np.empty((buses, steps)), np.empty((buses, steps))
        xr, xi, change = np.empty((unknown, steps)), np.empty((unknown, steps)), np.zeros(steps)
        _inject(demand, shapes, first, steps, p, q)
        for k in range(buses):
            vr[k, :] = grid.start[k].real
            vi[k, :] = grid.start[k].imag
        iterations, method = out.iterations[first : first + steps], out.method[first : first + steps]
        iterations[:] = 0
        if not grid.newton_only:
            _fixed_point(grid, demand, p, q, vr, vi, xr, xi, change, (tolerance, most), iterations)
        _rescue(grid, demand, p, q, vr, vi, last, tolerance, method, iterations)
        best, at = np.full((5, steps), -np.inf), np.full((5, steps), -1)
        _read_buses(meters, vr, vi, first, steps, out, best, at)
        _read_branches(meters, vr, vi, first, steps, out, best, at)
        _read_totals(grid, demand, p, q, vr, vi, first, steps, out)
        out.extreme[:, first : first + steps] = best
        out.extreme_at[:, first : first + steps] = at
