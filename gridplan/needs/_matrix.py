"""The matrix of a network with some measures built, without building the network for it.

Lines beside others or in their place, taps and transformers change values in the matrix, but not where it has any; a new section
adds two places and opens a line. All of this is exchanged there. Only regulators, which add a bus, and what meets in one place
are built by pandapower, once for each set of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from pandapower.auxiliary import pandapowerNet

from gridplan.needs import _actions
from gridplan.needs._actions import Action, Choice
from gridplan.powerflow import Options, Profiles, _model
from gridplan.powerflow._model import Model

_RATINGS = (_actions.EXCHANGE, _actions.TWIN)
_VALUES = (_actions.PARALLEL, _actions.REPLACED, _actions.TAP)
_NEW_LINE = (_actions.PARALLEL, _actions.FEEDER)
Numbered = list[tuple[Action, int]]
"""Measures with the number of the line that each adds; -1: none."""


@dataclass(frozen=True, eq=False)
class _Base:
    """A network as pandapower builds it; admittances of its transformers by position; lines that may be built."""

    net: pandapowerNet
    model: Model
    options: Options
    taps: dict[tuple, tuple[dict[int, np.ndarray], float, float]] = field(default_factory=dict)
    known: dict[Action, Any] = field(default_factory=dict)
    ways: dict[int, list[int] | None] = field(default_factory=dict)
    wider: dict[tuple, _Base] = field(default_factory=dict)

    def spots(self, ends: tuple[int, int]) -> np.ndarray | None:
        """Places of a branch between two nodes among the values of the matrix; None if it has none."""
        return _model.places(self.model.grid, ends)

    def nodes(self, *buses: int) -> tuple[int, ...]:
        """Rows of some buses in the matrix; -1 without supply."""
        return tuple(self.model.meters.bus[self.net.bus.index.get_indexer(list(buses))].tolist())

    @cached_property
    def lines(self) -> dict[int, dict[str, Any]]:
        """Rows of the lines."""
        return dict(zip(self.net.line.index.tolist(), self.net.line.to_dict("records"), strict=True))

    def beside(self, line: int) -> list[int] | None:
        """Lines between the same two buses as a line, itself among them; None where a switch of theirs is open already."""
        if line not in self.ways:
            own = _actions.side_by_side(self.net, line)
            switch = self.net.switch
            closed = switch.loc[(switch["et"] == "l") & switch["element"].isin(own), "closed"].all()
            self.ways[line] = own if closed else None
        return self.ways[line]

    def widened(self, pairs: tuple[tuple[int, int], ...]) -> _Base:
        """Return the same network with places in its matrix for branches between some more nodes."""
        missing = tuple(sorted({tuple(sorted(pair)) for pair in pairs if self.spots(pair) is None}))
        if missing and missing not in self.wider:
            model = replace(self.model, grid=_model.widened(self.model.grid, missing))
            self.wider[missing] = _Base(self.net, model, self.options, self.taps, ways=self.ways)
        return self.wider[missing] if missing else self


@dataclass(eq=False)
class Matrices:
    """Models of a network with any measures built.

    Parameters
    ----------
    net, profiles, choice, options
        As of :class:`gridplan.needs._judge.Year`.
    model
        Model of the network as it is, if it is known.
    """

    net: pandapowerNet
    profiles: Profiles
    choice: Choice
    options: Options
    model: Model | None = None
    _bases: dict[tuple[Action, ...], _Base] = field(default_factory=dict)

    def holds(self, actions: Sequence[Action]) -> bool:
        """Whether measures can be exchanged in the matrix, for all that the table of elements says."""
        present = self._places
        return all(a.kind != _actions.REGULATOR and (a.element, a.element_id) in present for a in actions)

    @cached_property
    def _places(self) -> set[tuple[str, int]]:
        return {(element, number) for element in ("line", "trafo") for number in self.net[element].index.tolist()}

    def at(self, actions: tuple[Action, ...]) -> Model:
        """Model with some measures built; its elements are numbered as :func:`gridplan.needs._actions.apply` numbers them."""
        moved = any(action.kind == _actions.REGULATOR for action in actions)
        kinds = _VALUES if moved else (*_VALUES, *_RATINGS, _actions.FEEDER)
        built = tuple(action for action in actions if action.kind not in kinds)
        if len(built) == len(actions):
            return self._base(built).model
        wrong = moved and self._meet(actions)
        model = None if wrong else _exchanged(self._base(built), self._numbered(actions), self.choice, kinds)
        return model or self._build(actions).model

    def _base(self, built: tuple[Action, ...]) -> _Base:
        if built not in self._bases:
            self._bases[built] = self._build(built)
        return self._bases[built]

    def _build(self, actions: tuple[Action, ...]) -> _Base:
        if not actions and self.model is not None:
            meters = self.model.meters._replace(angles=self.options.angles)
            return _Base(self.net, replace(self.model, meters=meters), self.options)
        net = _actions.apply(self.net, actions, self.choice)
        return _Base(net, _model.build(net, self.profiles, self.options), self.options)

    def _meet(self, actions: Sequence[Action]) -> bool:
        """Whether a new section opens a line beside which another one is built, so that their order matters."""
        places = {kind: [a.element_id for a in actions if a.kind == kind] for kind in _NEW_LINE}
        if not all(places.values()):
            return False
        ends = self.net.line[["from_bus", "to_bus"]]
        parallel, opened = ({tuple(sorted(row)) for row in ends.loc[own].to_numpy()} for own in places.values())
        return bool(parallel & opened)

    def _numbered(self, actions: tuple[Action, ...]) -> Numbered:
        number, found = int(self.net.line.index.max()) if len(self.net.line) else -1, []
        for action in actions:
            new = action.kind in _NEW_LINE
            number += new
            found.append((action, number if new else -1))
        return found


def _exchanged(base: _Base, actions: Numbered, choice: Choice, kinds: tuple[str, ...]) -> Model | None:
    """Model with other values in the matrix; None where there is no place for one."""
    if base.model.grid.newton_only:
        return None
    changed = [(action, number) for action, number in actions if action.kind in kinds]
    pairs = tuple(base.nodes(action.start, action.end) for action, _ in changed if action.kind == _actions.FEEDER)
    if any(min(pair) < 0 or pair[0] == pair[1] for pair in pairs):
        return None
    base = base.widened(pairs)
    branches = _Branches(base)
    if not branches.set_transformers([action for action, _ in changed], choice):
        return None
    for action, _ in changed:
        if action.kind == _actions.REPLACED:
            branches.replace_line(action, choice.by_name[action.measure])
    for action, number in changed:
        if action.kind == _actions.FEEDER and not branches.open_lines(action):
            return None
        if action.kind in _NEW_LINE and not branches.add_line(action, number, choice.by_name[action.measure]):
            return None
    grid = base.model.grid
    exchanged = _model.refactored(grid, branches.data)
    fed = [number for action, number in actions if action.kind == _actions.FEEDER and action.kind not in kinds]
    return None if exchanged is None else branches.model(exchanged, fed)


class _Branches:
    """What is read off the voltages of a network, while its branches are changed, added and opened."""

    def __init__(self, base: _Base) -> None:
        meters = base.model.meters
        self.base, self.y, self.data = base, meters.branch_y.copy(), base.model.grid.y.copy()
        self.scale = np.column_stack([meters.scale_from, meters.scale_to])
        self.added: list[tuple[int, int, int, np.ndarray, float]] = []
        self.opened: set[int] = set()

    def set_transformers(self, actions: list[Action], choice: Choice) -> bool:
        """Exchange the admittances and ratings of transformers; False where one has no positions to read them off."""
        ratings: dict[int, tuple[Action, ...]] = {}
        for action in (action for action in actions if action.kind in _RATINGS):
            ratings[action.element_id] = (*ratings.get(action.element_id, ()), action)
        taps = {action.element_id: action.setting for action in actions if action.kind == _actions.TAP}
        for number in {**ratings, **taps}:
            values, present, change = self._transformer(number, ratings.get(number, ()), choice)
            position = taps.get(number, present)
            if position not in values:
                return False
            row = len(self.base.model.elements["line"]) + self.base.model.elements["trafo"].get_loc(number)
            self._exchange(row, values[position], change)
        return True

    def _transformer(self, number: int, ratings: tuple[Action, ...], choice: Choice) -> tuple[dict, float, float]:
        """Admittances of a transformer by position, the present one, and how its loading by a current changes."""
        base, key = self.base, (number, ratings)
        if key not in base.taps:
            net = _actions.apply(base.net, ratings, choice) if ratings else base.net
            before, after = base.net.trafo.loc[number], net.trafo.loc[number]
            known = after[["tap_pos", "tap_min", "tap_max"]].notna().all()
            values = _model.tap_admittances(net, number, base.options) if known else {}
            change = before["sn_mva"] * before["parallel"] / (after["sn_mva"] * after["parallel"])
            base.taps[key] = values, float(before["tap_pos"]), float(change)
        return base.taps[key]

    def replace_line(self, action: Action, data: dict[str, Any]) -> None:
        """Exchange the conductor of a line."""
        base = self.base
        row = base.model.elements["line"].get_loc(action.element_id)
        if action not in base.known:
            line = base.lines[action.element_id]
            ratings = [float(part["max_i_ka"]) * count for part, count in ((line, line["parallel"]), (data, action.setting))]
            leakage = float(line["g_us_per_km"]) if "g_us_per_km" in line else 0.0
            base.known[action] = _line_admittances(base.net, (line, action.setting), data, leakage), ratings[0] / ratings[1]
        self._exchange(row, *base.known[action])

    def _exchange(self, row: int, values: np.ndarray, change: float) -> None:
        """Give an element other admittances, and a loading that differs by a factor from that of the network given."""
        meters = self.base.model.meters
        for m in range(meters.row_ptr[row], meters.row_ptr[row + 1]):
            self._set(m, values)
            self.scale[m] = meters.scale_from[m] * change, meters.scale_to[m] * change

    def _set(self, m: int, values: np.ndarray) -> None:
        """Give a branch other admittances."""
        meters = self.base.model.meters
        self.data[self.base.spots((meters.branch_from[m], meters.branch_to[m]))] += values - self.y[m]
        self.y[m] = values

    def add_line(self, action: Action, number: int, data: dict[str, Any]) -> bool:
        """Build a line; False where there is no place for it in the matrix."""
        if action not in self.base.known:
            self.base.known[action] = self._new(action, data)
        if self.base.known[action] is None:
            return False
        ends, spots, values, scale = self.base.known[action]
        self.data[spots] += values
        self.added.append((number, *ends, values, scale))
        return True

    def _new(self, action: Action, data: dict[str, Any]) -> tuple | None:
        """Nodes, places in the matrix, admittances and loading per current of a new section, or of a line beside another one."""
        base, row = self.base, self.base.lines[action.element_id]
        new = action.kind == _actions.FEEDER
        buses = (action.start, action.end) if new else (int(row["from_bus"]), int(row["to_bus"]))
        ends = base.nodes(*buses)
        spots = None if min(ends) < 0 or ends[0] == ends[1] else base.spots(ends)
        if spots is None:
            return None
        amps = base.model.base_mva / np.sqrt(3) / float(base.net.bus.at[buses[0], "vn_kv"])
        scale = 100.0 * amps / (float(data["max_i_ka"]) * action.setting)
        line = {"from_bus": buses[0], "length_km": action.length_km}
        return ends, spots, _line_admittances(base.net, (line, action.setting), data, 0.0), scale

    def open_lines(self, action: Action) -> bool:
        """Open the lines that a new section takes the place of; False where a switch of theirs is open already."""
        lines, meters, row = self.base.beside(action.element_id), self.base.model.meters, self.base.lines[action.element_id]
        if lines is None:
            return False
        for line in lines:
            at, side = self.base.model.elements["line"].get_loc(line), int(self.base.lines[line]["to_bus"] == action.end)
            for m in range(meters.row_ptr[at], meters.row_ptr[at + 1] if line not in self.opened else 0):
                self._set(m, _open(self.y[m], side))
            self.opened.add(line)
        end, other = self.base.nodes(action.end, int(row["to_bus"] if row["from_bus"] == action.end else row["from_bus"]))
        for at, (number, first, second, values, scale) in enumerate(self.added):
            if {first, second} == {end, other} and number not in self.opened:
                opened = _open(values, int(second == end))
                self.data[self.base.spots((first, second))] += opened - values
                self.added[at] = number, first, second, opened, scale
                self.opened.add(number)
        return True

    def model(self, grid: Any, fed: list[int]) -> Model:
        """Model with the lines added after the others; those of new sections get the numbers `fed`."""
        known, count = self.base.model, len(self.added)
        meters, lines = known.meters, known.elements["line"].to_numpy(copy=True)
        if fed:
            lines[-len(fed) :] = fed
        at, place = len(lines), int(meters.row_ptr[len(lines)])
        names, starts, ends, values, scales = (list(part) for part in zip(*self.added, strict=True)) if count else ([],) * 5
        pointers = np.r_[meters.row_ptr[: at + 1], place + 1 + np.arange(count), meters.row_ptr[at + 1 :] + count]
        scale = np.insert(self.scale, place, np.array(scales).repeat(2).reshape(-1, 2), axis=0) if count else self.scale
        wider = meters._replace(
            row_ptr=pointers.astype(np.int64),
            row_kind=np.insert(meters.row_kind, at, [2] * count),
            branch_from=np.insert(meters.branch_from, place, np.array(starts, np.int64)),
            branch_to=np.insert(meters.branch_to, place, np.array(ends, np.int64)),
            branch_y=np.insert(self.y, place, np.array(values).reshape(-1, 4), axis=0),
            scale_from=scale[:, 0].copy(),
            scale_to=scale[:, 1].copy(),
            branch_kind=np.insert(meters.branch_kind, place, [0] * count),
        )
        elements = known.elements | {"line": pd.Index([*lines, *names], dtype=known.elements["line"].dtype)}
        return replace(known, grid=grid, meters=wider, elements=elements, idle=np.insert(known.idle, at, [0.0] * count))


def _open(values: np.ndarray, side: int) -> np.ndarray:
    """Yff, Yft, Ytf, Ytt of a branch that is open at one side: 0 where it begins, 1 where it ends."""
    ff, ft, tf, tt = values
    return np.array([ff - ft * tf / tt, 0, 0, 0] if side else [0, 0, 0, tt - tf * ft / ff])


def _line_admittances(
    net: pandapowerNet, circuits: tuple[dict[str, Any], float], data: dict[str, Any], leakage: float
) -> np.ndarray:
    """Yff, Yft, Ytf, Ytt [pu] of so many circuits of a conductor along a line, as pandapower has them."""
    line, count = circuits
    base = float(net.bus.at[int(line["from_bus"]), "vn_kv"]) ** 2 / net.sn_mva
    km = float(line["length_km"])
    series = count * base / (complex(float(data["r_ohm_per_km"]), float(data["x_ohm_per_km"])) * km)
    charging = complex(leakage * 1e-6, 2 * np.pi * net.f_hz * float(data["c_nf_per_km"]) * 1e-9) * base * km * count
    return np.array([series + charging / 2, -series, -series, series + charging / 2])
