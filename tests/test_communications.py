"""The communication network against hand-computed paths, closed forms, enumeration of states and a second algorithm."""

import itertools
from pathlib import Path

import networkx as nx
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gridplan import communications
from gridplan.communications import _routes
from gridplan.errors import ParameterError, StudyError

DATA = Path(__file__).parents[1] / "data" / "oberrhein"
MARKS = {"source": "test", "evidence": "M"}
MODEL = communications.Model(packet_bytes=125, common_cause_shared=0.1, common_cause_diverse=0.0)  # 1 kbit a packet


def sites(*names: str, **changes: dict[str, object]) -> pd.DataFrame:
    table = pd.DataFrame({"site": names, "label": names, "kind": "station", "areas": "a1", "longitude": 8.0, "latitude": 48.0})
    table = table.assign(availability=1.0, backup_h=100.0, **MARKS).set_index("site", drop=False)
    for column, values in changes.items():
        for name, value in values.items():
            table.loc[name, column] = value
    return table.reset_index(drop=True)


def media(**changes: object) -> pd.DataFrame:
    row = {
        "capacity_kbps": 100.0,
        "latency_ms": 5.0,
        "us_per_km": 5.0,
        "availability": 0.99,
        "backup_h": 72.0,
        "security_level": 2,
    }
    return pd.DataFrame([{"medium": "fibre", "label": "fibre"} | row | changes]).assign(**MARKS)


def links(*ends: str, **columns: object) -> pd.DataFrame:
    """Links such as ``a-b``; keywords set columns by link name."""
    rows = [{"link": end, "from_site": end.split("-")[0], "to_site": end.split("-")[1][:1], "medium": "fibre"} for end in ends]
    table = pd.DataFrame(rows).assign(ownership="private", length_km=100.0, common_cause="", status="present", **MARKS)
    table = table.set_index("link", drop=False)
    for column, values in columns.items():
        for name, value in values.items():
            table.loc[name, column] = value
    return table.reset_index(drop=True)


def flow(site: str = "a", to_site: str = "c", need: str = "n", **asked: float) -> dict[str, object]:
    usual = {
        "latency_ms": 1e4,
        "data_kbps": 0.0,
        "availability": 0.0,
        "backup_h": 0.0,
        "security_level": 0,
        "sites_needed_percent": 100.0,
    }
    return {"need": need, "application": "app", "area": "a1", "site": site, "to_site": to_site} | usual | asked


def deliver(flows, place, net, medium=None, model=MODEL):
    return communications.deliver(pd.DataFrame(flows), place, net, media() if medium is None else medium, model=model)


# --- closed forms -----------------------------------------------------------------------------------------------------------


def test_series_and_parallel_are_the_closed_forms():
    assert communications.series([0.9, 0.8, 0.5]) == pytest.approx(0.36)
    assert communications.parallel([0.9, 0.8]) == pytest.approx(1 - 0.1 * 0.2)
    assert communications.parallel([0.9, 0.8], common_cause=1.0) == pytest.approx(0.9)
    assert communications.parallel([0.0, 0.0], common_cause=1.0) == 0.0


@given(st.lists(st.floats(0.5, 1.0), min_size=2, max_size=4), st.floats(0, 1))
@settings(max_examples=30, deadline=None)
def test_common_cause_lies_between_independent_paths_and_the_best_path(up, beta):
    value = communications.parallel(up, common_cause=beta)
    assert max(up) - 1e-12 <= value <= communications.parallel(up) + 1e-12


def enumerated(net: pd.DataFrame, ends: tuple[str, str], up: dict[str, float]) -> float:
    """Sum of the probabilities of all states of links and sites in which the ends are connected."""
    parts = [("link", n, p) for n, p in enumerate(net["availability"])] + [("site", name, p) for name, p in up.items()]
    total = 0.0
    for state in itertools.product([True, False], repeat=len(parts)):
        chance = np.prod([p if works else 1 - p for works, (_, _, p) in zip(state, parts, strict=True)])
        down = {(kind, name) for works, (kind, name, _) in zip(state, parts, strict=True) if not works}
        graph = nx.Graph()
        graph.add_nodes_from({*net["from_site"], *net["to_site"]})
        graph.add_edges_from((r.from_site, r.to_site) for r in net.itertuples() if ("link", r.Index) not in down)
        graph.remove_nodes_from([name for kind, name in down if kind == "site"])
        if all(end in graph for end in ends) and nx.has_path(graph, *ends):
            total += chance
    return total


