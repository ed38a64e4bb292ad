"""Interface register, matrix, coverage, chains, effort, differences and security rules on seeded architectures."""

import pandas as pd
import pytest

from gridplan import architecture
from gridplan.errors import ParameterError, StudyError

MARKS = {"source": "test", "evidence": "M"}
LEVELS = {"RTU": (2, "substation"), "SCADA": (3, "control"), "DMZ": (3.5, "dmz"), "ESB": (4, "office"), "GIS": (4, "office")}
LEVELS |= {"CIS": (4, "office"), "VENDOR": (5, "external")}


def systems(**changes: dict[str, object]) -> pd.DataFrame:
    rows = [(name, name, level, zone) for name, (level, zone) in LEVELS.items()]
    table = pd.DataFrame(rows, columns=["system", "label", "purdue_level", "security_zone"]).set_index("system", drop=False)
    table = table.assign(side="OT", domain="distribution", zone="operation", availability=0.99, redundant=False)
    table = table.assign(support_until=2030, status="present", replaces="", **MARKS)
    for column, values in changes.items():
        for name, value in values.items():
            table.loc[name, column] = value
    return table.reset_index(drop=True)


def interface(from_system: str, to_system: str, **changes: object) -> dict[str, object]:
    usual = {"via": "", "flow": "data", "direction": "one way", "standard": "CIM", "interoperability": 3}
    usual |= {"authentication": "individual", "encryption": True, "tunnel": False, "remote_access": False, "status": "present"}
    name = f"{from_system}-{to_system}"
    return {"interface": name, "from_system": from_system, "to_system": to_system, "replaces": ""} | usual | MARKS | changes


STANDARDS = pd.DataFrame(
    [("CIM", "CIM", "current"), ("OLD", "serial", "legacy"), ("OWN", "vendor", "proprietary")],
    columns=["standard", "family", "status"],
).assign(label="x", **MARKS)
CLEAN = [
    interface("RTU", "SCADA", direction="both ways"),
    interface("GIS", "SCADA", via="DMZ"),
    interface("VENDOR", "DMZ", remote_access=True, authentication="multi-factor"),
    interface("CIS", "GIS", standard="OLD", authentication="none", encryption=False),
    interface("GIS", "RTU", via="DMZ", standard="OLD", tunnel=True),
]


def findings(*rows: dict[str, object], year: int = 2025, table: pd.DataFrame | None = None) -> list[tuple[str, int]]:
    found = architecture.violations(systems() if table is None else table, pd.DataFrame(rows), STANDARDS, year=year)
    return list(zip(found.rule, found.row, strict=True))


def test_a_clean_architecture_has_no_findings():
    assert findings(*CLEAN) == []


@pytest.mark.parametrize(
    ("seeded", "rules"),
    [
        (interface("CIS", "RTU"), {"enterprise_to_control"}),
        (interface("RTU", "GIS"), {"enterprise_to_control"}),
        (interface("CIS", "SCADA"), {"ends_in_dmz"}),
        (interface("CIS", "SCADA", via="ESB"), {"ends_in_dmz"}),
        (interface("VENDOR", "SCADA"), {"ends_in_dmz"}),
        (interface("SCADA", "RTU", standard="OLD"), {"legacy_stays_inside"}),
        (interface("SCADA", "RTU", authentication="none"), {"authenticated_at_boundary"}),
        (interface("SCADA", "RTU", encryption=False), {"encrypted_at_boundary"}),
        (interface("VENDOR", "DMZ", remote_access=True), {"remote_access"}),
        (interface("VENDOR", "GIS", remote_access=True, authentication="multi-factor"), {"remote_access"}),
        (
            interface("CIS", "RTU", standard="OLD", encryption=False),
            {"enterprise_to_control", "legacy_stays_inside", "encrypted_at_boundary"},
        ),
    ],
)
def test_a_seeded_violation_is_found_in_its_row_and_nothing_else(seeded, rules):
    rows = [row for row in CLEAN if row["interface"] != seeded["interface"]]
    assert set(findings(*rows, seeded)) == {(rule, len(rows) + 2) for rule in rules}


def test_a_violation_in_the_plan_only_is_not_yet_one():
    assert findings(*CLEAN, interface("CIS", "SCADA", status="planned")) == []


def test_a_system_past_its_support_is_found_in_the_year_after():
    table = systems(support_until={"GIS": 2025})
    assert findings(*CLEAN, year=2025, table=table) == []
    assert findings(*CLEAN, year=2026, table=table) == [("supported", 6)]
    assert findings(*CLEAN, year=2026, table=table.assign(support_until=pd.NA)) == []


def test_every_rule_has_a_title_a_source_and_a_remedy():
    table = architecture.rules()
    assert list(table.rule) == list(architecture.RULES)
    assert (table[["title", "source"]] != "").all(axis=None)
    found = architecture.violations(systems(), pd.DataFrame([*CLEAN, interface("CIS", "RTU")]), STANDARDS, year=2025).iloc[0]
    assert found.found == "CIS (level 4) reaches RTU (level 2) directly"
    assert "demilitarised zone" in found.remedy


def test_the_matrix_holds_the_standards_of_every_pair_and_both_ways_twice():
    table = architecture.matrix(systems(), pd.DataFrame([*CLEAN, interface("GIS", "CIS", standard="OWN")]), STANDARDS)
    assert table.loc["RTU", "SCADA"] == table.loc["SCADA", "RTU"] == "CIM"
    assert (table.loc["CIS", "GIS"], table.loc["GIS", "CIS"]) == ("OLD", "OWN")
    assert (table != "").to_numpy().sum() == 7
    assert list(table.index) == list(LEVELS)


