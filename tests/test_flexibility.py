"""Curtailment, shifting and storage: against an optimal power flow, closed forms, enumeration and the full power flow."""

import copy
import os
import subprocess
import sys

import numpy as np
import pandapower as pp
import pandapower.networks
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gridplan import errors, network, powerflow, tables
from gridplan.applications import (
    OperatingCase,
    _dispatch,
    _flexible,
    _linear,
    _sensitivities,
    demand,
    der_management,
    flexibility,
    storage,
)
from gridplan.powerflow import Limits, Profiles

KV = 20.0
TABLE = pd.DataFrame(
    [
        {"technology": "pv", "action": "curtail", "participation": 1.0, "cos_phi": 0.9},
        {"technology": "half", "action": "curtail", "participation": 0.5},
        {"technology": "other_generation", "action": "curtail", "participation": 1.0, "cos_phi": 0.9},
        {
            "technology": "ev",
            "action": "shift",
            "participation": 0.8,
            "defer_h": 6,
            "advance_h": 0,
            "rebound": 0,
            "peak_ratio": 1,
        },
        {
            "technology": "hp",
            "action": "shift",
            "participation": 0.5,
            "defer_h": 2,
            "advance_h": 2,
            "rebound": 0.1,
            "peak_ratio": 1,
        },
        {"technology": "storage", "action": "store", "power_share": 0.2, "energy_h": 2, "efficiency": 0.9},
    ]
)


def feeder(kilometres=(5.0,), *, r=0.5, x=0.3, max_i=1.0) -> pp.pandapowerNet:
    """A radial feeder at an external grid of 1 pu."""
    net = pp.create_empty_network()
    buses = [pp.create_bus(net, KV, name=f"Bus {n}") for n in range(len(kilometres) + 1)]
    pp.create_ext_grid(net, buses[0])
    for n, km in enumerate(kilometres):
        pp.create_line_from_parameters(net, buses[n], buses[n + 1], km, r, x, 0, max_i, type="cs", name=f"Line {n}")
    return net


def case(net, shapes: dict[str, list[float]], limits=None) -> OperatingCase:
    """Elements follow the shape named like their type; loads without one are constant."""
    steps = len(next(iter(shapes.values())))
    time = pd.date_range("2030-01-01 05:00", periods=steps, freq="h")
    rows = [(e, n, t, t) for e in ("load", "sgen") for n, t in net[e]["type"].items() if t in shapes]
    elements = pd.DataFrame(rows, columns=["element", "element_id", "shape_p", "shape_q"])
    profiles = Profiles(time, pd.DataFrame(shapes, index=time), elements)
    return OperatingCase(net, profiles, network.areas(net), limits or Limits(0.95, 1.05))


def outside(one: OperatingCase) -> pd.DataFrame:
    """What a full power flow of every step finds."""
    return powerflow.violations(powerflow.run(one.net, one.profiles, limits=one.limits))


def power(one: OperatingCase, element: str, number: int) -> np.ndarray:
    row = one.profiles.elements.set_index(["element", "element_id"]).loc[(element, number)]
    table = one.net[element].loc[number]
    return one.profiles.shapes[row["shape_p"]].to_numpy() * table["p_mw"] * table["scaling"]


def sunny(days=3, *, cars=0.7, plant=6.0) -> OperatingCase:
    """Two feeders from one bus bar: sun at noon, cars and heat pumps in the evening."""
    net = pp.create_empty_network()
    bar = pp.create_bus(net, KV)
    pp.create_ext_grid(net, bar)
    for head in (0, 1):
        last = bar
        for km in (2.0, 3.0, 4.0):
            bus = pp.create_bus(net, KV)
            pp.create_line_from_parameters(net, last, bus, km, 0.5, 0.3, 10, 0.3, type="cs")
            pp.create_load(net, bus, 0.5, 0.1, type="house")
            pp.create_load(net, bus, cars, 0.0, type="ev")
            pp.create_load(net, bus, 0.4, 0.1, type="hp")
            pp.create_sgen(net, bus, plant / 3 * (1 + head), 0.0, type="pv")
            last = bus
    hours = (np.arange(24 * days) + 5) % 24
    rng = np.random.default_rng(1)
    shapes = {
        "house": 0.6 + 0.3 * np.sin((hours - 12) / 24 * 2 * np.pi),
        "ev": np.where((hours >= 17) & (hours < 21), 1.0, 0.1) * np.repeat(rng.uniform(0.7, 1.0, days), 24),
        "hp": np.where((hours > 16) | (hours < 9), 0.9, 0.3),
        "pv": np.clip(np.sin((hours - 6) / 12 * np.pi), 0, None) * np.repeat(rng.uniform(0.5, 1.0, days), 24),
    }
    return case(net, {name: list(map(float, values)) for name, values in shapes.items()})


