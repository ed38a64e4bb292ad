"""Reliability: published systems, closed forms, and a power flow by another tool."""

import copy
import dataclasses
import tomllib
from pathlib import Path

import numpy as np
import pandapower as pp
import pandas as pd
import pytest

from gridplan import errors, network, reliability
from gridplan.powerflow import Limits
from gridplan.reliability import _model, _sweep, _topology

CASES = Path(__file__).parent / "cases"
WIDE = Limits(0.5, 1.5, 1e6, 1e6)


def times(isolate=60.0, transfer=60.0, control="manual", area="*", detect=0.0) -> pd.DataFrame:
    row = {"area": area, "control": control, "detect_min": detect, "locate_min": 0.0, "patrol_min_per_km": 0.0}
    return pd.DataFrame([row | {"isolate_min": isolate, "transfer_min": transfer}])


def line(net, a, b, km, *, kind="ol") -> int:
    electrical = {"r_ohm_per_km": 0.1, "x_ohm_per_km": 0.1, "c_nf_per_km": 10.0, "max_i_ka": 0.4}
    return pp.create_line_from_parameters(net, a, b, km, **electrical, type=kind, name=f"Cable {chr(65 + len(net.line))}")


# --- published systems -------------------------------------------------------------------------------------------------------


def rbts(disconnectors=True, fuses=True, supply=True, trafo_h=200.0, switching=60.0, **more):
    """RBTS bus 2 from the tables of the case."""
    folder = CASES / "rbts_bus2"
    case = tomllib.loads((folder / "case.toml").read_text("utf-8"))
    sections, points = pd.read_csv(folder / "sections.csv", keep_default_na=False), pd.read_csv(folder / "load_points.csv")
    net, bus = pp.create_empty_network(), {}
    for node in pd.unique(sections[["from_node", "to_node"]].to_numpy().ravel()):
        bus[node] = pp.create_bus(net, 11.0, name=node)
    pp.create_ext_grid(net, bus[case["source"]])
    gear = []
    for row in sections.itertuples():
        number = line(net, bus[row.from_node], bus[row.to_node], row.length_km)
        trunk = not row.to_node.startswith("LP")
        if row.protection == "yes":
            switch = pp.create_switch(net, bus[row.from_node], number, "l")
            gear.append((switch, "breaker" if row.from_node == case["source"] else "fuse" if fuses else "none"))
        for end in {"none": [], "both": ["from", "to"]}.get(row.disconnector, [row.disconnector]):
            switch = pp.create_switch(net, bus[row.from_node if end == "from" else row.to_node], number, "l")
            gear.append((switch, "disconnector" if disconnectors else "none"))
        if row.has_transformer == "yes":
            low = pp.create_bus(net, 0.415, name=row.to_node)
            pp.create_transformer_from_parameters(net, bus[row.to_node], low, 2.0, 11.0, 0.415, 0.5, 5.0, 0.0, 0.0)
            bus[row.to_node] = low
        assert trunk or row.to_node in set(points["load_point"])
    for a, b in case["ties"] if supply else ():
        gear.append((pp.create_switch(net, bus[a], bus[b], "b", closed=False), "switch"))
    for row in points.itertuples():
        pp.create_load(net, bus[row.load_point], row.p_avg_mw, 0.0)
    rates = [("line", "*", case["failures_per_km_yr"], np.nan, case["line_repair_h"])]
    rates += [("trafo", "*", np.nan, case["trafo_failures_per_yr"], trafo_h)]
    outages = reliability.Outages(
        pd.DataFrame(rates, columns=["element", "kind", "failures_per_km_yr", "failures_per_yr", "repair_h"]),
        times(switching, switching),
        points.assign(bus=points["load_point"].map(bus)).drop(columns="load_point"),
        pd.DataFrame(gear, columns=["switch", "device"]),
        limits=WIDE,
        **more,
    )
    return net, outages, {name: bus[name] for name in points["load_point"]}


def rbts_cases():
    table = pd.read_csv(CASES / "rbts_bus2" / "expected_system.csv")
    return [pytest.param(row, id=row.case) for row in table.itertuples()]


