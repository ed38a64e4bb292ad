"""Hosting capacity: what a planner would connect on the strength of it."""

import contextlib
import copy
import doctest
import tomllib
import warnings
from pathlib import Path

import numpy as np
import pandapower as pp
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pandapower import networks

from gridplan import hosting, powerflow
from gridplan.errors import ParameterError
from gridplan.figures import hosting as figures
from gridplan.figures import maps
from gridplan.hosting import _batch, _capacity

CASE = Path(__file__).parent / "cases" / "pandapower_hosting_oberrhein"
KW = 0.001
WIDE = powerflow.Limits(0.01, 9.0, 1e6, 1e6)


def band(low=0.9, high=1.05, loading=100.0, **other) -> hosting.Limits:
    return hosting.Limits(powerflow.Limits(low, high, loading, loading), **other)


def two_buses(*, r=2.0, x=1.5, max_i_ka=10.0, load=0.0) -> pp.pandapowerNet:
    net = pp.create_empty_network()
    pp.create_buses(net, 2, vn_kv=20.0)
    pp.create_ext_grid(net, 0)
    pp.create_line_from_parameters(net, 0, 1, 1.0, r_ohm_per_km=r, x_ohm_per_km=x, c_nf_per_km=0.0, max_i_ka=max_i_ka)
    pp.create_load(net, 1, p_mw=load)
    return net


def feeder(r: list[float], loads: list[float]) -> pp.pandapowerNet:
    """A radial feeder of 10 kV without capacitance."""
    net = pp.create_empty_network()
    pp.create_buses(net, len(r) + 1, vn_kv=10.0)
    pp.create_ext_grid(net, 0)
    for i, ohm in enumerate(r):
        pp.create_line_from_parameters(net, i, i + 1, 1.0, ohm, 0.6 * ohm, 0.0, max_i_ka=0.3)
        pp.create_load(net, i + 1, p_mw=loads[i], q_mvar=0.3 * loads[i])
    return net


def by_formula(vm: float, *, r=2.0, x=1.5, t=0.0, kv=20.0) -> float:
    """Power [MW] at the end of a line that brings its voltage to vm, with t Mvar absorbed per MW; the source has 1 pu."""
    r, x = r / kv**2, x / kv**2
    a = (r**2 + x**2) * (1 + t**2) / vm**2
    b = -2 * (r - x * t)
    c = vm**2 - 1
    return (-b - np.sqrt(b**2 - 4 * a * c)) / (2 * a)


def upper(mw: float) -> hosting.Options:
    return hosting.Options(upper_mw=mw)


def at_bus(net, bus, connection=None, limits=None, **other) -> pd.Series:
    return hosting.capacity(net, connection, buses=[bus], limits=limits, options=upper(100), **other).iloc[0]


