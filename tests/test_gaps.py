"""Gaps and what closes them: small studies against enumeration of all sets of projects, and the bundled study."""

import itertools
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gridplan import architecture, assess, communications, gaps, network
from gridplan.errors import ParameterError, StudyError
from gridplan.gaps import _check, _find

DATA = Path(__file__).parents[1] / "data" / "oberrhein"
MARKS = {"source": "test", "evidence": "M"}


def frame(columns: str, *rows: tuple, **fixed: object) -> pd.DataFrame:
    return pd.DataFrame(list(rows), columns=columns.split()).assign(**fixed, **MARKS)


def small(deliveries: list[tuple], after: dict[str, str] | None = None) -> dict[str, pd.DataFrame]:
    """One application in two areas; it needs two systems, an interface, a device, a path and a capability."""
    names = sorted({row[0] for row in deliveries} | set(after or {}))
    interfaces = frame(
        "interface from_system to_system standard authentication encryption status replaces",
        ("old", "A", "B", "FILE", "none", False, "present", ""),
        ("new", "A", "B", "CIM", "individual", True, "planned", "old"),
        ("c", "C", "A", "CIM", "individual", True, "planned", ""),
    )
    links = frame(
        "link from_site to_site status",
        ("s1-m", "s1", "m", "planned"),
        ("m-c", "m", "c", "planned"),
        ("s1-c", "s1", "c", "planned"),
        ("s2-c", "s2", "c", "present"),
    )
    sites = frame(
        "site kind areas", ("c", "control centre", ""), ("m", "mast", ""), ("s1", "station", "a1"), ("s2", "station", "a2")
    )
    needs = frame(
        "need kind item number level standards to_system latency_ms data_kbps availability",
        ("n1", "system", "A", None, None, "", "", None, None, None),
        ("n2", "system", "C", None, None, "", "", None, None, None),
        ("n3", "interface", "A>B", None, 2, "CIM", "", None, None, None),
        ("n4", "device", "switch", 3, None, "", "", None, None, None),
        ("n5", "communication", "station", None, None, "", "A", 100.0, 1.0, 0.98),
        ("n6", "capability", "skill", None, 2, "", "", None, None, None),
        application="app",
    )
    systems = frame(
        "system security_zone status replaces", ("A", "x", "present", ""), ("B", "y", "present", ""), ("C", "x", "planned", "")
    )
    deliveries = [(*row, *[None] * (5 - len(row))) for row in deliveries]
    return {
        "standards": frame("standard status", ("CIM", "current"), ("FILE", "proprietary"), label="x", family="x"),
        "sites": sites.assign(label="x", longitude=8.0, latitude=48.0, availability=1.0, backup_h=9.0),
        "media": frame(
            "medium", ("m",), label="x", capacity_kbps=100, latency_ms=10, us_per_km=5, availability=0.985, backup_h=9
        ).assign(security_level=1),
        "links": links.assign(medium="m", ownership="private"),
        "systems": systems.assign(
            label="x", side="OT", domain="DER", zone="field", purdue_level=3, site="c", availability=0.9, redundant=True
        ),
        "interfaces": interfaces.assign(
            flow="x", direction="one way", interoperability=2, tunnel=False, remote_access=False, via=""
        ),
        "applications": frame("application group", ("app", "voltage"), label="x"),
        "needs": needs,
        "devices": frame("device area number", ("switch", "a1", 1), ("switch", "a2", 3)),
        "capabilities": frame("capability target_level", ("skill", 2), label="x", domain="OS"),
        "maturity": frame("level score", (1, 1), (2, 0), capability="skill", statement="x"),
        "projects": frame("project capex_keur", *[(name, 10 + n) for n, name in enumerate(names)]).assign(
            label="x",
            workstream="x",
            state="target",
            opex_keur_per_yr=0,
            duration_yr=1,
            after=[(after or {}).get(n, "") for n in names],
        ),
        "deliveries": frame(
            "project kind item area number level", *[(r[0], r[1], r[2], r[3] or "", *r[4:]) for r in whole(deliveries)]
        ),
    }


def whole(deliveries: list[tuple]) -> list[tuple]:
    """Deliveries as project, kind, item, area, number, level."""
    return [
        (p, kind, item, area, number if kind == "device" else None, number if kind == "capability" else None)
        for p, kind, item, area, number in deliveries
    ]


