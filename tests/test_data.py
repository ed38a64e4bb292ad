"""The bundled study: its files are what data/README.md says of them."""

import copy
import importlib.util
import json
import tomllib
from pathlib import Path

import numpy as np
import pandapower
import pandapower.toolbox
import pandas as pd
import pytest

from gridplan import futures
from gridplan.study import read_study

DATA = Path(__file__).parents[1] / "data"
FOLDER = DATA / "oberrhein"
with_simbench = pytest.mark.skipif(importlib.util.find_spec("simbench") is None, reason="needs the extra simbench")


@pytest.fixture(scope="module")
def derive():
    spec = importlib.util.spec_from_file_location("derive_oberrhein", DATA / "derive_oberrhein.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def net():
    return pandapower.from_json(FOLDER / "network.json")


@pytest.fixture(scope="module")
def tables():
    return {name: pd.read_csv(FOLDER / f"{name}.csv") for name in ("assignments", "customers", "sources", "assumptions")}


@pytest.fixture(scope="module")
def profiles():
    return pd.read_csv(FOLDER / "profiles.csv.gz", parse_dates=["time"]).set_index("time")


@pytest.fixture(scope="module")
def technology_profiles():
    return pd.read_csv(FOLDER / "technology_profiles.csv.gz", parse_dates=["time"]).set_index("time")


@pytest.fixture(scope="module")
def study():
    return read_study(FOLDER)


def power(net, profiles, assignments, element):
    """Active power of every element of a table over the year [MW], steps x elements."""
    given = assignments[assignments.element.eq(element)].set_index("element_id").profile
    rows = net[element].loc[given.index]
    return profiles[given + "_p"].to_numpy() * (rows.p_mw * rows.scaling).to_numpy()


def test_the_year_is_35_040_equal_steps_without_gaps(profiles):
    expected = pd.date_range("2016-01-01 00:00", "2016-12-30 23:45", freq="15min")
    assert len(profiles) == 35_040
    assert profiles.index.equals(expected.rename("time"))
    assert np.isfinite(profiles.to_numpy()).all()


def test_every_active_profile_is_a_share_whose_highest_value_is_one(profiles):
    active = profiles.filter(regex="_p$")
    assert active.min().min() >= 0
    assert (active.max() == 1).all()


def test_the_sun_culminates_at_the_same_time_before_and_after_the_clocks_change(profiles):
    def centre(first, last):
        part = profiles.loc[first:last, "pv1_p"]
        return (part * (part.index.hour + part.index.minute / 60)).sum() / part.sum()

    assert centre("2016-03-13", "2016-03-26") == pytest.approx(centre("2016-03-28", "2016-04-10"), abs=0.25)


def test_every_load_and_every_plant_is_assigned_once_to_a_profile_that_exists(net, tables, profiles):
    given = tables["assignments"]
    listed = list(zip(given.element, given.element_id, strict=True))
    expected = [("load", number) for number in net.load.index] + [("sgen", number) for number in net.sgen.index]
    assert sorted(listed) == sorted(expected)
    assert set(given.profile + "_p") == set(profiles.filter(regex="_p$").columns)


def test_stations_follow_the_grid_types_of_their_rating_in_equal_parts(net, tables, derive):
    given = tables["assignments"].query("element == 'load'").set_index("element_id").profile
    stations = net.load[net.load.type.eq("MV/LV Station")]
    for rating, kinds in derive.GRID_TYPES.items():
        counts = given[stations.index[stations.p_mw.eq(rating)]].value_counts()
        assert set(counts.index) == {f"lv_{kind}" for kind in kinds}
        assert counts.max() - counts.min() <= 1


def test_plants_at_stations_follow_the_weather_of_their_station(net, tables):
    profile = tables["assignments"].set_index(["element", "element_id"]).profile
    station = {row.bus: profile["load", row.Index] for row in net.load.itertuples()}
    own = {row.Index: station.get(row.bus) for row in net.sgen.itertuples()}
    assert sum(name is not None for name in own.values()) == 141
    assert all(profile["sgen", number] == name.replace("lv_", "pv_") for number, name in own.items() if name is not None)


def test_the_network_is_the_one_of_pandapower_but_for_the_documented_changes(net, derive):
    theirs = derive.mv_oberrhein()
    assert (len(net.bus), len(net.line), len(net.load), len(net.sgen), len(net.trafo), len(net.switch)) == (
        179,
        181,
        147,
        153,
        2,
        322,
    )
    assert net.sgen.p_mw.sum() == pytest.approx(22.07, abs=0.01)
    assert net.sgen.scaling.eq(0.8).all()
    assert net.load.scaling.eq(0.6).all()
    assert net.trafo.tap_pos.tolist() == [-1, -2]
    changed = {"geo", "tap_pos", "tap_dependency_table"}
    for table in ("bus", "line", "load", "trafo", "switch", "ext_grid"):
        columns = [name for name in theirs[table] if name not in changed]
        pd.testing.assert_frame_equal(net[table][columns], theirs[table][columns], check_dtype=False)
    columns = [name for name in theirs.sgen if name != "scaling"]
    pd.testing.assert_frame_equal(net.sgen[columns], theirs.sgen[columns], check_dtype=False)


def test_coordinates_are_those_of_pandapower_to_a_metre(net, derive):
    theirs = derive.mv_oberrhein()
    for ours, other in zip(net.bus.geo, theirs.bus.geo, strict=True):
        assert np.allclose(_point(ours), _point(other), rtol=0, atol=1e-6)


def _point(geojson):
    return json.loads(geojson)["coordinates"]


def test_the_network_carries_no_results(net):
    assert all(net[name].empty for name in net if name.startswith("res_") and isinstance(net[name], pd.DataFrame))


@pytest.mark.parametrize("step", ["2016-12-24 13:30", "2016-01-27 17:45", "2016-07-24 10:15", "2016-07-23 11:15"])
def test_the_hardest_hours_of_the_year_stay_inside_the_limits_of_the_study(step, net, tables, profiles):
    case, limit = copy.deepcopy(net), tables["assumptions"].set_index("assumption").value
    for element in ("load", "sgen"):
        given = tables["assignments"].query("element == @element").set_index("element_id").profile
        now = profiles.loc[step]
        case[element]["p_mw"] *= now[given + "_p"].to_numpy()
        if element == "load":
            case[element]["q_mvar"] *= now[given + "_q"].to_numpy()
    pandapower.runpp(case)
    assert case.res_bus.vm_pu.between(limit["vm_min_pu"], limit["vm_max_pu"]).all()
    assert (case.res_line.loading_percent <= limit["line_loading_max_percent"]).all()
    assert (case.res_trafo.loading_percent <= limit["trafo_loading_max_percent"]).all()


def test_demand_and_generation_of_the_year_are_those_of_the_readme(net, tables, profiles):
    load = power(net, profiles, tables["assignments"], "load").sum(axis=1)
    pv = power(net, profiles, tables["assignments"], "sgen").sum(axis=1)
    assert load.sum() / 4e3 == pytest.approx(108.7, abs=0.05)
    assert load.max() == pytest.approx(31.9, abs=0.05)
    assert profiles.index[load.argmax()] == pd.Timestamp("2016-12-24 13:30")
    assert pv.sum() / 4 / net.sgen.p_mw.sum() == pytest.approx(891, abs=0.5)
    assert pv.max() == pytest.approx(17.0, abs=0.05)
    assert (load - pv).min() == pytest.approx(-7.6, abs=0.05)
    assert (pv > load).sum() / 4 == pytest.approx(165, abs=1)


def test_customers_add_up_and_every_supplied_bus_has_some(net, tables):
    customers = tables["customers"]
    assert not customers.duplicated(["bus", "customer_class"]).any()
    assert (customers.customers > 0).all()
    assert set(customers.bus) == set(net.load.bus)
    totals = customers.groupby("customer_class").customers.sum().to_dict()
    assert totals == {"residential": 18_639, "commercial": 1_852, "agricultural": 480, "industrial": 6}


def test_customers_of_a_station_are_those_of_the_grid_in_proportion_to_the_peak(net, tables, derive):
    grids = {"rural1": (13, 0.0756), "rural2": (99, 0.0845), "rural3": (118, 0.1464)}
    grids |= {"semiurb4": (41, 0.1179), "semiurb5": (104, 0.1893), "urban6": (111, 0.1891)}
    given = tables["assignments"].query("element == 'load'").set_index("element_id").profile
    found = tables["customers"].groupby("bus").customers.sum()
    for number, load in net.load[net.load.type.eq("MV/LV Station")].iterrows():
        count, peak = grids[given[number].removeprefix("lv_")]
        assert found[load.bus] == pytest.approx(count * 0.6 * load.p_mw / peak, abs=0.6)


@pytest.mark.parametrize(
    ("shares", "expected"),
    [([2.5, 1.3, 0.2], [3, 1, 0]), ([0.4, 0.4, 0.4], [1, 0, 0]), ([3.0, 0.0, 2.0], [3, 0, 2])],
)
def test_largest_remainders_keep_the_rounded_total(derive, shares, expected):
    assert derive.whole(pd.Series(shares)).tolist() == expected


def test_every_file_has_a_source_and_a_licence(tables):
    sources = tables["sources"]
    present = {path.name for path in FOLDER.iterdir() if not path.name.startswith(".")}
    assert set(sources.file) == present
    assert sources[["content", "source", "licence", "derivation"]].notna().all().all()
    assert set(sources.licence) == {"BSD-3-Clause", "ODbL-1.0"}
    from_simbench = {"profiles.csv.gz", "customers.csv", "technology_profiles.csv.gz"}
    assert set(sources.file[sources.licence.eq("ODbL-1.0")]) == from_simbench


def test_the_readme_attributes_simbench_as_its_licence_asks():
    text = (DATA / "README.md").read_text(encoding="utf-8")
    assert "contain information from [SimBench](https://simbench.net), which is made available" in text
    assert "https://opendatacommons.org/licenses/odbl/1-0/" in text


def test_the_study_names_files_that_exist():
    study = tomllib.loads((FOLDER / "study.toml").read_text(encoding="utf-8"))["study"]
    assert set(study) == {"name", "title", "description", "network", "base_year", "currency"}
    assert (FOLDER / study["network"]).is_file()


def test_gridplan_reads_the_study_without_a_problem():
    study = read_study(FOLDER)
    assert (study.name, study.base_year, study.currency) == ("oberrhein", 2025, "EUR")
    assert len(study.table("profiles")) == 35_040
    assert study.assumptions["vm_max_pu"] == 1.05


def test_the_study_stays_small():
    assert (FOLDER / "technology_profiles.csv.gz").stat().st_size < 0.6e6
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) < 3.2e6