@contextlib.contextmanager
def old_network():
    """pandapower's own old networks lack a column that pandapower 3 asks for."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "tap_dependency_table is missing", DeprecationWarning)
        yield


def solved(net, bus, p_mw, q_mvar=0.0) -> pp.pandapowerNet:
    trial = copy.deepcopy(net)
    pp.create_sgen(trial, bus, p_mw=p_mw, q_mvar=q_mvar)
    with old_network():
        pp.runpp(trial)
    return trial


def within(net, limits: powerflow.Limits) -> bool:
    vm, lines, trafos = net.res_bus.vm_pu, net.res_line.loading_percent, net.res_trafo.loading_percent
    low, high = vm.min() >= limits.vm_min_pu, vm.max() <= limits.vm_max_pu
    loaded = lines.max() <= limits.line_loading_max_percent and not trafos.max() > limits.trafo_loading_max_percent
    return bool(low and high and loaded)


def cigre() -> pp.pandapowerNet:
    """The CIGRE medium-voltage network at 40 % load; at full load its transformers are overloaded."""
    net = networks.create_cigre_network_mv()
    net.load["scaling"] = 0.4
    return net


@pytest.fixture(scope="module")
def oberrhein():
    with old_network():
        return networks.mv_oberrhein(scenario="generation")


def test_the_voltage_of_a_two_bus_feeder_ends_it_where_the_quadratic_says():
    row = at_bus(two_buses(), 1, limits=band(high=1.05))
    assert 0 <= by_formula(1.05) - row.hosting_mw < KW
    assert (row.limit, row.element, row.element_id, row.unit) == ("overvoltage", "bus", 1, "pu")
    assert row.value > row.allowed == 1.05


@pytest.mark.parametrize("reactive", ["absorbing", "injecting"])
def test_absorbing_reactive_power_makes_room_and_injecting_takes_it(reactive):
    control = hosting.Control(power_factor=0.95, reactive=reactive)
    row = at_bus(two_buses(), 1, hosting.Connection(control=control), band(high=1.05))
    t = np.tan(np.arccos(0.95)) * (1 if reactive == "absorbing" else -1)
    assert 0 <= by_formula(1.05, t=t) - row.hosting_mw < KW
    assert (row.hosting_mw > by_formula(1.05)) == (reactive == "absorbing")


def test_the_rating_of_a_two_bus_feeder_ends_it_where_the_current_says():
    row = at_bus(two_buses(max_i_ka=0.1), 1, limits=band(high=1.2))
    z, current = np.array([2.0, 1.5]) / 20**2, 0.1 * np.sqrt(3) * 20
    vm = current * z[0] + np.sqrt(1 - (current * z[1]) ** 2)
    assert 0 <= vm * current - row.hosting_mw < KW
    assert (row.limit, row.element_name) == ("line loading", "line 0")


def test_undervoltage_ends_what_can_be_charged():
    row = at_bus(two_buses(), 1, hosting.Connection(kind="load"), band(low=0.95))
    assert 0 <= -by_formula(0.95) - row.hosting_mw < KW
    assert (row.limit, row.allowed) == ("undervoltage", 0.95)
    assert row.value < 0.95


def test_volt_var_absorbs_what_its_curve_says_at_the_limit():
    control = hosting.Control(volt_var="B")
    row = at_bus(two_buses(), 1, hosting.Connection(control=control), band(high=1.05))
    t = 0.44 * (1.05 - 1.02) / (1.08 - 1.02) / np.sqrt(1 - 0.44**2)
    assert abs(by_formula(1.05, t=t) - row.hosting_mw) < 2 * KW


def test_volt_watt_ends_where_more_than_allowed_is_cut():
    control = hosting.Control(volt_watt="A")
    row = at_bus(two_buses(), 1, hosting.Connection(control=control), band(high=1.09, curtailment_max_percent=3))
    vm = 1.06 + 0.03 / (1 - 0.2) * 0.04
    assert abs(by_formula(vm) / 0.97 - row.hosting_mw) < 2 * KW
    assert row.limit == "curtailment"
    assert 2.9 < row.curtailed_percent <= 3


@pytest.mark.parametrize("control", [hosting.Control(volt_var="A"), hosting.Control(volt_var="B", volt_watt="B")])
def test_a_controlled_plant_and_the_network_agree(oberrhein, control):
    connection = hosting.Connection(control=control)
    row = hosting.capacity(oberrhein, connection, buses=[147], limits=hosting.Limits(curtailment_max_percent=None)).iloc[0]
    p, q = row.hosting_mw, 0.0
    for _ in range(30):  # the same by plain iteration of pandapower
        net = solved(oberrhein, 147, p, -q)
        new = _batch.act(control, np.array(net.res_bus.vm_pu[147]), *(np.array(row.hosting_mw),) * 2)
        p, q = p + 0.5 * (float(new[0]) - p), q + 0.5 * (float(new[1]) - q)
    assert net.res_bus.vm_pu.max() == pytest.approx(1.05, abs=2e-5)
    assert net.res_bus.vm_pu.max() <= 1.05 + 1e-6
    assert (row.limit, row.value) == ("overvoltage", pytest.approx(1.05, abs=2e-5))


def test_a_control_that_finds_no_steady_state_is_no_capacity(monkeypatch):
    monkeypatch.setattr(_batch, "_MAX_ROUNDS", 1)
    row = at_bus(two_buses(), 1, hosting.Connection(control=hosting.Control(volt_var="B")), band(high=1.05))
    assert row.limit == "control does not settle"
    assert row.hosting_mw < by_formula(1.02)


def optimum(net, bus: int, limits: powerflow.Limits) -> float:
    """Largest generation at a bus by pandapower's optimal power flow [MW]."""
    trial = copy.deepcopy(net)
    trial.bus["min_vm_pu"], trial.bus["max_vm_pu"] = limits.vm_min_pu, limits.vm_max_pu
    for table, loading in (("line", limits.line_loading_max_percent), ("trafo", limits.trafo_loading_max_percent)):
        trial[table]["max_loading_percent"] = loading
    for table in ("load", "sgen"):
        trial[table]["controllable"] = False
    trial.ext_grid[["min_p_mw", "min_q_mvar"]] = -1e4
    trial.ext_grid[["max_p_mw", "max_q_mvar"]] = 1e4
    trial.poly_cost = trial.poly_cost.iloc[:0]
    plant = pp.create_sgen(trial, bus, 0.1, 0, controllable=True, min_p_mw=0, max_p_mw=100, min_q_mvar=0, max_q_mvar=0)
    pp.create_poly_cost(trial, plant, "sgen", cp1_eur_per_mw=-1.0)
    tight = dict.fromkeys(("PDIPM_GRADTOL", "PDIPM_FEASTOL", "PDIPM_COMPTOL", "PDIPM_COSTTOL"), 1e-9)
    with warnings.catch_warnings():
        # pandapower's optimal power flow still uses what numpy and scipy call old.
        warnings.simplefilter("ignore")
        pp.runopp(trial, init="pf", calculate_voltage_angles=True, delta=1e-12, **tight)
    return float(trial.res_sgen.p_mw[plant])


