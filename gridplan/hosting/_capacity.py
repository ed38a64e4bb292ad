"""Hosting capacity of single buses, and of many that grow together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from pandapower.auxiliary import pandapowerNet

from gridplan import network, powerflow
from gridplan.errors import ParameterError, Problem, suggest
from gridplan.hosting import _search
from gridplan.hosting._batch import Plants, prepare
from gridplan.hosting._choices import Connection, Limits, Options
from gridplan.hosting._judge import KINDS, Verdict

COLUMNS = ("limit", "violation", "element", "element_id", "element_name", "value", "allowed", "unit", "time")


@dataclass(frozen=True, eq=False)
class _OneBus:
    """A plant at one bus; the level is its size in steps of the resolution."""

    bus: np.ndarray
    resolution_mw: float

    def plants(self, path: np.ndarray, level: np.ndarray) -> tuple[Plants, np.ndarray]:
        used, row = np.unique(path, return_inverse=True)
        rated = np.zeros((len(used), len(path)))
        rated[row, np.arange(len(path))] = level * self.resolution_mw
        return Plants(self.bus[used], np.zeros(len(used), int)), rated

    def cost(self) -> int:
        return _search._MOST_ROWS


@dataclass(frozen=True, eq=False)
class _Together:
    """Plants at many buses in fixed proportion; the level is the sum of their sizes."""

    bus: np.ndarray
    share: np.ndarray
    resolution_mw: float

    def plants(self, path: np.ndarray, level: np.ndarray) -> tuple[Plants, np.ndarray]:
        return Plants(self.bus, np.zeros(len(self.bus), int)), self.share[path].T * level * self.resolution_mw

    def cost(self) -> int:
        return max(1, 4_000_000 // max(1, len(self.bus)))


def capacity(
    net: pandapowerNet,
    connection: Connection | None = None,
    *,
    buses: Sequence[int] | pd.DataFrame | None = None,
    profiles: powerflow.Profiles | None = None,
    limits: Limits | None = None,
    options: Options | None = None,
) -> pd.DataFrame:
    """Hosting capacity of each bus by itself.

    The capacity is the largest size such that neither it nor, as far as tried, a smaller one violates a limit anywhere in the
    network: sizes are tried from small to large (three to a doubling) and the interval with the first violation is then halved
    down to the resolution. A limit that is violated without the new plant counts as violated, even where the plant would
    relieve it: the capacity is 0. With profiles the answer holds in every step: it is checked in all of them, and one
    resolution more violates the limit named in the step named. A step without a power flow is a violation.

    Parameters
    ----------
    net
        Network; not changed.
    connection
        What is connected: generation at unity power factor if not given.
    buses
        Numbers of the buses, or a table with the columns ``bus`` and ``area``; all buses if not given.
    profiles
        Powers of the network over time; None is one step, the network as it stands.
    limits
        Limits; those of `Limits()` if not given. Lines without a rating have no limit.
    options
        Largest size, resolution, power flow.

    Returns
    -------
    pd.DataFrame
        One row a bus: ``bus, name, area, hosting_mw``; what binds one resolution above it: ``limit`` ('line loading',
        'transformer loading', 'overvoltage', 'undervoltage', 'voltage change', 'reverse flow', averaged forms of them,
        'curtailment', 'no convergence', 'control does not settle'; else 'upper bound', 'already violated' or 'no supply'),
        ``violation`` (the same, or which limit is violated already), ``element, element_id, element_name``, ``value``,
        ``allowed`` and ``unit``, ``time`` (start of the step or averaging window; NaT without profiles);
        ``curtailed_percent`` of the energy at that capacity.

    Raises
    ------
    ParameterError
        With every problem of the arguments: unknown or repeated buses, a shape that does not fit the profiles, no bound.
    NetworkError
        The network cannot be built.

    Examples
    --------
    >>> table = capacity(network.open("pandapower:mv_oberrhein"), buses=[103], options=Options(upper_mw=5))
    >>> float(table.hosting_mw[0]), table.limit[0]
    (5.0, 'upper bound')
    """
    connection, limits, options = connection or Connection(), limits or Limits(), options or Options()
    places = _places(net, buses)
    check(net, connection, profiles, (options, places["bus"]))
    batch = prepare(net, profiles, connection, options.powerflow)
    position = net.bus.index.get_indexer(places["bus"])
    upper = max(1, int(np.floor(upper_mw(net, options) / options.resolution_mw + 1e-9)))
    paths = _OneBus(position, options.resolution_mw)
    search, before = _search.begin(batch, limits, paths, _search.rungs(upper))
    live = batch.supplied[position]
    answer, kind = _answers(search, before, live, upper)
    table = places.assign(hosting_mw=_megawatts(answer, options))
    return pd.concat([table, binding_table(net, search, (kind, answer))], axis=1)


def compare(
    net: pandapowerNet,
    connections: Mapping[str, Connection],
    *,
    buses: Sequence[int] | pd.DataFrame | None = None,
    profiles: powerflow.Profiles | None = None,
    limits: Limits | None = None,
    options: Options | None = None,
) -> pd.DataFrame:
    """Hosting capacity of each bus under several connections.

    Parameters
    ----------
    net, buses, profiles, limits, options
        As for :func:`capacity`.
    connections
        What is connected, by a name in words.

    Returns
    -------
    pd.DataFrame
        The rows of :func:`capacity` for each connection, its name in `series`.
    """
    given = {"buses": buses, "profiles": profiles, "limits": limits, "options": options}
    tables = [capacity(net, connection, **given).assign(series=name) for name, connection in connections.items()]
    return pd.concat(tables, ignore_index=True)


def simultaneous(
    net: pandapowerNet,
    shares: pd.DataFrame,
    connection: Connection | None = None,
    *,
    profiles: powerflow.Profiles | None = None,
    limits: Limits | None = None,
    options: Options | None = None,
) -> pd.DataFrame:
    """Hosting capacity of groups of buses whose plants grow together in fixed proportion.

    Parameters
    ----------
    net, connection, profiles, limits, options
        As for :func:`capacity`.
    shares
        Columns ``area`` (the group), ``bus`` and ``weight`` (the plant's part of the group's capacity, any unit: customers, MW).

    Returns
    -------
    pd.DataFrame
        One row a group: ``area``, ``buses`` (with a weight above 0), ``hosting_mw`` (of the group), and what binds as for
        :func:`capacity`.

    Raises
    ------
    ParameterError
        With every problem of the arguments; a group whose weights are all 0 is one.

    Notes
    -----
    Where plants only add to each other's effect (generation held by an upper voltage limit; or by loadings that more generation
    raises), the simultaneous capacity of a group does not exceed the sum of the capacities of its buses by themselves. A plant
    that relieves another one's limit (load next to generation, generation under an overload by load) breaks that.
    """
    connection, limits, options = connection or Connection(), limits or Limits(), options or Options()
    groups = _groups(shares)
    check(net, connection, profiles, (options, shares.loc[shares["weight"] > 0, "bus"].drop_duplicates()))
    batch = prepare(net, profiles, connection, options.powerflow)
    table = groups.pivot_table(index="area", columns="bus", values="weight", aggfunc="sum", fill_value=0.0, sort=True)
    position = net.bus.index.get_indexer(table.columns)
    share = table.to_numpy(float) / table.to_numpy(float).sum(axis=1, keepdims=True)
    upper = max(1, int(np.floor(upper_mw(net, options) / options.resolution_mw + 1e-9)))
    search, before = _search.begin(batch, limits, _Together(position, share, options.resolution_mw), _search.rungs(upper))
    live = ~((share > 0) & ~batch.supplied[position]).any(axis=1)
    answer, kind = _answers(search, before, live, upper)
    result = pd.DataFrame({"area": table.index, "buses": (share > 0).sum(axis=1)})
    result["hosting_mw"] = _megawatts(answer, options)
    return pd.concat([result, binding_table(net, search, (kind, answer))], axis=1)


def _answers(search: _search.Search, before: Verdict, live: np.ndarray, upper: int) -> tuple[_search.Answer, np.ndarray]:
    """Search the paths that have a supply, unless the network is violated already; answers, and what to call the limit."""
    answer = _search._empty(np.where(live, upper, 0))
    kind = np.where(live, "upper bound", "no supply").astype(object)
    already = int(search.judge.binding(before)[0])
    if already >= 0:
        answer.level[:], answer.kind[:] = 0, np.where(live, already, -1)
        for name in ("value", "place", "step"):
            getattr(answer.verdict, name)[:] = getattr(before, name)
        kind[live] = "already violated"
    elif live.any():
        index = np.flatnonzero(live)
        found = _search.run(_Subset.of(search, index), answer.level[index])
        _search._write(answer, index, found[:3])
        answer.curtailed[index] = found.curtailed
        named = answer.kind >= 0
        kind[named] = [KINDS[k].name for k in answer.kind[named]]
    return answer, kind


@dataclass(frozen=True, eq=False)
class _Subset:
    """Some of the paths, numbered anew."""

    whole: _search.Paths
    index: np.ndarray

    @staticmethod
    def of(search: _search.Search, index: np.ndarray) -> _search.Search:
        return _search.replace(search, paths=_Subset(search.paths, index))

    def plants(self, path: np.ndarray, level: np.ndarray) -> tuple[Plants, np.ndarray]:
        return self.whole.plants(self.index[path], level)

    def cost(self) -> int:
        return self.whole.cost()


def binding_table(net: pandapowerNet, search: _search.Search, found: tuple[np.ndarray, _search.Answer]) -> pd.DataFrame:
    """Name what binds: the columns of :data:`COLUMNS` and ``curtailed_percent``."""
    limit, answer = found
    rows = [_binding(net, search, answer, (i, name)) for i, name in enumerate(limit)]
    return pd.DataFrame(rows, columns=list(COLUMNS)).assign(curtailed_percent=answer.curtailed)


def _binding(net: pandapowerNet, search: _search.Search, answer: _search.Answer, row: tuple[int, str]) -> tuple:
    (path, limit), kind = row, int(answer.kind[row[0]])
    if kind < 0:
        return limit, limit, "", -1, "", np.nan, np.nan, "", pd.NaT
    name, element, unit = KINDS[kind]
    verdict, sign = answer.verdict, -1.0 if name == "undervoltage" else 1.0
    position, step = int(verdict.place[kind, path]), int(verdict.step[kind, path])
    number = int(net[element].index[position]) if position >= 0 else -1
    shown = network.display_name(net, element, number) if position >= 0 else element
    many = len(search.batch.time) > 1 and step >= 0
    value, allowed = sign * verdict.value[kind, path], sign * search.judge.allowed[kind]
    return limit, name, element, number, shown, float(value), float(allowed), unit, search.batch.time[step] if many else pd.NaT


def _megawatts(answer: _search.Answer, options: Options) -> np.ndarray:
    return np.round(answer.level * options.resolution_mw, 9)  # a product such as 3506 * 0.001 is not 3.506


def upper_mw(net: pandapowerNet, options: Options) -> float:
    """Largest size tried [MW]."""
    return float(options.upper_mw) if options.upper_mw is not None else _transformers_mva(net)


def _transformers_mva(net: pandapowerNet) -> float:
    """Rated power [MVA] of the transformers with the highest primary voltage together; 0 if there are none."""
    parts = []
    for element, column in (("trafo", "sn_mva"), ("trafo3w", "sn_hv_mva")):
        table = net[element][net[element]["in_service"].astype(bool)]
        parallel = table.get("parallel", 1)
        parts.append(pd.DataFrame({"kv": table["vn_hv_kv"].astype(float), "mva": (table[column] * parallel).astype(float)}))
    both = pd.concat(parts)
    return float(both.loc[both["kv"] == both["kv"].max(), "mva"].sum()) if len(both) else 0.0


def _places(net: pandapowerNet, buses: Sequence[int] | pd.DataFrame | None) -> pd.DataFrame:
    """Bus, name and area of the buses asked for."""
    if isinstance(buses, pd.DataFrame):
        missing = [Problem("buses", "missing", column=c) for c in ("bus", "area") if c not in buses]
        if missing:
            raise ParameterError("hosting capacity", missing)
        areas, numbers = buses.set_index("bus")["area"], buses["bus"].to_numpy()
        areas = areas[~areas.index.duplicated()]
    else:
        numbers = net.bus.index.to_numpy() if buses is None else np.asarray(list(buses))
        areas = network.areas(net).set_index("bus")["area"]
    names = [network.display_name(net, "bus", bus) for bus in numbers]
    return pd.DataFrame({"bus": numbers, "name": names, "area": areas.reindex(numbers).fillna("").to_numpy(object)})


def _groups(shares: pd.DataFrame) -> pd.DataFrame:
    """Rows with a weight; every group needs one."""
    missing = [Problem("shares", "missing", column=name) for name in ("area", "bus", "weight") if name not in shares]
    if missing:
        raise ParameterError("hosting capacity", missing)
    bad = shares[~(shares["weight"] >= 0)]
    problems = [Problem("shares", f"{w} is below 0 or no number", column="weight") for w in bad["weight"]]
    with_weight = set(shares.loc[shares["weight"] > 0, "area"])
    remedy = suggest("", sorted(map(str, with_weight)))
    problems += [
        Problem(f"area '{area}'", "has no bus with a weight above 0: no customers", remedy=f"leave it out; {remedy}")
        for area in shares["area"].unique()
        if area not in with_weight
    ]
    if problems:
        raise ParameterError("hosting capacity", problems)
    return shares[shares["weight"] > 0]


def check(
    net: pandapowerNet,
    connection: Connection,
    profiles: powerflow.Profiles | None,
    rest: tuple[Options, pd.Series],
) -> None:
    """Raise once with everything that does not fit together."""
    options, buses = rest
    problems = list(_bus_problems(net, buses, "buses"))
    if isinstance(connection.export_limit_mw, Mapping):
        problems += _bus_problems(net, pd.Series(list(connection.export_limit_mw), dtype=object), "export_limit_mw")
    steps = 1 if profiles is None else len(profiles.time)
    if connection.shapes is not None and len(connection.shapes) != steps:
        remedy = "give the profiles of the same steps" if profiles is None else None
        problems.append(Problem("shape", f"{len(connection.shapes)} values for {steps} steps", remedy=remedy))
    if connection.shapes is not None and not (connection.shapes.to_numpy() > 0).any():
        problems.append(Problem("shape", "is 0 in every step: any size would fit"))
    if upper_mw(net, options) < options.resolution_mw:
        problems.append(
            Problem("upper_mw", "the network has no transformer to bound the size", remedy="give upper_mw in Options")
        )
    if problems:
        raise ParameterError("hosting capacity", problems)


def _bus_problems(net: pandapowerNet, buses: pd.Series, where: str) -> list[Problem]:
    if not len(buses):
        return [Problem(where, "no bus")]
    unknown = buses[~buses.isin(net.bus.index)]
    found = [Problem(where, f"bus {b} is not in the network", remedy=suggest(str(b), map(str, net.bus.index))) for b in unknown]
    return found + [Problem(where, f"bus {b} stands there twice") for b in buses[buses.duplicated()].unique()]
