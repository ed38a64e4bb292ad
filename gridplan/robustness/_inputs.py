"""What a plan is made of, in which terms it is valued, and gridplan's own figures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from gridplan import tables
from gridplan.errors import ParameterError, Problem, StudyError, suggest

BUNDLED = ("cost_classes", "ranges", "defaults")
NONE = ("", "none")
"""Options that put nothing in service and give nothing."""

NEEDED = {
    "schedule": ("project", "start_year", "delivered_year"),
    "projects": ("project", "capex_keur", "opex_keur_per_yr"),
    "service": ("area", "group", "option", "year"),
    "benefits": ("area", "group", "option", "scenario", "year", "stream", "benefit_keur"),
    "kpis": ("area", "group", "option", "scenario", "year"),
    "enablers": ("area", "group", "option", "project"),
    "spend": ("project", "year", "spend_keur"),
    "dependencies": ("project", "after"),
}
KEYS = {
    "schedule": ["project"],
    "projects": ["project"],
    "service": ["area", "group", "year"],
    "benefits": ["area", "group", "option", "scenario", "year", "stream"],
    "kpis": ["area", "group", "option", "scenario", "year"],
}


def bundled(name: str) -> pd.DataFrame:
    """Return a table that comes with gridplan, with source and evidence in each row.

    Parameters
    ----------
    name
        ``cost_classes`` (ranges of cost estimates), ``ranges`` (of delays, prices, failure rates) or ``defaults``.

    Raises
    ------
    ParameterError
        There is no such table.
    """
    return tables.bundled("gridplan.robustness", name, known=BUNDLED)


def default(name: str) -> float:
    """Return one of gridplan's own figures."""
    return float(tables.bundled("gridplan.robustness", "defaults").set_index("name").loc[name, "value"])


@dataclass(frozen=True)
class Terms:
    """In which terms plans are valued.

    Parameters
    ----------
    discount_rate
        Rate per year, real or nominal as the money is [1].
    base_year
        Year to which money is discounted; money of the year t is divided by (1 + rate) ** (t - base_year).
    scenario_weights
        Probability of each scenario; they sum to 1. Without it all scenarios of the benefits are equally likely.
    """

    discount_rate: float
    base_year: int
    scenario_weights: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        problems = []
        if not self.discount_rate > -1:
            problems.append(Problem("discount_rate", f"{self.discount_rate:g} is not above -1 (-100 %)"))
        weights = list(self.scenario_weights.values())
        if weights and not (min(weights) >= 0 and abs(sum(weights) - 1) <= 1e-6):
            what = f"are {weights}, with the sum {sum(weights):g}"
            problems.append(Problem("scenario_weights", what, remedy="give probabilities of at least 0 that sum to 1"))
        if problems:
            raise ParameterError("terms", problems)

    def present(self, years: np.ndarray) -> np.ndarray:
        """Return what one unit of money of each year is worth in the base year."""
        return (1.0 + self.discount_rate) ** -(np.asarray(years, float) - self.base_year)

    def weights(self, scenarios: list[str]) -> dict[str, float]:
        """Return the probability of each of a plan's scenarios, in this order."""
        if not self.scenario_weights:
            return dict.fromkeys(scenarios, 1 / max(len(scenarios), 1))
        unknown = [name for name in self.scenario_weights if name not in scenarios]
        if unknown:
            found = [
                Problem("scenario_weights", f"'{n}' is no scenario of the benefits", remedy=suggest(n, scenarios))
                for n in unknown
            ]
            raise ParameterError("terms", found)
        return {name: self.scenario_weights.get(name, 0.0) for name in scenarios}


