"""What planners read off a batch of power flows: small functions from a result to a table."""

from __future__ import annotations

import numpy as np
import pandas as pd
from pandapower.auxiliary import pandapowerNet

from gridplan.errors import ParameterError, Problem
from gridplan.powerflow._run import Limits, PowerFlow, thresholds
from gridplan.powerflow._statistics import Tally

_VIOLATION_COLUMNS = ["element", "element_id", "kind", "hours", "worst", "worst_time"]
_LOADING = {"line": "line_loading_percent", "trafo": "trafo_loading_percent", "trafo3w": "trafo3w_loading_percent"}


def statistics(result: PowerFlow, limits: Limits | None = None) -> dict[str, pd.DataFrame]:
    """Minimum, maximum, mean and hours outside limits of every bus, line and transformer.

    Parameters
    ----------
    result
        Of either kind of `run`.
    limits
        Limits for the hours; those of the result if not given.

    Returns
    -------
    dict[str, pd.DataFrame]
        As `PowerFlow.statistics`.

    Raises
    ------
    ParameterError
        Only statistics were kept, and for other limits.
    """
    limits = limits or result.limits
    if result.statistics is not None:
        if limits != result.limits:
            remedy = "pass these limits to run, or keep='all'"
            raise ParameterError(
                "statistics", [Problem("limits", f"the result holds statistics for {result.limits}", remedy=remedy)]
            )
        return result.statistics
    tables = {"bus": result.vm_pu} | {element: getattr(result, name) for element, name in _LOADING.items()}
    elements = {name: table.columns for name, table in tables.items()}
    tally = Tally(thresholds(elements, limits))
    loading = np.concatenate([tables[name].to_numpy().T for name in _LOADING])
    tally.add(tables["bus"].to_numpy().T, loading, 0)
    return tally.tables(elements, result.step_h, limited=limits is not None)


def violations(result: PowerFlow, limits: Limits | None = None) -> pd.DataFrame:
    """Every element outside its limits, and everything that could not be judged.

    Parameters
    ----------
    result
        Of either kind of `run`.
    limits
        Limits; those of the result if not given.

    Returns
    -------
    pd.DataFrame
        One row an element and kind: ``element, element_id, kind, hours, worst`` [pu or %] ``, worst_time``. Kinds are
        ``undervoltage, overvoltage, overload`` and, so that nothing passes for sound that was not seen, ``no solution`` (hours
        without a power flow; element ``network``), ``no supply`` (a bus without voltage) and ``no rating``.

    Raises
    ------
    ParameterError
        No limits, neither here nor in the result.
    """
    limits = limits or result.limits
    if limits is None:
        raise ParameterError("violations", [Problem("limits", "not given", remedy="pass Limits(...)")])
    tables = statistics(result, limits)
    bus = tables["bus"]
    low, high = bus[bus["hours_below"] > 0], bus[bus["hours_above"] > 0]
    parts = [
        _no_solution(result),
        _violation(result, "bus", "undervoltage", low, ("hours_below", "min")),
        _violation(result, "bus", "overvoltage", high, ("hours_above", "max")),
    ]
    for element in _LOADING:
        over = tables[element][tables[element]["hours_above"] > 0]
        unrated = ~np.isfinite(over["max"])
        parts.append(_violation(result, element, "overload", over[~unrated], ("hours_above", "max")))
        parts.append(_violation(result, element, "no rating", over[unrated], ("hours", "max")))
    if result.converged.any():
        parts.append(_violation(result, "bus", "no supply", bus[bus["hours"] == 0], ("hours", "min")))
        parts[-1]["hours"] = result.converged.sum() * result.step_h
    filled = [part for part in parts if len(part)]
    return pd.concat(filled, ignore_index=True) if filled else parts[0]


def _no_solution(result: PowerFlow) -> pd.DataFrame:
    failed = np.flatnonzero(~result.converged)
    row = ("network", -1, "no solution", len(failed) * result.step_h, np.nan, result.time[failed[0]] if len(failed) else pd.NaT)
    return pd.DataFrame([row] if len(failed) else [], columns=_VIOLATION_COLUMNS)


