"""Backward-forward sweep: an AC power flow of a radial network whose switching state changes from call to call.

Branches are the two-ports that pandapower makes of lines and transformers; a backward pass adds up currents from the ends to the
source, a forward pass finds the voltages [1]_. A line that is open at its far end is charged; a transformer that is open at one
end is taken as off, as pandapower does.

References
----------
.. [1] D. Shirmohammadi, H. W. Hong, A. Semlyen, G. X. Luo, A compensation-based power flow method for weakly meshed distribution
   and transmission networks, IEEE Trans. Power Systems 3 (2), 1988.
"""

# Compiled functions take their arrays flat, so they have more parameters than others.
# ruff: noqa: PLR0913, PLR0917, SIM110

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandapower as pp
import pandas as pd
from numba import njit
from pandapower.auxiliary import pandapowerNet
from pandapower.pypower.idx_brch import BR_STATUS, F_BUS, T_BUS
from pandapower.pypower.idx_bus import BASE_KV
from pandapower.pypower.makeYbus import branch_vectors

from gridplan.errors import NetworkError, Problem
from gridplan.network.topology import ENDS, source_buses
from gridplan.powerflow import Limits
from gridplan.reliability._topology import Topology, _incident

_COMPILED = {"cache": True, "nogil": True, "error_model": "numpy"}
_TOLERANCE = 1e-10
_ROUGH = 1e-6  # remaining error of the voltages [pu] at which clear cases are decided
_CLEAR = 2e-3  # distance from all limits, relative, that makes a case clear: a hundred times what that error can do
_MOST = 100
#: A limit that is violated in normal operation already must only not be violated worse [pu, %].
_WORSE = 1e-6
KINDS = ("", "voltage", "line loading", "transformer loading", "no solution")
_LINE, _TRAFO, _OTHER, _SWITCH = 0, 1, 2, 3


class Wires(NamedTuple):
    """Electrical nodes and branches; everything per unit. Branch ends: 0 from, 1 to."""

    node_section: np.ndarray
    ends: np.ndarray
    source_node: np.ndarray
    source_v: np.ndarray
    ptr: np.ndarray
    branch: np.ndarray
    end: np.ndarray
    branch_section: np.ndarray
    kind: np.ndarray
    abcd: np.ndarray
    scale: np.ndarray
    gate_ptr: np.ndarray
    gate: np.ndarray


class Power(NamedTuple):
    """Consumption by state (rows) and node at 1 pu: constant power, constant current, constant impedance."""

    s: np.ndarray
    i: np.ndarray
    z: np.ndarray


class Bounds(NamedTuple):
    """Limits by state and node or branch, and the normal voltages."""

    low: np.ndarray
    high: np.ndarray
    loading: np.ndarray
    normal: np.ndarray


class Space(NamedTuple):
    """Working arrays of a sweep."""

    order: np.ndarray
    above: np.ndarray
    via: np.ndarray
    side: np.ndarray
    v: np.ndarray
    j: np.ndarray
    abcd: np.ndarray


@dataclass(frozen=True, eq=False)
class Electric:
    """The network as the sweep sees it; `branches` names them: columns element, element_id."""

    wires: Wires
    power: Power
    branches: pd.DataFrame
    nodes: np.ndarray


@njit(**_COMPILED)
def _size(z):
    return np.sqrt(z.real * z.real + z.imag * z.imag)


@njit(**_COMPILED)
def _shut(gates, inuse, branch, end):
    for k in range(gates.gate_ptr[2 * branch + end], gates.gate_ptr[2 * branch + end + 1]):
        if not inuse[gates.gate[k]]:
            return False
    return True


@njit(**_COMPILED)
def _walk(wires, on, inuse, root, arm, space):
    """Order the energised nodes of a source from the source on; returns how many. Open line ends are nodes of their own (-1).

    With `arm`, a branch at the source, only what it feeds: the voltage of the source is fixed, so nothing else takes part.
    """
    order, above, via, side, abcd = space.order, space.above, space.via, space.side, space.abcd
    order[0], above[0], via[0], side[0] = wires.source_node[root], -1, -1, 0
    count, k = 1, 0
    while k < count:
        u = order[k]
        if u < 0:
            k += 1
            continue
        for a in range(wires.ptr[u], wires.ptr[u + 1]):
            b, end = wires.branch[a], wires.end[a]
            if (
                (k == 0 and arm >= 0 and b != arm)
                or b == via[k]
                or (wires.branch_section[b] >= 0 and not on[wires.branch_section[b]])
                or not _shut(wires, inuse, b, end)
            ):
                continue
            v = wires.ends[b, 1 - end]
            open_ = not _shut(wires, inuse, b, 1 - end) or not on[wires.node_section[v]]
            if open_ and wires.kind[b] != _LINE:
                continue
            order[count] = -1 if open_ else v
            above[count], via[count], side[count] = k, b, end
            abcd[count] = wires.abcd[b, end]
            count += 1
        k += 1
    return count


