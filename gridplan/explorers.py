"""Explorers: controls around a plain function whose outputs are shown again whenever a control is released.

The function is a model: keyword arguments in, displayable outputs (:mod:`gridplan.figures`) out. It knows no widgets, so
a report can show its outputs for fixed values and a test can call it without a browser.
"""

from __future__ import annotations

import dataclasses
import functools
import html
import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import ipywidgets as widgets
import pandas as pd

from gridplan import figures, futures, hosting, performance, powerflow, reliability, valuation
from gridplan.applications import placement
from gridplan.figures import futures as future_figures
from gridplan.figures import hosting as hosting_figures
from gridplan.figures import maps, operation, sentences
from gridplan.figures import reliability as reliability_figures
from gridplan.powerflow import Limits, Profiles
from gridplan.study import Study

if TYPE_CHECKING:
    from pandapower.auxiliary import pandapowerNet

Model = Callable[..., Sequence[Any]]


class Explorer(widgets.VBox):
    """Controls above, the outputs of the model below, a fault as an alert in between.

    Parameters
    ----------
    model
        Called with the value of every control by name; returns what to show.
    controls
        Name -> widget with a `value`.

    Attributes
    ----------
    shown
        What the model returned last; empty after a fault.
    fault
        What went wrong in the last call, or nothing.
    """

    def __init__(self, model: Model, controls: Mapping[str, widgets.ValueWidget]) -> None:
        self.model = model
        self.controls = dict(controls)
        self.shown: tuple[Any, ...] = ()
        self.fault = ""
        self._alert = widgets.HTML()
        self._screen = widgets.Output()
        for control in self.controls.values():
            control.observe(self._redraw, names="value")
        row = widgets.Box(list(self.controls.values()), layout=widgets.Layout(flex_flow="row wrap", grid_gap="4px 24px"))
        super().__init__([row, self._alert, self._screen])
        self._redraw()

    def _redraw(self, _change: object = None) -> None:
        values = {name: control.value for name, control in self.controls.items()}
        try:
            shown = tuple(self.model(**values))
            screen, fault = tuple(_display(output) for output in shown), ""
        except Exception as error:  # noqa: BLE001 - inside observe it would reach the log only, and the reader would see old results
            shown, screen, fault = (), (), f"{type(error).__name__}: {error}"
        self.shown, self.fault = shown, fault
        self._alert.value = (
            f'<div role="alert" style="white-space:pre-wrap">{html.escape(self.fault)}</div>' if self.fault else ""
        )
        self._screen.outputs = screen


def _display(output: Any) -> dict[str, Any]:
    data, metadata = output._repr_mimebundle_()
    return {"output_type": "display_data", "data": data, "metadata": metadata}


def slider(label: str, value: float, bounds: tuple[float, float], step: float, unit: str) -> widgets.FloatSlider:
    """Return a slider that reports once, when it is released.

    Parameters
    ----------
    label
        What is set.
    value
        First value.
    bounds
        Lowest and highest value.
    step
        Step of the slider.
    unit
        Unit of the value, shown after it.
    """
    low, high = bounds
    return widgets.FloatSlider(
        value,
        min=low,
        max=high,
        step=step,
        description=f"{label} [{unit}]",
        continuous_update=False,
        readout_format=f".{max(0, math.ceil(-math.log10(step)))}f",
        style={"description_width": "initial"},
        layout={"width": "380px"},
    )


def choice(label: str, options: Sequence[str]) -> widgets.Dropdown:
    """Return a drop-down list whose first entry is chosen."""
    return widgets.Dropdown(
        options=list(options), description=label, style={"description_width": "initial"}, layout={"width": "380px"}
    )


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


def restoration(
    model: reliability.Model, outages: reliability.Outages, curve: pd.DataFrame, costs: valuation.CostSet
) -> Explorer:
    """Explore SAIDI and the cost of interruptions with more switches automated and other times.

    Parameters
    ----------
    model, outages
        As for :func:`gridplan.reliability.indices`.
    curve
        From :func:`gridplan.applications.placement.curve`: which switches are equipped for each number.
    costs
        From :func:`gridplan.assess.interruption_costs`.
    """
    most = int(curve["k"].max())
    controls = {
        "switches": slider("Switches equipped", min(4, most), (0, max(most, 1)), 1, "best first"),
        "control": choice("Their control", ["remote", "automatic"]),
        "locate_percent": slider("Time to locate", 100, (0, 200), 10, "% of today's"),
        "switch_percent": slider("Time to switch", 100, (0, 200), 10, "% of today's"),
        "repair_percent": slider("Time to repair", 100, (20, 200), 10, "% of today's"),
    }
    return Explorer(functools.partial(_restoration, (model, outages, curve, costs)), controls)


def _restoration(
    given: tuple[reliability.Model, reliability.Outages, pd.DataFrame, valuation.CostSet],
    *,
    switches: float,
    control: str,
    locate_percent: float,
    switch_percent: float,
    repair_percent: float,
) -> list[Any]:
    model, outages, curve, costs = given
    chosen = curve.loc[curve["k"] == int(switches), "switches"].iloc[0]
    times = outages.restoration
    factors = {"locate_min": locate_percent, "patrol_min_per_km": locate_percent}
    factors |= {"isolate_min": switch_percent, "transfer_min": switch_percent}
    times = times.assign(**{name: times[name] * percent / 100 for name, percent in factors.items()})
    rates = outages.rates.assign(repair_h=outages.rates["repair_h"] * repair_percent / 100)
    changed = placement.equipped(model, dataclasses.replace(outages, restoration=times, rates=rates), chosen, control)
    today, after = reliability.indices(model, outages), reliability.indices(model, changed)
    before = today.system
    bills = [valuation.expected_cost(r.events, r.interruptions, costs)["cost_k_per_yr"].sum() for r in (today, after)]
    unit = f"k{costs.currency}/yr"
    cards = [figures.Card("Cost to customers", bills[1], unit, f"today {bills[0]:.1f}", digits=1)]
    cards += [
        figures.Card(name, after.system[key], unit, f"today {before[key]:.{digits}f}", digits=digits)
        for name, key, unit, digits in (
            ("SAIDI", "saidi_min", "min/yr", 2),
            ("SAIFI", "saifi", "1/yr", 3),
            ("MAIFI_E", "maifi_e", "1/yr", 3),
            ("Energy not supplied", "ens_mwh", "MWh/yr", 2),
        )
    ]
    drawn = reliability_figures.minutes_map(maps.Map(**performance.geometry(model.net)), after.load_points)
    return [drawn.renamed("what-if"), figures.Cards(cards)]
