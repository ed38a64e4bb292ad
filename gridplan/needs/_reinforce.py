"""The dated capital plan: years in order, each cured with the cheapest standard measures, nothing built twice."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import numpy as np
import pandas as pd
from pandapower.auxiliary import pandapowerNet

from gridplan import network
from gridplan.errors import NotConverged, ParameterError, Problem
from gridplan.needs import _actions, _find, _judge, _measures, _search, _tree
from gridplan.needs._actions import Action, Choice
from gridplan.needs._judge import Year
from gridplan.needs._matrix import Matrices
from gridplan.powerflow import Limits, Options, PowerFlow, Profiles
from gridplan.powerflow._model import Model

STEP_COLUMNS = [
    "step",
    "year",
    "element",
    "element_id",
    "name",
    "area",
    "measure",
    "present",
    "planned",
    "length_km",
    "capex_keur",
    "reason",
    "effect",
    "needed_for",
    "source",
    "evidence",
]
LEFT_COLUMNS = ["year", "element", "element_id", "name", "area", "kind", "hours", "worst", "worst_time", "why"]
_WHY = {
    "no solution": "the power flow has no solution in these hours, so no measure can be aimed at them",
    "no supply": "the bus has no path to a source: a switching state, not a matter of capacity",
    "no rating": "the element has no rating: complete the network data",
}


class Case(Protocol):
    """A network and its time series in one year; :class:`gridplan.futures.Case` is one."""

    net: pandapowerNet
    profiles: Profiles


@dataclass(frozen=True, eq=False)
class Situation:
    """A network and its time series, where there is no :class:`gridplan.futures.Case`.

    Parameters
    ----------
    net, profiles
        Network and powers over time.
    known
        Their model and power flows of all steps, solved with the options of the search, if they are known.
    """

    net: pandapowerNet
    profiles: Profiles
    known: tuple[Model, PowerFlow] | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Search:
    """How hard to look for the cheapest measures.

    Parameters
    ----------
    circuits
        Circuits of a new line or a replaced one, at most.
    shortlist
        Candidates by estimate that get a power flow before each choice; those without an estimate always get one.
    exact
        Combinations of measures up to which every cheaper one is tried, so that the cost is proven lowest; 0 never.
    steps
        Measures in one year, at most.
    weights
        The search is made once with each: a choice is judged by its gain over its cost to this power, so that below 1 few large
        measures come before many small ones. The plan that leaves least, and of these the cheapest, counts.
    options
        How power flows are solved.
    """

    circuits: int = 2
    shortlist: int = 9
    exact: int = 200
    steps: int = 200
    weights: tuple[float, ...] = (1.0, 0.5)
    options: Options = field(default_factory=Options)

    def __post_init__(self) -> None:
        low = {"circuits": 1, "shortlist": 1, "exact": 0, "steps": 1}
        problems = [
            Problem(name, f"{getattr(self, name)} is below {least}") for name, least in low.items() if getattr(self, name) < least
        ]
        problems += [Problem("weights", f"{weight} is not above 0") for weight in self.weights if not weight > 0]
        if not self.weights:
            problems.append(Problem("weights", "is empty", remedy="pass at least one, such as (1.0,)"))
        if problems:
            raise ParameterError("search", problems)


@dataclass(frozen=True, eq=False)
class Plan:
    """A capital plan of conventional measures.

    Parameters
    ----------
    steps
        One row a measure: `step`, `year` (first in which its violation occurs), `element`, `element_id`, `name`, `area`,
        `measure`, `present`, `planned`, `length_km` [km], `capex_keur` [kEUR], `reason` (the violation it does most about),
        `effect` (extremes of the critical steps before and after), `needed_for` (the violation that returns in its year without
        it), `source`, `evidence` of the cost.
    left
        What is not cured: `year`, `element`, `element_id`, `name`, `area`, `kind`, `hours` [h], `worst` [pu or %],
        `worst_time`, `why`. Empty if every step of every year holds.
    years
        One row a year: `year`, `measures`, `capex_keur`, `violations_before` (elements and kinds, with the measures of earlier
        years), `violations_after`, `proven` (True if every cheaper combination of the candidates was tried and fails),
        `critical_steps`, `power_flows` (of critical steps), `full_years` (verifications of all steps).
    nets
        The network after the measures of each year, by year.
    """

    steps: pd.DataFrame
    left: pd.DataFrame
    years: pd.DataFrame
    nets: Mapping[int, pandapowerNet] = field(repr=False)

    @property
    def total_keur(self) -> float:
        """Cost of all measures, not discounted [kEUR]."""
        return float(self.steps["capex_keur"].sum())

    @property
    def net(self) -> pandapowerNet:
        """The network after the last year."""
        return self.nets[max(self.nets)]

    @property
    def cured(self) -> bool:
        """Whether nothing is left."""
        return self.left.empty


def reinforce(cases: Mapping[int, Case], limits: Limits, measures: pd.DataFrame, *, search: Search | None = None) -> Plan:
    """Cheapest sequence of standard measures after which no step of any year is outside its limits.

    The years are taken in order and what is built stays. In each year the measures that lower the violations most for their
    cost are built one by one, judged by power flows of the worst steps, until a power flow of all steps finds nothing; then
    every measure that is not needed is taken away and every one that may be smaller is made smaller. Where there are few
    combinations, all that are cheaper are tried, so that the cost is proven lowest among one measure a place.

    Candidates are the elements on the way of supply of what is outside: parallel lines and larger conductors, tap positions,
    larger and further transformers, regulators and new feeder sections. Taps and regulators keep one position all year:
    automatic control is an application, not a reinforcement. Every year is taken for itself, so a plan for two years may cost
    more than one that knew the second beforehand.

    Parameters
    ----------
    cases
        Network and profiles by year; the years share lines, transformers and switches. Not changed.
    limits
        Voltage band and highest loadings.
    measures
        Standard equipment and measures with their costs, see :func:`measures`.
    search
        How hard to look.

    Raises
    ------
    InputError
        The table of measures has problems; all of them.
    ParameterError
        No case is given.
    NotConverged
        In some year no step at all has a solution. Single steps without one are reported in `Plan.left`.
    """
    if not cases:
        raise ParameterError("reinforce", [Problem("cases", "no year is given", remedy="pass {year: case}")])
    search = search or Search()
    choice = Choice(_measures.checked(measures, cases[min(cases)].net), search.circuits)
    # What is cheapest in the first year may leave later ones without a way out: several years are planned through with each.
    ways = [search] if len(cases) == 1 else [replace(search, weights=(weight,)) for weight in search.weights]
    plans = [_plan(cases, limits, choice, way) for way in ways]
    return min(plans, key=lambda plan: (len(plan.left), plan.total_keur))


def _plan(cases: Mapping[int, Case], limits: Limits, choice: Choice, search: Search) -> Plan:
    """Cure year after year."""
    parts, before = [], ()
    for number in sorted(cases):
        case = cases[number]
        model, result = getattr(case, "known", None) or (None, None)
        origin = Matrices(case.net, case.profiles, choice, replace(search.options, angles=True), model)
        net = _actions.apply(case.net, before, choice) if before else case.net
        year = Year(net, case.profiles, limits, search.options, choice, before=before, origin=origin)
        if result is not None and not before:
            year.begin(result)
        cure = _search.cure(year, search)
        _refuse_unsolved(number, cure, year)
        parts.append(_report(number, year, cure))
        before = (*before, *cure.actions)
    steps, left, years, nets = zip(*parts, strict=True)
    return Plan(_numbered(steps), _joined(left, LEFT_COLUMNS), pd.DataFrame(years), dict(zip(sorted(cases), nets, strict=True)))


def _refuse_unsolved(number: int, cure: _search.Cure, year: Year) -> None:
    hours = cure.left.loc[cure.left["kind"] == "no solution", "hours"].sum()
    if hours and hours >= len(year.profiles.time) * year.profiles.step_h:
        raise NotConverged(
            f"no step of {number} has a power-flow solution, so no measure can be chosen; look at the powers of that year "
            "(needs.find says when it first fails), or plan an earlier year first"
        )


def _report(number: int, year: Year, cure: _search.Cure) -> tuple[pd.DataFrame, pd.DataFrame, dict[str, Any], pandapowerNet]:
    """Tables of one year, and the network after it."""
    net = _actions.apply(year.net, cure.actions, year.choice)
    totals = {
        "year": number,
        "measures": len(cure.actions),
        "capex_keur": _search.cost(cure.actions),
        "violations_before": len(year.verify(())),
        "violations_after": len(cure.left),
        "proven": cure.proven,
        "critical_steps": len(year.critical),
        "power_flows": year.evaluations,
        "full_years": year.verifications,
    }
    return _steps(number, year, cure), _left(number, year, cure, net), totals, net


def _steps(number: int, year: Year, cure: _search.Cure) -> pd.DataFrame:
    """Measures in order, each with what it does after those before it."""
    supply, rows = year.supplies.present, []
    for position, action in enumerate(cure.actions):
        before, after = (year.state(cure.actions[:count]) for count in (position, position + 1))
        data = year.choice.by_name[action.measure]
        rows.append(
            {
                "year": number,
                "element": action.element,
                "element_id": action.element_id,
                "name": network.display_name(year.net, action.element, action.element_id),
                "area": _find.area_of(supply.tree, supply.areas, action.element, action.element_id),
                "measure": action.kind,
                "present": action.present,
                "planned": action.planned,
                "length_km": action.length_km,
                "capex_keur": action.capex_keur,
                "reason": _reason(before, after),
                "effect": _effect(before, after),
                "needed_for": cure.proofs[action],
                "source": data["source"],
                "evidence": data["evidence"],
            }
        )
    return pd.DataFrame(rows, columns=STEP_COLUMNS[1:])


def _reason(before: _judge.State, after: _judge.State) -> str:
    """Name the violation that a measure does most about."""
    if before.failed > after.failed:
        return "no solution of the power flow"
    found, then = before.violations, after.violations
    gains = {key: excess - then.get(key, (0.0, 0.0))[0] for key, (excess, _) in found.items()}
    if not gains:
        return "a violation in the steps that later measures bring back"
    key = max(gains, key=gains.__getitem__)
    return before.describe(key, found[key][1])


def _effect(before: _judge.State, after: _judge.State) -> str:
    """Extremes of the critical steps before and after a measure, and how much is left."""
    return "; ".join(
        f"{name} {f(before)} to {f(after)}"
        for name, f in (
            ("lowest voltage", lambda s: f"{np.fmin.reduce(s.size.ravel(), initial=np.nan):.4f}"),
            ("highest voltage [pu]", lambda s: f"{np.fmax.reduce(s.size.ravel(), initial=np.nan):.4f}"),
            ("highest loading [%]", lambda s: f"{np.fmax.reduce(s.loading.ravel(), initial=np.nan):.1f}"),
            ("elements outside limits", lambda s: str(len(s.violations))),
        )
    )


def _left(number: int, year: Year, cure: _search.Cure, net: pandapowerNet) -> pd.DataFrame:
    """Say what is not cured, and why."""
    if cure.left.empty:
        return pd.DataFrame(columns=LEFT_COLUMNS)
    tree, area = _tree.build(net), network.areas(net).set_index("bus")["area"].to_dict()
    rows = []
    for row in cure.left.itertuples():
        element, element_id = row.element, int(row.element_id)
        name = network.display_name(net, element, element_id) if element_id >= 0 else element
        values = (number, element, element_id, name, _find.area_of(tree, area, element, element_id), row.kind, row.hours)
        rows.append((*values, row.worst, row.worst_time, _why(row, year, cure)))
    return pd.DataFrame(rows, columns=LEFT_COLUMNS)


def _why(row: Any, year: Year, cure: _search.Cure) -> str:
    if row.kind in _WHY:
        return _WHY[row.kind]
    if row.element == "trafo3w":
        return "the table of measures has nothing for transformers with three windings"
    built = [a for a in cure.actions if (a.element, a.element_id) == (row.element, row.element_id)]
    largest = f" beyond {built[-1].kind} ({built[-1].planned})" if built else ""
    if row.element == "bus":
        return "no further measure of the table, on the way from the source to this bus, lowers the violations"
    own = row.element == "line" and row.element_id in year.net.line.index
    possible = year.possible(_actions.line_actions, row.element_id) if own else built
    if not possible and not list(_transformers(row, year)):
        return f"the table of measures has nothing that fits this {'line' if row.element == 'line' else 'transformer'}"
    return f"nothing in the table of measures{largest} is large enough, or it makes something else worse"


def _transformers(row: Any, year: Year) -> list[Action]:
    if row.element != "trafo" or row.element_id not in year.net.trafo.index:
        return []
    return year.possible(_actions.transformer_actions, row.element_id)


def _joined(parts: tuple[pd.DataFrame, ...], columns: list[str]) -> pd.DataFrame:
    filled = [part for part in parts if len(part)]
    return pd.concat(filled, ignore_index=True) if filled else pd.DataFrame(columns=columns)


def _numbered(parts: tuple[pd.DataFrame, ...]) -> pd.DataFrame:
    steps = _joined(parts, STEP_COLUMNS[1:])
    return steps.assign(step=range(1, len(steps) + 1))[STEP_COLUMNS].astype({"capex_keur": float, "length_km": float})


def capital_plan(plan: Plan) -> pd.DataFrame:
    """Cost by year and kind of measure.

    Returns
    -------
    pd.DataFrame
        `year`, `measure`, `number`, `length_km` [km], `capex_keur` [kEUR]; years without a measure are left out.
    """
    groups = plan.steps.groupby(["year", "measure"], as_index=False)
    return groups.agg(number=("step", "count"), length_km=("length_km", "sum"), capex_keur=("capex_keur", "sum"))


def compare_standards(
    cases: Mapping[int, Case], limits: Limits, standards: Mapping[str, pd.DataFrame], *, search: Search | None = None
) -> pd.DataFrame:
    """Cost of curing the same needs with other sets of standard equipment.

    Parameters
    ----------
    cases, limits, search
        As for :func:`reinforce`.
    standards
        Table of measures by name; :func:`coarser` gives the next coarser one.

    Returns
    -------
    pd.DataFrame
        One row a standard: `standard`, `steps`, `length_km` [km], `capex_keur` [kEUR], `extra_keur` (over the first one)
        [kEUR], `left` (violations not cured), `proven` (cost proven lowest in every year).
    """
    rows = []
    for name, table in standards.items():
        plan = reinforce(cases, limits, table, search=search)
        length = float(plan.steps["length_km"].sum())
        rows.append((name, len(plan.steps), length, plan.total_keur, len(plan.left), bool(plan.years["proven"].all())))
    frame = pd.DataFrame(rows, columns=["standard", "steps", "length_km", "capex_keur", "left", "proven"])
    frame.insert(4, "extra_keur", frame["capex_keur"] - frame["capex_keur"].iloc[0] if len(frame) else 0.0)
    return frame
