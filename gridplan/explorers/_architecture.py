"""Explorers of systems, communications and gaps."""

from __future__ import annotations

import functools
from typing import Any

import pandas as pd

from gridplan import architecture as architectures
from gridplan import communications, gaps
from gridplan.explorers._widgets import Explorer, choice
from gridplan.figures import architecture as architecture_figures
from gridplan.figures import capability as capability_figures
from gridplan.figures import inventory, prose

ALL_ZONES, ALL_STANDARDS, ALL_APPLICATIONS, ALL_AREAS, NO_LINK = (
    "all zones",
    "all standards",
    "all applications",
    "all areas",
    "no link",
)
STATES = ["Target", "Interim", "As is"]


def architecture(given: gaps.Facts) -> Explorer:
    """Explore the architecture by zone, standard and application, and the verdicts when a link moves to another medium.

    Parameters
    ----------
    given
        From :func:`gridplan.gaps.facts`.
    """
    tables = given.tables
    zones = list(dict.fromkeys(tables["systems"]["zone"]))
    families = sorted(tables["standards"]["family"].unique())
    controls = {
        "state": choice("State", STATES),
        "zone": choice("Zone", [ALL_ZONES, *zones]),
        "standard": choice("Standards", [ALL_STANDARDS, *families]),
        "application": choice("Application", [ALL_APPLICATIONS, *tables["applications"]["application"]]),
        "link": choice("Link", [NO_LINK, *tables["links"]["link"]]),
        "medium": choice("moves to", list(tables["media"]["medium"])),
    }
    return Explorer(functools.partial(_architecture, given), controls)


def _architecture(  # noqa: PLR0913 - one argument a control
    given: gaps.Facts, *, state: str, zone: str, standard: str, application: str, link: str, medium: str
) -> list[Any]:
    here = gaps.states(given)[state]
    systems, flows = _filtered(given, here, zone, standard, application)
    after = given
    if link != NO_LINK:
        links = communications.moved(given.tables["links"], link, medium)
        after = gaps.facts({**given.tables, "links": links}, year=given.year, model=given.model)
    verdicts = {state: _verdicts(given, here, application)}
    if link != NO_LINK:
        verdicts[f"{link} on {medium}"] = _verdicts(after, here, application)
    shown: list[Any] = [prose("No interface in service fits this filter.")]
    if len(flows):
        title = f"{len(flows)} interfaces between {len(systems)} systems ({state.lower()})"
        caption = f"Of {zone}, {standard} and {application.replace('_', ' ')}."
        broken = set(architectures.violations(*here.architecture, year=given.year)["item"])
        drawn = architecture_figures.diagram(systems, flows, title=title, caption=caption, broken=broken)
        shown = [drawn.renamed("what-if")]
    labels = given.tables["applications"].set_index("application")["label"]
    figure = capability_figures.verdicts(
        verdicts, labels, title="Which applications can run, by area", caption="Open gaps by area."
    )
    return [*shown, _said(verdicts, link, here), figure.renamed("what-if-verdicts")]


def _filtered(
    given: gaps.Facts, here: gaps.State, zone: str, standard: str, application: str
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the interfaces that fit the filter, and the systems at their ends and between them."""
    systems, interfaces, standards = here.architecture
    flows = architectures.register(systems, interfaces, standards)
    ends = ["from_system", "to_system"]
    if zone != ALL_ZONES:
        inside = set(systems.loc[systems["zone"] == zone, "system"])
        flows = flows[flows[ends].isin(inside).any(axis=1)]
    if standard != ALL_STANDARDS:
        flows = flows[flows["family"] == standard]
    if application != ALL_APPLICATIONS:
        needs = given.needs[given.needs["application"] == application]
        chain = architectures.chains(needs, systems, interfaces, standards)
        used = {name for cell in chain["systems"] for name in cell.split("|")}
        flows = flows[flows[ends].isin(used).all(axis=1)]
    names = {name for column in [*ends, "via"] for name in flows[column]}
    return systems[systems["system"].isin(names) & (systems["status"] == "present")], flows


def _verdicts(given: gaps.Facts, here: gaps.State, application: str) -> pd.DataFrame:
    found = gaps.verdicts(given, projects=here.projects)
    return found if application == ALL_APPLICATIONS else found[found["application"] == application]


def _said(verdicts: dict[str, pd.DataFrame], link: str, here: gaps.State) -> Any:
    """Say what moving the link changes."""
    if link == NO_LINK:
        return prose("Choose a link and a medium to see what changes.")
    links = here.tables["links"].set_index("link")
    if links.at[link, "status"] != "present":
        return prose("{link} is not in service in this state: nothing changes.", link=link)
    before, after = (table.set_index(["application", "area"])["gaps"] for table in verdicts.values())
    more, less = int((after > before).sum()), int((after < before).sum())
    if not more and not less:
        return prose("Moving {link} to another medium opens and closes no gap.", link=link)
    return prose(
        "With {link} on another medium, {more} pairs of application and area have more gaps, {less} have fewer.",
        link=link,
        more=more,
        less=less,
    )


def projects(given: gaps.Facts) -> Explorer:
    """Explore the smallest set of projects that lets an application run, and what else it lets run.

    Parameters
    ----------
    given
        From :func:`gridplan.gaps.facts`.
    """
    controls = {
        "application": choice("Application", [*given.tables["applications"]["application"], ALL_APPLICATIONS]),
        "area": choice("Area", [ALL_AREAS, *given.areas]),
        "by": choice("Smallest by", ["number", "cost"]),
    }
    return Explorer(functools.partial(_projects, given), controls)


def _projects(given: gaps.Facts, *, application: str, area: str, by: str) -> list[Any]:
    labels = given.tables["applications"].set_index("application")["label"]
    asked = list(labels.index) if application == ALL_APPLICATIONS else [application]
    way = gaps.shortest(given, asked, areas=None if area == ALL_AREAS else [area], by=by)
    table = inventory.way_table(way, labels.get(application, application), where=area, name="what-if-projects")
    states = {"As is": gaps.verdicts(given), "After these projects": gaps.verdicts(given, projects=way["project"])}
    figure = capability_figures.verdicts(states, labels, title=table.title, caption="Open gaps by application and area.")
    return [figure.renamed("what-if"), table]