@pytest.mark.parametrize(("make", "buses"), [(networks.case33bw, [5, 9, 17, 21, 24, 32]), (cigre, [3, 5, 8, 11, 13, 14])])
def test_each_bus_reaches_the_optimum_of_the_optimal_power_flow_to_one_kilowatt(make, buses):
    net, limits = make(), band()
    table = hosting.capacity(net, buses=buses, limits=limits, options=upper(100))
    for row in table.itertuples():
        assert -1e-4 <= optimum(net, row.bus, limits.momentary) - row.hosting_mw <= KW + 1e-4, row.name


def test_one_kilowatt_more_violates_the_limit_named_and_the_answer_none(oberrhein):
    limits = hosting.Limits()
    table = hosting.capacity(oberrhein, limits=limits)
    assert set(table.limit) == {"overvoltage", "line loading", "transformer loading", "upper bound"}
    for row in table.groupby("limit").head(2).itertuples():
        assert within(solved(oberrhein, row.bus, row.hosting_mw), limits.momentary)
        if row.limit == "upper bound":
            assert row.hosting_mw == oberrhein.trafo.sn_mva.sum()
            continue
        more = solved(oberrhein, row.bus, row.hosting_mw + KW)
        column = "vm_pu" if row.element == "bus" else "loading_percent"
        assert more[f"res_{row.element}"].loc[row.element_id, column] == pytest.approx(row.value, rel=1e-6)
        assert row.value > row.allowed


def test_nothing_is_changed_and_areas_and_names_are_given(oberrhein):
    before = copy.deepcopy(oberrhein)
    table = hosting.capacity(oberrhein, buses=[103, 147])
    assert pp.toolbox.nets_equal(before, oberrhein)
    assert list(table.name) == ["bus 103 (Bus 63)", "bus 147 (Bus 92)"]
    assert table.area.str.match(r"S\d-F\d").all()
    own = hosting.capacity(oberrhein, buses=pd.DataFrame({"bus": [103], "area": ["north"]}))
    assert list(own.area) == ["north"]


def test_a_network_that_is_violated_already_hosts_nothing_and_says_what_is_violated():
    table = hosting.capacity(networks.create_cigre_network_mv(), limits=band())
    assert (table.hosting_mw == 0).all()
    assert set(table.limit) == {"already violated"}
    assert set(table.violation) == {"transformer loading"}
    assert set(table.element_name) == {"trafo 0 (Trafo 0-1)"}
    assert (table.value > 100).all()