SIMPLE = [
    ("p1", "system", "C"),
    ("p1", "interface", "new"),
    ("p2", "device", "switch", "a1", 2),
    ("p3", "link", "s1-c"),
    ("p4", "capability", "skill", None, 2),
    ("p5", "link", "s1-m"),
    ("p6", "link", "m-c"),
]


@pytest.fixture(scope="module")
def simple():
    return gaps.facts(small(SIMPLE), year=2025)


def test_gaps_of_all_kinds_are_found_with_what_closes_them(simple):
    found = gaps.find(simple).set_index(["kind", "item", "area"])
    closed = found.closed_by.to_dict()
    assert closed == {
        ("system", "C", ""): "p1",
        ("standard", "A>B", ""): "p1",
        ("device", "switch", "a1"): "p2",
        ("communication", "path station>A", "a1"): "p3",
        ("security", "old: authenticated_at_boundary", ""): "p1",
        ("security", "old: encrypted_at_boundary", ""): "p1",
        ("capability", "skill", ""): "p4",
    }
    row = found.loc[("device", "switch", "a1")]
    assert (row.needed, row.present, row.gap) == ("3", "1", "2 short")


def test_verdicts_and_shortest_sets_by_area(simple):
    given_ = simple
    verdict = gaps.verdicts(given_).set_index("area")
    assert verdict.verdict.tolist() == ["not ready", "not ready"]
    assert verdict.reasons["a2"].startswith("system: C; standard: A>B; security: ")
    assert gaps.shortest(given_, ["app"], areas=["a2"]).project.tolist() == ["p1", "p4"]
    assert gaps.shortest(given_, ["app"]).project.tolist() == ["p1", "p2", "p3", "p4"]
    done = gaps.verdicts(given_, projects=["p1", "p2", "p3", "p4"])
    assert done.verdict.eq("ready").all()
    assert done.reasons.eq("").all()


def test_a_gap_that_only_several_projects_together_close_names_them_all_and_one_that_none_closes_is_said():
    two = [row for row in SIMPLE if row[0] != "p3"]  # two hops of 0.985: 0.970 is short of 0.98
    given_ = gaps.facts(small(two), year=2025)
    assert gaps.find(given_).query("kind == 'communication'").closed_by.tolist() == ["p5 + p6"]
    after = gaps.find(given_, projects=["p5", "p6"]).query("item == 'availability station>A'")
    assert after.closed_by.tolist() == ["no project"]
    assert gaps.shortest(given_, ["app"]).attrs["possible"] is False
    none = gaps.facts(small([row for row in SIMPLE if row[0] != "p4"]), year=2025)
    assert gaps.find(none).set_index("kind").closed_by["capability"] == "no project"
    lost = gaps.shortest(none, ["app"])
    assert (lost.empty, lost.attrs["never"]) == (True, ["capability skill app"])
    assert gaps.verdicts(none).never.eq("capability skill").all()
    assert gaps.closures(none).query("kind == 'capability'")[["way", "project"]].to_numpy().tolist() == [[0, ""]]


def test_a_project_brings_those_before_it_and_is_listed_after_them():
    given_ = gaps.facts(small(SIMPLE, after={"p1": "p6", "p6": "p5"}), year=2025)
    assert gaps.state(given_, ["p1"]).projects == ("p1", "p5", "p6")
    assert gaps.shortest(given_, ["app"], areas=["a2"]).project.tolist() == ["p4", "p5", "p6", "p1"]


def test_what_is_replaced_retires_and_an_interface_waits_for_its_systems():
    given_ = gaps.facts(small([("p1", "interface", "new"), ("p2", "interface", "c"), ("p3", "system", "C")]), year=2025)

    def status(*projects):
        return gaps.state(given_, projects).tables["interfaces"].set_index("interface").status.to_dict()

    assert status() == {"old": "present", "new": "planned", "c": "planned"}
    assert status("p1")["old"] == "retired"
    assert status("p2")["c"] != "present"
    assert status("p2", "p3")["c"] == "present"