@dataclass(frozen=True, eq=False)
class Plan:
    """A roadmap and what it brings, as tables.

    Parameters
    ----------
    schedule
        `project`, `start_year`, `delivered_year` (in service from the start of that year).
    projects
        `project`, `capex_keur` [kEUR], `opex_keur_per_yr` [kEUR/yr], and, where known, `after` (predecessors, separated by
        ``|``), `cost_class` (1 to 5) and `residual_keur` [kEUR] (what it is still worth at the end of the horizon, counted
        against its capital; without it nothing).
    service
        `area`, `group`, `option`, `year`: the option in service in every year of the horizon.
    benefits
        `area`, `group`, `option`, `scenario`, `year`, `stream`, `benefit_keur` [kEUR/yr] against none in service. Between years
        given the value runs in a straight line, outside it stays; a stream without a row beside others of the year is 0.
    kpis
        `area`, `group`, `option`, `scenario`, `year`, and one column a KPI: what the option adds to it; years as in `benefits`.
    enablers
        `area`, `group`, `option`, `project`: which projects the option waits for. Needed where projects may be late;
        :func:`enablers_of` infers one.
    spend
        `project`, `year`, `spend_keur`: when the capital is spent; by default in equal parts from the start year to the year
        before the delivery.
    dependencies
        `project`, `after`, and, where known, `lag_yr` [yr] (after the delivery of the other) and `waits` (``start`` or
        ``delivery``: which of the project waits); by default `after` of the projects, whose start waits.

    Raises
    ------
    StudyError
        The tables do not hold what they must; all problems at once.
    """

    schedule: pd.DataFrame
    projects: pd.DataFrame
    service: pd.DataFrame
    benefits: pd.DataFrame
    kpis: pd.DataFrame | None = None
    enablers: pd.DataFrame | None = None
    spend: pd.DataFrame | None = None
    dependencies: pd.DataFrame | None = None

    def __post_init__(self) -> None:
        problems = [p for name in NEEDED for p in _table_problems(name, getattr(self, name))]
        problems = problems or [*_schedule_problems(self), *_service_problems(self)]
        if problems:
            raise StudyError("plan", problems)

    @property
    def years(self) -> np.ndarray:
        """Years of the horizon."""
        return np.arange(self.service["year"].min(), self.service["year"].max() + 1)

    @property
    def scenarios(self) -> list[str]:
        """Scenarios of the benefits, in order of appearance."""
        return list(dict.fromkeys(self.benefits["scenario"]))

    @property
    def kpi_names(self) -> list[str]:
        """Names of the KPI columns."""
        return [] if self.kpis is None else [c for c in self.kpis if c not in NEEDED["kpis"]]


def _table_problems(name: str, table: pd.DataFrame | None) -> Iterator[Problem]:
    if table is None:
        return
    missing = [column for column in NEEDED[name] if column not in table]
    yield from (Problem(name, f"has no column '{column}'", remedy=suggest(column, table.columns)) for column in missing)
    if missing:
        return
    if table.empty and name in ("service", "projects", "benefits"):
        yield Problem(name, "is empty")
    numbers = table.select_dtypes("number")
    bad = [c for c in numbers if not np.isfinite(numbers[c].to_numpy(float)).all() and (c in NEEDED[name] or name == "kpis")]
    yield from (Problem(name, "holds a cell that is no finite number", column=column, remedy="fill it in") for column in bad)
    for key in table[table.duplicated(KEYS.get(name, list(table)))].head(5).to_dict("records"):
        said = ", ".join(str(key[k]) for k in KEYS.get(name, list(table)))
        yield Problem(name, f"{said} occurs twice", remedy="delete one of the rows")


