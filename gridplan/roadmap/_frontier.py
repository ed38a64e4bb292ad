"""The roadmap solved again: for other budgets, and for a little more of what binds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pandas as pd

from gridplan.errors import ParameterError, Problem
from gridplan.roadmap._choices import Choices
from gridplan.roadmap._portfolio import Portfolio
from gridplan.roadmap._result import Roadmap
from gridplan.roadmap._solve import solve


def frontier(given: Portfolio, choices: Choices, *, shares: Sequence[float] = (0.25, 0.5, 0.75, 1.0, 1.25, 1.5)) -> pd.DataFrame:
    """Return what the best roadmap is worth when every capital budget is multiplied by a share.

    Parameters
    ----------
    given
        From :func:`portfolio`; it has budgets.
    choices
        As for :func:`solve`; the time limit holds for each budget.
    shares
        Factors of the capital budgets of all funds and years.

    Returns
    -------
    pd.DataFrame
        One row a share: `budget_share`, `budget_keur` (all years), `value`, `bound`, `gap_percent`, `capex_keur`, `npv_keur`,
        `projects`, `status`.

    Raises
    ------
    ParameterError
        A share is negative, or there is no capital budget.
    """
    capex = given.budgets["kind"] != "opex"
    problems = [Problem("shares", f"{share} is negative") for share in shares if not share >= 0]
    if not capex.any():
        problems.append(Problem("budgets", "has no capital budget", remedy="a frontier over budgets needs one"))
    if problems:
        raise ParameterError("frontier", problems)
    rows = []
    for share in sorted(shares):
        scaled = given.budgets.assign(
            budget_keur=given.budgets["budget_keur"].where(~capex, given.budgets["budget_keur"] * share)
        )
        found = solve(replace(given, budgets=scaled), choices)
        inside = scaled["year"].between(choices.first_year, choices.last_year) & capex
        rows.append((share, scaled.loc[inside, "budget_keur"].sum(), *_facts(found)))
    names = ["budget_share", "budget_keur", "value", "bound", "gap_percent", "capex_keur", "npv_keur", "projects", "status"]
    return pd.DataFrame(rows, columns=names)


def _facts(found: Roadmap) -> tuple:
    net = found.money["discounted_net_keur"].sum()
    return found.value, found.bound, found.gap_percent, found.money["capex_keur"].sum(), net, len(found.schedule), found.status


def one_more(given: Portfolio, found: Roadmap, *, step_percent: float = 10.0, most: int = 5) -> pd.DataFrame:
    """Return what more of each limit that binds would bring, by solving again with that limit raised.

    Parameters
    ----------
    given
        Portfolio from which the roadmap was solved.
    found
        The roadmap.
    step_percent
        How much more of the limit in that year [%].
    most
        How many limits to try, those with the highest price of the relaxation first.

    Returns
    -------
    pd.DataFrame
        One row a limit and year: `kind`, `fund`, `year`, `allowed`, `more`, `value`, `gain`, `per_unit`, `gap_percent`. A gain is
        sure only as far as it exceeds the gaps of both solutions.
    """
    rows = []
    limits = found.binding[found.binding["kind"] != "target"].sort_values("per_unit", ascending=False, kind="stable").head(most)
    for row in limits.itertuples():
        more = row.allowed * step_percent / 100
        again = solve(_raised(given, row, more), found.choices)
        gain = again.value - found.value
        rows.append((row.kind, row.fund, row.year, row.allowed, more, again.value, gain, gain / more, again.gap_percent))
    return pd.DataFrame(rows, columns=["kind", "fund", "year", "allowed", "more", "value", "gain", "per_unit", "gap_percent"])


def _raised(given: Portfolio, row: tuple, more: float) -> Portfolio:
    """Return the portfolio with one limit raised in one year."""
    if row.kind == "staff":
        table = given.staff_limits
        hit = (table["skill"] == row.fund) & (table["year"] == row.year)
        return replace(given, staff_limits=table.assign(fte=table["fte"].where(~hit, table["fte"] + more)))
    table = given.budgets
    kind = table["kind"].replace("", "capex")
    hit = (table["fund"] == row.fund) & (table["year"] == row.year) & (kind == row.kind)
    return replace(given, budgets=table.assign(budget_keur=table["budget_keur"].where(~hit, table["budget_keur"] + more)))