@pytest.mark.parametrize("expected", rbts_cases())
def test_rbts_bus_2(expected):
    yes = [getattr(expected, name) == "yes" for name in ("disconnectors", "fuses", "alternative_supply")]
    net, outages, bus = rbts(*yes, expected.transformer_repair_h)
    result = reliability.indices(reliability.prepare(net, outages))
    tolerance = tomllib.loads((CASES / "rbts_bus2" / "case.toml").read_text("utf-8"))["tolerance"]
    near = {"rel": tolerance["relative"], "abs": tolerance["table"]}
    for name in ("saifi", "asai", "ens_mwh", "aens_kwh"):
        assert result.system[name] == pytest.approx(getattr(expected, name), **near), name
    assert result.system["saidi_min"] / 60 == pytest.approx(expected.saidi_h, **near)
    assert result.system["caidi_min"] / 60 == pytest.approx(expected.caidi_h, **near)
    points = pd.read_csv(CASES / "rbts_bus2" / "expected_load_points.csv")
    found = result.load_points.set_index("bus")
    for row in points[points["case"] == expected.case].itertuples():
        own = found.loc[bus[row.load_point]]
        assert own["failures_per_yr"] == pytest.approx(row.failures_per_yr, rel=1e-5)
        assert own["unavailability_h"] == pytest.approx(row.unavailability_h_per_yr, rel=1e-5)
        assert own["mean_outage_h"] == pytest.approx(row.mean_outage_h, abs=5.1e-5)


@pytest.mark.parametrize("row", list(pd.read_csv(CASES / "rbts_bus2" / "switching_times.csv").itertuples()), ids=str)
def test_rbts_bus_2_with_other_switching_times(row):
    net, outages, _ = rbts(trafo_h={"A": 200.0, "E": 10.0}[row.case], switching=60.0)
    model = reliability.prepare(net, outages)
    changed = dataclasses.replace(outages, restoration=times(row.switching_min, row.switching_min))
    system = reliability.totals(model, changed)
    assert system["saifi"] == pytest.approx(row.saifi, abs=5.5e-7)
    assert system["maifi_e"] == pytest.approx(row.maifi_e, abs=5.5e-7)
    assert system["saidi_min"] / 60 == pytest.approx(row.saidi_h, abs=1.1e-6)
    assert system["ens_mwh"] == pytest.approx(row.ens_mwh, abs=5.5e-5)
    pd.testing.assert_series_equal(system, reliability.indices(model, changed).system, check_names=False)


def three_points(transfer=60.0):
    folder = CASES / "three_load_points"
    case = tomllib.loads((folder / "case.toml").read_text("utf-8"))
    sections = pd.read_csv(folder / "sections.csv", keep_default_na=False)
    net, bus, gear, rates = pp.create_empty_network(), {}, [], []
    for node in pd.unique(sections[["from_node", "to_node"]].to_numpy().ravel()):
        bus[node] = pp.create_bus(net, 11.0, name=node)
    other = pp.create_bus(net, 11.0, name="other source")
    for source in (bus[case["source"]], other):
        pp.create_ext_grid(net, source)
    for row in sections.itertuples():
        number = line(net, bus[row.from_node], bus[row.to_node], row.length_km)
        rates.append(("line", "*", number, row.failures_per_km_yr, row.repair_h))
        device = row.protection if row.protection != "none" else "disconnector" if row.disconnector == "from" else None
        if device:
            gear.append((pp.create_switch(net, bus[row.from_node], number, "l"), device))
    gear.append((pp.create_switch(net, bus[case["tie"]], other, "b", closed=False), "switch"))
    expected = pd.read_csv(folder / "expected.csv")
    for name in expected["load_point"]:
        pp.create_load(net, bus[name], 0.1, 0.0)
    outages = reliability.Outages(
        pd.DataFrame(rates, columns=["element", "kind", "element_id", "failures_per_km_yr", "repair_h"]),
        times(case["isolation_min"], transfer),
        expected.assign(bus=expected["load_point"].map(bus))[["bus", "customers"]],
        pd.DataFrame(gear, columns=["switch", "device"]),
        limits=WIDE,
    )
    return net, outages, expected.assign(bus=expected["load_point"].map(bus)), case


