"""From a pandapower network to the arrays of the kernel.

pandapower builds the admittance matrix, so that every element it models is covered by construction; nothing here knows what a
transformer is. The bus order becomes the elimination order of the matrix, with the slack buses last.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import product
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandapower as pp
import pandas as pd
from pandapower import build_bus
from pandapower.auxiliary import pandapowerNet
from pandapower.pf import makeYbus_numba, pfsoln_numba
from pandapower.pypower.idx_brch import F_BUS, T_BUS
from pandapower.pypower.idx_bus import BASE_KV, CID_P, CID_Q, CZD_P, CZD_Q, PD, QD
from pandapower.pypower.idx_gen import GEN_BUS, PG, SL_FAC
from scipy import sparse
from scipy.sparse.linalg import splu

from gridplan.errors import NetworkError, NotConverged, Problem
from gridplan.powerflow import _factors
from gridplan.powerflow._kernel import Demand, Grid, Meters

if TYPE_CHECKING:
    from gridplan.powerflow._run import Options, Profiles

DRIVEN = {"load": 1.0, "sgen": -1.0, "storage": 1.0}
"""Elements that can follow a profile, with the sign of their power as consumption."""

RATED = ("line", "trafo", "trafo3w")
_FACTS = ("svc", "tcsc", "ssc", "vsc", "vsc_stacked", "vsc_bipolar")
_UNSUPPORTED = ("distributed_slack", "tdpf", "enforce_q_lims", "enforce_p_lims", "consider_line_temperature")

_COMPILED_ANEW = (
    *((build_bus, name) for name in ("ds_find", "ds_union", "ds_create", "fill_bus_lookup")),
    *((makeYbus_numba, "gen_Ybus"), (pfsoln_numba, "calc_branch_flows")),
)
"""Functions that pandapower compiles in every process again, for two seconds; they are kept on disk like those of gridplan."""
for _module, _name in _COMPILED_ANEW:
    getattr(getattr(_module, _name, None), "enable_caching", lambda: None)()  # plain functions where there is no numba


_TAPS: dict[str, dict[int, np.ndarray]] = {}
"""Admittances by tap position, by everything that they depend on."""


class Fixed(NamedTuple):
    """What no profile drives, by bus: P and Q (2, buses), generators (buses,) [pu], voltage dependence of loads (4, buses)."""

    constant: np.ndarray
    generation: np.ndarray
    dependence: np.ndarray
    base_mva: float


@dataclass(frozen=True, eq=False)
class Model:
    """A network ready for the kernel.

    Parameters
    ----------
    grid, demand, meters
        Arrays of the kernel, per unit.
    fixed
        The part of the demand that profiles do not drive.
    base_mva
        Base power [MVA].
    elements
        Index of the pandapower table by element: bus, line, trafo, trafo3w.
    idle
        Loading [%] of the elements that carry no current, by position in the concatenated rated elements.
    slack
        Share of each external grid or slack generator (rows) in the power of each slack bus (columns).
    slack_names
        ``(element, element_id)`` of the rows of `slack`; `slack_other` [MW] is generation at slack buses that is not slack.
    driven
        In-service MW by shape: columns load, sgen, storage; row i is shape i, the last row is what stays constant.
    generation_mw
        Power of the voltage-controlled generators [MW].
    """

    grid: Grid
    fixed: Fixed
    demand: Demand
    meters: Meters
    base_mva: float
    elements: dict[str, pd.Index]
    idle: np.ndarray
    slack: np.ndarray
    slack_names: pd.MultiIndex
    driven: np.ndarray
    generation_mw: float


def build(net: pandapowerNet, profiles: Profiles | None, options: Options) -> Model:
    """Turn a network into arrays of the kernel; `net` is not changed.

    Raises
    ------
    NetworkError
        pandapower cannot build the network, or it holds what a batch of power flows cannot represent.
    """
    template = _template(net, options)
    internal = template._ppc["internal"]
    order, unknown, factors = _order(internal["Ybus"], internal["ref"])
    position = np.full(len(template._ppc["bus"]) + 1, -1)  # one more, so that a lookup of -1 stays dead
    position[order] = np.arange(len(order))
    slack, names = _slack(template, position, unknown)
    meters, idle = _meters(template, position, angles=options.angles)
    fixed = _fixed(net, template, position, meters.bus)
    demand, driven = _demand(net, profiles, meters.bus, fixed)
    return Model(
        grid=_grid(internal, order, unknown, factors),
        fixed=fixed,
        demand=demand,
        meters=meters,
        base_mva=float(internal["baseMVA"]),
        elements={name: net[name].index for name in ("bus", *RATED)},
        idle=idle,
        slack=slack,
        slack_names=names,
        driven=driven,
        generation_mw=float(_scheduled(internal).sum()),
    )


def redriven(model: Model, net: pandapowerNet, profiles: Profiles | None) -> Model:
    """Return the model of a network that differs in generation, storage and profiles only, on the same matrix."""
    demand, driven = _demand(net, profiles, model.meters.bus, model.fixed)
    return replace(model, demand=demand, driven=driven)


def added(demand: Demand, power: str, extra: tuple[np.ndarray, np.ndarray, np.ndarray | float]) -> Demand:
    """Demand with further entries of one power (p or q): at which position, following which shape, of which size [pu]."""
    place, shape, size = extra
    fields = {"bus": place, "shape": shape, "size": np.broadcast_to(size, len(place))}
    old = {name: getattr(demand, f"{power}_{name}") for name in fields}
    joined = {f"{power}_{name}": np.concatenate([old[name], new.astype(old[name].dtype)]) for name, new in fields.items()}
    return demand._replace(**joined)


def _template(net: pandapowerNet, options: Options) -> pandapowerNet:
    """Let pandapower build its matrix for a copy whose driven elements have no power, without solving anything.

    With voltage-controlled generators they keep it, because pandapower's linear start for Newton-Raphson needs the balance.
    """
    # pandapower replaces its result tables, and writes into all others
    tables = {key for key, value in net.items() if isinstance(value, pd.DataFrame) and not key.startswith(("res_", "_empty_res"))}
    copy = pandapowerNet({key: value.copy() if key in tables else value for key, value in net.items()})
    _refuse(net)
    if not _controlled(net):
        for element in DRIVEN:
            copy[element][["p_mw", "q_mvar"]] = 0.0
    try:
        with warnings.catch_warnings():
            # The start is not a solution, so pandapower may divide zero by zero while it fills tables nobody reads.
            warnings.simplefilter("ignore", RuntimeWarning)
            # Networks of pandapower 2, its own mv_oberrhein among them, work but lack a column that pandapower 3 asks for.
            warnings.filterwarnings("ignore", "tap_dependency_table is missing", DeprecationWarning)
            pp.runpp(
                copy,
                algorithm="nr",
                init="auto" if _controlled(net) else "flat",
                tolerance_mva=np.inf,
                trafo_model=options.trafo_model,
                trafo_loading="current",
                calculate_voltage_angles=options.calculate_voltage_angles,
                run_control=False,
                lightsim2grid=False,
                numba=False,  # compiling takes seconds, building one matrix milliseconds
                voltage_depend_loads="auto" if _controlled(net) else False,  # bus by bus, which takes longer than all the rest
            )
            if not _controlled(net):
                _set_dependence(copy)
    except (pp.LoadflowNotConverged, UserWarning, ValueError, KeyError, IndexError, AttributeError, FloatingPointError) as error:
        remedy = "check the network with gridplan.network.diagnose"
        raise NetworkError(
            "the network", [Problem("power flow", f"pandapower cannot build it: {error}", remedy=remedy)]
        ) from error
    used = [name for name in _UNSUPPORTED if copy._options[name]]
    if used:
        raise NetworkError("the network", [Problem("user_pf_options", f"{name} is not supported in a batch") for name in used])
    return copy


def _set_dependence(template: pandapowerNet) -> None:
    """Write into the bus table how loads depend on the voltage: at each bus the mean of those in service, as pandapower does."""
    names = [f"const_{part}_{power}_percent" for power in "pq" for part in "iz"]
    shares = template.load.reindex(columns=names, fill_value=0.0).to_numpy(float) / 100
    above = template.load.index[(shares[:, :2].sum(axis=1) > 1 + 1e-9) | (shares[:, 2:].sum(axis=1) > 1 + 1e-9)]
    if len(above):
        raise ValueError(f"const_i_p_percent and const_z_p_percent (or those of q) of load {above[0]} are above 100 % together")
    active, bus = np.asarray(template._is_elements["load"], bool), template._ppc["internal"]["bus"]
    mean = pd.DataFrame(shares[active]).groupby(template.load["bus"].to_numpy()[active]).mean()
    place = template._pd2ppc_lookups["bus"][mean.index.to_numpy(int)]
    inside = (place >= 0) & (place < len(bus))
    bus[np.ix_(place[inside], [CID_P, CZD_P, CID_Q, CZD_Q])] = mean.to_numpy()[inside]


def _controlled(net: pandapowerNet) -> bool:
    return any(net[name].in_service.any() for name in ("gen", "xward", "dcline"))


def _refuse(net: pandapowerNet) -> None:
    """Raise for what pandapower controls inside its own Newton-Raphson, and for a network without a source."""
    problems = [
        Problem(name, "power electronics (FACTS, HVDC) are not supported in a batch", remedy="take them out of service")
        for name in _FACTS
        if name in net and len(net[name]) and net[name].in_service.any()
    ]
    if not (net.ext_grid.in_service.any() or (net.gen.in_service & net.gen.slack).any()):
        problems.append(Problem("ext_grid", "no external grid in service", remedy="add one, or a generator with slack=True"))
    if problems:
        raise NetworkError("the network", problems)


def _order(matrix: sparse.csr_matrix, slack: Iterable[int]) -> tuple[np.ndarray, int, Any]:
    """Elimination order of the buses, slack buses last; how many are unknown; the factors (None without a usable order)."""
    slack = np.unique(np.asarray(slack, dtype=int))
    free = np.setdiff1d(np.arange(matrix.shape[0]), slack)
    if not len(free):
        return slack, 0, None
    inner = sparse.csc_matrix(matrix)[free][:, free]
    try:
        factors = splu(inner, permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options={"SymmetricMode": True})
    except RuntimeError as error:  # exactly singular
        raise NotConverged(f"the admittance matrix has no inverse ({error}); a bus may hang on no element") from error
    order = np.argsort(factors.perm_c)  # row k of the factors is bus order[k]
    pivoted = not np.array_equal(factors.perm_r, factors.perm_c)
    return np.r_[free[order], slack], len(free), None if pivoted else factors


def _grid(internal: dict[str, Any], order: np.ndarray, unknown: int, factors: Any) -> Grid:
    """Permute the matrix, take the factors apart and find the voltages without load."""
    matrix = sparse.csr_matrix(internal["Ybus"])[order][:, order].tocsr()
    matrix.sort_indices()
    start = np.asarray(internal["V"], dtype=complex)[order]
    controlled = np.isin(order, internal["pv"])
    no_load = np.zeros(unknown, dtype=complex)
    if factors is not None:
        lower, upper, diagonal = _triangles(factors)
        at_bus = np.empty(unknown, dtype=complex)
        at_bus[np.argsort(factors.perm_c)] = -(matrix[:unknown, unknown:] @ start[unknown:])
        no_load = factors.solve(at_bus)[np.argsort(factors.perm_c)]
    else:
        lower = upper = sparse.csr_matrix((unknown, unknown), dtype=complex)
        diagonal = np.ones(unknown, dtype=complex)
    if not controlled.any() and factors is not None:
        start[:unknown] = no_load
    needed = controlled.any() or factors is None
    pattern = _fill(matrix[:unknown, :unknown])
    return Grid(
        unknown,
        *_compressed(matrix),
        matrix.data.astype(complex),
        *_compressed(lower),
        lower.data.real.copy(),
        lower.data.imag.copy(),
        *_compressed(upper),
        upper.data.real.copy(),
        upper.data.imag.copy(),
        diagonal.real.copy(),
        diagonal.imag.copy(),
        no_load,
        start,
        controlled,
        *pattern,
        bool(needed),
    )


def _triangles(factors: Any) -> tuple[sparse.csr_matrix, sparse.csr_matrix, np.ndarray]:
    """Strict lower and strict upper factor, and the inverse of the diagonal."""
    lower = sparse.csr_matrix(sparse.tril(factors.L, -1))
    upper = sparse.csr_matrix(sparse.triu(factors.U, 1))
    for factor in (lower, upper):
        factor.eliminate_zeros()
        factor.sort_indices()
    return lower, upper, 1.0 / factors.U.diagonal()


def _compressed(matrix: sparse.csr_matrix) -> tuple[np.ndarray, np.ndarray]:
    return matrix.indptr.astype(np.int64), matrix.indices.astype(np.int64)


def _fill(matrix: sparse.csr_matrix) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Row pattern of L + U of a matrix that is eliminated in its own order, and where the diagonals stand."""
    size = matrix.shape[0]
    symmetric = sparse.csr_matrix(abs(matrix) + abs(matrix).T)
    after: list[set[int]] = [
        {int(j) for j in symmetric.indices[symmetric.indptr[k] : symmetric.indptr[k + 1]] if j > k} for k in range(size)
    ]
    for row in after:
        if row:
            parent = min(row)
            after[parent] |= row - {parent}
    rows = np.repeat(np.arange(size), [len(row) for row in after])
    cols = np.array([j for row in after for j in row], dtype=np.int64)
    everything = np.r_[rows, cols, np.arange(size)], np.r_[cols, rows, np.arange(size)]
    pattern = sparse.csr_matrix((np.ones(len(everything[0])), everything), shape=(size, size))
    pattern.sort_indices()
    pointers, columns = _compressed(pattern)
    diagonal = np.flatnonzero(columns == np.repeat(np.arange(size), np.diff(pointers)))
    return pointers, columns, diagonal.astype(np.int64)