def test_technology_profiles_have_the_steps_of_the_profiles_and_a_highest_value_of_one(profiles, technology_profiles):
    assert technology_profiles.index.equals(profiles.index)
    assert (technology_profiles.max() == 1).all()
    assert (technology_profiles.min() >= 0).all()


def test_cars_of_a_station_and_of_the_network_charge_at_a_plausible_peak(technology_profiles):
    home = technology_profiles.filter(like="ev_home")
    kilowatts = home * 2000 / (home.sum() / 4)  # 2 MWh a year and car
    assert kilowatts.max().between(1.2, 1.4).all()  # about a hundred cars
    assert kilowatts.mean(axis=1).max() == pytest.approx(0.98, abs=0.01)  # about three hundred
    evening, night = kilowatts.mean(axis=1).groupby(kilowatts.index.hour).mean()[[18, 4]]
    assert evening > 10 * night


def test_cars_charge_at_home_on_every_day_and_at_work_on_working_days(technology_profiles):
    days = technology_profiles.groupby(technology_profiles.index.dayofweek).mean()
    home, work = days.filter(like="ev_home").mean(axis=1), days["ev_work_p"]
    assert home.max() < 1.05 * home.min()
    assert work[[5, 6]].max() < 0.5 * work[:5].min()


def test_heat_pumps_run_in_winter_and_not_all_at_once(technology_profiles):
    shape = technology_profiles["heat_pump_p"]
    months = shape.groupby(shape.index.month).mean()
    assert shape.sum() / 4 == pytest.approx(2010, abs=20)
    assert months[[1, 2]].min() > 10 * months[[6, 7, 8]].max()