@njit(**_COMPILED)
def _start(normal, count, space, source):
    """Voltages to start from: the normal ones of a node, or what comes from the node above."""
    order, above, v, abcd = space.order, space.above, space.v, space.abcd
    v[0] = source
    for k in range(1, count):
        u = order[k]
        known = u >= 0 and normal.size > 0
        v[k] = normal[u] if known and normal[u] == normal[u] else abcd[k, 0] * v[above[k]]


@njit(**_COMPILED)
def _iterate(power, state, count, space):
    """One backward and one forward pass; returns the largest squared change of a voltage."""
    order, above, v, j, abcd = space.order, space.above, space.v, space.j, space.abcd
    s, ci, z = power.s[state], power.i[state], power.z[state]
    for k in range(count):
        u = order[k]
        j[k] = 0.0
        if u < 0 or (s[u] == 0.0 and z[u] == 0.0 and ci[u] == 0.0):
            continue
        square = v[k].real * v[k].real + v[k].imag * v[k].imag
        load = s[u] + z[u] * square
        if ci[u] != 0.0:
            load += ci[u] * np.sqrt(square)
        scale = 1.0 / square
        j[k] = complex(
            (load.real * v[k].real + load.imag * v[k].imag) * scale, (load.real * v[k].imag - load.imag * v[k].real) * scale
        )
    for k in range(count - 1, 0, -1):
        j[above[k]] += abcd[k, 2] * v[k] + abcd[k, 3] * j[k]
    change = 0.0
    for k in range(1, count):
        new = abcd[k, 0] * v[above[k]] + abcd[k, 1] * j[k]
        d = new - v[k]
        change = max(change, d.real * d.real + d.imag * d.imag)
        v[k] = new
    return change


@njit(**_COMPILED)
def _sweep(power, state, count, space, wanted):
    """Iterate until the voltages are within `wanted` [pu] of standing still; returns what is left, infinite if they diverge."""
    before = 1.0
    for _ in range(_MOST):
        change = np.sqrt(_iterate(power, state, count, space))
        rate = min(change / before, 0.9)
        if not change < 1.0:
            return np.inf
        if change * max(rate, 0.1) / (1.0 - rate) < wanted:
            return change
        before = change
    return np.inf


@njit(**_COMPILED)
def _currents(wires, k, space):
    """Find the loading [%] of the branch that feeds place k: the higher of its two ends."""
    b, end = space.via[k], space.side[k]
    if wires.kind[b] == _SWITCH:
        return 0.0
    down = space.j[k]
    up = space.abcd[k, 2] * space.v[k] + space.abcd[k, 3] * down
    return max(_size(up) * wires.scale[b, end], _size(down) * wires.scale[b, 1 - end])


@njit(**_COMPILED)
def check(wires, power, bounds, switched, way, state, space):
    """Solve what a source feeds (`way`: see :func:`ways`) and return (limit, node or branch, value, excess); limit 0: all kept.

    Of several violations the one that is worst relative to its limit is returned; the excess is negative where all are kept. A
    clear case is decided before the last digits of the voltages are known.
    """
    on, inuse = switched
    root, arm = way // (wires.kind.size + 1), way % (wires.kind.size + 1) - 1
    count = _walk(wires, on, inuse, root, arm, space)
    _start(bounds.normal[state], count, space, wires.source_v[root])
    found = (4, -1, np.nan, np.inf)
    for wanted in (_ROUGH, _TOLERANCE):
        if _sweep(power, state, count, space, wanted) == np.inf:
            return 4, -1, np.nan, np.inf
        nearest, limit, where, value = _judge(wires, bounds, state, count, space)
        found = (limit, where, value, nearest)
        if abs(nearest) > _CLEAR:
            break
    return found


