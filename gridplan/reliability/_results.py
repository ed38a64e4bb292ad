"""Indices of a year, and the tables behind them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from pandapower.auxiliary import pandapowerNet
from scipy.stats import poisson

from gridplan.errors import ParameterError, Problem
from gridplan.network import display_name
from gridplan.reliability import _faults, _sweep, _tally
from gridplan.reliability._inputs import CONTROLS, Outages
from gridplan.reliability._model import Model, Year, checked, year

HOURS = 8760.0
_POINT = ("failures", "momentary", "hours", "sustained_h", "ens", "planned", "planned_h")
INDICES = [
    "customers",
    "p_avg_mw",
    "saifi",
    "saidi_min",
    "caidi_min",
    "maifi_e",
    "asai",
    "ens_mwh",
    "aens_kwh",
    "planned_saifi",
    "planned_saidi_min",
]


@dataclass(frozen=True, eq=False)
class Reliability:
    """Result of :func:`indices`; its tables are made when they are first asked for.

    Parameters
    ----------
    model, outages
        What it was computed from.
    year
        Events and who is brought back after them, as arrays.
    """

    model: Model
    outages: Outages
    year: Year

    @cached_property
    def system(self) -> pd.Series:
        """Indices of IEEE 1366 of the whole network.

        `customers` [1], `p_avg_mw` [MW], `saifi` [1/yr], `saidi_min` [min/yr], `caidi_min` [min], `maifi_e` [1/yr], `asai` [1],
        `ens_mwh` [MWh/yr], `aens_kwh` [kWh/yr per customer], and of planned outages, which the others leave out,
        `planned_saifi` [1/yr] and `planned_saidi_min` [min/yr].
        """
        return _indices(self._rows, np.zeros(len(self._rows), np.int64)).iloc[0]

    @cached_property
    def by_area(self) -> pd.DataFrame:
        """The indices of :attr:`system` by `area` of the customers, each for the area's own customers."""
        area = self._rows["area"].fillna("").to_numpy(object)
        names, code = np.unique(area.astype(str), return_inverse=True)
        table = _indices(self._rows, code)
        table.insert(0, "area", names)
        return table

    @cached_property
    def _rows(self) -> pd.DataFrame:
        """One row a bus and customer class, with what a customer there experiences in a year."""
        supplied = self.model.supplied
        area = self.model.areas.set_index("bus")["area"]
        found = _experience(self.model, self.outages, self.year)
        return supplied.rows.assign(**found, p_avg_mw=self._weights @ supplied.power, area=supplied.rows["bus"].map(area))

    @property
    def _weights(self) -> np.ndarray:
        return self.model.states["weight"].to_numpy(float)

    @cached_property
    def load_points(self) -> pd.DataFrame:
        """What a customer experiences in a year, one row per bus.

        `bus`, `name`, `area`, `customers` [1], `p_avg_mw`, `p_peak_mw` [MW], `failures_per_yr` (sustained interruptions),
        `momentary_per_yr` [1/yr], `unavailability_h` [h/yr] of all interruptions and `sustained_h` of sustained ones
        (`interrupted_min` [min/yr] the same), `mean_outage_h` [h], `ens_mwh` [MWh/yr], `planned_per_yr` [1/yr],
        `planned_h` [h/yr].
        """
        rows = self._rows
        first = {name: "first" for name in ("area", *_POINT) if name != "ens"}
        summed = dict.fromkeys(("customers", "p_avg_mw", "p_peak_mw", "ens"), "sum")
        table = rows.groupby("bus").agg(first | summed).reset_index()
        table["name"] = [display_name(self.model.net, "bus", bus) for bus in table["bus"]]
        table = table.rename(
            columns={
                "failures": "failures_per_yr",
                "momentary": "momentary_per_yr",
                "hours": "unavailability_h",
                "ens": "ens_mwh",
                "planned": "planned_per_yr",
            }
        )
        every = (table["failures_per_yr"] + table["momentary_per_yr"]).to_numpy(float)
        table["mean_outage_h"] = _ratio(table["unavailability_h"].to_numpy(float), every)
        table["interrupted_min"] = 60 * table["sustained_h"]
        columns = ["bus", "name", "area", "customers", "p_avg_mw", "p_peak_mw", "failures_per_yr", "momentary_per_yr"]
        columns += ["interrupted_min"]
        return table[[*columns, "unavailability_h", "sustained_h", "mean_outage_h", "ens_mwh", "planned_per_yr", "planned_h"]]

    def cemi(self, most: int) -> float:
        """Return the expected share of customers with more than `most` sustained interruptions a year [1] (CEMI-n).

        Interruptions of a customer are taken as a Poisson process.
        """
        customers = self._rows["customers"].to_numpy(float)
        return float(poisson.sf(most, self._rows["failures"].to_numpy(float)) @ customers / customers.sum())

    def worst_served(self, share: float = 0.1) -> pd.DataFrame:
        """Rows of :attr:`load_points` with the most minutes, worst first, that hold this `share` of the customers [1].

        Raises
        ------
        ParameterError
            The share is not above 0 and at most 1.
        """
        if not 0 < share <= 1:
            raise ParameterError("worst_served", [Problem("share", f"{share} is not above 0 and at most 1")])
        table = self.load_points.sort_values("sustained_h", ascending=False, kind="stable", ignore_index=True)
        before = table["customers"].cumsum() - table["customers"]
        return table[before < share * table["customers"].sum() - 1e-9]

    @cached_property
    def events(self) -> pd.DataFrame:
        """Every failure and planned outage with each way in which protection can clear it.

        `event`, `kind` (``fault``, ``transient``, ``planned``), `element`, `element_id`, `element_name`, `area` (of the
        element), `rate_per_yr` [1/yr] (with the probability of this clearing), `repair_h` [h], `tripped_switch` (missing: the
        source's own breaker, the fuse of a station, or none).
        """
        return _events(self.model, self.year)

    @cached_property
    def interruptions(self) -> pd.DataFrame:
        """Who waits how long after each event.

        `event`, `state` and its `weight` [1], `stage` (``upstream``, ``transfer``, ``repair``, ``reclosing``, ``planned``),
        `control` (class that switched), `duration_h` [h], `customer_class`, `customers` [1], `p_avg_mw` (in that state),
        `p_peak_mw` [MW].
        """
        return _interruptions(self.model, self.year)

    @cached_property
    def transfers(self) -> pd.DataFrame:
        """Every transfer that was tried, and what binds it.

        `planned` (for planned work, not a fault), `tripped_switch`, `control`, `state` and its `weight` [1], `piece_switch` (at
        which the piece was cut off), `tie` (switch), `piece_mw` [MW], `carried_percent` [%], `limit` (empty if all is
        carried), `element`, `element_id`, `element_name`, `value` and `allowed` [pu or %].
        """
        return _transfers(self.model, self.year)

    @cached_property
    def notes(self) -> tuple[str, ...]:
        """What to know of the result."""
        return _notes(self.model, self.outages, self.year)

    def outage_matrix(self) -> pd.DataFrame:
        """Every event, loading state and bus: `event`, `state`, `bus`, `stage`, `control`, `duration_h` [h]; large."""
        return _matrix(self.model, self.year)


