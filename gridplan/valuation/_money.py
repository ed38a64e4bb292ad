"""Price level and currency of a set of costs, moved only with dated tables."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd

from gridplan import tables
from gridplan.errors import ParameterError, Problem, suggest
from gridplan.valuation._sets import CostSet


def escalate(costs: CostSet, year: int, indices: pd.DataFrame, *, price_index: str) -> CostSet:
    """Return the costs at the price level of another year.

    Parameters
    ----------
    costs
        Set of costs.
    year
        Price level wanted.
    indices
        Table `price_indices`: `price_index`, `year`, `value`, `source`, `evidence`.
    price_index
        Index to use, one of the costs' own currency.

    Raises
    ------
    StudyError
        The table is not as the column dictionary says.
    ParameterError
        The index does not hold both years; nothing is extrapolated.

    Examples
    --------
    >>> from gridplan import valuation
    >>> ice = valuation.cost_set(valuation.bundled(), "ICE 1.0", basis="per_event")
    >>> now = escalate(ice, 2024, valuation.bundled("price_indices"), price_index="US CPI-U")
    >>> now.steps
    ('2013 to 2024 with US CPI-U: times 1.3466',)
    """
    rows = tables.check({"price_indices": indices})["price_indices"]
    own = rows[rows["price_index"] == price_index].set_index("year")["value"]
    if own.empty:
        what = f"'{price_index}' is not in the table of price indices"
        raise ParameterError(
            "price level", [Problem("price_index", what, remedy=suggest(price_index, rows["price_index"].unique()))]
        )
    _need(own, [costs.price_year, year], f"index '{price_index}'")
    factor = own[year] / own[costs.price_year]
    step = f"{costs.price_year} to {year} with {price_index}: times {factor:.4f}"
    return _scaled(costs, factor, step, price_year=year)


def convert(costs: CostSet, currency: str, rates: pd.DataFrame) -> CostSet:
    """Return the costs in another currency, at the mean exchange rate of their price year.

    Parameters
    ----------
    costs
        Set of costs.
    currency
        Currency wanted, ISO 4217 code.
    rates
        Table `exchange_rates`: `currency`, `year`, `per_eur` [currency/EUR], `source`, `evidence`. EUR needs no row.

    Raises
    ------
    StudyError
        The table is not as the column dictionary says.
    ParameterError
        A rate of that year is missing; no other year's is taken.
    """
    rows = tables.check({"exchange_rates": rates})["exchange_rates"]
    if currency == costs.currency:
        return costs
    per_eur = {}
    for name in (costs.currency, currency):
        own = rows[rows["currency"] == name].set_index("year")["per_eur"]
        if name != "EUR":
            _need(own, [costs.price_year], f"exchange rate of {name}")
        per_eur[name] = 1.0 if name == "EUR" else own[costs.price_year]
    factor = per_eur[currency] / per_eur[costs.currency]
    step = f"{costs.currency} to {currency} at the mean rate of {costs.price_year}: times {factor:.4f}"
    return _scaled(costs, factor, step, currency=currency)


def _need(own: pd.Series, years: list[int], what: str) -> None:
    known = ", ".join(map(str, sorted(own.index))) or "no year"
    missing = [year for year in dict.fromkeys(years) if year not in own.index]
    problems = [Problem(what, f"has no value of {year}", remedy=f"add it with its source; there is {known}") for year in missing]
    if problems:
        raise ParameterError("price level", problems)


def _scaled(costs: CostSet, factor: float, step: str, **changes: object) -> CostSet:
    rows = costs.rows.assign(cost=costs.rows["cost"] * factor, **changes)
    return replace(costs, rows=rows, steps=(*costs.steps, step), **changes)