@given(st.integers(0, 10**6))
@settings(max_examples=5, deadline=None)
def test_the_shortest_set_is_that_of_enumeration(seed):
    random = np.random.default_rng(seed)
    names = [f"p{n}" for n in range(4)]
    pieces = [row[1:] for row in SIMPLE] + [
        ("interface", "c"),
        ("system", "C"),
        ("device", "switch", "a1", 1),
        ("capability", "skill", None, 2),
    ]
    rows = {(names[random.integers(4)], *piece) for piece in pieces for _ in range(random.integers(1, 3))}
    after = {names[n]: names[random.integers(n)] for n in range(1, 4) if random.random() < 0.3}
    by_key = {(row[0], row[1], row[2], row[3:4]): row for row in sorted(rows, key=str)}
    given_ = gaps.facts(small(list(by_key.values()), {name: after.get(name, "") for name in names}), year=2025)
    for areas in (["a1"], ["a2"]):
        enough = set()
        for size in range(5):
            for chosen in itertools.combinations(names, size):
                done = given_.complete(chosen)
                if not any(key[3] == "app" and key[2] in ("", *areas) for key in _find.open_gaps(given_, done)):
                    enough.add(done)
        found = gaps.shortest(given_, ["app"], areas=areas)
        assert found.attrs["possible"] == bool(enough)
        if enough:
            assert len(found) == min(map(len, enough))
            assert frozenset(found.project) in enough


def test_growth_counts_the_devices_of_delivered_projects(simple):
    given_ = simple
    schedule = pd.DataFrame({"project": ["p2"], "year": [2027]})
    table = gaps.growth(given_, schedule, [2026, 2027]).set_index(["area", "year"])
    assert table.number.to_dict() == {("a1", 2026): 1, ("a1", 2027): 3, ("a2", 2026): 3, ("a2", 2027): 3}
    assert table.number_today["a1"].tolist() == [1, 1]


def test_a_project_begins_when_those_before_it_are_done():
    tables = small(SIMPLE, after={"p1": "p2|p3", "p2": "p4"})
    tables["projects"]["duration_yr"] = [0.5, 1.0, 2.5, 1.5, 0.25, 3.0]
    found = gaps.earliest(gaps.facts(tables, year=2025), 2026).set_index("project").year
    # p4 takes 1.5 years, p2 one more, p3 2.5: p1 begins in the middle of 2028 and is done with it
    assert found.to_dict() == {"p1": 2028, "p2": 2028, "p3": 2028, "p4": 2027, "p5": 2026, "p6": 2028}


def test_the_way_to_each_application_and_what_each_project_closes(simple):
    way = gaps.routes(simple).iloc[0]
    assert (way.application, way.projects, way.route, way.never) == ("app", 4, "p1, p2, p3, p4", "")
    assert way.capex_keur == 10 + 11 + 12 + 13
    counted = gaps.by_project(simple).set_index("project").gaps.to_dict()
    assert counted == {"p1": 4, "p2": 1, "p3": 1, "p4": 1, "p5": 0, "p6": 0}


def test_changes_between_states_are_named_by_kind(simple):
    found = gaps.changes(gaps.state(simple), gaps.state(simple, ["p1", "p3"]), "now to then")
    assert found.to_numpy().tolist() == [
        ["now to then", "systems", "C", "new", ""],
        ["now to then", "interfaces", "old", "replaced", "new"],
        ["now to then", "interfaces", "new", "new", ""],
        ["now to then", "links", "s1-c", "new", ""],
    ]
    names = {name: state.projects for name, state in gaps.states(simple).items()}
    assert names == {"As is": (), "Interim": (), "Target": ("p1", "p2", "p3", "p4", "p5", "p6")}


def test_flows_of_an_application_come_with_what_they_miss(simple):
    flows, missed, links = gaps.flows_of(gaps.delivered(simple), "app")
    assert (flows.site.tolist(), missed.site.tolist(), links.link.tolist()) == (["s1", "s2"], ["s1"], ["s2-c"])
    assert flows[["site_kind", "to_system"]].to_numpy().tolist() == [["station", "A"]] * 2
    with pytest.raises(ParameterError, match="application 'flisr': asks for no communication; known: app"):
        gaps.flows_of(gaps.delivered(simple), "flisr")


# --- errors -----------------------------------------------------------------------------------------------------------------


def broken(table: str, **cells: object) -> str:
    """What is said when cells of the first row of a table are changed."""
    tables = small(SIMPLE, after={"p1": "p2"})
    for column, value in cells.items():
        tables[table].loc[0, column] = value
    with pytest.raises(StudyError) as caught:
        gaps.check(tables)
    return str(caught.value)


