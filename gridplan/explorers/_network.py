"""Explorers of the network: today, its futures, its hosting capacity, its time series."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd

from gridplan import figures, futures, hosting, performance, powerflow
from gridplan.explorers._widgets import Explorer, choice, slider
from gridplan.figures import futures as future_figures
from gridplan.figures import hosting as hosting_figures
from gridplan.figures import maps, operation, sentences
from gridplan.powerflow import Limits, Profiles
from gridplan.study import Study

if TYPE_CHECKING:
    from pandapower.auxiliary import pandapowerNet


def today(net: pandapowerNet, profiles: Profiles, areas: pd.DataFrame, bounds: Limits) -> Explorer:
    """Explore the year with more or less load and generation, and with other limits.

    Parameters
    ----------
    net
        Network; not changed.
    profiles
        Its time series.
    areas
        `bus`, `area`.
    bounds
        Limits to start with.
    """
    controls = {
        "load_percent": slider("Load", 100, (50, 250), 5, "%"),
        "pv_percent": slider("Generation", 200, (0, 600), 10, "%"),
        "band_percent": slider("Voltage band around 1 pu", 100 * (bounds.vm_max_pu - 1), (2, 10), 0.5, "%"),
        "loading_percent": slider("Highest loading", bounds.line_loading_max_percent, (40, 120), 5, "%"),
        "show": choice("Show", ["Highest voltage", "Lowest voltage", "Loading"]),
    }
    return Explorer(functools.partial(_today, net, profiles, areas), controls)


def _today(  # noqa: PLR0913 - one argument a control
    net: pandapowerNet,
    profiles: Profiles,
    areas: pd.DataFrame,
    *,
    load_percent: float,
    pv_percent: float,
    band_percent: float,
    loading_percent: float,
    show: str,
) -> list[Any]:
    changed = performance.scaled(net, load_percent=load_percent, pv_percent=pv_percent)
    bounds = Limits(1 - band_percent / 100, 1 + band_percent / 100, loading_percent, loading_percent)
    year = powerflow.run(changed, profiles, keep="statistics", limits=bounds)
    when = f"With {load_percent:g} % of this load and {pv_percent:g} % of this generation"
    where, key = maps.Map(**performance.geometry(changed)), performance.key_figures(changed, year, bounds)
    if show == "Loading":
        lines = performance.lines(changed, areas, year)
        caption = f"{when}: highest loading of the year, line by line [%]."
        drawn = maps.loading(where, lines, title=sentences.loading_title(lines, bounds), caption=caption)
    else:
        column, band = ("vm_min_pu" if show == "Lowest voltage" else "vm_max_pu"), (bounds.vm_min_pu, bounds.vm_max_pu)
        buses = performance.buses(changed, areas, year)
        drawn = maps.voltage(where, buses, column, band, title=sentences.voltage_title(key, bounds))
    cards = figures.Cards(sentences.operation_cards(key, bounds))
    return [sentences.verdict(key, when=when), cards, drawn.renamed("what-if")]


def adoption(study: Study, net: pandapowerNet, bounds: Limits, scenario: str, years: Sequence[int]) -> Explorer:
    """Explore in which year the limits are first left when more or fewer customers take up each technology.

    Parameters
    ----------
    study, net
        As for :func:`gridplan.futures.cases`; not changed.
    bounds
        Limits.
    scenario
        Scenario to start from.
    years
        Years that are computed.
    """
    technologies = study.table("technologies").set_index("technology")["label"]
    used = study.table("adoption").loc[lambda table: table["scenario"] == scenario, "technology"].unique()
    controls = {name: slider(technologies[name], 100, (0, 200), 10, "% of the scenario") for name in used}
    return Explorer(functools.partial(_adoption, study, net, bounds, scenario, tuple(years)), controls)


def _adoption(
    study: Study, net: pandapowerNet, bounds: Limits, scenario: str, years: Sequence[int], **percent: float
) -> list[Any]:
    table = study.table("adoption")
    table = table[table["scenario"] == scenario]
    start, share = table["start_percent"], table["technology"].map(percent) / 100
    pace = start + share * (table["saturation_percent"] - start)
    changed = table.assign(saturation_percent=pace.clip(lower=start + 1e-6, upper=100))
    altered = dataclasses.replace(study, tables={**study.tables, "adoption": changed})
    outlook = performance.outlook(futures.cases(altered, net, [scenario], years=years), bounds)
    drawn = future_figures.outlook(outlook, (bounds.vm_min_pu, bounds.vm_max_pu), bounds.line_loading_max_percent)
    shown = outlook.drop(columns=["scenario", "export_mwh", "losses_mwh"]).astype({"year": str})
    words = "Worst quarter-hour of each year; hours outside limits."
    return [drawn.renamed("what-if"), figures.Table(shown, "what-if-years", "The years one by one", words)]


def hosting_capacity(net: pandapowerNet, areas: pd.DataFrame, bounds: Limits) -> Explorer:
    """Explore how much generation each station takes under other limits and controls, at one state of the network.

    Parameters
    ----------
    net
        Network; not changed.
    areas
        `bus`, `area`.
    bounds
        Limits to start with.
    """
    controls = {
        "load_percent": slider("Load", 30, (0, 100), 5, "% of the peaks"),
        "pv_percent": slider("Generation in place", 80, (0, 200), 10, "%"),
        "vm_max_pu": slider("Highest voltage", bounds.vm_max_pu, (1.01, 1.1), 0.005, "pu"),
        "loading_percent": slider("Highest loading", bounds.line_loading_max_percent, (40, 120), 5, "%"),
        "control": choice("Reactive power", list(hosting.CONTROLS)),
    }
    return Explorer(functools.partial(_hosting, net, areas), controls)


def _hosting(  # noqa: PLR0913 - what is fixed, then one argument a control
    net: pandapowerNet,
    areas: pd.DataFrame,
    *,
    load_percent: float,
    pv_percent: float,
    vm_max_pu: float,
    loading_percent: float,
    control: str,
) -> list[Any]:
    changed = performance.scaled(net, load_percent=load_percent, pv_percent=pv_percent)
    momentary = Limits(0.9, vm_max_pu, loading_percent, loading_percent)
    limits, options = hosting.Limits(momentary=momentary), hosting.Options(upper_mw=50)
    places = hosting.places(changed, areas)
    table = hosting.capacity(
        changed, hosting.Connection(control=hosting.CONTROLS[control]), buses=places, limits=limits, options=options
    )
    title = sentences.hosting_title(table)
    caption = f"Largest plant at each station by itself, with {load_percent:g} % of the load peaks and {control}."
    where = maps.Map(**performance.geometry(changed))
    drawn = hosting_figures.capacity_map(where, table, title=title, caption=caption)
    return [drawn.renamed("what-if")]


def series(profiles: Profiles) -> Explorer:
    """Explore the time series, a few days at a time.

    Parameters
    ----------
    profiles
        Time series of a study.
    """
    names = [str(c) for c in profiles.shapes.columns]
    days = max(1, int(len(profiles.time) * profiles.step_h // 24))
    controls = {
        "first": choice("Profile", names),
        "second": choice("beside", names[::-1]),
        "day": slider("First day", min(172, days), (1, days), 1, "day of the year"),
        "length": slider("Length", 7, (1, 28), 1, "days"),
    }
    return Explorer(functools.partial(_series, profiles), controls)


def _series(profiles: Profiles, *, first: str, second: str, day: float, length: float) -> list[Any]:
    start = profiles.time[0] + pd.Timedelta(days=day - 1)
    here = (profiles.time >= start) & (profiles.time < start + pd.Timedelta(days=length))
    names = list(dict.fromkeys([first, second]))
    table = profiles.shapes.loc[here, names].set_axis(profiles.time[here].rename("time"), axis=0).reset_index()
    title = f"{sentences.listed(names)} from {start:%d %B}"
    return [
        operation.week(table, title=title, caption="Factors of the study's profiles; an element's power times its factor [1].")
    ]