def test_three_load_points():
    net, outages, expected, case = three_points()
    result = reliability.indices(reliability.prepare(net, outages))
    assert result.system["saifi"] == pytest.approx(case["exact"]["saifi"], abs=1e-12)
    assert result.system["saidi_min"] / 60 == pytest.approx(case["exact"]["saidi_h"], abs=1e-12)
    found = result.load_points.set_index("bus").loc[expected["bus"]]
    np.testing.assert_allclose(found["failures_per_yr"], expected["failures_per_yr"], atol=1e-12)
    np.testing.assert_allclose(found["unavailability_h"], expected["unavailability_h"], atol=1e-12)
    early = reliability.totals(reliability.prepare(net, dataclasses.replace(outages, restoration=times(30.0, 30.0))))
    assert early["saidi_min"] / 60 == pytest.approx(case["exact"]["saidi_h_with_transfer_30_min"], abs=1e-12)


# --- the power flow behind a transfer ----------------------------------------------------------------------------------------


def oberrhein():
    """The bundled network without its generators, as while a fault is restored."""
    net = network.open(str(Path(__file__).parents[1] / "data" / "oberrhein" / "network.json"))
    net.sgen["in_service"] = False
    return net


def simple(net, limits=WIDE, rate=0.05, **more) -> reliability.Outages:
    """Lines that fail, ten customers a load, everything switched by hand."""
    rates = pd.DataFrame({"element": ["line"], "kind": ["*"], "failures_per_km_yr": [rate], "repair_h": [5.0]})
    customers = pd.DataFrame({"bus": net.load.bus.unique(), "customers": 10})
    return reliability.Outages(rates, times(), customers, limits=limits, **more)


def after(net, line, tie):
    """The network with a line out of service and a tie closed."""
    changed = copy.deepcopy(net)
    changed.switch.loc[(changed.switch.et == "l") & (changed.switch.element == line), "closed"] = False
    changed.line.loc[line, "in_service"] = False
    changed.switch.loc[tie, "closed"] = True
    return changed


def restored(net, most=3) -> list[tuple[int, int]]:
    """Some lines with a tie that supplies all loads without them."""
    needed, ties, found = set(net.load.bus), net.switch.index[~net.switch.closed], []
    for number in net.line.index[::15]:
        choice = [tie for tie in ties if needed <= set(network.topology.supplied(after(net, number, tie)))]
        dark = not needed <= set(network.topology.supplied(after(net, number, [])))
        found += [(number, tie) for tie in choice[:1] if dark]
    return found[:most]


@pytest.mark.parametrize("place", range(3))
def test_the_sweep_agrees_with_pandapower_after_a_fault(place):
    net = oberrhein()
    changed = after(net, *restored(net)[place])
    pp.runpp(changed, calculate_voltage_angles=True)
    topology = _topology.build(changed, changed.load.bus[changed.load.in_service].to_numpy())
    electric, _ = _sweep.build(changed, topology, None)
    roots = np.unique(topology.tree.root[: topology.live])
    _, voltage, loading = _sweep.bounds(electric, _model._normal(topology), roots, WIDE)
    found = pd.Series(np.abs(voltage[0]), index=electric.nodes)
    expected = changed.res_bus.vm_pu.dropna()
    np.testing.assert_allclose(found[expected.index], expected, atol=1e-6)
    lines = electric.branches["element"] == "line"
    mine = pd.Series(loading[0][: len(lines)][lines], index=electric.branches["element_id"][lines])
    theirs = changed.res_line.loading_percent[changed.line.in_service]
    np.testing.assert_allclose(mine[theirs.index], theirs.fillna(0.0), atol=1e-4)
    trafos = electric.branches["element"] == "trafo"
    np.testing.assert_allclose(loading[0][: len(lines)][trafos], changed.res_trafo.loading_percent, atol=1e-4)


def test_a_piece_is_transferred_whole_when_pandapower_says_that_some_tie_carries_it():
    net, limits = oberrhein(), Limits(0.95, 1.05)
    model = reliability.prepare(net, simple(net, limits))
    result = reliability.indices(model)
    matrix = result.outage_matrix().merge(result.events[["event", "element_id", "tripped_switch"]], on="event")
    seen = set()
    before = set(network.topology.supplied(net))
    ties = net.switch.index[~net.switch.closed]
    for line in net.line.index[::20]:
        own = matrix[matrix["element_id"] == line]
        below = before - set(network.topology.supplied(after(net, line, [])))
        below &= set(net.load.bus)
        if not below or own.empty:
            continue
        stage = own.set_index("bus")["stage"]
        assert set(own.loc[own["stage"] == "upstream", "bus"]).isdisjoint(below)
        carried = [_holds(after(net, line, tie), below, limits) for tie in ties]
        whole = stage[sorted(below)].eq("transfer").all()
        assert whole or not any(carried)
        if any(carried):
            assert whole
        seen.add(any(carried))
    assert seen == {True, False}


