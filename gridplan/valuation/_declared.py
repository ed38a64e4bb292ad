"""Benefits that the physics cannot show: declared with their source, and reported apart."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from gridplan import tables
from gridplan.errors import ParameterError, Problem, suggest
from gridplan.valuation._flows import need

_COLUMNS = ["benefit", "kind", "item", "area", "stream", "year", "declared_keur", "source", "evidence"]


def declared(table: pd.DataFrame, delivered: pd.DataFrame, *, last_year: int, customers: pd.Series | None = None) -> pd.DataFrame:
    """Return declared benefits by year, from when on what brings them is in service.

    Parameters
    ----------
    table
        Table `declared_benefits`.
    delivered
        What is in service: `kind` (``project`` or ``application``), `item`, `area` (empty for the whole network), `year` (the
        first in service). What is not named brings nothing.
    last_year
        Last year of the horizon.
    customers
        Number of customers by area, for benefits per customer.

    Returns
    -------
    pd.DataFrame
        `benefit`, `kind`, `item`, `area`, `stream`, `year`, `declared_keur` [kEUR/yr], `source`, `evidence`. A benefit without
        an area comes once, with the first area served; a benefit of an area comes when that area, or the whole network, is
        served.

    Raises
    ------
    StudyError
        The table is not as the column dictionary says.
    ParameterError
        A benefit per customer has no number of customers, or a column of `delivered` is missing.
    """
    rows = tables.check({"declared_benefits": table})["declared_benefits"]
    need(delivered, "delivered", ["kind", "item", "area"], ["year"])
    problems = list(_problems(rows, customers))
    if problems:
        raise ParameterError("declared benefits", problems)
    found = [_yearly(row, delivered, last_year, customers) for row in rows.itertuples()]
    found = [part for part in found if len(part)]
    return pd.concat(found, ignore_index=True) if found else pd.DataFrame(columns=_COLUMNS)


def _problems(rows: pd.DataFrame, customers: pd.Series | None) -> Iterator[Problem]:
    for row in rows.itertuples():
        if row.unit != "per customer/yr":
            continue
        at = int(row.Index) + 2
        if customers is None:
            yield Problem("declared_benefits", "is per customer", row=at, column="unit", remedy="give the number of customers")
        elif row.area and row.area not in customers.index:
            remedy = suggest(row.area, customers.index)
            yield Problem(
                "declared_benefits", f"area '{row.area}' has no number of customers", row=at, column="area", remedy=remedy
            )


def _yearly(row, delivered: pd.DataFrame, last_year: int, customers: pd.Series | None) -> pd.DataFrame:
    """Return one declared benefit by year."""
    own = delivered[(delivered["kind"] == row.kind) & (delivered["item"] == row.item)]
    if row.area:
        own = own[own["area"].fillna("").isin([row.area, ""])]
    if own.empty:
        return pd.DataFrame(columns=_COLUMNS)
    first = int(own["year"].min()) + int(row.first_year_offset_yr)
    amount = row.value
    if row.unit == "per customer/yr":
        amount *= (customers.loc[row.area] if row.area else customers.sum()) / 1000
    years = np.arange(first, last_year + 1)
    told = {name: getattr(row, name) for name in ("benefit", "kind", "item", "area", "stream", "source", "evidence")}
    return pd.DataFrame({"year": years, "declared_keur": float(amount)}).assign(**told)[_COLUMNS]
