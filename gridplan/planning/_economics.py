"""What a roadmap costs and brings, and to whom: cost tests, spend, value as it adds up, what customers pay."""

from __future__ import annotations

import numpy as np
import pandas as pd

from gridplan import roadmap, valuation
from gridplan.planning._case import Case
from gridplan.planning._money import cash_flows, declared_after

NONE = "none"
KINDS = {"utility_capex": "capital", "utility_opex": "running"}
BILLED = [
    "year",
    "depreciation_keur",
    "interest_keur",
    "equity_return_keur",
    "tax_keur",
    "opex_keur",
    "revenue_requirement_keur",
    "savings_keur",
    "net_keur",
    "per_customer",
    "per_customer_month",
    "change_percent",
]


def starts_of(found: roadmap.Roadmap) -> dict[str, int]:
    """Return the year in which each project of a roadmap starts."""
    return {name: int(year) for name, year in zip(found.schedule["project"], found.schedule["start_year"], strict=True)}


def cost_tests(given: Case, found: roadmap.Roadmap, scenario: str) -> pd.DataFrame:
    """Judge a roadmap by every cost test, declared benefits apart.

    Parameters
    ----------
    given
        From :func:`gridplan.planning.case`.
    found
        From :func:`gridplan.roadmap.solve`.
    scenario
        Scenario whose benefits count.

    Returns
    -------
    pd.DataFrame
        As :func:`gridplan.valuation.cost_tests`; no row if nothing is built.
    """
    flows = cash_flows(given, found, scenario)
    counted = flows[flows["kind"] != "declared"]
    if counted.empty:
        return pd.DataFrame(columns=["test", "pv_benefits_keur", "pv_costs_keur", "npv_keur", "bcr", "bcr_with_declared"])
    rates = valuation.discount(given.assumptions, found.choices.first_year)
    return valuation.cost_tests(counted, rates, declared=declared_after(given, found))


def spend_by(given: Case, found: roadmap.Roadmap, by: str) -> pd.DataFrame:
    """Return what the projects of a roadmap cost by year and by a column of the projects, with replacements.

    Parameters
    ----------
    given, found
        As for :func:`cost_tests`.
    by
        ``class_of_spend``, ``fund``, ``workstream`` or another column of the projects.

    Returns
    -------
    pd.DataFrame
        `kind` (capital, running), the column of `by`, `year`, `spend_keur` [kEUR/yr], not discounted.
    """
    columns = ["kind", by, "year", "spend_keur"]
    if found.schedule.empty:
        return pd.DataFrame(columns=columns)
    flows = valuation.project_flows(given.projects, last_year=found.choices.last_year, starts=starts_of(found))
    flows = flows[flows["stream"].isin(list(KINDS)) & (flows["year"] <= found.choices.last_year)]
    named = given.projects.set_index("project")[by].fillna("").astype(str) if by in given.projects else None
    rows = flows.assign(kind=flows["stream"].map(KINDS), spend_keur=-flows["value_keur"])
    rows = rows.assign(**{by: rows["project"].map(named) if named is not None else ""})
    return rows.groupby(columns[:3], sort=True, as_index=False)["spend_keur"].sum()


def present_totals(given: Case, found: roadmap.Roadmap, scenario: str) -> dict[str, float]:
    """Return present values of a roadmap.

    Returns
    -------
    dict
        `capital_keur`, `running_keur`, `residual_keur`, `cost_keur` (capital and running cost less what is left at the end; costs
        are positive), `benefit_keur` (simulated) and `npv_keur` [kEUR].
    """
    rates = valuation.discount(given.assumptions, found.choices.first_year)
    flows = cash_flows(given, found, scenario)
    counted = flows[flows["kind"] != "declared"]
    present = valuation.present_by(counted, rates).to_dict() if len(counted) else {}
    capital, running = (-present.pop(name, 0.0) for name in KINDS)
    left = present.pop("residual_value", 0.0)
    gain, cost = float(sum(present.values())), capital + running - left
    return {
        "capital_keur": capital,
        "running_keur": running,
        "residual_keur": left,
        "cost_keur": cost,
        "benefit_keur": gain,
        "npv_keur": gain - cost,
    }


def cumulative(given: Case, found: roadmap.Roadmap, scenario: str) -> pd.DataFrame:
    """Return costs and simulated benefits as they add up over the years, discounted.

    Returns
    -------
    pd.DataFrame
        `year`, `pv_costs_keur`, `pv_benefits_keur`, `npv_keur`: present values up to and with that year [kEUR]. What is left of
        the projects is taken off the costs of the last year.
    """
    years = np.arange(found.choices.first_year, found.choices.last_year + 1)
    rates = valuation.discount(given.assumptions, found.choices.first_year)
    flows = cash_flows(given, found, scenario)
    factors = valuation.discount_factors([*years, years[-1] + 1], rates)
    parts = {}
    for kind in ("cost", "simulated"):
        own = flows[flows["kind"] == kind]
        present = (own["value_keur"] * own["year"].map(factors)).groupby(own["year"].clip(upper=years[-1])).sum()
        parts[kind] = present.reindex(years, fill_value=0.0).astype(float).cumsum().to_numpy()
    costs, gains = 0.0 - parts["cost"], parts["simulated"]
    return pd.DataFrame({"year": years, "pv_costs_keur": costs, "pv_benefits_keur": gains, "npv_keur": gains - costs})


