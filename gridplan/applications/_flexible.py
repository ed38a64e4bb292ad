"""What the flexibility applications share: the table of what can be controlled, whom it covers, and how powers are written."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

import networkx as nx
import numpy as np
import pandas as pd
from pandapower.auxiliary import pandapowerNet

from gridplan import network, powerflow
from gridplan.applications import _changed
from gridplan.applications import _run as runs
from gridplan.applications._case import OperatingCase
from gridplan.errors import ParameterError, Problem, suggest
from gridplan.network import topology
from gridplan.powerflow import Profiles

ACTIONS = {
    "curtail": ["participation"],
    "shift": ["participation", "defer_h", "advance_h", "rebound", "peak_ratio"],
    "store": ["power_share", "energy_h", "efficiency"],
}
"""What a row of the table `flexibility` may do, and the columns that it must fill for that."""

OTHERS = {"sgen": "other_generation", "load": "other_load"}
"""Row that stands for the elements whose technology has none of its own."""

ALL = "all"
"""Name of the row of a summary that stands for the whole network."""

_NUMBERS = {
    "participation": (0.0, 1.0),
    "cos_phi": (0.1, 1.0),
    "defer_h": (0.0, 24.0),
    "advance_h": (0.0, 24.0),
    "rebound": (0.0, 1.0),
    "peak_ratio": (0.0, np.inf),
    "power_share": (0.0, np.inf),
    "energy_h": (0.0, np.inf),
    "efficiency": (0.1, 1.0),
}


def checked(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table `flexibility` that holds what it must, indexed by technology.

    Raises
    ------
    ParameterError
        With every problem found: missing columns and values, unknown actions, values out of range, repeated technologies.
    """
    problems = [Problem("flexibility", "is missing", column=name) for name in ("technology", "action") if name not in table]
    if not problems:
        whole = table.reindex(columns=list(dict.fromkeys([*table.columns, *_NUMBERS]))).reset_index(drop=True)
        problems = [problem for row in whole.index for problem in _row_problems(whole, row)]
    if problems:
        raise ParameterError("table 'flexibility'", problems)
    return whole.set_index("technology")


def _row_problems(table: pd.DataFrame, row: int) -> Iterator[Problem]:
    action, name = table.at[row, "action"], table.at[row, "technology"]
    if (table["technology"].iloc[:row] == name).any():
        yield Problem("flexibility", f"{name!r} stands in an earlier row too", row=row + 2, column="technology")
    if action not in ACTIONS:
        yield Problem("flexibility", f"{action!r} is no action; {suggest(str(action), ACTIONS)}", row=row + 2, column="action")
        return
    for column, (low, high) in _NUMBERS.items():
        value = table.at[row, column]
        if pd.isna(value):
            if column in ACTIONS[action]:
                yield Problem("flexibility", f"has no value, which {action!r} needs", row=row + 2, column=column)
        elif not low <= value <= high:
            yield Problem("flexibility", f"{value} is not between {low:g} and {high:g}", row=row + 2, column=column)


def check_areas(case: OperatingCase, areas: Iterable[str] | None) -> frozenset[str] | None:
    """Return the areas covered; None is everything.

    Raises
    ------
    ParameterError
        An area is unknown.
    """
    if areas is None:
        return None
    known = set(case.areas["area"])
    wrong = [Problem("areas", f"{name!r} is unknown; {suggest(str(name), sorted(known))}") for name in areas if name not in known]
    if wrong:
        raise ParameterError("settings", wrong)
    return frozenset(areas)


def members(case: OperatingCase, table: pd.DataFrame, element: str, action: str, areas: frozenset[str] | None) -> pd.DataFrame:
    """Elements in service that an application can control.

    Returns
    -------
    pd.DataFrame
        Indexed by `element_id`: `bus`, `area`, `technology` (the row of the table), `shape_p`, `shape_q` (None: constant), and
        the columns of that row.
    """
    own = case.net[element]
    own = own[own["in_service"].astype(bool) & (own["p_mw"] * own["scaling"] != 0)]
    named = own["type"].where(own["type"].isin(table.index), OTHERS[element])
    frame = pd.DataFrame({"bus": own["bus"], "technology": named}).rename_axis("element_id")
    frame["area"] = frame["bus"].map(case.areas.set_index("bus")["area"])
    rows = table[(table["action"] == action) & (table["participation"] > 0)]
    frame = frame[frame["technology"].isin(rows.index) & (True if areas is None else frame["area"].isin(areas))]
    follows = case.profiles.elements
    follows = follows[follows["element"] == element].set_index("element_id")[["shape_p", "shape_q"]]
    return frame.join(follows).join(rows.drop(columns=["action"]), on="technology")