def test_a_bus_without_supply_hosts_nothing():
    net = two_buses()
    pp.create_bus(net, vn_kv=20.0)
    table = hosting.capacity(net, limits=band(), options=upper(50))
    assert list(table.limit) == ["upper bound", "overvoltage", "no supply"]
    assert table.hosting_mw[2] == 0


def test_a_power_flow_without_a_solution_is_a_limit_and_not_capacity():
    row = at_bus(two_buses(), 1, hosting.Connection(kind="load"), hosting.Limits(WIDE))
    r, x = np.array([2.0, 1.5]) / 20**2
    nose = (np.hypot(r, x) - r) / (2 * x**2)  # largest power that the line can carry, in closed form
    assert row.limit == "no convergence"
    assert nose - 0.01 < row.hosting_mw < nose


def test_an_export_limit_counts_what_the_bus_consumes_itself():
    net = two_buses(load=2.0)
    connection = hosting.Connection(export_limit_mw=1.0)
    row = at_bus(net, 1, connection, band(high=1.2))
    assert row.limit == "curtailment"
    assert row.hosting_mw == pytest.approx(3.0 / 0.97, abs=KW)
    free = at_bus(net, 1, connection, band(high=1.2, curtailment_max_percent=None))
    assert (free.limit, free.hosting_mw) == ("upper bound", 100)
    assert free.curtailed_percent == pytest.approx(97)
    nothing = at_bus(two_buses(), 1, hosting.Connection(export_limit_mw={1: 0.0}), band())
    assert (nothing.limit, nothing.hosting_mw) == ("curtailment", 0)


def test_voltage_change_and_reverse_flow_can_bind():
    change = at_bus(two_buses(load=1.0), 1, limits=band(voltage_change_max_pu=0.02))
    assert change.limit == "voltage change"
    rise = [solved(two_buses(load=1.0), 1, p).res_bus.vm_pu[1] for p in (0, change.hosting_mw, change.hosting_mw + KW)]
    assert rise[1] - rise[0] <= 0.02 + 1e-7 < rise[2] - rise[0] + 2e-7
    back = at_bus(two_buses(load=1.0), 1, limits=band(reverse_flow_max_mw=0.5))
    assert (back.limit, back.element) == ("reverse flow", "network")
    line = solved(two_buses(load=1.0), 1, back.hosting_mw).res_ext_grid.p_mw[0]
    assert -0.5 <= line < -0.5 + KW


def year(steps: int, *, per_day: int = 96) -> tuple[powerflow.Profiles, np.ndarray]:
    """Profiles of the loads of a two-bus feeder and a plant's shape, with one odd step each day is unlike the others."""
    hour = np.arange(steps) * 24 / per_day
    day = np.clip(np.sin((hour % 24 - 6) / 12 * np.pi), 0, None)
    random = np.random.default_rng(3)
    shape = day * random.uniform(0.4, 1.0, steps)
    load = 0.6 + 0.3 * np.cos(hour / 24 * 2 * np.pi) + random.uniform(-0.1, 0.1, steps)
    time = pd.date_range("2025-01-01", periods=steps, freq=f"{24 * 60 // per_day}min")
    elements = pd.DataFrame({"element": ["load"], "element_id": [0], "shape_p": ["load"], "shape_q": ["load"]})
    return powerflow.Profiles(time, pd.DataFrame({"load": load}), elements), shape


def run_with(net, profiles, shape, mw: float) -> powerflow.PowerFlow:
    """The same year by the power flow itself, with the plant as an element of the network."""
    trial = copy.deepcopy(net)
    plant = pp.create_sgen(trial, 1, p_mw=mw)
    row = pd.DataFrame({"element": ["sgen"], "element_id": [plant], "shape_p": ["plant"], "shape_q": ["plant"]})
    shapes = profiles.shapes.assign(plant=shape)
    return powerflow.run(trial, powerflow.Profiles(profiles.time, shapes, pd.concat([profiles.elements, row])))