def indices(model: Model, outages: Outages | None = None) -> Reliability:
    """Compute the reliability indices of a year by enumerating failures.

    Parameters
    ----------
    model
        From :func:`prepare`.
    outages
        The same network with other rates, switchgear, times or momentary threshold; customers, loading states and limits are
        those of the model. By default those that the model was made from.

    Returns
    -------
    Reliability
        System, area and load-point indices, and the tables behind them.

    Raises
    ------
    ParameterError
        Everything that is wrong with the tables.

    Notes
    -----
    After each failure, what a class of control (automatic, remote, manual) can do is found apart from the others; a section comes
    back with the fastest class that brings it back, and stays. Of the ties that carry the whole of a piece within limits the one
    with the lowest number is closed; if none does, the one that carries most power, the parts nearest to it first.

    References
    ----------
    .. [1] IEEE Std 1366-2022, IEEE Guide for Electric Power Distribution Reliability Indices.
    .. [2] R. Billinton, R. N. Allan, Reliability Evaluation of Power Systems, 2nd ed., Plenum, 1996, chapters 7 and 8.
    """
    outages = checked(model, outages)
    return Reliability(model, outages, year(model, outages))


def totals(model: Model, outages: Outages | None = None) -> pd.Series:
    """Return :attr:`Reliability.system` without the tables: for searches and explorers.

    Parameters
    ----------
    model, outages
        As for :func:`indices`.

    Raises
    ------
    ParameterError
        Everything that is wrong with the tables.
    """
    outages = checked(model, outages)
    rows = model.supplied.rows
    found = _experience(model, outages, year(model, outages))
    customers = rows["customers"].to_numpy(float)
    power = float((model.states["weight"].to_numpy(float) @ model.supplied.power).sum())
    sums = {name: float(found[name] @ customers) for name in _POINT if name != "ens"}
    return pd.Series(_figures(float(customers.sum()), power, sums | {"ens": float(found["ens"].sum())}), dtype=float)


