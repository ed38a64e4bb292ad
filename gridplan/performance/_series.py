"""A year over its days, hours and months, and the profiles that drive it."""

from __future__ import annotations

import numpy as np
import pandas as pd
from pandapower.auxiliary import pandapowerNet

from gridplan import powerflow
from gridplan.errors import ParameterError, Problem, suggest
from gridplan.performance._tables import element_name
from gridplan.powerflow import PowerFlow, Profiles


def loading_curves(net: pandapowerNet, result: PowerFlow) -> pd.DataFrame:
    """Return the duration curves of every transformer, and of the most loaded line of each step.

    Returns
    -------
    pd.DataFrame
        `series`, `share_percent` [%] of the steps with a value in which `loading_percent` [%] is reached or exceeded; at most
        501 points a curve, the highest and the lowest value among them.
    """
    kinds = {"trafo": result.trafo_loading_percent, "trafo3w": result.trafo3w_loading_percent}
    series = {element_name(net, kind, number): column for kind, frame in kinds.items() for number, column in frame.items()}
    series["most loaded line"] = result.steps["line_loading_max_percent"]
    series = {name: values for name, values in series.items() if np.isfinite(values).any()}
    if not series:
        return pd.DataFrame(columns=["series", "share_percent", "loading_percent"])
    curves = [_thinned(powerflow.duration_curve(values)).assign(series=name) for name, values in series.items()]
    return pd.concat(curves, ignore_index=True).rename(columns={"value": "loading_percent"})[
        ["series", "share_percent", "loading_percent"]
    ]


def daily(by_area: pd.DataFrame) -> pd.DataFrame:
    """Return the lowest and highest voltage of each day and area.

    Parameters
    ----------
    by_area
        `area`, `time`, `vm_min_pu`, `vm_max_pu`, from :func:`gridplan.powerflow.by_area`.

    Returns
    -------
    pd.DataFrame
        `area`, `day`, `vm_min_pu`, `vm_max_pu` [pu].
    """
    dated = by_area.assign(day=by_area["time"].dt.floor("D"))
    return dated.groupby(["area", "day"], as_index=False).agg(vm_min_pu=("vm_min_pu", "min"), vm_max_pu=("vm_max_pu", "max"))


def hourly(series: pd.Series) -> pd.DataFrame:
    """Return the mean of each hour of each day.

    Parameters
    ----------
    series
        Values by time; its name becomes the column.

    Returns
    -------
    pd.DataFrame
        `day`, `hour` (0-23) and the series.
    """
    mean = series.resample("h").mean()
    return pd.DataFrame({"day": mean.index.floor("D"), "hour": mean.index.hour, series.name: mean.to_numpy()})


def monthly(result: PowerFlow) -> pd.DataFrame:
    """Return where the energy of each month comes from, where it goes and what is lost.

    Returns
    -------
    pd.DataFrame
        `month` (1-12), `import_mwh`, `export_mwh` (sums of all external grids, step by step), `generation_mwh`, `load_mwh`,
        `losses_mwh` [MWh]; failed steps are left out.
    """
    power = result.slack_p_mw
    steps = pd.DataFrame(
        {
            "import_mwh": power.clip(lower=0).sum(axis=1),
            "export_mwh": -power.clip(upper=0).sum(axis=1),
            "generation_mwh": result.steps["generation_mw"],
            "load_mwh": result.steps["load_mw"],
            "losses_mwh": result.steps["losses_mw"],
        }
    )
    return (steps * result.step_h).groupby(result.time.month).sum().rename_axis("month").reset_index()


def _thinned(curve: pd.DataFrame, points: int = 501) -> pd.DataFrame:
    """Evenly spaced rows of a sorted curve, its first and last among them."""
    return curve.iloc[np.unique(np.linspace(0, len(curve) - 1, min(points, len(curve))).astype(int))] if len(curve) else curve


def profile_summary(net: pandapowerNet, profiles: Profiles) -> pd.DataFrame:
    """Return what each profile drives and how it behaves, so that a wrong one is seen.

    Returns
    -------
    pd.DataFrame
        `profile`, `element` table, `elements` (how many follow it), `p_mw` (their power together) [MW], `full_load_hours` [h]
        (energy of the year over that power), `lowest`, `highest` [1] and `at_night` [1] (mean from 23:00 to 02:00; sunlight
        would show here).
    """
    shapes = profiles.shapes
    night = shapes[profiles.time.hour.isin((23, 0, 1))].mean()
    rows = []
    for (shape, element), group in profiles.elements.groupby(["shape_p", "element"], sort=True):
        used = net[element].loc[group["element_id"]]
        power = (used["p_mw"] * used["scaling"]).sum()
        share = shapes[shape]
        row = (
            str(shape).removesuffix("_p"),
            element,
            len(group),
            power,
            share.sum() * profiles.step_h,
            share.min(),
            share.max(),
            night[shape],
        )
        rows.append(row)
    return pd.DataFrame(
        rows, columns=["profile", "element", "elements", "p_mw", "full_load_hours", "lowest", "highest", "at_night"]
    )


def shape(profiles: Profiles, name: str) -> pd.Series:
    """Return the factors of a profile by its name.

    Parameters
    ----------
    profiles
        Time series of a study.
    name
        Name of the profile, without ``_p``.

    Raises
    ------
    ParameterError
        There is no such profile; the message suggests the nearest.
    """
    known = [str(column).removesuffix("_p") for column in profiles.shapes if str(column).endswith("_p")]
    if name not in known:
        raise ParameterError("profiles", [Problem("profile", f"'{name}' is no profile", remedy=suggest(name, known))])
    return profiles.shapes[f"{name}_p"]


def mean_day(net: pandapowerNet, profiles: Profiles) -> pd.DataFrame:
    """Return the mean day of loads and of generation in winter and in summer.

    Returns
    -------
    pd.DataFrame
        `season` (winter: December to February, summer: June to August), `series` (load, generation), `hour` of the day in
        steps of the profiles, `p_mw` [MW].
    """
    total = pd.DataFrame({word: _power(net, profiles, element) for word, element in (("load", "load"), ("generation", "sgen"))})
    season = profiles.time.month.map({12: "winter", 1: "winter", 2: "winter", 6: "summer", 7: "summer", 8: "summer"})
    hour = profiles.time.hour + profiles.time.minute / 60
    mean = total.groupby([season, hour]).mean().rename_axis(["season", "hour"])
    return mean.melt(ignore_index=False, var_name="series", value_name="p_mw").reset_index()


def _power(net: pandapowerNet, profiles: Profiles, element: str) -> np.ndarray:
    """Power of all elements of a kind that follow a profile, (steps,) [MW]."""
    here = profiles.elements[profiles.elements["element"] == element]
    used = net[element].loc[here["element_id"]]
    power = (used["p_mw"] * used["scaling"] * used["in_service"]).to_numpy()
    weight = pd.Series(power).groupby(here["shape_p"].to_numpy()).sum()
    return profiles.shapes[weight.index].to_numpy() @ weight.to_numpy()