# --- sensitivities


@pytest.mark.parametrize("zip_loads", [False, True])
def test_sensitivities_are_the_slopes_of_the_power_flow(zip_loads):
    net = pandapower.networks.create_cigre_network_mv(with_der="pv_wind")
    if zip_loads:
        net.load["const_z_p_percent"], net.load["const_i_q_percent"] = 30.0, 40.0
    net.load["type"] = "a"
    one = case(net, {"a": [1.0, 0.4]})
    linear, steps = _sensitivities.Network(one), np.arange(2)
    consumption = linear.demand(steps)
    voltage = linear.solve(steps, consumption)
    values = linear.values(steps, voltage)
    step, row = (part.ravel() for part in np.meshgrid(steps, np.arange(len(linear.high)), indexing="ij"))
    kept = (values[row, step] > 0.5) & np.isfinite(linear.high[row])
    rows = _sensitivities.Rows(step[kept], row[kept])
    slopes = linear.gradient(steps, (voltage, consumption), rows)
    for bus in range(linear.buses):
        for part, small in (("real", 1e-3), ("imag", 1e-3j)):
            moved = [consumption.copy() for _ in range(2)]
            for sign, array in zip((1, -1), moved, strict=True):
                array[bus] += sign * small
            high, low = (linear.values(steps, linear.solve(steps, array)) for array in moved)
            found = ((high - low) / 2e-3)[rows.row, rows.step]
            assert np.abs(found - getattr(slopes[:, bus], part)).max() < 1e-5 * max(1.0, np.abs(found).max())


@pytest.mark.filterwarnings("ignore:tap_dependency_table is missing:DeprecationWarning")
def test_voltages_and_loadings_are_those_of_pandapower():
    net = pandapower.networks.mv_oberrhein()
    one = case(net, {"none": [1.0]})
    linear = _sensitivities.Network(one)
    pp.runpp(net, tolerance_mva=1e-9)
    values = linear.values(np.arange(1), linear.solve(np.arange(1), linear.demand(np.arange(1))))[:, 0]
    place = linear.position(net.bus.index.to_numpy())
    assert np.abs(values[place] - net.res_bus.vm_pu.to_numpy()).max() < 1e-8
    lines = values[linear.buses : linear.buses + len(net.line)]
    assert np.nanmax(np.abs(lines - net.res_line.loading_percent.to_numpy())) < 1e-5
    quick = linear.quick(np.arange(1), np.zeros((linear.buses, 1)), np.zeros((1, 1)))[:, 0]
    assert np.nanmax(np.abs(quick[place] - values[place])) < 1e-6


BYTES = """
import hashlib
import numpy as np
import pandapower.networks
import pandas as pd
from gridplan.applications import OperatingCase, _sensitivities
from gridplan.powerflow import Limits, Profiles
net = pandapower.networks.mv_oberrhein()
time = pd.date_range("2016-01-01", periods=100, freq="h")
elements = pd.DataFrame({"element": "load", "element_id": net.load.index, "shape_p": "shape", "shape_q": "shape"})
profiles = Profiles(time, pd.DataFrame({"shape": np.linspace(0.1, 1.4, len(time))}), elements)
place = pd.DataFrame({"bus": net.bus.index, "area": "A"})
linear, steps = _sensitivities.Network(OperatingCase(net, profiles, place, Limits())), np.arange(len(time))
power = linear.demand(steps)
voltage = linear.solve(steps, power)
rows = _sensitivities.Rows(steps, np.full(len(steps), linear.buses - 9))
print(hashlib.sha256(voltage.tobytes() + linear.gradient(steps, (voltage, power), rows).tobytes()).hexdigest())
"""


def test_compiled_now_or_loaded_from_the_cache_gives_the_same_bytes(tmp_path):
    environment = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path)}
    command = [sys.executable, "-W", "ignore", "-c", BYTES]
    first, second = (subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout for _ in "ab")
    assert first == second


def test_voltage_controlled_generators_are_refused():
    net = feeder()
    pp.create_gen(net, 1, 1.0)
    pp.create_sgen(net, 1, 30.0, type="pv")
    one = case(net, {"pv": [1.0]}, Limits(0.999, 1.0001))
    with pytest.raises(errors.NetworkError, match="voltage-controlled"):
        _sensitivities.Network(one)


