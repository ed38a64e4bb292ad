"""Needs and their cure: against closed forms, against enumeration, and against a whole year of power flows."""

import doctest
import itertools
import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandapower as pp
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gridplan import errors, needs, network, performance, powerflow
from gridplan.figures import maps
from gridplan.figures import needs as figures
from gridplan.needs import _actions, _judge, _measures, _search
from gridplan.needs._tree import Hop
from gridplan.powerflow import Limits, Profiles

KV = 20.0
LIMITS = Limits(0.95, 1.05)
DESIGN = Limits(0.975, 1.03)  # what the authors of MV Oberrhein designed it for


def conductors(sizes=((0.6, 0.2, 40.0), (0.3, 0.3, 60.0), (0.15, 0.5, 90.0)), *, beside=False) -> pd.DataFrame:
    """Cables of (r [ohm/km], max_i [kA], cost [kEUR/km]), in place of a line or beside it."""
    rows = [
        {
            "measure": f"cable {number}",
            "kind": "cable",
            "vn_kv": KV,
            "r_ohm_per_km": r,
            "x_ohm_per_km": 0.1,
            "c_nf_per_km": 0.0,
            "max_i_ka": current,
            "new_keur_per_km": price if beside else np.nan,
            "replace_keur_per_km": np.nan if beside else price,
            "capex_keur": np.nan,
            "source": "test",
            "evidence": "M",
        }
        for number, (r, current, price) in enumerate(sizes)
    ]
    return pd.DataFrame(rows)


def feeder(lengths, loads, *, r=1.2, max_i=0.1, sgens=()) -> pp.pandapowerNet:
    """A radial feeder at an external grid: one load and one line a bus."""
    net = pp.create_empty_network()
    buses = [pp.create_bus(net, KV, name=f"Bus {n}") for n in range(len(lengths) + 1)]
    pp.create_ext_grid(net, buses[0])
    for n, km in enumerate(lengths):
        pp.create_line_from_parameters(net, buses[n], buses[n + 1], km, r, 0.1, 0, max_i, type="cs", name=f"Line {n}")
    for n, mw in enumerate(loads):
        pp.create_load(net, buses[n + 1], mw, 0.0)
    for n, mw in sgens:
        pp.create_sgen(net, buses[n], mw)
    return net


def hours(net, shape=(0.5, 1.0, 0.8, 0.3), sun=(0.0, 0.0, 0.0, 1.0)) -> Profiles:
    """Loads follow one shape, generation another."""
    time = pd.date_range("2030-01-01", periods=len(shape), freq="h")
    rows = [("load", n, "load", "load") for n in net.load.index] + [("sgen", n, "sun", "sun") for n in net.sgen.index]
    elements = pd.DataFrame(rows, columns=["element", "element_id", "shape_p", "shape_q"])
    return Profiles(time, pd.DataFrame({"load": shape, "sun": sun}, index=time), elements)


def case(net, profiles=None) -> needs.Situation:
    return needs.Situation(net, profiles or hours(net))


def voltage_at_end(p_mw: float, r: float, x: float, km: float) -> float:
    """Closed form of a two-bus feeder with a load of unity power factor [pu]."""
    base = KV**2
    rr, xx = r * km / base, x * km / base
    half = 0.5 - p_mw * rr
    return float(np.sqrt(half + np.sqrt(half**2 - p_mw**2 * (rr**2 + xx**2))))


def outside(net, profiles, limits=LIMITS) -> pd.DataFrame:
    return powerflow.violations(powerflow.run(net, profiles, limits=limits))


# --- needs


def test_a_sound_network_has_no_needs():
    net = feeder([1.0], [0.5])
    found = needs.find(net, hours(net), LIMITS, year=2030)
    assert found.empty
    assert "energy_at_risk_mwh" in found


