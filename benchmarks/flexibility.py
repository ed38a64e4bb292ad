"""Speed of least curtailment against pandapower's optimal power flow, step by step, and of a year of the bundled study.

Run with ``python benchmarks/flexibility.py`` from the root of the repository.
"""

import copy
import time
import warnings

import numpy as np
import pandapower as pp
import pandapower.networks
import pandas as pd

from gridplan import futures, network
from gridplan.applications import OperatingCase, _flexible, demand, der_management, flexibility, storage
from gridplan.powerflow import Limits, Profiles
from gridplan.study import read_study

LIMITS = Limits(0.9, 1.05)


def timed(function):
    start = time.perf_counter()
    result = function()
    return result, time.perf_counter() - start


def against_runopp(table, steps=240, peers=10):
    net = pandapower.networks.create_cigre_network_mv(with_der="pv_wind")
    net.sgen["p_mw"] *= 50
    net.load["scaling"] = 0.25
    at = pd.date_range("2030-01-01", periods=steps, freq="h")
    shape = pd.DataFrame({"sun": np.linspace(0.5, 1.0, steps)}, index=at)
    rows = [("sgen", n, "sun", "sun") for n in net.sgen.index]
    elements = pd.DataFrame(rows, columns=["element", "element_id", "shape_p", "shape_q"])
    case = OperatingCase(net, Profiles(at, shape, elements), network.areas(net), LIMITS)
    found, ours = timed(lambda: der_management.evaluate(case, der_management.Settings(table)))
    peer = copy.deepcopy(net)
    peer.sgen["controllable"], peer.sgen["min_p_mw"], peer.sgen["min_q_mvar"], peer.sgen["max_q_mvar"] = True, 0.0, 0.0, 0.0
    peer.bus["min_vm_pu"], peer.bus["max_vm_pu"] = LIMITS.vm_min_pu, LIMITS.vm_max_pu
    peer.line["max_loading_percent"] = peer.trafo["max_loading_percent"] = 100.0
    for name in ("p_mw", "q_mvar"):
        peer.ext_grid[f"min_{name}"], peer.ext_grid[f"max_{name}"] = -1e3, 1e3
    for number in peer.sgen.index:
        pp.create_poly_cost(peer, number, "sgen", cp1_eur_per_mw=-1.0)
    spent = 0.0
    for row in np.linspace(0, steps - 1, peers).astype(int):
        peer.sgen["max_p_mw"] = net.sgen["p_mw"] * shape["sun"].iloc[row]
        spent += timed(lambda: pp.runopp(peer, opf_flow_lim="I"))[1]
    peer_ms, left = 1e3 * spent / peers, len(found.left)
    print(f"least curtailment, CIGRE MV: {1e3 * ours / steps:.2f} ms a step ({left} violations left), runopp {peer_ms:.0f} ms")
    print(f"ratio {spent / peers / (ours / steps):.0f}")


def of_a_year(table, scenario="reference", year=2040):
    study = read_study("data/oberrhein")
    net = network.load(study)
    future = futures.case(study, net, scenario, year)
    given = future.profiles
    hourly = Profiles(given.time[::4], given.shapes.iloc[::4], given.elements)
    case = OperatingCase(future.net, hourly, network.areas(net), Limits(0.95, 1.05))
    state, spent = timed(lambda: _flexible.simulate(case))
    print(f"{scenario} {year}, 8 760 h: simulated in {spent:.2f} s, {len(state.steps)} hours outside limits")
    units = storage.sized(case, table, state)
    for name, work in {
        "der_management": lambda: der_management.evaluate(case, der_management.Settings(table), state),
        "storage": lambda: storage.evaluate(case, storage.Settings(units), state),
        "managed demand": lambda: demand.evaluate(case, demand.Settings(table), state),
    }.items():
        print(f"{name}: {timed(work)[1]:.2f} s")
    every, spent = timed(lambda: flexibility.evaluate(case, flexibility.Settings(table)))
    further = timed(lambda: [one.metrics for one in every.values()])[1]
    print(f"all {len(every)} options: {spent:.2f} s, and {further:.2f} s for their metrics")


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    flexibility = pd.read_csv("data/oberrhein/flexibility.csv")
    against_runopp(flexibility)
    of_a_year(flexibility)