def test_over_a_year_no_step_is_violated_and_one_kilowatt_more_violates_the_step_named():
    net, (profiles, shape) = two_buses(load=3.0), year(35_040)
    row = at_bus(net, 1, hosting.Connection(shape=shape), band(high=1.03), profiles=profiles)
    assert row.limit == "overvoltage"
    assert run_with(net, profiles, shape, row.hosting_mw).vm_pu.to_numpy().max() <= 1.03
    more = run_with(net, profiles, shape, row.hosting_mw + KW).vm_pu[1]
    assert more.idxmax() == row.time
    assert more.max() == pytest.approx(row.value, abs=1e-6)
    assert row.value > 1.03


def test_averaged_limits_hold_in_every_window_and_allow_more_than_momentary_ones():
    net, (profiles, shape) = two_buses(load=1.0, max_i_ka=0.1), year(4 * 7 * 96)
    connection = hosting.Connection(shape=shape)
    averaged = hosting.Averaged(vm_max_pu=1.2, loading_window_h=1.0)
    row = at_bus(net, 1, connection, hosting.Limits(powerflow.Limits(0.8, 1.3, 200, 200), averaged=averaged), profiles=profiles)
    assert row.limit == "average line loading"
    hourly = [
        run_with(net, profiles, shape, mw).line_loading_percent[0].resample("h").mean()
        for mw in (row.hosting_mw, row.hosting_mw + KW)
    ]
    assert hourly[0].max() <= 100 < hourly[1].max()
    assert hourly[1].idxmax() == row.time
    strict = at_bus(net, 1, connection, hosting.Limits(powerflow.Limits(0.8, 1.3)), profiles=profiles)
    assert strict.hosting_mw < row.hosting_mw


def test_voltages_may_leave_the_band_in_five_per_cent_of_each_week():
    net, (profiles, shape) = two_buses(load=1.0), year(4 * 7 * 96)
    averaged = hosting.Averaged(vm_max_pu=1.02)
    limits = hosting.Limits(powerflow.Limits(0.8, 1.3), averaged=averaged)
    row = at_bus(net, 1, hosting.Connection(shape=shape), limits, profiles=profiles)
    assert row.limit == "voltage outside the band too often"
    share = [
        100 * (run_with(net, profiles, shape, mw).vm_pu[1] > 1.02).to_numpy().reshape(4, 672).mean(axis=1).max()
        for mw in (row.hosting_mw, row.hosting_mw + KW)
    ]
    assert share[0] <= 5 < share[1]


def test_over_a_year_volt_watt_cuts_no_more_energy_than_allowed():
    net, (profiles, shape) = two_buses(load=1.0), year(7 * 96)
    connection = hosting.Connection(shape=shape, control=hosting.Control(volt_watt=[(1.03, 1.0), (1.05, 0.0)]))
    row = at_bus(net, 1, connection, band(high=1.05, curtailment_max_percent=2), profiles=profiles)
    assert row.limit == "curtailment"
    assert 1.99 < row.curtailed_percent <= 2 < row.value


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    r=st.lists(st.floats(0.2, 2.0), min_size=2, max_size=4),
    load=st.floats(0.05, 0.4),
    high=st.floats(1.02, 1.08),
    loading=st.floats(40, 100),
    tighter=st.floats(0.0, 0.015),
    kind=st.sampled_from(["generation", "load"]),
)
def test_tighter_limits_never_raise_it(r, load, high, loading, tighter, kind):
    net = feeder(r, [load] * len(r))
    connection = hosting.Connection(kind=kind)
    loose = hosting.capacity(net, connection, limits=band(0.85, high, loading), options=upper(30))
    tight = hosting.capacity(
        net, connection, limits=band(0.85 + tighter, high - tighter, loading * (1 - tighter)), options=upper(30)
    )
    assert (tight.hosting_mw <= loose.hosting_mw).all()


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    r=st.lists(st.floats(0.2, 2.0), min_size=2, max_size=4),
    load=st.floats(0.0, 0.3),
    high=st.floats(1.02, 1.08),
    weights=st.lists(st.floats(0.1, 1.0), min_size=4, max_size=4),
)
def test_together_buses_never_host_more_than_the_sum_of_each_by_itself(r, load, high, weights):
    net = feeder(r, [load] * len(r))
    buses = list(range(1, len(r) + 1))
    shares = pd.DataFrame({"area": "all", "bus": buses, "weight": weights[: len(r)]})
    together = hosting.simultaneous(net, shares, limits=band(0.8, high), options=upper(30)).iloc[0]
    each = hosting.capacity(net, buses=buses, limits=band(0.8, high), options=upper(30))
    assert 0 < together.hosting_mw <= each.hosting_mw.sum() + KW
    assert together.hosting_mw >= each.hosting_mw.min() - KW


