"""The roadmap against enumeration of every plan, against published optima, and on problems without a sensible answer."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from gridplan import roadmap
from gridplan.errors import ParameterError, StudyError

CASES = Path(__file__).parent / "cases"
MARKS = {"source": "test", "evidence": "M"}
FIRST = 2030


def projects(names, **columns):
    """Make a table of projects; columns that are not given have plain values."""
    names = list(names)
    plain = {
        "label": names,
        "workstream": "w",
        "state": "target",
        "capex_keur": 10.0,
        "opex_keur_per_yr": 0.0,
        "duration_yr": 1.0,
        "after": "",
        "fund": "grid",
    }
    return pd.DataFrame({"project": names, **plain, **columns, **MARKS})


def budgets(amounts, fund="grid", kind="capex"):
    years = [FIRST + t for t in range(len(amounts))]
    return pd.DataFrame({"year": years, "fund": fund, "kind": kind, "budget_keur": [float(a) for a in amounts], **MARKS})


def benefits(values, area="a", group="voltage"):
    """Make benefits of one area and group from option -> benefit by year, or one for all years."""
    rows = []
    for option, value in {"none": 0.0, **values}.items():
        series = value if isinstance(value, list) else [value]
        rows += [(area, group, option, FIRST + t, float(v)) for t, v in enumerate(series)]
    return pd.DataFrame(rows, columns=["area", "group", "option", "year", "benefit_keur"])


def closures(*rows):
    """Make closures from (application, item, way, project); area a."""
    return pd.DataFrame(
        [("system", item, "a", application, way, project) for application, item, way, project in rows],
        columns=["kind", "item", "area", "application", "way", "project"],
    )


def choices(years=4, **more):
    return roadmap.Choices(FIRST, FIRST + years - 1, more.pop("discount_percent", 5.0), **{"gap_percent": 0.0, **more})


# ---------------------------------------------------------------------------------------------- enumeration, written apart


class Enumerated:
    """Every plan of a small problem, judged from its tables alone."""

    def __init__(self, tables, picked):
        self.picked, self.last = picked, picked.last_year
        self.years = range(picked.first_year, self.last + 1)
        self.factor = {year: (1 + picked.discount_percent / 100) ** (picked.first_year - year) for year in self.years}
        self.projects = tables["projects"].set_index("project").to_dict("index")
        self.links = {(p, q): ("start", 0.0) for p, row in self.projects.items() for q in row["after"].split("|") if q}
        for row in tables.get("dependencies", pd.DataFrame()).itertuples():
            self.links[row.project, row.after] = (row.waits, row.lag_yr)
        sets = tables.get("exclusions", pd.DataFrame({"set": [], "project": []}))
        self.sets = [list(part["project"]) for _, part in sets.groupby("set")]
        self.budget = tables["budgets"].set_index("year")["budget_keur"].to_dict()
        self.fte = tables["staff"].set_index("project")["fte"].to_dict() if "staff" in tables else {}
        self.people = tables["staff_limits"].set_index("year")["fte"].to_dict() if "staff_limits" in tables else None
        self.needs = {}
        for (_, _, area, application), need in tables["closures"].groupby(["kind", "item", "area", "application"]):
            ways = [list(way["project"]) for number, way in need.groupby("way") if number > 0]
            self.needs.setdefault(application, []).append((area, ways))
        self.worth = {}
        for row in tables["benefits"].itertuples():
            self.worth.setdefault((row.area, row.group, row.year), []).append((row.option, row.benefit_keur))

    def plans(self):
        """Yield every plan that keeps the rules, as project -> start year."""
        windows = {}
        for name, row in self.projects.items():
            low, high = row.get("earliest_year"), row.get("latest_year")
            low, high = (0 if low is None or pd.isna(low) else low), (9999 if high is None or pd.isna(high) else high)
            years = [y for y in self.years if low <= y <= high and y + math.ceil(row["duration_yr"]) <= self.last]
            windows[name] = years if row.get("mandatory", False) else [None, *years]
        for starts in itertools.product(*windows.values()):
            plan = {name: year for name, year in zip(windows, starts, strict=True) if year is not None}
            if self.allowed(plan):
                yield plan

    def service(self, plan, p):
        return plan[p] + math.ceil(self.projects[p]["duration_yr"])

    def allowed(self, plan):
        for (p, q), (waits, lag) in self.links.items():
            if p in plan and q not in plan:
                return False
            if p in plan and waits == "start" and plan[p] < plan[q] + self.projects[q]["duration_yr"] + lag - 1e-9:
                return False
            if p in plan and waits == "delivery" and self.service(plan, p) < self.service(plan, q) + lag - 1e-9:
                return False
        if any(sum(p in plan for p in members) > 1 for members in self.sets):
            return False
        left = 0.0
        for year in self.years:
            budget = self.budget.get(year, 0.0) + (left if self.picked.carry_over else 0.0)
            spent = sum(self.capital(p, plan[p]).get(year, 0.0) for p in plan)
            busy = [p for p in plan if plan[p] <= year < plan[p] + max(math.ceil(self.projects[p]["duration_yr"]), 1)]
            if spent > budget + 1e-9 or (self.people and sum(self.fte[p] for p in busy) > self.people[year] + 1e-9):
                return False
            left = budget - spent
        return True

    def capital(self, p, start):
        """Capital cost by year: even over the duration, and again when the life is over."""
        row, found = self.projects[p], {}
        duration, life = max(row["duration_yr"], 1.0), row.get("lifetime_yr", math.nan)
        while True:
            for n in range(math.ceil(duration)):
                found[start + n] = found.get(start + n, 0.0) + row["capex_keur"] * min(duration - n, 1.0) / duration
            if pd.isna(life) or start + math.ceil(row["duration_yr"]) + life > self.last:
                return found
            start += int(life)

    def value(self, plan):
        """Net present value of a plan with the best options that it lets run."""
        total = 0.0
        for p, start in plan.items():
            row, life = self.projects[p], self.projects[p].get("lifetime_yr", math.nan)
            begun = self.service(plan, p)
            total -= sum(amount * self.factor.get(year, 0.0) for year, amount in self.capital(p, start).items())
            total -= sum(row["opex_keur_per_yr"] * self.factor[year] for year in self.years if year >= begun)
            if not pd.isna(life):
                while begun + life <= self.last:
                    begun += life
                total += row["capex_keur"] * (begun + life - self.last - 1) / life * self.factor[self.last]
        for (area, _, year), options in self.worth.items():
            total += self.factor[year] * max(v for option, v in options if self.runs(plan, option, area, year))
        return total

    def runs(self, plan, option, area, year):
        """Whether every application of an option has every need met by one of its ways."""
        for application in [] if option == "none" else option.split("+"):
            for where, ways in self.needs.get(application, []):
                met = any(all(p in plan and self.service(plan, p) <= year for p in way) for way in ways)
                if where in (area, "") and not met:
                    return False
        return True


@st.composite
def problems(draw):
    """Draw a small problem: four projects, three or four years, two areas."""
    count, years = 4, draw(st.integers(3, 4))
    names = [f"p{n}" for n in range(count)]
    some = lambda values: draw(st.lists(st.sampled_from(values), min_size=count, max_size=count))  # noqa: E731
    before = [draw(st.sampled_from(["", *names[:n]])) for n in range(count)]
    table = projects(
        names,
        capex_keur=[float(v) for v in some([10, 20, 30, 50])],
        opex_keur_per_yr=[float(v) for v in some([0, 1, 2])],
        duration_yr=some([0.0, 0.5, 1.0, 1.5]),
        after=before,
        lifetime_yr=[float(v) for v in some([1, 2, 10])],
        mandatory=[draw(st.integers(0, 9)) == 0 for _ in names],
        earliest_year=[draw(st.sampled_from([None, FIRST + 1])) for _ in names],
    )
    links = [(p, q, "data", draw(st.sampled_from(["start", "delivery"])), draw(st.sampled_from([0.0, 0.5, 1.0])))
             for p, q in zip(names, before, strict=True) if q and draw(st.booleans())]  # fmt: skip
    gaps = [
        ("system", f"need {need}", draw(st.sampled_from(["", "a", "b"])), application, way, project)
        for application in "AB"
        for need in range(draw(st.integers(1, 2)))
        for way in range(1, draw(st.integers(1, 2)) + 1)
        for project in draw(st.sets(st.sampled_from(names), min_size=1, max_size=2))
    ]
    worth = [(area, "voltage", option, FIRST + t, float(draw(st.integers(0, 60))) if option != "none" else 0.0)
             for area in "ab" for option in ("none", "A", "B", "A+B") for t in range(years)]  # fmt: skip
    found = {
        "projects": table,
        "dependencies": pd.DataFrame(links, columns=["project", "after", "type", "waits", "lag_yr"]).assign(**MARKS),
        "closures": pd.DataFrame(gaps, columns=["kind", "item", "area", "application", "way", "project"]),
        "benefits": pd.DataFrame(worth, columns=["area", "group", "option", "year", "benefit_keur"]),
        "budgets": budgets(draw(st.lists(st.integers(1, 7).map(lambda v: v * 10), min_size=years, max_size=years))),
        "staff": pd.DataFrame({"project": names, "skill": "it", "fte": [1.0, 2.0, 1.0, 2.0], **MARKS}),
        "staff_limits": pd.DataFrame({"year": [FIRST + t for t in range(years)], "skill": "it", "fte": 3.0, **MARKS}),
    }
    if draw(st.booleans()):
        found["exclusions"] = pd.DataFrame({"set": "either", "project": draw(st.sampled_from([["p0", "p1"], ["p2", "p3"]]))})
    return found, choices(years, carry_over=draw(st.booleans()))


@settings(max_examples=25, deadline=None, derandomize=True, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
@given(problems())
def test_agrees_with_enumeration(problem):
    tables, picked = problem
    every = Enumerated(tables, picked)
    best = max((every.value(plan) for plan in every.plans()), default=None)
    found = roadmap.solve(roadmap.portfolio(tables), picked)
    if best is None:
        assert found.status == "infeasible"
        assert len(found.relaxations) > 0
        return
    plan = found.schedule.set_index("project")["start_year"].to_dict()
    assert every.allowed(plan)
    assert found.value == pytest.approx(best, abs=1e-5)
    assert every.value(plan) == pytest.approx(best, abs=1e-5)
    assert found.money["discounted_net_keur"].sum() == pytest.approx(best, abs=1e-5)
    assert found.bound >= best - 1e-5
    assert (found.compared["value"] <= best + 1e-5)[~found.compared["remark"].str.contains("breaks")].all()
