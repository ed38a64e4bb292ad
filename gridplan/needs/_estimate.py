"""What a measure brings if currents stay as they are: cheap enough for every candidate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from gridplan.needs import _actions
from gridplan.needs._actions import Action
from gridplan.needs._judge import LOADING_UNIT, State, Year, high, low

_CONDUCTORS = (_actions.PARALLEL, _actions.REPLACED)


def estimates(state: State, actions: Sequence[Action], built: Mapping[tuple, Action], year: Year) -> np.ndarray:
    """Fall of the excess that each measure brings if currents stay as they are; NaN where there is no simple estimate.

    A line's drop shrinks with its impedance, a tap moves all voltages behind it; only the voltages of the buses behind the
    element, and the loading of a line itself, are looked at.

    Parameters
    ----------
    state
        Where the network stands.
    actions
        Measures.
    built
        What is built already, by place.
    year
        Year in which they would be built.
    """
    gains, places = np.full(len(actions), np.nan), {}
    for at, action in enumerate(actions):
        shift = _SHIFTS.get(action.kind)
        if shift is not None and not (shift is _line_shifts and _otherwise(built.get(action.slot))):
            places.setdefault((shift, action.element, action.element_id), []).append(at)
    for (shift, element, number), own in places.items():
        at = state.behind(element, number)
        shifts, relief = shift(state, [actions[n] for n in own], built.get(actions[own[0]].slot), year)
        gains[own] = relief if not len(at) else _gains(state, at, shifts, year) + relief
    return gains


def _otherwise(there: Action | None) -> bool:
    """Whether something else than another conductor is built in the place of one."""
    return there is not None and there.kind not in _CONDUCTORS


def _gains(state: State, at: np.ndarray, shifts: np.ndarray, year: Year) -> np.ndarray:
    """Fall of the excess of some voltages if all of them are shifted; `shifts` [pu] (measures, steps)."""
    outside = state.low[:, at].sum() + state.high[:, at].sum()
    size = (state.size[:, at] + shifts[:, :, None]).reshape(len(shifts), -1)
    return outside - low(size, year.limits).sum(axis=1) - high(size, year.limits).sum(axis=1)


def _tap_shifts(state: State, actions: list[Action], _: Action | None, year: Year) -> tuple[np.ndarray, np.ndarray]:
    row, now = year.net.trafo.loc[actions[0].element_id], state.tap(actions[0].element_id)
    position = np.array([now, *(action.setting for action in actions)])
    size = 1 + (position - row["tap_neutral"]) * row["tap_step_percent"] / 100
    ratio = size[0] / size[1:] if row["tap_side"] == "hv" else size[1:] / size[0]
    return np.abs(state.at(int(row["lv_bus"]))) * (ratio[:, None] - 1), np.zeros(len(actions))


def _regulator_shifts(state: State, actions: list[Action], _: Action | None, year: Year) -> tuple[np.ndarray, np.ndarray]:
    steps = [action.setting * float(year.choice.by_name[action.measure]["tap_step_percent"]) / 100 for action in actions]
    size = np.stack([np.abs(state.at(action.end)) for action in actions])
    return size * np.array(steps)[:, None], np.zeros(len(actions))


def _line_shifts(state: State, actions: list[Action], built: Action | None, year: Year) -> tuple[np.ndarray, np.ndarray]:
    line = actions[0].element_id
    impedance, before = _circuits(year, line, built)
    ratio = np.array([_circuits(year, line, action)[0] for action in actions]) / impedance
    start, end = (state.at(bus) for bus in state.ends(line))
    shifts = np.abs(start - (start - end) * ratio[:, None]) - np.abs(end)
    column, limit = state.column.get(("line", line)), year.limits.line_loading_max_percent
    percent = None if column is None else state.loading[:, column]
    if percent is None or not np.nanmax(percent) > limit:
        return shifts, np.zeros(len(actions))
    share, rating = before[0]
    current = percent / 100 * rating / share
    left = [_excess(current, parts, limit) for parts in (before, *(_circuits(year, line, action)[1] for action in actions))]
    return shifts, left[0] - np.array(left[1:])


def _excess(current: np.ndarray, circuits: list[tuple[float, float]], limit: float) -> float:
    """Excess of the loadings of circuits that share a current [kA], each its share of it."""
    return sum(np.nansum(np.maximum(100 * current * share / rating - limit, 0.0)) for share, rating in circuits) / LOADING_UNIT


def _feeder_shifts(state: State, actions: list[Action], _: Action | None, year: Year) -> tuple[np.ndarray, np.ndarray]:
    """Voltage if what flows through the opened line comes over the new one; relief of the lines that it came through."""
    upper, lower = state.ends(actions[0].element_id)
    start, end, row = state.at(upper), state.at(lower), year.supplies.present.lines[actions[0].element_id]
    old = complex(row["r_ohm_per_km"], row["x_ohm_per_km"]) / row["parallel"] * row["length_km"]
    data = [year.choice.by_name[action.measure] for action in actions]
    new = [complex(d["r_ohm_per_km"], d["x_ohm_per_km"]) * a.length_km for d, a in zip(data, actions, strict=True)]
    bars = np.stack([state.at(action.start) for action in actions])
    shifts = np.abs(bars - (start - end) * np.array(new)[:, None] / old) - np.abs(end)
    relieved = {(hop.element, hop.element_id) for hop in state.supply.tree.path(lower) if hop.element == "line"}
    columns = [at for at, key in enumerate(state.elements) if key in relieved]
    return shifts, np.full(len(actions), float(state.over[:, columns].sum()))


_SHIFTS = {
    _actions.TAP: _tap_shifts,
    _actions.PARALLEL: _line_shifts,
    _actions.REPLACED: _line_shifts,
    _actions.REGULATOR: _regulator_shifts,
    _actions.FEEDER: _feeder_shifts,
}
"""By kind of measure: change of the voltage behind its element [pu], (measures, steps), and fall of the excess of loadings."""


def _circuits(year: Year, line: int, action: Action | None) -> tuple[complex, list[tuple[float, float]]]:
    """Impedance of a line with a measure built [ohm/km], and share of the current and rating [kA] of its circuits."""
    key = (line, action and (action.kind, action.measure, action.setting))
    if key not in year.circuits:
        year.circuits[key] = _computed_circuits(year, line, action)
    return year.circuits[key]


def _computed_circuits(year: Year, line: int, action: Action | None) -> tuple[complex, list[tuple[float, float]]]:
    row = year.supplies.present.lines[line]
    old = complex(row["r_ohm_per_km"], row["x_ohm_per_km"]) / row["parallel"]
    rating = float(row["max_i_ka"] * row["df"] * row["parallel"])
    if action is None:
        return old, [(1.0, rating)]
    data = year.choice.by_name[action.measure]
    new = complex(data["r_ohm_per_km"], data["x_ohm_per_km"]) / action.setting
    new_rating = float(data["max_i_ka"]) * action.setting
    if action.kind == _actions.REPLACED:
        return new, [(1.0, new_rating)]
    return old * new / (old + new), [(abs(new / (old + new)), rating), (abs(old / (old + new)), new_rating)]
