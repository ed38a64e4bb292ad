"""Scenarios: curves, places, time series, differences."""

from types import SimpleNamespace

import numpy as np
import pandapower as pp
import pandapower.networks as nw
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal

from gridplan import futures, powerflow
from gridplan.errors import ParameterError, StudyError
from gridplan.figures import futures as figures

TIME = pd.date_range("2016-01-01", periods=4, freq="h")
DAYS = pd.date_range("2016-01-01", periods=365 * 24, freq="h")
SUN = np.clip(np.sin((DAYS.hour - 6) / 12 * np.pi), 0, None)
EVENING = 0.2 + 0.8 * (DAYS.hour == 19)


def study(assignments):
    profiles = pd.DataFrame(
        {"time": TIME, "h0_p": [1.0, 0.5, 0.2, 0.8], "h0_q": [1.0, 1.0, 1.0, 1.0], "pv_p": [0.0, 0.1, 0.9, 0.0]}
    )
    tables = {"assignments": assignments, "profiles": profiles}
    return SimpleNamespace(name="test", table=tables.__getitem__)


def test_elements_follow_their_profiles():
    net = nw.create_cigre_network_mv(with_der="pv_wind")
    assigned = pd.DataFrame({"element": ["load", "load", "sgen"], "element_id": [0, 1, 0], "profile": ["h0", "h0", "pv"]})
    profiles = futures.profiles(study(assigned), net)
    assert list(profiles.shapes.columns) == ["h0_p", "h0_q", "pv_p"]
    assert list(profiles.elements["shape_q"]) == ["h0_q", "h0_q", "pv_p"]
    generation = powerflow.run(net, profiles).steps["generation_mw"].to_numpy()
    assert generation[2] - generation[0] == pytest.approx(0.9 * net.sgen.p_mw[0] * net.sgen.scaling[0])


def test_every_wrong_row_is_named_with_a_suggestion():
    net = nw.create_cigre_network_mv()
    assigned = pd.DataFrame({"element": ["load", "load", "load"], "element_id": [0, 1, 999], "profile": ["h0", "h00", "pv"]})
    with pytest.raises(StudyError) as caught:
        futures.profiles(study(assigned), net)
    assert "row 3, column 'profile': 'h00' is no profile; did you mean 'h0'?" in str(caught.value)
    assert "row 4, column 'element_id': load 999 is not in the network" in str(caught.value)


# --- a small study: two feeders, three stations with customers, one bus without ---------------------------------------------


@pytest.fixture(scope="module")
def net():
    net = pp.create_empty_network()
    source, *buses = [pp.create_bus(net, 20.0) for _ in range(5)]
    pp.create_ext_grid(net, source)
    for start, end in ((source, buses[0]), (buses[0], buses[1]), (source, buses[2]), (buses[2], buses[3])):
        pp.create_line(net, start, end, 2.0, "NA2XS2Y 1x240 RM/25 12/20 kV")
    for bus in buses[:3]:
        pp.create_load(net, bus, p_mw=0.5, q_mvar=0.1, scaling=0.6)
    pp.create_sgen(net, buses[0], p_mw=0.2)
    return net