def test_undervoltage_is_found_with_hours_events_cause_and_energy():
    net = feeder([5.0], [4.0])
    profiles = hours(net, (1.0, 0.1, 1.0, 1.0))
    found = needs.find(net, profiles, LIMITS, year=2030, scenario="high").set_index("kind")
    row = found.loc["undervoltage"]
    assert row[["element", "element_id", "hours", "events", "cause"]].tolist() == ["bus", 1, 3.0, 2, "load"]
    assert row["worst"] == pytest.approx(voltage_at_end(4.0, 1.2, 0.1, 5.0), abs=1e-5)
    assert row["energy_at_risk_mwh"] == pytest.approx(12.0)
    assert row[["scenario", "year"]].tolist() == ["high", 2030]
    assert "load 4.00 MW, generation 0.00 MW" in row["judged_by"]


def test_an_overload_carries_the_energy_above_the_limit():
    net = feeder([0.5], [4.0], r=0.1, max_i=0.1)
    row = needs.find(net, hours(net, (0.1, 1.0, 1.0, 0.1)), LIMITS).set_index("kind").loc["line overload"]
    current = 4.0 / (np.sqrt(3) * KV * voltage_at_end(4.0, 0.1, 0.1, 0.5))
    assert row["worst"] == pytest.approx(100 * current / 0.1, rel=1e-4)
    assert row["energy_at_risk_mwh"] == pytest.approx(2 * (current - 0.1) * np.sqrt(3) * KV, rel=1e-3)
    assert row["cause"] == "load"


def test_feeding_back_is_an_overload_of_its_own_and_generation_the_cause_of_its_overvoltage():
    net = feeder([5.0], [4.0], sgens=[(1, 6.0)])
    found = needs.find(net, hours(net, (1.0, 0.0, 0.0, 0.0), (0.0, 1.0, 1.0, 0.0)), LIMITS).set_index("kind")
    assert found["cause"].to_dict() == {
        "line overload": "load",
        "overvoltage": "generation",
        "reverse-flow overload": "reverse flow",
        "undervoltage": "load",
    }
    assert found["hours"].to_dict() == {
        "line overload": 1.0,
        "overvoltage": 2.0,
        "reverse-flow overload": 2.0,
        "undervoltage": 1.0,
    }


def test_a_low_bus_bar_makes_voltage_the_cause():
    net = feeder([0.1, 0.1], [0.1, 0.1])
    net.ext_grid["vm_pu"] = 0.94
    found = needs.find(net, hours(net), LIMITS).set_index("element_id")
    assert found.loc[2, "cause"] == "voltage"


def test_steps_without_a_solution_are_a_need_and_never_none():
    net = feeder([10.0], [4.0])
    profiles = hours(net, (0.01, 10.0, 10.0, 0.01))
    row = needs.find(net, profiles, LIMITS).set_index("kind").loc["no solution"]
    assert row[["hours", "events", "element_id"]].tolist() == [2.0, 1, -1]
    assert row["energy_at_risk_mwh"] == pytest.approx(80.0)
    assert pd.isna(row["worst"])


def test_the_first_year_of_each_need():
    net = feeder([5.0], [4.0])
    tables = [
        needs.find(net, hours(net, (share,) * 4), LIMITS, year=year) for year, share in ((2030, 0.1), (2035, 0.8), (2040, 1))
    ]
    first = needs.first_years(tables).set_index("kind")
    assert first.loc["undervoltage", ["first_year", "last_year"]].tolist() == [2035, 2040]
    assert first.loc["undervoltage", "worst"] == pytest.approx(voltage_at_end(4.0, 1.2, 0.1, 5.0), abs=1e-5)
    assert needs.first_years([tables[0]]).empty


# --- reinforcement


