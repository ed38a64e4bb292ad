"""The roadmap against enumeration of every plan, against published optima, and on problems without a sensible answer."""

from __future__ import annotations

import importlib.util
import itertools
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from roadmap_steps import Steps

from gridplan import figures, gaps, roadmap
from gridplan.errors import ParameterError, StudyError
from gridplan.roadmap import _plan, _solve
from gridplan.roadmap._branch import search
from gridplan.roadmap._model import build
from gridplan.roadmap._objective import weights
from gridplan.roadmap._program import write
from gridplan.roadmap._rents import Dual, descend, first_dual, living, terms
from gridplan.roadmap._states import states
from gridplan.study import read_study

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
                after = self.factor[self.last] / (1 + self.picked.discount_percent / 100)  # taken over in the year after the last
                total += row["capex_keur"] * (begun + life - self.last - 1) / life * after
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
@pytest.mark.parametrize("large", [0, _solve.LARGE], ids=["search over states", "solver alone"])
def test_agrees_with_enumeration(large, problem):
    tables, picked = problem
    every = Enumerated(tables, picked)
    best = max((every.value(plan) for plan in every.plans()), default=None)
    plain = Steps(tables, picked).solve(seconds=60.0, gap=0.0)
    assert best is None if plain is None else plain[0] == pytest.approx(best, abs=1e-4)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_solve, "LARGE", large)
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


def with_best(problem):
    """Return the value of the best plan by enumeration, the model, its objective and its states."""
    tables, picked = problem
    every = Enumerated(tables, picked)
    best = max((every.value(plan) for plan in every.plans()), default=None)
    model = build(roadmap.portfolio(tables), picked)
    return best, model, weights(model, "npv"), states(model)


