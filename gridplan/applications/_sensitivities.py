"""How voltages and loadings answer to power at each bus: exact derivatives of the power-flow equations at any operating point.

The network is solved as everywhere in gridplan, by ``V = Z I(V) + w`` on the factors of one admittance matrix. A derivative of a
voltage or of a loading with respect to the power at every bus is then one solution with the transposed factors [1]_, so that a
constraint costs as much as a power flow and not as much as the network has buses.

References
----------
.. [1] K. Christakou, J.-Y. LeBoudec, M. Paolone, D.-C. Tomozei, Efficient computation of sensitivity coefficients of node
   voltages and line currents in unbalanced radial electrical distribution networks, IEEE Trans. Smart Grid 4 (2), 2013.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import splu

from gridplan import powerflow
from gridplan.applications import _run as runs
from gridplan.applications._case import OperatingCase
from gridplan.errors import NetworkError, Problem
from gridplan.powerflow import _model, _run
from gridplan.powerflow._kernel import Demand

VM_MARGIN_PU = 5e-7  # results are kept in single precision: what is held to a limit stays this far inside it
LOADING_MARGIN_PERCENT = 5e-5
_MOST = 100
_ACCURATE = 1e-5  # relative change at which derivatives are taken; their error is less
_SMALL = 1e-10  # change of voltages [pu] at which a solution is taken
_CHUNK = 40_000  # entries of a right-hand side solved at once; stays in the second-level cache of common processors


class Rows(NamedTuple):
    """Places of values: the position of the step among those given, and the row of the quantity; (values,) each."""

    step: np.ndarray
    row: np.ndarray


class Network:
    """Voltages and loadings of an operating case, and their derivatives.

    Quantities are numbered: first the buses of the admittance matrix (voltage [pu]), then lines, two-winding and three-winding
    transformers (loading [%]). Powers are consumption [MW + j Mvar] by bus of the matrix.

    Parameters
    ----------
    case
        Case; not changed.
    models
        Its models, if they are known.

    Raises
    ------
    NetworkError
        The network holds voltage-controlled generators: their reactive power answers to what is changed elsewhere.
    """

    def __init__(self, case: OperatingCase, models: runs.Models | None = None) -> None:
        self._models = models or runs.Models(case.net, case.profiles, powerflow.Options())
        self.model = self._models.full
        if self.model.grid.newton_only:
            what = "voltage-controlled generators (or elements like them) are in service; sensitivities need fixed powers"
            raise NetworkError("the network", [Problem("gen", what, remedy="model them as sgen with their power factor")])
        self._places, self._which = [()], np.zeros(len(case.profiles.time), int)
        if case.schedule:
            runs.check_schedule(case)
            self._places, self._which = runs.distinct(case.schedule)
        self._circuits: dict[int, _Circuit] = {}
        self.buses = self.model.grid.start.size
        self._shapes = case.profiles.shapes
        self.low, self.high = _bounds(self.model, case)
        self.margin = np.where(np.arange(len(self.high)) < self.buses, VM_MARGIN_PU, LOADING_MARGIN_PERCENT)

    def position(self, buses: np.ndarray) -> np.ndarray:
        """Row of some buses of the network in the matrix; -1 without supply."""
        return self.model.meters.bus[self.model.elements["bus"].get_indexer(buses)]

    def named(self, row: int) -> tuple[str, int]:
        """Element and number of a quantity."""
        if row < self.buses:
            return "bus", int(self.model.elements["bus"][np.flatnonzero(self.model.meters.bus == row)[0]])
        row -= self.buses
        for element in _model.RATED:
            index = self.model.elements[element]
            if row < len(index):
                return element, int(index[row])
            row -= len(index)
        raise IndexError(row)

    def demand(self, steps: np.ndarray) -> np.ndarray:
        """Consumption by bus in some steps [MW + j Mvar], (buses, steps)."""
        return (self.weights("p") @ self._factors(steps)) + 1j * (self.weights("q") @ self._factors(steps))

    def weights(self, which: str) -> sparse.csr_matrix:
        """Power by bus (rows) and shape (columns; the last is constant) [MW or Mvar]."""
        demand, count = self.model.demand, self._shapes.shape[1]
        place, shape, size = (getattr(demand, f"{which}_{name}") for name in ("bus", "shape", "size"))
        moving = sparse.coo_matrix((size, (place, shape)), shape=(self.buses, count))
        still = sparse.coo_matrix(getattr(demand, which)[:, None])
        return sparse.csr_matrix(sparse.hstack([moving, still])) * self.model.base_mva

    def _factors(self, steps: np.ndarray) -> np.ndarray:
        shapes = self._shapes.to_numpy(float)[steps]
        return np.vstack([shapes.T, np.ones(len(steps))])

    def solve(self, steps: np.ndarray, power: np.ndarray, start: np.ndarray | None = None) -> np.ndarray:
        """Complex voltages [pu], (buses, steps); NaN where there is no solution.

        Parameters
        ----------
        steps
            Steps, for the positions of tap changers and capacitor banks.
        power
            Consumption [MW + j Mvar], (buses, steps).
        start
            Voltages to begin with.
        """
        out = np.empty((self.buses, len(steps)), complex)
        for circuit, own in self._groups(steps):
            out[:, own] = circuit.solve(power[:, own], None if start is None else start[:, own])
        return out

    def values(self, steps: np.ndarray, voltage: np.ndarray) -> np.ndarray:
        """Voltages [pu] and loadings [%], (quantities, steps)."""
        out = np.empty((len(self.high), len(steps)))
        for circuit, own in self._groups(steps):
            out[:, own] = circuit.values(voltage[:, own])
        return out

    def quick(self, steps: np.ndarray, weights: np.ndarray, power: np.ndarray) -> np.ndarray:
        """Voltages [pu] and loadings [%] in single precision, by the compiled kernel; NaN where there is no solution.

        Parameters
        ----------
        steps
            Steps.
        weights
            Consumption at each bus [MW + j Mvar] by MW of some resources, (buses, resources).
        power
            Power of the resources in these steps [MW], (resources, steps).
        """
        out = np.full((len(self.high), len(steps)), np.nan, np.float32)
        shapes = np.ascontiguousarray(np.vstack([self._shapes.to_numpy(float)[steps].T, power]))
        for circuit, own in self._groups(steps):
            model = circuit.model
            moved = replace(model, demand=_with(model, weights, self._shapes.shape[1]))
            part = _run._solve(moved, np.ascontiguousarray(shapes[:, own]), self._models.options)
            _run._blank(moved, part)
            alive = np.flatnonzero(model.meters.bus >= 0)
            out[np.ix_(model.meters.bus[alive], own)] = part.vm[alive]
            out[self.buses :, own] = part.loading
        return out

    def gradient(self, steps: np.ndarray, state: tuple[np.ndarray, np.ndarray], rows: Rows) -> np.ndarray:
        """Return derivatives with respect to consumption by bus, (values, buses): by MW (real part) and by Mvar (imaginary part).

        Parameters
        ----------
        steps
            Steps of the state.
        state
            Voltages and consumption in them, (buses, steps) each.
        rows
            Which quantity in which step.
        """
        out = np.empty((len(rows.row), self.buses), complex)
        for circuit, own in self._groups(steps):
            mine = np.flatnonzero(np.isin(rows.step, own))
            for part in np.array_split(mine, max(1, len(mine) * self.buses // _CHUNK)):
                at = rows.step[part]
                out[part] = circuit.gradient(state[0][:, at], state[1][:, at], rows.row[part])
        return out

    def _groups(self, steps: np.ndarray) -> list[tuple[_Circuit, np.ndarray]]:
        which = self._which[steps]
        return [(self._circuit(number), np.flatnonzero(which == number)) for number in np.unique(which)]

    def _circuit(self, number: int) -> _Circuit:
        if number not in self._circuits:
            self._circuits[number] = _Circuit(self._models.at(self._places[number]))
        return self._circuits[number]


class Slopes:
    """Effects on quantities, kept until what their step does has changed so much that they must be computed anew.

    Parameters
    ----------
    shape
        Of what is done: (resources, steps).
    enough
        Change of what a step does, summed over the resources [MW], after which its effects are out of date.
    """

    def __init__(self, shape: tuple[int, int], enough: float) -> None:
        self._at, self._enough = np.full(shape, np.inf), enough
        self._known: dict[int, np.ndarray] = {}

    def of(self, rows: Rows, done: np.ndarray, compute: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
        """Effects on some quantities, one row each.

        Parameters
        ----------
        rows
            Quantities; steps are numbered as `done` is.
        done
            What is done in every step, (resources, steps).
        compute
            Effects on those of the quantities whose positions it is given.
        """
        own = np.unique(rows.step)
        stale = own[np.abs(done[:, own] - self._at[:, own]).sum(axis=0) > self._enough]
        self._at[:, stale] = done[:, stale]
        keys = (rows.row * done.shape[1] + rows.step).tolist()
        needed = np.flatnonzero(np.isin(rows.step, stale) | [key not in self._known for key in keys])
        if len(needed):
            self._known |= dict(zip([keys[at] for at in needed.tolist()], compute(needed), strict=True))
        return np.array([self._known[key] for key in keys])


def zones(case: OperatingCase, network: Network) -> np.ndarray:
    """Return number of the zone of every quantity: buses of an area, lines that end in one, everything else each for itself."""
    names = {name: number for number, name in enumerate(sorted(case.areas["area"].unique()))}
    area = case.areas.set_index("bus")["area"].map(names)
    zone = 2 * len(names) + np.arange(len(network.high))
    at = network.position(area.index.to_numpy())
    zone[at[at >= 0]] = area.to_numpy()[at >= 0]
    lines = case.net.line["to_bus"].map(area)
    known = np.flatnonzero(lines.notna())
    zone[network.buses + known] = len(names) + lines.iloc[known].to_numpy(int)
    return zone


def _bounds(model: _model.Model, case: OperatingCase) -> tuple[np.ndarray, np.ndarray]:
    """Lowest and highest value of every quantity; none for buses that only the matrix knows and for what has no rating."""
    limits = _run.thresholds(model.elements, case.limits)
    buses, rated = model.grid.start.size, len(model.idle)
    low, high = np.full(buses + rated, -np.inf), np.full(buses + rated, np.inf)
    own = model.meters.bus[model.meters.bus >= 0]
    low[own], high[own] = case.limits.vm_min_pu, case.limits.vm_max_pu
    high[buses:] = limits[len(model.elements["bus"]) :, 1]
    starts = model.meters.row_ptr[:-1][:rated]
    carries = np.diff(model.meters.row_ptr)[:rated] > 0
    scale = np.full(rated, np.inf)
    scale[carries] = model.meters.scale_from[starts[carries]]
    high[buses:][~np.isfinite(scale)] = np.inf
    return low, high


def _with(model: _model.Model, weights: np.ndarray, first: int) -> Demand:
    """Demand of a model with that of resources, which follow the shapes from `first` on."""
    demand = model.demand
    for power, part in (("p", weights.real), ("q", weights.imag)):
        bus, resource = np.nonzero(part)
        demand = _model.added(demand, power, (bus, resource + first, part[bus, resource] / model.base_mva))
    return demand


class _Circuit:
    """One admittance matrix with its factors."""

    def __init__(self, model: _model.Model) -> None:
        grid, self.model = model.grid, model
        size, self.unknown = grid.start.size, grid.unknown
        matrix = sparse.csr_matrix((grid.y, grid.y_col, grid.y_ptr), shape=(size, size))
        self.factors = splu(sparse.csc_matrix(matrix[: self.unknown, : self.unknown]))
        demand = model.demand
        self.zip = tuple(getattr(demand, name)[:, None] for name in ("current_p", "impedance_p", "current_q", "impedance_q"))

    def _drawn(self, power: np.ndarray, size: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Power drawn at voltages of some size [pu], and its derivative by that size."""
        if not self.model.demand.dependent:
            return power, np.zeros(1)
        ip, zp, iq, zq = self.zip
        p, q = power.real, power.imag
        drawn = p * (1 - ip - zp + ip * size + zp * size**2) + 1j * q * (1 - iq - zq + iq * size + zq * size**2)
        return drawn, p * (ip + 2 * zp * size) + 1j * q * (iq + 2 * zq * size)

    def solve(self, power: np.ndarray, start: np.ndarray | None) -> np.ndarray:
        grid, n = self.model.grid, self.unknown
        voltage = np.repeat(grid.start[:, None], power.shape[1], axis=1) if start is None else start.copy()
        voltage[:, ~np.isfinite(voltage).all(axis=0)] = grid.start[:, None]
        per_unit, open_ = power / self.model.base_mva, np.arange(power.shape[1])
        for _ in range(_MOST):
            if not len(open_):
                return voltage
            before = voltage[:, open_]
            with np.errstate(all="ignore"):
                drawn, _ = self._drawn(per_unit[:, open_], np.abs(before))
                current = -np.conj(drawn[:n] / before[:n])
            lost = ~np.isfinite(current).all(axis=0)
            current[:, lost] = 0
            after = self.factors.solve(current) + grid.no_load[:, None]
            change = np.abs(after - before[:n]).max(axis=0, initial=0.0)
            after[:, lost] = np.nan
            voltage[:n, open_] = after
            open_ = open_[(change > _SMALL) & ~lost]
        voltage[:n, open_] = np.nan
        return voltage

    def _flows(self, voltage: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Currents at both ends of every metered branch [pu], and the loading that they mean [%]; (2, branches, steps)."""
        meters = self.model.meters
        start, end, y = voltage[meters.branch_from], voltage[meters.branch_to], meters.branch_y
        current = np.stack([y[:, :1] * start + y[:, 1:2] * end, y[:, 2:3] * start + y[:, 3:4] * end])
        return current, np.abs(current) * np.stack([meters.scale_from, meters.scale_to])[:, :, None]

    def values(self, voltage: np.ndarray) -> np.ndarray:
        buses, meters, rated = voltage.shape[0], self.model.meters, len(self.model.idle)
        out = np.empty((buses + rated, voltage.shape[1]))
        out[:buses] = np.abs(voltage)
        with np.errstate(invalid="ignore"):
            loading = self._flows(voltage)[1].max(axis=0)
        carries = np.flatnonzero(np.diff(meters.row_ptr)[:rated] > 0)
        out[buses:] = self.model.idle[:, None]
        if len(carries):
            last = meters.row_ptr[carries[-1] + 1]
            out[buses + carries] = np.maximum.reduceat(loading[:last], meters.row_ptr[carries], axis=0)
        return out

    def gradient(self, voltage: np.ndarray, power: np.ndarray, rows: np.ndarray) -> np.ndarray:
        n, conj = self.unknown, np.conj(voltage[: self.unknown])
        seed = self._seeds(voltage, rows)[:n]
        size = np.abs(voltage)
        drawn, slope = self._drawn(power / self.model.base_mva, size)
        slope = np.conj(np.broadcast_to(slope, size.shape)[:n]) / (2 * size[:n])
        ahead, back = -np.conj(slope), np.conj(drawn[:n]) / conj**2 - slope * voltage[:n] / conj
        adjoint = self.factors.solve(seed, trans="H")
        for _ in range(_MOST):
            right = seed + back * np.conj(adjoint)
            if self.model.demand.dependent:
                right += ahead * adjoint
            after = self.factors.solve(right, trans="H")
            change = np.abs(after - adjoint).max(initial=0.0)
            adjoint = after
            if change <= _ACCURATE * np.abs(adjoint).max(initial=1e-300):
                break
        out = np.zeros((len(rows), voltage.shape[0]), complex)
        by_power = -np.conj(adjoint) / conj / self.model.base_mva
        if self.model.demand.dependent:
            p_share, _ = self._drawn(np.ones_like(voltage), size)
            q_share, _ = self._drawn(1j * np.ones_like(voltage), size)
            by_power = by_power.real * p_share[:n].real + 1j * by_power.imag * q_share[:n].imag
        out[:, :n] = by_power.T
        return out

    def _seeds(self, voltage: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """Gradient of each quantity with respect to the voltages: g with df = Re(g^H dV), (buses, values)."""
        buses, meters = voltage.shape[0], self.model.meters
        seed, column = np.zeros(voltage.shape, complex), np.arange(len(rows))
        own = rows < buses
        at = rows[own], column[own]
        seed[at] = voltage[at] / np.abs(voltage[at])
        for value in np.flatnonzero(~own):
            row = rows[value] - buses
            branches = np.arange(meters.row_ptr[row], meters.row_ptr[row + 1])
            if not len(branches):
                continue
            start, end, y = meters.branch_from[branches], meters.branch_to[branches], meters.branch_y[branches]
            both = np.stack(
                [
                    y[:, 0] * voltage[start, value] + y[:, 1] * voltage[end, value],
                    y[:, 2] * voltage[start, value] + y[:, 3] * voltage[end, value],
                ]
            )
            scale = np.stack([meters.scale_from[branches], meters.scale_to[branches]])
            side, branch = np.unravel_index(np.argmax(np.abs(both) * scale), both.shape)
            current = both[side, branch]
            direction = scale[side, branch] * current / max(abs(current), 1e-12)
            seed[start[branch], value] += np.conj(y[branch, 2 * side]) * direction
            seed[end[branch], value] += np.conj(y[branch, 2 * side + 1]) * direction
        return seed
