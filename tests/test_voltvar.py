"""Voltage group: against pandapower, closed forms, and enumeration."""

from __future__ import annotations

import copy
from dataclasses import replace
from itertools import pairwise, product

import numpy as np
import pandapower as pp
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pandapower.auxiliary import pandapowerNet
from scipy.optimize import brentq

from gridplan import hosting, network, powerflow
from gridplan.applications import OperatingCase, run, voltvar
from gridplan.applications._run import Models
from gridplan.applications.voltvar import _dynamic
from gridplan.applications.voltvar._summary import series
from gridplan.applications.voltvar._table import Table
from gridplan.errors import ParameterError

ZIP = {"const_z_p_percent": 40.0, "const_i_p_percent": 20.0, "const_z_q_percent": 100.0, "const_i_q_percent": 0.0}


def feeder(load_mw=6.0, pv_mw=0.0, zip_=ZIP, length_km=10.0, taps=2):
    """Ext grid, 110/20 kV transformer with 2 x `taps` + 1 positions, line, load, PV on a bus of its own beside the load."""
    net = pp.create_empty_network()
    high, bar, end = (pp.create_bus(net, kv) for kv in (110.0, 20.0, 20.0))
    pp.create_ext_grid(net, high)
    pp.create_transformer(net, high, bar, "25 MVA 110/20 kV")
    net.trafo[["tap_min", "tap_max", "tap_pos"]] = [-taps, taps, 0]
    pp.create_line(net, bar, end, length_km, "NA2XS2Y 1x185 RM/25 12/20 kV")
    pp.create_load(net, end, load_mw, 0.3 * load_mw)
    for column, value in zip_.items():
        net.load[column] = value
    if pv_mw:
        plant = pp.create_bus(net, 20.0)
        pp.create_line(net, end, plant, 5.0, "NA2XS2Y 1x185 RM/25 12/20 kV")
        pp.create_sgen(net, plant, pv_mw)
    return net


def case_of(net, loads, pv=None, hours=1.0, **limits):
    """Operating case with one shape for all loads and one for generation."""
    time = pd.date_range("2025-01-01", periods=len(loads), freq=pd.Timedelta(hours=hours), name="time")
    shapes = {"load": np.asarray(loads, float), "pv": np.zeros(len(loads)) if pv is None else np.asarray(pv, float)}
    elements = [("load", i, "load", "load") for i in net.load.index] + [("sgen", i, "pv", "pv") for i in net.sgen.index]
    table = pd.DataFrame(elements, columns=["element", "element_id", "shape_p", "shape_q"])
    profiles = powerflow.Profiles(time, pd.DataFrame(shapes, index=time), table)
    return OperatingCase(net, profiles, network.areas(net), powerflow.Limits(**limits))


def stepwise(case, step):
    """The network in one step, solved by pandapower."""
    net = pandapowerNet({k: v.copy() if isinstance(v, pd.DataFrame) else copy.deepcopy(v) for k, v in case.net.items()})
    shapes = case.profiles.shapes.iloc[step]
    for element, rows in case.profiles.elements.groupby("element"):
        for power, shape in (("p_mw", "shape_p"), ("q_mvar", "shape_q")):
            net[element].loc[rows["element_id"], power] *= shapes[rows[shape]].to_numpy()
    for control, table in case.schedule.items():
        element, column = control.split(".")
        net[element].loc[table.columns, column] = table.iloc[step].to_numpy()
    pp.runpp(net, tolerance_mva=1e-9)
    return net


def fixed(case, position, number=0):
    frame = pd.DataFrame({number: np.full(len(case.profiles.time), position)}, index=case.profiles.time)
    return replace(case, schedule={"trafo.tap_pos": frame})


@pytest.fixture(scope="module")
def oberrhein():
    """mv_oberrhein with ZIP loads, a capacitor bank and random powers."""
    net = network.open("pandapower:mv_oberrhein")
    for name, value in ZIP.items():
        net.load[name] = value
    net.sgen["in_service"] = False
    rng = np.random.default_rng(5)
    pp.create_shunt(net, net.load["bus"].iloc[50], q_mvar=-0.4, step=1, max_step=3)
    case = case_of(net, rng.uniform(0.3, 1.1, 48))
    return replace(case, net=net)