def _violation(result: PowerFlow, element: str, kind: str, table: pd.DataFrame, columns: tuple[str, str]) -> pd.DataFrame:
    if table.empty:
        return pd.DataFrame(columns=_VIOLATION_COLUMNS)
    hours, worst = columns
    at = table[f"{worst}_step"].to_numpy()
    time = pd.Series(result.time[np.maximum(at, 0)]).where(at >= 0)
    values = (element, table.index, kind, table[hours].to_numpy(), table[worst].to_numpy(), time.array)
    return pd.DataFrame(dict(zip(_VIOLATION_COLUMNS, values, strict=True)))


def by_area(result: PowerFlow, net: pandapowerNet, areas: pd.DataFrame) -> pd.DataFrame:
    """Extremes of each area over time.

    Parameters
    ----------
    result
        With every step kept (``keep='all'``).
    net
        The network of the result.
    areas
        Columns ``bus`` and ``area``. A line belongs to the areas of both its ends.

    Returns
    -------
    pd.DataFrame
        One row an area and step: ``time, area, vm_min_pu, vm_max_pu, line_loading_max_percent``. NaN where the step failed;
        an area without lines has NaN loading.

    Raises
    ------
    ParameterError
        The result holds statistics only.
    """
    if result.vm_pu is None:
        raise ParameterError("by_area", [Problem("result", "holds statistics only", remedy="run with keep='all'")])
    vm, loading = result.vm_pu.to_numpy().T, result.line_loading_percent.to_numpy().T
    frames = []
    for area, buses in areas.groupby("area", sort=True)["bus"]:
        own = vm[result.vm_pu.columns.isin(buses)]
        lines = loading[(net.line["from_bus"].isin(buses) | net.line["to_bus"].isin(buses)).to_numpy()]
        columns = {
            "time": result.time,
            "area": area,
            "vm_min_pu": _reduce(np.fmin, own),
            "vm_max_pu": _reduce(np.fmax, own),
            "line_loading_max_percent": _reduce(np.fmax, lines),
        }
        frames.append(pd.DataFrame(columns))
    return pd.concat(frames, ignore_index=True)


def _reduce(function: np.ufunc, rows: np.ndarray) -> np.ndarray:
    """Reduce over elements; NaN only where every element is NaN, or where there is none."""
    return function.reduce(rows, axis=0) if len(rows) else np.full(rows.shape[1], np.nan)


def duration_curve(series: pd.Series) -> pd.DataFrame:
    """Sort a time series from the highest to the lowest value.

    Parameters
    ----------
    series
        Values over time; NaN (steps without a solution) is left out.

    Returns
    -------
    pd.DataFrame
        ``share_percent`` of the steps with a value in which ``value`` is reached or exceeded.
    """
    values = np.sort(series.dropna().to_numpy(float))[::-1]
    return pd.DataFrame({"share_percent": 100.0 * np.arange(1, len(values) + 1) / max(1, len(values)), "value": values})


def worst_hours(result: PowerFlow, n: int = 10) -> pd.DataFrame:
    """Worst events of the period: of each kind at most one a day, so that an evening does not fill the list.

    Parameters
    ----------
    result
        Of either kind of `run`.
    n
        Events of each kind.

    Returns
    -------
    pd.DataFrame
        ``time, kind, element, element_id, value``: kinds ``lowest voltage`` and ``highest voltage`` [pu], ``line loading`` and
        ``transformer loading`` [%], worst first, and ``no solution`` (the first failed step of a day, value NaN).
    """
    steps = result.steps
    trafo = steps[["trafo_loading_max_percent", "trafo3w_loading_max_percent"]].max(axis=1)
    kinds = [
        ("lowest voltage", "bus", -steps["vm_min_pu"], "vm_min_bus"),
        ("highest voltage", "bus", steps["vm_max_pu"], "vm_max_bus"),
        ("line loading", "line", steps["line_loading_max_percent"], "line_loading_max_line"),
        ("transformer loading", "trafo", trafo, "trafo_loading_max_trafo"),
    ]
    frames = [_events(result, kind, element, severity, named, n) for kind, element, severity, named in kinds]
    failed = pd.Series(result.time[~result.converged])
    first = failed.groupby(failed.dt.normalize()).first().head(n)
    frames.append(
        pd.DataFrame({"time": first.array, "kind": "no solution", "element": "network", "element_id": -1, "value": np.nan})
    )
    return pd.concat([frame for frame in frames if len(frame)], ignore_index=True)


