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


def every_plan(tables, picked):
    """Yield every plan that keeps the rules, as project -> start year; from the tables alone."""
    table = tables["projects"].set_index("project")
    last = picked.last_year
    windows = {}
    for name, row in table.iterrows():
        years = [y for y in range(picked.first_year, last + 1) if y + math.ceil(row["duration_yr"]) <= last]
        if "earliest_year" in row and not pd.isna(row["earliest_year"]):
            years = [y for y in years if y >= row["earliest_year"]]
        if "latest_year" in row and not pd.isna(row["latest_year"]):
            years = [y for y in years if y <= row["latest_year"]]
        windows[name] = years if row.get("mandatory", False) is True else [None, *years]
    for starts in itertools.product(*windows.values()):
        plan = {name: year for name, year in zip(windows, starts, strict=True) if year is not None}
        if allowed(tables, plan, picked, table):
            yield plan


def allowed(tables, plan, picked, table):
    links = {(p, q): ("start", 0.0) for p, row in table.iterrows() for q in row["after"].split("|") if q}
    for row in tables.get("dependencies", pd.DataFrame()).itertuples():
        links[row.project, row.after] = (row.waits, row.lag_yr)
    for (p, q), (waits, lag) in links.items():
        if p not in plan:
            continue
        if q not in plan:
            return False
        if waits == "start" and plan[p] < plan[q] + table["duration_yr"][q] + lag - 1e-9:
            return False
        if waits == "delivery" and service(plan, p, table) < service(plan, q, table) + lag - 1e-9:
            return False
    for _, part in tables.get("exclusions", pd.DataFrame({"set": [], "project": []})).groupby("set"):
        if sum(p in plan for p in part["project"]) > 1:
            return False
    years = range(picked.first_year, picked.last_year + 1)
    left = 0.0
    for year in years:
        budget = tables["budgets"].set_index("year")["budget_keur"].get(year, 0.0) + (left if picked.carry_over else 0.0)
        spent = sum(capital(plan[p], table.loc[p], picked).get(year, 0.0) for p in plan)
        if spent > budget + 1e-9:
            return False
        left = budget - spent
        people = tables.get("staff_limits")
        if people is not None:
            need = sum(row.fte for row in tables["staff"].itertuples() if row.project in plan and busy(plan, row.project, year, table))
            if need > people.set_index("year")["fte"].get(year, 0.0) + 1e-9:
                return False
    return True


def busy(plan, p, year, table):
    return plan[p] <= year < plan[p] + max(math.ceil(table["duration_yr"][p]), 1)


def service(plan, p, table):
    return plan[p] + math.ceil(table["duration_yr"][p])


def capital(start, row, picked):
    """Capital cost by year: even over the duration, and again when the life is over."""
    found = {}
    duration = max(row["duration_yr"], 1.0)
    while True:
        for n in range(math.ceil(duration)):
            share = min(duration - n, 1.0) / duration
            found[start + n] = found.get(start + n, 0.0) + row["capex_keur"] * share
        life = row.get("lifetime_yr", math.nan)
        if pd.isna(life) or start + math.ceil(row["duration_yr"]) + life > picked.last_year:
            return found
        start += int(life)


def net_present_value(tables, plan, picked):
    table = tables["projects"].set_index("project")
    years = range(picked.first_year, picked.last_year + 1)
    factor = {year: (1 + picked.discount_percent / 100) ** (picked.first_year - year) for year in years}
    total = 0.0
    for p, start in plan.items():
        row = table.loc[p]
        total -= sum(amount * factor[year] for year, amount in capital(start, row, picked).items() if year in factor)
        total -= sum(row["opex_keur_per_yr"] * factor[year] for year in years if year >= service(plan, p, table))
        life = row.get("lifetime_yr", math.nan)
        if not pd.isna(life):
            begun = service(plan, p, table)
            while begun + life <= picked.last_year:
                begun += life
            total += row["capex_keur"] * (begun + life - picked.last_year - 1) / life * factor[picked.last_year]
    return total + sum(factor[year] * best_options(tables, plan, year, table) for year in years)


def best_options(tables, plan, year, table):
    rows = tables["benefits"][tables["benefits"]["year"] == year]
    return sum(
        max(row.benefit_keur for row in part.itertuples() if runs(tables, plan, row, year, table))
        for _, part in rows.groupby(["area", "group"])
    )


def runs(tables, plan, row, year, table):
    """Whether every application of an option has every need met by one of its ways."""
    gaps = tables["closures"]
    for application in [] if row.option == "none" else row.option.split("+"):
        own = gaps[(gaps["application"] == application) & gaps["area"].isin([row.area, ""])]
        for _, need in own.groupby(["kind", "item", "area"]):
            ways = [way["project"] for number, way in need.groupby("way") if number > 0]
            if not any(all(p in plan and service(plan, p, table) <= year for p in way) for way in ways):
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


@settings(max_examples=40, deadline=None, derandomize=True, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
@given(problems())
def test_agrees_with_enumeration(problem):
    tables, picked = problem
    best = max((net_present_value(tables, plan, picked) for plan in every_plan(tables, picked)), default=None)
    found = roadmap.solve(roadmap.portfolio(tables), picked)
    if best is None:
        assert found.status == "infeasible"
        assert len(found.relaxations) > 0
        return
    plan = found.schedule.set_index("project")["start_year"].to_dict()
    assert allowed(tables, plan, picked, tables["projects"].set_index("project"))
    assert found.value == pytest.approx(best, abs=1e-5)
    assert net_present_value(tables, plan, picked) == pytest.approx(best, abs=1e-5)
    assert found.money["discounted_net_keur"].sum() == pytest.approx(best, abs=1e-5)
    assert found.bound >= best - 1e-5
    assert (found.compared["value"] <= best + 1e-5)[~found.compared["remark"].str.contains("breaks")].all()
