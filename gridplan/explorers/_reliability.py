"""Explorer of interruptions and restoration."""

from __future__ import annotations

import dataclasses
import functools
from typing import Any

import pandas as pd

from gridplan import figures, performance, reliability, valuation
from gridplan.applications import placement
from gridplan.explorers._widgets import Explorer, choice, slider
from gridplan.figures import maps
from gridplan.figures import reliability as reliability_figures


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
    bills = [reliability.customer_costs(r, costs)["interruption_cost_keur"].sum() for r in (today, after)]
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
    now, then = (figures.number(r.system["saidi_min"], 1) for r in (today, after))
    title = f"With {len(chosen)} switches under {control} control SAIDI is {then} min/yr, today {now}"
    return [dataclasses.replace(drawn.renamed("what-if"), title=title), figures.Cards(cards)]
