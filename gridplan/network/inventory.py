"""What is in a network, in words and numbers."""

from __future__ import annotations

import pandas as pd
from pandapower.auxiliary import pandapowerNet

SWITCH_KINDS = {"b": "between buses", "l": "at lines", "t": "at transformers", "t3": "at three-winding transformers"}


def display_name(net: pandapowerNet, element: str, element_id: int) -> str:
    """Name an element the way reports do.

    Parameters
    ----------
    net
        Network.
    element
        Table of the element: ``bus``, ``line``.
    element_id
        Number of the element in that table.

    Returns
    -------
    str
        ``bus 103 (Bus 103)``, or ``bus 103`` if the element has no name of its own.
    """
    frame = net.get(element)
    known = isinstance(frame, pd.DataFrame) and "name" in frame and element_id in frame.index
    name = frame.loc[[element_id], "name"].iloc[0] if known else None
    plain = f"{element} {element_id}"
    return plain if pd.isna(name) or str(name).strip().lower() in {"", str(element_id), plain} else f"{plain} ({name})"


def describe(net: pandapowerNet) -> pd.DataFrame:
    """Take stock of a network.

    Parameters
    ----------
    net
        Network; elements out of service are counted too, and named as such.

    Returns
    -------
    pd.DataFrame
        Columns `item`, `detail`, `number` [1], `quantity`, `unit`: buses and line kilometres by voltage level, transformers by
        voltages with their rated power, loads and generators with their active power, switches by kind and state.
    """
    rows = [*_buses(net), *_lines(net), *_transformers(net), *_powers(net), *_switches(net)]
    return pd.DataFrame(rows, columns=["item", "detail", "number", "quantity", "unit"])


def _buses(net: pandapowerNet) -> list[tuple]:
    counts = net.bus.vn_kv.value_counts(dropna=False).sort_index(ascending=False)
    return [("buses", f"{kv:g} kV", int(number), float("nan"), "") for kv, number in counts.items()]


def _lines(net: pandapowerNet) -> list[tuple]:
    kv = net.line.from_bus.map(net.bus.vn_kv)
    groups = net.line.length_km.groupby(kv)
    return [("lines", f"{level:g} kV", len(km), float(km.sum()), "km") for level, km in sorted(groups, reverse=True)]


def _transformers(net: pandapowerNet) -> list[tuple]:
    rows = []
    for table, sides in (("trafo", ("hv",)), ("trafo3w", ("hv",))):
        frame = net[table]
        if not len(frame):
            continue
        rated = frame["sn_mva"] if table == "trafo" else frame["sn_hv_mva"]
        low = frame["vn_lv_kv"].map("{:g}".format)
        voltages = frame[f"vn_{sides[0]}_kv"].map("{:g}".format) + "/" + low + " kV"
        item = "transformers" if table == "trafo" else "three-winding transformers"
        rows += [(item, detail, len(mva), float(mva.sum()), "MVA") for detail, mva in rated.groupby(voltages)]
    return rows


def _powers(net: pandapowerNet) -> list[tuple]:
    rows = []
    names = {"load": "loads", "sgen": "static generators", "gen": "generators", "storage": "storage", "shunt": "shunts"}
    for table, item in names.items():
        frame = net[table]
        if len(frame):
            power, unit = ("q_mvar", "Mvar") if table == "shunt" else ("p_mw", "MW")
            scaling = frame.get("scaling", 1.0)
            on = frame.in_service.astype(bool)
            off = f"{int((~on).sum())} out of service" if (~on).any() else ""
            rows.append((item, off, len(frame), float((frame[power] * scaling)[on].sum()), unit))
    rows.append(("external grids", "", len(net.ext_grid), float("nan"), ""))
    return rows


def _switches(net: pandapowerNet) -> list[tuple]:
    groups = net.switch.groupby(["et", net.switch.closed.astype(bool)], sort=True).size()
    rows = [(SWITCH_KINDS.get(et, et), "closed" if closed else "open", int(n)) for (et, closed), n in groups.items()]
    return [("switches", f"{kind}, {state}", number, float("nan"), "") for kind, state, number in rows]
