"""What the column dictionary cannot express about the IT/OT tables of a study."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import networkx as nx
import pandas as pd

from gridplan import architecture, communications
from gridplan import tables as dictionary
from gridplan.errors import Problem, StudyError, suggest

NEEDED = [
    "standards",
    "sites",
    "media",
    "links",
    "systems",
    "interfaces",
    "applications",
    "needs",
    "devices",
    "capabilities",
    "maturity",
    "projects",
    "deliveries",
]


def given(tables: Mapping[str, pd.DataFrame]) -> bool:
    """Whether a study has all the IT/OT tables."""
    return all(name in tables for name in NEEDED)


def check(tables: Mapping[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """Check the IT/OT tables of a study with each other.

    Parameters
    ----------
    tables
        `standards`, `sites`, `media`, `links`, `systems`, `interfaces`, `applications`, `needs`, `devices`, `capabilities`,
        `maturity`, `projects`, `deliveries`; others are left aside.

    Returns
    -------
    dict
        These tables, typed.

    Raises
    ------
    StudyError
        With every problem: a table that is absent, anything against the dictionary, a need or delivery of something unknown, a
        cycle of needs or of projects. Every problem names the row.
    """
    absent = [Problem(f"{name}.csv", "is missing", remedy=f"add the table '{name}'") for name in NEEDED if name not in tables]
    if absent:
        raise StudyError("IT/OT inventory", absent)
    typed, problems = dictionary.convert({name: tables[name] for name in NEEDED})
    if not problems:
        problems = [*_needs(typed), *_deliveries(typed), *_projects(typed["projects"])]
        problems += architecture.problems(typed["systems"], typed["interfaces"])
        problems += communications.problems(typed["links"])
    if problems:
        raise StudyError("IT/OT inventory", problems)
    return typed


def _known(typed: Mapping[str, pd.DataFrame]) -> dict[str, set[str]]:
    """Return the names that a need or a delivery of each kind may use."""
    delivered = typed["deliveries"]
    return {
        "application": set(typed["applications"]["application"]),
        "system": set(typed["systems"]["system"]),
        "interface": set(typed["interfaces"]["interface"]),
        "link": set(typed["links"]["link"]),
        "device": set(typed["devices"]["device"]) | set(delivered.loc[delivered["kind"] == "device", "item"]),
        "capability": set(typed["capabilities"]["capability"]),
        "communication": set(typed["sites"]["kind"]),
    }


def _needs(typed: Mapping[str, pd.DataFrame]) -> Iterator[Problem]:
    known, needs = _known(typed), typed["needs"]
    standards = set(typed["standards"]["standard"])
    for at, row in needs.iterrows():
        place = {"where": "needs.csv", "row": int(at) + 2}
        names = row["item"].split(">") if row["kind"] == "interface" else [row["item"]]
        among = known["system" if row["kind"] == "interface" else row["kind"]]
        if row["kind"] == "interface" and len(names) != 2:
            yield Problem(what=f"'{row['item']}' names no two systems", column="item", remedy="write from>to", **place)
            continue
        for name in names:
            if name not in among:
                kind = (
                    "kind of site" if row["kind"] == "communication" else "system" if row["kind"] == "interface" else row["kind"]
                )
                yield Problem(what=f"'{name}' is no {kind}", column="item", remedy=suggest(name, sorted(among)), **place)
        for name in filter(None, (part.strip() for part in row["standards"].split("|"))):
            if name not in standards:
                yield Problem(
                    what=f"'{name}' is no standard", column="standards", remedy=suggest(name, sorted(standards)), **place
                )
        wanted = {"device": "number", "capability": "level", "communication": "to_system"}.get(row["kind"])
        if wanted and (pd.isna(row[wanted]) or row[wanted] == ""):
            yield Problem(what=f"is empty; a need of kind {row['kind']} gives it", column=wanted, **place)
    asked = needs[needs["kind"] == "application"]
    edges = list(zip(asked["application"], asked["item"], asked.index, strict=True))
    yield from _cycles(edges, "needs.csv", "item", "applications that need each other")


def _deliveries(typed: Mapping[str, pd.DataFrame]) -> Iterator[Problem]:
    known = _known(typed)
    areas = set(typed["devices"]["area"]) | areas_of(typed["sites"])
    for at, row in typed["deliveries"].iterrows():
        place = {"where": "deliveries.csv", "row": int(at) + 2}
        if row["item"] not in known[row["kind"]]:
            remedy = suggest(row["item"], sorted(known[row["kind"]]))
            yield Problem(what=f"'{row['item']}' is no {row['kind']}", column="item", remedy=remedy, **place)
        if row["kind"] == "device":
            if row["area"] not in areas:
                yield Problem(
                    what=f"'{row['area']}' is no area", column="area", remedy=suggest(row["area"], sorted(areas)), **place
                )
            if pd.isna(row["number"]):
                yield Problem(what="is empty; a delivery of devices gives it", column="number", **place)
        if row["kind"] == "capability" and pd.isna(row["level"]):
            yield Problem(what="is empty; a delivery of a capability gives it", column="level", **place)


def _projects(projects: pd.DataFrame) -> Iterator[Problem]:
    known, edges = set(projects["project"]), []
    for at, row in projects.iterrows():
        for name in before(row["after"]):
            if name not in known:
                what, remedy = f"'{name}' is no project", suggest(name, sorted(known))
                yield Problem("projects.csv", what, row=int(at) + 2, column="after", remedy=remedy)
            else:
                edges.append((row["project"], name, at))
    yield from _cycles(edges, "projects.csv", "after", "projects that wait for each other")


def _cycles(edges: list[tuple[str, str, int]], where: str, column: str, what: str) -> Iterator[Problem]:
    """Yield one problem for every group of names in a cycle, at the row that closes it."""
    graph = nx.DiGraph()
    for one, other, at in edges:
        graph.add_edge(one, other, row=at)
    for group in nx.strongly_connected_components(graph):
        part = graph.subgraph(group)
        if part.number_of_edges() == 0:
            continue
        ring = nx.find_cycle(part, min(part))
        rows = sorted(part.edges[edge]["row"] + 2 for edge in ring)
        ring = [one for one, _ in ring]
        said = f"a cycle of {what}: {' > '.join([*ring, ring[0]])} (rows {', '.join(map(str, rows))})"
        yield Problem(where, said, row=int(rows[-1]), column=column, remedy="take out one of these rows")


def before(cell: str) -> list[str]:
    """Return the names in a cell that separates them by |."""
    return [name.strip() for name in cell.split("|") if name.strip()]


def areas_of(sites: pd.DataFrame) -> set[str]:
    """Return the areas that sites serve."""
    return {name for cell in sites["areas"] for name in before(cell)}
