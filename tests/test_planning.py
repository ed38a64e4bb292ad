"""From metrics to a roadmap, its money and its scores: small tables with answers by hand, and a second way to every sum."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from gridplan import explorers, planning, roadmap, robustness, scoring, valuation
from gridplan.errors import ParameterError, StudyError

MARKS = {"source": "test", "evidence": "M"}
FIRST, LAST, RATE = 2026, 2035, 0.04
CUSTOMERS = {"north": 1000.0, "south": 3000.0}


def metrics(scenarios=("low", "high")) -> pd.DataFrame:
    """Two areas, two groups, two years: minutes and cost of interruptions, losses and load."""
    rows = []
    effect = {"flisr": 0.5, "monitoring": 1.0, "voltvar": 1.0}
    for scenario, area, year in itertools.product(scenarios, CUSTOMERS, (2025, LAST)):
        growth = (1.0 if scenario == "low" else 1.5) * (1.0 if year == 2025 else 1.2)
        for option in ("none", "flisr"):
            minutes = 20.0 * effect.get(option, 1.0)
            cost = 60.0 * growth * effect.get(option, 1.0) * CUSTOMERS[area] / 1000
            row = {"customers": CUSTOMERS[area], "saidi_min": minutes, "interruption_cost_keur": cost}
            rows.append({"area": area, "group": "restoration", "option": option, "scenario": scenario, "year": year, **row})
        for option in ("none", "voltvar"):
            less = 1.0 if option == "none" else 0.97
            row = {"load_mwh": 1e4 * growth * less, "losses_mwh": 300.0 * growth * less, "failed_h": 0.0}
            rows.append({"area": area, "group": "voltage", "option": option, "scenario": scenario, "year": year, **row})
    return pd.DataFrame(rows)


PROJECTS = pd.DataFrame(
    {
        "project": ["platform", "switches_north", "switches_south", "taps"],
        "label": ["Platform", "Switches north", "Switches south", "Tap control"],
        "workstream": "w",
        "state": "target",
        "capex_keur": [300.0, 100.0, 200.0, 50.0],
        "opex_keur_per_yr": [10.0, 2.0, 4.0, 1.0],
        "duration_yr": [1.5, 1.0, 1.0, 0.5],
        "after": ["", "platform", "platform", "platform"],
        "fund": "grid",
        "lifetime_yr": [5.0, 20.0, 20.0, np.nan],
        "class_of_spend": ["platform", "benefit", "benefit", "benefit"],
        "cost_class": [4, 3, 3, 3],
        "spend_profile": ["0.3|0.7", "", "", ""],
        "mandatory": [False, False, False, False],
        **MARKS,
    }
)
CLOSURES = pd.DataFrame(
    [
        ("system", "ADMS", "", "flisr", 1, "platform"),
        ("device", "switch", "north", "flisr", 1, "switches_north"),
        ("device", "switch", "south", "flisr", 1, "switches_south"),
        ("system", "ADMS", "", "voltvar", 1, "platform"),
        ("device", "tap", "", "voltvar", 1, "taps"),
    ],
    columns=["kind", "item", "area", "application", "way", "project"],
)
PRICES = pd.DataFrame(
    [("wholesale_energy", 70.0, "per MWh"), ("loss_energy", 80.0, "per MWh")], columns=["item", "value", "unit"]
).assign(year=2024, price_year=2024, currency="EUR", **MARKS)
ITEMS = dict.fromkeys(["emission_factor", "carbon_value", "carbon_in_energy", "retail_energy"])
DECLARED = pd.DataFrame(
    {"benefit": "fewer journeys", "kind": "application", "item": "flisr", "area": "", "stream": "operating_saving", "value": 9.0}
    | {"unit": "k/yr", "first_year_offset_yr": 0, **MARKS},
    index=[0],
)


@pytest.fixture(scope="module")
def case() -> planning.Case:
    table = metrics()
    money = valuation.Money("EUR", 2024)
    worth = valuation.benefits(table, PRICES, money=money, deferred=valuation.Capital(RATE, 40), items=ITEMS)
    tables = {"projects": PROJECTS, "declared_benefits": DECLARED, "applications": pd.DataFrame({"application": [], "label": []})}
    return planning.Case(
        tables=tables,
        assumptions={"discount_rate_percent": 100 * RATE, "network_lifetime_yr": 40.0},
        metrics=table,
        money=money,
        benefits=worth,
        contributions=planning.contributions(table),
        closures=CLOSURES,
        unavailable=valuation.unavailable(table),
    )


@pytest.fixture(scope="module")
def found(case) -> roadmap.Roadmap:
    return roadmap.solve(planning.portfolio(case, "high"), planning.choices(case))


def test_parts_of_saidi_add_up_to_the_mean_over_customers():
    parts = planning.contributions(metrics(["low"]), ["saidi_min"])
    now = parts[(parts["year"] == 2025) & (parts["group"] == "restoration")].set_index(["area", "option"])["saidi_min"]
    assert now["north", "none"] + now["south", "none"] == pytest.approx(20.0)
    assert now["north", "flisr"] + now["south", "none"] == pytest.approx((10 * 1000 + 20 * 3000) / 4000)
    assert parts.loc[parts["group"] == "voltage", "saidi_min"].eq(0).all()


def test_a_quantity_of_two_groups_is_counted_once_and_changed_by_both():
    rows = metrics(["low"])
    flexible = rows[rows["group"] == "voltage"].replace({"group": {"voltage": "flexibility"}, "option": {"voltvar": "storage"}})
    flexible = flexible.assign(losses_mwh=flexible["losses_mwh"] + 7.0)  # another model of the same network
    parts = planning.contributions(pd.concat([rows, flexible], ignore_index=True), ["losses_mwh"])
    now = parts[parts["year"] == 2025].set_index(["area", "group", "option"])["losses_mwh"]
    assert now["north", "voltage", "none"] == 300.0
    assert now["north", "flexibility", "none"] == 0.0
    assert now["north", "flexibility", "storage"] == pytest.approx(-9.0)


def test_an_unknown_kpi_is_refused_with_the_known_ones():
    with pytest.raises(ParameterError, match="did you mean"):
        planning.contributions(metrics(), ["saidi"])


def test_roadmap_valuation_and_robustness_come_to_the_same_value(case, found):
    """The same plan three ways: sum of the roadmap's years, flows by stream, and the arrays of all samples."""
    assert set(found.schedule["project"]) == set(PROJECTS["project"])  # replacement, profile, no lifetime: all are in it
    flows = planning.cash_flows(case, found, "high")
    rates = valuation.discount(case.assumptions, FIRST)
    by_flows = valuation.present_by(flows[flows["kind"] != "declared"], rates).sum()
    terms = robustness.Terms(RATE, FIRST, {"high": 1.0})
    sampled = robustness.evaluate(planning.plan(case, found), terms).money["npv_keur"].item()
    assert found.money["discounted_net_keur"].sum() == pytest.approx(found.value, rel=1e-9)
    assert by_flows == pytest.approx(found.value, rel=1e-9)
    assert sampled == pytest.approx(found.value, rel=1e-9)
    assert planning.break_even(case, found, "high")["npv_keur"] == pytest.approx(found.value, rel=1e-9)


