"""A new study from a network: the tables filled as far as the network tells, the rest ready to fill."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator, Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

import pandapower as pp
import pandas as pd
from pandapower.auxiliary import pandapowerNet

from gridplan import study, tables
from gridplan.network.sources import open as open_network

ELEMENTS = ("load", "sgen", "storage")
#: For what a network of a collection may be used; of any other network only its owner knows.
LICENCES = {"pandapower": "BSD-3-Clause", "simbench": "ODbL-1.0"}
NEXT = """# {title}

A study for gridplan, started from the network `{source}`. What is still to do:

1. Fill the empty cells that `gridplan check` lists:
   - `customers.csv`: class and number of customers of each station; one more row where a station has a second class.
   - `profiles.csv`: one year of active power as a share of the element's `p_mw` for every profile that `assignments.csv`
     names; the steps may be shorter or longer, as long as they are equal. A column `<name>_q` gives reactive power a shape of
     its own.
   - `sources.csv`: where each file comes from and under which licence; a report prints it.
2. Look through `assignments.csv` (which profile an element follows) and `assumptions.csv` (limits and their sources).
3. Run `gridplan check` on this folder again until it finds nothing, then `gridplan report 00-start-here --study` on it.
"""
LISTED = 500  # buses from which on a list in the README helps nobody


def new_study(folder: str | Path, source: str | Path, *, name: str | None = None) -> Path:
    """Write a study folder for a network, whole or not at all.

    The network is kept as ``network.json`` in the folder. A SimBench network brings its profiles and assignments; for any other
    network the profiles are hours of the year with empty cells.

    Parameters
    ----------
    folder
        Folder to make; it may exist if it is empty.
    source
        Network, as for :func:`gridplan.network.open`.
    name
        Name of the study; by default that of the folder.

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    NetworkError
        The network cannot be opened.
    StudyError
        The folder holds something already, or cannot be written.
    """
    study.refuse_existing(folder)  # before a large network is read
    net = deepcopy(open_network(source))
    library = net.pop("profiles", None)
    assignments = _assignments(net)
    profiles = _library_profiles(assignments, library) if library is not None else _empty_profiles(assignments)
    title = name or Path(folder).resolve().name
    settings = {
        "name": re.sub(r"\W+", "-", title).strip("-").lower() or "study",
        "title": title,
        "description": "",
        "network": "network.json",
        "base_year": int(profiles["time"].dt.year.iloc[0]),
        "currency": "EUR",
    }
    content = {"customers": _customers(net), "assignments": assignments, "profiles": profiles, "assumptions": _assumptions()}
    content["sources"] = _sources(str(source), known_profiles=library is not None)
    files = {"network.json": pp.to_json(net), "README.md": NEXT.format(title=title, source=source) + _bus_list(net)}
    return study.scaffold(folder, settings, content, files=files)


def _customers(net: pandapowerNet) -> pd.DataFrame:
    """Return a row for every bus with a load; how many customers it has, and of which class, no network says."""
    buses = sorted(net.load["bus"].unique())
    return pd.DataFrame({"bus": buses, "customer_class": "", "customers": ""})


def _bus_list(net: pandapowerNet) -> str:
    """Return a Markdown table of the buses with a load, so that stations are recognised in `customers.csv`."""
    buses = sorted(net.load["bus"].unique())
    if not 0 < len(buses) < LISTED:
        return ""
    names = net.bus["name"].reindex(buses).fillna("").astype(str)
    rows = [f"| {bus} | {re.sub(r'[|<>`]', ' ', ' '.join(name.split()))} |" for bus, name in names.items()]
    return "\n".join(["", "## Buses with a load", "", "| bus | name |", "| ---: | --- |", *rows, ""])


def _assignments(net: pandapowerNet) -> pd.DataFrame:
    rows = [(element, int(at), _profile(element, row)) for element in ELEMENTS for at, row in net[element].iterrows()]
    return pd.DataFrame(rows, columns=["element", "element_id", "profile"])


def _profile(element: str, row: Mapping[str, Any]) -> str:
    """Name the profile of an element: SimBench's own, or one for its kind."""
    own = row.get("profile")
    if isinstance(own, str) and own:
        return f"{element}_{own}"  # SimBench uses the same name for a load and for a generator
    kind = str(row.get("type") or "").lower()
    if element == "sgen":
        return next((known for known in ("pv", "wind", "chp", "biomass", "hydro") if known in kind), "sgen")
    return element


def _empty_profiles(assignments: pd.DataFrame) -> pd.DataFrame:
    """Return the hours of this year with an empty column for every profile."""
    year = dt.datetime.now(tz=dt.UTC).year
    hours = pd.date_range(f"{year}-01-01", f"{year + 1}-01-01", freq="h", inclusive="left", name="time")
    names = list(dict.fromkeys(assignments["profile"])) or ["load"]
    return pd.DataFrame("", index=hours, columns=[f"{name}_p" for name in names]).reset_index()


def _library_profiles(assignments: pd.DataFrame, library: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Return SimBench's profiles of the elements, in standard time.

    SimBench labels equal steps with daylight-saving time, day first: an hour lacks in March and stands twice in October.
    """
    labels = pd.to_datetime(library["load"]["time"], format="%d.%m.%Y %H:%M")
    time = pd.date_range(labels.iloc[0], periods=len(labels), freq=labels.diff().mode().iloc[0])
    used = assignments.drop_duplicates("profile")
    columns = {name: values for row in used.itertuples() for name, values in _library_columns(row.element, row.profile, library)}
    return pd.DataFrame({"time": time, **columns})


def _library_columns(element: str, profile: str, library: Mapping[str, pd.DataFrame]) -> Iterator[tuple[str, Any]]:
    own = profile.removeprefix(f"{element}_")
    if element == "load":
        yield f"{profile}_p", library["load"].get(f"{own}_pload", "")
        yield f"{profile}_q", library["load"].get(f"{own}_qload", "")
        return
    places = ("renewables", "powerplants") if element == "sgen" else ("storage",)
    yield f"{profile}_p", next((library[place][own] for place in places if own in library[place]), "")


def _assumptions() -> pd.DataFrame:
    return tables.assumptions()[["assumption", "value", "unit", "source", "evidence", "note"]]


def _sources(source: str, *, known_profiles: bool) -> pd.DataFrame:
    """Return a row for every file; the licence of the analyst's own data is theirs to state."""
    collection = source.partition(":")[0]
    licence = LICENCES.get(collection, "")
    named = source if licence else Path(source).name
    shapes = (named, licence, "Profiles of the elements of the network") if known_profiles else ("", "", "")
    rows = [
        ("network.json", "Network", named, licence, "Saved by 'gridplan new' in pandapower's format"),
        ("customers.csv", "Customers by station and class", "", "", ""),
        ("assignments.csv", "Profile of every load, generator and storage", named, licence, "Assigned by 'gridplan new'"),
        ("profiles.csv", "Shape of power over the year", *shapes),
        ("assumptions.csv", "Limits and other assumptions", "gridplan's defaults", "BSD-3-Clause", ""),
    ]
    return pd.DataFrame(rows, columns=["file", "content", "source", "licence", "derivation"])