def tables():
    scenarios = pd.DataFrame(
        {"scenario": ["base", "more", "even"], "horizon_year": 2040, "allocation": ["seeded", "seeded", "weighted"]}
    ).assign(seed=7, clustering=0.5)
    technologies = pd.DataFrame(
        [
            ("car", "Cars", "load", "cars", 11.0, 2.0, None, 1.0, "evening", "", None, None, "", None),
            ("roof", "Roofs", "sgen", "plants", 10.0, None, 0.8, 0.95, "sun|sun2", "", None, None, "", None),
            ("battery", "Batteries", "storage", "batteries", 5.0, None, None, 1.0, "", "roof", 10.0, 0.95, "evening", 3.5),
        ],
        columns=[
            "technology",
            "label",
            "element",
            "unit_name",
            "rated_kw",
            "energy_mwh",
            "peak_share",
            "cos_phi",
            "profiles",
            "host",
            "capacity_kwh",
            "efficiency",
            "demand_profile",
            "demand_mwh",
        ],
    )
    curves = [("car", 1.2, 3.0, 90.0), ("roof", 0.5, 18.0, 60.0), ("battery", 1.0, 35.0, 85.0)]
    rows = [
        (name, technology, "residential", units, start, end * (1.0 if name != "base" else 0.8), 2032.0, 0.3)
        for name in scenarios.scenario
        for technology, units, start, end in curves
    ]
    adoption = pd.DataFrame(
        rows,
        columns=[
            "scenario",
            "technology",
            "customer_class",
            "units_per_customer",
            "start_percent",
            "saturation_percent",
            "midpoint_year",
            "rate_per_yr",
        ],
    )
    return {
        "scenarios": scenarios,
        "technologies": technologies,
        "adoption": adoption,
        "customers": pd.DataFrame(
            {"bus": [1, 2, 2, 3], "customer_class": ["residential", "residential", "commercial", "residential"]}
        )
        .assign(customers=[120, 80, 10, 33])
        .astype({"bus": int}),
        "profiles": pd.DataFrame({"time": DAYS, "evening_p": EVENING, "sun_p": SUN, "sun2_p": SUN**2}),
        "assignments": pd.DataFrame({"element": ["load"] * 3 + ["sgen"], "element_id": [0, 1, 2, 0]}).assign(
            profile=["evening"] * 3 + ["sun2"]
        ),
        "load_growth": pd.DataFrame(
            [("more", "residential", 2026, 1.0), ("more", "residential", 2031, -2.0), ("more", "commercial", 2030, 10.0)],
            columns=["scenario", "customer_class", "from_year", "percent_per_yr"],
        ),
        "customer_classes": pd.DataFrame({"customer_class": ["residential", "commercial"], "energy_mwh": [3.0, 24.0]}),
        "placements": pd.DataFrame([("more", 2030, 4, "roof", 100)], columns=["scenario", "year", "bus", "technology", "units"]),
    }


def scenario_study(**changed):
    given = {**tables(), **changed}
    return SimpleNamespace(name="test", base_year=2025, tables=given, table=given.__getitem__)


def edited(name, row, **values):
    """The tables of the small study with some cells of one row changed."""
    frame = tables()[name].astype(object)
    for column, value in values.items():
        frame.loc[row, column] = value
    return {name: frame.infer_objects()}


# --- curves ------------------------------------------------------------------------------------------------------------------


@given(
    start=st.floats(0, 50),
    rise=st.floats(0, 50),
    midpoint=st.floats(2020, 2045),
    rate=st.floats(0.05, 1.0),
)
def test_a_curve_starts_exactly_never_falls_and_ends_at_its_saturation(start, rise, midpoint, rate):
    curve = futures.logistic(range(2025, 2041), start, start + rise, midpoint=midpoint, rate=rate, base_year=2025)
    far = futures.logistic([4000], start, start + rise, midpoint=midpoint, rate=rate, base_year=2025)
    assert curve[0] == pytest.approx(start)
    assert (np.diff(curve) >= -1e-9).all()
    assert far[0] == pytest.approx(start + rise)


def test_a_curve_is_the_shifted_logistic_and_steepest_at_its_midpoint():
    settings = {"midpoint": 2032, "rate": 0.4, "base_year": 2025}
    base = 1 / (1 + np.exp(0.4 * 7))
    assert futures.logistic([2032], 10, 60, **settings)[0] == pytest.approx(10 + 50 * (0.5 - base) / (1 - base))
    steps = np.diff(futures.logistic(np.arange(2025, 2041), 10, 60, **settings))
    assert np.argmax(steps) in (6, 7)


def test_shares_list_every_year_of_every_curve():
    shares = futures.shares(scenario_study(), ["more"])
    assert len(shares) == 3 * 16
    assert shares.query("year == 2025").adoption_percent.tolist() == pytest.approx([3.0, 18.0, 35.0])


def test_demand_grows_by_class_from_the_year_named():
    inputs = futures.check(scenario_study())
    factors = futures.growth_factors(inputs, "more", 2032)
    assert factors["residential"] == pytest.approx(1.01**5 * 0.98**2)
    assert factors["commercial"] == pytest.approx(1.1**3)
    assert (futures.growth_factors(inputs, "more", 2025) == 1).all()


# --- places ------------------------------------------------------------------------------------------------------------------


@given(st.lists(st.integers(0, 500), min_size=1, max_size=30), st.integers(0, 2000))
def test_apportioned_units_add_up_and_lie_within_one_of_their_quota(weights, total):
    counts = futures.apportion(pd.Series(weights, dtype=float), total)
    if sum(weights):
        assert counts.sum() == total
        assert (abs(counts - np.array(weights) * total / sum(weights)) < 1 + 1e-6).all()
    else:
        assert (counts == 0).all()