@njit(**_COMPILED)
def _judge(wires, bounds, state, count, space):
    """Find the largest excess over a limit (relative; voltages per 0.05 pu; negative: none), and where it is."""
    worst, kind, where, value = -np.inf, 0, -1, 0.0
    order, v = space.order, space.v
    low, high = bounds.low[state], bounds.high[state]
    for k in range(count):
        u = order[k]
        if u < 0:
            continue
        size = _size(v[k])
        excess = max(low[u] - size, size - high[u]) * 20.0
        if excess > worst:
            worst, kind, where, value = excess, 1, u, size
    via, side, abcd, j, allowed, scale = space.via, space.side, space.abcd, space.j, bounds.loading[state], wires.scale
    for k in range(1, count):
        b, end = via[k], side[k]
        if allowed[b] == np.inf:
            continue
        up, down = abcd[k, 2] * v[k] + abcd[k, 3] * j[k], j[k]
        loading = max(_size(up) * scale[b, end], _size(down) * scale[b, 1 - end])
        if loading > (1.0 + worst) * allowed[b]:
            worst, kind, where, value = loading / allowed[b] - 1.0, 2 if wires.kind[b] == _LINE else 3, b, loading
    if worst <= 0.0:
        return worst, 0, -1, 0.0
    return worst, kind, where, value


@njit(**_COMPILED)
def solve(wires, power, switched, root, state, out):
    """Solve the tree of a source and write voltages by node and loadings [%] by branch; returns whether it converged."""
    on, inuse, space = switched
    voltage, loading = out
    count = _walk(wires, on, inuse, root, -1, space)
    _start(np.zeros(0, np.complex128), count, space, wires.source_v[root])
    good = _sweep(power, state, count, space, _TOLERANCE) < np.inf
    for k in range(count):
        if space.order[k] >= 0:
            voltage[space.order[k]] = space.v[k] if good else np.nan
        if k > 0:
            loading[space.via[k]] = _currents(wires, k, space) if good else np.nan
    return good


@njit(**_COMPILED)
def _arms(wires, count, space, arm, out):
    """Write the branch at the source through which each section is fed; -2 stays where there are several or none."""
    for k in range(count):
        arm[k] = -2 if k == 0 else (space.via[k] if space.above[k] == 0 else arm[space.above[k]])
        if space.order[k] >= 0:
            s = wires.node_section[space.order[k]]
            out[s] = arm[k] if out[s] == -1 or out[s] == arm[k] else -2


def ways(wires: Wires, switched: tuple, root: np.ndarray) -> np.ndarray:
    """Way of supply of each section: its root section and the branch at the source that feeds it, in one number."""
    work, out = space(wires), np.full(len(root), -1)
    for r in np.unique(root[root >= 0]):
        count = _walk(wires, *switched, r, -1, work)
        _arms(wires, count, work, np.zeros(len(work.order), np.int64), out)
    return np.where(root >= 0, root * (len(wires.kind) + 1) + np.maximum(out, -1) + 1, -1)


def space(wires: Wires) -> Space:
    """Working arrays for a network."""
    most = len(wires.node_section) + len(wires.kind) + 1
    whole = [np.zeros(most, np.int64) for _ in range(4)]
    return Space(*whole, np.zeros(most, complex), np.zeros(most, complex), np.zeros((most, 4), complex))


