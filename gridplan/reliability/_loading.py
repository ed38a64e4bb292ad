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
    active, reactive = (_Power(loads, profiles, *names) for names in (("p_mw", "shape_p"), ("q_mvar", "shape_q")))
    order = np.argsort(-active.total(), kind="stable")
    ends = np.maximum.accumulate(
        np.maximum(np.round(np.cumsum(weights) * len(order)).astype(int), np.arange(1, len(weights) + 1))
    )
    parts = []
    for name, start, end in zip(shares, [0, *ends[:-1]], ends, strict=True):
        rows = order[start:end]
        frame = pd.DataFrame({"load": loads.index, "p_mw": active.mean(rows), "q_mvar": reactive.mean(rows)})
        parts.append(frame.assign(state=name, weight=len(rows) / len(order)))
    return pd.concat(parts, ignore_index=True)[["state", "weight", "load", "p_mw", "q_mvar"]]


class _Power:
    """Active or reactive power of loads [MW, Mvar]: a size times the factor of a shape, 1 without one."""

    def __init__(self, loads: pd.DataFrame, profiles: Profiles, power: str, shape: str) -> None:
        rows = profiles.elements[profiles.elements["element"] == "load"].set_index("element_id").reindex(loads.index)
        names = pd.Index(rows[shape].dropna().unique())
        self._size = (loads[power] * loads["scaling"]).to_numpy(float)
        self._at = np.where(rows[shape].notna(), names.get_indexer(rows[shape]), len(names))
        self._factors = np.vstack([*(profiles.shapes[name].to_numpy(float) for name in names), np.ones(len(profiles.time))])

    def total(self) -> np.ndarray:
        """Sum of the loads in each step."""
        weights = np.bincount(self._at, self._size, len(self._factors))
        return sum(weight * factor for weight, factor in zip(weights, self._factors, strict=True))

    def mean(self, rows: np.ndarray) -> np.ndarray:
        """Mean of each load over some steps."""
        return self._size * self._factors[:, rows].mean(axis=1)[self._at]
