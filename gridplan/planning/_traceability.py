"""From objectives over capabilities and applications to projects and what they bring."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import factorial
from typing import Any

import numpy as np
import pandas as pd

from gridplan import roadmap, valuation
from gridplan.errors import Problem, StudyError, suggest
from gridplan.planning._case import Case
from gridplan.planning._money import declared_after

NONE = "none"
WORTH_NAMING = 0.01
"""Share of the benefits that count towards an objective from which on an application is said to serve it."""
COLUMNS = [
    "objective",
    "capabilities",
    "application",
    "areas",
    "first_year",
    "projects",
    "streams",
    "pv_keur",
    "pv_declared_keur",
]


def shares(given: Case, found: roadmap.Roadmap, scenario: str) -> pd.DataFrame:
    """Return what each application in service brings, its part of what combinations bring, over the years of a roadmap.

    What the combination in service in an area, group and year brings is shared among its applications by the Shapley value: the
    mean of what each adds over all orders in which they may come. The shares sum to the simulated benefit of the roadmap.

    Returns
    -------
    pd.DataFrame
        `application`, `stream`, `pv_keur`: present value [kEUR].
    """
    own = given.benefits[given.benefits["scenario"] == scenario]
    grid = own.pivot_table(index=["area", "group", "year", "option"], columns="stream", values="benefit_keur", sort=False)
    grid = grid.fillna(0.0)
    served = found.options[found.options["option"] != NONE]
    total: dict[str, np.ndarray] = {}
    rates = valuation.discount(given.assumptions, found.choices.first_year)
    factors = valuation.discount_factors(found.choices.years, rates)
    games = {key: part.droplevel([0, 1, 2]) for key, part in grid.groupby(level=["area", "group", "year"])} if len(grid) else {}
    for row in served.itertuples():
        game = games[row.area, row.group, row.year]
        worth = {frozenset(name.split("+")): values for name, values in zip(game.index, game.to_numpy(), strict=True)}
        for name, part in _shapley(worth, row.option.split("+")).items():
            total[name] = total.get(name, 0.0) + factors[row.year] * part
    rows = [(name, *pair) for name, part in total.items() for pair in zip(grid.columns, part, strict=True)]
    return pd.DataFrame(rows, columns=["application", "stream", "pv_keur"])


def _shapley(worth: Mapping[frozenset[str], np.ndarray], members: list[str]) -> dict[str, np.ndarray]:
    """Return the share of each member; a set that was not simulated is worth what its largest simulated part is."""
    nothing = np.zeros(len(next(iter(worth.values()))))
    subsets = [frozenset(m for at, m in enumerate(members) if mask >> at & 1) for mask in range(1 << len(members))]
    value = {own: worth[own] if own in worth else _largest(worth, own, nothing) for own in subsets}
    size = len(members)
    weight = [factorial(k) * factorial(size - k - 1) / factorial(size) for k in range(size)]
    return {
        name: sum((weight[len(own)] * (value[own | {name}] - value[own]) for own in subsets if name not in own), nothing)
        for name in members
    }


def _largest(worth: Mapping[frozenset[str], np.ndarray], own: frozenset[str], nothing: np.ndarray) -> np.ndarray:
    inside = [name for name in worth if name <= own]
    return worth[max(inside, key=lambda name: (len(name), sorted(name)))] if inside else nothing


def traceability(given: Case, found: roadmap.Roadmap, scenario: str) -> pd.DataFrame:
    """Return how each objective of the study is served: by which capabilities, applications and projects, with what benefit.

    An application serves an objective if it brings at least 1 % of the benefits that count towards it, and rests on those of its
    capabilities that it needs. An objective is also served by projects that build its capabilities themselves; they stand in a
    row without an application. Projects are those of the roadmap that close a gap of the application, with those before them.

    Parameters
    ----------
    given
        From :func:`gridplan.planning.case`.
    found
        From :func:`gridplan.roadmap.solve`.
    scenario
        Scenario whose benefits count.

    Returns
    -------
    pd.DataFrame
        `objective`, `capabilities`, `application` (empty: served by capabilities alone), `areas` (how many it runs in at
        some time), `first_year` (in service), `projects`, `streams`, `pv_keur` (its part of the present value of the simulated
        benefits), `pv_declared_keur` (present value of declared benefits of the application, in the first of its rows); names of
        several separated by ``|``. Every objective has a row, every application in service, and every project of the roadmap.

    Raises
    ------
    StudyError
        An objective names a capability or a stream that does not exist.
    """
    objectives = given.tables.get("objectives")
    if objectives is None:
        return pd.DataFrame(columns=COLUMNS)
    _refuse(given.tables)
    chain = chains(given, found)
    value = shares(given, found, scenario)
    rows = []
    for row in objectives.itertuples():
        own = _serving(value[value["stream"].isin(_names(row.streams))])
        rows += [_served(given, found, row, name, part) | {"projects": "|".join(chain[name])} for name, part in own]
        rows += _built(given, found, row, served=bool(own))
    traced = {row["application"] for row in rows}
    rest = [name for name in chain if name not in traced]
    rows += [_served(given, found, None, name, value[:0]) | {"projects": "|".join(chain[name])} for name in rest]
    rows += _untraced(found, rows)
    table = pd.DataFrame(rows, columns=COLUMNS)
    first = ~table["application"].duplicated()
    return table.assign(pv_declared_keur=table["application"].map(_declared(given, found)).where(first).fillna(0.0))


def _untraced(found: roadmap.Roadmap, rows: list[dict[str, object]]) -> list[dict[str, object]]:
    """Return one row of the projects that stand in no other."""
    traced = {name for row in rows for name in _names(row["projects"])}
    rest = found.schedule[~found.schedule["project"].isin(traced)]
    row = dict.fromkeys(COLUMNS, "") | {"areas": 0, "pv_keur": 0.0, "projects": "|".join(rest["project"])}
    return [row | {"first_year": int(rest["service_year"].min())}] if len(rest) else []


def _serving(value: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    """Return the applications that bring a part worth naming of the streams of an objective."""
    own = value.groupby("application", sort=False)["pv_keur"].sum()
    worth = own[own >= WORTH_NAMING * own.sum()] if own.sum() > 0 else own[:0]
    return [(name, value[value["application"] == name]) for name in worth.index]


def chains(given: Case, found: roadmap.Roadmap) -> dict[str, list[str]]:
    """Return the projects of a roadmap that each application in service needs, those before them included, by start."""
    used = found.options[found.options["option"] != NONE]
    each = used.assign(application=used["option"].str.split("+")).explode("application")
    earlier = before(given)
    order = list(found.schedule["project"])
    return {
        str(name): _ordered(order, with_before(earlier, _closing(given.closures, str(name), set(own["area"]), set(order))))
        for name, own in each.groupby("application", sort=False)
    }


def _ordered(order: list[str], names: set[str]) -> list[str]:
    return [name for name in order if name in names]


def _closing(closures: pd.DataFrame, application: str, areas: set[str], chosen: set[str]) -> set[str]:
    """Return the projects chosen that close gaps of an application: of several ways those that are there whole."""
    own = closures[(closures["application"] == application) & closures["area"].isin(["", *areas]) & (closures["way"] > 0)]
    whole = own.groupby(["kind", "item", "area", "way"], sort=False)["project"].agg(set)
    return set().union(*(way for way in whole if way <= chosen))


def before(given: Case) -> dict[str, set[str]]:
    """Return for each project those that must come before it."""
    links = roadmap.edges(roadmap.portfolio({n: given.tables[n] for n in ("projects", "dependencies") if n in given.tables}))
    return {name: set(own["after"]) for name, own in links.groupby("project")}


def with_before(earlier: Mapping[str, set[str]], names: Iterable[str]) -> set[str]:
    """Return projects and all those before them."""
    found, waiting = set(), list(names)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += earlier.get(name, set())
    return found


def _served(given: Case, found: roadmap.Roadmap, objective: Any, name: str, part: pd.DataFrame) -> dict[str, object]:
    """Return the row of an objective and an application that serves it."""
    used = found.options[found.options["option"].str.split("+").map(lambda option: name in option)]
    needs = given.tables["needs"]
    asked = set(needs.loc[(needs["application"] == name) & (needs["kind"] == "capability"), "item"])
    wanted = _names(objective.capabilities) if objective is not None else sorted(asked)
    return {
        "objective": objective.objective if objective is not None else "",
        "capabilities": "|".join(c for c in wanted if c in asked),
        "application": name,
        "areas": used["area"].nunique(),
        "first_year": int(used["year"].min()),
        "streams": "|".join(part[part["pv_keur"] > 0].sort_values("pv_keur", ascending=False, kind="stable")["stream"]),
        "pv_keur": float(part["pv_keur"].sum()),
    }


def _built(given: Case, found: roadmap.Roadmap, objective: Any, *, served: bool) -> list[dict[str, object]]:
    """Return the row of an objective whose capabilities projects of the roadmap build; empty if there are none beside others."""
    table = given.tables.get("deliveries", pd.DataFrame(columns=["project", "kind", "item"]))
    own = table[(table["kind"] == "capability") & table["item"].isin(_names(objective.capabilities))]
    built = found.schedule[found.schedule["project"].isin(own["project"])]
    if built.empty and served:
        return []
    raised = own[own["project"].isin(built["project"])]
    return [
        {
            "objective": objective.objective,
            "capabilities": "|".join(c for c in _names(objective.capabilities) if c in set(raised["item"])),
            "application": "",
            "areas": 0,
            "first_year": int(built["service_year"].min()) if len(built) else None,
            "projects": "|".join(built["project"]),
            "streams": "",
            "pv_keur": 0.0,
        }
    ]


def _declared(given: Case, found: roadmap.Roadmap) -> dict[str, float]:
    """Return the present value of the declared benefits of each application."""
    own = declared_after(given, found)
    own = own[own["kind"] == "application"].rename(columns={"declared_keur": "value_keur"})
    rates = valuation.discount(given.assumptions, found.choices.first_year)
    return valuation.present_by(own, rates, "item").to_dict() if len(own) else {}


def _names(cell: object) -> list[str]:
    return [name for name in str(cell).split("|") if name] if isinstance(cell, str) else []


def _refuse(tables: Mapping[str, pd.DataFrame]) -> None:
    """Raise for capabilities and streams of objectives that do not exist."""
    known = {"streams": set(valuation.streams()["stream"])}
    if "capabilities" in tables:
        known["capabilities"] = set(tables["capabilities"]["capability"])
    problems = [
        Problem("objectives", f"'{name}' is not known", row=at, column=column, remedy=suggest(name, sorted(names)))
        for column, names in known.items()
        for at, cell in enumerate(tables["objectives"].get(column, ()), 2)
        for name in _names(cell)
        if name not in names
    ]
    if problems:
        raise StudyError("objectives", problems)