def _scheduled(internal: dict[str, Any]) -> np.ndarray:
    """Active power [MW] of the generators that are not slack, by generator."""
    gen = internal["gen"]
    power = np.array(gen[:, PG], dtype=float)
    power[np.isin(np.arange(len(gen)), internal["ref_gens"])] = 0.0
    return power


def _fixed(net: pandapowerNet, template: pandapowerNet, position: np.ndarray, bus_of: np.ndarray) -> Fixed:
    """Consumption by bus without the driven elements."""
    internal = template._ppc["internal"]
    base, bus = float(internal["baseMVA"]), internal["bus"]
    live, place = int((position >= 0).sum()), position[: len(bus)]
    constant, dependence, generation = np.zeros((2, live)), np.zeros((4, live)), np.zeros(live)
    constant[0, place], constant[1, place] = bus[:, PD] / base, bus[:, QD] / base
    np.add.at(generation, position[internal["gen"][:, GEN_BUS].astype(int)], _scheduled(internal) / base)
    if _controlled(net):  # the template holds the static power of the driven elements too
        entries = _entries(net, None, bus_of)
        for row, power in enumerate("pq"):
            np.subtract.at(constant[row], entries["bus"].to_numpy(), (entries[power] * entries["sign"]).to_numpy() / base)
    dependence[:, place] = np.asarray(bus[:, [CID_P, CZD_P, CID_Q, CZD_Q]], dtype=float).T
    return Fixed(constant, generation, dependence, base)


