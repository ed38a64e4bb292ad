"""Monte Carlo of years: how much the indices and the cost of interruptions vary from year to year by chance alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from gridplan.errors import ParameterError, Problem, suggest
from gridplan.valuation import PER_KW, CostSet, unit_cost

REPAIRS = ("constant", "exponential", "lognormal")
"""Distributions of the repair time."""

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95, 0.99)


@dataclass(frozen=True)
class Sampling:
    """How years are drawn.

    Parameters
    ----------
    years
        Years to draw.
    seed
        Seed of the random numbers; the same seed gives the same years.
    repair
        Distribution of the repair time about its mean: ``constant``, ``exponential`` or ``lognormal``.
    repair_cv
        Coefficient of variation of a log-normal repair time [1].
    """

    years: int = 10_000
    seed: int = 0
    repair: str = "exponential"
    repair_cv: float = 1.0

    def __post_init__(self) -> None:
        problems = []
        if not self.years >= 1:
            problems.append(Problem("years", f"{self.years} is below 1"))
        if self.repair not in REPAIRS:
            problems.append(Problem("repair", f"'{self.repair}' is no distribution", remedy=suggest(self.repair, REPAIRS)))
        if not (self.repair_cv >= 0 and np.isfinite(self.repair_cv)):
            problems.append(Problem("repair_cv", f"{self.repair_cv} is not a number of at least 0"))
        if problems:
            raise ParameterError("sampling", problems)


@dataclass(frozen=True, eq=False)
class Years:
    """Years drawn.

    Parameters
    ----------
    drawn
        One row a year: `faults` (events that interrupt someone, momentary ones included), `saifi`, `saidi_min` [min],
        `maifi_e`, `ens_mwh` [MWh] and, with costs, `cost_k` [thousand of the currency].
    currency, price_year
        Of the costs; blank and 0 without.
    """

    drawn: pd.DataFrame
    currency: str = ""
    price_year: int = 0

    def summary(self, quantiles: Sequence[float] = QUANTILES) -> pd.DataFrame:
        """Return mean, its standard error and quantiles.

        Parameters
        ----------
        quantiles
            Quantiles wanted [1].

        Returns
        -------
        pd.DataFrame
            One row by quantity: `quantity`, `mean`, `mean_error` (standard error of the mean by the finite sample), `deviation`
            (standard deviation between years), `p05`, `p50` ... as asked.
        """
        table = self.drawn.drop(columns="faults")
        found = pd.DataFrame({"quantity": table.columns, "mean": table.mean().to_numpy()})
        deviation = table.std(ddof=1).to_numpy() if len(table) > 1 else np.full(table.shape[1], np.nan)
        named = {f"p{100 * q:02g}": table.quantile(q).to_numpy() for q in quantiles}
        return found.assign(mean_error=deviation / np.sqrt(len(table)), deviation=deviation, **named)

    def missed(self, quantity: str, target: float) -> tuple[float, float]:
        """Return the probability that a year misses a target, and its standard error.

        Parameters
        ----------
        quantity
            Column of `drawn`: ``saidi_min``, ``saifi``, ...
        target
            Value that a good year does not exceed, in the unit of the quantity.

        Returns
        -------
        tuple
            Share of the years above the target [1] and its standard error ``sqrt(p (1 - p) / n)``; where none or all years miss
            it, that of one year more: ``1 / (n + 1)``.

        Raises
        ------
        ParameterError
            The quantity was not drawn.
        """
        if quantity not in self.drawn:
            what = f"'{quantity}' was not drawn"
            raise ParameterError("target", [Problem("quantity", what, remedy=suggest(quantity, self.drawn.columns))])
        n = len(self.drawn)
        share = float((self.drawn[quantity] > target).mean())
        error = float(np.sqrt(share * (1.0 - share) / n)) if 0.0 < share < 1.0 else 1.0 / (n + 1)
        return share, error


def simulate(
    events: pd.DataFrame,
    interruptions: pd.DataFrame,
    customers: float,
    *,
    costs: CostSet | None = None,
    momentary_min: float = 5.0,
    sampling: Sampling = Sampling(),
) -> Years:
    """Draw years of faults and return their indices.

    Each event of the model occurs as a Poisson process with its own rate; each occurrence meets one of the loading states, by
    their weights. The interruptions of the event then follow as in the analytic model; customers who wait for the repair wait for
    a repair time drawn about its mean. An interruption stays momentary or sustained as the model says, and who is restored by
    switching is so at the model's time; the mean indices over the years are therefore those of the model. The mean cost is
    that of the model where repair times are constant: else each time drawn has its own cost, which is not linear in the time.

    Parameters
    ----------
    events
        Events of a reliability model: `event`, `kind`, `rate_per_yr` [1/yr]. Planned outages are left out.
    interruptions
        Its interruptions: `event`, `state`, `weight` [1], `stage`, `duration_h` [h], `customer_class`, `customers`, `p_avg_mw`
        [MW] and, for costs per peak kW, `p_peak_mw` [MW].
    customers
        Customers served.
    costs
        Set of costs; without it no cost is drawn.
    momentary_min
        Interruptions shorter than this are momentary, as in the model [min].
    sampling
        How many years, which seed, which repair times.

    Returns
    -------
    Years

    Raises
    ------
    ParameterError
        Columns are missing, customers or rates are not numbers of at least 0, or a class has no costs.

    References
    ----------
    R. Billinton and W. Li, Reliability Assessment of Electric Power Systems Using Monte Carlo Methods, Plenum 1994.
    """
    _refuse(events, interruptions, customers, costs)
    rows = _rows(events, interruptions, costs, momentary_min)
    streams = rows.drop_duplicates("stream")[["stream", "rate_per_yr"]].sort_values("stream")
    random = np.random.default_rng(sampling.seed)
    year, stream = _occurrences(streams["rate_per_yr"].to_numpy(), sampling.years, random)
    factor = _repair_factors(len(year), sampling, random)
    found = _by_occurrence(rows, len(streams), stream, factor, customers)
    if costs is not None:
        found["cost_k"] = _cost_by_occurrence(rows, len(streams), stream, factor, costs)
    values = {name: np.bincount(year, weights=part, minlength=sampling.years) for name, part in found.items()}
    counts = np.bincount(year, minlength=sampling.years)
    frame = pd.DataFrame({"faults": counts, **values}, index=pd.RangeIndex(sampling.years, name="sample"))
    return Years(frame, costs.currency if costs else "", costs.price_year if costs else 0)


def _refuse(events: pd.DataFrame, interruptions: pd.DataFrame, customers: float, costs: CostSet | None) -> None:
    needed = ["event", "state", "weight", "stage", "duration_h", "customer_class", "customers", "p_avg_mw"]
    if costs is not None and costs.basis == "per_peak_kw":
        needed.append("p_peak_mw")
    problems = [Problem("events", "is missing", column=name) for name in ("event", "kind", "rate_per_yr") if name not in events]
    problems += [Problem("interruptions", "is missing", column=name) for name in needed if name not in interruptions]
    if "rate_per_yr" in events and not (events["rate_per_yr"] >= 0).all():
        problems.append(Problem("events", "holds rates that are not at least 0 [1/yr]", column="rate_per_yr"))
    if not customers > 0:
        problems.append(Problem("customers", f"{customers} is not above 0"))
    if problems:
        raise ParameterError("simulation of years", problems)


def _rows(events: pd.DataFrame, interruptions: pd.DataFrame, costs: CostSet | None, momentary_min: float) -> pd.DataFrame:
    """Interruptions of faults with the stream (event in a state) they belong to and what one occurrence adds."""
    rows = interruptions.merge(events[["event", "kind", "rate_per_yr"]], on="event", validate="many_to_one")
    rows = rows[rows["kind"] != "planned"].reset_index(drop=True)
    fault = rows["kind"] == "fault"
    sustained = fault & (rows["duration_h"] * 60.0 > momentary_min + 1e-9)
    hours = rows["duration_h"].where(fault, 0.0)
    return rows.assign(
        stream=rows.groupby(["event", "state"], sort=False).ngroup(),
        rate_per_yr=rows["rate_per_yr"] * rows["weight"],
        repaired=fault & (rows["stage"] == "repair"),
        saifi=rows["customers"].where(sustained, 0.0),
        saidi_min=(rows["customers"] * hours * 60.0).where(sustained, 0.0),
        ens_mwh=rows["p_avg_mw"] * hours,
        units=_units(rows, costs),
    )


def _units(rows: pd.DataFrame, costs: CostSet | None) -> pd.Series | float:
    if costs is None:
        return 0.0
    size = PER_KW.get(costs.basis, "customers")
    return rows[size] if size == "customers" else rows[size] * 1000.0


def _occurrences(rates: np.ndarray, years: int, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Year and stream of every occurrence: Poisson counts of all streams together, split by their rates."""
    total = rates.sum()
    counts = random.poisson(total, years)
    year = np.repeat(np.arange(years), counts)
    edges = np.cumsum(rates) / total if total > 0 else np.ones(len(rates))
    stream = np.searchsorted(edges, random.random(len(year)), side="right")
    return year, np.minimum(stream, max(len(rates) - 1, 0))