def _holds(net, below, limits) -> bool:
    """Whether the buses are supplied, in one tree, within limits that hold before."""
    if not below <= set(network.topology.supplied(net)):
        return False
    pp.runpp(net, calculate_voltage_angles=True)
    fine = net.res_bus.vm_pu.dropna().between(limits.vm_min_pu, limits.vm_max_pu).all()
    return bool(fine and net.res_line.loading_percent.max() <= 100 and net.res_trafo.loading_percent.max() <= 100)


# --- wrong inputs ------------------------------------------------------------------------------------------------------------


def chain(lengths=(1.0, 2.0, 1.5), *, tie=True, mw=0.5):
    """A feeder with a breaker, a load break switch at each further line, and a second source behind an open switch."""
    net = pp.create_empty_network()
    buses = [pp.create_bus(net, 20.0, name=f"Bus {chr(65 + n)}") for n in range(len(lengths) + 1)]
    pp.create_ext_grid(net, buses[0])
    for n, km in enumerate(lengths):
        pp.create_switch(net, buses[n], line(net, buses[n], buses[n + 1], km), "l", type="LBS" if n else "CB")
        pp.create_load(net, buses[n + 1], mw, 0.0)
    if tie:
        other = pp.create_bus(net, 20.0, name="Other")
        pp.create_ext_grid(net, other)
        pp.create_switch(net, buses[-1], other, "b", closed=False, type="LBS")
    return net


def raised(net, outages) -> str:
    with pytest.raises((errors.NetworkError, errors.ParameterError)) as caught:
        reliability.prepare(net, outages)
    return str(caught.value)


def test_a_loop_in_operation_names_its_lines():
    net = chain()
    line(net, 1, 3, 1.0)
    message = raised(net, simple(net))
    assert "loop" in message
    assert "line 3 (Cable D)" in message


def test_sources_that_are_joined_are_refused():
    net = chain()
    net.switch["closed"] = True
    assert "sources at bus 0 (Bus A) and bus 4 (Other) are joined" in raised(net, simple(net))


def test_an_island_in_normal_operation_names_its_buses():
    net = chain()
    net.switch.loc[1, "closed"] = False
    message = raised(net, simple(net))
    assert "bus 2 (Bus C)" in message
    assert "bus 3 (Bus D)" in message


def test_all_wrong_rows_are_reported_at_once():
    net = chain()
    outages = simple(net)
    rates = outages.rates.assign(kind="cs", failures_per_km_yr=-0.1)
    gear = pd.DataFrame({"switch": [77], "device": ["braker"]})
    net.switch.loc[2, "element"] = 99
    customers = outages.customers[outages.customers["bus"] != 2]
    message = raised(net, dataclasses.replace(outages, rates=rates, switchgear=gear, customers=customers))
    net.switch.loc[2, "element"] = 2
    line(net, 1, 3, 1.0)
    both = raised(net, dataclasses.replace(outages, rates=rates))
    assert "is below 0" in both
    assert "loop" in both
    assert "switch 2: it stands at line 99, which is not in the network" in message
    assert "-0.1 for line of kind cs is below 0" in message
    assert "no row covers 3 lines of type ol" in message
    assert "line 0 (Cable A)" in message
    assert "switch 77 is not in the network" in message
    assert "did you mean 'breaker'?" in message
    assert "bus 2 has a load but no customers" in message


def test_other_tables_are_checked_when_indices_are_asked_for():
    net = chain()
    outages = simple(net)
    model = reliability.prepare(net, outages)
    with pytest.raises(errors.ParameterError, match="below 0"):
        reliability.indices(model, dataclasses.replace(outages, rates=outages.rates.assign(failures_per_km_yr=-1.0)))


