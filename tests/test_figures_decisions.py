"""Figures of scores and of robustness: they show what their tables say, escape names, and every column has a label."""

import json

import numpy as np
import pandas as pd
import pytest

from gridplan import robustness, scoring
from gridplan.figures import plans
from gridplan.figures import robustness as sure
from gridplan.figures import scoring as scored
from gridplan.figures.outputs import PLOTLY, Table

LABELS = {"p0": "<b>ADMS</b>", "p1": "Fibre ring", "c0": "Minutes & customers", "c1": "Hosting capacity"}


@pytest.fixture(scope="module")
def data():
    criteria = pd.DataFrame(
        {
            "criterion": ["c0", "c1"],
            "label": ["Minutes", "Hosting"],
            "unit": ["min/yr", "MW"],
            "direction": "more",
            "low": 0.0,
            "high": 100.0,
            "keur_per_unit": [2.0, 1.0],
            "source": "test",
            "evidence": "M",
        }
    )
    values = [
        ("p0", "c0", 80.0),
        ("p0", "c1", 10.0),
        ("p1", "c0", 20.0),
        ("p1", "c1", 45.0),
        ("p2", "c0", 5.0),
        ("p2", "c1", 5.0),
    ]
    alternatives = pd.DataFrame(values, columns=["project", "criterion", "value"])
    return criteria, alternatives, pd.DataFrame({"criterion": ["c0", "c1"], "weight": [0.6, 0.4]})


def shown(output):
    """What a reader gets, after a check that names are escaped once and no more."""
    bundle, meta = output._repr_mimebundle_()
    drawn = json.dumps(bundle.get(PLOTLY, "")) + bundle.get("text/html", "")
    assert "<b>ADMS" not in drawn
    assert "&amp;lt;" not in drawn
    assert meta["gridplan"]["title"]
    if isinstance(output, Table):
        output.html()
    return drawn


def test_the_ranking_stacks_what_each_criterion_adds_and_names_the_best(data):
    figure = scored.ranking(scoring.contributions(*data), labels=LABELS)
    assert "&lt;b&gt;ADMS&lt;/b&gt; scores highest, with 52.0 of 100 points" in shown(figure)
    bars = {t.name: dict(zip(t.y, t.x, strict=True)) for t in figure.figure.data if t.type == "bar"}
    assert bars["Minutes &amp; customers"]["Fibre ring"] == pytest.approx(12)
    assert bars["Hosting capacity"]["Fibre ring"] == pytest.approx(18)
    assert list(figure.figure.data[0].y)[-1] == "&lt;b&gt;ADMS&lt;/b&gt;"


def test_the_heat_map_of_ranks_has_their_shares(data):
    shares = scoring.acceptability(*data, samples=200)
    figure = scored.acceptability(shares, labels=LABELS)
    grid = pd.DataFrame(figure.figure.data[0].z, index=figure.figure.data[0].y).sum(axis=1)
    assert grid.tolist() == pytest.approx([100] * 3)
    first = shares.query("project == 'p0' and rank == 1")["share_percent"].item()
    assert f"comes first in {first:.0f} %" in shown(figure)


def test_the_range_of_a_weight_is_that_of_the_project_that_leaves_first(data):
    ranges = scoring.stability(*data, first=1)
    figure = scored.stability(ranges, labels=LABELS)
    span = figure.figure.data[0]
    place = list(span.y).index("Minutes &amp; customers")
    assert span.base[place] == pytest.approx(35 / 95)  # 80 w + 10 (1 - w) = 20 w + 45 (1 - w)
    assert "The plan holds until" in shown(figure)
    assert "stays until" in shown(scored.stability(ranges, labels=LABELS, project="p0"))
    assert "stays out until" in shown(scored.stability(ranges, labels=LABELS, project="p1"))
    assert "No single weight" in shown(scored.stability(ranges, project="p2"))


