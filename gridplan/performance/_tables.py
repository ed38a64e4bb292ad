"""Elements, areas and events as the tables a planner reads."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from pandapower.auxiliary import pandapowerNet

from gridplan import network, powerflow
from gridplan.errors import ParameterError, Problem
from gridplan.powerflow import PowerFlow

OUTSIDE = "outside the areas"
"""What belongs to no feeder, such as bus bars and customers on the high-voltage side."""


def scaled(net: pandapowerNet, *, load_percent: float = 100.0, pv_percent: float = 100.0) -> pandapowerNet:
    """Return the network with all loads and all static generators scaled.

    Parameters
    ----------
    net
        Network; not changed.
    load_percent, pv_percent
        Loads and static generators as a share of the network's own [%].

    Raises
    ------
    ParameterError
        A share is negative or no number.
    """
    shares = {"load_percent": load_percent, "pv_percent": pv_percent}
    problems = [Problem(name, f"{value} is not 0 or more [%]") for name, value in shares.items() if not 0 <= value < np.inf]
    if problems:
        raise ParameterError("scaling", problems)
    copy = pandapowerNet(net)
    for element, share in (("load", load_percent), ("sgen", pv_percent)):
        copy[element] = net[element].assign(scaling=net[element]["scaling"] * share / 100)
    return copy


def geometry(net: pandapowerNet) -> dict[str, Any]:
    """Return where the network lies, as the arguments of :class:`gridplan.figures.Map`.

    Parameters
    ----------
    net
        Network; its switching state gives the open points.

    Returns
    -------
    dict
        `paths` of lines, `points` of buses, `substations`, `open_points` (buses) and `geographic`: False where most buses lack
        coordinates and a schematic is laid out instead, or where the lengths of the lines show that they are no degrees.
    """
    points, paths = network.coordinates(net), network.line_paths(net)
    if len(points) < len(net.bus) / 2:
        points = network.layout(net)
        ends = net.line[["from_bus", "to_bus"]]
        paths = {line: points.loc[[a, b], ["x", "y"]].to_numpy() for line, a, b in ends.itertuples()}
    geographic = _in_degrees(net, points)
    ties = net.switch.loc[(net.switch["et"] == "l") & ~net.switch["closed"].astype(bool), "bus"]
    heads = network.feeder_heads(net)["bus"].unique()
    return {"paths": paths, "points": points, "substations": list(heads), "open_points": list(ties), "geographic": geographic}


def _in_degrees(net: pandapowerNet, points: pd.DataFrame) -> bool:
    """Whether the distances between the ends of the lines fit their lengths, in the median within a factor of three."""
    if points.attrs.get("schematic"):
        return False
    start, end = (points.reindex(net.line[side])[["x", "y"]].to_numpy() for side in ("from_bus", "to_bus"))
    north = 111.32 * (end[:, 1] - start[:, 1])
    east = 111.32 * (end[:, 0] - start[:, 0]) * np.cos(np.radians(start[:, 1]))
    share = np.hypot(north, east) / net.line["length_km"].to_numpy(float)
    known = share[np.isfinite(share) & (share > 0)]
    return bool(len(known) and 1 / 3 < np.median(known) < 3)


def stations(net: pandapowerNet, areas: pd.DataFrame, customers: pd.DataFrame) -> pd.DataFrame:
    """Return the customers of each bus that supplies any.

    Returns
    -------
    pd.DataFrame
        `bus`, `name`, `area`, `customers`.
    """
    count = customers.groupby("bus", as_index=False)["customers"].sum()
    count["name"] = net.bus["name"].reindex(count["bus"]).to_numpy()
    return count.merge(areas, on="bus", how="left")[["bus", "name", "area", "customers"]]


def lines(net: pandapowerNet, areas: pd.DataFrame, result: PowerFlow) -> pd.DataFrame:
    """Return the highest loading of each line.

    Returns
    -------
    pd.DataFrame
        `line`, `name`, `area` (of the end that is supplied), `length_km` [km], `loading_max_percent` [%] (missing for a line
        without a rating), `time` of it.
    """
    table = _extremes(result, "line")
    frame = pd.DataFrame(
        {
            "line": net.line.index,
            "name": [element_name(net, "line", line) for line in net.line.index],
            "area": line_areas(net, areas).set_index("line")["area"].reindex(net.line.index).to_numpy(),
            "length_km": net.line["length_km"].to_numpy(),
        }
    )
    frame["loading_max_percent"] = table["max"].reindex(net.line.index).replace(np.inf, np.nan).to_numpy()
    frame["time"] = _moment(result, table["max_step"].reindex(net.line.index))
    return frame


def buses(net: pandapowerNet, areas: pd.DataFrame, result: PowerFlow) -> pd.DataFrame:
    """Return the lowest and highest voltage of each bus of an area.

    Returns
    -------
    pd.DataFrame
        `bus`, `name`, `area`, `vm_min_pu`, `vm_max_pu` [pu].
    """
    table = _extremes(result, "bus")
    frame = areas.assign(name=[element_name(net, "bus", bus) for bus in areas["bus"]])
    frame["vm_min_pu"] = table["min"].reindex(areas["bus"]).to_numpy()
    frame["vm_max_pu"] = table["max"].reindex(areas["bus"]).to_numpy()
    return frame[["bus", "name", "area", "vm_min_pu", "vm_max_pu"]]


def line_areas(net: pandapowerNet, areas: pd.DataFrame) -> pd.DataFrame:
    """Return the area of each line: that of its far end, or of the end that is in one.

    Returns
    -------
    pd.DataFrame
        `line`, `area`; lines between two areas (open ties) belong to the area of their `to_bus`.
    """
    area = areas.set_index("bus")["area"]
    far, near = area.reindex(net.line["to_bus"]).to_numpy(), area.reindex(net.line["from_bus"]).to_numpy()
    frame = pd.DataFrame({"line": net.line.index, "area": np.where(pd.isna(far), near, far)})
    return frame.dropna().reset_index(drop=True)


def area_summary(net: pandapowerNet, areas: pd.DataFrame, customers: pd.DataFrame, result: PowerFlow) -> pd.DataFrame:
    """Return one row an area: what it supplies and how far it is stressed.

    Returns
    -------
    pd.DataFrame
        `area` (a last row for what is outside the areas, if anything is), `stations`, `customers`, `length_km` [km],
        `load_mw` (sum of stations' peaks), `pv_mw` (of plants) [MW], `vm_min_pu`, `vm_max_pu` [pu],
        `line_loading_max_percent` [%].
    """
    place = areas.set_index("bus")["area"]
    at = stations(net, areas, customers)
    table = pd.DataFrame(index=pd.Index([*sorted(areas["area"].unique()), OUTSIDE], name="area"))
    at, line = at.fillna({"area": OUTSIDE}), lines(net, areas, result).fillna({"area": OUTSIDE})
    table["stations"] = at.groupby("area")["bus"].nunique()
    table["customers"] = at.groupby("area")["customers"].sum()
    table["length_km"] = line.groupby("area")["length_km"].sum()
    for column, element in (("load_mw", "load"), ("pv_mw", "sgen")):
        used = net[element][net[element]["in_service"].astype(bool)]
        power = (used["p_mw"] * used["scaling"]).groupby(used["bus"].map(place).fillna(OUTSIDE)).sum()
        table[column] = power
    voltage = buses(net, areas, result).groupby("area")
    table["vm_min_pu"], table["vm_max_pu"] = voltage["vm_min_pu"].min(), voltage["vm_max_pu"].max()
    table["line_loading_max_percent"] = line.groupby("area")["loading_max_percent"].max()
    counts = ["stations", "customers"]
    carried = table[["stations", "length_km", "load_mw", "pv_mw"]].sum(axis=1) > 0
    table = table[carried | (table.index != OUTSIDE)]
    return table.fillna(dict.fromkeys((*counts, "load_mw", "pv_mw"), 0)).astype(dict.fromkeys(counts, int)).reset_index()


def events(net: pandapowerNet, table: pd.DataFrame, column: str) -> pd.DataFrame:
    """Put events into words: the element by its name, the value with its unit.

    Parameters
    ----------
    net
        Network of the elements.
    table
        Columns `element`, `element_id`, `kind` and a value in pu (of a bus) or % (of any other).
    column
        The column of the value; an infinite one becomes missing.
    """
    words = [element_name(net, e, i) if i >= 0 else e for e, i in zip(table["element"], table["element_id"], strict=True)]
    unit = np.where(table["element"] == "bus", "pu", "%")
    value = table[column].replace([np.inf, -np.inf], np.nan).astype(float)
    value = np.where(unit == "pu", value.round(3), value.round(1))
    return table.assign(element=words, **{column: value}, unit=unit).drop(columns="element_id")


def _extremes(result: PowerFlow, element: str) -> pd.DataFrame:
    return powerflow.statistics(result)[element]


def _moment(result: PowerFlow, step: pd.Series) -> pd.DatetimeIndex:
    position = step.fillna(-1).to_numpy(int)
    return result.time[np.maximum(position, 0)].where(position >= 0)


def worst_needs(first: pd.DataFrame) -> pd.DataFrame:
    """Return the worst element of each area, kind and first year, and how many share it.

    Parameters
    ----------
    first
        From :func:`gridplan.needs.first_years`: `area`, `kind`, `first_year`, `name`, `hours_last`, `worst`, `cause`.

    Returns
    -------
    pd.DataFrame
        `first_year`, `area`, `kind`, `elements`, `name` of the one with most hours in the last year, `hours_last` [h],
        `worst`, `unit` and `cause`.
    """
    keys = ["first_year", "area", "kind"]
    ordered = first.sort_values("hours_last", ascending=False, kind="stable").fillna({"area": "above the feeders"})
    groups = ordered.groupby(keys, sort=True)
    table = groups.first()[["name", "hours_last", "worst", "cause"]].assign(elements=groups.size()).reset_index()
    table["unit"] = np.where(table["kind"].isin(["undervoltage", "overvoltage"]), "pu", "%")
    return table.astype({"first_year": str})[[*keys, "elements", "name", "hours_last", "worst", "unit", "cause"]]


def element_name(net: pandapowerNet, element: str, number: float) -> str:
    """Name an element in words; a dash where there is none."""
    if pd.isna(number) or number < 0:
        return "–"
    words = {"trafo": "transformer", "trafo3w": "three-winding transformer", "sgen": "generator"}
    return network.display_name(net, element, int(number)).replace(element, words.get(element, element), 1)
