"""How near to the best the roadmap gets, and how soon: random portfolios of three sizes, with budgets strict by year or carried over.

Run ``python benchmarks/roadmap.py``; ``--help`` shows the options. In each area every application needs a project of its own and
three of the 20 to 25 shared platform projects; costs are spent over one or two years; the benefit of a set of applications is
less than the sum of its parts. The generator takes a seed, so that anyone can make the same portfolios.
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
        Durations to draw from [yr]; the cost is spent evenly over them.
    funded
        Budgets of all years as a share of the cost of all projects, spread evenly over the years and varied by a fifth.
    """
    random = np.random.default_rng(seed)
    shared = [f"platform {number:02d}" for number in range(platforms)]
    own = [f"{name} in area {area:02d}" for area in range(areas) for name in "abcdefghij"]
    count = len(shared) + len(own)
    cost = np.r_[random.uniform(300, 1500, platforms), random.uniform(40, 250, len(own))].round()
    after = [f"platform {random.integers(0, n):02d}" if n and random.random() < 0.4 else "" for n in range(platforms)]
    projects = pd.DataFrame(
        {
            "project": [*shared, *own],
            "label": [*shared, *own],
            "workstream": ["platforms"] * platforms + ["field"] * len(own),
            "state": "target",
            "capex_keur": cost,
            "opex_keur_per_yr": (cost * 0.03).round(1),
            "duration_yr": random.choice(spend_years, count).astype(float),
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
