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

# No fastmath: which sums it rearranges depends on whether a function was compiled now or loaded from the cache, and the last bits
# of a result with it. NaN and infinity must keep their meaning too: a diverged step is recognised by them.
_COMPILED = {"cache": True, "nogil": True, "error_model": "numpy"}

FIXED_POINT, NEWTON, FAILED = 0, 1, 2
_MAX_NEWTON = 30
_LOST = 1e6  # a squared change of voltages beyond this never comes back
_RATE_FLOOR = 0.1  # a contraction faster than this is not trusted when the remaining error is estimated


class Grid(NamedTuple):
    """The admittance matrix, rows in elimination order, slack buses last, and its factors, row by row."""

    unknown: int
    y_ptr: np.ndarray
    y_col: np.ndarray
    y: np.ndarray
    l_ptr: np.ndarray
    l_col: np.ndarray
    l_re: np.ndarray
    l_im: np.ndarray
    u_ptr: np.ndarray
    u_col: np.ndarray
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


class Block(NamedTuple):
    """Steps side by side: demand, voltages, the vector being solved for, and the squared change of each step's voltages."""

    p: np.ndarray
    q: np.ndarray
    vr: np.ndarray
    vi: np.ndarray
    xr: np.ndarray
    xi: np.ndarray
    change: np.ndarray


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
def _inject(demand, shapes, first, block):
    """Fill in the demand of the steps from `first` on."""
    p, q, steps = block.p, block.q, block.change.size
    for i in range(p.shape[0]):
        p[i, :] = demand.p[i]
        q[i, :] = demand.q[i]
    for e in range(demand.p_bus.size):
        k, size, shape = demand.p_bus[e], demand.p_size[e], demand.p_shape[e]
        for t in range(steps):
            p[k, t] += size * shapes[shape, first + t]
    for e in range(demand.q_bus.size):
        k, size, shape = demand.q_bus[e], demand.q_size[e], demand.q_shape[e]
        for t in range(steps):
            q[k, t] += size * shapes[shape, first + t]


@njit(**_COMPILED)
def _draw(shares, p, q, v, x):
    """Write what a bus draws, as currents injected, to its row of the right-hand side."""
    (ip, zp, iq, zq), (vr, vi), (xr, xi) = shares, v, x
    if ip == 0.0 and zp == 0.0 and iq == 0.0 and zq == 0.0:
        for t in range(p.size):
            share = 1.0 / (vr[t] * vr[t] + vi[t] * vi[t])
            xr[t] = -(p[t] * vr[t] + q[t] * vi[t]) * share
            xi[t] = -(p[t] * vi[t] - q[t] * vr[t]) * share
        return
    for t in range(p.size):
        square = vr[t] * vr[t] + vi[t] * vi[t]
        size, share = np.sqrt(square), 1.0 / square
        pt = p[t] * ((1.0 - ip - zp + ip * size) * share + zp)
        qt = q[t] * ((1.0 - iq - zq + iq * size) * share + zq)
        xr[t] = -(pt * vr[t] + qt * vi[t])
        xi[t] = -(pt * vi[t] - qt * vr[t])


@njit(**_COMPILED)
def _take(factor, y, x):
    """Take a row y, times an entry of a factor, off a row x."""
    (a, b), (yr, yi), (xr, xi) = factor, y, x
    for t in range(xr.size):
        xr[t] -= a * yr[t] - b * yi[t]
        xi[t] -= a * yi[t] + b * yr[t]


@njit(**_COMPILED)
def _move(diagonal, no_load, x, v, change):
    """Finish a row of the solution, set the voltages of its bus, and add how far they move."""
    (a, b), (xr, xi), (vr, vi) = diagonal, x, v
    for t in range(change.size):
        r = a * xr[t] - b * xi[t]
        i = a * xi[t] + b * xr[t]
        xr[t] = r
        xi[t] = i
        dr = r + no_load.real - vr[t]
        di = i + no_load.imag - vi[t]
        vr[t] += dr
        vi[t] += di
        change[t] += dr * dr + di * di


@njit(**_COMPILED)
def _forward(grid, demand, block):
    """Currents of all buses, then forward substitution."""
    p, q, vr, vi, xr, xi, _ = block
    for k in range(xr.shape[0]):
        shares = demand.current_p[k], demand.impedance_p[k], demand.current_q[k], demand.impedance_q[k]
        _draw(shares, p[k], q[k], (vr[k], vi[k]), (xr[k], xi[k]))
        for e in range(grid.l_ptr[k], grid.l_ptr[k + 1]):
            j = grid.l_col[e]
            _take((grid.l_re[e], grid.l_im[e]), (xr[j], xi[j]), (xr[k], xi[k]))