@settings(max_examples=25, deadline=None, derandomize=True, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
@given(problems())
def test_the_search_over_states_agrees_with_enumeration(problem):
    best, model, weight, shared = with_best(problem)
    if best is None or shared is None:
        return
    plan, bound = search(shared, weight, best - 1.0, seconds=60.0)
    assert bound == pytest.approx(best, abs=1e-4)
    starts, options = plan
    assert _plan.broken(model, starts) == []
    assert _plan.value(model, starts, options, weight) == pytest.approx(best, abs=1e-5)
    nothing, bound = search(shared, weight, best, seconds=60.0)
    assert nothing is None
    assert bound == pytest.approx(best, abs=1e-4)


@settings(max_examples=60, deadline=None, derandomize=True, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
@given(problems(), st.integers(0, 1000))
def test_no_prices_bring_the_bound_below_the_best_plan(problem, seed):
    best, model, weight, shared = with_best(problem)
    if best is None or shared is None:
        return
    program, random = write(model, whole_options=False), np.random.default_rng(seed)
    flat, dual = terms(shared, weight), first_dual(shared, weight, program, np.zeros(len(program.row_low)))
    prices = random.exponential(random.choice([0.1, 1.0, 10.0]), len(flat.side)) * flat.scale[:-1]
    caps = dual.caps * random.uniform(0.0, 2.0, dual.caps.shape)
    for tries in (1, 30):
        bound, _, through = descend(Dual(prices, caps), living(shared.affordable), flat, best - 1.0, (tries, 3, 1.0))
        assert bound >= best - 1e-6
        assert through.max() >= best - 1e-6


def generated(**size):
    """Make a random portfolio with the generator of the benchmark."""
    path = Path(__file__).parents[1] / "benchmarks" / "roadmap.py"
    spec = importlib.util.spec_from_file_location("benchmark", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.portfolio(**size)


def test_a_generated_portfolio_is_solved_better_than_by_rule_and_the_same_each_time(monkeypatch):
    given = roadmap.portfolio(generated(areas=6, platforms=8, years=9, seed=11, spend_years=(1, 2)))
    picked = roadmap.Choices(2026, 2034, 5.0, gap_percent=3.0, time_limit_s=60.0)
    alone = roadmap.solve(given, replace(picked, time_limit_s=4.0))
    monkeypatch.setattr(_solve, "LARGE", 0)
    found, again = roadmap.solve(given, picked), roadmap.solve(given, picked)
    assert found.status == "optimal"
    assert found.value > found.compared["value"].iloc[1:].max()
    assert found.bound >= alone.value - 1e-6
    assert alone.bound >= found.value - 1e-6
    assert found.spend["used"].le(found.spend["allowed"] + 1e-6).all()
    pd.testing.assert_frame_equal(found.schedule, again.schedule)


def test_a_portfolio_in_which_nothing_pays_is_proved_to_be_empty(monkeypatch):
    monkeypatch.setattr(_solve, "LARGE", 0)
    given = roadmap.portfolio(generated(areas=3, platforms=8, years=8, seed=10, spend_years=(1, 2)))
    found = roadmap.solve(given, roadmap.Choices(2026, 2033, 5.0, gap_percent=1.0))
    assert (found.status, found.value, found.gap_percent, len(found.schedule)) == ("optimal", 0.0, 0.0, 0)


# ---------------------------------------------------------------------------------------------- published optima


def petersen(problem):
    """Make a roadmap of one year from a knapsack problem: a score for the value, a skill for each resource."""
    case = CASES / "petersen_rd_projects"
    table = pd.read_csv(case / "projects.csv").query("problem == @problem")
    limits = pd.read_csv(case / "limits.csv").set_index("problem")["limits"][problem].split("|")
    names = [f"project {n:02d}" for n in table["project"]]
    use = np.array([[float(v) for v in cell.split("|")] for cell in table["resources"]])
    people = [(name, f"resource {i}", fte) for name, row in zip(names, use, strict=True) for i, fte in enumerate(row) if fte > 0]
    amounts = np.array([float(v) for v in limits])
    return {
        "projects": projects(names, duration_yr=0.0, capex_keur=(use / amounts).sum(axis=1)),
        "scores": pd.DataFrame({"project": names, "score": table["value"].to_numpy()}),
        "staff": pd.DataFrame(people, columns=["project", "skill", "fte"]).assign(**MARKS),
        "staff_limits": pd.DataFrame(
            {"year": FIRST, "skill": [f"resource {i}" for i in range(len(amounts))], "fte": amounts, **MARKS}
        ),
    }


@pytest.mark.parametrize("problem", range(1, 8))
def test_petersen(problem):
    expected = pd.read_csv(CASES / "petersen_rd_projects" / "expected.csv").set_index("problem").loc[problem]
    found = roadmap.solve(roadmap.portfolio(petersen(problem)), choices(1, objective="score"))
    assert found.value == pytest.approx(expected["optimum"], rel=1e-6)
    assert found.status == "optimal"
    greedy = found.compared.set_index("plan")["value"]
    if not np.isnan(expected["greedy"]):
        assert greedy["value per cost"] == pytest.approx(expected["greedy"], rel=1e-6)
    assert (greedy <= expected["optimum"] + 1e-6).all()


# ---------------------------------------------------------------------------------------------- objectives, targets, ties


def simple(**more):
    """Two applications in one area, each closed by one project."""
    return {
        "projects": projects(["p", "q"], capex_keur=[10.0, 20.0]),
        "closures": closures(("A", "x", 1, "p"), ("B", "y", 1, "q")),
        "benefits": benefits({"A": 20.0, "B": 30.0, "A+B": 45.0}),
        "budgets": budgets([30, 30, 30, 30]),
        **more,
    }


def minutes(values):
    """Make contributions to the KPI `minutes` by option."""
    rows = [("a", "voltage", option, FIRST, value) for option, value in values.items()]
    return pd.DataFrame(rows, columns=["area", "group", "option", "year", "minutes"])


def target(sense, value, year=FIRST + 2):
    return pd.DataFrame([{"kpi": "minutes", "year": year, "sense": sense, "value": value, **MARKS}])


CONTRIBUTIONS = minutes({"none": 100.0, "A": 60.0, "B": 80.0, "A+B": 50.0})


def test_a_target_is_met_by_whole_options_and_costs_value():
    tables = simple(benefits=benefits({"A": 0.0, "B": 30.0, "A+B": 0.0}), contributions=CONTRIBUTIONS)
    free = roadmap.solve(roadmap.portfolio(tables), choices())
    bound = roadmap.solve(roadmap.portfolio({**tables, "targets": target("at most", 65.0)}), choices())
    level = bound.kpis.set_index("year")
    assert level.loc[FIRST + 2, "value"] == 60.0
    assert bool(level.loc[FIRST + 2, "met"])
    assert bound.value < free.value
    assert bound.options.set_index("year").loc[FIRST + 2, "option"] == "A"


def test_least_of_a_kpi_and_the_highest_ratio():
    tables = simple(contributions=CONTRIBUTIONS)
    least = roadmap.solve(roadmap.portfolio(tables), choices(objective="least minutes"))
    assert -least.value == pytest.approx(100 + 3 * 50)
    ratio = roadmap.solve(roadmap.portfolio(tables), choices(objective="least minutes", per_cost=True, residual=False))
    assert list(ratio.schedule["project"]) == ["p"]
    assert ratio.value == pytest.approx(3 * 40 / 10)
    assert ratio.bound == pytest.approx(ratio.value, rel=1e-4)


def test_a_secondary_objective_gives_up_no_more_than_the_tolerance():
    tables = simple(contributions=CONTRIBUTIONS, benefits=benefits({"A": 10.0, "B": 30.0, "A+B": 32.0}))
    first = roadmap.solve(roadmap.portfolio(tables), choices())
    second = roadmap.solve(roadmap.portfolio(tables), choices(secondary="least minutes", tolerance_percent=20.0))
    assert list(first.schedule["project"]) == ["q"]
    assert second.value >= first.value * 0.8 - 1e-9
    assert second.kpis["value"].sum() < first.kpis["value"].sum()


def test_ties_go_to_fewer_and_earlier_starts_and_then_to_the_name():
    tables = simple(closures=closures(("A", "x", 1, "p"), ("A", "x", 2, "q")), projects=projects(["q", "p"]))
    tables["benefits"] = benefits({"A": 20.0})
    found = roadmap.solve(roadmap.portfolio(tables), choices())
    assert found.schedule[["project", "start_year"]].to_numpy().tolist() == [["p", FIRST]]


def test_the_order_of_rows_changes_nothing():
    random = np.random.default_rng(0)
    names = [f"p{n}" for n in range(6)]
    gaps = [("ABC"[n % 3], f"need {n}", 1, name) for n, name in enumerate(names)]
    worth = {"A": 12.0, "B": 12.0, "C": 12.0, "A+B": 24.0, "A+C": 24.0, "B+C": 24.0, "A+B+C": 30.0}
    tables = simple(projects=projects(names), closures=closures(*gaps), benefits=benefits(worth), budgets=budgets([20] * 4))
    once = roadmap.solve(roadmap.portfolio(tables), choices())
    mixed = {name: table.iloc[random.permutation(len(table))].reset_index(drop=True) for name, table in tables.items()}
    again = roadmap.solve(roadmap.portfolio(mixed), choices())
    pd.testing.assert_frame_equal(once.schedule, again.schedule)
    pd.testing.assert_frame_equal(once.options, again.options)


def test_money_adds_up():
    found = roadmap.solve(roadmap.portfolio(simple()), choices())
    assert found.money["discounted_net_keur"].sum() == pytest.approx(found.value)
    assert found.spend["used"].sum() == pytest.approx(found.schedule["capex_keur"].sum())
    assert (found.spend["used"] <= found.spend["allowed"] + 1e-6).all()


def test_declared_benefits_begin_with_delivery():
    declared = pd.DataFrame({"project": ["p"], "year": [FIRST], "benefit_keur": [7.0]})
    tables = {"projects": projects(["p"]), "declared": declared}
    found = roadmap.solve(roadmap.portfolio(tables), choices(discount_percent=0.0))
    assert found.value == pytest.approx(3 * 7 - 10)


def test_a_spend_profile_and_a_running_budget_hold():
    tables = simple(projects=projects(["p", "q"], spend_profile=["0.8|0.2", ""], opex_keur_per_yr=5.0))
    tables["budgets"] = pd.concat([budgets([10] * 4), budgets([0, 5, 5, 5], kind="opex")], ignore_index=True)
    found = roadmap.solve(roadmap.portfolio(tables), choices())
    assert len(found.schedule) == 1
    running = found.spend[found.spend["kind"] == "opex"]
    assert (running["used"] <= running["allowed"]).all()


def test_frontier_rises_with_the_budget_and_one_more_unit_is_solved_again():
    tables = simple(budgets=budgets([25, 25, 25, 25]))
    given = roadmap.portfolio(tables)
    table = roadmap.frontier(given, choices(), shares=(0.0, 1.0, 2.0))
    assert table["value"].is_monotonic_increasing
    assert table["value"].iloc[0] == 0.0
    more = roadmap.one_more(given, roadmap.solve(given, choices()), step_percent=20.0)
    assert more["gain"].max() > 0


# ---------------------------------------------------------------------------------------------- no sensible answer


def test_a_cycle_is_named():
    tables = simple(projects=projects(["p", "q"], after=["q", "p"]))
    with pytest.raises(StudyError, match=r"cycle of projects that wait for each other: (p > q > p|q > p > q)"):
        roadmap.portfolio(tables)


def test_all_problems_at_once():
    tables = simple(
        projects=projects(["p", "q"], fund=["grid", "it"], after=["", "r"], spend_profile=["0.5|0.4", ""]),
        closures=closures(("A", "x", 1, "z")),
        targets=target("at most", 1.0),
    )
    with pytest.raises(StudyError) as caught:
        roadmap.portfolio(tables)
    said = str(caught.value)
    for part in (
        "'r' is no project",
        "'z' is no project",
        "fund 'it' has no budget",
        "add up to 0.9",
        "contributes to 'minutes'",
    ):
        assert part in said
    bad = simple(benefits=benefits({"A": float("nan")}))
    with pytest.raises(StudyError, match="no finite number"):
        roadmap.portfolio(bad)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"discount_percent": -100.0}, "above -100"),
        ({"discount_percent": float("nan")}, "above -100"),
        ({"objective": "profit"}, "no objective"),
        ({"last_year": FIRST - 1}, "before the first year"),
        ({"time_limit_s": 0.0}, "time_limit_s"),
    ],
)
def test_choices_that_make_no_sense(change, said):
    with pytest.raises(ParameterError, match=said):
        roadmap.solve(roadmap.portfolio(simple()), replace(choices(), **change))