@settings(max_examples=50)
@given(
    sites=st.lists(st.integers(0, 40), min_size=1, max_size=15),
    seed=st.integers(0, 2**31),
    clustering=st.floats(0, 3),
    allocation=st.sampled_from(["seeded", "weighted"]),
)
def test_an_order_takes_every_site_once_and_again_the_same(sites, seed, clustering, allocation):
    table = pd.Series(sites, index=range(100, 100 + len(sites)))
    options = {"allocation": allocation, "seed": seed, "clustering": clustering, "name": "car/residential"}
    order = futures.order(table, **options)
    assert pd.Series(order).value_counts().reindex(table.index, fill_value=0).tolist() == sites
    assert (order == futures.order(table, **options)).all()


def test_weighted_places_follow_the_customers_at_every_level():
    sites = pd.Series([60, 30, 10], index=[1, 2, 3])
    order = futures.order(sites, allocation="weighted")
    for level in range(1, 101):
        counts = pd.Series(order[:level]).value_counts().reindex(sites.index, fill_value=0)
        assert (abs(counts - level * sites / 100) <= 1).all()


def test_clustering_makes_places_lumpier():
    sites = pd.Series(20, index=range(200))

    def spread(clustering):
        order = futures.order(sites, allocation="seeded", seed=1, clustering=clustering)
        return pd.Series(order[:2000]).value_counts().reindex(sites.index, fill_value=0).std()

    assert spread(1.0) > 1.5 * spread(0.0)


@pytest.mark.parametrize("scenario", ["more", "even"])
def test_totals_are_exact_and_what_is_placed_stays(net, scenario):
    given = scenario_study()
    curves = futures.shares(given, [scenario]).set_index(["technology", "year"]).adoption_percent
    before = None
    for year in range(2025, 2041):
        units = futures.rollout(given, net, scenario, year)
        spread = units[units.customer_class != "named"].groupby("technology").units.sum().reindex(["car", "roof"], fill_value=0)
        for technology, sites in (("car", 280), ("roof", 116)):  # of 233 residential customers: 1.2 cars, 0.5 roofs each
            stock = [np.floor(curves[technology, when] / 100 * sites + 0.5) for when in (2025, year)]
            assert spread[technology] == stock[1] - stock[0]
        now = units.set_index(["technology", "customer_class", "bus"]).units
        if before is not None:
            assert (now.reindex(before.index, fill_value=0) >= before).all()
        before = now


def test_the_same_seed_gives_the_same_places_in_another_scenario(net):
    given = scenario_study()
    more = futures.rollout(given, net, "more", 2040).query("technology == 'car'").set_index("bus").units
    base = futures.rollout(given, net, "base", 2040).query("technology == 'car'").set_index("bus").units
    assert (more >= base.reindex(more.index, fill_value=0)).all()


def test_another_technology_does_not_move_the_places_of_the_first(net):
    fewer = tables()["adoption"].query("technology == 'car'")
    alone = futures.rollout(scenario_study(adoption=fewer), net, "base", 2035)
    together = futures.rollout(scenario_study(), net, "base", 2035).query("technology == 'car'")
    assert_frame_equal(alone, together.reset_index(drop=True))


def test_no_bus_has_more_batteries_than_plants_of_today_and_tomorrow(net):
    for year in (2028, 2034, 2040):
        units = futures.rollout(scenario_study(), net, "more", year).query("customer_class != 'named'")
        counts = units.pivot_table(index="bus", columns="technology", values="units", fill_value=0)
        capacity = pd.Series({1: 60, 2: 40, 3: 16})
        assert (counts["battery"] <= capacity[counts.index]).all()


def test_named_plants_arrive_in_their_year_at_their_bus(net):
    given = scenario_study()
    early, late = (futures.rollout(given, net, "more", year).query("customer_class == 'named'") for year in (2029, 2030))
    assert early.empty
    assert late[["technology", "bus", "units"]].to_numpy().tolist() == [["roof", 4, 100]]


# --- cases -------------------------------------------------------------------------------------------------------------------


def test_the_base_year_is_the_network_as_it_stands(net):
    given = scenario_study()
    case, base = futures.case(given, net, "more", 2025), futures.profiles(given, net)
    assert case.added.empty
    for element in ("load", "sgen", "storage"):
        assert_frame_equal(case.net[element], net[element])
    assert_frame_equal(case.profiles.shapes, base.shapes)
    assert_frame_equal(case.profiles.elements, base.elements)