def test_run_agrees_with_pandapower_in_every_step(oberrhein):
    rng, time = np.random.default_rng(1), oberrhein.profiles.time
    taps = pd.DataFrame(rng.integers(-3, 2, (48, 2)), index=time, columns=oberrhein.net.trafo.index)
    case = replace(oberrhein, schedule={"trafo.tap_pos": taps, "shunt.step": pd.DataFrame({0: np.arange(48) % 4}, index=time)})
    result = run(case)
    for step in range(0, 48, 13):
        net = stepwise(case, step)
        assert np.abs(net.res_bus.vm_pu - result.vm_pu.iloc[step]).max() < 1e-6
        assert np.abs(net.res_line.loading_percent - result.line_loading_percent.iloc[step]).max() < 1e-2
        assert result.steps["slack_mw"].iloc[step] == pytest.approx(net.res_ext_grid.p_mw.sum(), abs=1e-6)
        losses = net.res_line.pl_mw.sum() + net.res_trafo.pl_mw.sum()
        assert result.steps["losses_mw"].iloc[step] == pytest.approx(losses, abs=1e-6)


@pytest.mark.parametrize("side", ["hv", "lv"])
@pytest.mark.parametrize("model", ["t", "pi"])
def test_exchanged_admittances_are_those_of_the_network_built_anew(side, model):
    net = feeder()
    net.trafo["tap_side"] = side
    options = powerflow.Options(trafo_model=model)
    case = case_of(net, [0.5, 1.0, 1.2])
    for position in (-2, 1, 2):
        moved = copy.deepcopy(net)
        moved.trafo["tap_pos"] = position
        ours, other = (run(c, options=options) for c in (fixed(case, position), replace(case, net=moved)))
        assert np.allclose(ours.vm_pu, other.vm_pu, atol=1e-7)
        assert np.allclose(ours.steps["losses_mw"], other.steps["losses_mw"], atol=1e-9)


def test_statistics_are_those_of_all_steps(oberrhein):
    time = oberrhein.profiles.time
    taps = pd.DataFrame({114: np.arange(48) % 3 - 2}, index=time)
    case = replace(oberrhein, schedule={"trafo.tap_pos": taps})
    every, few = run(case), run(case, keep="statistics")
    pd.testing.assert_frame_equal(every.steps, few.steps)
    for name, table in powerflow.statistics(every).items():
        pd.testing.assert_frame_equal(table, few.statistics[name])


def test_run_reports_every_problem_of_a_schedule():
    case = case_of(feeder(), [1.0, 1.0])
    time = case.profiles.time
    wrong = {
        "trafo.tap_pos": pd.DataFrame({0: [0, 9], 7: [0, 0]}, index=time),
        "trafo.tap": pd.DataFrame({0: [0, 0]}, index=time),
    }
    with pytest.raises(ParameterError) as error:
        run(replace(case, schedule=wrong))
    message = str(error.value)
    assert "no whole position from -2 to 2" in message and "trafo 7 is not in the network" in message
    assert "did you mean 'trafo.tap_pos'" in message
    with pytest.raises(ParameterError, match="keep"):
        run(case, keep="some")


def test_load_models_are_complete_and_sourced():
    table = voltvar.load_models()
    for power in "pq":
        assert np.allclose(table[[f"z_{power}", f"i_{power}", f"p_{power}"]].sum(axis=1), 1.0, atol=1e-3)
    assert table["source"].str.len().min() > 10 and set(table["evidence"]) <= {"V", "V-computed", "2nd", "M"}
    assert voltvar.defaults()["source"].notna().all()


