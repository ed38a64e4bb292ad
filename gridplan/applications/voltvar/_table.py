"""Power and voltages of every step in every position that can matter."""

from __future__ import annotations

import functools
from collections.abc import Sequence

import numpy as np
from numba import njit, vectorize

from gridplan import powerflow
from gridplan.applications._case import OperatingCase
from gridplan.applications._run import Models, check_schedule
from gridplan.applications.voltvar import _reader
from gridplan.applications.voltvar._settings import Settings
from gridplan.applications.voltvar._summary import Series, joined, series
from gridplan.applications.voltvar._zones import Layout, layout
from gridplan.powerflow import _run
from gridplan.powerflow._model import Model

FAILED = 10**9  # excess of a step without a solution [1e-6 pu]
_REACH_PU = 0.004  # a voltage predicted this far outside the limits is outside
_REACH_SEVERAL_PU = 0.015  # the same where several devices act together, whose effects differ from bus to bus
_DOUBT_SLOPE = 0.25  # share of the predicted change of load with the voltage that it may be off by
_DOUBT_LOSSES = 3.0  # relative change of losses for one of the voltage that it is taken to stay below
_BEYOND_MW = 1e12  # below any cost


@vectorize(cache=True)
def _outside(low, high, lowest, highest):
    """Distance of voltages from their limits, see :meth:`ZoneTable.excess`."""
    if np.isnan(low) or np.isnan(high):
        return np.int64(FAILED)
    return np.int64(np.ceil(max(lowest - low, high - highest, 0.0) * 1e6 - 1e-3))


@njit(cache=True, error_model="numpy")
def _nearest(solved, state, step):
    """Nearest state that is solved in a step, the higher of two."""
    for distance in range(1, len(solved)):
        if state + distance < len(solved) and solved[state + distance, step]:
            return state + distance
        if state >= distance and solved[state - distance, step]:
            return state - distance
    return state


@njit(cache=True, error_model="numpy")
def _predict(steps, solved, no_load, values, doubt):
    """Fill what is not solved in some steps; all (states, steps) but `steps` and `no_load`."""
    power, slope, losses, low, high, set_point = values
    for step in steps:
        for state in range(len(solved)):
            doubt[state, step] = 0.0
            if solved[state, step]:
                continue
            known = _nearest(solved, state, step)
            ratio = no_load[state] / no_load[known]
            for voltage in (low, high, set_point):
                voltage[state, step] = voltage[known, step] * ratio
            losses[state, step], slope[state, step] = losses[known, step], slope[known, step]
            power[state, step] = power[known, step] + slope[known, step] * (ratio - 1)
            unsure = _DOUBT_SLOPE * abs(slope[known, step]) + _DOUBT_LOSSES * losses[known, step]
            doubt[state, step] = abs(ratio - 1) * unsure


class Table:
    """By zone: power, voltages and whether they were solved, (states, steps); unsolved states hold predictions.

    Voltages are predicted from the nearest solved state in proportion to the voltages without load. States are sorted by that
    voltage, so that a higher number means a higher voltage.

    Parameters
    ----------
    case, settings
        Case and choices; `models` may be shared between tables of the same network and profiles.
    known
        Table of a case that differs in generation only, and the steps in which it does not, (steps,) bool: they are not solved.
    """

    def __init__(
        self, case: OperatingCase, settings: Settings, models: Models | None = None, known: tuple[Table, np.ndarray] | None = None
    ) -> None:
        check_schedule(case)
        self.case, self.models = case, models or Models(case.net, case.profiles, powerflow.Options())
        self.layout: Layout = known[0].layout if known is not None else layout(case, self.models.full, settings)
        self.shapes = _run._by_shape(case.profiles.shapes)
        self.steps = self.shapes.shape[1]
        self._apart = _Kept(self.layout, self.models.full, len(self.layout.zones), self.steps)
        alike = known[0].zones if known is not None else [None] * len(self.layout.zones)
        self.zones = [ZoneTable(self, number, like) for number, like in enumerate(alike)]
        starts = [zone.start(case) for zone in self.zones]
        self.start = [path for path, _ in starts]
        movable = {(d.control, n) for zone in self.layout.zones for d in zone.devices for n in d.elements}
        set_ = {(control, int(n)) for control, given in case.schedule.items() for n in given.columns}
        self._whole, self._exact = set_ <= movable, all(exact for _, exact in starts)
        rows, which = np.unique(np.column_stack(self.start), axis=0, return_inverse=True)
        which = which.reshape(-1)
        new = np.ones(self.steps, bool)
        if known is not None:
            self.adopt(*known)
            new = ~known[1]
        for number in np.unique(which[new]):
            self._solve([int(s) for s in rows[number]], np.flatnonzero((which == number) & new))
        for zone in self.zones:
            zone.predict()

    def adopt(self, other: Table, alike: np.ndarray) -> None:
        """Take over what another table of the same network has solved, in steps of the same powers; bool, (steps,)."""
        self._apart.adopt(other._apart, alike)
        for zone, known in zip(self.zones, other.zones, strict=True):
            zone.adopt(known, alike)

    def before(self) -> Series:
        """Return what the case gives as it is."""
        found = self.series(self.start) if self._exact else None
        return series(self.case, self.models) if found is None else found

    def solve(self, needed: list[np.ndarray]) -> None:
        """Solve what is needed and not solved yet; each (states, steps) by zone."""
        wanted = [need & ~zone.solved for need, zone in zip(needed, self.zones, strict=True)]
        for state in range(max(len(need) for need in wanted)):
            rows = [need[state] for need in wanted if state < len(need)]
            columns = np.flatnonzero(np.any(rows, axis=0))
            if len(columns):
                self._solve([min(state, len(need) - 1) for need in wanted], columns)
        for zone in self.zones:
            zone.predict()

    def _solve(self, states: Sequence[int], columns: np.ndarray) -> None:
        """Solve some steps with each zone in a state."""
        positions = tuple(p for zone, s in zip(self.zones, states, strict=True) for p in zone.positions(s))
        sums = _reader.read(self.models.at(positions), self.shapes[:, columns], self.layout.groups, self.models.options)
        self._apart.fill(columns, sums)
        for zone, s in zip(self.zones, states, strict=True):
            zone.fill(s, columns, sums)

    def series(self, paths: Sequence[np.ndarray]) -> Series | None:
        """Return what was solved, each zone in a sequence of states.

        Nothing if a step of it has no solution, or if the schedule of the case sets other elements too.
        """
        if not self._whole:
            return None
        sums = _reader.empty(self.layout.groups, self.steps)
        self._apart.give(np.arange(self.steps), sums)
        for zone, path in zip(self.zones, paths, strict=True):
            for state in np.unique(path):
                zone.kept[state].give(np.flatnonzero(path == state), sums)
        found = joined(self.case, self.models.full, self.layout.groups, (sums, self.layout.area))
        return None if found.failed.any() else found


