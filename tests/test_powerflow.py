"""The batch power flow against pandapower's own Newton-Raphson, closed forms and its own invariants."""

import copy
import re
import tracemalloc
from pathlib import Path

import numpy as np
import pandapower as pp
import pandapower.networks as nw
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gridplan import powerflow as pf
from gridplan.errors import NetworkError, ParameterError

# pandapower's own networks lack a column that its power flow asks for; our own runs are silent about it (tested below).
pytestmark = pytest.mark.filterwarnings("ignore:tap_dependency_table is missing:DeprecationWarning")

TIME = pd.date_range("2016-01-01", periods=6, freq="15min")


def reference(net, **options):
    """Solve a copy with pandapower."""
    solved = copy.deepcopy(net)
    pp.runpp(solved, tolerance_mva=1e-9, lightsim2grid=False, **options)
    return solved


def assert_same(result, solved, step=0):
    """Voltages to 1e-6 pu, loadings to 0.01 %, losses and slack to 1e-6 MW; NaN in the same places."""
    np.testing.assert_allclose(result.vm_pu.iloc[step], solved.res_bus.vm_pu, atol=1e-6, rtol=0)
    for element in ("line", "trafo", "trafo3w"):
        found = getattr(result, f"{element}_loading_percent").iloc[step]
        np.testing.assert_allclose(found, solved[f"res_{element}"].loading_percent, atol=1e-4, rtol=1e-4 / 100, err_msg=element)
    row = result.steps.iloc[step]
    assert row["line_losses_mw"] == pytest.approx(solved.res_line.pl_mw.sum(), abs=1e-6)
    assert row["trafo_losses_mw"] == pytest.approx(solved.res_trafo.pl_mw.sum() + solved.res_trafo3w.pl_mw.sum(), abs=1e-6)
    grids = solved.res_ext_grid[solved.ext_grid.in_service]
    for power, column in ((result.slack_p_mw, "p_mw"), (result.slack_q_mvar, "q_mvar")):
        np.testing.assert_allclose(power.iloc[step]["ext_grid"], grids[column], atol=1e-6)


def random_profiles(net, seed=0, low=0.0, high=1.2):
    """Every load, static generator and storage on random shapes of its own."""
    rng = np.random.default_rng(seed)
    rows = [(element, number) for element in ("load", "sgen", "storage") for number in net[element].index]
    elements = pd.DataFrame(rows, columns=["element", "element_id"])
    elements["shape_p"], elements["shape_q"] = [f"p{i}" for i in range(len(rows))], [f"q{i}" for i in range(len(rows))]
    names = [*elements["shape_p"], *elements["shape_q"]]
    shapes = pd.DataFrame(rng.uniform(low, high, (len(TIME), len(names))), index=TIME, columns=names)
    return pf.Profiles(TIME, shapes, elements)


def at_step(net, profiles, step):
    """Write the powers of a step into a copy of the network, as run_timeseries would."""
    changed = copy.deepcopy(net)
    for row in profiles.elements.itertuples():
        changed[row.element].loc[row.element_id, "p_mw"] *= profiles.shapes[row.shape_p].iloc[step]
        changed[row.element].loc[row.element_id, "q_mvar"] *= profiles.shapes[row.shape_q].iloc[step]
    return changed


def cigre_mv_with_storage():
    net = nw.create_cigre_network_mv(with_der="all")
    net.storage["scaling"] = 0.8
    return net


def zip_loads(seed=3):
    """Random shares of constant current and impedance, several loads and a generator at one bus."""
    net = nw.create_cigre_network_mv(with_der="pv_wind")
    rng = np.random.default_rng(seed)
    for q in ("p", "q"):
        net.load[f"const_z_{q}_percent"] = rng.uniform(0, 50, len(net.load))
        net.load[f"const_i_{q}_percent"] = rng.uniform(0, 50, len(net.load))
    return net