def test_load_models_of_a_bus_are_the_mean_of_its_classes_and_leave_generation_alone():
    net = feeder(load_mw=5.0, zip_={})
    pp.create_sgen(net, 2, 2.0, q_mvar=0.5)
    case = case_of(net, [1.0, 0.6], [1.0, 1.0])
    models = pd.DataFrame(
        {"customer_class": ["a", "b"], "z_p": [1.0, 0.0], "i_p": [0.0, 1.0], "z_q": [1.0, 1.0], "i_q": [0.0, 0.0]}
    )
    customers = pd.DataFrame({"bus": [2, 2], "customer_class": ["a", "b"], "customers": [10, 10]})
    classes = pd.DataFrame({"customer_class": ["a", "b"], "energy_mwh": [1.0, 3.0]})
    new = voltvar.with_load_models(case, customers, classes, models)
    assert new.net.load[["const_z_p_percent", "const_i_p_percent"]].to_numpy().tolist() == [[25.0, 75.0]]
    assert len(case.net.bus) == 3 and len(new.net.bus) == 4 and case.net.sgen.at[0, "bus"] == 2
    solved = stepwise(new, 0)
    v = solved.res_bus.vm_pu[2]
    load = 5.0 * (0.25 * v**2 + 0.75 * v)
    losses = solved.res_line.pl_mw.sum() + solved.res_trafo.pl_mw.sum()
    assert solved.res_ext_grid.p_mw.sum() == pytest.approx(load - 2.0 + losses, abs=1e-4)
    assert abs(solved.res_bus.vm_pu[3] - v) < 1e-5
    assert run(new).steps["load_mw"].iloc[0] == pytest.approx(load, abs=1e-5)
    with pytest.raises(ParameterError, match="no row for the class 'c'"):
        voltvar.with_load_models(case, customers.assign(customer_class="c"), classes, models)


def test_cvr_on_a_two_bus_feeder_in_closed_form():
    """A constant-impedance load behind a line: every voltage is proportional to that of the source, every power to its square."""
    net = feeder(zip_={"const_z_p_percent": 100.0, "const_z_q_percent": 100.0})
    net.trafo[["pfe_kw", "i0_percent", "vk_percent", "vkr_percent"]] = [0.0, 0.0, 1e-4, 0.0]
    net.line["c_nf_per_km"] = 0.0
    case = case_of(net, np.ones(24))
    found = voltvar.summary(fixed(case, 1), fixed(case, 0)).set_index("area").loc["network"]
    ratio = 1 / 1.015
    line = net.line.iloc[0]
    z = complex(line.r_ohm_per_km, line.x_ohm_per_km) * line.length_km
    admittance = (6.0 - 1.8j) / 400.0  # of the load [S]
    voltage = abs(1 / (1 + z * admittance))
    taken = 24 * voltage**2 * (6.0 + (z * abs(admittance) ** 2 * 400.0).real) * ratio**2
    assert found["energy_taken_mwh"] == pytest.approx(taken, rel=1e-5)
    assert found["vm_reduction_percent"] == pytest.approx(100 * (1 - ratio), rel=1e-4)
    assert found["energy_saved_percent"] == pytest.approx(100 * (1 - ratio**2), rel=1e-4)
    assert found["cvr_factor"] == pytest.approx((1 - ratio**2) / (1 - ratio), rel=1e-4)


@settings(max_examples=10, deadline=None)
@given(st.floats(-0.5, 1.4), st.floats(-0.8, 0.8))
def test_cvr_factor_is_two_z_plus_i_at_small_changes(z, i):
    i = min(i, 1.0 - z - 1e-9)  # pandapower takes no more than 100 %, and does not round
    net = feeder(zip_={"const_z_p_percent": 100 * z, "const_i_p_percent": 100 * i})
    net.load["q_mvar"] = 0.0
    net.trafo[["pfe_kw", "i0_percent", "vk_percent", "vkr_percent", "tap_step_percent"]] = [0.0, 0.0, 1e-5, 0.0, 0.05]
    net.line[["r_ohm_per_km", "x_ohm_per_km", "c_nf_per_km"]] = [1e-6, 1e-6, 0.0]
    case = case_of(net, np.ones(2))
    found = voltvar.summary(fixed(case, 1), fixed(case, 0)).set_index("area").loc["network"]
    assert found["cvr_factor"] == pytest.approx(2 * z + i, abs=3e-3)


