"""What the interruptions of a reliability model cost the customers."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from gridplan.errors import ParameterError, Problem
from gridplan.valuation._sets import PER_KW, CostSet, unit_cost

FAULTS = ("fault", "transient")
"""Kinds of event that surveys of interruption costs cover; planned outages, told beforehand, cost less."""

_EVENT = ["event", "kind", "area", "rate_per_yr"]
_INTERRUPTION = ["event", "weight", "duration_h", "customer_class"]


def interruption_cost(
    events: pd.DataFrame, interruptions: pd.DataFrame, costs: CostSet, *, kinds: Sequence[str] = FAULTS
) -> pd.DataFrame:
    """Return the cost of every interruption of every event.

    Parameters
    ----------
    events
        Events of a reliability model: `event`, `kind`, `area` (of the fault), `rate_per_yr` [1/yr].
    interruptions
        Its interruptions: `event`, `weight` [1] (share of the year of the loading state), `duration_h` [h], `customer_class`, and
        what the basis of the costs needs: `customers`, `p_avg_mw` or `p_peak_mw` [MW]. Rows without customers and power of the
        class cost nothing.
    costs
        Set of costs.
    kinds
        Kinds of event to count.

    Returns
    -------
    pd.DataFrame
        The interruptions counted, with `kind`, `area`, `rate_per_yr` [1/yr] (of the event in that state), `cost_k` (cost of one
        occurrence) and `cost_k_per_yr` (expected), both in thousands of `currency` at the level of `price_year`.

    Raises
    ------
    ParameterError
        A column that the basis needs is missing or empty, a class has no costs, or an event is unknown.
    """
    size = PER_KW.get(costs.basis, "customers")
    _refuse(events, interruptions, costs, size)
    rows = interruptions.merge(events[_EVENT], on="event", how="left", validate="many_to_one")
    rows = rows[rows["kind"].isin(kinds) & (rows[size] != 0)].reset_index(drop=True)
    units = rows[size] * (1.0 if size == "customers" else 1000.0)
    cost_k = units * unit_cost(costs, rows["customer_class"], rows["duration_h"]) / 1000.0
    rate = rows["rate_per_yr"] * rows["weight"]
    return rows.assign(
        rate_per_yr=rate, cost_k=cost_k, cost_k_per_yr=rate * cost_k, currency=costs.currency, price_year=costs.price_year
    )


def expected_cost(
    events: pd.DataFrame,
    interruptions: pd.DataFrame,
    costs: CostSet,
    *,
    by: str | Sequence[str] = (),
    kinds: Sequence[str] = FAULTS,
) -> pd.DataFrame:
    """Return the expected cost of interruptions in a year.

    Parameters
    ----------
    events, interruptions, costs, kinds
        As for :func:`interruption_cost`.
    by
        Columns to add up by: ``"area"`` (where the fault is), ``"customer_class"``, ``"event"``, ``"stage"``, ``"control"`` or
        several; one row in all without.

    Returns
    -------
    pd.DataFrame
        The columns of `by`, `cost_k_per_yr` (largest first), `cost_share_percent` [%], `currency`, `price_year`.

    Raises
    ------
    ParameterError
        As for :func:`interruption_cost`, or a column of `by` is absent.
    """
    rows = interruption_cost(events, interruptions, costs, kinds=kinds)
    columns = [by] if isinstance(by, str) else list(by)
    absent = [Problem("by", f"'{name}' is no column of the interruptions") for name in columns if name not in rows]
    if absent:
        raise ParameterError("expected cost", absent)
    total = rows["cost_k_per_yr"].sum()
    if columns:
        summed = rows.groupby(columns, sort=False, observed=True)["cost_k_per_yr"].sum().reset_index()
        summed = summed.sort_values("cost_k_per_yr", ascending=False, kind="stable", ignore_index=True)
    else:
        summed = pd.DataFrame({"cost_k_per_yr": [total]})
    share = 100.0 * summed["cost_k_per_yr"] / total if total else 0.0
    return summed.assign(cost_share_percent=share, currency=costs.currency, price_year=costs.price_year)


def _refuse(events: pd.DataFrame, interruptions: pd.DataFrame, costs: CostSet, size: str) -> None:
    problems = [Problem("events", "is missing", column=name) for name in _EVENT if name not in events]
    for name in [*_INTERRUPTION, size]:
        if name not in interruptions:
            problems.append(Problem("interruptions", f"is missing; costs {costs.basis.replace('_', ' ')} need it", column=name))
        elif interruptions[name].isna().any():
            problems.append(Problem("interruptions", "has empty cells", column=name, remedy="give the value of every row"))
    if not problems:
        unknown = set(interruptions["event"]) - set(events["event"])
        problems += [Problem("interruptions", f"event {name} is not among the events") for name in sorted(unknown)[:20]]
    if problems:
        raise ParameterError("cost of interruptions", problems)
