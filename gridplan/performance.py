"""How a network performs over a year: results of a batch of power flows as the tables a planner reads.

Every table has plain columns from the dictionary. A step without a solution is missing in extremes and averages and counted
by :func:`failed_hours`; it never counts as a step within limits.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from pandapower.auxiliary import pandapowerNet

from gridplan import network, powerflow
from gridplan.errors import ParameterError, Problem, suggest
from gridplan.futures import Case
from gridplan.powerflow import Limits, PowerFlow, Profiles

OUTLOOK = (
    "peak_load_mw",
    "export_mwh",
    "losses_mwh",
    "vm_min_pu",
    "vm_max_pu",
    "line_loading_percent",
    "trafo_loading_percent",
    "outside_h",
    "failed_h",
)
"""The key figures that are followed over the years."""

OUTSIDE = "outside the areas"
"""What belongs to no feeder, such as bus bars and customers on the high-voltage side."""


def limits(assumptions: Mapping[str, float]) -> Limits:
    """Return the voltage band and loading limits that a study assumes.

    Parameters
    ----------
    assumptions
        Assumptions of the study, `Study.assumptions`.
    """
    return Limits(
        vm_min_pu=assumptions["vm_min_pu"],
        vm_max_pu=assumptions["vm_max_pu"],
        line_loading_max_percent=assumptions["line_loading_max_percent"],
        trafo_loading_max_percent=assumptions["trafo_loading_max_percent"],
    )


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
            "name": [_name(net, "line", line) for line in net.line.index],
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
    frame = areas.assign(name=[_name(net, "bus", bus) for bus in areas["bus"]])
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


def inventory(net: pandapowerNet, areas: pd.DataFrame, customers: pd.DataFrame, profiles: Profiles) -> Inventory:
    """Return what a study holds in a few numbers."""
    power = {e: (net[e]["p_mw"] * net[e]["scaling"])[net[e]["in_service"].astype(bool)].sum() for e in ("load", "sgen")}
    return Inventory(
        areas=areas["area"].nunique(),
        stations=customers["bus"].nunique(),
        customers=int(customers["customers"].sum()),
        length_km=float(net.line["length_km"].sum()),
        load_mw=float(power["load"]),
        pv_mw=float(power["sgen"]),
        steps=len(profiles.time),
        step_min=60 * profiles.step_h,
    )


def loading_curves(net: pandapowerNet, result: PowerFlow) -> pd.DataFrame:
    """Return the duration curves of every transformer, and of the most loaded line of each step.

    Returns
    -------
    pd.DataFrame
        `series`, `share_percent` [%] of the steps with a value in which `loading_percent` [%] is reached or exceeded; at most
        501 points a curve, the highest and the lowest value among them.
    """
    kinds = {"trafo": result.trafo_loading_percent, "trafo3w": result.trafo3w_loading_percent}
    series = {_name(net, kind, number): column for kind, frame in kinds.items() for number, column in frame.items()}
    series["most loaded line"] = result.steps["line_loading_max_percent"]
    series = {name: values for name, values in series.items() if np.isfinite(values).any()}
    if not series:
        return pd.DataFrame(columns=["series", "share_percent", "loading_percent"])
    curves = [_thinned(powerflow.duration_curve(values)).assign(series=name) for name, values in series.items()]
    return pd.concat(curves, ignore_index=True).rename(columns={"value": "loading_percent"})[
        ["series", "share_percent", "loading_percent"]
    ]


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
    words = [_name(net, e, i) if i >= 0 else e for e, i in zip(table["element"], table["element_id"], strict=True)]
    unit = np.where(table["element"] == "bus", "pu", "%")
    value = table[column].replace([np.inf, -np.inf], np.nan).astype(float)
    value = np.where(unit == "pu", value.round(3), value.round(1))
    return table.assign(element=words, **{column: value}, unit=unit).drop(columns="element_id")


def daily(by_area: pd.DataFrame) -> pd.DataFrame:
    """Return the lowest and highest voltage of each day and area.

    Parameters
    ----------
    by_area
        `area`, `time`, `vm_min_pu`, `vm_max_pu`, from :func:`gridplan.powerflow.by_area`.

    Returns
    -------
    pd.DataFrame
        `area`, `day`, `vm_min_pu`, `vm_max_pu` [pu].
    """
    dated = by_area.assign(day=by_area["time"].dt.floor("D"))
    return dated.groupby(["area", "day"], as_index=False).agg(vm_min_pu=("vm_min_pu", "min"), vm_max_pu=("vm_max_pu", "max"))


def hourly(series: pd.Series) -> pd.DataFrame:
    """Return the mean of each hour of each day.

    Parameters
    ----------
    series
        Values by time; its name becomes the column.

    Returns
    -------
    pd.DataFrame
        `day`, `hour` (0-23) and the series.
    """
    mean = series.resample("h").mean()
    return pd.DataFrame({"day": mean.index.floor("D"), "hour": mean.index.hour, series.name: mean.to_numpy()})


def monthly(result: PowerFlow) -> pd.DataFrame:
    """Return where the energy of each month comes from, where it goes and what is lost.

    Returns
    -------
    pd.DataFrame
        `month` (1-12), `import_mwh`, `export_mwh` (sums of all external grids, step by step), `generation_mwh`, `load_mwh`,
        `losses_mwh` [MWh]; failed steps are left out.
    """
    power = result.slack_p_mw
    steps = pd.DataFrame(
        {
            "import_mwh": power.clip(lower=0).sum(axis=1),
            "export_mwh": -power.clip(upper=0).sum(axis=1),
            "generation_mwh": result.steps["generation_mw"],
            "load_mwh": result.steps["load_mw"],
            "losses_mwh": result.steps["losses_mw"],
        }
    )
    return (steps * result.step_h).groupby(result.time.month).sum().rename_axis("month").reset_index()


def failed_hours(result: PowerFlow) -> float:
    """Return the hours of the year for which the power flow has no solution [h]."""
    return float((~result.converged).sum() * result.step_h)


def _thinned(curve: pd.DataFrame, points: int = 501) -> pd.DataFrame:
    """Evenly spaced rows of a sorted curve, its first and last among them."""
    return curve.iloc[np.unique(np.linspace(0, len(curve) - 1, min(points, len(curve))).astype(int))] if len(curve) else curve


def _extremes(result: PowerFlow, element: str) -> pd.DataFrame:
    return powerflow.statistics(result)[element]


def _moment(result: PowerFlow, step: pd.Series) -> pd.DatetimeIndex:
    position = step.fillna(-1).to_numpy(int)
    return result.time[np.maximum(position, 0)].where(position >= 0)


@dataclass(frozen=True)
class Inventory:
    """What a study holds in a few numbers.

    Parameters
    ----------
    areas, stations, customers
        How many there are.
    length_km
        Length of all lines [km].
    load_mw, pv_mw
        Loads and static generators in service, their powers added [MW].
    steps, step_min
        Steps of the time series, and the length of one [min].
    """

    areas: int
    stations: int
    customers: int
    length_km: float
    load_mw: float
    pv_mw: float
    steps: int
    step_min: float


@dataclass(frozen=True)
class KeyFigures:
    """The year in a few numbers; NaN where no step has a solution.

    Parameters
    ----------
    peak_load_mw, peak_time
        Highest load of all stations together [MW], and when.
    load_mwh, generation_mwh, import_mwh, export_mwh, losses_mwh
        Energy of the year [MWh].
    losses_percent
        Losses as a share of what the grid above and the generation feed in [%].
    vm_min_pu, vm_min_bus, vm_max_pu, vm_max_bus
        Lowest and highest voltage [pu] and where.
    line_loading_percent, line
        Highest loading of a line [%] and which.
    trafo_loading_percent, trafo
        Highest loading of a transformer [%] and which; NaN in a network without transformers.
    outside_h, failed_h
        Hours with a bus outside the voltage band or an element above its limit, and hours without a solution [h].
    hours
        Hours in all [h].
    """

    peak_load_mw: float
    peak_time: pd.Timestamp
    load_mwh: float
    generation_mwh: float
    import_mwh: float
    export_mwh: float
    losses_mwh: float
    losses_percent: float
    vm_min_pu: float
    vm_min_bus: str
    vm_max_pu: float
    vm_max_bus: str
    line_loading_percent: float
    line: str
    trafo_loading_percent: float
    trafo: str
    outside_h: float
    failed_h: float
    hours: float


def key_figures(net: pandapowerNet, result: PowerFlow, bounds: Limits) -> KeyFigures:
    """Return the year in a few numbers.

    Parameters
    ----------
    net
        Network of the result.
    result
        A year of power flows, with or without every step kept.
    bounds
        Voltage band and loading limits.
    """
    steps, total = result.steps, monthly(result).drop(columns="month").sum()
    supply = total["import_mwh"] + total["generation_mwh"]
    low, high = _worst(steps, "vm_min_pu", lowest=True), _worst(steps, "vm_max_pu")
    line = _worst(steps, "line_loading_max_percent")
    two, three = _worst(steps, "trafo_loading_max_percent"), _worst(steps, "trafo3w_loading_max_percent")
    kind = (
        "trafo3w"
        if not three["trafo3w_loading_max_percent"] <= two["trafo_loading_max_percent"] and len(net.trafo3w)
        else "trafo"
    )
    trafo = three if kind == "trafo3w" else two
    peak = _worst(steps, "load_mw")
    return KeyFigures(
        peak_load_mw=peak["load_mw"],
        peak_time=peak.name,
        **total.to_dict(),
        losses_percent=100 * total["losses_mwh"] / supply if supply else math.nan,
        vm_min_pu=low["vm_min_pu"],
        vm_min_bus=_name(net, "bus", low["vm_min_bus"]),
        vm_max_pu=high["vm_max_pu"],
        vm_max_bus=_name(net, "bus", high["vm_max_bus"]),
        line_loading_percent=line["line_loading_max_percent"],
        line=_name(net, "line", line["line_loading_max_line"]),
        trafo_loading_percent=trafo[f"{kind}_loading_max_percent"],
        trafo=_name(net, kind, trafo[f"{kind}_loading_max_{kind}"]),
        outside_h=float(outside(steps, bounds).sum() * result.step_h),
        failed_h=failed_hours(result),
        hours=len(steps) * result.step_h,
    )


def outside(steps: pd.DataFrame, bounds: Limits) -> pd.Series:
    """Return in which steps a bus or an element is outside its limits; a step without a solution is not judged here.

    Parameters
    ----------
    steps
        `PowerFlow.steps`.
    bounds
        Voltage band and loading limits.
    """
    voltage = (steps["vm_min_pu"] < bounds.vm_min_pu) | (steps["vm_max_pu"] > bounds.vm_max_pu)
    lines_over = steps["line_loading_max_percent"] > bounds.line_loading_max_percent
    three = steps["trafo3w_loading_max_percent"] > bounds.trafo_loading_max_percent
    return voltage | lines_over | three | (steps["trafo_loading_max_percent"] > bounds.trafo_loading_max_percent)


def outlook(cases: Iterable[Case], bounds: Limits) -> pd.DataFrame:
    """Return the key figures of several years and scenarios.

    Parameters
    ----------
    cases
        Networks and time series, from :func:`gridplan.futures.cases`.
    bounds
        Voltage band and loading limits.

    Returns
    -------
    pd.DataFrame
        `scenario`, `year`, `peak_load_mw` [MW], `export_mwh`, `losses_mwh` [MWh], `vm_min_pu`, `vm_max_pu` [pu],
        `line_loading_percent`, `trafo_loading_percent` [%], `outside_h` and `failed_h` [h].
    """
    rows = []
    for case in cases:
        key = key_figures(case.net, powerflow.run(case.net, case.profiles, keep="statistics"), bounds)
        rows.append({"scenario": case.scenario, "year": case.year, **{name: getattr(key, name) for name in OUTLOOK}})
    return pd.DataFrame(rows, columns=["scenario", "year", *OUTLOOK])


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


def profile_summary(net: pandapowerNet, profiles: Profiles) -> pd.DataFrame:
    """Return what each profile drives and how it behaves, so that a wrong one is seen.

    Returns
    -------
    pd.DataFrame
        `profile`, `element` table, `elements` (how many follow it), `p_mw` (their power together) [MW], `full_load_hours` [h]
        (energy of the year over that power), `lowest`, `highest` [1] and `at_night` [1] (mean from 23:00 to 02:00; sunlight
        would show here).
    """
    shapes = profiles.shapes
    night = shapes[profiles.time.hour.isin((23, 0, 1))].mean()
    rows = []
    for (shape, element), group in profiles.elements.groupby(["shape_p", "element"], sort=True):
        used = net[element].loc[group["element_id"]]
        power = (used["p_mw"] * used["scaling"]).sum()
        share = shapes[shape]
        row = (
            str(shape).removesuffix("_p"),
            element,
            len(group),
            power,
            share.sum() * profiles.step_h,
            share.min(),
            share.max(),
            night[shape],
        )
        rows.append(row)
    return pd.DataFrame(
        rows, columns=["profile", "element", "elements", "p_mw", "full_load_hours", "lowest", "highest", "at_night"]
    )


def shape(profiles: Profiles, name: str) -> pd.Series:
    """Return the factors of a profile by its name.

    Parameters
    ----------
    profiles
        Time series of a study.
    name
        Name of the profile, without ``_p``.

    Raises
    ------
    ParameterError
        There is no such profile; the message suggests the nearest.
    """
    known = [str(column).removesuffix("_p") for column in profiles.shapes if str(column).endswith("_p")]
    if name not in known:
        raise ParameterError("profiles", [Problem("profile", f"'{name}' is no profile", remedy=suggest(name, known))])
    return profiles.shapes[f"{name}_p"]


def mean_day(net: pandapowerNet, profiles: Profiles) -> pd.DataFrame:
    """Return the mean day of loads and of generation in winter and in summer.

    Returns
    -------
    pd.DataFrame
        `season` (winter: December to February, summer: June to August), `series` (load, generation), `hour` of the day in
        steps of the profiles, `p_mw` [MW].
    """
    total = pd.DataFrame({word: _power(net, profiles, element) for word, element in (("load", "load"), ("generation", "sgen"))})
    season = profiles.time.month.map({12: "winter", 1: "winter", 2: "winter", 6: "summer", 7: "summer", 8: "summer"})
    hour = profiles.time.hour + profiles.time.minute / 60
    mean = total.groupby([season, hour]).mean().rename_axis(["season", "hour"])
    return mean.melt(ignore_index=False, var_name="series", value_name="p_mw").reset_index()


def _power(net: pandapowerNet, profiles: Profiles, element: str) -> np.ndarray:
    """Power of all elements of a kind that follow a profile, (steps,) [MW]."""
    here = profiles.elements[profiles.elements["element"] == element]
    used = net[element].loc[here["element_id"]]
    power = (used["p_mw"] * used["scaling"] * used["in_service"]).to_numpy()
    weight = pd.Series(power).groupby(here["shape_p"].to_numpy()).sum()
    return profiles.shapes[weight.index].to_numpy() @ weight.to_numpy()


def _worst(steps: pd.DataFrame, column: str, *, lowest: bool = False) -> pd.Series:
    """Row of the step with the highest or lowest value; a row of NaN where no step has one."""
    known = steps[column].dropna()
    if known.empty:
        return pd.Series(np.nan, index=steps.columns, name=pd.NaT)
    return steps.loc[known.idxmin() if lowest else known.idxmax()]


def _name(net: pandapowerNet, element: str, number: float) -> str:
    if pd.isna(number) or number < 0:
        return "–"
    words = {"trafo": "transformer", "trafo3w": "three-winding transformer", "sgen": "generator"}
    return network.display_name(net, element, int(number)).replace(element, words.get(element, element), 1)