def _schedule_problems(plan: Plan) -> Iterator[Problem]:
    known = set(plan.projects["project"])
    for row in plan.schedule.itertuples():
        if row.project not in known:
            yield Problem("schedule", f"'{row.project}' is no project", remedy=suggest(row.project, known))
        if row.delivered_year < row.start_year:
            yield Problem(
                "schedule", f"'{row.project}' is delivered in {row.delivered_year}, before its start in {row.start_year}"
            )
    if plan.spend is not None:
        bare = set(plan.schedule["project"]) - set(plan.spend["project"])
        yield from (
            Problem("spend", f"'{name}' has no year in which it is paid for", remedy="add it, or leave out `spend`")
            for name in sorted(bare)
        )
    if plan.enablers is not None:
        scheduled = set(plan.schedule["project"])
        used = plan.service[["area", "group", "option"]].drop_duplicates().merge(plan.enablers)
        for row in used[~used["project"].isin(scheduled)].itertuples():
            what = f"option '{row.option}' in '{row.area}' is in service and needs '{row.project}', which is not scheduled"
            yield Problem("enablers", what, remedy="schedule it, or leave out enablers that exist already")


def _service_problems(plan: Plan) -> Iterator[Problem]:
    years = len(plan.years)
    for (area, group), rows in plan.service.groupby(["area", "group"]):
        if len(rows) != years:
            yield Problem(
                "service", f"'{group}' in '{area}' has {len(rows)} of {years} years", remedy="give one option for every year"
            )
    if plan.enablers is None:
        return
    first = plan.service.groupby(["area", "group", "option"])["year"].min().rename("from_year").reset_index()
    late = first.merge(plan.enablers).merge(plan.schedule, on="project")
    for row in late[late["delivered_year"] > late["from_year"]].itertuples():
        what = f"'{row.option}' in '{row.area}' serves from {row.from_year}, but '{row.project}' comes in {row.delivered_year}"
        yield Problem("service", what, remedy="mend the schedule or the service")


def enablers_of(schedule: pd.DataFrame, service: pd.DataFrame, closures: pd.DataFrame | None = None) -> pd.DataFrame:
    """Return which projects an option waits for.

    With `closures` every need of each application of the option is closed by one of its ways, the one that is delivered first.
    Without them it is a guess: the option waits for what is delivered last before it comes into service, and an option that is
    in service in the first year of the horizon waits for nothing.

    Parameters
    ----------
    schedule, service
        As for :class:`Plan`; an option is the names of its applications, joined by ``+``.
    closures
        From :func:`gridplan.gaps.closures`: `kind`, `item`, `area` (empty: all), `application`, `way`, `project`.

    Returns
    -------
    pd.DataFrame
        `area`, `group`, `option`, `project`.

    Raises
    ------
    StudyError
        A need of an option in service is closed by no way that is scheduled.
    """
    first = service.groupby(["area", "group", "option"], sort=False)["year"].min().reset_index()
    first = first[~first["option"].isin(NONE)]
    when = schedule.set_index("project")["delivered_year"]
    rows: list[tuple[str, str, str, str]] = []
    problems: list[Problem] = []
    for row in first.itertuples():
        if closures is None:
            before = when[when <= row.year] if row.year > service["year"].min() else when[:0]
            found = list(before.index[before == before.max()])
        else:
            found = _closing(row, closures, when, problems)
        rows += [(row.area, row.group, row.option, project) for project in found]
    if problems:
        raise StudyError("enablers", problems)
    return pd.DataFrame(rows, columns=["area", "group", "option", "project"])


def _closing(row: tuple, closures: pd.DataFrame, when: pd.Series, problems: list[Problem]) -> list[str]:
    """Return the scheduled projects that close the needs of an option, and note needs that none closes."""
    own = closures[closures["application"].isin(str(row.option).split("+")) & closures["area"].isin(["", row.area])]
    found: dict[str, None] = {}
    for (kind, item, application), need in own.groupby(["kind", "item", "application"], sort=False):
        ways = [list(way["project"]) for _, way in need.groupby("way")]
        open_ = [way for way in ways if set(way) <= set(when.index)]
        if open_:
            found |= dict.fromkeys(min(open_, key=lambda way: when[way].max()))
        else:
            what = f"'{application}' in '{row.area}' is in service, but nothing scheduled closes its need of {kind} '{item}'"
            problems.append(Problem("closures", what, remedy="schedule a project that does, or take it out of service"))
    return list(found)
