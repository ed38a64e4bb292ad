"""Diagrams and maps of the IT/OT half: what is drawn lies where it should, and nothing covers anything else."""

import itertools
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gridplan import architecture, capability, explorers, gaps, study
from gridplan.figures import _diagram, maps
from gridplan.figures import architecture as drawings
from gridplan.figures import capability as boards
from gridplan.figures import communications as networks

DATA = Path(__file__).parents[1] / "data" / "oberrhein"


def systems(count: int, random: np.random.Generator) -> pd.DataFrame:
    zones = random.choice(["market", "enterprise", "operation", "station", "field"], count, p=[0.1, 0.4, 0.25, 0.15, 0.1])
    return pd.DataFrame(
        {
            "system": [f"s{n}" for n in range(count)],
            "domain": random.choice(["transmission", "distribution", "DER", "customer"], count, p=[0.1, 0.5, 0.15, 0.25]),
            "zone": zones,
            "purdue_level": np.where(random.random(count) < 0.1, 3.5, 3.0),
        }
    )


def segments(drawn: _diagram.Diagram) -> list[tuple[int, tuple, tuple]]:
    return [(n, *pair) for n, wire in enumerate(drawn.wires) for pair in itertools.pairwise(wire.points)]


def inside(piece: tuple, box: _diagram.Rectangle) -> bool:
    _, (xa, ya), (xb, yb) = piece
    low_x, high_x, low_y, high_y = min(xa, xb), max(xa, xb), min(ya, yb), max(ya, yb)
    return low_x < box.x1 - 0.1 and high_x > box.x0 + 0.1 and low_y < box.y1 - 0.1 and high_y > box.y0 + 0.1


def overlap(one: tuple, other: tuple) -> bool:
    (a, (x0, y0), (x1, y1)), (b, (u0, v0), (u1, v1)) = one, other
    if a == b:
        return False
    if x0 == x1 and u0 == u1 and abs(x0 - u0) < 0.1:
        return min(max(y0, y1), max(v0, v1)) - max(min(y0, y1), min(v0, v1)) > 0.1
    if y0 == y1 and v0 == v1 and abs(y0 - v0) < 0.1:
        return min(max(x0, x1), max(u0, u1)) - max(min(x0, x1), min(u0, u1)) > 0.1
    return False


@given(st.integers(0, 10**6))
@settings(max_examples=40, deadline=None)
def test_wires_run_at_right_angles_outside_all_boxes_and_never_on_top_of_each_other(seed):
    random = np.random.default_rng(seed)
    table = systems(int(random.integers(4, 32)), random)
    names = list(table["system"])
    bars = list(random.choice(names, int(random.integers(0, 3)), replace=False))
    pairs = set()
    for _ in range(int(random.integers(1, 2 * len(names)))):
        a, b = sorted(random.choice([n for n in names if n not in bars], 2, replace=False))
        pairs.add((str(a), str(b)))
    pairs |= {(name, bar) for name in names for bar in bars if name not in bars and random.random() < 0.4}
    degree = pd.Series([n for pair in pairs for n in pair if n not in bars]).value_counts()
    if (degree > 9).any():  # more wires than a box has places for
        return
    drawn = _diagram.diagram(table, sorted(pairs), bars)
    assert {frozenset((w.a, w.b)) for w in drawn.wires} == {frozenset(p) for p in pairs}
    assert set(drawn.boxes) | set(drawn.bars) == set(names)
    pieces = segments(drawn)
    assert all(a[0] == b[0] or a[1] == b[1] for _, a, b in pieces)
    assert [p for p in pieces for box in drawn.boxes.values() if inside(p, box)] == []
    assert [pair for pair in itertools.combinations(pieces, 2) if overlap(*pair)] == []
    cells = list(drawn.boxes.values())
    assert not any(a.x0 < b.x1 and b.x0 < a.x1 and a.y0 < b.y1 and b.y0 < a.y1 for a, b in itertools.combinations(cells, 2))


