"""When projects can start and sets of projects can be in service: chains of predecessors, and what budgets allow by then."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

EPS = 1e-6


@dataclass(frozen=True)
class Limit:
    """A resource by year: `use[p, s, t]` of a project started in s, and what there is of it; `carry` adds years up."""

    kind: str
    name: str
    use: np.ndarray
    amount: np.ndarray
    carry: bool = False

    @cached_property
    def summed(self) -> np.ndarray:
        """Use from the first year up to each year."""
        return np.cumsum(self.use, axis=2)

    @property
    def held(self) -> tuple[np.ndarray, np.ndarray]:
        """Use and amount as a plan must keep them in each year: of that year alone, or up to it if they carry over."""
        return (self.summed, np.cumsum(self.amount)) if self.carry else (self.use, self.amount)

    @cached_property
    def in_all(self) -> np.ndarray:
        """What there is from the first year up to each year."""
        return np.cumsum(self.amount) * (1 + EPS) + EPS

    def allows(self) -> np.ndarray:
        """Return whether a project alone, started in a year, keeps the limit."""
        use, amount = (self.summed, self.in_all) if self.carry else (self.use, self.amount * (1 + EPS) + EPS)
        return (use <= amount).all(axis=2)


@dataclass(frozen=True)
class Times:
    """First and last possible start of each project, years from start to service, and how many years the plan has."""

    low: np.ndarray
    high: np.ndarray
    steps: np.ndarray
    years: int


def before(count: int, waits: tuple[tuple[int, int, int], ...]) -> list[frozenset[int]]:
    """Return each project with everything that is delivered before it."""
    found = [{p} for p in range(count)]
    for _ in range(count):
        sizes = [len(one) for one in found]
        for one, other, _offset in waits:
            found[one] |= found[other]
        if sizes == [len(one) for one in found]:
            break
    return [frozenset(one) for one in found]


def windows(
    table: pd.DataFrame,
    years: np.ndarray,
    *,
    steps: np.ndarray,
    waits: tuple[tuple[int, int, int], ...],
    limits: tuple[Limit, ...],
    elastic: bool = False,
) -> tuple[Times, dict[int, str]]:
    """Return when each project can start, and in words why it cannot.

    A start is impossible before the earliest or after the latest year, when delivery falls past the last year, before all
    projects waited for can be in service, when the project alone breaks a limit, and before the limits up to then can have paid
    for the project and all before it.
    """
    first = table["earliest_year"].astype(float).fillna(years[0]).to_numpy(float)
    last = np.full(len(table), float(years[-1])) if elastic else latest(table, years) + float(years[0])
    low = np.maximum(first - years[0], 0).astype(int)
    high = np.minimum(last - years[0], len(years) - 1 - steps).astype(int)
    why = {p: _dates(years, low[p], steps[p], last=last[p]) for p in np.flatnonzero(low > high)}
    _single(limits, low, high, why)
    times, chain = Times(low, high, steps, len(years)), before(len(low), waits)
    for _ in range(len(low) + 1):
        old = low.copy()
        _chains(table["project"], low, high, waits, why)
        _paid(limits, times, chain, why)
        if (low == old).all():
            break
    return times, why


def latest(table: pd.DataFrame, years: np.ndarray) -> np.ndarray:
    """Return the latest start that the table allows, as a number of years from the first."""
    return (table["latest_year"].astype(float).fillna(years[-1]) - years[0]).to_numpy().astype(int)


def _dates(years: np.ndarray, low: int, steps: int, *, last: float) -> str:
    if years[0] + low > last:
        return f"its earliest start {years[0] + low} is after its latest start {last:.0f}"
    return f"started in {years[0] + low} it is delivered after {steps} years, past the end of {years[-1]}"


def _single(limits: tuple[Limit, ...], low: np.ndarray, high: np.ndarray, why: dict[int, str]) -> None:
    """Narrow windows to starts at which a project alone keeps every limit."""
    for limit in limits:
        allowed = limit.allows()
        for p in np.flatnonzero(low <= high):
            fits = np.flatnonzero(allowed[p, low[p] : high[p] + 1])
            if len(fits) == 0:
                why[p] = (
                    f"alone it needs more than the {limit.kind} limit of '{limit.name}' in every year in which it could start"
                )
                low[p] = high[p] + 1
            else:
                low[p], high[p] = low[p] + fits[0], low[p] + fits[-1]


def _chains(
    names: pd.Series, low: np.ndarray, high: np.ndarray, waits: tuple[tuple[int, int, int], ...], why: dict[int, str]
) -> None:
    """Move first starts behind those of the projects waited for."""
    for _ in range(len(low)):
        old = low.copy()
        for one, other, offset in waits:
            possible = low[other] <= high[other]
            later = low[other] + offset if possible else high[one] + 1
            if later > low[one]:
                if low[one] <= high[one] < later:
                    why[one] = f"it waits for '{names[other]}', which " + (
                        "comes too late" if possible else "cannot be delivered"
                    )
                low[one] = later
        if (low == old).all():
            return


def _paid(limits: tuple[Limit, ...], times: Times, chain: list[frozenset[int]], why: dict[int, str]) -> None:
    """Move first starts to where the limits up to then can have paid for everything that must be in service."""
    for p in np.flatnonzero(times.low <= times.high):
        when = affordable(chain[p], times, limits)
        if when - times.steps[p] > times.low[p]:
            times.low[p] = when - times.steps[p]
            if times.low[p] > times.high[p]:
                why[p] = "the budgets up to its last possible start do not pay for it and all before it"


def affordable(projects: Iterable[int], times: Times, limits: tuple[Limit, ...]) -> int:
    """Return the first year in which projects can all be in service, as far as time and the sums of the limits say."""
    members = sorted(projects)
    if not members:
        return 0
    if (times.low[members] > times.high[members]).any():
        return times.years
    first = int((times.low + times.steps)[members].max())
    for when in range(first, times.years):
        if all(_within(limit, members, when, times) for limit in limits):
            return when
    return times.years


def _within(limit: Limit, members: list[int], when: int, times: Times) -> bool:
    """Whether the least use of projects in service in a year keeps the sum of a limit, up to that year and the one before."""
    for year in {max(when - 1, 0), when}:
        least = 0.0
        for p in members:
            starts = limit.summed[p, times.low[p] : min(when - times.steps[p], times.high[p]) + 1, year]
            least += starts.min(initial=np.inf)
        if least > limit.in_all[year]:
            return False
    return True
