"""Feeders: the areas of a roll-out.

A feeder is everything that is supplied, in the normal switching state, through one head: the first line or transformer that
leaves a supply bus bar.

Supply bus bars are found by going down from the external grids. A bus bar is a set of buses joined by closed switches. Above 60
kV everything joined at that voltage is transmission, and its transformers lead on to the next bus bars; at or below 60 kV a bus
bar that only transformers leave leads on to their secondary sides; any other bus bar is a supply bus bar. So an external grid
at 110 kV leads to the 20 kV bus bars of its substations, one at 20 kV with a single 20/0.4 kV transformer to the 0.4 kV bus
bar, and one without transformers is itself the supply bus bar.

Supply bus bars and what lies above them belong to no feeder, and so do buses without supply.
"""

from __future__ import annotations

import networkx as nx
import pandas as pd
from pandapower.auxiliary import pandapowerNet

from gridplan.errors import Problem, StudyError, suggest
from gridplan.network.inventory import display_name
from gridplan.network.topology import ENDS, TRANSFORMERS, graph, source_buses

#: Above this voltage [kV] lines are transmission or subtransmission, not feeders.
TRANSMISSION_KV = 60.0
HEAD_COLUMNS = ["area", "head", "element", "element_id", "bus", "first_bus", "substation", "substation_bus"]


def areas(net: pandapowerNet, given: pd.DataFrame | None = None) -> pd.DataFrame:
    """Assign buses to feeders.

    Parameters
    ----------
    net
        Network in its normal switching state.
    given
        An `areas` table (columns `bus`, `area`) that takes the place of the feeders found in the network. It must hold every
        bus that a feeder supplies, once; it may hold other buses too.

    Returns
    -------
    pd.DataFrame
        Columns `bus`, `area`, one row per bus that a feeder supplies, in the order of the buses. Supply bus bars, what lies
        above them and buses without supply are not in the table. Names are ``S1-F1``: the first feeder of the first substation
        (see :func:`feeder_heads`); a feeder with several closed heads (a mesh) is one area, named ``S1-F1+S1-F2``.

    Raises
    ------
    StudyError
        `given` names an unknown bus, a bus twice, no area, or leaves out a supplied bus.
    """
    found = feeders(net)[0]
    return found if given is None else _checked(net, found, given)


def feeder_heads(net: pandapowerNet) -> pd.DataFrame:
    """List the heads of all feeders.

    Parameters
    ----------
    net
        Network in its normal switching state.

    Returns
    -------
    pd.DataFrame
        One row per head: `area`; `head`, its own name (equal to the area but in meshes); `element` and `element_id`, the line
        or transformer that leaves the bus bar; `bus`, its bus on the bus bar; `first_bus`, its bus in the feeder; `substation`,
        the number of the bus bar (``S1``, in the order of the lowest bus number); `substation_bus`, the display name of that
        bus.
    """
    return feeders(net)[1]


