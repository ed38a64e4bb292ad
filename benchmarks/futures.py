"""Speed of the scenarios of the bundled study: ten years x three scenarios x 35 040 steps, with the power flows.

Run ``python benchmarks/futures.py``; ``--help`` shows the options. The clock runs from the study as read to the statistics of
the last power flow; a first case that is not counted compiles the kernels.
"""

from __future__ import annotations

import argparse
import resource
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

from gridplan import futures, network, powerflow
from gridplan.study import read_study

LIMITS = powerflow.Limits()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--study", default=str(Path(__file__).parents[1] / "data" / "oberrhein"))
    parser.add_argument("--years", type=int, default=10, help="years before the horizon of each scenario")
    chosen = parser.parse_args()
    study = read_study(chosen.study)
    net = network.open(study.network)
    names = list(study.table("scenarios")["scenario"])
    last = int(study.table("scenarios")["horizon_year"].min())
    years = range(last - chosen.years + 1, last + 1)
    first = futures.case(study, net, names[0], last)
    powerflow.run(first.net, first.profiles, keep="statistics", limits=LIMITS)

    table = Table("scenario", "year", "new elements", "case [s]", "power flow [s]", "not converged", title="Futures")
    begin = before = time.perf_counter()
    building = 0.0
    for case in futures.cases(study, net, names, years=years):
        built = time.perf_counter()
        result = powerflow.run(case.net, case.profiles, keep="statistics", limits=LIMITS)
        now = time.perf_counter()
        row = (len(case.added), f"{built - before:.2f}", f"{now - built:.2f}", int((~result.converged).sum()))
        table.add_row(case.scenario, str(case.year), *(str(cell) for cell in row))
        building += built - before
        before = now
    total = time.perf_counter() - begin
    console = Console()
    console.print(table)
    steps = len(case.profiles.time)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    console.print(
        f"{len(names)} scenarios x {len(years)} years x {steps} steps: {total:.1f} s, of which {building:.1f} s for the cases"
    )
    console.print(f"highest memory {peak:.0f} MB")


if __name__ == "__main__":
    main()