def _experience(model: Model, outages: Outages, found: Year) -> dict[str, np.ndarray]:
    """Find what a customer at each row of `supplied` experiences in a year; `ens` [MWh] of the whole row."""
    sums = _tally.blank(len(model.states), len(model.topology.tree.parent))
    _tally.by_section(found.events, found.reach, outages.momentary_min / 60 + 1e-9, sums)
    weight = model.states["weight"].to_numpy(float)
    section = model.supplied.section
    hours = sums.hours[:, section]
    table = {
        "failures": weight @ sums.sustained[:, section],
        "momentary": weight @ sums.momentary[:, section],
        "hours": weight @ hours,
        "sustained_h": weight @ sums.sustained_h[:, section],
        "ens": weight @ (hours * model.supplied.power),
        "planned": weight @ sums.planned[:, section],
        "planned_h": weight @ sums.planned_h[:, section],
    }
    return _with_stations(model, outages, found.stations, table) if len(found.stations) else table


def _with_stations(model: Model, outages: Outages, stations: pd.DataFrame, table: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    place = model.supplied.station
    rate, repair, planned, work = (stations[c].to_numpy(float)[place] for c in ("rate", "repair_h", "planned", "planned_h"))
    sustained = repair > outages.momentary_min / 60 + 1e-9
    power = model.states["weight"].to_numpy(float) @ model.supplied.power
    return {
        "failures": table["failures"] + rate * sustained,
        "momentary": table["momentary"] + rate * ~sustained,
        "hours": table["hours"] + rate * repair,
        "sustained_h": table["sustained_h"] + rate * repair * sustained,
        "ens": table["ens"] + rate * repair * power,
        "planned": table["planned"] + planned,
        "planned_h": table["planned_h"] + planned * work,
    }


def _ratio(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.divide(a, b, out=np.zeros_like(a, dtype=float), where=b > 0)


def _figures(customers: float, power: float, sums: dict[str, float]) -> dict[str, float]:
    share = 1.0 / customers if customers else float("nan")
    saifi, hours = sums["failures"] * share, sums["sustained_h"] * share
    values = (
        customers,
        power,
        saifi,
        60 * hours,
        60 * hours / saifi if saifi > 0 else 0.0,
        sums["momentary"] * share,
        1 - hours / HOURS,
        sums["ens"],
        1000 * sums["ens"] * share,
        sums["planned"] * share,
        60 * sums["planned_h"] * share,
    )
    return dict(zip(INDICES, values, strict=True))


def _indices(rows: pd.DataFrame, code: np.ndarray) -> pd.DataFrame:
    """Compute the indices of groups of rows."""
    customers = rows["customers"].to_numpy(float)

    def total(values: np.ndarray) -> np.ndarray:
        return np.bincount(code, weights=values)

    sums = {name: total(rows[name].to_numpy(float) * (1.0 if name == "ens" else customers)) for name in _POINT}
    size, power = total(customers), total(rows["p_avg_mw"].to_numpy(float))
    figures = [
        _figures(float(size[n]), float(power[n]), {name: float(values[n]) for name, values in sums.items()})
        for n in range(len(size))
    ]
    return pd.DataFrame(figures, columns=INDICES)


def _names(net: pandapowerNet, element: np.ndarray, number: np.ndarray) -> list[str]:
    known: dict[tuple[str, int], str] = {}
    found = []
    for key in zip(element, number, strict=True):
        if key not in known:
            known[key] = display_name(net, "bus" if key[0] == "station" else key[0], int(key[1])) if key[0] else ""
        found.append(f"station at {known[key]}" if key[0] == "station" else known[key])
    return found


def _tripped(model: Model, edge: np.ndarray) -> pd.arrays.IntegerArray:
    number = model.topology.switches[edge] if len(model.topology.switches) else np.zeros(len(edge), np.int64)
    return pd.arrays.IntegerArray(number.astype(np.int64), edge < 0)


def _events(model: Model, found: Year) -> pd.DataFrame:
    frame, table = found.frame, found.found.table
    row = frame["row"].to_numpy(np.int64)
    events = pd.DataFrame(
        {
            "kind": np.array(_faults.KINDS, object)[frame["kind"].to_numpy(np.int64)],
            "element": table["element"].to_numpy(object)[row],
            "element_id": table["element_id"].to_numpy(np.int64)[row],
            "area": table["area"].to_numpy(object)[row],
            "rate_per_yr": frame["rate_per_yr"].to_numpy(float),
            "repair_h": frame["duration_h"].to_numpy(float),
            "tripped_switch": _tripped(model, frame["tripped"].to_numpy(np.int64)),
        }
    )
    area = model.areas.set_index("bus")["area"]
    own = [events]
    for kind, rate, repair in (("fault", "rate", "repair_h"), ("planned", "planned", "planned_h")):
        hit = found.stations[found.stations[rate] > 0] if len(found.stations) else found.stations
        if len(hit):
            part = {"kind": kind, "element": "station", "element_id": hit["bus"].to_numpy(np.int64)}
            part |= {"area": hit["bus"].map(area).to_numpy(object), "rate_per_yr": hit[rate].to_numpy(float)}
            missing = pd.array([pd.NA] * len(hit), dtype="Int64")
            own.append(pd.DataFrame(part | {"repair_h": hit[repair].to_numpy(float), "tripped_switch": missing}))
    events = pd.concat(own, ignore_index=True)
    events.insert(0, "event", np.arange(len(events)))
    events.insert(4, "element_name", _names(model.net, events["element"].to_numpy(), events["element_id"].to_numpy()))
    return events.assign(area=events["area"].fillna(""))


def _interruptions(model: Model, found: Year) -> pd.DataFrame:
    supplied, states = model.supplied, len(model.states)
    classes, code = np.unique(supplied.rows["customer_class"].astype(str).to_numpy(), return_inverse=True)
    count = len(classes)
    weights = np.zeros((3 * count, states, len(model.topology.tree.parent)))
    for state in range(states):
        for n, values in enumerate((supplied.rows["customers"], supplied.power[state], supplied.rows["p_peak_mw"])):
            np.add.at(weights, (3 * code + n, state, supplied.section), np.asarray(values, float))
    out = np.zeros((len(found.events.pattern), states, _tally.WAYS, 3 * count))
    _tally.by_way(found.events, found.reach, weights, out)
    out = out.reshape(*out.shape[:3], count, 3)
    event, state, way, klass = np.nonzero((out[..., 0] > 0) | (out[..., 1] > 0))
    hours = found.events.times[event, way]
    kind = found.events.kind[event]
    keep = (kind != _faults.PLANNED) | (way == _tally.REPAIR)
    event, state, way, klass, hours, kind = (x[keep] for x in (event, state, way, klass, hours, kind))
    stage = np.array(_tally.STAGES, object)[way]
    stage[kind == _faults.TRANSIENT], stage[kind == _faults.PLANNED] = "reclosing", "planned"
    values = out[event, state, way, klass]
    table = pd.DataFrame(
        {
            "event": event,
            "state": model.states["state"].to_numpy(object)[state],
            "weight": model.states["weight"].to_numpy(float)[state],
            "stage": stage,
            "control": np.array([*CONTROLS, *CONTROLS, ""], object)[way],
            "duration_h": hours,
            "customer_class": classes[klass],
            "customers": values[:, 0],
            "p_avg_mw": values[:, 1],
            "p_peak_mw": values[:, 2],
        }
    )
    return (
        pd.concat([table, _station_rows(model, found).drop(columns="bus")], ignore_index=True) if len(found.stations) else table
    )


def _station_rows(model: Model, found: Year) -> pd.DataFrame:
    """Interruptions of the stations' own failures, numbered as in :func:`_events`."""
    rows, parts, first = model.supplied.rows, [], len(found.frame)
    for stage, rate, repair in (("repair", "rate", "repair_h"), ("planned", "planned", "planned_h")):
        hit = np.flatnonzero(found.stations[rate].to_numpy(float) > 0)
        number = np.full(len(found.stations), -1)
        number[hit] = first + np.arange(len(hit))
        first += len(hit)
        own = np.flatnonzero(number[model.supplied.station] >= 0)
        at = model.supplied.station[own]
        for state, (name, weight) in enumerate(model.states[["state", "weight"]].itertuples(index=False, name=None)):
            parts.append(
                pd.DataFrame(
                    {
                        "event": number[at],
                        "state": name,
                        "bus": rows["bus"].to_numpy(np.int64)[own],
                        "weight": weight,
                        "stage": stage,
                        "control": "",
                        "duration_h": found.stations[repair].to_numpy(float)[at],
                        "customer_class": rows["customer_class"].astype(str).to_numpy(object)[own],
                        "customers": rows["customers"].to_numpy(float)[own],
                        "p_avg_mw": model.supplied.power[state, own],
                        "p_peak_mw": rows["p_peak_mw"].to_numpy(float)[own],
                    }
                )
            )
    return pd.concat([part for part in parts if len(part)], ignore_index=True)


def _transfers(model: Model, found: Year) -> pd.DataFrame:
    number = np.concatenate([n for _, n, _ in found.logs]) if found.logs else np.zeros((0, 7), np.int64)
    figure = np.concatenate([f for _, _, f in found.logs]) if found.logs else np.zeros((0, 4))
    pattern, control, state, piece, tie, limit, where = number.T
    tree, topology = model.topology.tree, model.topology
    top_edge = np.where(found.patterns.planned[pattern], -1, tree.parent_edge[found.patterns.top[pattern]])
    branch = (limit == 2) | (limit == 3)
    named = model.electric.branches.iloc[np.where(branch, where, 0)] if len(number) else model.electric.branches.iloc[:0]
    element = np.where(branch, named["element"].to_numpy(object), np.where(limit == 1, "bus", ""))
    element_id = np.where(
        branch,
        named["element_id"].to_numpy(np.int64),
        np.where(limit == 1, model.electric.nodes[np.where(limit == 1, where, 0)], -1),
    )
    return pd.DataFrame(
        {
            "planned": found.patterns.planned[pattern],
            "tripped_switch": _tripped(model, top_edge),
            "control": np.array(CONTROLS, object)[control],
            "state": model.states["state"].to_numpy(object)[state],
            "weight": model.states["weight"].to_numpy(float)[state],
            "piece_switch": _tripped(model, tree.parent_edge[piece]),
            "tie": topology.switches[tree.tie_edge[tree.tie_edge_ptr[tie]]] if len(tie) else np.zeros(0, np.int64),
            "piece_mw": figure[:, 3],
            "carried_percent": 100 * figure[:, 0],
            "limit": np.array(_sweep.KINDS, object)[limit],
            "element": element,
            "element_id": pd.arrays.IntegerArray(element_id.astype(np.int64), element == ""),
            "element_name": _names(model.net, element, element_id),
            "value": figure[:, 1],
            "allowed": figure[:, 2],
        }
    )


def _notes(model: Model, outages: Outages, found: Year) -> tuple[str, ...]:
    notes = ["Generators in the network are taken as disconnected while a fault is being restored."]
    frame, gear = found.frame, found.gear
    faults = frame[frame["kind"] == _faults.FAULT]
    elements = int((faults.groupby("row")["tripped"].max() < 0).sum())
    if elements:
        notes.append(f"Failures of {elements} elements trip the source's own breaker: no protective device stands above them.")
    if not gear.protects.any():
        notes.append("The network has no breaker, recloser or fuse.")
    bare = [t for t in ("trafo", "trafo3w") if len(model.net[t]) and not (outages.rates["element"] == t).any()]
    notes += [f"No row of outage_rates covers {table}: its elements do not fail." for table in bare]
    if (model.bounds.low < model.outages.limits.vm_min_pu).any() or (model.bounds.high > model.outages.limits.vm_max_pu).any():
        notes.append("Some buses are outside the voltage limits in normal operation: a transfer must only not make them worse.")
    return tuple(notes)


def _matrix(model: Model, found: Year) -> pd.DataFrame:
    parts = []
    stages, controls = np.array(_tally.STAGES, object), np.array([*CONTROLS, *CONTROLS, ""], object)
    at = model.supplied.rows.assign(section=model.supplied.section).drop_duplicates("bus")
    for bus, section in at[["bus", "section"]].itertuples(index=False, name=None):
        for state, name in enumerate(model.states["state"]):
            hit, way = _tally.ways(found.events, found.reach, section, state)
            stage, kind = stages[way], found.events.kind[hit]
            stage[kind == _faults.TRANSIENT], stage[kind == _faults.PLANNED] = "reclosing", "planned"
            values = {"event": hit, "state": name, "bus": bus, "stage": stage, "control": controls[way]}
            part = pd.DataFrame(values | {"duration_h": found.events.times[hit, way]})
            parts.append(part[(kind != _faults.PLANNED) | (way == _tally.REPAIR)])
    if len(found.stations):
        columns = ["event", "state", "bus", "stage", "control", "duration_h"]
        parts.append(_station_rows(model, found).drop_duplicates(["event", "state", "bus"])[columns])
    table = pd.concat(parts, ignore_index=True)
    return table.sort_values(["event", "state", "bus"], kind="stable", ignore_index=True)