def test_the_bridge_network_is_its_closed_form_and_its_enumeration():
    p = 0.9
    bridge = pd.DataFrame([("s", "x"), ("s", "y"), ("x", "t"), ("y", "t"), ("x", "y")], columns=["from_site", "to_site"])
    found = communications.two_terminal(bridge.assign(availability=p), "s", "t")
    assert found == pytest.approx(2 * p**2 + 2 * p**3 - 5 * p**4 + 2 * p**5, abs=1e-15)
    assert found == pytest.approx(enumerated(bridge.assign(availability=p), ("s", "t"), {}), abs=1e-14)


@given(st.integers(0, 10**6))
@settings(max_examples=20, deadline=None)
def test_any_small_network_with_failing_sites_is_its_enumeration(seed):
    random = np.random.default_rng(seed)
    ends = [tuple(random.choice(list("stxy"), 2, replace=False)) for _ in range(random.integers(2, 7))]
    net = pd.DataFrame([("s", "x"), ("y", "t"), *ends], columns=["from_site", "to_site"])
    net["availability"] = random.uniform(0.3, 1.0, len(net))
    up = {"x": 0.8, "s": 0.95}
    assert communications.two_terminal(net, "s", "t", sites=up) == pytest.approx(enumerated(net, ("s", "t"), up), abs=1e-12)


def test_two_terminal_names_an_unknown_site_and_a_network_too_large():
    net = pd.DataFrame({"from_site": ["a"], "to_site": ["b"], "availability": [0.9]})
    with pytest.raises(ParameterError, match="site 'c': is on no link; known: a, b"):
        communications.two_terminal(net, "a", "c")
    with pytest.raises(ParameterError, match="more than 0 disjoint events"):
        communications.two_terminal(net, "a", "b", most_terms=0)


# --- routes -----------------------------------------------------------------------------------------------------------------


def cheapest_pair(graph: _routes.Graph, root: int, site: int) -> float | None:
    """Least total length of two ways without a common link or inner site, as a flow of two units (networkx)."""
    net, far = nx.DiGraph(), ("out", site)
    net.add_node(far, demand=-2)
    net.add_node(("in", root), demand=2)
    net.add_edges_from(
        [(("in", i), ("out", i), {"capacity": 1, "weight": 0}) for i in range(graph.count) if i not in (root, site)]
    )
    for link, (a, b) in enumerate(zip(graph.one, graph.other, strict=True)):
        for u, w in ((int(a), int(b)), (int(b), int(a))):
            net.add_edge(("out", u), (link, u), capacity=1, weight=int(graph.cost[link]))
            net.add_edge((link, u), ("in", w), capacity=1, weight=0)
    try:
        return nx.min_cost_flow_cost(net)
    except nx.NetworkXUnfeasible:
        return None


@given(st.integers(0, 10**6))
@settings(max_examples=25, deadline=None)
def test_pairs_of_disjoint_ways_are_the_cheapest_ones(seed):
    random = np.random.default_rng(seed)
    count = int(random.integers(3, 8))
    ends = np.array([random.choice(count, 2, replace=False) for _ in range(random.integers(count, 2 * count + 3))])
    graph = _routes.Graph(count, ends[:, 0], ends[:, 1], random.integers(1, 9, len(ends)).astype(float))
    usable = [True] * len(ends)
    found = _routes.pairs(graph, _routes.tree(graph, 0, usable), usable)
    for site in range(1, count):
        ways, best = found.ways(site), cheapest_pair(graph, 0, site)
        assert (ways is None) == (best is None)
        if ways:
            assert sum(graph.cost[link] for way in ways for link in way) == best
            assert not set(ways[0]) & set(ways[1])


# --- latency, load, availability --------------------------------------------------------------------------------------------


def test_latency_of_a_loaded_path_is_the_hand_computed_one():
    delivered = deliver([flow(data_kbps=50.0)], sites("a", "b", "c"), links("a-b", "b-c"))
    row = delivered.flows.iloc[0]
    hop = 5.0 + 0.005 * 100 + (1 / 100 * 1000) / (1 - 0.5)  # medium, 5 us/km over 100 km, M/M/1 with 10 ms a packet
    assert row.path == "a > b > c"
    assert row.latency_ms == pytest.approx(2 * hop)
    assert row.utilisation_percent == pytest.approx(50.0)
    assert row.availability == pytest.approx(0.99**2)


def test_all_flows_load_the_network_at_once_and_a_site_of_two_areas_loads_it_once():
    two = [flow(data_kbps=30.0), flow(data_kbps=30.0) | {"area": "a2"}, flow("b", need="m", data_kbps=20.0)]
    delivered = deliver(two, sites("a", "b", "c"), links("a-b", "b-c"))
    assert delivered.links.set_index("link").data_kbps.to_dict() == {"a-b": 30.0, "b-c": 50.0}
    assert delivered.links.set_index("link").latency_ms["b-c"] == pytest.approx(5.5 + 10 / 0.5)


