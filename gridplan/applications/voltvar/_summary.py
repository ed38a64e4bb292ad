"""What a case takes by area, and what one case gives against another."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from gridplan import powerflow
from gridplan.applications import _flexible
from gridplan.applications._case import OperatingCase
from gridplan.applications._run import Models, check_schedule, distinct
from gridplan.applications.voltvar import _reader
from gridplan.applications.voltvar._zones import grouped, node_areas, weights
from gridplan.errors import ParameterError, Problem
from gridplan.powerflow import _run
from gridplan.powerflow._model import Model

NO_AREA = "bus bars and transformers"
NETWORK = "network"


@dataclass(frozen=True, eq=False)
class Series:
    """By group (areas, then what no area holds) and step: powers [MW] and voltages [pu]; NaN in failed steps.

    `outside` says, by area and step, whether a bus or line of it, or a transformer that feeds it, is outside the limits of the
    case; it is in failed steps.
    """

    names: tuple[str, ...]
    net_mw: np.ndarray
    losses_mw: np.ndarray
    generation_mw: np.ndarray
    low: np.ndarray
    high: np.ndarray
    mean: np.ndarray
    outside: np.ndarray
    weight: np.ndarray
    step_h: float

    @property
    def failed(self) -> np.ndarray:
        """Steps without a solution; bool, (steps,)."""
        return np.isnan(self.net_mw).any(axis=0)


def series(case: OperatingCase, models: Models | None = None) -> Series:
    """Simulate a case and keep sums by area."""
    check_schedule(case)
    models = models or Models(case.net, case.profiles, powerflow.Options())
    model, shapes = models.full, _run._by_shape(case.profiles.shapes)
    names = sorted(case.areas["area"].unique())
    groups = grouped(case, model, node_areas(case, model, names))
    sums = _reader.empty(groups, shapes.shape[1])
    places, which = distinct(case.schedule) if case.schedule else ([()], np.zeros(shapes.shape[1], int))
    for number in np.unique(which):
        own = np.flatnonzero(which == number)
        part = _reader.read(models.at(places[number]), shapes[:, own], groups, models.options)
        for into, piece in zip(sums, part, strict=True):
            into[:, own] = piece
    return joined(case, model, groups, (sums, np.arange(int(groups.node.max()) + 1)))


def joined(case: OperatingCase, model: Model, groups: _reader.Groups, found: tuple[_reader.Sums, np.ndarray]) -> Series:
    """Put sums by group together by area.

    Parameters
    ----------
    case, model, groups
        What was read.
    found
        Sums, and the area of each of the groups.
    """
    (sums, area), names = found, sorted(case.areas["area"].unique())
    shape = (len(names) + 1, sums.demand.shape[1])
    net, losses, mean = np.zeros((3, *shape))
    low, high, loading = np.full(shape, np.inf), np.full(shape, -np.inf), np.zeros(shape)
    by_node, weight = area[groups.node], np.bincount(groups.node, weights(model, area[groups.node]))
    for group, at in enumerate(area):
        net[at] += sums.demand[group] * model.base_mva
        losses[at] += sums.losses[group] * model.base_mva
        mean[at] += sums.mean[group] * weight[group]
        np.minimum(low[at], sums.low[group], out=low[at])
        for into, values in ((high, sums.high), (loading, sums.loading)):
            np.maximum(into[at], values[group], out=into[at])
    shapes = _run._by_shape(case.profiles.shapes)
    outside = _outside(case, model, (low, high, loading), sums.loading[len(area) :])
    outside[:, np.isnan(net).any(axis=0)] = True
    nodes = pd.Series(model.meters.bus, index=case.net.bus.index)
    generation = _generation(case, model, (by_node, nodes, len(names) + 1), shapes)
    size = _mean_demand(model, by_node, shapes)
    return Series((*names, NO_AREA), net, losses, generation, low, high, mean, outside, size, case.profiles.step_h)


def _outside(case: OperatingCase, model: Model, found: tuple[np.ndarray, ...], transformers: np.ndarray) -> np.ndarray:
    """Whether each area is outside the limits, judged as stored: in single precision."""
    limits = case.limits
    low, high, loading, transformers = (a.astype(np.float32) for a in (*found, transformers))
    wrong = (low < limits.vm_min_pu) | (high > limits.vm_max_pu) | (loading > limits.line_loading_max_percent)
    over = transformers > limits.trafo_loading_max_percent
    wrong, numbers = wrong[:-1], model.elements["trafo"]
    if over[: len(numbers)].any():
        fed, names = _flexible.feeding(case), sorted(case.areas["area"].unique())
        for row in np.flatnonzero(over[: len(numbers)].any(axis=1)):
            wrong[[names.index(name) for name in fed.get(numbers[row], ())]] |= over[row]
    return wrong


def _generation(case: OperatingCase, model, groups: tuple[np.ndarray, pd.Series, int], shapes: np.ndarray) -> np.ndarray:
    """Sum the generation of each group in each step [MW]."""
    (group, nodes, count), net = groups, case.net
    at = nodes.reindex(net.sgen["bus"]).fillna(-1).to_numpy(int)
    used = net.sgen["in_service"].to_numpy(bool) & (at >= 0)
    rows = case.profiles.elements[case.profiles.elements["element"] == "sgen"].set_index("element_id")["shape_p"]
    column = pd.Index(case.profiles.shapes.columns).get_indexer(rows.reindex(net.sgen.index))
    table = np.zeros((count, len(shapes) + 1))
    size = (net.sgen["p_mw"] * net.sgen["scaling"]).to_numpy(float)
    np.add.at(table, (group[at[used]], column[used]), size[used])
    np.add.at(table[:, -1], group, model.demand.generation * model.base_mva)
    return table[:, :-1] @ shapes + table[:, -1:]


def _mean_demand(model, group: np.ndarray, shapes: np.ndarray) -> np.ndarray:
    """Mean consumption by group, as weight for means over groups."""
    mean = shapes.mean(axis=1)
    size = np.bincount(
        group[model.demand.p_bus], np.maximum(model.demand.p_size, 0) * mean[model.demand.p_shape], int(group.max()) + 1
    )
    return size + np.bincount(group, np.maximum(model.demand.p, 0.0), int(group.max()) + 1)


def summary(case: OperatingCase, base: OperatingCase | None = None) -> pd.DataFrame:
    """Energy, peak, losses, voltages, hours outside the voltage limits and operations of a case, by area.

    Parameters
    ----------
    case
        Case.
    base
        Case to compare with, of the same areas and steps.

    Returns
    -------
    pd.DataFrame
        One row an area, one for what no area holds, and one for the network: ``area``, ``load_mwh`` (storage included),
        ``losses_mwh``, ``energy_taken_mwh`` (their sum), ``generation_mwh``, ``net_peak_mw`` (load and losses less generation),
        ``vm_mean_pu`` (over time, weighted by the demand of the buses), ``vm_min_pu``, ``vm_max_pu``, ``voltage_outside_h`` (a
        bus is outside the limits of the case) [h], ``failed_h`` (no solution) [h], ``operations`` (changes of position of all
        controlled elements; network only). Sums are missing if any step failed. With `base` also ``energy_saved_mwh``,
        ``energy_saved_percent``, ``peak_saved_mw``, ``losses_saved_mwh``, ``curtailed_mwh`` (generation less than in `base`),
        ``vm_reduction_percent``, and ``cvr_factor``: load saved [%] by voltage reduction [%]; missing where the mean voltage
        changes by less than 0.01 %.

    Raises
    ------
    ParameterError
        The two cases differ in areas or steps.
    """
    table = _rows(case)
    if base is None:
        return table
    if set(base.areas["area"]) != set(case.areas["area"]) or len(base.profiles.time) != len(case.profiles.time):
        raise ParameterError("summary", [Problem("base", "has other areas or steps than the case")])
    before = _rows(base)
    table["energy_saved_mwh"] = before["energy_taken_mwh"] - table["energy_taken_mwh"]
    table["energy_saved_percent"] = (
        100.0 * table["energy_saved_mwh"] / before["energy_taken_mwh"].where(before["energy_taken_mwh"] > 0)
    )
    table["peak_saved_mw"] = before["net_peak_mw"] - table["net_peak_mw"]
    table["losses_saved_mwh"] = before["losses_mwh"] - table["losses_mwh"]
    table["curtailed_mwh"] = before["generation_mwh"] - table["generation_mwh"]
    table["vm_reduction_percent"] = 100.0 * (1.0 - table["vm_mean_pu"] / before["vm_mean_pu"])
    load = 100.0 * (1.0 - table["load_mwh"] / before["load_mwh"].where(before["load_mwh"] > 0))
    table["cvr_factor"] = load / table["vm_reduction_percent"].where(table["vm_reduction_percent"].abs() >= 0.01)
    return table


def _rows(case: OperatingCase) -> pd.DataFrame:
    found, limits = series(case), case.limits
    hours, failed = found.step_h, np.isnan(found.net_mw).any(axis=0)
    weight = found.weight / max(found.weight.sum(), 1e-12)
    mean = np.vstack([found.mean, weight @ found.mean])
    low, high = (np.vstack([a, f(a, axis=0)]) for a, f in ((found.low, np.min), (found.high, np.max)))
    net, losses, generation = (np.vstack([a, a.sum(axis=0)]) for a in (found.net_mw, found.losses_mw, found.generation_mw))
    load = net + generation
    table = pd.DataFrame({"area": [*found.names, NETWORK]})
    table["load_mwh"], table["losses_mwh"] = load.sum(axis=1) * hours, losses.sum(axis=1) * hours
    table["energy_taken_mwh"] = table["load_mwh"] + table["losses_mwh"]
    table["generation_mwh"] = np.where(failed.any(), np.nan, generation.sum(axis=1) * hours)
    table["net_peak_mw"] = (net + losses).max(axis=1)
    table["vm_mean_pu"] = mean.mean(axis=1)
    known = ~failed
    table["vm_min_pu"] = low[:, known].min(axis=1, initial=np.inf)
    table["vm_max_pu"] = high[:, known].max(axis=1, initial=-np.inf)
    outside = (low < limits.vm_min_pu) | (high > limits.vm_max_pu)
    table["voltage_outside_h"] = outside.sum(axis=1) * hours
    table["failed_h"] = failed.sum() * hours
    table["operations"] = np.where(table["area"] == NETWORK, operations(case)["operations"].sum(), np.nan)
    return table


def operations(case: OperatingCase) -> pd.DataFrame:
    """Count the changes of position of each controlled element; a change by one position is one operation.

    Returns
    -------
    pd.DataFrame
        ``element``, ``element_id``, ``operations``, ``operations_day_max`` (most in one day).
    """
    rows = []
    for control, table in case.schedule.items():
        moved = table.diff().abs().fillna(0.0)
        by_day = moved.groupby(case.profiles.time.normalize()).sum()
        element = control.split(".")[0]
        rows += [(element, int(n), int(moved[n].sum()), int(by_day[n].max())) for n in table.columns]
    return pd.DataFrame(rows, columns=["element", "element_id", "operations", "operations_day_max"])
