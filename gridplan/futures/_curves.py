"""S-curves of adoption and the growth of what is there."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd

from gridplan.futures._inputs import Inputs, check
from gridplan.study import Study


def logistic(
    years: np.ndarray | Iterable[int], start: float, saturation: float, *, midpoint: float, rate: float, base_year: float
) -> np.ndarray:
    """S-curve that starts exactly at `start` in the base year and tends to `saturation`.

    The logistic ``s(t) = 1 / (1 + exp(-rate (t - midpoint)))``, shifted and stretched so that it is zero in the base year:
    ``start + (saturation - start) (s(t) - s(base)) / (1 - s(base))``.

    Parameters
    ----------
    years
        Years wanted.
    start, saturation
        Level in the base year and in the far future, in the unit wanted back.
    midpoint
        Year of the steepest growth.
    rate
        How fast [1/yr]: from a tenth to nine tenths of an unshifted curve it takes ``4.4 / rate`` years.
    base_year
        Year of `start`.

    Examples
    --------
    >>> logistic([2025, 2200], 3.0, 80.0, midpoint=2033, rate=0.3, base_year=2025).tolist()
    [3.0, 80.0]
    """
    at = np.asarray(years, float)
    here, base = (1 / (1 + np.exp(-rate * (t - midpoint))) for t in (at, base_year))
    return start + (saturation - start) * (here - base) / (1 - base)


def shares(study: Study, scenarios: Iterable[str] | None = None) -> pd.DataFrame:
    """Adoption along the S-curves, year by year.

    Parameters
    ----------
    study
        As for :func:`check`.
    scenarios
        Names; all of the study if not given.

    Returns
    -------
    pd.DataFrame
        `scenario`, `technology`, `customer_class`, `year`, `adoption_percent` of what the customers of the class can take.
    """
    inputs = check(study)
    names = list(inputs.scenarios.index) if scenarios is None else list(scenarios)
    parts = [
        pd.DataFrame(
            {"scenario": name, "technology": row.technology, "customer_class": row.customer_class, "year": years}
        ).assign(adoption_percent=curve(row, years, inputs.base_year))
        for name in names
        for years in [np.array(inputs.years(name))]
        for row in inputs.adoption[inputs.adoption["scenario"] == name].itertuples()
    ]
    columns = ["scenario", "technology", "customer_class", "year", "adoption_percent"]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=columns)


def curve(row: tuple, years: np.ndarray | Iterable[int], base_year: int) -> np.ndarray:
    """Adoption [%] of one row of the table ``adoption``."""
    ends = {"midpoint": row.midpoint_year, "rate": row.rate_per_yr, "base_year": base_year}
    return logistic(years, row.start_percent, row.saturation_percent, **ends)


def growth_factors(inputs: Inputs, scenario: str, year: int) -> pd.Series:
    """Demand of a customer relative to the base year, by class [1].

    A rate of ``load_growth`` holds from the year it names until the next row of its class; the first year that grows is the one
    after the base year.
    """
    rows = inputs.load_growth[inputs.load_growth["scenario"] == scenario]
    factors = dict.fromkeys(inputs.customers["customer_class"].unique(), 1.0)
    for name, given in rows.sort_values("from_year").groupby("customer_class"):
        for current in range(inputs.base_year + 1, year + 1):
            begun = given.loc[given["from_year"] <= current, "percent_per_yr"]
            factors[name] = factors.get(name, 1.0) * (1 + (begun.iloc[-1] / 100 if len(begun) else 0.0))
    return pd.Series(factors, dtype=float)


def bus_growth(inputs: Inputs, scenario: str, year: int) -> pd.Series:
    """Demand relative to the base year by bus [1], the classes weighted by their annual demand; only buses with customers."""
    table = inputs.customers
    weight = table["customers"] * table["customer_class"].map(inputs.classes).astype(float).fillna(0.0)
    if weight.sum() == 0:
        return pd.Series(dtype=float)
    grown = weight * table["customer_class"].map(growth_factors(inputs, scenario, year))
    sums = pd.DataFrame({"now": weight, "then": grown}).groupby(table["bus"]).sum()
    sums = sums[sums["now"] > 0]
    return sums["then"] / sums["now"]