def case() -> dict:
    return tomllib.loads((CASE / "case.toml").read_text(encoding="utf-8"))


def published_limits() -> hosting.Limits:
    return hosting.Limits(powerflow.Limits(vm_min_pu=0.5, **case()["limits"]))


def consecutive(net, random, count=1400, most=60) -> pd.DataFrame:
    """Cut one stream of (size, bus) into 50 samples where the violations are, as a loop over samples does."""
    sizes, loads = case()["sizes"], net.load.bus.to_numpy()
    pairs = [(random.normal(sizes["mean_mw"], sizes["deviation_mw"]), random.choice(loads)) for _ in range(count)]
    size, bus = (np.array(column) for column in zip(*pairs, strict=True))
    window = np.arange(count - most)[:, None] + np.arange(most)
    placements = hosting.Placements(np.full(len(window), "all", dtype=object), bus[window], size[window])
    every_start = hosting.stochastic(net, placements, limits=published_limits())
    starts = [0]
    while len(starts) < 50:
        starts.append(starts[-1] + every_start.plants[starts[-1]] + 1)
    return every_start.loc[starts].reset_index(drop=True)


def test_the_tutorials_own_samples_come_out_one_by_one(oberrhein):
    expected = pd.read_csv(CASE / "expected.csv")
    found = consecutive(oberrhein, np.random.RandomState(0))
    assert list(found.plants + 1) == list(expected.plants)
    np.testing.assert_allclose(found.installed_mw, expected.installed_mw, rtol=0, atol=case()["tolerance"]["installed_mw"])
    assert list(found.limit) == list(expected.limit)


def test_the_published_quantiles_come_out(oberrhein):
    published, tolerance = case()["published"], case()["tolerance"]["published"]
    row = hosting.quantiles(consecutive(oberrhein, np.random.default_rng(0)), column="installed_mw").iloc[0]
    found = {name: row[f"{name}_mw"] for name in published}
    assert found == pytest.approx(published, abs=tolerance)


def test_samples_of_our_own_agree_with_the_published_ones_within_sampling_error(oberrhein):
    places = pd.DataFrame({"area": "all", "bus": oberrhein.load.bus})
    placements = hosting.draw(places, samples=2000, plants=60, seed=1)
    values = hosting.stochastic(oberrhein, placements, limits=published_limits()).installed_mw.to_numpy()
    random = np.random.default_rng(0)
    fifty = values[random.integers(len(values), size=(2000, 50))]
    measures = {"mean": np.mean, "p50": np.median, "p05": lambda v, **k: np.quantile(v, 0.05, **k)}
    measures["p95"] = lambda v, **k: np.quantile(v, 0.95, **k)
    for name, measure in measures.items():
        error = np.std(measure(fifty, axis=1)) * np.sqrt(1 + 50 / 2000)
        assert abs(measure(values) - case()["published"][name]) < case()["tolerance"]["standard_errors"] * error, name


def test_draws_are_the_same_for_the_same_seed_and_independent_of_other_areas(oberrhein):
    places = hosting.places(oberrhein)
    names = sorted(places.area.unique())
    both = hosting.draw(places, samples=5, plants=10, seed=4)
    one = hosting.draw(places, samples=5, plants=10, seed=4, areas=names[1:2])
    np.testing.assert_array_equal(both.bus[both.area == names[1]], one.bus)
    np.testing.assert_array_equal(both.size_mw[both.area == names[1]], one.size_mw)
    assert not np.array_equal(one.bus, hosting.draw(places, samples=5, plants=10, seed=5, areas=names[1:2]).bus)
    assert set(one.bus.ravel()) <= set(places.bus[places.area == names[1]])


