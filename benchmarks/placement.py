"""Speed of placement: against plain greedy search with the whole reliability model, and on a network of thousands of buses.

Run ``python benchmarks/placement.py``; ``--help`` shows the options. Plain greedy search evaluates every candidate of every step
with :func:`gridplan.reliability.totals`; it is run for a few candidates only and its time is extrapolated to all of them.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import pandapower as pp
import pandas as pd
from rich.console import Console
from rich.table import Table

from gridplan import network, reliability
from gridplan.applications import placement

DATA = Path(__file__).parents[1] / "data" / "oberrhein"


def bundled() -> reliability.Model:
    """Prepare the bundled study with its loads as in the network."""
    names = ("outage_rates", "restoration", "customers", "switchgear", "customer_classes")
    rates, times, customers, gear, classes = (pd.read_csv(DATA / f"{name}.csv") for name in names)
    net = network.open(DATA / "network.json")
    return reliability.prepare(net, reliability.Outages(rates, times, customers, gear, classes=classes))


def large(buses: int, feeders: int) -> reliability.Model:
    """Prepare a network of many feeders: a breaker each, a switch at both ends of every line, ties between neighbours."""
    random, net = np.random.default_rng(0), pp.create_empty_network()
    pp.create_buses(net, buses + 1, 20.0)
    pp.create_ext_grid(net, 0)
    size = buses // feeders
    start, end = [], []
    for bus in range(1, buses + 1):
        place = (bus - 1) % size
        start.append(0 if place == 0 else bus - 1 - int(random.integers(0, min(place, 3))))
        end.append(bus)
    length = random.uniform(0.2, 1.5, buses)
    pp.create_lines_from_parameters(net, start, end, length, 0.12, 0.11, 300, 0.42)
    last = np.arange(size, buses, size)
    pp.create_lines_from_parameters(net, last, last + size // 2, 0.5, 0.12, 0.11, 300, 0.42)
    pp.create_loads(net, np.arange(1, buses + 1), p_mw=random.uniform(0.005, 0.03, buses), q_mvar=0.005)
    lines = np.arange(buses)
    kinds = ["CB" if bus == 0 else "LBS" for bus in start]
    pp.create_switches(net, start, lines, et="l", type=kinds)
    pp.create_switches(net, end, lines, et="l", type="LBS")
    pp.create_switches(net, last, buses + np.arange(len(last)), et="l", type="LBS", closed=False)
    times = pd.read_csv(DATA / "restoration.csv")
    rates = pd.DataFrame([{"element": "line", "kind": "*", "failures_per_km_yr": 0.05, "repair_h": 4.0}])
    customers = pd.DataFrame({"bus": np.arange(1, buses + 1), "customers": random.integers(1, 60, buses)})
    return reliability.prepare(net, reliability.Outages(rates, times, customers))


def compare(name: str, model: reliability.Model, most: int, trials: int, table: Table) -> None:
    """Add the search on one network to the table, and plain greedy search."""
    small = placement.Search(candidates=tuple(model.net.switch.index[:5]), effort=0)
    placement.curve(model, most=1, search=small)  # compiles
    start = time.perf_counter()
    found = placement.curve(model, most=most, search=placement.Search(effort=0))
    ours = time.perf_counter() - start
    random = np.random.default_rng(1)
    picked = random.choice(model.net.switch.index, trials, replace=False)
    start = time.perf_counter()
    for switch in picked:
        reliability.totals(model, placement.equipped(model, model.outages, (int(switch),)))
    each = (time.perf_counter() - start) / trials
    plain = each * len(model.net.switch) * most
    gained = f"SAIDI {found['saidi_min'].iloc[0]:.1f} to {found['saidi_min'].iloc[-1]:.1f} min/yr"
    table.add_row(f"{name}: {most} of {len(model.net.switch)} switches", f"{ours:.1f}", gained)
    note = f"{trials} evaluations of {1000 * each:.0f} ms; ratio {plain / ours:.0f}"
    table.add_row("the same: plain greedy search, extrapolated", f"{plain:.0f}", note)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--most", type=int, default=10, help="switches to place")
    parser.add_argument("--buses", type=int, default=10_000, help="buses of the large network; 0 leaves it out")
    parser.add_argument("--feeders", type=int, default=50, help="its feeders")
    parser.add_argument("--trials", type=int, default=5, help="evaluations that plain greedy search really runs")
    given = parser.parse_args()
    table = Table("what", "seconds", "note", title="Placement of remote control")
    compare("bundled study", bundled(), given.most, given.trials, table)
    if given.buses:
        compare(f"{given.buses} buses", large(given.buses, given.feeders), given.most, given.trials, table)
    Console().print(table)


if __name__ == "__main__":
    main()
