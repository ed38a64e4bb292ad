"""Present value, internal rates of return, payback, equivalent annual amounts."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import optimize

from gridplan.errors import ParameterError, Problem
from gridplan.valuation._discount import Discount, discount_factors
from gridplan.valuation._flows import checked, spread

_ZERO = 1e-12  # share of the sum of all amounts below which a net present value is nought
_SAME = 1e-7  # rates that differ by less, relative to 1 + rate, are one
_DEPTH = 48  # halvings of (0, 1] after which roots are one


@dataclass(frozen=True)
class InternalRates:
    """Every internal rate of return of a series of flows.

    Parameters
    ----------
    rates
        Rates above -100 % [1] at which the net present value is nought, in order; none, one or several.
    """

    rates: tuple[float, ...]

    @property
    def value(self) -> float:
        """The rate [1] if there is exactly one, else not a number."""
        return self.rates[0] if len(self.rates) == 1 else math.nan

    @property
    def words(self) -> str:
        """The answer for a reader."""
        said = ", ".join(f"{100 * rate:.1f} %" for rate in self.rates)
        if not self.rates:
            return "no internal rate: the net present value is never nought; judge by the net present value"
        return said if len(self.rates) == 1 else f"{len(self.rates)} internal rates ({said}): judge by the net present value"


def present_value(flows: pd.Series, discount: Discount) -> float:
    """Return the present value of amounts by year.

    Parameters
    ----------
    flows
        Amount by year; every year from the first to the last.
    discount
        Discounting, with base year and time of payment.

    Raises
    ------
    ParameterError
        There is no year, a year is missing, an amount is not a number, or a year lies before the base year.

    Examples
    --------
    >>> from gridplan import valuation
    >>> flows = pd.Series([-40000.0, 5000, 8000, 12000, 30000], index=range(2025, 2030))
    >>> round(present_value(flows, valuation.flat(0.08, 2025)), 2)
    3065.22
    """
    values = checked(flows)
    return float(values @ discount_factors(values.index, discount))


def equivalent_annual(present: float, discount: Discount, years: int) -> float:
    """Return the equal amount at the end of each year from the base year on that has a given present value.

    Parameters
    ----------
    present
        Present value at the start of the base year.
    discount
        Discounting; at a constant rate the answer is the present value times :func:`capital_recovery`.
    years
        Number of years.

    Raises
    ------
    ParameterError
        There is no year.
    """
    if years < 1:
        raise ParameterError("equivalent annual amount", [Problem("years", f"{years} is not at least 1 [yr]")])
    ends = Discount(discount.base_year, discount.bands, discount.basis, "end")
    return present / float(discount_factors(range(discount.base_year, discount.base_year + years), ends).sum())


def irr(flows: pd.Series) -> InternalRates:
    """Return every internal rate of return.

    Parameters
    ----------
    flows
        Net amount by year; every year from the first to the last.

    Returns
    -------
    InternalRates
        All rates above -100 %; flows whose sign changes more than once can have several.

    Raises
    ------
    ParameterError
        There is no year, a year is missing or an amount is not a number.

    Notes
    -----
    With v = 1 / (1 + r) the net present value is a polynomial in v. Its roots in (0, 1) are positive rates, those of the
    polynomial with its coefficients reversed negative ones. Each interval is halved until the number of sign changes of the
    Bernstein coefficients proves that it holds no root or exactly one (Vincent, Collins and Akritas), so that no rate is
    missed and none invented. A rate at which the value touches nought without a change of sign is reported once.

    Examples
    --------
    >>> irr(pd.Series([-100.0, 39, 59, 55, 20])).words
    '28.1 %'
    >>> irr(pd.Series([-252.0, 1431, -3035, 2850, -1000])).words
    '4 internal rates (25.0 %, 33.3 %, 42.9 %, 66.7 %): judge by the net present value'
    """
    values = checked(flows).to_numpy()
    filled = np.flatnonzero(np.abs(values) > _ZERO * np.abs(values).sum())
    if len(filled) == 0 or (values[filled] > 0).all() or (values[filled] < 0).all():
        return InternalRates(())
    values = values[filled[0] : filled[-1] + 1] / np.abs(values).sum()
    above = [1 / v - 1 for v in _roots(values)]
    below = [w - 1 for w in _roots(values[::-1])]
    nought = [0.0] if abs(values.sum()) < _ZERO else []
    rates = sorted([*below, *nought, *above])
    return InternalRates(tuple(rate for at, rate in enumerate(rates) if at == 0 or rate - rates[at - 1] > _SAME * (1 + rate)))


def _roots(ascending: np.ndarray) -> list[float]:
    """Return the roots of a polynomial in (0, 1), coefficients in ascending order with the first not 0."""
    degree = len(ascending) - 1
    share = [[math.comb(j, i) / math.comb(degree, i) if i <= j else 0.0 for i in range(degree + 1)] for j in range(degree + 1)]
    bernstein = np.array(share) @ ascending
    if abs(bernstein[-1]) < _ZERO:
        bernstein[-1] = 0.0
    found: list[float] = []
    stack = [(0.0, 1.0, bernstein, 0)]
    while stack:
        low, high, own, depth = stack.pop()
        changes = _changes(own)
        middle = (low + high) / 2
        if changes == 0:
            continue
        if changes == 1 and own[0] * own[-1] < 0:
            found.append(_between(ascending, low, high))
        elif depth == _DEPTH:
            found += [middle] if changes == 1 or abs(_value(ascending, middle)) < _ZERO else []
        else:
            left, right = _halved(own)
            if left[-1] == 0:
                found.append(middle)
            stack += [(low, middle, left, depth + 1), (middle, high, right, depth + 1)]
    return found


def _changes(own: np.ndarray) -> int:
    signs = np.sign(own[own != 0])
    return int((signs[1:] != signs[:-1]).sum())


def _value(ascending: np.ndarray, at: float) -> float:
    return float(np.polynomial.polynomial.polyval(at, ascending))


def _between(ascending: np.ndarray, low: float, high: float) -> float:
    """Return the only root between two ends; where rounding hides the change of sign, the nearer end."""
    ends = _value(ascending, low), _value(ascending, high)
    if ends[0] * ends[1] >= 0:
        return low if abs(ends[0]) < abs(ends[1]) else high
    return float(optimize.brentq(lambda v: _value(ascending, v), low, high, xtol=1e-15, rtol=1e-14))


def _halved(own: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the Bernstein coefficients of both halves (de Casteljau)."""
    rows = [own]
    while len(rows[-1]) > 1:
        rows.append((rows[-1][:-1] + rows[-1][1:]) / 2)
    return np.array([row[0] for row in rows]), np.array([row[-1] for row in rows[::-1]])