def test_what_is_not_a_number_is_never_taken_as_no_failure_or_no_load():
    net = chain()
    outages = simple(net)
    empty = outages.rates.assign(failures_per_km_yr=np.nan)
    assert "no rate is given for every line" in raised(net, dataclasses.replace(outages, rates=empty))
    words = outages.rates.assign(failures_per_km_yr="often")
    assert "'often' for every line is not a finite number" in raised(net, dataclasses.replace(outages, rates=words))
    state = pd.DataFrame({"state": "peak", "weight": 1.0, "load": net.load.index, "p_mw": np.nan, "q_mvar": 0.0})
    assert "nan for load 0 is not a finite number" in raised(net, dataclasses.replace(outages, loading=state))
    heavy = dataclasses.replace(outages, loading=state.assign(p_mw=5000.0))
    assert "state 'peak' has no power flow in normal operation" in raised(net, heavy)
    assert reliability.totals(reliability.prepare(net, dataclasses.replace(heavy, transfers=False)))["saidi_min"] > 0


def test_times_of_an_area_that_does_not_exist_are_refused():
    net = chain()
    outages = simple(net)
    own = pd.concat([outages.restoration, outages.restoration.assign(area="Nord")], ignore_index=True)
    areas = pd.DataFrame({"bus": net.bus.index, "area": "North"})
    with pytest.raises(errors.ParameterError, match=r"row 3, column 'area': 'Nord' is no area; did you mean 'North'"):
        reliability.prepare(net, dataclasses.replace(outages, restoration=own), areas)
    model = reliability.prepare(net, outages, areas)
    with pytest.raises(errors.ParameterError, match="'Nord' is no area"):
        reliability.indices(model, dataclasses.replace(outages, restoration=own))


# --- closed forms ------------------------------------------------------------------------------------------------------------


def test_by_hand_without_a_tie():
    net = chain(tie=False)
    result = reliability.indices(reliability.prepare(net, simple(net)))
    # every fault trips the breaker: 0.05 * 4.5 km; below the fault the repair, above it the switching
    assert result.system["saifi"] == pytest.approx(0.05 * 4.5)
    hours = (np.array([1.0 * 5 + 3.5 * 1, 3.0 * 5 + 1.5 * 1, 4.5 * 5]) * 0.05).mean()
    assert result.system["saidi_min"] == pytest.approx(60 * hours)


def test_a_tie_carries_what_its_line_can_nearest_first():
    net = chain(mw=4.0)
    current = 4.0 / (np.sqrt(3) * 20.0)
    net.line["max_i_ka"] = [1.0, 1.0, 1.5 * current]  # of the three loads the tie carries one more over the last line
    result = reliability.indices(reliability.prepare(net, simple(net, Limits(0.5, 1.5))))
    found = result.transfers.query("not planned").set_index("piece_switch")
    # a fault on the first line cuts B off with it; C and D hang on the tie: the last line has to carry C alone
    assert found.loc[1, "carried_percent"] == pytest.approx(100.0)
    net.line.loc[2, "max_i_ka"] = 0.5 * current
    # the last line is overloaded by its own load in normal operation, and must only not get worse
    found = reliability.indices(reliability.prepare(net, simple(net, Limits(0.5, 1.5)))).transfers.set_index("piece_switch")
    assert found.loc[2, "carried_percent"] == pytest.approx(100.0)


def test_a_tie_that_cannot_carry_all_carries_the_nearest_part_and_says_what_binds():
    net = chain(mw=4.0)
    net.load.loc[2, "p_mw"] = 1.0
    net.line["max_i_ka"] = [1.0, 1.0, 2.0 / (np.sqrt(3) * 20.0)]  # D alone needs nothing of it; C would bring 4 MW over it
    result = reliability.indices(reliability.prepare(net, simple(net, Limits(0.5, 1.5))))
    found = result.transfers.query("not planned").set_index("piece_switch").loc[1]
    assert found["carried_percent"] == pytest.approx(20.0)
    assert (found["limit"], found["element_name"]) == ("line loading", "line 2 (Cable C)")
    assert found["value"] > found["allowed"] == pytest.approx(100.0)
    stage = result.outage_matrix().query("event == 0").set_index("bus")["stage"]
    assert stage.to_dict() == {1: "repair", 2: "repair", 3: "transfer"}
    assert reliability.ties(result)["carried_percent"].iloc[0] < 100