def build(net: pandapowerNet, topology: Topology, loading: pd.DataFrame | None) -> tuple[Electric, pd.DataFrame]:
    """Electrical model of a network and its states (columns `state`, `weight`)."""
    ppc, lookup, rows = _ppc(net)
    branches, ends, y = _branches(net, ppc, rows)
    node = lookup[topology.bus_section.index.to_numpy()]
    couplers = topology.couplers
    count, coupled = len(ppc["bus"]), len(couplers)
    # every bus keeps a node of its own: pandapower saw all bus-to-bus switches open
    ends = np.vstack(
        [np.ascontiguousarray(ends), np.array([[lookup[a], lookup[b]] for _, a, b in couplers], np.int64).reshape(-1, 2)]
    )
    kind = np.r_[branches["kind"].to_numpy(np.int64), np.full(coupled, _SWITCH)]
    y = np.vstack([y, np.zeros((coupled, 4), complex)])
    node_section = np.full(count, -1)
    node_section[node] = topology.bus_section.to_numpy()
    section = _branch_sections(topology, branches, coupled)
    for star in np.flatnonzero(node_section < 0):  # the inner node of a three-winding transformer
        own = np.flatnonzero((ends[: len(section)] == star).any(axis=1))
        node_section[star] = section[own[0]] if len(own) else -1
    gates = [_gate(topology, net, row, lookup, ends[n]) for n, row in enumerate(branches.itertuples(index=False))]
    gates += [((edge,), ()) for edge, _, _ in couplers]
    flat = [list(g) for pair in gates for g in pair]
    numbers = np.arange(len(kind))
    ptr, _, packed = _incident(count, ends[:, 0], ends[:, 1], numbers)
    end = (ends[packed, 0] != np.repeat(np.arange(count), np.diff(ptr))).astype(np.int64)
    source_node, source_v = _sources(net, topology, lookup)
    wires = Wires(
        node_section,
        np.ascontiguousarray(ends),
        source_node,
        source_v,
        ptr,
        packed,
        end,
        section,
        kind,
        _transfers(y, kind),
        _scales(net, ppc, branches, ends, coupled),
        np.cumsum([0, *map(len, flat)]).astype(np.int64),
        np.array([g for own in flat for g in own], np.int64),
    )
    power, states = _power(net, lookup, count, float(ppc["baseMVA"]), loading)
    named = pd.DataFrame({"element": "switch", "element_id": topology.switches[[e for e, _, _ in couplers]]})
    names = pd.concat([branches[["element", "element_id"]], named], ignore_index=True) if coupled else branches
    nodes = np.full(count, -1)
    nodes[node] = topology.bus_section.index.to_numpy()
    return Electric(wires, power, names, nodes), states


def _transfers(y: np.ndarray, kind: np.ndarray) -> np.ndarray:
    """Return A, B, C, D of each branch seen from either end, (branches, ends, 4).

    The far voltage is A times the near one plus B times the current that leaves at the far end; the current that enters at the
    near end is C times the far voltage plus D times that current.
    """
    table = np.zeros((len(y), 2, 4), complex)
    wire = kind != _SWITCH
    table[~wire, :, 0], table[~wire, :, 3] = 1.0, 1.0
    for end, (near, there, back, far) in enumerate((y[wire].T, y[wire].T[::-1])):
        table[wire, end] = np.stack([-back / far, -1.0 / far, there - near * far / back, -near / back], axis=1)
    return table


def _ppc(net: pandapowerNet) -> tuple[dict, np.ndarray, dict]:
    """Let pandapower make two-ports of all branches: every branch switch closed, every bus-to-bus switch open, no power."""
    tables = {key for key, value in net.items() if isinstance(value, pd.DataFrame) and not key.startswith(("res_", "_empty_res"))}
    copy = pandapowerNet({key: value.copy() if key in tables else value for key, value in net.items()})
    copy.switch["closed"] = copy.switch["et"] != "b"
    for table in ("load", "sgen", "storage", "gen", "xward", "dcline", "motor", "asymmetric_load", "asymmetric_sgen"):
        if table in copy and len(copy[table]):
            copy[table] = copy[table].iloc[:0]
    copy.ext_grid = copy.ext_grid.iloc[:0]
    alive = copy.bus.index[copy.bus.in_service.astype(bool)]
    # a source at every bus keeps the buses behind open switches in the model
    template = copy.ext_grid.reindex(range(len(alive)))
    template["bus"], template["vm_pu"], template["va_degree"], template["in_service"] = alive.to_numpy(), 1.0, 0.0, True
    template["slack_weight"], template["controllable"] = 1.0, True
    copy.ext_grid = template.astype({"in_service": bool})
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            options = {"run_control": False, "lightsim2grid": False, "numba": False}  # compiling would take seconds
            pp.runpp(copy, init="flat", tolerance_mva=np.inf, calculate_voltage_angles=True, **options)
    except (pp.LoadflowNotConverged, UserWarning, ValueError, KeyError, IndexError, AttributeError, FloatingPointError) as error:
        remedy = "check the network with gridplan.network.diagnose"
        raise NetworkError(
            "the network", [Problem("power flow", f"pandapower cannot build it: {error}", remedy=remedy)]
        ) from error
    return copy._ppc, copy._pd2ppc_lookups["bus"], copy._pd2ppc_lookups["branch"]


