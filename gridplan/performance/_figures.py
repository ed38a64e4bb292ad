"""A year, or several, in a few numbers."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from pandapower.auxiliary import pandapowerNet

from gridplan import powerflow
from gridplan.futures import Case
from gridplan.performance._series import monthly
from gridplan.performance._tables import element_name
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


def failed_hours(result: PowerFlow) -> float:
    """Return the hours of the year for which the power flow has no solution [h]."""
    return float((~result.converged).sum() * result.step_h)


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
        vm_min_bus=element_name(net, "bus", low["vm_min_bus"]),
        vm_max_pu=high["vm_max_pu"],
        vm_max_bus=element_name(net, "bus", high["vm_max_bus"]),
        line_loading_percent=line["line_loading_max_percent"],
        line=element_name(net, "line", line["line_loading_max_line"]),
        trafo_loading_percent=trafo[f"{kind}_loading_max_percent"],
        trafo=element_name(net, kind, trafo[f"{kind}_loading_max_{kind}"]),
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


def _worst(steps: pd.DataFrame, column: str, *, lowest: bool = False) -> pd.Series:
    """Row of the step with the highest or lowest value; a row of NaN where no step has one."""
    known = steps[column].dropna()
    if known.empty:
        return pd.Series(np.nan, index=steps.columns, name=pd.NaT)
    return steps.loc[known.idxmin() if lowest else known.idxmax()]