def test_of_ties_that_carry_all_the_one_with_the_lower_number_is_closed():
    net = chain()
    other = pp.create_bus(net, 20.0)
    pp.create_ext_grid(net, other)
    far = pp.create_switch(net, 2, other, "b", closed=False, type="LBS")
    found = reliability.indices(reliability.prepare(net, simple(net))).transfers.query("not planned")
    near = int(net.switch.index[-2])
    assert near < far
    # behind the first line both reach the whole piece; behind the second the piece is D, which only the first tie reaches
    assert set(found["tie"]) == {near}
    net.switch = net.switch.rename(index={near: far, far: near})
    found = reliability.indices(reliability.prepare(net, simple(net))).transfers.query("not planned").set_index("piece_switch")
    assert found["tie"].to_dict() == {1: near, 2: far}


def test_protection_that_fails_hands_over_to_the_next():
    net = chain(tie=False)
    gear = pd.DataFrame({"switch": [1], "device": ["recloser"], "success": [0.9]})
    system = reliability.totals(reliability.prepare(net, dataclasses.replace(simple(net), switchgear=gear)))
    # Bus B is interrupted by its own line, and by the others only when the recloser fails
    expected = 0.05 * np.array([1.0 + 0.1 * 3.5, 4.5, 4.5]).mean()
    assert system["saifi"] == pytest.approx(expected)


def test_fast_classes_help_where_their_switches_stand():
    net = chain()
    gear = pd.DataFrame({"switch": [2, 3], "control": ["automatic", "automatic"]})
    both = pd.concat([times(60, 60), times(1, 2, "automatic")], ignore_index=True)
    outages = dataclasses.replace(simple(net), switchgear=gear, restoration=both)
    result = reliability.indices(reliability.prepare(net, outages))
    # automatic switches stand at line 2 and at the tie: faults of line 0 and 1 give D back after 2 min, of line 2 B and C after 1
    found = result.load_points.set_index("bus")
    assert found.loc[3, "momentary_per_yr"] == pytest.approx(0.05 * 3.0)
    assert found.loc[1, "momentary_per_yr"] == pytest.approx(0.05 * 1.5)
    assert found.loc[1, "sustained_h"] == pytest.approx(0.05 * (1.0 * 5 + 2.0 * 1))
    assert found.loc[2, "sustained_h"] == pytest.approx(0.05 * (1.0 * 1 + 2.0 * 5))


def test_transient_faults_and_planned_work_and_stations():
    net = chain()
    rates = pd.DataFrame(
        {
            "element": ["line", "station"],
            "kind": ["*", "*"],
            "failures_per_km_yr": [0.0, np.nan],
            "failures_per_yr": [np.nan, 0.01],
            "repair_h": [5.0, 10.0],
            "momentary_per_km_yr": [0.2, np.nan],
            "planned_per_km_yr": [0.1, np.nan],
            "planned_h": [3.0, np.nan],
        }
    )
    result = reliability.indices(reliability.prepare(net, dataclasses.replace(simple(net), rates=rates)))
    assert result.system["maifi_e"] == pytest.approx(0.2 * 4.5)
    assert result.system["saifi"] == pytest.approx(0.01)
    assert result.system["saidi_min"] == pytest.approx(6.0)
    # work on a line switches off its own bus alone: the rest hangs on the tie
    assert result.system["planned_saifi"] == pytest.approx(0.1 * 4.5 / 3)
    assert result.system["planned_saidi_min"] == pytest.approx(60 * 3 * 0.1 * 4.5 / 3)


def test_a_recloser_that_fails_leaves_a_transient_fault_to_the_breaker():
    net = chain(tie=False)
    gear = pd.DataFrame({"switch": [1], "device": ["recloser"], "success": [0.9]})
    outages = dataclasses.replace(simple(net, rate=0.0), switchgear=gear)
    outages = dataclasses.replace(outages, rates=outages.rates.assign(momentary_per_km_yr=1.0))
    found = reliability.indices(reliability.prepare(net, outages)).load_points.set_index("bus")["momentary_per_yr"]
    np.testing.assert_allclose(found, [1.0 + 0.1 * 3.5, 4.5, 4.5])


