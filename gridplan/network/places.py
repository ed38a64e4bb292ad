"""Where buses and lines are on the map, and a drawing order for networks that do not say."""

from __future__ import annotations

import json
from typing import Any

import networkx as nx
import numpy as np
import pandas as pd
from pandapower.auxiliary import pandapowerNet

from gridplan.network.topology import graph, source_buses


def coordinates(net: pandapowerNet) -> pd.DataFrame:
    """Positions of the buses that have one.

    Parameters
    ----------
    net
        Network; positions are read from ``bus.geo`` (GeoJSON) or, in older networks, from ``bus_geodata``.

    Returns
    -------
    pd.DataFrame
        Index `bus`, columns `x` (longitude) and `y` (latitude) [deg] - or whatever unit the network uses; buses without a
        readable position are left out.
    """
    points = {bus: _points(geo) for bus, geo in net.bus.get("geo", pd.Series(dtype=object)).items()}
    rows = {bus: point[0] for bus, point in points.items() if len(point)}
    old = net.get("bus_geodata")
    if not rows and isinstance(old, pd.DataFrame) and len(old):
        rows = {bus: xy for bus, xy in old[["x", "y"]].astype(float).dropna().iterrows() if bus in net.bus.index}
    frame = pd.DataFrame.from_dict({bus: tuple(xy) for bus, xy in rows.items()}, orient="index", columns=["x", "y"], dtype=float)
    return frame.rename_axis("bus").sort_index()


def line_paths(net: pandapowerNet) -> dict[int, np.ndarray]:
    """Courses of the lines.

    Parameters
    ----------
    net
        Network with positions (:func:`coordinates`).

    Returns
    -------
    dict[int, np.ndarray]
        For each line an array (n, 2) of x, y from its `from_bus` to its `to_bus`: its own course, or else the straight line
        between its buses. Lines of which neither is known are left out.
    """
    xy = coordinates(net)
    stored = net.line.get("geo", pd.Series(None, index=net.line.index, dtype=object))
    paths = {}
    for line, start, end in zip(net.line.index, net.line.from_bus, net.line.to_bus, strict=True):
        own = _points(stored.loc[line])
        if len(own) >= 2:
            paths[int(line)] = own
        elif start in xy.index and end in xy.index:
            paths[int(line)] = xy.loc[[start, end]].to_numpy()
    return paths


def layout(net: pandapowerNet) -> pd.DataFrame:
    """Schematic positions for a network without coordinates: a tree, from the sources on the left.

    The same network always gets the same drawing. It shows what is connected to what, not where it is.

    Parameters
    ----------
    net
        Network; open lines are not followed.

    Returns
    -------
    pd.DataFrame
        Index `bus`, columns `x` (distance from the source in elements) and `y` (row of the drawing); `attrs["schematic"]` is
        True.
    """
    connected = graph(net)
    connected.add_nodes_from(set(net.bus.index) - set(connected))
    depth: dict[int, int] = {}
    row: dict[int, float] = {}
    for start in [*source_buses(net), *sorted(connected)]:
        if start not in depth:
            _place_tree(nx.Graph(connected), start, depth, row)
    frame = pd.DataFrame({"x": pd.Series(depth, dtype=float), "y": pd.Series(row, dtype=float)})
    frame = frame.reindex(net.bus.index).rename_axis("bus")
    frame.attrs["schematic"] = True
    return frame


def _place_tree(connected: nx.Graph, start: int, depth: dict[int, int], row: dict[int, float]) -> None:
    """Lay out what hangs on one bus: leaves on rows of their own, each other bus at the mean of its children."""
    tree = nx.DiGraph()
    tree.add_node(start)
    tree.add_edges_from(nx.bfs_edges(connected, start, sort_neighbors=sorted))
    depth.update(nx.single_source_shortest_path_length(tree, start))
    free = 1 + max((int(np.ceil(y)) for y in row.values()), default=-1)
    for bus in nx.dfs_postorder_nodes(tree, start):
        children = [row[child] for child in tree.successors(bus)]
        row[bus] = float(np.mean(children)) if children else float(free)
        free += not children


def _points(geo: Any) -> np.ndarray:
    """Read the points of a GeoJSON text or object; none, as an array (0, 2), if they cannot be read."""
    try:
        content = json.loads(geo) if isinstance(geo, str) else geo
        points = np.atleast_2d(np.asarray(content["coordinates"], dtype=float))[:, :2]
    except (TypeError, ValueError, KeyError, IndexError):
        return np.empty((0, 2))
    return points if np.isfinite(points).all() and points.shape[1] == 2 else np.empty((0, 2))
