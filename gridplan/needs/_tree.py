"""The supply tree: which way each bus is reached from a source, and what hangs on each element."""

from __future__ import annotations

from dataclasses import dataclass

import networkx as nx
import numpy as np
from pandapower.auxiliary import pandapowerNet

from gridplan.network import topology

SHORT_KM = 1e-3  # of a switch or a transformer, so that the way with fewer of them is taken


@dataclass(frozen=True)
class Hop:
    """One element on the way from a source to a bus."""

    element: str
    element_id: int
    upper: int
    lower: int


@dataclass(frozen=True, eq=False)
class Tree:
    """Shortest ways of supply in the normal switching state; in a meshed network one of several, by length.

    Parameters
    ----------
    above
        The last hop to each bus; sources have none.
    below
        Buses supplied through each element, as a set; by (element, element_id).
    single
        Elements with no other element between the same two buses.
    """

    above: dict[int, Hop]
    below: dict[tuple[str, int], frozenset[int]]
    single: frozenset[tuple[str, int]]

    def path(self, bus: int) -> list[Hop]:
        """Hops from the source to a bus."""
        hops: list[Hop] = []
        while bus in self.above:
            hops.append(self.above[bus])
            bus = hops[-1].upper
        return hops[::-1]

    def source(self, bus: int) -> int:
        """Return the bus at which the way to a bus begins."""
        hops = self.path(bus)
        return hops[0].upper if hops else bus


def build(net: pandapowerNet) -> Tree:
    """Find the supply tree of a network; `net` is not changed."""
    graph = topology.graph(net)
    shortest = nx.Graph()
    shortest.add_nodes_from(graph)
    for start, end, (element, number) in graph.edges(keys=True):
        km = float(net.line.at[number, "length_km"]) if element == "line" else SHORT_KM
        if not shortest.has_edge(start, end) or km < shortest.edges[start, end]["km"]:
            shortest.add_edge(start, end, km=km, key=(element, number))
    sources = [bus for bus in topology.source_buses(net) if bus in graph]
    far, ways = nx.multi_source_dijkstra(shortest, sources, weight="km") if sources else ({}, {})
    above = {bus: Hop(*shortest.edges[way[-2], bus]["key"], way[-2], bus) for bus, way in ways.items() if len(way) > 1}
    supplied = _supplied(above, far)
    below: dict[tuple[str, int], frozenset[int]] = {}
    single = set()
    for start, end, key in graph.edges(keys=True):
        if start in far and end in far:
            below[key] = supplied[max(start, end, key=far.__getitem__)] | below.get(key, frozenset())
            if graph.number_of_edges(start, end) == 1:
                single.add(key)
    return Tree(above, below, frozenset(single))


def _supplied(above: dict[int, Hop], far: dict[int, float]) -> dict[int, frozenset[int]]:
    """Return each bus with all buses behind it."""
    behind: dict[int, set[int]] = {bus: {bus} for bus in far}
    for bus in sorted(above, key=far.__getitem__, reverse=True):
        behind[above[bus].upper] |= behind[bus]
    return {bus: frozenset(buses) for bus, buses in behind.items()}


def rating_mva(net: pandapowerNet, element: str, element_id: int) -> float:
    """Apparent power at 100 % loading and nominal voltage [MVA]; of a three-winding transformer that of its high side."""
    row = net[element].loc[element_id]
    if element == "line":
        kv = float(net.bus.at[row["from_bus"], "vn_kv"])
        return float(np.sqrt(3) * kv * row["max_i_ka"] * row["df"] * row["parallel"])
    if element == "trafo3w":
        return float(row["sn_hv_mva"])
    return float(row["sn_mva"] * row["parallel"] * row["df"])