def test_the_scenarios_meet_the_national_values_that_they_name(study):
    table = futures.shares(study).set_index(["scenario", "technology", "customer_class", "year"]).adoption_percent

    def share(scenario, technology, year, kind="residential"):
        return table[scenario, technology, kind, year]

    cars, heat_pumps = 49.3, 21.3  # million, of all drives and all sources of heat
    for scenario, millions in (("slow", 4.71), ("reference", 6.15), ("fast", 15.0)):
        assert share(scenario, "ev_home", 2030) == pytest.approx(100 * millions / cars, abs=0.5)
    for scenario, millions in (("reference", 3.9), ("fast", 6.0)):
        assert share(scenario, "heat_pump", 2030) == pytest.approx(100 * millions / heat_pumps, abs=1.0)
    for year, gigawatts in ((2026, 128), (2030, 215), (2035, 309), (2040, 400)):
        roofs = share("fast", "pv_home", year) / share("fast", "pv_home", 2025) - 1
        assert roofs == pytest.approx(0.5 * (gigawatts / 108 - 1), abs=0.06)


def test_the_field_plants_of_the_fast_scenario_are_the_other_half_of_the_legal_path(study, net):
    added = futures.adoption(study, net, ["fast"], years=[2040]).groupby("technology").rated_mw.sum()
    path = 22.07 * (400 / 108 - 1)
    assert added["pv_field"] == pytest.approx(path / 2, rel=0.1)
    assert added["pv_home"] + added["pv_roof"] == pytest.approx(path / 2, rel=0.1)