class _Kept:
    """What was read of the groups that depend on one zone, or on none, in one state."""

    _BY_GROUP = ("demand", "losses", "low", "high", "mean")

    def __init__(self, layout: Layout, model: Model, number: int, steps: int) -> None:
        groups, self.own = layout.groups, layout.own[number]
        count, lines, pointers = len(layout.area), len(model.elements["line"]), model.meters.row_ptr
        used = np.flatnonzero(np.diff(pointers)[lines : len(model.idle)])
        mine = used[np.isin(groups.branch[pointers[lines + used]], self.own)]
        self.rows = np.r_[self.own, count + mine]
        self._parts = [(name, self.own) for name in self._BY_GROUP] + [("loading", self.rows)]
        self._values = [np.full((len(rows), steps), np.nan) for _, rows in self._parts]

    def fill(self, columns: np.ndarray, sums: _reader.Sums) -> None:
        """Take over some steps."""
        for (name, rows), values in zip(self._parts, self._values, strict=True):
            values[:, columns] = getattr(sums, name)[rows]

    def adopt(self, other: _Kept, columns: np.ndarray) -> None:
        """Take over some steps of the same groups of another table."""
        for values, known in zip(self._values, other._values, strict=True):
            values[:, columns] = known[:, columns]

    def give(self, columns: np.ndarray, sums: _reader.Sums) -> None:
        """Write some steps out."""
        for (name, rows), values in zip(self._parts, self._values, strict=True):
            getattr(sums, name)[rows[:, None], columns] = values[:, columns]