@pytest.mark.parametrize("mw", [1.5, 2.5, 4.0, 6.0, 9.0])
def test_the_closed_form_says_which_conductor_is_the_smallest_sufficient_one(mw):
    net, table = feeder([4.0], [mw]), conductors()
    present = {"measure": "none", "r_ohm_per_km": 1.2, "max_i_ka": 0.1, "replace_keur_per_km": 0.0}
    sufficient = [
        row
        for row in [present, *table.to_dict("records")]
        if voltage_at_end(mw, row["r_ohm_per_km"], 0.1, 4.0) >= 0.95
        and mw / (np.sqrt(3) * KV * voltage_at_end(mw, row["r_ohm_per_km"], 0.1, 4.0)) <= row["max_i_ka"]
    ]
    expected = min(sufficient, key=lambda row: row["replace_keur_per_km"])
    plan = needs.reinforce({2030: case(net)}, LIMITS, table, search=needs.Search(circuits=1))
    assert plan.cured
    assert plan.years["proven"].all()
    assert plan.total_keur == pytest.approx(4.0 * expected["replace_keur_per_km"])
    assert plan.steps["planned"].tolist() == ([] if expected["measure"] == "none" else [expected["measure"]])


@settings(max_examples=8, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(
    lengths=st.lists(st.sampled_from([0.5, 1.0, 2.0]), min_size=2, max_size=3),
    loads=st.lists(st.sampled_from([0.5, 1.5, 2.5]), min_size=3, max_size=3),
    beside=st.booleans(),
)
def test_the_cost_is_that_of_the_cheapest_of_all_subsets(lengths, loads, beside):
    net, table = feeder(lengths, loads[: len(lengths)]), conductors(((0.6, 0.2, 40.0), (0.15, 0.5, 90.0)), beside=beside)
    profiles, choice = hours(net, (0.4, 1.0)[:2], (0.0, 0.0)), _actions.Choice(_measures.checked(table), 1)
    options = [[None, *_actions.line_actions(net, line, choice)] for line in net.line.index]
    costs = []
    for combination in itertools.product(*options):
        actions = [action for action in combination if action]
        if outside(_actions.apply(net, actions, choice), profiles).empty:
            costs.append(sum(action.capex_keur for action in actions))
    plan = needs.reinforce({2030: case(net, profiles)}, LIMITS, table, search=needs.Search(circuits=1))
    assert plan.cured == bool(costs)
    if costs:
        assert plan.years["proven"].all()
        assert plan.total_keur == pytest.approx(min(costs))


def stressed(load: float, pv: float) -> needs.Situation:
    """pandapower's MV Oberrhein, three days of hours."""
    net = network.open("pandapower:mv_oberrhein")
    net.load["scaling"], net.sgen["scaling"], net.trafo["tap_pos"] = 0.6 * load, 0.8 * pv, -2
    hour = np.arange(72) % 24
    return case(net, hours(net, 0.45 + 0.55 * np.sin(hour / 24 * np.pi) ** 8, np.clip(np.sin((hour - 6) / 12 * np.pi), 0, 1)))


@pytest.fixture(scope="module")
def measures() -> pd.DataFrame:
    return pd.read_csv(Path(__file__).parents[1] / "data" / "oberrhein" / "measures.csv")


@pytest.fixture(scope="module")
def cured(measures) -> tuple[needs.Situation, needs.Plan]:
    situation = stressed(1.6, 3.0)
    return situation, needs.reinforce({2030: situation}, DESIGN, measures, search=needs.Search(exact=0))


def test_a_stressed_network_is_cured_in_every_step(cured):
    situation, plan = cured
    assert not outside(situation.net, situation.profiles, DESIGN).empty
    assert plan.cured
    assert plan.left.empty
    assert outside(plan.net, situation.profiles, DESIGN).empty
    assert plan.total_keur == pytest.approx(plan.steps["capex_keur"].sum())
    assert plan.years["capex_keur"].sum() == pytest.approx(plan.total_keur)


def test_taking_any_single_measure_away_brings_a_violation_back(measures):
    net, table = feeder([2.0, 2.0], [2.5, 2.0]), conductors(((0.3, 0.2, 60.0), (0.15, 0.5, 90.0)), beside=True)
    plan = needs.reinforce({2030: case(net)}, LIMITS, table, search=needs.Search(exact=0))
    assert len(plan.steps)
    assert plan.steps["needed_for"].notna().all()
    added = [line for line in plan.net.line.index if line not in net.line.index]
    assert len(added) == len(plan.steps)
    for line in added:
        less = pp.pandapowerNet(plan.net)
        less.line = plan.net.line.drop(index=line)
        assert not outside(less, hours(net)).empty


def test_every_measure_of_the_stressed_network_is_needed(cured):
    _, plan = cured
    assert plan.steps["needed_for"].notna().all()
    assert plan.steps[["reason", "effect", "source", "evidence"]].notna().all(axis=None)


def test_the_network_given_is_left_as_it_is(measures):
    net = feeder([5.0], [4.0])
    before = {key: value.copy() for key, value in net.items() if isinstance(value, pd.DataFrame)}
    given_measures = measures.copy()
    needs.find(net, hours(net), LIMITS)
    needs.reinforce({2030: case(net)}, LIMITS, measures)
    for key, table in before.items():
        pd.testing.assert_frame_equal(net[key], table)
    pd.testing.assert_frame_equal(measures, given_measures)


def test_years_are_cured_in_order_and_what_is_built_stays():
    net, table = feeder([2.0, 2.0], [1.0, 1.0]), conductors(beside=True)
    later = {year: case(net, hours(net, (share,) * 2, (0.0, 0.0))) for year, share in ((2040, 3.0), (2025, 0.1), (2030, 2.0))}
    plan = needs.reinforce(later, LIMITS, table)
    assert plan.cured
    assert plan.years["year"].tolist() == [2025, 2030, 2040]
    assert plan.years["measures"].iloc[0] == 0
    assert plan.steps["year"].is_monotonic_increasing
    assert plan.steps["step"].tolist() == list(range(1, len(plan.steps) + 1))
    for year, situation in later.items():
        assert outside(plan.nets[year], situation.profiles).empty
    capital = needs.capital_plan(plan)
    assert capital["capex_keur"].sum() == pytest.approx(plan.total_keur)
    assert capital["number"].sum() == len(plan.steps)


def test_an_overloaded_transformer_is_exchanged_or_doubled_whichever_is_cheaper(measures):
    net = pp.create_empty_network()
    high, low = pp.create_bus(net, 110.0), pp.create_bus(net, KV)
    pp.create_ext_grid(net, high)
    pp.create_transformer(net, high, low, "25 MVA 110/20 kV")
    pp.create_load(net, low, 30.0)
    table = measures[measures["kind"] == "transformer"]
    twin = needs.reinforce({2030: case(net)}, LIMITS, table)
    assert twin.steps["measure"].tolist() == ["parallel transformer"]
    assert twin.total_keur == 850
    dear = table.assign(capex_keur=table["capex_keur"].where(table["sn_mva"] > 25, 2000.0))
    assert needs.reinforce({2030: case(net)}, LIMITS, dear).steps["planned"].tolist() == ["40 MVA 110/20 kV"]


def test_a_tap_change_comes_before_a_cable(measures):
    net = pp.create_empty_network()
    high, low = pp.create_bus(net, 110.0), pp.create_bus(net, KV)
    pp.create_ext_grid(net, high, vm_pu=0.96)
    pp.create_transformer(net, high, low, "25 MVA 110/20 kV")
    pp.create_load(net, low, 15.0, 5.0)
    plan = needs.reinforce({2030: case(net)}, LIMITS, measures)
    assert plan.steps["measure"].tolist() == ["tap change"]
    assert plan.cured


@pytest.mark.parametrize("kind", ["regulator", "feeder bay"])
def test_regulators_and_new_feeders_cure_when_they_are_what_there_is(measures, kind):
    net = feeder([3.0, 3.0, 3.0], [0.5, 0.5, 1.6], max_i=0.4)
    places = [(8.0, 48.0), (8.03, 48.0), (8.03, 48.02), (8.0, 48.005)]  # the last bus lies near the first
    net.bus["geo"] = [json.dumps({"type": "Point", "coordinates": place}) for place in places]
    table = measures[measures["kind"].isin([kind] if kind == "regulator" else [kind, "cable"])]
    if kind == "feeder bay":
        table = table.assign(replace_keur_per_km=np.nan, capex_keur=table["capex_keur"] * 0.01)
    plan = needs.reinforce({2030: case(net)}, LIMITS, table)
    assert plan.cured
    assert not outside(net, hours(net)).empty
    assert ("voltage regulator" if kind == "regulator" else "new feeder section") in plan.steps["measure"].tolist()
    assert outside(plan.net, hours(net)).empty


def test_what_cannot_be_cured_is_left_and_says_why():
    net, table = feeder([4.0], [9.0]), conductors(((0.6, 0.2, 40.0),))
    plan = needs.reinforce({2030: case(net)}, LIMITS, table, search=needs.Search(circuits=1))
    assert not plan.cured
    assert set(plan.left["kind"]) == {"undervoltage", "overload"}
    assert plan.left["why"].str.len().min() > 20
    assert not plan.years["proven"].any()


def test_a_year_without_any_solution_is_refused_and_single_steps_are_left(measures):
    net = feeder([10.0], [40.0])
    with pytest.raises(errors.NotConverged, match="no step of 2030"):
        needs.reinforce({2030: case(net, hours(net, (1.0, 1.0), (0.0, 0.0)))}, LIMITS, measures)
    plan = needs.reinforce({2030: case(net, hours(net, (0.001, 1.0), (0.0, 0.0)))}, LIMITS, measures)
    assert plan.left["kind"].tolist() == ["no solution"]
    assert not plan.cured


def test_a_coarser_standard_never_costs_less_where_both_are_proven():
    net, fine = feeder([2.0, 1.0], [2.0, 1.0]), conductors()
    table = needs.compare_standards({2030: case(net)}, LIMITS, {"fine": fine, "coarse": needs.coarser(fine)})
    assert table["proven"].all()
    assert table["left"].tolist() == [0, 0]
    assert table.loc[1, "capex_keur"] >= table.loc[0, "capex_keur"]
    assert table.loc[1, "extra_keur"] == pytest.approx(table.loc[1, "capex_keur"] - table.loc[0, "capex_keur"])


def test_all_problems_of_a_table_of_measures_come_at_once(measures):
    bad = measures.copy()
    bad.loc[0, "replace_keur_per_km"] = -1.0
    bad.loc[1, "kind"] = "cabel"
    bad.loc[2, "max_i_ka"] = np.nan
    bad.loc[3, "measure"] = bad.loc[4, "measure"]
    with pytest.raises(errors.InputError) as caught:
        needs.measures(bad)
    assert len(caught.value.problems) == 4
    for words in (
        "row 2, column 'replace_keur_per_km': -1 is below 0 [kEUR]",
        "did you mean 'cable'?",
        "row 4, column 'max_i_ka'",
    ):
        assert words in str(caught.value)
    with pytest.raises(errors.InputError, match="column 'vn_kv': is missing"):
        needs.measures(measures.drop(columns="vn_kv"))
    with pytest.raises(errors.InputError, match=r"carries more than the 0\.9 kA"):
        needs.measures(conductors(), feeder([1.0], [1.0], max_i=0.9))


def test_the_bundled_table_is_sound_and_names_its_sources(measures):
    table = needs.measures(measures, network.open("pandapower:mv_oberrhein"))
    assert set(table["kind"]) == set(_measures.NEEDED)
    assert table["source"].str.len().min() > 20
    assert set(table["evidence"]) <= {"V", "V-computed", "2nd", "M"}
    assert len(needs.coarser(table)) == len(table) - 2


def test_figures_say_what_the_tables_say(cured):
    situation, plan = cured
    found = needs.find(situation.net, situation.profiles, DESIGN, year=2030)
    where = maps.Map(**performance.geometry(situation.net))
    assert figures.map_of_needs(where, found).title == f"Needs: {len(found)} undervoltage"
    assert "first needs come in 2030" in figures.map_of_first_years(where, needs.first_years([found])).title
    assert "all in 2030" in figures.capital_plan(needs.capital_plan(plan)).title
    assert figures.by_year(found).title == f"{len(found)} needs in 2030"
    assert figures.map_of_needs(where, found.iloc[:0]).title == "Nothing is outside its limits"
    assert figures.capital_plan(needs.capital_plan(plan).iloc[:0]).title == "No conventional reinforcement is needed"
    assert len(figures.steps_table(plan.steps).frame) == len(plan.steps)
    assert len(figures.needs_table(found).frame) == len(found)


def test_examples_in_docstrings_hold():
    assert not doctest.testmod(_measures).failed


def test_a_regulator_that_may_be_replaced_starts_where_its_line_was():
    """Its own bus goes with it, so a successor that started there would stand on nothing."""
    net = pp.create_empty_network()
    first, second = (pp.create_bus(net, KV) for _ in range(2))
    line = pp.create_line_from_parameters(net, first, second, 1.0, 0.2, 0.1, 0, 0.3)
    moved = Hop("line", line, upper=99, lower=second)
    assert _search._as_it_was(moved, SimpleNamespace(net=net)) == Hop("line", line, upper=first, lower=second)


def test_a_new_feeder_section_opens_every_circuit_of_the_former_way():
    net = pp.create_empty_network()
    first, second = (pp.create_bus(net, KV) for _ in range(2))
    lines = [pp.create_line_from_parameters(net, first, second, 1.0, 0.2, 0.1, 0, 0.3) for _ in range(2)]
    assert _actions.side_by_side(net, lines[0]) == lines


@pytest.mark.parametrize(
    "kinds",
    [
        ("parallel line", "larger conductor", "tap change", "parallel line"),
        ("parallel line", "new feeder section", "parallel line", "tap change"),
        ("larger conductor", "voltage regulator", "transformer exchange", "tap change"),
        ("new feeder section", "parallel transformer", "new feeder section", "larger conductor"),
        ("transformer exchange", "new feeder section", "tap change", "parallel line"),
        ("new feeder section", "voltage regulator", "parallel transformer", "parallel line"),
    ],
)
def test_measures_in_the_matrix_are_those_that_pandapower_builds(measures, kinds):
    net = network.open("pandapower:mv_oberrhein")
    profiles = Profiles(pd.date_range("2025-06-01", periods=2, freq="h"), pd.DataFrame({"x": [1.0, 0.2]}), nothing_driven())
    year = _judge.Year(net, profiles, Limits(0.99, 1.0, 30, 30), powerflow.Options(), _actions.Choice(measures, 2))
    year.verify(())
    pool = [action for options in _search._pool(year.state(()), year).values() for action in options]
    actions, places = [], set()
    for kind in kinds:
        found = next(action for action in pool if action.kind == kind and action.slot not in places)
        actions.append(found)
        places.add(found.slot)
    built = powerflow.run(_actions.apply(net, actions, year.choice), profiles, options=year.options)
    state = year.state(tuple(actions))
    loading = pd.concat({name: getattr(built, f"{name}_loading_percent") for name in ("line", "trafo")}, axis=1)
    critical = year.critical
    size = pd.DataFrame(state.size, columns=state.buses)[built.vm_pu.columns]
    assert size.to_numpy() == pytest.approx(built.vm_pu.to_numpy()[critical], abs=1e-7)
    percent = pd.DataFrame(state.loading, columns=pd.MultiIndex.from_tuples(state.elements))[loading.columns]
    assert percent.to_numpy() == pytest.approx(loading.to_numpy()[critical], abs=1e-4)


def nothing_driven() -> pd.DataFrame:
    return pd.DataFrame(columns=["element", "element_id", "shape_p", "shape_q"])
