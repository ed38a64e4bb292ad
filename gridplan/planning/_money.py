"""The money of a roadmap by stream, declared benefits apart, and what would have to be true for it to pay."""

from __future__ import annotations

import pandas as pd

from gridplan import roadmap, valuation
from gridplan.planning._case import Case

NONE = "none"


def streams_by_year(given: Case, found: roadmap.Roadmap, scenario: str) -> pd.DataFrame:
    """Return the simulated benefits of a roadmap by stream and year in a scenario.

    Returns
    -------
    pd.DataFrame
        `stream`, `year`, `benefit_keur` [kEUR/yr].
    """
    served = valuation.in_service(given.benefits, found.options[["area", "group", "option", "year"]], scenario=scenario)
    summed = served.groupby(["stream", "year"], sort=False, as_index=False)["value_keur"].sum()
    return summed.rename(columns={"value_keur": "benefit_keur"})


def declared_after(given: Case, found: roadmap.Roadmap) -> pd.DataFrame:
    """Return the declared benefits that a roadmap brings, by year: not simulated, and in no sum of the roadmap.

    Returns
    -------
    pd.DataFrame
        As :func:`gridplan.valuation.declared`: `benefit`, `kind`, `item`, `area`, `stream`, `year`, `declared_keur`, `source`,
        `evidence`.
    """
    table = given.tables.get("declared_benefits")
    if table is None:
        return pd.DataFrame(columns=["benefit", "kind", "item", "area", "stream", "year", "declared_keur", "source", "evidence"])
    customers = given.metrics.dropna(subset=["customers"]).groupby("area")["customers"].first()
    return valuation.declared(table, delivered(found), last_year=found.choices.last_year, customers=customers)


def delivered(found: roadmap.Roadmap) -> pd.DataFrame:
    """Return when projects and, by area, applications come into service: `kind`, `item`, `area`, `year`."""
    projects = found.schedule[["project", "service_year"]].set_axis(["item", "year"], axis=1).assign(kind="project", area="")
    used = found.options[found.options["option"] != NONE]
    each = used.assign(item=used["option"].str.split("+")).explode("item")
    first = each.groupby(["item", "area"], sort=False)["year"].min().reset_index().assign(kind="application")
    columns = ["kind", "item", "area", "year"]
    return pd.concat([projects[columns], first[columns]], ignore_index=True)


def stream_labels() -> dict[str, str]:
    """Return the names of the streams of benefit and cost as a reader knows them."""
    table = valuation.streams()
    return dict(zip(table["stream"], table["label"], strict=True))


def cash_flows(given: Case, found: roadmap.Roadmap, scenario: str) -> pd.DataFrame:
    """Return every flow of a roadmap by stream and year: simulated benefits, costs, residual value, declared benefits.

    Returns
    -------
    pd.DataFrame
        `kind` (simulated, cost, declared), `stream`, `year`, `value_keur` (costs negative).
    """
    starts = dict(zip(found.schedule["project"], found.schedule["start_year"].astype(int), strict=True))
    cost = valuation.project_flows(given.projects, last_year=found.choices.last_year, starts=starts)
    cost = cost[cost["year"] <= found.choices.last_year + 1]
    gain = streams_by_year(given, found, scenario).rename(columns={"benefit_keur": "value_keur"})
    said = declared_after(given, found).rename(columns={"declared_keur": "value_keur"})
    parts = [gain.assign(kind="simulated"), cost.assign(kind="cost"), said.assign(kind="declared")]
    columns = ["kind", "stream", "year", "value_keur"]
    summed = pd.concat([part[columns] for part in parts if len(part)] or [pd.DataFrame(columns=columns)])
    return summed.groupby(columns[:3], sort=False, as_index=False)["value_keur"].sum()


def mean_benefits(given: Case) -> pd.DataFrame:
    """Return benefits in which every scenario is equally likely, as one scenario called ``mean``."""
    key = ["area", "group", "option", "year", "stream"]
    return given.benefits.groupby(key, sort=False, as_index=False)["benefit_keur"].mean().assign(scenario="mean")


def by_class(given: Case, found: roadmap.Roadmap) -> pd.DataFrame:
    """Return the present value of the cost of a roadmap by class of spend, mandatory projects apart.

    Returns
    -------
    pd.DataFrame
        `class_of_spend`, `mandatory`, `projects` (how many), `capex_keur`, `pv_cost_keur` [kEUR].
    """
    starts = dict(zip(found.schedule["project"], found.schedule["start_year"].astype(int), strict=True))
    rates = valuation.discount(given.assumptions, found.choices.first_year)
    columns = ["class_of_spend", "mandatory", "projects", "capex_keur", "pv_cost_keur"]
    if not starts:
        return pd.DataFrame(columns=columns)
    cost = valuation.project_economics(given.projects, rates, last_year=found.choices.last_year, starts=starts)
    must = given.projects.set_index("project").get("mandatory", pd.Series(dtype=bool))
    cost = cost.assign(mandatory=cost["project"].map(must).fillna(False).astype(bool))
    groups = cost.groupby(["class_of_spend", "mandatory"], sort=True)
    found_sums = groups.agg(projects=("project", "size"), capex_keur=("capex_keur", "sum"), pv_cost_keur=("pv_cost_keur", "sum"))
    return found_sums.reset_index()[columns]


def break_even(given: Case, found: roadmap.Roadmap, scenario: str) -> dict[str, float]:
    """Return what a customer minute would have to be worth for a roadmap to pay, all other streams as they are.

    Returns
    -------
    dict
        `npv_keur` (simulated benefits less costs), `minutes` (customer minutes saved over the plan), `pv_minutes` (the same
        discounted), `value_eur` (what one is worth today: the interruption cost avoided over the minutes saved) and
        `break_even_eur` (what one would have to be worth for a net present value of nought); `declared_keur` (present value of
        the declared benefits, in none of these). What does not exist is missing.
    """
    rates = valuation.discount(given.assumptions, found.choices.first_year)
    flows = cash_flows(given, found, scenario)
    present = {kind: sum(valuation.present_by(part, rates)) for kind, part in flows.groupby("kind")}
    saved = _minutes_saved(given, found)
    pv_minutes = valuation.present_value(saved, rates)
    interruption = flows[flows["stream"] == "interruption_cost"]
    worth = sum(valuation.present_by(interruption, rates)) if len(interruption) else 0.0
    npv = present.get("simulated", 0.0) + present.get("cost", 0.0)
    nothing = float("nan")
    return {
        "npv_keur": npv,
        "minutes": float(saved.sum()),
        "pv_minutes": pv_minutes,
        "value_eur": 1000 * worth / pv_minutes if pv_minutes > 0 else nothing,
        "break_even_eur": 1000 * (worth - npv) / pv_minutes if pv_minutes > 0 else nothing,
        "declared_keur": present.get("declared", 0.0),
    }


def _minutes_saved(given: Case, found: roadmap.Roadmap) -> pd.Series:
    """Return the customer minutes that a roadmap saves in each year."""
    own = found.kpis[found.kpis["kpi"] == "saidi_min"].drop_duplicates("year").set_index("year")
    customers = given.metrics.dropna(subset=["customers"]).drop_duplicates("area")["customers"].sum()
    if own.empty:
        return pd.Series(0.0, index=list(found.choices.years))
    return (own["without"] - own["value"]) * customers
