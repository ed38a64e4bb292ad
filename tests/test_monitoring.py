"""Monitoring: closed form, Monte Carlo with pandapower's estimator, monotony, enumeration of placements."""

import copy
import itertools
from pathlib import Path

import numpy as np
import pandapower as pp
import pandapower.estimation
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from gridplan import errors, network
from gridplan.applications import OperatingCase, monitoring
from gridplan.applications.monitoring import Settings, _model
from gridplan.powerflow import Limits, Profiles
from gridplan.study import read_study

NOTHING = pd.DataFrame({"element": [], "element_id": [], "shape_p": [], "shape_q": []})
KV = 20.0


def sensor(element, number, quantity, sd, **other):
    name = f"{quantity} at {element} {number}"
    bus, available, delay = other.get("bus", number), other.get("availability", 100.0), other.get("delay", 0.0)
    return dict(zip(_model.COLUMNS, (name, "line", element, number, bus, quantity, sd, available, delay), strict=True))


def table(*rows):
    return pd.DataFrame(rows, columns=_model.COLUMNS)


def feeder(loads, *, r=0.4, x=0.3, km=3.0):
    net = pp.create_empty_network(sn_mva=1.0)
    buses = [pp.create_bus(net, KV) for _ in range(len(loads) + 1)]
    pp.create_ext_grid(net, buses[0], vm_pu=1.02)
    for n, (p, q) in enumerate(loads):
        pp.create_line_from_parameters(net, buses[n], buses[n + 1], km, r, x, 0, 0.3)
        pp.create_load(net, buses[n + 1], p, q)
    return net


def static(net):
    profiles = Profiles(pd.DatetimeIndex(["2030-01-01"], name="time"), pd.DataFrame({"one": [1.0]}), NOTHING)
    return OperatingCase(net, profiles, network.areas(net), Limits())


def two_bus(v, p, q, r, x):
    """Voltage at the end of a line in closed form; `p`, `q` consumed [pu]."""
    b = v**2 / 2 - (r * p + x * q)
    return np.sqrt(b + np.sqrt(b**2 - (r**2 + x**2) * (p**2 + q**2)))


def test_two_bus_feeder_in_closed_form():
    """Errors of source, active and reactive power passed on by the derivatives of the closed form, then fused with a meter."""
    p, q, how = 4.0, 1.5, Settings(source_vm_sd_percent=0.8, pseudo_min_sd_percent=25)
    net = feeder([(p, q)])
    z = 1 / KV**2
    point = np.array([1.02, p, q])
    close = {"r": 1.2 * z, "x": 0.9 * z}
    step = 1e-6
    slope = [(two_bus(*(point + step * e), **close) - two_bus(*(point - step * e), **close)) / (2 * step) for e in np.eye(3)]
    sd = np.array([0.008 * 1.02, 0.25 * p, 0.25 * q])
    prior = np.sqrt(np.sum((slope * sd) ** 2))
    error = monitoring.errors(static(net), table(), how).set_index("bus")
    assert error.vm_sd_pu[1] == pytest.approx(prior, rel=1e-5)
    assert error.vm_error_pu[1] == pytest.approx(prior * stats.norm.ppf(0.975), rel=1e-5)
    meter = 0.005 * two_bus(*point, **close)
    with_meter = monitoring.errors(static(net), table(sensor("bus", 1, "v", 0.5)), how).set_index("bus")
    assert with_meter.vm_sd_pu[1] == pytest.approx(1 / np.sqrt(1 / prior**2 + 1 / meter**2), rel=1e-5)
    half = monitoring.errors(static(net), table(sensor("bus", 1, "p", 1.0, availability=50)), how).set_index("bus")
    fused = 1 / (1 / (0.01 * p) ** 2 + 1 / sd[1] ** 2)
    mixed = np.array([sd[0], np.sqrt(0.5 * fused + 0.5 * sd[1] ** 2), sd[2]])
    assert half.vm_sd_pu[1] == pytest.approx(np.sqrt(np.sum((slope * mixed) ** 2)), rel=1e-5)