def test_a_case_changes_nothing_it_was_given(net):
    given, before = scenario_study(), pp.to_json(net)
    held = {name: frame.copy() for name, frame in given.tables.items()}
    case = futures.case(given, net, "more", 2040)
    case.net.line["max_i_ka"] = 0.0
    assert pp.to_json(net) == before
    for name, frame in held.items():
        assert_frame_equal(given.tables[name], frame)


def test_loads_grow_with_the_customers_of_their_bus(net):
    case = futures.case(scenario_study(), net, "more", 2032)
    residential, commercial = 1.01**5 * 0.98**2, 1.1**3
    mixed = (80 * 3 * residential + 10 * 24 * commercial) / (80 * 3 + 10 * 24)
    expected = 0.5 * np.array([residential, mixed, residential])
    assert case.net.load.p_mw[:3].to_numpy() == pytest.approx(expected)
    assert case.net.load.q_mvar[:3].to_numpy() == pytest.approx(expected / 5)


def test_energy_and_power_of_what_is_added_add_up(net):
    case = futures.case(scenario_study(), net, "more", 2040)
    totals = case.added.groupby("technology")[["units", "rated_mw", "energy_mwh"]].sum()
    assert totals.energy_mwh["car"] == pytest.approx(2.0 * totals.units["car"])
    assert totals.rated_mw["roof"] == pytest.approx(0.010 * totals.units["roof"])
    roofs = case.added.query("technology == 'roof'")
    assert roofs.peak_mw.to_numpy() == pytest.approx(0.8 * roofs.rated_mw.to_numpy())
    base = futures.case(scenario_study(), net, "more", 2025)
    generated = futures.power(case, "sgen").sum() - futures.power(base, "sgen").sum()
    assert generated == pytest.approx(totals.energy_mwh["roof"])


def test_new_plants_share_the_sun_of_the_plant_at_their_bus(net):
    roofs = futures.case(scenario_study(), net, "more", 2040).added.query("technology == 'roof'").set_index("bus")
    assert roofs.profile[1] == "sun2"
    assert roofs.profile[4] == "sun"


def test_reactive_power_follows_the_power_factor(net):
    case = futures.case(scenario_study(), net, "more", 2040)
    new = case.net.sgen.loc[case.added.query("technology == 'roof'").element_id]
    assert (-new.q_mvar / new.p_mw).to_numpy() == pytest.approx(np.tan(np.arccos(0.95)))


def test_a_power_flow_balances_what_the_case_says(net):
    case = futures.case(scenario_study(), net, "more", 2040)
    steps = powerflow.run(case.net, case.profiles).steps
    assert steps.converged.all()
    for element, column in (("load", "load_mw"), ("sgen", "generation_mw"), ("storage", "storage_mw")):
        assert steps[column].to_numpy() == pytest.approx(futures.power(case, element), abs=1e-9)
    balance = steps.load_mw - steps.generation_mw + steps.storage_mw + steps.losses_mw - steps.slack_mw
    assert abs(balance).max() < 1e-6


def test_cases_of_many_years_are_those_of_one(net):
    many = list(futures.cases(scenario_study(), net, ["more"], years=[2030, 2040]))
    one = futures.case(scenario_study(), net, "more", 2040)
    assert [case.year for case in many] == [2030, 2040]
    assert_frame_equal(many[1].added, one.added)
    assert_frame_equal(many[1].profiles.shapes, one.profiles.shapes)


# --- storage -----------------------------------------------------------------------------------------------------------------


@given(
    surplus=st.lists(st.floats(-8, 8), min_size=1, max_size=200),
    power=st.floats(0.5, 10),
    capacity=st.floats(0.5, 20),
    efficiency=st.floats(0.5, 1.0),
)
def test_a_battery_creates_no_energy_and_keeps_its_limits(surplus, power, capacity, efficiency):
    given = np.array(surplus)
    drawn, held = futures.self_consumption(given, power_kw=power, capacity_kwh=capacity, efficiency=efficiency, step_h=0.25)
    assert (abs(drawn) <= power + 1e-9).all()
    assert ((held >= 0) & (held <= capacity + 1e-9)).all()
    charged, discharged = np.clip(drawn, 0, None).sum() / 4, np.clip(-drawn, 0, None).sum() / 4
    assert charged * efficiency - discharged / efficiency == pytest.approx(held[-1], abs=1e-6)
    assert discharged <= charged * efficiency**2 + 1e-6