def factors(profiles: Profiles, names: pd.Series) -> np.ndarray:
    """Shapes of some elements, (steps, elements); 1 where an element follows none."""
    at = profiles.shapes.columns.get_indexer(names)
    values = profiles.shapes.to_numpy(float)[:, np.maximum(at, 0)]
    values[:, at < 0] = 1.0
    return values


def rewritten(case: OperatingCase, element: str, shapes: Mapping[int, tuple[np.ndarray, np.ndarray]]) -> OperatingCase:
    """Case in which some elements follow shapes of their own.

    Parameters
    ----------
    case
        Case; not changed.
    element
        load, sgen or storage.
    shapes
        Shapes of active and of reactive power by element, (steps,) each.
    """
    if not shapes:
        return case
    kept = case.profiles.elements[
        ~((case.profiles.elements["element"] == element) & case.profiles.elements["element_id"].isin(list(shapes)))
    ]
    columns, rows, known = {}, [], {}
    for number, pair in shapes.items():
        names = []
        for which, values in zip("pq", pair, strict=True):
            name = known.setdefault(id(values), f"{element} {number} {which}")
            columns.setdefault(_unused(name, case.profiles.shapes), values)
            names.append(_unused(name, case.profiles.shapes))
        rows.append((element, number, *names))
    own = pd.DataFrame(rows, columns=["element", "element_id", "shape_p", "shape_q"])
    elements = pd.concat([kept, own], ignore_index=True)
    used = {*elements["shape_p"], *elements["shape_q"]}
    old = case.profiles.shapes[[name for name in case.profiles.shapes if name in used]]
    joined = pd.concat([old, pd.DataFrame(columns, index=old.index)], axis=1)
    return replace(case, profiles=Profiles(case.profiles.time, joined, elements))


def _unused(name: str, shapes: pd.DataFrame) -> str:
    """Name that no shape has yet."""
    while name in shapes:
        name += "'"
    return name


def changed_net(net: pandapowerNet, element: str, table: pd.DataFrame) -> pandapowerNet:
    """Network with another table of one element; everything else is shared, nothing is changed."""
    return pandapowerNet({key: table if key == element else value for key, value in net.items()})


@dataclass(frozen=True, eq=False)
class State:
    """A simulated case.

    Parameters
    ----------
    result
        Its power flows.
    outside
        Whether an area is outside the limits: bool, one row a step, one column an area and one for what belongs to none. Steps
        without a solution count as outside.
    power
        Active power of loads, sgens and storages by area [MW]; see :func:`powers`.
    models
        Models of the case.
    changed
        Steps that may differ from those of the case that stands at the beginning (see :func:`simulate`); None is all of them.
    """

    result: powerflow.PowerFlow
    outside: pd.DataFrame
    power: Mapping[str, pd.DataFrame]
    models: runs.Models
    changed: np.ndarray | None = None

    @property
    def net_load(self) -> pd.DataFrame:
        """Load and storage less generation by area [MW], without losses; one row a step."""
        return self.power["load"] + self.power["storage"] - self.power["sgen"]

    @property
    def steps(self) -> np.ndarray:
        """Steps in which anything is outside."""
        return np.flatnonzero(self.outside.to_numpy().any(axis=1))

    @property
    def hours(self) -> float:
        """Hours outside, summed over the areas [h]."""
        return float(self.outside.to_numpy().sum() * self.result.step_h)


