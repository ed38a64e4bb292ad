"""How far a network is outside its limits in a few critical steps, and in all."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import pandas as pd
from pandapower.auxiliary import pandapowerNet

from gridplan import network, powerflow
from gridplan.needs import _actions
from gridplan.needs._actions import Action, Choice
from gridplan.needs._matrix import Matrices
from gridplan.needs._supply import Supplies, Supply
from gridplan.powerflow import Limits, Options, Profiles, _kernel, _run
from gridplan.powerflow._model import Model
from gridplan.powerflow._statistics import Tally

RATED = ("line", "trafo", "trafo3w")
VOLTAGE_UNIT, LOADING_UNIT = 0.01, 10.0  # 1 % of voltage weighs as much as 10 % of loading
_UNSOLVED = 1e6


@dataclass(frozen=True, eq=False)
class State:
    """A network in the critical steps.

    Parameters
    ----------
    actions, year
        Measures, and the year in whose network they are built.
    buses, elements
        Numbers of the buses, and (element, number) of what has a rating.
    voltage
        Complex voltages [pu]; (steps, buses).
    loading
        Loadings [%]; (steps, elements).
    low, high, over
        Excess beyond the limits, in the units above; the shapes of `voltage` and `loading`.
    failed
        Steps without a solution.
    """

    actions: tuple[Action, ...]
    year: Year = field(repr=False)
    buses: np.ndarray
    elements: list[tuple[str, int]]
    voltage: np.ndarray
    loading: np.ndarray
    low: np.ndarray
    high: np.ndarray
    over: np.ndarray
    failed: int
    _behind: dict[tuple[str, int], np.ndarray] = field(default_factory=dict, repr=False)

    @cached_property
    def supply(self) -> Supply:
        """Ways of supply with the measures."""
        return self.year.supplies.of(self.actions)

    @cached_property
    def position(self) -> dict[int, int]:
        """Column of each bus in the arrays."""
        return {bus: at for at, bus in enumerate(self.buses.tolist())}

    @cached_property
    def column(self) -> dict[tuple[str, int], int]:
        """Column of each element in `loading`."""
        return {key: at for at, key in enumerate(self.elements)}

    def at(self, bus: int) -> np.ndarray:
        """Voltage of a bus [pu]; (steps,)."""
        return self.voltage[:, self.position[bus]]

    def behind(self, element: str, element_id: int) -> np.ndarray:
        """Columns of the buses behind an element."""
        key = (element, element_id)
        if key not in self._behind:
            self._behind[key] = np.array([self.position[bus] for bus in self.supply.tree.below.get(key, ())], dtype=int)
        return self._behind[key]

    def ends(self, line: int) -> tuple[int, int]:
        """Upper and lower bus of a line."""
        row, behind = self.supply.lines[line], self.supply.tree.below.get(("line", line), frozenset())
        ends = int(row["from_bus"]), int(row["to_bus"])
        return ends[::-1] if ends[0] in behind and ends[1] not in behind else ends

    def tap(self, trafo: int) -> float:
        """Position of the tap changer of a transformer."""
        own = [a.setting for a in self.actions if a.kind == _actions.TAP and a.element_id == trafo]
        return own[-1] if own else float(self.year.net.trafo.at[trafo, "tap_pos"])

    @cached_property
    def size(self) -> np.ndarray:
        """Magnitude of the voltages [pu]."""
        return np.abs(self.voltage)

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
                key = ("bus", int(self.buses[at]), kind)
                found[key] = float(excess[:, at].sum()), float(worst.reduce(size[:, at]))
        for at in np.flatnonzero(self.over.sum(axis=0)):
            value = float(np.nanmax(self.loading[:, at]))
            found[(*self.elements[at], "overload")] = float(self.over[:, at].sum()), value
        return found

    def describe(self, key: tuple[str, int, str], value: float) -> str:
        """Put a violation into words: ``undervoltage at bus 231 (Bus 17), 0.914 pu``."""
        element, number, kind = key
        net, unit = self.year.net, f"{value:.4f} pu" if element == "bus" else f"{value:.1f} %"
        if number not in net[element].index:  # a measure has added it
            net = _actions.apply(net, self.actions, self.year.choice)
        return f"{kind} at {network.display_name(net, element, number)}, {unit}"


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
    before, origin
        The measures of earlier years, and the models of the network without them, if there are any.
    """

    net: pandapowerNet
    profiles: Profiles
    limits: Limits
    options: Options
    choice: Choice
    critical: list[int] = field(default_factory=list)
    before: tuple[Action, ...] = ()
    origin: Matrices | None = field(default=None, repr=False)
    evaluations: int = 0
    verifications: int = 0
    circuits: dict[tuple, tuple] = field(default_factory=dict, repr=False)
    _known: dict[tuple, State] = field(default_factory=dict)
    _verified: dict[tuple, pd.DataFrame] = field(default_factory=dict)
    _possible: dict[tuple, list[Action]] = field(default_factory=dict)

    def possible(self, list_: Callable[..., Iterator[Action]], number: int) -> list[Action]:
        """Measures that a function of :mod:`gridplan.needs._actions` lists for an element as it is before this year's."""
        if (list_, number) not in self._possible:
            self._possible[list_, number] = list(list_(self.net, number, self.choice))
        return self._possible[list_, number]

    @cached_property
    def supplies(self) -> Supplies:
        """Ways of supply with any measures."""
        return Supplies(self.net, self.choice)

    @cached_property
    def area_of_line(self) -> dict[int, str]:
        """Feeder of each line."""
        areas = self.supplies.present.areas
        return self.net.line["to_bus"].map(areas).fillna(self.net.line["from_bus"].map(areas)).dropna().to_dict()

    @cached_property
    def places(self) -> dict[int, tuple[float, float]]:
        """Longitude and latitude of the buses [rad]; none where the coordinates are no degrees."""
        xy = network.coordinates(self.net)
        if not (xy["x"].abs().max() <= 180 and xy["y"].abs().max() <= 90):
            return {}
        return {int(bus): (x, y) for bus, x, y in np.radians(xy).itertuples()}

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

    def model(self, actions: tuple[Action, ...]) -> Model:
        """Model with some measures built: from that of the network before earlier years' measures, where they let it."""
        if self.origin is not None and self.origin.holds(whole := (*self.before, *actions)):
            return self.origin.at(whole)
        return self.matrices.at(actions)

    @cached_property
    def shapes(self) -> np.ndarray:
        """Shapes of the profiles, (shapes, steps)."""
        return _run._by_shape(self.profiles.shapes)

    def begin(self, result: powerflow.PowerFlow) -> None:
        """Take the power flows of all steps without any measures, which are known."""
        self._verified[()] = self._judged(
            replace(result, statistics=powerflow.statistics(result, self.limits), limits=self.limits)
        )

    def _whole(self, actions: tuple[Action, ...]) -> pd.DataFrame:
        model, options = self.model(actions), replace(self.options, angles=False)
        model = replace(model, meters=model.meters._replace(angles=False))
        tally, converged = Tally(_run.thresholds(model.elements, self.limits)), []
        for start, part in _run._chunks(model, self.shapes):
            readings = _run._solve(model, part, options)
            _run._blank(model, readings)
            tally.add(readings.vm, readings.loading, start)
            converged.append(readings.method != _kernel.FAILED)
        tables = tally.tables(model.elements, self.profiles.step_h, limited=True)
        steps, none = pd.DataFrame({"converged": np.concatenate(converged)}), pd.DataFrame()
        return self._judged(powerflow.PowerFlow(self.profiles.time, steps, none, none, statistics=tables, limits=self.limits))

    def _judged(self, result: powerflow.PowerFlow) -> pd.DataFrame:
        table = powerflow.violations(result)
        solved = table[~table["kind"].isin(["no solution", "no supply", "no rating"])]
        found = pd.Series(self.profiles.time.get_indexer(pd.DatetimeIndex(solved["worst_time"]))).value_counts().index
        if len(found) and not self.critical:
            found = found[:12].append(_extremes(result))  # so that no cure of one extreme is blind to the other
        self.critical += [int(step) for step in found.unique().difference(self.critical, sort=False)[:20] if step >= 0]
        return table

    def _solve(self, actions: tuple[Action, ...]) -> State:
        model, options = self.model(actions), replace(self.options, angles=True)
        readings = _run._solve(model, np.ascontiguousarray(self.shapes[:, self.critical]), options)
        _run._blank(model, readings)
        size, names = readings.vm.T.astype(float), [(e, i) for e in RATED for i in model.elements[e].tolist()]
        rated = np.flatnonzero(~np.isinf(readings.loading).any(axis=1))
        names, loading = [names[at] for at in rated.tolist()], readings.loading.T[:, rated].astype(float)
        limit = np.array([self._limit(element) for element, _ in names])
        return State(
            actions=actions,
            year=self,
            buses=model.elements["bus"].to_numpy(),
            elements=names,
            voltage=size * np.exp(1j * np.radians(readings.va.T.astype(float))),
            loading=loading,
            low=low(size, self.limits),
            high=high(size, self.limits),
            over=np.nan_to_num(np.maximum(loading - limit, 0.0)) / LOADING_UNIT,
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
