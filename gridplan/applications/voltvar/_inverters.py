"""Smart inverters: volt-var and volt-watt over time, written into the profiles of a case."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
from pandapower.auxiliary import pandapowerNet

from gridplan import hosting, powerflow
from gridplan.applications._case import OperatingCase
from gridplan.applications._run import Models, check_schedule, distinct
from gridplan.applications.voltvar import _droop
from gridplan.applications.voltvar._settings import Settings
from gridplan.hosting import _batch
from gridplan.powerflow import Profiles, _run


@dataclass(frozen=True, eq=False)
class Inverters:
    """Generation that follows its curves.

    Parameters
    ----------
    case
        The case with the powers found written into its profiles; it needs no control to be simulated.
    curtailed
        By generator: ``element``, ``element_id``, ``available_mwh``, ``curtailed_mwh``, ``curtailed_percent``.
    unsettled
        Steps in which the curves and the network found no common state; they have the last powers tried.
    acting
        Steps in which a generator gives or takes anything but the active power available; bool, (steps,).
    """

    case: OperatingCase
    curtailed: pd.DataFrame
    unsettled: pd.DatetimeIndex
    acting: np.ndarray = field(repr=False)


def inverters(
    case: OperatingCase,
    control: hosting.Control | None = None,
    *,
    areas: Iterable[str] | None = None,
    models: Models | None = None,
) -> Inverters:
    """Let the static generators of some areas follow volt-var and volt-watt curves in every step.

    The rated power of a generator is its highest power over the profiles. The powers are those at which the curves and the
    network agree to 1e-6 pu, at the positions that the case has in each step.

    Parameters
    ----------
    case
        Case; not changed.
    control
        Curves; None: volt-var and volt-watt of IEEE 1547-2018, category B, see :func:`gridplan.hosting.curves`.
    areas
        Areas whose generators take part; None: all.
    models
        Models of the network and profiles of the case, to share between calls.

    Returns
    -------
    Inverters
        The case with the powers written out, what was curtailed, and the steps that did not settle.

    Raises
    ------
    ParameterError
        An area does not exist, or the control has no curve.

    References
    ----------
    .. [1] IEEE Std 1547-2018, clauses 5.3.3 and 5.4.2.
    """
    control = control or hosting.Control(volt_var="B", volt_watt="B")
    settings = Settings(areas=None if areas is None else tuple(areas), inverters=control)
    check_schedule(case)
    plants = _plants(case, settings.covers(case.areas["area"]))
    if not len(plants):
        time, nothing = case.profiles.time, np.zeros((0, 0))
        return Inverters(case, _curtailed(plants, nothing, nothing, 1.0), time[:0], np.zeros(len(time), bool))
    rows = plants.groupby("row", sort=True)
    base, shape = rows["base_mw"].sum().to_numpy(), _shape(case.profiles, rows["shape"].first().to_numpy())
    top = shape.max(axis=1)
    unit = shape / np.where(top > 0, top, 1.0)[:, None]
    p, q, unsettled = _follow((case, models), control, (rows["bus"].first().to_numpy(int), base * top, unit), plants)
    available = base[:, None] * shape
    after = _written(case, plants, (p, q, base, available))
    acting = (q != 0).any(axis=0) | (p < available).any(axis=0)
    return Inverters(after, _curtailed(plants, available, p, case.profiles.step_h), case.profiles.time[unsettled], acting)


def _plants(case: OperatingCase, covered: list[str]) -> pd.DataFrame:
    """List the generators that take part; those at the same bus with the same shape share a row of the calculation."""
    sgen = case.net.sgen
    buses = case.areas.loc[case.areas["area"].isin(covered), "bus"]
    used = sgen["in_service"].astype(bool) & sgen["bus"].isin(buses) & (sgen["p_mw"] * sgen["scaling"] > 0)
    elements = case.profiles.elements[case.profiles.elements["element"] == "sgen"].set_index("element_id")["shape_p"]
    plants = pd.DataFrame({"element_id": sgen.index[used], "bus": sgen.loc[used, "bus"].to_numpy()})
    plants["shape"] = pd.Index(case.profiles.shapes.columns).get_indexer(elements.reindex(plants["element_id"]))
    plants["base_mw"] = (sgen["p_mw"] * sgen["scaling"])[used].to_numpy()
    plants["row"] = plants.groupby(["bus", "shape"], sort=True).ngroup()
    return plants


def _shape(profiles: Profiles, columns: np.ndarray) -> np.ndarray:
    """Shapes of some rows, never below 0; without a shape the power is constant."""
    shapes = np.vstack([_run._by_shape(profiles.shapes), np.ones((1, len(profiles.time)))])
    return np.maximum(shapes[columns], 0.0)


def _follow(
    given: tuple[OperatingCase, Models | None],
    control: hosting.Control,
    rows: tuple[np.ndarray, np.ndarray, np.ndarray],
    plants: pd.DataFrame,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Active power and absorbed reactive power of each row in each step, and whether the step did not settle."""
    (bus, rated, unit), (case, models) = rows, given
    models = models or Models(case.net, case.profiles, powerflow.Options())
    models = models.silenced(plants["element_id"])
    shapes, connection = _run._by_shape(case.profiles.shapes), hosting.Connection(control=control)
    batch = _batch.Batch(
        models.full, shapes, unit, case.profiles.time, case.profiles.step_h, None, None, connection, models.options
    )
    where = _batch.Plants(case.net.bus.index.get_indexer(bus), np.arange(len(bus)))
    p, q, unsettled = rated[:, None] * unit, np.zeros_like(unit), np.zeros(unit.shape[1], bool)
    places, which = distinct(case.schedule) if case.schedule else ([()], np.zeros(unit.shape[1], int))
    able = (unit > 0).any(axis=0)
    for number in np.unique(which):
        own = np.flatnonzero((which == number) & able)
        placed = replace(batch, model=models.at(places[number]))
        for part in np.array_split(own, max(1, -(-len(own) // batch.width))):
            if len(part):
                p[:, part], q[:, part], unsettled[part] = _settled(placed, where, rated, part)
    return p, q, unsettled


def _settled(
    batch: _batch.Batch, where: _batch.Plants, rated: np.ndarray, steps: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Powers of some steps: curves and network in one go, and what does not settle so, back and forth between the two."""
    control, available = batch.connection.control, rated[:, None] * batch.shapes[:, steps]
    plants = (where.bus, rated, available)
    p, q, settled = _droop.settle(batch.model, batch.base[:, steps], plants, control, batch.options)
    rest, unsettled = np.flatnonzero(~settled), np.zeros(len(steps), bool)
    if len(rest):
        p[:, rest], q[:, rest], unsettled[rest] = _back_and_forth(batch, where, rated, steps[rest])
    return p, q, unsettled


def _back_and_forth(
    batch: _batch.Batch, where: _batch.Plants, rated: np.ndarray, steps: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    size = np.repeat(rated[:, None], len(steps), axis=1)
    available = size * batch.shapes[:, steps]
    readings, failed, _, unsettled = _batch._settle(batch, where, (size, available), steps)
    voltage = np.where(failed, 1.0, readings.vm[where.bus].astype(float))
    return *_batch.act(batch.connection.control, voltage, size, available), unsettled


def _written(
    case: OperatingCase, plants: pd.DataFrame, powers: tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]
) -> OperatingCase:
    """Write powers into the profiles: reactive power refers to the active power of the table, so that any generator has some."""
    p, q, base, available = powers
    sgen = case.net.sgen.copy()
    numbers = plants["element_id"].to_numpy()
    sgen.loc[numbers, "q_mvar"] = sgen.loc[numbers, "p_mw"]
    cut = (p < available * (1 - 1e-12)).any(axis=1)
    names = pd.Index([f"inverter {row}" for row in range(len(base))])
    new = [(names + " q", -q / base[:, None]), (names[cut] + " p", p[cut] / base[cut, None])]
    kept = case.profiles.elements
    own = (kept["element"] == "sgen") & kept["element_id"].isin(numbers)
    known = kept[own].set_index("element_id")["shape_p"].reindex(numbers)
    row = plants["row"].to_numpy()
    steady = known.isna().to_numpy() & ~cut[row]
    if steady.any():
        new.append((pd.Index(["inverter steady"]), np.ones((1, p.shape[1]))))
    shape_p = np.where(cut[row], names[row] + " p", np.where(steady, "inverter steady", known.to_numpy()))
    follow = pd.DataFrame({"element": "sgen", "element_id": numbers, "shape_p": shape_p, "shape_q": names[row] + " q"})
    shapes = _with_shapes(case.profiles.shapes, new)
    profiles = Profiles(case.profiles.time, shapes, pd.concat([kept[~own], follow], ignore_index=True))
    return replace(case, net=pandapowerNet(dict(case.net.items()) | {"sgen": sgen}), profiles=profiles)


def _with_shapes(old: pd.DataFrame, new: list[tuple[pd.Index, np.ndarray]]) -> pd.DataFrame:
    """Shapes with others added, which replace those of the same names; the rows of the arrays are columns of the table."""
    names = new[0][0].append([index for index, _ in new[1:]])
    kept = old[[name for name in old.columns if name not in names]]
    values = np.vstack([_run._by_shape(kept), *(rows for _, rows in new)])
    return pd.DataFrame(values.T, index=old.index, columns=kept.columns.append(names), copy=False)


def _curtailed(plants: pd.DataFrame, available: np.ndarray, p: np.ndarray, step_h: float) -> pd.DataFrame:
    frame = pd.DataFrame({"element": "sgen", "element_id": plants["element_id"].to_numpy(int)})
    row, size = plants["row"].to_numpy(int), plants["base_mw"].to_numpy(float)
    share = size / np.bincount(row, size)[row] if len(row) else size
    have, given = (a.sum(axis=1)[row] * share * step_h if len(row) else size for a in (available, p))
    frame["available_mwh"], frame["curtailed_mwh"] = have, have - given
    frame["curtailed_percent"] = 100.0 * (have - given) / np.where(have > 0, have, np.nan)
    return frame
