"""Reinforcement that an option avoids or defers: the conventional plan with it and without it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from gridplan import needs
from gridplan.applications._case import OperatingCase
from gridplan.errors import ParameterError, Problem

COLUMNS = [
    "element",
    "element_id",
    "name",
    "area",
    "measure",
    "year_without",
    "year_with",
    "capex_without_keur",
    "capex_with_keur",
    "change",
]


@dataclass(frozen=True, eq=False)
class Deferral:
    """Two capital plans for the same years.

    Parameters
    ----------
    without, with_option
        The plans; `left` of each says what it does not cure.
    measures
        One row a measure: `element`, `element_id`, `name`, `area`, `measure`, `year_without`, `year_with` (missing where it is
        not built), `capex_without_keur`, `capex_with_keur` [kEUR], `change` (avoided, deferred, the same, brought forward, new).
    years
        By year: `year`, `capex_without_keur`, `capex_with_keur`, `capex_difference_keur` (without less
        with) [kEUR], not discounted.
    """

    without: needs.Plan
    with_option: needs.Plan
    measures: pd.DataFrame
    years: pd.DataFrame

    @property
    def avoided_keur(self) -> float:
        """Cost without the option less cost with it, up to the last year, not discounted [kEUR]."""
        return self.without.total_keur - self.with_option.total_keur


def reinforcement(
    without: Mapping[int, OperatingCase],
    with_option: Mapping[int, OperatingCase],
    measures: pd.DataFrame,
    *,
    search: needs.Search | None = None,
) -> Deferral:
    """Compare the conventional plans of the same years without and with an option.

    What deferral is worth is left to valuation: here stand dates and costs. The plan with an option takes its effect, such as the
    energy curtailed, as it is on the network before reinforcement.

    Parameters
    ----------
    without, with_option
        Cases by year, the same years; both are held against the limits of the cases.
    measures
        Standard equipment with its costs, see :func:`gridplan.needs.measures`.
    search
        How hard to look.

    Raises
    ------
    ParameterError
        The years or limits differ, or a case has a schedule of taps, which a plan of fixed taps cannot hold.
    InputError
        The table of measures has problems.
    """
    problems = []
    if set(without) != set(with_option) or not without:
        problems.append(Problem("years", f"{sorted(without)} without the option, {sorted(with_option)} with it"))
    every = [*without.values(), *with_option.values()]
    if len({case.limits for case in every}) > 1:
        problems.append(Problem("limits", "are not the same in all cases"))
    if any(len(case.schedule) for case in every):
        problems.append(Problem("schedule", "a case has scheduled positions; plans hold one position all year"))
    if problems:
        raise ParameterError("reinforcement", problems)
    limits = every[0].limits
    plans = [needs.reinforce(cases, limits, measures, search=search) for cases in (without, with_option)]
    return Deferral(*plans, _matched(*plans), _years(sorted(without), *plans))


def _matched(without: needs.Plan, with_option: needs.Plan) -> pd.DataFrame:
    """Pair the measures of two plans: the first one at an element with the first one there, and so on."""
    keys = ["element", "element_id", "measure", "number"]
    sides = []
    for plan, suffix in ((without, "without"), (with_option, "with")):
        steps = plan.steps.assign(number=plan.steps.groupby(keys[:3]).cumcount())
        steps = steps[[*keys, "name", "area", "year", "capex_keur"]]
        sides.append(steps.rename(columns={"year": f"year_{suffix}", "capex_keur": f"capex_{suffix}_keur"}))
    both = sides[0].merge(sides[1], on=keys, how="outer", suffixes=("", "_other"))
    for column in ("name", "area"):
        both[column] = both[column].where(both[column].notna(), both[f"{column}_other"])
    both[["capex_without_keur", "capex_with_keur"]] = both[["capex_without_keur", "capex_with_keur"]].astype(float).fillna(0.0)
    both[["year_without", "year_with"]] = both[["year_without", "year_with"]].astype("Int64")
    both["change"] = [_change(*pair) for pair in zip(both["year_without"], both["year_with"], strict=True)]
    order = both["year_without"].fillna(both["year_with"])
    return both.assign(order=order).sort_values(["order", "element", "element_id"], ignore_index=True)[COLUMNS]


def _change(without: int | None, with_option: int | None) -> str:
    if pd.isna(with_option):
        return "avoided"
    if pd.isna(without):
        return "new"
    if with_option == without:
        return "the same"
    return "deferred" if with_option > without else "brought forward"


def _years(years: list[int], without: needs.Plan, with_option: needs.Plan) -> pd.DataFrame:
    spent = [plan.steps.groupby("year")["capex_keur"].sum().reindex(years, fill_value=0.0) for plan in (without, with_option)]
    frame = pd.DataFrame({"capex_without_keur": spent[0], "capex_with_keur": spent[1]}).astype(float)
    frame["capex_difference_keur"] = frame["capex_without_keur"] - frame["capex_with_keur"]
    return frame.rename_axis("year").reset_index()
