"""Sections, the tree in which they are supplied, and the open switches that could join them otherwise.

Buses and branches are nodes of a graph. A branch joins its bus directly or through one or more switches in series. What is joined
without a switch is one section; switches are the edges between sections. In radial operation the energised sections are a
forest; they are numbered in preorder, so that everything below a section is a range of numbers.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple

import networkx as nx
import numpy as np
import pandas as pd
from numba import njit
from pandapower.auxiliary import pandapowerNet
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from gridplan.errors import NetworkError, Problem
from gridplan.network import display_name
from gridplan.network.topology import ENDS, SWITCH_LETTER, graph, source_buses

BRANCHES = ("line", "trafo", "trafo3w", "impedance")
_COMPILED = {"cache": True, "nogil": True, "error_model": "numpy"}


class Tree(NamedTuple):
    """The arrays of the forest of sections; a section's number is its place in preorder, dead sections come last."""

    parent: np.ndarray
    parent_edge: np.ndarray
    last: np.ndarray
    root: np.ndarray
    child_ptr: np.ndarray
    child: np.ndarray
    edge_a: np.ndarray
    edge_b: np.ndarray
    tie_a: np.ndarray
    tie_b: np.ndarray
    tie_edge_ptr: np.ndarray
    tie_edge: np.ndarray
    tie_section_ptr: np.ndarray
    tie_section: np.ndarray
    section_tie_ptr: np.ndarray
    section_tie: np.ndarray


@dataclass(frozen=True, eq=False)
class Topology:
    """Sections and what they consist of.

    Parameters
    ----------
    tree
        The forest; `live` sections are energised in normal operation.
    switches
        Number of the switch in the network, by edge.
    bus_section, element_section
        Section by bus (pandas Series over the buses in service) and by branch (Series over the numbers, by table).
    gates
        Edges in series at the end of a branch: ``(table, number, bus) -> tuple of edges``.
    couplers
        Edges between two buses: ``(edge, bus, bus)``.
    """

    tree: Tree
    live: int
    switches: np.ndarray
    closed: np.ndarray
    bus_section: pd.Series
    element_section: dict[str, pd.Series]
    gates: dict[tuple[str, int, int], tuple[int, ...]]
    couplers: list[tuple[int, int, int]]


class _Nodes:
    """Numbers the nodes, collects direct joints and switches."""

    def __init__(self, net: pandapowerNet) -> None:
        self.buses = net.bus.index[net.bus.in_service.astype(bool)].to_numpy(np.int64)
        self.bus = {int(b): n for n, b in enumerate(self.buses)}
        self.count = len(self.buses)
        self.element: dict[str, dict[int, int]] = {}
        self.direct: list[tuple[int, int]] = []
        self.edges: list[tuple[int, int, int, bool]] = []  # switch, node, node, closed
        self.gates: dict[tuple[str, int, int], tuple[int, ...]] = {}
        self.couplers: list[tuple[int, int, int]] = []

    def add(self, count: int) -> int:
        """Reserve nodes and return the first of them."""
        self.count += count
        return self.count - count


def _at_ends(net: pandapowerNet, table: str) -> dict[tuple[int, int], list[tuple[int, bool]]]:
    """Switches at the ends of the branches of a table, protective ones first: ``(number, bus) -> [(switch, closed)]``."""
    own = net.switch[net.switch.et == SWITCH_LETTER.get(table, "-")]
    kind = own["type"].astype(str).str.upper() if "type" in own else pd.Series("", index=own.index)
    own = own.assign(_first=~kind.eq("CB")).sort_values("_first", kind="stable")
    found: dict[tuple[int, int], list[tuple[int, bool]]] = {}
    for switch, bus, element, closed in zip(own.index, own.bus, own.element, own.closed.astype(bool), strict=True):
        found.setdefault((int(element), int(bus)), []).append((int(switch), bool(closed)))
    return found