def bills(given: Case, found: roadmap.Roadmap, scenario: str, *, regulation: valuation.Regulation | None = None) -> pd.DataFrame:
    """Return what a roadmap adds to what customers pay, by year, in the money of each year.

    The revenue requirement is the return on and of what is in service, tax and running cost; handed on with it is what the plan
    saves the utility, less revenue that falls away. Costs are brought to the money of each year with the study's inflation,
    since the returns that a regulator allows are nominal. A project without an end of life is written off over the years of the
    assumption `depreciation_yr`.

    Parameters
    ----------
    given, found, scenario
        As for :func:`cost_tests`.
    regulation
        What the regulator allows on capital; by default that of the assumptions.

    Returns
    -------
    pd.DataFrame
        `year`, `depreciation_keur`, `interest_keur`, `equity_return_keur`, `tax_keur`, `opex_keur`, `revenue_requirement_keur`,
        `savings_keur`, `net_keur` [kEUR/yr], `per_customer` [currency/yr], `per_customer_month` [currency/month], and with a
        retail price `change_percent` [%] of what customers pay for electricity; no row if nothing is built or no customer known.
    """
    customers = customers_of(given)
    if found.schedule.empty or not customers > 0:
        return pd.DataFrame(columns=BILLED)
    last, years = found.choices.last_year, list(found.choices.years)
    life = given.projects["lifetime_yr"].fillna(given.assumptions["depreciation_yr"])
    projects = given.projects.assign(lifetime_yr=life)
    added = valuation.plant_additions(projects, last_year=last, starts=starts_of(found))
    grown = _grown(given, [*years, last + 1])
    added = added.assign(capex_keur=added["capex_keur"] * added["year"].map(grown).astype(float))
    flows = cash_flows(given, found, scenario)
    flows = flows[flows["year"].isin(years)].assign(value_keur=lambda table: table["value_keur"] * table["year"].map(grown))
    opex = -flows[flows["stream"] == "utility_opex"].groupby("year")["value_keur"].sum()
    allowed = regulation or valuation.regulation(given.assumptions)
    asked = valuation.revenue_requirement(added, opex.astype(float), allowed, last_year=last)
    saved = _saved(flows[flows["kind"] == "simulated"])
    paid = _paid(given, scenario, asked["year"].tolist(), grown)
    found_rates = valuation.rates_impact(asked, customers, savings=saved, revenue_keur=paid)
    both = asked.merge(found_rates.drop(columns="revenue_requirement_keur"), on="year")
    return both.reindex(columns=[name for name in BILLED if name in both])


def _saved(simulated: pd.DataFrame) -> pd.Series | None:
    """Return what customers are spared by year; None if no stream that counts in it flows."""
    table = valuation.bundled("cost_tests")
    counted = table[(table["test"] == "RIM") & table["side"].isin(["benefit", "cost"])]
    flowing = simulated[simulated["stream"].isin(counted["stream"])]
    return valuation.ratepayer_savings(flowing) if len(flowing) else None


def customers_of(given: Case) -> float:
    """Return the number of customers of the network."""
    return float(given.metrics.dropna(subset=["customers"]).drop_duplicates("area")["customers"].sum())


def _grown(given: Case, years: list[int]) -> pd.Series:
    """Return the price level of each year, that of the study's money being 1."""
    rate = given.assumptions["inflation_percent"] / 100
    return valuation.inflate(pd.Series(1.0, index=years), rate, given.money.price_year)


def _paid(given: Case, scenario: str, years: list[int], grown: pd.Series) -> pd.Series | None:
    """Return what customers pay for electricity without the plan, by year; None where the study does not say."""
    prices = given.tables["prices"]
    own = given.metrics[(given.metrics["scenario"] == scenario) & (given.metrics["option"] == NONE)]
    own = own.dropna(subset=["load_mwh"])
    if own.empty or not (prices["item"] == "retail_energy").any():
        return None
    sold = own[own["group"] == own["group"].iloc[0]].groupby("year")["load_mwh"].sum().sort_index()
    price = valuation.price_paths(prices, years, given.money, items={"retail_energy": "retail_energy"}).set_index("year")["value"]
    sales = np.interp(years, sold.index.to_numpy(float), sold.to_numpy(float))
    return pd.Series(sales * price.reindex(years).to_numpy(float) / 1000, index=years) * grown.reindex(years)
