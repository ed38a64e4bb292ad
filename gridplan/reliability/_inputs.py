"""What is known about failures: rates, switchgear, restoration times, customers; checked all at once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from pandapower.auxiliary import pandapowerNet

from gridplan.errors import ParameterError, Problem, suggest
from gridplan.network import display_name
from gridplan.network.topology import SWITCH_LETTER
from gridplan.powerflow import Limits

CONTROLS = ("automatic", "remote", "manual")
DEVICES = ("breaker", "recloser", "fuse", "switch", "disconnector", "none")
PROTECTIVE = ("breaker", "recloser", "fuse")
RATED = ("line", "trafo", "trafo3w", "bus", "switch", "station")
TIMES = ("detect_min", "locate_min", "patrol_min_per_km", "isolate_min", "transfer_min")
_BY_TYPE = {"CB": "breaker", "LBS": "switch", "LS": "disconnector", "DS": "disconnector"}
_RATE_COLUMNS = (
    "failures_per_km_yr",
    "failures_per_yr",
    "repair_h",
    "momentary_per_km_yr",
    "momentary_per_yr",
    "planned_per_km_yr",
    "planned_per_yr",
    "planned_h",
    "wear_share",
)
_EVENTS = tuple(name for name in _RATE_COLUMNS if name.endswith("_yr"))


@dataclass(frozen=True, eq=False)
class Outages:
    """The inputs of a reliability assessment.

    Parameters
    ----------
    rates
        Table `outage_rates`: how often an element of a kind fails, and how long its repair takes.
    restoration
        Table `restoration`: minutes of each stage by area and control.
    customers
        Columns `bus`, `customer_class`, `customers`; optionally `p_avg_mw` and `p_peak_mw`, the power of the row [MW] where the
        loads of the network do not say it.
    switchgear
        Table `switchgear`; switches without a row are taken by their type in the network (CB breaker, LBS switch, LS and DS
        disconnector), with manual control.
    momentary_min
        An interruption shorter than this [min] is momentary (IEEE 1366: five minutes).
    limits
        Limits that a transfer must keep.
    loading
        Loading states of the year: columns `state`, `weight` (share of the year), `load` (number in the network), `p_mw`,
        `q_mvar`. By default one state, the loads as the network has them.
    classes
        Columns `customer_class`, `energy_mwh` (per customer and year), by which the power of a bus is split over its classes;
        by default by number of customers.
    transfers
        Whether a power flow decides what a tie carries; if not, it carries everything.

    References
    ----------
    .. [1] IEEE Std 1366-2022, IEEE Guide for Electric Power Distribution Reliability Indices.
    """

    rates: pd.DataFrame
    restoration: pd.DataFrame
    customers: pd.DataFrame
    switchgear: pd.DataFrame | None = None
    momentary_min: float = 5.0
    limits: Limits = field(default_factory=Limits)
    loading: pd.DataFrame | None = None
    classes: pd.DataFrame | None = None
    transfers: bool = True

    def __post_init__(self) -> None:
        problems = []
        needed = {
            "rates": ("element", "kind"),
            "restoration": ("area", "control", *TIMES),
            "customers": ("bus", "customers"),
            "switchgear": ("switch",),
            "loading": ("state", "weight", "load", "p_mw", "q_mvar"),
            "classes": ("customer_class", "energy_mwh"),
        }
        for name, columns in needed.items():
            frame = getattr(self, name)
            missing = [] if frame is None else [c for c in columns if c not in frame]
            problems += [Problem(name, "the column is missing", column=c, remedy="add it") for c in missing]
        if not self.momentary_min >= 0:
            problems.append(Problem("momentary_min", f"{self.momentary_min} is below 0 [min]"))
        if problems:
            raise ParameterError("the outage model", problems)


def problems(net: pandapowerNet, outages: Outages) -> list[Problem]:
    """Everything that is wrong with the inputs on a network."""
    found = list(_network_switches(net))
    for name in ("rates", "restoration", "switchgear"):
        found += table_problems(net, name, getattr(outages, name))
    return [*found, *_customers(net, outages)]


def area_problems(table: pd.DataFrame, areas: pd.DataFrame) -> list[Problem]:
    """Areas with restoration times that no bus is in."""
    known = sorted(set(areas["area"].dropna().astype(str)))
    rows = enumerate(table["area"], start=2)
    wrong = [(row, name) for row, name in rows if name != "*" and name not in known]
    return [
        Problem("restoration", f"'{name}' is no area; {suggest(str(name), known)}", row=row, column="area") for row, name in wrong
    ]


def table_problems(net: pandapowerNet, name: str, frame: pd.DataFrame | None) -> list[Problem]:
    """Everything that is wrong with one of the tables `rates`, `restoration` and `switchgear`."""
    if frame is None:
        return []
    if name == "rates":
        return [*_rates(frame), *_uncovered(net, frame)]
    return list(_restoration(frame) if name == "restoration" else _switchgear(net, frame))


def _network_switches(net: pandapowerNet) -> Iterator[Problem]:
    tables = {letter: table for table, letter in SWITCH_LETTER.items()} | {"b": "bus"}
    for et, table in tables.items():
        own = net.switch[net.switch.et == et]
        for switch, element in own.element[~own.element.isin(net[table].index)].items():
            name = display_name(net, "switch", switch)
            yield Problem(
                name, f"it stands at {table} {element}, which is not in the network", remedy=f"mend net.switch or add the {table}"
            )
        for switch, bus in own.bus[~own.bus.isin(net.bus.index)].items():
            yield Problem(display_name(net, "switch", switch), f"it stands at bus {bus}, which is not in the network")


def _number(frame: pd.DataFrame, column: str) -> pd.Series:
    return pd.to_numeric(frame[column], errors="coerce") if column in frame else pd.Series(np.nan, index=frame.index)


def _rates(rates: pd.DataFrame) -> Iterator[Problem]:
    for row, element in enumerate(rates["element"], start=2):
        if element not in RATED:
            yield Problem("outage_rates", f"{element!r} cannot fail; {suggest(str(element), RATED)}", row=row, column="element")
    for column in _RATE_COLUMNS:
        values = _number(rates, column).to_numpy(float)
        for place in np.flatnonzero(values < 0):
            who = _row_name(rates, place)
            yield Problem(
                "outage_rates", f"{values[place]:g} for {who} is below 0", row=place + 2, column=column, remedy="give 0 or more"
            )
        given = rates[column].notna().to_numpy() if column in rates else np.zeros(len(rates), bool)
        for place in np.flatnonzero(np.isinf(values) | (given & np.isnan(values))):
            what = f"{rates[column].iloc[place]!r} for {_row_name(rates, place)} is not a finite number"
            yield Problem("outage_rates", what, row=place + 2, column=column)
    for place in np.flatnonzero(np.all([_number(rates, column).isna() for column in _EVENTS], axis=0)):
        what = f"no rate is given for {_row_name(rates, place)}"
        remedy = "give failures_per_km_yr or failures_per_yr; 0 is allowed"
        yield Problem("outage_rates", what, row=place + 2, remedy=remedy)
    failing = np.nan_to_num(_sum(rates, ("failures_per_km_yr", "failures_per_yr"))) > 0
    for place in np.flatnonzero(failing & np.isnan(_number(rates, "repair_h").to_numpy(float))):
        yield Problem(
            "outage_rates", f"{_row_name(rates, place)} fails but has no time of repair", row=place + 2, column="repair_h"
        )
    planned = _sum(rates, ("planned_per_km_yr", "planned_per_yr")) > 0
    for place in np.flatnonzero(planned & np.isnan(_number(rates, "planned_h").to_numpy(float))):
        yield Problem(
            "outage_rates", f"{_row_name(rates, place)} has planned outages without a duration", row=place + 2, column="planned_h"
        )


def _sum(rates: pd.DataFrame, columns: tuple[str, ...]) -> np.ndarray:
    return sum(_number(rates, column).fillna(0.0).to_numpy(float) for column in columns)


def _row_name(rates: pd.DataFrame, place: int) -> str:
    row = rates.iloc[place]
    own = row.get("element_id")
    if own is not None and pd.notna(own):
        return f"{row['element']} {int(own)}"
    return f"every {row['element']}" if row["kind"] == "*" else f"{row['element']} of kind {row['kind']}"


def _uncovered(net: pandapowerNet, rates: pd.DataFrame) -> Iterator[Problem]:
    """Kinds of line that no row covers, and rows for elements that do not exist."""
    number = _number(rates, "element_id")
    for table in ("line", "trafo", "trafo3w", "bus", "switch"):
        own = rates[(rates["element"] == table) & number.notna()]
        known = net[table].index if table in net else pd.Index([])
        for place in np.flatnonzero(~number[own.index].isin(known)):
            which = int(number[own.index].iloc[place])
            yield Problem(
                "outage_rates",
                f"{table} {which} is not in the network",
                row=rates.index.get_loc(own.index[place]) + 2,
                column="element_id",
            )
    lines = net.line[net.line.in_service.astype(bool)]
    general = rates[(rates["element"] == "line") & number.isna()]
    kinds = set(general["kind"].astype(str))
    if "*" in kinds:
        return
    covered = lines["std_type"].astype(str).isin(kinds) | lines.get("type", pd.Series("", index=lines.index)).astype(str).isin(
        kinds
    )
    covered |= lines.index.isin(number[rates["element"] == "line"].dropna())
    types = [name for name in ("type", "std_type") if name in lines]
    named = lines[types].astype(object).where(lines[types].notna(), "unknown").astype(str).agg(", ".join, axis=1)
    for kind, members in lines[~covered].groupby(named[~covered]):
        first = display_name(net, "line", members.index[0])
        what = f"no row covers {len(members)} lines of type {kind}, the first {first}"
        yield Problem("outage_rates", what, column="kind", remedy="add a row with this kind, or with '*' for all other lines")


def _restoration(table: pd.DataFrame) -> Iterator[Problem]:
    for row, control in enumerate(table["control"], start=2):
        if control not in CONTROLS:
            yield Problem(
                "restoration", f"{control!r} is no control; {suggest(str(control), CONTROLS)}", row=row, column="control"
            )
    for column in TIMES:
        values = _number(table, column).to_numpy(float)
        for place in np.flatnonzero(~(values >= 0) | np.isinf(values)):
            yield Problem("restoration", f"{values[place]:g} is not 0 or more [min]", row=place + 2, column=column)
    for place in np.flatnonzero(table.duplicated(["area", "control"])):
        yield Problem(
            "restoration", "the same area and control stand in an earlier row too", row=place + 2, remedy="keep one row"
        )
    if "*" not in set(table["area"]):
        yield Problem("restoration", "no row holds for all areas", column="area", remedy="add rows with area '*'")


def _switchgear(net: pandapowerNet, table: pd.DataFrame) -> Iterator[Problem]:
    ids = _number(table, "switch")
    for row, (switch, known) in enumerate(zip(table["switch"], ids.isin(net.switch.index), strict=True), start=2):
        if not known:
            remedy = suggest(str(switch), map(str, net.switch.index))
            yield Problem("switchgear", f"switch {switch} is not in the network", row=row, column="switch", remedy=remedy)
    for place in np.flatnonzero(ids.duplicated()):
        yield Problem(
            "switchgear", f"switch {table['switch'].iloc[place]} stands in an earlier row too", row=place + 2, column="switch"
        )
    for column, allowed in (("device", DEVICES), ("control", CONTROLS)):
        if column in table:
            for row, value in enumerate(table[column], start=2):
                if pd.notna(value) and value not in allowed:
                    yield Problem("switchgear", f"{value!r} is unknown; {suggest(str(value), allowed)}", row=row, column=column)
    if "success" in table:
        values = _number(table, "success")
        for place in np.flatnonzero(values.notna() & ~values.between(0, 1)):
            yield Problem("switchgear", f"{values.iloc[place]:g} is not between 0 and 1", row=place + 2, column="success")


def _customers(net: pandapowerNet, outages: Outages) -> Iterator[Problem]:
    table = outages.customers
    for row, bus in enumerate(table["bus"], start=2):
        if bus not in net.bus.index:
            remedy = suggest(str(bus), map(str, net.bus.index))
            yield Problem("customers", f"bus {bus} is not in the network", row=row, column="bus", remedy=remedy)
    for place in np.flatnonzero(~(_number(table, "customers").to_numpy(float) >= 0)):
        yield Problem("customers", f"{table['customers'].iloc[place]} is not 0 or more", row=place + 2, column="customers")
    loads = net.load[net.load.in_service.astype(bool)]
    for load, bus in loads.bus[~loads.bus.isin(table["bus"])].items():
        name = display_name(net, "load", load)
        yield Problem(name, f"bus {bus} has a load but no customers", remedy="add a row to customers (0 customers is allowed)")
    if not _number(table, "customers").sum() > 0:
        yield Problem("customers", "there is no customer", remedy="give the number of customers by bus")
    if outages.loading is not None:
        for load in sorted(set(outages.loading["load"]) - set(net.load.index)):
            yield Problem("loading", f"load {load} is not in the network", column="load")
        for column in ("weight", "p_mw", "q_mvar"):
            for place in np.flatnonzero(~np.isfinite(_number(outages.loading, column).to_numpy(float))):
                load, value = outages.loading["load"].iloc[place], outages.loading[column].iloc[place]
                yield Problem("loading", f"{value} for load {load} is not a finite number", row=place + 2, column=column)
        weight = outages.loading.drop_duplicates("state")["weight"].sum()
        if not np.isclose(weight, 1.0, atol=1e-6):
            yield Problem("loading", f"the weights of the states add up to {weight:g}, not 1", column="weight")


@dataclass(frozen=True, eq=False)
class Gear:
    """Switchgear by edge: what protects, what recloses, who operates it (0 automatic, 1 remote, 2 manual, 3 nobody)."""

    protects: np.ndarray
    recloses: np.ndarray
    klass: np.ndarray
    success: np.ndarray
    indicator: np.ndarray
    device: np.ndarray


def gear(net: pandapowerNet, switches: np.ndarray, table: pd.DataFrame | None) -> Gear:
    """Switchgear of the edges: the table, and the type of the switch where it has no row."""
    kind = net.switch["type"].astype(str).str.upper() if "type" in net.switch else pd.Series("", index=net.switch.index)
    device = kind.map(_BY_TYPE).fillna("switch").reindex(switches).to_numpy(object)
    control = np.full(len(switches), 2)
    success, indicator = np.ones(len(switches)), np.zeros(len(switches), bool)
    if table is not None and len(table):
        place = pd.Index(table["switch"].to_numpy(np.int64)).get_indexer(switches)
        has = np.flatnonzero(place >= 0)
        place = place[has]
        given = {
            name: table[name].to_numpy(object)[place]
            for name in ("device", "control", "success", "fault_indicator")
            if name in table
        }
        for name, values in given.items():
            known = np.flatnonzero(pd.notna(values))
            at, own = has[known], values[known]
            if name == "device":
                device[at] = own
            elif name == "control":
                control[at] = [CONTROLS.index(v) for v in own]
            elif name == "success":
                success[at] = own.astype(float)
            else:
                indicator[at] = own.astype(bool)
    control[device == "none"] = 3
    recloses = np.isin(device, ("breaker", "recloser"))
    protects = recloses | (device == "fuse")
    return Gear(protects, recloses, control.astype(np.int64), success, indicator, device)