def test_one_plant_less_is_within_limits_and_the_last_one_is_not(oberrhein):
    placements = hosting.draw(hosting.places(oberrhein), samples=2, plants=80, seed=2)
    table = hosting.stochastic(oberrhein, placements, limits=published_limits())
    row = table.iloc[3]
    for count, fine in ((row.plants, True), (row.plants + 1, False)):
        net = copy.deepcopy(oberrhein)
        pp.create_sgens(net, placements.bus[3, :count], placements.size_mw[3, :count])
        assert within(solved(net, placements.bus[3, 0], 0.0), published_limits().momentary) == fine
    assert row.installed_mw == pytest.approx(placements.size_mw[3, : row.plants + 1].sum())
    assert row.hosting_mw == pytest.approx(placements.size_mw[3, : row.plants].sum())


def test_a_sequence_that_ends_too_early_says_so(oberrhein):
    table = hosting.stochastic(oberrhein, hosting.draw(hosting.places(oberrhein), samples=1, plants=2))
    assert set(table.limit) == {"all plants placed"}
    assert (table.plants == 2).all()
    assert (table.hosting_mw == table.installed_mw).all()


def test_technologies_follow_their_own_shapes():
    net, (profiles, sun) = two_buses(load=1.0), year(7 * 96)
    shape = pd.DataFrame({"pv": sun, "wind": 0.0})
    sizes = {"pv": hosting.Sizes(1.0, 0.0), "wind": hosting.Sizes(5.0, 0.0)}
    placements = hosting.draw(pd.DataFrame({"area": ["A"], "bus": [1]}), sizes, samples=3, plants=60, seed=0)
    found = hosting.stochastic(net, placements, hosting.Connection(shape=shape), profiles=profiles, limits=band(high=1.03))
    single = at_bus(net, 1, hosting.Connection(shape=sun), band(high=1.03), profiles=profiles)
    for row in found.itertuples():
        solar = placements.technologies.index("pv") == placements.technology[row.sample, : row.plants]
        assert solar.sum() == int(single.hosting_mw)  # wind that never blows takes no room
        assert row.time == single.time


def problems(excinfo) -> str:
    return "\n".join(map(str, excinfo.value.problems))


def test_everything_wrong_with_the_arguments_is_said_at_once(oberrhein):
    connection = hosting.Connection(export_limit_mw={7777: 1.0}, shape=np.ones(5))
    with pytest.raises(ParameterError) as found:
        hosting.capacity(oberrhein, connection, buses=[1030, 103, 103])
    text = problems(found)
    assert "bus 1030 is not in the network; did you mean '103'?" in text
    assert "bus 103 stands there twice" in text
    assert "bus 7777 is not in the network" in text
    assert "5 values for 1 steps" in text
    with pytest.raises(ParameterError, match="give upper_mw"):
        hosting.capacity(two_buses())


def test_choices_out_of_range_are_refused_with_all_reasons():
    with pytest.raises(ParameterError) as found:
        hosting.Control(power_factor=1.2, reactive="absorb", volt_var="C", volt_watt=[(1.0, 0.5), (1.1, 1.0)])
    text = problems(found)
    assert "1.2 is not above 0 and at most 1" in text
    assert "did you mean 'absorbing'?" in text
    assert "'C' is no category" in text
    assert "must fall with voltage" in text
    with pytest.raises(ParameterError) as found:
        hosting.Connection(kind="loads", export_limit_mw=-1.0, shape=[0.5, -1.0])
    text = problems(found)
    assert "did you mean 'load'?" in text
    assert "-1.0 is below 0" in text
    assert "below 0; a shape is a share" in text
    with pytest.raises(ParameterError, match="use a power factor"):
        hosting.Connection(kind="load", control=hosting.Control(volt_var="A"))
    with pytest.raises(ParameterError, match="curtailment_max_percent"):
        hosting.Limits(curtailment_max_percent=float("nan"))


def test_an_area_without_customers_is_refused_by_name(oberrhein):
    places = hosting.places(oberrhein)
    with pytest.raises(ParameterError, match=r"area 'S1-F9': has no bus to place a plant at; did you mean 'S1-F"):
        hosting.draw(places, areas=["S1-F9"])
    empty = pd.concat([places, pd.DataFrame({"area": ["Park"], "bus": [103], "weight": [0.0]})])
    with pytest.raises(ParameterError, match=r"area 'Park'.*no customers"):
        hosting.draw(empty)
    with pytest.raises(ParameterError, match=r"area 'Park'.*no customers"):
        hosting.simultaneous(oberrhein, empty)


