"""How far a network is outside its limits in a few critical steps, exactly and by estimate."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import pandas as pd
from pandapower.auxiliary import pandapowerNet

from gridplan import network, powerflow
from gridplan.needs import _actions, _tree
from gridplan.needs._actions import Action, Choice
from gridplan.needs._matrix import Matrices
from gridplan.powerflow import Limits, Options, Profiles, _kernel, _run

RATED = ("line", "trafo", "trafo3w")
VOLTAGE_UNIT, LOADING_UNIT = 0.01, 10.0  # 1 % of voltage weighs as much as 10 % of loading
_UNSOLVED = 1e6


@dataclass(frozen=True, eq=False)
class State:
    """A network in the critical steps.

    Parameters
    ----------
    actions, start, choice
        Measures, the network without them, and what may be built.
    voltage
        Complex voltages [pu]; (steps, buses).
    loading
        Loadings [%]; (steps, elements), columns (element, element_id); those without a rating are left out.
    low, high, over
        Excess beyond the limits, in the units above; the shapes of `voltage` and `loading`.
    failed
        Steps without a solution.
    """

    actions: tuple[Action, ...]
    start: pandapowerNet
    choice: Choice
    voltage: pd.DataFrame
    loading: pd.DataFrame
    low: np.ndarray
    high: np.ndarray
    over: np.ndarray
    failed: int
    _behind: dict[tuple[str, int], np.ndarray] = field(default_factory=dict, repr=False)
    _ends: dict[int, tuple[int, int]] = field(default_factory=dict, repr=False)
    _outside: dict[tuple[str, int], float] = field(default_factory=dict, repr=False)

    @cached_property
    def net(self) -> pandapowerNet:
        """Network with the measures."""
        return _actions.apply(self.start, self.actions, self.choice)

    @cached_property
    def tree(self) -> _tree.Tree:
        """Supply tree of the network."""
        return _tree.build(self.net)

    @cached_property
    def position(self) -> dict[int, int]:
        """Column of each bus in the arrays."""
        return {int(bus): at for at, bus in enumerate(self.voltage.columns)}

    @cached_property
    def phasors(self) -> np.ndarray:
        """Voltages as an array; (steps, buses)."""
        return self.voltage.to_numpy()

    @cached_property
    def percent(self) -> dict[tuple[str, int], np.ndarray]:
        """Loadings [%] by element; (steps,)."""
        return {key: self.loading[key].to_numpy() for key in self.loading.columns}

    def at(self, bus: int) -> np.ndarray:
        """Voltage of a bus [pu]; (steps,)."""
        return self.phasors[:, self.position[bus]]

    def behind(self, element: str, element_id: int) -> np.ndarray:
        """Columns of the buses behind an element."""
        key = (element, element_id)
        if key not in self._behind:
            self._behind[key] = np.array([self.position[bus] for bus in self.tree.below.get(key, ())], dtype=int)
        return self._behind[key]

    def outside(self, element: str, element_id: int) -> float:
        """Excess of the voltages behind an element."""
        key = (element, element_id)
        if key not in self._outside:
            at = self.behind(element, element_id)
            self._outside[key] = self.low[:, at].sum() + self.high[:, at].sum()
        return self._outside[key]

    def ends(self, line: int) -> tuple[int, int]:
        """Upper and lower bus of a line."""
        if line not in self._ends:
            table = self.net.line
            ends = int(table.at[line, "from_bus"]), int(table.at[line, "to_bus"])
            behind = self.tree.below.get(("line", line), frozenset())
            self._ends[line] = ends[::-1] if ends[0] in behind and ends[1] not in behind else ends
        return self._ends[line]

    @cached_property
    def size(self) -> np.ndarray:
        """Magnitude of the voltages [pu]."""
        return np.abs(self.voltage.to_numpy())

    @cached_property
    def excess(self) -> float:
        """One number for all violations; 0 if there is none."""
        return float(self.low.sum() + self.high.sum() + self.over.sum()) + _UNSOLVED * self.failed

    @cached_property
    def violations(self) -> dict[tuple[str, int, str], tuple[float, float]]:
        """Excess summed over the steps and worst value, by element, number and kind."""
        found = {}
        size = self.size
        for kind, excess, worst in (("undervoltage", self.low, np.fmin), ("overvoltage", self.high, np.fmax)):
            for at in np.flatnonzero(excess.sum(axis=0)):
                key = ("bus", int(self.voltage.columns[at]), kind)
                found[key] = float(excess[:, at].sum()), float(worst.reduce(size[:, at]))
        for at in np.flatnonzero(self.over.sum(axis=0)):
            element, number = self.loading.columns[at]
            value = float(np.nanmax(self.loading.to_numpy()[:, at]))
            found[element, int(number), "overload"] = float(self.over[:, at].sum()), value
        return found


@dataclass(eq=False)
class Year:
    """One year that is to be cured: its network, its steps, and which of them are critical.

    Parameters
    ----------
    net, profiles
        With the measures of earlier years.
    limits, options
        What counts as a violation, and how power flows are solved.
    choice
        What may be built.
    critical
        Positions of the critical steps; they grow as whole years are verified.
    """

    net: pandapowerNet
    profiles: Profiles
    limits: Limits
    options: Options
    choice: Choice
    critical: list[int] = field(default_factory=list)
    evaluations: int = 0
    verifications: int = 0
    circuits: dict[tuple, tuple] = field(default_factory=dict, repr=False)
    _known: dict[tuple, State] = field(default_factory=dict)
    _verified: dict[tuple, pd.DataFrame] = field(default_factory=dict)
    _lines: dict[int, list[Action]] = field(default_factory=dict)

    def line_actions(self, line: int) -> list[Action]:
        """Parallel lines and larger conductors for a line as it is before this year's measures."""
        if line not in self._lines:
            self._lines[line] = list(_actions.line_actions(self.net, line, self.choice))
        return self._lines[line]

    @cached_property
    def area_of_line(self) -> dict[int, str]:
        """Feeder of each line."""
        areas = network.areas(self.net).set_index("bus")["area"]
        return self.net.line["to_bus"].map(areas).fillna(self.net.line["from_bus"].map(areas)).dropna().to_dict()

    @cached_property
    def places(self) -> pd.DataFrame:
        """Coordinates of the buses."""
        return network.coordinates(self.net)

    def state(self, actions: tuple[Action, ...]) -> State:
        """Solve the critical steps with some measures built."""
        key = (actions, len(self.critical))
        if key not in self._known:
            self.evaluations += 1
            self._known[key] = self._solve(actions)
        return self._known[key]

    def verify(self, actions: tuple[Action, ...]) -> pd.DataFrame:
        """Violations of the whole year with some measures built; the worst steps of each become critical."""
        if actions not in self._verified:
            self.verifications += 1
            self._verified[actions] = self._whole(actions)
        return self._verified[actions]

    @cached_property
    def matrices(self) -> Matrices:
        """Models of the network with any measures."""
        return Matrices(self.net, self.profiles, self.choice, replace(self.options, angles=True))

    @cached_property
    def shapes(self) -> np.ndarray:
        """Shapes of the profiles, (shapes, steps)."""
        return _run._by_shape(self.profiles.shapes)

    def _whole(self, actions: tuple[Action, ...]) -> pd.DataFrame:
        model = self.matrices.at(actions)
        model = replace(model, meters=model.meters._replace(angles=False))
        options = replace(self.options, angles=False)
        result = _run.outcome(model, self.profiles.time, self.shapes, ("statistics", self.limits, options))
        table = powerflow.violations(result)
        solved = table[~table["kind"].isin(["no solution", "no supply", "no rating"])]
        found = pd.Series(self.profiles.time.get_indexer(pd.DatetimeIndex(solved["worst_time"]))).value_counts().index
        if len(found) and not self.critical:
            found = found[:12].append(_extremes(result))  # so that no cure of one extreme is blind to the other
        self.critical += [int(step) for step in found.unique().difference(self.critical, sort=False)[:20] if step >= 0]
        return table

    def _solve(self, actions: tuple[Action, ...]) -> State:
        model, options = self.matrices.at(actions), replace(self.options, angles=True)
        readings = _run._solve(model, np.ascontiguousarray(self.shapes[:, self.critical]), options)
        _run._blank(model, readings)
        size, names = readings.vm.T.astype(float), [(e, int(i)) for e in RATED for i in model.elements[e]]
        columns = pd.MultiIndex.from_tuples(names, names=["element", "element_id"])
        loading = pd.DataFrame(readings.loading.T.astype(float), columns=columns if names else None)
        loading = loading.loc[:, ~np.isinf(loading.to_numpy()).any(axis=0)]
        limit = [self._limit(element) for element, _ in loading.columns]
        voltage = size * np.exp(1j * np.radians(readings.va.T.astype(float)))
        return State(
            actions=actions,
            start=self.net,
            choice=self.choice,
            voltage=pd.DataFrame(voltage, columns=model.elements["bus"]),
            loading=loading,
            low=low(size, self.limits),
            high=high(size, self.limits),
            over=np.nan_to_num(np.maximum(loading.to_numpy() - np.array(limit), 0.0)) / LOADING_UNIT,
            failed=int((readings.method == _kernel.FAILED).sum()),
        )

    def _limit(self, element: str) -> float:
        return self.limits.line_loading_max_percent if element == "line" else self.limits.trafo_loading_max_percent