def test_declared_benefits_stand_apart_from_every_sum(case, found):
    flows = planning.cash_flows(case, found, "high")
    first = found.options.loc[found.options["option"] == "flisr", "year"].min()
    said = flows[flows["kind"] == "declared"].set_index("year")["value_keur"]
    assert said.to_dict() == dict.fromkeys(range(first, LAST + 1), 9.0)
    assert "operating_saving" not in set(planning.streams_by_year(case, found, "high")["stream"])
    assert planning.break_even(case, found, "high")["declared_keur"] > 0


def test_at_the_break_even_value_of_a_minute_the_plan_is_worth_nothing(case, found):
    worth = planning.break_even(case, found, "high")
    change = (worth["break_even_eur"] - worth["value_eur"]) * worth["pv_minutes"] / 1000
    assert worth["npv_keur"] + change == pytest.approx(0.0, abs=1e-6)
    saved = found.kpis.set_index("year")
    saved = saved[saved["kpi"] == "saidi_min"]
    assert worth["minutes"] == pytest.approx(((saved["without"] - saved["value"]) * 4000).sum())


def test_costs_by_class_add_up_to_the_cost_of_the_roadmap(case, found):
    flows = planning.cash_flows(case, found, "high")
    cost = valuation.present_by(flows[flows["kind"] == "cost"], valuation.discount(case.assumptions, FIRST)).sum()
    assert planning.by_class(case, found)["pv_cost_keur"].sum() == pytest.approx(-cost)


def test_shares_of_projects_add_up_to_what_all_of_them_bring(case):
    values = planning.alternatives(with_criteria(case, criteria("reliability", "efficiency")), "high")
    rates = valuation.discount(case.assumptions, FIRST)
    rows = case.benefits[(case.benefits["scenario"] == "high") & (case.benefits["year"] >= FIRST)]
    for name, streams in (("reliability", ["interruption_cost"]), ("efficiency", ["energy", "losses"])):
        whole = rows[rows["stream"].isin(streams)].rename(columns={"benefit_keur": "value_keur"})
        shared = values.loc[values["criterion"] == name, "value"].sum()
        assert shared == pytest.approx(valuation.present_by(whole, rates).sum())
    north = values[(values["project"] == "switches_north") & (values["criterion"] == "reliability")]["value"].item()
    assert north > 0


def test_a_criterion_that_nothing_computes_is_refused(case):
    with pytest.raises(StudyError, match="beauty"):
        planning.alternatives(with_criteria(case, criteria("beauty")), "high")


def criteria(*names: str) -> pd.DataFrame:
    even = {"unit": "kEUR", "direction": "more", "low": 0.0, "high": 1000.0, "weight": 1 / len(names), "keur_per_unit": 1.0}
    return pd.DataFrame({"criterion": list(names), "label": list(names), **even, **MARKS})