def test_powers_are_exchanged_on_the_matrix_of_another_case():
    one = sunny(1)
    start = _flexible.simulate(one)
    moved = storage.apply(one, storage.Settings(units(bus=3)))
    shared, built = _flexible.simulate(moved, start), _flexible.simulate(moved)
    assert shared.models.full.grid is start.models.full.grid
    pd.testing.assert_frame_equal(shared.result.vm_pu, built.result.vm_pu, check_exact=True)


def test_steps_that_an_option_does_not_touch_need_no_power_flow_of_their_own():
    before = sunny()
    joint = flexibility.evaluate(before, flexibility.Settings(TABLE), ["storage+der_management"])["storage+der_management"]
    whole = _flexible.simulate(joint.case)
    assert 0 < len(joint.state.changed) < len(before.profiles.time)
    pd.testing.assert_frame_equal(joint.state.outside, whole.outside, check_freq=False)
    for name in ("vm_pu", "line_loading_percent", "slack_p_mw"):
        own, expected = (getattr(state.result, name).to_numpy() for state in (joint.state, whole))
        assert own == pytest.approx(expected, rel=1e-6, abs=1e-9)
    assert joint.state.result.steps["converged"].all()
    for element, power in whole.power.items():
        assert joint.state.power[element].to_numpy() == pytest.approx(power.to_numpy(), abs=1e-12)


def test_linear_programs_start_and_start_again_where_they_are_told():
    span, matrix = _linear.Span(np.zeros(2), np.full(2, 5.0)), np.array([[1.0, 1.0]])
    for start in (None, (np.array([1]), np.array([0]))):
        program = _linear.Program(
            np.array([1.0, 2.0]), span, matrix, _linear.Span(np.array([3.0]), np.array([np.inf])), start=start
        )
        assert program.solve() == pytest.approx([3.0, 0.0])
        program.bound(np.array([0]), np.zeros(1), np.ones(1))
        assert program.solve() == pytest.approx([1.0, 2.0])
    with pytest.raises(errors.NotConverged, match="Infeasible"):
        _linear.Program(np.ones(2), span, matrix, _linear.Span(np.array([11.0]), np.array([12.0]))).solve()


# --- active management of generation


def optimal(net, limits: Limits, *, reactive: bool = False) -> float:
    """Least curtailment by pandapower's optimal power flow [MW]."""
    net = copy.deepcopy(net)
    net.sgen["controllable"], net.sgen["min_p_mw"], net.sgen["max_p_mw"] = True, 0.0, net.sgen.p_mw
    span = np.tan(np.arccos(0.9)) * net.sgen.p_mw if reactive else 0.0
    net.sgen["min_q_mvar"], net.sgen["max_q_mvar"] = -span, span
    net.bus["min_vm_pu"], net.bus["max_vm_pu"] = limits.vm_min_pu, limits.vm_max_pu
    net.line["max_loading_percent"] = limits.line_loading_max_percent
    net.trafo["max_loading_percent"] = limits.trafo_loading_max_percent
    for name, value in (("p_mw", 1e3), ("q_mvar", 1e3)):
        net.ext_grid[f"min_{name}"], net.ext_grid[f"max_{name}"] = -value, value
    for number in net.sgen.index:
        pp.create_poly_cost(net, number, "sgen", cp1_eur_per_mw=-1.0)
    tight = {f"PDIPM_{name}TOL": 1e-10 for name in ("GRAD", "COST", "COMP", "FEAS")}
    pp.runopp(net, opf_flow_lim="I", **tight)
    return float((net.sgen.p_mw - net.res_sgen.p_mw).sum())


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("scale", "limits"),
    [(10, Limits(0.9, 1.05)), (50, Limits(0.9, 1.05, 1e3, 1e3)), (80, Limits(0.9, 1.05, 80.0, 100.0))],
    ids=["voltage", "voltage, far", "loading"],
)
def test_least_curtailment_is_that_of_an_optimal_power_flow(scale, limits):
    net = pandapower.networks.create_cigre_network_mv(with_der="pv_wind")
    net.sgen["p_mw"] *= scale
    net.sgen.loc[8, "p_mw"] /= 6
    net.sgen["type"], net.load["scaling"] = "pv", 0.25
    one = case(net, {"pv": [1.0]}, limits)
    found = der_management.evaluate(one, der_management.Settings(TABLE))
    best = optimal(net, limits)
    assert best > 0.2
    assert found.plants["curtailed_mwh"].sum() == pytest.approx(best, rel=1e-4, abs=2e-4)
    assert found.left.empty
    assert outside(found.case).empty