def enumerated(excess, cost, positions, day, most, combine):
    """Best value of all sequences of states."""
    best = None
    for path in product(range(len(cost)), repeat=cost.shape[1]):
        used = {}
        for t, (a, b) in enumerate(pairwise(path), start=1):
            for d in range(positions.shape[1]):
                used[day[t], d] = used.get((day[t], d), 0) + abs(int(positions[a, d] - positions[b, d]))
        if most is not None and max(used.values(), default=0) > most:
            continue
        at = np.arange(cost.shape[1])
        value = int(excess[list(path), at].sum()), float(combine(cost[list(path), at]))
        best = value if best is None or value < best else best
    return best


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_sequence_is_the_best_of_all(data):
    devices = data.draw(st.integers(1, 2))
    positions = np.array(list(product(range(3 if devices == 1 else 2), repeat=devices)))
    steps, states = data.draw(st.integers(1, 5)), len(positions)

    def draw(values):
        return np.array(data.draw(st.lists(values, min_size=states * steps, max_size=states * steps))).reshape(states, -1)

    excess, cost = draw(st.sampled_from([0, 0, 0, 1, 4])), draw(st.integers(0, 9)).astype(float)
    day = np.array([0, 0, 0, 1, 1][:steps])
    most, highest = data.draw(st.sampled_from([0, 1, 2, None])), data.draw(st.booleans())
    highest = highest and most is not None
    path = _dynamic.cheapest(excess, cost, positions, day, most, highest=highest)
    at = np.arange(steps)
    combine = np.max if highest else np.sum
    found = int(excess[path, at].sum()), float(combine(cost[path, at]))
    assert found == enumerated(excess, cost, positions, day, most, combine)


@settings(max_examples=4, deadline=None)
@given(
    st.lists(st.floats(0.05, 1.6), min_size=5, max_size=5),
    st.sampled_from([0, 1, 2, None]),
    st.sampled_from(["energy", "losses"]),
)
def test_schedule_is_the_best_of_all_by_pandapower(loads, most, objective):
    """Every step in every position by pandapower, then every sequence."""
    case = case_of(feeder(), loads, hours=12.0, vm_min_pu=0.97, vm_max_pu=1.02)
    chosen = voltvar.Settings(objective=objective, margin_pu=0.002, operations_per_day=most)
    found = voltvar.optimise(case, chosen)
    excess, cost = np.zeros((5, 5), np.int64), np.zeros((5, 5))
    for state, step in product(range(5), range(5)):
        net = stepwise(fixed(case, state - 2), step)
        vm = net.res_bus.vm_pu[[1, 2]]
        excess[state, step] = np.ceil(1e6 * max(0.0, 0.972 - vm.min(), vm.max() - 1.018) - 1e-3)
        losses = net.res_line.pl_mw.sum() + net.res_trafo.pl_mw.sum()
        cost[state, step] = losses + (net.res_load.p_mw.sum() if objective == "energy" else 0.0)
    day = np.array([0, 0, 1, 1, 2])
    path = found.case.schedule["trafo.tap_pos"][0].to_numpy() + 2
    at = np.arange(5)
    best = enumerated(excess, cost, np.arange(5)[:, None], day, most, np.sum)
    assert excess[path, at].sum() == pytest.approx(best[0], abs=10)
    if best[0] == 0:
        assert cost[path, at].sum() == pytest.approx(best[1], abs=1e-6)
        assert found.infeasible.empty
    operations = voltvar.operations(found.case)
    assert most is None or operations["operations_day_max"].max() <= most


def test_peak_is_the_lowest_that_any_schedule_reaches():
    case = case_of(feeder(), [0.3, 0.9, 1.2, 0.7], hours=6.0)
    found = voltvar.optimise(case, voltvar.Settings(objective="peak", margin_pu=0.0, operations_per_day=1))
    result = voltvar.summary(found.case).set_index("area")["net_peak_mw"]["network"]
    others = [
        replace(case, schedule={"trafo.tap_pos": pd.DataFrame({0: path}, index=case.profiles.time)})
        for path in product(range(-2, 3), repeat=4)
        if sum(abs(a - b) for a, b in pairwise(path)) <= 1
    ]
    tables = [voltvar.summary(other).set_index("area").loc["network"] for other in others]
    kept = [t["net_peak_mw"] for t in tables if t["voltage_outside_h"] == 0]
    assert result == pytest.approx(min(kept), abs=1e-9)


