"""What applications ask of the communication network: one flow a need, area and site."""

from __future__ import annotations

import pandas as pd

from gridplan.errors import Problem, StudyError, suggest

ASKED = ["latency_ms", "data_kbps", "availability", "backup_h", "security_level", "sites_needed_percent"]
COLUMNS = ["need", "application", "area", "site", "site_kind", "to_site", "to_system", *ASKED]


def flows(needs: pd.DataFrame, sites: pd.DataFrame, systems: pd.DataFrame) -> pd.DataFrame:
    """Turn the needs of applications into flows between sites.

    A need of kind ``communication`` names a kind of site; every site of that kind sends to the site of the system that the need
    names, once for every area that the site serves.

    Parameters
    ----------
    needs, sites, systems
        Tables of a study.

    Returns
    -------
    pd.DataFrame
        One row a flow: `need`, `application`, `area` (empty for a site that serves none), `site`, `site_kind`, `to_site`,
        `to_system`, `latency_ms` [ms], `data_kbps` [kbit/s], `availability` [1], `backup_h` [h], `security_level` [1],
        `sites_needed_percent` [%].

    Raises
    ------
    StudyError
        A system to which a communication goes is unknown or stands at no site.
    """
    asked = needs[needs["kind"] == "communication"]
    place = dict(zip(systems["system"], systems["site"], strict=True))
    problems = list(_problems(asked, place))
    if problems:
        raise StudyError("table 'needs'", problems)
    spread = sites.assign(area=[cell.split("|") for cell in sites["areas"].fillna("")]).explode("area")
    spread["area"] = spread["area"].str.strip()
    found = asked.merge(spread[["kind", "site", "area"]], left_on="item", right_on="kind", how="inner")
    found["site_kind"] = found["item"]
    found["to_site"] = found["to_system"].map(place)
    found["sites_needed_percent"] = found["share_percent"].fillna(100.0)
    found["data_kbps"] = found["data_kbps"].fillna(0.0)
    return found.loc[found["site"] != found["to_site"], COLUMNS].reset_index(drop=True)


def _problems(asked: pd.DataFrame, place: dict[str, str]):
    for position, name in zip(asked.index, asked["to_system"], strict=True):
        at = {"where": "needs.csv", "row": int(position) + 2, "column": "to_system"}
        if name not in place:
            what = f"'{name}' is no system" if name else "is empty; a communication needs the system at which it ends"
            yield Problem(what=what, remedy=suggest(str(name), sorted(place)), **at)
        elif not place[name]:
            yield Problem(what=f"system '{name}' stands at no site", remedy="give it one in the table 'systems'", **at)
