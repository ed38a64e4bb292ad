"""The application: settings, optimum of a year or a season, and what has to be switched."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from pandapower.auxiliary import pandapowerNet

from gridplan import powerflow
from gridplan.applications._case import OperatingCase
from gridplan.applications._run import Models, run
from gridplan.applications.reconfiguration import _circuit, _search, _states, _sweep
from gridplan.errors import NotConverged, ParameterError, Problem, suggest
from gridplan.network import display_name
from gridplan.powerflow import Limits

SEASONS = {"winter": (12, 1, 2), "spring": (3, 4, 5), "summer": (6, 7, 8), "autumn": (9, 10, 11)}
Build = Callable[[OperatingCase], Models]
SWITCH_COLUMNS = ["element", "element_id", "line", "name", "action"]
_ATTEMPTS = 4  # times that steps found outside the limits are added to the states
_CRITICAL = 4  # steps added each time
_EXTREMES = (("vm_min_pu", -1), ("vm_max_pu", 1), ("line_loading_max_percent", 1), ("trafo_loading_max_percent", 1))


@dataclass(frozen=True)
class Settings:
    """What may be switched, and how thoroughly to search.

    Parameters
    ----------
    lines
        Lines that may be switched; one without a switch is put in or out of service, as published test systems mean it. None is
        every line with a switch.
    areas
        Areas in which switches can be operated; None is everywhere. Ignored for lines without a switch.
    states
        Loading states that stand for the period.
    rounds
        Random starts in a row without a better topology after which the search ends.
    enumerate_up_to
        Topologies times states up to which every topology is solved.
    bound_sets
        Sets of topologies that are bounded at most for a proof.
    """

    lines: tuple[int, ...] | None = None
    areas: tuple[str, ...] | None = None
    states: int = 12
    rounds: int = 30
    enumerate_up_to: int = 200_000
    bound_sets: int = 500

    def __post_init__(self) -> None:
        lowest = {"states": 1, "rounds": 0, "enumerate_up_to": 1, "bound_sets": 0}
        problems = [Problem(n, f"{getattr(self, n)} is below {low}") for n, low in lowest.items() if getattr(self, n) < low]
        if problems:
            raise ParameterError("settings of reconfiguration", problems)


@dataclass(frozen=True, eq=False)
class Reconfiguration:
    """A topology and what it is worth.

    Parameters
    ----------
    case
        Case with the switches operated; the case given if nothing better was found.
    switches
        One row an operation: `element` (switch, or line where it has none), `element_id`, `line`, `name` of the line, `action`
        (open or close).
    summary
        One row: `losses_before_kw`, `losses_after_kw` (mean of the period [kW]), `saved_mwh` (of the period), `bound_kw` (what
        the losses in the loading states are with no topology below; missing if not proven), `gap_percent` (of the losses in
        the states to it), `proven`, `method`, `topologies` (how many there are, -1 if not counted), `operations`,
        `vm_min_before_pu`, `vm_min_after_pu`, `outside_before_h`, `outside_after_h` (steps outside the limits),
        `failed_before_h`, `failed_after_h` (steps without a solution; losses are of the steps solved in both).
    """

    case: OperatingCase
    switches: pd.DataFrame
    summary: pd.DataFrame


def apply(case: OperatingCase, settings: Settings | None = None, *, models: Build | None = None) -> OperatingCase:
    """Put the topology of lowest losses over all steps of the case into its network.

    Parameters
    ----------
    case
        Case; not changed.
    settings
        What may be switched.
    models
        Gives the models of a case, to share with whoever goes on with it.

    Returns
    -------
    OperatingCase
        With another switching state; profiles, areas (of the present topology), schedule and the rest as they are.

    Raises
    ------
    ParameterError, NetworkError, NotConverged
        As of :func:`optimise`.
    """
    return optimise(case, settings, models=models).case


def optimise(case: OperatingCase, settings: Settings | None = None, *, models: Build | None = None) -> Reconfiguration:
    """Find the radial topology of lowest losses over all steps of a case.

    Parameters
    ----------
    case
        Case; not changed.
    settings
        What may be switched.
    models
        As of :func:`apply`.

    Returns
    -------
    Reconfiguration
        Case, switch operations, losses before and after.

    Raises
    ------
    ParameterError
        Unknown lines or areas.
    NetworkError
        The network holds what a sweep cannot represent (voltage-controlled generators), loops without a switch, or load that
        no switch supplies.
    NotConverged
        No step of the present topology has a solution.

    References
    ----------
    M. E. Baran, F. F. Wu, Network reconfiguration in distribution systems for loss reduction and load balancing, IEEE
    Transactions on Power Delivery 4 (1989) 1401-1407: branch exchange.
    """
    problem = _Problem.of(case, settings or Settings(), models)
    return problem.best(np.arange(len(problem.before.time)))


def by_season(case: OperatingCase, settings: Settings | None = None) -> pd.DataFrame:
    """Losses with one topology for each season against one topology for the year.

    Parameters
    ----------
    case
        Case; not changed.
    settings
        What may be switched.

    Returns
    -------
    pd.DataFrame
        One row a season with steps: `season`, `losses_before_kw` (present topology), `static_kw` (best topology of the year),
        `losses_after_kw` (best topology of the season), `saved_mwh` (against that of the year, in the season), `operations`
        (switched from the season before to this one; the year is a circle), `open_lines`.

    Raises
    ------
    ParameterError, NetworkError, NotConverged
        As of :func:`optimise`.
    """
    problem = _Problem.of(case, settings or Settings())
    time = problem.before.time
    static = problem.best(np.arange(len(time))).case
    months = {name: np.flatnonzero(np.isin(time.month, own)) for name, own in SEASONS.items()}
    months = {name: steps for name, steps in months.items() if len(steps)}
    cases = {name: problem.best(steps).case for name, steps in months.items()}
    year, previous, rows = run(static, keep="statistics"), list(cases.values())[-1], []
    for name, steps in months.items():
        own = run(cases[name], keep="statistics")
        # A season never does worse than the topology of the year, which the search of the season may not have met.
        if _mean(year, steps) < _mean(own, steps):
            cases[name], own = static, year
        saved = (_mean(year, steps) - _mean(own, steps)) * len(steps) * own.step_h
        rows.append(
            {
                "season": name,
                "losses_before_kw": _mean(problem.before, steps) * 1e3,
                "static_kw": _mean(year, steps) * 1e3,
                "losses_after_kw": _mean(own, steps) * 1e3,
                "saved_mwh": saved,
                "open_lines": _listed(_circuit.open_lines(cases[name].net)),
            }
        )
    rows, names = pd.DataFrame(rows), list(months)
    previous = [cases[names[i - 1]].net for i in range(len(names))]
    rows.insert(5, "operations", [_operations(old, cases[name].net) for old, name in zip(previous, names, strict=True)])
    return rows


def rank(case: OperatingCase, settings: Settings | None = None, *, count: int = 4) -> pd.DataFrame:
    """Solve every radial topology and list the best, limits kept.

    Parameters
    ----------
    case
        Case; not changed.
    settings
        What may be switched.
    count
        How many to list.

    Returns
    -------
    pd.DataFrame
        One row a topology: `rank`, `losses_kw` (in the loading states), `open_lines`.

    Raises
    ------
    ParameterError
        There are more topologies than `settings.enumerate_up_to`.
    """
    settings = settings or Settings()
    problem = _Problem.of(case, settings)
    arrays, switchable = problem.arrays(np.arange(len(problem.before.time)), np.zeros(0, int)), problem.circuit.switchable
    trees = np.exp(_search.tree_count(arrays, switchable))
    if trees * len(arrays.weight) > settings.enumerate_up_to + 0.5:
        what = f"{trees:.3g} topologies in {len(arrays.weight)} states are more than enumerate_up_to = {settings.enumerate_up_to}"
        raise ParameterError("rank", [Problem("enumerate_up_to", what, remedy="raise it, or use optimise")])
    _, costs, kept = _sweep.enumerate_trees(arrays, switchable, count)
    good = np.flatnonzero(costs < _search.NO_SOLUTION)
    lines = [_listed(problem.circuit.lines[~kept[i]]) for i in good]
    losses = costs[good] * problem.circuit.base_mva * 1e3
    return pd.DataFrame({"rank": good + 1, "losses_kw": losses, "open_lines": lines})


@dataclass(frozen=True, eq=False)
class _Problem:
    """A case, its circuit and its present performance."""

    case: OperatingCase
    settings: Settings
    circuit: _circuit.Circuit
    consumption: tuple[np.ndarray, np.ndarray]
    before: powerflow.PowerFlow
    limits: Limits
    models: Build | None = None

    @classmethod
    def of(cls, case: OperatingCase, settings: Settings, models: Build | None = None) -> _Problem:
        lines = _circuit.switch_lines(case.net, settings.lines, _covered(case, settings))
        circuit = _circuit.build(case.net, lines)
        before = _run(case, models)
        if not before.converged.any():
            raise NotConverged("the present topology has no power-flow solution in any step; reconfiguration has no start")
        consumption = _circuit.powers(circuit, case.net, case.profiles)
        return cls(case, settings, circuit, consumption, before, _relaxed(case.limits, before), models)

    def arrays(self, steps: np.ndarray, critical: np.ndarray) -> _sweep.Arrays:
        """States of a period; before them single steps that count for the limits only, which soon rule a topology out."""
        profiles = self.case.profiles
        states, weights = _states.representative(profiles, self.consumption, steps, self.settings.states)
        if len(critical):
            states = np.vstack([_states.single(profiles, self.consumption, critical), states])
            weights = np.r_[np.zeros(len(critical)), weights]
        return _states.loaded(self.circuit, states, weights, self.limits)

    def best(self, steps: np.ndarray) -> Reconfiguration:
        """Search, simulate, and search again with the steps in which the limits were not kept."""
        if not self.circuit.switchable.any():
            return self._result(None, self.case, self.before, steps)
        every = len(steps) <= self.settings.states  # then each step is a state already
        critical = np.zeros(0, int) if every else self._worst(self.before, steps, extremes=True)
        for _ in range(_ATTEMPTS):
            arrays = self.arrays(steps, critical)
            found = self._search(arrays)
            if found.cost >= _search.NO_SOLUTION:
                break
            case = replace(self.case, net=_switched(self.case, self.circuit, found.closed, _covered(self.case, self.settings)))
            after = _run(case, self.models)
            worse = self._worst(after, steps, extremes=False)
            if not len(worse):
                return self._result(found, case, after, steps)
            if np.isin(worse, critical).all():  # the same states would lead to the same topology
                break
            critical = np.union1d(critical, worse)
        return self._result(None, self.case, self.before, steps)

    def _search(self, arrays: _sweep.Arrays) -> _search.Found:
        how = self.settings
        trees = max(1.0, how.enumerate_up_to / len(arrays.weight))
        switchable, closed = self.circuit.switchable, self.circuit.closed
        return _search.optimise(arrays, switchable, closed, rounds=how.rounds, trees=trees, nodes=how.bound_sets)

    def _worst(self, flow: powerflow.PowerFlow, steps: np.ndarray, *, extremes: bool) -> np.ndarray:
        """Find the steps with extremes of voltage and loading; or only those outside limits or newly without a solution."""
        table, limits = flow.steps.iloc[steps], vars(self.limits)
        limit = {"vm_min_pu": limits["vm_min_pu"], "vm_max_pu": limits["vm_max_pu"]}
        limit |= {f"{e}_loading_max_percent": limits[f"{e}_loading_max_percent"] for e in ("line", "trafo")}
        chosen: set[int] = set(steps[~flow.converged[steps] & self.before.converged[steps]][:_CRITICAL])
        for column, sign in _EXTREMES:
            beyond = sign * (table[column].to_numpy(float) - limit[column])
            order = np.argsort(-np.nan_to_num(beyond, nan=-np.inf), kind="stable")[:_CRITICAL]
            tolerance = 1e-5 if column.endswith("pu") else 1e-3
            chosen |= {int(steps[i]) for i in order if np.isfinite(beyond[i]) and (extremes or beyond[i] > tolerance)}
        return np.array(sorted(chosen), int)

    def _result(
        self, found: _search.Found | None, case: OperatingCase, after: powerflow.PowerFlow, steps: np.ndarray
    ) -> Reconfiguration:
        both = steps[self.before.converged[steps] & after.converged[steps]]
        better = found is not None and _mean(after, both) < _mean(self.before, both)
        if not better:
            case, after = self.case, self.before
        table = _operated(self.case.net, case.net)
        saved = (_mean(self.before, both) - _mean(after, both)) * len(both) * after.step_h
        row = {
            "losses_before_kw": _mean(self.before, both) * 1e3,
            "losses_after_kw": _mean(after, both) * 1e3,
            "saved_mwh": saved,
            **self._proof(found),
            "operations": len(table),
        }
        for name, flow in (("before", self.before), ("after", after)):
            row[f"vm_min_{name}_pu"] = float(flow.steps["vm_min_pu"].iloc[steps].min())
            row[f"outside_{name}_h"] = _outside(flow, self.case.limits, steps)
            row[f"failed_{name}_h"] = float((~flow.converged[steps]).sum() * flow.step_h)
        return Reconfiguration(case, table, pd.DataFrame([row]))

    def _proof(self, found: _search.Found | None) -> dict[str, object]:
        if found is None:
            none = not self.circuit.switchable.any()
            method = "nothing to switch" if none else "no topology within the limits"
            return {"bound_kw": np.nan, "gap_percent": np.nan, "proven": none, "method": method, "topologies": -1}
        gap = 100 * (found.cost - found.bound) / found.cost if found.cost > 0 else 0.0
        return {
            "bound_kw": found.bound * self.circuit.base_mva * 1e3,
            "gap_percent": gap,
            "proven": bool(gap <= 1e-9),
            "method": found.method,
            "topologies": found.topologies,
        }


def _run(case: OperatingCase, models: Build | None) -> powerflow.PowerFlow:
    return run(case, keep="statistics", models=models(case) if models else None)


def _covered(case: OperatingCase, settings: Settings) -> pd.DataFrame | None:
    """Buses at which switches can be operated; None is everywhere."""
    if settings.areas is None:
        return None
    known = set(case.areas["area"])
    unknown = [name for name in settings.areas if name not in known]
    if unknown:
        problems = [Problem("areas", f"'{name}' is no area; {suggest(name, sorted(known))}") for name in unknown]
        raise ParameterError("settings of reconfiguration", problems)
    return case.areas[case.areas["area"].isin(settings.areas)]


def _relaxed(limits: Limits, before: powerflow.PowerFlow) -> Limits:
    """Limits, but where the present topology is outside them, no further outside."""
    worst = {
        column: sign * np.nanmax(sign * before.steps[column].to_numpy(float))
        for column, sign in _EXTREMES
        if before.steps[column].notna().any()
    }
    top = {
        name: max(getattr(limits, name), worst.get(name, 0.0))
        for name in ("vm_max_pu", "line_loading_max_percent", "trafo_loading_max_percent")
    }
    return Limits(min(limits.vm_min_pu, worst["vm_min_pu"]), **top)


def _mean(flow: powerflow.PowerFlow, steps: np.ndarray) -> float:
    """Mean losses [MW] of some steps."""
    return float(flow.steps["losses_mw"].iloc[steps].mean())


def _outside(flow: powerflow.PowerFlow, limits: Limits, steps: np.ndarray) -> float:
    """Hours in which a voltage or a loading is outside the limits."""
    table = flow.steps.iloc[steps]
    wrong = (table["vm_min_pu"] < limits.vm_min_pu) | (table["vm_max_pu"] > limits.vm_max_pu)
    wrong |= table["line_loading_max_percent"] > limits.line_loading_max_percent
    wrong |= table["trafo_loading_max_percent"] > limits.trafo_loading_max_percent
    return float(wrong.sum() * flow.step_h)


def _listed(lines: object) -> str:
    return ", ".join(str(n) for n in sorted(int(n) for n in lines))


def _switched(case: OperatingCase, circuit: _circuit.Circuit, closed: np.ndarray, reach: pd.DataFrame | None) -> pandapowerNet:
    """Network with the lines of another topology; what need not move stays."""
    net = pandapowerNet({key: value.copy() if key in {"line", "switch"} else value for key, value in case.net.items()})
    own = net.switch[net.switch["et"] == "l"]
    changed = np.flatnonzero((closed != circuit.closed) & circuit.switchable)
    for line, close in zip(circuit.lines[changed], closed[changed], strict=True):
        mine = own.index[own["element"] == line]
        if close:
            net.line.loc[line, "in_service"] = True
            net.switch.loc[mine, "closed"] = True
        elif len(mine):
            near = mine if reach is None else mine[own.loc[mine, "bus"].isin(reach["bus"])]
            net.switch.loc[near[0], "closed"] = False
        else:
            net.line.loc[line, "in_service"] = False
    return net


def _operated(old: pandapowerNet, new: pandapowerNet) -> pd.DataFrame:
    """Switch operations from one switching state to another, opening last, so that no load is without supply."""
    rows = []
    for number in old.switch.index[old.switch["closed"].astype(bool) != new.switch["closed"].astype(bool)]:
        line = int(old.switch.at[number, "element"])
        rows.append(("switch", int(number), line, display_name(old, "line", line), bool(new.switch.at[number, "closed"])))
    moved = old.line.index[old.line["in_service"].astype(bool) != new.line["in_service"].astype(bool)]
    rows += [("line", int(n), int(n), display_name(old, "line", n), bool(new.line.at[n, "in_service"])) for n in moved]
    table = pd.DataFrame(rows, columns=SWITCH_COLUMNS)
    table["action"] = np.where(table["action"].astype(bool), "close", "open")
    return table.sort_values(["action", "line"], ignore_index=True)


def _operations(old: pandapowerNet, new: pandapowerNet) -> int:
    return len(_operated(old, new))
