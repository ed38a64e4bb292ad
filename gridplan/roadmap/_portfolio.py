"""The tables of a roadmap problem, checked with each other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields

import networkx as nx
import numpy as np
import pandas as pd

from gridplan import tables as dictionary
from gridplan.errors import Problem, StudyError, suggest

# Columns of the tables that other modules compute, and so are not in a study folder.
COMPUTED = {
    "closures": ("area", "application", "kind", "item", "way", "project"),
    "benefits": ("area", "group", "option", "year", "benefit_keur"),
    "contributions": ("area", "group", "option", "year"),
    "scores": ("project", "score"),
    "declared": ("project", "year", "benefit_keur"),
}
INPUTS = ("projects", "dependencies", "exclusions", "budgets", "targets", "staff", "staff_limits")
ALL = "all"  # name of the fund that limits every project together


@dataclass(frozen=True)
class Portfolio:
    """Everything that a roadmap is solved from; made by :func:`portfolio`, which checks it.

    Attributes
    ----------
    projects, dependencies, exclusions, budgets, targets, staff, staff_limits
        Tables of the study, as the column dictionary says.
    closures
        `kind`, `item`, `area` (empty: all), `application`, `way`, `project`: from :func:`gridplan.gaps.closures`.
    benefits
        `area`, `group`, `option` (applications joined by ``+``, or ``none``), `year`, `benefit_keur` [kEUR/yr]. Between years
        given the value runs in a straight line, outside it stays.
    contributions
        `area`, `group`, `option`, `year` and one column a KPI, to be added over areas and groups. Years as in `benefits`; an
        option that is not named contributes nothing.
    scores
        `project`, `score`.
    declared
        `project`, `year`, `benefit_keur` [kEUR/yr]: benefits of a project itself from its delivery on.
    """

    projects: pd.DataFrame
    closures: pd.DataFrame
    benefits: pd.DataFrame
    dependencies: pd.DataFrame
    exclusions: pd.DataFrame
    budgets: pd.DataFrame
    targets: pd.DataFrame
    staff: pd.DataFrame
    staff_limits: pd.DataFrame
    contributions: pd.DataFrame
    scores: pd.DataFrame
    declared: pd.DataFrame

    @property
    def kpis(self) -> list[str]:
        """Names of the KPIs."""
        return [name for name in self.contributions.columns if name not in COMPUTED["contributions"]]


def portfolio(tables: Mapping[str, pd.DataFrame]) -> Portfolio:
    """Check the tables of a roadmap problem with each other and put them together.

    Parameters
    ----------
    tables
        Frames by name, see :class:`Portfolio`; only `projects` is required. Other tables of a study are left aside.

    Returns
    -------
    Portfolio

    Raises
    ------
    StudyError
        With every problem: anything against the dictionary, a project, area or KPI that is unknown, a number that is not
        finite, a key that occurs twice, a fund without a budget, projects that wait for each other.
    """
    if "projects" not in tables:
        raise StudyError("roadmap", [Problem("projects.csv", "is missing", remedy="add the table 'projects'")])
    given = {name: tables[name] if name in tables else _empty(name) for name in (*INPUTS, *COMPUTED)}
    typed, problems = dictionary.convert({name: given[name] for name in INPUTS})
    plain = {name: _frame(given[name], name, problems) for name in COMPUTED}
    if not problems:
        found = Portfolio(**{field.name: {**typed, **plain}[field.name] for field in fields(Portfolio)})
        problems = [*_names(found), *_options(found), *_money(found), *_cycles(edges(found))]
    if problems:
        raise StudyError("roadmap", problems)
    return found


def _empty(name: str) -> pd.DataFrame:
    if name in COMPUTED:
        return pd.DataFrame(columns=list(COMPUTED[name]))
    rows = dictionary.columns()
    rows = rows[rows["table"] == name]
    return pd.DataFrame(columns=list(rows.loc[rows["required"] == "yes", "column"]))


def _frame(table: pd.DataFrame, name: str, problems: list[Problem]) -> pd.DataFrame:
    """Return a computed table with text and numbers in their places; append what is wrong to `problems`."""
    absent = [column for column in COMPUTED[name] if column not in table.columns]
    problems += [Problem(name, "is missing", column=column, remedy=f"add a column '{column}'") for column in absent]
    if absent:
        return table
    kept = list(COMPUTED[name]) if name != "contributions" else list(table.columns)
    found = table[kept].reset_index(drop=True).copy()
    texts = ("area", "application", "kind", "item", "project", "group", "option")
    for column in found:
        if column in texts:
            found[column] = found[column].fillna("").astype(str)
            continue
        numbers = pd.to_numeric(found[column], errors="coerce").astype(float)
        for at in np.flatnonzero(~np.isfinite(numbers.to_numpy())):
            problems.append(Problem(name, f"'{found[column].iloc[at]}' is no finite number", row=int(at) + 2, column=column))
        found[column] = numbers
    keys = {"benefits": 4, "contributions": 4, "scores": 1, "declared": 2}.get(name)
    twice = found.duplicated(list(COMPUTED[name])[:keys]) if keys else np.zeros(len(found), bool)
    problems += [Problem(name, "repeats an earlier row", row=int(at) + 2) for at in np.flatnonzero(twice)]
    return found


def parts(cell: str, mark: str = "|") -> list[str]:
    """Return the names in a cell that separates them."""
    return [name.strip() for name in cell.split(mark) if name.strip()]


def applications(option: str) -> frozenset[str]:
    """Return the applications of an option."""
    return frozenset() if option in ("", "none") else frozenset(parts(option, "+"))


def _names(given: Portfolio) -> Iterator[Problem]:
    """Yield projects that do not exist, and KPIs of targets that nothing contributes to."""
    known = sorted(given.projects["project"])
    for at, row in given.projects.iterrows():
        for name in parts(row["after"]):
            if name not in known:
                what = f"'{name}' is no project"
                yield Problem("projects.csv", what, row=int(at) + 2, column="after", remedy=suggest(name, known))
    for table in ("closures", "scores", "declared"):
        column = getattr(given, table)["project"]
        for at, name in column[~column.isin([*known, ""])].items():
            yield Problem(table, f"'{name}' is no project", row=int(at) + 2, column="project", remedy=suggest(name, known))
    for at, row in given.targets.iterrows():
        if row["kpi"] not in given.kpis:
            what, remedy = f"no option contributes to '{row['kpi']}'", suggest(row["kpi"], given.kpis)
            yield Problem("targets.csv", what, row=int(at) + 2, column="kpi", remedy=remedy)


def _options(given: Portfolio) -> Iterator[Problem]:
    """Yield areas and groups without the option none, and areas that closures name but benefits do not."""
    for table in ("benefits", "contributions"):
        frame = getattr(given, table)
        for (area, group), part in frame.groupby(["area", "group"]):
            if not (part["option"] == "none").any():
                what = f"has no rows of the option 'none' in area '{area}', group '{group}'"
                yield Problem(table, what, remedy="add them: what holds without any application")
    areas = set(given.benefits["area"]) | set(given.contributions["area"])
    odd = sorted(set(given.closures["area"]) - areas - {""})
    if areas:
        yield from (Problem("closures", f"area '{name}' has no benefits", remedy=suggest(name, sorted(areas))) for name in odd)


def _money(given: Portfolio) -> Iterator[Problem]:
    """Yield funds without a budget, and spend profiles that do not add up."""
    capex = given.budgets[given.budgets["kind"] != "opex"]
    funds = set(capex["fund"])
    for at, row in given.projects.iterrows():
        place = {"where": "projects.csv", "row": int(at) + 2}
        if funds and row["fund"] not in funds and ALL not in funds:
            remedy = suggest(row["fund"], sorted(funds)) + f"; or give a budget for the fund '{ALL}'"
            yield Problem(what=f"the fund '{row['fund']}' has no budget", column="fund", remedy=remedy, **place)
        if pd.isna(row["capex_keur"]) or not row["spend_profile"]:
            continue
        try:
            shares = [float(part) for part in parts(row["spend_profile"])]
        except ValueError:
            yield Problem(what=f"'{row['spend_profile']}' is no list of numbers", column="spend_profile", **place)
            continue
        if min(shares) < 0 or abs(sum(shares) - 1) > 1e-6:
            what = f"the shares of '{row['spend_profile']}' add up to {sum(shares):g}, not 1"
            yield Problem(what=what, column="spend_profile", remedy="give shares of 0 or more that add up to 1", **place)


def edges(given: Portfolio) -> pd.DataFrame:
    """Return every dependency: those of the table `dependencies`, and of `projects.after` what that does not name.

    Returns
    -------
    pd.DataFrame
        `project`, `after`, `type` (technical, data, organisational), `waits` (start: the start waits for the delivery of the
        other; delivery: only the delivery does), `lag_yr` [yr].
    """
    listed = given.dependencies[["project", "after", "type", "waits", "lag_yr"]]
    listed = listed.assign(waits=listed["waits"].replace("", "start"), lag_yr=listed["lag_yr"].fillna(0.0))
    named = set(zip(listed["project"], listed["after"], strict=True))
    rest = [
        (row.project, name, "technical", "start", 0.0)
        for row in given.projects.itertuples()
        for name in parts(row.after)
        if (row.project, name) not in named
    ]
    more = pd.DataFrame(rest, columns=list(listed.columns))
    found = more if listed.empty else listed if more.empty else pd.concat([listed, more], ignore_index=True)
    return found.sort_values(["project", "after"], ignore_index=True)


def _cycles(links: pd.DataFrame) -> Iterator[Problem]:
    graph = nx.DiGraph(list(zip(links["project"], links["after"], strict=True)))
    for group in sorted(sorted(found) for found in nx.strongly_connected_components(graph)):
        part = graph.subgraph(group)
        if part.number_of_edges():
            ring = [one for one, _ in nx.find_cycle(part)]
            what = f"a cycle of projects that wait for each other: {' > '.join([*ring, ring[0]])}"
            yield Problem("projects.csv, dependencies.csv", what, column="after", remedy="take out one of these dependencies")
