"""Simulate an operating case: the steps of each position of tap changers and capacitor banks on their own admittance matrix."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Literal

import numpy as np
import pandas as pd
from pandapower.auxiliary import pandapowerNet

from gridplan import powerflow
from gridplan.applications._case import OperatingCase
from gridplan.errors import ParameterError, Problem, suggest
from gridplan.network import display_name
from gridplan.powerflow import _kernel, _model, _run, _statistics

CONTROLS = {"trafo.tap_pos": ("trafo", "tap_pos", "tap_min", "tap_max"), "shunt.step": ("shunt", "step", None, "max_step")}
"""What a schedule may set: table, column, and the columns with its lowest and highest position."""

Positions = tuple[tuple[tuple[str, int], int], ...]
"""``((control, element_id), position)`` of every element that is not where `net` has it."""


def run(
    case: OperatingCase,
    *,
    keep: Literal["all", "statistics"] = "all",
    options: powerflow.Options | None = None,
    models: Models | None = None,
) -> powerflow.PowerFlow:
    """Power flows of all steps of an operating case, each at the positions that its schedule has.

    Steps with the same positions share one admittance matrix and are solved as one batch, see :func:`gridplan.powerflow.run`;
    the results stand in the order of time.

    Parameters
    ----------
    case
        Case; not changed.
    keep
        ``all`` voltages and loadings of every step, or only ``statistics`` of each element.
    options
        How to solve; pandapower's defaults.
    models
        Models of this very case, if they are known; then `options` are theirs.

    Returns
    -------
    powerflow.PowerFlow
        As of :func:`gridplan.powerflow.run`, held against the limits of the case.

    Raises
    ------
    ParameterError
        The schedule names an unknown control or element, has not one row a step, or a position outside the range of the
        element; or `keep` is unknown.
    NetworkError
        As of :func:`gridplan.powerflow.run`.
    """
    options = options or powerflow.Options()
    if keep not in {"all", "statistics"}:
        raise ParameterError("run", [Problem("keep", f"{keep!r} is unknown; {suggest(keep, ['all', 'statistics'])}")])
    if not case.schedule and models is None:
        return powerflow.run(case.net, case.profiles, keep=keep, limits=case.limits, options=options)
    check_schedule(case)
    models, shapes = models or Models(case.net, case.profiles, options), _run._by_shape(case.profiles.shapes)
    places, which = distinct(case.schedule) if case.schedule else ([()], np.zeros(shapes.shape[1], int))
    if keep == "all":
        readings = _solve(models, (places, which), shapes)
        series = _run._series(models.full, case.profiles.time, shapes, readings)
        frames = _run._frames(models.full, case.profiles.time, readings)
        return powerflow.PowerFlow(case.profiles.time, **series, **frames, limits=case.limits)
    return _statistics_of(case, models, (places, which), shapes)


def _statistics_of(
    case: OperatingCase, models: Models, positions: tuple[list[Positions], np.ndarray], shapes: np.ndarray
) -> powerflow.PowerFlow:
    """Simulate chunk after chunk of time, so that memory does not grow with the steps."""
    (places, which), time, parts = positions, case.profiles.time, []
    tally = _statistics.Tally(_run.thresholds(models.full.elements, case.limits))
    for start, part in _run._chunks(models.full, shapes):
        span = slice(start, start + part.shape[1])
        readings = _solve(models, (places, which[span]), part)
        tally.add(readings.vm, readings.loading, start)
        parts.append(_run._series(models.full, time[span], part, readings))
    joined = {name: pd.concat([part[name] for part in parts]) for name in parts[0]}
    tables = tally.tables(models.full.elements, case.profiles.step_h, limited=True)
    return powerflow.PowerFlow(time, **joined, statistics=tables, limits=case.limits)


def _solve(models: Models, positions: tuple[list[Positions], np.ndarray], shapes: np.ndarray) -> _kernel.Readings:
    """Solve the steps of each position on its own matrix and put the readings in the order of the steps."""
    places, which = positions
    whole: _kernel.Readings | None = None
    for number in np.unique(which):
        own = np.flatnonzero(which == number)
        model = models.at(places[number])
        part = _run._solve(model, np.ascontiguousarray(shapes[:, own]), models.options)
        _run._blank(model, part)
        if len(own) == len(which):
            return part
        if whole is None:
            whole = _kernel.Readings(*(np.empty((*a.shape[:-1], len(which)), a.dtype) for a in part))
        for into, piece in zip(whole, part, strict=True):
            if piece.size:  # angles may not be kept
                into[..., own] = piece
    return whole


class Models:
    """Models of one network with its tap changers and capacitor banks in any position; each is built once.

    Only the admittance matrix depends on positions, and only where the elements stand: pandapower gives the admittances of each
    transformer at all its positions at once, and they are exchanged in the matrix.

    Parameters
    ----------
    net, profiles, options
        As of :func:`gridplan.powerflow.run`.
    like
        Models of another case; where its network has the same tables but for generation and storage, nothing is built again, and
        where it has the same buses and transformers, their admittances.
    """

    def __init__(
        self,
        net: pandapowerNet,
        profiles: powerflow.Profiles | None,
        options: powerflow.Options,
        *,
        like: Models | None = None,
    ) -> None:
        _run._check_elements(net, profiles)
        self.options = options
        alike = like is not None and like.options == options and _same_matrix(net, like._net)
        self.full = _model.redriven(like.full, net, profiles) if alike else _model.build(net, profiles, options)
        self._net, self._profiles, self._like = net, profiles, like if alike else None
        self._known: dict[Positions, _model.Model] = {}
        same = like is not None and like.options == options and all(net[n] is like._net[n] for n in ("bus", "trafo"))
        self._taps: dict[int, dict[int, np.ndarray]] = like._taps if same else {}
        self._banks: dict[tuple[tuple[str, int], int], np.ndarray | None] = {}
        self._silenced: dict[tuple[int, ...], Models] = {}

    def silenced(self, generators: Iterable[int]) -> Models:
        """Models of the same network in which some static generators have no power; made once."""
        numbers = tuple(int(n) for n in generators)
        if numbers not in self._silenced:
            sgen = self._net.sgen.copy()
            sgen.loc[list(numbers), ["p_mw", "q_mvar"]] = 0.0
            net = pandapowerNet(dict(self._net.items()) | {"sgen": sgen})
            self._silenced[numbers] = Models(net, self._profiles, self.options, like=self)
        return self._silenced[numbers]

    def at(self, positions: Positions) -> _model.Model:
        """Model with the elements named at the positions named, all others as in the network."""
        moved = tuple(p for p in positions if self._position(*p[0]) != p[1])
        if not moved:
            return self.full
        if moved not in self._known:
            self._known[moved] = self._exchanged(moved) if self._like is None else self._driven(self._like.at(moved))
        return self._known[moved]

    def _position(self, control: str, number: int) -> int:
        table, column, *_ = CONTROLS[control]
        return self._net[table].at[number, column]

    def _exchanged(self, moved: Positions) -> _model.Model:
        """Exchange the admittances in the matrix; build anew what cannot be exchanged."""
        full, grid = self.full, self.full.grid
        if grid.newton_only:
            return self._build(moved)
        values, branch_y = grid.y.copy(), full.meters.branch_y.copy()
        for element, position in moved:
            if element[0] == "trafo.tap_pos":
                self._exchange_tap(element[1], position, (values, branch_y))
            else:
                change = self._bank_change(element, position)
                if change is None:
                    return self._build(moved)
                values += change
        exchanged = _model.refactored(grid, values)
        if exchanged is None:
            return self._build(moved)
        return replace(full, grid=exchanged, meters=full.meters._replace(branch_y=branch_y))

    def _driven(self, moved: _model.Model) -> _model.Model:
        """Model of the other case at some positions, with the demand of this one."""
        own = self.full
        if not np.array_equal(moved.meters.bus, own.meters.bus):  # pandapower orders the buses otherwise at these positions
            return _model.redriven(moved, self._net, self._profiles)
        return replace(moved, demand=own.demand, driven=own.driven)

    def _build(self, moved: Positions) -> _model.Model:
        return _model.build(moved_net(self._net, moved), self._profiles, self.options)

    def _exchange_tap(self, number: int, position: int, into: tuple[np.ndarray, np.ndarray]) -> None:
        """Write the admittances of a transformer at a position into the matrix and the branches."""
        (values, branch_y), meters = into, self.full.meters
        row = len(self.full.elements["line"]) + self.full.elements["trafo"].get_loc(number)
        for m in range(meters.row_ptr[row], meters.row_ptr[row + 1]):
            ends = meters.branch_from[m], meters.branch_to[m]
            change = self._tap_admittances(number)[position] - branch_y[m]
            branch_y[m] += change
            np.add.at(values, _model.places(self.full.grid, ends), change)

    def _bank_change(self, element: tuple[str, int], position: int) -> np.ndarray | None:
        """Change of the matrix by a bank at another step; None if pandapower orders the buses otherwise then."""
        if (element, position) not in self._banks:
            grid = self._build(((element, position),)).grid
            alike = np.array_equal(grid.y_ptr, self.full.grid.y_ptr) and np.array_equal(grid.y_col, self.full.grid.y_col)
            self._banks[element, position] = grid.y - self.full.grid.y if alike else None
        return self._banks[element, position]

    def _tap_admittances(self, number: int) -> dict[int, np.ndarray]:
        """Yff, Yft, Ytf, Ytt of a transformer by tap position."""
        if number not in self._taps:
            self._taps[number] = _model.tap_admittances(self._net, number, self.options)
        return self._taps[number]


def _same_matrix(one: pandapowerNet, other: pandapowerNet) -> bool:
    """Whether two networks share all tables but those of generation and storage, and those of results."""
    tables = {name for name, table in one.items() if isinstance(table, pd.DataFrame) and not name.startswith(("res_", "_"))}
    return all(name in other and one[name] is other[name] for name in tables - {"sgen", "storage"})


def moved_net(net: pandapowerNet, positions: Positions) -> pandapowerNet:
    """Network with some elements at other positions; the network given is not changed."""
    moved = pandapowerNet({key: value.copy() if key in {"trafo", "shunt"} else value for key, value in net.items()})
    for (control, number), position in positions:
        table, column, *_ = CONTROLS[control]
        moved[table].loc[number, column] = position
    return moved


def distinct(schedule: dict[str, pd.DataFrame]) -> tuple[list[Positions], np.ndarray]:
    """Return the different positions of a schedule and which of them each step has, (steps,)."""
    names = [(control, int(number)) for control, table in schedule.items() for number in table.columns]
    values = np.column_stack([table.to_numpy() for table in schedule.values()]).astype(np.int64)
    rows, which = np.unique(values, axis=0, return_inverse=True)
    return [tuple(zip(names, (int(v) for v in row), strict=True)) for row in rows], which.reshape(-1)


def check_schedule(case: OperatingCase) -> None:
    """Raise for everything that is wrong with the schedule of a case."""
    problems = [problem for control, table in case.schedule.items() for problem in _schedule_problems(case, control, table)]
    if problems:
        raise ParameterError("schedule", problems)


def _schedule_problems(case: OperatingCase, control: str, table: pd.DataFrame) -> Iterator[Problem]:
    if control not in CONTROLS:
        yield Problem("schedule", f"'{control}' is no control; {suggest(control, CONTROLS)}")
        return
    element, _, lowest, highest = CONTROLS[control]
    if len(table) != len(case.profiles.time):
        yield Problem(control, f"{len(table)} rows for {len(case.profiles.time)} steps of the profiles")
    for number in table.columns[table.columns.duplicated()].unique():
        yield Problem(control, f"{element} {number} has two columns")
    for position, number in enumerate(table.columns):
        if number not in case.net[element].index:
            yield Problem(control, f"{element} {number} is not in the network")
            continue
        values, row = table.iloc[:, position].to_numpy(float), case.net[element].loc[number]
        low, high = 0.0 if lowest is None else float(row[lowest]), float(row[highest])
        bad = np.flatnonzero(~((values >= low) & (values <= high) & (values == np.round(values))))
        if len(bad):
            what = f"{values[bad[0]]:g} at {case.profiles.time[bad[0]]} is no whole position from {low:g} to {high:g}"
            yield Problem(control, f"{display_name(case.net, element, number)}: {what}")
