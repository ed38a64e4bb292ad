"""Speed of reliability: the bundled study, and a network of 10 000 buses, against brute force with networkx.

Run ``python benchmarks/reliability.py``; ``--help`` shows the options. The peer takes the switches of one fault after another
out of a networkx graph and asks which buses still reach a source: what a planner would write first. It checks no tie by power
flow and knows one class of switching only. It is run for some faults, and its time for all of them is extrapolated; both must
find the same customer hours.
"""

from __future__ import annotations

import argparse
import statistics
import time
from pathlib import Path

import networkx as nx
import numpy as np
import pandapower as pp
import pandas as pd
from rich.console import Console
from rich.table import Table

import gridplan
from gridplan import assess, futures, network, reliability
from gridplan.applications import restoration
from gridplan.powerflow import Limits
from gridplan.study import Study

STUDY = Path(__file__).parent.parent / "data" / "oberrhein"
TIMES = {"detect_min": 5.0, "locate_min": 30.0, "patrol_min_per_km": 0.0, "isolate_min": 25.0, "transfer_min": 40.0}


def bundled() -> tuple[Study, pp.pandapowerNet, reliability.Outages]:
    """Study, its network, and its outage model with the loading states of a year."""
    study = gridplan.read_study(STUDY)
    net = network.load(study)
    return study, net, assess.outages(study, net, futures.profiles(study, net))


def options(study: Study, net: pp.pandapowerNet, outages: reliability.Outages) -> tuple[float, int]:
    """Seconds for every option of the restoration group by area, with its cost, on a model that has computed nothing yet."""
    switches = tuple(int(s) for s in net.switch.index[net.switch["type"] != "CB"][::20])
    put = assess.services(study.assumptions, {"remote": switches, "indicator": switches})
    costs = assess.interruption_costs(study)
    restoration.evaluate(reliability.prepare(net, outages), None, put, costs, options=["none"])  # compiles
    model = reliability.prepare(net, outages)
    start = time.perf_counter()
    table = restoration.evaluate(model, None, put, costs)
    return time.perf_counter() - start, table["option"].nunique()


def made(buses: int, feeders: int) -> tuple[pp.pandapowerNet, reliability.Outages]:
    """Radial feeders with side branches at one 20 kV bus bar, their ends tied in pairs; a switch at each line's start."""
    random, each = np.random.default_rng(0), buses // feeders
    net = pp.create_empty_network()
    bus = pp.create_buses(net, feeders * each + 1, 20.0)
    pp.create_ext_grid(net, bus[0])
    start, end = [], []
    for feeder in range(feeders):
        first = 1 + feeder * each
        for n in range(each):
            start.append(0 if n == 0 else first + max(n - 1 - int(random.integers(0, 3)), 0))
            end.append(first + n)
    electrical = {"r_ohm_per_km": 0.1, "x_ohm_per_km": 0.1, "c_nf_per_km": 0.0, "max_i_ka": 0.4}
    lines = pp.create_lines_from_parameters(net, start, end, 0.1, **electrical, type="cs")
    pp.create_switches(net, start, lines, "l", type=["CB" if b == 0 else "LBS" for b in start])
    for feeder in range(0, feeders - 1, 2):
        pp.create_switch(net, (feeder + 1) * each, (feeder + 2) * each, "b", closed=False)
    pp.create_loads(net, bus[1:], 4.0 / each, 0.5 / each)
    rates = pd.DataFrame({"element": ["line"], "kind": ["*"], "failures_per_km_yr": [0.02], "repair_h": [5.0]})
    restoration = pd.DataFrame([{"area": "*", "control": "manual"} | TIMES])
    customers = pd.DataFrame({"bus": bus[1:], "customers": 1 + np.arange(len(bus) - 1) % 50})
    return net, reliability.Outages(rates, restoration, customers, limits=Limits(0.8, 1.2, 200.0, 200.0))