def test_a_need_or_a_delivery_of_something_unknown_is_named_with_its_row():
    assert "needs.csv, row 2, column 'item': 'AA' is no system" in broken("needs", item="AA")
    assert "needs.csv, row 2, column 'item': 'A' names no two systems; write from>to" in broken("needs", kind="interface")
    assert "needs.csv, row 2, column 'number': is empty" in broken("needs", kind="device", item="switch")
    assert "deliveries.csv, row 2, column 'item': 'D' is no system" in broken("deliveries", item="D")
    assert "deliveries.csv, row 2, column 'project': 'p9' is not in 'projects'" in broken("deliveries", project="p9")
    assert "interfaces.csv, row 2, column 'from_system': 'Z' is not in 'systems'" in broken("interfaces", from_system="Z")
    assert "links.csv, row 2, column 'to_site': 'nowhere' is not in 'sites'" in broken("links", to_site="nowhere")
    assert "systems.csv, row 2, column 'zone': is empty" in broken("systems", zone="")
    assert "systems.csv, row 2, column 'availability': 1.01 is above 1" in broken("systems", availability=1.01)
    assert "media.csv, row 2, column 'latency_ms': -3 is below 0 [ms]" in broken("media", latency_ms=-3)


def test_an_interface_or_a_link_to_nowhere_new_is_named_with_its_row():
    assert "interfaces.csv, row 2, column 'to_system': interface 'old' goes from 'A' to itself" in broken(
        "interfaces", to_system="A"
    )
    assert "system 'B' is not; make the interface planned, or the system present" in _planned()
    assert "links.csv, row 2, column 'to_site': goes from 's1' to itself; name its other end" in broken("links", to_site="s1")


def _planned() -> str:
    tables = small(SIMPLE)
    tables["systems"].loc[1, "status"] = "planned"
    with pytest.raises(StudyError) as caught:
        gaps.check(tables)
    return str(caught.value)


def test_cycles_of_projects_and_of_needs_name_their_rows():
    said = broken("projects", after="p1")
    assert "projects.csv, row 2, column 'after': a cycle of projects that wait for each other: p1 > p1 (rows 2)" in said
    tables = small(SIMPLE)
    tables["applications"] = frame("application group", ("app", "voltage"), ("other", "voltage"), label="x")
    ring = (
        tables["needs"]
        .iloc[:2]
        .assign(need=["m1", "m2"], kind="application", application=["app", "other"], item=["other", "app"])
    )
    tables["needs"] = pd.concat([tables["needs"], ring], ignore_index=True)
    with pytest.raises(StudyError, match=r"a cycle of applications that need each other: .*\(rows 8, 9\)"):
        gaps.check(tables)


def test_missing_tables_and_unknown_names_are_said(simple):
    tables = small(SIMPLE)
    assert gaps.given(tables)
    del tables["media"]
    assert not gaps.given(tables)
    with pytest.raises(StudyError, match=r"media\.csv: is missing"):
        gaps.check(tables)
    given_ = simple
    with pytest.raises(ParameterError, match="area 'a3': does not exist"):
        gaps.shortest(given_, ["app"], areas=["a3"])
    with pytest.raises(ParameterError, match="project 'p7': does not exist"):
        gaps.state(given_, ["p7"])


# --- the bundled study ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def bundled():
    tables = {name: pd.read_csv(DATA / f"{name}.csv", dtype=str, keep_default_na=False) for name in _check.NEEDED}
    return gaps.facts(tables, year=2025)


def test_no_application_of_the_bundled_study_is_ready_today_and_each_says_why(bundled):
    table = gaps.verdicts(bundled)
    assert len(table) == 12 * 4
    assert table.verdict.eq("not ready").all()
    assert (table.reasons.str.len() > 20).all()
    assert table.never.eq("").all()


def test_every_gap_of_the_bundled_study_is_closed_by_listed_projects(bundled):
    found = gaps.find(bundled)
    assert set(found.kind) == {"system", "interface", "standard", "device", "communication", "security", "capability"}
    assert not found.closed_by.eq("no project").any()
    listed = {name for cell in found.closed_by for name in cell.replace("|", "+").split(" + ")}
    assert gaps.verdicts(bundled, projects={name.strip() for name in listed}).verdict.eq("ready").all()
    assert gaps.find(bundled, projects=bundled.order).empty


