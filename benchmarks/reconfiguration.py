"""Speed of reconfiguration: topologies solved, against pandapower's Newton-Raphson on the same ones.

Run ``python benchmarks/reconfiguration.py``. pandapower solves a sample of the radial topologies of the 33-bus system of Baran
and Wu; gridplan solves all 50 751 of them.
"""

from __future__ import annotations

import copy
import time

import numpy as np
import pandapower as pp
import pandapower.networks
from rich.console import Console

from gridplan.applications.reconfiguration import _circuit, _states, _sweep
from gridplan.powerflow import Limits

SAMPLE = 50


def main() -> None:
    net = pandapower.networks.case33bw()
    circuit = _circuit.build(net, list(net.line.index))
    states, weights = _states.representative(None, _circuit.powers(circuit, net, None), np.arange(1), 1)
    arrays = _states.loaded(circuit, states, weights, Limits(0.01, 9.0, 1e9, 1e9))
    _, _, kept = _sweep.enumerate_trees(arrays, circuit.switchable, SAMPLE)
    start = time.perf_counter()
    count, costs, _ = _sweep.enumerate_trees(arrays, circuit.switchable, SAMPLE)
    ours = (time.perf_counter() - start) / count
    trial, worst = copy.deepcopy(net), 0.0
    pp.runpp(trial)
    start = time.perf_counter()
    for closed, cost in zip(kept, costs, strict=True):
        trial.line["in_service"] = closed
        pp.runpp(trial, tolerance_mva=1e-9)
        worst = max(worst, abs(trial.res_line.pl_mw.sum() / (cost * circuit.base_mva) - 1))
    theirs = (time.perf_counter() - start) / SAMPLE
    console = Console()
    console.print(f"{count} topologies, {ours * 1e6:.1f} us each; pandapower {theirs * 1e6:.0f} us: {theirs / ours:.0f} times")
    console.print(f"lowest losses {costs[0] * circuit.base_mva * 1e3:.3f} kW; largest relative difference of losses {worst:.1e}")


if __name__ == "__main__":
    main()
