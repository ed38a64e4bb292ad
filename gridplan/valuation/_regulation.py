"""What a plan adds to the revenue that the utility must collect, and to what a customer pays."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from gridplan.errors import ParameterError, Problem
from gridplan.valuation._flows import checked, need, spread


@dataclass(frozen=True)
class Regulation:
    """What the regulator allows on capital.

    Parameters
    ----------
    equity_share
        Share of equity in the rate base [1].
    equity_return
        Return on equity after tax [1/yr].
    debt_rate
        Interest on debt [1/yr].
    tax_rate
        Tax on profits [1].
    rate_base
        ``opening``: the return is on the net plant at the start of the year; ``average``: on the mean of start and end.
    """

    equity_share: float
    equity_return: float
    debt_rate: float
    tax_rate: float
    rate_base: str = "opening"

    def __post_init__(self) -> None:
        problems = [
            Problem(name, f"{getattr(self, name)} is not from 0 to {high}{below}")
            for name, high, below in (
                ("equity_share", 1, ""),
                ("equity_return", 1, ""),
                ("debt_rate", 1, ""),
                ("tax_rate", 1, " (below 1)"),
            )
            if not 0 <= getattr(self, name) <= high or (name == "tax_rate" and self.tax_rate == 1)
        ]
        if self.rate_base not in ("opening", "average"):
            problems.append(Problem("rate_base", f"'{self.rate_base}' is not known", remedy="give 'opening' or 'average'"))
        if problems:
            raise ParameterError("regulation", problems)

    @property
    def wacc(self) -> float:
        """Weighted cost of capital: equity after tax, debt before tax [1/yr]."""
        return self.equity_share * self.equity_return + (1 - self.equity_share) * self.debt_rate


def regulation(assumptions: Mapping[str, float]) -> Regulation:
    """Return what the regulator allows, from the assumptions of a study.

    Parameters
    ----------
    assumptions
        `equity_share_percent`, `equity_return_percent`, `debt_rate_percent`, `tax_rate_percent` [%].
    """
    names = ("equity_share_percent", "equity_return_percent", "debt_rate_percent", "tax_rate_percent")
    return Regulation(*(assumptions[name] / 100 for name in names))


def revenue_requirement(additions: pd.DataFrame, opex: pd.Series | None, allowed: Regulation, *, last_year: int) -> pd.DataFrame:
    """Return what must be collected from customers for a plan: return on the rate base, depreciation, tax, O&M.

    All amounts are in one kind of money: with nominal returns, as regulators mostly set them, give nominal costs
    (:func:`inflate`).

    Parameters
    ----------
    additions
        What goes into service: `year` (in the rate base from its start on), `capex_keur` [kEUR], `lifetime_yr` (straight-line
        depreciation, rounded up to whole years) [yr].
    opex
        Running cost by year [kEUR/yr], or none.
    allowed
        What is allowed on capital.
    last_year
        Last year wanted.

    Returns
    -------
    pd.DataFrame
        One row a year from the first addition or running cost on: `year`, `rate_base_keur` [kEUR] (on which the return is
        earned), `depreciation_keur`, `interest_keur`, `equity_return_keur`, `tax_keur` (on profits, grossed up), `opex_keur`,
        `revenue_requirement_keur` [kEUR/yr].

    Raises
    ------
    ParameterError
        A column is missing, a cell is no number, a lifetime is nothing, or the last year lies before the first.
    """
    need(additions, "additions", [], ["year", "capex_keur", "lifetime_yr"])
    running = checked(opex, "opex") if opex is not None else pd.Series(dtype=float)
    firsts = [int(series.min()) for series in (additions["year"], running.index.to_series()) if len(series)]
    problems = [
        Problem("additions", f"{row.lifetime_yr:g} is not above 0 [yr]", row=int(row.Index) + 2, column="lifetime_yr")
        for row in additions.itertuples()
        if row.lifetime_yr <= 0
    ]
    if not firsts or last_year < min(firsts):
        problems.append(Problem("last_year", f"{last_year} leaves no year", remedy="give additions or running costs before it"))
    if problems:
        raise ParameterError("revenue requirement", problems)
    years = np.arange(min(firsts), last_year + 1)
    depreciation, base = _plant(additions, years, allowed.rate_base)
    equity = base * allowed.equity_share * allowed.equity_return
    found = pd.DataFrame(
        {
            "year": years,
            "rate_base_keur": base,
            "depreciation_keur": depreciation,
            "interest_keur": base * (1 - allowed.equity_share) * allowed.debt_rate,
            "equity_return_keur": equity,
            "tax_keur": equity * allowed.tax_rate / (1 - allowed.tax_rate),
            "opex_keur": spread(running, years).to_numpy(),
        }
    )
    parts = ["depreciation_keur", "interest_keur", "equity_return_keur", "tax_keur", "opex_keur"]
    return found.assign(revenue_requirement_keur=found[parts].sum(axis=1))


def _plant(additions: pd.DataFrame, years: np.ndarray, kind: str) -> tuple[np.ndarray, np.ndarray]:
    """Return depreciation and rate base by year."""
    life = np.ceil(additions["lifetime_yr"].to_numpy(dtype=float))[:, None]
    capex = additions["capex_keur"].to_numpy(dtype=float)[:, None]
    age = years[None, :] - additions["year"].to_numpy(dtype=float)[:, None]
    live = (age >= 0) & (age < life)
    depreciation = np.where(live, capex / life, 0.0)
    opening = np.where(live, capex * (1 - age / life), 0.0)
    base = opening if kind == "opening" else opening - depreciation / 2
    return depreciation.sum(axis=0), base.sum(axis=0)


def rates_impact(
    requirement: pd.DataFrame,
    customers: float | pd.Series,
    *,
    savings: pd.Series | None = None,
    sales_mwh: pd.Series | None = None,
    revenue_keur: pd.Series | None = None,
) -> pd.DataFrame:
    """Return what a plan changes in what customers pay.

    Parameters
    ----------
    requirement
        From :func:`revenue_requirement`.
    customers
        Number of customers, or that of each year.
    savings
        Costs of the utility that the plan saves, by year [kEUR/yr], handed on to customers; less revenue lost to lower sales,
        which the customers make up for. Years not given count as 0.
    sales_mwh
        Sales by year [MWh/yr], for the change of the mean price.
    revenue_keur
        Revenue without the plan by year [kEUR/yr], for the change in percent.

    Returns
    -------
    pd.DataFrame
        `year`, `revenue_requirement_keur`, `savings_keur`, `net_keur` [kEUR/yr], `per_customer` (units of the currency a year),
        `per_customer_month` (a month); with sales `per_mwh` [currency/MWh], with revenue `change_percent` [%].

    Raises
    ------
    ParameterError
        A year has no customers, sales or revenue.
    """
    need(requirement, "requirement", [], ["year", "revenue_requirement_keur"])
    years = requirement["year"].astype(int).to_numpy()
    given = {"customers": customers if isinstance(customers, pd.Series) else pd.Series(float(customers), index=years)}
    given |= {name: own for name, own in (("sales_mwh", sales_mwh), ("revenue_keur", revenue_keur)) if own is not None}
    _refuse_empty(given, years)
    asked = requirement["revenue_requirement_keur"].to_numpy(dtype=float)
    saved = np.zeros(len(years)) if savings is None else spread(savings, years).to_numpy(dtype=float)
    net = asked - saved
    head = given["customers"].reindex(years).to_numpy(dtype=float)
    found = pd.DataFrame({"year": years, "revenue_requirement_keur": asked, "savings_keur": saved, "net_keur": net})
    found = found.assign(per_customer=1000 * net / head, per_customer_month=1000 * net / head / 12)
    if sales_mwh is not None:
        found["per_mwh"] = 1000 * net / given["sales_mwh"].reindex(years).to_numpy(dtype=float)
    if revenue_keur is not None:
        found["change_percent"] = 100 * net / given["revenue_keur"].reindex(years).to_numpy(dtype=float)
    return found


def _refuse_empty(given: dict[str, pd.Series], years: np.ndarray) -> None:
    problems = []
    for name, series in given.items():
        own = series.reindex(years)
        bad = [str(year) for year, value in own.items() if not (math.isfinite(value) and value > 0)]
        if bad:
            problems.append(Problem(name, f"{', '.join(bad[:20])}: is missing or not above 0", remedy="give it for every year"))
    if problems:
        raise ParameterError("rates", problems)
