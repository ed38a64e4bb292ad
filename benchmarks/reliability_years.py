"""Benchmark of drawing years of faults: 650 events in four loading states, against a loop over events and their interruptions."""

from __future__ import annotations

import argparse
import time

import numpy as np
import pandas as pd
from rich.console import Console

from gridplan import valuation
from gridplan.reliability._simulate import Sampling, simulate

CUSTOMERS = 21_000
CLASSES = ("residential", "commercial", "agricultural", "industrial")
STAGES = (("upstream", 0.8), ("transfer", 1.1), ("repair", 5.0))


def model(events: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Events and interruptions of the size of the bundled study."""
    random = np.random.default_rng(0)
    table = pd.DataFrame(
        {"event": range(events), "kind": "fault", "area": "A", "rate_per_yr": random.uniform(0.0005, 0.03, events)}
    )
    keys = [
        (event, state, 0.25, stage, hours, name)
        for event in range(events)
        for state in range(4)
        for stage, hours in STAGES
        for name in CLASSES
    ]
    rows = pd.DataFrame(keys, columns=["event", "state", "weight", "stage", "duration_h", "customer_class"])
    size = len(rows)
    return table, rows.assign(
        customers=random.integers(1, 200, size),
        p_avg_mw=random.uniform(0.01, 0.3, size),
        p_peak_mw=random.uniform(0.1, 0.5, size),
    )


def loop(events: pd.DataFrame, rows: pd.DataFrame, years: int) -> float:
    """Mean SAIDI [min] of years drawn one event after the other."""
    random = np.random.default_rng(0)
    parts = {key: list(part.itertuples()) for key, part in rows.groupby(["event", "state"])}
    total = 0.0
    for _ in range(years):
        for event, rate in zip(events["event"], events["rate_per_yr"], strict=True):
            for _ in range(random.poisson(rate)):
                factor = random.exponential()
                for row in parts[event, int(4 * random.random())]:
                    total += 60 * row.customers * row.duration_h * (factor if row.stage == "repair" else 1.0)
    return total / CUSTOMERS / years


def main() -> None:
    """Print both times for as many years."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=650)
    parser.add_argument("--years", type=int, default=10_000)
    parser.add_argument("--loop-years", type=int, default=200)
    given = parser.parse_args()
    events, rows = model(given.events)
    costs = valuation.cost_set(valuation.bundled(), "Norway CENS 2017, mean of the year")
    start = time.perf_counter()
    years = simulate(events, rows, CUSTOMERS, costs=costs, sampling=Sampling(given.years))
    ours = time.perf_counter() - start
    start = time.perf_counter()
    mean = loop(events, rows, given.loop_years)
    theirs = (time.perf_counter() - start) * given.years / given.loop_years
    found = years.summary().set_index("quantity").loc["saidi_min", "mean"]
    Console().print(
        f"{given.years} years of {given.events} events: {ours:.3f} s with cost; a loop without cost {theirs:.1f} s "
        f"(from {given.loop_years} years): {theirs / ours:.0f} times faster. Mean SAIDI {found:.1f} and {mean:.1f} min."
    )


if __name__ == "__main__":
    main()
