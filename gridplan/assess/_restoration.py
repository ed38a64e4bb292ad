"""The options of the restoration group on one network."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pandas as pd

from gridplan import valuation
from gridplan.applications import (
    OperatingCase,
    fault_indicators,
    flisr,
    outage_prediction,
    placement,
    predictive_maintenance,
    remote_control,
)
from gridplan.applications import restoration as group
from gridplan.assess._options import GROUPS, NONE, members
from gridplan.reliability import Model, Outages

#: Applications in words, in the order in which they are put in service.
LABELS = {
    "fault_indicators": "Fault indicators",
    "remote_control": "Remote control",
    "flisr": "FLISR",
    "outage_prediction": "Outage prediction",
    "predictive_maintenance": "Predictive maintenance",
}
Put = Callable[[OperatingCase], OperatingCase]


def devices(
    model: Model, outages: Outages, assumptions: Mapping[str, float], curve: pd.DataFrame | None = None
) -> dict[str, tuple[int, ...]]:
    """Choose the switches that get remote control and indicators: as many as the assumptions say, where they gain most.

    Parameters
    ----------
    model, outages
        As for :func:`gridplan.reliability.indices`.
    assumptions
        `remote_switches`, `indicator_switches`.
    curve
        From :func:`gridplan.applications.placement.curve`, so that switches are not searched for again; if it ends earlier, its
        last row is taken.

    Returns
    -------
    dict
        Switches by ``remote`` and ``indicator``.
    """
    number = int(assumptions["remote_switches"])
    if curve is None:
        curve = placement.curve(model, outages, most=number, search=placement.Search(effort=0, shortlist=3))
    remote = curve.loc[curve["k"] <= number, "switches"].iloc[-1]
    return {
        "remote": remote,
        "indicator": placement.indicators(model, outages, most=int(assumptions["indicator_switches"])),
    }


def services(
    assumptions: Mapping[str, float], chosen: Mapping[str, tuple[int, ...]], areas: tuple[str, ...] | None = None
) -> dict[str, Put]:
    """Return what each application does to a case.

    Parameters
    ----------
    assumptions
        Times and probabilities of the applications.
    chosen
        Switches by ``remote`` and ``indicator``.
    areas
        Areas covered; all if not given.
    """
    known = (assumptions["last_gasp_detect_min"], assumptions["meter_coverage"])
    gasp = outage_prediction.Settings(*known, areas, assumptions["customer_call_min"])
    names = ("pf_interval_months", "inspection_interval_months", "detection_probability")
    watch = predictive_maintenance.Settings(*(assumptions[name] for name in names), areas)
    return {
        "fault_indicators": lambda case: fault_indicators.apply(case, fault_indicators.Settings(chosen["indicator"], areas)),
        "remote_control": lambda case: remote_control.apply(case, remote_control.Settings(chosen["remote"], areas)),
        "flisr": lambda case: flisr.apply(case, flisr.Settings(areas)),
        "outage_prediction": lambda case: outage_prediction.apply(case, gasp),
        "predictive_maintenance": lambda case: predictive_maintenance.apply(case, watch),
    }


def restoration(
    model: Model, outages: Outages, costs: valuation.CostSet, put: Mapping[str, Put], options: list[str] | None = None
) -> pd.DataFrame:
    """Evaluate options of the restoration group on one network, for a figure.

    Parameters
    ----------
    model, outages
        The state to start from.
    costs
        From :func:`interruption_costs`.
    put
        From :func:`services`.
    options
        Options to evaluate; by default none, each application alone, and all.

    Returns
    -------
    pd.DataFrame
        Rows of the whole network of :func:`gridplan.applications.restoration.evaluate`, `option` in words.
    """
    chosen = options or [NONE, *GROUPS["restoration"], "+".join(GROUPS["restoration"])]
    table = group.evaluate(model, outages, put, costs, options=chosen)
    table = table[table["area"] == group.ALL].reset_index(drop=True)
    return table.assign(option=[_words(option) for option in table["option"]]).drop(columns=["area", "operated_as"])


def _words(option: str) -> str:
    if option == NONE:
        return "As today"
    if set(members(option)) == set(GROUPS["restoration"]):
        return "All together"
    return " + ".join(LABELS.get(name, name) for name in members(option))
