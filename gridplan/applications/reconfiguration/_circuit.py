"""From an operating case to the arrays of the kernels: which branches can be switched, and where everything is connected."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from pandapower.auxiliary import pandapowerNet
from pandapower.pypower.idx_brch import BR_B, BR_B_ASYM, BR_G, BR_G_ASYM, BR_R, BR_STATUS, BR_X, F_BUS, SHIFT, T_BUS, TAP
from pandapower.pypower.idx_bus import BS, CID_P, CID_Q, CZD_P, CZD_Q, GS, PD, QD

from gridplan import powerflow
from gridplan.applications.reconfiguration import _sweep
from gridplan.errors import NetworkError, ParameterError, Problem, suggest
from gridplan.network import display_name
from gridplan.powerflow import Profiles, _model

_SIGN = _model.DRIVEN


@dataclass(frozen=True, eq=False)
class Circuit:
    """Branches of the whole network, whatever is switched.

    Parameters
    ----------
    arrays
        For the kernels, with no states yet.
    lines
        Number of the line that each branch is, -1 for transformers and the like, (branches,).
    switchable
        Branches that the search may open or close, (branches,); all others are closed.
    closed
        The present topology, (branches,).
    node
        Node of each bus; -1 without one. By bus number.
    base_mva
        Base power [MVA].
    ampere
        Current limits for a loading of 100 %, per unit, (branches,); infinite without a rating.
    static
        Consumption of wards and the like, per unit, (nodes,).
    """

    arrays: _sweep.Arrays
    lines: np.ndarray
    switchable: np.ndarray
    closed: np.ndarray
    node: pd.Series
    base_mva: float
    ampere: np.ndarray
    static: np.ndarray


def switch_lines(net: pandapowerNet, lines: tuple[int, ...] | None, areas: pd.DataFrame | None) -> list[int]:
    """Lines whose state can be changed.

    Parameters
    ----------
    net
        Network in its normal switching state.
    lines
        Lines named by the user; a line without a switch is put in and out of service. All lines with a switch if None.
    areas
        Buses at which switches can be operated (column `bus`); everywhere if None. A line can be opened if one of its switches
        can be operated, and one that is open can be closed if all its open switches can.

    Raises
    ------
    ParameterError
        `lines` names what is no line.
    """
    if lines is not None:
        unknown = [number for number in lines if number not in net.line.index]
        if unknown:
            known = map(str, net.line.index)
            raise ParameterError("settings", [Problem("lines", f"{n} is no line; {suggest(str(n), known)}") for n in unknown])
    own = net.switch[net.switch["et"] == "l"]
    reach = own["bus"].isin(areas["bus"]) if areas is not None else pd.Series(data=True, index=own.index)
    can = set(own.loc[reach, "element"]) - set(own.loc[~reach & ~own["closed"].astype(bool), "element"])
    dead = set(net.line.index[~net.line["in_service"].astype(bool)])
    if lines is None:
        return sorted(can - dead)
    without = set(net.line.index) - set(own["element"])
    return sorted(set(lines) & (can | without))


def build(net: pandapowerNet, lines: list[int]) -> Circuit:
    """Build the circuit of a network; `net` is not changed.

    Raises
    ------
    NetworkError
        Voltage-controlled generators, loops that no switch can open, or a load that no topology supplies.
    """
    _refuse(net)
    full = _everything_closed(net, lines)
    template = _model._template(full, powerflow.Options())
    internal = template._ppc["internal"]
    active = internal["branch_is"].astype(bool)
    branch, bus = internal["branch"].real, internal["bus"].real
    start, stop = template._pd2ppc_lookups["branch"].get("line", (0, 0))
    number = np.full(len(active), -1)
    number[start:stop] = full.line.index
    number, used = number[active], branch[:, BR_STATUS] > 0
    lookup = template._pd2ppc_lookups["bus"]
    sources = _sources(net, lookup)
    live = _reached(branch[used], set(sources), len(bus))
    used &= live[branch[:, F_BUS].astype(int)]
    position = np.where(live, np.cumsum(live) - 1, -1)
    place = lookup[net.bus.index]
    known = net.bus["in_service"].to_numpy(bool) & (place >= 0) & (place < len(position))  # beyond: isolated
    node = pd.Series(np.where(known, position[np.where(known, place, 0)], -1), index=net.bus.index)
    _check_supply(net, node)
    rows, numbers = np.column_stack([branch, _ampere(net, template)[active]])[used], number[used]
    switchable = np.isin(numbers, lines)
    closed = ~(switchable & np.isin(numbers, list(open_lines(net))))
    rows, numbers, closed, switchable = _merged(rows, numbers, closed, switchable)
    ampere, arrays = rows[:, -1], _arrays(rows, position, bus, sources)
    base = float(template._ppc["baseMVA"])
    arrays = arrays._replace(shunt=arrays.shunt / base)
    static = (bus[live, PD] + 1j * bus[live, QD]) / base
    circuit = Circuit(arrays, numbers, switchable, closed, node, base, ampere, static)
    _check_loops(net, circuit)
    return circuit


def _refuse(net: pandapowerNet) -> None:
    held = net.gen[net.gen["in_service"].astype(bool) & ~net.gen["slack"].astype(bool)] if len(net.gen) else net.gen
    if len(held):
        remedy = "model them as static generators (sgen) with their reactive power"
        found = [
            Problem(display_name(net, "gen", g), "holds a voltage, which a sweep cannot represent", remedy=remedy)
            for g in held.index
        ]
        raise NetworkError("reconfiguration", found)


def _everything_closed(net: pandapowerNet, lines: list[int]) -> pandapowerNet:
    """Network with every line that can be closed closed, and every other switch as it is."""
    full = pandapowerNet({key: value.copy() if key in {"line", "switch"} else value for key, value in net.items()})
    full.line.loc[lines, "in_service"] = True
    own = (full.switch["et"] == "l") & full.switch["element"].isin(lines)
    full.switch.loc[own, "closed"] = True
    return full


def open_lines(net: pandapowerNet) -> set[int]:
    """Lines that carry nothing now."""
    own = net.switch[(net.switch["et"] == "l") & ~net.switch["closed"].astype(bool)]
    return set(own["element"]) | set(net.line.index[~net.line["in_service"].astype(bool)])


def _sources(net: pandapowerNet, lookup: np.ndarray) -> dict[int, complex]:
    """Voltage of each source by node of pandapower."""
    found = {}
    for table in (net.ext_grid, net.gen[net.gen["slack"].astype(bool)] if len(net.gen) else net.gen):
        for row in table[table["in_service"].astype(bool)].itertuples():
            angle = np.radians(float(getattr(row, "va_degree", 0.0)))
            found[int(lookup[row.bus])] = row.vm_pu * np.exp(1j * angle)
    return found


def _reached(branch: np.ndarray, sources: set[int], nodes: int) -> np.ndarray:
    """Nodes with a path to a source over any branch."""
    live = np.zeros(nodes, bool)
    live[list(sources)] = True
    ends = branch[:, [F_BUS, T_BUS]].astype(int)
    while True:
        touched = live[ends].any(axis=1)
        before = live.sum()
        live[ends[touched]] = True
        if live.sum() == before:
            return live


def _check_supply(net: pandapowerNet, node: pd.Series) -> None:
    loads = net.load[net.load["in_service"].astype(bool) & (net.load["p_mw"] != 0)]
    dark = sorted(set(loads["bus"][node.reindex(loads["bus"]).to_numpy() < 0]))
    if dark:
        remedy = "close a switch outside the reach of reconfiguration, or take its load out of service"
        raise NetworkError(
            "reconfiguration",
            [
                Problem(display_name(net, "bus", bus), "has load, but no switch that may be closed supplies it", remedy=remedy)
                for bus in dark
            ],
        )


def _merged(rows: np.ndarray, numbers: np.ndarray, closed: np.ndarray, switchable: np.ndarray) -> tuple[np.ndarray, ...]:
    """Make one fixed branch of closed branches side by side: two circuits are no loop to be opened."""
    ends = pd.DataFrame(np.sort(rows[closed][:, [F_BUS, T_BUS]].real.astype(int), axis=1)).assign(branch=np.flatnonzero(closed))
    groups = ends.groupby([0, 1])["branch"].agg(list)
    rows, numbers, switchable, keep = rows.copy(), numbers.copy(), switchable.copy(), np.ones(len(rows), bool)
    for group in groups[groups.map(len) > 1]:
        first, rest = group[0], group[1:]
        y = (1 / (rows[group, BR_R] + 1j * rows[group, BR_X])).sum()
        rows[first, BR_R], rows[first, BR_X] = (1 / y).real, (1 / y).imag
        rows[first, BR_B], rows[first, BR_G] = rows[group, BR_B].sum(), rows[group, BR_G].sum()
        rows[first, -1] = rows[group, -1].sum()
        switchable[first], keep[rest] = False, False
    return rows[keep], numbers[keep], closed[keep], switchable[keep]


def _ampere(net: pandapowerNet, template: pandapowerNet) -> np.ndarray:
    """Rated current of lines and two-winding transformers at their low-voltage side [pu]; infinite for what has none.

    A transformer is loaded as much as the side that is loaded more: at its low-voltage side, or at the other one, where its
    position decides how much of the same current flows.
    """
    ampere, base = np.full(len(template._ppc["internal"]["branch_is"]), np.inf), template._ppc["baseMVA"]
    if len(net.line):
        kv = net.bus["vn_kv"].reindex(net.line["from_bus"]).to_numpy()
        start, stop = template._pd2ppc_lookups["branch"]["line"]
        rating = net.line["max_i_ka"] * net.line["df"] * net.line["parallel"] * np.sqrt(3) * kv / base
        ampere[start:stop] = rating.fillna(np.inf)
    if len(net.trafo):
        start, stop = template._pd2ppc_lookups["branch"]["trafo"]
        turns, trafo = np.abs(template._ppc["branch"][start:stop, TAP].real), net.trafo
        low, high = (net.bus["vn_kv"].reindex(trafo[f"{side}_bus"]).to_numpy() / trafo[f"vn_{side}_kv"] for side in ("lv", "hv"))
        rating = trafo["sn_mva"] * trafo["parallel"] * trafo["df"] / base
        ampere[start:stop] = rating * np.minimum(low, high * np.where(turns == 0, 1.0, turns))
    return ampere


def _arrays(rows: np.ndarray, position: np.ndarray, bus: np.ndarray, sources: dict[int, complex]) -> _sweep.Arrays:
    """Arrays without states."""
    start, end = position[rows[:, F_BUS].astype(int)], position[rows[:, T_BUS].astype(int)]
    nodes = int(position.max()) + 1
    tap = np.where(rows[:, TAP] == 0, 1.0, rows[:, TAP]) * np.exp(1j * np.radians(rows[:, SHIFT]))
    half = 0.5 * (rows[:, BR_G] + 1j * rows[:, BR_B])
    other = half + 0.5 * (rows[:, BR_G_ASYM] + 1j * rows[:, BR_B_ASYM])
    both = np.r_[start, end]
    incident = np.argsort(both, kind="stable") % len(rows)
    voltage, live = np.zeros(nodes, complex), position >= 0
    for place, value in sources.items():
        voltage[position[place]] = value
    table = bus[live]
    share = [(table[:, p] + 1j * table[:, q]) for p, q in ((CID_P, CID_Q), (CZD_P, CZD_Q))]
    return _sweep.Arrays(
        start=start.astype(np.int64),
        end=end.astype(np.int64),
        z=rows[:, BR_R] + 1j * rows[:, BR_X],
        ratio=tap.astype(complex),
        inverse=1 / tap.astype(complex),
        shunt_start=half / np.abs(tap) ** 2,
        shunt_end=other,
        rating=np.full(len(rows), np.inf),
        first=np.searchsorted(np.sort(both), np.arange(nodes + 1)).astype(np.int64),
        incident=incident.astype(np.int64),
        source=voltage,
        shunt=table[:, GS] + 1j * table[:, BS],
        power=np.zeros((0, nodes), complex),
        current_share=share[0].astype(complex),
        impedance_share=share[1].astype(complex),
        weight=np.zeros(0),
        band=np.array([0.0, np.inf]),
    )


def _check_loops(net: pandapowerNet, circuit: Circuit) -> None:
    """Raise if branches that cannot be opened hold a loop or join two sources."""
    a, up = circuit.arrays, np.empty(len(circuit.arrays.source), np.int64)
    taken = np.flatnonzero(circuit.closed & ~circuit.switchable)
    for count in range(1, len(taken) + 1):
        state = np.zeros(len(a.start), np.int64)
        state[taken[:count]] = 1
        if not _sweep._fits(a, state, up):
            number = circuit.lines[taken[count - 1]]
            where = display_name(net, "line", number) if number >= 0 else "a transformer"
            remedy = "give a line of the loop a switch, or name it in the settings"
            raise NetworkError(
                "reconfiguration",
                [Problem(where, "closes a loop, or a path between two sources, that nothing can open", remedy=remedy)],
            )


def powers(circuit: Circuit, net: pandapowerNet, profiles: Profiles | None) -> tuple[np.ndarray, np.ndarray]:
    """Active and reactive consumption by shape and node [pu], (shapes + 1, nodes); the last row does not change over time."""
    nodes, names = len(circuit.arrays.source), [] if profiles is None else list(profiles.shapes.columns)
    place = {name: row for row, name in enumerate(names)}
    active, reactive = np.zeros((len(names) + 1, nodes)), np.zeros((len(names) + 1, nodes))
    for table, sign in _SIGN.items():
        frame = net[table][net[table]["in_service"].astype(bool)]
        at = circuit.node.reindex(frame["bus"]).to_numpy()
        rows = pd.DataFrame({"shape_p": [], "shape_q": []})
        if profiles is not None:
            own = profiles.elements[profiles.elements["element"] == table]
            rows = own.set_index("element_id")[["shape_p", "shape_q"]]
        rows, ok = rows.reindex(frame.index), at >= 0
        for into, power, shape in ((active, "p_mw", "shape_p"), (reactive, "q_mvar", "shape_q")):
            row = np.array([place.get(name, len(names)) for name in rows[shape]], int)
            size = (frame[power] * frame["scaling"]).to_numpy(float) * sign / circuit.base_mva
            np.add.at(into, (row[ok], at[ok].astype(int)), size[ok])
    active[-1] += circuit.static.real
    reactive[-1] += circuit.static.imag
    return active, reactive
