"""The prepared model of a network, and the indices that follow from it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from pandapower.auxiliary import pandapowerNet

from gridplan import network
from gridplan.errors import NetworkError, ParameterError, Problem
from gridplan.reliability import _faults, _inputs, _restore, _sweep, _tally, _topology
from gridplan.reliability._inputs import CONTROLS, TIMES, Gear, Outages
from gridplan.reliability._restore import CLASSES, Patterns
from gridplan.reliability._tally import Events, Reach

_KEPT = 64  # results of switching that a model keeps


@dataclass(frozen=True, eq=False)
class Supplied:
    """Who is supplied where, one row a bus and customer class.

    Parameters
    ----------
    rows
        `bus`, `customer_class`, `customers`, `p_peak_mw`.
    power
        Power of each row by loading state [MW], (states, rows).
    section, station
        Section of each row; place of its bus among all buses with customers, in order of number.
    """

    rows: pd.DataFrame
    power: np.ndarray
    section: np.ndarray
    station: np.ndarray


@dataclass(frozen=True, eq=False)
class Model:
    """A network prepared for :func:`gridplan.reliability.indices`; made by :func:`prepare`.

    Parameters
    ----------
    net, outages, areas
        What it was made from.
    states
        Loading states: `state`, `weight`.
    """

    net: pandapowerNet
    outages: Outages
    areas: pd.DataFrame
    states: pd.DataFrame
    topology: _topology.Topology
    electric: _sweep.Electric
    bounds: _sweep.Bounds
    supplied: Supplied
    km: np.ndarray
    weight: np.ndarray
    way: np.ndarray
    kept: dict[Any, Any] = field(default_factory=dict, repr=False)


def prepare(net: pandapowerNet, outages: Outages, areas: pd.DataFrame | None = None) -> Model:
    """Find the sections, the tree of supply and the ties of a network, and what limits its transfers.

    Parameters
    ----------
    net
        Network in radial operation; not changed.
    outages
        Rates, switchgear, times and customers.
    areas
        Columns `bus`, `area`; those of :func:`gridplan.network.areas` if not given.

    Returns
    -------
    Model
        To be handed to :func:`indices` and :func:`totals`, as often as wanted.

    Raises
    ------
    ParameterError
        Everything that is wrong with the tables: a negative rate, a switch or line that does not exist, a load without
        customers, a line without a rate.
    NetworkError
        A loop in operation (its lines are named), customers without supply, no source; or no power flow in normal operation, so
        that no transfer can be judged.
    """
    topology = _checked_topology(net, outages)
    areas = network.areas(net) if areas is None else areas
    unknown = _inputs.area_problems(outages.restoration, areas)
    if unknown:
        raise ParameterError("the outage model", unknown)
    electric, states = _sweep.build(net, topology, outages.loading)
    supplied = _supplied(net, outages, topology, states)
    on, inuse = _normal(topology)
    way = _sweep.ways(electric.wires, (on, inuse), topology.tree.root)
    roots = np.unique(topology.tree.root[: topology.live])
    bounds, _, _ = _sweep.bounds(electric, (on, inuse), roots, outages.limits)
    if outages.transfers:
        _refuse_unsolved(electric, bounds, states, topology.live)
    weight = _bus_power(net, outages, states)
    by_section = np.zeros((len(states), len(topology.tree.parent)))
    at = topology.bus_section.reindex(weight.columns).to_numpy(np.int64)
    np.add.at(by_section.T, at, weight.to_numpy().T)
    return Model(net, outages, areas, states, topology, electric, bounds, supplied, _km(net, topology), by_section, way)


def _checked_topology(net: pandapowerNet, outages: Outages) -> _topology.Topology:
    """Sections of the network, or one error with what is wrong with the tables and with the network."""
    found = _inputs.problems(net, outages)
    if any(problem.where.startswith("switch ") for problem in found):
        raise ParameterError("the outage model", found)
    loads = net.load.loc[net.load["in_service"].astype(bool), "bus"].to_numpy(np.int64)
    served = outages.customers.loc[outages.customers["customers"] > 0, "bus"].to_numpy(np.int64)
    try:
        topology = _topology.build(net, np.unique(np.r_[loads, served[np.isin(served, net.bus.index)]]))
    except NetworkError as error:
        if not found:
            raise
        found += error.problems
    if found:
        raise ParameterError("the outage model", found)
    return topology


def _refuse_unsolved(electric: _sweep.Electric, bounds: _sweep.Bounds, states: pd.DataFrame, live: int) -> None:
    """Refuse loading states that have no power flow in normal operation."""
    section = electric.wires.node_section
    supplied = (section >= 0) & (section < live)
    bad = np.isnan(bounds.normal[:, supplied])
    remedy = "mend the loads of that state, or set transfers=False to let ties carry everything"
    problems = [
        Problem("loading", f"state '{name}' has no power flow in normal operation: {int(n)} buses are unsolved", remedy=remedy)
        for name, n in zip(states["state"], bad.sum(axis=1), strict=True)
        if n
    ]
    if problems:
        raise NetworkError("the network for reliability", problems)


def _normal(topology: _topology.Topology) -> tuple[np.ndarray, np.ndarray]:
    """Sections and switches in use in normal operation."""
    on = np.arange(len(topology.tree.parent)) < topology.live
    inuse = topology.closed & on[topology.tree.edge_a] & on[topology.tree.edge_b]
    return on, inuse


def _km(net: pandapowerNet, topology: _topology.Topology) -> np.ndarray:
    lines = topology.element_section["line"]
    length = net.line["length_km"].reindex(lines.index).to_numpy(float)
    return np.bincount(lines.to_numpy(np.int64), weights=length, minlength=len(topology.tree.parent))


def _bus_power(net: pandapowerNet, outages: Outages, states: pd.DataFrame) -> pd.DataFrame:
    """Power of the loads by state (rows) and bus (columns) [MW]."""
    loads = net.load[net.load["in_service"].astype(bool)]
    given = (loads["p_mw"] * loads["scaling"]).to_numpy(float)
    table = np.tile(given, (len(states), 1))
    if outages.loading is not None:
        row = pd.Index(states["state"]).get_indexer(outages.loading["state"])
        column = loads.index.get_indexer(outages.loading["load"])
        table[row[column >= 0], column[column >= 0]] = outages.loading["p_mw"].to_numpy(float)[column >= 0]
    return pd.DataFrame(table.T, index=loads["bus"].to_numpy()).groupby(level=0).sum().T


def _supplied(net: pandapowerNet, outages: Outages, topology: _topology.Topology, states: pd.DataFrame) -> Supplied:
    """Split customers and their power over the classes at a bus by energy, else by number."""
    rows = outages.customers.copy()
    rows["customer_class"] = rows.get("customer_class", "")
    rows = rows[rows["bus"].isin(topology.bus_section.index)].reset_index(drop=True)
    rows["section"] = topology.bus_section.reindex(rows["bus"]).to_numpy(np.int64)
    rows = rows[rows["section"] < topology.live].reset_index(drop=True)
    energy = 1.0
    if outages.classes is not None:
        energy = rows["customer_class"].map(outages.classes.set_index("customer_class")["energy_mwh"]).fillna(0.0)
    share = rows["customers"] * energy
    total, count = share.groupby(rows["bus"]).transform("sum"), rows.groupby("bus")["bus"].transform("size")
    share = np.where(total > 0, share / total.where(total > 0, 1.0), 1.0 / count)
    bus = _bus_power(net, outages, states).reindex(columns=rows["bus"]).fillna(0.0).to_numpy(float)
    power = bus * share
    if "p_avg_mw" in rows:
        given = rows["p_avg_mw"].to_numpy(float)
        power = np.where(np.isnan(given), power, given)
    highest = power.max(axis=0)
    given = rows["p_peak_mw"].to_numpy(float) if "p_peak_mw" in rows else np.full(len(rows), np.nan)
    rows["p_peak_mw"] = np.where(np.isnan(given), highest, given)
    station = np.unique(rows["bus"].to_numpy(np.int64), return_inverse=True)[1]
    columns = ["bus", "customer_class", "customers", "p_peak_mw"]
    return Supplied(rows[columns], power, rows["section"].to_numpy(np.int64), station)


@dataclass(frozen=True, eq=False)
class Year:
    """Events of a year and what they leave without supply."""

    found: _faults.Failing
    frame: pd.DataFrame
    patterns: Patterns
    events: Events
    reach: Reach
    gear: Gear
    logs: list[tuple[int, np.ndarray, np.ndarray]]
    stations: pd.DataFrame


def checked(model: Model, outages: Outages | None) -> Outages:
    """Return the inputs to use with a model, checked once.

    Raises
    ------
    ParameterError
        Everything that is wrong with them.
    """
    if outages is None or outages is model.outages:
        return model.outages

    found = []
    for name in ("rates", "restoration", "switchgear"):
        frame = getattr(outages, name)
        if frame is not getattr(model.outages, name):
            found += _kept(model, name, id(frame), frame, partial(_problems, model, name, frame))
    if found:
        raise ParameterError("the outage model", found)
    return outages


def _problems(model: Model, name: str, frame: pd.DataFrame | None) -> list[Problem]:
    found = _inputs.table_problems(model.net, name, frame)
    return found + _inputs.area_problems(frame, model.areas) if name == "restoration" else found


def _kept(model: Model, what: str, key: Any, held: Any, make: Callable[[], Any]) -> Any:
    """Return the result of `make` for a key; the last few are kept, with what the key's identities stand for."""
    shelf = model.kept.setdefault(what, {})
    if key not in shelf:
        value = make()
        while len(shelf) >= _KEPT:
            shelf.pop(next(iter(shelf)))
        shelf[key] = (value, held)
    return shelf[key][0]