def _demand(net: pandapowerNet, profiles: Profiles | None, bus_of: np.ndarray, fixed: Fixed) -> tuple[Demand, np.ndarray]:
    """Consumption by bus: what is constant, what follows which shape, and how it depends on the voltage."""
    constant, entries = fixed.constant.copy(), _entries(net, profiles, bus_of)
    following = []
    for row, (power, shape) in enumerate((("p", "shape_p"), ("q", "shape_q"))):
        still = entries[entries[shape] < 0]
        np.add.at(constant[row], still["bus"].to_numpy(), (still[power] * still["sign"]).to_numpy() / fixed.base_mva)
        moving = entries[entries[shape] >= 0].assign(size=lambda e, power=power: e[power] * e["sign"] / fixed.base_mva)
        summed = moving.groupby(["bus", shape], as_index=False)["size"].sum()
        following += [summed["bus"].to_numpy(np.int64), summed[shape].to_numpy(np.int64), summed["size"].to_numpy(float)]
    demand = Demand(*constant, *following, fixed.generation, bool(fixed.dependence.any()), *fixed.dependence)
    return demand, _driven(entries, 0 if profiles is None else profiles.shapes.shape[1])


def _entries(net: pandapowerNet, profiles: Profiles | None, bus_of: np.ndarray) -> pd.DataFrame:
    """One row per load, sgen and storage in service: bus position, MW and Mvar, shapes (-1: constant)."""
    frames = []
    for element, sign in DRIVEN.items():
        table = net[element]
        frame = pd.DataFrame({"element": element, "element_id": table.index, "sign": sign})
        frame["p"] = (table["p_mw"] * table["scaling"]).to_numpy(float)
        frame["q"] = (table["q_mvar"] * table["scaling"]).to_numpy(float)
        frame["bus"] = bus_of[net.bus.index.get_indexer(table["bus"])] if len(table) else 0
        frames.append(frame[table["in_service"].to_numpy(bool) & (frame["bus"] >= 0).to_numpy()])
    if profiles is None:
        return pd.concat(frames, ignore_index=True).assign(shape_p=-1, shape_q=-1)
    columns, kinds = pd.Index(profiles.shapes.columns), profiles.elements["element"].to_numpy()
    for frame, element in zip(frames, DRIVEN, strict=True):
        own = profiles.elements[kinds == element]
        at = pd.Index(own["element_id"]).get_indexer(frame["element_id"])  # -1: follows no shape
        for name in ("shape_p", "shape_q"):
            frame[name] = np.append(columns.get_indexer(own[name]), -1)[at]
    return pd.concat(frames, ignore_index=True)