def awkward():
    """Open lines, an island, parallel and dead elements, bus couplers, a switch impedance, conductance, taps, a phase shift."""
    net = nw.mv_oberrhein()
    net.switch.loc[net.switch.index[net.switch.et == "l"][[3, 60]], "closed"] = False
    net.line.loc[net.line.index[10], "in_service"] = False
    net.line["g_us_per_km"] = 5.0
    net.line.loc[net.line.index[:20], "parallel"] = 2
    net.line.loc[net.line.index[:40], "df"] = 0.9
    net.trafo["tap_pos"] = [-2, 1]
    net.trafo["shift_degree"] = 150.0
    near = net.load.bus.iloc[0]
    extra = pp.create_buses(net, 3, 20.0)
    pp.create_switch(net, near, extra[0], et="b", closed=True)
    pp.create_switch(net, near, extra[1], et="b", closed=True, z_ohm=0.5)
    pp.create_switch(net, near, extra[2], et="b", closed=False)
    for bus in extra:
        pp.create_load(net, bus, 0.3, 0.1)
    pp.create_shunt(net, extra[0], q_mvar=-0.4, p_mw=0.01)
    pp.create_ward(net, extra[1], 0.1, 0.05, 0.1, -0.1)
    pp.create_load(net, near, 0.1, 0.0, in_service=False)
    dead = pp.create_bus(net, 20.0, in_service=False)
    pp.create_load(net, dead, 0.1)
    return net


NETWORKS = {
    "case4gs": nw.case4gs,
    "case5": nw.case5,
    "case6ww": nw.case6ww,
    "case9": nw.case9,
    "case14": nw.case14,
    "case24": nw.case24_ieee_rts,
    "case30": nw.case30,
    "case33bw": nw.case33bw,
    "case39": nw.case39,
    "case57": nw.case57,
    "case118": nw.case118,
    "case300": nw.case300,
    "case1888rte": nw.case1888rte,
    "iceland": nw.iceland,
    "cigre_lv": nw.create_cigre_network_lv,
    "cigre_mv": nw.create_cigre_network_mv,
    "cigre_mv_der": cigre_mv_with_storage,
    "cigre_hv": nw.create_cigre_network_hv,
    "oberrhein_load": nw.mv_oberrhein,
    "oberrhein_generation": lambda: nw.mv_oberrhein("generation"),
    "oberrhein_stations": lambda: nw.mv_oberrhein(include_substations=True),
    "multivoltage": nw.example_multivoltage,
    "simple": nw.example_simple,
    "four_bus": nw.simple_four_bus_system,
    "open_ring": nw.simple_mv_open_ring_net,
    "kerber_landnetz": nw.create_kerber_landnetz_freileitung_1,
    "kerber_vorstadt": nw.create_kerber_vorstadtnetz_kabel_1,
    "dickert": nw.create_dickert_lv_network,
    "schutterwald": nw.lv_schutterwald,
    "gb_reduced": nw.GBreducednetwork,
    "ieee_european": nw.ieee_european_lv_asymmetric,
    "zip": zip_loads,
    "awkward": awkward,
}


@pytest.mark.parametrize("name", NETWORKS)
def test_agrees_with_pandapower(name):
    net = NETWORKS[name]()
    result = pf.run(net)
    assert result.converged.all()
    assert_same(result, reference(net))


@pytest.mark.parametrize("name", ["multivoltage", "oberrhein_load", "cigre_lv", "case300"])
def test_agrees_with_the_pi_model_of_transformers(name):
    net = NETWORKS[name]()
    assert_same(pf.run(net, options=pf.Options(trafo_model="pi")), reference(net, trafo_model="pi"))


def test_agrees_without_phase_shifts():
    net = awkward()
    options = pf.Options(calculate_voltage_angles=False, angles=True)
    result, solved = pf.run(net, options=options), reference(net, calculate_voltage_angles=False)
    assert_same(result, solved)
    np.testing.assert_allclose(result.va_degree.iloc[0], solved.res_bus.va_degree, atol=1e-4)


@pytest.mark.parametrize(
    "name", ["cigre_mv_der", "oberrhein_generation", "zip", "awkward", "multivoltage", "case118", "case33bw"]
)
def test_agrees_step_by_step_with_random_profiles(name):
    net = NETWORKS[name]()
    profiles = random_profiles(net)
    result = pf.run(net, profiles)
    assert result.converged.all()
    for step in (0, 2, len(TIME) - 1):
        assert_same(result, reference(at_step(net, profiles, step)), step)


def test_leaves_the_network_alone():
    net = awkward()
    before = copy.deepcopy(net)
    pf.run(net, random_profiles(net))
    assert net.keys() == before.keys()
    for key, value in before.items():
        if isinstance(value, pd.DataFrame):
            pd.testing.assert_frame_equal(net[key], value)


