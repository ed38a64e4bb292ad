"""Running statistics of each element over chunks of steps, so that memory does not grow with the steps."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numba import njit

_FIELDS = ("min", "max", "mean", "min_step", "max_step", "hours", "hours_below", "hours_above")


@njit(cache=True, nogil=True, error_model="numpy")
def _add(values, start, offset, thresholds, state):
    """Add the steps of `values` (elements, steps) to the rows of `state` from `offset` on."""
    for e in range(values.shape[0]):
        row = values[e]
        low, high = thresholds[offset + e]
        s = state[offset + e]
        for t in range(row.size):
            value = row[t]
            if np.isnan(value):
                continue
            if not value >= s[0]:
                s[0], s[3] = value, start + t
            if not value <= s[1]:
                s[1], s[4] = value, start + t
            s[2] += value
            s[5] += 1.0
            s[6] += value < low
            s[7] += value > high


class Tally:
    """Minimum, maximum, mean and hours outside thresholds of every bus and rated element, chunk after chunk.

    Parameters
    ----------
    thresholds
        Lower and upper threshold by element, (elements, 2).
    """

    def __init__(self, thresholds: np.ndarray) -> None:
        self._thresholds = thresholds
        self._state = np.zeros((len(thresholds), len(_FIELDS)))
        self._state[:, :2] = np.nan
        self._state[:, 3:5] = -1

    def add(self, vm: np.ndarray, loading: np.ndarray, start: int) -> None:
        """Add voltages (buses, steps) and loadings (elements, steps) of the steps from `start` on."""
        _add(vm, start, 0, self._thresholds, self._state)
        _add(loading, start, len(vm), self._thresholds, self._state)

    def tables(self, elements: dict[str, pd.Index], step_h: float, *, limited: bool) -> dict[str, pd.DataFrame]:
        """One table by kind of element: see `PowerFlow.statistics`."""
        everything = pd.DataFrame(self._state, columns=list(_FIELDS)).astype({"min_step": int, "max_step": int})
        everything["mean"] /= everything["hours"].where(everything["hours"] > 0)
        everything[["hours", "hours_below", "hours_above"]] *= step_h
        if not limited:
            everything = everything.drop(columns=["hours_below", "hours_above"])
        ends = np.cumsum([len(index) for index in elements.values()])[:-1]
        starts = [0, *ends, len(everything)]
        return {
            name: everything.iloc[starts[i] : starts[i + 1]].set_axis(index, axis=0)
            for i, (name, index) in enumerate(elements.items())
        }
