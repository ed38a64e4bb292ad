"""Prices by year: dated tables with a source, brought to one currency and one price level."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from gridplan import tables
from gridplan.errors import ParameterError, Problem, suggest
from gridplan.valuation._sets import bundled

ROLES: dict[str, dict[str, float]] = {
    "wholesale_energy": {"per MWh": 1.0, "per kWh": 1000.0},
    "retail_energy": {"per MWh": 1.0, "per kWh": 1000.0},
    "loss_energy": {"per MWh": 1.0, "per kWh": 1000.0},
    "curtailed_energy": {"per MWh": 1.0, "per kWh": 1000.0},
    "capacity": {"per MW/yr": 1.0, "per kW/yr": 1000.0},
    "switching_operation": {"per operation": 1.0},
    "carbon_value": {"per tCO2": 1.0},
    "carbon_in_energy": {"per tCO2": 1.0},
    "emission_factor": {"tCO2/MWh": 1.0, "kgCO2/MWh": 0.001, "gCO2/kWh": 0.001},
}
"""What prices are for, and the units in which a table may give them, with the factor to the first."""

_MARKS = ("V", "V-computed", "2nd", "M")
NO_MONEY = ("emission_factor",)
"""Roles whose value is no money and knows no price level."""


@dataclass(frozen=True, eq=False)
class Money:
    """The currency and price level to which all prices are brought.

    Parameters
    ----------
    currency
        ISO 4217 code.
    price_year
        Year of the price level.
    price_index
        Index of that currency in `indices`, to move a price between years; needed only if a price is of another year.
    indices, rates
        Tables `price_indices` and `exchange_rates`; by default those that come with gridplan.
    levels
        Price level of amounts of money that come with the physical results, where it is another:
        ``{"interruption_cost_keur": 2017}``.
    """

    currency: str
    price_year: int
    price_index: str = ""
    indices: pd.DataFrame | None = None
    rates: pd.DataFrame | None = None
    levels: Mapping[str, int] = field(default_factory=dict)

    def factor(self, column: str) -> float:
        """Return the factor that brings a column of the physical results to the price level; 1 if it is of that level.

        Raises
        ------
        ParameterError
            The index does not hold both years.
        """
        year = self.levels.get(column, self.price_year)
        if year == self.price_year:
            return 1.0
        level = _level(self)
        problems = _level_problems(level, self, year, f"column '{column}'")
        if problems:
            raise ParameterError("price level", problems)
        return float(level[self.price_year] / level[year])


def price_paths(
    prices: pd.DataFrame, years: Iterable[int], money: Money, *, items: Mapping[str, str] | Iterable[str] = tuple(ROLES)
) -> pd.DataFrame:
    """Return each price for each year, at one price level and in one currency.

    Parameters
    ----------
    prices
        Table `prices`; :func:`bundled` gives one.
    years
        Years wanted.
    money
        Currency and price level of the answer.
    items
        Roles (:data:`ROLES`) that are wanted, or a mapping from roles to the items of the table that serve them; by default an
        item serves the role of its name.

    Returns
    -------
    pd.DataFrame
        `role`, `item`, `year`, `value`, `unit`, `currency`, `price_year`, `how`: ``given``, ``between`` (on a straight line
        between two rows), ``held`` (the last row goes on at that price level) or ``escalated`` (the last row goes on and
        changes each year by the percentage of the item ``<item>_escalation``, in real terms), `source`, `evidence` (between
        two rows those of both, the weaker mark).

    Raises
    ------
    StudyError
        The table is not as the column dictionary says.
    ParameterError
        An item is missing, has another unit, begins after the first year wanted, or cannot be brought to the price level or the
        currency because an index or a rate of that year is missing.
    """
    rows = tables.check({"prices": prices})["prices"]
    wanted = sorted({int(year) for year in years})
    named = dict(items) if isinstance(items, Mapping) else {role: role for role in items}
    problems = list(_item_problems(rows, named, wanted))
    if problems:
        raise ParameterError("prices", problems)
    moved = _at_level(rows[rows["item"].isin(list(named.values()))], money)
    parts = [_path(role, item, moved[moved["item"] == item], rows, wanted, money) for role, item in named.items()]
    return pd.concat(parts, ignore_index=True)


def _item_problems(rows: pd.DataFrame, named: Mapping[str, str], years: list[int]) -> Iterator[Problem]:
    if not years:
        yield Problem("years", "there is none", remedy="give the years for which prices are wanted")
        return
    for role, item in named.items():
        own = rows[rows["item"] == item]
        if role not in ROLES:
            yield Problem("items", f"'{role}' is no role of a price", remedy=suggest(role, ROLES))
        elif own.empty:
            near = suggest(item, rows["item"].unique())
            remedy = (
                near if near.startswith("did") else f"add rows '{item}' with their source, or name the item that serves as {role}"
            )
            yield Problem("prices", f"has no item '{item}'", column="item", remedy=remedy)
        else:
            allowed = ROLES[role]
            for at in own.index[~own["unit"].isin(list(allowed))]:
                what = f"'{own.loc[at, 'unit']}' is no unit of {role}"
                yield Problem("prices", what, row=int(at) + 2, column="unit", remedy=suggest("", allowed))
            bare = own.index[(own["currency"] == "") | own["price_year"].isna()] if role not in NO_MONEY else []
            for at in bare:
                yield Problem("prices", "has no currency or no price year", row=int(at) + 2, remedy="give both: it is money")
            if own["year"].min() > years[0]:
                what = f"item '{item}' begins in {own['year'].min()}, after {years[0]}"
                yield Problem("prices", what, column="year", remedy="add a row for that year; nothing is carried back")


def _at_level(rows: pd.DataFrame, money: Money) -> pd.DataFrame:
    """Return prices in the currency and at the price level wanted."""
    rates, level = _table("exchange_rates", money.rates), _level(money)
    per_eur = {key: own.set_index("year")["per_eur"] for key, own in rates.groupby("currency")}
    factors, problems = [], []
    for row in rows.itertuples():
        factor = 1.0
        if row.currency:
            factor, found = _factor(row, money, level, per_eur)
            problems += found
        factors.append(factor)
    if problems:
        raise ParameterError("prices", list({str(problem): problem for problem in problems}.values()))
    return rows.assign(value=rows["value"] * np.array(factors, dtype=float))


def _table(name: str, given: pd.DataFrame | None) -> pd.DataFrame:
    """Return a table that was given, checked, or the one that comes with gridplan."""
    return bundled(name) if given is None else tables.check({name: given})[name]


def _level(money: Money) -> pd.Series:
    """Return the price index of the money, by year."""
    index = _table("price_indices", money.indices)
    return index[index["price_index"] == money.price_index].set_index("year")["value"]


def _level_problems(level: pd.Series, money: Money, year: int, where: str) -> list[Problem]:
    """Return what is missing to move a price level from a year."""
    lacking = [str(wanted) for wanted in (year, money.price_year) if wanted not in level.index]
    what = f"index '{money.price_index}' has no value of {', '.join(lacking)}"
    remedy = "add it to price_indices with its source, or name another index"
    return [Problem(where, what, remedy=remedy)] if lacking else []


def _factor(row, money: Money, level: pd.Series, per_eur: Mapping[str, pd.Series]) -> tuple[float, list[Problem]]:
    """Return the factor from a row's own money: first its currency at the rate of its price year, then the level."""
    problems, factor, where = [], 1.0, f"item '{row.item}'"
    for currency, power in ((row.currency, -1), (money.currency, 1)):
        if row.currency != money.currency and currency != "EUR":
            own = per_eur.get(currency, pd.Series(dtype=float))
            if row.price_year in own.index:
                factor *= own[row.price_year] ** power
            else:
                what = f"exchange rate of {currency}: has no value of {row.price_year}"
                problems.append(Problem(where, what, remedy="add it to exchange_rates with its source"))
    if row.price_year != money.price_year:
        lacking = _level_problems(level, money, row.price_year, where)
        problems += lacking
        factor *= 1.0 if lacking else level[money.price_year] / level[row.price_year]
    return factor, problems