def test_both_routes_and_the_screening_are_shown(data):
    costs = pd.DataFrame({"project": ["p0", "p1", "p2"], "cost_keur": [100.0, 500.0, 0.0]})
    routes = scoring.routes(*data, costs)
    assert "1 of 2 projects bring more" in shown(scored.routes(routes.table, labels=LABELS))
    shown(Table(routes.table, "routes", "Routes"))
    shown(Table(routes.agreement, "agreement", "Agreement"))
    screening = pd.DataFrame(
        {
            "project": ["a", "b"],
            "class_of_spend": "benefit",
            "meets_need": True,
            "cost_keur": 10.0,
            "benefit_keur": [20.0, np.nan],
        }
    )
    table = scored.screening_table(scoring.screen(screening))
    assert table.title == "1 of 2 projects pass the test of their class of spend; 1 cannot be tested yet"
    assert "not tested" in shown(table)


def test_each_class_of_spend_is_drawn_beside_its_own_test():
    screening = pd.DataFrame(
        {
            "project": ["a", "b", "c"],
            "class_of_spend": ["comply", "benefit", "benefit"],
            "need": ["law", "", ""],
            "meets_need": True,
            "cost_keur": [5.0, 10.0, 30.0],
            "benefit_keur": [1.0, 20.0, 7.0],
        }
    )
    figure = scored.screening(scoring.screen(screening), classes={"comply": "the <law>"})
    assert "the &lt;law&gt;<br>1 by least cost" in json.loads(figure.figure.to_json())["data"][0]["y"]
    sums = figure.table.set_index("class_of_spend")
    assert tuple(sums.loc["benefit", ["projects", "cost_keur", "benefit_keur"]]) == (2, 40.0, 27.0)
    assert figure.title.startswith("1 of 3 projects pass the test") and shown(figure)


def replayed(**more) -> pd.DataFrame:
    rows = {
        "stream": ["losses", "losses", "peak"],
        "scenario": "s",
        "year": [2030, 2040, 2040],
        "reason": "groups act on each other",
    }
    return pd.DataFrame(
        rows | {"predicted_keur": [1.0, 12.0, 0.0], "replayed_keur": [1.0, 10.0, 0.0], "error_percent": [0, 20, np.nan]} | more
    )


def test_benefits_counted_and_simulated_stand_side_by_side_with_the_reason():
    figure = plans.replay(replayed(), labels={"losses": "Losses"})
    assert figure.title == "The roadmap counts 12 kEUR of benefits in 2040; its simulation shows 10"
    assert "groups act on each other" in figure.caption and shown(figure)
    assert figure.table["stream"].tolist() == ["losses"]  # what is nought in both is left out
    assert plans.replay(replayed().iloc[:0], labels={}).title == "Nothing that a replay could show is in service"


def test_what_binds_says_its_unit():
    table = pd.DataFrame(
        {
            "kind": ["target", "capex"],
            "fund": ["saidi_min", "grid"],
            "year": 2030,
            "used": 9.0,
            "allowed": 9.0,
            "per_unit": [2.0, 1.0],
        }
    )
    units = plans.binding(table, labels={"saidi_min": "SAIDI"}, units={"saidi_min": "min/yr"}, currency="GBP").frame
    assert units[["fund", "unit"]].to_numpy().tolist() == [["SAIDI", "min/yr"], ["grid", "kGBP"]]


def test_the_tables_of_scoring_have_labels(data):
    for frame in (
        scoring.contributions(*data),
        scoring.weighted_sum(*data),
        scoring.topsis(*data),
        scoring.stability(*data, first=1),
    ):
        shown(Table(frame, "t", "T"))
    pairs = scoring.matrix(pd.DataFrame({"criterion": ["a", "a", "b"], "other": ["b", "c", "c"], "ratio": [3.0, 5.0, 3.0]}))
    shown(Table(scoring.ahp(pairs).doubtful, "t", "T"))


