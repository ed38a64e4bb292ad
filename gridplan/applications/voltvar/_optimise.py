"""Volt-var optimisation, conservation voltage reduction, and the regulator that they are compared with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from gridplan.applications._case import OperatingCase
from gridplan.applications._run import Models
from gridplan.applications.voltvar import _dynamic
from gridplan.applications.voltvar._settings import Settings, default
from gridplan.applications.voltvar._summary import Series
from gridplan.applications.voltvar._table import FAILED, Table, ZoneTable
from gridplan.errors import ParameterError, Problem
from gridplan.network import display_name

_MOST_TRANSITIONS = 40_000
_MOST_ROUNDS = 25
_BEYOND = 10**12  # excess given to what exceeds the lowest possible peak


@dataclass(frozen=True, eq=False)
class Schedule:
    """Positions over time and what they do.

    Parameters
    ----------
    case
        The case with the positions in its `schedule`.
    set_points
        Voltage [pu] of the secondary bus bar of each controlled transformer, (steps, transformers).
    infeasible
        Steps in which no position keeps the limits (with the margin), or none that can be reached: ``time``, ``element``,
        ``element_id``, ``element_name``, ``excess_pu`` (least distance of the worst bus from the limits [pu]; NaN: no solution).
    series
        What was simulated by area and step, if it was: not with steps without a solution.
    """

    case: OperatingCase
    set_points: pd.DataFrame
    infeasible: pd.DataFrame
    series: Series | None = field(default=None, repr=False)


def optimise(case: OperatingCase, settings: Settings | None = None, *, models: Models | None = None) -> Schedule:
    """Positions of tap changers and capacitor banks that take the least energy, step by step, inside the voltage limits.

    Dynamic programming over time finds the best sequence of positions that keeps the number of operations a day. A position
    that was not solved counts with the least that it can cost; as long as the best sequence has such positions, they are solved
    and it is searched again (of devices that act on the same buses every position that may be inside the limits is solved). So
    it is exact: for one transformer, and for several that feed separate parts of the network, each part by itself; devices that
    act on the same buses are searched together. The position of the first step costs no operation. Where the limits cannot be
    kept the violation is the least possible (sum over time of the distance of the worst bus, before any energy is counted) and
    the steps are named.

    Parameters
    ----------
    case
        Case; not changed. Positions that its schedule has for other elements stay.
    settings
        Choices; `taps` and `inverters` are not looked at.
    models
        Models of the network and profiles of the case, to share between calls.

    Returns
    -------
    Schedule
        The case with its schedule, the set-points, and the steps outside the limits.

    Raises
    ------
    ParameterError
        An area or element does not exist, nothing feeds the areas, the margin leaves no band, or too many devices act together.

    Notes
    -----
    The least that a position can cost is predicted from the nearest position solved in the same step: voltages in proportion to
    those without load, off by at most 0.004 pu (0.015 with several devices on the same buses); load by its voltage dependence,
    off by at most a quarter of the change; losses changing at most three times as much as the voltage.

    References
    ----------
    .. [1] K. P. Schneider et al., Evaluation of conservation voltage reduction (CVR) on a national level, PNNL-19596, 2010.
    """
    return schedules(case, [settings or Settings()], models=models)[0]


def schedules(case: OperatingCase, settings: Sequence[Settings], *, models: Models | None = None) -> list[Schedule]:
    """Schedules for several margins; what was solved for one is not solved again for the next.

    Parameters
    ----------
    case, models
        As of :func:`optimise`.
    settings
        Choices that differ in `margin_pu` only.

    Returns
    -------
    list[Schedule]
        As of :func:`optimise`, in the order of `settings`.
    """
    if len({replace(own, margin_pu=0.0) for own in settings}) != 1:
        raise ParameterError("schedules", [Problem("settings", "differ in more than margin_pu, or are none")])
    for own in settings:
        _band(case, own)
    table = Table(case, settings[0], models)
    return [scheduled(table, own) for own in settings]


def scheduled(table: Table, settings: Settings) -> Schedule:
    """Best schedule for one margin; what the table has solved is not solved again."""
    low, high = _band(table.case, settings)
    day = table.case.profiles.time.normalize().factorize()[0].astype(np.int64)
    while _solve_needed(table, [_promising(zone, (low, high), settings) for zone in table.zones]):
        pass
    paths, best = [np.zeros(0, np.int64)] * len(table.zones), [False] * len(table.zones)
    while not all(best):
        # A best sequence that is solved stays best: what else is solved can only cost more than was hoped.
        for n, zone in enumerate(table.zones):
            if not best[n]:
                paths[n] = _path(zone, (low, high), settings, day)
                best[n] = bool(zone.solved[paths[n], np.arange(table.steps)].all())
        _solve_needed(table, [_taken(zone, path) for zone, path in zip(table.zones, paths, strict=True)])
    return _schedule(table, paths, (low, high))


def _promising(zone: ZoneTable, band: tuple[float, float], settings: Settings) -> np.ndarray:
    """Need the states that may be the best of a step: of a single tap changer by prediction, else all that may be inside."""
    if not zone.single:
        return zone.window(*band)
    return _taken(zone, _dynamic.freely(*zone.hopeful(*band, losses=settings.objective == "losses")))


def _band(case: OperatingCase, settings: Settings) -> tuple[float, float]:
    low, high = case.limits.vm_min_pu + settings.margin_pu, case.limits.vm_max_pu - settings.margin_pu
    if low >= high:
        what = f"{settings.margin_pu} leaves nothing of {case.limits.vm_min_pu} to {case.limits.vm_max_pu} [pu]"
        raise ParameterError("voltvar settings", [Problem("margin_pu", what)])
    return low, high


def _solve_needed(table: Table, needed: list[np.ndarray]) -> bool:
    """Solve what is not solved yet; whether there was any."""
    missing = any((need & ~zone.solved).any() for need, zone in zip(needed, table.zones, strict=True))
    if missing:
        table.solve(needed)
    return missing


def _taken(zone: ZoneTable, path: np.ndarray) -> np.ndarray:
    need = np.zeros(zone.solved.shape, bool)
    need[path, np.arange(len(path))] = True
    return need


def _path(zone: ZoneTable, band: tuple[float, float], settings: Settings, day: np.ndarray) -> np.ndarray:
    """Best state of each step of a zone."""
    used = np.flatnonzero(zone.window(*band).any(axis=1))
    states = np.arange(used[0], used[-1] + 1)
    if _dynamic.size(len(states), len(zone.zone.devices), settings.operations_per_day) > _MOST_TRANSITIONS:
        count = len(zone.zone.devices)
        what = f"{settings.operations_per_day} operations of {count} devices in {len(states)} positions are too many"
        raise ParameterError("voltvar settings", [Problem("operations_per_day", what, remedy="lower it, or name fewer devices")])
    excess, cost = (values[states] for values in zone.hopeful(*band, losses=settings.objective == "losses"))
    where = (zone.states[states], day, settings.operations_per_day)
    if settings.objective == "peak":
        first = _dynamic.cheapest(excess, cost, *where, highest=True)
        reached = cost[first, np.arange(len(first))].max()
        excess = excess + _BEYOND * (cost > reached)
    return states[_dynamic.cheapest(excess, cost, *where)]


def _schedule(table: Table, paths: Sequence[np.ndarray], band: tuple[float, float]) -> Schedule:
    """Write paths out as positions, set-points and steps outside the limits."""
    case, at = table.case, np.arange(table.steps)
    time = case.profiles.time
    schedule = {control: given.copy() for control, given in case.schedule.items()}
    set_points, outside = {}, []
    for zone, path in zip(table.zones, paths, strict=True):
        for d, device in enumerate(zone.zone.devices):
            frame = schedule.setdefault(device.control, pd.DataFrame(index=time))
            for number in device.elements:
                frame[number] = zone.states[path, d]
        leader = zone.zone.devices[0]
        set_points |= dict.fromkeys(leader.elements, zone.set_point[path, at])
        outside.append(_infeasible(case, zone, zone.excess(*band)[path, at]))
    new = replace(case, schedule=schedule)
    points, steps = pd.DataFrame(set_points, index=time), pd.concat(outside, ignore_index=True)
    return Schedule(new, points, steps, table.series(paths))


def _infeasible(case: OperatingCase, zone: ZoneTable, excess: np.ndarray) -> pd.DataFrame:
    leader = zone.zone.devices[0]
    element, number = leader.control.split(".")[0], leader.elements[0]
    steps = np.flatnonzero(excess > 0)
    return pd.DataFrame(
        {
            "time": case.profiles.time[steps],
            "element": element,
            "element_id": number,
            "element_name": display_name(case.net, element, number),
            "excess_pu": np.where(excess[steps] >= FAILED, np.nan, excess[steps] / 1e6),
        }
    )


def regulate(
    case: OperatingCase,
    set_point_pu: float | None = None,
    dead_band_pu: float | None = None,
    *,
    settings: Settings | None = None,
    models: Models | None = None,
) -> Schedule:
    """Automatic voltage regulation: each tap changer holds the voltage of its secondary bus bar around a fixed set-point.

    A position stays as long as the voltage is inside the dead band; otherwise the tap changer moves, within the step, until the
    voltage is inside it, or as near to the set-point as it gets. The regulator knows no number of operations and no bus but its
    own.

    Parameters
    ----------
    case
        Case; not changed.
    set_point_pu, dead_band_pu
        Set-point and full width of the dead band [pu]; the defaults of :func:`defaults`.
    settings
        Areas and transformers; capacitor banks stay where they are.
    models
        As of :func:`optimise`.

    Returns
    -------
    Schedule
        As of :func:`optimise`; `infeasible` holds the steps outside the voltage limits of the case, without margin.

    Raises
    ------
    ParameterError
        As of :func:`optimise`, or the set-point or dead band is not above 0.
    """
    set_point = default("set_point_pu") if set_point_pu is None else set_point_pu
    width = default("dead_band_pu") if dead_band_pu is None else dead_band_pu
    problems = [
        Problem(n, f"{v} is not above 0 [pu]") for n, v in (("set_point_pu", set_point), ("dead_band_pu", width)) if not v > 0
    ]
    if problems:
        raise ParameterError("regulate", problems)
    table = Table(case, replace(settings or Settings(), shunts=()), models)
    for _ in range(_MOST_ROUNDS * 4):
        paths = [_follow(zone, case, (set_point, width / 2)) for zone in table.zones]
        if not _solve_needed(table, [_near(zone, path) for zone, path in zip(table.zones, paths, strict=True)]):
            break
    return _schedule(table, paths, (case.limits.vm_min_pu, case.limits.vm_max_pu))


def _near(zone: ZoneTable, path: np.ndarray) -> np.ndarray:
    """Need the states on a path and, as the regulator compares them, their neighbours."""
    need, at = np.zeros(zone.solved.shape, bool), np.arange(len(path))
    for shift in (-1, 0, 1):
        need[np.clip(path + shift, 0, len(need) - 1), at] = True
    return need


def _follow(zone: ZoneTable, case: OperatingCase, target: tuple[float, float]) -> np.ndarray:
    """States that a regulator passes through."""
    set_point, half = target
    distance = np.abs(zone.set_point - set_point)
    distance = np.where(np.isnan(distance), np.inf, distance)
    nearest, inside = distance.argmin(axis=0), distance <= half
    state = int(zone.start(case)[0][0])
    path = np.empty(distance.shape[1], np.int64)
    for t in range(len(path)):
        if not inside[state, t]:
            state = _moved(inside[:, t], state, int(nearest[t]))
        path[t] = state
    return path


def _moved(inside: np.ndarray, state: int, nearest: int) -> int:
    """First state inside the dead band on the way to the one nearest to the set-point."""
    way = range(state, nearest, 1 if nearest > state else -1)
    return next((s for s in way if inside[s]), nearest)