class ZoneTable:
    """Table of one zone; see :class:`Table`."""

    _SOLVED = ("power", "slope", "losses", "low", "high", "set_point")

    def __init__(self, table: Table, number: int, like: ZoneTable | None = None) -> None:
        self.zone, self.number, model = table.layout.zones[number], number, table.models.full
        # Not the table itself: the two would keep each other in memory.
        self._keep = functools.partial(_Kept, table.layout, model, number, table.steps)
        no_load = self._without_load(table) if like is None else like.no_load[np.argsort(like.order)]
        self.order = np.argsort(no_load, kind="stable")
        self.no_load, self.states = no_load[self.order], self.zone.states[self.order]
        shape = (len(self.order), table.steps)
        self.solved, self._fresh = np.zeros(shape, bool), np.zeros(table.steps, bool)
        self.power, self.slope, self.losses, self.low, self.high, self.set_point = (np.zeros(shape) for _ in self._SOLVED)
        self.doubt = np.zeros(shape)
        self.single = len(self.zone.devices) == 1 and self.zone.devices[0].control == "trafo.tap_pos"
        self.kept: dict[int, _Kept] = {}
        self._base_mva = model.base_mva

    def _without_load(self, table: Table) -> np.ndarray:
        """Voltage without load in each state of the zone."""
        node, places = table.layout.groups.watched[self.number], map(self.zone.positions, range(len(self.zone.states)))
        return np.array([abs(table.models.at(positions).grid.no_load[node]) for positions in places])

    def positions(self, state: int) -> tuple:
        """Positions of all elements in a state, in the order of the table."""
        return self.zone.positions(int(self.order[state]))

    def start(self, case: OperatingCase) -> tuple[np.ndarray, bool]:
        """Return the states that the case has, in its net or schedule, and whether these are its very positions."""
        start = [self._starts(device, case) for device in self.zone.devices]
        distance = sum(np.abs(self.states[:, d, None] - at[None, :]) for d, at in enumerate(start))
        alike = all(self._alike(device, case) for device in self.zone.devices)
        return distance.argmin(axis=0), alike and not distance.min(axis=0).any()

    def _starts(self, device, case: OperatingCase) -> np.ndarray:
        table, column = device.control.split(".")
        given = case.schedule.get(device.control)
        if given is not None and device.elements[0] in given:
            return given[device.elements[0]].to_numpy()
        return np.full(self.solved.shape[1], case.net[table].at[device.elements[0], column])

    @staticmethod
    def _alike(device, case: OperatingCase) -> bool:
        """Whether the elements of a device are in one position in every step."""
        table, column = device.control.split(".")
        given = case.schedule.get(device.control)
        rows = [
            given[n].to_numpy() if given is not None and n in given else case.net[table].at[n, column] for n in device.elements
        ]
        return all(np.array_equal(row, rows[0]) for row in rows[1:])

    def fill(self, state: int, columns: np.ndarray, sums: _reader.Sums) -> None:
        """Take over what was read of some steps in one state."""
        counted, limited = self.zone.counted, self.zone.limited
        self.losses[state, columns] = sums.losses[counted].sum(axis=0) * self._base_mva
        self.power[state, columns] = self.losses[state, columns] + sums.demand[counted].sum(axis=0) * self._base_mva
        self.slope[state, columns] = sums.slope[counted].sum(axis=0) * self._base_mva
        self.low[state, columns] = sums.low[limited].min(axis=0)
        self.high[state, columns] = sums.high[limited].max(axis=0)
        self.set_point[state, columns] = sums.watched[self.number]
        self._at(state, columns).fill(columns, sums)

    def adopt(self, other: ZoneTable, alike: np.ndarray) -> None:
        """Take over what the same zone of another table has solved in some steps, bool (steps,)."""
        for state, kept in other.kept.items():
            columns = np.flatnonzero(other.solved[state] & alike & ~self.solved[state])
            for name in self._SOLVED:
                getattr(self, name)[state, columns] = getattr(other, name)[state, columns]
            self._at(state, columns).adopt(kept, columns)

    def _at(self, state: int, columns: np.ndarray) -> _Kept:
        """Mark some steps as solved in a state, and return what is kept of it."""
        self.solved[state, columns] = self._fresh[columns] = True
        if state not in self.kept:
            self.kept[state] = self._keep()
        return self.kept[state]

    def predict(self) -> None:
        """Fill unsolved states from the nearest solved one of the same step, where anything was solved since the last time."""
        fresh = np.flatnonzero(self._fresh)
        self._fresh[fresh] = False
        _predict(fresh, self.solved, self.no_load, tuple(getattr(self, name) for name in self._SOLVED), self.doubt)

    def hopeful(self, low_pu: float, high_pu: float, *, losses: bool) -> tuple[np.ndarray, np.ndarray]:
        """Return excess and cost as they are where solved, and as low as they can be elsewhere."""
        excess = self.excess(low_pu, high_pu)
        unknown = np.isnan(self.low) & ~self.solved  # next to a state without a solution nothing is known
        excess = np.where(self.solved, excess, np.where(unknown, 0, np.maximum(excess - self._reach, 0)))
        cost = np.nan_to_num(self.losses - self.doubt if losses else self.power - self.doubt)
        return excess, np.where(unknown, -_BEYOND_MW, cost)

    @property
    def _reach(self) -> int:
        return int(1e6 * (_REACH_PU if len(self.zone.devices) == 1 else _REACH_SEVERAL_PU))

    def excess(self, low_pu: float, high_pu: float) -> np.ndarray:
        """By how much the worst bus is outside the limits [1e-6 pu, rounded up]; whole numbers, so that sums compare exactly."""
        return _outside(self.low, self.high, low_pu, high_pu)

    def window(self, low_pu: float, high_pu: float) -> np.ndarray:
        """Need the states that may be inside the limits, and the best one with its neighbours where none is."""
        excess = self.excess(low_pu, high_pu)
        unknown = np.isnan(self.low) & ~self.solved  # next to a state without a solution nothing is known
        need = (excess <= self._reach) | unknown
        best = excess.argmin(axis=0)
        none = ~(excess == 0).any(axis=0)
        for shift in (-1, 0, 1):
            need[np.clip(best + shift, 0, len(need) - 1)[none], np.flatnonzero(none)] = True
        return need
