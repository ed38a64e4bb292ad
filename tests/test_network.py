"""Opening networks, judging them, and finding feeders and places in them."""

import copy
import importlib.util
import json
import math
from types import SimpleNamespace

import networkx as nx
import numpy as np
import pandapower as pp
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pandapower.io_utils import to_dict_of_dfs
from pandapower.toolbox import nets_equal

from gridplan import NetworkError, StudyError, network
from gridplan.network import sources, topology

OBERRHEIN = network.open("pandapower:mv_oberrhein")


def feeder(buses=4, *, kv=20.0, coordinates=True):
    """A radial 20 kV feeder behind a 110/20 kV transformer: bus 0 is 110 kV, bus 1 the bus bar, a line to each further bus."""
    net = pp.create_empty_network(name="feeder")
    pp.create_bus(net, 110.0, geodata=(0.0, 0.0) if coordinates else None)
    for x in range(1, buses + 1):
        pp.create_bus(net, kv, geodata=(float(x), 1.0) if coordinates else None)
    pp.create_ext_grid(net, 0)
    pp.create_transformer(net, 0, 1, "25 MVA 110/20 kV")
    for end in range(2, buses + 1):
        pp.create_line(net, end - 1, end, 1.5, "NA2XS2Y 1x240 RM/25 12/20 kV")
        pp.create_load(net, end, 0.5, 0.1)
    return net


# ---- open ----


def write_workbook(net, path, **more):
    with pd.ExcelWriter(path, engine="openpyxl") as book:  # pandapower itself writes with another package
        for name, frame in {**to_dict_of_dfs(net), **more}.items():
            frame.to_excel(book, sheet_name=name)


def test_json_and_excel_files_give_the_network_back(tmp_path):
    net = feeder()
    pp.to_json(net, tmp_path / "net.json")
    write_workbook(net, tmp_path / "net.xlsx")
    for name in ("net.json", "net.xlsx"):
        read = network.open(name, folder=tmp_path)
        pd.testing.assert_frame_equal(
            read.line[["from_bus", "to_bus", "length_km"]], net.line[["from_bus", "to_bus", "length_km"]], check_dtype=False
        )
        pp.runpp(read, numba=False)
        assert read.converged


def test_a_network_of_pandapower_and_its_arguments():
    assert len(OBERRHEIN.bus) == 179
    der = network.open("pandapower:create_cigre_network_mv?with_der=pv_wind")
    assert len(der.sgen) == 9
    assert len(network.open("pandapower:create_cigre_network_mv").sgen) == 0


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("pandapower:mv_oberhein", "did you mean 'mv_oberrhein'"),
        ("pandapower:zzz", "known: "),
        ("pandapower:create_empty_network", "no network of this name"),
        ("pandapower:os", "no network of this name"),
        ("pandapower:create_cigre_network_mv?with_dre=all", "did you mean 'with_der'"),
        ("pandapower:create_cigre_network_mv?with_der=nonsense", "cannot be read"),
        ("simbenhc:1-MV-rural--0-sw", "known collections: pandapower:, simbench:"),
    ],
)
def test_unknown_sources(source, says):
    with pytest.raises(NetworkError, match=says.replace("?", r"\?")):
        network.open(source)


def test_simbench_codes():
    pytest.importorskip("simbench")
    with pytest.raises(NetworkError, match="did you mean '1-MV-rural--0-sw'"):
        network.open("simbench:1-MV-rurall--0-sw")
    urban = network.open("simbench:1-MV-urban--0-sw")
    assert (urban.trafo.tap_changer_type == "Ratio").all(), "taps that stand off neutral must not be ignored"
    network.check(urban)


