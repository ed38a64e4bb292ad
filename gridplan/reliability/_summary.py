"""What planners read off the indices: minutes by stage, what each stage is worth, what the ties carry."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from gridplan.network import display_name
from gridplan.reliability._inputs import Outages
from gridplan.reliability._model import Model
from gridplan.reliability._results import Reliability, indices, totals

_STEPS = {
    "Until the fault is known": ("detect_min",),
    "Until it is located": ("locate_min", "patrol_min_per_km"),
    "Isolating and transferring": ("isolate_min", "transfer_min"),
}


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
    table = rows.assign(customer_minutes=minutes, area=rows["area"].fillna("substation"))
    return table.groupby(["area", "stage"], as_index=False)["customer_minutes"].sum()


def stage_worth(model: Model, outages: Outages | None = None) -> pd.DataFrame:
    """Return by how much SAIDI falls if one stage of the restoration takes no time, or no one has to wait for a repair.

    Parameters
    ----------
    model, outages
        As for :func:`indices`.

    Returns
    -------
    pd.DataFrame
        `stage` (in words), `saidi_min` without it, `saved_min` [min/yr]. Stages overlap: the sum is not what all save together.
    """
    outages = outages or model.outages
    now = totals(model, outages)["saidi_min"]
    rows = []
    for words, columns in _STEPS.items():
        times = outages.restoration.assign(**dict.fromkeys(columns, 0.0))
        rows.append((words, totals(model, replace(outages, restoration=times))["saidi_min"]))
    result = indices(model, outages)
    waiting = stages(result).query("stage == 'repair'")["customer_minutes"].sum() / result.system["customers"]
    rows.append(("Waiting for the repair", now - waiting))
    table = pd.DataFrame(rows, columns=["stage", "saidi_min"])
    return table.assign(saved_min=now - table["saidi_min"])


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


def _tie(tie: int, here: pd.DataFrame) -> dict[str, object]:
    weight = here["weight"].to_numpy(float)
    full = here["carried_percent"].to_numpy(float) >= 100 - 1e-6
    bound = here[~full].groupby(["limit", "element_name"])["weight"].sum()
    limit, element = bound.idxmax() if len(bound) else ("", "")
    return {
        "tie": int(tie),
        "tried": weight.sum(),
        "full_percent": 100 * float(weight @ full / weight.sum()),
        "carried_percent": float(np.average(here["carried_percent"], weights=weight)),
        "limit": limit,
        "element_name": element,
    }
