"""What the network delivers to each flow, with all flows on it at once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from gridplan import tables
from gridplan.communications._availability import parallel
from gridplan.communications._model import Model
from gridplan.communications._routes import Graph, Pairs, Tree, pairs, tree
from gridplan.errors import Problem, StudyError, suggest

EARTH_KM = 6371.0
FROM_MEDIUM = ["capacity_kbps", "latency_ms", "availability", "backup_h", "security_level"]


@dataclass(frozen=True, eq=False)
class Delivered:
    """What :func:`deliver` finds.

    Parameters
    ----------
    flows
        One row a flow, asked and delivered.
    links
        One row a link in service: its load.
    model
        The figures used.
    """

    flows: pd.DataFrame
    links: pd.DataFrame
    model: Model


def deliver(
    flows: pd.DataFrame,
    sites: pd.DataFrame,
    links: pd.DataFrame,
    media: pd.DataFrame,
    *,
    model: Model | None = None,
    checked: bool = False,
) -> Delivered:
    """Latency, availability, utilisation, backup and security that a network gives to flows which all run at once.

    A flow takes the way of least unloaded latency over links that have the capacity, backup and security it asks for; if there
    is none, the way of least latency over any links, and then something it asks for is missed. The latency of a hop is
    medium + propagation + time of a packet / (1 - utilisation), the mean time in an M/M/1 queue [1]_. A second path shares no
    link and no site between the ends with the first; it counts towards availability if both are fast enough, and one of them
    has the backup.

    Parameters
    ----------
    flows
        As from :func:`flows`.
    sites, links, media
        Tables of a study; of the links only those with status ``present``.
    model
        Figures of the model.
    checked
        Whether the tables hold what they must, as :func:`gridplan.gaps.check` returns them; they are then not checked again.

    Returns
    -------
    Delivered
        `flows`: the rows given, what is asked renamed to `latency_needed_ms`, `availability_needed`, `backup_needed_h`,
        `security_needed`; `path` and `second_path` (sites, empty without a path), `hops`, `latency_ms` [ms] loaded,
        `second_latency_ms` [ms], `availability_single` and `availability` with the second path [1], `capacity_kbps` [kbit/s] of
        the narrowest link, `utilisation_percent` of the fullest link [%], `backup_h` [h], `security_level`, `second_ownership`,
        and for each the hop that decides: `slowest_hop`, `weakest_hop`, `fullest_hop`, `narrowest_hop`, `shortest_backup`,
        `least_secure`. Values are missing without a path.
        `links`: `link`, `from_site`, `to_site`, `medium`, `ownership`, `length_km`, `capacity_kbps`, `data_kbps`, `flows`,
        `utilisation_percent`, `latency_ms`.

    Raises
    ------
    StudyError
        A link to a site that does not exist, a negative latency, an availability over 1 or anything else that the tables do not
        allow; a link from a site to itself; a flow from or to an unknown site. Every problem names the row.

    References
    ----------
    .. [1] L. Kleinrock, Queueing Systems, vol. 1, 1975, ch. 3.
    """
    model = model or Model()
    network = _network(*((sites, links, media) if checked else _checked(sites, links, media)))
    _refuse_strangers(flows, network)
    routes = _routed(flows, network, second=model.second_path)
    loaded = _load(flows, routes, network, model)
    return Delivered(_answers(flows, routes, loaded, model), loaded.links, model)


# --- the network --------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class _Network:
    """Checked sites and links in service, with what their media give, and the graph of unloaded latency."""

    sites: pd.DataFrame
    links: pd.DataFrame
    graph: Graph
    at: dict[str, int]
    causes: list[frozenset[str]]
    link: Mapping[str, np.ndarray]  # values by link and by site, ready for many look-ups
    site: Mapping[str, np.ndarray]


def _checked(sites: pd.DataFrame, links: pd.DataFrame, media: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    where = {"sites": "sites.csv", "links": "links.csv", "media": "media.csv"}
    typed, found = tables.convert({"sites": sites, "links": links, "media": media}, where)
    if not found:
        found = problems(links)
    if found:
        raise StudyError("communication network", found)
    return typed["sites"], typed["links"], typed["media"]


def _network(sites: pd.DataFrame, links: pd.DataFrame, media: pd.DataFrame) -> _Network:
    media = media.set_index("medium")
    own = links[links["status"] == "present"].reset_index(drop=True)
    for name in FROM_MEDIUM:
        own[name] = own[name].astype("Float64").fillna(own["medium"].map(media[name])).astype(float)
    at = {name: number for number, name in enumerate(sites["site"])}
    one, other = own["from_site"].map(at).to_numpy(int), own["to_site"].map(at).to_numpy(int)
    own["length_km"] = own["length_km"].fillna(pd.Series(_distance_km(sites, one, other), index=own.index))
    own["fixed_ms"] = own["latency_ms"] + own["medium"].map(media["us_per_km"]) * own["length_km"] / 1e3
    causes = [frozenset(name.strip() for name in cell.split("|") if name.strip()) for cell in own["common_cause"]]
    graph = Graph(len(sites), one, other, own["fixed_ms"].to_numpy())
    link = {name: own[name].to_numpy(float) for name in ("availability", "capacity_kbps", "backup_h", "security_level")}
    link |= {"link": own["link"].to_numpy(), "public": (own["ownership"] == "public").to_numpy()}
    site = {"site": sites["site"].to_numpy()} | {name: sites[name].to_numpy(float) for name in ("availability", "backup_h")}
    return _Network(sites, own, graph, at, causes, link, site)


def problems(links: pd.DataFrame) -> list[Problem]:
    """Return what the dictionary cannot say of links: those from a site to itself."""
    return list(_loops(links))


def _loops(links: pd.DataFrame) -> Iterator[Problem]:
    for at in np.flatnonzero((links["from_site"] == links["to_site"]).to_numpy()):
        what = f"goes from '{links['from_site'].iloc[at]}' to itself"
        yield Problem("links.csv", what, row=int(links.index[at]) + 2, column="to_site", remedy="name its other end")


def _distance_km(sites: pd.DataFrame, one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Great-circle distances (haversine)."""
    x, y = np.radians(sites["longitude"].to_numpy(float)), np.radians(sites["latitude"].to_numpy(float))
    arc = np.sin((y[other] - y[one]) / 2) ** 2 + np.cos(y[one]) * np.cos(y[other]) * np.sin((x[other] - x[one]) / 2) ** 2
    return 2 * EARTH_KM * np.arcsin(np.sqrt(np.clip(arc, 0, 1)))


