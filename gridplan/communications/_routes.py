"""Routes over the site graph: trees of shortest ways, and pairs of disjoint ways from one site to all others."""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field

import numpy as np

NONE = -1


@dataclass(frozen=True, eq=False)
class Graph:
    """Sites and links by position; a link carries both ways.

    Parameters
    ----------
    count
        Number of sites.
    one, other
        Ends of each link.
    cost
        Length by which routes are chosen, not negative.
    """

    count: int
    one: np.ndarray
    other: np.ndarray
    cost: np.ndarray
    around: list[list[tuple[int, int]]] = field(init=False)

    def __post_init__(self) -> None:
        around: list[list[tuple[int, int]]] = [[] for _ in range(self.count)]
        for link, (a, b) in enumerate(zip(self.one.tolist(), self.other.tolist(), strict=True)):
            around[a].append((b, link))
            around[b].append((a, link))
        object.__setattr__(self, "around", around)


@dataclass(frozen=True, eq=False)
class Tree:
    """Shortest ways from a root: distance of each site, the site and link before it, and the order in which they were reached."""

    root: int
    distance: list[float]
    before: list[int]
    link: list[int]
    order: list[int]

    def way(self, site: int) -> list[int]:
        """Links from a site to the root."""
        found = []
        while site != self.root:
            found.append(self.link[site])
            site = self.before[site]
        return found


def tree(graph: Graph, root: int, usable: list[bool]) -> Tree:
    """Shortest ways from a root over usable links (Dijkstra); of two equal ones that over the lower site number."""
    distance = [np.inf] * graph.count
    before, link = [NONE] * graph.count, [NONE] * graph.count
    distance[root], order, done = 0.0, [], [False] * graph.count
    cost = graph.cost.tolist()
    heap = [(0.0, root)]
    while heap:
        reached, site = heapq.heappop(heap)
        if done[site]:
            continue
        done[site] = True
        order.append(site)
        for other, edge in graph.around[site]:
            if usable[edge] and reached + cost[edge] < distance[other]:
                distance[other] = reached + cost[edge]
                before[other], link[other] = site, edge
                heapq.heappush(heap, (distance[other], other))
    return Tree(root, distance, before, link, order)


@dataclass(frozen=True, eq=False)
class Pairs:
    """For every site two ways to the root with no link and no site between in common, their total length least."""

    found: Tree
    total: list[float]  # beyond twice the distance; infinite without a pair
    vertex: list[int]  # the vertex that was labelled when this one was relaxed
    came: list[int]  # the vertex from which the arc comes
    link: list[int]
    parent: list[int]
    parent_link: list[int]

    def ways(self, site: int) -> tuple[list[int], list[int]] | None:
        """Links of the two ways from a site to the root, the shorter first; None if there is no pair."""
        end, root = 2 * site, 2 * self.found.root + 1
        if site == self.found.root or not np.isfinite(self.total[end]):
            return None
        marked, x = set(), end
        while x != root:
            marked.add(x)
            x = self.vertex[x]
        ways = []
        for _ in range(2):
            x, way = end, []
            while x != root:
                if x in marked:
                    marked.remove(x)
                    edge, x = self.link[x], self.came[x]
                else:
                    edge, x = self.parent_link[x], self.parent[x]
                if edge != NONE:
                    way.append(edge)
            ways.append(way)
        return ways[0], ways[1]


def pairs(graph: Graph, found: Tree, usable: list[bool]) -> Pairs:
    """Shortest pairs of disjoint ways from the root of a tree to every site, all in one run [1]_.

    Every site is split into an in-vertex 2i and an out-vertex 2i + 1, so that ways with no arc in common have no site in common.

    References
    ----------
    .. [1] J. W. Suurballe, R. E. Tarjan, A quick method for finding shortest pairs of disjoint paths, Networks 14, 1984.
    """
    split = _Split(graph, found, usable)
    count = 2 * graph.count
    total, vertex, came, link = [np.inf] * count, [NONE] * count, [NONE] * count, [NONE] * count
    root = 2 * found.root + 1
    total[root] = 0.0
    heap = [(0.0, root)]
    part, parts = [0 if inside else NONE for inside in split.inside], 1
    while heap:
        reached, v = heapq.heappop(heap)
        if part[v] == NONE or reached > total[v]:
            continue
        whole, part[v] = part[v], NONE
        moved: list[int] = []
        first = parts
        for child in split.children[v]:
            if part[child] == whole:
                mine = [x for x in split.below(child) if part[x] == whole]
                for x in mine:
                    part[x] = parts
                moved += mine
                parts += 1
        arcs = [arc for arc in split.leaving[v] if part[arc[1]] == whole or part[arc[1]] >= first]
        for x in moved:
            for arc in split.touching[x]:
                there = part[arc[0] if arc[1] == x else arc[1]]
                if (there == whole or there >= first) and there != part[x]:
                    arcs.append(arc)
        for u, w, edge, cost in arcs:
            if reached + cost < total[w]:
                total[w], vertex[w], came[w], link[w] = reached + cost, v, u, edge
                heapq.heappush(heap, (total[w], w))
    return Pairs(found, total, vertex, came, link, split.parent, split.parent_link)


class _Split:
    """The tree and the arcs outside it after every site is split in two."""

    def __init__(self, graph: Graph, found: Tree, usable: list[bool]) -> None:
        count = 2 * graph.count
        self.inside = [False] * count
        self.parent, self.parent_link = [NONE] * count, [NONE] * count
        self.children: list[list[int]] = [[] for _ in range(count)]
        self.leaving: list[list[tuple]] = [[] for _ in range(count)]
        self.touching: list[list[tuple]] = [[] for _ in range(count)]
        self._grow(found)
        self._arcs(graph, found, usable)
        self._number(2 * found.root + 1)

    def _grow(self, found: Tree) -> None:
        for site in found.order:
            if site == found.root:
                self.inside[2 * site + 1] = True
                continue
            enter, leave, above = 2 * site, 2 * site + 1, 2 * found.before[site] + 1
            self.inside[enter] = self.inside[leave] = True
            self.parent[enter], self.parent_link[enter], self.parent[leave] = above, found.link[site], enter
            self.children[above].append(enter)
            self.children[enter].append(leave)

    def _arcs(self, graph: Graph, found: Tree, usable: list[bool]) -> None:
        d, cost = found.distance, graph.cost.tolist()
        for edge, (a, b) in enumerate(zip(graph.one.tolist(), graph.other.tolist(), strict=True)):
            if not usable[edge] or not np.isfinite(d[a]):
                continue
            for u, w in ((a, b), (b, a)):
                if w != found.root and found.link[w] != edge:
                    arc = (2 * u + 1, 2 * w, edge, max(0.0, cost[edge] + d[u] - d[w]))
                    self.leaving[arc[0]].append(arc)
                    self.touching[arc[0]].append(arc)
                    self.touching[arc[1]].append(arc)

    def _number(self, root: int) -> None:
        """Put the vertices into a sequence so that all below one stand together behind it."""
        self.sequence: list[int] = []
        self.first, self.last = [0] * len(self.inside), [0] * len(self.inside)
        waiting: list[tuple[int, bool]] = [(root, False)]
        while waiting:
            x, left = waiting.pop()
            if left:
                self.last[x] = len(self.sequence)
                continue
            self.first[x] = len(self.sequence)
            self.sequence.append(x)
            waiting.append((x, True))
            waiting += [(child, False) for child in self.children[x]]

    def below(self, x: int) -> list[int]:
        """Return a vertex and all below it in the tree."""
        return self.sequence[self.first[x] : self.last[x]]
