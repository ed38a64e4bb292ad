"""The application: units, their schedule, the case with them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import pandapower as pp
import pandas as pd
from pandapower.auxiliary import pandapowerNet

from gridplan import network
from gridplan.applications import _dispatch, _flexible
from gridplan.applications._case import OperatingCase
from gridplan.applications._flexible import Applied, State
from gridplan.applications._programs import Dispatch, Resources, consumption
from gridplan.applications._sensitivities import Network
from gridplan.errors import ParameterError, Problem
from gridplan.powerflow import Profiles

COLUMNS = ["bus", "power_mw", "capacity_mwh", "efficiency"]
_UNITS = ["element_id", "name", "bus", "area", "power_mw", "capacity_mwh", "efficiency"]
_UNITS += ["drawn_mwh", "storage_losses_mwh", "cycles"]
TECHNOLOGY = "storage"
_WHY = "power and energy of the storage in the areas covered do not reach, or it would make something else worse"


@dataclass(frozen=True, eq=False)
class Settings:
    """Which storage there is, and what it does.

    Parameters
    ----------
    units
        One row a battery: `bus`, `power_mw` (highest power of charging and of discharging, at the connection) [MW],
        `capacity_mwh` (usable energy) [MWh], `efficiency` (of charging, and again of discharging) [1].
        See :func:`sized` for a first sizing.
    areas
        Areas covered: units elsewhere stay out. None is all.
    peak
        Whether the yearly peak of each area is lowered too; it is never raised.
    start_share
        State of charge at the start and end of each day, as a share of the capacity [1].
    day_start_h
        Time of day at which a day begins [h].
    """

    units: pd.DataFrame
    areas: tuple[str, ...] | None = None
    peak: bool = True
    start_share: float = 0.5
    day_start_h: float = 5.0

    def __post_init__(self) -> None:
        problems = [Problem("units", "is missing", column=name) for name in COLUMNS if name not in self.units]
        problems += [] if problems else list(_unit_problems(self.units.reset_index(drop=True)))
        if not 0 <= self.start_share <= 1:
            problems.append(Problem("start_share", f"{self.start_share} is not between 0 and 1"))
        if not 0 <= self.day_start_h < 24:
            problems.append(Problem("day_start_h", f"{self.day_start_h} is not between 0 and 24 [h]"))
        if problems:
            raise ParameterError("settings", problems)


def _unit_problems(units: pd.DataFrame) -> Iterator[Problem]:
    for name, low, high in (("power_mw", 0.0, np.inf), ("capacity_mwh", 0.0, np.inf), ("efficiency", 0.1, 1.0)):
        values = units[name].astype(float)
        for row in units.index[~((values >= low) & (values <= high) & np.isfinite(values))]:
            yield Problem("units", f"{units.at[row, name]} is not between {low:g} and {high:g}", row=row + 2, column=name)


@dataclass(frozen=True, eq=False)
class Outcome(Applied):
    """What storage has done; see :class:`gridplan.applications._flexible.Applied` for `summary` and `left`.

    Parameters
    ----------
    units
        One row a battery in use: `element_id`, `name`, `bus`, `area`, `power_mw` [MW], `capacity_mwh` [MWh], `efficiency` [1],
        `drawn_mwh` [MWh], `storage_losses_mwh` [MWh], `cycles` (energy drawn over capacity) [1].
    energy_mwh
        State of charge at the end of each step [MWh]: one row a step, one column a unit.
    """

    units: pd.DataFrame
    energy_mwh: pd.DataFrame


def sized(case: OperatingCase, flexibility: pd.DataFrame, state: State | None = None) -> pd.DataFrame:
    """One battery a feeder, at the bus whose voltage varies most over the year.

    Parameters
    ----------
    case
        Case.
    flexibility
        Table `flexibility`; its row ``storage`` has the power as a share of the peak demand of the feeder, the duration and the
        efficiency.
    state
        Power flows of `case`, if they are known.

    Returns
    -------
    pd.DataFrame
        `bus`, `power_mw` [MW], `capacity_mwh` [MWh], `efficiency` [1].

    Raises
    ------
    ParameterError
        The table is wrong or has no row ``storage``.
    """
    table = _flexible.checked(flexibility)
    if TECHNOLOGY not in table.index or table.at[TECHNOLOGY, "action"] != "store":
        raise ParameterError("flexibility", [Problem("flexibility", "has no row 'storage' with action 'store'")])
    row = table.loc[TECHNOLOGY]
    known = state or _flexible.simulate(case)
    vm = known.result.vm_pu
    spread = (vm.max() - vm.min()).rename("spread")
    places = case.areas.assign(spread=case.areas["bus"].map(spread)).sort_values(
        ["area", "spread", "bus"], ascending=[True, False, True]
    )
    places = places.drop_duplicates("area")
    power = places["area"].map(known.power["load"].max()) * row["power_share"]
    units = pd.DataFrame({"bus": places["bus"].to_numpy(), "power_mw": power.to_numpy()})
    units["capacity_mwh"] = units["power_mw"] * row["energy_h"]
    return units.assign(efficiency=float(row["efficiency"]))


def apply(case: OperatingCase, settings: Settings) -> OperatingCase:
    """Case with batteries that hold limits as far as they reach and lower the peaks of their areas.

    Parameters
    ----------
    case
        Case; not changed.
    settings
        Units and what they do.

    Raises
    ------
    ParameterError
        A unit stands at a bus that is not in the network or has no supply, or an area is unknown.
    NetworkError
        The network holds voltage-controlled generators.
    """
    return evaluate(case, settings).case


def evaluate(case: OperatingCase, settings: Settings, state: State | None = None) -> Outcome:
    """Apply, and say what the storage did and what remains.

    Days in which anything is outside limits for longer than without storage are left as they were.

    Parameters
    ----------
    case, settings
        As for :func:`apply`.
    state
        Power flows of `case`, if they are known.
    """
    covered = _flexible.check_areas(case, settings.areas)
    before = state or _flexible.simulate(case)
    units = _units(case, settings.units, covered)
    if units.empty or not (settings.peak or len(before.steps)):
        return _outcome((case, before), (case, before), units.iloc[:0], None)
    linear = Network(case, before.models)
    dead = units[linear.position(units["bus"].to_numpy()) < 0]
    if len(dead):
        what = [Problem("units", f"{network.display_name(case.net, 'bus', bus)} has no supply") for bus in dead["bus"]]
        raise ParameterError("settings", what)
    resources = _resources(case, linear, units, settings)
    day = _dispatch.days(case.profiles.time, settings.day_start_h)
    found = _dispatch.dispatch((case, before), linear, resources, day=day, peak=settings.peak)
    found, after, result = _dispatch.accepted(
        case, before, (resources, found, day), lambda done: _written(case, units, resources, done)
    )
    return _outcome((case, before), (after, result), units, found)


def _units(case: OperatingCase, units: pd.DataFrame, covered: frozenset[str] | None) -> pd.DataFrame:
    """Units with power and energy in the areas covered."""
    unknown = [bus for bus in units["bus"] if bus not in case.net.bus.index]
    if unknown:
        raise ParameterError("settings", [Problem("units", f"bus {bus} is not in the network", column="bus") for bus in unknown])
    used = units[(units["power_mw"] > 0) & (units["capacity_mwh"] > 0)].reset_index(drop=True)
    used = used.assign(area=used["bus"].map(case.areas.set_index("bus")["area"]))
    return used if covered is None else used[used["area"].isin(covered)].reset_index(drop=True)


def _resources(case: OperatingCase, linear: Network, units: pd.DataFrame, settings: Settings) -> Resources:
    count, steps, hours = len(units), len(case.profiles.time), case.profiles.step_h
    weights = np.zeros((linear.buses, count), complex)
    weights[linear.position(units["bus"].to_numpy()), np.arange(count)] = 1.0
    power, capacity = units["power_mw"].to_numpy(float), units["capacity_mwh"].to_numpy(float)
    efficiency = units["efficiency"].to_numpy(float)
    numbers = {name: number for number, name in enumerate(_dispatch.areas(case))}
    return Resources(
        weights=weights,
        area=units["area"].map(numbers).fillna(-1).to_numpy(int),
        most_x=np.repeat(power[:, None], steps, axis=1),
        most_y=np.repeat(power[:, None], steps, axis=1),
        low=np.zeros((count, steps)),
        high=np.repeat(capacity[:, None], steps, axis=1),
        fill=efficiency * hours,
        drain=hours / efficiency,
        start=capacity * settings.start_share,
        sign=-np.ones(count),
    )


def _written(case: OperatingCase, units: pd.DataFrame, resources: Resources, found: Dispatch) -> OperatingCase:
    """Case with the batteries as elements that follow their own shapes."""
    power = consumption(resources, found)
    net = pandapowerNet({key: value.copy() if key == "storage" else value for key, value in case.net.items()})
    names = [f"{TECHNOLOGY} at bus {bus}" for bus in units["bus"]]
    given = {"p_mw": units["power_mw"].to_numpy(float), "max_e_mwh": units["capacity_mwh"].to_numpy(float), "name": names}
    numbers = pp.create_storages(net, units["bus"].to_numpy(), type=[TECHNOLOGY] * len(units), **given)
    shapes = {f"storage {number} p": row / size for number, row, size in zip(numbers, power, units["power_mw"], strict=True)}
    own = pd.DataFrame({"element": "storage", "element_id": numbers, "shape_p": list(shapes), "shape_q": list(shapes)})
    joined = pd.concat([case.profiles.shapes, pd.DataFrame(shapes, index=case.profiles.shapes.index)], axis=1)
    elements = pd.concat([case.profiles.elements, own], ignore_index=True)
    return replace(case, net=net, profiles=Profiles(case.profiles.time, joined, elements))


def _outcome(
    before: tuple[OperatingCase, State], after: tuple[OperatingCase, State], units: pd.DataFrame, found: Dispatch | None
) -> Outcome:
    case, step_h, why = after[0], before[0].profiles.step_h, _dispatch.reasons(_WHY, found)
    numbers = case.net.storage.index.difference(before[0].net.storage.index)
    if found is None or not len(numbers):  # nothing was done
        return Outcome(*after, before, why, pd.DataFrame(columns=_UNITS), pd.DataFrame(index=case.profiles.time))
    drawn, given = found.x.sum(axis=1) * step_h, found.y.sum(axis=1) * step_h
    table = units.assign(element_id=numbers, name=[network.display_name(case.net, "storage", number) for number in numbers])
    table = table.assign(drawn_mwh=drawn, storage_losses_mwh=drawn - given, cycles=drawn / table["capacity_mwh"])[_UNITS]
    return Outcome(*after, before, why, table, pd.DataFrame(found.state.T, index=case.profiles.time, columns=numbers))