def year(model: Model, outages: Outages) -> Year:
    """Enumerate the events of a year and restore the supply after each; what has not changed since a former call is kept."""
    net, topology, table, rates = model.net, model.topology, outages.switchgear, outages.rates
    gear = _kept(model, "gear", id(table), table, lambda: _inputs.gear(net, topology.switches, table))
    device = tuple(gear.device) if (rates["element"] == "switch").any() else None
    protection = (gear.protects.tobytes(), gear.recloses.tobytes(), gear.success.tobytes(), (gear.klass > 2).tobytes())
    key = (id(rates), device, protection)
    found, frame, patterns, stations = _kept(model, "events", key, rates, lambda: _enumerated(model, rates, gear))
    reach, logs = _reach(model, patterns, gear)
    known = (*key, gear.indicator.tobytes())
    km = _kept(model, "km", known, rates, lambda: _faults.patrol_km(topology, gear, patterns, model.km))
    times = _times(outages, km, (found, frame))
    columns = (frame["pattern"].to_numpy(np.int64), frame["kind"].to_numpy(np.int64), frame["rate_per_yr"].to_numpy(float))
    return Year(found, frame, patterns, Events(*columns, times), reach, gear, logs, stations)


def _enumerated(model: Model, rates: pd.DataFrame, gear: Gear) -> tuple:
    found = _faults.failing(model.net, model.topology, rates, gear, model.areas)
    return found, *_faults.outcomes(found, model.topology, gear), _stations(model, rates)


