"""Ranges and samples of them: means, quantiles, correlation, mixtures."""

import numpy as np
import pandas as pd
import pytest
from ranges import rows_of

from gridplan import robustness

SHAPES = [
    {"distribution": "triangular", "low": 0.5, "mode": 1.0, "high": 2.0, "coverage": 1.0},
    {"distribution": "triangular", "low": 1.0, "mode": 1.0, "high": 2.0, "coverage": 1.0},
    {"distribution": "triangular", "low": 0.5, "mode": 1.0, "high": 1.0, "coverage": 1.0},
    {"distribution": "pert", "low": 0.5, "mode": 1.0, "high": 2.0, "coverage": 1.0},
    {"distribution": "pert", "low": 0.0, "mode": 0.0, "high": 2.0, "coverage": 1.0},
    {"distribution": "uniform", "low": 0.5, "mode": 1.0, "high": 2.0, "coverage": 1.0},
    {"distribution": "lognormal", "low": 0.5, "mode": 1.0, "high": 2.0, "coverage": 0.8},
    {"distribution": "lognormal", "low": 0.7, "mode": 1.0, "high": 1.5, "coverage": 0.8},
]


@pytest.mark.parametrize("shape", SHAPES, ids=lambda s: f"{s['distribution']} {s['low']} {s['high']}")
def test_the_mean_in_closed_form_is_the_integral_of_the_quantiles(shape):
    row = pd.Series(shape)
    middle = (np.arange(100_000) + 0.5) / 100_000
    assert robustness.mean(row) == pytest.approx(robustness.quantile(row, middle).mean(), rel=1e-4)


@pytest.mark.parametrize("shape", SHAPES, ids=lambda s: f"{s['distribution']} {s['low']} {s['high']}")
def test_quantiles_rise_from_low_to_high(shape):
    row = pd.Series(shape)
    ends = [0.1, 0.9] if shape["distribution"] == "lognormal" else [0, 1]
    assert robustness.quantile(row, np.array(ends)) == pytest.approx([shape["low"], shape["high"]])
    assert (np.diff(robustness.quantile(row, np.linspace(0.01, 0.99, 99))) > 0).all()


def test_the_median_of_a_lognormal_range_and_the_mode_of_a_triangle_are_where_they_should_be():
    assert robustness.quantile(pd.Series(SHAPES[6]), np.array([0.5])) == pytest.approx([1.0])
    assert robustness.quantile(pd.Series(SHAPES[0]), np.array([1 / 3])) == pytest.approx([1.0])  # (mode - low) / (high - low)


def test_every_cost_class_holds_the_planned_value_between_its_ends():
    classes = robustness.bundled("cost_classes")
    assert (classes["low_factor"] < classes["mode_factor"]).all()
    assert (classes["mode_factor"] < classes["high_factor"]).all()
    assert (np.diff(classes.sort_values("cost_class")["high_factor"]) > 0).all()
    for name in ("cost_classes", "ranges", "defaults"):
        assert (robustness.bundled(name)[["source", "evidence"]] != "").all(axis=None)


def test_costs_are_correlated_as_asked_and_nothing_else_is():
    uncertain = rows_of(
        *[
            {
                "uncertainty": f"c{i}",
                "kind": "capex",
                "item": "adms",
                "low": 0.5,
                "high": 2.0,
                "distribution": "lognormal",
                "coverage": 0.8,
            }
            for i in range(2)
        ],
        {"uncertainty": "price", "kind": "benefit", "low": 0.5, "high": 2.0},
    )
    found = robustness.draw(uncertain, {"slow": 1.0}, samples=20_000, cost_correlation=0.6).settings
    r = np.log(found[["c0", "c1"]]).corr().iloc[0, 1]  # a lognormal with equal halves: the correlation of the normal scores
    assert r == pytest.approx(0.6, abs=0.02)
    assert found["c0"].corr(found["price"]) == pytest.approx(0, abs=0.03)
    alike = robustness.draw(uncertain, {"slow": 1.0}, samples=50, cost_correlation=1.0).settings
    assert alike["c0"].to_numpy() == pytest.approx(alike["c1"].to_numpy())


def test_scenarios_are_drawn_by_their_probability_one_a_sample_or_blended():
    uncertain = rows_of({"uncertainty": "u", "kind": "opex"})
    one = robustness.draw(uncertain, {"slow": 0.3, "fast": 0.7, "never": 0.0}, samples=20_000).mix
    assert set(np.unique(one.to_numpy())) == {0.0, 1.0}
    assert one.mean().tolist() == pytest.approx([0.3, 0.7, 0.0], abs=0.013)
    blended = robustness.draw(uncertain, {"slow": 0.3, "fast": 0.7, "never": 0.0}, samples=20_000, blend=20).mix
    assert blended.mean().tolist() == pytest.approx([0.3, 0.7, 0.0], abs=0.005)
    assert blended.sum(axis=1).to_numpy() == pytest.approx(np.ones(20_000))
    assert blended["slow"].var() == pytest.approx(0.3 * 0.7 / 21, rel=0.05)


def test_the_same_seed_gives_the_same_samples():
    uncertain = rows_of({"uncertainty": "u", "kind": "opex", "low": 0.5, "high": 2.0})
    one, two, three = (robustness.draw(uncertain, {"a": 1.0}, samples=20, seed=s).settings for s in (1, 1, 2))
    pd.testing.assert_frame_equal(one, two)
    assert not one.equals(three)


@pytest.mark.parametrize("kind", ["capex", "opex"])
def test_samples_of_a_range_have_its_mean_and_its_quantiles(kind):
    for shape in SHAPES:
        table = rows_of({"uncertainty": "u", "kind": kind} | shape)
        found = robustness.draw(table, {"a": 1.0}, samples=20_000).settings["u"]
        error = found.std() / np.sqrt(len(found))
        assert found.mean() == pytest.approx(robustness.mean(pd.Series(shape)), abs=4 * error)
        share = [(found <= q).mean() for q in robustness.quantile(pd.Series(shape), np.array([0.1, 0.5, 0.9]))]
        assert share == pytest.approx([0.1, 0.5, 0.9], abs=0.015)
