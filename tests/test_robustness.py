"""Plans under uncertainty: closed forms, an independent second computation, and what must hold for any plan."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ranges import rows_of

from gridplan import robustness
from gridplan.errors import InputError, ParameterError, StudyError

YEARS = range(2025, 2031)
RATE = 0.05
TERMS = robustness.Terms(RATE, 2025, {"slow": 0.4, "fast": 0.6})


def said(call):
    with pytest.raises(InputError) as caught:
        call()
    return str(caught.value)


def service(*runs):
    """Option in service by year: (area, group, [(option, from_year), ...])."""
    rows = []
    for area, group, steps in runs:
        for year in YEARS:
            option = [name for name, start in steps if start <= year][-1]
            rows.append((area, group, option, year))
    return pd.DataFrame(rows, columns=["area", "group", "option", "year"])


def benefits(values):
    """Benefits from {(area, group, option, stream): (slow, fast)}, growing by 10 a year."""
    rows = [
        (*key[:3], scenario, year, key[3], amount + 10 * (year - 2025))
        for key, both in values.items()
        for scenario, amount in zip(("slow", "fast"), both, strict=True)
        for year in YEARS
    ]
    return pd.DataFrame(rows, columns=["area", "group", "option", "scenario", "year", "stream", "benefit_keur"])


@pytest.fixture(scope="module")
def plan():
    """A bus that two applications wait for: FLISR in A from 2028 after manual remote control, VVO in B from 2027."""
    projects = pd.DataFrame(
        {
            "project": ["bus", "field_A", "adms", "field_B"],
            "capex_keur": [300.0, 100.0, 500.0, 90.0],
            "opex_keur_per_yr": [10.0, 5.0, 40.0, 4.0],
            "after": ["", "", "bus", "bus"],
            "cost_class": [3, 2, 5, 4],
        }
    )
    schedule = pd.DataFrame(
        {
            "project": ["bus", "field_A", "adms", "field_B"],
            "start_year": [2025, 2025, 2026, 2026],
            "delivered_year": [2026, 2026, 2028, 2027],
        }
    )
    used = service(
        ("A", "restoration", [("none", 2025), ("remote", 2026), ("remote+flisr", 2028)]),
        ("B", "voltage", [("none", 2025), ("vvo", 2027)]),
    )
    worth = benefits(
        {
            ("A", "restoration", "remote", "interruption"): (100.0, 120.0),
            ("A", "restoration", "remote+flisr", "interruption"): (300.0, 350.0),
            ("B", "voltage", "vvo", "energy"): (80.0, 60.0),
        }
    )
    kpis = pd.DataFrame(
        [
            (a, g, o, s, y, m)
            for (a, g, o), m in {
                ("A", "restoration", "remote"): -10.0,
                ("A", "restoration", "remote+flisr"): -30.0,
                ("B", "voltage", "vvo"): 0.0,
            }.items()
            for s in ("slow", "fast")
            for y in YEARS
        ],
        columns=["area", "group", "option", "scenario", "year", "saidi_min"],
    )
    enablers = pd.DataFrame(
        [
            ("A", "restoration", "remote", "field_A"),
            ("A", "restoration", "remote+flisr", "adms"),
            ("A", "restoration", "remote+flisr", "field_A"),
            ("B", "voltage", "vvo", "field_B"),
        ],
        columns=["area", "group", "option", "project"],
    )
    return robustness.Plan(schedule, projects, used, worth, kpis, enablers)


def draws_of(plan, **columns):
    """Draws with the scenario probabilities in every sample."""
    size = max((len(v) for v in columns.values()), default=1)
    mix = pd.DataFrame([TERMS.weights(plan.scenarios)] * size)
    return robustness.Draws(pd.DataFrame(columns, index=range(size)), mix)


def by_hand(plan, *, delays=None, factors=None, mix=None):
    """Net present value by loops over years and areas, written apart from the package."""
    delays, factors = delays or {}, factors or {}
    mix = mix or {"slow": 0.4, "fast": 0.6}
    when = plan.schedule.set_index("project")
    after = plan.projects.set_index("project")["after"]
    delivered, moved = {}, {}
    for name in ("bus", "field_A", "adms", "field_B"):
        start = when.loc[name, "start_year"]
        for before in filter(None, after[name].split("|")):
            start = max(start, delivered[before])
        moved[name] = start - when.loc[name, "start_year"]
        delivered[name] = start + when.loc[name, "delivered_year"] - when.loc[name, "start_year"] + delays.get(name, 0)
    total = 0.0
    for row in plan.projects.itertuples():
        spent = range(when.loc[row.project, "start_year"], when.loc[row.project, "delivered_year"])
        for year in spent:
            total -= factors.get(row.project, 1) * row.capex_keur / len(spent) / (1 + RATE) ** (year + moved[row.project] - 2025)
        for year in YEARS:
            share = min(1, max(0, year + 1 - delivered[row.project]))
            total -= share * row.opex_keur_per_yr / (1 + RATE) ** (year - 2025)
    value = plan.benefits.set_index(["area", "group", "option", "scenario", "year", "stream"])["benefit_keur"]
    flisr, remote, vvo = max(delivered["adms"], delivered["field_A"]), delivered["field_A"], delivered["field_B"]
    for year in YEARS:
        share = {k: min(1, max(0, year + 1 - t)) for k, t in (("flisr", flisr), ("remote", remote), ("vvo", vvo))}
        for scenario, weight in mix.items():
            d = weight / (1 + RATE) ** (year - 2025)
            total += d * share["flisr"] * value["A", "restoration", "remote+flisr", scenario, year, "interruption"]
            early = min(share["remote"], 1 - share["flisr"])
            total += d * early * value["A", "restoration", "remote", scenario, year, "interruption"]
            total += d * share["vvo"] * value["B", "voltage", "vvo", scenario, year, "energy"]
    return total


def npv(plan, uncertain=None, draws=None, terms=TERMS):
    return robustness.evaluate(plan, terms, uncertain, draws).money["npv_keur"].to_numpy()


# --- the value of a plan -------------------------------------------------------------------------------------------------------


def test_a_single_project_is_worth_its_annuity_less_its_cost():
    used = service(("A", "g", [("on", 2025)]))
    worth = benefits({("A", "g", "on", "s"): (100.0, 100.0)}).assign(benefit_keur=100.0)
    schedule = pd.DataFrame({"project": ["p"], "start_year": [2024], "delivered_year": [2025]})
    projects = pd.DataFrame({"project": ["p"], "capex_keur": [210.0], "opex_keur_per_yr": [7.0]})
    annuity = (1 - (1 + RATE) ** -6) / RATE * (1 + RATE)
    outcome = robustness.evaluate(robustness.Plan(schedule, projects, used, worth), robustness.Terms(RATE, 2025)).money.iloc[0]
    assert outcome["benefit_keur"] == pytest.approx(100 * annuity, rel=1e-12)
    assert outcome["opex_keur"] == pytest.approx(7 * annuity, rel=1e-12)
    assert outcome["capex_keur"] == pytest.approx(210 * (1 + RATE), rel=1e-12)
    assert outcome["npv_keur"] == pytest.approx(93 * annuity - 210 * (1 + RATE), rel=1e-12)


def test_a_plan_is_worth_what_loops_over_its_years_say(plan):
    assert npv(plan).item() == pytest.approx(by_hand(plan), rel=1e-12)


@pytest.mark.parametrize(
    "delays", [{"adms": 0.5}, {"bus": 1.0}, {"bus": 1.7, "field_A": 3.0}, {"field_A": 2.6}, {"adms": 9.0, "field_B": 4.2}]
)
def test_delays_move_successors_and_the_options_in_service(plan, delays):
    uncertain = rows_of(
        *[{"uncertainty": f"late {p}", "kind": "delay", "item": p, "low": 0.0, "mode": 0.0, "high": 10.0} for p in delays]
    )
    draws = draws_of(plan, **{f"late {p}": [d, 0.0] for p, d in delays.items()})
    late, planned = npv(plan, uncertain, draws)
    assert late == pytest.approx(by_hand(plan, delays=delays), rel=1e-12)
    assert planned == pytest.approx(by_hand(plan), rel=1e-12)


def test_slack_takes_up_a_delay(plan):
    relaxed = replace(plan, schedule=plan.schedule.assign(start_year=[2025, 2025, 2027, 2026]))
    uncertain = rows_of({"uncertainty": "late", "kind": "delay", "item": "bus", "low": 0.0, "mode": 0.0, "high": 1.0})
    costs = robustness.evaluate(relaxed, TERMS, uncertain, draws_of(relaxed, late=[0.0, 1.0])).money["capex_keur"]
    only_b = 90 / (1 + RATE) - 90 / (1 + RATE) ** 2  # field_B has no slack, adms has a year
    assert costs[0] - costs[1] == pytest.approx(only_b, rel=1e-12)


def test_dependencies_with_lags_and_of_deliveries_move_what_waits(plan):
    """adms is delivered in 2028; it may be built meanwhile but waits for bus (2026) and a year; field_B starts after bus."""
    edges = pd.DataFrame(
        {"project": ["adms", "field_B"], "after": ["bus", "bus"], "waits": ["delivery", "start"], "lag_yr": [1.0, 0.0]}
    )
    table = rows_of({"uncertainty": "late", "kind": "delay", "item": "bus", "low": 0.0, "mode": 0.0, "high": 3.0})
    path = robustness.evaluate(replace(plan, dependencies=edges), TERMS, table, draws_of(plan, late=[1.0, 1.5])).kpis
    at_2028 = path[path["year"] == 2028]["saidi_min"].tolist()
    assert at_2028 == pytest.approx([-30.0, 0.5 * -10 + 0.5 * -30])  # a year of slack; half a year beyond it


def test_factors_act_on_what_they_name(plan):
    uncertain = rows_of(
        {"uncertainty": "c", "kind": "capex", "item": "adms"},
        {"uncertainty": "o", "kind": "opex"},
        {"uncertainty": "f", "kind": "benefit", "item": "interruption"},
        {"uncertainty": "f", "kind": "kpi", "item": "saidi_min"},
    )
    base = robustness.evaluate(plan, TERMS)
    draws = draws_of(plan, c=[2.0, 1.0, 1.0], o=[1.0, 3.0, 1.0], f=[1.0, 1.0, 0.5])
    found = robustness.evaluate(plan, TERMS, uncertain, draws)
    extra = (
        found.money[["capex_keur", "opex_keur", "benefit_keur"]].to_numpy()
        - base.money[["capex_keur", "opex_keur", "benefit_keur"]].to_numpy()
    )
    adms = 250 / (1 + RATE) + 250 / (1 + RATE) ** 2
    energy = npv(
        replace(
            plan,
            benefits=plan.benefits[plan.benefits["stream"] == "energy"].reset_index(drop=True),
            service=plan.service.replace("remote+flisr", "none").replace("remote", "none"),
        )
    )
    interruption = base.money["npv_keur"].item() - energy.item()
    assert extra[0] == pytest.approx([adms, 0, 0], abs=1e-9)
    assert extra[1] == pytest.approx([0, 2 * base.money["opex_keur"].item(), 0], abs=1e-9)
    assert extra[2] == pytest.approx([0, 0, -interruption / 2], abs=1e-9)
    last = found.kpis[found.kpis["year"] == 2030]["saidi_min"].tolist()
    assert last == pytest.approx([-30, -30, -15])


def test_kpis_follow_the_options_in_service(plan):
    path = robustness.evaluate(plan, TERMS).kpis
    assert path["saidi_min"].tolist() == pytest.approx([0, -10, -10, -30, -30, -30])
    uncertain = rows_of({"uncertainty": "late", "kind": "delay", "item": "adms", "low": 0.0, "mode": 0.0, "high": 1.0})
    late = robustness.evaluate(plan, TERMS, uncertain, draws_of(plan, late=[0.25])).kpis
    assert late["saidi_min"].tolist() == pytest.approx([0, -10, -10, 0.25 * -10 + 0.75 * -30, -30, -30])


def test_kpis_may_be_absolute_with_what_holds_without_any_application(plan):
    rows = [("A", "restoration", "none", s, 2025, 100.0) for s in ("slow", "fast")]
    whole = plan.kpis.assign(saidi_min=plan.kpis["saidi_min"].where(plan.kpis["area"] != "A", 100 + plan.kpis["saidi_min"]))
    absolute = replace(plan, kpis=pd.concat([whole, pd.DataFrame(rows, columns=whole.columns)], ignore_index=True))
    assert robustness.evaluate(absolute, TERMS).kpis["saidi_min"].tolist() == pytest.approx([100, 90, 90, 70, 70, 70])
    table = rows_of({"uncertainty": "late", "kind": "delay", "item": "field_A", "low": 0.0, "mode": 0.0, "high": 3.0})
    sooner = replace(
        absolute,
        schedule=plan.schedule.assign(start_year=[2025, 2024, 2026, 2026], delivered_year=[2026, 2025, 2028, 2027]),
        service=plan.service.assign(
            option=plan.service["option"].mask(plan.service["year"].eq(2025) & plan.service["area"].eq("A"), "remote")
        ),
    )
    late = robustness.evaluate(sooner, TERMS, table, draws_of(plan, late=[0.0, 0.5])).kpis.query("year == 2025")
    assert late["saidi_min"].tolist() == pytest.approx([90, 95])


def test_a_spending_profile_of_ones_own_is_used(plan):
    spend = pd.DataFrame({"project": plan.projects["project"], "year": 2025, "spend_keur": plan.projects["capex_keur"]})
    assert robustness.evaluate(replace(plan, spend=spend), TERMS).money["capex_keur"].item() == pytest.approx(990)
    assert "'bus' has no year" in said(lambda: replace(plan, spend=spend[1:]))


def test_what_is_left_at_the_end_counts_against_the_capital(plan):
    valued = replace(plan, projects=plan.projects.assign(residual_keur=[0.0, 0.0, 100.0, np.nan]))
    saved = robustness.evaluate(plan, TERMS).money["capex_keur"] - robustness.evaluate(valued, TERMS).money["capex_keur"]
    assert saved.item() == pytest.approx(100 / (1 + RATE) ** 6, rel=1e-12)


# --- Monte Carlo ---------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def uncertain(plan):
    return robustness.uncertainties(plan.projects, ["interruption", "energy"], interruption=["interruption"], kpis=["saidi_min"])


def test_the_mean_of_the_samples_is_the_value_at_the_means(plan, uncertain):
    """Without delays the value is linear in each factor, and factors but costs are independent: exact in expectation."""
    table = uncertain[uncertain["kind"] != "delay"].reset_index(drop=True)
    draws = robustness.draw(table, TERMS.weights(plan.scenarios), samples=40_000, seed=4)
    outcome = robustness.evaluate(plan, TERMS, table, draws)
    means = {row["uncertainty"]: [robustness.mean(row)] for _, row in table.drop_duplicates("uncertainty").iterrows()}
    expected = npv(plan, table, draws_of(plan, **means)).item()
    row = robustness.distribution(outcome).iloc[0]
    assert row["quantity"] == "npv_keur"
    assert abs(row["mean"] - expected) < 4 * row["mean_error"]
    assert row["mean_error"] < 0.02 * abs(expected) + 5


def test_the_spread_of_one_cost_is_its_closed_form(plan):
    table = rows_of({"uncertainty": "c", "kind": "capex", "item": "bus", "low": 0.5, "high": 2.0})
    outcome = robustness.evaluate(plan, TERMS, table, robustness.draw(table, {"slow": 0.0, "fast": 1.0}, samples=40_000))
    a, m, b = 0.5, 1.0, 2.0
    variance = (a * a + m * m + b * b - a * m - a * b - m * b) / 18
    assert outcome.money["npv_keur"].std() == pytest.approx(300 * np.sqrt(variance), rel=0.02)


def test_ranges_of_nothing_give_the_planned_value_in_every_sample(plan, uncertain):
    still = uncertain.assign(low=uncertain["mode"], high=uncertain["mode"], distribution="fixed", coverage=1.0)
    still.loc[still["kind"] == "delay", ["low", "mode", "high"]] = 0.0
    draws = robustness.draw(still, TERMS.weights(plan.scenarios), samples=7, blend=1e12)
    assert npv(plan, still, draws) == pytest.approx(np.full(7, npv(plan).item()), rel=1e-5)
    planned = robustness.planned(still, TERMS.weights(plan.scenarios))
    assert npv(plan, still, planned) == pytest.approx(npv(plan), rel=1e-12)
    assert npv(plan, still) == pytest.approx(npv(plan), rel=1e-12)


def test_every_sample_is_worth_what_loops_over_its_years_say(plan, uncertain):
    kept = uncertain[~uncertain["kind"].isin(["opex", "benefit", "kpi"])].reset_index(drop=True)
    draws = robustness.draw(kept, TERMS.weights(plan.scenarios), samples=25, seed=8, blend=3)
    expected = []
    for at, row in draws.settings.iterrows():
        delays = {p: row[f"delay of {p}"] for p in plan.projects["project"]}
        factors = {p: row[f"cost of {p}"] for p in plan.projects["project"]}
        expected.append(by_hand(plan, delays=delays, factors=factors, mix=draws.mix.loc[at].to_dict()))
    assert npv(plan, kept, draws) == pytest.approx(np.array(expected), rel=1e-10)


@settings(max_examples=10, deadline=None)
@given(data=st.data())
def test_dearer_is_never_better_and_more_benefit_never_worse(plan, data):
    table = rows_of(
        *[{"uncertainty": f"{k} {p}", "kind": k, "item": p} for k in ("capex", "opex") for p in plan.projects["project"]],
        {"uncertainty": "late", "kind": "delay", "item": "bus", "low": 0.0, "mode": 0.0, "high": 5.0},
        {"uncertainty": "price", "kind": "benefit", "item": "energy"},
    )
    names = table["uncertainty"].tolist()
    one = {name: data.draw(st.floats(0, 3)) for name in names}
    moved = data.draw(st.sampled_from([n for n in names if n != "late"]))
    draws = draws_of(plan, **{n: [v, v + (0.5 if n == moved else 0)] for n, v in one.items()})
    before, after = npv(plan, table, draws)
    assert after >= before - 1e-9 if moved == "price" else after <= before + 1e-9


def test_a_late_project_never_brings_more_benefit_or_a_better_index(plan):
    table = rows_of(
        *[{"uncertainty": p, "kind": "delay", "item": p, "low": 0.0, "mode": 0.0, "high": 5.0} for p in plan.projects["project"]]
    )
    random = np.random.default_rng(1)
    for name in table["uncertainty"]:
        base = {p: np.repeat(random.uniform(0, 3, 5), 2) for p in table["uncertainty"]}
        base[name] = base[name] + np.tile([0.0, 0.6], 5)
        outcome = robustness.evaluate(plan, TERMS, table, draws_of(plan, **base))
        early, late = outcome.money["benefit_keur"].to_numpy().reshape(-1, 2).T
        assert (late <= early + 1e-9).all()
        path = outcome.kpis["saidi_min"].to_numpy().reshape(len(plan.years), -1, 2)
        assert (path[..., 1] >= path[..., 0] - 1e-9).all()


def test_probabilities_of_targets_and_of_all_together(plan, uncertain):
    outcome = robustness.evaluate(plan, TERMS, uncertain, robustness.draw(uncertain, TERMS.weights(plan.scenarios), samples=500))
    targets = pd.DataFrame(
        {
            "kpi": ["npv_keur", "saidi_min", "npv_keur"],
            "year": [pd.NA, 2030, pd.NA],
            "sense": ["at least", "at most", "at least"],
            "value": [-1e9, -25.0, 1e9],
        }
    )
    found = robustness.probabilities(outcome, targets)
    share = (outcome.kpis.query("year == 2030")["saidi_min"] <= -25).mean() * 100
    assert found["probability_percent"].tolist() == pytest.approx([100, share, 0, 0])
    assert 0 < share < 100
    assert found["probability_error_percent"].iloc[1] == pytest.approx(np.sqrt(share * (100 - share) / 500))
    middle = robustness.distribution(outcome).iloc[0]
    at = pd.DataFrame({"kpi": ["npv_keur"], "year": [pd.NA], "sense": ["at least"], "value": [middle["p50"]]})
    assert robustness.probabilities(outcome, at)["probability_percent"].iloc[0] == pytest.approx(50, abs=0.3)


def test_a_target_that_names_nothing_is_refused(plan):
    outcome = robustness.evaluate(plan, TERMS)
    targets = pd.DataFrame(
        {
            "kpi": ["npv_kuer", "saidi_min", "npv_keur"],
            "year": [pd.NA, 2050, pd.NA],
            "sense": ["at least", "at most", "above"],
            "value": [0.0, 0.0, 0.0],
        }
    )
    message = said(lambda: robustness.probabilities(outcome, targets))
    for words in ("did you mean 'npv_keur'?", "2050 is no year", "'above' is not allowed"):
        assert words in message


# --- tornado -------------------------------------------------------------------------------------------------------------------


def test_a_tornado_moves_one_thing_at_a_time_and_sorts_by_swing():
    table = rows_of(
        {"uncertainty": "a", "kind": "opex", "low": 0.0, "mode": 1.0, "high": 2.0, "distribution": "uniform"},
        {"uncertainty": "b", "kind": "opex", "low": 0.0, "mode": 1.0, "high": 4.0, "distribution": "uniform"},
    )

    def measure(draws):
        return 10 * draws.settings["a"] - draws.settings["b"] + 100 * draws.mix["fast"]

    found = robustness.tornado(measure, table, {"slow": 0.5, "fast": 0.5}, ends=(0.25, 0.75))
    assert found["uncertainty"].tolist() == ["scenario", "a", "b"]
    row = found.set_index("uncertainty")
    assert row["result_planned"].tolist() == [59.0] * 3
    assert row.loc["a", ["result_low", "result_high", "swing"]].tolist() == [54.0, 64.0, 10.0]
    assert row.loc["b", ["result_low", "result_high", "swing"]].tolist() == [59.0, 57.0, 2.0]
    assert row.loc["scenario", ["setting_low", "setting_high", "result_low", "result_high"]].tolist() == [
        "slow",
        "fast",
        9.0,
        109.0,
    ]


def test_the_tornado_of_a_plan_has_a_row_for_everything_that_is_uncertain(plan, uncertain):
    found = robustness.tornado(lambda draws: npv(plan, uncertain, draws), uncertain, TERMS.weights(plan.scenarios))
    assert set(found["uncertainty"]) == {*uncertain["uncertainty"], "scenario"}
    assert found["swing"].is_monotonic_decreasing
    cost = found.set_index("uncertainty").loc["cost of adms"]
    assert cost["result_low"] > cost["result_planned"] > cost["result_high"]


# --- regret --------------------------------------------------------------------------------------------------------------------


def test_plans_in_scenarios_are_valued_as_if_each_were_certain(plan):
    nothing = replace(plan, schedule=plan.schedule[:0], service=plan.service.assign(option="none"), enablers=None)
    table = robustness.across({"all": plan, "nothing": nothing}, TERMS)
    grid = table.pivot_table(index="plan", columns="future", values="result")
    assert grid.loc["all", "fast"] == pytest.approx(by_hand(plan, mix={"fast": 1.0}), rel=1e-12)
    assert grid.loc["nothing"].tolist() == [0, 0]
    mixed = 0.4 * grid.loc["all", "slow"] + 0.6 * grid.loc["all", "fast"]
    assert mixed == pytest.approx(npv(plan).item(), rel=1e-12)


def test_plans_meet_the_same_samples(plan, uncertain):
    draws = robustness.draw(uncertain, TERMS.weights(plan.scenarios), samples=40)
    dearer = replace(plan, projects=plan.projects.assign(capex_keur=plan.projects["capex_keur"] * 1.5))
    table = robustness.across({"dear": dearer, "cheap": plan}, TERMS, uncertain, draws)
    assert table.query("plan == 'cheap'")["result"].to_numpy() == pytest.approx(npv(plan, uncertain, draws))
    found = robustness.regret(table)
    assert found.choice == "cheap"
    assert found.plans["best_in"].tolist() == [40, 0]


# --- what is refused -----------------------------------------------------------------------------------------------------------


def test_tables_of_a_plan_that_do_not_fit_are_refused_at_once(plan):
    message = said(
        lambda: replace(
            plan, schedule=plan.schedule.drop(columns="start_year"), benefits=plan.benefits.assign(benefit_keur=np.nan)
        )
    )
    assert "no column 'start_year'" in message
    assert "no finite number" in message
    message = said(
        lambda: replace(plan, schedule=plan.schedule.assign(project=["bus", "field_A", "adsm", "field_B"], delivered_year=2024))
    )
    for words in ("did you mean 'adms'?", "before its start", "needs 'adms', which is not scheduled"):
        assert words in message
    assert "has 5 of 6 years" in said(lambda: replace(plan, service=plan.service[1:]))
    assert "comes in 2027" in said(lambda: replace(plan, schedule=plan.schedule.assign(delivered_year=[2026, 2027, 2028, 2027])))


def test_an_option_in_service_without_values_is_named_and_not_taken_as_nothing(plan):
    gap = plan.benefits[~((plan.benefits["option"] == "vvo") & (plan.benefits["scenario"] == "fast"))].reset_index(drop=True)
    assert "'vvo' (voltage) in 'B' is in service and has no values" in said(lambda: npv(replace(plan, benefits=gap)))


def test_values_run_straight_between_the_years_given_and_stay_outside(plan):
    few = plan.benefits[plan.benefits["year"].isin([2025, 2028, 2030])].reset_index(drop=True)  # they grow by the same each year
    assert npv(replace(plan, benefits=few)) == pytest.approx(npv(plan), rel=1e-12)
    one = plan.benefits[plan.benefits["year"] == 2025].reset_index(drop=True)
    flat = plan.benefits.assign(benefit_keur=plan.benefits["benefit_keur"] - 10 * (plan.benefits["year"] - 2025))
    assert npv(replace(plan, benefits=one)) == pytest.approx(npv(replace(plan, benefits=flat)), rel=1e-12)


def test_a_stream_without_a_row_beside_others_is_nothing(plan):
    more = pd.DataFrame([("B", "voltage", "vvo", "slow", 2030, "peak", 500.0)], columns=plan.benefits.columns)
    gained = npv(replace(plan, benefits=pd.concat([plan.benefits, more], ignore_index=True))) - npv(plan)
    assert gained.item() == pytest.approx(0.4 * 500 / (1 + RATE) ** 5, rel=1e-9)


def test_projects_that_wait_for_each_other_are_named(plan):
    circle = replace(plan, projects=plan.projects.assign(after=["adms", "", "bus", ""]))
    assert "wait for each other" in said(lambda: npv(circle))


def test_uncertainties_that_make_no_sense_are_refused(plan):
    table = rows_of(
        {"uncertainty": "a", "kind": "opex", "low": 2.0},
        {"uncertainty": "b", "kind": "opex", "low": 0.0, "distribution": "lognormal", "coverage": 0.8},
        {"uncertainty": "c", "kind": "opex", "low": 0.5},
        {"uncertainty": "c", "kind": "capex", "low": 0.6},
    )
    with pytest.raises(StudyError) as caught:
        robustness.draw(table, {"slow": 1.0})
    for words in ("do not rise", "begins above 0", "'c' has rows with different ranges"):
        assert words in str(caught.value)
    unknown = rows_of(
        {"uncertainty": "u", "kind": "capex", "item": "amds"}, {"uncertainty": "d", "kind": "delay", "low": 0.0, "mode": 0.0}
    )
    message = said(lambda: npv(replace(plan, enablers=None), unknown, draws_of(plan, u=[1.0])))
    for words in ("no samples of 'd'", "has no enablers", "acts on 'amds'"):
        assert words in message
    with pytest.raises(StudyError, match="no cost class"):
        robustness.uncertainties(plan.projects.assign(cost_class=6), [])


@pytest.mark.parametrize(
    "terms",
    [
        {"discount_rate": -1.0},
        {"discount_rate": float("nan")},
        {"scenario_weights": {"slow": 0.4}},
        {"scenario_weights": {"slow": float("nan"), "fast": 1.0}},
        {"scenario_weights": {"slow": 2.0, "fast": -1.0}},
    ],
)
def test_terms_that_make_no_sense_are_refused(terms):
    with pytest.raises(ParameterError):
        robustness.Terms(**({"discount_rate": 0.05, "base_year": 2025} | terms))


def test_an_unknown_scenario_is_answered_with_the_nearest(plan):
    assert "did you mean 'slow'?" in said(lambda: npv(plan, terms=robustness.Terms(0.05, 2025, {"slwo": 1.0})))


def test_enablers_are_inferred_from_what_was_delivered_last(plan):
    found = robustness.enablers_of(plan.schedule, plan.service)
    assert found.set_index("option")["project"].to_dict()["remote+flisr"] == "adms"
    assert set(found.loc[found["option"] == "remote", "project"]) == {"bus", "field_A"}
    assert "none" not in set(found["option"])


def test_enablers_come_from_what_closes_the_needs_first(plan):
    rows = [
        ("interface", "scada", "", "flisr", 1, "adms"),
        ("device", "switch", "A", "remote", 1, "field_A"),
        ("device", "switch", "B", "remote", 1, "field_B"),
        ("link", "radio", "", "flisr", 1, "never"),
        ("link", "radio", "", "flisr", 2, "bus"),
        ("link", "radio", "", "flisr", 2, "field_A"),
        ("link", "radio", "", "flisr", 3, "adms"),
    ]
    closures = pd.DataFrame(rows, columns=["kind", "item", "area", "application", "way", "project"])
    found = robustness.enablers_of(plan.schedule, plan.service, closures)
    assert found.groupby("option")["project"].agg(set).to_dict() == {
        "remote": {"field_A"},
        "remote+flisr": {"field_A", "adms", "bus"},
    }
    assert "closes its need of link 'radio'" in said(
        lambda: robustness.enablers_of(plan.schedule, plan.service, closures[closures["way"] < 2])
    )


def test_the_tables_given_stay_as_they_are(plan, uncertain):
    copies = [plan.schedule.copy(), plan.benefits.copy(), uncertain.copy()]
    robustness.evaluate(plan, TERMS, uncertain, robustness.draw(uncertain, TERMS.weights(plan.scenarios), samples=3))
    for before, after in zip(copies, [plan.schedule, plan.benefits, uncertain], strict=True):
        pd.testing.assert_frame_equal(before, after)
