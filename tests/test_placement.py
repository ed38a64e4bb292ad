"""Placement of automation: against enumeration with the whole reliability model, and its bounds on random networks."""

import itertools
from dataclasses import replace

import numpy as np
import pandapower as pp
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gridplan import errors, powerflow, reliability, valuation
from gridplan.applications import placement
from gridplan.applications.placement import _evaluate, _search

FEW = settings(max_examples=6, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
FEWER = settings(FEW, max_examples=2)
PRECISE = 1e-7


def network(seed: int, buses: int = 9) -> pp.pandapowerNet:
    """Two radial feeders with a breaker each, switches at the ends of lines, and open ties that do not carry everything."""
    random = np.random.default_rng(seed)
    net = pp.create_empty_network()
    pp.create_ext_grid(net, pp.create_bus(net, 20.0))
    for bus in range(1, buses):
        pp.create_bus(net, 20.0)
        parent = 0 if bus <= 2 else int(random.integers(max(1, bus - 3), bus))
        line = pp.create_line_from_parameters(net, parent, bus, random.uniform(0.5, 3), 0.3, 0.2, 10, random.choice((0.08, 0.2)))
        if bus <= 2:
            pp.create_switch(net, 0, line, "l", type="CB")
        else:
            for end in (parent, bus):
                if random.random() < 0.6:
                    pp.create_switch(net, end, line, "l", type="LBS")
        pp.create_load(net, bus, random.uniform(0.2, 1.2), 0.1)
    for _ in range(2):
        a, b = random.choice(np.arange(1, buses), 2, replace=False)
        line = pp.create_line_from_parameters(net, int(a), int(b), 0.5, 0.3, 0.2, 10, random.choice((0.03, 0.1)))
        pp.create_switch(net, int(b), line, "l", closed=False, type="LBS")
    return net


def outages(net: pp.pandapowerNet, seed: int = 0, **more) -> reliability.Outages:
    """Fast automatic, slower remote and slow manual switching; customers of two classes."""
    random = np.random.default_rng(seed)
    stages = [("manual", 5, 40, 2, 15, 25), ("remote", 3, 8, 0, 4, 7), ("automatic", 0.3, 0.3, 0, 0.3, 0.6)]
    columns = ["control", "detect_min", "locate_min", "patrol_min_per_km", "isolate_min", "transfer_min"]
    restoration = pd.DataFrame(stages, columns=columns).assign(area="*")
    rates = pd.DataFrame(
        [
            {"element": "line", "kind": "*", "failures_per_km_yr": 0.1, "repair_h": 3.0},
            {"element": "switch", "kind": "*", "failures_per_yr": 0.01, "repair_h": 4.0},
        ]
    )
    buses = net.load["bus"].to_numpy()
    customers = pd.DataFrame({"bus": buses, "customer_class": "residential", "customers": random.integers(0, 200, len(buses))})
    shops = pd.DataFrame({"bus": buses, "customer_class": "commercial", "customers": random.integers(1, 9, len(buses))})
    customers = pd.concat([customers, shops], ignore_index=True)
    given = {"limits": powerflow.Limits(0.9, 1.1), "switchgear": None} | more
    return reliability.Outages(rates, restoration, customers, **given)


def areas(net: pp.pandapowerNet) -> pd.DataFrame:
    return pd.DataFrame({"bus": net.bus.index[1:], "area": ["one" if bus % 2 else "two" for bus in net.bus.index[1:]]})


def prepared(seed: int, buses: int = 9, **more) -> reliability.Model:
    net = network(seed, buses)
    return reliability.prepare(net, outages(net, seed, **more), areas(net))


def minutes(model: reliability.Model, switches, kind="remote") -> float:
    """Customer minutes a year by the whole reliability model."""
    found = reliability.totals(model, placement.equipped(model, model.outages, switches, kind))
    return found["saidi_min"] * found["customers"]


@FEW
@given(st.integers(0, 10_000), st.sampled_from(("remote", "automatic")))
def test_every_number_is_the_best_of_all_choices(seed, kind):
    model = prepared(seed, 7)
    found = placement.curve(model, most=3, kind=kind, search=placement.Search(effort=10_000))
    candidates = list(model.net.switch.index)
    for row in found.itertuples():
        best = min(minutes(model, chosen, kind) for chosen in itertools.combinations(candidates, row.k))
        assert minutes(model, row.switches, kind) == pytest.approx(row.customer_minutes, rel=PRECISE)
        assert row.proven_best
        assert row.customer_minutes == pytest.approx(best, rel=PRECISE) or row.customer_minutes < best
        assert len(row.switches) <= row.k


@FEW
@given(st.integers(0, 10_000), st.sampled_from(("remote", "automatic")))
def test_the_search_sees_what_the_whole_model_sees_and_its_bound_holds(seed, kind):
    model, random = prepared(seed, 12), np.random.default_rng(seed)
    evaluator = _evaluate.Evaluator(model, model.outages, kind, list(model.net.switch.index))
    none, base = evaluator.loss(()), minutes(model, ())
    for _ in range(4):
        chosen = [int(s) for s in random.choice(evaluator.candidates, min(4, len(evaluator.candidates)), replace=False)]
        true = base - minutes(model, chosen, kind)
        assert none - evaluator.loss(chosen) == pytest.approx(true, rel=PRECISE, abs=1e-6)
        assert evaluator.loss(chosen, relaxed=True) <= evaluator.loss(chosen) + 1e-6


@FEW
@given(st.integers(0, 10_000))
def test_the_relaxed_gain_never_grows_with_what_is_chosen_already(seed):
    model, random = prepared(seed, 12), np.random.default_rng(seed)
    evaluator = _evaluate.Evaluator(model, model.outages, "remote", list(model.net.switch.index))
    order = [int(s) for s in random.permutation(evaluator.candidates)]
    small, large, more = frozenset(order[:1]), frozenset(order[:4]), order[4]
    few, many = (evaluator.change(chosen, more, relaxed=True) for chosen in (small, large))
    assert few >= many - 1e-6
    assert many >= -1e-6


@FEW
@given(st.integers(0, 10_000))
def test_without_a_proof_the_gain_stays_below_its_bound_and_grows(seed):
    model = prepared(seed, 14)
    quick = placement.curve(model, most=5, search=placement.Search(effort=0))
    exact = placement.curve(model, most=2, search=placement.Search(effort=10_000))
    assert (quick["gain"].diff().dropna() >= -1e-6).all()
    assert (quick["gain_bound"] >= quick["gain"] - 1e-6).all()
    assert (quick["gain_bound"].iloc[:3] >= exact["gain"] - 1e-6).all()
    assert quick["gain"].iloc[1] == pytest.approx(exact["gain"].iloc[1], rel=PRECISE)
    # On networks of this size greedy addition and exchange lose next to nothing; a bad search would lose far more.
    assert quick["gain"].iloc[2] >= 0.9 * exact["gain"].iloc[2] - 1e-6


def test_a_tie_and_a_switch_that_help_only_together_are_found():
    net = pp.create_empty_network()
    for _ in range(4):
        pp.create_bus(net, 20.0)
    pp.create_ext_grid(net, 0)
    first = pp.create_line_from_parameters(net, 0, 1, 5, 0.1, 0.1, 10, 1)
    second = pp.create_line_from_parameters(net, 1, 2, 0.001, 0.1, 0.1, 10, 1)
    third = pp.create_line_from_parameters(net, 0, 3, 0.001, 0.1, 0.1, 10, 1)
    for line in (first, third):
        pp.create_switch(net, 0, line, "l", type="CB")
    door = pp.create_switch(net, 1, second, "l", type="LBS")
    pp.create_load(net, 2, 1.0)
    tie = pp.create_switch(net, 2, 3, "b", closed=False, type="LBS")
    customers = pd.DataFrame({"bus": [2], "customer_class": "residential", "customers": 100})
    given = outages(net)
    given = reliability.Outages(given.rates.iloc[:1], given.restoration, customers)
    model = reliability.prepare(net, given, pd.DataFrame({"bus": [1, 2, 3], "area": "one"}))
    found = placement.curve(model, most=2, search=placement.Search(candidates=(door, tie), effort=0))
    # By itself a switch gains only on its own 1 m of line; together they bring back all after a failure of the first line.
    assert found["switches"].iloc[2] == (door, tie)
    manual, remote = (5 + 40 + 2 * 5.0 + 25, 3 + 8 + 7)
    assert found["gain"].iloc[2] == pytest.approx(100 * 0.5 * (manual - remote), rel=0.01)
    assert found["gain"].iloc[1] < 0.01 * found["gain"].iloc[2]


def test_cost_as_the_objective_is_what_valuation_says():
    model = prepared(5)
    costs = valuation.cost_set(valuation.bundled(), "RBTS 1987")

    def bill(switches) -> float:
        result = reliability.indices(model, placement.equipped(model, model.outages, switches))
        return valuation.expected_cost(result.events, result.interruptions, costs)["cost_k_per_yr"].sum()

    found = placement.curve(model, most=2, search=placement.Search(costs=costs, effort=10_000))
    assert found["proven_best"].all()
    every = {chosen: bill(chosen) for chosen in itertools.combinations(model.net.switch.index, 2)}
    assert bill(()) - min(every.values()) == pytest.approx(found["gain"].iloc[2], rel=1e-6)
    assert bill(()) - bill(found["switches"].iloc[2]) == pytest.approx(found["gain"].iloc[2], rel=1e-6)


def test_areas_limit_customers_and_candidates():
    model = prepared(3, 12)
    own = placement.curve(model, most=2, search=placement.Search(areas=("one",)))
    buses = set(model.areas.loc[model.areas["area"] == "one", "bus"])
    for switch in own["switches"].iloc[-1]:
        row = model.net.switch.loc[switch]
        assert buses & {row["bus"], *model.net.line.loc[row["element"], ["from_bus", "to_bus"]]}
    whole = placement.plan(model, per_area=1)
    assert set(placement.curve(model, most=1, search=placement.Search(areas=("two",)))["switches"].iloc[1]) <= set(whole)
    assert 1 <= len(whole) <= 2


@FEWER
@given(st.integers(0, 10_000))
def test_each_indicator_is_where_it_shortens_the_search_most(seed):
    model = prepared(seed, 9)
    order = placement.indicators(model, most=2)
    for number in range(1, len(order) + 1):
        before = _search_km(model, order[: number - 1])
        best = min(_search_km(model, (*order[: number - 1], s)) for s in model.net.switch.index)
        assert _search_km(model, order[:number]) == pytest.approx(best, rel=1e-9)
        assert best < before
    found = placement.curve(model, most=3, kind="indicator")
    assert (found["saidi_min"].diff().dropna() <= 1e-9).all()


def _search_km(model: reliability.Model, indicators) -> float:
    """Expected search of customers a year [customer km/yr]: that of the reliability model, at a minute a kilometre."""
    times = model.outages.restoration.query("control == 'manual'")
    nothing = dict.fromkeys(("detect_min", "locate_min", "isolate_min", "transfer_min"), 0.0)
    own = placement.equipped(model, model.outages, indicators, "indicator")
    year = reliability.indices(model, replace(own, restoration=times.assign(**nothing, patrol_min_per_km=1.0))).year
    hours = year.events.times[:, 2]  # back from above by hand: the search alone
    customers = np.r_[0, np.cumsum(np.bincount(model.supplied.section, model.supplied.rows["customers"], len(model.km)))]
    tree, top = model.topology.tree, year.patterns.top[year.events.pattern]
    faults = np.asarray(year.events.kind) == 0
    hit = customers[tree.last[top]] - customers[top]
    return float((year.events.rate * hours * 60 * hit)[faults].sum())


def test_equipping_keeps_what_is_better_and_changes_nothing_given():
    net = network(1)
    gear = pd.DataFrame({"switch": [2, 3], "device": ["switch", "switch"], "control": ["automatic", "manual"]})
    before = gear.copy()
    model = reliability.prepare(net, outages(net, switchgear=gear), areas(net))
    table = placement.equipped(model, model.outages, (2, 3, 4)).switchgear.set_index("switch")["control"]
    assert list(table[[2, 3, 4]]) == ["automatic", "remote", "remote"]
    pd.testing.assert_frame_equal(gear, before)
    assert 2 not in placement.curve(model, most=len(net.switch))["switches"].iloc[-1]


def test_places_follow_the_order_of_the_curve():
    model = prepared(3, 12)
    found = placement.curve(model, most=3)
    table = placement.places(model, found)
    assert set(table["switch"]) == set(found["switches"].iloc[-1])
    assert table["k"].between(1, 3).all()
    assert (table["bus"] == model.net.switch["bus"].reindex(table["switch"]).to_numpy()).all()


def test_what_is_wrong_is_named_at_once():
    model = prepared(1)
    with pytest.raises(errors.ParameterError) as caught:
        placement.curve(model, most=-1, kind="remot", search=placement.Search(candidates=(999,), areas=("thre",)))
    text = str(caught.value)
    for words in ("did you mean 'remote'", "-1 is below 0", "switch 999 is not in the network", "'thre' is no area"):
        assert words in text


def test_a_network_without_candidates_has_a_curve_of_one_row():
    model = prepared(1)
    found = placement.curve(model, most=3, search=placement.Search(candidates=()))
    assert list(found["k"]) == [0]
    assert found["gain"].iloc[0] == 0


def test_the_bound_of_a_search_that_is_cut_short_still_holds():
    model = prepared(7, 14)
    evaluator = _evaluate.Evaluator(model, model.outages, "remote", list(model.net.switch.index))
    short = _search.Exact(evaluator, 3).lowest(3, frozenset())
    whole = _search.Exact(evaluator, 100_000).lowest(3, frozenset())
    assert not short[2]
    assert whole[2]
    assert short[1] <= whole[1] + 1e-6
    assert whole[1] <= evaluator.loss(short[0]) + 1e-6
