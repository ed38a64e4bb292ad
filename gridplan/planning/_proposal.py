"""A roadmap with everything that a report says about it, each computed once."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from gridplan import roadmap, robustness, scoring, valuation
from gridplan.planning._case import Case
from gridplan.planning._economics import bills, cost_tests, cumulative, present_totals
from gridplan.planning._futures import decisions, in_each_future, regret, tornado
from gridplan.planning._kpis import kpis
from gridplan.planning._money import break_even, by_class, cash_flows
from gridplan.planning._plan import plan, robust_targets, terms, uncertainties
from gridplan.planning._portfolio import portfolio
from gridplan.planning._reporting import considered, measures
from gridplan.planning._scores import alternatives, criteria, criterion_labels
from gridplan.planning._traceability import shares, traceability


@dataclass(frozen=True, eq=False)
class Scores:
    """Scores of the projects; made by :func:`scores`.

    Attributes
    ----------
    criteria, values
        Criteria of the study, and the raw values of the projects.
    weights
        Weight of each criterion.
    ranked
        `project`, `score` [points of 100], the best first.
    parts
        From :func:`gridplan.scoring.contributions`.
    labels
        Names of the criteria.
    """

    criteria: pd.DataFrame
    values: pd.DataFrame
    weights: pd.Series
    ranked: pd.DataFrame
    parts: pd.DataFrame
    labels: dict[str, str]


def scores(given: Case, scenario: str) -> Scores | None:
    """Return the scores of the projects of a study with the weights that it gives; None if it names no criteria."""
    if "criteria" not in given.tables:
        return None
    table, values = criteria(given), alternatives(given, scenario)
    weights = scoring.direct(table)
    ranked = scoring.weighted_sum(table, values, weights).rename(columns={"score_points": "score"})
    parts = scoring.contributions(table, values, weights)
    return Scores(table, values, weights, ranked, parts, criterion_labels(given))


@dataclass(frozen=True, eq=False)
class Proposal:
    """A solved roadmap and what follows from it; made by :func:`proposal`.

    Attributes
    ----------
    case, scenario
        What it was made from.
    problem, found
        The problem and the roadmap that solves it.
    scores
        Scores of the projects, if the study has criteria.
    totals, worth
        From :func:`present_totals` and :func:`break_even`.
    flows, cumulative, classes, tests, bill
        From :func:`cash_flows`, :func:`cumulative`, :func:`by_class`, :func:`cost_tests` and :func:`bills`.
    kpis, considered
        From :func:`measures` and :func:`considered`.
    shares, trace
        From :func:`shares` and :func:`traceability`.
    labels
        Names of projects, applications, capabilities and streams.
    """

    case: Case
    scenario: str
    problem: roadmap.Portfolio
    found: roadmap.Roadmap
    scores: Scores | None
    totals: dict[str, float]
    worth: dict[str, float]
    flows: pd.DataFrame
    cumulative: pd.DataFrame
    classes: pd.DataFrame
    tests: pd.DataFrame
    bill: pd.DataFrame
    kpis: pd.DataFrame
    considered: pd.DataFrame
    shares: pd.DataFrame
    trace: pd.DataFrame
    labels: dict[str, str]

    @property
    def objectives(self) -> dict[str, str]:
        """Names of the objectives, in order; empty if the study has none."""
        table = self.case.tables.get("objectives", pd.DataFrame({"objective": [], "label": []}))
        return dict(zip(table["objective"], table["label"], strict=True))

    @property
    def years(self) -> tuple[int, int]:
        """First and last year."""
        return self.found.choices.first_year, self.found.choices.last_year


def proposal(
    given: Case, scenario: str, choices: roadmap.Choices, *, budget_percent: float = 100.0, targets: bool = True
) -> Proposal:
    """Solve the roadmap of a study and compute what a report says about it.

    Parameters
    ----------
    given
        From :func:`gridplan.planning.case`.
    scenario
        Scenario whose benefits and KPIs count.
    choices
        As for :func:`gridplan.roadmap.solve`.
    budget_percent, targets
        As for :func:`gridplan.planning.portfolio`.

    Returns
    -------
    Proposal
        Also of a roadmap that is empty or infeasible; then its tables are.

    Raises
    ------
    ParameterError, StudyError
        As for :func:`gridplan.planning.portfolio` and :func:`gridplan.roadmap.solve`.
    """
    scored = scores(given, scenario)
    ranked = None if scored is None else scored.ranked
    problem = portfolio(given, scenario, budget_percent=budget_percent, targets=targets, scores=ranked)
    found = roadmap.solve(problem, choices)
    return Proposal(
        case=given,
        scenario=scenario,
        problem=problem,
        found=found,
        scores=scored,
        totals=present_totals(given, found, scenario),
        worth=break_even(given, found, scenario),
        flows=cash_flows(given, found, scenario),
        cumulative=cumulative(given, found, scenario),
        classes=by_class(given, found),
        tests=cost_tests(given, found, scenario),
        bill=bills(given, found, scenario),
        kpis=measures(given, found, scenario),
        considered=considered(given, found, scenario),
        shares=shares(given, found, scenario),
        trace=traceability(given, found, scenario),
        labels=labels(given),
    )


def labels(given: Case) -> dict[str, str]:
    """Return the names of projects, applications, capabilities, KPIs and streams as a reader knows them."""
    streams, known = valuation.streams(), kpis()
    named = dict(zip(streams["stream"], streams["label"], strict=True)) | dict(zip(known["kpi"], known["label"], strict=True))
    for table, key in (("capabilities", "capability"), ("applications", "application"), ("projects", "project")):
        own = given.tables[table]
        named |= dict(zip(own[key], own["label"], strict=True))
    return named


@dataclass(frozen=True, eq=False)
class Risk:
    """How sure a roadmap is; made by :func:`risk`.

    Attributes
    ----------
    money
        `npv_keur` and its parts in every sampled future.
    chances
        From :func:`gridplan.robustness.probabilities`: that it pays, and that each target is met.
    tornado
        From :func:`gridplan.planning.tornado`.
    spread
        From :func:`gridplan.robustness.distribution`.
    """

    money: pd.DataFrame
    chances: pd.DataFrame
    tornado: pd.DataFrame
    spread: pd.DataFrame


def risk(own: Proposal, *, samples: int = 2000) -> Risk | None:
    """Value a roadmap in sampled futures, and move one uncertainty at a time.

    Parameters
    ----------
    own
        From :func:`proposal`.
    samples
        Sampled futures.

    Returns
    -------
    Risk
        None where nothing is chosen: then nothing is at risk.
    """
    if own.found.schedule.empty:
        return None
    made, at = plan(own.case, own.found), terms(own.case, own.years[0])
    uncertain = uncertainties(own.case, own.found)
    draws = robustness.draw(uncertain, at.weights(made.scenarios), samples=samples)
    outcome = robustness.evaluate(made, at, uncertain, draws)
    chances = robustness.probabilities(outcome, robust_targets(own.case, own.found))
    return Risk(outcome.money, chances, tornado(made, at, uncertain), robustness.distribution(outcome))


@dataclass(frozen=True, eq=False)
class OtherFutures:
    """A roadmap beside the best ones of the other scenarios; made by :func:`other_futures`.

    Attributes
    ----------
    regret
        What each loses in each scenario.
    decisions
        Which projects are the same in all.
    """

    regret: robustness.Regret
    decisions: pd.DataFrame


def other_futures(
    own: Proposal, choices: roadmap.Choices, *, budget_percent: float = 100.0, targets: bool = True
) -> OtherFutures | None:
    """Solve the roadmap of every scenario, and compare.

    Parameters
    ----------
    own
        From :func:`proposal`.
    choices
        For the other scenarios; see :func:`gridplan.planning.quick`.
    budget_percent, targets
        As for :func:`proposal`.

    Returns
    -------
    OtherFutures
        None where the study has one scenario, or in no other one there is a roadmap.
    """
    known = {own.scenario: own.found}
    if len(own.case.scenarios) < 2 or own.found.status == "infeasible":
        return None
    found = in_each_future(own.case, choices, known=known, budget_percent=budget_percent, targets=targets)
    if sum(other.status != "infeasible" for other in found.values()) < 2:
        return None
    return OtherFutures(regret(own.case, found), decisions(own.case, found, now=own.years[0]))