def most_at_voltage(limit: float, km: float, r: float, x: float) -> float:
    """Largest injection at unity power factor at the end of a feeder with a voltage limit [MW], in closed form."""
    rr, xx = r * km / KV**2, x * km / KV**2
    a, b, c = (rr**2 + xx**2) / limit**2, -2 * rr, limit**2 - 1
    return float((-b - np.sqrt(b * b - 4 * a * c)) / (2 * a))


def test_a_plant_at_the_end_of_a_feeder_is_cut_to_what_the_closed_form_allows():
    net = feeder((5.0,), r=0.5, x=0.3)
    pp.create_sgen(net, 1, 20.0, type="pv")
    share = [0.0, 0.2, 0.5, 1.0]
    found = der_management.evaluate(case(net, {"pv": share}, Limits(0.9, 1.05)), der_management.Settings(TABLE))
    allowed = np.minimum(20.0 * np.array(share), most_at_voltage(1.05, 5.0, 0.5, 0.3))
    assert power(found.case, "sgen", 0) == pytest.approx(allowed, abs=1e-3)
    assert found.plants["curtailed_mwh"].item() == pytest.approx(20 * sum(share) - allowed.sum(), abs=2e-3)
    assert found.plants["hours"].item() == (allowed < 20.0 * np.array(share)).sum()
    assert found.summary.set_index("area").loc["all", "outside_after_h"] == 0


def test_a_rating_limits_the_current_in_closed_form():
    net = feeder((1.0,), r=1e-6, x=1e-6, max_i=0.1)
    pp.create_sgen(net, 1, 10.0, type="pv")
    found = der_management.apply(case(net, {"pv": [0.2, 1.0]}), der_management.Settings(TABLE))
    assert power(found, "sgen", 0) == pytest.approx([2.0, np.sqrt(3) * KV * 0.1], rel=1e-5)


def test_every_step_holds_in_the_full_power_flow_and_nothing_else_is_touched():
    one = sunny(40)
    assert set(outside(one)["kind"]) == {"overvoltage"}
    found = der_management.evaluate(one, der_management.Settings(TABLE))
    assert outside(found.case).empty
    assert found.left.empty
    before = powerflow.run(one.net, one.profiles).steps
    good = (before["vm_max_pu"] < 1.05) & (before["line_loading_max_percent"] < 100)
    for number in one.net.sgen.index:
        assert np.array_equal(power(found.case, "sgen", number)[good], power(one, "sgen", number)[good])
        assert (power(found.case, "sgen", number) <= power(one, "sgen", number)).all()
    total = found.summary.set_index("area")["curtailed_mwh"]
    assert total["all"] == pytest.approx(found.plants["curtailed_mwh"].sum())
    by_area = found.plants.groupby("area")["curtailed_mwh"].sum()
    assert total[by_area.index].to_numpy() == pytest.approx(by_area.to_numpy())


def test_pro_rata_cuts_all_plants_of_an_area_alike_and_costs_more_energy():
    one = sunny(4)
    least, fair = (der_management.evaluate(one, der_management.Settings(TABLE, rule=rule)) for rule in ("least", "pro rata"))
    assert fair.left.empty
    assert outside(fair.case).empty
    shares = fair.plants.groupby("area")["curtailed_percent"]
    assert (shares.max() - shares.min()).max() < 1e-9
    assert fair.plants["curtailed_mwh"].sum() > least.plants["curtailed_mwh"].sum() * 1.05


def test_reactive_power_of_inverters_comes_before_curtailment():
    one = sunny(3)
    plain, helped = (der_management.evaluate(one, der_management.Settings(TABLE, reactive=flag)) for flag in (False, True))
    assert helped.plants["curtailed_mwh"].sum() < 0.7 * plain.plants["curtailed_mwh"].sum()
    assert helped.left.empty
    assert outside(helped.case).empty
    assert one.net.sgen["q_mvar"].eq(0).all()


def test_participation_limits_what_can_be_cut_and_the_rest_is_said():
    net = feeder((5.0,))
    pp.create_sgen(net, 1, 40.0, type="half")
    found = der_management.evaluate(case(net, {"half": [0.1, 1.0]}), der_management.Settings(TABLE))
    assert found.plants.empty  # what mends nothing is not cut
    assert "overvoltage" in found.left["kind"].tolist()
    assert found.left["why"].str.contains("cannot bring it inside").all()