def test_a_missing_package_names_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setattr(sources.importlib.util, "find_spec", lambda _: None)
    with pytest.raises(NetworkError, match=r'pip install -e "\.\[simbench\]"'):
        network.open("simbench:1-MV-rural--0-sw")
    with pytest.raises(NetworkError, match=r"is no SimBench code.*give a code of the form 1-MV-rural--0-sw"):
        network.open("simbench:1-MV-rural-0-sw")
    (tmp_path / "circuit.dss").write_text("New Circuit.x")
    with pytest.raises(NetworkError, match=r'pip install -e "\.\[opendss\]"'):
        network.open(tmp_path / "circuit.dss")
    (tmp_path / "grid.xml").write_text("<x/>")
    with pytest.raises(NetworkError, match=r'pip install -e "\.\[cim\]"'):
        network.open(tmp_path / "grid.xml")


@pytest.mark.parametrize("name", ["net.p", "net.pkl", "net.pickle"])
def test_pickles_are_refused_with_the_remedy(tmp_path, name):
    (tmp_path / name).write_bytes(b"cos\nsystem\n(S'true'\ntR.")
    with pytest.raises(NetworkError, match=r"a pickle runs code when it is opened.*to_json"):
        network.open(tmp_path / name)


def test_missing_files_suggest_near_names(tmp_path):
    pp.to_json(feeder(), tmp_path / "network.json")
    with pytest.raises(NetworkError, match=r"did you mean 'network\.json'"):
        network.open("netwrok.json", folder=tmp_path)
    with pytest.raises(NetworkError, match="there is no folder"):
        network.open(tmp_path / "nowhere" / "network.json")


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("net.json", "", "no complete JSON"),
        ("net.json", '{"bus": [1, 2', "no complete JSON"),
        ("net.json", "[1, 2]", "no pandapower network"),
        ("net.json", '{"type": "FeatureCollection"}', "no pandapower network"),
        ("net.json", '{"bus": 3}', "cannot be read|no network with buses"),
        ("net.xlsx", "not a workbook", "cannot be read"),
        ("net.mat", "not a matrix", "cannot be read"),
        ("net.m", "", "no complete MATPOWER case"),
        ("net.zip", "not an archive", "no CIM/CGMES profile"),
        ("net.xml", "<rdf/>", "no CIM/CGMES profile"),
        ("net.txt", "x", "allowed: .json, .xlsx"),
        ("net", "x", "allowed: .json, .xlsx"),
        ("net.pfd", "x", "licensed PowerFactory"),
    ],
)
def test_damaged_and_foreign_files(tmp_path, name, content, says):
    if name in {"net.zip", "net.xml"}:
        pytest.importorskip("lxml")
    (tmp_path / name).write_text(content)
    with pytest.raises(NetworkError, match=says):
        network.open(tmp_path / name)


