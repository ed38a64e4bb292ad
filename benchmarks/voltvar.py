"""Volt-var optimisation of a year: every position that matters, against pandapower's runpp for the same power flows.

    python benchmarks/voltvar.py [every]

`every` is the number of quarter-hours between two steps (4: hours).
"""

from __future__ import annotations

import sys
import time

import numpy as np
import pandapower as pp
import pandas as pd

import gridplan
from gridplan import futures, hosting, network, powerflow
from gridplan.applications import OperatingCase, run, voltvar
from gridplan.applications.voltvar._table import Table


def seconds(function):
    """Run twice, so that nothing is compiled in the second run, and time that."""
    function()
    start = time.perf_counter()
    result = function()
    return time.perf_counter() - start, result


def main(every: int = 4) -> None:
    """Print seconds and the ratio to pandapower."""
    study = gridplan.read_study("data/oberrhein")
    net = network.open(study.network)
    profiles = futures.profiles(study, net)
    at = np.arange(0, len(profiles.time), every)
    profiles = powerflow.Profiles(profiles.time[at], profiles.shapes.iloc[at], profiles.elements)
    case = OperatingCase(net, profiles, network.areas(net))
    case = voltvar.with_load_models(case, study.table("customers"), study.table("customer_classes"))
    rows = {}
    rows["optimise"], found = seconds(lambda: voltvar.optimise(case))
    rows["regulate"], _ = seconds(lambda: voltvar.regulate(case))
    rows["run of the schedule"], _ = seconds(lambda: run(found.case, keep="statistics"))
    rows["summary of two cases"], _ = seconds(lambda: voltvar.summary(found.case, case))
    rows["inverters"], _ = seconds(lambda: voltvar.inverters(case))
    wanted = voltvar.Settings(inverters=hosting.Control(volt_var="B", volt_watt="B"))
    rows["four options"], _ = seconds(lambda: voltvar.options(case, wanted))
    table = Table(case, voltvar.Settings())
    for _ in range(5):
        table.solve([zone.window(0.96, 1.04) for zone in table.zones])
    flows = max(int(zone.solved.sum()) for zone in table.zones)
    one = pd.Series([_runpp(case.net) for _ in range(5)]).median()
    print(f"{len(at)} steps, {len(case.net.bus)} buses; {flows} power flows solved for the optimisation")
    for name, value in rows.items():
        print(f"{name:24s} {value:8.2f} s")
    print(f"pandapower runpp for these flows {one * flows:8.0f} s: {one * flows / rows['optimise']:.0f} times")


def _runpp(net) -> float:
    start = time.perf_counter()
    pp.runpp(net)
    return time.perf_counter() - start


if __name__ == "__main__":
    main(*(int(word) for word in sys.argv[1:]))