def _driven(entries: pd.DataFrame, shapes: int) -> np.ndarray:
    """MW by shape (rows; the last is constant) and element (columns)."""
    table = np.zeros((shapes + 1, len(DRIVEN)))
    for column, element in enumerate(DRIVEN):
        own = entries[entries["element"] == element]
        np.add.at(table[:, column], own["shape_p"].to_numpy(int), own["p"].to_numpy(float))
    return table


def _slack(template: pandapowerNet, position: np.ndarray, unknown: int) -> tuple[np.ndarray, pd.MultiIndex]:
    """How the power of each slack bus is shared by the external grids and slack generators there, and who they are."""
    internal, lookups = template._ppc["internal"], template._pd2ppc_lookups
    rows = []
    for element in ("ext_grid", "gen"):
        on = template[element].index[template._is_elements[element].astype(bool)]
        if element == "gen":
            on = on.intersection(template.gen.index[template.gen["slack"].astype(bool)])
        rows += [(element, i, int(lookups[element][i])) for i in on]
    active = np.cumsum(internal["gen_is"]) - 1  # generators out of service are not in the internal table
    gens = internal["gen"][[active[row[2]] for row in rows]]
    buses = position[gens[:, GEN_BUS].astype(int)] - unknown
    weight = np.zeros((len(rows), len(np.unique(internal["ref"]))))
    weight[np.arange(len(rows)), buses] = np.nan_to_num(np.asarray(gens[:, SL_FAC], dtype=float))
    for bus in np.unique(buses):
        if weight[:, bus].sum() <= 0:
            weight[buses == bus, bus] = 1.0
    names = pd.MultiIndex.from_tuples([row[:2] for row in rows], names=["element", "element_id"])
    return weight / weight.sum(axis=0), names