def test_capacitor_steps_are_chosen_with_the_taps():
    net = feeder(load_mw=5.0)
    pp.create_shunt(net, 2, q_mvar=-0.8, step=0, max_step=2)
    case = case_of(net, [0.4, 1.3], hours=12.0)
    found = voltvar.optimise(case, voltvar.Settings(objective="losses", margin_pu=0.0, operations_per_day=None)).case
    for step in range(2):
        values = {}
        for tap, bank in product(range(-2, 3), range(3)):
            time = case.profiles.time
            schedule = {
                "trafo.tap_pos": pd.DataFrame({0: [tap] * 2}, index=time),
                "shunt.step": pd.DataFrame({0: [bank] * 2}, index=time),
            }
            solved = stepwise(replace(case, schedule=schedule), step)
            if solved.res_bus.vm_pu[[1, 2]].between(0.95, 1.05).all():
                values[tap, bank] = solved.res_line.pl_mw.sum() + solved.res_trafo.pl_mw.sum()
        chosen = found.schedule["trafo.tap_pos"][0].iloc[step], found.schedule["shunt.step"][0].iloc[step]
        assert chosen == min(values, key=values.get)


def test_parallel_transformers_move_together():
    net = feeder()
    pp.create_transformer(net, 0, 1, "25 MVA 110/20 kV", tap_pos=0)
    net.trafo[["tap_min", "tap_max"]] = [-2, 2]
    schedule = voltvar.optimise(case_of(net, [0.4, 1.2])).case.schedule["trafo.tap_pos"]
    assert (schedule[0] == schedule[1]).all()


def test_schedule_keeps_limits_margin_and_pandapower_s_voltages(oberrhein):
    wanted = voltvar.Settings(margin_pu=0.005, shunts=())
    found = voltvar.optimise(oberrhein, wanted)
    assert found.infeasible.empty
    result = run(found.case)
    fed = oberrhein.areas["bus"]
    assert result.vm_pu[fed].min().min() >= 0.955 - 1e-6 and result.vm_pu[fed].max().max() <= 1.045 + 1e-6
    for step in (3, 30):
        net = stepwise(found.case, step)
        assert np.abs(net.res_bus.vm_pu - result.vm_pu.iloc[step]).max() < 1e-6
        for number in net.trafo.index:
            bar = net.res_bus.vm_pu[net.trafo.at[number, "lv_bus"]]
            assert found.set_points[number].iloc[step] == pytest.approx(bar, abs=1e-6)
    before, after = (voltvar.summary(c).set_index("area")["energy_taken_mwh"]["network"] for c in (oberrhein, found.case))
    assert after < before
    assert after == pytest.approx((result.steps["load_mw"] + result.steps["losses_mw"]).sum(), rel=1e-8)


def test_unsolved_positions_would_not_have_been_better(oberrhein):
    """The schedule is the same when every position of every step is solved."""
    wanted = voltvar.Settings(margin_pu=0.005, shunts=(), operations_per_day=3)
    found = voltvar.optimise(oberrhein, wanted).case.schedule["trafo.tap_pos"]
    table = Table(oberrhein, wanted)
    table.solve([np.ones(zone.solved.shape, bool) for zone in table.zones])
    day = oberrhein.profiles.time.normalize().factorize()[0].astype(np.int64)
    for zone in table.zones:
        path = _dynamic.cheapest(zone.excess(0.955, 1.045), zone.power, zone.states, day, 3)
        assert (zone.states[path, 0] == found[zone.zone.devices[0].elements[0]].to_numpy()).all()


def test_areas_choose_the_transformer_and_all_it_feeds_stays_inside_the_limits(oberrhein):
    found = voltvar.optimise(oberrhein, voltvar.Settings(areas=("S1-F1",), shunts=()))
    schedule = found.case.schedule["trafo.tap_pos"]
    assert len(schedule.columns) == 1
    head = network.feeder_heads(oberrhein.net).set_index("area")["bus"]
    assert oberrhein.net.trafo.at[schedule.columns[0], "lv_bus"] == head["S1-F1"]
    neighbours = oberrhein.areas.loc[oberrhein.areas["area"].isin(["S1-F1", "S1-F2"]), "bus"]
    voltages = run(found.case).vm_pu[neighbours]
    assert voltages.min().min() >= 0.96 - 1e-6 and voltages.max().max() <= 1.04 + 1e-6
    with pytest.raises(ParameterError, match="did you mean"):
        voltvar.optimise(oberrhein, voltvar.Settings(areas=("S1-F9",)))


