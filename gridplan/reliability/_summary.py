"""What planners read off the indices: minutes by stage, what each stage is worth, what the ties carry."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from gridplan import valuation
from gridplan.network import display_name
from gridplan.reliability._cost import customer_costs
from gridplan.reliability._inputs import Outages
from gridplan.reliability._model import Model
from gridplan.reliability._results import Reliability, indices
from gridplan.valuation import CostSet

OUTSIDE = "substation"
"""Name of what lies outside the areas."""
_STEPS = {
    "Noticing the fault": ("detect_min",),
    "Locating the fault": ("locate_min", "patrol_min_per_km"),
    "Isolating and transferring": ("isolate_min", "transfer_min"),
}
_REPAIR = "Waiting for the repair"


def stages(result: Reliability) -> pd.DataFrame:
    """Return the customer minutes of sustained interruptions by area of the fault and way back.

    Parameters
    ----------
    result
        From :func:`indices`.

    Returns
    -------
    pd.DataFrame
        `area`, `stage` (upstream, transfer, repair), `customer_minutes` [min/yr]; faults outside the areas are in the area
        ``substation``.
    """
    rows = result.interruptions.merge(result.events[["event", "kind", "area", "rate_per_yr"]], on="event")
    rows = rows[(rows["kind"] == "fault") & (60 * rows["duration_h"] > result.outages.momentary_min + 1e-9)]
    minutes = rows["rate_per_yr"] * rows["weight"] * rows["customers"] * 60 * rows["duration_h"]
    table = rows.assign(customer_minutes=minutes, area=rows["area"].fillna("").replace("", OUTSIDE))
    return table.groupby(["area", "stage"], as_index=False)["customer_minutes"].sum()


def stage_worth(model: Model, outages: Outages | None = None, costs: CostSet | None = None) -> pd.DataFrame:
    """Return what each stage of the restoration costs: what falls if it takes no time, or no one has to wait for a repair.

    Parameters
    ----------
    model, outages
        As for :func:`indices`.
    costs
        Set of costs of interruptions; without it only minutes are compared.

    Returns
    -------
    pd.DataFrame
        `stage` (in words), `saidi_min` without it, `saved_min` [min/yr] and, with costs, `cost_saved_keur` [thousands of the
        currency of the set a year]. Stages overlap: the sum is not what all save together.
    """
    outages = outages or model.outages
    result = indices(model, outages)
    now, bill = result.system["saidi_min"], _bill(result, costs)
    rows = []
    for words, columns in _STEPS.items():
        times = outages.restoration.assign(**dict.fromkeys(columns, 0.0))
        without = indices(model, replace(outages, restoration=times))
        rows.append((words, without.system["saidi_min"], bill - _bill(without, costs)))
    waiting = stages(result).query("stage == 'repair'")["customer_minutes"].sum() / result.system["customers"]
    rows.append((_REPAIR, now - waiting, _repairs(result, costs)))
    table = pd.DataFrame(rows, columns=["stage", "saidi_min", "cost_saved_keur"])
    table.insert(2, "saved_min", now - table["saidi_min"])
    return table if costs is not None else table.drop(columns="cost_saved_keur")


def _bill(result: Reliability, costs: CostSet | None) -> float:
    return 0.0 if costs is None else float(customer_costs(result, costs)["interruption_cost_keur"].sum())


def _repairs(result: Reliability, costs: CostSet | None) -> float:
    """Return what those pay who wait for a repair."""
    if costs is None:
        return 0.0
    by_stage = valuation.expected_cost(result.events, result.interruptions, costs, by="stage").set_index("stage")
    return float(by_stage["cost_k_per_yr"].get("repair", 0.0))


def ties(result: Reliability) -> pd.DataFrame:
    """Return what is asked of each tie in all faults and loading states, and how often it carries it.

    Parameters
    ----------
    result
        From :func:`indices`.

    Returns
    -------
    pd.DataFrame
        One row a tie: `tie` (switch), `name`, `tried` (transfers asked, each state with its share of the year), `full_percent`
        (carried in full) [%], `carried_percent` (of the power asked for) [%], `limit` and `element_name` that bind most often.
    """
    table = result.transfers.query("not planned")
    columns = ["tie", "name", "tried", "full_percent", "carried_percent", "limit", "element_name"]
    if table.empty:
        return pd.DataFrame(columns=columns)
    rows = [_tie(tie, here) for tie, here in table.groupby("tie", sort=True)]
    frame = pd.DataFrame(rows)
    frame["name"] = [display_name(result.model.net, "switch", int(tie)) for tie in frame["tie"]]
    return frame[columns]


def bound_by_state(result: Reliability) -> pd.DataFrame:
    """Return how often the capacity of ties binds in each loading state.

    Parameters
    ----------
    result
        From :func:`indices`.

    Returns
    -------
    pd.DataFrame
        `state`, `weight` (share of the year) [1], `tried` (transfers), `bound_percent` (not carried in full) [%]; in the order of
        the states, those without a transfer left out.
    """
    table = result.transfers.query("not planned")
    bound = table.assign(bound_percent=100.0 * (table["carried_percent"] < 100 - 1e-6))
    grouped = bound.groupby("state", sort=False).agg(tried=("tie", "size"), bound_percent=("bound_percent", "mean"))
    return result.model.states[["state", "weight"]].merge(grouped.reset_index(), on="state")


def _tie(tie: int, here: pd.DataFrame) -> dict[str, object]:
    weight = here["weight"].to_numpy(float)
    full = here["carried_percent"].to_numpy(float) >= 100 - 1e-6
    bound = here[~full].groupby(["limit", "element_name"])["weight"].sum()
    limit, element = bound.idxmax() if len(bound) else ("", "")
    return {
        "tie": int(tie),
        "tried": weight.sum(),
        "full_percent": 100 * float(weight @ full / weight.sum()),
        "carried_percent": _share(here["carried_percent"].to_numpy(float), weight * here["piece_mw"].to_numpy(float)),
        "limit": limit,
        "element_name": element,
    }


def _share(percent: np.ndarray, power: np.ndarray) -> float:
    """Mean of percentages of powers; of all if the powers are 0."""
    return float(np.average(percent, weights=power)) if power.sum() > 0 else float(percent.mean())
