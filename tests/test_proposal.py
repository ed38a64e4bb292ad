"""What a plan report says about a roadmap: money, traceability and KPIs by hand; words that hold for odd plans."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import test_planning as small

from gridplan import figures, planning, tables, valuation
from gridplan.errors import StudyError
from gridplan.planning._traceability import _shapley

case, MARKS = small.case, small.MARKS
ASSUMED = {
    "discount_rate_percent": 4.0,
    "network_lifetime_yr": 40.0,
    "inflation_percent": 2.0,
    "depreciation_yr": 10.0,
    "equity_share_percent": 40.0,
    "equity_return_percent": 6.0,
    "debt_rate_percent": 3.0,
    "tax_rate_percent": 25.0,
}
OBJECTIVES = pd.DataFrame(
    {
        "objective": ["supply", "losses", "people"],
        "label": ["Fewer minutes", "Fewer losses", "<People>"],
        "driver": "Law",
        "measure": "As computed",
        "kpi": ["saidi_min", "losses_mwh", ""],
        "capabilities": ["switching", "", "skills"],
        "streams": ["interruption_cost", "losses|energy", ""],
        **MARKS,
    }
)
NEEDS = pd.DataFrame({"application": ["flisr"], "kind": ["capability"], "item": ["switching"], "level": [2]})
DELIVERIES = pd.DataFrame({"project": ["switches_north", "taps"], "kind": "capability", "item": ["skills", "nothing asked"]})
CAPABILITIES = pd.DataFrame({"capability": ["switching", "skills"], "label": ["Switching", "Skills"]})
APPLICATIONS = pd.DataFrame({"application": ["flisr", "voltvar"], "label": ["FLISR", "Volt-var"]})


@pytest.fixture(scope="module")
def given(case) -> planning.Case:
    more = {
        "objectives": OBJECTIVES,
        "needs": NEEDS,
        "deliveries": DELIVERIES,
        "capabilities": CAPABILITIES,
        "applications": APPLICATIONS,
        "prices": small.PRICES,
    }
    return replace(case, tables={**case.tables, **more}, assumptions=ASSUMED)


@pytest.fixture(scope="module")
def own(given) -> planning.Proposal:
    return planning.proposal(given, "high", planning.choices(given))


def changed(given: planning.Case, **columns: object) -> planning.Case:
    """Return the case with other columns of the projects."""
    return replace(given, tables={**given.tables, "projects": given.tables["projects"].assign(**columns)})


def money(
    given: planning.Case, *, budget: float | None = None, target: float | None = None, must: bool = False
) -> planning.Proposal:
    """Solve the small problem with a budget in every year, a target, or everything mandatory."""
    more = {}
    if budget is not None:
        years = range(small.FIRST, small.LAST + 1)
        more["budgets"] = pd.DataFrame({"year": years, "fund": "grid", "kind": "capex", "budget_keur": budget, **MARKS})
    if target is not None:
        row = {"kpi": ["saidi_min"], "year": [small.LAST], "sense": ["at most"], "value": [target], **MARKS}
        more["targets"] = pd.DataFrame(row)
    own = replace(given, tables={**given.tables, **more})
    own = changed(own, mandatory=True) if must else own
    return planning.proposal(own, "high", planning.choices(own))


# --- money --------------------------------------------------------------------------------------------------------------


def test_present_values_come_to_the_value_of_the_roadmap(own):
    assert own.totals["npv_keur"] == pytest.approx(own.found.value)
    assert own.cumulative["npv_keur"].iloc[-1] == pytest.approx(own.found.value)
    parts = own.totals["capital_keur"] + own.totals["running_keur"] - own.totals["residual_keur"]
    assert own.totals["cost_keur"] == pytest.approx(parts)
    assert np.isclose(own.cumulative["pv_benefits_keur"].iloc[-1], own.totals["benefit_keur"])


def test_society_counts_every_simulated_stream_and_every_cost(own):
    tests = own.tests.set_index("test")
    assert tests.at["SCT", "npv_keur"] == pytest.approx(own.totals["npv_keur"])
    assert tests.at["UCT", "pv_benefits_keur"] < tests.at["SCT", "pv_benefits_keur"]  # interruptions are the customers'
    assert tests.at["SCT", "pv_declared_keur"] == pytest.approx(own.worth["declared_keur"])


def test_spend_by_class_adds_up_to_that_of_the_roadmap(own):
    for by in ("class_of_spend", "fund", "workstream"):
        table = planning.spend_by(own.case, own.found, by)
        for kind, column in (("capital", "capex_keur"), ("running", "opex_keur")):
            per_year = table[table["kind"] == kind].groupby("year")["spend_keur"].sum()
            expected = own.found.money.set_index("year")[column]
            assert per_year.reindex(expected.index, fill_value=0.0).to_numpy() == pytest.approx(expected.to_numpy())


def test_bills_are_written_off_in_equal_parts_with_running_cost_on_top(given):
    """Without return and tax the requirement is a tenth of the capital, in money of the year of service, and running cost."""
    free = dict.fromkeys(("equity_return_percent", "debt_rate_percent", "tax_rate_percent"), 0.0)
    only = given.tables["projects"]["project"] == "taps"
    bare = changed(given, mandatory=only, capex_keur=np.where(only, 50.0, 1e6), lifetime_yr=np.nan)
    own = replace(bare, assumptions={**ASSUMED, **free})
    made = planning.proposal(own, "high", planning.choices(own))
    assert set(made.found.schedule["project"]) == {"platform", "taps"}
    alone = replace(made.found, schedule=made.found.schedule.query("project == 'taps'"), options=made.found.options[:0])
    bill = planning.bills(own, alone, "high").set_index("year")
    service = int(alone.schedule["service_year"].iloc[0])
    level = 1.02 ** (np.array(bill.index) - 2024)
    expected = 50.0 * 1.02 ** (service - 2024) / 10 * (bill.index < service + 10) + 1.0 * level
    assert bill["revenue_requirement_keur"].to_numpy() == pytest.approx(expected)
    assert bill["per_customer"].to_numpy() == pytest.approx(1000 * expected / 4000)
    assert "change_percent" not in bill  # the study names no retail price


def test_savings_of_the_utility_lower_the_bill_and_those_of_customers_do_not(own):
    bill = own.bill.set_index("year")
    streams = planning.streams_by_year(own.case, own.found, "high")
    utility = streams[streams["stream"].isin(["losses", "energy"])].groupby("year")["benefit_keur"].sum()
    level = 1.02 ** (np.array(bill.index) - 2024)
    assert bill["savings_keur"].to_numpy() == pytest.approx(utility.reindex(bill.index, fill_value=0.0).to_numpy() * level)


# --- traceability ---------------------------------------------------------------------------------------------------------


def test_what_two_bring_together_is_shared_by_the_mean_of_both_orders():
    worth = {frozenset(["a"]): np.array([10.0]), frozenset(["b"]): np.array([6.0]), frozenset(["a", "b"]): np.array([12.0])}
    share = _shapley(worth, ["a", "b"])
    assert (share["a"].item(), share["b"].item()) == ((10 + 6) / 2, (6 + 2) / 2)


def test_shares_of_applications_add_up_to_the_benefits_of_the_roadmap(own):
    rates = valuation.discount(ASSUMED, small.FIRST)
    streams = planning.streams_by_year(own.case, own.found, "high").rename(columns={"benefit_keur": "value_keur"})
    expected = valuation.present_by(streams, rates)
    found = own.shares.groupby("stream")["pv_keur"].sum()
    assert found.reindex(expected.index).to_numpy() == pytest.approx(expected.to_numpy())


def test_every_objective_application_and_project_is_traced(own):
    table = own.trace.set_index(["objective", "application"])
    supply = table.loc[("supply", "flisr")]
    assert supply["capabilities"] == "switching"
    assert set(supply["projects"].split("|")) == {"platform", "switches_north", "switches_south"}
    assert supply["pv_keur"] == pytest.approx(own.shares.query("stream == 'interruption_cost'")["pv_keur"].sum())
    assert supply["pv_declared_keur"] == pytest.approx(own.worth["declared_keur"])
    assert set(table.loc[("losses", "voltvar"), "projects"].split("|")) == {"platform", "taps"}
    assert table.loc[("people", ""), "projects"] == "switches_north"
    assert set("|".join(own.trace["projects"]).split("|")) == set(own.found.schedule["project"])


def test_a_project_that_leads_nowhere_is_named(given):
    loose = pd.DataFrame([{**given.tables["projects"].iloc[0], "project": "loose", "after": "", "mandatory": True}])
    projects = pd.concat([given.tables["projects"], loose], ignore_index=True)
    own = replace(given, tables={**given.tables, "projects": projects})
    made = planning.proposal(own, "high", planning.choices(own))
    last = made.trace.iloc[-1]
    assert (last["objective"], last["application"], last["projects"]) == ("", "", "loose")
    title = figures.traceability.matrix(made.trace, made.found.schedule, made.objectives, made.labels).title
    assert title == "4 of 5 projects lead to an objective; all 3 objectives are served"


def test_an_objective_of_unknown_streams_is_refused_with_its_row(given):
    wrong = OBJECTIVES.assign(streams=["interruption_costs", "", ""])
    own = replace(given, tables={**given.tables, "objectives": wrong})
    with pytest.raises(StudyError, match="'interruption_costs' is not known") as raised:
        planning.proposal(own, "high", planning.choices(own))
    assert "row 2" in str(raised.value)


# --- KPIs and alternatives ------------------------------------------------------------------------------------------------


def test_kpis_today_without_and_with_the_plan(own):
    row = own.kpis.set_index("kpi").loc["saidi_min"]
    assert (row["today"], row["without"]) == (pytest.approx(20.0), pytest.approx(20.0))
    both = own.found.options.query("year == @small.LAST and option == 'flisr'")["area"].tolist()
    lost = sum(small.CUSTOMERS[area] * (10.0 if area in both else 20.0) for area in small.CUSTOMERS)
    assert row["value"] == pytest.approx(lost / 4000)
    assert pd.isna(row["met"])


def test_alternatives_hold_the_conventional_plan_and_what_options_spare(given):
    rows = small.metrics()
    flexible = rows[rows["group"] == "voltage"].replace({"group": {"voltage": "flexibility"}, "option": {"voltvar": "storage"}})
    cost = {("none", 2025): 0.0, ("none", small.LAST): 100.0, ("storage", 2025): 0.0, ("storage", small.LAST): 40.0}
    flexible = flexible.assign(reinforcement_keur=[cost[key] for key in zip(flexible["option"], flexible["year"], strict=True)])
    own = replace(given, metrics=pd.concat([rows, flexible], ignore_index=True))
    made = planning.proposal(given, "high", planning.choices(given))
    table = planning.considered(own, made.found, "high")
    wires, other = table.iloc[0], table.iloc[1]
    assert (wires["kind"], wires["reinforcement_keur"]) == ("conventional", 200.0)  # two areas
    assert (other["alternative"], other["reinforcement_keur"]) == ("storage", 80.0)
    assert table.query("kind == 'roadmap'")["npv_keur"].item() == pytest.approx(made.found.value)
    words = figures.economics.considered(table, labels={"storage": "Storage"})
    assert (
        words.title == "Non-wires options spare at most 120\u2009000 EUR of the 200\u2009000 EUR that conventional measures cost"
    )
    assert list(words.frame["alternative"])[1] == "Storage"


# --- words of odd plans ---------------------------------------------------------------------------------------------------


def everything(own: planning.Proposal, risk: planning.Risk | None) -> list:
    """Return everything that the page shows of a plan, drawn and written out."""
    chances, found = risk and risk.chances, own.found
    shown = [
        figures.ask.cards(own, chances),
        figures.ask.summary(own, chances),
        figures.ask.way_out(found),
        figures.ask.measures(own.kpis, own.case.tables.get("objectives")),
        figures.economics.cumulative(own.cumulative),
        figures.economics.tests(own.tests),
        figures.economics.tests_table(own.tests),
        figures.economics.spend(planning.spend_by(own.case, found, "class_of_spend"), labels=figures.economics.CLASSES),
        figures.economics.bills(own.bill),
        figures.economics.bills_table(own.bill),
        figures.economics.considered(own.considered, labels=own.labels | figures.ask.PLANS),
        figures.economics.history(pd.DataFrame({"year": [2020], "saidi_min": [15.0]}), found.kpis, today=20.0),
        figures.traceability.matrix(own.trace, found.schedule, own.objectives, own.labels),
        figures.traceability.chain(own.trace, own.objectives, own.labels),
        figures.traceability.applications(own.shares, own.labels),
    ]
    for one in shown:
        one._repr_mimebundle_()
    for one in shown:
        if isinstance(one, figures.Table):
            assert [tables.label(column) for column in one.frame]
    return shown


def said(shown: list) -> str:
    return " ".join([getattr(one, "title", "") or getattr(one, "markdown", "") for one in shown])


def test_a_plan_that_pays_says_so(own):
    risk = planning.risk(own, samples=200)
    words = said(everything(own, risk))
    assert "Approval is asked for 4 projects" in words
    assert "none of them mandatory" in words
    assert "they pay by what was simulated alone" in words
    assert "Benefits exceed costs for" in words
    assert f"pays in {risk.chances['probability_percent'].iloc[0]:.0f} %" in words.replace("\u2009", "")


def test_a_plan_of_nothing_asks_for_nothing(given):
    own = money(changed(given, capex_keur=1e6))
    assert own.found.schedule.empty
    assert planning.risk(own) is None
    words = said(everything(own, None))
    assert "**Nothing is asked for.**" in words
    assert "nan" not in words
    cards = figures.ask.cards(own).cards
    assert (cards[0].label, cards[0].value) == ("The ask", "none")


def test_a_plan_that_cannot_be_paid_says_what_would_have_to_give_way(given):
    own = money(given, budget=0.0, must=True)
    assert own.found.status == "infeasible"
    shown = everything(own, None)
    assert "**No roadmap keeps every rule**" in said(shown)
    assert len(figures.ask.way_out(own.found).frame) == len(own.found.relaxations) > 0
    assert figures.ask.cards(own).cards[0].status == "bad"


def test_a_plan_of_which_everything_is_mandatory_says_so(given):
    own = money(given, must=True)
    words = said(everything(own, planning.risk(own, samples=200)))
    assert f"{len(own.found.schedule)} of them mandatory" in words


def test_a_plan_that_only_its_target_asks_for_says_that_it_does_not_pay(given):
    dear = changed(given, capex_keur=given.tables["projects"]["capex_keur"] * 50)
    own = money(dear, target=19.0)
    words = said(everything(own, planning.risk(own, samples=200)))
    assert "they do not pay by what was simulated**, and are asked for because of targets that have to be met" in words
    assert "which meets the target of 19.0" in words
    missed = replace(own, kpis=own.kpis.assign(met=pd.array([False] * len(own.kpis), dtype="boolean")))
    assert "**misses** the target of 19.0" in figures.ask.summary(missed).markdown
    assert "misses its target" in figures.ask.measures(missed.kpis[:1]).title


def test_a_plan_for_one_area_without_objectives_reads_right(given):
    one = given.metrics[given.metrics["area"] == "north"].reset_index(drop=True)
    bare = {name: table for name, table in given.tables.items() if name != "objectives"}
    kept = {name: getattr(given, name).query("area == 'north'").reset_index(drop=True) for name in ("benefits", "contributions")}
    own = replace(given, tables=bare, metrics=one, closures=small.CLOSURES.query("area in ('', 'north')"), **kept)
    own = changed(own, capex_keur=small.PROJECTS["capex_keur"] / 10)
    made = planning.proposal(own, "high", planning.choices(own))
    assert set(made.found.options["area"]) == {"north"}
    words = said(everything(made, planning.risk(made, samples=200)))
    assert "Approval is asked for" in words
    assert made.objectives == {}
    assert figures.ask.objectives(None, {}).markdown.startswith("The study names no objectives")


def test_amounts_are_written_as_a_reader_says_them():
    assert [figures.economics.amount(x) for x in (16502.0, -512.3, np.nan)] == ["16.5 million EUR", "-512\u2009000 EUR", "–"]


def test_a_table_that_a_study_lacks_is_named():
    assert "(prices is absent)" in figures.ask.absent(["prices"]).markdown
    assert figures.ask.absent([]).markdown == ""