def feeders(net: pandapowerNet) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Find areas and heads together: both rest on the same parts of the graph."""
    connected = graph(net)
    bars, above = _supply_bars(net, connected)
    below = connected.subgraph(set(connected) - above - {bus for bar in bars for bus in bar})
    parts = {bus: number for number, part in enumerate(nx.connected_components(below)) for bus in part}
    heads = _heads(net, connected, bars, parts)
    names = heads.groupby("part", sort=False)["head"].agg(_area_name).to_dict()
    heads["area"] = heads["part"].map(names).astype(object)
    rows = [(bus, names[part]) for bus, part in sorted(parts.items()) if part in names]
    return pd.DataFrame(rows, columns=["bus", "area"]), heads[HEAD_COLUMNS]


def _area_name(heads: pd.Series) -> str:
    """Name an area after its heads; a mesh with many heads after the first of them."""
    names = list(heads)
    return "+".join(names) if len(names) <= 3 else f"{names[0]}+{len(names) - 1} more heads"


def _heads(net: pandapowerNet, connected: nx.MultiGraph, bars: list[frozenset[int]], parts: dict[int, int]) -> pd.DataFrame:
    """One row per branch from a supply bus bar into a part below it."""
    rows: list[tuple] = []
    number = 0
    for bar in bars:
        leaving = {
            (list(ENDS).index(table), element, bus, other)
            for bus, other, (table, element) in connected.edges(bar, keys=True)
            if other in parts and table != "switch"
        }
        number += bool(leaving)
        # Two circuits side by side are one head.
        single = {(bus, other): (table, element, bus, other) for table, element, bus, other in sorted(leaving, reverse=True)}
        for count, (table, element, bus, other) in enumerate(sorted(single.values()), start=1):
            head = f"S{number}-F{count}"
            rows.append(
                (head, list(ENDS)[table], element, bus, other, f"S{number}", display_name(net, "bus", min(bar)), parts[other])
            )
    return pd.DataFrame(rows, columns=[*HEAD_COLUMNS[1:], "part"])


def _supply_bars(net: pandapowerNet, connected: nx.MultiGraph) -> tuple[list[frozenset[int]], set[int]]:
    """Go down from the sources to the supply bus bars; return them by lowest bus, and the buses above them."""
    kv = net.bus.vn_kv
    bars, above = set(), set()
    waiting = [bus for bus in source_buses(net) if bus in connected]
    while waiting:
        bus = waiting.pop()
        if bus in above or any(bus in bar for bar in bars):
            continue
        bar = _joined(connected, bus, {"switch"})
        transmission = kv.loc[bus] > TRANSMISSION_KV
        level = _joined(connected, bus, set(ENDS) - set(TRANSFORMERS) | {"switch"}) if transmission else bar
        secondary = _below(connected, level, kv)
        if secondary and (transmission or not _lines_leave(connected, bar)):
            above |= level
            waiting += secondary
        else:
            bars.add(bar)
    return sorted(bars, key=min), above


def _joined(connected: nx.MultiGraph, bus: int, tables: set[str]) -> frozenset[int]:
    """Buses reached from a bus through branches of some tables only."""
    seen, waiting = {bus}, [bus]
    while waiting:
        for _, other, (table, _) in connected.edges(waiting.pop(), keys=True):
            if table in tables and other not in seen:
                seen.add(other)
                waiting.append(other)
    return frozenset(seen)


def _below(connected: nx.MultiGraph, level: frozenset[int], kv: pd.Series) -> list[int]:
    """Buses on the lower side of the transformers that leave a level."""
    edges = connected.edges(level, keys=True)
    return sorted({v for u, v, (table, _) in edges if table in TRANSFORMERS and v not in level and kv.loc[v] < kv.loc[u]})


def _lines_leave(connected: nx.MultiGraph, bar: frozenset[int]) -> bool:
    edges = connected.edges(bar, keys=True)
    return any(v not in bar and table not in TRANSFORMERS for _, v, (table, _) in edges)


def _checked(net: pandapowerNet, found: pd.DataFrame, given: pd.DataFrame) -> pd.DataFrame:
    """Return the given areas, or raise with everything that is wrong with them."""
    problems = []
    repeated = given.bus.duplicated()
    for row, (bus, area) in enumerate(zip(given.bus, given.area, strict=True), start=2):
        if bus not in net.bus.index:
            remedy = suggest(str(bus), map(str, net.bus.index))
            problems.append(Problem("areas", f"bus {bus} is not in the network", row=row, column="bus", remedy=remedy))
        if repeated.iloc[row - 2]:
            problems.append(
                Problem("areas", f"bus {bus} stands in an earlier row too", row=row, column="bus", remedy="keep one row")
            )
        if pd.isna(area) or not str(area).strip():
            problems.append(Problem("areas", f"bus {bus} has no area", row=row, column="area", remedy="name its area"))
    missing = sorted(set(found.bus) - set(given.bus))
    if missing:
        shown = ", ".join(map(str, missing[:10])) + (f" and {len(missing) - 10} more" if len(missing) > 10 else "")
        problems.append(Problem("areas", f"{len(missing)} supplied buses have no area: {shown}", remedy="add a row for each"))
    if problems:
        raise StudyError("table 'areas'", problems)
    return given[["bus", "area"]].astype({"bus": "int64", "area": object}).sort_values("bus", ignore_index=True)