def _collect(net: pandapowerNet) -> _Nodes:
    nodes = _Nodes(net)
    couplers = net.switch[net.switch.et == "b"]
    for switch, a, b, closed in zip(couplers.index, couplers.bus, couplers.element, couplers.closed.astype(bool), strict=True):
        if int(a) in nodes.bus and int(b) in nodes.bus:
            nodes.couplers.append((len(nodes.edges), int(a), int(b)))
            nodes.edges.append((int(switch), nodes.bus[int(a)], nodes.bus[int(b)], bool(closed)))
    for table in BRANCHES:
        if table in net and len(net[table]):
            _collect_table(net, table, nodes)
        else:
            nodes.element[table] = {}
    return nodes


def _collect_table(net: pandapowerNet, table: str, nodes: _Nodes) -> None:
    frame = net[table][net[table].in_service.astype(bool)]
    first = nodes.add(len(frame))
    nodes.element[table] = {int(number): first + n for n, number in enumerate(frame.index)}
    switched = _at_ends(net, table)
    for number, *buses in frame[list(ENDS[table])].astype(np.int64).itertuples(name=None):
        for bus in buses:
            if bus not in nodes.bus:
                continue
            here, path = nodes.bus[bus], []
            series = switched.get((number, bus), [])
            for n, (switch, closed) in enumerate(series):
                there = nodes.element[table][number] if n == len(series) - 1 else nodes.add(1)
                path.append(len(nodes.edges))
                nodes.edges.append((switch, here, there, closed))
                here = there
            if not series:
                nodes.direct.append((here, nodes.element[table][number]))
            nodes.gates[table, number, bus] = tuple(path)


def _by_number(nodes: _Nodes) -> _Nodes:
    """Order the edges by the number of their switch: what is tried one after the other is tried in this order."""
    order = sorted(range(len(nodes.edges)), key=lambda edge: nodes.edges[edge][0])
    new = {edge: place for place, edge in enumerate(order)}
    nodes.edges = [nodes.edges[edge] for edge in order]
    nodes.gates = {end: tuple(new[edge] for edge in path) for end, path in nodes.gates.items()}
    nodes.couplers = [(new[edge], a, b) for edge, a, b in nodes.couplers]
    return nodes


def build(net: pandapowerNet, needed: np.ndarray) -> Topology:
    """Find the sections and their forest.

    Parameters
    ----------
    net
        Network in its normal switching state.
    needed
        Buses that must be supplied.

    Raises
    ------
    NetworkError
        A loop in operation, a bus that must be supplied and is not, or no source.
    """
    nodes = _by_number(_collect(net))
    sources = [b for b in source_buses(net) if b in nodes.bus]
    edges = np.array([e[:3] for e in nodes.edges], dtype=np.int64).reshape(-1, 3)
    closed = np.array([e[3] for e in nodes.edges], dtype=bool)
    direct = np.array(nodes.direct, dtype=np.int64).reshape(-1, 2)
    section = _components(nodes.count, direct)
    problems = _problems(net, nodes, (edges, closed, direct), sources, needed)
    if problems:
        raise NetworkError("the network for reliability", problems)
    count = int(section.max()) + 1 if nodes.count else 0
    ends = section[edges[:, 1:]]
    roots = np.unique(section[[nodes.bus[b] for b in sources]])
    tree, new, live = _tree(count, ends, closed, roots)
    section = new[section]
    return Topology(
        tree,
        live,
        edges[:, 0],
        closed,
        pd.Series(section[: len(nodes.buses)], index=nodes.buses),
        {t: pd.Series(section[list(own.values())], index=list(own)) for t, own in nodes.element.items()},
        nodes.gates,
        nodes.couplers,
    )