def brute_force(net: pp.pandapowerNet, outages: reliability.Outages, faults: int) -> tuple[float, pd.Series]:
    """Find customer hours of some faults, one graph search after another; seconds, and customer hours by line."""
    graph = nx.Graph()
    ties = net.switch[(net.switch.et == "b") & ~net.switch.closed]
    graph.add_edges_from(zip(net.line.from_bus, net.line.to_bus, strict=True))
    customers = outages.customers.set_index("bus")["customers"]
    above = dict(zip(net.line.to_bus, net.line.index, strict=True))
    chosen = np.random.default_rng(1).choice(net.line.index, faults, replace=False)
    begun, found = time.perf_counter(), {}
    up, down = (sum(TIMES[k] for k in ("detect_min", "locate_min", last)) / 60 for last in ("isolate_min", "transfer_min"))
    for line in chosen:
        end = net.line.at[line, "to_bus"]
        head = end
        while net.line.at[above[head], "from_bus"] != 0:
            head = net.line.at[above[head], "from_bus"]
        cut = graph.copy()
        cut.remove_edge(0, head)
        dark = nx.node_connected_component(cut, head)
        # every line has its switch at its start: the zone is the line with its end bus
        cut = graph.copy()
        cut.remove_node(end)
        back = nx.node_connected_component(cut, 0)
        cut.add_edges_from((a, b) for a, b in zip(ties.bus, ties.element, strict=True) if a in cut and b in cut)
        tied = nx.node_connected_component(cut, 0)
        hours = {bus: up if bus in back else down if bus in tied else 5.0 for bus in dark}
        found[line] = sum(hours[bus] * customers.get(bus, 0) for bus in dark)
    return time.perf_counter() - begun, pd.Series(found)


def timed(net: pp.pandapowerNet, outages: reliability.Outages, repeats: int) -> tuple[float, float, reliability.Reliability]:
    """Median seconds of the preparation and of the indices after a first call that compiles, and the result."""
    reliability.totals(reliability.prepare(net, outages))
    areas = pd.DataFrame({"bus": net.bus.index, "area": "all"})
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        model = reliability.prepare(net, outages, areas)
        middle = time.perf_counter()
        result = reliability.indices(model)
        assert result.system["saifi"] > 0
        seconds.append((middle - start, time.perf_counter() - middle))
    return *(statistics.median(column) for column in zip(*seconds, strict=True)), result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--buses", type=int, default=10_000)
    parser.add_argument("--feeders", type=int, default=40)
    parser.add_argument("--faults", type=int, default=20, help="faults of the peer")
    parser.add_argument("--repeats", type=int, default=3)
    given = parser.parse_args()
    table = Table("case", "seconds", "remark")
    study, net, outages = bundled()
    prepared, indices, result = timed(net, outages, given.repeats)
    remark = f"{len(result.events)} events, {len(result.model.states)} loading states"
    table.add_row("bundled study: prepare + indices", f"{prepared:.3f} + {indices:.3f}", remark)
    seconds, count = options(study, net, outages)
    table.add_row(f"bundled study: {count} restoration options", f"{seconds:.2f}", "by area, with the cost of interruptions")
    net, outages = made(given.buses, given.feeders)
    prepared, indices, result = timed(net, outages, given.repeats)
    remark = f"{len(result.events)} events, {len(result.transfers)} transfers"
    table.add_row(f"{len(net.bus)} buses: prepare + indices", f"{prepared:.2f} + {indices:.2f}", remark)
    theirs, hours = brute_force(net, outages, given.faults)
    rows = result.interruptions.merge(result.events[["event", "element_id"]], on="event")
    ours = (rows["duration_h"] * rows["customers"]).groupby(rows["element_id"]).sum()
    if not np.allclose(ours.loc[hours.index], hours):
        raise SystemExit("brute force and gridplan disagree")
    whole = theirs / given.faults * len(net.line)
    ratio = f"{whole / (prepared + indices):.0f} times gridplan's, which checks ties by power flow"
    table.add_row(f"networkx, {given.faults} faults, extrapolated", f"{whole:.0f}", ratio)
    Console(width=120).print(table)


if __name__ == "__main__":
    main()