@njit(**_COMPILED)
def _backward(grid, block):
    """Backward substitution, new voltages and their change."""
    _, _, vr, vi, xr, xi, change = block
    change[:] = 0.0
    for k in range(xr.shape[0] - 1, -1, -1):
        for e in range(grid.u_ptr[k], grid.u_ptr[k + 1]):
            j = grid.u_col[e]
            _take((grid.u_re[e], grid.u_im[e]), (xr[j], xi[j]), (xr[k], xi[k]))
        _move((grid.d_re[k], grid.d_im[k]), grid.no_load[k], (xr[k], xi[k]), (vr[k], vi[k]), change)


@njit(**_COMPILED)
def _fixed_point(grid, demand, block, tolerance, most, iterations):
    """Iterate a block until every step has converged or is given up; `iterations` stays 0 for the latter."""
    change = block.change
    before = np.empty_like(change)
    for round_ in range(1, most + 1):
        before[:] = change
        _forward(grid, demand, block)
        _backward(grid, block)
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
def _jacobian_row(grid, demand, k, power, v, space):
    """Scatter the 2x2 blocks of row k into `work`, write the mismatch of bus k, return its size."""
    work, _, mismatch = space
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
    wanted, slope = _specified(demand, k, power[0, k], power[1, k], abs(v[k]))
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
def _factor_row(grid, k, space):
    """Eliminate row k, held in `work`, with the rows above it; keep its upper part and the inverse of its diagonal."""
    work, blocks, x = space
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
def _newton_step(grid, demand, power, v, space):
    """One Newton-Raphson step; returns the mismatch before it and the largest change of it, both per unit."""
    _, blocks, x = space
    worst, largest = 0.0, 0.0
    for k in range(grid.unknown):
        found = _jacobian_row(grid, demand, k, power, v, space)
        worst = found if not found <= worst else worst
        _factor_row(grid, k, space)
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
def _newton(grid, demand, power, v, tolerance):
    """Solve one step by Newton-Raphson from `v`; the number of iterations, or 0 if there is no solution to be found."""
    space = np.zeros((grid.unknown, 4)), np.zeros((grid.f_col.size, 4)), np.zeros((grid.unknown, 2))
    for round_ in range(1, _MAX_NEWTON + 1):
        worst, change = _newton_step(grid, demand, power, v, space)
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
def _rescue(grid, demand, block, last, tolerance, found):
    """Newton-Raphson for the steps without a solution so far; NaN where that fails as well."""
    iterations, method = found
    v, power = np.empty_like(grid.start), np.empty((2, grid.start.size))
    for t in range(iterations.size):
        if iterations[t] > 0:
            method[t] = FIXED_POINT
            continue
        method[t] = NEWTON
        power[0], power[1] = block.p[:, t], block.q[:, t]
        v[:] = last
        iterations[t] = _newton(grid, demand, power, v, tolerance)
        if iterations[t] == 0 and grid.newton_only:
            v[:] = grid.start
            iterations[t] = _newton(grid, demand, power, v, tolerance)
        if iterations[t] == 0:
            method[t] = FAILED
            v[:] = complex(np.nan, np.nan)
        elif grid.newton_only:
            last[:] = v
        block.vr[:, t] = v.real
        block.vi[:, t] = v.imag


@njit(**_COMPILED)
def _extremes(values, row, best, at):
    """Keep, step by step, the largest value and the row that has it."""
    for t in range(values.size):
        larger = values[t] > best[t]
        best[t] = values[t] if larger else best[t]
        at[t] = row if larger else at[t]


@njit(**_COMPILED)
def _read_buses(meters, block, first, out, best, at):
    """Write the voltages and keep the extremes of each step (row 0: lowest, negative; row 1: highest)."""
    vr, vi, steps = block.vr, block.vi, block.change.size
    size = np.empty(steps)
    for i in range(meters.bus.size):
        k = meters.bus[i]
        if k < 0:
            continue
        if meters.first[i] != i:  # connected by a closed switch to a bus already read
            out.vm[i, first : first + steps] = out.vm[meters.first[i], first : first + steps]
        else:
            row = out.vm[i, first : first + steps]
            for t in range(steps):
                size[t] = np.sqrt(vr[k, t] * vr[k, t] + vi[k, t] * vi[k, t])
                row[t] = size[t]
            _extremes(size, i, best[1], at[1])
            for t in range(steps):
                size[t] = -size[t]
            _extremes(size, i, best[0], at[0])
        if meters.angles:
            for t in range(steps):
                out.va[i, first + t] = np.degrees(np.arctan2(vi[k, t], vr[k, t]))