def test_a_link_that_is_asked_for_more_than_it_carries_has_no_bound_and_is_said():
    delivered = deliver([flow(data_kbps=60.0), flow("b", need="m", data_kbps=60.0)], sites("a", "b", "c"), links("a-b", "b-c"))
    short = communications.shortfalls(delivered)
    assert np.isinf(delivered.flows.latency_ms).all()
    assert set(zip(short.need, short.requirement, short.hop, strict=True)) == {
        ("n", "latency", "b-c"),
        ("n", "utilisation", "b-c"),
        ("m", "latency", "b-c"),
        ("m", "utilisation", "b-c"),
    }


def test_availability_is_that_of_sites_in_series_and_disjoint_ways_in_parallel():
    place = sites("a", "b", "c", "d", availability={"a": 0.999, "b": 0.98, "c": 0.9999})
    net = links("a-b", "b-c", "a-d", "d-c", ownership={"a-d": "public"}, length_km={"a-d": 300.0})
    row = deliver([flow()], place, net).flows.iloc[0]
    one, other = 0.99 * 0.98 * 0.99, 0.99 * 0.99
    assert row.availability_single == pytest.approx(0.999 * 0.9999 * one)
    assert row.availability == pytest.approx(0.999 * 0.9999 * (1 - (1 - one) * (1 - other)))
    assert (row.path, row.second_path, row.second_ownership) == ("a > b > c", "a > d > c", "public")
    shared = net.assign(common_cause=["duct", "", "", "duct | river"])
    both = deliver([flow()], place, shared).flows.iloc[0].availability
    assert both == pytest.approx(0.999 * 0.9999 * communications.parallel([one, other], common_cause=0.1))
    gain = communications.redundancy(deliver([flow()], place, net)).iloc[0]
    assert gain.gain_min == pytest.approx(525_600 * (row.availability - row.availability_single))
    assert (gain.doubled, gain.public) == (1, 1)


def test_a_second_path_counts_only_if_it_is_fast_secure_and_one_of_the_two_has_the_backup():
    net = links("a-b", "b-c", "a-d", "d-c")
    place = sites("a", "b", "c", "d")

    def doubled(net, **asked):
        row = deliver([flow(**asked)], place, net).flows.iloc[0]
        return row.availability > row.availability_single

    assert doubled(net.assign(backup_h=[np.nan, np.nan, 2.0, 2.0]), backup_h=24.0)
    assert not doubled(net.assign(backup_h=[np.nan, 2.0, 2.0, 2.0]), backup_h=24.0)
    assert not doubled(net.assign(latency_ms=[np.nan, np.nan, 90.0, np.nan]), latency_ms=100.0)
    assert not doubled(net.assign(security_level=[np.nan, np.nan, 0, np.nan]), security_level=1)


def test_a_flow_goes_where_it_gets_what_it_asks_for_and_otherwise_what_it_misses_is_said_with_the_hop():
    place = sites("a", "b", "c", "d", backup_h={"b": 4.0})
    net = links("a-b", "b-c", "a-d", "d-c", length_km={"a-d": 500.0})
    assert deliver([flow()], place, net).flows.path[0] == "a > b > c"
    assert deliver([flow(backup_h=24.0)], place, net).flows.path[0] == "a > d > c"
    delivered = deliver([flow(backup_h=24.0, security_level=3, latency_ms=1.0, availability=0.9999)], place, links("a-b", "b-c"))
    short = communications.shortfalls(delivered).set_index("requirement")
    assert short.hop.to_dict() == {"latency": "a-b", "availability": "a-b", "backup": "b", "security": "a-b"}
    assert short.delivered["backup"] == 4.0
    assert short.needed["security"] == 3


def test_a_site_without_a_link_has_no_path_and_lowers_the_coverage():
    delivered = deliver(
        [flow(sites_needed_percent=60.0), flow("b", sites_needed_percent=60.0)], sites("a", "b", "c"), links("b-c")
    )
    assert delivered.flows.path.tolist() == ["", "b > c"]
    assert communications.shortfalls(delivered).requirement.tolist() == ["path"]
    covered = communications.coverage(delivered).iloc[0]
    assert (covered.sites, covered.connected, covered.served, covered.served_percent) == (2, 1, 1, 50.0)
    assert not covered.covered
    planned = links("a-c", "b-c").assign(status=["planned", "present"])
    assert deliver([flow()], sites("a", "b", "c"), planned).flows.path[0] == ""


def test_distance_between_sites_gives_the_length_of_a_link_that_names_none():
    place = sites("a", "c", latitude={"c": 49.0})
    found = deliver([flow()], place, links("a-c").assign(length_km=np.nan)).links
    assert found.length_km[0] == pytest.approx(111.2, abs=0.1)