def test_load_follows_voltage_as_the_load_model_says():
    net = zip_loads()
    solved = reference(net)
    row = pf.run(net).steps.iloc[0]
    # pandapower's table of loads uses each load's own shares, its power flow the mean of the bus; compare where they are the same
    one = pf.run(at_step(net, random_profiles(net, low=1.0, high=1.0), 0)).steps.iloc[0]
    assert one["load_mw"] == pytest.approx(row["load_mw"])
    supplied = solved.res_ext_grid.p_mw.sum() + net.sgen.eval("p_mw * scaling").sum()
    assert row["load_mw"] == pytest.approx(supplied - row["losses_mw"], abs=1e-6)
    assert row["load_mw"] < net.load.eval("p_mw * scaling").sum()


def test_power_balance_closes_in_every_step():
    net = cigre_mv_with_storage()
    steps = pf.run(net, random_profiles(net)).steps
    left = steps.slack_mw + steps.generation_mw - steps.storage_mw - steps.load_mw - steps.losses_mw
    np.testing.assert_allclose(left, 0.0, atol=1e-6)


@pytest.mark.parametrize("name", ["oberrhein_load", "zip", "multivoltage"])
def test_a_step_without_solution_fails_alone(name):
    net = NETWORKS[name]()
    profiles = random_profiles(net)
    wild = profiles.shapes.copy()
    wild.iloc[2] *= 50
    result = pf.run(net, pf.Profiles(TIME, wild, profiles.elements))
    sound = pf.run(net, profiles)
    assert list(result.steps["method"] == "failed") == [False, False, True, False, False, False]
    assert result.vm_pu.iloc[2].isna().all()
    assert result.line_loading_percent.iloc[2].isna().all()
    assert result.steps.drop(columns=["converged", "method", "iterations"]).filter(like="_mw").iloc[2].isna().all()
    others = [0, 1, 3, 4, 5]
    np.testing.assert_allclose(result.vm_pu.iloc[others], sound.vm_pu.iloc[others], atol=1e-7)
    found = pf.violations(result, pf.Limits()).set_index("kind").loc["no solution"]
    assert found["hours"] == 0.25
    assert found["worst_time"] == TIME[2]
    assert "no solution" in set(pf.worst_hours(result)["kind"])


def test_newton_takes_what_the_fixed_point_cannot():
    net = two_bus(0.0, 0.0)
    net.line["length_km"] = 10.0
    z = complex(net.line.r_ohm_per_km[0], net.line.x_ohm_per_km[0]) * 10 / 400
    net.load["p_mw"] = 0.9997 / (2 * (z.real + abs(z)))  # close to the nose, where the fixed point crawls
    result = pf.run(net, options=pf.Options(max_iterations=30))
    assert result.steps["method"].iloc[0] == "newton"
    assert_same(result, reference(net))


def test_results_do_not_depend_on_the_block():
    net = cigre_mv_with_storage()
    profiles = random_profiles(net)
    one, all_ = (pf.run(net, profiles, options=pf.Options(block=block)) for block in (1, 128))
    np.testing.assert_allclose(one.vm_pu, all_.vm_pu, atol=1e-7)
    np.testing.assert_allclose(one.line_loading_percent, all_.line_loading_percent, rtol=1e-5, atol=1e-5)


def two_bus(p_mw, q_mvar):
    net = pp.create_empty_network(sn_mva=1.0)
    buses = pp.create_buses(net, 2, 20.0)
    pp.create_ext_grid(net, buses[0], vm_pu=1.0)
    pp.create_line_from_parameters(net, *buses, 1.0, r_ohm_per_km=2.0, x_ohm_per_km=3.0, c_nf_per_km=0.0, max_i_ka=0.3)
    pp.create_load(net, buses[1], p_mw, q_mvar)
    return net


