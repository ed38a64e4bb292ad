"""The matrix of a network with some measures built, without building the network for it.

Parallel lines, larger conductors and tap positions change values in the matrix, but not where it has any: they are exchanged
there. Everything else (new sections, regulators, transformers) is built by pandapower, once for each set of such measures.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
from pandapower.auxiliary import pandapowerNet
from scipy import sparse

from gridplan.needs import _actions
from gridplan.needs._actions import Action, Choice
from gridplan.powerflow import Options, Profiles, _model
from gridplan.powerflow._model import Model

_EXCHANGED = (_actions.PARALLEL, _actions.REPLACED, _actions.TAP)
_NEW_LINE = (_actions.PARALLEL, _actions.FEEDER)


@dataclass(frozen=True, eq=False)
class _Base:
    """A network as pandapower builds it; admittances of its transformers by position; lines that may be built."""

    net: pandapowerNet
    model: Model
    options: Options
    taps: dict[int, dict[int, np.ndarray]] = field(default_factory=dict)
    known: dict[Action, Any] = field(default_factory=dict)

    def spots(self, ends: tuple[int, int]) -> np.ndarray | None:
        """Places of a branch between two nodes among the values of the matrix; None if it has none."""
        grid, found = self.model.grid, []
        for i, j in product(ends, ends):
            row = grid.y_col[grid.y_ptr[i] : grid.y_ptr[i + 1]]
            at = int(np.searchsorted(row, j))
            if at == len(row) or row[at] != j:
                return None
            found.append(grid.y_ptr[i] + at)
        return np.array(found)


@dataclass(eq=False)
class Matrices:
    """Models of one year's network with any measures built.

    Parameters
    ----------
    net, profiles, choice, options
        As of :class:`gridplan.needs._judge.Year`.
    """

    net: pandapowerNet
    profiles: Profiles
    choice: Choice
    options: Options
    _bases: dict[tuple[Action, ...], _Base] = field(default_factory=dict)

    def at(self, actions: tuple[Action, ...]) -> Model:
        """Model with some measures built; its elements are numbered as :func:`gridplan.needs._actions.apply` numbers them."""
        built = tuple(action for action in actions if action.kind not in _EXCHANGED)
        changed = [action for action in actions if action.kind in _EXCHANGED]
        if not changed:
            return self._base(built).model
        model = None if self._meet(built, changed) else _exchanged(self._base(built), self._numbered(actions), self.choice)
        return model or self._build(actions).model

    def _base(self, built: tuple[Action, ...]) -> _Base:
        if built not in self._bases:
            self._bases[built] = self._build(built)
        return self._bases[built]

    def _build(self, actions: tuple[Action, ...]) -> _Base:
        net = _actions.apply(self.net, actions, self.choice)
        return _Base(net, _model.build(net, self.profiles, self.options), self.options)

    def _meet(self, built: Iterable[Action], changed: Iterable[Action]) -> bool:
        """Whether a new section opens a line beside which another one is built, so that their order matters."""
        ends = [
            {tuple(sorted(self.net.line.loc[action.element_id, ["from_bus", "to_bus"]])) for action in part}
            for part in (
                [action for action in built if action.kind == _actions.FEEDER],
                [action for action in changed if action.kind == _actions.PARALLEL],
            )
        ]
        return bool(ends[0] & ends[1])

    def _numbered(self, actions: tuple[Action, ...]) -> list[tuple[Action, int]]:
        """Measures with the number of the line that each adds; -1: none."""
        number, found = int(self.net.line.index.max()) if len(self.net.line) else -1, []
        for action in actions:
            new = action.kind in _NEW_LINE
            number += new
            found.append((action, number if new else -1))
        return found


def _exchanged(base: _Base, actions: list[tuple[Action, int]], choice: Choice) -> Model | None:
    """Model with other values in the matrix; None where there is no place for one."""
    grid = base.model.grid
    if grid.newton_only:
        return None
    branches = _Branches(base)
    for action, number in actions:
        done = True
        if action.kind == _actions.TAP:
            branches.set_tap(action)
        elif action.kind == _actions.REPLACED:
            branches.replace_line(action, choice.by_name[action.measure])
        elif action.kind == _actions.PARALLEL:
            done = branches.add_line(action, number, choice.by_name[action.measure])
        if not done:
            return None
    matrix = sparse.csr_matrix((branches.data, grid.y_col, grid.y_ptr), shape=(grid.start.size,) * 2)
    exchanged = _model.refactored(grid, matrix)
    if exchanged is None:
        return None
    fed = [number for action, number in actions if action.kind == _actions.FEEDER]
    return branches.model(exchanged, fed)


class _Branches:
    """What is read off the voltages of a network, while lines are changed and added."""

    def __init__(self, base: _Base) -> None:
        meters = base.model.meters
        self.base, self.y, self.data = base, meters.branch_y.copy(), base.model.grid.y.copy()
        self.scale = np.column_stack([meters.scale_from, meters.scale_to])
        self.added: list[tuple[int, int, int, np.ndarray, float]] = []

    def set_tap(self, action: Action) -> None:
        """Exchange the admittances of a transformer."""
        base, number = self.base, action.element_id
        if number not in base.taps:
            base.taps[number] = _model.tap_admittances(base.net, number, base.options)
        row = len(base.model.elements["line"]) + base.model.elements["trafo"].get_loc(number)
        self._exchange(row, base.taps[number][int(action.setting)])

    def replace_line(self, action: Action, data: dict[str, Any]) -> None:
        """Exchange the conductor of a line."""
        base = self.base
        row = base.model.elements["line"].get_loc(action.element_id)
        if action not in base.known:
            line = base.net.line.loc[action.element_id]
            ratings = [float(part["max_i_ka"]) * count for part, count in ((line, line["parallel"]), (data, action.setting))]
            leakage = float(line["g_us_per_km"]) if "g_us_per_km" in line else 0.0
            base.known[action] = _line_admittances(base.net, action, data, leakage), ratings[0] / ratings[1]
        values, change = base.known[action]
        self._exchange(row, values)
        self.scale[slice(*base.model.meters.row_ptr[row : row + 2])] *= change

    def _exchange(self, row: int, values: np.ndarray) -> None:
        meters = self.base.model.meters
        for m in range(meters.row_ptr[row], meters.row_ptr[row + 1]):
            self.data[self.base.spots((meters.branch_from[m], meters.branch_to[m]))] += values - self.y[m]
            self.y[m] = values

    def add_line(self, action: Action, number: int, data: dict[str, Any]) -> bool:
        """Build a line beside another one; False where the other one does not join the two buses."""
        if action not in self.base.known:
            self.base.known[action] = self._beside(action, data)
        if self.base.known[action] is None:
            return False
        ends, spots, values, scale = self.base.known[action]
        self.data[spots] += values
        self.added.append((number, *ends, values, scale))
        return True

    def _beside(self, action: Action, data: dict[str, Any]) -> tuple | None:
        """Nodes, places in the matrix, admittances and loading per current of a line beside another one."""
        net, model = self.base.net, self.base.model
        buses = net.line.loc[action.element_id, ["from_bus", "to_bus"]].astype(int)
        ends = tuple(int(at) for at in model.meters.bus[net.bus.index.get_indexer(buses)])
        spots = None if min(ends) < 0 or ends[0] == ends[1] else self.base.spots(ends)
        if spots is None:
            return None
        amps = model.base_mva / np.sqrt(3) / float(net.bus.at[buses.iloc[0], "vn_kv"])
        scale = 100.0 * amps / (float(data["max_i_ka"]) * action.setting)
        return ends, spots, _line_admittances(net, action, data, 0.0), scale

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


def _line_admittances(net: pandapowerNet, action: Action, data: dict[str, Any], leakage: float) -> np.ndarray:
    """Yff, Yft, Ytf, Ytt [pu] of circuits of a conductor along a line, as pandapower has them."""
    line, count = net.line.loc[action.element_id], action.setting
    base = float(net.bus.at[int(line["from_bus"]), "vn_kv"]) ** 2 / net.sn_mva
    km = float(line["length_km"])
    series = count * base / (complex(float(data["r_ohm_per_km"]), float(data["x_ohm_per_km"])) * km)
    charging = complex(leakage * 1e-6, 2 * np.pi * net.f_hz * float(data["c_nf_per_km"]) * 1e-9) * base * km * count
    return np.array([series + charging / 2, -series, -series, series + charging / 2])
