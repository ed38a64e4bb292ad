"""Speed of hosting capacity: the tutorial study of pandapower, every bus by itself, and a year of quarter-hours.

Run ``python benchmarks/hosting.py``; ``--help`` shows the options. pandapower's loop is run for a few samples only and its
time for the whole study is extrapolated from the power flows it took (the tutorial also builds the network anew for each
sample, which is left out here); gridplan's time is that of the whole call, from the pandapower network to the table.
"""

from __future__ import annotations

import argparse
import statistics
import time
import warnings
from collections.abc import Callable

import numpy as np
import pandapower as pp
import pandapower.networks
import pandas as pd
from rich.console import Console
from rich.table import Table

from gridplan import hosting, powerflow

SAMPLES = 50
LIMITS = hosting.Limits(powerflow.Limits(0.5, 1.04, 50.0, 50.0))


def pandapower_loop(net: pp.pandapowerNet, placements: hosting.Placements, samples: int) -> tuple[float, int, list[float]]:
    """Build the plants of some samples one by one; seconds, power flows and the sums built [MW]."""
    flows, installed, start = 0, [], time.perf_counter()
    for sample in range(samples):
        trial, total, built = pp.pandapowerNet(net), 0.0, 0
        trial.sgen = net.sgen.copy()
        while True:
            pp.runpp(trial)
            flows += 1
            loaded = max(trial.res_line.loading_percent.max(), trial.res_trafo.loading_percent.max())
            if loaded > 50.0 or trial.res_bus.vm_pu.max() > 1.04:
                break
            size = float(placements.size_mw[sample, built])
            pp.create_sgen(trial, placements.bus[sample, built], p_mw=size, q_mvar=0.0)
            total, built = total + size, built + 1
        installed.append(total)
    return time.perf_counter() - start, flows, installed


def timed(work: Callable[[], pd.DataFrame], repeats: int) -> tuple[float, pd.DataFrame]:
    """Median seconds of some calls after a first one that compiles, and the result."""
    work()
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        result = work()
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds), result


def profiles(net: pp.pandapowerNet, steps: int) -> tuple[powerflow.Profiles, np.ndarray]:
    """Smooth daily and yearly shapes with noise: loads, and a plant that follows the sun."""
    hour, random = np.arange(steps) / 4, np.random.default_rng(0)
    sun = np.clip(np.sin((hour % 24 - 6) / 12 * np.pi), 0, None) * random.uniform(0.5, 1.0, steps)
    load = 0.5 + 0.3 * np.sin((hour % 24 - 13) / 12 * np.pi) + 0.05 * random.normal(size=steps)
    rows = [("load", i, "load", "load") for i in net.load.index] + [("sgen", i, "sun", "sun") for i in net.sgen.index]
    elements = pd.DataFrame(rows, columns=["element", "element_id", "shape_p", "shape_q"])
    time_ = pd.date_range("2025-01-01", periods=steps, freq="15min")
    return powerflow.Profiles(time_, pd.DataFrame({"load": load, "sun": sun}), elements), sun


def study(net: pp.pandapowerNet, samples: int, repeats: int, table: Table) -> None:
    """Add the tutorial study to the table, gridplan's and pandapower's."""
    places = pd.DataFrame({"area": "all", "bus": net.load.bus})
    placements = hosting.draw(places, samples=SAMPLES, plants=60, seed=0)
    ours, found = timed(lambda: hosting.stochastic(net, placements, limits=LIMITS), repeats)
    theirs, flows, installed = pandapower_loop(net, placements, samples)
    if not np.allclose(installed, found.installed_mw[:samples]):
        raise SystemExit("pandapower's loop and gridplan disagree")
    needed = int((found.plants + 2).sum())
    whole = theirs / flows * needed
    table.add_row(f"tutorial study, {SAMPLES} samples: gridplan", f"{ours:.3f}", f"{needed} power flows")
    note = f"{samples} samples, {flows} power flows in {theirs:.1f} s; the same sums"
    table.add_row("the same: pandapower's loop, extrapolated", f"{whole:.0f}", f"{note}; ratio {whole / ours:.0f}")
    many = hosting.draw(places, samples=2000, plants=60, seed=0)
    seconds, found = timed(lambda: hosting.stochastic(net, many, limits=LIMITS), 1)
    table.add_row("2 000 samples: gridplan", f"{seconds:.2f}", f"{int((found.plants + 2).sum())} power flows")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--samples", type=int, default=3, help="samples that pandapower's loop really runs")
    parser.add_argument("--repeats", type=int, default=5, help="calls of gridplan whose median is shown")
    parser.add_argument("--buses", type=int, default=20, help="buses judged over the year")
    given = parser.parse_args()
    table = Table("what", "seconds", "note", title="Hosting capacity of mv_oberrhein (179 buses)")
    with warnings.catch_warnings():
        # pandapower's own old network lacks a column that pandapower 3 asks for.
        warnings.filterwarnings("ignore", "tap_dependency_table is missing", DeprecationWarning)
        net = pandapower.networks.mv_oberrhein(scenario="generation")
        study(net, given.samples, given.repeats, table)
    seconds, found = timed(lambda: hosting.capacity(net), given.repeats)
    table.add_row("each of 179 buses by itself to 1 kW", f"{seconds:.2f}", f"median {found.hosting_mw.median():.2f} MW")
    control = hosting.Connection(control=hosting.Control(volt_var="B"))
    seconds, found = timed(lambda: hosting.capacity(net, control), 1)
    table.add_row("the same with volt-var", f"{seconds:.2f}", f"median {found.hosting_mw.median():.2f} MW")
    over_time, sun = profiles(net, 35_040)
    buses, plant = list(net.load.bus[: given.buses]), hosting.Connection(shape=sun)
    seconds, found = timed(lambda: hosting.capacity(net, plant, buses=buses, profiles=over_time), 1)
    table.add_row(
        f"{len(buses)} buses, every one of 35 040 steps", f"{seconds:.1f}", f"median {found.hosting_mw.median():.2f} MW"
    )
    Console().print(table)


if __name__ == "__main__":
    main()