def test_undervoltage_is_not_answered_with_curtailment():
    net = feeder((5.0,))
    pp.create_load(net, 1, 12.0, 0.0, type="house")
    pp.create_sgen(net, 1, 1.0, type="pv")
    found = der_management.evaluate(case(net, {"house": [1.0], "pv": [1.0]}), der_management.Settings(TABLE))
    assert found.plants.empty
    assert found.left.set_index("kind").loc["undervoltage", "why"].startswith("less generation lowers")
    assert found.summary["outside_after_h"].tolist() == [1.0, 1.0]


def test_a_step_without_a_solution_is_said_and_not_touched():
    net = feeder((5.0,))
    pp.create_load(net, 1, 200.0, 0.0, type="house")
    pp.create_sgen(net, 1, 20.0, type="pv")
    found = der_management.evaluate(case(net, {"house": [1.0, 0.0], "pv": [1.0, 1.0]}), der_management.Settings(TABLE))
    assert found.left["kind"].tolist() == ["no solution"]
    assert found.summary.set_index("area").loc["all", "failed_h"] == 1
    assert power(found.case, "sgen", 0)[0] == 20.0


def test_areas_covered_and_no_others_are_cut():
    one = sunny(2)
    every = sorted(one.areas["area"].unique())
    found = der_management.evaluate(one, der_management.Settings(TABLE, areas=(every[1],)))
    assert set(found.plants["area"]) == {every[1]}
    with pytest.raises(errors.ParameterError, match="did you mean"):
        der_management.apply(one, der_management.Settings(TABLE, areas=("S1-F11",)))


def test_nothing_is_done_where_nothing_is_outside():
    one = sunny(1, plant=0.3)
    assert outside(one).empty
    assert der_management.apply(one, der_management.Settings(TABLE)) is one
    assert demand.apply(one, demand.Settings(TABLE, peak=False)) is one
    units = pd.DataFrame({"bus": [3], "power_mw": [1.0], "capacity_mwh": [1.0], "efficiency": [0.9]})
    assert storage.apply(one, storage.Settings(units, peak=False)) is one


# --- shifting


def test_shifting_conserves_energy_every_day_and_keeps_to_power_participation_and_hours():
    one = sunny(4, cars=1.5)
    found = demand.evaluate(one, demand.Settings(TABLE))
    hours = (one.profiles.time - pd.Timedelta(hours=5)).floor("D")
    for number, kind in one.net.load["type"].items():
        before, after = power(one, "load", number), power(found.case, "load", number)
        change = after - before
        if kind == "house":
            assert np.array_equal(before, after)
            continue
        share = 0.8 if kind == "ev" else 0.5
        assert (-change <= share * before + 1e-9).all()
        assert (change <= np.maximum(share * (before.max() - before), 0) + 1e-9).all()
        daily = pd.DataFrame({"put_off": np.maximum(-change, 0), "drawn": np.maximum(change, 0)}).groupby(hours).sum()
        extra = 1.0 if kind == "ev" else 1.1
        assert daily["drawn"].to_numpy() == pytest.approx(extra * daily["put_off"].to_numpy(), abs=1e-6)
        if kind == "ev":  # what is put off is drawn within 6 h
            backlog = pd.Series(np.cumsum(-change))
            assert backlog.min() > -1e-6
            assert (backlog <= share * pd.Series(before).rolling(6, min_periods=1).sum() + 1e-6).all()
    table = found.loads.set_index("technology")
    assert table.loc["ev", "rebound_mwh"].abs().max() < 1e-6
    assert table.loc["hp", "rebound_mwh"].to_numpy() == pytest.approx(0.1 * table.loc["hp", "shifted_mwh"].to_numpy(), abs=1e-6)
    assert table["shifted_mwh"].sum() > 1


def test_shifting_lowers_the_peak_to_what_a_program_of_its_own_says():
    """One area, cars only: the lowest peak by bisection with the earliest-deadline rule, a second way to the same number."""
    net = feeder((1.0,), r=0.05, x=0.05)
    pp.create_load(net, 1, 1.0, type="house")
    pp.create_load(net, 1, 2.0, type="ev")
    house = np.r_[np.full(12, 1.0), np.full(5, 2.0), np.full(7, 0.8)]
    cars = np.r_[np.full(12, 0.05), np.full(4, 1.0), np.full(8, 0.1)]
    one = case(net, {"house": list(house), "ev": list(cars)})
    found = demand.evaluate(one, demand.Settings(TABLE))

    def fits(peak: float) -> bool:
        flexible, fixed, queue = 0.8 * 2.0 * cars, house + 0.2 * 2.0 * cars, []
        for t in range(24):
            queue.append([t, flexible[t]])
            room = min(peak - fixed[t], 0.8 * 2.0 * cars.max())
            for item in queue:
                done = min(item[1], max(room, 0.0))
                item[1] -= done
                room -= done
            queue = [item for item in queue if item[1] > 1e-9]
            if room < -1e-9 or any(t - start >= 6 for start, _ in queue):
                return False
        return not queue

    low, high = 0.0, 10.0
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (low, middle) if fits(middle) else (middle, high)
    after = found.summary.set_index("area").loc["all", "peak_after_mw"]
    assert after == pytest.approx(high, abs=1e-4)
    assert after < found.summary.set_index("area").loc["all", "peak_before_mw"] - 0.5