def test_a_need_that_nothing_closes_makes_the_application_impossible():
    gaps = closures(("A", "x", 0, ""), ("B", "y", 1, "q"))
    found = roadmap.solve(roadmap.portfolio(simple(closures=gaps)), choices())
    assert found.impossible[["area", "application"]].to_numpy().tolist() == [["a", "A"]]
    assert "no project closes system x" in found.impossible["reason"][0]
    assert not found.options["option"].str.contains("A").any()
    reason = found.not_chosen.set_index("project")["reason"]["p"]
    assert reason == "no application that could still be added needs it"


def test_a_budget_of_nothing_is_answered_with_no_projects_and_says_why():
    found = roadmap.solve(roadmap.portfolio(simple(budgets=budgets([0] * 4))), choices())
    assert found.status == "optimal"
    assert len(found.schedule) == 0
    assert found.value == 0.0
    assert found.not_chosen["reason"].str.contains("alone it needs more than the capex limit").all()


def test_a_mandatory_project_that_cannot_fit_is_answered_with_the_smallest_relaxation():
    tables = simple(projects=projects(["p", "q"], capex_keur=[10.0, 50.0], mandatory=[False, True]))
    found = roadmap.solve(roadmap.portfolio(tables), choices())
    assert found.status == "infeasible"
    assert found.relaxations["kind"].tolist() == ["budget"]
    assert found.relaxations["difference"].tolist() == pytest.approx([20.0])
    assert "raise the budget 'grid' of" in found.summary()
    raised = tables["budgets"].assign(
        budget_keur=lambda t: t["budget_keur"].where(t["year"] != found.relaxations["year"][0], 50.0)
    )
    assert roadmap.solve(roadmap.portfolio({**tables, "budgets": raised}), choices()).status == "optimal"


