"""Many cases side by side: the steps of a network's profiles with plants of any size added at any bus.

This module alone knows the inside of the power-flow engine.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import NamedTuple

import numpy as np
import pandas as pd
from pandapower.auxiliary import pandapowerNet

from gridplan import powerflow
from gridplan.hosting._choices import Connection, Control, capability, points
from gridplan.powerflow import _kernel, _model, _run

_SETTLED_PU = 1e-6  # two successive voltages at a controlled plant that differ by less count as one
_MAX_ROUNDS = 60
_FIRST_DAMPING = 0.5
_MAX_GAIN = 100.0


class Plants(NamedTuple):
    """Where plants stand: position of the bus in the table, column of the shape; (rows,) each."""

    bus: np.ndarray
    technology: np.ndarray


class Solved(NamedTuple):
    """Columns solved: float32 voltages (buses, columns) and loadings (rated elements, columns), and more by column.

    `extreme` and `extreme_at` have the rows -lowest voltage, highest voltage, line, trafo, trafo3w loading. `available` and
    `delivered` are the power of all plants [MW]. `failed`: no solution; `unsettled`: the control found no steady state.
    """

    vm: np.ndarray
    loading: np.ndarray
    extreme: np.ndarray
    extreme_at: np.ndarray
    returned_mw: np.ndarray
    failed: np.ndarray
    unsettled: np.ndarray
    available_mw: np.ndarray
    delivered_mw: np.ndarray


@dataclass(frozen=True, eq=False)
class Batch:
    """A network, its profiles and what may be connected to it, ready for any number of cases.

    Parameters
    ----------
    model
        Model of the engine.
    base
        Shapes of the profiles, (shapes, steps).
    shapes
        Shapes of the plants, (technologies, steps).
    time
        Starts of the steps.
    step_h
        Length of a step [h].
    own_mw
        Power that the loads at each bus draw, as `Plants.bus` counts them, (buses, steps); None without an export limit.
    export_mw
        Export limit by bus, (buses,); None without.
    connection
        What is connected.
    options
        Options of the power flow.
    """

    model: _model.Model
    base: np.ndarray
    shapes: np.ndarray
    time: pd.DatetimeIndex
    step_h: float
    own_mw: np.ndarray | None
    export_mw: np.ndarray | None
    connection: Connection
    options: powerflow.Options

    @property
    def supplied(self) -> np.ndarray:
        """Whether each bus has a voltage, (buses,)."""
        return self.model.meters.bus >= 0

    @property
    def width(self) -> int:
        """Columns that fit into a chunk of memory."""
        return int(np.clip(24_000_000 // (4 * (len(self.model.meters.bus) + len(self.model.idle)) + 60), 64, 20_000))


def prepare(net: pandapowerNet, profiles: powerflow.Profiles | None, connection: Connection, options: powerflow.Options) -> Batch:
    """Build the model of a network once, for all cases."""
    model = _model.build(net, profiles, options)
    time = _run._STATIC_TIME if profiles is None else profiles.time
    base = np.zeros((0, 1)) if profiles is None else _run._by_shape(profiles.shapes)
    shapes = np.ones((1, len(time))) if connection.shapes is None else connection.shapes.to_numpy(float).T
    own = export = None
    if connection.export_limit_mw is not None:
        own, export = _own_load(net, profiles, base), _export_limits(net, connection)
    return Batch(model, base, shapes, time, _run._step_h(time), own, export, connection, options)


def _own_load(net: pandapowerNet, profiles: powerflow.Profiles | None, base: np.ndarray) -> np.ndarray:
    """Power of the loads at each bus over time [MW]."""
    steps = max(1, base.shape[1])
    factor = pd.Series(-1, index=net.load.index)
    if profiles is not None:
        driven = profiles.elements[profiles.elements["element"] == "load"]
        factor[driven["element_id"]] = pd.Index(profiles.shapes.columns).get_indexer(driven["shape_p"])
    series = np.vstack([base, np.ones((1, steps))])
    size = (net.load["p_mw"] * net.load["scaling"] * net.load["in_service"]).to_numpy(float)
    own = np.zeros((len(net.bus), steps))
    np.add.at(own, net.bus.index.get_indexer(net.load["bus"]), size[:, None] * series[factor.to_numpy()])
    return own


def _export_limits(net: pandapowerNet, connection: Connection) -> np.ndarray:
    given = connection.export_limit_mw
    if isinstance(given, (int, float)):
        return np.full(len(net.bus), float(given))
    limits = pd.Series(np.inf, index=net.bus.index)
    for bus, value in given.items():
        limits[bus] = value
    return limits.to_numpy(float)


def solve(batch: Batch, plants: Plants, rated_mw: np.ndarray, steps: np.ndarray) -> Solved:
    """Solve columns: each is a step of the profiles with plants of some rated power.

    Parameters
    ----------
    plants
        Where plants may stand, (rows,).
    rated_mw
        Their rated power [MW], (rows, columns).
    steps
        Step of each column, (columns,).
    """
    available = _available(batch, plants, rated_mw, steps)
    control = batch.connection.control
    if control.follows_voltage and (available > 0).any():
        readings, failed, delivered, unsettled = _settle(batch, plants, (rated_mw, available), steps)
    else:
        reactive = None if control.follows_voltage or control.power_factor == 1 else available * control.mvar_per_mw
        readings, failed = _send(batch, plants, steps, available, reactive)
        delivered, unsettled = available, np.zeros(len(steps), bool)
    produced = rated_mw * batch.shapes[plants.technology][:, steps]
    return Solved(
        readings.vm,
        readings.loading,
        readings.extreme,
        readings.extreme_at,
        -(batch.model.slack @ readings.slack_p).sum(axis=0) * batch.model.base_mva,
        failed,
        unsettled,
        produced.sum(axis=0),
        delivered.sum(axis=0),
    )


def _available(batch: Batch, plants: Plants, rated_mw: np.ndarray, steps: np.ndarray) -> np.ndarray:
    """Power of the plants before any control by voltage, held to the export limit of the bus; (rows, columns)."""
    power = rated_mw * batch.shapes[plants.technology][:, steps]
    if batch.export_mw is None or not len(power):
        return power
    room = batch.export_mw[plants.bus, None] + np.maximum(batch.own_mw[plants.bus][:, steps], 0.0)
    _, row = np.unique(plants.bus, return_inverse=True)
    together = np.zeros((row.max() + 1, len(steps)))
    np.add.at(together, row, power)
    return power * np.minimum(1.0, room / np.maximum(together[row], 1e-12))


def _send(
    batch: Batch, plants: Plants, steps: np.ndarray, p_mw: np.ndarray, q_mvar: np.ndarray | None
) -> tuple[_kernel.Readings, np.ndarray]:
    """Run the engine with plants of active power p and absorbed reactive power q (None: none) added; (rows, columns)."""
    model, known = batch.model, batch.model.demand
    sign = -1.0 if batch.connection.kind == "generation" else 1.0
    place = model.meters.bus[plants.bus]
    rows = np.arange(len(place), dtype=np.int64) + len(batch.base)
    demand = _model.added(known, "p", (place, rows, sign / model.base_mva))
    parts = [batch.base[:, steps], p_mw]
    if q_mvar is not None:
        demand = _model.added(demand, "q", (place, rows + len(place), 1.0 / model.base_mva))
        parts.append(q_mvar)
    extended = replace(model, demand=demand)
    readings = _run._solve(extended, np.ascontiguousarray(np.vstack(parts)), batch.options)
    _run._blank(extended, readings)
    return readings, readings.method == _kernel.FAILED


def _settle(
    batch: Batch, plants: Plants, powers: tuple[np.ndarray, np.ndarray], steps: np.ndarray
) -> tuple[_kernel.Readings, np.ndarray, np.ndarray, np.ndarray]:
    """Find the voltages at which the controlled plants and the network agree.

    Each plant sees a voltage, acts on it, and the network answers with another one. The voltage seen moves towards the
    answer, the less the stronger the answer reacts: a secant step for each plant. Columns that agree are left alone.
    """
    rated, available = powers
    control = batch.connection.control
    seen, open_ = np.ones_like(rated), np.arange(len(steps))
    p, q = act(control, seen, rated, available)
    readings, failed = _send(batch, plants, steps, p, q)
    answer = readings.vm[plants.bus].astype(float)
    rounds = _Rounds.start(rated)
    for count in range(_MAX_ROUNDS):
        gap = np.where(rated[:, open_] > 0, answer[:, open_] - seen[:, open_], 0.0)
        keep = ~failed[open_] & (np.abs(gap).max(axis=0) > _SETTLED_PU)
        open_, gap, rounds = open_[keep], gap[:, keep], rounds.keep(keep)
        if not len(open_):
            break
        seen[:, open_] = rounds.next(seen[:, open_], gap, halve=count % 3 == 2)
        p[:, open_], q[:, open_] = act(control, seen[:, open_], rated[:, open_], available[:, open_])
        part, failed[open_] = _send(batch, plants, steps[open_], p[:, open_], q[:, open_])
        for whole, piece in zip(readings, part, strict=True):
            if piece.size:  # angles are not kept
                whole[..., open_] = piece
        answer[:, open_] = part.vm[plants.bus]
    unsettled = np.zeros(len(steps), bool)
    unsettled[open_] = True
    return readings, failed, p, unsettled & ~failed


@dataclass(eq=False)
class _Rounds:
    """What the rounds so far have shown: the last gap and stride, and voltages between which the agreement lies.

    One plant by itself is always enclosed, because curves fall with voltage; several in a network move each other.
    """

    gap: np.ndarray
    stride: np.ndarray
    low: np.ndarray
    high: np.ndarray
    alone: np.ndarray

    @staticmethod
    def start(rated: np.ndarray) -> _Rounds:
        shape, alone = rated.shape, (rated > 0).sum(axis=0) == 1
        return _Rounds(np.zeros(shape), np.zeros(shape), np.full(shape, -np.inf), np.full(shape, np.inf), alone)

    def keep(self, columns: np.ndarray) -> _Rounds:
        return _Rounds(*(getattr(self, f.name)[..., columns] for f in fields(self)))

    def next(self, seen: np.ndarray, gap: np.ndarray, *, halve: bool) -> np.ndarray:
        """Voltages to try next; every third round halves the interval where there is one."""
        moved = np.abs(self.stride) > 1e-12
        closed = np.where(moved, (self.gap - gap) / np.where(moved, self.stride, 1.0), 1.0 / _FIRST_DAMPING)
        tried = seen + gap / np.clip(closed, 1.0, _MAX_GAIN)
        self.low, self.high = np.where(gap > 0, seen, self.low), np.where(gap < 0, seen, self.high)
        enclosed = self.alone & np.isfinite(self.low) & np.isfinite(self.high)
        middle = (np.where(enclosed, self.low, 0.0) + np.where(enclosed, self.high, 0.0)) / 2
        outside = (tried <= self.low) | (tried >= self.high)
        tried = np.where(enclosed & (halve | outside), middle, tried)
        self.gap, self.stride = gap, tried - seen
        return tried


def act(control: Control, seen: np.ndarray, rated: np.ndarray, available: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Active power and absorbed reactive power of plants at the voltages they see [MW, Mvar].

    Parameters
    ----------
    seen
        Voltage at the plant [pu].
    rated, available
        Rated power and the power that could be fed in [MW]; all of the same shape.
    """
    active = available
    if control.volt_watt is not None:
        active = np.minimum(active, rated * np.interp(seen, *points("volt_watt", control.volt_watt)))
    if control.volt_var is None:
        return active, active * control.mvar_per_mw
    voltage, value = points("volt_var", control.volt_var)
    full = float(np.abs(value).max())
    apparent = control.apparent_pu or 1.0 / np.sqrt(1.0 - min(full, 0.99) ** 2)
    share = available / np.where(rated > 0, rated, 1.0)
    absorbed = -np.interp(seen, voltage, value) * apparent * rated * capability(share)
    room = np.sqrt(np.maximum((apparent * rated) ** 2 - absorbed**2, 0.0))
    return np.minimum(active, room), absorbed