def test_shifting_removes_violations_and_never_adds_hours():
    one = sunny(6, cars=2.5, plant=3.0)
    found = demand.evaluate(one, demand.Settings(TABLE, peak=False))
    before, after = (found.summary.set_index("area").loc["all", f"outside_{which}_h"] for which in ("before", "after"))
    assert before > 3
    assert after < before
    assert len(outside(found.case)) == len(found.left)


def test_a_longer_window_never_raises_the_peak():
    one = sunny(2, cars=1.5)
    peaks = []
    for defer in (0, 2, 4, 8):
        table = TABLE.assign(defer_h=TABLE["defer_h"].where(TABLE["technology"] != "ev", defer))
        summary = demand.evaluate(one, demand.Settings(table, technologies=("ev",))).summary
        peaks.append(summary.set_index("area")["peak_after_mw"].drop("all").to_numpy())
    assert (np.diff(peaks, axis=0) <= 1e-5).all()
    assert (peaks[-1] < peaks[0] - 0.1).all()


def newly_outside(found) -> pd.DataFrame:
    """Areas and steps that the full power flow has outside limits now and had not before."""
    before, after = (_flexible.simulate(one).outside for one in (found.before[0], found.case))
    return after & ~before


def batteries(power: float, energy: float) -> storage.Settings:
    return storage.Settings(pd.DataFrame({"bus": [3, 6], "power_mw": power, "capacity_mwh": energy, "efficiency": 0.9}))


def test_what_the_programs_can_mend_is_mended_in_every_step_of_the_full_power_flow():
    evening, noon = sunny(10, cars=1.7, plant=3.0), sunny(10)
    assert set(outside(evening)["kind"]) == {"undervoltage"}
    assert set(outside(noon)["kind"]) == {"overvoltage"}
    large = batteries(3.0, 15.0)
    for found in (
        storage.evaluate(evening, large),
        storage.evaluate(noon, large),
        demand.evaluate(evening, demand.Settings(TABLE)),
    ):
        assert outside(found.case).empty
        assert found.left.empty
        assert (found.summary["peak_after_mw"] <= found.summary["peak_before_mw"] + 1e-5).all()


def test_no_step_is_outside_that_was_not_and_what_cannot_be_mended_is_said():
    one = sunny(10)
    for found in (storage.evaluate(one, batteries(0.5, 1.0)), demand.evaluate(one, demand.Settings(TABLE))):
        after = outside(found.case)
        assert len(after)
        assert not newly_outside(found).to_numpy().any()
        assert found.left["hours"].sum() == pytest.approx(after["hours"].sum())
        assert found.left["why"].str.contains("reach").all()
        hours = found.summary.set_index("area").loc["all"]
        assert hours["outside_after_h"] < hours["outside_before_h"]


# --- storage


def units(**changes) -> pd.DataFrame:
    return pd.DataFrame([{"bus": 1, "power_mw": 1.0, "capacity_mwh": 2.0, "efficiency": 0.9} | changes])


def test_a_battery_shaves_the_peak_in_closed_form():
    """One hour of 3 MW among hours of 1 MW: power or energy limits what can be taken off it."""
    net = feeder((1.0,), r=0.05, x=0.05)
    pp.create_load(net, 1, 1.0, type="house")
    one = case(net, {"house": [1.0] * 20 + [3.0] + [1.0] * 3})
    for battery, expected in (({}, 1.0), ({"power_mw": 0.4}, 0.4), ({"capacity_mwh": 1.0}, 0.45)):
        found = storage.evaluate(one, storage.Settings(units(**battery), start_share=0.5))
        taken = 3.0 - found.summary.set_index("area").loc["all", "peak_after_mw"]
        given = {"power_mw": 1.0, "capacity_mwh": 2.0} | battery
        limit = min(given["power_mw"], 0.9 * given["capacity_mwh"])  # charged to full before the peak
        assert taken == pytest.approx(limit, abs=1e-4)
        assert limit >= expected