def _refuse_strangers(flows: pd.DataFrame, network: _Network) -> None:
    problems = []
    for column in ("site", "to_site"):
        for at in np.flatnonzero(~flows[column].isin(network.at).to_numpy()):
            name = str(flows[column].iloc[at])
            where = f"flow of need '{flows['need'].iloc[at]}'"
            problems.append(
                Problem(where, f"'{name}' is no site", column=column, row=int(at) + 2, remedy=suggest(name, network.at))
            )
    if problems:
        raise StudyError("flows", problems)


# --- routes -------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class _Route:
    """The links of the first way, from the site; those of a disjoint pair, if there is one; whether the first is fit."""

    first: list[int]
    pair: tuple[list[int], list[int]] | None
    fit: bool


@dataclass(frozen=True, eq=False)
class _Routes:
    """Routes by key, and the key of each flow; -1 without any way."""

    routes: list[_Route]
    of_flow: np.ndarray
    ends: list[tuple[int, int]]


def _routed(flows: pd.DataFrame, network: _Network, *, second: bool) -> _Routes:
    """Find the ways of all flows: flows that ask for the same of the links and end at one site share a tree."""
    links = network.links
    asked = flows[["data_kbps", "backup_h", "security_level"]].astype(float).fillna(0.0).to_numpy()
    given = links[["capacity_kbps", "backup_h", "security_level"]].to_numpy(float)
    start, end = flows["site"].map(network.at).to_numpy(int), flows["to_site"].map(network.at).to_numpy(int)
    site_backup = network.sites["backup_h"].to_numpy(float)
    classes = pd.Series(list(zip(end.tolist(), *asked.T.tolist(), strict=True)))
    routes, ends, of_flow = [], [], np.full(len(flows), -1)
    anywhere: dict[int, Tree] = {}
    for key, rows in classes.groupby(classes, sort=False):
        root, needed = int(key[0]), np.array(key[1:])
        fit = given >= needed
        powered = np.minimum(site_backup[network.graph.one], site_backup[network.graph.other]) >= needed[1]
        strict = tree(network.graph, root, (fit.all(axis=1) & powered).tolist())
        secure = (fit[:, 0] & fit[:, 2]).tolist()
        doubled = pairs(network.graph, tree(network.graph, root, secure), secure) if second else None
        numbers: dict[int, int] = {}
        for row in rows.index:
            site = int(start[row])
            if site not in numbers:
                numbers[site] = len(routes)
                route = _route(site, strict, doubled, anywhere, network)
                routes.append(route)
                ends.append((site, root))
            of_flow[row] = numbers[site]
    return _Routes(routes, of_flow, ends)