def _meters(template: pandapowerNet, position: np.ndarray, *, angles: bool) -> tuple[Meters, np.ndarray]:
    """Which bus stands where, which branches load which element by how much per unit of current, and what carries nothing."""
    bus = position[template._pd2ppc_lookups["bus"][template.bus.index.to_numpy()]]
    _, first, inverse = np.unique(bus, return_index=True, return_inverse=True)
    branches, idle, kinds = _branches(template)
    table = template._ppc["internal"]["branch"]
    admittance = _branch_admittance(template)
    rows = len(idle) + 1
    pointers = np.zeros(rows + 1, dtype=np.int64)
    pointers[1:] = np.cumsum(np.bincount(branches["row"], minlength=rows))
    taken = branches["branch"].to_numpy()
    meters = Meters(
        bus=bus.astype(np.int64),
        first=first[inverse].astype(np.int64),
        row_ptr=pointers,
        row_kind=kinds,
        branch_from=position[table[taken, F_BUS].real.astype(int)],
        branch_to=position[table[taken, T_BUS].real.astype(int)],
        branch_y=admittance[taken],
        scale_from=branches["scale_from"].to_numpy(float),
        scale_to=branches["scale_to"].to_numpy(float),
        branch_kind=branches["kind"].to_numpy(np.int64),
        angles=angles,
    )
    return meters, idle


