"""The application: what can be shifted, when it is, the case with it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd

from gridplan.applications import _dispatch, _flexible
from gridplan.applications._case import OperatingCase
from gridplan.applications._flexible import Applied, State
from gridplan.applications._programs import Dispatch, Resources, consumption
from gridplan.applications._sensitivities import Network
from gridplan.errors import ParameterError, Problem

_WHY = "what can be shifted in the areas covered does not reach, or it would make something else worse"


@dataclass(frozen=True, eq=False)
class Settings:
    """What is shifted.

    Parameters
    ----------
    flexibility
        Table `flexibility`: its rows with action ``shift`` say which share of which loads can be controlled (`participation`),
        by how many hours they can be put off (`defer_h`) or brought forward (`advance_h`), what that costs (`rebound`) and how
        much they draw at once at most (`peak_ratio`).
    areas
        Areas covered; None is all of them.
    technologies
        Rows of the table used; None is all of them.
    peak
        Whether the yearly peak of each area is lowered too; it is never raised.
    day_start_h
        Time of day at which a day begins [h]: energy is conserved from one to the next.
    """

    flexibility: pd.DataFrame
    areas: tuple[str, ...] | None = None
    technologies: tuple[str, ...] | None = None
    peak: bool = True
    day_start_h: float = 5.0

    def __post_init__(self) -> None:
        table = _flexible.checked(self.flexibility)
        unknown = [name for name in self.technologies or () if name not in table.index]
        problems = [Problem("technologies", f"{name!r} has no row in the table 'flexibility'") for name in unknown]
        if not 0 <= self.day_start_h < 24:
            problems.append(Problem("day_start_h", f"{self.day_start_h} is not between 0 and 24 [h]"))
        if problems:
            raise ParameterError("settings", problems)


@dataclass(frozen=True, eq=False)
class Outcome(Applied):
    """What shifting has done; see :class:`gridplan.applications._flexible.Applied` for `summary` and `left`.

    Parameters
    ----------
    loads
        One row an area, technology and profile of loads that can be shifted: `area`, `technology`, `profile`, `loads` (how many),
        `drawn_mwh` (what can be shifted draws) [MWh], `shifted_mwh` [MWh], `rebound_mwh` [MWh].
    """

    loads: pd.DataFrame


class _Loads(NamedTuple):
    """Loads that can be shifted, the number of the resource of each, and one row a resource."""

    table: pd.DataFrame
    number: np.ndarray
    groups: pd.DataFrame
    size: np.ndarray
    base: np.ndarray


def apply(case: OperatingCase, settings: Settings) -> OperatingCase:
    """Case in which flexible loads draw their energy when the network can carry it.

    Parameters
    ----------
    case
        Case; not changed.
    settings
        What is shifted.

    Raises
    ------
    ParameterError
        The table or an area is wrong.
    NetworkError
        The network holds voltage-controlled generators.
    """
    return evaluate(case, settings).case


def evaluate(case: OperatingCase, settings: Settings, state: State | None = None) -> Outcome:
    """Apply, and say what was shifted and what remains.

    Loads of an area, technology and profile are shifted together, in proportion to their power: one signal to all of them.
    Days in which anything is outside limits for longer than without shifting are left as they were.

    Parameters
    ----------
    case, settings
        As for :func:`apply`.
    state
        Power flows of `case`, if they are known.
    """
    covered, table = _flexible.check_areas(case, settings.areas), _flexible.checked(settings.flexibility)
    if settings.technologies is not None:
        table = table.loc[list(settings.technologies)]
    before = state or _flexible.simulate(case)
    members = _flexible.members(case, table, "load", "shift", covered)
    members = members[members["shape_p"].notna()]
    if members.empty or not (settings.peak or len(before.steps)):
        return _outcome((case, before), (case, before), None, None)
    linear = Network(case, before.models)
    loads = _grouped(case, members[linear.position(members["bus"].to_numpy()) >= 0])
    resources = _resources(case, linear, loads)
    day = _dispatch.days(case.profiles.time, settings.day_start_h)
    found = _dispatch.dispatch((case, before), linear, resources, day=day, peak=settings.peak)
    found, after, result = _dispatch.accepted(
        case, before, (resources, found, day), lambda done: _written(case, loads, resources, done)
    )
    return _outcome((case, before), (after, result), loads, found)


def _grouped(case: OperatingCase, members: pd.DataFrame) -> _Loads:
    """Return loads by area, technology and profile."""
    keys = members[["area", "technology", "shape_p", "shape_q"]].fillna("")
    groups, number = np.unique(keys.agg("\0".join, axis=1), return_inverse=True)
    first = members.groupby(number).first()
    own = case.net.load.loc[members.index]
    size = (own["p_mw"] * own["scaling"]).to_numpy(float)
    total = np.bincount(number, size, len(groups)) * first["participation"].to_numpy(float)
    base = np.maximum(_flexible.factors(case.profiles, first["shape_p"]), 0.0).T * total[:, None]
    return _Loads(members, number, first, size, base)


def _resources(case: OperatingCase, linear: Network, loads: _Loads) -> Resources:
    groups, base, hours = loads.groups, loads.base, case.profiles.step_h
    own = case.net.load.loc[loads.table.index]
    ratio = (own["q_mvar"] / own["p_mw"]).to_numpy(float)
    weights = np.zeros((linear.buses, len(groups)), complex)
    share = loads.size / np.bincount(loads.number, loads.size)[loads.number]
    np.add.at(weights, (linear.position(loads.table["bus"].to_numpy()), loads.number), share * (1 + 1j * ratio))
    most = groups["peak_ratio"].to_numpy(float) * base.max(axis=1)
    numbers = {name: number for number, name in enumerate(_dispatch.areas(case))}
    back = 1.0 + groups["rebound"].to_numpy(float)
    return Resources(
        weights=weights,
        area=groups["area"].map(numbers).fillna(-1).to_numpy(int),
        most_x=base,
        most_y=np.maximum(most[:, None] - base, 0.0),
        low=-_window(base[:, ::-1], groups["advance_h"].to_numpy(float) / hours, ahead=True)[:, ::-1] * hours * back[:, None],
        high=_window(base, groups["defer_h"].to_numpy(float) / hours, ahead=False) * hours * back[:, None],
        fill=back * hours,
        drain=np.full(len(groups), hours),
        start=np.zeros(len(groups)),
        sign=np.ones(len(groups)),
    )


def _window(base: np.ndarray, steps: np.ndarray, *, ahead: bool) -> np.ndarray:
    """Sum of what is drawn in so many steps up to each one: itself included, or (`ahead`) not."""
    total = np.concatenate([np.zeros((len(base), 1)), np.cumsum(base, axis=1)], axis=1)
    end = np.arange(base.shape[1]) + (0 if ahead else 1)
    out = np.empty_like(base)
    for row, width in enumerate(np.floor(steps + 1e-9).astype(int).tolist()):
        out[row] = total[row, end] - total[row, np.maximum(end - width, 0)]
    return out


def _written(case: OperatingCase, loads: _Loads, resources: Resources, found: Dispatch) -> OperatingCase:
    """Case with the shifted loads: all loads of a resource keep one shape in common, at their power factor."""
    power = consumption(resources, found)
    shapes = {}
    for number in np.flatnonzero((power != 0).any(axis=1)):
        own = np.flatnonzero(loads.number == number)
        change = power[number] / loads.size[own].sum()
        row = loads.groups.iloc[number]
        pair = [_flexible.factors(case.profiles, pd.Series([row[name]]))[:, 0] + change for name in ("shape_p", "shape_q")]
        shapes |= {int(index): tuple(pair) for index in loads.table.index[own]}
    return _flexible.rewritten(case, "load", shapes)


def _outcome(
    before: tuple[OperatingCase, State],
    after: tuple[OperatingCase, State],
    loads: _Loads | None,
    found: Dispatch | None,
) -> Outcome:
    columns = ["area", "technology", "profile", "loads", "drawn_mwh", "shifted_mwh", "rebound_mwh"]
    table, step_h = pd.DataFrame(columns=columns), before[0].profiles.step_h
    if loads is not None and found is not None:
        table = loads.groups[["area", "technology"]].assign(profile=loads.groups["shape_p"].str.removesuffix("_p"))
        table["loads"] = np.bincount(loads.number)
        change = (found.y - found.x).sum(axis=1) * step_h
        table["drawn_mwh"] = loads.base.sum(axis=1) * step_h + change
        table["shifted_mwh"], table["rebound_mwh"] = found.x.sum(axis=1) * step_h, change
        table = table[columns].reset_index(drop=True)
    return Outcome(*after, before, _dispatch.reasons(_WHY, found), table)
