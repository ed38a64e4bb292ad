"""A solved roadmap as the plan that is valued in other futures."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from gridplan import roadmap, robustness, valuation
from gridplan.planning._case import Case

NONE = "none"


def terms(given: Case, base_year: int) -> robustness.Terms:
    """Return the discount rate of the study and the year to which values are discounted."""
    return robustness.Terms(given.assumptions["discount_rate_percent"] / 100, base_year)


def plan(given: Case, found: roadmap.Roadmap) -> robustness.Plan:
    """Return a roadmap with what it brings in every scenario.

    Parameters
    ----------
    given
        From :func:`gridplan.planning.case`.
    found
        From :func:`gridplan.roadmap.solve`.

    Returns
    -------
    robustness.Plan
        With replacements in its spending, the residual value of its projects, and the projects that each option waits for.
    """
    starts = dict(zip(found.schedule["project"], found.schedule["start_year"].astype(int), strict=True))
    flows = valuation.project_flows(given.projects, last_year=found.choices.last_year, starts=starts)
    flows = flows[flows["year"] <= found.choices.last_year + 1]
    spent = -flows[flows["stream"] == "utility_capex"].groupby(["project", "year"])["value_keur"].sum()
    left = flows[flows["stream"] == "residual_value"].groupby("project")["value_keur"].sum()
    projects = given.projects.assign(residual_keur=given.projects["project"].map(left).fillna(0.0))
    schedule = found.schedule[["project", "start_year", "service_year"]].rename(columns={"service_year": "delivered_year"})
    service = found.options[["area", "group", "option", "year"]]
    return robustness.Plan(
        schedule=schedule,
        projects=projects,
        service=service,
        benefits=_served(_with_none(given.benefits), service),
        kpis=_served(given.contributions, service),
        enablers=robustness.enablers_of(schedule, service, given.closures),
        spend=_spent(spent, starts),
        dependencies=roadmap.edges(roadmap.portfolio(_of_projects(given))),
    )


def _served(table: pd.DataFrame, service: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of options that are in service in some year, and of none."""
    key = ["area", "group", "option"]
    used = pd.MultiIndex.from_frame(service[key].drop_duplicates())
    return table[(table["option"] == NONE) | pd.MultiIndex.from_frame(table[key]).isin(used)].reset_index(drop=True)


def _with_none(benefits: pd.DataFrame) -> pd.DataFrame:
    """Return benefits without transfers and with the option none, worth nothing, so that every area and group is known."""
    benefits = benefits[~benefits["stream"].isin(valuation.TRANSFERS)]
    none = benefits.assign(option=NONE, benefit_keur=0.0).drop_duplicates(["area", "group", "scenario", "year"])
    return pd.concat([benefits, none], ignore_index=True)


def _spent(spent: pd.Series, starts: dict[str, int]) -> pd.DataFrame:
    """Return spending by project and year, with a row of nothing for a project that costs nothing."""
    table = spent[spent != 0].rename("spend_keur").reset_index()
    free = [(name, start, 0.0) for name, start in starts.items() if name not in set(table["project"])]
    return pd.concat([table, pd.DataFrame(free, columns=list(table))], ignore_index=True) if free else table


def _of_projects(given: Case) -> dict[str, pd.DataFrame]:
    return {name: given.tables[name] for name in ("projects", "dependencies", "exclusions") if name in given.tables}


def yearly(parts: pd.DataFrame, years: np.ndarray) -> pd.DataFrame:
    """Return KPI parts for every year, on a straight line between the years known."""
    keys = ["area", "group", "option", "scenario"]
    names = [name for name in parts if name not in (*keys, "year")]
    wide = parts.pivot_table(index=keys, columns="year", values=names, sort=False)
    known = np.sort(parts["year"].unique()).astype(float)
    weights = np.array([np.interp(years, known, unit) for unit in np.eye(len(known))])
    frame = wide.index.repeat(len(years)).to_frame(index=False).assign(year=np.tile(years, len(wide)))
    return frame.assign(**{name: (wide[name][known.astype(int)].to_numpy() @ weights).ravel() for name in names})


