"""MATPOWER cases, with the conversions that distribution cases carry in their code.

pandapower's own importer reads the matrices of a ``.m`` file and leaves out the code behind them; in distribution cases that
code turns ohm into per unit and kW into MW. Here the file is evaluated (:mod:`gridplan.network.mfile`) before pandapower
converts it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandapower as pp
import pandas as pd
import scipy.io
from pandapower.auxiliary import pandapowerNet
from pandapower.converter.pypower import from_ppc

from gridplan.errors import NetworkError, Problem
from gridplan.network.mfile import INDEX, NotUnderstood, evaluate

#: Columns that a matrix must have, and the columns of it that are read and so must be finite (limits may be infinite).
NEEDED = {"bus": (13, 10), "branch": (11, 5), "gen": (10, 3)}
BUS, BRANCH, GEN = ({name: value - 1 for name, value in INDEX[key].items()} for key in ("idx_bus", "idx_brch", "idx_gen"))
REFERENCE = 3
FREQUENCY_HZ = 50.0
#: Below this impedance [pu] a branch is a closed switch: as a line it would keep Newton-Raphson from reaching its tolerance.
SWITCH_PU = 1e-8


def open_matpower(path: Path) -> pandapowerNet:
    """Open a MATPOWER case.

    Buses and branches keep the numbers of the file: bus 18 is bus 18, branch 7 (the seventh row of the branch matrix) is line 7
    or transformer 7. Branches between buses of different voltage become transformers, also at the nominal ratio. A branch
    between buses of one voltage with next to no impedance (below 1e-8 pu) becomes a switch between them, also with its number.

    Parameters
    ----------
    path
        ``.m`` file (case format 2) or ``.mat`` file with a case structure.

    Returns
    -------
    pandapowerNet
        The network, at 50 Hz (a case knows no frequency: impedances are kept as they are). Costs are not read. A branch without
        a rating has 99999 kA or MVA, as in pandapower.

    Raises
    ------
    NetworkError
        The file holds code that is not understood (with its line), or no complete case.
    """
    case = _read_mat(path) if path.suffix.lower() == ".mat" else _read_m(path)
    problems = _problems(path.name, case)
    if problems:
        raise NetworkError(f"network {path.name}", problems)
    return _convert(_prepared(case), path.stem)


def _read_m(path: Path) -> dict[str, Any]:
    try:
        values = evaluate(path.read_text("utf-8", errors="replace"))
    except NotUnderstood as error:
        remedy = (
            "run the file in MATPOWER or Octave and save the case: mpc = loadcase('"
            + path.stem
            + "'); save('-v7', '"
            + path.stem
            + ".mat', 'mpc')"
        )
        problem = Problem(path.name, f"line {error.line} is not understood: {error.what}", remedy=remedy)
        raise NetworkError(f"network {path.name}", [problem]) from error
    return {name.removeprefix("mpc."): value for name, value in values.items() if name.startswith("mpc.")}


def _read_mat(path: Path) -> dict[str, Any]:
    """Read the first structure of a .mat file that holds a bus and a branch matrix."""
    content = scipy.io.loadmat(path, struct_as_record=False, squeeze_me=True)
    for value in content.values():
        fields = set(getattr(value, "_fieldnames", ()))
        if {"bus", "branch"} <= fields:
            return {name: _as_read(getattr(value, name)) for name in fields}
    return {}


def _as_read(value: Any) -> Any:
    """Undo the squeezing of a matrix with one row."""
    array = np.asarray(value)
    return np.array(array, dtype=float, ndmin=2) if array.dtype.kind in "iuf" and array.ndim else value


def _problems(name: str, case: dict[str, Any]) -> list[Problem]:
    """Everything that is wrong with the matrices of a case."""
    base = case.get("baseMVA")
    problems = []
    if not isinstance(base, float | int | np.number) or not (np.isfinite(base) and base > 0):
        problems.append(Problem(name, f"baseMVA is {base}", remedy="give a positive number of MVA"))
    for matrix, (columns, read) in NEEDED.items():
        problems += _matrix_problems(name, matrix, case.get(matrix), columns, read)
    if problems:
        return [*problems, Problem(name, "holds no complete MATPOWER case of format 2")] if "bus" not in case else problems
    return _reference_problems(name, case)


def _matrix_problems(name: str, matrix: str, value: Any, columns: int, read: int) -> list[Problem]:
    if not isinstance(value, np.ndarray) or value.ndim != 2 or not len(value) or value.shape[1] < columns:
        found = f"is {value.shape[0]} x {value.shape[1]}" if isinstance(value, np.ndarray) and value.ndim == 2 else "is missing"
        return [Problem(name, f"mpc.{matrix} {found}; it needs at least one row and {columns} columns")]
    bad = np.flatnonzero(~np.isfinite(value[:, :read]).all(axis=1) | np.isnan(value[:, :columns]).any(axis=1))
    return [Problem(name, f"mpc.{matrix} has a value that is no number in row {row + 1} of the matrix") for row in bad[:20]]


def _reference_problems(name: str, case: dict[str, Any]) -> list[Problem]:
    """Buses that do not exist, stand twice, or have no voltage level; no reference bus."""
    bus, numbers = case["bus"], case["bus"][:, BUS["BUS_I"]]
    problems = []
    values, counts = np.unique(numbers, return_counts=True)
    problems += [
        Problem(name, f"bus {number:g} stands {count} times in mpc.bus")
        for number, count in zip(values, counts, strict=True)
        if count > 1
    ]
    for matrix, columns in (("branch", ("F_BUS", "T_BUS")), ("gen", ("GEN_BUS",))):
        index = BRANCH if matrix == "branch" else GEN
        for column in columns:
            found = case[matrix][:, index[column]]
            for row in np.flatnonzero(~np.isin(found, numbers)):
                problems.append(
                    Problem(name, f"row {row + 1} of mpc.{matrix} names bus {found[row]:g}, which mpc.bus does not have")
                )
    flat = bus[~(bus[:, BUS["BASE_KV"]] > 0), BUS["BUS_I"]]
    if len(flat):
        remedy = "give baseKV of these buses in kV (MATPOWER itself does not need it, ohm and ampere do)"
        problems.append(Problem(name, f"no voltage level at {len(flat)} buses, the first is bus {flat[0]:g}", remedy=remedy))
    if not (bus[:, BUS["BUS_TYPE"]] == REFERENCE).any():
        problems.append(Problem(name, "no reference bus (type 3)", remedy="set the type of the supply bus to 3"))
    return problems


def _prepared(case: dict[str, Any]) -> dict[str, Any]:
    """Write a case so that pandapower's converter keeps its per-unit values, see the comments."""
    bus, branch, gen = (np.array(case[key], dtype=float) for key in ("bus", "branch", "gen"))
    # The converter takes the first generator of a bus: one out of service must not come before one in service.
    gen = gen[np.argsort(gen[:, GEN["GEN_STATUS"]] <= 0, kind="stable")]
    kv = dict(zip(bus[:, BUS["BUS_I"]], bus[:, BUS["BASE_KV"]], strict=True))
    start, end = (np.array([kv[b] for b in branch[:, BRANCH[c]]]) for c in ("F_BUS", "T_BUS"))
    tap = branch[:, BRANCH["TAP"]]
    tap[tap == 0] = 1.0
    transformer = (tap != 1) | (branch[:, BRANCH["SHIFT"]] != 0) | (start != end)
    _charge_to_shunts(case["baseMVA"], bus, branch, transformer)
    _turn(branch, transformer & (start < end))
    # A branch between two voltages at ratio 1 counts as a transformer for the converter only if its ratio is not exactly 1.
    tap[transformer & (tap == 1)] = np.nextafter(1.0, 2.0)
    switch = ~transformer & (np.hypot(branch[:, BRANCH["BR_R"]], branch[:, BRANCH["BR_X"]]) < SWITCH_PU)
    names = np.asarray(case.get("bus_name", bus[:, BUS["BUS_I"]].astype(int)), dtype=str).ravel()
    names = names if len(names) == len(bus) else bus[:, BUS["BUS_I"]].astype(int).astype(str)
    parts = {"bus": bus, "branch": branch, "gen": gen, "switch": switch, "bus_name": np.char.strip(names).astype(object)}
    return {"version": 2, "baseMVA": float(case["baseMVA"]), **parts}


