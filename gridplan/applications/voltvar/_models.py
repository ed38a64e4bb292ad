"""Loads that depend on the voltage: ZIP shares by customer class, brought to the buses."""

from __future__ import annotations

from dataclasses import replace

import networkx as nx
import numpy as np
import pandas as pd
from pandapower.auxiliary import pandapowerNet

from gridplan import tables
from gridplan.applications._case import OperatingCase
from gridplan.errors import ParameterError, Problem, suggest

SHARES = ["z_p", "i_p", "z_q", "i_q"]
_COLUMNS = dict(zip(SHARES, ["const_z_p_percent", "const_i_p_percent", "const_z_q_percent", "const_i_q_percent"], strict=True))
_COUPLER_OHM = 1e-4  # small against any line, large against rounding


def load_models() -> pd.DataFrame:
    """Bundled shares of constant impedance, current and power, by customer class or technology.

    Returns
    -------
    pd.DataFrame
        ``customer_class``, ``z_p, i_p, p_p`` of active power and ``z_q, i_q, p_q`` of reactive power [1], each three with the sum
        1, ``source``, ``evidence``, ``note``. A load draws ``P0 (z_p V^2 + i_p V + p_p)`` at the voltage V [pu], so that its
        power falls by ``2 z_p + i_p`` per cent for one per cent of voltage near 1 pu. Shares of fitted models may be negative.

    References
    ----------
    .. [1] A. Bokhari et al., Experimental determination of the ZIP coefficients for modern residential, commercial, and
       industrial loads, IEEE Trans. Power Delivery 29 (3), 2014.
    """
    return tables.bundled("gridplan.applications.voltvar", "load_models", missing=True)


def with_load_models(
    case: OperatingCase, customers: pd.DataFrame, customer_classes: pd.DataFrame, models: pd.DataFrame | None = None
) -> OperatingCase:
    """Give the loads of a case the voltage dependence of the customers at their bus.

    The loads of a bus get the mean shares of its classes, by energy. A load whose `type` is named in `models` (a technology)
    counts with its own shares; loads at buses without customers stay at constant power. The power of a load in the net is what it
    draws at 1 pu.

    pandapower applies the shares of a bus to all that is connected there, generation too. So generation and storage at a bus
    with voltage-dependent loads move to a bus of their own, joined by a bus coupler of 0.1 mOhm; their power stays constant.

    Parameters
    ----------
    case
        Case; not changed.
    customers
        Columns ``bus``, ``customer_class``, ``customers`` (number).
    customer_classes
        Columns ``customer_class``, ``energy_mwh`` (a year and customer); only the ratio of the classes matters.
    models
        As :func:`load_models`, which is the default.

    Returns
    -------
    OperatingCase
        With ZIP shares in ``net.load``, further buses in `net`, and those buses in `areas`.

    Raises
    ------
    ParameterError
        A class has no model or no energy, or the shares of a model exceed 1 together.
    """
    given = (load_models() if models is None else models).set_index("customer_class")
    _check(given, customers, customer_classes)
    net = pandapowerNet(dict(case.net))
    net.load = _shared(case, given, _mix(customers, customer_classes, given))
    nodes = _nodes(net)
    _average_by_node(net, _weights(case), nodes)
    return _generation_apart(replace(case, net=net), nodes)


def _check(models: pd.DataFrame, customers: pd.DataFrame, classes: pd.DataFrame) -> None:
    used = customers["customer_class"].unique()
    problems = [
        Problem("load_models", f"no row for the class '{name}'; {suggest(name, models.index)}")
        for name in used
        if name not in models.index
    ]
    known = set(classes["customer_class"])
    problems += [Problem("customer_classes", f"no row for '{n}'; {suggest(n, known)}") for n in used if n not in known]
    for power in "pq":
        over = models.index[models[f"z_{power}"] + models[f"i_{power}"] > 1 + 1e-9]
        problems += [Problem("load_models", f"'{n}': z_{power} and i_{power} exceed 1 together") for n in over]
    problems += [Problem("load_models", f"'{n}' has missing shares") for n in models.index[models[SHARES].isna().any(axis=1)]]
    if problems:
        raise ParameterError("load models", problems)


def _mix(customers: pd.DataFrame, classes: pd.DataFrame, models: pd.DataFrame) -> pd.DataFrame:
    """Shares by bus: mean over its customers, by energy."""
    energy = customers["customers"] * customers["customer_class"].map(classes.set_index("customer_class")["energy_mwh"])
    shares = models[SHARES].reindex(customers["customer_class"]).to_numpy(float)
    rows = pd.DataFrame(shares * energy.to_numpy(float)[:, None], columns=SHARES).assign(bus=customers["bus"].to_numpy())
    total = energy.groupby(customers["bus"]).sum()
    return rows.groupby("bus")[SHARES].sum().div(total.where(total > 0), axis=0).fillna(0.0)