def test_every_domain_is_a_column_and_every_zone_a_row_of_the_page():
    table = pd.DataFrame(
        [("GIS", "distribution", "enterprise", 4), ("CIS", "customer", "enterprise", 4), ("RTU", "distribution", "station", 2)],
        columns=["system", "domain", "zone", "purdue_level"],
    )
    drawn = _diagram.diagram(table, [("GIS", "RTU")], [])
    gis, cis, rtu = (drawn.boxes[name] for name in ("GIS", "CIS", "RTU"))
    assert gis.y1 < rtu.y0
    assert gis.x1 < cis.x0
    assert (gis.x0, gis.y0) == (rtu.x0, cis.y0)
    assert drawn.wires[0].points[0][0] == drawn.wires[0].points[-1][0]


# --- the bundled study ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def bundled():
    return gaps.facts(study.read_study(DATA).tables, year=2025)


@pytest.fixture(scope="module")
def states(bundled):
    return gaps.states(bundled)


@pytest.mark.parametrize("name", ["As is", "Interim", "Target"])
def test_the_diagram_of_a_state_shows_every_system_and_no_wire_through_a_box(states, name):
    tables = states[name].architecture
    flows = architecture.register(*tables)
    own = tables[0][tables[0]["status"] == "present"]
    bars = [system for system in own["system"] if system in set(flows["via"])]
    assert bars == ([] if name == "As is" else ["ESB", "DMZ"])
    drawn = _diagram.diagram(own, drawings._wires(flows), bars)
    assert len(drawn.boxes) + len(drawn.bars) == len(own)
    pieces = segments(drawn)
    assert [p for p in pieces for box in drawn.boxes.values() if inside(p, box)] == []
    assert [pair for pair in itertools.combinations(pieces, 2) if overlap(*pair)] == []
    figure = drawings.diagram(own, flows, title="", broken=["OMS1"] if name == "As is" else [])
    words = " ".join(note.text for note in figure.figure.layout.annotations)
    assert all(f"<b>{system}</b>" in words for system in own["system"])
    assert ("breaks a security rule" in {t.name for t in figure.figure.data}) == (name == "As is")


def test_the_matrix_has_a_mark_for_every_directed_flow(states):
    systems_, *rest = states["Target"].architecture
    flows = architecture.register(systems_, *rest)
    figure = drawings.matrix(systems_[systems_["status"] == "present"], flows, title="").figure
    marks = sum(len(trace.x) for trace in figure.data)
    assert marks == len(flows) + (flows["direction"] == "both ways").sum()


@pytest.fixture
def where() -> maps.Map:
    points = pd.DataFrame({"x": [8.0, 8.1], "y": [48.0, 48.1]}, index=[1, 2])
    return maps.Map({1: points.to_numpy()}, points)


SITES = pd.DataFrame(
    {
        "site": ["a", "b", "far", "c"],
        "label": ["<i>A</i>", "B", "F", "C"],
        "kind": ["station", "substation", "operator", "station"],
        "longitude": [8.0, 8.1, 9.5, 8.05],
        "latitude": [48.0, 48.1, 48.1, 48.05],
    }
)
LINKS = pd.DataFrame(
    {"link": ["a-b", "b-far"], "from_site": ["a", "b"], "to_site": ["b", "far"], "medium": ["copper", "carrier pigeon"]}
).assign(ownership="private", length_km=1.0, capacity_kbps=1.0, data_kbps=0.5, flows=1, utilisation_percent=50.0, latency_ms=1.0)