def bars_of(figure):
    return {t.name: t for t in figure.figure.data if t.type == "bar"}


def test_the_tornado_starts_from_the_plan_and_ends_at_its_results():
    table = pd.DataFrame(
        {
            "uncertainty": ["cost of <b>ADMS</b>", "delay"],
            "setting_low": ["0.5", "0"],
            "setting_high": ["2", "1"],
            "result_low": [150.0, 100.0],
            "result_high": [-100.0, 80.0],
            "result_planned": [100.0, 100.0],
            "swing": [250.0, 20.0],
        }
    )
    figure = sure.tornado(table, label="Net present value [kEUR]")
    assert "moves the result most: from -100 to 150 kEUR" in shown(figure)
    for end, name in (("low", "at its low end"), ("high", "at its high end")):
        bar = bars_of(figure)[name]
        assert (np.asarray(bar.x) + bar.base).tolist() == table[f"result_{end}"].tolist()[::-1]
    shown(Table(table, "t", "T"))


@pytest.mark.parametrize(("at_least", "expected"), [(True, 70), (False, 30)])
def test_no_bar_of_a_distribution_is_both_met_and_missed(at_least, expected):
    values = np.append(np.linspace(-30, -0.01, 300), np.linspace(0.01, 70, 700))
    figure = sure.samples(values, label="Net present value [kEUR]", at_least=at_least)
    met = bars_of(figure)["target met"]
    assert sum(met.y) == pytest.approx(expected)
    assert f"{expected} % of the futures reach {'at least' if at_least else 'at most'} 0 kEUR" in shown(figure)
    assert sum(figure.table["share_percent"]) == pytest.approx(100)


def test_a_distribution_of_one_value_is_drawn():
    assert "100 %" in shown(sure.samples(np.full(5, 3.0), label="Net present value [kEUR]"))


def test_bands_regret_and_decisions_are_shown():
    money = pd.DataFrame({"sample": range(4), "npv_keur": 1.0, "benefit_keur": 1.0, "capex_keur": 0.0, "opex_keur": 0.0})
    kpis = pd.DataFrame(
        {"sample": [*range(4)] * 2, "year": [2030] * 4 + [2031] * 4, "saidi_min": [0.0] * 4 + [-1.0, -2.0, -3.0, -4.0]}
    )
    outcome = robustness.Outcome(money, kpis)
    spread = robustness.distribution(outcome)
    figure = sure.band(
        spread, "saidi_min", label="Change of SAIDI [min/yr]", target=pd.DataFrame({"year": [2031], "value": [-3.0]})
    )
    assert "Change of SAIDI in 2031: -2.50 min/yr" in shown(figure)
    shown(Table(spread, "t", "T"))
    grid = pd.DataFrame(
        {"plan": ["<b>ADMS</b>", "b"] * 2, "future": ["slow"] * 2 + ["fast"] * 2, "result": [5.0, 0.0, 10.0, 12.0]}
    )
    found = robustness.regret(grid)
    assert "loses at most 2 kEUR in any future" in shown(sure.regret(found.table, found.plans, label="Net present value [kEUR]"))
    shown(Table(found.plans, "t", "T"))
    one = pd.DataFrame({"project": ["a", "b"], "start_year": [2026, 2030]})
    table = sure.decisions_table(robustness.decisions({"slow": one[:1], "fast": one}, now=2026))
    assert table.title == "1 of 2 projects start now whatever the future; 1 can wait"
    shown(table)
    targets = pd.DataFrame({"kpi": ["saidi_min"], "year": [2031], "sense": ["at most"], "value": [-2.5]})
    table = sure.targets_table(robustness.probabilities(outcome, targets))
    assert "together in 50 % of the futures" in table.title
    assert "SAIDI [min/yr]" in shown(table)


def test_tables_without_rows_are_drawn_as_such(data):
    empty = scoring.contributions(*data)[:0]
    assert "No project is scored" in shown(scored.ranking(empty))
