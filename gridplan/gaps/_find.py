"""The gaps after a set of projects: need less present, each as (kind, item, area, application)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import pandas as pd

from gridplan import communications
from gridplan.errors import ParameterError, Problem, suggest
from gridplan.gaps._check import before
from gridplan.gaps._facts import Facts, devices, levels

Key = tuple[str, str, str, str]  # kind, item, area, application


@dataclass(frozen=True)
class Gap:
    """What is needed, what there is, and the difference in words; `about` names what could close it, by kind of delivery."""

    needed: str
    present: str
    gap: str
    about: frozenset[tuple[str, str]]


def open_gaps(given: Facts, projects: frozenset[str]) -> dict[Key, Gap]:
    """Return the gaps after some projects; remembered."""
    if ("gaps", projects) not in given.memory:
        there = _There(given, projects)
        found: dict[Key, Gap] = {}
        for kind, finder in FINDERS.items():
            for need in given.needs[given.needs["kind"] == kind].itertuples():
                for key, gap in finder(given, need, there):
                    found.setdefault(key, gap)
        found |= dict(_security(given, there))
        given.memory["gaps", projects] = found
    return given.memory["gaps", projects]


class _There:
    """What is in service after some projects."""

    def __init__(self, given: Facts, projects: frozenset[str]) -> None:
        self.names = given.in_service(projects)
        self.devices = devices(given, projects).set_index(["device", "area"])["number"]
        self.levels = levels(given, projects).set_index("capability")["level"]
        self.missed = _missed(given, projects)


def _system(given: Facts, need, there: _There) -> Iterator[tuple[Key, Gap]]:
    names = given.family(need.item)
    if not there.names["systems"].intersection(names):
        about = frozenset(("system", name) for name in names)
        yield ("system", need.item, "", need.application), Gap(need.item, "not in service", f"{need.item} is missing", about)


def _interface(given: Facts, need, there: _There) -> Iterator[tuple[Key, Gap]]:
    possible = given.carriers(need.item)
    names = {name for end in need.item.split(">") for name in given.family(end)} | {given.interfaces[n].via for n in possible}
    about = frozenset({("interface", name) for name in possible} | {("system", name) for name in names - {""}})
    own = [given.interfaces[name] for name in possible if name in there.names["interfaces"]]
    wanted = need.standards.replace("|", " or ") if need.standards else "any standard"
    if not own:
        yield ("interface", need.item, "", need.application), Gap(wanted, "none", "no interface", about)
        return
    allowed = before(need.standards)
    fit = [row for row in own if row.standard in allowed] if allowed else own
    if not fit:
        used = ", ".join(dict.fromkeys(row.standard for row in own))
        yield ("standard", need.item, "", need.application), Gap(wanted, used, f"runs on {used}", about)
    elif not pd.isna(need.level) and (best := max(int(row.interoperability) for row in fit)) < need.level:
        words = (f"level {need.level:g}", f"level {best}", f"{need.level - best:g} levels short")
        yield ("interoperability", need.item, "", need.application), Gap(*words, about)


def _device(given: Facts, need, there: _There) -> Iterator[tuple[Key, Gap]]:
    for area in given.areas:
        number = float(there.devices.get((need.item, area), 0.0))
        if number < need.number:
            words = (f"{need.number:g}", f"{number:g}", f"{need.number - number:g} short")
            yield ("device", need.item, area, need.application), Gap(*words, frozenset({("device", need.item)}))


def _capability(_given: Facts, need, there: _There) -> Iterator[tuple[Key, Gap]]:
    level = int(there.levels[need.item])
    if level < need.level:
        words = (f"level {need.level:g}", f"level {level}", f"{need.level - level:g} levels short")
        yield ("capability", need.item, "", need.application), Gap(*words, frozenset({("capability", need.item)}))


def _communication(_given: Facts, need, there: _There) -> Iterator[tuple[Key, Gap]]:
    for row in there.missed.get(need.need, ()):
        item = f"{row.requirement} {need.item}>{need.to_system}"
        gap = Gap(row.needed_text, row.present_text, row.gap_text, frozenset({("link", "")}))
        yield ("communication", item, row.area, need.application), gap


FINDERS: dict[str, Callable[[Facts, object, _There], Iterator[tuple[Key, Gap]]]] = {
    "system": _system,
    "interface": _interface,
    "device": _device,
    "communication": _communication,
    "capability": _capability,
}


# --- communication ------------------------------------------------------------------------------------------------------------


def delivered(given: Facts, projects: Iterable[str] = ()) -> communications.Delivered:
    """Return what the network delivers to every application after some projects, with those before them.

    Parameters
    ----------
    given
        From :func:`facts`.
    projects
        Projects delivered; none for today.

    Raises
    ------
    ParameterError
        A project does not exist.
    """
    names = given.in_service(given.complete(projects))["links"]
    if ("flows", names) not in given.memory:
        links = given.tables["links"]
        own = links.assign(status=links["link"].isin(names).map({True: "present", False: "retired"}))
        tables = given.tables
        given.memory["flows", names] = communications.deliver(
            given.flows, tables["sites"], own, tables["media"], model=given.model, checked=True
        )
    return given.memory["flows", names]


def flows_of(found: communications.Delivered, application: str) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Return the flows of one application, what they miss, and the links in service.

    Parameters
    ----------
    found
        From :func:`delivered`.
    application
        Name of an application.

    Raises
    ------
    ParameterError
        No flow belongs to such an application.
    """
    known = list(dict.fromkeys(found.flows["application"]))
    if application not in known:
        what = f"application '{application}'"
        raise ParameterError("flows", [Problem(what, "asks for no communication", remedy=suggest(application, known))])
    missed = communications.shortfalls(found)
    return found.flows[found.flows["application"] == application], missed[missed["application"] == application], found.links