def simulate(
    case: OperatingCase, like: State | None = None, models: runs.Models | None = None, *, changed: np.ndarray | None = None
) -> State:
    """Power flows of a case, and where and when it is outside its limits.

    Parameters
    ----------
    case
        Case.
    like
        State of a case that differs in generation, storage and profiles only, so that the network is not built again.
    models
        Models of the network and profiles of the case, if they are known.
    changed
        Steps in which the cases differ; all of them if not given. The others are taken from `like`.
    """
    models = models or runs.Models(case.net, case.profiles, powerflow.Options(), like=None if like is None else like.models)
    if like is None or not _changed.few(case, changed):
        return _simulated(case, models, None if like is not None else np.zeros(0, int))
    found = None if like.changed is None else np.union1d(like.changed, changed)
    if not len(changed):
        return replace(like, models=models, changed=found)
    own = _simulated(_changed.part(case, changed), models, None)
    result = _changed.joined(like.result, own.result, changed, len(case.profiles.time))
    power = {name: _changed.table(like.power[name], own.power[name], changed) for name in like.power}
    return State(result, _changed.table(like.outside, own.outside, changed), power, models, found)


def _simulated(case: OperatingCase, models: runs.Models, changed: np.ndarray | None) -> State:
    result, limits = runs.run(case, models=models), case.limits
    outside = pd.DataFrame(False, index=case.profiles.time, columns=[*sorted(case.areas["area"].unique()), ALL])
    area = case.areas.set_index("bus")["area"]
    vm, loading = result.vm_pu.to_numpy(), result.line_loading_percent.to_numpy()
    _add(outside, (vm < limits.vm_min_pu) | (vm > limits.vm_max_pu), area.reindex(result.vm_pu.columns))
    high = (loading > limits.line_loading_max_percent) & np.isfinite(loading)
    for side in ("from_bus", "to_bus"):
        _add(outside, high, case.net.line[side].reindex(result.line_loading_percent.columns).map(area))
    _add_transformers(outside, case, result)
    outside[~result.converged] = True
    return State(result, outside, {name: powers(case, name) for name in ("load", "sgen", "storage")}, models, changed)


def _add(outside: pd.DataFrame, wrong: np.ndarray, areas: pd.Series) -> None:
    """Put what is wrong with each element into the column of its area."""
    found = np.flatnonzero(wrong.any(axis=0))
    names = areas.iloc[found].fillna(ALL).to_numpy()
    for name in dict.fromkeys(names):
        outside[name] |= wrong[:, found[names == name]].any(axis=1)


def _add_transformers(outside: pd.DataFrame, case: OperatingCase, result: powerflow.PowerFlow) -> None:
    """Put overloaded transformers into the columns of the areas that they supply."""
    for table in (result.trafo_loading_percent, result.trafo3w_loading_percent):
        high = table.to_numpy() > case.limits.trafo_loading_max_percent
        if not high.any():
            continue
        fed = feeding(case) if table is result.trafo_loading_percent else {}
        for at in np.flatnonzero(high.any(axis=0)):
            for name in fed.get(table.columns[at]) or [ALL]:
                outside[name] |= high[:, at]


def feeding(case: OperatingCase) -> dict[int, list[str]]:
    """Areas that each two-winding transformer supplies; none for one that others stand in for."""
    graph, sources = topology.graph(case.net), topology.source_buses(case.net)
    area = case.areas.set_index("bus")["area"]
    fed = {}
    for number, high, low in case.net.trafo.loc[case.net.trafo["in_service"].astype(bool), ["hv_bus", "lv_bus"]].itertuples():
        key = ("trafo", number)
        if not graph.has_edge(high, low, key):
            continue
        graph.remove_edge(high, low, key)
        below = nx.node_connected_component(graph, low)
        graph.add_edge(high, low, key)
        fed[number] = [] if below.intersection(sources) else sorted(set(area.reindex(list(below)).dropna()))
    return fed


def powers(case: OperatingCase, element: str) -> pd.DataFrame:
    """Active power of the elements of one kind by area [MW]: one row a step; loads at nominal voltage."""
    own = case.net[element]
    own = own[own["in_service"].astype(bool)]
    size = (own["p_mw"] * own["scaling"]).to_numpy(float)
    names = sorted(case.areas["area"].unique())
    codes = pd.Index([*names, ALL]).get_indexer(own["bus"].map(case.areas.set_index("bus")["area"]).fillna(ALL))
    follows = case.profiles.elements
    follows = follows[follows["element"] == element].set_index("element_id")["shape_p"].reindex(own.index)
    at = case.profiles.shapes.columns.get_indexer(follows)
    weights = np.zeros((case.profiles.shapes.shape[1] + 1, len(names) + 1))
    np.add.at(weights, (at, codes), size)  # -1: the last row, which is constant
    values = case.profiles.shapes.to_numpy(float) @ weights[:-1] + weights[-1]
    return pd.DataFrame(values, index=case.profiles.time, columns=[*names, ALL])