def _branch_admittance(template: pandapowerNet) -> np.ndarray:
    """Yff, Yft, Ytf, Ytt of the branches in service, read from pandapower's branch matrices; shape (branches, 4)."""
    internal = template._ppc["internal"]
    ends = internal["branch"][:, [F_BUS, T_BUS]].real.astype(int)
    row = np.arange(len(ends))
    both = [sparse.csr_matrix(internal[name]) for name in ("Yf", "Yt")]
    return np.column_stack([np.asarray(matrix[row, ends[:, end]]).ravel() for matrix in both for end in (0, 1)]).astype(complex)


def _branches(template: pandapowerNet) -> tuple[pd.DataFrame, np.ndarray, np.ndarray]:
    """Branches in service, sorted by the rated element (row) they belong to; idle loading and kind of the rated elements."""
    ppc, lookups = template._ppc, template._pd2ppc_lookups["branch"]
    active = ppc["internal"]["branch_is"].astype(bool)
    table = pd.DataFrame({"row": -1, "kind": 2, "scale_from": 0.0, "scale_to": 0.0}, index=range(len(active)))
    amps = ppc["baseMVA"] / np.sqrt(3) / ppc["bus"][ppc["branch"][:, [F_BUS, T_BUS]].real.astype(int), BASE_KV].astype(float)
    offset, idle, kinds = 0, [], []
    for kind, element in enumerate(RATED):
        count = len(template[element])
        if count:
            start, stop = lookups[element]
            own = np.arange(start, stop)
            table.loc[own, "row"] = offset + np.arange(stop - start) % count
            table.loc[own, "kind"] = min(kind, 1)
            table.loc[own, ["scale_from", "scale_to"]] = amps[own] * _rating(template, element) * 100.0
            idle.append(template[f"res_{element}"]["loading_percent"].to_numpy(float))
        kinds += [2 + kind] * count
        offset += count
    loading = np.concatenate(idle) if idle else np.zeros(0)
    table.loc[table["row"] < 0, "row"] = offset
    table["branch"] = np.cumsum(active) - 1
    return table[active].sort_values("row", kind="stable"), loading, np.array([*kinds, 2], dtype=np.int64)


def _rating(template: pandapowerNet, element: str) -> np.ndarray:
    """Find the loading per kA at the two ends of the branches of a rated element, as pandapower has it; (branches, 2)."""
    table = template[element]
    with np.errstate(divide="ignore"):
        if element == "line":
            share = 1.0 / (table["max_i_ka"] * table["df"] * table["parallel"]).fillna(0.0).to_numpy(float)  # none: infinite
            return np.column_stack([share, share])
        if element == "trafo":
            share = np.sqrt(3) / (table["sn_mva"] * table["parallel"] * table["df"]).to_numpy(float)
            return np.column_stack([share * table["vn_hv_kv"], share * table["vn_lv_kv"]])
        high, middle, low = (
            (table[f"vn_{s}_kv"] * np.sqrt(3) / table[f"sn_{s}_mva"]).to_numpy(float) for s in ("hv", "mv", "lv")
        )
    nothing = np.zeros(len(table))
    return np.vstack([np.column_stack(pair) for pair in ((high, nothing), (nothing, middle), (nothing, low))])