def _components(count: int, pairs: np.ndarray) -> np.ndarray:
    matrix = sparse.coo_matrix((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(count, count))
    return connected_components(matrix, directed=False)[1]


def _problems(net: pandapowerNet, nodes: _Nodes, joints: tuple, sources: list[int], needed: np.ndarray) -> list[Problem]:
    """Say what keeps the network from being a supplied forest."""
    if not sources:
        return [Problem("ext_grid", "no source in service", remedy="add an external grid or a generator with slack=True")]
    edges, closed, direct = joints
    pairs = np.vstack([direct, edges[closed, 1:]])
    part = _components(nodes.count, pairs)
    alive = np.isin(part, part[[nodes.bus[b] for b in sources]])
    problems = []
    parts, joints_live = len(np.unique(part[alive])), int(alive[pairs[:, 0]].sum()) if len(pairs) else 0
    fed = {bus: part[nodes.bus[bus]] for bus in sources}
    if joints_live > alive.sum() - parts:
        problems.append(_loop(net))
    elif len(set(fed.values())) < len(sources):
        problems += _shared(net, nodes, fed, _components(nodes.count, direct))
    dark = [int(b) for b in needed if b not in nodes.bus or not alive[nodes.bus[b]]]
    if dark:
        shown = ", ".join(display_name(net, "bus", b) for b in dark[:10]) + (f" and {len(dark) - 10} more" * (len(dark) > 10))
        what = f"{len(dark)} buses with load or customers have no supply in normal operation: {shown}"
        problems.append(Problem("bus", what, remedy="close a switch, or take the loads out of service"))
    return problems


def _loop(net: pandapowerNet) -> Problem:
    cycle = nx.find_cycle(graph(net))
    names = [display_name(net, table, number) for *_, (table, number) in cycle]
    lines = [name for name in names if name.startswith("line")] + [name for name in names if not name.startswith("line")]
    shown = ", ".join(lines[:8]) + (f" and {len(lines) - 8} more" if len(lines) > 8 else "")
    what = f"the network is operated in a loop: {shown}"
    return Problem(
        "normal switching state", what, remedy="open a switch of the loop; restoration is computed for radial operation"
    )


def _shared(net: pandapowerNet, nodes: _Nodes, fed: dict[int, int], section: np.ndarray) -> list[Problem]:
    """Report sources that are joined in normal operation, unless at one bus bar."""
    problems, seen = [], {}
    for bus, part in fed.items():
        first = seen.setdefault(part, bus)
        if first == bus or section[nodes.bus[first]] == section[nodes.bus[bus]]:
            continue
        path = nx.shortest_path(graph(net), first, bus)
        names = [display_name(net, t, n) for a, b in pairwise(path) for t, n in graph(net)[a][b]][:8]
        what = (
            f"the sources at {display_name(net, 'bus', first)} and {display_name(net, 'bus', bus)} are joined: {', '.join(names)}"
        )
        problems.append(Problem("normal switching state", what, remedy="open a switch between them"))
    return problems


@njit(**_COMPILED)
def _preorder(ptr, other, edge, roots, out):
    """Depth-first numbering; fills (order, parent, parent edge, root) in old numbers and returns how many were reached."""
    order, parent, parent_edge, root = out
    stack = np.empty(parent.size + 1, np.int64)
    reached = 0
    for r in roots:
        top = 0
        stack[0], parent[r], root[r] = r, -1, r
        while top >= 0:
            s = stack[top]
            top -= 1
            order[reached] = s
            reached += 1
            for k in range(ptr[s + 1] - 1, ptr[s] - 1, -1):
                o = other[k]
                if o != parent[s] and root[o] < 0:
                    parent[o], parent_edge[o], root[o] = s, edge[k], r
                    top += 1
                    stack[top] = o
    return reached


def _incident(count: int, a: np.ndarray, b: np.ndarray, number: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Adjacency lists: pointers, the other end, the number of the edge."""
    start, end, edge = np.r_[a, b], np.r_[b, a], np.r_[number, number]
    order = np.argsort(start, kind="stable")
    return np.searchsorted(start[order], np.arange(count + 1)), end[order], edge[order]


def _tree(count: int, ends: np.ndarray, closed: np.ndarray, roots: np.ndarray) -> tuple[Tree, np.ndarray, int]:
    """Order the sections; return the forest, the new numbers, and how many are energised."""
    shut = np.flatnonzero(closed)
    ptr, other, edge = _incident(count, ends[shut, 0], ends[shut, 1], shut)
    order = np.full(count, -1)
    parent, parent_edge, root = np.full(count, -1), np.full(count, -1), np.full(count, -1)
    live = int(_preorder(ptr, other, edge, roots, (order, parent, parent_edge, root)))
    dead = np.setdiff1d(np.arange(count), order[:live])
    order[live:] = dead
    new = np.empty(count, np.int64)
    new[order] = np.arange(count)
    renumbered = [np.where(x[order] >= 0, new[x[order]], -1) for x in (parent, root)]
    parent, root, parent_edge = renumbered[0], renumbered[1], parent_edge[order]
    last = np.arange(1, count + 1)
    for s in range(live - 1, -1, -1):
        if parent[s] >= 0:
            last[parent[s]] = max(last[parent[s]], last[s])
    children = np.flatnonzero(parent >= 0)
    by_parent = children[np.argsort(parent[children], kind="stable")]
    child_ptr = np.searchsorted(parent[by_parent], np.arange(count + 1))
    a, b = new[ends[:, 0]], new[ends[:, 1]]
    ties = _ties(a, b, closed, live, count)
    return Tree(parent, parent_edge, last, root, child_ptr, by_parent, a, b, *ties), new, live


def _ties(a: np.ndarray, b: np.ndarray, closed: np.ndarray, live: int, count: int) -> tuple[np.ndarray, ...]:
    """Open switches between energised sections, also through sections that are dead in normal operation."""
    found: list[tuple[int, int, list[int], list[int]]] = []
    idle = np.flatnonzero(~closed)
    both = (a[idle] < live) & (b[idle] < live)
    found += [(int(a[e]), int(b[e]), [int(e)], []) for e in idle[both] if a[e] != b[e]]
    found += _through_dead(a, b, closed, live, count)
    found.sort(key=lambda tie: tie[2][:2])
    pack: list[Any] = [np.array([t[0] for t in found], np.int64), np.array([t[1] for t in found], np.int64)]
    for column in (2, 3):
        pack.append(np.cumsum([0, *(len(t[column]) for t in found)]).astype(np.int64))
        pack.append(np.array([x for t in found for x in t[column]], np.int64))
    sections = np.r_[pack[0], pack[1]].astype(np.int64)
    order = np.argsort(sections, kind="stable")
    pack += [np.searchsorted(sections[order], np.arange(count + 1)), np.tile(np.arange(len(found)), 2)[order].astype(np.int64)]
    return tuple(pack)


def _through_dead(a: np.ndarray, b: np.ndarray, closed: np.ndarray, live: int, count: int) -> list[tuple]:
    """Pairs of open switches with a dead piece between them, such as a line that is open at both ends."""
    if live == count:
        return []
    inner = closed & (a >= live) & (b >= live)
    part = _components(count, np.stack([a[inner], b[inner]], axis=1))
    doors: dict[int, list[tuple[int, int]]] = {}
    for e in np.flatnonzero(~closed & ((a < live) != (b < live))):
        alive, dead = (a[e], b[e]) if a[e] < live else (b[e], a[e])
        doors.setdefault(int(part[dead]), []).append((int(alive), int(e)))
    found = []
    for piece, ways in doors.items():
        sections = [int(s) for s in np.flatnonzero(part == piece)]
        inside = [int(e) for e in np.flatnonzero(inner & (part[a] == piece))]
        for n, (start, first) in enumerate(ways):
            found += [(start, end, [first, second, *inside], sections) for end, second in ways[n + 1 :] if end != start]
    return found