def test_state_of_charge_follows_the_power_and_stays_inside_its_limits():
    one = sunny(6)
    battery = units(bus=3, power_mw=1.5, capacity_mwh=3.0)
    found = storage.evaluate(one, storage.Settings(battery))
    drawn = power(found.case, "storage", int(found.units["element_id"].item()))
    state = found.energy_mwh.iloc[:, 0].to_numpy()
    change = np.where(drawn > 0, 0.9 * drawn, drawn / 0.9)
    assert np.diff(np.r_[1.5, state]) == pytest.approx(change, abs=1e-6)
    assert state.min() > -1e-6
    assert state.max() < 3.0 + 1e-6
    assert np.abs(drawn).max() <= 1.5 + 1e-9
    assert state[23::24] == pytest.approx(1.5, abs=1e-6)
    assert found.units["storage_losses_mwh"].item() == pytest.approx(drawn.sum(), abs=1e-6)
    assert found.units["cycles"].item() > 0.5
    assert len(found.case.net.storage) == 1
    assert len(one.net.storage) == 0


@settings(max_examples=5, deadline=None)
@given(st.floats(0.2, 3.0), st.floats(0.2, 6.0), st.floats(0.7, 1.0))
def test_storage_never_makes_hours_or_peaks_worse(size, energy, efficiency):
    one = sunny(2)
    found = storage.evaluate(one, storage.Settings(units(bus=3, power_mw=size, capacity_mwh=energy, efficiency=efficiency)))
    table = found.summary
    assert (table["outside_after_h"] <= table["outside_before_h"]).all()
    areas = table[table["area"] != "all"]
    assert (areas["peak_after_mw"] <= areas["peak_before_mw"] + 1e-5).all()
    assert found.energy_mwh.to_numpy().min() > -1e-6
    assert found.energy_mwh.to_numpy().max() < energy + 1e-6


def test_sizing_follows_the_table():
    one = sunny(2)
    found = storage.sized(one, TABLE)
    assert len(found) == one.areas["area"].nunique()
    loads = _flexible.powers(one, "load").max().drop("all").to_numpy()
    assert found["power_mw"].to_numpy() == pytest.approx(0.2 * loads)
    assert found["capacity_mwh"].to_numpy() == pytest.approx(0.4 * loads)
    assert set(found["bus"]) <= set(one.areas["bus"])


# --- the group


def test_adding_an_application_never_makes_the_objective_worse_and_company_changes_nothing():
    one = sunny(3)
    chosen = flexibility.Settings(TABLE)
    every = flexibility.evaluate(one, chosen)
    assert len(every) == 8
    parts = {name: set() if name == "none" else set(name.split("+")) for name in every}
    for small, large in ((a, b) for a in every for b in every if parts[a] < parts[b]):
        assert every[large].objective <= every[small].objective
    assert every["der_management"].objective[1] == 0
    assert every["storage+der_management"].objective[2] < every["der_management"].objective[2]
    for name in ("managed_demand+storage", "managed_demand+storage+der_management"):
        alone = flexibility.evaluate(one, chosen, [name])[name]
        assert alone.members == every[name].members
        pd.testing.assert_frame_equal(alone.case.profiles.shapes, every[name].case.profiles.shapes, check_exact=True)
        pd.testing.assert_frame_equal(alone.summary, every[name].summary, check_exact=True)
    table = flexibility.compare(every).set_index("option")
    assert table.loc["none", "members"] == ""
    assert table.loc["managed_demand+storage+der_management", "left"] == 0
    with pytest.raises(errors.ParameterError, match="unknown"):
        flexibility.evaluate(one, chosen, ["solar"])


def test_metrics_of_an_option_add_up_to_the_full_power_flow():
    one = sunny(2)
    found = flexibility.evaluate(one, flexibility.Settings(TABLE), ["storage+der_management"])["storage+der_management"]
    table, steps = found.metrics.set_index("area"), powerflow.run(found.case.net, found.case.profiles).steps
    assert table.index.tolist() == [*sorted(one.areas["area"].unique()), "all"]
    whole, areas = table.loc["all"], table.drop("all")
    assert whole["load_mwh"] == pytest.approx((steps["load_mw"] + steps["storage_mw"]).sum())
    assert whole["losses_mwh"] == pytest.approx(steps["losses_mw"].sum())
    assert whole["peak_mw"] == pytest.approx(steps["slack_mw"].max())
    for column in ("load_mwh", "losses_mwh", "curtailed_mwh", "shifted_mwh", "stored_mwh"):
        assert areas[column].sum() == pytest.approx(whole[column])
    assert whole["failed_h"] == 0


