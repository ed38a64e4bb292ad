"""Tables for the reader: gaps with what closes them, verdicts, smallest sets of projects."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from gridplan.errors import ParameterError, Problem, suggest
from gridplan.gaps._facts import Facts
from gridplan.gaps._find import Key, open_gaps
from gridplan.gaps._sets import in_order, smallest, ways

NONE = "no project"
COLUMNS = ["kind", "item", "area", "application", "needed", "present", "gap", "closed_by"]
KINDS = ["system", "interface", "standard", "interoperability", "device", "communication", "security", "capability"]


def find(given: Facts, *, projects: Iterable[str] = ()) -> pd.DataFrame:
    """Return every gap: what applications need less what there is.

    Parameters
    ----------
    given
        From :func:`facts`.
    projects
        Projects delivered; none for today.

    Returns
    -------
    pd.DataFrame
        One row a gap: `kind` (system, interface, standard, interoperability, device, communication, security, capability),
        `item`, `area` (empty: in all), `application` (empty: a security finding on what no application uses), `needed`,
        `present`, `gap` in words, `closed_by`: projects separated by ``|`` of which each closes the gap of today, or a smallest
        set joined by ``+``, each with the projects before it; ``no project`` if none does. A need that an application has
        because it needs another stands under both.
    """
    done = given.complete(projects)
    rows = [(*key, gap.needed, gap.present, gap.gap, closed_by(given, key, done)) for key, gap in open_gaps(given, done).items()]
    table = pd.DataFrame(rows, columns=COLUMNS)
    rank = table["kind"].map({name: number for number, name in enumerate(KINDS)})
    return table.assign(rank=rank).sort_values(["application", "rank", "item", "area"], kind="stable", ignore_index=True)[COLUMNS]


def closed_by(given: Facts, key: Key, done: frozenset[str] = frozenset()) -> str:
    """Return in words which projects close a gap; of a gap that only opens after some projects, which further ones."""
    if key not in open_gaps(given, frozenset()):
        rest = smallest(given, lambda other: other == key) if not done else _further(given, key, done)
        return " + ".join(in_order(given, rest)) if rest else NONE
    if ("closed", key) not in given.memory:
        given.memory["closed", key] = " | ".join(" + ".join(in_order(given, way)) for way in ways(given, key)) or NONE
    return given.memory["closed", key]


def _further(given: Facts, key: Key, done: frozenset[str]) -> list[str]:
    """Return single projects that close a gap when some are done."""
    rest = [name for name in given.order if name not in done]
    return [name for name in rest if key not in open_gaps(given, done | given.complete([name]))][:1]


def closures(given: Facts) -> pd.DataFrame:
    """Return the gaps of today and the projects that close them, for a solver.

    Returns
    -------
    pd.DataFrame
        One row a gap, way and project: `kind`, `item`, `area`, `application`, `way` (number from 1; all projects of one way are
        needed, any way is enough; 0 if nothing closes the gap), `project` (empty if nothing does).
    """
    rows = []
    for key in open_gaps(given, frozenset()):
        if not key[3]:
            continue
        text = closed_by(given, key)
        if text == NONE:
            rows.append((*key, 0, ""))
            continue
        for number, way in enumerate(text.split(" | "), 1):
            rows += [(*key, number, name) for name in way.split(" + ")]
    return pd.DataFrame(rows, columns=["kind", "item", "area", "application", "way", "project"])


def verdicts(given: Facts, *, projects: Iterable[str] = ()) -> pd.DataFrame:
    """Return for each application and area whether it can run, and why not.

    Parameters
    ----------
    given
        From :func:`facts`.
    projects
        Projects delivered; none for today.

    Returns
    -------
    pd.DataFrame
        One row an application and area: `application`, `area`, `verdict` (ready, not ready), `gaps` (how many), `reasons` (the
        gaps by kind, with items), `never` (gaps that no project closes, by item).
    """
    done = given.complete(projects)
    found = open_gaps(given, done)
    rows = []
    for application in given.tables["applications"]["application"]:
        own = {key: gap for key, gap in found.items() if key[3] == application}
        for area in given.areas:
            here = {key: gap for key, gap in own.items() if key[2] in ("", area)}
            never = [f"{key[0]} {key[1]}" for key in here if closed_by(given, key, done) == NONE]
            verdict = "not ready" if here else "ready"
            rows.append((application, area, verdict, len(here), _reasons(here), "; ".join(never)))
    return pd.DataFrame(rows, columns=["application", "area", "verdict", "gaps", "reasons", "never"])


def _reasons(here: dict) -> str:
    by_kind: dict[str, list[str]] = {}
    for key in here:
        by_kind.setdefault(key[0], []).append(key[1])
    return "; ".join(f"{kind}: {', '.join(by_kind[kind])}" for kind in KINDS if kind in by_kind)


def shortest(
    given: Facts, applications: Iterable[str], *, areas: Iterable[str] | None = None, by: str = "number"
) -> pd.DataFrame:
    """Return the smallest set of projects after which applications can run in areas.

    Parameters
    ----------
    given
        From :func:`facts`.
    applications
        Names of applications.
    areas
        Names of areas; all if not given.
    by
        ``number`` of projects (of equal sets the cheapest), or ``cost``: the lowest capital cost.

    Returns
    -------
    pd.DataFrame
        One row a project, in an order in which it can be done: `project`, `label`, `state` by which it is due, `capex_keur`
        [kEUR], `duration_yr` [yr]. `attrs["possible"]` is false, and the table empty, if no set of projects is enough;
        `attrs["never"]` then holds the gaps that no project closes.

    Raises
    ------
    ParameterError
        An application or area is unknown, or `by` is neither of the two.
    """
    asked, where = list(applications), list(given.areas if areas is None else areas)
    _refuse(given, asked, where, by)

    def wanted(key: Key) -> bool:
        return key[3] in asked and key[2] in ("", *where)

    found = smallest(given, wanted, by=by)
    table = given.tables["projects"].set_index("project", drop=False)
    columns = ["project", "label", "state", "capex_keur", "duration_yr"]
    rows = table.loc[in_order(given, found or ()), columns].reset_index(drop=True)
    rows.attrs["possible"] = found is not None
    never = [] if found is not None else [key for key in open_gaps(given, frozenset()) if wanted(key)]
    rows.attrs["never"] = [" ".join(filter(None, key)) for key in never if closed_by(given, key) == NONE]
    return rows


def routes(given: Facts, *, areas: Iterable[str] | None = None) -> pd.DataFrame:
    """Return the smallest set of projects for every application by itself.

    Parameters
    ----------
    given
        From :func:`facts`.
    areas
        Names of areas in which it shall run; all if not given.

    Returns
    -------
    pd.DataFrame
        One row an application: `application`, `projects` (how many), `capex_keur` [kEUR], `route` (their names, in an order in
        which they can be done), `never` (gaps that no project closes; then there is no set).
    """
    where = None if areas is None else list(areas)
    rows = []
    for application in given.tables["applications"]["application"]:
        found = shortest(given, [application], areas=where)
        row = (len(found), found["capex_keur"].sum(), ", ".join(found["project"]), "; ".join(found.attrs["never"]))
        rows.append((application, *row))
    return pd.DataFrame(rows, columns=["application", "projects", "capex_keur", "route", "never"])


def by_project(given: Facts) -> pd.DataFrame:
    """Return how many gaps of today each project takes part in closing, the most first.

    Returns
    -------
    pd.DataFrame
        One row a project: `project`, `label`, `gaps` (that it closes, alone or with others), `applications` (that have them),
        `capex_keur` [kEUR].
    """
    closed = closures(given)
    groups = (
        closed[closed["project"] != ""].drop_duplicates(["kind", "item", "area", "application", "project"]).groupby("project")
    )
    projects = given.tables["projects"][["project", "label", "capex_keur"]]
    counted = projects.assign(
        gaps=projects["project"].map(groups.size()).fillna(0).astype(int),
        applications=projects["project"].map(groups["application"].nunique()).fillna(0).astype(int),
    )
    return counted.sort_values("gaps", ascending=False, kind="stable", ignore_index=True)


def _refuse(given: Facts, asked: list[str], where: list[str], by: str) -> None:
    known = {"application": list(given.tables["applications"]["application"]), "area": list(given.areas)}
    problems = [
        Problem(f"{kind} '{name}'", "does not exist", remedy=suggest(name, known[kind]))
        for kind, names in (("application", asked), ("area", where))
        for name in names
        if name not in known[kind]
    ]
    if by not in ("number", "cost"):
        problems.append(Problem("by", f"'{by}' is not allowed", remedy="give 'number' or 'cost'"))
    if problems:
        raise ParameterError("shortest set of projects", problems)
