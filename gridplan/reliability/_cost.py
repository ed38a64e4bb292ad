"""What interruptions cost the customers who suffer them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from gridplan import valuation
from gridplan.reliability import _tally
from gridplan.reliability._model import Supplied
from gridplan.reliability._results import Reliability
from gridplan.valuation import CostSet


def customer_costs(result: Reliability, costs: CostSet) -> pd.DataFrame:
    """Return the expected cost of interruptions by area and class of the customers who suffer them.

    It is the sum that :func:`gridplan.valuation.expected_cost` gives by area of the fault, without the table of interruptions in
    between. Planned outages cost nothing.

    Parameters
    ----------
    result
        From :func:`indices`.
    costs
        Set of costs.

    Returns
    -------
    pd.DataFrame
        `area` (of the customers; empty outside the areas), `customer_class`, `interruption_cost_keur` [thousands of the currency
        of the set a year].

    Raises
    ------
    ParameterError
        A class with customers or power has no costs.
    """
    model = result.model
    units = amounts(model.supplied, costs)
    names = model.supplied.rows["customer_class"].astype(str).to_numpy(object)
    asked = np.unique(names[units.any(axis=0)].astype(str))
    code = pd.Index(asked).get_indexer(names)
    each = np.zeros((len(asked), len(model.states), len(model.topology.tree.parent)))
    _tally.cost_by_section(result.year.events, result.year.reach, unit_costs(result.year.events.times, costs, asked), each)
    own = np.flatnonzero(code >= 0)
    weight = model.states["weight"].to_numpy(float)
    cost = np.zeros(len(names))
    cost[own] = np.einsum("s,rs,sr->r", weight, each[code[own], :, model.supplied.section[own]], units[:, own])
    cost[own] += _stations(result, costs, names[own], own) * (weight @ units[:, own])
    area = model.supplied.rows["bus"].map(model.areas.set_index("bus")["area"]).fillna("")
    table = pd.DataFrame({"area": area, "customer_class": names, "interruption_cost_keur": cost / 1000.0})
    return table.groupby(["area", "customer_class"], as_index=False)["interruption_cost_keur"].sum()


def amounts(supplied: Supplied, costs: CostSet | None) -> np.ndarray:
    """How many customers or kW an interruption is counted for, (states, rows); customers without costs."""
    size = "customers" if costs is None else valuation.PER_KW.get(costs.basis, "customers")
    if size == "p_avg_mw":
        return 1000.0 * supplied.power
    scale = 1.0 if size == "customers" else 1000.0
    return np.tile(scale * supplied.rows[size].to_numpy(float), (len(supplied.power), 1))


def unit_costs(times: np.ndarray, costs: CostSet, classes: Sequence[str]) -> np.ndarray:
    """Cost of one interruption by event, way back and class; where a way does not exist, as of no duration."""
    hours, place = np.unique(np.where(np.isfinite(times), times, 0.0), return_inverse=True)
    found = [valuation.unit_cost(costs, name, hours)[place.reshape(times.shape)] for name in classes]
    return np.stack(found, axis=-1) if found else np.zeros((*times.shape, 0))


def _stations(result: Reliability, costs: CostSet, names: np.ndarray, own: np.ndarray) -> np.ndarray:
    """Find the yearly cost per unit of the stations' own failures, by row."""
    stations = result.year.stations
    if not len(stations) or not len(own):
        return np.zeros(len(own))
    at = result.model.supplied.station[own]
    rate = stations["rate"].to_numpy(float)[at]
    return rate * valuation.unit_cost(costs, names, np.where(rate > 0, stations["repair_h"].to_numpy(float)[at], 0.0))
