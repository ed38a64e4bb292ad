"""Cost tests: the same flows seen by the utility, by all, by society, by those who pay and by those who take part."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from gridplan import tables
from gridplan.errors import ParameterError, Problem, suggest
from gridplan.valuation._appraisal import ratio
from gridplan.valuation._discount import Discount
from gridplan.valuation._flows import need
from gridplan.valuation._projects import COSTS, present_by, total_by_year
from gridplan.valuation._sets import bundled

_NOUGHT = 1e-6


def streams() -> pd.DataFrame:
    """Return the streams of benefit and cost, for labels and legends.

    Returns
    -------
    pd.DataFrame
        `stream`, `label`, `kind` (``benefit``, ``cost`` or ``transfer``), `falls_to` (``utility``, ``customers``,
        ``participants`` or ``society``), `note`.
    """
    return tables.bundled("gridplan.valuation", "streams")


def cost_tests(
    flows: pd.DataFrame, discount: Discount, *, mapping: pd.DataFrame | None = None, declared: pd.DataFrame | None = None
) -> pd.DataFrame:
    """Judge flows by each cost test.

    Parameters
    ----------
    flows
        `stream`, `year`, `value_keur`: gains positive, costs negative, as :func:`in_service` and :func:`project_flows` give them.
        Money that passes from the utility to participants stands in both, once with each sign (`incentive_paid`,
        `incentive_received`; `lost_revenue`, `bill_savings`).
    discount
        Discounting; the same for every test. Tests at rates of their own are separate calls.
    mapping
        Table `cost_tests`, which says for each test and stream whether it is a ``benefit``, a ``cost``, a ``transfer`` or
        ``none`` of its business; by default the one that comes with gridplan. A test of your jurisdiction is more rows.
    declared
        Declared benefits, `stream`, `year`, `declared_keur`: counted apart, by the same mapping.

    Returns
    -------
    pd.DataFrame
        One row a test: `test`, `pv_benefits_keur`, `pv_costs_keur`, `npv_keur` [kEUR], `bcr` [1] (missing without costs),
        `pv_declared_keur`, `npv_with_declared_keur`, `bcr_with_declared`. A stream of benefits whose present value is negative is
        a cost (more losses, more switching).

    Raises
    ------
    StudyError
        The mapping is not as the column dictionary says.
    ParameterError
        A test has no row for a stream that flows, transfers of a test do not add up to nought, or the flows are not fit to be
        discounted.
    """
    detail = cost_test_streams(flows, discount, mapping=mapping)
    apart = pd.Series(dtype=float)
    if declared is not None and len(declared):
        need(declared, "declared", ["stream"], ["year", "declared_keur"])
        own = declared.rename(columns={"declared_keur": "value_keur"})[["stream", "year", "value_keur"]]
        more = cost_test_streams(own, discount, mapping=mapping)
        apart = more[more["side"].isin(["benefit", "cost"])].groupby("test")["pv_keur"].sum()
    rows = []
    for test, own in detail.groupby("test", sort=False):
        gains = own.loc[own["side"] == "benefit", "pv_keur"].sum()
        spent = 0.0 - own.loc[own["side"] == "cost", "pv_keur"].sum()
        more = float(apart.get(test, 0.0))
        row = {"test": test, "pv_benefits_keur": gains, "pv_costs_keur": spent, "npv_keur": gains - spent}
        row |= {"bcr": ratio(gains, spent), "pv_declared_keur": more, "npv_with_declared_keur": gains + more - spent}
        rows.append(row | {"bcr_with_declared": ratio(gains + more, spent)})
    return pd.DataFrame(rows)


def cost_test_streams(flows: pd.DataFrame, discount: Discount, *, mapping: pd.DataFrame | None = None) -> pd.DataFrame:
    """Return how each test sees each stream.

    Parameters
    ----------
    flows, discount, mapping
        As for :func:`cost_tests`.

    Returns
    -------
    pd.DataFrame
        `test`, `stream`, `side` (as counted: ``benefit``, ``cost``, ``transfer`` or ``none``), `pv_keur` (gains positive) [kEUR],
        `note`.

    Raises
    ------
    StudyError, ParameterError
        As for :func:`cost_tests`.
    """
    table = bundled("cost_tests") if mapping is None else tables.check({"cost_tests": mapping})["cost_tests"]
    present = present_by(flows, discount)
    problems = list(_unmapped(table, present))
    if problems:
        raise ParameterError("cost tests", problems)
    rows = table[table["stream"].isin(present.index)]
    rows = rows.assign(pv_keur=rows["stream"].map(present))
    unbalanced = list(_unbalanced(rows))
    if unbalanced:
        raise ParameterError("cost tests", unbalanced)
    turned = (rows["side"] == "benefit") & (rows["pv_keur"] < 0)
    found = rows.assign(side=rows["side"].mask(turned, "cost"))
    return found[["test", "stream", "side", "pv_keur", "note"]].reset_index(drop=True)


def _unmapped(table: pd.DataFrame, present: pd.Series) -> Iterator[Problem]:
    """Yield the streams that a test says nothing of: silence is no decision."""
    for test, own in table.groupby("test", sort=False):
        for stream in present.index[~present.index.isin(own["stream"])]:
            near = suggest(stream, table["stream"].unique())
            remedy = near if near.startswith("did") else "add a row; side 'none' if the test does not count it"
            yield Problem("cost_tests", f"test '{test}' has no row for the stream '{stream}'", remedy=remedy)


def _unbalanced(rows: pd.DataFrame) -> Iterator[Problem]:
    """Yield the tests whose transfers do not add up to nought."""
    moved = rows[rows["side"] == "transfer"]
    for test, own in moved.groupby("test", sort=False):
        left, size = own["pv_keur"].sum(), own["pv_keur"].abs().sum()
        if abs(left) > _NOUGHT * max(size, 1.0):
            said = ", ".join(f"{row.stream} {row.pv_keur:,.1f}" for row in own.itertuples())
            what = f"transfers of test '{test}' leave {left:,.1f} kEUR of present value ({said})"
            yield Problem("flows", what, remedy="give both who pays and who receives, with opposite signs")


def ratepayer_savings(flows: pd.DataFrame, *, mapping: pd.DataFrame | None = None, test: str = "RIM") -> pd.Series:
    """Return by year what customers are spared by a plan, for :func:`rates_impact`.

    Parameters
    ----------
    flows
        As for :func:`cost_tests`.
    mapping
        As for :func:`cost_tests`.
    test
        Test whose benefits and costs are meant, but for the projects' own costs (:data:`COSTS`), which the revenue requirement
        holds.

    Returns
    -------
    pd.Series
        Costs saved less revenue lost and incentives paid, by year [kEUR/yr].

    Raises
    ------
    ParameterError
        The test is not in the mapping, or no stream of the flows counts in it.
    """
    table = bundled("cost_tests") if mapping is None else tables.check({"cost_tests": mapping})["cost_tests"]
    own = table[(table["test"] == test) & table["side"].isin(["benefit", "cost"]) & ~table["stream"].isin(COSTS)]
    if own.empty:
        known = table["test"].unique()
        raise ParameterError("savings", [Problem("test", f"'{test}' is not in the mapping", remedy=suggest(test, known))])
    return total_by_year(flows[flows["stream"].isin(own["stream"])])