def needs(closures: pd.DataFrame) -> dict[tuple[str, str], set[str]]:
    """Return the projects that each application needs in an area (empty: in all); of several ways the first named."""
    own = closures[closures["way"] > 0]
    first = own.groupby(["application", "kind", "item", "area"], sort=False)["way"].transform("min")
    kept = own[own["way"] == first]
    return {(str(name), str(area)): set(part) for (name, area), part in kept.groupby(["application", "area"])["project"]}


def needed(known: Mapping[tuple[str, str], set[str]], option: str, area: str) -> set[str]:
    """Return the projects that an option needs in an area, from :func:`needs`."""
    return set().union(*(known.get((name, where), set()) for name in option.split("+") for where in ("", area)))


def uncertainties(given: Case, found: roadmap.Roadmap) -> pd.DataFrame:
    """Return what is uncertain about a roadmap, with gridplan's ranges: costs by class, delays, prices, failure rates.

    Parameters
    ----------
    given
        From :func:`gridplan.planning.case`; projects without a class of estimate count as class 5, the widest.
    found
        From :func:`gridplan.roadmap.solve`; only its projects are uncertain.
    """
    chosen = given.projects[given.projects["project"].isin(found.schedule["project"])]
    classes = chosen["cost_class"].fillna(5).astype(int) if "cost_class" in chosen else 5
    streams = list(plan(given, found).benefits["stream"].unique())
    table = robustness.uncertainties(
        chosen.assign(cost_class=classes),
        streams,
        interruption=[name for name in streams if name == "interruption_cost"],
        kpis=[name for name in ("saidi_min", "saifi", "maifi_e", "ens_mwh") if name in given.contributions],
    )
    own = given.projects[["project", "label"]].drop_duplicates("label", keep=False)
    labels = dict(zip(own["project"], own["label"], strict=True))  # two projects of one name stay two variables
    return table.assign(uncertainty=[_named(row, labels) for row in table.itertuples()])


def _named(row, labels: Mapping[str, str]) -> str:
    """Return what is uncertain as a reader knows it; rows of one name stay one variable."""
    if row.kind in ("capex", "opex", "delay"):
        return f"{row.uncertainty.removesuffix(row.item)}{labels.get(row.item, row.item)}"
    return row.uncertainty.replace("_", " ")


def robust_targets(given: Case, found: roadmap.Roadmap) -> pd.DataFrame:
    """Return the targets of the study within the years of a roadmap, and that it is worth its money, for `probabilities`.

    Returns
    -------
    pd.DataFrame
        `kpi`, `year`, `sense`, `value`.
    """
    worth = pd.DataFrame({"kpi": ["npv_keur"], "year": [pd.NA], "sense": ["at least"], "value": [0.0]})
    table = given.tables.get("targets")
    own = (
        worth[:0]
        if table is None
        else table[table["year"].between(found.choices.first_year, found.choices.last_year)][list(worth)]
    )
    return pd.concat([part.astype({"year": "Int64"}) for part in (worth, own) if len(part)], ignore_index=True)


def bands(kpis: pd.DataFrame, spread: pd.DataFrame, names: list[str]) -> pd.DataFrame:
    """Return the paths of KPIs with the range in which nine of ten sampled futures lie.

    Parameters
    ----------
    kpis
        `Roadmap.kpis`.
    spread
        From :func:`gridplan.robustness.distribution`.
    names
        KPIs wanted.

    Returns
    -------
    pd.DataFrame
        `kpis` of these names with `low` and `high`.
    """
    ends = spread.dropna(subset=["year"]).rename(columns={"quantity": "kpi", "p05": "low", "p95": "high"})
    own = kpis[kpis["kpi"].isin(names)]
    return own.merge(ends[["kpi", "year", "low", "high"]].astype({"year": "int64"}), on=["kpi", "year"], how="left")
