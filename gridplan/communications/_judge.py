"""What the network misses, where it covers the applications, and what a second path gains."""

from __future__ import annotations

import pandas as pd

from gridplan.communications._deliver import FROM_MEDIUM, Delivered
from gridplan.errors import ParameterError, Problem, suggest

TESTS = {
    "path": ("connected", "one", False, "1", "site"),
    "latency": ("latency_ms", "latency_needed_ms", True, "ms", "slowest_hop"),
    "availability": ("availability", "availability_needed", False, "1", "weakest_hop"),
    "utilisation": ("utilisation_percent", "utilisation_max", True, "%", "fullest_hop"),
    "data rate": ("capacity_kbps", "data_kbps", False, "kbit/s", "narrowest_hop"),
    "backup": ("backup_h", "backup_needed_h", False, "h", "shortest_backup"),
    "security": ("security_level", "security_needed", False, "1", "least_secure"),
}
"""What is delivered, what is needed, whether the need is a highest value, the unit, and the hop that decides."""


def shortfalls(delivered: Delivered) -> pd.DataFrame:
    """Everything that flows ask for and do not get.

    Parameters
    ----------
    delivered
        From :func:`deliver`.

    Returns
    -------
    pd.DataFrame
        One row a flow and requirement that is missed: `need`, `application`, `area`, `site`, `to_site`, `requirement` (path,
        latency, availability, utilisation, data rate, backup, security), `needed` and `delivered` in `unit`, `path`, `hop` (the
        link or site that decides).
    """
    flows = delivered.flows
    most = delivered.model.utilisation_max_percent
    table = flows.assign(utilisation_max=most, connected=(flows["path"] != "").astype(float), one=1.0)
    shown = ["need", "application", "area", "site", "to_site", "path"]
    parts = []
    for requirement, (given, needed, most_allowed, unit, hop) in TESTS.items():
        excess = table[given].astype(float) - table[needed].astype(float)
        part = table[excess > 0 if most_allowed else excess < 0]
        values = {"needed": part[needed].astype(float), "delivered": part[given].astype(float), "hop": part[hop]}
        parts.append(part[shown].assign(requirement=requirement, unit=unit, **values))
    found = pd.concat(parts, ignore_index=True)
    found["rank"] = found["requirement"].map({name: number for number, name in enumerate(TESTS)})
    names = ["need", "application", "area", "site", "to_site", "requirement", "needed", "delivered", "unit", "path", "hop"]
    return found.sort_values(["need", "area", "site", "rank"], kind="stable", ignore_index=True)[names]


def coverage(delivered: Delivered) -> pd.DataFrame:
    """How many sites of an area get all that an application asks for.

    Returns
    -------
    pd.DataFrame
        One row a need and area: `need`, `application`, `area`, `sites`, `connected` (have a path), `served` (get all they ask
        for), `served_percent` [%], `sites_needed_percent` that is needed [%], `covered` (whether that share is reached).
    """
    flows = delivered.flows
    missed = shortfalls(delivered)[["need", "area", "site"]].drop_duplicates().assign(missed=True)
    joined = flows.merge(missed, on=["need", "area", "site"], how="left")
    joined["served"] = joined["missed"].isna()
    joined["connected"] = joined["path"] != ""
    groups = joined.groupby(["need", "application", "area"], sort=False)
    found = groups.agg(
        sites=("site", "size"),
        connected=("connected", "sum"),
        served=("served", "sum"),
        sites_needed_percent=("sites_needed_percent", "first"),
    ).reset_index()
    found["served_percent"] = 100 * found["served"] / found["sites"]
    found["covered"] = found["served_percent"] >= found["sites_needed_percent"] - 1e-9
    names = ["need", "application", "area", "sites", "connected", "served", "served_percent", "sites_needed_percent", "covered"]
    return found[names]


def redundancy(delivered: Delivered) -> pd.DataFrame:
    """Say what second paths gain, by application and area.

    Returns
    -------
    pd.DataFrame
        One row an application and area: `application`, `area`, `sites`, `doubled` (have a second path that counts),
        `public` (of these over a public network), `down_single_min` and `down_min` (mean expected minutes without a path in a
        year, without and with the second path) [min], `gain_min` [min].
    """
    flows = delivered.flows[delivered.flows["path"] != ""]
    minutes = 8760 * 60
    doubled = flows["availability"] > flows["availability_single"]
    table = flows.assign(
        doubled=doubled,
        public=doubled & (flows["second_ownership"] == "public"),
        down_single_min=minutes * (1 - flows["availability_single"]),
        down_min=minutes * (1 - flows["availability"]),
    )
    found = (
        table.groupby(["application", "area"], sort=False)
        .agg(
            sites=("site", "nunique"),
            doubled=("doubled", "sum"),
            public=("public", "sum"),
            down_single_min=("down_single_min", "mean"),
            down_min=("down_min", "mean"),
        )
        .reset_index()
    )
    return found.assign(gain_min=found["down_single_min"] - found["down_min"])


def moved(links: pd.DataFrame, link: str, medium: str) -> pd.DataFrame:
    """Return links of which one is on another medium, with that medium's figures.

    Parameters
    ----------
    links
        Table of a study; not changed.
    link
        Name of a link.
    medium
        Name of a medium.

    Raises
    ------
    ParameterError
        There is no such link.
    """
    here = links["link"] == link
    if not here.any():
        raise ParameterError("link", [Problem(f"link '{link}'", "does not exist", remedy=suggest(link, list(links["link"])))])
    own = [name for name in FROM_MEDIUM if name in links]
    return links.assign(medium=links["medium"].mask(here, medium), **{name: links[name].mask(here) for name in own})
