"""The network as a graph, in its normal switching state."""

from __future__ import annotations

from collections.abc import Iterator

import networkx as nx
import numpy as np
import pandas as pd
from pandapower.auxiliary import pandapowerNet

#: Branch tables, and the columns that hold their buses; the letter is the one that switches use for the table.
ENDS = {
    "line": ("from_bus", "to_bus"),
    "impedance": ("from_bus", "to_bus"),
    "tcsc": ("from_bus", "to_bus"),
    "dcline": ("from_bus", "to_bus"),
    "trafo": ("hv_bus", "lv_bus"),
    "trafo3w": ("hv_bus", "mv_bus", "lv_bus"),
}
SWITCH_LETTER = {"line": "l", "trafo": "t", "trafo3w": "t3"}
#: Tables whose branches change the voltage level.
TRANSFORMERS = ("trafo", "trafo3w")


def source_buses(net: pandapowerNet) -> list[int]:
    """Buses at which the network is supplied: external grids and slack generators in service, in the order of their numbers."""
    buses = list(net.ext_grid.bus[net.ext_grid.in_service.astype(bool)])
    if "slack" in net.gen:
        buses += list(net.gen.bus[net.gen.in_service.astype(bool) & net.gen.slack.astype(bool)])
    alive = net.bus.index[net.bus.in_service.astype(bool)]
    return sorted({int(b) for b in buses if b in alive})


def graph(net: pandapowerNet, *, out_of_service: bool = False) -> nx.MultiGraph:
    """Buses in service and what conducts between them.

    Parameters
    ----------
    net
        Network in its normal switching state.
    out_of_service
        Take elements as in service and switches as closed, to see what is built rather than what is switched on.

    Returns
    -------
    nx.MultiGraph
        Nodes are buses; an edge has the key ``(table, element_id)``, or ``("switch", switch_id)`` for a closed switch between
        two buses.
    """
    result = nx.MultiGraph()
    alive = net.bus.index if out_of_service else net.bus.index[net.bus.in_service.astype(bool)]
    result.add_nodes_from(int(b) for b in alive)
    for table, element, start, end in _branches(net, out_of_service):
        if start in result and end in result:
            result.add_edge(start, end, key=(table, element))
    return result


def _branches(net: pandapowerNet, everything: bool) -> Iterator[tuple[str, int, int, int]]:
    """Yield table, number and the two buses of every conducting pair of ends."""
    couplers = net.switch[net.switch.et == "b"]
    couplers = couplers if everything else couplers[couplers.closed.astype(bool)]
    for number, start, end in zip(couplers.index, couplers.bus, couplers.element, strict=True):
        yield "switch", int(number), int(start), int(end)
    for table, columns in ENDS.items():
        if table in net and len(net[table]):
            yield from _table_branches(net, table, columns, everything)


def _table_branches(
    net: pandapowerNet, table: str, columns: tuple[str, ...], everything: bool
) -> Iterator[tuple[str, int, int, int]]:
    frame = net[table]
    frame = frame if everything else frame[frame.in_service.astype(bool)]
    opened = set() if everything else open_ends(net, table)
    ends = frame[list(columns)].dropna().astype(np.int64)
    for number, *buses in ends.itertuples(name=None):
        closed = [bus for bus in buses if (number, bus) not in opened]
        # One open end takes a line or two-winding transformer out of the path; a three-winding one keeps its other pair.
        if len(closed) < 2:
            continue
        for end in closed[1:]:
            yield table, int(number), closed[0], end


def open_ends(net: pandapowerNet, table: str) -> set[tuple[int, int]]:
    """Pairs (element, bus) of a branch table at which an open switch stands."""
    letter = SWITCH_LETTER.get(table)
    switches = net.switch[(net.switch.et == letter) & ~net.switch.closed.astype(bool)]
    return set(zip(switches.element.astype(np.int64), switches.bus.astype(np.int64), strict=True))


def supplied(net: pandapowerNet) -> pd.Index:
    """Buses with a conducting path to a source, in the normal switching state."""
    connected = graph(net)
    reached: set[int] = set()
    for source in source_buses(net):
        if source not in reached:
            reached |= nx.node_connected_component(connected, source)
    return pd.Index(sorted(reached), name="bus")