def test_a_link_beyond_the_map_is_a_short_end_in_its_direction(where):
    media = pd.DataFrame({"medium": ["copper", "carrier pigeon"], "label": ["Copper", "Pigeon"]})
    traces = {t.name: t for t in networks.network(where, SITES, LINKS, media, title="").figure.data}
    assert list(traces["Copper"].x[:2]) == [8.0, 8.1]
    start, end = traces["Pigeon"].x[:2]
    assert start == 8.1
    assert end - start == pytest.approx(networks.STUB * 0.1)
    assert "operator" not in traces
    assert "&lt;i&gt;A&lt;/i&gt;" in traces["station"].text[0]


def test_the_coverage_map_marks_each_site_and_rings_the_hop_that_fails(where):
    flows = pd.DataFrame({"site": ["a", "c"], "to_site": "b", "path": ["a > b", ""], "application": "x", "area": "a1"})
    missed = pd.DataFrame(
        [("a", "latency", 100.0, 200.0, "ms", "a-b"), ("c", "path", 1.0, 0.0, "1", "c")],
        columns=["site", "requirement", "needed", "delivered", "unit", "hop"],
    )
    figure = networks.coverage(where, SITES, flows, missed, LINKS, title="")
    traces = {t.name: t for t in figure.figure.data}
    ring = traces["hop that fails"]
    assert (list(ring.x), list(ring.y)) == ([pytest.approx(8.05)], [pytest.approx(48.05)])
    assert list(traces["no path (1)"].x) == [8.05]
    assert "latency: 200 ms, needed 100 ms, at a-b" in traces["misses something (1)"].text[0]
    assert figure.alt == "0 of 2 sites get all that is asked for."


def test_the_heat_map_tells_reached_from_missing_levels(bundled):
    levels = capability.levels(bundled.tables["capabilities"], bundled.tables["maturity"])
    figure = boards.heat(levels, capability.domains(), capability.scale(), title="")
    cells = np.array(figure.figure.data[0].z)
    assert (cells == 2).sum() == levels["level"].sum()
    assert (cells == 1).sum() == levels["gap_levels"].sum()


def test_the_verdicts_of_three_states_are_ticks_and_numbers_of_gaps(bundled, states):
    ready = {name: gaps.verdicts(bundled, projects=state.projects) for name, state in states.items()}
    figure = boards.verdicts(ready, {}, title="").figure
    texts = [np.array(trace.text) for trace in figure.data]
    assert [(text == "✓").sum() for text in texts] == [(table["verdict"] == "ready").sum() for table in ready.values()]
    assert (texts[-1] == "✓").all()


# --- explorers ----------------------------------------------------------------------------------------------------------------


def test_the_explorer_filters_and_moves_a_link_to_another_medium(bundled):
    explorer = explorers.architecture(bundled)
    every = len(explorer.shown[0].table)
    explorer.controls["zone"].value = "field"
    fewer = explorer.shown[0].table
    assert explorer.fault == ""
    assert 0 < len(fewer) < every
    assert ((fewer[["from_system", "to_system"]] == "FD") | (fewer[["from_system", "to_system"]] == "DERU")).any(axis=1).all()
    explorer.controls["standard"].value = "OCPP"
    assert explorer.shown[0].markdown == "No interface in service fits this filter."
    explorer.controls["zone"].value, explorer.controls["standard"].value = "all zones", "all standards"
    explorer.controls["application"].value = "flisr"
    explorer.controls["link"].value = "CC-S1"
    explorer.controls["medium"].value = "satellite"
    after = explorer.shown[-1].table
    counted = after.groupby("state", sort=False)["gaps"].sum()
    assert counted["Target"] == 0
    assert list(counted.index) == ["Target", "CC-S1 on satellite"]


def test_the_explorer_of_projects_shows_what_a_smallest_set_lets_run(bundled):
    explorer = explorers.projects(bundled)
    explorer.controls["application"].value = "predictive_maintenance"
    table = explorer.shown[0].table
    after = table[table["state"] == "After these projects"]
    assert after.loc[after["application"] == "predictive_maintenance", "verdict"].eq("ready").all()
    assert len(explorer.shown[1].frame) == 4
