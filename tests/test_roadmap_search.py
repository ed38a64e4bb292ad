"""The parts of the search for large roadmaps: cuts against every set that fits, and the same steps on one core or two."""

from __future__ import annotations

import itertools
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from gridplan import roadmap
from gridplan.roadmap import _branch, _greedy, _plan
from gridplan.roadmap._cuts import Knapsack, cuts, knapsacks
from gridplan.roadmap._model import build
from gridplan.roadmap._near import Near
from gridplan.roadmap._objective import weights
from gridplan.roadmap._order import pack
from gridplan.roadmap._program import load, write
from gridplan.roadmap._rents import chains, descend, first_dual, linked, living, padded, terms, with_cuts
from gridplan.roadmap._solver import relaxed
from gridplan.roadmap._states import states

MARKS = {"source": "test", "evidence": "M"}
FIRST = 2030


@st.composite
def points(draw):
    """Draw a limit with a few projects, each with one or two choices, and levels that keep it."""
    sizes = draw(st.lists(st.integers(1, 2), min_size=2, max_size=5))
    weights = [sorted(draw(st.sets(st.integers(1, 12), min_size=size, max_size=size))) for size in sizes]
    most = max(map(max, weights))
    begins = np.cumsum([0, *map(len, weights)])
    flat = np.array([weight for some in weights for weight in some], dtype=np.int64)
    level = np.array(draw(st.lists(st.integers(0, 10), min_size=len(flat), max_size=len(flat)))) / 10
    level /= max(1.0, *np.add.reduceat(level, begins[:-1]))
    room = max(int(np.ceil(flat @ level)), most)  # each project alone fits, as it does in a model
    columns = tuple(np.array([j], dtype=np.int32) for j in range(len(flat)))
    return Knapsack(columns, flat, begins, room), level


def sets(limit):
    """Every set of choices that fits, at most one a project, as rows of zeros and ones."""
    ways = [[None, *range(begin, end)] for begin, end in itertools.pairwise(limit.begins)]
    for picked in itertools.product(*ways):
        row = np.zeros(len(limit.weights))
        row[[j for j in picked if j is not None]] = 1.0
        if row @ limit.weights <= limit.room:
            yield row


@settings(max_examples=150, deadline=None, derandomize=True, phases=[Phase.generate])
@given(points())
def test_a_cut_keeps_every_set_that_fits_and_is_found_if_one_is_broken_by_much(point):
    limit, level = point
    every = np.array(list(sets(limit)))
    found = cuts([limit], level, np.zeros(len(level)))
    for cut in found:
        assert (every[:, cut.columns] @ cut.factors).max() <= 1 + 1e-6
        assert level[cut.columns] @ cut.factors > 1 + 1e-4
    if not found:
        assert _outside(every, level) <= 1 + 0.0101


def _outside(every, level):
    """By how much of itself a point is outside the hull of sets: the least sum of shares of sets that cover it."""
    found = linprog(np.ones(len(every)), A_ub=-every.T, b_ub=-level, bounds=(0, None))
    return found.fun if found.status == 0 else np.inf


def shared(areas=4, years=8, carry_over=False):
    """Make a portfolio in which areas share platforms: its search over states takes a few nodes."""
    random = np.random.default_rng(5)
    platforms, names = [f"platform {n}" for n in range(5)], "ABCD"
    own = [f"{name} in {area}" for area in range(areas) for name in names]
    cost = np.r_[random.integers(40, 120, len(platforms)), random.integers(10, 60, len(own))].astype(float)
    table = pd.DataFrame(
        {
            "project": [*platforms, *own],
            "label": [*platforms, *own],
            "workstream": "w",
            "state": "target",
            "capex_keur": cost,
            "opex_keur_per_yr": 1.0,
            "duration_yr": [2.0] * len(platforms) + [1.0] * len(own),
            "after": "",
            "fund": "grid",
            **MARKS,
        }
    )
    needs = {name: random.choice(platforms, 2, replace=False) for name in names}
    gaps = [
        ("system", f"{name} {number}", f"area {area}", name, 1, project)
        for area in range(areas)
        for name in names
        for number, project in enumerate([f"{name} in {area}", *needs[name]])
    ]
    alone = {(area, name): random.uniform(10, 60) for area in range(areas) for name in names}
    worth = [
        (f"area {area}", "g", "+".join(some) or "none", FIRST, sum(alone[area, name] for name in some) ** 0.95)
        for area in range(areas)
        for size in range(len(names) + 1)
        for some in itertools.combinations(names, size)
    ]
    amount = (cost.sum() * 0.6 / years * random.uniform(0.8, 1.2, years)).round()
    tables = {
        "projects": table,
        "closures": pd.DataFrame(gaps, columns=["kind", "item", "area", "application", "way", "project"]),
        "benefits": pd.DataFrame(worth, columns=["area", "group", "option", "year", "benefit_keur"]),
        "budgets": pd.DataFrame(
            {"year": FIRST + np.arange(years), "fund": "grid", "kind": "capex", "budget_keur": amount, **MARKS}
        ),
    }
    return build(
        roadmap.portfolio(tables), roadmap.Choices(FIRST, FIRST + years - 1, 5.0, gap_percent=0.5, carry_over=carry_over)
    )


