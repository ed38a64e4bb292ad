"""Hosting capacity of areas by random placements: plants of random size at random buses, until the first violation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from pandapower.auxiliary import pandapowerNet

from gridplan import network, powerflow
from gridplan.errors import ParameterError, Problem, suggest
from gridplan.hosting import _search
from gridplan.hosting._batch import Plants, prepare
from gridplan.hosting._capacity import binding_table, check
from gridplan.hosting._choices import Connection, Limits, Options
from gridplan.hosting._judge import KINDS

_ROWS_TIMES_COLUMNS = 3_000_000  # of the matrix of plant powers of a chunk


@dataclass(frozen=True)
class Sizes:
    """Distribution of the size of a plant: normal, cut at a least size.

    Parameters
    ----------
    mean_mw, deviation_mw
        Mean and standard deviation [MW] before cutting.
    least_mw
        Draws below it count as this size [MW].
    """

    mean_mw: float = 0.5
    deviation_mw: float = 0.05
    least_mw: float = 0.001

    def __post_init__(self) -> None:
        problems = [
            Problem(n, f"{getattr(self, n)} is not above 0 [MW]") for n in ("mean_mw", "least_mw") if not getattr(self, n) > 0
        ]
        if not self.deviation_mw >= 0:
            problems.append(Problem("deviation_mw", f"{self.deviation_mw} is below 0 or no number [MW]"))
        if problems:
            raise ParameterError("sizes", problems)


@dataclass(frozen=True, eq=False)
class Placements:
    """Sequences of plants, one a sample, in the order in which they are built.

    Parameters
    ----------
    area
        Area of each sample, (samples,).
    bus, size_mw, technology
        Bus, rated power [MW] and technology (name of a column of the connection's shape) of each plant, (samples, plants).
    technologies
        Names that `technology` counts.
    """

    area: np.ndarray
    bus: np.ndarray
    size_mw: np.ndarray
    technology: np.ndarray | None = None
    technologies: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.technology is None:
            object.__setattr__(self, "technology", np.zeros(np.shape(self.bus), int))
        shapes = {name: np.shape(getattr(self, name)) for name in ("bus", "size_mw", "technology")}
        problems = []
        if len(set(shapes.values())) > 1 or len(shapes["bus"]) != 2 or len(self.area) != shapes["bus"][0]:
            problems.append(Problem("placements", f"shapes do not fit: area ({len(self.area)},), {shapes}"))
        elif not (np.asarray(self.size_mw) > 0).all():
            problems.append(Problem("size_mw", "holds sizes that are not above 0 [MW]"))
        if problems:
            raise ParameterError("placements", problems)


@dataclass(frozen=True, eq=False)
class _Sequences:
    """Plants of a sample up to a number; the level is that number."""

    bus: np.ndarray
    technology: np.ndarray
    row: np.ndarray
    size_mw: np.ndarray

    def plants(self, path: np.ndarray, level: np.ndarray) -> tuple[Plants, np.ndarray]:
        most = int(level.max(initial=0))
        built = np.arange(most)[None, :] < level[:, None]
        rated = np.zeros((len(self.bus), len(path)))
        case = np.broadcast_to(np.arange(len(path))[:, None], built.shape)
        np.add.at(rated, (self.row[path, :most][built], case[built]), self.size_mw[path, :most][built])
        return Plants(self.bus, self.technology), rated

    def cost(self) -> int:
        return max(1, _ROWS_TIMES_COLUMNS // max(1, len(self.bus)))


def draw(
    places: pd.DataFrame,
    sizes: Sizes | Mapping[str, Sizes] | None = None,
    *,
    samples: int = 500,
    plants: int = 200,
    seed: int = 0,
    areas: Sequence[str] | None = None,
) -> Placements:
    """Draw random sequences of plants, the same for the same seed.

    Parameters
    ----------
    places
        Columns ``area``, ``bus`` and optionally ``weight`` (how likely a plant stands there: customers, roofs; 1 if absent).
    sizes
        Distribution of sizes; or one by technology, each technology as likely as the others.
    samples
        Sequences for each area.
    plants
        Plants in a sequence; more than can be built.
    seed
        Seed; areas have streams of their own, so that leaving one out does not change another.
    areas
        Areas to draw for; all of `places` if not given.

    Returns
    -------
    Placements
        `samples` sequences for each area.

    Raises
    ------
    ParameterError
        An area without buses, weights that are negative or all 0, counts below 1.
    """
    wanted = sorted(places["area"].unique()) if areas is None and "area" in places else list(areas or [])
    by_name = sizes if isinstance(sizes, Mapping) else {"": sizes or Sizes()}
    _check_draw(places, wanted, {"samples": samples, "plants": plants})
    names, shape = sorted(by_name), (samples, plants)
    parts = []
    for area in wanted:
        here = places[places["area"] == area]
        weight = here["weight"].to_numpy(float) if "weight" in here else np.ones(len(here))
        random = np.random.default_rng([seed, *str(area).encode()])
        technology = random.integers(len(names), size=shape)
        mean, deviation, least = (
            np.array([getattr(by_name[n], f) for n in names]) for f in ("mean_mw", "deviation_mw", "least_mw")
        )
        size = np.maximum(random.normal(mean[technology], deviation[technology]), least[technology])
        parts.append((random.choice(here["bus"].to_numpy(), size=shape, p=weight / weight.sum()), size, technology))
    bus, size, technology = (np.concatenate(part) for part in zip(*parts, strict=True))
    return Placements(np.repeat(np.array(wanted, dtype=object), samples), bus, size, technology, tuple(names))


def stochastic(
    net: pandapowerNet,
    placements: Placements,
    connection: Connection | None = None,
    *,
    profiles: powerflow.Profiles | None = None,
    limits: Limits | None = None,
    options: Options | None = None,
) -> pd.DataFrame:
    """Build random sequences of plants until the first violation, all samples at once.

    Parameters
    ----------
    net, connection, profiles, limits, options
        As for :func:`capacity`; of the options only the power flow counts. With several technologies the connection's shape
        has a column for each.
    placements
        Sequences of plants, see :func:`draw`.

    Returns
    -------
    pd.DataFrame
        One row a sample: ``sample, area, plants`` and ``hosting_mw`` (built without a violation), ``installed_mw`` (with the
        plant that brings the violation) and what that violation is, as for :func:`capacity`; the limit is 'all plants placed'
        if the sequence ends without one.

    Raises
    ------
    ParameterError
        With every problem of the arguments: a bus that is unknown or has no supply, a technology without a shape.
    """
    connection, limits, options = connection or Connection(), limits or Limits(), options or Options()
    buses = pd.Series(np.unique(placements.bus))
    check(net, connection, profiles, (replace(options, upper_mw=1.0), buses))
    batch = prepare(net, profiles, connection, options.powerflow)
    position = net.bus.index.get_indexer(buses)
    _check_placements(net, placements, connection, buses[~batch.supplied[position]])
    paths = _sequences(placements, connection, buses, position)
    samples, most = placements.bus.shape
    search, before = _search.begin(batch, limits, paths, np.arange(1, most + 1))
    already = int(search.judge.binding(before)[0])
    answer = _search._empty(np.full(samples, most))
    if already >= 0:
        answer.level[:], answer.kind[:] = 0, already
        for name in ("value", "place", "step"):
            getattr(answer.verdict, name)[:] = getattr(before, name)
        limit = np.full(samples, "already violated", dtype=object)
    else:
        answer = _search.run(search, np.full(samples, most))
        limit = np.array([KINDS[k].name if k >= 0 else "all plants placed" for k in answer.kind], dtype=object)
    total = np.cumsum(np.c_[np.zeros(samples), placements.size_mw], axis=1)
    table = pd.DataFrame({"sample": np.arange(samples), "area": placements.area, "plants": answer.level})
    table["hosting_mw"] = total[np.arange(samples), answer.level]
    table["installed_mw"] = total[np.arange(samples), np.where(already >= 0, 0, np.minimum(answer.level + 1, most))]
    return pd.concat([table, binding_table(net, search, (limit, answer))], axis=1)


def _sequences(placements: Placements, connection: Connection, buses: pd.Series, position: np.ndarray) -> _Sequences:
    """Give each pair of bus and technology that occurs a row of its own."""
    columns = list(connection.shapes.columns) if connection.shapes is not None else [0]
    names = placements.technologies
    column = np.array([columns.index(n) for n in names]) if len(names) > 1 else np.zeros(1, int)
    technology = column[placements.technology] if len(names) > 1 else np.zeros(placements.bus.shape, int)
    pair = np.searchsorted(buses.to_numpy(), placements.bus) * len(columns) + technology
    used, row = np.unique(pair, return_inverse=True)
    return _Sequences(position[used // len(columns)], used % len(columns), row.reshape(pair.shape), placements.size_mw)


def quantiles(
    samples: pd.DataFrame, *, column: str = "hosting_mw", by: str = "area", levels: Sequence[float] = (0.05, 0.5, 0.95)
) -> pd.DataFrame:
    """Quantiles of the samples of each area.

    Parameters
    ----------
    samples
        Result of :func:`stochastic`.
    column
        ``hosting_mw`` or ``installed_mw``.
    by
        Column to group by.
    levels
        Quantiles [1].

    Returns
    -------
    pd.DataFrame
        One row an area: ``area``, ``samples``, ``mean_mw``, ``p05_mw``, ``p50_mw``, ``p95_mw`` (after the levels), the commonest
        ``limit`` and its ``limit_share_percent``.
    """
    rows = []
    for name, group in samples.groupby(by, sort=True):
        counts = group["limit"].value_counts()
        row = {by: name, "samples": len(group), "mean_mw": group[column].mean()}
        row |= {f"p{round(100 * level):02d}_mw": group[column].quantile(level) for level in levels}
        rows.append(row | {"limit": counts.index[0], "limit_share_percent": 100.0 * counts.iloc[0] / len(group)})
    return pd.DataFrame(rows)


def places(net: pandapowerNet, areas: pd.DataFrame | None = None) -> pd.DataFrame:
    """Buses with a load in service, by area: where plants are usually placed.

    Parameters
    ----------
    net
        Network.
    areas
        Columns ``bus`` and ``area``; the feeders of the network if not given.

    Returns
    -------
    pd.DataFrame
        ``area, bus, weight`` (1 each). Loads on buses without an area are left out.
    """
    areas = network.areas(net) if areas is None else areas
    loaded = net.load.loc[net.load["in_service"].astype(bool), "bus"].unique()
    return areas.loc[areas["bus"].isin(loaded), ["area", "bus"]].assign(weight=1.0).reset_index(drop=True)


def _check_draw(places: pd.DataFrame, areas: Sequence[str], counts: dict[str, int]) -> None:
    problems = [Problem("places", "missing", column=name) for name in ("area", "bus") if name not in places]
    problems += [Problem(name, f"{count} is below 1") for name, count in counts.items() if count < 1]
    if not problems and not len(areas):
        problems.append(Problem("places", "no area", remedy="give at least one bus"))
    for area in areas if not problems else ():
        here = places[places["area"] == area]
        weight = here["weight"] if "weight" in here else pd.Series(1.0, index=here.index)
        if not len(here):
            problems.append(
                Problem(f"area '{area}'", f"has no bus to place a plant at; {suggest(str(area), places['area'].unique())}")
            )
        elif not (weight >= 0).all() or not weight.sum() > 0:
            remedy = f"leave it out; areas: {', '.join(map(str, places['area'].unique()))}"
            problems.append(Problem(f"area '{area}'", "its weights are below 0 or all 0: no customers", remedy=remedy))
    if problems:
        raise ParameterError("placements", problems)


def _check_placements(net: pandapowerNet, placements: Placements, connection: Connection, dead: pd.Series) -> None:
    problems = [
        Problem("placements", f"{network.display_name(net, 'bus', bus)} has no supply", remedy="leave it out") for bus in dead
    ]
    names = placements.technologies
    shapes = [] if connection.shapes is None else list(connection.shapes.columns)
    if len(names) > 1:
        missing = [n for n in names if n not in shapes]
        problems += [Problem("shape", f"no column for technology '{n}'; {suggest(n, shapes)}") for n in missing]
    elif len(shapes) > 1:
        problems.append(Problem("shape", f"{len(shapes)} columns for one technology", remedy="draw with sizes by technology"))
    if problems:
        raise ParameterError("hosting capacity", problems)
