"""Which bus gets how many units, and in which order."""

from __future__ import annotations

import zlib
from collections.abc import Iterator

import numpy as np
import pandas as pd
from pandapower.auxiliary import pandapowerNet

from gridplan.futures._curves import curve
from gridplan.futures._inputs import NAMED, Inputs, check
from gridplan.study import Study

COLUMNS = ["technology", "customer_class", "bus", "units"]


def apportion(weights: pd.Series, total: int) -> pd.Series:
    """Round shares of a total to whole numbers that add up to it (largest remainders; ties go to the first).

    Parameters
    ----------
    weights
        0 or more, any scale.
    total
        Whole number to be shared out.

    Examples
    --------
    >>> apportion(pd.Series([2.0, 1.0, 1.0]), 5).tolist()
    [3, 1, 1]
    """
    if weights.sum() <= 0:
        return pd.Series(0, index=weights.index, dtype=int)
    quota = weights * (total / weights.sum())
    counts = np.floor(quota + 1e-9).astype(int)
    largest = (quota - counts).sort_values(ascending=False, kind="stable").index[: total - int(counts.sum())]
    counts[largest] += 1
    return counts


def order(sites: pd.Series, *, allocation: str, seed: int = 0, clustering: float = 0.0, name: str = "") -> np.ndarray:
    """Order in which the sites of a network are taken; the first n of it are the roll-out at n units.

    Because every level of adoption is a beginning of one and the same order, totals are exact, no bus gets more than its sites,
    and what is placed stays.

    Parameters
    ----------
    sites
        Whole number of sites by bus.
    allocation
        ``weighted``: always the bus whose sites are least used (the divisor method of Sainte-Laguë; largest remainders year by
        year could take a unit away again). ``seeded``: at random, in lumps.
    seed
        Of the random order.
    clustering
        How much buses differ in their appeal: coefficient of variation between them. 0: every site is as likely as any other.
    name
        What is placed; the same seed gives different technologies different orders, independent of each other.

    Returns
    -------
    np.ndarray
        Bus of the first, second, ... unit; (sum of sites,).
    """
    counts = sites.to_numpy(int)
    buses = np.repeat(sites.index.to_numpy(), counts)
    turn = np.concatenate([np.arange(count) for count in counts]) if len(counts) else np.zeros(0)
    if allocation == "weighted":
        return buses[np.argsort((turn + 0.5) / np.repeat(counts, counts), kind="stable")]
    random = np.random.default_rng([seed, zlib.crc32(name.encode())])
    appeal = random.gamma(clustering**-2, clustering**2, len(counts)) if clustering > 0.01 else np.ones(len(counts))
    keys = random.exponential(size=len(buses)) / np.repeat(np.maximum(appeal, 1e-12), counts)
    return buses[np.argsort(keys, kind="stable")]


def rollout(study: Study, net: pandapowerNet, scenario: str, year: int) -> pd.DataFrame:
    """Units by bus that a scenario has added since the base year.

    Parameters
    ----------
    study, net
        As for :func:`check`.
    scenario, year
        Which future.

    Returns
    -------
    pd.DataFrame
        `technology`, `customer_class` (``named`` for what ``placements`` names), `bus`, `units` (above 0).

    Raises
    ------
    StudyError
        See :func:`check`.
    ParameterError
        Scenario unknown, or year outside it.
    """
    return placed(check(study, net), scenario, year)


def placed(inputs: Inputs, scenario: str, year: int) -> pd.DataFrame:
    """As :func:`rollout`, from checked tables."""
    inputs.year(scenario, year)
    parts = [
        pd.DataFrame({"technology": row.technology, "customer_class": row.customer_class, "bus": buses, "units": counts})
        for row, sites in _orders(inputs, scenario)
        for buses, counts in [np.unique(sites[slice(*_levels(inputs, row, [inputs.base_year, year]))], return_counts=True)]
    ]
    named = inputs.placements
    named = named[(named["scenario"] == scenario) & (named["year"] <= year)].assign(customer_class=NAMED)
    named = named.groupby(["technology", "customer_class", "bus"], as_index=False)["units"].sum()
    frame = pd.concat([*parts, named[COLUMNS]], ignore_index=True) if parts else named[COLUMNS]
    return frame[frame["units"] > 0].astype({"bus": int, "units": int}).reset_index(drop=True)


def levels(inputs: Inputs, scenario: str, year: int) -> pd.DataFrame:
    """Stock and additions of every row of ``adoption``: technology, customer_class, adoption_percent, units, added_units."""
    rows = []
    for row, _ in _orders(inputs, scenario):
        base, now = _levels(inputs, row, [inputs.base_year, year])
        percent = float(curve(row, [year], inputs.base_year)[0])
        rows.append((row.technology, row.customer_class, percent, now, now - base))
    return pd.DataFrame(rows, columns=["technology", "customer_class", "adoption_percent", "units", "added_units"])


def _orders(inputs: Inputs, scenario: str) -> Iterator[tuple[tuple, np.ndarray]]:
    """Rows of ``adoption`` of a scenario, each with the order in which its sites are taken."""
    settings = inputs.scenario(scenario)
    for row in inputs.adoption[inputs.adoption["scenario"] == scenario].itertuples():
        host = _host(inputs, row)
        site = row if host is None else host
        options = {name: settings[name] for name in ("allocation", "clustering")}
        name = f"{site.technology}/{site.customer_class}"
        yield row, order(_sites(inputs, site), seed=int(settings["seed"]), name=name, **options)


def _host(inputs: Inputs, row: tuple) -> tuple | None:
    """Row of the technology whose units the row's units join (batteries join PV plants); None if they join customers."""
    host = inputs.technologies.loc[row.technology, "host"]
    table = inputs.adoption
    same = (table["scenario"] == row.scenario) & (table["customer_class"] == row.customer_class) & (table["technology"] == host)
    return next(table[same].itertuples(), None) if host else None


def _sites(inputs: Inputs, row: tuple) -> pd.Series:
    """Whole number of units that the customers of a class can take, by bus."""
    customers = inputs.customers[inputs.customers["customer_class"] == row.customer_class].groupby("bus")["customers"].sum()
    return apportion(customers.astype(float), round(float(customers.sum()) * row.units_per_customer))


def _levels(inputs: Inputs, row: tuple, years: list[int]) -> list[int]:
    """Stock of units in each of some years; whole numbers."""
    host = _host(inputs, row)
    base = [int(_sites(inputs, row).sum())] * len(years) if host is None else _levels(inputs, host, years)
    percent = curve(row, years, inputs.base_year)
    return [int(np.floor(part / 100 * units + 0.5)) for part, units in zip(percent, base, strict=True)]