def test_a_truncated_network_is_refused(tmp_path):
    pp.to_json(feeder(), tmp_path / "net.json")
    text = (tmp_path / "net.json").read_text()
    (tmp_path / "net.json").write_text(text[: len(text) // 2])
    with pytest.raises(NetworkError, match="export the network again"):
        network.open(tmp_path / "net.json")


FOREIGN = [
    {"_module": "subprocess", "_class": "Popen", "_object": "true"},
    {"_module": "antigravity", "_class": "function", "_object": "fly"},
    {"_module": "builtins", "_class": "eval", "_object": "1"},
    {"_module": "pandas.core.frame", "_class": "DataFrame", "_object": "/etc/hosts.json"},
]


@pytest.mark.parametrize("entry", FOREIGN)
@pytest.mark.parametrize("depth", range(3))
def test_objects_of_other_modules_are_refused_at_any_depth(tmp_path, entry, depth):
    pp.to_json(feeder(), tmp_path / "net.json")
    content = json.loads((tmp_path / "net.json").read_text())
    hidden = entry
    for _ in range(depth):
        hidden = {"_module": "pandapower.auxiliary", "_class": "pandapowerNet", "_object": json.dumps(hidden)}
    content["_object"]["extra"] = hidden
    (tmp_path / "net.json").write_text(json.dumps(content).replace('"_module"', '"\\u005fmodule"'))
    with pytest.raises(NetworkError, match=r"is not loaded|another file"):
        network.open(tmp_path / "net.json")


def test_objects_of_other_modules_in_a_workbook_are_refused(tmp_path):
    cells = pd.DataFrame({"object": [json.dumps(FOREIGN[0])]})
    write_workbook(feeder(), tmp_path / "net.xlsx", controller=cells)
    with pytest.raises(NetworkError, match=r"'subprocess\.Popen', which is not pandapower's own"):
        network.open(tmp_path / "net.xlsx")


def test_opendss_circuits_agree_with_the_solution_of_opendss(tmp_path):
    if importlib.util.find_spec("opendssdirect") is None:
        pytest.skip("the package 'OpenDSSDirect.py' is not installed")
    (tmp_path / "circuit.dss").write_text(
        "Clear\nNew Circuit.test basekv=20 pu=1.0 phases=3 bus1=src MVAsc3=1000000 MVAsc1=1000000\n"
        "New Linecode.lc nphases=3 r1=0.2 x1=0.08 r0=0.8 x0=0.3 c1=0 c0=0 units=km\n"
        "New Line.l1 bus1=src bus2=b1 linecode=lc length=3 units=km normamps=250\n"
        "New Load.ld bus1=b1 phases=3 kv=20 kw=600 kvar=200 model=1\nSet voltagebases=[20]\nCalcvoltagebases\nSolve\n"
    )
    net = network.open(tmp_path / "circuit.dss")
    pp.runpp(net, numba=False)
    solved = [net["opendss_import"]["vm_pu_opendss"][name] for name in net.bus.name]
    np.testing.assert_allclose(net.res_bus.vm_pu, solved, atol=1e-5)


# ---- diagnose ----


FEEDER = feeder(5)


def broken(change):
    net = copy.deepcopy(FEEDER)
    change(net)
    return net


def setting(table, row, column, value):
    def change(net):
        if column not in net[table]:
            net[table][column] = None
        net[table][column] = net[table][column].astype(object)
        net[table].loc[row, column] = value

    return change


def add_switch(*args, **kwargs):
    return lambda net: pp.create_switch(net, *args, **kwargs)


def dangling_switch(column, value):
    def change(net):
        pp.create_switch(net, 2, 1, "l")
        net.switch[column] = net.switch[column].astype(object)
        net.switch.loc[0, column] = value

    return change


def twice(*changes):
    return lambda net: [change(net) for change in changes]


def repeat_line(net):
    net.line = pd.concat([net.line, net.line.iloc[:1]])


def tie_between_levels(net):
    pp.create_line(net, 0, 4, 1.0, "NA2XS2Y 1x240 RM/25 12/20 kV")


def other_level(net):
    net.bus.loc[5, "vn_kv"] = 10.0


FAULTS = {
    "negative length": (setting("line", 2, "length_km", -1.0), "error", "line length", "line", 2),
    "zero length": (setting("line", 2, "length_km", 0.0), "error", "line length", "line", 2),
    "empty length": (setting("line", 2, "length_km", math.nan), "error", "missing value", "line", 2),
    "text as length": (setting("line", 2, "length_km", "long"), "error", "missing value", "line", 2),
    "infinite resistance": (setting("line", 1, "r_ohm_per_km", math.inf), "error", "missing value", "line", 1),
    "empty reactance": (setting("line", 1, "x_ohm_per_km", math.nan), "error", "missing value", "line", 1),
    "negative resistance": (setting("line", 1, "r_ohm_per_km", -0.1), "warning", "negative value", "line", 1),
    "zero impedance": (
        twice(setting("line", 1, "r_ohm_per_km", 0.0), setting("line", 1, "x_ohm_per_km", 0.0)),
        "error",
        "zero impedance",
        "line",
        1,
    ),
    "tiny impedance": (setting("line", 1, "length_km", 1e-9), "warning", "tiny impedance", "line", 1),
    "no parallel systems": (setting("line", 1, "parallel", 0), "error", "negative value", "line", 1),
    "rating zero": (setting("line", 3, "max_i_ka", 0.0), "error", "rating", "line", 3),
    "rating missing": (setting("line", 3, "max_i_ka", math.nan), "warning", "rating", "line", 3),
    "rating a placeholder": (setting("line", 3, "max_i_ka", 99999.0), "warning", "rating", "line", 3),
    "no rated power": (setting("trafo", 0, "sn_mva", math.nan), "error", "missing value", "trafo", 0),
    "rated power zero": (setting("trafo", 0, "sn_mva", 0.0), "error", "rating", "trafo", 0),
    "short-circuit voltage zero": (setting("trafo", 0, "vk_percent", 0.0), "error", "zero impedance", "trafo", 0),
    "short-circuit voltage below its resistive part": (setting("trafo", 0, "vk_percent", 0.1), "error", "impedance", "trafo", 0),
    "voltage level zero": (setting("bus", 5, "vn_kv", 0.0), "error", "voltage level", "bus", 5),
    "voltage level missing": (setting("bus", 5, "vn_kv", math.nan), "error", "voltage level", "bus", 5),
    "line between levels": (tie_between_levels, "error", "voltage level", "line", 4),
    "line to another level": (other_level, "error", "voltage level", "line", 3),
    "transformer of another level": (setting("trafo", 0, "vn_lv_kv", 10.0), "error", "voltage level", "trafo", 0),
    "transformer turned": (
        twice(setting("trafo", 0, "hv_bus", 1), setting("trafo", 0, "lv_bus", 0)),
        "error",
        "voltage level",
        "trafo",
        0,
    ),
    "line to nowhere": (setting("line", 0, "to_bus", 77), "error", "dangling bus", "line", 0),
    "load at nowhere": (setting("load", 0, "bus", 77), "error", "dangling bus", "load", 0),
    "load at empty bus": (setting("load", 0, "bus", math.nan), "error", "dangling bus", "load", 0),
    "switch at nowhere": (dangling_switch("bus", 77), "error", "dangling switch", "switch", 0),
    "switch at another bus": (dangling_switch("bus", 5), "error", "dangling switch", "switch", 0),
    "switch of no line": (dangling_switch("element", 77), "error", "dangling switch", "switch", 0),
    "switch of no kind": (dangling_switch("et", "q"), "error", "dangling switch", "switch", 0),
    "switch without a state": (dangling_switch("closed", None), "error", "no state", "switch", 0),
    "two switches": (twice(add_switch(2, 1, "l"), add_switch(2, 1, "l", closed=False)), "error", "duplicate switch", "switch", 1),
    "two couplers": (twice(add_switch(2, 3, "b"), add_switch(3, 2, "b")), "info", "parallel switch", "switch", 1),
    "two lines of one number": (repeat_line, "error", "repeated number", "line", 0),
    "line without a state": (setting("line", 1, "in_service", None), "error", "no state", "line", 1),
    "load on a dead bus": (setting("bus", 5, "in_service", False), "error", "dead bus", "load", 3),
    "load without power": (setting("load", 1, "p_mw", math.nan), "error", "missing value", "load", 1),
    "load that feeds in": (setting("load", 1, "p_mw", -0.2), "info", "negative load", "load", 1),
    "no source": (setting("ext_grid", 0, "in_service", False), "error", "no source", "ext_grid", None),
    "two sources": (lambda net: pp.create_ext_grid(net, 0), "error", "duplicate source", "ext_grid", 1),
    "source without voltage": (setting("ext_grid", 0, "vm_pu", math.nan), "error", "missing value", "ext_grid", 0),
    "island": (setting("line", 2, "in_service", False), "error", "island", "bus", 4),
    "island behind a switch": (add_switch(4, 2, "l", closed=False), "error", "island", "bus", 4),
    "tap too high": (setting("trafo", 0, "tap_pos", 12), "error", "tap", "trafo", 0),
    "tap between steps": (setting("trafo", 0, "tap_pos", 1.5), "warning", "tap", "trafo", 0),
    "tap without position": (setting("trafo", 0, "tap_pos", math.nan), "error", "tap", "trafo", 0),
    "tap of no type": (
        twice(setting("trafo", 0, "tap_pos", 2), setting("trafo", 0, "tap_changer_type", None)),
        "error",
        "tap",
        "trafo",
        0,
    ),
    "no coordinates": (setting("bus", 5, "geo", None), "warning", "coordinates", "bus", None),
    "mesh": (
        lambda net: pp.create_line(net, 1, 5, 1.0, "NA2XS2Y 1x240 RM/25 12/20 kV"),
        "info",
        "meshed operation",
        "line",
        None,
    ),
    "lengths all 1 km": (
        lambda net: net.line.__setitem__("length_km", 1.0),
        "warning",
        "line length",
        "line",
        None,
    ),
    "names twice": (
        twice(setting("bus", 2, "name", "North"), setting("bus", 3, "name", "North")),
        "info",
        "repeated name",
        "bus",
        2,
    ),
}


def test_a_sound_network_has_no_findings():
    assert network.diagnose(feeder(5)).empty
    assert network.diagnose(OBERRHEIN).empty
    assert network.check(OBERRHEIN) is None


@pytest.mark.parametrize(("change", "severity", "check", "element", "number"), FAULTS.values(), ids=FAULTS)
def test_each_fault_is_found_at_its_element(change, severity, check, element, number):
    net = broken(change)
    found = network.diagnose(net)
    hit = found[(found.check == check) & (found.element == element)]
    numbers = [None if pd.isna(n) else int(n) for n in hit.element_id]
    assert number in numbers, found.to_string()
    assert set(hit.severity) == {severity}
    assert hit.found.str.len().min() > 5
    assert hit.remedy.str.len().min() > 5
    if severity == "error":
        with pytest.raises(NetworkError):
            network.check(net)
    else:
        assert not (found.severity == "error").any(), found.to_string()
        network.check(net)


def test_every_check_has_a_fault_that_it_finds():
    from gridplan.network import diagnosis

    checks = (*diagnosis.STRUCTURE, diagnosis.missing_values, *diagnosis.CHECKS)
    nets = [broken(fault[0]) for fault in FAULTS.values()]
    silent = [c.__name__ for c in checks if not any(_findings(c, net) for net in nets)]
    assert silent == []


def _findings(check, net):
    try:
        return list(check(net))
    except (KeyError, TypeError, ValueError):
        return []  # a network with dangling references: diagnose does not go this far


def test_one_bus_without_supply_is_one_bus():
    net = feeder(3)
    net.line.loc[1, "in_service"] = False
    assert list(network.diagnose(net).found) == ["1 bus without supply: 3"]


def test_unrated_elements_are_listed():
    net = feeder(5)
    assert network.unrated(net).empty
    net.line.loc[0, "max_i_ka"], net.line.loc[1, "max_i_ka"], net.trafo.loc[0, "sn_mva"] = math.nan, 99999.0, 9999.0
    net.line.loc[2, ["max_i_ka", "in_service"]] = [math.nan, False]
    assert network.unrated(net).to_numpy().tolist() == [["line", 0], ["line", 1], ["trafo", 0]]
    del net.line["max_i_ka"]
    assert (network.unrated(net).element == "line").sum() == len(net.line) - 1


def test_check_names_every_error_once(tmp_path):
    net = feeder(5)
    net.line.loc[2, ["length_km", "name"]] = [-1.0, "Mill lane"]
    net.trafo.loc[0, "vk_percent"] = 0.0
    with pytest.raises(NetworkError) as caught:
        network.check(net)
    message = str(caught.value)
    assert "line 2 (Mill lane): length_km is -1, not above 0; give the length in km" in message
    assert "trafo 0: vk_percent is 0" in message or "trafo 0 (" in message
    assert len(caught.value.problems) == 2


def test_diagnose_changes_nothing():
    net = feeder(5)
    before = copy.deepcopy(net)
    network.diagnose(net)
    network.areas(net)
    network.describe(net)
    assert nets_equal(net, before)


# ---- areas ----


def test_oberrhein_has_four_feeders():
    table = network.areas(OBERRHEIN)
    assert table.area.value_counts().to_dict() == {"S2-F2": 63, "S2-F1": 44, "S1-F1": 36, "S1-F2": 32}
    assert table.bus.is_unique
    left_out = OBERRHEIN.bus.drop(table.bus)
    assert set(left_out.index) == {39, 58, 318, 319} or set(left_out.vn_kv) == {110.0, 20.0}
    assert len(left_out) == 4, "the bus bars of two substations, 110 and 20 kV"
    heads = network.feeder_heads(OBERRHEIN)
    assert heads[["area", "element", "element_id"]].to_numpy().tolist() == [
        ["S1-F1", "line", 162],
        ["S1-F2", "line", 165],
        ["S2-F1", "line", 62],
        ["S2-F2", "line", 193],
    ]
    assert heads.area.tolist() == heads["head"].tolist()


@pytest.mark.parametrize(
    ("source", "sizes"),
    [
        ("pandapower:case33bw", [32]),
        ("pandapower:create_cigre_network_mv", [10, 2]),
        ("pandapower:create_cigre_network_lv", [17, 1, 19]),
        ("pandapower:create_kerber_landnetz_kabel_2", [24, 4]),
        ("pandapower:simple_mv_open_ring_net", None),
    ],
)
def test_feeders_of_other_networks(source, sizes):
    net = network.open(source)
    table = network.areas(net)
    found = table.groupby("area", sort=True).size()
    assert sizes is None or sorted(found) == sorted(sizes)
    assert set(table.area) == set(network.feeder_heads(net).area)


def test_bus_bars_joined_by_switches_are_one_substation():
    """Bus-bar sections, coupler, and a bay of its own for each feeder, as in node-breaker models."""
    net = pp.create_empty_network()
    hv, bar, section, bay = pp.create_bus(net, 110), *(pp.create_bus(net, 20) for _ in range(3))
    pp.create_ext_grid(net, hv)
    for low in (bar, section):
        pp.create_transformer(net, hv, low, "25 MVA 110/20 kV")
    pp.create_switch(net, bar, section, "b")
    pp.create_switch(net, section, bay, "b")
    ends = [pp.create_bus(net, 20) for _ in range(2)]
    for start, end in zip((bar, bay), ends, strict=True):
        pp.create_line(net, start, end, 1.0, "NA2XS2Y 1x240 RM/25 12/20 kV")
    assert network.areas(net).to_numpy().tolist() == [[ends[0], "S1-F1"], [ends[1], "S1-F2"]]
    net.switch.loc[0, "closed"] = False
    assert network.areas(net).area.tolist() == ["S1-F1", "S2-F1"], "an open coupler makes two substations"


def test_a_mesh_is_one_area_named_after_its_heads():
    net = feeder(5)
    pp.create_line(net, 1, 5, 1.0, "NA2XS2Y 1x240 RM/25 12/20 kV")
    assert set(network.areas(net).area) == {"S1-F1+S1-F2"}
    assert network.feeder_heads(net)[["area", "head"]].to_numpy().tolist() == [["S1-F1+S1-F2", "S1-F1"], ["S1-F1+S1-F2", "S1-F2"]]


def test_buses_without_supply_are_in_no_area():
    net = feeder(5)
    net.line.loc[2, "in_service"] = False
    assert network.areas(net).bus.tolist() == [2, 3]


def test_distribution_transformers_do_not_end_a_feeder():
    net = feeder(3)
    low = pp.create_bus(net, 0.4)
    pp.create_transformer(net, 3, low, "0.4 MVA 20/0.4 kV")
    assert network.areas(net).bus.tolist() == [2, 3, low]


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=8, deadline=None)
def test_areas_are_what_one_head_supplies(seed):
    """Opening one head of a radial network takes supply from exactly the buses of its area."""
    net = copy.deepcopy(OBERRHEIN)
    heads = network.feeder_heads(net)
    head = heads.iloc[seed % len(heads)]
    before = set(topology.supplied(net))
    net.line.loc[head.element_id, "in_service"] = False
    lost = before - set(topology.supplied(net))
    table = network.areas(OBERRHEIN)
    assert lost == set(table.bus[table.area == head.area])


def test_given_areas_take_the_place_of_those_found():
    net = feeder(4)
    given_table = pd.DataFrame({"bus": [4, 2, 3, 1], "area": ["East", "West", "West", "West"]})
    result = network.areas(net, given_table)
    assert result.to_numpy().tolist() == [[1, "West"], [2, "West"], [3, "West"], [4, "East"]]


def test_given_areas_with_faults():
    net = feeder(4)
    with pytest.raises(StudyError) as caught:
        network.areas(net, pd.DataFrame({"bus": [2, 2, 77], "area": ["A", "A", None]}))
    problems = {(p.row, p.column) for p in caught.value.problems}
    assert problems == {(3, "bus"), (4, "bus"), (4, "area"), (None, None)}
    assert "2 supplied buses have no area: 3, 4" in str(caught.value)


# ---- places ----


def test_coordinates_and_line_paths_of_oberrhein():
    xy = network.coordinates(OBERRHEIN)
    assert len(xy) == 179
    assert xy.x.between(7.5, 8.2).all()
    assert xy.y.between(48.2, 48.7).all()
    paths = network.line_paths(OBERRHEIN)
    assert set(paths) == set(OBERRHEIN.line.index)
    assert all(path.shape[1] == 2 and len(path) >= 2 and np.isfinite(path).all() for path in paths.values())


def test_lines_without_a_course_are_straight_and_without_places_left_out():
    net = feeder(3)
    net.bus.loc[3, "geo"] = "no JSON"
    paths = network.line_paths(net)
    np.testing.assert_array_equal(paths[0], [[1, 1], [2, 1]])
    assert set(paths) == {0}
    assert set(network.coordinates(net).index) == {0, 1, 2}


def test_old_coordinates():
    net = feeder(2, coordinates=False)
    net["bus_geodata"] = pd.DataFrame({"x": [1.0, 2.0, math.nan], "y": [3.0, 4.0, 5.0]})
    assert network.coordinates(net).to_numpy().tolist() == [[1, 3], [2, 4]]


def test_layout_is_the_same_each_time_and_puts_no_two_buses_in_one_place():
    net = network.open("pandapower:create_kerber_dorfnetz")
    first, second = network.layout(net), network.layout(copy.deepcopy(net))
    pd.testing.assert_frame_equal(first, second)
    assert first.attrs["schematic"]
    assert first.notna().all(axis=None)
    assert not first.duplicated().any()
    distance = nx.single_source_shortest_path_length(nx.Graph(topology.graph(net)), int(net.ext_grid.bus.iloc[0]))
    assert first.x.to_dict() == distance


def test_layout_places_islands_and_dead_buses():
    net = feeder(5)
    net.line.loc[2, "in_service"] = False
    net.bus.loc[5, "in_service"] = False
    assert network.layout(net).notna().all(axis=None)


# ---- inventory and study ----


def test_describe_adds_up():
    table = network.describe(OBERRHEIN).set_index(["item", "detail"])
    assert table.loc[("lines", "20 kV"), "quantity"] == pytest.approx(OBERRHEIN.line.length_km.sum())
    assert table.loc[("buses", "20 kV"), "number"] == 177
    assert table.loc[("transformers", "110/20 kV"), "quantity"] == 50
    assert table.loc["switches", "number"].sum() == len(OBERRHEIN.switch) == 322


def test_display_names():
    assert network.display_name(OBERRHEIN, "bus", 39) == "bus 39 (Bus 19)"
    net = feeder(2)
    assert network.display_name(net, "line", 0) == "line 0"
    assert network.display_name(net, "bus", 999) == "bus 999"


def study_of(path, **tables):
    files = [path, *(path.with_name(f"{name}.csv") for name in tables)]
    return SimpleNamespace(network=str(path), name="test", path=path.parent, files=files, tables=tables)


def test_load_opens_and_checks_references(tmp_path):
    pp.to_json(feeder(3), tmp_path / "net.json")
    fitting = study_of(
        tmp_path / "net.json",
        customers=pd.DataFrame({"bus": [2, 3], "customer_class": "residential", "customers": 5}),
        assignments=pd.DataFrame({"element": ["load"], "element_id": [1], "profile": ["h0"]}),
        areas=pd.DataFrame({"bus": [2, 3], "area": "A"}),
    )
    assert len(network.load(fitting).bus) == 4


def test_load_names_every_wrong_reference_with_its_row(tmp_path):
    pp.to_json(feeder(3), tmp_path / "net.json")
    wrong = study_of(
        tmp_path / "net.json",
        customers=pd.DataFrame({"bus": [2, 33], "customer_class": "residential", "customers": 5}),
        assignments=pd.DataFrame({"element": ["load", "sgen", "load"], "element_id": [1, 0, 7], "profile": ["h0"] * 3}),
        areas=pd.DataFrame({"bus": [44], "area": "A"}),
    )
    with pytest.raises(StudyError) as caught:
        network.load(wrong)
    places = [(p.where, p.row, p.column) for p in caught.value.problems]
    assert places == [
        ("customers.csv", 3, "bus"),
        ("areas.csv", 2, "bus"),
        ("assignments.csv", 4, "element_id"),
        ("assignments.csv", 3, "element_id"),
    ]


def test_elements_without_a_profile_are_counted_with_their_power(tmp_path):
    net = feeder(5)  # loads 0 to 3 of 0.5 MW
    net.load.loc[3, "in_service"] = False
    net.load.loc[2, "scaling"] = 0.5
    pp.create_gen(net, 3, 0.7)
    assigned = pd.DataFrame({"element": ["load", "sgen"], "element_id": [0, 1], "profile": "h0"})
    found = network.unassigned(study_of(tmp_path / "net.json", assignments=assigned), net)
    assert found.to_numpy().tolist() == [["load", 2, 0.75], ["gen", 1, 0.7]]
    assert network.unassigned(study_of(tmp_path / "net.json"), net).elements.tolist() == [3, 1]


def test_load_refuses_an_unfit_network(tmp_path):
    net = feeder(3)
    net.line.loc[0, "length_km"] = -2.0
    pp.to_json(net, tmp_path / "net.json")
    with pytest.raises(NetworkError, match=r"net\.json, line 0: length_km is -2"):
        network.load(study_of(tmp_path / "net.json"))


def test_load_lists_an_unfit_network_and_wrong_references_together(tmp_path):
    net = feeder(3)
    net.line.loc[0, "length_km"] = -2.0
    pp.to_json(net, tmp_path / "net.json")
    wrong = study_of(
        tmp_path / "net.json", customers=pd.DataFrame({"bus": [33], "customer_class": "residential", "customers": 5})
    )
    with pytest.raises(StudyError, match=r"net\.json, line 0: length_km is -2[\s\S]*no bus 33"):
        network.load(wrong)


def test_load_takes_away_ratings_that_stand_for_not_known(tmp_path):
    net = feeder(3)
    net.line.loc[1, "max_i_ka"] = 99999.0
    pp.to_json(net, tmp_path / "net.json")
    loaded = network.load(study_of(tmp_path / "net.json"))
    assert loaded.line["max_i_ka"].isna().tolist() == [False, True]


def test_two_circuits_side_by_side_are_one_feeder_head():
    net = feeder(3)
    pp.create_line_from_parameters(net, int(net.line.at[0, "from_bus"]), int(net.line.at[0, "to_bus"]), 1.0, 0.2, 0.1, 0, 0.3)
    assert network.areas(net)["area"].unique().tolist() == ["S1-F1"]
    assert len(network.feeder_heads(net)) == 1