def test_limits_that_cannot_be_kept_are_named_with_the_least_violation():
    case = case_of(feeder(), [0.2, 1.9, 0.2], vm_min_pu=0.99, vm_max_pu=1.01)
    found = voltvar.optimise(case, voltvar.Settings(margin_pu=0.0, operations_per_day=None))
    assert found.infeasible["time"].tolist() == [case.profiles.time[1]]
    spread = []
    for position in range(-2, 3):
        vm = stepwise(fixed(case, position), 1).res_bus.vm_pu[[1, 2]]
        spread.append(max(0.99 - vm.min(), vm.max() - 1.01))
    assert found.infeasible["excess_pu"].iloc[0] == pytest.approx(min(spread), abs=2e-6)


def test_steps_without_solution_count_as_failed():
    case = case_of(feeder(zip_={}), [0.5, 80.0, 0.5])
    table = voltvar.summary(case).set_index("area")
    assert table["failed_h"]["network"] == 1.0 and np.isnan(table["energy_taken_mwh"]["network"])
    found = voltvar.optimise(case, voltvar.Settings(operations_per_day=None))
    assert found.infeasible["time"].tolist() == [case.profiles.time[1]] and found.infeasible["excess_pu"].isna().all()
    assert voltvar.score(case, voltvar.Settings())[0] == 1


def test_regulator_moves_only_when_the_voltage_leaves_the_dead_band():
    case = case_of(feeder(), [0.2, 0.6, 1.4, 1.5, 0.3, 0.2, 1.5])
    found = voltvar.regulate(case, 1.0, 0.025)
    position, path = 0, []
    for step in range(7):

        def bar(at, step=step):
            return stepwise(fixed(case, at), step).res_bus.vm_pu[1]

        while abs(bar(position) - 1.0) > 0.0125:
            further = position + (1 if bar(position) > 1.0 else -1)
            if not -2 <= further <= 2 or abs(bar(further) - 1.0) > abs(bar(position) - 1.0):
                break
            position = further
        path.append(position)
    assert found.case.schedule["trafo.tap_pos"][0].tolist() == path
    with pytest.raises(ParameterError, match="dead_band"):
        voltvar.regulate(case, 1.0, 0.0)


@pytest.mark.parametrize(
    "curve", [hosting.Control(volt_var="B"), hosting.Control(volt_var="A", volt_watt=((1.0, 1.0), (1.02, 0.0)))]
)
def test_inverters_settle_where_a_scalar_search_does(curve):
    net = feeder(load_mw=2.0, pv_mw=8.0, length_km=25.0)
    case = case_of(net, [0.3, 0.6, 1.0], [1.0, 0.5, 0.1], vm_max_pu=1.1)
    found = voltvar.inverters(fixed(case, -1), curve)
    assert not len(found.unsettled)
    result, plant = run(found.case), net.sgen.at[0, "bus"]
    for step in range(3):
        available = 8.0 * case.profiles.shapes["pv"].iloc[step]

        def answer(seen, step=step, available=available):
            p, q = hosting._batch.act(curve, np.array([seen]), np.array([8.0]), np.array([available]))
            trial = copy.deepcopy(fixed(case, -1))
            trial.net.sgen[["p_mw", "q_mvar"]] = [p[0], -q[0]]
            rows = trial.profiles.elements
            profiles = powerflow.Profiles(trial.profiles.time, trial.profiles.shapes, rows[rows["element"] == "load"])
            return stepwise(replace(trial, profiles=profiles), step).res_bus.vm_pu[plant] - seen

        voltage = brentq(answer, 0.9, 1.15, xtol=1e-8)
        assert result.vm_pu[plant].iloc[step] == pytest.approx(voltage, abs=3e-6)
    delivered = result.steps["generation_mw"].sum()
    assert delivered + found.curtailed["curtailed_mwh"].sum() == pytest.approx(8.0 * 1.6, abs=1e-6)
    assert (found.curtailed["curtailed_mwh"].sum() > 0.1) == (curve.volt_watt is not None)
    assert "pv" in case.profiles.shapes and case.net.sgen.at[0, "q_mvar"] == 0.0


