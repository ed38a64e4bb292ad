"""Which tap changers and capacitor banks act on which buses."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import networkx as nx
import numpy as np
import pandas as pd
from pandapower.auxiliary import pandapowerNet

from gridplan.applications._case import OperatingCase
from gridplan.applications._run import Positions
from gridplan.applications.voltvar._reader import Groups
from gridplan.applications.voltvar._settings import Settings
from gridplan.errors import ParameterError, Problem
from gridplan.network import topology
from gridplan.powerflow._model import Model

_MOST_STATES = 600


@dataclass(frozen=True)
class Device:
    """A tap changer or capacitor bank, or several that move together because they stand side by side.

    Parameters
    ----------
    control
        ``trafo.tap_pos`` or ``shunt.step``.
    elements
        Their numbers.
    bus
        Secondary bus, or bus of the bank.
    positions
        Positions that it may take.
    """

    control: str
    elements: tuple[int, ...]
    bus: int
    positions: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Zone:
    """Devices whose effects meet, and the groups of buses that they act on.

    Parameters
    ----------
    devices
        Devices; `states` has their positions, (states, devices).
    counted
        Groups that the objective counts.
    limited
        Groups whose voltages must lie inside the limits.
    """

    devices: tuple[Device, ...]
    states: np.ndarray
    counted: np.ndarray
    limited: np.ndarray

    def positions(self, state: int) -> Positions:
        """Positions of all elements in a state."""
        return tuple(
            ((device.control, number), int(position))
            for device, position in zip(self.devices, self.states[state], strict=True)
            for number in device.elements
        )


@dataclass(frozen=True, eq=False)
class Layout:
    """Zones of a case and the groups that are read.

    Parameters
    ----------
    zones
        Devices that act together, and what they act on.
    names
        Areas.
    groups
        Nodes that are in the same area (or none) and depend on the same zone (or none), fed by its devices or not.
    area
        Area of each group; the number after the last stands for none.
    own
        Groups that depend on each zone, and last those that depend on none.
    """

    zones: tuple[Zone, ...]
    names: tuple[str, ...]
    groups: Groups
    area: np.ndarray
    own: tuple[np.ndarray, ...]


def layout(case: OperatingCase, model: Model, settings: Settings) -> Layout:
    """Find the zones of the areas covered.

    Raises
    ------
    ParameterError
        An area or element does not exist, no transformer or bank feeds the areas, or too many devices act on the same buses.
    """
    net, covered = case.net, settings.covers(case.areas["area"])
    _check_elements(net, settings)
    graph = topology.graph(net)
    nodes = pd.Series(model.meters.bus, index=net.bus.index)
    graph.remove_nodes_from([bus for bus in graph if not 0 <= nodes[bus] < model.grid.unknown])
    inside = set(case.areas.loc[case.areas["area"].isin(covered), "bus"])
    taps = _taps(net, settings, graph)
    cut = nx.MultiGraph(graph)
    cut.remove_edges_from([edge for device in taps for edge in _edges(cut, device)])
    parts = _parts(net, settings, graph, cut, [d for d in taps if inside & nx.node_connected_component(cut, d.bus)])
    names = sorted(case.areas["area"].unique())
    area = node_areas(case, model, names)
    keys, group = _node_groups(model, nodes, area, parts)
    counts = np.isin(keys[:, 0], [*(names.index(name) for name in covered), len(names)])
    fed = [(keys[:, 1] == 0) & (keys[:, 2] == number) for number in range(len(parts))]
    zones = tuple(
        _zone(part[0], np.flatnonzero(counts & here), np.flatnonzero(here)) for part, here in zip(parts, fed, strict=True)
    )
    own = tuple(np.flatnonzero(keys[:, 2] == number) for number in range(len(parts) + 1))
    watched = np.array([nodes[zone.devices[0].bus] for zone in zones], np.int64)
    return Layout(zones, tuple(names), grouped(case, model, group, watched), keys[:, 0], own)


def _check_elements(net: pandapowerNet, settings: Settings) -> None:
    problems = []
    for table, given in (("trafo", settings.transformers), ("shunt", settings.shunts)):
        problems += [Problem(f"{table}s", f"{table} {n} is not in the network") for n in given or () if n not in net[table].index]
    if problems:
        raise ParameterError("voltvar settings", problems)


def _taps(net: pandapowerNet, settings: Settings, graph: nx.MultiGraph) -> list[Device]:
    """Tap changers that may be controlled; transformers between the same nodes are one device."""
    table = net.trafo[net.trafo["in_service"].astype(bool) & (net.trafo["tap_max"] > net.trafo["tap_min"])]
    table = table[table["tap_pos"].notna() & table["lv_bus"].isin(list(graph))]
    if settings.transformers is not None:
        table = table[table.index.isin(settings.transformers)]
    elif "oltc" in table and table["oltc"].eq(True).any():
        table = table[table["oltc"].eq(True)]
    else:
        table = table[table["hv_bus"].map(net.bus["vn_kv"]) == net.bus.loc[net.bus["in_service"], "vn_kv"].max()]
    opened = topology.open_ends(net, "trafo")
    connected = [not {(i, a), (i, b)} & opened for i, a, b in zip(table.index, table["hv_bus"], table["lv_bus"], strict=True)]
    table, joined = table[np.array(connected, dtype=bool)], nx.Graph()
    joined.add_nodes_from(table["hv_bus"])
    joined.add_edges_from((u, v) for u, v, (kind, _) in topology.graph(net).edges(keys=True) if kind == "switch")
    mark = {bus: min(part) for part in nx.connected_components(joined) for bus in part}
    devices = []
    for _, rows in table.groupby([table["hv_bus"].map(mark), table["lv_bus"].map(mark).fillna(table["lv_bus"])], sort=True):
        span = range(int(rows["tap_min"].max()), int(rows["tap_max"].min()) + 1)
        devices.append(Device("trafo.tap_pos", tuple(int(i) for i in rows.index), int(rows["lv_bus"].iloc[0]), tuple(span)))
    return devices


def _edges(graph: nx.MultiGraph, device: Device) -> list[tuple]:
    return [edge for edge in graph.edges(keys=True) if edge[2][0] == "trafo" and edge[2][1] in device.elements]


def _parts(
    net: pandapowerNet, settings: Settings, graph: nx.MultiGraph, cut: nx.MultiGraph, taps: list[Device]
) -> list[tuple[list[Device], set[int], set[int]]]:
    """Devices by part of the network that a voltage can act through, with the buses that they feed and all of the part."""
    parts = []
    for component in sorted(nx.connected_components(graph), key=min):
        devices = [device for device in taps if device.bus in component]
        fed = set().union(*(nx.node_connected_component(cut, device.bus) for device in devices))
        devices += _banks(net, settings, fed)
        if devices:
            parts.append((devices, fed, component))
    if not parts:
        remedy = "name transformers with a tap range, or other areas"
        raise ParameterError("voltvar settings", [Problem("areas", "no tap changer feeds the areas covered", remedy=remedy)])
    return parts


def _banks(net: pandapowerNet, settings: Settings, fed: set[int]) -> list[Device]:
    table = net.shunt[net.shunt["in_service"].astype(bool) & net.shunt["bus"].isin(fed)]
    table = table[table["max_step"] > 1] if settings.shunts is None else table[table.index.isin(settings.shunts)]
    rows = zip(table.index, table["bus"], table["max_step"], strict=True)
    return [Device("shunt.step", (int(i),), int(bus), tuple(range(int(most) + 1))) for i, bus, most in rows]


def node_areas(case: OperatingCase, model: Model, names: list[str]) -> np.ndarray:
    """Return the number of the area of each node, the number of areas for one in none."""
    nodes = pd.Series(model.meters.bus, index=case.net.bus.index)
    area = np.full(model.grid.start.size, len(names), np.int64)
    at = nodes.reindex(case.areas["bus"]).fillna(-1).to_numpy(int)
    code = case.areas["area"].map({name: i for i, name in enumerate(names)}).to_numpy(int)
    area[at[at >= 0]] = code[at >= 0]
    return area


def _node_groups(model: Model, nodes: pd.Series, area: np.ndarray, parts: list) -> tuple[np.ndarray, np.ndarray]:
    """Area, whether not fed, and zone of each group; group of each node. The open end of a line is in the zone of the line."""
    unfed, zone = np.ones(len(area), np.int64), np.full(len(area), len(parts), np.int64)
    for number, (_, fed, component) in enumerate(parts):
        zone[nodes[list(component)].to_numpy()] = number
        unfed[nodes[list(fed)].to_numpy()] = 0
    bare, ends = ~np.isin(np.arange(len(area)), nodes), (model.meters.branch_from, model.meters.branch_to)
    for one, other in (ends, ends[::-1]):
        hangs = bare[one] & ~bare[other]
        zone[one[hangs]] = zone[other[hangs]]
    keys, group = np.unique(np.column_stack([area, unfed, zone]), axis=0, return_inverse=True)
    return keys, group.reshape(-1).astype(np.int64)


def grouped(case: OperatingCase, model: Model, group: np.ndarray, watched: np.ndarray | None = None) -> Groups:
    """Nodes and branches by group: a branch between two belongs to the one further down, a line's loading to both.

    The loading of each transformer has a row of its own, after those of the groups.
    """
    meters, elements = model.meters, model.elements
    branch = np.minimum(group[meters.branch_from], group[meters.branch_to])
    nodes = pd.Series(meters.bus, index=case.net.bus.index)
    lines = case.net.line.loc[elements["line"], ["from_bus", "to_bus"]]
    ends = np.column_stack([nodes[lines[side]].to_numpy() for side in lines])
    used = np.flatnonzero(np.diff(meters.row_ptr)[: len(lines)])
    used = used[np.isfinite(meters.scale_from[meters.row_ptr[used]])]  # a line without a rating cannot be judged
    count, rest = int(group.max()) + 1, len(model.idle) - len(lines)
    loaded = np.full((len(model.idle), 2), -1, np.int64)
    loaded[used] = np.where(ends[used] < 0, -1, group[ends[used]])
    loaded[len(lines) :, 0] = np.arange(count, count + rest)
    watched = np.zeros(0, np.int64) if watched is None else watched
    return Groups(group, branch.astype(np.int64), weights(model, group), watched, loaded)


def weights(model: Model, group: np.ndarray) -> np.ndarray:
    """Weight of each node in the mean voltage of its group: its largest demand; all alike in a group without demand."""
    size = np.zeros(len(group))
    np.add.at(size, model.demand.p_bus, np.maximum(model.demand.p_size, 0.0))
    size += np.maximum(model.demand.p, 0.0)
    total = np.bincount(group, size)
    size = np.where(total[group] > 0, size, 1.0)
    return size / np.bincount(group, size)[group]


def _zone(devices: list[Device], counted: np.ndarray, limited: np.ndarray) -> Zone:
    count = int(np.prod([len(device.positions) for device in devices]))
    if count > _MOST_STATES:
        names = ", ".join(f"{d.control.split('.')[0]} {'+'.join(map(str, d.elements))}" for d in devices)
        raise ParameterError(
            "voltvar settings",
            [
                Problem(
                    "transformers and shunts",
                    f"{names} act on the same buses and have {count} positions together, above {_MOST_STATES}",
                    remedy="name fewer of them",
                )
            ],
        )
    return Zone(tuple(devices), np.array(list(product(*(device.positions for device in devices)))), counted, limited)