@pytest.mark.parametrize("carry_over", [False, True])
def test_one_core_or_two_take_the_same_steps_to_a_plan_within_the_gap(monkeypatch, carry_over):
    model = shared(carry_over=carry_over)
    weight = weights(model, "npv")
    plan, bound = _branch.search(states(model), weight, 0.0, seconds=60.0)
    plans = Near.plans
    monkeypatch.setattr(Near, "plans", lambda *given: time.sleep(0.1) or plans(*given))  # what is worked on behind is late
    monkeypatch.setattr(_branch, "ThreadPoolExecutor", lambda _: ThreadPoolExecutor(1))
    again, same = _branch.search(states(model), weight, 0.0, seconds=60.0)
    assert bound == same
    np.testing.assert_array_equal(plan[0], again[0])


@pytest.mark.parametrize("carry_over", [False, True])
def test_at_the_prices_of_the_linear_program_the_bound_is_near_its_value_and_falls_from_there(carry_over):
    model = shared(carry_over=carry_over)
    weight, found = weights(model, "npv"), states(model)
    program = write(model, whole_options=False)
    _, prices, value = relaxed(load(program, weight))
    dual = first_dual(found, weight, program, prices)
    first, _, _ = descend(dual, living(np.ones_like(found.affordable)), terms(found, weight), 0.0, (1, 1, 1.0))
    later, _, _ = descend(dual, living(found.affordable), terms(found, weight), 0.0, (300, 12, 0.3))
    assert first <= value * 1.02
    assert later <= first
    assert later <= value * 1.005


def test_cuts_among_the_prices_bring_the_bound_of_no_plan_below_its_value():
    model = shared()
    weight, found = weights(model, "npv"), states(model)
    program = write(model, whole_options=False)
    x, prices, _ = relaxed(load(program, weight))
    new = cuts(knapsacks(program), x, np.zeros(len(x)))
    assert new
    flat = with_cuts(terms(found, weight), program, new)
    plan, _ = _branch.search(found, weight, 0.0, seconds=60.0)
    value = _plan.value(model, *plan, weight)
    dual = first_dual(found, weight, program, prices)
    plain, _, _ = descend(dual, living(found.affordable), terms(found, weight), 0.0, (300, 12, 0.3))
    dual = dual._replace(prices=padded(dual.prices, flat))
    sharp, dual, _ = descend(dual, living(found.affordable), flat, 0.0, (300, 12, 0.3))
    assert dual.prices[len(dual.prices) - len(new) - len(flat.target_year) :].max() > 0
    assert value <= sharp + 1e-6
    assert sharp <= plain * 1.001


def test_small_changes_mend_a_plan_that_breaks_budgets_and_tell_its_value():
    model = shared()
    weight = weights(model, "npv")
    packed, program = pack(model, weight), write(model, whole_options=False)
    near = Near(packed, states(model).shared, 0.0)
    x, prices, _ = relaxed(load(program, weight))
    price = np.array([[max(prices[program.names["limit", "capex", "grid", t]], 0.0) for t in range(model.horizon - 1)] + [0.0]])
    found = [near.by_order(program, x, price, 0), *near.plans(program, x, price, 0.0)]
    for starts in found:
        assert _plan.broken(model, starts) == []
        near.take(starts)
    best, options = near.plan
    assert near.value == pytest.approx(_plan.value(model, best, options, weight))
    assert near.value == pytest.approx(packed.worth(best))
    assert near.value > max(packed.worth(plan) for plan in _greedy.plans(model, weight).values())


def test_limits_become_knapsacks_in_whole_parts():
    model = shared()
    limit = knapsacks(write(model, whole_options=False))[0]
    assert limit.room in (2 * model.limits[0].amount).astype(int)  # platforms are spent over two years: halves of a unit
    assert all(len(columns) >= 1 for columns in limit.starts)


@pytest.mark.parametrize("share", [0.03, 0.3, 1.0])
def test_best_chains_through_states_are_those_of_enumeration(share):
    random, count, years = np.random.default_rng(1), 32, 3
    alive = random.random((years, count)) < share
    alive[:, count - 1] = True  # at least one chain
    live = living(alive)
    value = random.uniform(-1.0, 1.0, len(live.state))
    ahead, back = chains(value, live, count)
    rows = [range(*pair) for pair in itertools.pairwise(live.at)]
    best = np.full(len(value), -np.inf)
    for chain in itertools.product(*rows):
        if all((live.state[a] & live.state[b]) == live.state[a] for a, b in itertools.pairwise(chain)):
            best[list(chain)] = np.maximum(best[list(chain)], value[list(chain)].sum())
    some = np.isfinite(best)
    np.testing.assert_allclose((ahead + back - value)[some], best[some])
    kept, on = linked(live, np.ones(len(value), dtype=bool), count)
    np.testing.assert_array_equal(on, some)
    np.testing.assert_array_equal(kept.state, live.state[some])
    assert kept.at[-1] == some.sum()