@dataclass(frozen=True, eq=False)
class Applied:
    """A case with something in service, against the case without it.

    Parameters
    ----------
    case
        Case with it.
    state
        Power flows of `case`.
    before
        Case without it, and its power flows.
    reasons
        Why something may still be outside limits: by kind of violation, and for the key ``""`` all others.
    """

    case: OperatingCase
    state: State = field(repr=False)
    before: tuple[OperatingCase, State] = field(repr=False)
    reasons: Mapping[str, str] = field(repr=False)

    @cached_property
    def summary(self) -> pd.DataFrame:
        """What it does by area, see :func:`summary`."""
        return summary(self.before, (self.case, self.state))

    @cached_property
    def left(self) -> pd.DataFrame:
        """What is still outside limits, and why, see :func:`left`."""
        return left(self.case, self.state, self.reasons)


def summary(before: tuple[OperatingCase, State], after: tuple[OperatingCase, State]) -> pd.DataFrame:
    """Return what an application has done, by area and for the network.

    Returns
    -------
    pd.DataFrame
        One row an area, and last one named ``all`` for the whole network: `area`, `curtailed_mwh` [MWh], `shifted_mwh` (energy
        that loads draw at another time) [MWh], `stored_mwh` (drawn by storage that is new) [MWh], `peak_before_mw`,
        `peak_after_mw` (highest load and storage less generation, without losses) [MW], `outside_before_h`, `outside_after_h`
        [h], `failed_h` (without a power-flow solution; counted as outside too) [h].
    """
    hours = before[0].profiles.step_h
    change = {name: after[1].power[name] - before[1].power[name] for name in ("load", "sgen", "storage")}
    net = [state.net_load for _, state in (before, after)]
    net = [table.assign(**{ALL: table.sum(axis=1)}) for table in net]
    frame = pd.DataFrame(
        {
            "curtailed_mwh": -change["sgen"].sum() * hours,
            "shifted_mwh": change["load"].clip(lower=0).sum() * hours,
            "stored_mwh": change["storage"].clip(lower=0).sum() * hours,
            "peak_before_mw": net[0].max(),
            "peak_after_mw": net[1].max(),
            "outside_before_h": before[1].outside.sum() * hours,
            "outside_after_h": after[1].outside.sum() * hours,
        }
    )
    for column in ("curtailed_mwh", "shifted_mwh", "stored_mwh"):
        frame.loc[ALL, column] = frame[column].sum()
    frame.loc[ALL, "outside_before_h"] = before[1].outside.any(axis=1).sum() * hours
    frame.loc[ALL, "outside_after_h"] = after[1].outside.any(axis=1).sum() * hours
    frame["failed_h"] = (~after[1].result.converged).sum() * hours
    return frame.rename_axis("area").reset_index()


def left(case: OperatingCase, state: State, why: Mapping[str, str]) -> pd.DataFrame:
    """Return what is still outside limits, and why.

    Parameters
    ----------
    case, state
        After the application.
    why
        Reason by kind of violation, and for the key ``""`` that of all others.

    Returns
    -------
    pd.DataFrame
        `element`, `element_id`, `name`, `kind`, `hours` [h], `worst` [pu or %], `worst_time`, `why`. Empty if nothing is left.
    """
    found = powerflow.violations(state.result, case.limits)
    names = [
        network.display_name(case.net, element, number) if number >= 0 else element
        for element, number in zip(found["element"], found["element_id"], strict=True)
    ]
    found.insert(2, "name", pd.Series(names, dtype=object))
    fixed = {
        "no solution": "the power flow has no solution in these steps, so nothing in them was controlled",
        "no supply": "the bus has no path to a source",
        "no rating": "the element has no rating, so its loading cannot be judged",
    }
    reasons = why | fixed
    return found.assign(why=[reasons.get(kind, why.get("", "")) for kind in found["kind"]])