def _extremes(result: powerflow.PowerFlow) -> pd.Index:
    """Find the steps in which most buses are lowest, most are highest, and most elements are loaded most."""
    tables = powerflow.statistics(result)
    series = [tables["bus"]["min_step"], tables["bus"]["max_step"], *(tables[element]["max_step"] for element in RATED)]
    return pd.Index([step for steps in series for step in steps.value_counts().index[:2]], dtype=int)


def low(size: np.ndarray, limits: Limits) -> np.ndarray:
    """Return by how much voltages are too low, in units of 1 %."""
    return np.nan_to_num(np.maximum(limits.vm_min_pu - size, 0.0)) / VOLTAGE_UNIT


def high(size: np.ndarray, limits: Limits) -> np.ndarray:
    """Return by how much voltages are too high, in units of 1 %."""
    return np.nan_to_num(np.maximum(size - limits.vm_max_pu, 0.0)) / VOLTAGE_UNIT


def estimate(state: State, action: Action, built: Action | None, year: Year) -> float:
    """Fall of the excess that a measure brings if currents stay as they are; NaN where there is no simple estimate.

    A line's drop shrinks with its impedance, a tap moves all voltages behind it; only the voltages of the buses behind the
    element, and the loading of a line itself, are looked at.
    """
    shift, relief = _shift(state, action, built, year)
    if shift is None:
        return float("nan")
    at = state.behind(action.element, action.element_id)
    if not len(at):
        return float(relief)
    size = state.size[:, at] + shift[:, None]
    left = low(size, year.limits).sum() + high(size, year.limits).sum()
    return float(state.outside(action.element, action.element_id) - left + relief)


