"""The metrics table as a reader compares it, and what notebooks and the explorer show of it: from a table alone."""

import itertools

import pandas as pd
import pytest

from gridplan import assess, explorers, figures, tables

AREAS = ("A", "B")
COLUMNS = {"restoration": "saidi_min", "voltage": "losses_mwh", "flexibility": "outside_h"}
WORTH = {name: float(number) for number, name in enumerate(itertools.chain(*assess.GROUPS.values()), 1)}


@pytest.fixture(scope="module")
def metrics():
    """What an option saves is what its applications save alone, capped at 6: so gains overlap."""
    rows = []
    for group in assess.GROUPS:
        for scenario, year, option, area in itertools.product(("low", "high"), (2025, 2040), assess.options(group), AREAS):
            saved = min(6.0, sum(WORTH[name] for name in assess.members(option)))
            row = dict.fromkeys(assess.COLUMNS[group], 100.0)
            row |= {"customers": 30.0 if area == "A" else 10.0} if group == "restoration" else {}
            row[COLUMNS[group]] = 100.0 - saved - (year - 2025) / 10 - (5 if area == "B" else 0)
            if group == "flexibility":
                row["reinforcement_keur"] = 50.0 - 5 * len(assess.members(option))
            rows.append({"area": area, "group": group, "option": option, "scenario": scenario, "year": year} | row)
    return pd.DataFrame(rows)


def test_totals_weigh_indices_by_customers_and_sum_the_rest(metrics):
    table = assess.totals(metrics).set_index(["group", "option", "scenario", "year"])
    assert table.at[("restoration", "none", "low", 2025), "saidi_min"] == pytest.approx((30 * 100 + 10 * 95) / 40)
    assert table.at[("restoration", "none", "low", 2025), "customers"] == 40
    assert table.at[("voltage", "none", "low", 2025), "losses_mwh"] == 195
    assert table.at[("voltage", "none", "low", 2025), "energy_taken_mwh"] == 395
    assert table.at[("voltage", "none", "low", 2025), "failed_h"] == 100
    assert pd.isna(table.at[("voltage", "none", "low", 2025), "saidi_min"])


def test_gains_are_what_an_option_takes_away(metrics):
    table = assess.gains(metrics)
    assert (table.loc[table["option"] == "none", "losses_mwh"].dropna() == 0).all()
    own = table[(table["group"] == "restoration") & (table["option"] == "remote_control+flisr")]
    assert own["saidi_min"].unique() == pytest.approx([WORTH["remote_control"] + WORTH["flisr"]])
    assert (own["customers"] > 0).all()


def test_alone_and_together_shows_singles_and_all(metrics):
    table = assess.alone_and_together(metrics, "flexibility", "high", 2040)
    assert list(table["option"]) == ["As today", "Managed demand", "Storage", "DER management", "All together"]


def test_overlap_is_the_sum_of_singles_less_the_joint(metrics):
    found = assess.overlap(metrics, "low", 2025, {"SAIDI": ("restoration", "saidi_min")}).iloc[0]
    base = (30 * 100 + 10 * 95) / 40
    assert found["singles"] == pytest.approx(100 * 15 / base)
    assert found["joint"] == pytest.approx(100 * 6 / base)


def test_what_is_ticked_in_one_area_leaves_the_others(metrics):
    table = assess.chosen(metrics, "low", 2040, {"A": ("flisr", "voltvar", "fault_indicators")}).set_index(["area", "group"])
    assert table.at[("A", "restoration"), "option"] == "fault_indicators+flisr"
    assert table.at[("A", "voltage"), "option"] == "voltvar"
    assert set(table.loc["B", "option"]) == {"none"}


def test_every_output_of_the_notebook_has_words_numbers_and_columns_of_the_dictionary(metrics):
    shown = metrics[(metrics["scenario"] == "low") & (metrics["year"] == 2040)]
    shares = assess.overlap(metrics, "low", 2040, {"SAIDI": ("restoration", "saidi_min")})
    outputs = [
        figures.applications.options(assess.alone_and_together(metrics, "voltage", "low", 2040), column="losses_mwh", label="x"),
        figures.applications.overlap(shares, label="x"),
        figures.applications.by_area(assess.single_gains(shown, "voltage"), column="losses_mwh", label="MWh/yr"),
        figures.applications.paths(assess.gain_paths(metrics)),
        figures.applications.losses(assess.topology_losses(metrics)),
        figures.applications.flexibility(assess.flexibility_table(metrics, "low", 2040), "EUR"),
    ]
    for output in outputs:
        assert output.title
        assert output.caption
        frame = output.table if isinstance(output, figures.Figure) else output.frame
        assert [name for name in frame if tables.label(name) == name] == []


def test_additivity_is_summed_over_areas_and_says_its_worst(metrics):
    rows = [
        {"check": "groups", "group": "all groups", "area": area, "quantity": name, "none": 10.0, "added": 8.0, "joint": joint}
        for area, name, joint in (
            ("A", "losses_mwh", 8.0),
            ("B", "losses_mwh", 9.0),
            ("A", "saidi_min", 8.0),
            ("B", "saidi_min", 4.0),
        )
    ]
    errors = pd.DataFrame(rows).assign(error=lambda table: table["added"] - table["joint"], error_percent=0.0)
    errors["customers"] = errors["area"].map({"A": 300.0, "B": 100.0})
    whole = assess.additivity_totals(errors).set_index("quantity")
    assert whole.at["losses_mwh", "error_percent"] == pytest.approx(100 * -1 / 3)
    assert whole.at["saidi_min", "none"] == 10
    assert whole.at["saidi_min", "joint"] == pytest.approx(7.0)  # (300 * 8 + 100 * 4) / 400
    assert "33 %" in figures.applications.additivity(whole.reset_index()).title


def test_the_explorer_shows_what_ticks_give(metrics):
    explorer = explorers.applications(metrics, "low", 2040)
    assert not explorer.fault
    cards = {card.label: card for card in explorer.shown[0].cards}
    before = cards["SAIDI"].value
    explorer.controls["A"].value = ()
    after = {card.label: card for card in explorer.shown[0].cards}["SAIDI"].value
    assert after > before
    explorer.controls["B"].value = ("flisr",)
    assert {card.label: card for card in explorer.shown[0].cards}["SAIDI"].value < after
