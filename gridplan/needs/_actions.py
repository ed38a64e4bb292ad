"""Single measures: what can be done to an element, what it costs, and the network after it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import networkx as nx
import numpy as np
import pandapower as pp
import pandas as pd
from pandapower.auxiliary import pandapowerNet

from gridplan import network
from gridplan.needs._tree import Hop, Tree

_CHANGED = ("bus", "line", "trafo", "switch")
_EARTH_KM = 6371.0
PARALLEL, REPLACED, FEEDER = "parallel line", "larger conductor", "new feeder section"
TAP, EXCHANGE, TWIN, REGULATOR = "tap change", "transformer exchange", "parallel transformer", "voltage regulator"
LINES, TRANSFORMERS = (PARALLEL, REPLACED), (EXCHANGE, TWIN)


@dataclass(frozen=True)
class Action:
    """One standard measure at one place.

    Parameters
    ----------
    kind
        What is done: one of the names above.
    element, element_id
        What it is done to; for a new feeder section the line that is opened.
    measure
        Row of the table of measures.
    setting
        Circuits of a line, new position of a tap changer or regulator.
    capex_keur
        Cost [kEUR].
    present, planned
        What is there, and what will be.
    length_km
        Of a line [km].
    start, end
        Buses of the bus bar and the end of a new feeder section; upstream and downstream bus of a regulator's line.
    """

    kind: str
    element: str
    element_id: int
    measure: str
    setting: float
    capex_keur: float
    present: str
    planned: str
    length_km: float = math.nan
    start: int = -1
    end: int = -1

    @property
    def slot(self) -> tuple[str, int, str]:
        """Place that one measure at most can take in a year."""
        group = {TAP: "tap", EXCHANGE: "rating", TWIN: "rating"}.get(self.kind, "line")
        return self.element, self.element_id, group


@dataclass(frozen=True, eq=False)
class Choice:
    """What may be built: the table of measures, and how many circuits at once."""

    measures: pd.DataFrame
    circuits: int

    def rows(self, *kinds: str, kv: float | None = None) -> pd.DataFrame:
        """Rows of some kinds, for a voltage level [kV]."""
        rows = self.measures[self.measures["kind"].isin(kinds)]
        return rows if kv is None else rows[np.isclose(rows["vn_kv"].astype(float), kv)]


def apply(net: pandapowerNet, actions: Iterable[Action]) -> pandapowerNet:
    """Return the network after some measures, in their order; `net` is not changed."""
    after = pandapowerNet({key: value.copy() if key in _CHANGED else value for key, value in net.items()})
    for action in actions:
        _APPLY[action.kind](after, action)
    return after


def _parallel(net: pandapowerNet, action: Action, data: pd.Series) -> None:
    line = net.line.loc[action.element_id]
    _new_line(net, action, data, int(line["from_bus"]), int(line["to_bus"]))


def _new_line(net: pandapowerNet, action: Action, data: pd.Series, start: int, end: int) -> int:
    return pp.create_line_from_parameters(
        net,
        start,
        end,
        action.length_km,
        float(data["r_ohm_per_km"]),
        float(data["x_ohm_per_km"]),
        float(data["c_nf_per_km"]),
        float(data["max_i_ka"]),
        name=f"{action.kind} {action.measure}",
        std_type=action.measure,
        type="cs" if data["kind"] == "cable" else "ol",
        parallel=int(action.setting),
    )
