"""Discount rates: constant or declining, real or nominal, with a stated base year and time of payment; annuities."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from gridplan import tables
from gridplan.errors import ParameterError, Problem, suggest
from gridplan.valuation._sets import bundled

TIMINGS = {"start": 0.0, "middle": 0.5, "end": 1.0}
"""When the money of a year flows, in years after its start."""

BASES = ("real", "nominal")


@dataclass(frozen=True)
class Discount:
    """How money of different years is made comparable.

    Present values are those at the start of `base_year`. Money of the year y flows y - `base_year` years later (`timing`
    start: the base year itself is not discounted, t = 0 comes first), half a year after that (middle) or a year after that
    (end: t = 1 comes first, as the function NPV of spreadsheets counts).

    Parameters
    ----------
    base_year
        Year at whose start present values stand.
    bands
        ``(from_yr, rate)``: from that year of the horizon on the rate [1] holds, until the next band. One band is a constant
        rate.
    basis
        ``real`` (for money at one price level) or ``nominal`` (for money of each year's own price level).
    timing
        ``start``, ``middle`` or ``end``.
    name
        Name of the schedule.
    """

    base_year: int
    bands: tuple[tuple[int, float], ...]
    basis: str = "real"
    timing: str = "start"
    name: str = ""

    def __post_init__(self) -> None:
        problems = [Problem("rate", said) for _, rate in self.bands if (said := _wrong_rate(rate))]
        starts = [start for start, _ in self.bands]
        if not starts or starts != sorted(set(starts)) or starts[0] > 1:
            problems.append(Problem("bands", f"start in the years {starts}", remedy="give them in order, the first from year 0"))
        for field, allowed in (("basis", BASES), ("timing", TIMINGS)):
            if getattr(self, field) not in allowed:
                problems.append(Problem(field, f"'{getattr(self, field)}' is not known", remedy=suggest("", allowed)))
        if problems:
            raise ParameterError("discounting", problems)

    @property
    def convention(self) -> str:
        """The rate, base year and time of payment as a sentence for a report."""
        rates = ", ".join(f"{100 * rate:g} % from year {start}" for start, rate in self.bands)
        rates = f"{100 * self.bands[0][1]:g} %" if len(self.bands) == 1 else rates
        named = f"{self.name}: " if self.name else ""
        return (
            f"{named}{rates} {self.basis}; present value at the start of {self.base_year}, flows at the {self.timing} of a year"
        )


def _wrong_rate(rate: float) -> str:
    """Return what is wrong with a rate, or nothing."""
    if not math.isfinite(rate):
        return f"{rate} is not a number"
    return "" if rate > -1 else f"{100 * rate:g} % is not above -100 %: nothing would be left to discount"


def _refuse(subject: str, rates: Iterable[tuple[str, float]], years: float | None = None) -> None:
    problems = [Problem(name, said) for name, rate in rates if (said := _wrong_rate(rate))]
    if years is not None and not (math.isfinite(years) and years > 0):
        problems.append(Problem("years", f"{years:g} is not above 0 [yr]", remedy="give a horizon of at least part of a year"))
    if problems:
        raise ParameterError(subject, problems)


def flat(rate: float, base_year: int, *, basis: str = "real", timing: str = "start") -> Discount:
    """Return a constant discount rate.

    Parameters
    ----------
    rate
        Rate [1]; 0.04 is 4 %.
    base_year
        Year at whose start present values stand.
    basis, timing
        As for :class:`Discount`.

    Raises
    ------
    ParameterError
        The rate is -100 % or below, or a choice is not known.

    Examples
    --------
    >>> flat(0.04, 2025).convention
    '4 % real; present value at the start of 2025, flows at the start of a year'
    """
    return Discount(base_year, ((0, rate),), basis, timing)


def discount(assumptions: Mapping[str, float], base_year: int, *, timing: str = "start") -> Discount:
    """Return the constant real discount rate of the assumptions of a study.

    Parameters
    ----------
    assumptions
        `discount_rate_percent` [%].
    base_year
        Year at whose start present values stand.
    timing
        As for :class:`Discount`.
    """
    return flat(assumptions["discount_rate_percent"] / 100, base_year, timing=timing)


def schedule(name: str, base_year: int, *, table: pd.DataFrame | None = None, timing: str = "start") -> Discount:
    """Return a published discount rate, constant or declining.

    Parameters
    ----------
    name
        Name of the schedule in the table.
    base_year
        Year at whose start present values stand.
    table
        Table `discount_rates`; by default the one that comes with gridplan.
    timing
        As for :class:`Discount`.

    Raises
    ------
    StudyError
        The table is not as the column dictionary says.
    ParameterError
        No such schedule, or it mixes real and nominal.

    Examples
    --------
    >>> schedule("UK Green Book", 2025).bands[:3]
    ((0, 0.035), (31, 0.03), (76, 0.025))
    """
    rows = bundled("discount_rates") if table is None else tables.check({"discount_rates": table})["discount_rates"]
    own = rows[rows["schedule"] == name].sort_values("from_yr")
    if own.empty:
        what = f"'{name}' is not in the table of discount rates"
        raise ParameterError("discounting", [Problem("schedule", what, remedy=suggest(name, rows["schedule"].unique()))])
    if len(own["basis"].unique()) > 1:
        raise ParameterError("discounting", [Problem(f"schedule '{name}'", "mixes real and nominal rates", column="basis")])
    bands = tuple((int(row.from_yr), row.rate_percent / 100) for row in own.itertuples())
    return Discount(base_year, bands, own["basis"].iloc[0], timing, name)


def nominal_rate(real: float, inflation: float) -> float:
    """Return the nominal rate of a real rate and inflation: (1 + real)(1 + inflation) - 1.

    Parameters
    ----------
    real, inflation
        Real rate and general inflation [1/yr].

    Raises
    ------
    ParameterError
        One of them is -100 % or below.

    Examples
    --------
    >>> round(nominal_rate(0.04, 0.02), 4)
    0.0608
    """
    _refuse("nominal rate", [("real", real), ("inflation", inflation)])
    return (1 + real) * (1 + inflation) - 1


def real_rate(nominal: float, inflation: float) -> float:
    """Return the real rate of a nominal rate and inflation: (1 + nominal) / (1 + inflation) - 1.

    Parameters
    ----------
    nominal, inflation
        Nominal rate and general inflation [1/yr].

    Raises
    ------
    ParameterError
        One of them is -100 % or below.
    """
    _refuse("real rate", [("nominal", nominal), ("inflation", inflation)])
    return (1 + nominal) / (1 + inflation) - 1


def nominal(discount: Discount, inflation: float) -> Discount:
    """Return the nominal counterpart of a real discount rate; :func:`inflate` does the same to the flows.

    Parameters
    ----------
    discount
        Real discounting.
    inflation
        General inflation [1/yr].

    Raises
    ------
    ParameterError
        The discounting is nominal already, or the inflation is -100 % or below.
    """
    if discount.basis == "nominal":
        raise ParameterError("nominal rate", [Problem("discount", "is nominal already", remedy="give the real one")])
    bands = tuple((start, nominal_rate(rate, inflation)) for start, rate in discount.bands)
    return replace(discount, bands=bands, basis="nominal")


def inflate(flows: pd.Series, inflation: float, price_year: int, *, timing: str = "start") -> pd.Series:
    """Return flows at one price level in the money of each year.

    Parameters
    ----------
    flows
        Amounts by year at the price level of the start of `price_year`.
    inflation
        General inflation [1/yr].
    price_year
        Year of the price level.
    timing
        When the money of a year flows, as for :class:`Discount`; give the same as there.

    Raises
    ------
    ParameterError
        The inflation is -100 % or below.
    """
    _refuse("inflation", [("inflation", inflation)])
    age = np.asarray(flows.index, dtype=float) - price_year + TIMINGS[timing]
    return flows * (1 + inflation) ** age


def discount_factors(years: Iterable[int], discount: Discount) -> pd.Series:
    """Return the present value of 1 in each year.

    Parameters
    ----------
    years
        Calendar years, none before the base year.
    discount
        Discounting.

    Returns
    -------
    pd.Series
        Factor [1] by year.

    Raises
    ------
    ParameterError
        A year lies before the base year: what was spent then is sunk.

    Examples
    --------
    >>> discount_factors([2025, 2026], flat(0.25, 2025)).round(4).tolist()
    [1.0, 0.8]
    """
    index = pd.Index(list(years), name="year", dtype=int)
    early = [str(year) for year in index if year < discount.base_year]
    if early:
        what = f"{', '.join(early[:20])} lies before the base year {discount.base_year}"
        raise ParameterError(
            "discounting", [Problem("years", what, remedy="leave out what is sunk, or take an earlier base year")]
        )
    time = index.to_numpy(dtype=float) - discount.base_year + TIMINGS[discount.timing]
    last = int(np.ceil(time.max())) + 1 if len(time) else 1
    steps = np.arange(1, last + 1)
    starts = np.array([start for start, _ in discount.bands])
    rates = np.array([rate for _, rate in discount.bands])[np.searchsorted(starts, steps, side="right") - 1]
    grown = np.concatenate([[0.0], np.cumsum(np.log1p(rates))])
    return pd.Series(np.exp(-np.interp(time, np.arange(last + 1), grown)), index=index)


def annuity_factor(rate: float, years: float) -> float:
    """Return the present value of 1 at the end of each of a number of years.

    Parameters
    ----------
    rate
        Constant rate [1].
    years
        Number of years, above 0 [yr].

    Raises
    ------
    ParameterError
        The rate is -100 % or below, or there is no year.

    Examples
    --------
    >>> round(annuity_factor(0.10, 10), 4)
    6.1446
    """
    _refuse("annuity", [("rate", rate)], years)
    return years if rate == 0 else float(-np.expm1(-years * np.log1p(rate)) / rate)


def capital_recovery(rate: float, years: float) -> float:
    """Return the capital recovery factor: the amount at the end of each year that pays back 1 with interest.

    CRF = r (1 + r)^n / ((1 + r)^n - 1), one over the annuity factor.

    Parameters
    ----------
    rate
        Constant rate [1].
    years
        Number of years, above 0 [yr].

    Raises
    ------
    ParameterError
        As for :func:`annuity_factor`.

    Examples
    --------
    >>> round(capital_recovery(0.08, 20), 5)
    0.10185
    """
    return 1.0 / annuity_factor(rate, years)
