"""KPIs of a plan as sums over areas and groups."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from gridplan import tables
from gridplan.errors import ParameterError, Problem, suggest

KEY = ["area", "group", "option", "scenario", "year"]
GROUPS = ("restoration", "voltage", "flexibility")
NONE = "none"


def kpis() -> pd.DataFrame:
    """Return the KPIs that gridplan adds up over areas and groups.

    Hours outside limits are not among them: two groups may end the same hour, and a sum would end it twice.

    Returns
    -------
    pd.DataFrame
        `kpi`, `label`, `unit`, `column` (of the metrics), `per_customer` (whether it is a mean over customers), `better` (more or
        less), `note`.
    """
    return tables.bundled("gridplan.planning", "kpis")


def kpi_units() -> dict[str, str]:
    """Return the unit of each of :func:`kpis` by its name."""
    table = kpis()
    return dict(zip(table["kpi"], table["unit"], strict=True))


def contributions(metrics: pd.DataFrame, names: Iterable[str] | None = None) -> pd.DataFrame:
    """Return what each option adds to each KPI, so that a sum over areas and groups is the KPI of the network.

    A mean over customers (SAIDI) becomes the area's share of the customers times its value. Where several groups have a quantity
    (losses), the first of them holds what it is with nothing in service, and the others only what their options change: groups
    are taken to add up.

    Parameters
    ----------
    metrics
        From :func:`gridplan.assess.metrics`.
    names
        KPIs wanted; by default all of :func:`kpis` that the metrics hold.

    Returns
    -------
    pd.DataFrame
        `area`, `group`, `option`, `scenario`, `year`, and one column a KPI.

    Raises
    ------
    ParameterError
        A KPI is unknown, or the metrics do not hold what it needs.
    """
    known = kpis().set_index("kpi")
    wanted = [name for name in known.index if known.at[name, "column"] in metrics] if names is None else list(names)
    problems = [
        Problem("kpis", f"'{name}' is no KPI", remedy=suggest(name, known.index)) for name in wanted if name not in known.index
    ]
    problems = problems or [
        Problem("metrics", f"have no column '{known.at[name, 'column']}'", remedy=f"leave the KPI '{name}' out")
        for name in wanted
        if known.at[name, "column"] not in metrics
    ]
    if problems:
        raise ParameterError("KPIs", problems)
    found = metrics[KEY].copy()
    for name in wanted:
        found[name] = _added(metrics, known.at[name, "column"], per_customer=known.at[name, "per_customer"] == "yes")
    return found.reset_index(drop=True)


def _added(metrics: pd.DataFrame, column: str, *, per_customer: bool) -> pd.Series:
    """Return one quantity as parts of a sum over areas and groups; nought where a group does not have it."""
    value = metrics[column].astype(float)
    if per_customer:
        value = value * _share(metrics)
    has = value.notna().groupby(metrics["group"]).any()
    order = [*(name for name in GROUPS if name in has.index), *(name for name in has.index if name not in GROUPS)]
    first = next((name for name in order if has[name]), None)
    base = _of_none(metrics, value).where(metrics["group"] != first, 0.0)
    changed = value - base
    return changed.where(metrics["group"].map(has), 0.0)


def _share(metrics: pd.DataFrame) -> pd.Series:
    """Return the share of the network's customers that an area has, in rows that know customers."""
    own = metrics["customers"].astype(float)
    total = own.groupby([metrics[name] for name in ("group", "option", "scenario", "year")]).transform("sum")
    return own / total.where(total > 0)


def _of_none(metrics: pd.DataFrame, value: pd.Series) -> pd.Series:
    """Return for every row the value of the option none of its area, group, scenario and year."""
    place = ["area", "group", "scenario", "year"]
    none = metrics["option"] == NONE
    base = pd.Series(value[none].to_numpy(), pd.MultiIndex.from_frame(metrics.loc[none, place]))
    return pd.Series(base.reindex(pd.MultiIndex.from_frame(metrics[place])).to_numpy(), metrics.index)