def test_every_column_that_a_reader_sees_is_described():
    one = sunny(1)
    shifted, cut = demand.evaluate(one, demand.Settings(TABLE)), der_management.evaluate(one, der_management.Settings(TABLE))
    stored = storage.evaluate(one, storage.Settings(units(bus=3)))
    joint = flexibility.evaluate(one, flexibility.Settings(TABLE), ["none"])
    frames = [
        shifted.summary,
        shifted.loads,
        cut.plants,
        cut.left,
        stored.units,
        joint["none"].metrics,
        flexibility.compare(joint),
    ]
    for column in {column for frame in frames for column in frame}:
        assert tables.label(column)


def test_reinforcement_is_avoided_or_deferred_by_curtailment():
    def built(scale: float) -> OperatingCase:
        net = feeder((4.0, 4.0), r=0.6, x=0.3, max_i=0.4)
        pp.create_load(net, 2, 1.0, 0.1, type="house")
        pp.create_sgen(net, 2, 6.0 * scale, type="pv")
        return case(net, {"house": [0.8, 0.3, 0.9], "pv": [0.0, 1.0, 0.2]})

    cable = {"measure": "cable", "kind": "cable", "vn_kv": KV, "r_ohm_per_km": 0.1, "x_ohm_per_km": 0.1, "c_nf_per_km": 0.0}
    cable |= {"max_i_ka": 0.6, "new_keur_per_km": 80.0, "replace_keur_per_km": 80.0, "source": "test", "evidence": "M"}
    rows = [cable]
    without = {2030: built(0.8), 2035: built(1.3)}
    chosen = der_management.Settings(TABLE)
    managed = {year: der_management.apply(one, chosen) for year, one in without.items()}
    late = {2030: managed[2030], 2035: without[2035]}
    avoided = flexibility.reinforcement(without, managed, pd.DataFrame(rows))
    assert avoided.without.total_keur > 0
    assert avoided.with_option.total_keur == 0
    assert set(avoided.measures["change"]) == {"avoided"}
    assert avoided.avoided_keur == pytest.approx(avoided.years["capex_difference_keur"].sum())
    deferred = flexibility.reinforcement(without, late, pd.DataFrame(rows))
    assert "deferred" in set(deferred.measures["change"])
    row = deferred.measures.set_index("change").loc[["deferred"]].iloc[0]
    assert (row["year_without"], row["year_with"]) == (2030, 2035)
    with pytest.raises(errors.ParameterError, match="years"):
        flexibility.reinforcement(without, {2030: managed[2030]}, pd.DataFrame(rows))


# --- what is given


def test_every_problem_of_the_table_is_said_at_once():
    bad = pd.DataFrame(
        [
            {"technology": "a", "action": "curtial", "participation": 1.0},
            {"technology": "b", "action": "shift", "participation": 1.5, "defer_h": 2.0},
            {"technology": "b", "action": "curtail", "participation": 0.5},
        ]
    )
    with pytest.raises(errors.ParameterError) as caught:
        der_management.Settings(bad)
    said = [(p.row, p.column) for p in caught.value.problems]
    assert {(2, "action"), (3, "participation"), (3, "advance_h"), (3, "rebound"), (3, "peak_ratio"), (4, "technology")} <= set(
        said
    )
    with pytest.raises(errors.ParameterError, match="is missing"):
        der_management.Settings(pd.DataFrame({"technology": ["a"]}))


def test_settings_are_checked():
    with pytest.raises(errors.ParameterError, match="rule"):
        der_management.Settings(TABLE, rule="most")
    with pytest.raises(errors.ParameterError, match="no row"):
        demand.Settings(TABLE, technologies=("boiler",))
    with pytest.raises(errors.ParameterError) as caught:
        storage.Settings(units(efficiency=0.0, power_mw=-1.0), start_share=2.0)
    assert len(caught.value.problems) == 3
    with pytest.raises(errors.ParameterError, match="not in the network"):
        storage.apply(sunny(1), storage.Settings(units(bus=999)))


def test_days_begin_at_the_hour_given():
    time = pd.date_range("2030-01-01 00:00", periods=48, freq="h")
    assert _dispatch.days(time, 5.0).tolist() == [0] * 5 + [1] * 24 + [2] * 19