@njit(**_COMPILED)
def _read_branch(meters, m, block, losses, worst):
    """Add the losses of branch m and raise `worst`, the squared loading of its element, to that of the branch."""
    start, end = meters.branch_from[m], meters.branch_to[m]
    fr, fi, tr, ti = block.vr[start], block.vi[start], block.vr[end], block.vi[end]
    y = meters.branch_y[m]
    ffr, ffi, ftr, fti = y[0].real, y[0].imag, y[1].real, y[1].imag
    tfr, tfi, ttr, tti = y[2].real, y[2].imag, y[3].real, y[3].imag
    sf, st = meters.scale_from[m] ** 2, meters.scale_to[m] ** 2
    for t in range(losses.size):
        a = ffr * fr[t] - ffi * fi[t] + ftr * tr[t] - fti * ti[t]
        b = ffr * fi[t] + ffi * fr[t] + ftr * ti[t] + fti * tr[t]
        c = tfr * fr[t] - tfi * fi[t] + ttr * tr[t] - tti * ti[t]
        d = tfr * fi[t] + tfi * fr[t] + ttr * ti[t] + tti * tr[t]
        losses[t] += fr[t] * a + fi[t] * b + tr[t] * c + ti[t] * d
        from_ = sf * (a * a + b * b)
        to = st * (c * c + d * d)
        worst[t] = max(worst[t], from_, to)


@njit(**_COMPILED)
def _read_branches(meters, block, first, out, best, at):
    """Write the loadings and losses and keep the highest loading of each kind (rows 2 to 4) and step."""
    steps = block.change.size
    worst = np.empty(steps)
    losses = np.zeros((3, steps))
    for r in range(meters.row_ptr.size - 1):
        if meters.row_ptr[r] == meters.row_ptr[r + 1]:
            continue
        worst[:] = 0.0
        for m in range(meters.row_ptr[r], meters.row_ptr[r + 1]):
            _read_branch(meters, m, block, losses[meters.branch_kind[m]], worst)
        if r >= out.loading.shape[0]:  # the last row collects what has no rating
            continue
        row = out.loading[r, first : first + steps]
        for t in range(steps):
            worst[t] = np.sqrt(worst[t])
            row[t] = worst[t]
        if np.isfinite(meters.scale_from[meters.row_ptr[r]]):
            _extremes(worst, r, best[meters.row_kind[r]], at[meters.row_kind[r]])
    out.losses[:, first : first + steps] = losses


@njit(**_COMPILED)
def _read_totals(grid, demand, block, first, out):
    """Sum the demand at the voltages found, and find what the slack buses inject."""
    p, q, vr, vi, _, _, change = block
    steps = change.size
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
def _block(grid, steps):
    """Make an empty block at the voltages of the start."""
    buses = grid.start.size
    p, q, vr, vi = np.empty((buses, steps)), np.empty((buses, steps)), np.empty((buses, steps)), np.empty((buses, steps))
    for k in range(buses):
        vr[k, :] = grid.start[k].real
        vi[k, :] = grid.start[k].imag
    return Block(p, q, vr, vi, np.empty((grid.unknown, steps)), np.empty((grid.unknown, steps)), np.zeros(steps))


@njit(**_COMPILED)
def solve(grid, demand, meters, shapes, out, how):
    """Solve steps of `shapes` (shapes, steps) into `out`.

    `how` is (first step, step after the last, steps side by side, tolerance, most iterations).
    """
    begin, end, width, tolerance, most = how
    last = grid.start.copy()
    for first in range(begin, end, width):
        steps = min(width, end - first)
        block = _block(grid, steps)
        _inject(demand, shapes, first, block)
        iterations, method = out.iterations[first : first + steps], out.method[first : first + steps]
        iterations[:] = 0
        if not grid.newton_only:
            _fixed_point(grid, demand, block, tolerance, most, iterations)
        _rescue(grid, demand, block, last, tolerance, (iterations, method))
        best, at = np.full((5, steps), -np.inf), np.full((5, steps), -1)
        _read_buses(meters, block, first, out, best, at)
        _read_branches(meters, block, first, out, best, at)
        _read_totals(grid, demand, block, first, out)
        out.extreme[:, first : first + steps] = best
        out.extreme_at[:, first : first + steps] = at