def test_needs_become_flows_of_every_site_of_their_kind_in_each_of_its_areas():
    place = sites("a", "b", "c", areas={"a": "a1|a2", "c": ""}, kind={"c": "control centre"})
    needs = pd.DataFrame([{"need": "n", "application": "app", "kind": "communication", "item": "station", "to_system": "X"}])
    needs = needs.assign(latency_ms=1.0, data_kbps=np.nan, availability=0.9, backup_h=0.0, security_level=0, share_percent=np.nan)
    found = communications.flows(needs, place, pd.DataFrame({"system": ["X"], "site": ["c"]}))
    assert list(zip(found.site, found.area, found.to_site, strict=True)) == [("a", "a1", "c"), ("a", "a2", "c"), ("b", "a1", "c")]
    assert found.sites_needed_percent.eq(100).all()
    with pytest.raises(StudyError, match="row 2, column 'to_system': system 'X' stands at no site"):
        communications.flows(needs, place, pd.DataFrame({"system": ["X"], "site": [""]}))


def test_a_link_moved_to_another_medium_has_the_figures_of_that_medium():
    net = links("a-b", "b-c").assign(capacity_kbps=[50.0, np.nan], latency_ms=[1.0, np.nan])
    both = pd.concat([media(), media(medium="radio", latency_ms=40.0, capacity_kbps=10.0)], ignore_index=True)
    moved = communications.moved(net, "a-b", "radio")
    found = deliver([flow()], sites("a", "b", "c"), moved, both).links.set_index("link")
    assert found.capacity_kbps.to_dict() == {"a-b": 10.0, "b-c": 100.0}
    assert found.latency_ms["a-b"] == pytest.approx(40.0 + 0.5 + 100.0)
    assert net.medium.tolist() == ["fibre", "fibre"]
    with pytest.raises(ParameterError, match="link 'a-c': does not exist; did you mean"):
        communications.moved(net, "a-c", "radio")


# --- published classes ------------------------------------------------------------------------------------------------------


def test_seeded_media_meet_and_miss_the_published_classes_as_they_should():
    bundled = pd.read_csv(DATA / "media.csv")
    verdict = communications.meets(bundled, length_km=10).set_index(["medium", "requirement_class"]).verdict
    doe = "Distribution grid management"
    assert verdict["fibre", "1A fast message: trip"] == "met"
    assert verdict["microwave", "1A fast message: trip"] == "missed"
    assert verdict["microwave", "1B fast message: other"] == "met"
    assert verdict["lte450", "2 medium speed"] == "met"
    assert verdict["satellite", "2 medium speed"] == "missed"
    assert verdict["satellite", "3 low speed"] == "met"
    assert verdict["rf_mesh", "5 file transfer"] == "missed"
    assert verdict["rf_mesh", "Advanced metering"] == "met in part"
    assert verdict["rf_mesh", doe] == "missed"
    assert verdict["lte450", doe] == "met in part"
    assert verdict["lte_public", doe] == "missed"
    assert verdict["fibre", "Wide-area situational awareness"] == "missed"  # one fibre route alone is not 99.999 %
    missed = communications.meets(bundled).set_index(["medium", "requirement_class"]).missed
    assert missed["lte_public", doe] == "backup"


def test_every_published_class_and_every_figure_of_the_model_has_a_source():
    for table in (communications.requirements(), communications.defaults()):
        assert (table.source.str.len() > 10).all()
        assert table.evidence.isin(["V", "V-computed", "2nd", "M"]).all()


# --- errors -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("column", "value", "said"),
    [
        ("to_site", "z", "links.csv, row 3, column 'to_site': 'z' is not in 'sites'; known: a, b, c"),
        ("latency_ms", -1.0, "links.csv, row 3, column 'latency_ms': -1 is below 0 [ms]"),
        ("availability", 1.2, "links.csv, row 3, column 'availability': 1.2 is above 1"),
        ("to_site", "b", "links.csv, row 3, column 'to_site': goes from 'b' to itself; name its other end"),
        ("medium", "fiber", "links.csv, row 3, column 'medium': 'fiber' is not in 'media'; did you mean 'fibre'?"),
    ],
)
def test_a_wrong_link_is_named_with_its_row(column, value, said):
    net = links("a-b", "b-c")
    net.loc[1, column] = value
    with pytest.raises(StudyError) as caught:
        deliver([flow()], sites("a", "b", "c"), net)
    assert str(caught.value.problems[0]) == said


def test_figures_outside_their_range_and_unknown_sites_are_refused():
    with pytest.raises(ParameterError, match=r"Model.common_cause_shared: 1.5 is outside 0 to 1 \[1\]"):
        communications.Model(common_cause_shared=1.5)
    with pytest.raises(StudyError, match="'q' is no site"):
        deliver([flow("q")], sites("a", "c"), links("a-c"))
