"""Power flows of which only sums and extremes by group of buses are kept, so that many positions of many steps are cheap."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from gridplan import powerflow
from gridplan.powerflow import _kernel, _run
from gridplan.powerflow._kernel import _COMPILED
from gridplan.powerflow._model import Model


class Groups(NamedTuple):
    """Group of each node and branch, weight of each node in the mean voltage of its group, and nodes whose voltage is kept.

    `loaded` has, by rated element of the model, two rows of `Sums.loading` that it counts in; -1 is none.
    """

    node: np.ndarray
    branch: np.ndarray
    weight: np.ndarray
    watched: np.ndarray
    loaded: np.ndarray


class Sums(NamedTuple):
    """By group and step: consumption less generation and losses [pu of base power], voltages [pu]; NaN in failed steps.

    `slope` is the change of the consumption with the voltages of its buses, all in proportion [pu of base power]. `watched` has
    the voltages of single nodes, (nodes, steps); `loading` the highest loading [%] by row of `Groups.loaded`.
    """

    demand: np.ndarray
    slope: np.ndarray
    losses: np.ndarray
    low: np.ndarray
    high: np.ndarray
    mean: np.ndarray
    watched: np.ndarray
    loading: np.ndarray


@njit(**_COMPILED)
def _read(demand, meters, block, first, groups, out):
    vr, vi = block.vr, block.vi
    steps = block.change.size
    size = np.empty(steps)
    for k in range(vr.shape[0]):
        g, weight = groups.node[k], groups.weight[k]
        for t in range(steps):
            size[t] = np.sqrt(vr[k, t] * vr[k, t] + vi[k, t] * vi[k, t])
        _add_demand(demand, k, block.p[k], size, (out.demand[g, first : first + steps], out.slope[g, first : first + steps]))
        low, high = out.low[g, first : first + steps], out.high[g, first : first + steps]
        mean = out.mean[g, first : first + steps]
        for t in range(steps):
            mean[t] += weight * size[t]
            low[t] = min(low[t], size[t])
            high[t] = max(high[t], size[t])
    for w in range(groups.watched.size):
        k = groups.watched[w]
        for t in range(steps):
            out.watched[w, first + t] = np.sqrt(vr[k, t] * vr[k, t] + vi[k, t] * vi[k, t])
    _read_branches(meters, block, first, groups, out)


@njit(**_COMPILED)
def _add_demand(demand, k, p, size, sums):
    """Add the power of bus k at its voltage, and how it follows the voltage."""
    ip, zp, generation = demand.current_p[k], demand.impedance_p[k], demand.generation[k]
    total, slope = sums
    if ip == 0.0 and zp == 0.0:
        for t in range(total.size):
            total[t] += p[t] - generation
        return
    for t in range(total.size):
        current, impedance = ip * size[t], zp * size[t] * size[t]
        total[t] += p[t] * (1.0 - ip - zp + current + impedance) - generation
        slope[t] += p[t] * (current + 2.0 * impedance)


@njit(**_COMPILED)
def _read_branches(meters, block, first, groups, out):
    """Add the losses of the branches to their groups, and raise the highest loadings."""
    steps = block.change.size
    worst = np.empty(steps)
    for r in range(meters.row_ptr.size - 1):
        worst[:] = 0.0
        for m in range(meters.row_ptr[r], meters.row_ptr[r + 1]):
            _kernel._read_branch(meters, m, block, out.losses[groups.branch[m], first : first + steps], worst)
        if r >= groups.loaded.shape[0]:
            continue
        for side in range(2):
            row = groups.loaded[r, side]
            if row >= 0:
                highest = out.loading[row, first : first + steps]
                for t in range(steps):
                    highest[t] = max(highest[t], np.sqrt(worst[t]))


@njit(**_COMPILED)
def _solve(model, shapes, groups, out, how):
    (grid, demand, meters), (width, tolerance, most) = model, how
    last = grid.start.copy()
    for first in range(0, shapes.shape[1], width):
        steps = min(width, shapes.shape[1] - first)
        block = _kernel._block(grid, steps)
        _kernel._inject(demand, shapes, first, block)
        iterations, method = np.zeros(steps, np.int64), np.zeros(steps, np.int64)
        if not grid.newton_only:
            _kernel._fixed_point(grid, demand, block, tolerance, most, iterations)
        _kernel._rescue(grid, demand, block, last, tolerance, (iterations, method))
        _read(demand, meters, block, first, groups, out)
        for t in range(steps):
            if method[t] == _kernel.FAILED:
                for array in out:
                    array[:, first + t] = np.nan


def read(model: Model, shapes: np.ndarray, groups: Groups, options: powerflow.Options) -> Sums:
    """Solve the steps of `shapes` (shapes, steps) and sum up by group."""
    out = empty(groups, shapes.shape[1])
    how = (_run.width(model, options), options.tolerance_pu, options.max_iterations)
    _solve((model.grid, model.demand, model.meters), np.ascontiguousarray(shapes), groups, out, how)
    return out


def empty(groups: Groups, steps: int) -> Sums:
    """Return the sums of nothing."""
    count = int(groups.node.max()) + 1
    demand, slope, losses, mean = np.zeros((4, count, steps))
    low, high = np.full((count, steps), np.inf), np.full((count, steps), -np.inf)
    watched, loading = np.zeros((len(groups.watched), steps)), np.zeros((int(groups.loaded.max(initial=-1)) + 1, steps))
    return Sums(demand, slope, losses, low, high, mean, watched, loading)