SENSORS = table(
    sensor("bus", 0, "v", 0.4),
    sensor("line", 0, "p", 1.0, bus=0),
    sensor("line", 0, "q", 1.5, bus=0),
    sensor("line", 2, "i", 1.0, bus=2),
    sensor("bus", 3, "v", 0.3),
    sensor("bus", 4, "p", 2.0),
)


def estimated(net, values, rng):
    """Voltages by pandapower's weighted least squares from one draw of all readings and pseudo-measurements."""
    net.measurement["value"] = [rng.normal(true, sd) for *_, true, sd in values]
    assert pandapower.estimation.estimate(net, init="flat", tolerance=1e-6, maximum_iterations=30)["success"]
    return net.res_bus_est.vm_pu.to_numpy()


@pytest.mark.filterwarnings(
    "ignore::DeprecationWarning",
    "ignore::FutureWarning",
    "ignore::RuntimeWarning",
    "ignore::pandas.errors.SettingWithCopyWarning",
)
def test_covariance_agrees_with_monte_carlo_of_the_estimator_of_pandapower():
    how = Settings(pseudo_min_sd_percent=30)
    net = feeder([(1.0, 0.3), (1.5, 0.5), (0.8, 0.2), (1.2, 0.4)])
    case = static(net)
    pp.runpp(net, numba=False)
    values = [("v", "bus", 0, None, 1.02, 0.0102)]
    values += [("p", "bus", b, None, v, 0.3 * v) for b, v in zip(net.load.bus, net.load.p_mw, strict=True)]
    values += [("q", "bus", b, None, v, 0.3 * v) for b, v in zip(net.load.bus, net.load.q_mvar, strict=True)]
    line = net.res_line
    values += [
        ("v", "bus", 0, None, 1.02, 0.004 * 1.02),
        ("p", "line", 0, "from", line.p_from_mw[0], 0.01 * line.p_from_mw[0]),
        ("q", "line", 0, "from", line.q_from_mvar[0], 0.015 * line.q_from_mvar[0]),
        ("i", "line", 2, "from", line.i_from_ka[2], 0.01 * line.i_from_ka[2]),
        ("v", "bus", 3, None, net.res_bus.vm_pu[3], 0.003 * net.res_bus.vm_pu[3]),
        ("p", "bus", 4, None, net.load.p_mw[3], 0.02 * net.load.p_mw[3]),
    ]
    # pandapower keeps one measurement of a kind at a bus: readings and pseudo-measurements of one place are fused before.
    values = fused(values)
    trial, rng = copy.deepcopy(net), np.random.default_rng(7)
    for kind, element, number, side, true, sd in values:
        pp.create_measurement(trial, kind, element, true, sd, number, side=side)
    draws = np.array([estimated(trial, values, rng) for _ in range(150)])
    ours = monitoring.errors(case, SENSORS, how).vm_sd_pu.to_numpy()
    sampled = np.sqrt(((draws - net.res_bus.vm_pu.to_numpy()) ** 2).mean(axis=0))
    # 150 draws: the sampled deviation has a standard error of 5.8 %.
    np.testing.assert_allclose(sampled, ours, rtol=0.18)


def fused(values):
    """One measurement for each kind and place, weighted by information."""
    result = {}
    for *key, true, sd in values:
        result.setdefault(tuple(key), []).append((true, sd))
    return [(*key, own[0][0], 1 / np.sqrt(sum(1 / sd**2 for _, sd in own))) for key, own in result.items()]


@given(st.lists(st.integers(0, 11), min_size=1, max_size=6, unique=True), st.floats(20, 100))
@settings(max_examples=6, deadline=None)
def test_more_sensors_never_raise_an_error(chosen, availability):
    net = feeder([(1.0, 0.3), (-1.5, 0.1), (0.8, 0.2), (0.0, 0.0)])
    every = [sensor("bus", b, q, 1.0, availability=availability) for b in range(1, 4) for q in "vpq"]
    every += [sensor("line", 1, q, 1.0, bus=2, availability=availability) for q in "pqi"]
    rows = [every[n] for n in chosen]
    case = static(net)
    before = monitoring.errors(case, table(*rows[:-1]))
    after = monitoring.errors(case, table(*rows))
    assert (after.vm_sd_pu <= before.vm_sd_pu + 1e-12).all()
    flow = [monitoring.flows(case, table(*r)).loading_error_percent for r in (rows[:-1], rows)]
    assert (flow[1] <= flow[0] + 1e-9).all()
    assert (monitoring.margins(case, table(*rows)).margin_pu <= monitoring.margins(case, table()).margin_pu + 1e-12).all()


