"""Batteries beside PV: what they draw and give back over the year."""

from __future__ import annotations

import numba
import numpy as np


def self_consumption(
    surplus_kw: np.ndarray, *, power_kw: float, capacity_kwh: float, efficiency: float, step_h: float
) -> tuple[np.ndarray, np.ndarray]:
    """Battery that keeps PV surplus for the evening and knows nothing of the network.

    It charges from any surplus until it is full and covers any deficit until it is empty. On a sunny day it is full before
    the sun is highest, so that it relieves the network less than its power suggests.

    Parameters
    ----------
    surplus_kw
        PV less demand of the household [kW], (steps,).
    power_kw
        Highest power of charging and of discharging, at the connection [kW].
    capacity_kwh
        Usable energy [kWh]; empty at the start.
    efficiency
        Of charging, and again of discharging [1].
    step_h
        Length of a step [h].

    Returns
    -------
    tuple
        Power at the connection [kW], charging positive, and energy held at the end of each step [kWh]; (steps,) each.
    """
    power, energy = np.empty(len(surplus_kw)), np.empty(len(surplus_kw))
    _operate(
        np.ascontiguousarray(surplus_kw, float), np.array([power_kw, capacity_kwh, efficiency, step_h], float), power, energy
    )
    return power, energy


@numba.njit(cache=True)
def _operate(surplus: np.ndarray, settings: np.ndarray, power: np.ndarray, energy: np.ndarray) -> None:
    limit, capacity, efficiency, step = settings
    held = 0.0
    for t in range(surplus.size):
        if surplus[t] > 0:
            power[t] = min(surplus[t], limit, (capacity - held) / (efficiency * step))
            held = min(capacity, held + power[t] * efficiency * step)
        else:
            power[t] = -min(-surplus[t], limit, held * efficiency / step)
            held = max(0.0, held + power[t] / efficiency * step)
        energy[t] = held