def _route(site: int, strict: Tree, doubled: Pairs | None, anywhere: dict[int, Tree], network: _Network) -> _Route | None:
    pair = doubled.ways(site) if doubled else None
    if np.isfinite(strict.distance[site]):
        return _Route(strict.way(site), pair, fit=True)
    root = strict.root
    if root not in anywhere:
        anywhere[root] = tree(network.graph, root, [True] * len(network.links))
    if not np.isfinite(anywhere[root].distance[site]):
        return None
    return _Route(anywhere[root].way(site), pair, fit=False)


# --- load and answers ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class _Loaded:
    """The network under load: arrays by link, and the table of links."""

    network: _Network
    latency: np.ndarray
    utilisation: np.ndarray
    links: pd.DataFrame


def _load(flows: pd.DataFrame, routes: _Routes, network: _Network, model: Model) -> _Loaded:
    """Put every flow on its first way; one need of a site that serves two areas is one flow."""
    once = ~flows.duplicated(["need", "site"]).to_numpy()
    by_route = np.bincount(
        routes.of_flow[once], weights=flows["data_kbps"].to_numpy(float)[once], minlength=len(routes.routes) or 1
    )
    counted = np.bincount(routes.of_flow[once], minlength=len(routes.routes) or 1)
    load, number = np.zeros(len(network.links)), np.zeros(len(network.links), dtype=int)
    for route, kbps, count in zip(routes.routes, by_route, counted, strict=False):
        if route is not None:
            load[route.first] += kbps
            number[route.first] += count
    capacity = network.links["capacity_kbps"].to_numpy(float)
    utilisation = np.divide(load, capacity, out=np.full_like(load, np.inf), where=capacity > 0)
    packet = np.divide(model.packet_bytes * 8, capacity, out=np.full_like(load, np.inf), where=capacity > 0)
    busy = np.divide(packet, 1 - utilisation, out=np.full_like(load, np.inf), where=utilisation < 1)
    latency = network.links["fixed_ms"].to_numpy() + busy
    shown = network.links[["link", "from_site", "to_site", "medium", "ownership", "length_km", "capacity_kbps"]].assign(
        data_kbps=load, flows=number, utilisation_percent=100 * utilisation, latency_ms=latency
    )
    return _Loaded(network, latency, utilisation, shown)


def _answers(flows: pd.DataFrame, routes: _Routes, loaded: _Loaded, model: Model) -> pd.DataFrame:
    """Join each flow with what its route delivers."""
    rows = [_single(route, ends, loaded) if route else {} for route, ends in zip(routes.routes, routes.ends, strict=True)]
    single = pd.DataFrame(rows, columns=list(SINGLE)).astype(SINGLE)
    renamed = {
        "latency_ms": "latency_needed_ms",
        "availability": "availability_needed",
        "backup_h": "backup_needed_h",
        "security_level": "security_needed",
    }
    asked = flows.rename(columns=renamed).reset_index(drop=True)
    found = pd.concat([asked, single.iloc[routes.of_flow].reset_index(drop=True)], axis=1)
    for column in ("path", "slowest_hop", "weakest_hop", "fullest_hop", "narrowest_hop", "shortest_backup", "least_secure"):
        found[column] = found[column].fillna("")
    return found.assign(**_doubled(found, routes, loaded, model))


SINGLE = {
    "path": object,
    "hops": float,
    "latency_ms": float,
    "availability_single": float,
    "capacity_kbps": float,
    "utilisation_percent": float,
    "backup_h": float,
    "security_level": float,
    "slowest_hop": object,
    "weakest_hop": object,
    "narrowest_hop": object,
    "fullest_hop": object,
    "shortest_backup": object,
    "least_secure": object,
}