def test_a_mandatory_project_that_is_never_in_time_is_left_out_by_the_relaxation():
    tables = simple(projects=projects(["p", "q"], duration_yr=[1.0, 9.0], mandatory=[False, True]))
    found = roadmap.solve(roadmap.portfolio(tables), choices())
    assert found.relaxations["reading"].tolist() == ["leave out the mandatory project 'q'"]


def test_a_latest_start_or_a_target_out_of_reach_is_relaxed_in_words():
    late = projects(["p", "q"], after=["q", ""], mandatory=[True, False], latest_year=[FIRST, None])
    found = roadmap.solve(roadmap.portfolio(simple(projects=late)), choices())
    assert found.relaxations["reading"].tolist() == [f"let 'p' start in {FIRST + 1} instead of {FIRST} at the latest"]
    far = simple(contributions=CONTRIBUTIONS, targets=target("at most", 40.0))
    found = roadmap.solve(roadmap.portfolio(far), choices())
    assert found.relaxations["kind"].tolist() == ["target"]
    assert found.relaxations["needed"].tolist() == pytest.approx([50.0])


def test_nothing_is_printed_and_nothing_changed(capfd):
    tables = simple()
    before = {name: table.copy() for name, table in tables.items()}
    roadmap.solve(roadmap.portfolio(tables), choices())
    assert capfd.readouterr() == ("", "")
    for name, table in tables.items():
        pd.testing.assert_frame_equal(table, before[name])


