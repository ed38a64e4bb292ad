"""Single measures: what can be done to an element, what it costs, and the network after it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import pandapower as pp
import pandas as pd
from pandapower.auxiliary import pandapowerNet

from gridplan.needs._tree import Hop

_CHANGED = ("bus", "line", "trafo", "switch")
_EARTH_KM = 6371.0
PARALLEL, REPLACED, FEEDER = "parallel line", "larger conductor", "new feeder section"
TAP, EXCHANGE, TWIN, REGULATOR = "tap change", "transformer exchange", "parallel transformer", "voltage regulator"
_GROUPS = {TAP: "tap", EXCHANGE: "rating", TWIN: "rating"}


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

    @cached_property
    def slot(self) -> tuple[str, int, str]:
        """Place that one measure at most can take in a year."""
        return self.element, self.element_id, _GROUPS.get(self.kind, "line")

    def __hash__(self) -> int:
        """Hash what tells measures apart in practice: sets of them are made and looked up all the time."""
        return self._hash

    @cached_property
    def _hash(self) -> int:
        return hash((self.kind, self.element_id, self.measure, self.setting, self.end))


@dataclass(frozen=True, eq=False)
class Choice:
    """What may be built: the table of measures, and how many circuits at once."""

    measures: pd.DataFrame
    circuits: int
    _records: dict[tuple, list[dict[str, Any]]] = field(default_factory=dict, repr=False)

    def rows(self, *kinds: str, kv: float | None = None) -> pd.DataFrame:
        """Rows of some kinds, for a voltage level [kV]."""
        rows = self.measures[self.measures["kind"].isin(kinds)]
        return rows if kv is None else rows[np.isclose(rows["vn_kv"].astype(float), kv)]

    def records(self, *kinds: str, kv: float) -> list[dict[str, Any]]:
        """Return the same rows as a list, which is kept."""
        if (kinds, kv) not in self._records:
            self._records[kinds, kv] = self.rows(*kinds, kv=kv).to_dict("records")
        return self._records[kinds, kv]

    @cached_property
    def by_name(self) -> dict[str, dict[str, Any]]:
        """Rows by the name of the measure."""
        return self.measures.set_index("measure", drop=False).to_dict("index")


def apply(net: pandapowerNet, actions: Iterable[Action], choice: Choice) -> pandapowerNet:
    """Return the network after some measures, in their order; `net` is not changed."""
    after = pandapowerNet({key: value.copy() if key in _CHANGED else value for key, value in net.items()})
    waiting: list[Action] = []  # parallel lines, which are built together: one by one takes long
    for action in actions:
        if action.kind in {FEEDER, REGULATOR}:
            waiting = _built(after, waiting, choice)
        if action.kind == PARALLEL:
            waiting.append(action)
        else:
            _APPLY[action.kind](after, action, choice.by_name[action.measure])
    _built(after, waiting, choice)
    return after


def _built(net: pandapowerNet, actions: list[Action], choice: Choice) -> list[Action]:
    """Build parallel lines; nothing waits any more."""
    if actions:
        data = [choice.by_name[action.measure] for action in actions]
        beside = net.line.loc[[action.element_id for action in actions], ["from_bus", "to_bus"]].astype(int)
        numbers = ("r_ohm_per_km", "x_ohm_per_km", "c_nf_per_km", "max_i_ka")
        electrical = {name: [float(row[name]) for row in data] for name in numbers}
        pp.create_lines_from_parameters(
            net,
            beside["from_bus"].tolist(),
            beside["to_bus"].tolist(),
            [action.length_km for action in actions],
            **electrical,
            name=[f"{action.kind}: {action.planned}" for action in actions],
            std_type=[action.measure for action in actions],
            type=["cs" if row["kind"] == "cable" else "ol" for row in data],
            parallel=[int(action.setting) for action in actions],
        )
    return []


def _new_line(net: pandapowerNet, action: Action, data: dict[str, Any], ends: tuple[int, int]) -> None:
    electrical = {name: float(data[name]) for name in ("r_ohm_per_km", "x_ohm_per_km", "c_nf_per_km", "max_i_ka")}
    names = {"name": f"{action.kind}: {action.planned}", "std_type": action.measure}
    built = {"type": "cs" if data["kind"] == "cable" else "ol", "parallel": int(action.setting)}
    pp.create_line_from_parameters(net, *ends, action.length_km, **electrical, **names, **built)


def _replace(net: pandapowerNet, action: Action, data: dict[str, Any]) -> None:
    for column in ("r_ohm_per_km", "x_ohm_per_km", "c_nf_per_km", "max_i_ka"):
        net.line.loc[action.element_id, column] = float(data[column])
    net.line.loc[action.element_id, "std_type"] = action.measure
    net.line.loc[action.element_id, "parallel"] = int(action.setting)


def _feeder(net: pandapowerNet, action: Action, data: dict[str, Any]) -> None:
    former = side_by_side(net, action.element_id)
    _new_line(net, action, data, (action.start, action.end))
    for line in former:
        own = (net.switch["bus"] == action.end) & (net.switch["et"] == "l") & (net.switch["element"] == line)
        if own.any():
            net.switch.loc[own, "closed"] = False
        else:
            pp.create_switch(net, action.end, line, "l", closed=False, name=f"opened for {action.kind}")


def side_by_side(net: pandapowerNet, line: int) -> list[int]:
    """Lines between the same two buses as a line, itself among them."""
    ends = np.sort(net.line[["from_bus", "to_bus"]].to_numpy(), axis=1)
    same = (ends == ends[net.line.index.get_loc(line)]).all(axis=1)
    return list(net.line.index[same])


def _tap(net: pandapowerNet, action: Action, _: dict[str, Any]) -> None:
    net.trafo.loc[action.element_id, "tap_pos"] = action.setting


def _exchange(net: pandapowerNet, action: Action, data: dict[str, Any]) -> None:
    for column in ("sn_mva", "vk_percent", "vkr_percent", "pfe_kw", "i0_percent"):
        net.trafo.loc[action.element_id, column] = float(data[column])
    net.trafo.loc[action.element_id, "std_type"] = action.measure


def _twin(net: pandapowerNet, action: Action, _: dict[str, Any]) -> None:
    net.trafo.loc[action.element_id, "parallel"] += 1


def _regulator(net: pandapowerNet, action: Action, data: dict[str, Any]) -> None:
    kv = float(net.bus.at[action.start, "vn_kv"])
    place = {"geo": net.bus.at[action.start, "geo"]} if "geo" in net.bus else {}
    bus = pp.create_bus(net, kv, name=f"behind {action.kind} at bus {action.start}")
    for column, value in place.items():
        net.bus.loc[bus, column] = value
    side = "from_bus" if net.line.at[action.element_id, "from_bus"] == action.start else "to_bus"
    net.line.loc[action.element_id, side] = bus
    own = (net.switch["bus"] == action.start) & (net.switch["et"] == "l") & (net.switch["element"] == action.element_id)
    net.switch.loc[own, "bus"] = bus
    electrical = {name: float(data[name]) for name in ("vk_percent", "vkr_percent", "pfe_kw", "i0_percent", "tap_step_percent")}
    ends = {"hv_bus": action.start, "lv_bus": bus, "sn_mva": float(data["sn_mva"]), "vn_hv_kv": kv, "vn_lv_kv": kv}
    tap = {"tap_side": "lv", "tap_neutral": 0, "tap_min": -data["tap_max"], "tap_max": data["tap_max"]}
    names = {"name": f"{action.kind}: {action.measure}", "std_type": action.measure, "tap_changer_type": "Ratio"}
    pp.create_transformer_from_parameters(net, **ends, **electrical, **tap, **names, tap_pos=action.setting)


_APPLY = {
    REPLACED: _replace,
    FEEDER: _feeder,
    TAP: _tap,
    EXCHANGE: _exchange,
    TWIN: _twin,
    REGULATOR: _regulator,
}


def line_actions(net: pandapowerNet, line: int, choice: Choice) -> Iterator[Action]:
    """Parallel lines and larger conductors for a line."""
    row = net.line.loc[line]
    kv, km = float(net.bus.at[row["from_bus"], "vn_kv"]), float(row["length_km"])
    present = _conductor(row["std_type"], row["max_i_ka"], int(row["parallel"]))
    for data in choice.records("cable", "overhead line", kv=kv):
        for circuits in range(1, choice.circuits + 1):
            planned = _conductor(data["measure"], data["max_i_ka"], circuits)
            options = [(PARALLEL, data["new_keur_per_km"], True)]
            larger = data["max_i_ka"] * circuits > row["max_i_ka"] * row["parallel"]
            on_poles = data["kind"] == "cable" or row["type"] == "ol"  # nobody puts an overhead line in place of a cable
            options.append((REPLACED, data["replace_keur_per_km"], larger and on_poles))
            for kind, price, possible in options:
                if possible and pd.notna(price):
                    cost = circuits * km * float(price)
                    yield Action(kind, "line", line, data["measure"], circuits, cost, present, planned, km)


def _conductor(name: object, max_i_ka: float, circuits: int) -> str:
    words = f"{max_i_ka:g} kA" if pd.isna(name) or not str(name).strip() else str(name)
    return words if circuits == 1 else f"{circuits} x {words}"


def tap_actions(net: pandapowerNet, trafo: int, choice: Choice) -> Iterator[Action]:
    """Every other position of a tap changer."""
    row = net.trafo.loc[trafo]
    data = choice.rows("tap change").head(1)
    if data.empty or pd.isna(row[["tap_pos", "tap_min", "tap_max", "tap_step_percent"]]).any():
        return
    name, cost = str(data["measure"].iloc[0]), float(data["capex_keur"].iloc[0])
    present = f"position {row['tap_pos']:g}"
    for position in range(int(row["tap_min"]), int(row["tap_max"]) + 1):
        if position != row["tap_pos"]:
            yield Action(TAP, "trafo", trafo, name, position, cost * int(row["parallel"]), present, f"position {position}")


def transformer_actions(net: pandapowerNet, trafo: int, choice: Choice) -> Iterator[Action]:
    """Larger transformers in place of one, and one more of its kind beside it."""
    row, rows = net.trafo.loc[trafo], choice.rows("transformer")
    same = np.isclose(rows["vn_hv_kv"].astype(float), row["vn_hv_kv"], rtol=0.1)
    rows = rows[same & np.isclose(rows["vn_lv_kv"].astype(float), row["vn_lv_kv"], rtol=0.1)].sort_values("sn_mva")
    count = int(row["parallel"])
    present = f"{count} x {row['sn_mva']:g} MVA" if count > 1 else f"{row['sn_mva']:g} MVA"
    larger = rows[rows["sn_mva"] > row["sn_mva"]]
    for data in larger.to_dict("records"):
        planned = f"{count} x {data['measure']}" if count > 1 else data["measure"]
        yield Action(EXCHANGE, "trafo", trafo, data["measure"], count, count * float(data["capex_keur"]), present, planned)
    for data in rows[rows["sn_mva"] >= row["sn_mva"]].head(1).to_dict("records"):
        planned = f"{count + 1} x {row['sn_mva']:g} MVA"
        yield Action(TWIN, "trafo", trafo, data["measure"], count + 1, float(data["capex_keur"]), present, planned)


def regulator_actions(net: pandapowerNet, hop: Hop, choice: Choice, *, boost: bool) -> Iterator[Action]:
    """Regulators at the upstream end of a line, at every position that raises (or lowers) the voltage."""
    kv = float(net.bus.at[hop.upper, "vn_kv"])
    for data in choice.records("regulator", kv=kv):
        for step in range(1, int(data["tap_max"]) + 1):
            change = (step if boost else -step) * float(data["tap_step_percent"])
            given = {"start": hop.upper, "end": hop.lower, "present": "none", "planned": f"{data['measure']} at {change:+g} %"}
            position = step if boost else -step
            cost = float(data["capex_keur"])
            yield Action(REGULATOR, "line", hop.element_id, data["measure"], position, cost, **given)


def feeder_actions(
    net: pandapowerNet, path: list[Hop], bar: int, choice: Choice, places: Mapping[int, tuple[float, float]]
) -> Iterator[Action]:
    """Yield new lines from a supply bus bar to buses on the way to a need, each of which is cut off from its former way."""
    kv = float(net.bus.at[bar, "vn_kv"])
    bays = choice.records("feeder bay", kv=kv)[:1]
    lines = [data for data in choice.records("cable", "overhead line", kv=kv) if pd.notna(data["new_keur_per_km"])]
    start = next((i for i, hop in enumerate(path) if hop.upper == bar), None)
    if not bays or not lines or start is None:
        return
    own = [hop for hop in path[start:] if hop.element == "line"]
    targets = sorted({len(own) // 4, len(own) // 2, 3 * len(own) // 4, len(own) - 1} - {0}) if len(own) > 1 else []
    for hop in (own[i] for i in targets):
        along = sum(float(net.line.at[h.element_id, "length_km"]) for h in own[: own.index(hop) + 1])
        km = min(along, float(bays[0]["detour"]) * _straight_km(places, bar, hop.lower))
        for data in lines:
            cost = float(bays[0]["capex_keur"]) + km * float(data["new_keur_per_km"])
            words = {"present": "none", "planned": f"{data['measure']} from bus {bar} to bus {hop.lower}"}
            given = {"length_km": km, "start": bar, "end": hop.lower, **words}
            yield Action(FEEDER, "line", hop.element_id, data["measure"], 1, cost, **given)


def _straight_km(xy: Mapping[int, tuple[float, float]], start: int, end: int) -> float:
    """Distance on the globe; infinite without coordinates, so that the existing route counts."""
    if start not in xy or end not in xy:
        return math.inf
    (x1, y1), (x2, y2) = xy[start], xy[end]
    angle = math.sin((y2 - y1) / 2) ** 2 + math.cos(y1) * math.cos(y2) * math.sin((x2 - x1) / 2) ** 2
    return 2 * _EARTH_KM * math.asin(math.sqrt(angle))