def tap_admittances(net: pandapowerNet, number: int, options: Options) -> dict[int, np.ndarray]:
    """Yff, Yft, Ytf, Ytt [pu] of a transformer by tap position; found once in each process for transformers that are alike."""
    row = net.trafo.loc[[number]]
    ends = net.bus.loc[[row["hv_bus"].iloc[0], row["lv_bus"].iloc[0]]]
    by_table = "tap_dependency_table" in row and bool(row["tap_dependency_table"].fillna(False).iloc[0])
    alike = row.drop(columns=["tap_pos", "name", "hv_bus", "lv_bus"], errors="ignore").to_dict("records")
    key = repr((alike, ends["vn_kv"].tolist(), net.sn_mva, net.f_hz, options))
    if by_table:
        return _admittances_by_position(net, row, ends, options)
    if key not in _TAPS:
        _TAPS[key] = _admittances_by_position(net, row, ends, options)
    return _TAPS[key]


def _admittances_by_position(
    net: pandapowerNet, row: pd.DataFrame, ends: pd.DataFrame, options: Options
) -> dict[int, np.ndarray]:
    """Build one copy of a transformer for each position, side by side between its two buses."""
    positions = np.arange(int(row["tap_min"].iloc[0]), int(row["tap_max"].iloc[0]) + 1)
    copies = pd.concat([row] * len(positions), ignore_index=True).assign(tap_pos=positions, in_service=True)
    small = {
        key: value.iloc[:0].copy() if isinstance(value, pd.DataFrame) and "bus" in value else value for key, value in net.items()
    }
    small |= {name: net[name].iloc[:0] for name in ("line", "trafo3w", "impedance", "switch", "dcline") if name in net}
    alone = pandapowerNet(small | {"bus": ends.assign(in_service=True), "trafo": copies})
    pp.create_ext_grid(alone, row["hv_bus"].iloc[0])
    return dict(zip(positions.tolist(), _branch_admittance(_template(alone, options)), strict=True))


def refactored(grid: Grid, values: np.ndarray) -> Grid | None:
    """Grid with other values in the same places; None if the matrix is singular in this order."""
    factors, inverse, no_load = _factors.refactored(grid, values)
    if not np.isfinite(inverse).all():
        return None
    row = np.repeat(np.arange(grid.unknown), np.diff(grid.f_ptr))
    triangles = {}
    for name, own in (("l", grid.f_col < row), ("u", grid.f_col > row)):
        pointers = np.r_[0, np.cumsum(np.bincount(row[own], minlength=grid.unknown))]
        triangles |= {f"{name}_ptr": pointers, f"{name}_col": grid.f_col[own]}
        triangles |= {f"{name}_re": factors.real[own], f"{name}_im": factors.imag[own]}
    diagonal = {"d_re": inverse.real.copy(), "d_im": inverse.imag.copy()}
    return grid._replace(**triangles, **diagonal, y=values, no_load=no_load, start=np.r_[no_load, grid.start[grid.unknown :]])


def places(grid: Grid, ends: tuple[int, int]) -> np.ndarray | None:
    """Places of Yff, Yft, Ytf, Ytt of a branch between two nodes among the values of the matrix; None if it has none."""
    found = []
    for i, j in product(ends, ends):
        row = grid.y_col[grid.y_ptr[i] : grid.y_ptr[i + 1]]
        at = int(np.searchsorted(row, j))
        if at == len(row) or row[at] != j:
            return None
        found.append(grid.y_ptr[i] + at)
    return np.array(found)


def widened(grid: Grid, pairs: Iterable[tuple[int, int]]) -> Grid:
    """Grid with places in its matrix, zeros so far, for branches between some more rows."""
    size = grid.start.size
    own, new = np.repeat(np.arange(size), np.diff(grid.y_ptr)), np.array(list(pairs))
    rows, columns = np.r_[own, new[:, 0], new[:, 1]], np.r_[grid.y_col, new[:, 1], new[:, 0]]
    order = np.lexsort((columns, rows))
    pointers = np.r_[0, np.cumsum(np.bincount(rows, minlength=size))]
    values = np.r_[grid.y, np.zeros(2 * len(new))][order]
    matrix = sparse.csr_matrix((np.ones(len(order)), columns[order], pointers), shape=(size, size))
    pattern = dict(zip(("f_ptr", "f_col", "f_diag"), _fill(matrix[: grid.unknown, : grid.unknown]), strict=True))
    return grid._replace(y_ptr=pointers.astype(np.int64), y_col=columns[order].astype(np.int64), y=values, **pattern)
