"""Reliability against examples of textbooks: every load point and every index that they print."""

import tomllib
from pathlib import Path

import pandapower as pp
import pandas as pd
import pytest

from gridplan import reliability
from gridplan.powerflow import Limits

CASES = Path(__file__).parent / "cases"
KV = 33.0
TIE_KA = 0.25  # carries the 9 MVA of the largest feeder here, and none of its pieces with TOO_MUCH_MVAR at every load
TOO_MUCH_MVAR = 40.0
HAIR = 1e-9  # a printed figure that was rounded half up is, in binary, a hair more than half a step away
STATIONS = [
    (folder, case)
    for folder in ("billinton_allan_three_lines", "billinton_allan_feeder", "gonen_feeder")
    for case in tomllib.loads((CASES / folder / "case.toml").read_text())["cases"]
]


def add_line(net, a: int, b: int, km: float, max_i_ka: float = 10.0, kind: str = "ol") -> int:
    """A line of next to no impedance: the books know none."""
    return int(pp.create_line_from_parameters(net, a, b, km, 1e-5, 1e-5, 0, max_i_ka, type=kind))


def read(folder: str) -> tuple[dict, pd.DataFrame, pd.DataFrame]:
    """Settings, sections and load points of a case; miles are as good as kilometres."""
    sections = pd.read_csv(CASES / folder / "sections.csv")
    sections = sections.rename(columns={"length_mi": "length_km", "failures_per_mi_yr": "failures_per_km_yr"})
    return tomllib.loads((CASES / folder / "case.toml").read_text()), sections, pd.read_csv(CASES / folder / "load_points.csv")


def build(settings: dict, case: dict, sections: pd.DataFrame, points: pd.DataFrame):
    """Network, switchgear, failure rates by line, and the bus of every node."""
    net, gear, rates = pp.create_empty_network(), [], []
    nodes = list(dict.fromkeys([settings["source"], *sections.from_node, *sections.to_node]))
    bus = {node: int(pp.create_bus(net, KV, name=node)) for node in nodes}
    pp.create_ext_grid(net, bus[settings["source"]])
    for row in sections.itertuples():
        at = add_line(net, bus[row.from_node], bus[row.to_node], row.length_km)
        rates.append((at, row.failures_per_km_yr, row.repair_h))
        device = row.protection if row.protection == "breaker" or case["fuses"] else "none"
        if device == "none" and row.disconnector == "from" and case["disconnectors"]:
            device = "disconnector"
        if device != "none":
            switch = int(pp.create_switch(net, bus[row.from_node], at, "l"))
            gear.append((switch, device, case.get("fuse_success", 1.0) if device == "fuse" else 1.0))
    for row in points.itertuples():
        pp.create_load(net, bus[row.load_point], row.p_avg_mw)
    if case["tie"]:
        second = int(pp.create_bus(net, KV, name="second supply"))
        pp.create_ext_grid(net, second)
        at = add_line(net, second, bus[settings["tie_node"]], 1.0, TIE_KA, "tie")
        rates.append((at, 0.0, 1.0))
        gear.append((int(pp.create_switch(net, bus[settings["tie_node"]], at, "l", closed=False)), "disconnector", 1.0))
    return net, gear, rates, bus


def states(net, case: dict) -> pd.DataFrame | None:
    """Loading states in which the tie carries everything, and in which it carries nothing."""
    if "transfer_probability" not in case:
        return None
    share = case["transfer_probability"]
    frame = pd.DataFrame({"load": net.load.index, "p_mw": net.load.p_mw.to_numpy()})
    some = [frame.assign(state=0, weight=share, q_mvar=0.0), frame.assign(state=1, weight=1 - share, q_mvar=TOO_MUCH_MVAR)]
    return pd.concat(some, ignore_index=True)


def result(folder: str, name: str) -> tuple[reliability.Reliability, dict]:
    settings, sections, points = read(folder)
    case = settings["cases"][name]
    net, gear, rates, bus = build(settings, case, sections, points)
    marks = {"source": "book", "evidence": "M"}
    table = pd.DataFrame(rates, columns=["element_id", "failures_per_km_yr", "repair_h"])
    table = table.astype({"element_id": "Int64"}).assign(element="line", kind="*", **marks)
    isolate = settings["isolation_min"]
    minutes = {"isolate_min": isolate, "transfer_min": settings.get("transfer_min", isolate)}
    known = {"detect_min": 0.0, "locate_min": 0.0, "patrol_min_per_km": 0.0}
    customers = {
        "bus": [bus[point] for point in points.load_point],
        "customer_class": "residential",
        "customers": points.customers,
    }
    outages = reliability.Outages(
        table,
        pd.DataFrame([{"area": "*", "control": "manual", **known, **minutes, **marks}]),
        pd.DataFrame(customers),
        pd.DataFrame(gear, columns=["switch", "device", "success"]).assign(control="manual", fault_indicator=False, **marks),
        limits=Limits(0.5, 1.5),
        loading=states(net, case),
    )
    areas = pd.DataFrame({"bus": net.bus.index, "area": "feeder"})
    return reliability.indices(reliability.prepare(net, outages, areas)), bus


@pytest.mark.parametrize(("folder", "name"), STATIONS)
def test_load_points_as_printed(folder, name):
    """Failures, hours dark and hours per failure of every load point."""
    within = read(folder)[0]["tolerance"]
    own, bus = result(folder, name)
    points = own.load_points.set_index("bus")
    table = pd.read_csv(CASES / folder / "expected_load_points.csv")
    for row in table[table.case == name].to_dict("records"):
        at = bus[row["load_point"]]
        for column in set(row) - {"case", "load_point"}:
            assert points[column][at] == pytest.approx(row[column], abs=within[column] + HAIR), (row["load_point"], column)


@pytest.mark.parametrize(("folder", "name"), [one for one in STATIONS if (CASES / one[0] / "expected_system.csv").exists()])
def test_system_as_printed(folder, name):
    """SAIFI, SAIDI, CAIDI, ASAI, energy not supplied, in all and per customer."""
    within = read(folder)[0]["tolerance"]
    system = result(folder, name)[0].system
    hours = {"saidi_h": system.saidi_min / 60, "caidi_h": system.caidi_min / 60}
    printed = pd.read_csv(CASES / folder / "expected_system.csv").set_index("case").loc[name]
    for column, value in printed.items():
        assert hours.get(column, system.get(column)) == pytest.approx(value, abs=within[column] + HAIR), column