def _walk(site: int, way: Iterable[int], graph: Graph) -> list[int]:
    """Sites along a way."""
    met = [site]
    for link in way:
        met.append(int(graph.other[link] if graph.one[link] == met[-1] else graph.one[link]))
    return met


def _single(route: _Route, ends: tuple[int, int], loaded: _Loaded) -> dict[str, object]:
    """Return what one way delivers, and the hop that decides each value."""
    network, way = loaded.network, route.first
    names, met = network.site["site"], _walk(ends[0], way, network.graph)
    values = {name: network.link[name][way] for name in ("availability", "capacity_kbps", "backup_h", "security_level")}
    label = network.link["link"][way]
    hop_available = np.concatenate([values["availability"], network.site["availability"][met]])
    backups = np.concatenate([values["backup_h"], network.site["backup_h"][met]])
    places = np.concatenate([label, names[met]])
    used, delay = loaded.utilisation[way], loaded.latency[way]
    return {
        "path": " > ".join(names[met]),
        "hops": len(way),
        "latency_ms": float(delay.sum()),
        "availability_single": float(hop_available.prod()),
        "capacity_kbps": float(values["capacity_kbps"].min()),
        "utilisation_percent": float(100 * used.max()),
        "backup_h": float(backups.min()),
        "security_level": float(values["security_level"].min()),
        "slowest_hop": label[delay.argmax()],
        "weakest_hop": places[hop_available.argmin()],
        "narrowest_hop": label[values["capacity_kbps"].argmin()],
        "fullest_hop": label[used.argmax()],
        "shortest_backup": places[backups.argmin()],
        "least_secure": label[values["security_level"].argmin()],
    }


def _doubled(found: pd.DataFrame, routes: _Routes, loaded: _Loaded, model: Model) -> dict[str, object]:
    """Second path, its latency and ownership, and the availability with it, for each flow."""
    cache = [_pair(route, ends, loaded, model) if route else None for route, ends in zip(routes.routes, routes.ends, strict=True)]
    latency_max = found["latency_needed_ms"].astype(float).fillna(np.inf).to_numpy()
    backup_min = found["backup_needed_h"].astype(float).fillna(0.0).to_numpy()
    second, latency, owner = [""] * len(found), np.full(len(found), np.nan), [""] * len(found)
    availability = found["availability_single"].to_numpy(float).copy()
    for row, key in enumerate(routes.of_flow):
        pair = cache[key]
        if pair is None:
            continue
        second[row], latency[row], owner[row] = pair.path, pair.latency, pair.ownership
        if pair.latency <= latency_max[row] and pair.backup >= backup_min[row] and pair.availability > availability[row]:
            availability[row] = pair.availability
    return {"second_path": second, "second_latency_ms": latency, "second_ownership": owner, "availability": availability}


@dataclass(frozen=True)
class _Pair:
    """The slower way of a pair, and what the pair delivers: the latency of the slower, the backup of the better."""

    path: str
    latency: float
    backup: float
    availability: float
    ownership: str


def _pair(route: _Route, ends: tuple[int, int], loaded: _Loaded, model: Model) -> _Pair | None:
    if route.pair is None:
        return None
    network = loaded.network
    site_up, site_backup = network.site["availability"], network.site["backup_h"]
    link_up, link_backup, names = network.link["availability"], network.link["backup_h"], network.site["site"]
    one, other = sorted(route.pair, key=lambda way: float(loaded.latency[way].sum()))
    inner = [_walk(ends[0], way, network.graph)[1:-1] for way in (one, other)]
    up = [link_up[way].prod() * site_up[between].prod() for way, between in zip((one, other), inner, strict=True)]
    backup = [
        min(link_backup[way].min(), site_backup[[*ends, *between]].min())
        for way, between in zip((one, other), inner, strict=True)
    ]
    causes = [frozenset().union(*(network.causes[link] for link in way)) for way in (one, other)]
    beta = model.common_cause_shared if causes[0] & causes[1] else model.common_cause_diverse
    both = float(site_up[list(ends)].prod()) * parallel(up, common_cause=beta)
    way = other if route.first == one or route.first != other else one
    owner = "public" if network.link["public"][way].any() else "private"
    return _Pair(
        path=" > ".join(names[_walk(ends[0], way, network.graph)]),
        latency=float(max(loaded.latency[one].sum(), loaded.latency[other].sum())),
        backup=max(backup),
        availability=both,
        ownership=owner,
    )