def test_coverage_counts_families_and_what_is_current():
    table = architecture.coverage(systems(), pd.DataFrame(CLEAN), STANDARDS).set_index("family")
    assert table.loc["all", ["interfaces", "current", "legacy", "proprietary"]].tolist() == [5, 3, 2, 0]
    assert table.loc["serial", "share_of_all_percent"] == pytest.approx(40)
    assert table.index[-1] == "all"


def test_interoperability_levels_run_from_0_to_5_and_are_counted():
    rows = pd.DataFrame([interface("CIS", "GIS", interoperability=1), interface("GIS", "CIS", interoperability=4)])
    table = architecture.interoperability(systems(), rows, STANDARDS)
    assert table.level.tolist() == [0, 1, 2, 3, 4, 5]
    assert table.interfaces.tolist() == [0, 1, 0, 0, 1, 0]
    assert (table[["statement", "gwac", "sgimm"]] != "").all(axis=None)


def test_a_chain_is_the_product_of_the_systems_along_it_and_names_single_points():
    needs = pd.DataFrame(
        [("one", "system", "RTU"), ("one", "interface", "GIS>SCADA"), ("two", "system", "CIS"), ("two", "capability", "x")],
        columns=["application", "kind", "item"],
    )
    table = systems(availability={"DMZ": 0.9}, redundant={"SCADA": True}, status={"CIS": "planned"})
    rows = pd.DataFrame([row for row in CLEAN if row["from_system"] != "CIS"])
    found = architecture.chains(needs, table, rows, STANDARDS).set_index("application")
    assert set(found.systems["one"].split("|")) == {"RTU", "GIS", "SCADA", "DMZ"}
    assert found.availability["one"] == pytest.approx(0.99**3 * 0.9)
    assert found.down_h["one"] == pytest.approx(8760 * (1 - 0.99**3 * 0.9))
    assert found.single_points["one"] == "DMZ|RTU|GIS"
    assert (found.missing["two"], found.availability["two"]) == ("CIS", 0.0)


def test_a_chain_holds_those_of_the_applications_that_it_needs():
    rows = [("one", "application", "two"), ("two", "application", "three"), ("two", "system", "RTU"), ("three", "system", "GIS")]
    needs = pd.DataFrame(rows, columns=["application", "kind", "item"])
    found = architecture.chains(needs, systems(), pd.DataFrame(CLEAN), STANDARDS).set_index("application")
    assert found.systems.to_dict() == {"one": "RTU|GIS", "two": "RTU|GIS", "three": "GIS"}


def test_effort_is_the_hand_computed_one():
    rows = pd.DataFrame(
        [
            interface("CIS", "GIS", via="ESB"),
            interface("GIS", "VENDOR", standard="OWN"),
            interface("RTU", "SCADA", standard="OLD"),
        ]
    )
    found = architecture.effort(systems(), rows, STANDARDS).set_index("way")
    assert found.days["point to point"] == 2 * (15 + 40 + 25)
    # over the bus: CIS and GIS speak a current standard, GIS and VENDOR a proprietary one; RTU stays direct
    assert found.days["bus"] == 2 * 25 + (2 * 15 + 2 * 40) + 2 * 8 + 120
    assert found.days["as it is"] == 2 * 40 + 2 * 25 + 2 * 15 + 8 + 120
    assert found.adapters.to_dict() == {"point to point": 6, "bus": 6, "as it is": 6}


def test_the_difference_of_two_states_says_what_is_new_gone_and_replaced():
    before = pd.DataFrame([interface("CIS", "GIS"), interface("GIS", "CIS"), interface("RTU", "SCADA")])
    after = pd.DataFrame([interface("CIS", "GIS", interface="bus", replaces="CIS-GIS"), interface("RTU", "SCADA")])
    found = architecture.difference(before, after, key="interface")
    assert found.to_numpy().tolist() == [["CIS-GIS", "replaced", "bus"], ["GIS-CIS", "gone", ""], ["bus", "new", ""]]
    with pytest.raises(ParameterError, match="did you mean 'interface'"):
        architecture.difference(before, after, key="interfaces")


def test_the_plane_numbers_the_systems_of_a_cell():
    table = architecture.plane(systems(zone={"RTU": "station"}))
    cell = table[table.zone == "operation"]
    assert (cell.place_number.tolist(), set(cell.in_cell)) == (list(range(6)), {6})
    assert table.loc[table.system == "RTU", ["domain_number", "zone_number"]].to_numpy().tolist() == [[2, 2]]


@pytest.mark.parametrize(
    ("table", "rows", "said"),
    [
        (systems(zone={"GIS": ""}), CLEAN, "systems.csv, row 6, column 'zone': is empty"),
        (systems(security_zone={"GIS": ""}), CLEAN, "systems.csv, row 6, column 'security_zone': is empty"),
        (systems(), [*CLEAN, interface("CIS", "SCADAS")], "row 7, column 'to_system': 'SCADAS' is not in 'systems'; did"),
        (systems(availability={"RTU": 1.5}), CLEAN, "systems.csv, row 2, column 'availability': 1.5 is above 1"),
        (systems(status={"GIS": "planned"}), CLEAN[1:2], "interface 'GIS-SCADA' is in service, but system 'GIS' is not"),
        (systems(), [interface("CIS", "CIS")], "interface 'CIS-CIS' goes from 'CIS' to itself"),
    ],
)  # fmt: skip
def test_a_wrong_table_is_named_with_its_row(table, rows, said):
    with pytest.raises(StudyError) as caught:
        architecture.register(table, pd.DataFrame(rows), STANDARDS)
    assert said in str(caught.value.problems[0])
