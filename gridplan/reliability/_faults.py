"""What can fail, how often, which device clears it, and what that leaves without supply."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd
from pandapower.auxiliary import pandapowerNet

from gridplan.performance import line_areas
from gridplan.reliability._inputs import Gear, _number
from gridplan.reliability._restore import NOBODY, Patterns
from gridplan.reliability._topology import Topology, Tree, _components

FAULT, TRANSIENT, PLANNED = 0, 1, 2
KINDS = ("fault", "transient", "planned")
SOURCE = -1  # the tripped edge, where it is the source's own breaker
MANUAL = 2


class Failing(NamedTuple):
    """What can fail: one row an element; its section(s) and, for a switch, its edge; its area, as a place in `areas`."""

    table: pd.DataFrame
    first: np.ndarray
    second: np.ndarray
    edge: np.ndarray
    area: np.ndarray
    areas: list[str]


def failing(net: pandapowerNet, topology: Topology, rates: pd.DataFrame, gear: Gear, areas: pd.DataFrame) -> Failing:
    """List the elements that can fail, with their rates, and where they stand.

    The row of the element itself comes before one of its standard type, of its type, and of ``*``.
    """
    area = areas.set_index("bus")["area"]
    of_line = line_areas(net, areas).set_index("line")["area"]
    parts = []
    for element, sections in (*topology.element_section.items(), ("bus", topology.bus_section)):
        if element == "impedance" or not len(sections):
            continue
        where = of_line if element == "line" else _bus_of(net, element, sections.index).map(area)
        parts.append(
            _rated(net, element, sections, rates).assign(area=where.reindex(sections.index).to_numpy(), edge=-1, second=-1)
        )
    parts.append(_switches(net, topology, rates, gear, area))
    table = pd.concat([part for part in parts if len(part)], ignore_index=True)
    table = table[(table["section"] < topology.live) & (table[["rate", "transient", "planned"]] > 0).any(axis=1)]
    table = table.reset_index(drop=True)
    columns = (table[name].to_numpy(np.int64) for name in ("section", "second", "edge"))
    code, names = pd.factorize(table["area"].fillna("").astype(object))
    return Failing(table, *columns, code, list(names))


def _bus_of(net: pandapowerNet, element: str, index: pd.Index) -> pd.Series:
    if element == "bus":
        return pd.Series(index, index=index)
    column = "mv_bus" if element == "trafo3w" else "lv_bus"
    return net[element][column].reindex(index)


def _rated(net: pandapowerNet, element: str, sections: pd.Series, rates: pd.DataFrame) -> pd.DataFrame:
    """Rates and times of the elements of a table."""
    frame = net[element].reindex(sections.index)
    kinds = [
        frame[c].astype(str) if c in frame and element != "bus" else pd.Series("", index=frame.index)
        for c in ("std_type", "type")
    ]
    km = (frame["length_km"] * frame["parallel"]).to_numpy(float) if element == "line" else np.zeros(len(frame))
    rows = rows_of(rates[rates["element"] == element], frame.index, kinds)
    return values_of(rows, km).assign(element=element, element_id=sections.index.to_numpy(), section=sections.to_numpy())


def _switches(net: pandapowerNet, topology: Topology, rates: pd.DataFrame, gear: Gear, area: pd.Series) -> pd.DataFrame:
    """Rates of the switches: a failure is a fault on both sides.

    An open switch whose sides hang under different devices trips both, so it has two rows.
    """
    own = rates[rates["element"] == "switch"]
    tree, below = topology.tree, _below(topology.tree, len(topology.switches))
    found: list[tuple[int, int, int]] = []
    for edge in range(len(topology.switches)) if len(own) else ():
        a, b = int(tree.edge_a[edge]), int(tree.edge_b[edge])
        if below[edge] >= 0:
            found.append((edge, int(tree.parent[below[edge]]), int(below[edge])))
        elif not topology.closed[edge]:
            sides = sorted(s for s in {a, b} if s < topology.live)
            found += _sides(tree, gear.protects, edge, sides)
    edges, first, second = np.array(found, np.int64).reshape(-1, 3).T
    ids = pd.Index(topology.switches[edges])
    given = rows_of(own, ids, [pd.Series(gear.device[edges], index=ids)])
    table = values_of(given, np.zeros(len(ids))).assign(
        element="switch", element_id=ids, section=first, second=second, edge=edges
    )
    return table.assign(area=net.switch["bus"].reindex(ids).map(area).to_numpy())


def _sides(tree: Tree, protects: np.ndarray, edge: int, sides: list[int]) -> list[tuple[int, int, int]]:
    """Fault(s) that an open switch with these energised sides makes: (edge, section, second section)."""
    if len(sides) < 2:
        return [(edge, s, -1) for s in sides]
    below = [_nearest(tree, protects, s) for s in sides]
    for one, other in ((0, 1), (1, 0)):
        if below[one] <= sides[other] < tree.last[below[one]]:
            return [(edge, sides[one], sides[other])]
    return [(edge, s, -1) for s in sides]


def _nearest(tree: Tree, protects: np.ndarray, section: int) -> int:
    """Top of what the nearest protective device above a section switches off."""
    while tree.parent[section] >= 0 and not protects[tree.parent_edge[section]]:
        section = int(tree.parent[section])
    return section


def _below(tree: Tree, edges: int) -> np.ndarray:
    """Section below each edge; -1 for an edge that supplies nothing."""
    below = np.full(edges, -1)
    supplied = np.flatnonzero(tree.parent_edge >= 0)
    below[tree.parent_edge[supplied]] = supplied
    return below


def rows_of(rates: pd.DataFrame, index: pd.Index, kinds: list[pd.Series]) -> pd.DataFrame:
    """Row of `rates` that holds for each element; empty where none does."""
    number = _number(rates, "element_id")
    own = rates[number.notna()].assign(_id=number.dropna().astype(int)).drop_duplicates("_id").set_index("_id")
    general = rates[number.isna()].drop_duplicates("kind").set_index("kind")
    place = np.full(len(index), -1)
    for keys in [pd.Series("*", index=index), *kinds[::-1]] if len(general) else []:
        at = general.index.get_indexer(keys.to_numpy(object))
        place = np.where(at >= 0, at, place)
    found = general.reset_index().reindex(place).set_index(index)
    at = own.index.get_indexer(index)  # an element may stand in `index` several times
    rows = np.flatnonzero(at >= 0)
    for name in own.columns.intersection(found.columns) if len(rows) else []:
        found.iloc[rows, found.columns.get_loc(name)] = own[name].to_numpy()[at[rows]]
    return found


def values_of(rows: pd.DataFrame, km: np.ndarray) -> pd.DataFrame:
    """Events a year and their durations [h]."""

    def rate(name: str) -> np.ndarray:
        per_km, each = (_number(rows, f"{name}{tail}").fillna(0.0).to_numpy(float) for tail in ("_per_km_yr", "_per_yr"))
        return per_km * km + each

    return pd.DataFrame(
        {
            "rate": rate("failures"),
            "transient": rate("momentary"),
            "planned": rate("planned"),
            "repair_h": _number(rows, "repair_h").to_numpy(float),
            "planned_h": _number(rows, "planned_h").to_numpy(float),
        }
    )


def outcomes(found: Failing, topology: Topology, gear: Gear) -> tuple[pd.DataFrame, Patterns]:
    """Every failure with each way in which protection can clear it.

    Returns
    -------
    pd.DataFrame
        One row an event: `kind`, `row` (of `found.table`), `rate_per_yr`, `duration_h` (of the repair or the planned work),
        `tripped` (edge, -1: the source's own breaker), `pattern`.
    Patterns
        Distinct places and trips.
    """
    tree, table = topology.tree, found.table
    events: list[tuple] = []
    for n, (rate, transient, planned, repair, work) in enumerate(
        table[["rate", "transient", "planned", "repair_h", "planned_h"]].itertuples(index=False, name=None)
    ):
        place = (int(found.first[n]), int(found.second[n]), int(found.edge[n]))
        if rate > 0:
            events += [
                (FAULT, n, rate * p, repair, trip, *place) for trip, p in _trips(tree, gear.protects, gear.success, place[0])
            ]
        if transient > 0:
            trips = _trips(tree, gear.recloses, gear.success, place[0])
            events += [(TRANSIENT, n, transient * p, 0.0, trip, *place) for trip, p in trips]
        if planned > 0:
            events.append((PLANNED, n, planned, work, SOURCE, *place))
    columns = ["kind", "row", "rate_per_yr", "duration_h", "tripped", "first", "second", "broken"]
    frame = pd.DataFrame(events, columns=columns)
    below = _below(tree, len(topology.switches))
    first = frame["first"].to_numpy(np.int64)
    frame["top"] = np.where(frame["tripped"] >= 0, below[frame["tripped"].to_numpy(np.int64)], tree.root[first])
    frame["planned"] = frame["kind"] == PLANNED
    frame["top"] = [
        _zone_top(tree, gear.klass, s) if planned else top
        for s, planned, top in zip(first, frame["planned"], frame["top"], strict=True)
    ]
    key = ["first", "second", "top", "broken", "planned"]
    frame["pattern"] = frame.groupby(key, sort=False).ngroup()
    unique = frame.drop_duplicates("pattern")
    arrays = {name: unique[name].to_numpy(np.int64) for name in ("first", "second", "top", "broken")}
    return frame.drop(columns=key), Patterns(**arrays, lowest=arrays["first"], planned=unique["planned"].to_numpy(bool))


def _trips(tree: Tree, protects: np.ndarray, success: np.ndarray, section: int):
    """Devices above a section that may trip, with the probability that this one does; last the source's own."""
    left = 1.0
    while section >= 0:
        edge = int(tree.parent_edge[section])
        if edge >= 0 and protects[edge]:
            if success[edge] > 0 and left > 0:
                yield edge, left * success[edge]
            left *= 1.0 - success[edge]
            if left <= 0:
                return
        section = int(tree.parent[section])
    yield SOURCE, left


def _zone_top(tree: Tree, klass: np.ndarray, section: int) -> int:
    """Highest section that has to be switched off for work on a section."""
    while tree.parent[section] >= 0 and klass[tree.parent_edge[section]] >= NOBODY:
        section = int(tree.parent[section])
    return section


def patrol_km(topology: Topology, gear: Gear, patterns: Patterns, km: np.ndarray) -> np.ndarray:
    """Length of the lines to be patrolled [km] in each pattern.

    It is the piece around the fault below the tripped device, up to the next switches with a fault indicator and the next
    protective devices, which have not tripped; those that failed to trip do not bound it.
    """
    tree = topology.tree
    bounding = gear.indicator | gear.protects
    edge = tree.parent_edge
    joined = np.flatnonzero((edge >= 0) & ~bounding[edge])
    piece = _components(len(edge), np.stack([joined, tree.parent[joined]], axis=1))
    length = np.bincount(piece, weights=km)
    first, second = piece[patterns.first], np.where(patterns.second >= 0, piece[patterns.second], -1)
    total = length[first] + np.where((second >= 0) & (second != first), length[second], 0.0)
    passed = _next_protected(tree, gear.protects)[patterns.lowest] != patterns.top
    for p in np.flatnonzero(~patterns.planned & passed):
        failed = _failed(tree, gear, int(patterns.lowest[p]), int(patterns.top[p]))
        if failed:
            total[p] = length[_with_failed(tree, piece, failed, {int(first[p]), int(second[p])})].sum()
    return total


def _next_protected(tree: Tree, protects: np.ndarray) -> np.ndarray:
    """Top section of what the nearest protective device above each section cuts off; the root where there is none."""
    top = np.arange(len(tree.parent))
    for s in range(len(top)):  # parents come first
        if tree.parent[s] >= 0 and not protects[tree.parent_edge[s]]:
            top[s] = top[tree.parent[s]]
    return top


def _failed(tree: Tree, gear: Gear, lowest: int, top: int) -> list[int]:
    """Sections below the devices that failed to trip and show no indication."""
    found, s = [], lowest
    while s not in {-1, top}:
        edge = tree.parent_edge[s]
        if gear.protects[edge] and not gear.indicator[edge]:
            found.append(s)
        s = int(tree.parent[s])
    return found


def _with_failed(tree: Tree, piece: np.ndarray, failed: list[int], start: set[int]) -> list[int]:
    """Pieces joined by the devices that failed, from those of the fault upwards."""
    found = start - {-1}
    for s in failed:  # from the fault upwards
        if piece[s] in found:
            found.add(int(piece[tree.parent[s]]))
    return sorted(found)