def _branches(net: pandapowerNet, ppc: dict, rows: dict) -> tuple[pd.DataFrame, np.ndarray, np.ndarray]:
    """Name the branches in service, with their nodes and two-port admittances (ff, ft, tf, tt)."""
    frames = []
    for table, kind in (("line", _LINE), ("trafo", _TRAFO), ("trafo3w", _TRAFO), ("impedance", _OTHER)):
        if table not in rows or not len(net[table]):
            continue
        first, after = rows[table]
        index = net[table].index
        repeat = (after - first) // len(index)
        frame = pd.DataFrame(
            {"element": table, "element_id": np.tile(index, repeat), "row": np.arange(first, after), "kind": kind}
        )
        frame["winding"] = np.repeat(np.arange(repeat), len(index))
        frames.append(frame[np.tile(net[table].in_service.astype(bool), repeat)])
    columns = ["element", "element_id", "row", "kind", "winding"]
    named = pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=columns)
    branch = ppc["branch"][named["row"].to_numpy(np.int64)].copy()
    branch[:, BR_STATUS] = 1.0
    tt, ff, ft, tf = branch_vectors(branch, len(branch))
    ends = branch[:, [F_BUS, T_BUS]].real.astype(np.int64)
    return named, ends, np.stack([ff, ft, tf, tt], axis=1)


def _branch_sections(topology: Topology, branches: pd.DataFrame, coupled: int) -> np.ndarray:
    section = np.full(len(branches) + coupled, -1)
    for table, own in branches.groupby("element", sort=False):
        section[own.index] = topology.element_section[table].reindex(own["element_id"]).to_numpy()
    return section


def _gate(topology: Topology, net: pandapowerNet, row: tuple, lookup: np.ndarray, ends: np.ndarray) -> tuple[tuple, tuple]:
    """Edges in series at both ends of a branch; the inner end of a three-winding transformer has none."""
    buses = {int(lookup[b]): int(b) for b in (net[row.element].at[row.element_id, c] for c in ENDS[row.element])}
    found = [topology.gates.get((row.element, row.element_id, buses.get(int(node), -1)), ()) for node in ends]
    return found[0], found[1]


def _scales(net: pandapowerNet, ppc: dict, branches: pd.DataFrame, ends: np.ndarray, coupled: int) -> np.ndarray:
    """Return the loading [%] per unit of current at both ends."""
    base_ka = float(ppc["baseMVA"]) / np.sqrt(3) / ppc["bus"][:, BASE_KV].real
    scale = np.zeros((len(branches) + coupled, 2))
    for (table, winding), own in branches.groupby(["element", "winding"], sort=False):
        frame = net[table].loc[own["element_id"]]
        at, ka = own.index.to_numpy(), base_ka[ends[own.index]]
        if table == "line":
            rated = (frame["max_i_ka"] * frame["df"] * frame["parallel"]).to_numpy(float)[:, None]
        elif table == "trafo":
            mva = (frame["sn_mva"] * frame["df"] * frame["parallel"]).to_numpy(float)
            rated = np.stack([mva / frame["vn_hv_kv"], mva / frame["vn_lv_kv"]], axis=1) / np.sqrt(3)
        elif table == "trafo3w":
            name = ("hv", "mv", "lv")[winding]
            one = (frame[f"sn_{name}_mva"] / frame[f"vn_{name}_kv"]).to_numpy(float) / np.sqrt(3)
            # only the outer end is a terminal: hv at the from side, the others at the to side
            rated = np.stack([one, np.full(len(one), np.inf)] if winding == 0 else [np.full(len(one), np.inf), one], axis=1)
        else:
            continue
        with np.errstate(divide="ignore", invalid="ignore"):
            scale[at] = np.nan_to_num(100.0 * ka / rated, nan=0.0, posinf=0.0)
    return scale


