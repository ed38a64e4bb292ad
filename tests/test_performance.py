"""A year on the network as tables: against values worked out by hand on a small feeder."""

import numpy as np
import pandapower as pp
import pandas as pd
import pytest

from gridplan import errors, performance, powerflow


@pytest.fixture
def net():
    """Two stations in a row behind a 20 kV source, PV at the second."""
    net = pp.create_empty_network()
    first, second, third = (pp.create_bus(net, 20.0, name=f"Bus {n}", geodata=(7 + n / 100, 48.0)) for n in range(3))
    pp.create_ext_grid(net, first)
    for start, end in ((first, second), (second, third)):
        pp.create_line_from_parameters(net, start, end, 2.0, 0.2, 0.1, 0, 0.3, name=f"Line {start}")
    pp.create_load(net, second, 1.0, 0.2)
    pp.create_load(net, third, 2.0, 0.4)
    pp.create_sgen(net, third, 4.0)
    return net


@pytest.fixture
def profiles():
    """One day of hours; the loads follow the hour, the sun shines from 10 to 13 o'clock."""
    time = pd.date_range("2016-01-01", periods=24, freq="h")
    shapes = pd.DataFrame(
        {"load_p": np.linspace(0.1, 1.0, 24), "sun_p": np.where((time.hour >= 10) & (time.hour < 14), 1.0, 0.0)}, index=time
    )
    rows = [("load", 0, "load_p", "load_p"), ("load", 1, "load_p", "load_p"), ("sgen", 0, "sun_p", "sun_p")]
    return powerflow.Profiles(time, shapes, pd.DataFrame(rows, columns=["element", "element_id", "shape_p", "shape_q"]))


@pytest.fixture
def areas():
    return pd.DataFrame({"bus": [1, 2], "area": ["S1-F1", "S1-F1"]})


@pytest.fixture
def customers():
    return pd.DataFrame(
        {"bus": [1, 2, 2], "customer_class": ["residential", "residential", "commercial"], "customers": [100, 80, 20]}
    )


def test_energy_of_the_month_balances(net, profiles):
    month = performance.monthly(powerflow.run(net, profiles)).iloc[0]
    load = 3.0 * np.linspace(0.1, 1.0, 24).sum()
    assert month["load_mwh"] == pytest.approx(load, rel=1e-6)
    assert month["generation_mwh"] == pytest.approx(16.0)
    assert month["import_mwh"] + month["generation_mwh"] == pytest.approx(
        load + month["export_mwh"] + month["losses_mwh"], rel=1e-6
    )
    assert month["export_mwh"] > 0


def test_key_figures_name_the_worst(net, profiles):
    key = performance.key_figures(net, powerflow.run(net, profiles), powerflow.Limits())
    assert key.peak_load_mw == pytest.approx(3.0, rel=1e-6)
    assert key.peak_time == pd.Timestamp("2016-01-01 23:00")
    assert key.vm_min_bus == "bus 2"
    assert key.line == "line 0"
    assert key.outside_h == 0
    assert key.hours == 24
    assert np.isnan(key.trafo_loading_percent)
    assert key.trafo == "–"


def test_hours_outside_are_counted_once(net, profiles):
    tight = powerflow.Limits(vm_min_pu=0.9999, vm_max_pu=1.00001, line_loading_max_percent=1)
    year = powerflow.run(net, profiles)
    assert performance.key_figures(net, year, tight).outside_h == 24


def test_a_step_without_solution_is_not_a_step_within_limits(net, profiles):
    shapes = profiles.shapes.copy()
    shapes.iloc[5] = 1000.0, 0.0
    year = powerflow.run(net, powerflow.Profiles(profiles.time, shapes, profiles.elements))
    key = performance.key_figures(net, year, powerflow.Limits())
    assert key.failed_h == 1
    assert performance.failed_hours(year) == 1
    assert not np.isnan(key.vm_min_pu)


def test_nothing_solved_gives_missing_figures(net, profiles):
    shapes = profiles.shapes * 0 + 1000.0
    key = performance.key_figures(
        net, powerflow.run(net, powerflow.Profiles(profiles.time, shapes, profiles.elements)), powerflow.Limits()
    )
    assert key.failed_h == key.hours == 24
    assert np.isnan(key.vm_min_pu)


def test_scaling_changes_a_copy(net, profiles):
    twice = performance.scaled(net, load_percent=200, pv_percent=0)
    assert net.load["scaling"].tolist() == [1.0, 1.0]
    steps = powerflow.run(twice, profiles).steps
    assert steps["load_mw"].max() == pytest.approx(6.0, rel=1e-6)
    assert steps["generation_mw"].max() == 0


@pytest.mark.parametrize("value", [-1, float("nan"), float("inf")])
def test_a_share_must_be_a_number_from_0_on(net, value):
    with pytest.raises(errors.ParameterError, match="load_percent"):
        performance.scaled(net, load_percent=value)


def test_an_area_sums_what_it_supplies(net, profiles, areas, customers):
    row = performance.area_summary(net, areas, customers, powerflow.run(net, profiles)).iloc[0]
    assert row["customers"] == 200
    assert row["stations"] == 2
    assert row["length_km"] == 4.0
    assert (row["load_mw"], row["pv_mw"]) == (3.0, 4.0)
    assert row["vm_min_pu"] < 1 < row["vm_max_pu"]


def test_a_line_carries_the_name_area_and_moment_of_its_highest_loading(net, profiles, areas):
    line = performance.lines(net, areas, powerflow.run(net, profiles)).iloc[0]
    assert (line["name"], line["area"], line["time"]) == ("line 0", "S1-F1", pd.Timestamp("2016-01-01 23:00"))


def test_a_day_has_its_extremes_by_area(net, profiles, areas):
    year = powerflow.run(net, profiles)
    day = performance.daily(powerflow.by_area(year, net, areas)).iloc[0]
    assert day["vm_min_pu"] == pytest.approx(year.vm_pu[[1, 2]].min().min())
    assert day["vm_max_pu"] == pytest.approx(year.vm_pu[[1, 2]].max().max())


def test_hours_are_means_of_their_steps():
    time = pd.date_range("2016-01-01", periods=8, freq="15min")
    table = performance.hourly(pd.Series(np.arange(8.0), index=time, name="p_mw"))
    assert table["p_mw"].tolist() == [1.5, 5.5]
    assert table["hour"].tolist() == [0, 1]


def test_a_profile_shows_its_full_load_hours_and_its_nights(net, profiles):
    table = performance.profile_summary(net, profiles).set_index("profile")
    assert table.loc["sun", "full_load_hours"] == 4
    assert table.loc["sun", "at_night"] == 0
    assert table.loc["load", "p_mw"] == 3.0
    assert table.loc["load", "elements"] == 2


def test_the_mean_day_adds_up_all_elements(net, profiles):
    days = performance.mean_day(net, profiles)
    noon = days[(days["series"] == "generation") & (days["hour"] == 12)]
    assert noon["p_mw"].tolist() == [4.0]
    assert set(days["season"]) == {"winter"}


def test_a_network_without_coordinates_gets_a_schematic(net):
    assert performance.geometry(net)["geographic"] is True
    net.bus["geo"] = None
    place = performance.geometry(net)
    assert place["geographic"] is False
    assert set(place["paths"]) == {0, 1}
    assert np.isfinite(place["points"].to_numpy()).all()


def test_loading_curves_without_transformers_hold_the_lines(net, profiles):
    curves = performance.loading_curves(net, powerflow.run(net, profiles))
    assert curves["series"].unique().tolist() == ["most loaded line"]
    assert curves["loading_percent"].is_monotonic_decreasing
