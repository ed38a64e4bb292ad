"""A year of loads as a few states, for transfers that depend on the load."""

from __future__ import annotations

import numpy as np
import pandas as pd
from pandapower.auxiliary import pandapowerNet

from gridplan.errors import ParameterError, Problem
from gridplan.powerflow import Profiles

#: Shares of the year of the states of :func:`loading`, from the highest load down.
SHARES = {"peak 1 %": 0.01, "high 9 %": 0.09, "middle 40 %": 0.40, "low 50 %": 0.50}


def loading(net: pandapowerNet, profiles: Profiles, shares: dict[str, float] | None = None) -> pd.DataFrame:
    """Sort the steps of a year by their total load and take the mean of each class: the energy of every load is kept.

    Parameters
    ----------
    net
        Network; not changed.
    profiles
        Powers of its loads over the year.
    shares
        Share of the year [1] by name of the state, from the highest load down; by default :data:`SHARES`.

    Returns
    -------
    pd.DataFrame
        `state`, `weight` [1], `load` (number in the network), `p_mw`, `q_mvar`: what :class:`Outages` takes.

    Raises
    ------
    ParameterError
        The shares do not add up to 1, or the year has fewer steps than there are states.
    """
    shares = shares or SHARES
    weights = np.array(list(shares.values()), float)
    problems = []
    if not np.isclose(weights.sum(), 1.0) or (weights <= 0).any():
        problems.append(Problem("shares", f"{list(weights)} are not above 0 with a sum of 1"))
    if len(profiles.time) < len(shares):
        problems.append(Problem("profiles", f"{len(profiles.time)} steps are fewer than the {len(shares)} states"))
    if problems:
        raise ParameterError("loading", problems)
    loads = net.load[net.load["in_service"].astype(bool)]
    active, reactive = _powers(loads, profiles)
    order = np.argsort(-active.sum(axis=1), kind="stable")
    ends = np.maximum.accumulate(
        np.maximum(np.round(np.cumsum(weights) * len(order)).astype(int), np.arange(1, len(weights) + 1))
    )
    parts = []
    for name, start, end in zip(shares, [0, *ends[:-1]], ends, strict=True):
        rows = order[start:end]
        frame = pd.DataFrame({"load": loads.index, "p_mw": active[rows].mean(axis=0), "q_mvar": reactive[rows].mean(axis=0)})
        parts.append(frame.assign(state=name, weight=len(rows) / len(order)))
    return pd.concat(parts, ignore_index=True)[["state", "weight", "load", "p_mw", "q_mvar"]]


def _powers(loads: pd.DataFrame, profiles: Profiles) -> tuple[np.ndarray, np.ndarray]:
    """Active and reactive power of each load in each step [MW, Mvar], (steps, loads)."""
    rows = profiles.elements[profiles.elements["element"] == "load"].set_index("element_id").reindex(loads.index)
    moved = rows["shape_p"].notna().to_numpy()
    found = []
    for power, shape in (("p_mw", "shape_p"), ("q_mvar", "shape_q")):
        factors = np.ones((len(profiles.time), len(loads)))
        factors[:, moved] = profiles.shapes[rows.loc[moved, shape]].to_numpy(float)
        found.append(factors * (loads[power] * loads["scaling"]).to_numpy(float))
    return found[0], found[1]
