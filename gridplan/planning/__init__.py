"""The two halves joined: from the metrics of a study to its roadmap, its scores and how sure they are.

:func:`case` values the metrics of every scenario and finds what closes the gaps; :func:`portfolio` makes of it the problem that
:mod:`gridplan.roadmap` solves for one scenario; :func:`plan` makes of a solved roadmap the plan that :mod:`gridplan.robustness`
values in other futures; :func:`alternatives` gives the projects the raw values that :mod:`gridplan.scoring` ranks;
:func:`replayed` puts what the roadmap counts beside what :func:`gridplan.assess.replay` simulates. Nothing here computes physics,
draws, or knows a benefit of its own.
"""

from gridplan.planning._case import Case, case, money
from gridplan.planning._economics import bills, cost_tests, cumulative, customers_of, present_totals, spend_by
from gridplan.planning._futures import decisions, in_each_future, regret, tornado
from gridplan.planning._kpis import contributions, kpi_units, kpis
from gridplan.planning._money import (
    break_even,
    by_class,
    cash_flows,
    declared_after,
    mean_benefits,
    stream_labels,
    streams_by_year,
)
from gridplan.planning._plan import bands, plan, robust_targets, terms, uncertainties
from gridplan.planning._portfolio import choices, portfolio, quick, scaled, years_of
from gridplan.planning._proposal import OtherFutures, Proposal, Risk, Scores, labels, other_futures, proposal, risk, scores
from gridplan.planning._replay import replayed, replayed_benefits
from gridplan.planning._reporting import considered, measures, missing
from gridplan.planning._scores import alternatives, costs, criteria, criterion_labels, screening
from gridplan.planning._traceability import chains, shares, traceability

__all__ = [
    "Case",
    "OtherFutures",
    "Proposal",
    "Risk",
    "Scores",
    "alternatives",
    "bands",
    "bills",
    "break_even",
    "by_class",
    "case",
    "cash_flows",
    "chains",
    "choices",
    "considered",
    "contributions",
    "cost_tests",
    "costs",
    "criteria",
    "criterion_labels",
    "cumulative",
    "customers_of",
    "decisions",
    "declared_after",
    "in_each_future",
    "kpi_units",
    "kpis",
    "labels",
    "mean_benefits",
    "measures",
    "missing",
    "money",
    "other_futures",
    "plan",
    "portfolio",
    "present_totals",
    "proposal",
    "quick",
    "regret",
    "replayed",
    "replayed_benefits",
    "risk",
    "robust_targets",
    "scaled",
    "scores",
    "screening",
    "shares",
    "spend_by",
    "stream_labels",
    "streams_by_year",
    "terms",
    "tornado",
    "traceability",
    "uncertainties",
    "years_of",
]