def _charge_to_shunts(base: float, bus: np.ndarray, branch: np.ndarray, transformer: np.ndarray) -> None:
    """Move the charging of transformer branches to shunts at their ends: the converter would turn its sign."""
    charged = transformer & (branch[:, BRANCH["BR_B"]] != 0)
    rows = {number: row for row, number in enumerate(bus[:, BUS["BUS_I"]])}
    for f, t, charging, tap, on in branch[charged][:, [BRANCH[c] for c in ("F_BUS", "T_BUS", "BR_B", "TAP", "BR_STATUS")]]:
        if on:
            bus[rows[f], BUS["BS"]] += charging / 2 * base / tap**2
            bus[rows[t], BUS["BS"]] += charging / 2 * base
    branch[transformer, BRANCH["BR_B"]] = 0.0


def _turn(branch: np.ndarray, rows: np.ndarray) -> None:
    """Let transformer branches start at the higher voltage; the same two-port, seen from the other side."""
    tap = branch[rows, BRANCH["TAP"]]
    branch[np.ix_(rows, [BRANCH["F_BUS"], BRANCH["T_BUS"]])] = branch[np.ix_(rows, [BRANCH["T_BUS"], BRANCH["F_BUS"]])]
    branch[np.ix_(rows, [BRANCH["BR_R"], BRANCH["BR_X"]])] *= (tap**2)[:, None]
    branch[rows, BRANCH["TAP"]] = 1 / tap
    branch[rows, BRANCH["SHIFT"]] *= -1


def _convert(ppc: dict[str, Any], name: str) -> pandapowerNet:
    """Convert and number as in the file."""
    switch, branch = ppc["switch"], ppc["branch"]
    net = from_ppc({**ppc, "branch": branch[~switch]}, f_hz=FREQUENCY_HZ)
    net.name = name
    lookup = net.pop("_from_ppc_lookups")["branch"]
    numbers = np.flatnonzero(~switch) + 1
    for table in ("line", "trafo"):
        net[table].index = pd.Index(numbers[lookup.element_type == table], dtype="int64")
    for row in np.flatnonzero(switch):
        ends = branch[row, [BRANCH["F_BUS"], BRANCH["T_BUS"]]].astype(int)
        pp.create_switch(
            net, *ends, et="b", closed=bool(branch[row, BRANCH["BR_STATUS"]]), index=row + 1, name=f"branch {row + 1}"
        )
    nominal = net.trafo.index[net.trafo.tap_step_percent < 1e-9]
    net.trafo.loc[nominal, ["tap_step_percent", "tap_pos"]] = 0.0
    net.trafo["tap_changer_type"] = net.trafo["tap_changer_type"].astype(object)
    net.trafo.loc[nominal, "tap_changer_type"] = None
    return net
