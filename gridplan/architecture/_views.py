"""Views of an architecture: matrix, coverage by standards, chains of systems, effort, difference of two states."""

from __future__ import annotations

import numpy as np
import pandas as pd

from gridplan.architecture._tables import bundled, levels, present, register
from gridplan.errors import ParameterError, Problem, suggest

STATUSES = ["current", "legacy", "proprietary"]


def matrix(systems: pd.DataFrame, interfaces: pd.DataFrame, standards: pd.DataFrame) -> pd.DataFrame:
    """Return the system-by-system (N2) matrix of the interfaces in service.

    Returns
    -------
    pd.DataFrame
        Rows the sending, columns the receiving systems, both in the order of `systems`; a cell holds the standards in use, each
        once, separated by ``, ``, or nothing. An interface that works both ways stands in both cells.
    """
    flows = register(systems, interfaces, standards)
    names = list(present(systems)["system"])
    back = flows[flows["direction"] == "both ways"]
    both = pd.concat([flows, back.rename(columns={"from_system": "to_system", "to_system": "from_system"})])
    cells = both.groupby(["from_system", "to_system"], sort=False)["standard"].agg(lambda used: ", ".join(dict.fromkeys(used)))
    table = pd.DataFrame("", index=pd.Index(names, name="from_system"), columns=pd.Index(names, name="to_system"))
    for (sender, receiver), used in cells.items():
        table.loc[sender, receiver] = used
    return table


def coverage(systems: pd.DataFrame, interfaces: pd.DataFrame, standards: pd.DataFrame) -> pd.DataFrame:
    """Return how far each family of standards carries the interfaces in service.

    Returns
    -------
    pd.DataFrame
        One row a family: `family`, `interfaces`, of these `current`, `legacy`, `proprietary`, `share_of_all_percent` [%],
        `current_percent` of the family [%], `interoperability` (mean level). The last row, family ``all``, is the sum.
    """
    flows = register(systems, interfaces, standards)
    every = pd.concat([flows, flows.assign(family="all")])
    every = every.assign(**{status: every["standard_status"] == status for status in STATUSES})
    found = every.groupby("family").agg(
        interfaces=("interface", "size"), **{s: (s, "sum") for s in STATUSES}, interoperability=("interoperability", "mean")
    )
    found["share_of_all_percent"] = 100 * found["interfaces"] / max(len(flows), 1)
    found["current_percent"] = 100 * found["current"] / found["interfaces"]
    found = found.reset_index().assign(last=lambda table: table["family"] == "all")
    found = found.sort_values(["last", "interfaces", "family"], ascending=[True, False, True], ignore_index=True)
    order = ["family", "interfaces", *STATUSES, "share_of_all_percent", "current_percent", "interoperability"]
    return found[order]


def interoperability(systems: pd.DataFrame, interfaces: pd.DataFrame, standards: pd.DataFrame) -> pd.DataFrame:
    """Return how many interfaces in service stand at each level.

    Returns
    -------
    pd.DataFrame
        One row a level from 0 to 5: `level`, `label`, `statement`, `gwac`, `sgimm`, `interfaces`.
    """
    counted = register(systems, interfaces, standards)["interoperability"].value_counts()
    table = levels()[["level", "label", "statement", "gwac", "sgimm"]]
    return table.assign(interfaces=table["level"].map(counted).fillna(0).astype(int))


def chains(needs: pd.DataFrame, systems: pd.DataFrame, interfaces: pd.DataFrame, standards: pd.DataFrame) -> pd.DataFrame:
    """Return the chain of systems behind each application: its availability and its single points of failure.

    An application needs every system that it names, every system at an end of an interface that it names, every system through
    which these interfaces run, and the chain of every application that it needs; one of them down, and the application is down.
    A redundant system is no single point.

    Parameters
    ----------
    needs, systems, interfaces, standards
        Tables of a study.

    Returns
    -------
    pd.DataFrame
        One row an application: `application`, `systems` (names separated by |), `missing` (needed, but not in service),
        `availability` (the product; 0 with one missing) [1], `down_h` a year [h], `single_points` (not redundant, the weakest
        first, separated by |), `weakest` (system with the lowest availability).
    """
    flows = register(systems, interfaces, standards)
    own = present(systems).set_index("system")
    rows = []
    for application in needs["application"].unique():
        used = _used(needs[needs["application"].isin(_with_needed(needs, application))], flows)
        there, missing = [name for name in used if name in own.index], [name for name in used if name not in own.index]
        chain = own.loc[there].sort_values("availability", kind="stable")
        available = 0.0 if missing else float(chain["availability"].prod())
        single = chain.index[~chain["redundant"].astype(bool)]
        rows.append(
            {
                "application": application,
                "systems": "|".join(there),
                "missing": "|".join(missing),
                "availability": available,
                "down_h": 8760 * (1 - available),
                "single_points": "|".join(single),
                "weakest": chain.index[0] if len(chain) else "",
            }
        )
    names = ["application", "systems", "missing", "availability", "down_h", "single_points", "weakest"]
    return pd.DataFrame(rows, columns=names)


def _with_needed(needs: pd.DataFrame, application: str) -> set[str]:
    """Return an application and those that it needs, at once or through others."""
    asked = needs[needs["kind"] == "application"]
    found, waiting = {application}, [application]
    while waiting:
        further = set(asked.loc[asked["application"] == waiting.pop(), "item"]) - found
        found |= further
        waiting += sorted(further)
    return found


