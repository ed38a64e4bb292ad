"""How near to the best the roadmap gets, and how soon: random portfolios, with budgets strict by year or carried over.

Run ``python benchmarks/roadmap.py``; ``--help`` shows the options. In each area every application needs a project of its own and
three of the 20 to 25 shared platform projects, four of ten of which wait for another. A platform costs 300 to 1500 kEUR and is
spent over one year more than a project of an area (40 to 250 kEUR), since no utility builds one within a year: a platform takes
at most 55 % of the mean budget of a year with ten areas, 30 % with thirty. Budgets are 60 % of the cost of everything. The
benefit of a set of applications is less than the sum of its parts. Nothing is measured on a utility; all numbers are drawn. The
generator takes a seed, so that anyone can make the same portfolios.

The wall time is what the limit holds for. Processor seconds say what the search took on a machine with other work.
"""

from __future__ import annotations

import argparse
import itertools
import time

import numpy as np
import pandas as pd
from rich.console import Console
from rich.table import Table

from gridplan import roadmap

GROUPS = {"restoration": "abcd", "voltage": "efg", "flexibility": "hij"}
FIRST = 2026


def portfolio(areas: int, platforms: int, years: int, *, seed: int, spend_years: tuple[int, ...], funded: float = 0.6) -> dict:
    """Make the tables of a random portfolio: `areas` times ten projects, and `platforms` that they share.

    Parameters
    ----------
    areas, platforms, years
        Size.
    seed
        Seed of everything random.
    spend_years
        Durations of the projects of areas to draw from [yr], platforms take one year more; the cost is spent evenly over them.
    funded
        Budgets of all years as a share of the cost of all projects, spread evenly over the years and varied by a fifth.
    """
    random = np.random.default_rng(seed)
    shared = [f"platform {number:02d}" for number in range(platforms)]
    own = [f"{name} in area {area:02d}" for area in range(areas) for name in "abcdefghij"]
    count = len(shared) + len(own)
    cost = np.r_[random.uniform(300, 1500, platforms), random.uniform(40, 250, len(own))].round()
    duration = random.choice(spend_years, count) + np.r_[np.ones(platforms), np.zeros(len(own))]
    after = [f"platform {random.integers(0, n):02d}" if n and random.random() < 0.4 else "" for n in range(platforms)]
    projects = pd.DataFrame(
        {
            "project": [*shared, *own],
            "label": [*shared, *own],
            "workstream": ["platforms"] * platforms + ["field"] * len(own),
            "state": "target",
            "capex_keur": cost,
            "opex_keur_per_yr": (cost * 0.03).round(1),
            "duration_yr": duration,
            "after": [*after, *[""] * len(own)],
            "fund": "grid",
            "source": "random",
            "evidence": "M",
        }
    )
    needs = {name: random.choice(shared, 3, replace=False) for name in "abcdefghij"}
    gaps = [
        ("system", f"{name} {number}", f"area {area:02d}", name, 1, project)
        for area in range(areas)
        for name in "abcdefghij"
        for number, project in enumerate([f"{name} in area {area:02d}", *needs[name]])
    ]
    budget = cost.sum() * funded / years * random.uniform(0.8, 1.2, years)
    return {
        "projects": projects,
        "closures": pd.DataFrame(gaps, columns=["kind", "item", "area", "application", "way", "project"]),
        "benefits": pd.concat([_benefits(area, years, random) for area in range(areas)], ignore_index=True),
        "budgets": pd.DataFrame(
            {
                "year": FIRST + np.arange(years),
                "fund": "grid",
                "kind": "capex",
                "budget_keur": budget.round(),
                "source": "random",
                "evidence": "M",
            }
        ),
    }


def _benefits(area: int, years: int, random: np.random.Generator) -> pd.DataFrame:
    """Return the benefits of an area: of a set the sum of its parts to the power of 0.8, growing by 2 % a year."""
    rows = []
    size = random.uniform(0.4, 1.6)
    for group, names in GROUPS.items():
        alone = dict(zip(names, random.uniform(30, 180, len(names)) * size, strict=True))
        for number in range(len(names) + 1):
            for chosen in itertools.combinations(names, number):
                parts = sorted((alone[name] for name in chosen), reverse=True)
                value = sum(part * 0.85**place for place, part in enumerate(parts))
                rows += [
                    (f"area {area:02d}", group, "+".join(chosen) or "none", FIRST + t, value * 1.02**t) for t in range(years)
                ]
    return pd.DataFrame(rows, columns=["area", "group", "option", "year", "benefit_keur"])


def measure(
    areas: int, platforms: int, *, seed: int, spend_years: tuple[int, ...], carry_over: bool, seconds: float
) -> list[str]:
    """Solve one portfolio and return a row of the table."""
    tables = portfolio(areas, platforms, 15, seed=seed, spend_years=spend_years)
    choices = roadmap.Choices(FIRST, FIRST + 14, 5.0, carry_over=carry_over, gap_percent=1.0, time_limit_s=seconds)
    wall, processor = time.perf_counter(), time.process_time()
    found = roadmap.solve(roadmap.portfolio(tables), choices)
    wall, processor = time.perf_counter() - wall, time.process_time() - processor
    simple = found.compared.iloc[1:]["value"].max()
    kind = "carried over" if carry_over else "strict"
    size = f"{areas} areas, {len(tables['projects'])} projects"
    years = "1" if spend_years == (1,) else "1 or 2"
    values = [f"{found.value:,.0f}", f"{found.bound:,.0f}", f"{found.gap_percent:.1f}", f"{100 * simple / found.value:.0f}"]
    return [size, kind, years, str(seed), *values, f"{wall:.0f}", f"{processor:.0f}"]


def main() -> None:
    """Measure the sizes asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--areas", type=int, nargs="+", default=[10, 30], help="numbers of areas")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2], help="seeds of the portfolios")
    parser.add_argument("--seconds", type=float, nargs="+", default=[60, 120], help="time limit for each number of areas [s]")
    given = parser.parse_args()
    table = Table(title="Roadmap, 15 years")
    for head in (
        "size",
        "budgets",
        "spend [yr]",
        "seed",
        "value",
        "bound",
        "gap [%]",
        "best rule [%]",
        "wall [s]",
        "processor [s]",
    ):
        table.add_column(head, justify="right")
    for areas, seconds in zip(given.areas, given.seconds, strict=True):
        for seed in given.seeds:
            for spend_years, carry_over in (((1, 2), False), ((1,), False), ((1, 2), True)):
                platforms = 20 if areas <= 10 else 25
                options = {"seed": seed, "spend_years": spend_years, "carry_over": carry_over, "seconds": seconds}
                table.add_row(*measure(areas, platforms, **options))
    Console(width=130).print(table)


if __name__ == "__main__":
    main()