def test_inverters_that_share_a_bus_share_the_power():
    net = feeder(load_mw=2.0, pv_mw=6.0, length_km=25.0)
    pp.create_sgen(net, 3, 2.0)
    found = voltvar.inverters(case_of(net, [0.3, 0.3], [1.0, 0.7]), hosting.Control(volt_watt=((1.0, 1.0), (1.03, 0.0))))
    cut = found.curtailed.set_index("element_id")["curtailed_mwh"]
    assert cut[0] == pytest.approx(3.0 * cut[1]) and cut[1] > 0


@settings(max_examples=4, deadline=None)
@given(st.floats(0.2, 1.2), st.floats(0.0, 12.0), st.sampled_from(["energy", "losses", "peak"]))
def test_more_in_service_is_never_worse(load, pv, objective):
    net = feeder(load_mw=5.0, pv_mw=pv + 0.1, length_km=20.0)
    case = case_of(net, [load, 0.3, 1.0, 0.2], [0.0, 1.0, 0.3, 0.8], hours=6.0, vm_min_pu=0.96, vm_max_pu=1.04)
    wanted = voltvar.Settings(objective=objective, inverters=hosting.Control(volt_var="B", volt_watt="B"), operations_per_day=2)
    scores = {option: voltvar.score(one, wanted) for option, one in voltvar.options(case, wanted).items()}
    assert scores["taps",] <= scores[()] and scores["inverters",] <= scores[()]
    assert scores["taps", "inverters"] <= min(scores["taps",], scores["inverters",])


def test_an_option_alone_is_that_of_the_set():
    case = case_of(feeder(pv_mw=6.0), [0.5, 0.3, 1.0], [0.0, 1.0, 0.4])
    wanted = voltvar.Settings(inverters=hosting.Control(volt_var="B"))
    every = voltvar.options(case, wanted)
    for option, given_ in {("taps",): replace(wanted, inverters=None), ("inverters",): replace(wanted, taps=False)}.items():
        alone = voltvar.apply(case, given_)
        pd.testing.assert_frame_equal(voltvar.summary(alone), voltvar.summary(every[option]), check_exact=True)
    both = voltvar.apply(case, wanted)
    pd.testing.assert_frame_equal(voltvar.summary(both), voltvar.summary(every["taps", "inverters"]), check_exact=True)


def test_sums_by_area_are_those_of_the_network(oberrhein):
    found, result = series(oberrhein), run(oberrhein)
    load = (found.net_mw + found.generation_mw).sum(axis=0)
    assert np.allclose(load, result.steps["load_mw"], atol=1e-6)
    assert np.allclose(found.losses_mw.sum(axis=0), result.steps["losses_mw"], atol=1e-8)
    assert np.allclose(found.low.min(axis=0), result.steps["vm_min_pu"], atol=1e-6)
    solved = stepwise(oberrhein, 7)
    for position, name in enumerate(found.names[:-1]):
        own = solved.load["bus"].isin(oberrhein.areas.loc[oberrhein.areas["area"] == name, "bus"])
        assert load[7] > found.net_mw[position, 7] == pytest.approx(solved.res_load.p_mw[own].sum(), abs=1e-5)


def test_settings_say_everything_that_is_wrong():
    with pytest.raises(ParameterError) as error:
        voltvar.Settings(objective="money", margin_pu=-1, operations_per_day=-2, inverters=hosting.Control())
    assert all(word in str(error.value) for word in ("objective", "margin_pu", "operations_per_day", "neither volt_var"))
    case = case_of(feeder(), [1.0])
    with pytest.raises(ParameterError, match="leaves nothing"):
        voltvar.optimise(case, voltvar.Settings(margin_pu=0.2))
    with pytest.raises(ParameterError, match="no tap changer"):
        voltvar.optimise(case, voltvar.Settings(transformers=()))
    with pytest.raises(ParameterError, match="trafo 8"):
        voltvar.optimise(case, voltvar.Settings(transformers=(8,)))


def test_models_are_built_once(oberrhein):
    models = Models(oberrhein.net, oberrhein.profiles, powerflow.Options())
    where = ((("trafo.tap_pos", 114), 2),)
    assert models.at(where) is models.at(where) and models.at(((("trafo.tap_pos", 114), -2),)) is not models.at(where)
