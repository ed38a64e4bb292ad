"""Power flows of which only sums and extremes by group of buses are kept, so that many positions of many steps are cheap."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from gridplan import powerflow
from gridplan.powerflow import _kernel
from gridplan.powerflow._model import Model

_COMPILED = {"cache": True, "nogil": True, "error_model": "numpy", "fastmath": {"contract", "reassoc", "nsz", "arcp"}}


class Groups(NamedTuple):
    """Group of each node and branch, weight of each node in the mean voltage of its group, and nodes whose voltage is kept.

    The last group holds what is in no other; `limited` are the nodes whose voltage counts for the extremes.
    """

    node: np.ndarray
    branch: np.ndarray
    weight: np.ndarray
    limited: np.ndarray
    watched: np.ndarray


class Sums(NamedTuple):
    """By group and step: consumption less generation and losses [pu of base power], voltages [pu]; NaN in failed steps.

    `watched` has the voltages of single nodes, (nodes, steps).
    """

    demand: np.ndarray
    losses: np.ndarray
    low: np.ndarray
    high: np.ndarray
    mean: np.ndarray
    watched: np.ndarray


@njit(**_COMPILED)
def _read(demand, meters, block, first, groups, out):
    p, vr, vi = block.p, block.vr, block.vi
    steps = block.change.size
    for k in range(p.shape[0]):
        g = groups.node[k]
        ip, zp = demand.current_p[k], demand.impedance_p[k]
        for t in range(steps):
            square = vr[k, t] * vr[k, t] + vi[k, t] * vi[k, t]
            size = np.sqrt(square)
            out.demand[g, first + t] += p[k, t] * (1.0 - ip - zp + ip * size + zp * square) - demand.generation[k]
            out.mean[g, first + t] += groups.weight[k] * size
            if groups.limited[k]:
                out.low[g, first + t] = min(out.low[g, first + t], size)
                out.high[g, first + t] = max(out.high[g, first + t], size)
    for w in range(groups.watched.size):
        k = groups.watched[w]
        for t in range(steps):
            out.watched[w, first + t] = np.sqrt(vr[k, t] * vr[k, t] + vi[k, t] * vi[k, t])
    for m in range(meters.branch_from.size):
        _add_losses(meters, m, block, out.losses[groups.branch[m], first : first + steps])


@njit(**_COMPILED)
def _add_losses(meters, m, block, losses):
    start, end, y = meters.branch_from[m], meters.branch_to[m], meters.branch_y[m]
    for t in range(losses.size):
        f = complex(block.vr[start, t], block.vi[start, t])
        e = complex(block.vr[end, t], block.vi[end, t])
        losses[t] += (f * np.conj(y[0] * f + y[1] * e)).real + (e * np.conj(y[2] * f + y[3] * e)).real


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
    count, steps = int(max(groups.node.max(), groups.branch.max(initial=0))) + 1, shapes.shape[1]
    out = Sums(
        np.zeros((count, steps)),
        np.zeros((count, steps)),
        np.full((count, steps), np.inf),
        np.full((count, steps), -np.inf),
        np.zeros((count, steps)),
        np.zeros((len(groups.watched), steps)),
    )
    block = options.block or int(np.clip(600_000 // (48 * max(1, model.grid.start.size)), 16, 128))
    how = (block, options.tolerance_pu, options.max_iterations)
    _solve((model.grid, model.demand, model.meters), np.ascontiguousarray(shapes), groups, out, how)
    return out
