"""Power and voltages of every step in every position that can matter."""

from __future__ import annotations

import numpy as np

from gridplan import powerflow
from gridplan.applications._case import OperatingCase
from gridplan.applications._run import Models, check_schedule
from gridplan.applications.voltvar import _reader
from gridplan.applications.voltvar._settings import Settings
from gridplan.applications.voltvar._zones import Layout, layout
from gridplan.powerflow import _run

FAILED = 10**9  # excess of a step without a solution [1e-6 pu]
_REACH_PU = 0.004  # a voltage predicted this far outside the limits is outside
_REACH_SEVERAL_PU = 0.015  # the same where several devices act together, whose effects differ from bus to bus


class Table:
    """By zone: power, voltages and whether they were solved, (states, steps); unsolved states hold predictions.

    Voltages are predicted from the nearest solved state in proportion to the voltages without load. States are sorted by that
    voltage, so that a higher number means a higher voltage.

    Parameters
    ----------
    case, settings
        Case and choices; `models` may be shared between tables of the same network and profiles.
    """

    def __init__(self, case: OperatingCase, settings: Settings, models: Models | None = None) -> None:
        check_schedule(case)
        self.models = models or Models(case.net, case.profiles, powerflow.Options())
        self.layout: Layout = layout(case, self.models.full, settings)
        self.shapes = _run._by_shape(case.profiles.shapes)
        self.steps = self.shapes.shape[1]
        self.zones = [ZoneTable(self, number) for number in range(len(self.layout.zones))]
        self.solve([zone.need_of(case) for zone in self.zones])

    def solve(self, needed: list[np.ndarray]) -> None:
        """Solve what is needed and not solved yet; each (states, steps) by zone."""
        wanted = [need & ~zone.solved for need, zone in zip(needed, self.zones, strict=True)]
        for state in range(max(len(need) for need in wanted)):
            rows = [need[min(state, len(need) - 1)] for need in wanted]
            columns = np.flatnonzero(np.any([row for row, need in zip(rows, wanted, strict=True) if state < len(need)], axis=0))
            if len(columns):
                states = [min(state, len(need) - 1) for need in wanted]
                positions = tuple(p for zone, s in zip(self.zones, states, strict=True) for p in zone.positions(s))
                sums = _reader.read(self.models.at(positions), self.shapes[:, columns], self.layout.groups, self.models.options)
                for zone, s in zip(self.zones, states, strict=True):
                    zone.fill(s, columns, sums)
        for zone in self.zones:
            zone.predict()


class ZoneTable:
    """Table of one zone; see :class:`Table`."""

    def __init__(self, table: Table, number: int) -> None:
        self.zone, self.number = table.layout.zones[number], number
        node = table.layout.groups.watched[number]
        grids = [table.models.at(self.zone.positions(s)).grid for s in range(len(self.zone.states))]
        no_load = np.array([abs(grid.no_load[node]) for grid in grids])
        self.order = np.argsort(no_load, kind="stable")
        self.no_load, self.states = no_load[self.order], self.zone.states[self.order]
        shape = (len(self.order), table.steps)
        self.solved = np.zeros(shape, bool)
        self.power, self.losses, self.low, self.high, self.set_point = (np.zeros(shape) for _ in range(5))
        self._base_mva = table.models.full.base_mva

    def positions(self, state: int) -> tuple:
        """Positions of all elements in a state, in the order of the table."""
        return self.zone.positions(int(self.order[state]))

    def need_of(self, case: OperatingCase) -> np.ndarray:
        """Need the states that the case has, in its net or schedule."""
        start = [self._starts(device, case) for device in self.zone.devices]
        distance = sum(np.abs(self.states[:, d, None] - at[None, :]) for d, at in enumerate(start))
        need = np.zeros(self.solved.shape, bool)
        need[distance.argmin(axis=0), np.arange(need.shape[1])] = True
        return need

    def _starts(self, device, case: OperatingCase) -> np.ndarray:
        table, column = device.control.split(".")
        given = case.schedule.get(device.control)
        if given is not None and device.elements[0] in given:
            return given[device.elements[0]].to_numpy()
        return np.full(self.solved.shape[1], case.net[table].at[device.elements[0], column])

    def fill(self, state: int, columns: np.ndarray, sums: _reader.Sums) -> None:
        """Take over what was read of some steps in one state."""
        counted, limited = self.zone.counted, self.zone.limited
        self.losses[state, columns] = sums.losses[counted].sum(axis=0) * self._base_mva
        self.power[state, columns] = self.losses[state, columns] + sums.demand[counted].sum(axis=0) * self._base_mva
        self.low[state, columns] = sums.low[limited].min(axis=0)
        self.high[state, columns] = sums.high[limited].max(axis=0)
        self.set_point[state, columns] = sums.watched[self.number]
        self.solved[state, columns] = True

    def predict(self) -> None:
        """Fill unsolved states from the nearest solved one of the same step."""
        states = np.arange(len(self.no_load))[:, None]
        below = np.maximum.accumulate(np.where(self.solved, states, -1), axis=0)
        above = np.minimum.accumulate(np.where(self.solved, states, 10**6)[::-1], axis=0)[::-1]
        source = np.where((above < 10**6) & ((below < 0) | (above - states <= states - below)), above, below)
        column = np.broadcast_to(np.arange(source.shape[1]), source.shape)
        ratio = self.no_load[:, None] / self.no_load[source]
        for values, scaled in (
            (self.low, True),
            (self.high, True),
            (self.set_point, True),
            (self.power, False),
            (self.losses, False),
        ):
            known = values[source, column] * ratio if scaled else values[source, column]
            np.copyto(values, known, where=~self.solved)

    def excess(self, low_pu: float, high_pu: float) -> np.ndarray:
        """By how much the worst bus is outside the limits [1e-6 pu, rounded up]; whole numbers, so that sums compare exactly."""
        outside = np.maximum(np.maximum(low_pu - self.low, self.high - high_pu), 0.0)
        micro = np.ceil(outside * 1e6 - 1e-3)
        return np.where(np.isnan(micro), FAILED, micro).astype(np.int64)

    def window(self, low_pu: float, high_pu: float) -> np.ndarray:
        """Need the states that may be inside the limits, and the best one with its neighbours where none is."""
        reach = int(1e6 * (_REACH_PU if len(self.zone.devices) == 1 else _REACH_SEVERAL_PU))
        excess = self.excess(low_pu, high_pu)
        need = (excess <= reach) | (np.isnan(self.low) & ~self.solved)  # next to a state without a solution nothing is known
        best = excess.argmin(axis=0)
        none = ~(excess == 0).any(axis=0)
        for shift in (-1, 0, 1):
            need[np.clip(best + shift, 0, len(need) - 1)[none], np.flatnonzero(none)] = True
        return need