def test_greedy_placement_against_enumeration():
    net = feeder([(1.0, 0.3), (1.5, 0.5), (0.8, 0.2), (1.2, 0.4), (0.5, 0.1)])
    case, scada = static(net), table(sensor("bus", 0, "v", 0.5))
    template = pd.DataFrame({"kind": "meter", "quantity": ["p", "q"], "sd_percent": 1.0, "availability_percent": 100.0})
    template["delay_min"] = 0.0
    candidates = monitoring.meters(range(1, 6), template)
    found = monitoring.place(case, scada, candidates, 3)
    assert found.vm_error_pu.is_monotonic_decreasing

    def largest(buses):
        return monitoring.errors(case, pd.concat([scada, monitoring.meters(buses, template)])).vm_error_pu.max()

    for count in (1, 2, 3):
        best = min(largest(buses) for buses in itertools.combinations(range(1, 6), count))
        assert found.vm_error_pu[count] >= best - 1e-12
        own = [int(name.split()[-1]) for name in found.sensor[1 : count + 1]]
        assert found.vm_error_pu[count] == pytest.approx(largest(own), rel=1e-9)
    assert found.vm_error_pu[1] == pytest.approx(min(largest([b]) for b in range(1, 6)), rel=1e-9)
    curve = monitoring.curve(case, scada, template, points=5)
    assert curve.share_percent.tolist() == [0, 20, 40, 60, 80, 100]


def test_observability_without_pseudo_measurements():
    """With n loads and a source there are 2 n + 1 unknowns: readings of all determine them, one less does not."""
    net = feeder([(1.0, 0.3), (1.5, 0.5), (0.0, 0.0)])
    net.load = net.load.iloc[:2]
    case = static(net)
    rows = [sensor("bus", 0, "v", 0.5), *(sensor("bus", b, q, 1.0) for b in (1, 2) for q in "pq")]
    full = monitoring.observability(case, table(*rows))
    assert full.observable.all()
    assert full.observable_percent.tolist() == [100.0]
    assert monitoring.observability(case, table(*rows[:-1])).observable_buses.sum() == 0
    alone = monitoring.observability(case, table(sensor("bus", 2, "v", 0.5)))
    assert alone.observable_buses.sum() == 2, "bus 3 has no load, so it follows bus 2"
    assert monitoring.observability(case, table()).observable_buses.sum() == 0


def test_bad_data_detection_agrees_with_sampling():
    """Normalised residuals of the linear model, sampled."""
    net = feeder([(1.0, 0.3), (1.5, 0.5), (0.8, 0.2), (1.2, 0.4)])
    case, size = static(net), 6.0
    table_ = monitoring.detection(case, SENSORS, gross_error_sds=size)
    model = _model.build(case, 0, Settings())
    rows, variance = _model.readings(model, case, SENSORS)
    rng = np.random.default_rng(3)
    H = np.vstack([np.eye(len(model.prior)), rows])
    R = np.r_[model.prior, variance]
    gain = np.linalg.inv(H.T @ (H / R[:, None])) @ (H / R[:, None]).T
    residual = np.eye(len(R)) - H @ gain
    for number in range(len(SENSORS)):
        noise = rng.normal(size=(4000, len(R))) * np.sqrt(R)
        noise[:, len(model.prior) + number] += size * np.sqrt(variance[number])
        left = noise @ residual.T
        spread = np.sqrt(np.diag(residual) * R)
        seen = np.abs(left[:, len(model.prior) + number] / spread[len(model.prior) + number]) > 3
        assert 100 * seen.mean() == pytest.approx(table_.detected_percent[number], abs=3)
        squares = (left**2 / R).sum(axis=1) > stats.chi2.ppf(0.95, len(SENSORS))
        assert 100 * squares.mean() == pytest.approx(table_.chi_square_percent[number], abs=3)