@settings(max_examples=15, deadline=None)
@given(st.lists(st.tuples(st.floats(-25, 25), st.floats(-10, 10)), min_size=1, max_size=30))
def test_two_bus_feeder_in_closed_form(powers):
    """|V|^2 is the larger root of V^4 + (2 (rp + xq) - 1) V^2 + |z|^2 |s|^2 = 0."""
    p, q = np.array(powers).T
    r, x = 2.0 / 400, 3.0 / 400
    half = 0.5 - (r * p + x * q)
    inner = half**2 - (r * r + x * x) * (p * p + q * q)
    time = pd.date_range("2016-01-01", periods=len(p), freq="h")
    elements = pd.DataFrame({"element": ["load"], "element_id": [0], "shape_p": ["p"], "shape_q": ["q"]})
    result = pf.run(two_bus(1.0, 1.0), pf.Profiles(time, pd.DataFrame({"p": p, "q": q}, index=time), elements))
    exists, clear = (inner > 1e-3) & (half > 0), inner < -1e-3
    assert not result.converged[clear].any()
    assert result.converged[exists].all()
    voltage = np.sqrt(half[exists] + np.sqrt(inner[exists]))
    np.testing.assert_allclose(result.vm_pu.to_numpy()[exists, 1], voltage, atol=2e-7)
    current = np.hypot(p, q)[exists] / voltage / (np.sqrt(3) * 20)
    np.testing.assert_allclose(result.line_loading_percent.to_numpy()[exists, 0], 100 * current / 0.3, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(result.steps.losses_mw[exists], (r * (p * p + q * q))[exists] / voltage**2, atol=1e-6)


def test_voltages_fall_as_load_grows():
    net = nw.case33bw()
    time = pd.date_range("2016-01-01", periods=5, freq="h")
    elements = pd.DataFrame({"element": "load", "element_id": net.load.index, "shape_p": 0, "shape_q": 0})
    result = pf.run(net, pf.Profiles(time, np.linspace(0, 1, 5)[:, None], elements))
    assert (np.diff(result.steps.vm_min_pu) < 0).all()
    assert (np.diff(result.steps.load_mw) > 0).all()


LIMITS = pf.Limits(vm_min_pu=0.98, vm_max_pu=1.02, line_loading_max_percent=40.0, trafo_loading_max_percent=40.0)


def test_statistics_of_both_kinds_are_the_same(monkeypatch):
    monkeypatch.setattr("gridplan.powerflow._run._CHUNK_BYTES", 1)  # many chunks
    net = awkward()
    rng = np.random.default_rng(5)
    time = pd.date_range("2016-01-01", periods=300, freq="h")
    elements = pd.DataFrame({"element": "load", "element_id": net.load.index, "shape_p": 0, "shape_q": 0})
    shapes = rng.uniform(0.1, 1.2, (300, 1))
    shapes[100] = 200.0
    profiles = pf.Profiles(time, shapes, elements)
    full = pf.run(net, profiles, limits=LIMITS)
    small = pf.run(net, profiles, keep="statistics", limits=LIMITS)
    assert small.vm_pu is None
    pd.testing.assert_frame_equal(full.steps, small.steps, rtol=1e-6, check_freq=False)
    for name, table in pf.statistics(full).items():
        pd.testing.assert_frame_equal(table, small.statistics[name], rtol=1e-6)
    bus = small.statistics["bus"]
    values = full.vm_pu.to_numpy(float)
    known = ~np.isnan(values).all(axis=0)
    np.testing.assert_allclose(bus["min"][known], np.nanmin(values[:, known], axis=0))
    np.testing.assert_allclose(bus["mean"][known], np.nanmean(values[:, known], axis=0))
    np.testing.assert_array_equal(bus["min_step"][known], np.nanargmin(values[:, known], axis=0))
    np.testing.assert_array_equal(bus["hours_below"], (values < 0.98).sum(axis=0))
    np.testing.assert_array_equal(
        small.statistics["line"]["hours_above"], (full.line_loading_percent.to_numpy() > 40).sum(axis=0)
    )
    pd.testing.assert_frame_equal(pf.violations(full), pf.violations(small))


def test_memory_of_statistics_does_not_grow_with_the_elements_times_steps():
    net = nw.mv_oberrhein()
    steps = 20_000
    time = pd.date_range("2016-01-01", periods=steps, freq="15min")
    elements = pd.DataFrame({"element": "load", "element_id": net.load.index, "shape_p": 0, "shape_q": 0})
    profiles = pf.Profiles(time, np.full((steps, 1), 0.5), elements)
    everything = 4 * steps * (len(net.bus) + len(net.line) + len(net.trafo))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("gridplan.powerflow._run._CHUNK_BYTES", 1_000_000)
        pf.run(net, profiles, keep="statistics")
        tracemalloc.start()
        result = pf.run(net, profiles, keep="statistics")
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    series = sum(int(t.memory_usage(deep=True).sum()) for t in (result.steps, result.slack_p_mw, result.slack_q_mvar))
    assert peak < 3 * series + 5_000_000
    assert peak < everything / 1.5


def test_extremes_name_their_element():
    net = awkward()
    result = pf.run(net, random_profiles(net))
    steps = result.steps
    np.testing.assert_array_equal(steps["vm_min_pu"], result.vm_pu.min(axis=1))
    np.testing.assert_array_equal(steps["vm_max_pu"], result.vm_pu.max(axis=1))
    np.testing.assert_array_equal(steps["line_loading_max_line"], result.line_loading_percent.idxmax(axis=1))
    for time, bus in steps["vm_min_bus"].items():
        assert result.vm_pu.loc[time, bus] == steps.loc[time, "vm_min_pu"]


def test_a_line_without_rating_is_reported_and_hides_nothing():
    net = nw.mv_oberrhein()
    net.line.loc[net.line.index[[0, 1]], "max_i_ka"] = [0.0, np.nan]
    result = pf.run(net)
    assert np.isinf(result.line_loading_percent.iloc[0, :2]).all()
    assert np.isfinite(result.steps["line_loading_max_percent"]).all()
    found = pf.violations(result, pf.Limits())
    assert list(found.loc[found["kind"] == "no rating", "element_id"]) == list(net.line.index[:2])


def test_a_bus_without_supply_is_reported_and_does_not_fail_the_step():
    net = awkward()
    result = pf.run(net)
    found = pf.violations(result, pf.Limits())
    dead = set(found.loc[found["kind"] == "no supply", "element_id"])
    assert dead == set(net.bus.index[reference(net).res_bus.vm_pu.isna()])
    assert dead
    assert result.converged.all()


def test_violations_count_hours_and_name_the_worst_step():
    net = nw.mv_oberrhein()
    time = pd.date_range("2016-01-01", periods=4, freq="30min")
    elements = pd.DataFrame({"element": "load", "element_id": net.load.index, "shape_p": 0, "shape_q": 0})
    result = pf.run(net, pf.Profiles(time, np.array([[0.1], [1.0], [1.1], [0.1]]), elements))
    limits = pf.Limits(vm_min_pu=float(result.steps.vm_min_pu.iloc[1]) + 1e-4, vm_max_pu=1.1)
    found = pf.violations(result, limits)
    worst = found[found["kind"] == "undervoltage"].sort_values("worst").iloc[0]
    assert worst["worst_time"] == time[2]
    assert worst["hours"] == 1.0
    assert worst["element_id"] == result.steps["vm_min_bus"].iloc[2]
    assert pf.violations(result, pf.Limits(0.5, 1.5, 1000.0, 1000.0)).empty


def test_by_area_covers_buses_and_lines_of_the_area():
    net = nw.mv_oberrhein()
    result = pf.run(net, random_profiles(net))
    areas = pd.DataFrame({"bus": net.bus.index, "area": np.where(np.arange(len(net.bus)) % 2, "odd", "even")})
    table = pf.by_area(result, net, areas)
    assert len(table) == 2 * len(TIME)
    odd = areas.loc[areas["area"] == "odd", "bus"]
    row = table[(table["area"] == "odd") & (table["time"] == TIME[3])].iloc[0]
    assert row["vm_min_pu"] == result.vm_pu.loc[TIME[3], odd].min()
    lines = net.line.index[net.line.from_bus.isin(odd) | net.line.to_bus.isin(odd)]
    assert row["line_loading_max_percent"] == result.line_loading_percent.loc[TIME[3], lines].max()


def test_duration_curve_is_sorted_and_ends_at_100_percent():
    curve = pf.duration_curve(pd.Series([1.0, 3.0, np.nan, 2.0, 0.0]))
    assert list(curve["value"]) == [3.0, 2.0, 1.0, 0.0]
    assert list(curve["share_percent"]) == [25.0, 50.0, 75.0, 100.0]


def test_worst_hours_are_distinct_days():
    net = nw.mv_oberrhein()
    time = pd.date_range("2016-01-01", periods=96 * 3, freq="15min")
    elements = pd.DataFrame({"element": "load", "element_id": net.load.index, "shape_p": 0, "shape_q": 0})
    evening = 0.3 + 0.7 * np.exp(-(((np.arange(96) - 76) / 8) ** 2))
    result = pf.run(net, pf.Profiles(time, np.concatenate([evening, 0.9 * evening, evening * 0.8])[:, None], elements))
    table = pf.worst_hours(result, 2)
    low = table[table["kind"] == "lowest voltage"]
    assert list(low["time"]) == [time[76], time[96 + 76]]
    assert low["value"].iloc[0] == result.steps["vm_min_pu"].min()
    assert set(table["kind"]) == {"lowest voltage", "highest voltage", "line loading", "transformer loading"}


def test_energy_and_losses_are_sums_over_time():
    net = cigre_mv_with_storage()
    result = pf.run(net, random_profiles(net))
    energy, lost = (table.set_index("quantity")["value"] for table in (pf.energy(result), pf.losses(result)))
    assert energy["losses"] == pytest.approx(result.steps["losses_mw"].sum() * 0.25)
    assert lost["losses"] == pytest.approx(lost[["lines", "transformers", "others"]].sum())
    assert energy["shunts"] == pytest.approx(0.0, abs=1e-6)
    assert energy["drawn from the grid"] - energy["returned to the grid"] == pytest.approx(result.steps["slack_mw"].sum() * 0.25)
    assert lost["share of supply"] == pytest.approx(100 * lost["losses"] / (energy["drawn from the grid"] + energy["generation"]))


def test_profiles_report_every_problem_at_once():
    elements = pd.DataFrame(
        {"element": ["lod", "load", "load"], "element_id": [1, 2, 2], "shape_p": ["a", "aa", "a"], "shape_q": ["a", "a", "a"]}
    )
    time = pd.DatetimeIndex(["2016-01-01 00:00", "2016-01-01 00:15", "2016-01-01 00:45"])
    with pytest.raises(ParameterError) as caught:
        pf.Profiles(time, pd.DataFrame({"a": [1.0, np.nan]}), elements)
    text = str(caught.value)
    for part in (
        "does not follow",
        "2 rows for 3 steps",
        "1 values are missing",
        "did you mean 'load'",
        "listed twice",
        "'aa' is no shape",
    ):
        assert part in text
    assert len(caught.value.problems) == 6


def test_a_profile_of_a_missing_element_is_an_error():
    net = nw.case33bw()
    elements = pd.DataFrame({"element": ["load"], "element_id": [999], "shape_p": [0], "shape_q": [0]})
    with pytest.raises(ParameterError, match="load 999 is not in the network"):
        pf.run(net, pf.Profiles(TIME, np.ones((6, 1)), elements))


def test_what_a_batch_cannot_represent_is_refused():
    net = two_bus(1.0, 0.0)
    net.ext_grid["in_service"] = False
    with pytest.raises(NetworkError, match="no external grid"):
        pf.run(net)
    net = two_bus(1.0, 0.0)
    net.user_pf_options = {"distributed_slack": True}
    with pytest.raises(NetworkError, match="distributed_slack"):
        pf.run(net)
    net = two_bus(1.0, 0.0)
    net.load[["const_z_p_percent", "const_i_p_percent"]] = 80.0
    with pytest.raises(NetworkError, match="of load 0 are above 100 % together"):
        pf.run(net)


def test_limits_and_options_are_checked():
    with pytest.raises(ParameterError, match="vm_min_pu"):
        pf.Limits(vm_min_pu=1.1)
    with pytest.raises(ParameterError, match="neither 't' nor 'pi'"):
        pf.Options(trafo_model="x")
    with pytest.raises(ParameterError, match="did you mean 'statistics'"):
        pf.run(two_bus(1.0, 0.0), keep="statistic")
    with pytest.raises(ParameterError, match="pass Limits"):
        pf.violations(pf.run(two_bus(1.0, 0.0)))
    with pytest.raises(ParameterError, match="keep='all'"):
        pf.by_area(pf.run(two_bus(1.0, 0.0), keep="statistics"), two_bus(1.0, 0.0), pd.DataFrame({"bus": [0], "area": "a"}))


def test_no_compiled_function_lets_the_compiler_rearrange_sums():
    """With fastmath last bits depend on whether code was compiled now or loaded from the cache; see the kernel."""
    sources = Path(pf.__file__).parents[1].rglob("*.py")
    assert [path.name for path in sources if re.search(r"fastmath[\"']?\s*[:=]\s*[{T]", path.read_text("utf-8"))] == []