def _reach(model: Model, patterns: Patterns, gear: Gear) -> tuple[Reach, list[tuple[int, np.ndarray, np.ndarray]]]:
    """Restore each pattern in each class; results of the same switching are kept in the model."""
    tree = model.topology.tree
    end = tree.last[patterns.top]
    start = np.concatenate([[0], np.cumsum(end - patterns.top)])
    places = b"".join(array.tobytes() for array in patterns)
    devices = gear.protects.tobytes() + gear.recloses.tobytes()
    parts, logs = [], []
    for c in range(CLASSES):
        own = np.where(gear.klass <= c, 0, _restore.NOBODY)
        if (own == 0).any():
            make = partial(_restored, model, patterns, (gear, own), c, start)
            part, number, figure = _kept(model, "reach", (c, places, own.tobytes(), devices), None, make)
            parts.append(part)
            logs.append((c, number, figure))
    mask = parts[0].copy() if parts else np.zeros((len(model.states), int(start[-1])), np.uint8)
    for part in parts[1:]:
        mask |= part
    return Reach(patterns.top, end, start[:-1], mask), logs


def _restored(
    model: Model, patterns: Patterns, switchgear: tuple[Gear, np.ndarray], c: int, start: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mask of the ways back in one class of control, and the transfers tried."""
    gear, own = switchgear
    topology, tree = model.topology, model.topology.tree
    which = np.flatnonzero(~patterns.planned) if c < _faults.MANUAL else np.arange(len(patterns.first))
    edge = tree.parent_edge[patterns.top]
    recloses = (edge < 0) | gear.recloses[edge] | (c == _faults.MANUAL) | patterns.planned
    wires = model.electric.wires
    net = (tree, wires, model.electric.power, model.bounds, _sweep.space(wires), not model.outages.transfers)
    control = _restore.Control(own, gear.protects)
    count = len(tree.parent)
    capacity = 1000 + 4 * len(which) * len(model.states)
    while True:
        on, inuse = _normal(topology)
        state = _restore.State(on, inuse, model.way.copy(), model.way)
        work = _restore.Work(*(np.zeros(count, np.int64) for _ in range(5)), np.zeros(count, bool), on)
        log = _restore.Log(np.zeros((capacity, 7), np.int64), np.zeros((capacity, 4)))
        mask = np.zeros((len(model.states), int(start[-1])), np.uint8)
        out = (start, mask, log)
        logged = _restore.restore(net, control, patterns, (which, c, recloses), state, work, model.weight, out)
        if logged <= capacity:
            return mask, log.number[:logged], log.figure[:logged]
        capacity = logged


def _times(outages: Outages, km: np.ndarray, year_: tuple[_faults.Failing, pd.DataFrame]) -> np.ndarray:
    """Hours until each way back, (events, 7); infinite where there is none."""
    found, frame = year_
    row, kind = frame["row"].to_numpy(np.int64), frame["kind"].to_numpy(np.int64)
    km, area = km[frame["pattern"].to_numpy(np.int64)], found.area[row]
    table = {key: values for *key_, values in _time_rows(outages.restoration) for key in [tuple(key_)]}
    none = np.full(len(TIMES), np.nan)
    times = np.full((len(frame), _tally.WAYS), np.inf)
    for c, control in enumerate(CONTROLS):
        general = table.get(("*", control), none)
        by_area = np.array([table.get((name, control), general) for name in found.areas]).reshape(-1, len(TIMES))
        detect, locate, patrol, isolate, transfer = by_area[area].T
        located = detect + locate + (0.0 if c == 0 else patrol * km)
        times[:, c], times[:, 3 + c] = (located + isolate) / 60, (located + transfer) / 60
    times[np.isnan(times)] = np.inf
    times[kind == _faults.PLANNED] = [np.inf, np.inf, 0, np.inf, np.inf, 0, np.inf]
    times[:, _tally.REPAIR] = frame["duration_h"].to_numpy(float)
    times[kind == _faults.TRANSIENT] = 0.0
    return times


def _time_rows(table: pd.DataFrame) -> Iterator[tuple[str, str, np.ndarray]]:
    values = table[list(TIMES)].to_numpy(float)
    yield from zip(table["area"], table["control"], values, strict=True)


def _stations(model: Model, rates: pd.DataFrame) -> pd.DataFrame:
    """Outages behind the fuse of a station, which no one else notices: `bus`, `rate`, `repair_h`, `planned`, `planned_h`."""
    own = rates[rates["element"] == "station"]
    buses = pd.Index(np.unique(model.supplied.rows["bus"].to_numpy(np.int64)))
    if own.empty or buses.empty:
        return pd.DataFrame({"bus": [], "rate": [], "repair_h": [], "planned": [], "planned_h": []})
    values = _faults.values_of(_faults.rows_of(own, buses, []), np.zeros(len(buses)))
    return values.drop(columns="transient").fillna(0.0).assign(bus=buses)