def _repair_factors(count: int, sampling: Sampling, random: np.random.Generator) -> np.ndarray:
    """Repair times over their mean."""
    if sampling.repair == "exponential":
        return random.exponential(1.0, count)
    if sampling.repair == "lognormal" and sampling.repair_cv > 0:
        sigma = np.sqrt(np.log1p(sampling.repair_cv**2))
        return random.lognormal(-0.5 * sigma**2, sigma, count)
    return np.ones(count)


def _by_occurrence(
    rows: pd.DataFrame, streams: int, stream: np.ndarray, factor: np.ndarray, customers: float
) -> dict[str, np.ndarray]:
    """Return what each occurrence adds to the indices: a fixed part, and one that follows the repair time."""
    code, repaired = rows["stream"].to_numpy(), rows["repaired"].to_numpy()

    def part(values: pd.Series | np.ndarray, chosen: np.ndarray) -> np.ndarray:
        return np.bincount(code[chosen], weights=np.asarray(values, dtype=float)[chosen], minlength=streams)

    everything = np.ones(len(rows), dtype=bool)
    found = {
        "saifi": part(rows["saifi"], everything)[stream] / customers,
        "maifi_e": part(rows["customers"] - rows["saifi"], everything)[stream] / customers,
    }
    for name, scale in (("saidi_min", customers), ("ens_mwh", 1.0)):
        fixed, waiting = part(rows[name], ~repaired)[stream], part(rows[name], repaired)[stream]
        found[name] = (fixed + factor * waiting) / scale
    return {name: found[name] for name in ("saifi", "saidi_min", "maifi_e", "ens_mwh")}


