"""What the tables say, prepared so that the gaps after any set of projects are found by looking up names."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import networkx as nx
import pandas as pd

from gridplan import architecture, capability, communications
from gridplan.errors import ParameterError, Problem, suggest
from gridplan.gaps._check import areas_of, before, check

LOCAL = ["links", "systems", "interfaces"]
KEY = {"links": "link", "systems": "system", "interfaces": "interface"}


@dataclass(frozen=True, eq=False)
class State:
    """The IT and OT after some projects.

    Parameters
    ----------
    projects
        The projects delivered, with those before them.
    tables
        The tables of the study: `status` of systems, interfaces and links as it then is, `devices` with those delivered, and
        `levels` (`capability`, `level`, `target_level`, ...) of the organisation.
    """

    projects: tuple[str, ...]
    tables: Mapping[str, pd.DataFrame]

    @property
    def architecture(self) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
        """Systems, interfaces and standards, as the functions of :mod:`gridplan.architecture` take them."""
        return self.tables["systems"], self.tables["interfaces"], self.tables["standards"]


@dataclass(frozen=True, eq=False)
class Facts:
    """Checked tables and what follows from them for every set of projects."""

    tables: Mapping[str, pd.DataFrame]
    year: int
    model: communications.Model | None
    order: nx.DiGraph = field(init=False)  # from a project to those before it
    needs: pd.DataFrame = field(init=False)  # with those of needed applications, `for_application` says who asked
    findings: pd.DataFrame = field(init=False)  # of every interface and system, were it in service
    levels: pd.DataFrame = field(init=False)
    flows: pd.DataFrame = field(init=False)
    areas: tuple[str, ...] = field(init=False)
    heirs: Mapping[str, Mapping[str, list[str]]] = field(init=False)
    interfaces: Mapping[str, Any] = field(init=False)  # rows by name
    between: Mapping[tuple[str, str], list[str]] = field(init=False)  # interfaces that carry from one system to another
    memory: dict = field(init=False)

    def __post_init__(self) -> None:
        given = self.tables
        order = nx.DiGraph()
        order.add_nodes_from(given["projects"]["project"])
        for name, cell in zip(given["projects"]["project"], given["projects"]["after"], strict=True):
            order.add_edges_from((name, other) for other in before(cell))
        every = {name: given[name].assign(status="present") for name in ("systems", "interfaces")}
        own = {
            "order": order,
            "needs": _inherited(given["needs"], given["applications"]["application"]),
            "findings": architecture.violations(
                every["systems"], every["interfaces"], given["standards"], year=self.year, checked=True
            ),
            "levels": capability.levels(given["capabilities"], given["maturity"], checked=True),
            "flows": communications.flows(given["needs"], given["sites"], given["systems"]),
            "areas": tuple(sorted(areas_of(given["sites"]) | set(given["devices"]["area"]))),
            "heirs": {name: _heirs(given[name], KEY[name]) for name in LOCAL},
            "interfaces": {row.interface: row for row in given["interfaces"].itertuples()},
            "between": _between(given["interfaces"]),
            "memory": {},
        }
        for name, value in own.items():
            object.__setattr__(self, name, value)

    def complete(self, projects: Iterable[str]) -> frozenset[str]:
        """Return projects with all that must be delivered before them."""
        asked = set(projects)
        if unknown := sorted(asked - set(self.order)):
            known = sorted(self.order)
            raise ParameterError(
                "projects", [Problem(f"project '{n}'", "does not exist", remedy=suggest(n, known)) for n in unknown]
            )
        return frozenset(asked.union(*(nx.descendants(self.order, name) for name in asked)))

    def family(self, system: str) -> list[str]:
        """Return a system and those that replace it."""
        return [system, *self.heirs["systems"].get(system, ())]

    def carriers(self, item: str) -> list[str]:
        """Return the interfaces, in service or not, that carry from one system (or its successor) to another: ``from>to``."""
        one, other = (self.family(name) for name in item.split(">"))
        return [name for a in one for b in other for name in self.between.get((a, b), ())]

    def delivered(self, projects: frozenset[str]) -> pd.DataFrame:
        """Return the deliveries of some projects."""
        table = self.tables["deliveries"]
        return table[table["project"].isin(projects)]

    def in_service(self, projects: frozenset[str]) -> dict[str, frozenset[str]]:
        """Return the names of links, systems and interfaces in service after some projects."""
        done = self.delivered(projects)
        found: dict[str, frozenset[str]] = {}
        for table in LOCAL:
            frame, key = self.tables[table], KEY[table]
            come = set(done.loc[done["kind"] == key, "item"])
            there = set(frame.loc[frame["status"] == "present", key]) | (come & set(frame[key]))
            heirs = self.heirs[table]
            found[table] = frozenset(name for name in there if not any(heir in there for heir in heirs.get(name, ())))
        flows = self.tables["interfaces"].set_index("interface")
        ends = flows.loc[sorted(found["interfaces"]), ["from_system", "to_system", "via"]]
        stands = ends.isin(found["systems"] | {""}).all(axis=1)
        found["interfaces"] = frozenset(ends.index[stands])
        return found


def _between(interfaces: pd.DataFrame) -> dict[tuple[str, str], list[str]]:
    found: dict[tuple[str, str], list[str]] = {}
    for row in interfaces.itertuples():
        found.setdefault((row.from_system, row.to_system), []).append(row.interface)
        if row.direction == "both ways":
            found.setdefault((row.to_system, row.from_system), []).append(row.interface)
    return found


def _heirs(frame: pd.DataFrame, key: str) -> dict[str, list[str]]:
    """Return, for each name, those that replace it, at once or in several steps."""
    graph = nx.DiGraph()
    replaced = frame[frame["replaces"] != ""]
    graph.add_edges_from(zip(replaced["replaces"], replaced[key], strict=True))
    return {name: sorted(nx.descendants(graph, name)) for name in graph}


def _inherited(needs: pd.DataFrame, applications: Iterable[str]) -> pd.DataFrame:
    """Return the needs of each application with those of the applications that it needs."""
    asked = needs[needs["kind"] == "application"]
    graph = nx.DiGraph(list(zip(asked["application"], asked["item"], strict=True)))
    own = needs[needs["kind"] != "application"]
    parts = []
    for name in applications:
        wanted = [name, *sorted(nx.descendants(graph, name))] if name in graph else [name]
        part = own[own["application"].isin(wanted)]
        parts.append(part.assign(for_application=part["application"], application=name))
    return pd.concat(parts, ignore_index=True) if parts else own.assign(for_application="")


def facts(tables: Mapping[str, pd.DataFrame], *, year: int, model: communications.Model | None = None) -> Facts:
    """Check the tables and prepare them; the result serves all functions of this module.

    Parameters
    ----------
    tables
        As for :func:`check`.
    year
        Year in which systems must still be supported.
    model
        Figures of the communication model.

    Raises
    ------
    StudyError
        As for :func:`check`.
    """
    return Facts(check(tables), year, model)


def state(given: Facts, projects: Iterable[str] = ()) -> State:
    """Return the IT and OT after some projects and those before them.

    A system, interface or link that is replaced retires when its successor is there; an interface is in service only if both its
    systems, and that between them, are.

    Parameters
    ----------
    given
        From :func:`facts`.
    projects
        Names of projects; none for the state as it is.

    Raises
    ------
    ParameterError
        A project does not exist.
    """
    done = given.complete(projects)
    there = given.in_service(done)
    changed = dict(given.tables)
    for table in LOCAL:
        frame = given.tables[table]
        names = frame[KEY[table]]
        known = (frame["status"] != "planned") | names.isin(given.delivered(done)["item"])
        status = pd.Series("planned", index=frame.index).mask(known, "retired").mask(names.isin(there[table]), "present")
        changed[table] = frame.assign(status=status)
    changed["devices"] = devices(given, done)
    changed["levels"] = levels(given, done)
    return State(tuple(sorted(done)), changed)


def states(given: Facts) -> dict[str, State]:
    """Return the three states of a plan: as is, interim (projects due by then) and target (all projects).

    Parameters
    ----------
    given
        From :func:`facts`.

    Returns
    -------
    dict
        ``As is``, ``Interim``, ``Target``.
    """
    projects = given.tables["projects"]
    interim = projects.loc[projects["state"] == "interim", "project"]
    return {"As is": state(given), "Interim": state(given, interim), "Target": state(given, projects["project"])}


def changes(before: State, after: State, step: str) -> pd.DataFrame:
    """Return what changes between two states.

    Parameters
    ----------
    before, after
        From :func:`state` or :func:`states`.
    step
        Name of the step.

    Returns
    -------
    pd.DataFrame
        One row a change: `step`, `kind` (systems, interfaces, links), `item`, `state_change` (new, gone, replaced),
        `replaced_by`.
    """
    parts = [
        architecture.difference(before.tables[name], after.tables[name], key=key).assign(step=step, kind=name)
        for name, key in (("systems", "system"), ("interfaces", "interface"), ("links", "link"))
    ]
    return pd.concat(parts, ignore_index=True)[["step", "kind", "item", "state_change", "replaced_by"]]


def earliest(given: Facts, start_year: int) -> pd.DataFrame:
    """Return the year in which each project can be done at the earliest, money and staff left aside.

    Every project begins when the last of those before it is done; those with none before them begin with the start year.

    Parameters
    ----------
    given
        From :func:`facts`.
    start_year
        First year of work.

    Returns
    -------
    pd.DataFrame
        `project`, `year` at whose end it is delivered, as :func:`growth` takes them.
    """
    lasts = given.tables["projects"].set_index("project")["duration_yr"].astype(float)
    done: dict[str, float] = {}
    for name in reversed(list(nx.topological_sort(given.order))):
        done[name] = lasts[name] + max((done[other] for other in given.order.successors(name)), default=0.0)
    years = [start_year + max(0, math.ceil(done[name] - 1e-9) - 1) for name in lasts.index]
    return pd.DataFrame({"project": lasts.index, "year": years})


def devices(given: Facts, projects: frozenset[str]) -> pd.DataFrame:
    """Return `device`, `area`, `number` in service after some projects."""
    done = given.delivered(projects)
    extra = done.loc[done["kind"] == "device", ["item", "area", "number"]].rename(columns={"item": "device"})
    both = pd.concat([given.tables["devices"][["device", "area", "number"]], extra])
    return both.groupby(["device", "area"], sort=False, as_index=False)["number"].sum()


def levels(given: Facts, projects: frozenset[str]) -> pd.DataFrame:
    """Return the table of capability levels after some projects."""
    done = given.delivered(projects)
    reached = done[done["kind"] == "capability"].groupby("item")["level"].max()
    level = given.levels["level"].combine(given.levels["capability"].map(reached).fillna(0).astype(int), max)
    return given.levels.assign(level=level, gap_levels=(given.levels["target_level"] - level).clip(lower=0))


def growth(given: Facts, schedule: pd.DataFrame, years: Iterable[int]) -> pd.DataFrame:
    """Return the field devices by type, area and year, as projects build them.

    Parameters
    ----------
    given
        From :func:`facts`.
    schedule
        Columns `project`, `year` of delivery; projects not in it are not built.
    years
        Years to show.

    Returns
    -------
    pd.DataFrame
        One row a device, area and year: `device`, `area`, `year`, `number` in service at the end of the year, `number_today`.

    Raises
    ------
    ParameterError
        A project does not exist.
    """
    given.complete(schedule["project"])
    parts = []
    for year in years:
        now = devices(given, frozenset(schedule.loc[schedule["year"] <= year, "project"]))
        parts.append(now.assign(year=int(year)))
    today = devices(given, frozenset()).rename(columns={"number": "number_today"})
    every = devices(given, frozenset(given.order))[["device", "area"]]
    frame = pd.concat(parts).merge(today, on=["device", "area"], how="left").fillna({"number_today": 0.0})
    whole = every.merge(pd.DataFrame({"year": [int(year) for year in years]}), how="cross")
    found = whole.merge(frame, on=["device", "area", "year"], how="left").fillna({"number": 0.0, "number_today": 0.0})
    return found[["device", "area", "year", "number", "number_today"]]
