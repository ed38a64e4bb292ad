"""Reliability against a simulation written apart from it: random networks, exactly and by drawing faults year after year."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandapower as pp
import pandas as pd
import pytest
import reliability_simulation as sim
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from gridplan import powerflow, reliability

EXACT = settings(max_examples=20, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
BOUND = settings(EXACT, max_examples=8)
SAMPLED = settings(EXACT, max_examples=5)
YEARS = 2000
KV = 20.0
Z = 6.0  # standard errors: 1e-9 for one figure, so a false alarm is out of the question over years of runs
AT_END = ("none", "none", "disconnector", "disconnector", "switch", "breaker", "recloser", "fuse")


@dataclass(frozen=True)
class Study:
    """A network, the tables of its outages, and the same for the simulation."""

    net: pp.pandapowerNet
    outages: reliability.Outages
    customers: dict
    states: list  # (weight, factor on all loads)
    faults: list
    transients: list
    grid: sim.Grid
    stages: dict


def create_line(net, a: int, b: int, km: float, max_i_ka: float) -> int:
    return int(pp.create_line_from_parameters(net, a, b, km, 0.3, 0.2, 10, max_i_ka))


def at_ends(tight: bool) -> tuple[str, ...]:
    """What may stand at the end of a line; in the tight networks mostly what sectionalises."""
    return ("none", "disconnector", "switch", "switch", "breaker") if tight else AT_END


@st.composite
def networks(draw, *, buses=(5, 25), tight=False):
    """A radial network of overhead lines: devices at either end of every line, bus couplers, one or two sources, open ties."""
    net, gear = pp.create_empty_network(), []
    count, roots = draw(st.integers(*buses)), draw(st.integers(1, 2))

    def device(switch: int, kinds: tuple[str, ...]) -> None:
        kind = draw(st.sampled_from([kind for kind in kinds if kind != "none"]))
        control = "manual" if kind == "fuse" else draw(st.sampled_from(("manual", "manual", "remote", "automatic")))
        success = draw(st.sampled_from((1.0, 1.0, 0.9, 0.6))) if kind in sim.PROTECTIVE else 1.0
        gear.append((switch, kind, control, success, draw(st.booleans())))

    pp.create_buses(net, count, KV)
    feed(draw, net, roots, device)
    for bus in range(roots, count):
        parent = draw(st.integers(max(0, bus - (3 if tight else 6)), bus - 1))
        if draw(st.integers(0, 9)) == 0:
            device(int(pp.create_switch(net, parent, bus, "b", type="CB")), at_ends(tight))
            continue
        line = create_line(net, parent, bus, draw(st.integers(1, 12)) / 4, draw(st.sampled_from((0.12, 0.2))) if tight else 0.4)
        for end in (parent, bus):
            if draw(st.sampled_from(at_ends(tight))) != "none":
                device(int(pp.create_switch(net, end, line, "l", type="LBS")), at_ends(tight))
    for _ in range(draw(st.integers(2 if tight else 0, 4))):
        tie(draw, net, count, tight, device)
    for bus in range(count):
        if bus < roots or draw(st.integers(0, 3)):
            p = draw(st.integers(1, 12)) / (10 if tight else 20)
            pp.create_load(net, bus, p, 0.3 * p)
    columns = ["switch", "device", "control", "success", "fault_indicator"]
    return net, pd.DataFrame(gear, columns=columns).astype({"switch": int, "success": float, "fault_indicator": bool})


def feed(draw, net, roots: int, device) -> None:
    """Sources at the first buses, or behind a transformer there."""
    behind = draw(st.booleans())
    for root in range(roots):
        if not behind:
            pp.create_ext_grid(net, root)
            continue
        top = int(pp.create_bus(net, 110.0))
        pp.create_ext_grid(net, top)
        trafo = int(pp.create_transformer(net, top, root, "25 MVA 110/20 kV"))
        if draw(st.booleans()):
            device(int(pp.create_switch(net, root, trafo, "t", type="CB")), ("breaker",))


def tie(draw, net, count: int, tight: bool, device) -> None:
    """A normally open connection: a coupler, or a line that is open at one end."""
    a = draw(st.integers(0, count - 1))
    b = draw(st.integers(0, count - 1).filter(lambda bus: bus != a))
    if draw(st.booleans()) and not tight:
        device(int(pp.create_switch(net, a, b, "b", closed=False, type="LBS")), ("switch", "disconnector", "breaker"))
        return
    line = create_line(net, a, b, draw(st.integers(1, 8)) / 4, draw(st.sampled_from((0.02, 0.04, 0.08))) if tight else 0.4)
    device(int(pp.create_switch(net, b, line, "l", closed=False, type="LBS")), ("switch", "disconnector"))
    if draw(st.booleans()):
        device(int(pp.create_switch(net, a, line, "l", type="LBS")), ("switch", "disconnector"))


def minutes(draw, top: int) -> float:
    return draw(st.integers(0, top)) + 0.25


@st.composite
def times(draw) -> dict:
    stages = {}
    scale = {"automatic": (2, 2, 0), "remote": (10, 20, 2), "manual": (30, 60, 10)}
    for control, (detect, switch, patrol) in scale.items():
        isolate = minutes(draw, switch)
        known = minutes(draw, detect), minutes(draw, detect), draw(st.integers(0, patrol)) / 4
        stages[control] = sim.Stage(*known, isolate, isolate + minutes(draw, switch))
    return stages


@st.composite
def rates(draw, repairs=(0.05, 0.5, 2.0, 5.0, 30.0)) -> pd.DataFrame:
    rows = []
    for element, column in (
        ("line", "failures_per_km_yr"),
        ("bus", "failures_per_yr"),
        ("trafo", "failures_per_yr"),
        ("switch", "failures_per_yr"),
        ("station", "failures_per_yr"),
    ):
        rate = draw(st.integers(0 if element != "line" else 1, 20)) / 100
        blink = draw(st.integers(0, 10)) / 100 if element == "line" else np.nan
        hours = draw(st.sampled_from(repairs))
        rows.append({"element": element, "kind": "*", column: rate, "repair_h": hours, "momentary_per_km_yr": blink})
    frame = pd.DataFrame(rows)
    return frame.assign(source="test", evidence="M")


def restoration(stages: dict) -> pd.DataFrame:
    rows = [{"area": "*", "control": control, **vars(stage)} for control, stage in stages.items()]
    return pd.DataFrame(rows).assign(source="test", evidence="M")


def faults_of(net, grid: sim.Grid, table: pd.DataFrame) -> tuple[list, list]:
    """Every element that fails, and every line with transient faults."""
    row = table.set_index("element")
    rate, repair = row.failures_per_yr, row.repair_h
    faults, blinks = [], []
    for at, line in net.line.iterrows():
        km = line.length_km
        faults.append(sim.Fault("line", at, (("line", at),), km * row.failures_per_km_yr["line"], repair["line"]))
        blinks.append(sim.Fault("line", at, (("line", at),), km * row.momentary_per_km_yr["line"], 0.0))
    faults += [sim.Fault("bus", at, (("bus", at),), rate["bus"], repair["bus"]) for at in net.bus.index]
    faults += [sim.Fault("trafo", at, (("trafo", at),), rate["trafo"], repair["trafo"]) for at in net.trafo.index]
    for at, device in grid.devices.items():
        fault = sim.Fault("switch", at, device.ends, rate["switch"], repair["switch"], at)
        faults += sim.split(grid, fault)
    faults += [sim.Fault("station", bus, (), rate["station"], repair["station"]) for bus in net.load.bus]
    return [f for f in faults if f.rate > 0], [f for f in blinks if f.rate > 0]


@st.composite
def studies(draw, *, tight=False, buses=(5, 25)) -> Study:
    net, gear = draw(networks(buses=buses, tight=tight))
    table, stages = draw(rates((5.0, 30.0)) if tight else rates()), draw(times())
    numbers = [draw(st.integers(0, 40)) for _ in net.load.bus]
    numbers[0] += 1
    customers = pd.DataFrame({"bus": net.load.bus.to_numpy(), "customer_class": "residential", "customers": numbers})
    states = draw(st.sampled_from(([(1.0, 1.0)], [(0.25, 1.0), (0.75, 0.4)])))
    limits = powerflow.Limits(draw(st.sampled_from((0.94, 0.985))), 1.06)
    outages = reliability.Outages(
        table,
        restoration(stages),
        customers,
        gear.assign(source="test", evidence="M"),
        limits=limits,
        loading=loading(net, states),
        transfers=tight,
    )
    grid = sim.grid_of(net, gear)
    faults, blinks = faults_of(net, grid, table)
    return Study(net, outages, dict(zip(net.load.bus, numbers, strict=True)), states, faults, blinks, grid, stages)


def loading(net, states: list) -> pd.DataFrame | None:
    """Every load times a factor, by state."""
    if len(states) == 1:
        return None
    frame = pd.DataFrame({"load": net.load.index})
    some = [
        frame.assign(state=at, weight=weight, p_mw=factor * net.load.p_mw, q_mvar=factor * net.load.q_mvar)
        for at, (weight, factor) in enumerate(states)
    ]
    return pd.concat(some, ignore_index=True)


def scaled(net, factor: float) -> pp.pandapowerNet:
    net = pp.pandapowerNet(net)
    net.load[["p_mw", "q_mvar"]] *= factor
    return net


def stories_of(study: Study) -> list[list[sim.Story]]:
    """What can happen after every fault and every blink, by failing element, in every loading state."""
    groups = [[] for _ in (*study.faults, *study.transients)]
    for weight, factor in study.states:
        power = {int(bus): factor * p for bus, p in zip(study.net.load.bus, study.net.load.p_mw, strict=True)}
        carries = sim.PowerFlow(scaled(study.net, factor), study.outages.limits) if study.outages.transfers else sim.always
        for group, fault in zip(groups, (*study.faults, *study.transients), strict=True):
            for story in tell_all(study, fault, carries, power):
                group.append(replace(story, rate=story.rate * weight, p_mw=power))
    return groups


def tell_all(study: Study, fault: sim.Fault, carries, power: dict) -> list[sim.Story]:
    if fault.element == "station":
        return [sim.Story(fault, fault.rate, None, {fault.element_id: fault.repair_h}, {})]
    if fault in study.transients:
        ways = sim.outcomes(study.grid, sim.tripping(study.grid, fault, {"breaker", "recloser"}))
        return [sim.transient(study.grid, fault, way) for way in ways]
    ways = sim.outcomes(study.grid, sim.tripping(study.grid, fault))

    def mw(places: set) -> float:
        return sum(power.get(place[1], 0.0) for place in places if place[0] == "bus")

    return [sim.tell(study.grid, fault, way, study.stages, carries, mw) for way in ways]


def result_of(study: Study) -> reliability.Reliability:
    areas = pd.DataFrame({"bus": study.net.bus.index, "area": "all"})
    return reliability.indices(reliability.prepare(study.net, study.outages, areas))


def system(study: Study, by_bus: pd.DataFrame) -> pd.Series:
    """SAIFI, SAIDI, MAIFI_E and energy from what each bus saw."""
    people = pd.Series(study.customers, dtype=float)
    mean = by_bus.mul(people, axis=0).sum() / people.sum()
    return pd.Series(
        {"saifi": mean.sustained, "saidi_min": 60 * mean.sustained_h, "maifi_e": mean.momentary, "ens_mwh": by_bus.ens_mwh.sum()}
    )


LOAD_POINTS = {
    "sustained": "failures_per_yr",
    "momentary": "momentary_per_yr",
    "dark_h": "unavailability_h",
    "sustained_h": "sustained_h",
}


def compare(study: Study, result: reliability.Reliability, expected: pd.DataFrame) -> None:
    """To nine figures, the system and every load point."""
    for name, value in system(study, expected).items():
        assert result.system[name] == pytest.approx(value, rel=1e-9, abs=1e-12), name
    points = result.load_points.set_index("bus")
    for own, column in {**LOAD_POINTS, "ens_mwh": "ens_mwh"}.items():
        theirs = points[column].reindex(expected.index)
        assert theirs.to_numpy() == pytest.approx(expected[own].to_numpy(), rel=1e-9, abs=1e-12), column


def normal(study: Study) -> bool:
    """Whether there is a power flow in normal operation."""
    try:
        pp.runpp(pp.pandapowerNet(study.net), init="flat", calculate_voltage_angles=False, numba=False)
    except pp.LoadflowNotConverged:
        return False
    return True


@EXACT
@given(studies())
def test_every_fault_told_once(study):
    """Step by step through every fault, ties carry everything: equal to nine figures."""
    expected, _ = sim.enumerate_faults(stories_of(study), list(study.customers), 5.0)
    compare(study, result_of(study), expected)


@BOUND
@given(studies(tight=True, buses=(5, 11)))
def test_every_fault_told_once_with_ties_that_do_not_carry_all(study):
    """Each closing of a tie is first tried in pandapower: equal to nine figures again."""
    assume(normal(study))
    expected, _ = sim.enumerate_faults(stories_of(study), list(study.customers), 5.0)
    compare(study, result_of(study), expected)


@SAMPLED
@given(studies(buses=(5, 15)), st.integers(0, 2**32 - 1))
def test_years_of_drawn_faults(study, seed):
    """Two thousand years of faults drawn in the order of time: within the confidence interval of their means."""
    groups, buses = stories_of(study), list(study.customers)
    seen = sim.simulate(groups, buses, YEARS, 5.0, np.random.default_rng(seed))
    mean = pd.DataFrame({name: values.mean(axis=0) for name, values in seen.items()}, index=buses)
    _, variance = sim.enumerate_faults(groups, buses, 5.0)
    result = result_of(study)
    for name, values in system_by_year(study, seen).items():
        assert abs(result.system[name] - values.mean()) <= Z * values.std(ddof=1) / np.sqrt(YEARS) + 1e-12, name
    points = result.load_points.set_index("bus")
    for own, column in LOAD_POINTS.items():
        allowed = Z * np.sqrt(variance[own] / YEARS) + 1e-12
        assert ((points[column].reindex(buses) - mean[own]).abs() <= allowed).all(), column


def system_by_year(study: Study, seen: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    people = np.array(list(study.customers.values()), float)
    share = people / people.sum()
    return {
        "saifi": seen["sustained"] @ share,
        "saidi_min": 60 * seen["sustained_h"] @ share,
        "maifi_e": seen["momentary"] @ share,
        "ens_mwh": seen["ens_mwh"].sum(axis=1),
    }


def test_the_simulation_meets_a_published_case():
    """Billinton and Li's three load points, told by the simulation alone."""
    folder = Path(__file__).parent / "cases" / "three_load_points"
    sections = pd.read_csv(folder / "sections.csv")
    net, gear, faults = pp.create_empty_network(), [], []
    nodes = list(dict.fromkeys([*sections.from_node, *sections.to_node]))
    bus = {node: int(pp.create_bus(net, KV)) for node in nodes}
    second = int(pp.create_bus(net, KV))
    pp.create_ext_grid(net, bus["source"])
    pp.create_ext_grid(net, second)
    for row in sections.itertuples():
        line = create_line(net, bus[row.from_node], bus[row.to_node], row.length_km, 0.4)
        rate = row.length_km * row.failures_per_km_yr
        faults.append(sim.Fault("line", line, (("line", line),), rate, float(row.repair_h)))
        device = "disconnector" if row.disconnector == "from" else row.protection
        if device != "none":
            gear.append((int(pp.create_switch(net, bus[row.from_node], line, "l")), device))
    gear.append((int(pp.create_switch(net, bus["n3"], second, "b", closed=False)), "disconnector"))
    grid = sim.grid_of(net, pd.DataFrame(gear, columns=["switch", "device"]))
    stages = {"manual": sim.Stage(isolate_min=30.0, transfer_min=60.0)}
    groups = [[sim.tell(grid, f, way, stages) for way in sim.outcomes(grid, sim.tripping(grid, f))] for f in faults]
    printed = pd.read_csv(folder / "expected.csv").set_index("load_point")
    mean, _ = sim.enumerate_faults(groups, [bus[point] for point in printed.index], 5.0)
    assert mean.sustained.to_numpy() == pytest.approx(printed.failures_per_yr.to_numpy(), abs=1e-12)
    assert mean.dark_h.to_numpy() == pytest.approx(printed.unavailability_h.to_numpy(), abs=1e-12)