def _shared(case: OperatingCase, models: pd.DataFrame, mix: pd.DataFrame) -> pd.DataFrame:
    """Give loads the shares of their technology or of the customers at their bus."""
    load = case.net.load.copy()
    shares = mix.reindex(load["bus"]).fillna(0.0).to_numpy(float)
    own = load["type"].isin(models.index).to_numpy() if "type" in load else np.zeros(len(load), bool)
    if own.any():
        shares[own] = models[SHARES].reindex(load["type"][own]).to_numpy(float)
    for position, name in enumerate(SHARES):
        load[_COLUMNS[name]] = 100.0 * shares[:, position]
    return load


def _weights(case: OperatingCase) -> np.ndarray:
    """Mean active and reactive power of each load, (loads, 2)."""
    load = case.net.load
    rows = case.profiles.elements[case.profiles.elements["element"] == "load"].set_index("element_id")
    size = np.zeros((len(load), 2))
    for column, (power, shape) in enumerate((("p_mw", "shape_p"), ("q_mvar", "shape_q"))):
        mean = load.index.map(rows[shape]).map(case.profiles.shapes.mean()).to_series(index=load.index).fillna(1.0)
        size[:, column] = (load[power] * load["scaling"] * load["in_service"] * mean).abs()
    return size


def _nodes(net: pandapowerNet) -> pd.Series:
    """Lowest bus of the set that closed switches without impedance make one node of, by bus."""
    closed = net.switch[(net.switch["et"] == "b") & net.switch["closed"].astype(bool)]
    if "z_ohm" in closed:
        closed = closed[~(closed["z_ohm"] > 0)]
    graph = nx.Graph(list(zip(closed["bus"].astype(int), closed["element"].astype(int), strict=True)))
    node = pd.Series(net.bus.index, index=net.bus.index)
    for part in nx.connected_components(graph):
        node.loc[list(part)] = min(part)
    return node


def _average_by_node(net: pandapowerNet, weights: np.ndarray, nodes: pd.Series) -> None:
    """Give all loads of a node the same shares, as pandapower takes one mean for the node."""
    node = net.load["bus"].map(nodes).to_numpy()
    for name, column in zip(SHARES, (0, 0, 1, 1), strict=True):
        weight = pd.Series(weights[:, column])
        summed = (weight * net.load[_COLUMNS[name]].to_numpy()).groupby(node).sum()
        total = weight.groupby(node).sum()
        net.load[_COLUMNS[name]] = (summed / total.where(total > 0)).fillna(0.0).reindex(node).to_numpy()


def _generation_apart(case: OperatingCase, nodes: pd.Series) -> OperatingCase:
    """Move generation and storage away from the nodes with voltage-dependent loads."""
    net, areas = case.net, case.areas
    dependent = set(net.load.loc[(net.load[list(_COLUMNS.values())] != 0).any(axis=1), "bus"].map(nodes))
    at = pd.concat([net[element]["bus"] for element in ("sgen", "storage")])
    buses = np.sort(at[at.map(nodes).isin(dependent)].unique())
    if not len(buses):
        return case
    new = pd.Series(np.arange(len(buses)) + net.bus.index.max() + 1, index=buses)
    names = "generation at " + net.bus.loc[buses, "name"].astype(object).fillna("").astype(str)
    rows = net.bus.loc[buses].assign(name=names).set_axis(new.to_numpy(), axis=0)
    net.bus = pd.concat([net.bus, rows])
    for element in ("sgen", "storage"):
        net[element] = net[element].assign(bus=net[element]["bus"].map(new).fillna(net[element]["bus"]).astype(np.int64))
    net.switch = _couplers(net.switch, new)
    more = areas[areas["bus"].isin(buses)].assign(bus=lambda rows: rows["bus"].map(new))
    return replace(case, areas=pd.concat([areas, more], ignore_index=True))


def _couplers(switches: pd.DataFrame, new: pd.Series) -> pd.DataFrame:
    start = switches.index.max() + 1 if len(switches) else 0
    frame = pd.DataFrame({"bus": new.index, "element": new.to_numpy(), "et": "b", "closed": True, "z_ohm": _COUPLER_OHM})
    frame.index = frame.index + start
    if not len(switches):
        return pd.concat([switches, frame.reindex(columns=switches.columns)]).astype(switches.dtypes)
    return pd.concat([switches, frame]).reindex(columns=list(dict.fromkeys([*switches.columns, "z_ohm"]))).fillna({"z_ohm": 0.0})