# ---------------------------------------------------------------------------------------------- bundled study, figures


@pytest.fixture(scope="module")
def bundled():
    tables = dict(read_study(Path(__file__).parents[1] / "data" / "oberrhein").tables)
    closing = gaps.closures(gaps.facts(tables, year=2025))
    names = [("restoration", "remote_control", 2000.0), ("voltage", "voltvar", 2000.0)]
    rows = [
        (area, group, option, 2026, value, 3.0 - value / 2000)
        for area in sorted(set(closing["area"]) - {""})
        for group, name, worth in names
        for option, value in (("none", 0.0), (name, worth))
    ]
    made = pd.DataFrame(rows, columns=["area", "group", "option", "year", "benefit_keur", "saidi_min"])
    made.loc[made["group"] == "voltage", "saidi_min"] = 0.0
    return {
        **tables,
        "closures": closing,
        "benefits": made.drop(columns="saidi_min"),
        "contributions": made.drop(columns="benefit_keur"),
    }


def test_the_bundled_portfolio_is_complete_and_fits_its_budgets(bundled):
    table = bundled["projects"]
    assert 30 <= len(table) <= 40
    assert table[["fund", "class_of_spend", "source", "evidence"]].ne("").all(axis=None)
    assert table["cost_class"].notna().all()
    assert set(bundled["dependencies"]["type"]) == {"technical", "data", "organisational"}
    found = roadmap.solve(roadmap.portfolio(bundled), roadmap.Choices(2026, 2040, 4.0, time_limit_s=20.0, gap_percent=2.0))
    assert found.status != "infeasible"
    assert found.kpis["met"].dropna().all()
    assert {"adms", "field_S1-F1", "tap_controls"} <= set(found.schedule["project"])
    assert len(found.schedule) + len(found.not_chosen) == len(table)
    assert found.value >= found.compared.loc[found.compared["valid"], "value"].max() - 1e-6


@pytest.mark.parametrize(("share", "carry_over"), [(1.0, False), (0.8, True)])
def test_the_bundled_portfolio_agrees_with_a_plain_program_of_another_hand(bundled, share, carry_over):
    tables = {**bundled, "budgets": bundled["budgets"].assign(budget_keur=bundled["budgets"]["budget_keur"] * share)}
    picked = roadmap.Choices(2026, 2040, 4.0, carry_over=carry_over, gap_percent=0.1, time_limit_s=60.0)
    found = roadmap.solve(roadmap.portfolio(tables), picked)
    other = Steps(tables, picked).solve(seconds=60.0, gap=1e-3)
    if other is None:
        assert found.status == "infeasible"
        return
    value, bound = other
    assert found.value <= bound + 1e-4
    assert value <= found.bound + 1e-4
    assert found.value == pytest.approx(value, rel=2e-3)


def test_figures_say_what_the_roadmap_says():
    tables = simple(contributions=CONTRIBUTIONS, targets=target("at most", 65.0))
    given = roadmap.portfolio(tables)
    found = roadmap.solve(given, choices())
    chart = figures.roadmap.gantt(found.schedule, roadmap.edges(given), last_year=FIRST + 3)
    assert chart.title == f"2 projects, the last in service in {FIRST + 1}"
    assert "1 of 1 targets are met" in figures.roadmap.kpis(found.kpis).title
    assert "30 kEUR are spent" in figures.roadmap.spend(found.spend).title
    assert figures.roadmap.options(found.options).title.startswith("1 of 1 areas")
    assert figures.roadmap.plans(found.compared).title.endswith("more than the best simple rule")
    line = figures.roadmap.frontier(roadmap.frontier(given, choices(), shares=(1.0, 2.0)))
    assert list(line.table["budget_share"]) == [1.0, 2.0]
    assert "None" in figures.roadmap.left_out(found.not_chosen).html()
