"""A utility's own outage log: yearly indices and major event days."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from gridplan import tables
from gridplan.errors import ParameterError, Problem, StudyError

YEARS = 5
"""Years of daily values that the method of IEEE 1366 takes."""


@dataclass(frozen=True)
class Threshold:
    """Threshold of a major event day.

    Parameters
    ----------
    alpha, beta
        Mean and sample standard deviation of the natural logarithms of the daily SAIDI [ln min].
    days
        Days with interruptions that they rest on.
    years
        Years of log that they rest on.
    """

    alpha: float
    beta: float
    days: int
    years: int

    @property
    def minutes(self) -> float:
        """Daily SAIDI above which a day is a major event day [min]; NaN if fewer than two days had interruptions."""
        return float(np.exp(self.alpha + 2.5 * self.beta))

    @property
    def provisional(self) -> bool:
        """Whether it rests on fewer than five years."""
        return self.years < YEARS


def threshold(daily_saidi_min: pd.Series) -> Threshold:
    """Return the threshold of major event days from daily values, by the 2.5 beta method.

    Parameters
    ----------
    daily_saidi_min
        SAIDI of each day [min], indexed by day; days without interruptions are 0 or absent. Of more than five years the last five
        are taken.

    Raises
    ------
    ParameterError
        A value is negative or missing.

    References
    ----------
    IEEE Std 1366-2012, clause 3.5 and annex B: five years of daily SAIDI, days of zero left out, T_MED = exp(alpha + 2.5 beta).

    Examples
    --------
    >>> days = pd.date_range("2024-01-01", periods=3)
    >>> found = threshold(pd.Series([1.0, np.e, np.e**2], index=days))
    >>> found.alpha, found.beta, found.provisional
    (1.0, 1.0, True)
    """
    values = daily_saidi_min.astype(float)
    if not (values >= 0).all():
        raise ParameterError("daily SAIDI", [Problem("daily_saidi_min", "holds values that are missing or below 0 [min]")])
    last = values.index.year.max() if len(values) else 0
    values = values[values.index.year > last - YEARS]
    logs = np.log(values[values > 0].to_numpy())
    alpha = float(logs.mean()) if len(logs) else np.nan
    beta = float(logs.std(ddof=1)) if len(logs) > 1 else np.nan
    return Threshold(alpha, beta, len(logs), int(last - values.index.year.min() + 1) if len(values) else 0)


def daily_indices(history: pd.DataFrame, customers: float | pd.Series, *, momentary_min: float = 5.0) -> pd.DataFrame:
    """Return SAIFI and SAIDI of every day of an outage log.

    Parameters
    ----------
    history
        Table `outage_history`: `start`, `planned`, `customers`, `duration_min` [min], and what else the column dictionary names.
        All minutes of an interruption belong to the day on which it starts. A restoration in steps has one row a step.
    customers
        Customers served, or a series of them by year.
    momentary_min
        Interruptions of at most this length are momentary and left out [min].

    Returns
    -------
    pd.DataFrame
        Indexed by day, from 1 January of the first year to 31 December of the last: `saifi` [1/d], `saidi_min` [min/d] of
        unplanned sustained interruptions, `planned_saidi_min` [min/d], `momentary` (momentary interruptions of a customer) [1/d].

    Raises
    ------
    StudyError
        The log is empty or not as the column dictionary says.
    ParameterError
        Customers are missing for a year, or not above 0.
    """
    log = _checked(history)
    day = log["start"].dt.normalize()
    served = _served(customers, day.dt.year)
    sustained, planned = log["duration_min"] > momentary_min, log["planned"].astype(bool)
    share, minutes = log["customers"] / served, log["customers"] * log["duration_min"] / served
    values = pd.DataFrame(
        {
            "saifi": share.where(sustained & ~planned, 0.0),
            "saidi_min": minutes.where(sustained & ~planned, 0.0),
            "planned_saidi_min": minutes.where(planned, 0.0),
            "momentary": share.where(~sustained & ~planned, 0.0),
        }
    )
    ends = f"{day.dt.year.min()}-01-01", f"{day.dt.year.max()}-12-31"
    return values.groupby(day).sum().reindex(pd.date_range(*ends, name="day"), fill_value=0.0)


def yearly_indices(history: pd.DataFrame, customers: float | pd.Series, *, momentary_min: float = 5.0) -> pd.DataFrame:
    """Return the indices of every year of an outage log, with and without major event days.

    The threshold of a year comes from the five years before it. Where the log has fewer years before it, those that there are are
    taken; for the first year that year itself. Such a threshold is marked as provisional.

    Parameters
    ----------
    history, customers, momentary_min
        As for :func:`daily_indices`.

    Returns
    -------
    pd.DataFrame
        `year`, `saifi` [1/yr], `saidi_min` [min/yr], `caidi_min` [min], `saifi_without_med`, `saidi_without_med_min`,
        `caidi_without_med_min` (major event days left out), `planned_saidi_min` [min/yr], `momentary_per_yr` (per customer)
        [1/yr], `major_event_days` [d], `med_threshold_min` [min/d], `threshold_years` (earlier years it rests on), `provisional`.

    Raises
    ------
    StudyError, ParameterError
        As for :func:`daily_indices`.

    References
    ----------
    IEEE Std 1366-2012, clause 3.5.
    """
    daily = daily_indices(history, customers, momentary_min=momentary_min)
    years = daily.index.year.unique()
    rows = [_year(daily, int(year), int(years[0])) for year in years]
    return pd.DataFrame(rows)


def _year(daily: pd.DataFrame, year: int, first: int) -> dict[str, object]:
    own = daily[daily.index.year == year]
    before = daily[(daily.index.year < year) & (daily.index.year >= year - YEARS)]
    limit = threshold((own if year == first else before)["saidi_min"])
    major = own["saidi_min"] > limit.minutes
    row: dict[str, object] = {"year": year}
    for tail, days in (("", own), ("_without_med", own[~major])):
        saifi, saidi = days["saifi"].sum(), days["saidi_min"].sum()
        caidi = saidi / saifi if saifi else np.nan
        row |= {f"saifi{tail}": saifi, f"saidi{tail}_min": saidi, f"caidi{tail}_min": caidi}
    return row | {
        "planned_saidi_min": own["planned_saidi_min"].sum(),
        "momentary_per_yr": own["momentary"].sum(),
        "major_event_days": int(major.sum()),
        "med_threshold_min": limit.minutes,
        "threshold_years": 0 if year == first else limit.years,
        "provisional": year == first or limit.provisional,
    }


def _checked(history: pd.DataFrame) -> pd.DataFrame:
    log = tables.check({"outage_history": history})["outage_history"]
    if log.empty:
        raise StudyError("table 'outage_history'", [Problem("outage_history", "has no rows", remedy="give the outage log")])
    return log


def _served(customers: float | pd.Series, years: pd.Series) -> pd.Series:
    if not isinstance(customers, pd.Series):
        customers = pd.Series(float(customers), index=years.unique())
    problems = [
        Problem(
            "customers", f"no number of customers above 0 for {year}", remedy="give the customers served in each year of the log"
        )
        for year in sorted(years.unique())
        if not customers.get(year, np.nan) > 0
    ]
    if problems:
        raise ParameterError("outage history", problems)
    return years.map(customers)
