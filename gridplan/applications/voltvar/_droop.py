"""Generators on volt-var and volt-watt curves, found together with the voltages: the compiled part.

The power of each plant is taken anew from its curves in every round of the fixed point, so that the network and the plants come
to agree in one go. Steps that do not are left to :mod:`gridplan.hosting`, which goes back and forth between the two.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from gridplan import powerflow
from gridplan.hosting import Control
from gridplan.hosting._choices import capability, points
from gridplan.powerflow import _kernel, _run
from gridplan.powerflow._kernel import _COMPILED
from gridplan.powerflow._model import Model

_PACE, _MOMENTUM = 0.54, 0.07  # of the way to the voltage found, and of the last move: best if plants answer up to twice as much
_AGREED_PU = 1e-7  # difference between the two at which a plant has settled


class Plants(NamedTuple):
    """By plant: node, rated power, power available [MW] and most reactive power [Mvar] (rows, steps); base power [MVA].

    `mvar_per_mw` is absorbed at any voltage: where there is no volt-var curve.
    """

    node: np.ndarray
    rated: np.ndarray
    available: np.ndarray
    reactive: np.ndarray
    apparent: float
    mvar_per_mw: float
    base_mva: float


class Curves(NamedTuple):
    """Voltages and values of the volt-var and the volt-watt curve; flat ones where there is none."""

    var_at: np.ndarray
    var: np.ndarray
    watt_at: np.ndarray
    watt: np.ndarray


@njit(**_COMPILED)
def _curve(at, value, seen, out):
    """Values of a curve at the voltages seen; a sum over its segments, so that the steps go side by side."""
    out[:] = value[0]
    for i in range(at.size - 1):
        start, width, rise = at[i], max(at[i + 1] - at[i], 1e-12), value[i + 1] - value[i]
        if rise == 0.0:
            continue
        for t in range(seen.size):
            out[t] += rise * min(max(seen[t] - start, 0.0) / width, 1.0)


@njit(**_COMPILED)
def _act(units, first, given, block, seen, out):
    """Put the power of the plants at the voltages they see on top of the demand without them, and keep it [MW, Mvar]."""
    plants, curves = units
    scale, steps = 1.0 / plants.base_mva, block.change.size
    absorbed, share = np.empty(steps), np.empty(steps)
    for row in range(plants.node.size):
        k = plants.node[row]
        block.p[k, :] = given[0, row]
        block.q[k, :] = given[1, row]
    for row in range(plants.node.size):
        k, rated, apparent = plants.node[row], plants.rated[row], plants.apparent * plants.rated[row]
        _curve(curves.var_at, curves.var, seen[row], absorbed)
        _curve(curves.watt_at, curves.watt, seen[row], share)
        most, available = plants.reactive[row, first : first + steps], plants.available[row, first : first + steps]
        active, reactive = out[0, row, first : first + steps], out[1, row, first : first + steps]
        # Loop by loop: in one with all these rows the compiler gives up keeping them apart, and steps go one by one.
        for t in range(steps):
            reactive[t] = -absorbed[t] * most[t]
        for t in range(steps):
            room = np.sqrt(max(apparent * apparent - reactive[t] * reactive[t], 0.0))
            active[t] = min(available[t], rated * share[t], room)
        for t in range(steps):
            reactive[t] += active[t] * plants.mvar_per_mw
        for t in range(steps):
            block.p[k, t] -= active[t] * scale
        for t in range(steps):
            block.q[k, t] += reactive[t] * scale


@njit(**_COMPILED)
def _look(plants, block, seen, moved, gap):
    """Move the voltages seen towards those found, with some of the last move; the largest difference of each step."""
    gap[:] = 0.0
    for row in range(plants.node.size):
        k = plants.node[row]
        for t in range(gap.size):
            difference = np.sqrt(block.vr[k, t] * block.vr[k, t] + block.vi[k, t] * block.vi[k, t]) - seen[row, t]
            gap[t] = max(gap[t], abs(difference))
            moved[row, t] = _PACE * difference + _MOMENTUM * moved[row, t]
            seen[row, t] += moved[row, t]


@njit(**_COMPILED)
def _agree(model, given, first, block, out, how):
    """Iterate a block; returns which steps have settled."""
    (grid, demand), (plants, curves), (tolerance, most) = model, given, how
    steps, rows = block.change.size, plants.node.size
    seen, moved, gap, before = np.ones((rows, steps)), np.zeros((rows, steps)), np.zeros(steps), np.empty(steps)
    static, settled = np.empty((2, rows, steps)), np.zeros(steps, np.bool_)
    for row in range(rows):
        static[0, row] = block.p[plants.node[row]]
        static[1, row] = block.q[plants.node[row]]
    for round_ in range(most):
        before[:] = block.change
        _act((plants, curves), first, static, block, seen, out)
        _kernel._forward(grid, demand, block)
        _kernel._backward(grid, block)
        _look(plants, block, seen, moved, gap)
        waiting = 0
        for t in range(steps):
            if settled[t]:  # what moves from here on is rounding
                continue
            rate = np.sqrt(block.change[t] / before[t]) if round_ > 1 and before[t] > 0.0 else 0.5
            rest = np.sqrt(block.change[t]) * max(rate, 0.1) / (1.0 - rate) if rate < 1.0 else np.inf
            settled[t] = gap[t] < _AGREED_PU and (block.change[t] == 0.0 or rest < tolerance)
            waiting += not settled[t] and block.change[t] < _kernel._LOST
        if waiting == 0:
            break
    return settled


@njit(**_COMPILED)
def _solve(model, shapes, plants, curves, out, how):
    (grid, demand), (powers, settled), (width, tolerance, most) = model, out, how
    for first in range(0, shapes.shape[1], width):
        last = min(first + width, shapes.shape[1])
        block = _kernel._block(grid, last - first)
        _kernel._inject(demand, shapes, first, block)
        settled[first:last] = _agree((grid, demand), (plants, curves), first, block, powers, (tolerance, most))


def settle(
    model: Model,
    shapes: np.ndarray,
    plants: tuple[np.ndarray, np.ndarray, np.ndarray],
    control: Control,
    options: powerflow.Options,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Active power and absorbed reactive power of plants on curves [MW, Mvar], (rows, steps), and which steps have settled.

    Parameters
    ----------
    model
        Model without the plants.
    shapes
        Shapes of its profiles, (shapes, steps).
    plants
        Position of the bus, rated power [MW], (rows,) each; power available [MW], (rows, steps).
    control
        Curves.
    options
        How power flows are solved.
    """
    bus, rated, available = plants
    flat = np.array([0.0, 2.0])
    var = (flat, np.zeros(2)) if control.volt_var is None else points("volt_var", control.volt_var)
    watt = (flat, np.ones(2)) if control.volt_watt is None else points("volt_watt", control.volt_watt)
    full, steady = float(np.abs(var[1]).max()), control.volt_var is None
    apparent = 1e3 if steady else control.apparent_pu or 1.0 / np.sqrt(1.0 - min(full, 0.99) ** 2)
    share = available / np.where(rated > 0, rated, 1.0)[:, None]
    reactive = apparent * rated[:, None] * capability(share)
    powers, settled = np.zeros((2, *available.shape)), np.zeros(available.shape[1], bool)
    if model.grid.newton_only:
        return *powers, settled
    sizes = (rated, np.ascontiguousarray(available), reactive, float(apparent))
    given = Plants(model.meters.bus[bus], *sizes, float(control.mvar_per_mw) if steady else 0.0, model.base_mva)
    curves = Curves(*(np.ascontiguousarray(values, float) for values in (*var, *watt)))
    how = (_run.width(model, options), options.tolerance_pu, options.max_iterations)
    _solve((model.grid, model.demand), np.ascontiguousarray(shapes), given, curves, (powers, settled), how)
    return *powers, settled