def _sources(net: pandapowerNet, topology: Topology, lookup: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Node and voltage of the source by root section."""
    node, volt = np.full(len(topology.tree.parent), -1), np.zeros(len(topology.tree.parent), complex)
    for bus in source_buses(net):
        section = int(topology.bus_section[bus])
        if node[section] >= 0:
            continue
        grid = net.ext_grid[(net.ext_grid.bus == bus) & net.ext_grid.in_service.astype(bool)]
        row = grid.iloc[0] if len(grid) else net.gen[(net.gen.bus == bus) & net.gen.in_service.astype(bool)].iloc[0]
        node[section] = lookup[bus]
        volt[section] = row["vm_pu"] * np.exp(1j * np.radians(float(row.get("va_degree", 0.0) or 0.0)))
    return node, volt


def _power(
    net: pandapowerNet, lookup: np.ndarray, count: int, base: float, loading: pd.DataFrame | None
) -> tuple[Power, pd.DataFrame]:
    """Consumption by state and node; generation is taken as disconnected during a fault."""
    loads = net.load[net.load.in_service.astype(bool) & net.load.bus.isin(net.bus.index[net.bus.in_service.astype(bool)])]
    given = (loads["p_mw"] * loads["scaling"] + 1j * loads["q_mvar"] * loads["scaling"]).to_numpy(complex)
    states = pd.DataFrame({"state": ["as given"], "weight": [1.0]})
    table = given[None, :]
    if loading is not None:
        states = loading[["state", "weight"]].drop_duplicates("state", ignore_index=True)
        table = np.tile(given, (len(states), 1))
        row, column = pd.Index(states["state"]).get_indexer(loading["state"]), loads.index.get_indexer(loading["load"])
        known = column >= 0
        table[row[known], column[known]] = (loading["p_mw"] + 1j * loading["q_mvar"]).to_numpy(complex)[known]
    parts = []
    for letter in "iz":
        p, q = (loads[c].fillna(0.0).to_numpy(float) / 100 if c in loads else np.zeros(len(loads)) for c in _zip(loads, letter))
        parts.append((p, q))
    split = [
        table.real * p + 1j * table.imag * q for p, q in ((1 - parts[0][0] - parts[1][0], 1 - parts[0][1] - parts[1][1]), *parts)
    ]
    at = lookup[loads.bus.to_numpy(np.int64)] if len(loads) else np.zeros(0, np.int64)
    spread = []
    for values in split:
        whole = np.zeros((len(states), count), complex)
        np.add.at(whole.T, at, values.T / base)
        spread.append(whole)
    shunts = net.shunt[net.shunt.in_service.astype(bool)] if "shunt" in net else net.load.iloc[:0]
    if len(shunts):
        ratio = (net.bus.vn_kv.loc[shunts.bus].to_numpy(float) / shunts["vn_kv"].to_numpy(float)) ** 2
        drawn = (shunts["p_mw"] + 1j * shunts["q_mvar"]).to_numpy(complex) * shunts["step"].to_numpy(float) * ratio
        np.add.at(spread[2].T, lookup[shunts.bus.to_numpy(np.int64)], np.repeat(drawn[:, None], len(states), axis=1) / base)
    return Power(*spread), states


def _zip(loads: pd.DataFrame, letter: str) -> tuple[str, str]:
    """Columns of the constant-current or constant-impedance share [%], in pandapower 3 and before."""
    if f"const_{letter}_p_percent" in loads:
        return f"const_{letter}_p_percent", f"const_{letter}_q_percent"
    return f"const_{letter}_percent", f"const_{letter}_percent"


def bounds(electric: Electric, switched: tuple, roots: np.ndarray, limits: Limits) -> tuple[Bounds, np.ndarray, np.ndarray]:
    """Limits of each state, the state's normal voltages and loadings: what is violated already must only not get worse."""
    wires, states = electric.wires, len(electric.power.s)
    voltage, loading = np.full((states, len(wires.node_section)), np.nan, complex), np.zeros((states, len(wires.kind)))
    work = space(wires)
    for state in range(states):
        for root in roots:
            solve(wires, electric.power, (*switched, work), root, state, (voltage[state], loading[state]))
    size = np.abs(voltage)
    low = np.where(size < limits.vm_min_pu, size - _WORSE, limits.vm_min_pu)
    high = np.where(size > limits.vm_max_pu, size + _WORSE, limits.vm_max_pu)
    most = np.where(wires.kind == _LINE, limits.line_loading_max_percent, limits.trafo_loading_max_percent)
    most = np.where((wires.kind == _OTHER) | (wires.kind == _SWITCH), np.inf, most)
    highest = np.where(loading > most, loading + _WORSE * 100, np.broadcast_to(most, loading.shape))
    return (
        Bounds(np.nan_to_num(low, nan=limits.vm_min_pu), np.nan_to_num(high, nan=limits.vm_max_pu), highest, voltage),
        voltage,
        loading,
    )