def _used(asked: pd.DataFrame, flows: pd.DataFrame) -> list[str]:
    """Return the systems of an application: those named, and those along the interfaces named."""
    used = dict.fromkeys(asked.loc[asked["kind"] == "system", "item"])
    for pair in asked.loc[asked["kind"] == "interface", "item"]:
        ends = pair.split(">")
        used |= dict.fromkeys(ends)
        if len(ends) == 2:
            between = flows.loc[joins(flows, *ends), "via"]
            used |= dict.fromkeys(name for name in between if name)
    return list(used)


def joins(flows: pd.DataFrame, from_system: str, to_system: str) -> pd.Series:
    """Whether interfaces carry from one system to another; one that works both ways carries either way."""
    straight = (flows["from_system"] == from_system) & (flows["to_system"] == to_system)
    back = (flows["from_system"] == to_system) & (flows["to_system"] == from_system)
    return straight | (back & (flows["direction"] == "both ways"))


def effort(systems: pd.DataFrame, interfaces: pd.DataFrame, standards: pd.DataFrame, *, bus: str = "ESB") -> pd.DataFrame:
    """Return the effort to integrate the systems point to point, over a bus, and as the study has it.

    Point to point, every interface has an adapter at either end. Over a bus, every system has one adapter for each status of
    standard that it speaks, every interface a mapping to the canonical model, and the bus is built once. Interfaces with control
    (Purdue level 2 and below) never run over a bus.

    Parameters
    ----------
    systems, interfaces, standards
        Tables of a study.
    bus
        System that is the bus.

    Returns
    -------
    pd.DataFrame
        One row a way (``point to point``, ``bus``, ``as it is``): `way`, `adapters`, `mappings`, `days`, and `extra_days` for one
        more system that exchanges with as many others as the mean system does.
    """
    flows = register(systems, interfaces, standards)
    work = bundled("integration_effort")
    adapter = work[work["task"] == "adapter"].set_index("status")["days"].astype(float)
    mapping, base = (float(work.loc[work["task"] == task, "days"].iloc[0]) for task in ("mapping", "bus"))
    on_bus = (flows[["from_level", "to_level"]].min(axis=1) > 2) & (flows["from_system"] != bus) & (flows["to_system"] != bus)
    ways = {
        "point to point": pd.Series(False, index=flows.index),
        "bus": on_bus,
        "as it is": flows["via"] == bus,
    }
    degree = 2 * len(flows) / max(len(present(systems)), 1)
    rows = []
    for way, over in ways.items():
        direct, spoken = flows[~over], _spoken(flows[over])
        days = 2 * adapter.reindex(direct["standard_status"]).sum() + adapter.reindex(spoken["status"]).sum()
        days += mapping * over.sum() + (base if over.any() else 0)
        extra = adapter["current"] + mapping * degree if way == "bus" else 2 * adapter["current"] * degree
        rows.append((way, 2 * len(direct) + len(spoken), int(over.sum()), float(days), float(extra)))
    return pd.DataFrame(rows, columns=["way", "adapters", "mappings", "days", "extra_days"])


def _spoken(flows: pd.DataFrame) -> pd.DataFrame:
    """Return each system and each status of standard that it speaks, once."""
    ends = [flows[[end, "standard_status"]].set_axis(["system", "status"], axis=1) for end in ("from_system", "to_system")]
    return pd.concat(ends).drop_duplicates()


def difference(before: pd.DataFrame, after: pd.DataFrame, *, key: str) -> pd.DataFrame:
    """Return what changes between two states of a table of systems, interfaces or links.

    Parameters
    ----------
    before, after
        The table in either state; only rows with status ``present`` count.
    key
        Column that names a row: ``system``, ``interface`` or ``link``.

    Returns
    -------
    pd.DataFrame
        One row a change: `item`, `state_change` (new, gone, replaced), `replaced_by` (what takes its place), in the order of the
        tables.

    Raises
    ------
    ParameterError
        A table has no such column.
    """
    for name, table in (("before", before), ("after", after)):
        if key not in table:
            raise ParameterError("difference", [Problem(name, f"has no column '{key}'", remedy=suggest(key, table))])
    old, new = present(before)[key], present(after)
    heirs = new.loc[new["replaces"] != ""].set_index("replaces")[key]
    gone = old[~old.isin(new[key])]
    rows = [(name, "replaced" if name in heirs.index else "gone", heirs.get(name, "")) for name in gone]
    rows += [(name, "new", "") for name in new.loc[~new[key].isin(old), key]]
    return pd.DataFrame(rows, columns=["item", "state_change", "replaced_by"])


def plane(systems: pd.DataFrame) -> pd.DataFrame:
    """Return the systems in service on the plane of the smart grid architecture model: domains by zones.

    Returns
    -------
    pd.DataFrame
        One row a system: `system`, `label`, `side`, `domain`, `zone`, `purdue_level`, `security_zone`, `domain_number` and
        `zone_number` (from 0), `place_number` (among those in the same cell, from 0) and `in_cell` (how many).
    """
    own = present(systems).reset_index(drop=True)
    domains = ["generation", "transmission", "distribution", "DER", "customer"]
    zones = ["process", "field", "station", "operation", "enterprise", "market"]
    groups = own.groupby(["domain", "zone"], sort=False)["system"]
    kept = own[["system", "label", "side", "domain", "zone", "purdue_level", "security_zone"]]
    return kept.assign(
        domain_number=own["domain"].map(domains.index).astype(np.int64),
        zone_number=own["zone"].map(zones.index).astype(np.int64),
        place_number=groups.cumcount(),
        in_cell=groups.transform("size"),
    )
