"""Which projects close which gaps: the smallest sets, by integer programs that learn from what a set leaves open."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import networkx as nx
import numpy as np
from scipy.optimize import Bounds, LinearConstraint, milp

from gridplan.gaps._facts import Facts
from gridplan.gaps._find import Gap, Key, open_gaps

Wanted = Callable[[Key], bool]
MOST_ROUNDS = 2000


def smallest(given: Facts, wanted: Wanted, *, by: str = "number") -> frozenset[str] | None:
    """Return the smallest set of projects after which no wanted gap is open, with those before them; None if there is none.

    An integer program proposes a set; if it leaves a wanted gap open, projects are added as long as the gap stays open, and the
    program learns that one of those left out must come, or one of the set must go (logic-based Benders decomposition [1]_). The
    set found is checked by computing its gaps; it is the smallest if between a set and the larger one a gap that is open in both
    is never closed.

    References
    ----------
    .. [1] J. N. Hooker, G. Ottosson, Logic-based Benders decomposition, Mathematical Programming 96, 2003.
    """
    names = list(given.order)
    at = {name: number for number, name in enumerate(names)}
    cost = _cost(given, names, by)
    learnt: list[tuple[np.ndarray, float]] = [_after(at, one, other) for one, other in given.order.edges]
    for _ in range(MOST_ROUNDS):
        chosen = _solve(cost, learnt, names)
        if chosen is None:
            return None
        left = [(key, gap) for key, gap in open_gaps(given, chosen).items() if wanted(key)]
        if not left:
            return chosen
        learnt += [_row(at, *cut) for cut in {_cut(given, chosen, key, gap) for key, gap in left}]
    raise AssertionError(f"no set of projects in {MOST_ROUNDS} rounds")


def _cost(given: Facts, names: list[str], by: str) -> np.ndarray:
    capex = given.tables["projects"].set_index("project")["capex_keur"].reindex(names).to_numpy(float)
    share = capex / (capex.sum() + 1)
    count = np.full(len(names), 1 / (len(names) + 1))
    return 1 + share if by == "number" else capex + count


def _after(at: dict[str, int], project: str, earlier: str) -> tuple[np.ndarray, float]:
    row = np.zeros(len(at))
    row[at[project]], row[at[earlier]] = -1, 1
    return row, 0.0


def _solve(cost: np.ndarray, learnt: list[tuple[np.ndarray, float]], names: list[str]) -> frozenset[str] | None:
    rows = LinearConstraint(np.array([row for row, _ in learnt]), np.array([low for _, low in learnt]), np.inf) if learnt else ()
    if not names:
        return frozenset() if not any(low > 0 for _, low in learnt) else None
    found = milp(cost, integrality=np.ones(len(names)), bounds=Bounds(0, 1), constraints=rows, options={"mip_rel_gap": 0})
    return frozenset(name for name, x in zip(names, found.x, strict=True) if x > 0.5) if found.x is not None else None


def _row(at: dict[str, int], inside: frozenset[str], outside: frozenset[str]) -> tuple[np.ndarray, float]:
    """Return the constraint that one of `outside` comes, or one of `inside` goes."""
    row = np.zeros(len(at))
    for name in outside:
        row[at[name]] = 1
    for name in inside:
        row[at[name]] = -1
    return row, 1.0 - len(inside)


def _cut(given: Facts, chosen: frozenset[str], key: Key, gap: Gap) -> tuple[frozenset[str], frozenset[str]]:
    """Return the projects of which one must go, and those of which one must come, for a gap to be closed."""
    about = relevant(given, gap)
    grown = chosen
    for name in sorted(about - chosen):
        larger = grown | given.complete([name])
        if key in open_gaps(given, larger):
            grown = larger
    return chosen & about, about - grown


def relevant(given: Facts, gap: Gap) -> frozenset[str]:
    """Return the projects that deliver anything a gap depends on."""
    table = given.tables["deliveries"]
    kinds = {kind for kind, item in gap.about if not item}
    pairs = set(gap.about)
    rows = [
        project
        for project, kind, item in zip(table["project"], table["kind"], table["item"], strict=True)
        if kind in kinds or (kind, item) in pairs
    ]
    return frozenset(rows)


def ways(given: Facts, key: Key) -> list[frozenset[str]]:
    """Return the sets of projects that close one gap of today: each single project that does, else the smallest set.

    A project stands for itself and those before it.
    """
    gap = open_gaps(given, frozenset())[key]
    single = [frozenset({name}) for name in sorted(relevant(given, gap)) if key not in open_gaps(given, given.complete([name]))]
    if single:
        return _without_later(given, single)
    found = smallest(given, lambda other: other == key)
    return [last(given, found)] if found is not None else []


def _without_later(given: Facts, single: list[frozenset[str]]) -> list[frozenset[str]]:
    """Leave out projects that close a gap only because one before them does."""
    names = {next(iter(one)) for one in single}
    return [one for one in single if not names & nx.descendants(given.order, next(iter(one)))]


def last(given: Facts, projects: Iterable[str]) -> frozenset[str]:
    """Return the projects of a set that no other of the set waits for."""
    chosen = set(projects)
    waited = set().union(*(nx.descendants(given.order, name) for name in chosen)) if chosen else set()
    return frozenset(chosen - waited)


def in_order(given: Facts, projects: Iterable[str]) -> list[str]:
    """Return projects in an order in which each comes after those before it, otherwise as in the table."""
    place = {name: number for number, name in enumerate(given.order)}
    chosen = given.order.subgraph(projects).reverse()
    return list(nx.lexicographical_topological_sort(chosen, key=place.get))
