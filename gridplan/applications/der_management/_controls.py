"""What can be turned: power of plants by bus or in common by area, and reactive power of their inverters."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd

from gridplan.applications import _flexible
from gridplan.applications._case import OperatingCase
from gridplan.applications._sensitivities import Network

REACTIVE_COST = 1e-4  # MW of curtailment that a Mvar is worth: reactive power goes first, but no more of it than helps


class Plants(NamedTuple):
    """Plants that can be controlled: a table, and their power in some steps [MW + j Mvar], (plants, steps)."""

    table: pd.DataFrame
    power: np.ndarray


def plants(case: OperatingCase, table: pd.DataFrame, steps: np.ndarray) -> Plants:
    """Power of some plants at some steps; generation counts positive."""
    own = case.net.sgen.loc[table.index]
    parts = []
    for column, name in (("p_mw", "shape_p"), ("q_mvar", "shape_q")):
        at = case.profiles.shapes.columns.get_indexer(table[name])
        values = case.profiles.shapes.to_numpy(float)[steps][:, np.maximum(at, 0)]
        values[:, at < 0] = 1.0
        parts.append(values.T * (own[column] * own["scaling"]).to_numpy(float)[:, None])
    return Plants(table, parts[0] + 1j * parts[1])


class Controls:
    """Variables of the linear programs: one row each, one column a step.

    First the curtailment of each bus [MW], or the share cut of each area [1] (``pro rata``); then, with reactive power, what
    each bus draws and what it gives in addition [Mvar].

    Parameters
    ----------
    network
        Network with its sensitivities.
    given
        Plants with their power.
    pro_rata
        Whether all plants of an area are cut by the same share.
    reactive
        Whether inverters help with reactive power.
    """

    def __init__(self, network: Network, given: Plants, *, pro_rata: bool, reactive: bool) -> None:
        position = network.position(given.table["bus"].to_numpy())
        self.place, which = np.unique(position, return_inverse=True)
        self._shape = (network.buses, given.power.shape[1])
        share = given.table["participation"].to_numpy(float)[:, None]
        available = np.where(given.power.real > 0, given.power, 0) * share
        self.available = _summed(available, which, len(self.place))
        turn = np.tan(np.arccos(given.table["cos_phi"].fillna(1.0).to_numpy(float)))[:, None]
        self.capability = _summed(available.real * turn, which, len(self.place)) if reactive else np.zeros((0, self._shape[1]))
        area = given.table.groupby(position)["area"].first().reindex(self.place).fillna("").to_numpy()
        groups = np.unique(area, return_inverse=True)[1] if pro_rata else np.arange(len(self.place))
        self._groups, self._pro_rata = groups, pro_rata
        self.count = groups.max(initial=-1) + 1

    @property
    def upper(self) -> np.ndarray:
        """Largest value of each variable; (variables, steps)."""
        power = self.available.real
        first = (_summed(power, self._groups, self.count) > 0).astype(float) if self._pro_rata else power
        return np.vstack([first, self.capability, self.capability])

    @property
    def cost(self) -> np.ndarray:
        """Curtailment [MW] by unit of each variable; (variables, steps)."""
        power = self.available.real
        first = _summed(power, self._groups, self.count) if self._pro_rata else np.ones_like(power)
        rest = np.full((2 * len(self.capability), power.shape[1]), REACTIVE_COST)
        return np.vstack([first, rest])

    def effect(self, gradient: np.ndarray, step: np.ndarray) -> np.ndarray:
        """Change of some quantities by unit of each variable; (quantities, variables).

        Parameters
        ----------
        gradient
            Derivatives by consumption at every bus, (quantities, buses).
        step
            Step of each quantity.
        """
        own, power = gradient[:, self.place], self.available[:, step].T
        if self._pro_rata:
            each = own.real * power.real + own.imag * power.imag
            first = _summed(each.T, self._groups, self.count).T
        else:
            ratio = np.divide(power.imag, power.real, out=np.zeros(power.shape), where=power.real > 0)
            first = own.real + own.imag * ratio
        if not len(self.capability):
            return first
        return np.hstack([first, own.imag, -own.imag])

    def shares(self, values: np.ndarray) -> np.ndarray:
        """Share of the available power of each bus that is cut; (buses with plants, steps)."""
        cut = values[: self.count]
        if self._pro_rata:
            return cut[self._groups]
        power = self.available.real
        return np.divide(cut, power, out=np.zeros_like(cut), where=power > 0)

    def drawn(self, values: np.ndarray) -> np.ndarray:
        """Additional reactive power drawn by bus with plants [Mvar], (buses with plants, steps)."""
        size = len(self.capability)
        if not size:
            return np.zeros_like(self.available.real)
        return values[self.count : self.count + size] - values[self.count + size :]

    def power(self, values: np.ndarray) -> np.ndarray:
        """Additional consumption that the variables mean [MW + j Mvar], (buses, steps)."""
        out = np.zeros((self._shape[0], values.shape[1]), complex)
        out[self.place] = self.shares(values) * self.available + 1j * self.drawn(values)
        return out

    def take(self, steps: np.ndarray) -> Controls:
        """Return the same variables in some of the steps only."""
        part = object.__new__(Controls)
        part.__dict__ |= self.__dict__
        part.available, part.capability = self.available[:, steps], self.capability[:, steps]
        part._shape = (self._shape[0], len(steps))
        return part


def _summed(values: np.ndarray, groups: np.ndarray, count: int) -> np.ndarray:
    out = np.zeros((count, values.shape[1]), values.dtype)
    np.add.at(out, groups, values)
    return out


def elements(case: OperatingCase, table: pd.DataFrame) -> pd.DataFrame:
    """Plants that the table `flexibility` lets be controlled and that have supply."""
    return _flexible.members(case, table, "sgen", "curtail", None)