def _path(role: str, item: str, own: pd.DataFrame, rows: pd.DataFrame, years: list[int], money: Money) -> pd.DataFrame:
    """Return the path of one item."""
    units = ROLES[role]
    own = own.sort_values("year")
    value = own["value"] * own["unit"].map(units)
    found = np.interp(years, own["year"], value)
    last = int(own["year"].iloc[-1])
    growth = _escalation(rows, item, last, years)
    how = ["given" if year in set(own["year"]) else "between" if year < last else "held" for year in years]
    if growth is not None:
        found = found * growth
        how = ["escalated" if said == "held" else said for said in how]
    before = np.searchsorted(own["year"].to_numpy(), years, side="right") - 1
    after = np.searchsorted(own["year"].to_numpy(), years, side="left").clip(max=len(own) - 1)
    source, evidence = own["source"].to_numpy(), own["evidence"].to_numpy()
    money_free = role in NO_MONEY
    return pd.DataFrame(
        {
            "role": role,
            "item": item,
            "year": years,
            "value": found,
            "unit": next(iter(units)),
            "currency": "" if money_free else money.currency,
            "price_year": None if money_free else money.price_year,
            "how": how,
            "source": ["; ".join(dict.fromkeys((source[a], source[b]))) for a, b in zip(before, after, strict=True)],
            "evidence": [max(evidence[a], evidence[b], key=_MARKS.index) for a, b in zip(before, after, strict=True)],
        }
    ).astype({"price_year": "Int64"})


def _escalation(rows: pd.DataFrame, item: str, last: int, years: list[int]) -> np.ndarray | None:
    """Return by how much a price has grown since its last row, if the table says how it grows."""
    own = rows[rows["item"] == f"{item}_escalation"].sort_values("year")
    if own.empty:
        return None
    wrong = own.index[own["unit"] != "%/yr"]
    if len(wrong):
        raise ParameterError("prices", [Problem("prices", "an escalation is in %/yr", row=int(wrong[0]) + 2, column="unit")])
    ahead = np.arange(last + 1, max(years[-1], last + 1) + 1)
    place = np.clip(np.searchsorted(own["year"].to_numpy(), ahead, side="right") - 1, 0, None)
    grown = np.cumprod(1 + own["value"].to_numpy()[place] / 100)
    return np.array([1.0 if year <= last else grown[year - last - 1] for year in years])