def with_criteria(case: planning.Case, table: pd.DataFrame) -> planning.Case:
    return replace(case, tables={**case.tables, "criteria": table})


def test_scores_and_screening_take_the_values_as_they_are(case, found):
    own = with_criteria(case, criteria("reliability", "efficiency"))
    values = planning.alternatives(own, "high")
    table = scoring.screen(planning.screening(own, found, values))
    assert table.set_index("project")["test"].to_dict()["platform"] == "least_cost"
    benefit = table[table["test"] == "benefit_cost"]
    assert benefit["passed"].notna().all()
    costs = planning.costs(own, FIRST, LAST)
    assert (
        scoring.routes(planning.criteria(own), values, scoring.direct(planning.criteria(own)), costs).table["bcr"].notna().all()
    )


def simulated(case: planning.Case, found: roadmap.Roadmap, *, off: float = 1.0) -> pd.DataFrame:
    """What a simulation would return if groups and areas added up, and losses saved were off by a factor."""
    rows = []
    for scenario, area in itertools.product(case.scenarios, CUSTOMERS):
        own = case.metrics[
            (case.metrics["scenario"] == scenario) & (case.metrics["area"] == area) & (case.metrics["year"] == LAST)
        ]
        used = found.options[(found.options["area"] == area) & (found.options["year"] == LAST)].set_index("group")["option"]
        for name in ("none", "roadmap"):
            row = {"area": area, "group": "all groups", "option": name, "scenario": scenario, "year": LAST}
            for group, part in own.groupby("group"):
                wanted = part[part["option"] == ("none" if name == "none" else used[group])].dropna(axis=1).iloc[0]
                row |= {c: wanted[c] for c in wanted.index if c not in row}
            rows.append(row)
    table = pd.DataFrame(rows)
    base = table["option"].eq("none")
    saved = table["losses_mwh"] - table["losses_mwh"].where(base).ffill()
    return table.assign(losses_mwh=table["losses_mwh"] + (off - 1) * saved)


def test_a_replay_of_what_adds_up_agrees_and_says_so(case, found):
    table = planning.replayed(case, found, simulated(case, found))
    assert table["error_percent"].abs().max() < 1e-6
    assert set(table["reason"]) == {"within 1 %"}
    money = planning.replayed_benefits(case, found, simulated(case, found), PRICES, items=ITEMS)
    assert money["error_percent"].abs().max() < 1e-6


def test_without_a_replay_there_is_nothing_to_compare(case, found):
    nothing = simulated(case, found).iloc[:0]
    assert planning.replayed(case, found, nothing).empty
    assert planning.replayed_benefits(case, found, nothing, PRICES, items=ITEMS).empty


def test_a_replay_that_differs_says_why(case, found):
    table = planning.replayed(case, found, simulated(case, found, off=0.9)).set_index(["kpi", "scenario"])
    losses = table.loc["losses_mwh", "high"]
    assert losses["error_percent"] == pytest.approx(-100 * (1 / 0.9 - 1))
    assert "groups act on each other (restoration, voltage)" in losses["reason"]
    assert table.loc["saidi_min", "high"]["reason"] == "within 1 %"


def test_the_best_plan_of_a_scenario_has_no_regret_in_it(case):
    choices = planning.choices(case)
    plans = planning.in_each_future(case, choices)
    table = planning.regret(case, plans).table.set_index(["plan", "future"])["regret"]
    assert table["best for low", "low"] == pytest.approx(0.0, abs=1e-6)
    assert table["best for high", "high"] == pytest.approx(0.0, abs=1e-6)
    sure = planning.decisions(case, plans, now=FIRST)
    assert set(sure["project"]) <= set(PROJECTS["label"])


def test_a_scenario_without_metrics_is_refused(case):
    with pytest.raises(ParameterError, match="did you mean 'high'"):
        planning.portfolio(case, "hihg")


def test_the_explorer_of_weights_ranks_again_and_refuses_no_weight_in_words(case):
    table = criteria("reliability", "efficiency")
    values = planning.alternatives(with_criteria(case, table), "high")
    explorer = explorers.weights(table, values, labels=case.labels)
    first = explorer.shown[0].table["contribution_points"].sum()
    explorer.controls["efficiency"].value = 0
    assert explorer.fault == ""
    assert explorer.shown[0].table["contribution_points"].sum() != pytest.approx(first)
    explorer.controls["reliability"].value = 0
    assert "weight" in explorer.shown[0].markdown


def test_the_explorer_of_budgets_solves_again(case):
    budgets = pd.DataFrame({"year": range(FIRST, LAST + 1), "fund": "grid", "kind": "capex", "budget_keur": 400.0, **MARKS})
    own = replace(case, tables={**case.tables, "budgets": budgets})
    explorer = explorers.budget(own, "high", planning.choices(own, time_limit_s=5.0))
    many = len(explorer.shown[0].table)
    explorer.controls["percent"].value = 10
    assert explorer.fault == ""
    assert len(explorer.shown[0].table) < many
