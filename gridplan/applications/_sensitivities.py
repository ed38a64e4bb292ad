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

from gridplan import powerflow
from gridplan.applications import _run as runs
from gridplan.applications._case import OperatingCase
from gridplan.errors import NetworkError, Problem
from gridplan.powerflow import _derivatives, _model, _run
from gridplan.powerflow._kernel import Demand

VM_MARGIN_PU = 5e-7  # results are kept in single precision: what is held to a limit stays this far inside it
LOADING_MARGIN_PERCENT = 5e-5


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
            out[mine] = circuit.gradient(state, Rows(rows.step[mine], rows.row[mine]))
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
        self.model = model

    def solve(self, power: np.ndarray, start: np.ndarray | None) -> np.ndarray:
        grid = self.model.grid
        voltage = np.repeat(grid.start[:, None], power.shape[1], axis=1) if start is None else start.copy()
        voltage[:, ~np.isfinite(voltage).all(axis=0)] = grid.start[:, None]
        _derivatives.voltages(grid, self.model.demand, power / self.model.base_mva, voltage)
        return voltage

    def _loadings(self, voltage: np.ndarray) -> np.ndarray:
        """Return the loading of every metered branch [%], the larger of its two ends; (branches, steps)."""
        meters = self.model.meters
        start, end, y = voltage[meters.branch_from], voltage[meters.branch_to], meters.branch_y
        sides = np.abs(y[:, :1] * start + y[:, 1:2] * end), np.abs(y[:, 2:3] * start + y[:, 3:4] * end)
        return np.maximum(sides[0] * meters.scale_from[:, None], sides[1] * meters.scale_to[:, None])

    def values(self, voltage: np.ndarray) -> np.ndarray:
        buses, meters, rated = voltage.shape[0], self.model.meters, len(self.model.idle)
        out = np.empty((buses + rated, voltage.shape[1]))
        out[:buses] = np.abs(voltage)
        with np.errstate(invalid="ignore"):
            loading = self._loadings(voltage)
        carries = np.flatnonzero(np.diff(meters.row_ptr)[:rated] > 0)
        out[buses:] = self.model.idle[:, None]
        if len(carries):
            last = meters.row_ptr[carries[-1] + 1]
            out[buses + carries] = np.maximum.reduceat(loading[:last], meters.row_ptr[carries], axis=0)
        return out

    def gradient(self, state: tuple[np.ndarray, np.ndarray], rows: Rows) -> np.ndarray:
        model, (voltage, power) = self.model, state
        out = np.zeros((len(rows.row), len(voltage)), complex)
        given = model.grid, model.demand, model.meters, (voltage, power / model.base_mva)
        _derivatives.gradients(*given, (rows.step, rows.row), out)
        return out / model.base_mva