def _events(result: PowerFlow, kind: str, element: str, severity: pd.Series, named: str, n: int) -> pd.DataFrame:
    """Worst step of each of the n worst days."""
    known = severity.dropna()
    time = known.groupby(known.index.normalize()).idxmax()
    worst = known.loc[time].nlargest(n)
    at = result.steps.loc[worst.index]
    table = pd.DataFrame({"time": worst.index, "kind": kind, "element": element, "element_id": at[named].to_numpy()})
    table["value"] = np.abs(worst.to_numpy(float))
    if element == "trafo":
        three = (at["trafo3w_loading_max_percent"].fillna(-1.0) > at["trafo_loading_max_percent"].fillna(-1.0)).to_numpy()
        table.loc[three, "element"] = "trafo3w"
        table.loc[three, "element_id"] = at.loc[three, "trafo3w_loading_max_trafo3w"].to_numpy()
    return table


def losses(result: PowerFlow) -> pd.DataFrame:
    """Energy lost in the period, where, as a share of the energy supplied, and the highest losses.

    Returns
    -------
    pd.DataFrame
        ``quantity, value, unit, time`` (of the peak): ``losses``, of which ``lines``, ``transformers`` and ``others``
        (impedances and the like), ``share of supply`` (of what external grids and generation feed in), ``peak``. Over the steps
        with a solution.
    """
    steps, hours = result.steps, result.step_h
    lost = steps[["losses_mw", "line_losses_mw", "trafo_losses_mw"]].sum() * hours
    supplied = (result.slack_p_mw.clip(lower=0.0).sum().sum() + steps["generation_mw"].sum()) * hours
    peak = steps["losses_mw"].idxmax() if result.converged.any() else pd.NaT
    rows = [
        ("losses", lost["losses_mw"], "MWh", pd.NaT),
        ("lines", lost["line_losses_mw"], "MWh", pd.NaT),
        ("transformers", lost["trafo_losses_mw"], "MWh", pd.NaT),
        ("others", lost["losses_mw"] - lost["line_losses_mw"] - lost["trafo_losses_mw"], "MWh", pd.NaT),
        ("share of supply", 100.0 * lost["losses_mw"] / supplied if supplied > 0 else np.nan, "%", pd.NaT),
        ("peak", steps["losses_mw"].max(), "MW", peak),
    ]
    return pd.DataFrame(rows, columns=["quantity", "value", "unit", "time"])


def energy(result: PowerFlow) -> pd.DataFrame:
    """Energy totals of the period and the highest and lowest power drawn from the external grids.

    Returns
    -------
    pd.DataFrame
        ``quantity, value, unit, time`` (of the peaks): ``load``, ``generation``, ``storage`` (net charging), ``drawn from the
        grid``, ``returned to the grid`` (each external grid and step by itself), ``losses``, ``shunts`` (the rest of the
        balance: shunts, wards), ``peak load``, ``peak draw``, ``peak return``, ``hours``, ``hours without solution``. Over the
        steps with a solution.
    """
    steps, hours, slack = result.steps, result.step_h, result.slack_p_mw
    total = steps[["load_mw", "generation_mw", "storage_mw", "slack_mw", "losses_mw"]].sum() * hours
    shunts = total["slack_mw"] + total["generation_mw"] - total["load_mw"] - total["storage_mw"] - total["losses_mw"]
    rows = [
        ("load", total["load_mw"], "MWh"),
        ("generation", total["generation_mw"], "MWh"),
        ("storage", total["storage_mw"], "MWh"),
        ("drawn from the grid", slack.clip(lower=0.0).sum().sum() * hours, "MWh"),
        ("returned to the grid", -slack.clip(upper=0.0).sum().sum() * hours, "MWh"),
        ("losses", total["losses_mw"], "MWh"),
        ("shunts", shunts, "MWh"),
        ("peak load", steps["load_mw"].max(), "MW"),
        ("peak draw", steps["slack_mw"].max(), "MW"),
        ("peak return", -steps["slack_mw"].min(), "MW"),
        ("hours", len(steps) * hours, "h"),
        ("hours without solution", (~result.converged).sum() * hours, "h"),
    ]
    table = pd.DataFrame(rows, columns=["quantity", "value", "unit"])
    if result.converged.any():
        peaks = {
            "peak load": steps["load_mw"].idxmax(),
            "peak draw": steps["slack_mw"].idxmax(),
            "peak return": steps["slack_mw"].idxmin(),
        }
        return table.assign(time=pd.to_datetime(table["quantity"].map(peaks)))
    return table.assign(time=pd.NaT)