def test_the_interim_state_runs_some_applications_and_the_target_is_clean(bundled):
    projects = bundled.tables["projects"]
    interim = projects.loc[projects.state == "interim", "project"]
    table = gaps.verdicts(bundled, projects=interim)
    assert 0 < table.verdict.eq("ready").sum() < len(table)
    states = {name: gaps.state(bundled, done).tables for name, done in {"as is": [], "target": projects.project}.items()}
    broken = {
        name: architecture.violations(held["systems"], held["interfaces"], held["standards"], year=2025)
        for name, held in states.items()
    }
    assert set(broken["as is"].rule) >= {
        "ends_in_dmz",
        "enterprise_to_control",
        "legacy_stays_inside",
        "remote_access",
        "supported",
    }
    assert broken["target"].empty
    assert len(architecture.plane(states["target"]["systems"])) == 29  # thirty, less the trouble-call system


def test_flisr_needs_both_radio_networks_in_the_bundled_study(bundled):
    alone = gaps.shortest(bundled, ["flisr"], areas=["S1-F1"])
    assert {"private_radio", "public_access", "adms", "field_S1-F1"} <= set(alone.project)
    assert not any(name.startswith("meters") for name in alone.project)
    rest = set(alone.project) - {"public_access", "field_S1-F1"}
    assert gaps.verdicts(bundled, projects=rest).query("application == 'flisr' and area == 'S1-F1'").verdict.item() == "not ready"
    flows = gaps.delivered(bundled, alone.project).flows.query("application == 'flisr' and area == 'S1-F1'")
    assert (flows.availability >= 0.9995).all()
    assert (flows.availability_single < 0.9995).all()
    assert flows.second_ownership.eq("public").all()
    gain = communications.redundancy(gaps.delivered(bundled, bundled.order)).set_index(["application", "area"]).gain_min
    assert gain["flisr", "S1-F1"] > 600


def test_the_availability_of_a_federated_pair_is_that_of_its_small_network(bundled):
    tables = gaps.state(bundled, bundled.order).tables
    model = communications.Model(common_cause_shared=0, common_cause_diverse=0)
    found = communications.deliver(bundled.flows, tables["sites"], tables["links"], tables["media"], model=model).flows
    own = tables["links"].query("status == 'present'")
    up = own["availability"].astype(float).fillna(own["medium"].map(tables["media"].set_index("medium")["availability"]))
    ends = [frozenset(pair) for pair in zip(own["from_site"], own["to_site"], strict=True)]
    places = tables["sites"].set_index("site")["availability"].to_dict()
    rows = found[(found["application"] == "flisr") & (found["availability"] > found["availability_single"])]
    assert len(rows) == 24
    for row in rows.itertuples():
        hops = {frozenset(pair) for path in (row.path, row.second_path) for pair in itertools.pairwise(path.split(" > "))}
        net = own[[pair in hops for pair in ends]].assign(availability=up)
        assert len(net) == len(hops)
        exact = communications.two_terminal(net, row.site, row.to_site, sites=places)
        assert row.availability == pytest.approx(exact, abs=1e-12)


def test_places_of_the_bundled_study_are_those_of_the_network(bundled):
    net = network.open(DATA / "network.json")
    sites = bundled.tables["sites"]
    own = sites[sites.bus.notna()].astype({"bus": int})
    where = network.coordinates(net).loc[own.bus]
    assert np.allclose(own[["longitude", "latitude"]], where[["x", "y"]], atol=1e-6)
    areas = network.areas(net).set_index("bus").area
    stations = own[own.kind.isin(["station", "switching station"])]
    assert stations.areas.tolist() == areas[stations.bus].tolist()
    assert set(stations.bus) == set(net.load.bus)
    assert set(own.loc[own.kind == "substation", "bus"]) == set(net.trafo.lv_bus)
    assert stations[stations.kind == "switching station"].groupby("areas").size().eq(6).all()


def test_applications_of_the_bundled_study_are_those_whose_effect_is_computed(bundled):
    table = bundled.tables["applications"]
    own = {group: tuple(part["application"]) for group, part in table.groupby("group", sort=False)}
    assert {group: set(names) for group, names in own.items()} == {group: set(names) for group, names in assess.GROUPS.items()}
    assert set(bundled.tables["needs"]["application"]) == set(table["application"])


def test_every_row_of_the_bundled_inventory_has_a_source(bundled):
    for table in bundled.tables.values():
        assert (table.source.str.len() > 5).all()
    assert bundled.tables["systems"].status.eq("present").sum() == 21