@given(st.lists(st.floats(-8, 8), min_size=1, max_size=100))
def test_a_battery_charges_from_surplus_only_and_never_feeds_the_network(surplus):
    given = np.array(surplus)
    drawn, _ = futures.self_consumption(given, power_kw=5, capacity_kwh=10, efficiency=0.95, step_h=0.25)
    assert (drawn[given > 0] >= 0).all()
    assert (drawn[given > 0] <= given[given > 0] + 1e-12).all()
    assert (drawn[given <= 0] <= 0).all()
    assert (-drawn[given <= 0] <= -given[given <= 0] + 1e-12).all()


def test_a_battery_day_by_hand():
    drawn, held = futures.self_consumption(
        np.array([4.0, 8, 8, -1, -9, -9]), power_kw=5, capacity_kwh=10, efficiency=0.8, step_h=1
    )
    assert drawn == pytest.approx([4.0, 5.0, (10 - 7.2) / 0.8, -1.0, -5.0, -(10 - 1.25 - 6.25) * 0.8])
    assert held == pytest.approx([3.2, 7.2, 10.0, 8.75, 2.5, 0.0])


# --- tables of results -------------------------------------------------------------------------------------------------------


def test_adoption_counts_what_is_placed(net):
    given = scenario_study()
    table = futures.adoption(given, net, ["more"], years=[2025, 2035])
    assert (table.query("year == 2025").added_units == 0).all()
    later = table.query("year == 2035").groupby("technology")[["added_units", "peak_mw", "energy_mwh"]].sum()
    added = futures.case(given, net, "more", 2035).added.groupby("technology")[["units", "peak_mw", "energy_mwh"]].sum()
    assert later.to_numpy() == pytest.approx(added.to_numpy())
    assert table.query("year == 2035 and technology == 'car'").units.item() > 0
    assert table.drop(columns="adoption_percent").notna().all().all()


def test_an_area_without_customers_gets_nothing_and_says_so(net):
    areas = pd.DataFrame({"bus": [1, 2, 3, 4], "area": ["east", "east", "west", "end"]})
    table = futures.by_area(scenario_study(areas=areas), net, "base", [2040]).set_index(["area", "technology"])
    assert table.loc["end", "added_units"].tolist() == [0, 0, 0]
    assert table.loc["end", "energy_mwh"].tolist() == [0.0, 0.0, 0.0]
    assert table.loc[("end", "car"), "remark"] == "nothing is added: the area has no customers"
    assert table.loc[("east", "car"), "remark"] == ""
    assert table.notna().all().all()
    units = futures.rollout(scenario_study(), net, "base", 2040).groupby("technology").units.sum()
    assert table.groupby("technology").added_units.sum().to_dict() == units.to_dict()


def test_a_class_without_customers_gets_nothing(net):
    changed = edited("adoption", 0, customer_class="industrial")
    table = futures.adoption(scenario_study(**changed), net, ["base"], years=[2040])
    row = table.query("technology == 'car'").iloc[0]
    assert (row.units, row.added_units, row.energy_mwh) == (0, 0, 0.0)


def test_the_envelope_holds_the_extremes_of_the_case(net):
    row = futures.envelope(scenario_study(), net, ["more"], years=[2040]).iloc[0]
    case = futures.case(scenario_study(), net, "more", 2040)
    steps = powerflow.run(case.net, case.profiles).steps
    net_load = steps.load_mw - steps.generation_mw + steps.storage_mw
    assert row.net_load_max_mw == pytest.approx(net_load.max())
    assert row.net_load_min_mw == pytest.approx(net_load.min())
    assert row.load_mwh == pytest.approx(steps.load_mw.sum())
    assert row.reverse_hours == (net_load < 0).sum()


def test_a_difference_reads_as_a_sentence_and_turns_round_with_its_scenarios(net):
    given = scenario_study()
    there, back = futures.difference(given, net, "base", "more"), futures.difference(given, net, "more", "base")
    assert there.difference.to_numpy() == pytest.approx(-back.difference.to_numpy())
    cars = there[there.what.str.startswith("Cars")].iloc[0]
    assert cars.reading == (
        f"2040, Cars added since 2025: {cars.difference:.0f} cars more in more than in base "
        f"({cars.value_b:.0f} and {cars.value_a:.0f}, {cars.difference / cars.value_a:+.0%})"
    )


