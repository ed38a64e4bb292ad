"""Sentences, cards and tables on systems, communications, capability and gaps; every number comes from the run."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from gridplan.figures.outputs import Card, Table, Text, number, prose


def cards(systems: pd.DataFrame, flows: pd.DataFrame, broken: pd.DataFrame, ready: pd.DataFrame) -> list[Card]:
    """Return the key figures of the architecture in one state.

    Parameters
    ----------
    systems
        Systems in service.
    flows
        From :func:`gridplan.architecture.register`.
    broken
        From :func:`gridplan.architecture.violations`.
    ready
        From :func:`gridplan.gaps.verdicts`.
    """
    current = 100 * (flows["standard_status"] == "current").mean() if len(flows) else float("nan")
    errors = int((broken["severity"] == "error").sum())
    able = int((ready["verdict"] == "ready").sum())
    level = flows["interoperability"].astype(float).mean()
    return [
        Card("Systems in service", len(systems), "", f"{(systems['side'] == 'external').sum()} of them run by others"),
        Card("Interfaces in service", len(flows), "", f"{flows['crosses'].sum()} cross a security zone"),
        Card("On a current standard", current, "%", "of the interfaces", digits=0),
        Card("Mean interoperability", level, "of 5", "level of the interfaces", digits=1),
        Card("Security findings", len(broken), "", f"{errors} errors", "bad" if errors else "good"),
        Card(
            "Applications that can run",
            able,
            f"of {len(ready)}",
            "applications times areas",
            "good" if able == len(ready) else "warn",
        ),
    ]


def state_title(state: str, systems: pd.DataFrame, flows: pd.DataFrame, broken: pd.DataFrame) -> str:
    """Return the title of the diagram of a state, with its counts.

    Parameters
    ----------
    state
        Name of the state.
    systems, flows, broken
        As for :func:`cards`.
    """
    over = int((flows["via"] != "").sum())
    bars = f"{over} of them over a bus or the DMZ" if over else "none over a bus or a DMZ"
    found = f"{len(broken)} security finding{'' if len(broken) == 1 else 's'}"
    return f"{state}: {len(systems)} systems, {len(flows)} interfaces, {bars}; {found}"


def findings(broken: pd.DataFrame) -> Table:
    """Return what breaks the security rules, with row and remedy.

    Parameters
    ----------
    broken
        From :func:`gridplan.architecture.violations`.
    """
    columns = ["title", "severity", "table", "row", "item", "found", "remedy"]
    caption = "Each finding names the row of the study's table as a spreadsheet shows it; the sources of the rules stand below."
    title = f"{len(broken)} findings against the zone and conduit rules" if len(broken) else "No rule is broken"
    return Table(broken[columns], "security-findings", title, caption)


def rules(table: pd.DataFrame, broken: pd.DataFrame) -> Table:
    """Return the security rules, how often each is broken, and its source.

    Parameters
    ----------
    table
        From :func:`gridplan.architecture.rules`.
    broken
        From :func:`gridplan.architecture.violations`.
    """
    counted = broken["rule"].value_counts()
    shown = table.assign(number=table["rule"].map(counted).fillna(0).astype(int))
    columns = ["title", "severity", "number", "source", "evidence"]
    return Table(shown[columns], "security-rules", "The rules of zones and conduits", "With the number of findings today.")


def chains(found: pd.DataFrame, labels: Mapping[str, str], *, state: str) -> Table:
    """Return the availability of every application's chain of systems, the weakest chain first.

    Parameters
    ----------
    found
        From :func:`gridplan.architecture.chains`.
    labels
        Name of each application as a reader knows it.
    state
        Name of the state.
    """
    columns = ["application", "availability", "down_h", "weakest", "single_points", "missing"]
    table = found.assign(application=found["application"].map(lambda name: labels.get(name, name)))
    table = table.sort_values("availability", kind="stable", ignore_index=True)
    table = table.assign(**{name: table[name].str.replace("|", ", ") for name in ("single_points", "missing")})
    caption = (
        "Every system behind an application must work; a system without a second instance is a single point of failure, the "
        "weakest first. An application with a missing system is not available at all."
    )
    title = f"What stands behind each application ({state.lower()})"
    return Table(table[columns], "chains", title, caption, {"availability": 4, "down_h": 0})


def effort(found: pd.DataFrame) -> Table:
    """Return the effort of integration.

    Parameters
    ----------
    found
        From :func:`gridplan.architecture.effort`.
    """
    extra = found.set_index("way")["extra_days"]
    title = (
        f"One more system takes {number(extra['bus'], 0)} days over the bus, {number(extra['point to point'], 0)} point to point"
    )
    caption = "Person-days by gridplan's own table of adapters and mappings, to be replaced by the utility's records."
    return Table(found, "integration-effort", title, caption, {"days": 0, "extra_days": 0})


def fullest(links: pd.DataFrame, *, most_percent: float, rows: int = 10) -> Table:
    """Return the links that are used most when all applications run at once.

    Parameters
    ----------
    links
        Links as from :func:`gridplan.communications.deliver`.
    most_percent
        Highest utilisation planned for [%].
    rows
        Rows to show.
    """
    table = links.sort_values("utilisation_percent", ascending=False, kind="stable", ignore_index=True)
    over = int((table["utilisation_percent"] > most_percent).sum())
    title = f"{over} links are used beyond {most_percent:g} %" if over else f"No link is used beyond {most_percent:g} %"
    columns = [
        "link",
        "from_site",
        "to_site",
        "medium",
        "ownership",
        "capacity_kbps",
        "data_kbps",
        "flows",
        "utilisation_percent",
    ]
    caption = "Load of all flows of all applications at once, each on its first path."
    return Table(table[columns], "fullest-links", title, caption, {"utilisation_percent": 1}, rows)


def architecture_lesson(
    broken: Mapping[str, pd.DataFrame],
    covered: Mapping[str, pd.DataFrame],
    effort_days: pd.DataFrame,
    communication: Mapping[str, pd.DataFrame],
    gain: pd.DataFrame,
) -> Text:
    """Say what architecture and communications tell the planner.

    Parameters
    ----------
    broken
        By state, from :func:`gridplan.architecture.violations`.
    covered
        By state, from :func:`gridplan.architecture.coverage`.
    effort_days
        From :func:`gridplan.architecture.effort`.
    communication
        By state, from :func:`gridplan.communications.coverage`.
    gain
        From :func:`gridplan.communications.redundancy`.
    """
    first, *_, last = broken
    whole = {name: table.set_index("family").loc["all"] for name, table in covered.items()}
    days = effort_days.set_index("way")["extra_days"]
    best = gain.loc[gain["gain_min"].idxmax()]
    often = broken[first]["title"].mode()
    rule = f", most often against the rule '{often.iloc[0]}'" if len(often) else ""
    return prose(
        "- **Security**: {before} findings today{rule}; {after} in the {last}.\n"
        "- **Standards**: {share0:.0f} % of the interfaces run on a current standard today, {share1:.0f} % in the {last}; their "
        "mean interoperability goes from level {level0:.1f} to {level1:.1f}.\n"
        "- **Integration**: one more system costs {direct:.0f} days point to point and {bus:.0f} days over the bus.\n"
        "- **Communications**: {met0} of {all0} flows by area get all they ask for today, {met1} in the {last}. A second "
        "path helps {application} in {area} most: {gain:,.0f} min a year without a path are saved.",
        before=len(broken[first]),
        after=len(broken[last]),
        last=last.lower(),
        rule=rule,
        share0=whole[first]["current_percent"],
        share1=whole[last]["current_percent"],
        level0=whole[first]["interoperability"],
        level1=whole[last]["interoperability"],
        direct=days["point to point"],
        bus=days["bus"],
        met0=int(communication[first]["covered"].sum()),
        all0=len(communication[first]),
        met1=int(communication[last]["covered"].sum()),
        application=best["application"].replace("_", " "),
        area=best["area"],
        gain=best["gain_min"],
    )


# --- capability and gaps ------------------------------------------------------------------------------------------------------


def next_steps(levels: pd.DataFrame) -> Table:
    """Return what each capability lacks to its next level.

    Parameters
    ----------
    levels
        From :func:`gridplan.capability.levels`.
    """
    table = levels[levels["gap_levels"] > 0].sort_values("gap_levels", ascending=False, kind="stable", ignore_index=True)
    columns = ["label", "domain", "level", "target_level", "next_statement", "next_score", "unproven"]
    caption = (
        "The statement of the next level with the lowest score. A level counts when the mean score of its statements is high "
        "enough; statements scored as true without proof are counted apart."
    )
    return Table(table[columns], "next-steps", f"{len(table)} capabilities are short of their target", caption, {"next_score": 2})


def gap_table(found: pd.DataFrame, labels: Mapping[str, str], *, name: str = "gaps", rows: int = 25) -> Table:
    """Return gaps with what closes them.

    Parameters
    ----------
    found
        From :func:`gridplan.gaps.find`.
    labels
        Name of each application as a reader knows it.
    name
        Name of the table on the page.
    rows
        Rows to show.
    """
    table = found.assign(application=found["application"].map(lambda name: labels.get(name, name)))
    table = table.drop(columns="application") if len(set(table["application"])) == 1 else table
    lost = int((table["closed_by"] == "no project").sum())
    title = (
        f"{lost} of {len(table)} gaps are closed by no project" if lost else f"Projects of the study close all {len(table)} gaps"
    )
    caption = "Projects separated by | close a gap each by itself, those joined by + only together; an empty area stands for all."
    return Table(table, name, title, caption, rows=rows)


def project_table(found: pd.DataFrame) -> Table:
    """Return how many gaps each project takes part in closing.

    Parameters
    ----------
    found
        From :func:`gridplan.gaps.by_project`.
    """
    first = found.iloc[0] if len(found) else None
    title = f"'{first['label']}' takes part in closing most gaps: {first['gaps']}" if first is not None else "No project"
    return Table(
        found, "gaps-by-project", title, "Alone or with others; a gap of several applications counts for each.", {"capex_keur": 0}
    )


def route_table(found: pd.DataFrame, labels: Mapping[str, str]) -> Table:
    """Return the smallest set of projects for every application.

    Parameters
    ----------
    found
        From :func:`gridplan.gaps.routes`.
    labels
        Name of each application as a reader knows it.
    """
    table = found.assign(application=found["application"].map(lambda name: labels.get(name, name)))
    table = table.sort_values(["projects", "capex_keur"], kind="stable", ignore_index=True)
    table = table if (table["never"] != "").any() else table.drop(columns="never")
    caption = "Smallest number of projects, of equal sets the cheapest, for each application alone."
    title = "The shortest way to each application"
    return Table(table, "shortest-ways", title, caption, {"capex_keur": 0})


def way_table(found: pd.DataFrame, words: str, *, where: str = "all areas", name: str = "shortest-way") -> Table:
    """Return the projects of one shortest set.

    Parameters
    ----------
    found
        From :func:`gridplan.gaps.shortest`.
    words
        What the set lets run, such as the name of an application.
    where
        Where it shall run.
    name
        Name of the table on the page.
    """
    if not found.attrs["possible"]:
        lost = ", ".join(found.attrs["never"]) or "the projects exclude each other"
        return Table(found, name, f"No set of projects lets {words} run in {where}", f"Closed by no project: {lost}.")
    title = f"{len(found)} projects let {words} run in {where}, for {number(found['capex_keur'].sum(), 0)} kEUR"
    return Table(found, name, title, "In an order in which they can be done.", {"capex_keur": 0, "duration_yr": 1})


def gap_lesson(found: pd.DataFrame, ready: Mapping[str, pd.DataFrame], ways: pd.DataFrame, devices: pd.DataFrame) -> Text:
    """Say what capability and gaps tell the planner.

    Parameters
    ----------
    found
        From :func:`gridplan.gaps.find`, as is.
    ready
        By state, from :func:`gridplan.gaps.verdicts`.
    ways
        From :func:`gridplan.gaps.routes`, with names of applications as a reader knows them.
    devices
        From :func:`gridplan.gaps.growth`.
    """
    kinds = found["kind"].value_counts()
    lost = int((found["closed_by"] == "no project").sum())
    able = [f"{(table['verdict'] == 'ready').sum()} {name.lower()}" for name, table in ready.items()]
    possible = ways[ways["projects"] > 0].sort_values(["projects", "capex_keur"], kind="stable")
    last = devices[devices["year"] == devices["year"].max()]
    near = "- **What is nearest**: {near} needs {few} projects for {cost:,.0f} kEUR; {far} needs {many}.\n"
    nearest = near if len(possible) else ""
    return prose(
        "- **What can run**: of {pairs} pairs of application and area {able}.\n"
        "- **What is missing**: {gaps} gaps, most of them of kind {kind} ({count}); "
        + ("**{lost} are closed by no project of the study**.\n" if lost else "projects of the study close all of them.\n")
        + nearest
        + "- **What grows**: field devices from {today:,.0f} to {later:,.0f}, each of which asks for a path, a place in the "
        "network model and someone who looks after it.",
        pairs=len(next(iter(ready.values()))),
        able=", ".join(able),
        gaps=len(found),
        kind=kinds.index[0] if len(kinds) else "none",
        count=int(kinds.iloc[0]) if len(kinds) else 0,
        lost=lost,
        near=possible["application"].iloc[0] if len(possible) else "",
        few=int(possible["projects"].iloc[0]) if len(possible) else 0,
        cost=possible["capex_keur"].iloc[0] if len(possible) else 0,
        far=possible["application"].iloc[-1] if len(possible) else "",
        many=int(possible["projects"].iloc[-1]) if len(possible) else 0,
        today=last["number_today"].sum(),
        later=last["number"].sum(),
    )