def test_a_reading_that_nothing_confirms_is_critical():
    net = feeder([(1.0, 0.3)])
    sure = Settings(source_vm_sd_percent=1e6)
    found = monitoring.detection(static(net), table(sensor("bus", 0, "v", 0.01)), sure)
    assert found.detected_percent[0] == 0
    assert found.redundancy[0] == 0


def test_spread_and_age_of_profiles():
    """A profile that repeats exactly has no spread; the age of a reading adds the change over it."""
    time = pd.date_range("2030-01-01", periods=24 * 14, freq="h", name="time")
    hour = np.asarray(time.hour)
    rng = np.random.default_rng(1)
    noise = rng.normal(0, 0.2, len(time))
    shapes = pd.DataFrame({"same": 1 + hour / 24, "wild": 1 + noise})
    net = feeder([(1.0, 0.3), (1.0, 0.3)])
    rows = pd.DataFrame({"element": "load", "element_id": [0, 1], "shape_p": ["same", "wild"], "shape_q": ["same", "wild"]})
    profiles = Profiles(time, shapes, rows)
    spread = _model.element_spread(profiles, "load", net.load.index, "shape_p")
    assert spread[0] == pytest.approx(0, abs=1e-12)
    assert spread[1] == pytest.approx(0.2, rel=0.15)
    late = _model.lag_variance(profiles, "load", net.load.index, "shape_p", minutes=60)
    assert late[1] == pytest.approx(2 * 0.2**2, rel=0.2)
    case = OperatingCase(net, profiles, network.areas(net))
    now, old = (monitoring.errors(case, table(sensor("bus", 1, "p", 1.0, delay=d))).vm_sd_pu.max() for d in (0, 600))
    assert now < old <= monitoring.errors(case, table()).vm_sd_pu.max()


def test_sensors_of_the_bundled_study():
    study = read_study(Path(__file__).parents[1] / "data" / "oberrhein")
    net = network.load(study)
    found = monitoring.check(study.tables["sensors"], net)
    heads = network.feeder_heads(net)
    scada = found[found.kind == "substation"]
    assert set(heads.element_id) <= set(scada.element_id[scada.element == "line"])
    profiles = Profiles(pd.DatetimeIndex(["2030-01-01"], name="time"), pd.DataFrame({"one": [1.0]}), NOTHING)
    case = OperatingCase(net, profiles, network.areas(net))
    today = monitoring.margins(case, study.tables["sensors"]).set_index("area").margin_pu
    blind = monitoring.margins(case, found.iloc[:0]).set_index("area").margin_pu
    assert (today < blind).all()
    assert monitoring.apply(case) is case


def test_errors_name_what_is_wrong():
    net = feeder([(1.0, 0.3)])
    case = static(net)
    wrong = table(
        sensor("house", 0, "v", 1.0),
        sensor("bus", 0, "i", 1.0),
        sensor("bus", 99, "v", 1.0),
        sensor("line", 0, "p", 1.0, bus=7),
        sensor("bus", 0, "v", 0.0),
        sensor("bus", 0, "v", 1.0, availability=120.0),
        sensor("bus", 0, "v", 1.0, delay=-1.0),
    )
    with pytest.raises(errors.ParameterError) as caught:
        monitoring.errors(case, wrong)
    assert len(caught.value.problems) == 7
    assert [p.row for p in caught.value.problems] == [2, 3, 4, 5, 6, 7, 8]
    assert "7 is no end of" in str(caught.value)
    with pytest.raises(errors.ParameterError, match="column 'quantity' is missing"):
        monitoring.errors(case, wrong.drop(columns="quantity"))
    with pytest.raises(errors.ParameterError, match="5 is no step of 1"):
        monitoring.errors(case, table(), Settings(steps=(5,)))
    with pytest.raises(errors.ParameterError, match="pseudo_min_sd_percent"):
        Settings(pseudo_min_sd_percent=0)
    with pytest.raises(errors.ParameterError, match="no sensor to choose"):
        monitoring.place(case, table(), table(), 1)
    net.load["p_mw"] = 1e4
    with pytest.raises(errors.NotConverged):
        monitoring.errors(static(net), table())