def test_assumptions_that_differ_are_listed_and_no_others():
    table = futures.assumption_difference(scenario_study(), "base", "more")
    assert set(table.query("table == 'adoption'").assumption) == {"saturation_percent"}
    assert table.query("table == 'placements'")[["value_a", "value_b"]].to_numpy().tolist() == [["", "100"]]
    assert not table.query("table == 'load_growth'").empty


# --- errors ------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (
            edited("adoption", 1, saturation_percent=120.0),
            "row 3, column 'saturation_percent': 120 % of what residential customers",
        ),
        (
            edited("adoption", 1, saturation_percent=10.0),
            "row 3, column 'saturation_percent': 10.0 % is below the start of 18.0 %",
        ),
        (
            edited("adoption", 0, units_per_customer=-1.0),
            "row 2, column 'units_per_customer': -1.0 units of car are fewer than none",
        ),
        (edited("adoption", 0, technology="cra"), "'cra' is no technology; did you mean 'car'?"),
        (edited("adoption", 0, scenario="bass"), "'bass' is no scenario; did you mean 'base'?"),
        (edited("adoption", 0, rate_per_yr=float("nan")), "nan is not above 0 [1/yr]"),
        (edited("adoption", 1, technology="car"), "battery joins roof, which has no curve for residential customers"),
        (edited("technologies", 0, profiles="evenign"), "'evenign' is no profile; did you mean 'evening'?"),
        (edited("technologies", 0, energy_mwh=None), "exactly one of energy_mwh and peak_share is needed"),
        (edited("technologies", 2, efficiency=1.2), "1.2 is above 1; a storage creates no energy"),
        (edited("technologies", 2, host="car"), "'car' generates nothing to be kept"),
        (edited("placements", 0, units=-5), "row 2, column 'units': -5 is no whole number of units"),
        (edited("placements", 0, bus=77), "row 2, column 'bus': bus 77 is not in the network"),
        (edited("placements", 0, year=2025), "2025 is not after the base year 2025"),
        (edited("scenarios", 0, allocation="random"), "'random' is no allocation"),
    ],
)
def test_a_wrong_row_is_named(net, changed, message):
    with pytest.raises(StudyError) as caught:
        futures.case(scenario_study(**changed), net, "base", 2030)
    assert message in str(caught.value)


def test_all_wrong_rows_are_named_at_once(net):
    changed = edited("adoption", 1, saturation_percent=120.0) | edited("technologies", 0, profiles="x")
    with pytest.raises(StudyError) as caught:
        futures.check(scenario_study(**changed), net)
    assert len(caught.value.problems) == 2


@pytest.mark.parametrize(
    ("scenario", "year", "message"),
    [
        ("mor", 2030, "'mor' is unknown; did you mean 'more'?"),
        ("more", 2024, "2024 is before the base year 2025; choose a year from 2025 to 2040"),
        ("more", 2041, "2041 is after 2040, where it ends; choose a year from 2025 to 2040"),
    ],
)
def test_a_future_that_the_study_does_not_hold_is_refused(net, scenario, year, message):
    with pytest.raises(ParameterError) as caught:
        futures.case(scenario_study(), net, scenario, year)
    assert message in str(caught.value)


def test_technology_profiles_have_the_steps_of_the_profiles(net):
    other = pd.DataFrame({"time": DAYS + pd.Timedelta("1h"), "heat_p": EVENING})
    with pytest.raises(StudyError, match="has other time steps than the profiles"):
        futures.check(scenario_study(technology_profiles=other), net)


# --- figures -----------------------------------------------------------------------------------------------------------------


def test_figures_draw_every_scenario_and_technology_with_words(net):
    given = scenario_study()
    curves = figures.adoption_curves(futures.shares(given), {"car": "Cars <b>"})
    assert len(curves.figure.data) == 9  # three scenarios, three technologies
    assert "Cars &lt;b&gt;" in curves.figure.layout.annotations[0].text
    envelope = figures.envelope(futures.envelope(given, net, years=[2025, 2040]))
    assert {trace.name for trace in envelope.figure.data} == {"base", "more", "even"}
    added = figures.added(futures.adoption(given, net, years=[2030, 2040]))
    assert added.figure.layout.yaxis.title.text == "Power added [MW]"
    for figure in (curves, envelope, added):
        assert figure.alt
        assert figure._repr_mimebundle_()[0]["text/csv"].startswith("scenario")


def test_the_difference_shows_years_as_years(net):
    table = figures.difference(futures.difference(scenario_study(), net, "base", "more"), "base", "more")
    assert "<td" in table.html()
    assert ">2040<" in table.html()