def test_default_curves_have_a_source_and_fall():
    table = hosting.curves()
    assert set(table.evidence) <= {"V", "V-computed", "2nd", "M"}
    assert table.source.str.contains("IEEE 1547-2018").all()
    for _, curve in table.groupby(["curve", "category"]):
        assert curve.vm_pu.is_monotonic_increasing
        assert curve.value_pu.is_monotonic_decreasing


def test_reactive_power_of_a_controlled_plant_keeps_to_its_rating():
    seen, rated = np.array([0.9, 1.0, 1.05, 1.2]), np.full(4, 2.0)
    p, q = _batch.act(hosting.Control(volt_var="B"), seen, rated, rated)
    np.testing.assert_allclose(p, 2.0)
    np.testing.assert_allclose(q, np.array([-0.44, 0, 0.22, 0.44]) * 2 / np.sqrt(1 - 0.44**2))
    p, q = _batch.act(hosting.Control(volt_var="B", apparent_pu=1.0), seen, rated, rated)
    np.testing.assert_allclose(p, 2 * np.sqrt(1 - np.array([0.44, 0, 0.22, 0.44]) ** 2))
    _, q = _batch.act(hosting.Control(volt_var="B"), seen, rated, 0.02 * rated)
    np.testing.assert_allclose(q, 0.0)


def test_the_example_in_the_docstring_holds():
    result = doctest.testmod(_capacity)
    assert result.attempted
    assert not result.failed


@pytest.fixture(scope="module")
def drawn() -> tuple[maps.Map, pd.DataFrame]:
    points = pd.DataFrame({"x": [7.0, 7.1, 7.2], "y": [48.0, 48.05, 48.0]}, index=[0, 1, 2])
    where = maps.Map({0: points.loc[[0, 1]].to_numpy()}, points, substations=[0])
    table = pd.DataFrame({"bus": [0, 1, 2], "name": ["Hub", "<b>Mill</b>", "End"], "area": ["", "A", "B"]})
    table["hosting_mw"], table["limit"] = [50.0, 4.0, 1.5], ["upper bound", "line loading", "overvoltage"]
    return where, table.assign(element_name=["", "line 0", "bus 2"])


def test_the_map_shows_every_bus_once_and_names_the_tightest(drawn):
    where, table = drawn
    figure = figures.capacity_map(where, table, title="Room", caption="")
    dots = [trace for trace in figure.figure.data if trace.name and "MW" in trace.name]
    assert sum(len(trace.x) for trace in dots) == 3
    assert "Least room: End with 1.50 MW (overvoltage)" in figure.alt
    assert "&lt;b&gt;Mill" in figure.figure.to_json()


def test_bars_leave_out_buses_without_an_area_and_count_what_binds(drawn):
    figure = figures.by_limit(drawn[1], title="What ends it", caption="")
    assert {trace.name: list(trace.y) for trace in figure.figure.data} == {"overvoltage": [1.5], "line loading": [4.0]}
    assert "line loading at 1 buses" not in figure.alt
    assert list(figure.table.bus) == [1, 2]


def test_the_curve_of_the_samples_ends_at_all_of_them():
    table = pd.DataFrame({"area": ["A"] * 4, "hosting_mw": [3.0, 1.0, 2.0, 4.0]})
    figure = figures.samples(table, title="Spread", caption="")
    assert list(figure.figure.data[0].x) == [1, 2, 3, 4]
    assert list(figure.figure.data[0].y) == [25, 50, 75, 100]
    assert "A 2.50 MW" in figure.alt


def test_the_comparison_keeps_the_order_given():
    table = pd.DataFrame({"series": ["plain", "plain", "volt-var"], "bus": [1, 2, 1], "hosting_mw": [1.0, 3.0, 4.0]})
    figure = figures.comparison(table, title="Control", caption="")
    assert [trace.name for trace in figure.figure.data] == ["plain", "volt-var"]
    assert figure.alt == "Median over the buses: plain 2.00 MW; volt-var 4.00 MW."