def test_scenarios_begin_alike_and_rank_as_named(study, net):
    table = futures.envelope(study, net, years=[2025, 2040]).set_index(["year", "scenario"])
    assert table.loc[2025].nunique().eq(1).all()
    assert table.loc[(2025, "fast"), "load_max_mw"] == pytest.approx(31.9, abs=0.05)
    assert table.loc[(2025, "fast"), "net_load_min_mw"] == pytest.approx(-7.6, abs=0.05)
    highest, lowest = table.loc[2040, "net_load_max_mw"], table.loc[2040, "net_load_min_mw"]
    assert highest["slow"] < highest["reference"] < highest["fast"]
    assert lowest["slow"] > lowest["reference"] > lowest["fast"]


def test_a_year_of_a_scenario_is_what_the_readme_says(study, net):
    row = futures.envelope(study, net, ["fast"], years=[2040]).iloc[0]
    assert row.net_load_max_mw == pytest.approx(48.6, abs=0.05)
    assert row.net_load_min_mw == pytest.approx(-44.6, abs=0.05)
    assert row.load_mwh / 1e3 == pytest.approx(176.4, abs=0.05)
    assert row.generation_mwh / 1e3 == pytest.approx(70.7, abs=0.05)


def test_every_value_of_the_scenarios_has_a_source(study):
    for name in ("scenarios", "technologies", "adoption", "load_growth", "customer_classes", "placements"):
        table = study.table(name)
        assert (table.source.str.len() > 5).all()
        assert table.evidence.isin(["V", "V-computed", "2nd", "M"]).all()


@with_simbench
def test_active_and_reactive_power_are_those_of_simbench(net, tables, profiles, derive):
    theirs = derive.simbench_table("LoadProfile").iloc[: len(profiles)]
    number = net.load.index[tables["assignments"].query("element == 'load'").profile.eq("lv_urban6").to_numpy()][0]
    station = net.load.loc[number]
    p = station.p_mw * station.scaling * profiles["lv_urban6_p"].to_numpy()
    q = station.q_mvar * station.scaling * profiles["lv_urban6_q"].to_numpy()
    grid_p, grid_q = 0.441 * theirs["lv_urban6_pload"].to_numpy(), 0.1743 * theirs["lv_urban6_qload"].to_numpy()
    factor = station.p_mw * station.scaling / grid_p.max()
    assert np.allclose(p, grid_p * factor, rtol=0, atol=5e-5)
    assert np.allclose(q, grid_q * factor, rtol=0, atol=5e-5)


@with_simbench
def test_pv_profiles_are_those_of_simbench_but_for_one_factor(profiles, derive):
    theirs = derive.simbench_table("RESProfile").iloc[: len(profiles)]
    for ours, other in (("pv1_p", "PV1"), ("pv7_p", "PV7"), ("pv_rural2_p", "lv_rural2")):
        assert np.allclose(profiles[ours] * theirs[other].max(), theirs[other], rtol=0, atol=5e-5)


@with_simbench
def test_the_script_writes_the_committed_files(derive, net, profiles, technology_profiles, tmp_path):
    derive.write(tmp_path)
    for name in ("assignments", "customers"):
        assert (tmp_path / f"{name}.csv").read_bytes() == (FOLDER / f"{name}.csv").read_bytes()
    again = pd.read_csv(tmp_path / "profiles.csv.gz", parse_dates=["time"]).set_index("time")
    pd.testing.assert_frame_equal(again, profiles)
    again = pd.read_csv(tmp_path / "technology_profiles.csv.gz", parse_dates=["time"]).set_index("time")
    pd.testing.assert_frame_equal(again, technology_profiles)
    assert pandapower.toolbox.nets_equal(pandapower.from_json(tmp_path / "network.json"), net)
