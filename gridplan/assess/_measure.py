"""What a simulated year means for each area: energy, peak, losses, hours outside limits."""

from __future__ import annotations

import numpy as np
import pandas as pd

from gridplan.applications import OperatingCase, _flexible
from gridplan.applications._flexible import State
from gridplan.applications.voltvar import _summary
from gridplan.applications.voltvar._summary import Series

HOURS = 8760.0
#: Columns that :func:`measure` gives besides the area.
COLUMNS = ("load_mwh", "generation_mwh", "losses_mwh", "peak_mw", "outside_h", "failed_h", "operations")


def measure(case: OperatingCase, state: State | None = None, found: Series | None = None) -> pd.DataFrame:
    """Energy, peak, losses, hours outside limits and operations of each area over the steps of a case.

    Energies, hours and operations are those of a year of 8 760 h: a sample of the steps stands for the steps left out.

    Parameters
    ----------
    case
        Case; loads with constant-current and constant-impedance parts count at the voltages found.
    state
        Its power flows, if they are known, so that its network is not built again.
    found
        Its sums by area and step, if they are known.

    Returns
    -------
    pd.DataFrame
        One row an area: `area`, `load_mwh` (storage included) [MWh/yr], `generation_mwh` [MWh/yr], `losses_mwh` of its lines and
        of its share, by load, of what no area holds (bus bars, transformers) [MWh/yr], `peak_mw` (highest load and losses less
        generation) [MW], `outside_h` (a bus or line of the area, or a transformer that feeds it, is outside the limits) [h/yr],
        `failed_h` [h/yr], `operations` of the tap changers that feed it and the capacitor banks in it, shared equally among the
        areas fed [1/yr]. Steps without a solution count as failed and as outside; with any, energies and peak are missing.
    """
    found = found or _summary.series(case, state.models if state else None)
    per_step = HOURS / len(case.profiles.time)
    names = list(found.names[:-1])
    load = found.net_mw + found.generation_mw
    losses = found.losses_mw[:-1] + _shares(load[:-1]) * found.losses_mw[-1]
    net = load[:-1] + losses - found.generation_mw[:-1]
    frame = pd.DataFrame({"area": names, "load_mwh": load[:-1].sum(axis=1) * per_step})
    frame["generation_mwh"] = found.generation_mw[:-1].sum(axis=1) * per_step
    frame["losses_mwh"] = losses.sum(axis=1) * per_step
    frame["peak_mw"] = net.max(axis=1)
    failed = found.failed
    if failed.any():
        frame[["load_mwh", "generation_mwh", "losses_mwh", "peak_mw"]] = np.nan
    frame["outside_h"] = found.outside.sum(axis=1) * per_step
    frame["failed_h"] = float(failed.sum() * per_step)
    scale = HOURS / (len(case.profiles.time) * case.profiles.step_h)
    frame["operations"] = _operations(case).reindex(names).to_numpy(float) * scale
    return frame


def _shares(load: np.ndarray) -> np.ndarray:
    """Share of each area in the load of a step; equal shares where there is none."""
    total = load.sum(axis=0)
    return np.divide(load, total, out=np.full(load.shape, 1 / len(load)), where=total > 0)


def _operations(case: OperatingCase) -> pd.Series:
    """Count changes of position by area."""
    names = sorted(case.areas["area"].unique())
    counts, feeding = pd.Series(0.0, index=names), _flexible.feeding(case) if case.schedule else {}
    area = case.areas.set_index("bus")["area"]
    for row in _summary.operations(case).itertuples():
        if row.element == "trafo":
            fed = feeding.get(row.element_id) or names
        else:
            own = area.get(case.net.shunt.at[row.element_id, "bus"])
            fed = names if own is None else [own]
        counts[fed] += row.operations / len(fed)
    return counts