def payback(flows: pd.Series, discount: Discount | None = None) -> float:
    """Return after how many years the flows have paid back for good.

    Parameters
    ----------
    flows
        Net amount by year; every year from the first to the last.
    discount
        Discounting for the discounted payback; without it the simple one.

    Returns
    -------
    float
        Years from the first year's flow; within a year the amount is taken to come evenly. It counts from when on the sum stays
        at or above nought: a replacement that makes it negative again puts payback off. 0 if the sum never is negative, not a
        number if the flows do not pay back.

    Raises
    ------
    ParameterError
        As for :func:`present_value`.

    Examples
    --------
    >>> round(payback(pd.Series([-100.0, 30, 30, 30, 30])), 2)
    3.33
    """
    values = checked(flows)
    if discount is not None:
        values = values * discount_factors(values.index, discount)
    total = values.cumsum().to_numpy()
    short = np.flatnonzero(total < -_ZERO * np.abs(values).sum())
    if len(short) == 0:
        return 0.0
    last = short[-1]
    if last == len(total) - 1:
        return math.nan
    return float(last - total[last] / (total[last + 1] - total[last]))


def appraise(benefits: pd.Series, costs: pd.Series, discount: Discount) -> pd.DataFrame:
    """Judge benefits against costs.

    Parameters
    ----------
    benefits, costs
        Amounts by year [kEUR], both positive; operation and maintenance belong to the costs, and a residual value lowers them.
        Years that only one of them has count as 0 in the other.
    discount
        Discounting.

    Returns
    -------
    pd.DataFrame
        One row: `pv_benefits_keur`, `pv_costs_keur`, `npv_keur` [kEUR], `bcr` [1] (missing without costs), `irr_percent` [%]
        (missing unless there is exactly one), `irr_count`, `irr_words`, `payback_yr`, `discounted_payback_yr` [yr],
        `annual_keur_per_yr` (equivalent annual net value) [kEUR/yr], `convention`.

    Raises
    ------
    ParameterError
        As for :func:`present_value`.
    """
    gains, spent = checked(benefits, "benefits"), checked(costs, "costs")
    years = range(min(gains.index[0], spent.index[0]), max(gains.index[-1], spent.index[-1]) + 1)
    gains, spent = spread(gains, years), spread(spent, years)
    net, pv_gains, pv_spent = gains - spent, present_value(gains, discount), present_value(spent, discount)
    rates = irr(net)
    row = {
        "pv_benefits_keur": pv_gains,
        "pv_costs_keur": pv_spent,
        "npv_keur": pv_gains - pv_spent,
        "bcr": ratio(pv_gains, pv_spent),
        "irr_percent": 100 * rates.value,
        "irr_count": len(rates.rates),
        "irr_words": rates.words,
        "payback_yr": payback(net),
        "discounted_payback_yr": payback(net, discount),
        "annual_keur_per_yr": equivalent_annual(pv_gains - pv_spent, discount, years[-1] - discount.base_year + 1),
        "convention": discount.convention,
    }
    return pd.DataFrame([row])


def ratio(gains: float, spent: float) -> float:
    """Return benefits over costs; not a number where there are no costs to compare with."""
    return gains / spent if spent > 0 else math.nan