def test_patrol_is_as_long_as_the_piece_that_indicators_leave():
    net = chain(tie=False)
    walk = times(0, 0).assign(patrol_min_per_km=10.0)
    gear = pd.DataFrame({"switch": [1, 2], "fault_indicator": [False, True]})
    outages = dataclasses.replace(simple(net), restoration=walk)
    blind = reliability.indices(reliability.prepare(net, outages)).load_points.set_index("bus")
    seen = reliability.indices(reliability.prepare(net, dataclasses.replace(outages, switchgear=gear))).load_points.set_index(
        "bus"
    )
    # Bus B waits for the faults of lines 1 and 2 to be found
    assert blind.loc[1, "unavailability_h"] == pytest.approx(0.05 * (1.0 * 5 + 3.5 * 45 / 60))
    assert seen.loc[1, "unavailability_h"] == pytest.approx(0.05 * (1.0 * 5 + 2.0 * 30 / 60 + 1.5 * 15 / 60))


def test_loading_states_count_with_their_share_of_the_year():
    net = chain(mw=4.0)
    net.line["max_i_ka"] = 3.5 * 4.0 / (np.sqrt(3) * 20.0)
    limits = Limits(0.5, 1.5)
    net.line.loc[2, "max_i_ka"] = 1.6 * 4.0 / (np.sqrt(3) * 20.0)  # carries C back to front at low load only
    states = [("low", 0.75, n, 1.0, 0.0) for n in net.load.index] + [("high", 0.25, n, 8.0, 0.0) for n in net.load.index]
    loading = pd.DataFrame(states, columns=["state", "weight", "load", "p_mw", "q_mvar"])
    result = reliability.indices(reliability.prepare(net, simple(net, limits, loading=loading)))
    assert result.system["p_avg_mw"] == pytest.approx(3 * (0.75 * 1.0 + 0.25 * 8.0))
    stage = result.interruptions.groupby(["state", "stage"])["customers"].sum()
    assert ("low", "transfer") in stage.index
    single = [
        reliability.totals(
            reliability.prepare(net, simple(net, limits, loading=loading[loading["state"] == name].assign(weight=1.0)))
        )
        for name in ("low", "high")
    ]
    mean = 0.75 * single[0] + 0.25 * single[1]
    for name in ("saidi_min", "ens_mwh"):
        assert result.system[name] == pytest.approx(mean[name])


# --- one table, many sums ----------------------------------------------------------------------------------------------------


def test_the_tables_add_up():
    net, outages, _ = rbts()
    gear = outages.switchgear.assign(success=0.95)
    station = pd.DataFrame({"element": ["station"], "kind": ["*"], "failures_per_yr": [0.02], "repair_h": [8.0]})
    outages = dataclasses.replace(outages, switchgear=gear, rates=pd.concat([outages.rates, station], ignore_index=True))
    result = reliability.indices(reliability.prepare(net, outages))
    rows = result.interruptions.merge(result.events, on="event")
    customers = result.system["customers"]
    share = rows["rate_per_yr"] * rows["weight"]
    assert (share * rows["customers"]).sum() / customers == pytest.approx(result.system["saifi"])
    assert (share * rows["customers"] * rows["duration_h"]).sum() * 60 / customers == pytest.approx(result.system["saidi_min"])
    assert (share * rows["p_avg_mw"] * rows["duration_h"]).sum() == pytest.approx(result.system["ens_mwh"])
    assert (result.events["element"] == "station").any()
    matrix = result.outage_matrix().merge(result.events, on="event")
    hours = (matrix["rate_per_yr"] * matrix["duration_h"]).groupby(matrix["bus"]).sum()
    found = result.load_points.set_index("bus")
    pd.testing.assert_series_equal(hours, found["unavailability_h"], check_names=False)
    areas = result.by_area
    assert (areas["saidi_min"] * areas["customers"]).sum() / customers == pytest.approx(result.system["saidi_min"])
    assert result.cemi(0) == pytest.approx(((1 - np.exp(-found["failures_per_yr"])) * found["customers"]).sum() / customers)
    worst = result.worst_served(0.5)
    assert worst["sustained_h"].is_monotonic_decreasing
    assert worst["customers"].sum() >= 0.5 * customers


def test_nothing_given_is_changed():
    net, outages, _ = rbts()
    before = copy.deepcopy(net)
    frames = {name: getattr(outages, name).copy() for name in ("rates", "restoration", "customers", "switchgear")}
    reliability.indices(reliability.prepare(net, outages)).interruptions  # noqa: B018
    assert pp.toolbox.nets_equal(net, before)
    for name, frame in frames.items():
        pd.testing.assert_frame_equal(getattr(outages, name), frame)
