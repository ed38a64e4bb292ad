"""What a roadmap counts beside what the simulation of the roadmap shows."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from gridplan import roadmap, valuation
from gridplan.planning._case import Case
from gridplan.planning._kpis import contributions
from gridplan.planning._plan import yearly

NONE, ROADMAP, GROUP = "none", "roadmap", "all groups"
TOLERANCE_PERCENT = 1.0
"""Difference [% of the change] up to which prediction and simulation count as the same."""


def replayed(given: Case, found: roadmap.Roadmap, simulated: pd.DataFrame) -> pd.DataFrame:
    """Return each KPI of a roadmap as it counts it and as its simulation shows it, with the reason of any difference.

    Parameters
    ----------
    given
        From :func:`gridplan.planning.case`.
    found
        From :func:`gridplan.roadmap.solve`.
    simulated
        From :func:`gridplan.assess.replay`.

    Returns
    -------
    pd.DataFrame
        One row a KPI, scenario and year: `kpi`, `scenario`, `year`, `without` (nothing in service), `predicted`, `replayed` (in
        the unit of the KPI), `error`, `error_percent` (of the change from `without` to `replayed`; missing where nothing
        changes), `reason`.
    """
    served = found.options[["area", "group", "option", "year"]]
    rows = []
    for (scenario, year), own in simulated.groupby(["scenario", "year"], sort=False):
        names = [name for name in given.contributions if name not in ("area", "group", "option", "scenario", "year")]
        seen = _totals(own, names)
        counted = _predicted(given, served[served["year"] == year], str(scenario), int(year), names)
        reason = _reason(given, served[served["year"] == year], int(year))
        rows += [(name, scenario, year, seen[name][0], counted[name], seen[name][1], reason) for name in names if name in seen]
        rows += [("outside_h", scenario, year, *_outside(own))] if "outside_h" in own else []
    table = pd.DataFrame(rows, columns=["kpi", "scenario", "year", "without", "predicted", "replayed", "because"])
    return _judged(table)


def _outside(own: pd.DataFrame) -> tuple[float, float, float, str]:
    """Return the hours outside limits, which a roadmap does not count: without, predicted, replayed, because."""
    hours = own.groupby("option")["outside_h"].sum()
    return hours[NONE], np.nan, hours[ROADMAP], "not counted by the roadmap: two groups may end the same hour"


def _totals(own: pd.DataFrame, names: list[str]) -> dict[str, tuple[float, float]]:
    """Return each KPI of one simulated year, without and with the roadmap."""
    parts = contributions(own, [name for name in names if name in contributions(own)])
    summed = parts.groupby("option")[[name for name in names if name in parts]].sum(min_count=1)
    return {name: (float(summed.at[NONE, name]), float(summed.at[ROADMAP, name])) for name in summed}


def _predicted(given: Case, served: pd.DataFrame, scenario: str, year: int, names: list[str]) -> dict[str, float]:
    own = given.contributions[given.contributions["scenario"] == scenario]
    every = yearly(own, np.array([year]))
    taken = served.drop(columns="year").merge(every, on=["area", "group", "option"], how="left")
    rest = every[every["option"] == NONE].merge(served[["area", "group"]], how="left", indicator=True)
    outside = rest[rest["_merge"] == "left_only"]
    return {name: float(taken[name].sum() + outside[name].sum()) for name in names}


def _reason(given: Case, served: pd.DataFrame, year: int) -> str:
    """Say what can make a prediction differ from the simulation in this year."""
    said = []
    if year not in set(given.metrics["year"]):
        said.append("the metrics know this year only from a straight line between two others")
    used = served[served["option"] != NONE]
    several = sorted(set(used["group"]))
    if len(several) > 1:
        said.append(f"groups act on each other ({', '.join(several)})")
    mixed = sorted(group for group, own in served.groupby("group") if len(set(own["option"])) > 1)
    if mixed:
        said.append(f"areas that share ties or a transformer have different options ({', '.join(mixed)})")
    return "; ".join(said)


def _judged(table: pd.DataFrame) -> pd.DataFrame:
    """Add error, its share of the change, and the reason where it matters."""
    error, change = table["predicted"] - table["replayed"], (table["replayed"] - table["without"]).abs()
    counted = (table["predicted"] - table["without"]).abs()
    small = 1e-6 * table["without"].abs().clip(lower=1e-6)
    percent = (100 * error / change.where(change > small)).where((change > small) | (counted > small))
    close = (error.abs() <= small) | (percent.abs() <= TOLERANCE_PERCENT)
    words = table["because"].replace("", "steps or rounding; see the metrics").where(~close, "")
    same = close & (change > small)
    words = words.mask(same, f"within {TOLERANCE_PERCENT:g} %").mask(close & ~same, "nothing changes")
    return table.drop(columns="because").assign(error=error, error_percent=percent, reason=words)


def replayed_benefits(
    given: Case,
    found: roadmap.Roadmap,
    simulated: pd.DataFrame,
    prices: pd.DataFrame,
    *,
    items: Mapping[str, str | None] | None = None,
) -> pd.DataFrame:
    """Return the benefit of a roadmap by stream as it counts it and as its simulation shows it, in the years simulated.

    Parameters
    ----------
    given, found, simulated
        As for :func:`replayed`.
    prices
        Table `prices`.
    items
        As for :func:`gridplan.planning.case`.

    Returns
    -------
    pd.DataFrame
        `stream`, `scenario`, `year`, `predicted_keur`, `replayed_keur` [kEUR/yr], `error_percent` [%], `reason`. The deferred
        reinforcement is not replayed and left out of both; transfers add up to nought and are left out.
    """
    if simulated.empty:
        return pd.DataFrame(columns=["stream", "scenario", "year", "predicted_keur", "replayed_keur", "error_percent", "reason"])
    deferred = valuation.capital(given.assumptions)
    worth = valuation.benefits(simulated, prices, money=given.money, deferred=deferred, items=items)
    years = set(simulated["year"])
    left = {"reinforcement", *valuation.TRANSFERS}
    seen = worth[worth["year"].isin(years) & ~worth["stream"].isin(left)]
    served = found.options.loc[found.options["year"].isin(years), ["area", "group", "option", "year"]]
    counted = pd.concat(
        [valuation.in_service(given.benefits, served, scenario=name) for name in seen["scenario"].unique()], ignore_index=True
    )
    key = ["stream", "scenario", "year"]
    replayed_sum = seen.groupby(key, sort=False)["benefit_keur"].sum()
    predicted_sum = counted.groupby(key)["value_keur"].sum().reindex(replayed_sum.index, fill_value=0.0)
    table = pd.DataFrame({"predicted_keur": predicted_sum, "replayed_keur": replayed_sum}).reset_index()
    error = (
        100 * (table["predicted_keur"] - table["replayed_keur"]) / table["replayed_keur"].abs().where(table["replayed_keur"] != 0)
    )
    reasons = {year: _reason(given, served[served["year"] == year], year) for year in years}
    because = table["year"].map(reasons).where(error.abs() > TOLERANCE_PERCENT, f"within {TOLERANCE_PERCENT:g} %")
    return table.assign(error_percent=error, reason=because.where(error.notna(), "nothing changes"))