def _missed(given: Facts, projects: frozenset[str]) -> dict[str, list]:
    """Return, by need, a row for every area and requirement in which too few sites are served."""
    names = given.in_service(projects)["links"]
    if ("missed", names) not in given.memory:
        found = delivered(given, projects)
        given.memory["missed", names] = _in_words(communications.shortfalls(found), communications.coverage(found))
    return given.memory["missed", names]


def _in_words(short: pd.DataFrame, covered: pd.DataFrame) -> dict[str, list]:
    poor = covered.loc[~covered["covered"], ["need", "area", "sites", "sites_needed_percent"]]
    rows = short.merge(poor, on=["need", "area"])
    rows["excess"] = (rows["delivered"] - rows["needed"]).abs()
    worst = rows.sort_values("excess", ascending=False, kind="stable").groupby(["need", "area", "requirement"], sort=False)
    table = worst.first().reset_index().assign(missing=worst["site"].nunique().to_numpy())
    table["needed_text"] = [_needed(row) for row in table.itertuples()]
    table["present_text"] = [_present(row) for row in table.itertuples()]
    table["gap_text"] = [f"{row.missing} of {row.sites} sites, the worst {row.site} at {row.hop}" for row in table.itertuples()]
    return {need: list(part.itertuples()) for need, part in table.groupby("need", sort=False)}


def _needed(row) -> str:
    share = "" if row.sites_needed_percent >= 100 else f" at {row.sites_needed_percent:g} % of sites"
    if row.requirement == "path":
        return f"a path{share}"
    sign = "at most" if row.requirement in ("latency", "utilisation") else "at least"
    return f"{sign} {_value(row.needed, row.unit)}{share}"


def _present(row) -> str:
    return "none" if row.requirement == "path" else f"{_value(row.delivered, row.unit)} over {row.path}"


def _value(value: float, unit: str) -> str:
    if value == float("inf"):
        return "no bound (the queue never empties)"
    if unit == "1":
        return f"{value:.6g}"
    return f"{value:.3g} {unit}" if value < 1000 else f"{value:.0f} {unit}"


# --- security -----------------------------------------------------------------------------------------------------------------


def _security(given: Facts, there: _There) -> Iterator[tuple[Key, Gap]]:
    """Yield the findings on what is in service, for every application that uses it, and once for those that none uses."""
    found = given.findings
    kept = found["item"].isin(there.names["interfaces"] | there.names["systems"])
    uses = _uses(given, there)
    for row in found[kept].itertuples():
        about = _about(given, row)
        for application in uses.get(row.item, [""]):
            key = ("security", f"{row.item}: {row.rule}", "", application)
            yield key, Gap(row.title, row.found, row.remedy, about)


def _about(given: Facts, row) -> frozenset[tuple[str, str]]:
    """Return what could end a finding: whatever replaces the interface or one of the systems."""
    if row.table == "systems":
        return frozenset(("system", name) for name in given.heirs["systems"].get(row.item, ()))
    systems = [heir for name in (row.from_system, row.to_system) for heir in given.heirs["systems"].get(name, ())]
    heirs = given.heirs["interfaces"].get(row.item, ())
    return frozenset({("interface", row.item), *(("interface", n) for n in heirs), *(("system", n) for n in systems)})


def _uses(given: Facts, there: _There) -> dict[str, list[str]]:
    """Return the applications that use each interface and system in service."""
    used: dict[str, dict[str, None]] = {}
    for need in given.needs[given.needs["kind"].isin(["system", "interface"])].itertuples():
        if need.kind == "system":
            items = set(given.family(need.item))
        else:
            own = [given.interfaces[n] for n in given.carriers(need.item) if n in there.names["interfaces"]]
            items = {part for row in own for part in (row.interface, row.from_system, row.to_system, row.via)}
        for item in items - {""}:
            used.setdefault(item, {})[need.application] = None
    return {item: list(names) for item, names in used.items()}