def _cost_by_occurrence(rows: pd.DataFrame, streams: int, stream: np.ndarray, factor: np.ndarray, costs: CostSet) -> np.ndarray:
    """Cost of each occurrence [k]: of switched customers from the model's durations, of repaired ones from the time drawn."""
    rows = rows[rows["units"] != 0]
    switched, waiting = rows[~rows["repaired"]], rows[rows["repaired"]]
    each = switched["units"] * unit_cost(costs, switched["customer_class"], switched["duration_h"])
    found = np.bincount(switched["stream"], weights=each, minlength=streams)[stream]
    for name, own in waiting.groupby("customer_class", sort=True):
        alike = own.groupby(["stream", "duration_h"], sort=False)["units"].sum().reset_index()
        occurrence, row = _pairs(alike["stream"].to_numpy(), streams, stream)
        hours = alike["duration_h"].to_numpy()[row] * factor[occurrence]
        part = alike["units"].to_numpy()[row] * unit_cost(costs, str(name), hours)
        found = found + np.bincount(occurrence, weights=part, minlength=len(stream))
    return found / 1000.0


def _pairs(code: np.ndarray, streams: int, stream: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Every occurrence with every row of its stream: positions of both."""
    order = np.argsort(code, kind="stable")
    count = np.bincount(code, minlength=streams)
    first = np.cumsum(count) - count
    repeats = count[stream]
    occurrence = np.repeat(np.arange(len(stream)), repeats)
    within = np.arange(len(occurrence)) - np.repeat(np.cumsum(repeats) - repeats, repeats)
    return occurrence, order[first[stream][occurrence] + within]