def _shift(state: State, action: Action, built: Action | None, year: Year) -> tuple[np.ndarray | None, float]:
    """Change of the voltage behind an element [pu], (steps,), and fall of the excess of its loading."""
    if action.kind == _actions.TAP:
        row = state.net.trafo.loc[action.element_id]
        before, after = (1 + (p - row["tap_neutral"]) * row["tap_step_percent"] / 100 for p in (row["tap_pos"], action.setting))
        ratio = before / after if row["tap_side"] == "hv" else after / before
        return np.abs(state.at(int(row["lv_bus"]))) * (ratio - 1), 0.0
    if action.kind in {_actions.PARALLEL, _actions.REPLACED} and (built is None or built.kind in _CONDUCTORS):
        return _line_shift(state, action, built, year)
    if action.kind == _actions.REGULATOR:
        step = float(year.choice.by_name[action.measure]["tap_step_percent"]) / 100
        return np.abs(state.at(action.end)) * action.setting * step, 0.0
    if action.kind == _actions.FEEDER:
        return _feeder_shift(state, action, year)
    return None, 0.0


_CONDUCTORS = (_actions.PARALLEL, _actions.REPLACED)


def _line_shift(state: State, action: Action, built: Action | None, year: Year) -> tuple[np.ndarray, float]:
    impedance, before = _circuits(year, action.element_id, built)
    new_impedance, after = _circuits(year, action.element_id, action)
    upper, lower = state.ends(action.element_id)
    start, end = (state.at(bus) for bus in (upper, lower))
    shift = np.abs(start - (start - end) * new_impedance / impedance) - np.abs(end)
    share, rating = before[0]
    own = ("line", action.element_id)
    limit = year.limits.line_loading_max_percent
    if own not in state.percent or np.nanmax(state.percent[own]) <= limit:
        return shift, 0.0
    current = state.percent[own] / 100 * rating / share
    excess = [
        sum(np.nansum(np.maximum(100 * current * s / r - limit, 0.0)) for s, r in parts) / LOADING_UNIT
        for parts in (before, after)
    ]
    return shift, float(excess[0] - excess[1])


def _feeder_shift(state: State, action: Action, year: Year) -> tuple[np.ndarray, float]:
    """Voltage if what flows through the opened line comes over the new one; relief of the lines that it came through."""
    upper, lower = state.ends(action.element_id)
    start, end, bar = (state.at(bus) for bus in (upper, lower, action.start))
    row, data = year.net.line.loc[action.element_id], year.choice.by_name[action.measure]
    old = complex(row["r_ohm_per_km"], row["x_ohm_per_km"]) / row["parallel"] * row["length_km"]
    new = complex(data["r_ohm_per_km"], data["x_ohm_per_km"]) * action.length_km
    shift = np.abs(bar - (start - end) * new / old) - np.abs(end)
    relieved = [("line", hop.element_id) for hop in state.tree.path(lower) if hop.element == "line"]
    return shift, float(state.over[:, state.loading.columns.isin(relieved)].sum())


def _circuits(year: Year, line: int, action: Action | None) -> tuple[complex, list[tuple[float, float]]]:
    """Impedance of a line with a measure built [ohm/km], and share of the current and rating [kA] of its circuits."""
    key = (line, action and (action.kind, action.measure, action.setting))
    if key not in year.circuits:
        year.circuits[key] = _computed_circuits(year, line, action)
    return year.circuits[key]


def _computed_circuits(year: Year, line: int, action: Action | None) -> tuple[complex, list[tuple[float, float]]]:
    row = year.net.line.loc[line]
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


def describe(net: pandapowerNet, key: tuple[str, int, str], value: float) -> str:
    """Put a violation into words: ``undervoltage at bus 231 (Bus 17), 0.914 pu``."""
    element, number, kind = key
    unit = f"{value:.4f} pu" if element == "bus" else f"{value:.1f} %"
    return f"{kind} at {network.display_name(net, element, number)}, {unit}"
