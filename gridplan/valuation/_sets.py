"""Sets of interruption costs: taken out of a table, checked, and read at any duration."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
import pandas as pd

from gridplan import tables
from gridplan.errors import ParameterError, Problem, StudyError, suggest

PER_KW = {"per_avg_kw": "p_avg_mw", "per_unserved_kwh": "p_avg_mw", "per_peak_kw": "p_peak_mw"}
"""Power that a basis multiplies; the basis per_event multiplies customers."""

_ONE_EACH = ("basis", "currency", "price_year", "interpolation")


@dataclass(frozen=True, eq=False)
class CostSet:
    """Costs of one survey or regulation, on one basis, in one currency, at one price level.

    Parameters
    ----------
    name
        Name of the set.
    basis
        ``per_event`` [currency], ``per_avg_kw``, ``per_peak_kw`` [currency/kW] or ``per_unserved_kwh`` [currency/kWh].
    currency
        ISO 4217 code.
    price_year
        Year of the price level.
    interpolation
        ``log`` (straight in the logarithms of cost and duration) or ``linear``.
    rows
        `customer_class`, `duration_h` [h], `cost` and what the table says of them, by class and duration.
    steps
        How the values were moved to this price level and currency, in words.
    """

    name: str
    basis: str
    currency: str
    price_year: int
    interpolation: str
    rows: pd.DataFrame
    steps: tuple[str, ...] = ()

    @property
    def unit(self) -> str:
        """Unit of :func:`unit_cost`."""
        per = {"per_event": "event", "per_peak_kw": "peak kW"}.get(self.basis, "average kW")
        return f"{self.currency} of {self.price_year} per {per}"


@cache
def _bundled(table: str) -> pd.DataFrame:
    return tables.check({table: tables.bundled("gridplan.valuation", table)})[table]


def bundled(table: str = "interruption_costs") -> pd.DataFrame:
    """Return a table that comes with gridplan, with source and evidence in each row.

    Parameters
    ----------
    table
        ``interruption_costs`` (ICE 1.0 and 2, RBTS, Norway, a German mean), ``price_indices``, ``exchange_rates``, ``prices``
        (carbon values, and prices of energy to be replaced by the utility's own), ``discount_rates`` or ``cost_tests``.

    Raises
    ------
    ParameterError
        There is no such table.
    """
    known = ("interruption_costs", "price_indices", "exchange_rates", "prices", "discount_rates", "cost_tests")
    if table not in known:
        raise ParameterError(
            "bundled table", [Problem("table", f"'{table}' does not come with gridplan", remedy=suggest(table, known))]
        )
    return _bundled(table).copy()


def sets(table: pd.DataFrame | None = None) -> pd.DataFrame:
    """Return which sets a table holds.

    Parameters
    ----------
    table
        Table `interruption_costs`; without it the one that comes with gridplan.

    Returns
    -------
    pd.DataFrame
        `set`, `basis`, `currency`, `price_year`, `classes` (how many), `shortest_h`, `longest_h` [h], `evidence` (the weakest).
    """
    rows = _checked(bundled() if table is None else table)
    rank = {mark: place for place, mark in enumerate(("V", "V-computed", "2nd", "M"))}
    groups = rows.groupby(["set", "basis", "currency", "price_year"], sort=False)
    found = groups.agg(
        classes=("customer_class", "nunique"),
        shortest_h=("duration_h", "min"),
        longest_h=("duration_h", "max"),
        evidence=("evidence", lambda marks: max(marks, key=rank.__getitem__)),
    )
    return found.reset_index()


def cost_set(table: pd.DataFrame, name: str | None = None, *, basis: str | None = None) -> CostSet:
    """Take one set of costs out of a table.

    Parameters
    ----------
    table
        Table `interruption_costs`; :func:`bundled` gives one.
    name
        Name of the set; not needed if the table holds one set only.
    basis
        Basis to use where the set is given on several.

    Returns
    -------
    CostSet

    Raises
    ------
    StudyError
        The table is not as the column dictionary says, or the set mixes currencies, price years or interpolations.
    ParameterError
        No such set or basis, or a choice is needed.
    """
    rows = _checked(table)
    name = _chosen(rows, "set", name, "the table")
    rows = rows[rows["set"] == name]
    basis = _chosen(rows, "basis", basis, f"set '{name}'")
    rows = rows[rows["basis"] == basis]
    _refuse_mixture(rows, name)
    first = rows.iloc[0]
    ordered = rows.sort_values(["customer_class", "duration_h"], ignore_index=True)
    return CostSet(name, basis, first["currency"], int(first["price_year"]), first["interpolation"], ordered)


def _checked(table: pd.DataFrame) -> pd.DataFrame:
    rows = tables.check({"interruption_costs": table})["interruption_costs"]
    zero = rows.index[rows["duration_h"] <= 0]
    if len(zero):
        where = [Problem("interruption_costs", "0 is not above 0 [h]", row=int(at) + 2, column="duration_h") for at in zero]
        raise StudyError("table 'interruption_costs'", where)
    return rows.assign(interpolation=rows["interpolation"].replace("", "log"))


def _chosen(rows: pd.DataFrame, column: str, wanted: str | None, holder: str) -> str:
    there = list(rows[column].unique())
    if wanted is None and len(there) == 1:
        return there[0]
    if wanted in there:
        return wanted
    what = f"{holder} holds {len(there)}" if wanted is None else f"'{wanted}' is not in {holder}"
    remedy = f"choose one of: {', '.join(there)}" if wanted is None else suggest(wanted, there)
    raise ParameterError("interruption costs", [Problem(column, what, remedy=remedy)])


def _refuse_mixture(rows: pd.DataFrame, name: str) -> None:
    found = {column: list(rows[column].unique()) for column in _ONE_EACH}
    mixed = {column: values for column, values in found.items() if len(values) > 1}
    remedy = "give one set one value throughout; name another set for the rest"
    problems = [
        Problem(f"set '{name}'", f"mixes {', '.join(map(str, values))}", column=column, remedy=remedy)
        for column, values in mixed.items()
    ]
    if problems:
        raise StudyError("table 'interruption_costs'", problems)


def unit_cost(
    costs: CostSet, customer_class: str | np.ndarray | pd.Series, duration_h: float | np.ndarray | pd.Series
) -> np.ndarray:
    """Return what one interruption costs, per event or per kW.

    Between two rows of a class the cost follows a power of the duration (a straight line in the logarithms of both), or a
    straight line where the set says so or a cost is 0. An interruption shorter than the shortest row costs what that row says:
    a momentary interruption has a cost of its own. Beyond the longest row the cost per event goes on with the slope of the last
    two rows. A class with a single row has that cost at every duration, on its own basis: a single cost per unserved kWh is a
    flat value of lost load. Costs per unserved kWh are first turned into costs per average kW.

    Parameters
    ----------
    costs
        Set of costs.
    customer_class
        Class, or one for each duration.
    duration_h
        Duration of the interruption [h].

    Returns
    -------
    np.ndarray
        Cost of one interruption in the set's currency: per event, per peak kW, or per average kW of demand (also for a set per
        unserved kWh).

    Raises
    ------
    ParameterError
        The set has no such class, or a duration is negative or not a number.

    Notes
    -----
    Interpolation in the logarithms of both is what the field does with sector customer damage functions [1]_, with the slope of
    the last two rows beyond the longest. It has a second merit: between rows, costs per event, per average kW and per unserved
    kWh that agree in the rows agree everywhere, since one is the other times the duration.

    References
    ----------
    .. [1] R. Billinton and P. Wang, "Distribution system reliability cost/worth analysis using analytical and sequential
       simulation techniques", IEEE Trans. Power Systems 13(4), 1998.

    Examples
    --------
    >>> ice = cost_set(bundled(), "ICE 1.0", basis="per_event")
    >>> unit_cost(ice, "residential", [0.01, 1.0, 20.0]).round(2).tolist()
    [3.9, 5.1, 40.0]
    """
    hours = np.atleast_1d(np.asarray(duration_h, dtype=float))
    names = np.broadcast_to(np.asarray(customer_class, dtype=object), hours.shape)
    codes, classes = pd.factorize(names.ravel())
    _refuse(costs, classes, hours)
    flat, found = hours.ravel(), np.empty(hours.size)
    for code, name in enumerate(classes):
        at = codes == code
        own = costs.rows[costs.rows["customer_class"] == name]
        found[at] = _curve(own["duration_h"].to_numpy(), own["cost"].to_numpy(), flat[at], costs)
    return found.reshape(hours.shape)


def _refuse(costs: CostSet, classes: pd.Index | np.ndarray, hours: np.ndarray) -> None:
    known = list(costs.rows["customer_class"].unique())
    missing = [str(name) for name in classes if name not in known]
    remedy = f"it has {', '.join(known)}; add rows that say which cost stands for the class"
    problems = [Problem(f"set '{costs.name}'", f"has no costs of the class '{name}'", remedy=remedy) for name in missing]
    if not (hours >= 0).all():
        worst = hours[~(hours >= 0)].flat[0]
        problems.append(Problem("duration_h", f"{worst} is not a duration of at least 0 [h]"))
    if problems:
        raise ParameterError("interruption costs", problems)


def _curve(knots: np.ndarray, cost: np.ndarray, hours: np.ndarray, costs: CostSet) -> np.ndarray:
    """Cost of an event at `hours` from the rows of one class, in order of duration."""
    per_kwh = costs.basis == "per_unserved_kwh"
    if len(knots) == 1:
        return cost[0] * hours if per_kwh else np.full(hours.shape, cost[0])
    event = cost * knots if per_kwh else cost
    found = np.interp(hours, knots, event)
    if costs.interpolation == "log":
        place = np.clip(np.searchsorted(knots, hours), 1, len(knots) - 1)
        low, high = event[place - 1], event[place]
        between = (hours > knots[0]) & (hours < knots[-1]) & (low > 0) & (high > 0)
        log = np.log(np.where(event > 0, event, 1.0))
        found[between] = np.exp(np.interp(np.log(hours[between]), np.log(knots), log))
    slope = max((event[-1] - event[-2]) / (knots[-1] - knots[-2]), 0.0)
    return found + slope * np.maximum(hours - knots[-1], 0.0)
