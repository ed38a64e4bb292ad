"""Money over time: closed forms, published examples, a second computation, invariants, and what must be refused."""

import doctest
import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from gridplan import errors, tables, valuation
from gridplan.valuation import _appraisal, _discount

FEW = settings(max_examples=40, deadline=None)
RATES = st.floats(-0.5, 1.0)
AMOUNTS = st.lists(st.floats(-1000, 1000), min_size=2, max_size=12)


def years(values, first: int = 2025) -> pd.Series:
    return pd.Series(list(values), index=range(first, first + len(values)), dtype=float)


def project(**changes) -> pd.DataFrame:
    row = {"project": "a", "capex_keur": 100.0, "opex_keur_per_yr": 5.0, "duration_yr": 1.5, "lifetime_yr": 10.0}
    return pd.DataFrame([row | changes])


def test_examples_in_the_docstrings():
    for module in (_discount, _appraisal):
        assert doctest.testmod(module).failed == 0


# --- rates and annuities ----------------------------------------------------------------------------------------------------


def test_published_examples_of_spreadsheets_and_numpy():
    """Microsoft's documentation of NPV, IRR and PMT; numpy-financial's of npv."""
    end = valuation.flat(0.10, 2025, timing="end")
    assert valuation.present_value(years([-10000, 3000, 4200, 6800]), end) == pytest.approx(1188.44, abs=0.005)
    start = valuation.flat(0.08, 2025)
    assert valuation.present_value(years([-40000, 5000, 8000, 12000, 30000]), start) == pytest.approx(3065.22, abs=0.005)
    assert valuation.irr(years([-70000, 12000, 15000, 18000, 21000])).value == pytest.approx(-0.021, abs=5e-4)
    assert valuation.irr(years([-70000, 12000, 15000, 18000, 21000, 26000])).value == pytest.approx(0.0866, abs=5e-5)
    assert 10000 * valuation.capital_recovery(0.08 / 12, 10) == pytest.approx(1037.03, abs=0.005)


def test_green_book_declines_year_by_year():
    """The kinks as in the unit tests of the CRAN package greenbook."""
    book = valuation.schedule("UK Green Book", 2025)
    factor = valuation.discount_factors([2025, 2026, 2055, 2056, 2100, 2101], book).tolist()
    at_75 = 1 / (1.035**30 * 1.030**45)
    assert factor == pytest.approx([1, 1 / 1.035, 1.035**-30, 1.035**-30 / 1.03, at_75, at_75 / 1.025])
    assert factor[2] == pytest.approx(0.3563, abs=5e-5)  # Green Book, table of discount factors, year 30
    assert "3.5 % from year 0, 3 % from year 31" in book.convention


def test_time_of_payment():
    factors = {
        name: valuation.discount_factors([2030], valuation.flat(0.07, 2025, timing=name)).item() for name in valuation.TIMINGS
    }
    assert factors["start"] == pytest.approx(1.07**-5)
    assert factors["middle"] == pytest.approx(1.07**-5.5)
    assert factors["end"] == pytest.approx(1.07**-6)


@FEW
@given(RATES, st.integers(1, 60))
def test_annuity_and_capital_recovery_are_inverse_and_a_sum(rate, horizon):
    factor = valuation.annuity_factor(rate, horizon)
    assert factor * valuation.capital_recovery(rate, horizon) == pytest.approx(1.0)
    assert factor == pytest.approx(sum((1 + rate) ** -t for t in range(1, horizon + 1)), rel=1e-9)
    flat = valuation.flat(rate, 2025)
    assert valuation.equivalent_annual(factor, flat, horizon) == pytest.approx(1.0)


@FEW
@given(st.floats(-0.2, 0.3), st.floats(-0.05, 0.2), AMOUNTS, st.sampled_from(sorted(valuation.TIMINGS)))
def test_real_and_nominal_give_the_same_present_value(rate, inflation, amounts, timing):
    real = valuation.flat(rate, 2025, timing=timing)
    flows = years(amounts)
    money_of_the_day = valuation.inflate(flows, inflation, 2025, timing=timing)
    want = valuation.present_value(flows, real)
    scale = 1e-9 * (1 + np.abs(amounts).sum()) / min(1, (1 + rate) ** len(amounts))
    assert valuation.present_value(money_of_the_day, valuation.nominal(real, inflation)) == pytest.approx(want, abs=scale)
    assert valuation.real_rate(valuation.nominal_rate(rate, inflation), inflation) == pytest.approx(rate, abs=1e-12)


@FEW
@given(RATES, AMOUNTS, AMOUNTS, st.floats(-5, 5))
def test_present_value_is_linear(rate, one, other, factor):
    size = min(len(one), len(other))
    a, b = years(one[:size]), years(other[:size])
    discount = valuation.flat(rate, 2025)
    parts = valuation.present_value(a, discount) + factor * valuation.present_value(b, discount)
    scale = (1 + np.abs(a).sum() + 5 * np.abs(b).sum()) * max(1, (1 + rate) ** -size)
    assert valuation.present_value(a + factor * b, discount) == pytest.approx(parts, abs=1e-12 * scale)


@pytest.mark.parametrize("rate", [-1.0, -1.5, math.nan, math.inf])
def test_a_rate_of_minus_100_percent_is_refused(rate):
    for call in (
        lambda: valuation.flat(rate, 2025),
        lambda: valuation.annuity_factor(rate, 10),
        lambda: valuation.capital_recovery(rate, 10),
        lambda: valuation.real_rate(0.05, rate),
    ):
        with pytest.raises(errors.ParameterError, match=r"not above -100 %|is not a number"):
            call()


def test_a_horizon_of_nothing_and_missing_years_are_refused():
    flat = valuation.flat(0.04, 2025)
    with pytest.raises(errors.ParameterError, match="hold no year"):
        valuation.present_value(pd.Series(dtype=float), flat)
    with pytest.raises(errors.ParameterError, match="2026, 2027 is missing between"):
        valuation.present_value(pd.Series([1.0, 2.0], index=[2025, 2028]), flat)
    with pytest.raises(errors.ParameterError, match="2026: the amount is not a number"):
        valuation.irr(years([-1, math.nan, 3]))
    with pytest.raises(errors.ParameterError, match="2025 occurs twice"):
        valuation.payback(pd.Series([1.0, 2.0], index=[2025, 2025]))
    with pytest.raises(errors.ParameterError, match="lies before the base year 2025"):
        valuation.present_value(years([1, 2], 2024), flat)
    with pytest.raises(errors.ParameterError, match="0 is not above 0"):
        valuation.annuity_factor(0.04, 0)
    with pytest.raises(errors.ParameterError, match="0 is not at least 1"):
        valuation.equivalent_annual(10, flat, 0)
    with pytest.raises(errors.ParameterError, match="did you mean 'UK Green Book'"):
        valuation.schedule("UK Greenbook", 2025)
    with pytest.raises(errors.ParameterError, match="is nominal already"):
        valuation.nominal(valuation.schedule("Utility, example", 2025), 0.02)
    with pytest.raises(errors.ParameterError) as caught:
        valuation.flat(-2, 2025, basis="money", timing="noon")
    assert len(caught.value.problems) == 3


def test_every_bundled_schedule_can_be_used():
    table = valuation.bundled("discount_rates")
    assert set(table["evidence"]) <= {"V", "V-computed", "2nd", "M"}
    for name in table["schedule"].unique():
        assert valuation.discount_factors([2025, 2400], valuation.schedule(name, 2025)).iloc[1] < 0.1


# --- internal rates of return and payback -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("flows", "want"),
    [
        ([-250000, 100000, 150000, 200000, 250000, 300000], [0.5672303344]),  # numpy-financial
        ([-100, 0, 0, 74], [-0.0955]),  # numpy-financial
        ([-1600, 10000, -10000], [0.25, 4.0]),  # the oil pump of Lorie and Savage 1955
        ([-252, 1431, -3035, 2850, -1000], [1 / 4, 1 / 3, 3 / 7, 2 / 3]),  # Ross, Westerfield, Jaffe: four rates
        ([100, -50, 100], []),  # changes sign twice and has none
        ([-1, 2, -1], [0.0]),  # touches nought without crossing it
        ([0, 0, -100, 110, 0], [0.1]),  # empty years at both ends
        ([-100, *[10.0] * 10], [0.0]),
        ([5, 3, 2], []),
        ([0, 0], []),
    ],
)
def test_internal_rates_of_textbooks(flows, want):
    found = valuation.irr(years(flows))
    assert found.rates == pytest.approx(want, abs=1e-4 if flows[-1] == 74 else 1e-9)
    assert ("judge by the net present value" in found.words) == (len(want) != 1)
    assert math.isnan(found.value) == (len(want) != 1)


@FEW
@given(st.sets(st.sampled_from([-0.6, -0.3, -0.05, 0.0, 0.04, 0.12, 0.3, 0.8, 2.5]), min_size=1, max_size=6), st.floats(-50, 50))
def test_every_rate_that_was_built_in_is_found(rates, scale):
    assume(abs(scale) > 0.1)
    flows = scale * np.poly([1 + rate for rate in rates])
    assert valuation.irr(years(flows)).rates == pytest.approx(sorted(rates), abs=1e-6)


@FEW
@given(st.lists(st.integers(-20, 20), min_size=2, max_size=9))
def test_internal_rates_agree_with_the_eigenvalues_of_numpy(amounts):
    """A second computation: all roots of the polynomial in 1 + r by the companion matrix."""
    roots = np.roots(np.trim_zeros(amounts))
    near = np.abs(roots.imag) < 1e-3 * np.abs(roots)
    assume((np.abs(roots.imag[near]) < 1e-12).all())  # no pair that may be double or complex
    want = np.sort(roots.real[near & (roots.real > 0)]) - 1
    assume(len(want) < 2 or np.diff(want).min() > 1e-3)
    found = valuation.irr(years(amounts)).rates
    assert len(found) == len(want)
    assert found == pytest.approx(want.tolist(), rel=1e-6, abs=1e-6)


def test_a_long_horizon_is_no_trouble():
    """Sixty years of an even return: one rate, as bisection finds it."""
    found = valuation.irr(years([-1000, *[70.0] * 60])).value
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if 70 * valuation.annuity_factor(middle, 60) > 1000 else (low, middle)
    assert found == pytest.approx(low, abs=1e-9)
    replaced = years([-100, *[30.0] * 9, -80, *[30.0] * 9, -80, *[30.0] * 20])
    assert len(valuation.irr(replaced).rates) == 1


def test_payback():
    assert valuation.payback(years([-100, 30, 30, 30, 30])) == pytest.approx(3 + 1 / 3)
    # Discounted at 10 %: 27.27, 52.07, 74.61, 95.10 after four years, 18.63 in the fifth.
    flat = valuation.flat(0.10, 2025)
    five = years([-100, 30, 30, 30, 30, 30])
    assert valuation.payback(five, flat) == pytest.approx(4 + (100 - 95.096) / 18.628, abs=1e-3)
    assert math.isnan(valuation.payback(years([-100, 30, 30])))
    assert valuation.payback(years([10, -5, 3])) == 0.0
    # Paid back after two years, but a replacement in the fourth takes it back: for good after five and a half.
    assert valuation.payback(years([-100, 50, 60, 10, -50, 20, 20, 20])) == pytest.approx(5.5)


# --- appraisal and projects -------------------------------------------------------------------------------------------------


@FEW
@given(
    st.lists(st.floats(0, 500), min_size=1, max_size=15), st.lists(st.floats(0, 500), min_size=1, max_size=15), st.floats(0, 0.2)
)
def test_the_ratio_is_above_one_if_and_only_if_the_net_value_is_above_nought(gains, spent, rate):
    assume(sum(spent) > 1)
    found = valuation.appraise(years(gains), years(spent), valuation.flat(rate, 2025)).iloc[0]
    assert found["npv_keur"] == pytest.approx(found["pv_benefits_keur"] - found["pv_costs_keur"])
    assume(abs(found["npv_keur"]) > 1e-6)
    assert (found["bcr"] > 1) == (found["npv_keur"] > 0)


def test_appraisal_by_hand():
    found = valuation.appraise(years([0, 60, 60]), years([90, 5, 5]), valuation.flat(0.10, 2025)).iloc[0]
    gains, spent = 60 / 1.1 + 60 / 1.21, 90 + 5 / 1.1 + 5 / 1.21
    assert found["pv_benefits_keur"] == pytest.approx(gains)
    assert found["bcr"] == pytest.approx(gains / spent)
    assert found["irr_percent"] == pytest.approx(100 * ((55 + math.sqrt(55**2 + 4 * 90 * 55)) / 180 - 1))
    assert found["payback_yr"] == pytest.approx(1 + 35 / 55)
    assert found["annual_keur_per_yr"] == pytest.approx((gains - spent) / valuation.annuity_factor(0.10, 3))
    assert "start of 2025" in found["convention"]
    free = valuation.appraise(years([1, 1]), years([0, 0]), valuation.flat(0.1, 2025)).iloc[0]
    assert math.isnan(free["bcr"])


@FEW
@given(st.floats(0.005, 0.15), st.integers(1, 25), st.integers(1, 40))
def test_a_residual_by_annuities_makes_the_cost_that_of_an_endless_chain(rate, life, horizon):
    flows = valuation.asset_flows(100.0, life, service_year=2025, last_year=2024 + horizon, residual="annuity", rate=rate)
    pv = valuation.present_value(valuation.total_by_year(flows), valuation.flat(rate, 2025))
    due = valuation.annuity_factor(rate, horizon)
    assert -pv == pytest.approx(100 * valuation.capital_recovery(rate, life) * due)


def test_replacement_and_straight_line_residual_by_hand():
    flows = valuation.asset_flows(60.0, 4, service_year=2026, last_year=2035)
    bought = flows[flows["stream"] == "utility_capex"]
    assert bought["year"].tolist() == [2026, 2030, 2034]
    left = flows[flows["stream"] == "residual_value"].iloc[0]
    assert (left["year"], left["value_keur"]) == (2036, pytest.approx(30.0))  # two of four years
    assert len(valuation.asset_flows(60.0, 5, service_year=2026, last_year=2035)) == 2  # ends with the horizon
    assert len(valuation.asset_flows(60.0, 4, service_year=2026, last_year=2035, residual="none")) == 3


def test_project_costs_by_hand():
    """100 over a year and a half from 2025, in service from 2027 on with 5 a year; 2 of 10 years are left after 2034."""
    flows = valuation.project_flows(project(), last_year=2034, starts=2025)
    spent = flows[flows["stream"] == "utility_capex"].set_index("year")["value_keur"]
    assert spent.to_dict() == pytest.approx({2025: -100 / 1.5, 2026: -50 / 1.5})
    row = valuation.project_economics(project(class_of_spend="core"), valuation.flat(0.04, 2025), last_year=2034).iloc[0]
    capex = 100 / 1.5 + 50 / 1.5 / 1.04
    opex = sum(5 * 1.04**-t for t in range(2, 10))
    assert (row["start_year"], row["service_year"], row["class_of_spend"]) == (2025, 2027, "core")
    assert row["pv_capex_keur"] == pytest.approx(capex)
    assert row["pv_opex_keur"] == pytest.approx(opex)
    assert row["pv_residual_keur"] == pytest.approx(20 * 1.04**-10)
    assert row["pv_cost_keur"] == pytest.approx(capex + opex - 20 * 1.04**-10)
    assert row["annual_cost_keur_per_yr"] * sum(1.04**-t for t in range(2, 10)) == pytest.approx(row["pv_cost_keur"])


def test_a_project_is_bought_again_with_its_profile_and_may_outlast_the_plan():
    again = valuation.project_flows(project(spend_profile="0.25|0.75", lifetime_yr=4.0), last_year=2034, starts=2025)
    spent = again[again["stream"] == "utility_capex"].groupby("year")["value_keur"].sum()
    assert spent.to_dict() == {2025: -25, 2026: -75, 2029: -25, 2030: -75}  # in service 2027 to 2030 and 2031 to 2034
    assert "residual_value" not in set(again["stream"])
    lasting = valuation.project_flows(project(lifetime_yr=np.nan), last_year=2034, starts=2025)
    assert set(lasting["stream"]) == {"utility_capex", "utility_opex"}
    with pytest.raises(errors.ParameterError, match="row 2, column 'spend_profile': the shares"):
        valuation.project_flows(project(spend_profile="0.5|0.6"), last_year=2034, starts=2025)
    with pytest.raises(errors.ParameterError, match="column 'lifetime_yr': is empty"):
        valuation.plant_additions(project(lifetime_yr=np.nan), last_year=2034, starts=2025)


def test_costs_of_projects_add_up_and_follow_their_start():
    projects = pd.concat([project(), project(project="b", duration_yr=0.0, lifetime_yr=3.0)], ignore_index=True)
    flat = valuation.flat(0.05, 2025)
    each = valuation.project_economics(projects, flat, last_year=2040)
    total = valuation.total_by_year(valuation.project_flows(projects, last_year=2040, starts=2025))
    assert -valuation.present_value(total, flat) == pytest.approx(each["pv_cost_keur"].sum())
    later = valuation.project_economics(projects, flat, last_year=2040, starts={"b": 2030})
    assert later["project"].tolist() == ["b"]
    assert later["service_year"].tolist() == [2030]
    before = projects.copy()
    assert projects.equals(before)


def test_faulty_projects_are_all_reported():
    faulty = pd.concat([project(lifetime_yr=0.0), project(project="b", capex_keur=-1.0)], ignore_index=True)
    with pytest.raises(errors.ParameterError) as caught:
        valuation.project_economics(faulty, valuation.flat(0.05, 2025), last_year=2020)
    assert {problem.column for problem in caught.value.problems} == {"lifetime_yr", "capex_keur", None}
    with pytest.raises(errors.ParameterError, match="lifetime_yr"):
        valuation.project_flows(project().drop(columns="lifetime_yr"), last_year=2040, starts=2025)
    twice = pd.concat([project(lifetime_yr="long"), project(lifetime_yr="")], ignore_index=True)
    with pytest.raises(errors.ParameterError, match="'long' is not a number") as caught:
        valuation.project_flows(twice, last_year=2040, starts=2025)
    assert [problem.column for problem in caught.value.problems] == ["lifetime_yr", "project"]
    with pytest.raises(errors.ParameterError, match="'c' is no project"):
        valuation.project_flows(project(), last_year=2040, starts={"c": 2025})
    with pytest.raises(errors.ParameterError, match="starts before the base year"):
        valuation.project_economics(project(), valuation.flat(0.05, 2025), last_year=2040, starts=2024)
    with pytest.raises(errors.ParameterError, match="give a constant rate"):
        valuation.project_economics(project(), valuation.schedule("UK Green Book", 2025), last_year=2030, residual="annuity")


# --- what customers pay -----------------------------------------------------------------------------------------------------


def test_revenue_requirement_by_hand():
    allowed = valuation.Regulation(0.4, 0.10, 0.08, 0.3)
    assert allowed.wacc == pytest.approx(0.088)  # 60 debt at 8 %, 40 equity at 10 %: the example of regulators' courses
    additions = pd.DataFrame({"year": [2026], "capex_keur": [100.0], "lifetime_yr": [10.0]})
    found = valuation.revenue_requirement(additions, years([5, 5], 2026), allowed, last_year=2036).set_index("year")
    first = found.loc[2026]
    assert first["rate_base_keur"] == 100
    assert first["interest_keur"] == pytest.approx(4.8)
    assert first["equity_return_keur"] == pytest.approx(4.0)
    assert first["tax_keur"] == pytest.approx(4.0 * 0.3 / 0.7)
    assert first["revenue_requirement_keur"] == pytest.approx(10 + 4.8 + 4 + 4 * 0.3 / 0.7 + 5)
    assert found.loc[2035, "rate_base_keur"] == pytest.approx(10)
    assert found.loc[2036, "revenue_requirement_keur"] == 0
    assert found["depreciation_keur"].sum() == pytest.approx(100)


@FEW
@given(st.floats(0.05, 1.0), st.floats(0.01, 0.15), st.floats(0.0, 0.1), st.floats(0, 0.5), st.integers(1, 30))
def test_the_owners_earn_exactly_what_the_regulator_allows(share, equity, debt, tax, life):
    """Flow to equity: the owners pay their share, get revenue less interest, tax and repayment; its rate is the return."""
    allowed = valuation.Regulation(share, equity, debt, tax)
    additions = pd.DataFrame({"year": [2025], "capex_keur": [100.0], "lifetime_yr": [float(life)]})
    rows = valuation.revenue_requirement(additions, None, allowed, last_year=2024 + life)
    interest = rows["rate_base_keur"] * (1 - share) * debt
    profit = rows["revenue_requirement_keur"] - interest - 100 / life
    received = profit * (1 - tax) + 100 / life - (1 - share) * 100 / life
    flows = np.array([-100 * share, *received])
    assert (flows * (1 + equity) ** -np.arange(life + 1.0)).sum() == pytest.approx(0, abs=1e-6)
    untaxed = valuation.revenue_requirement(
        additions, None, valuation.Regulation(share, equity, debt, 0.0), last_year=2024 + life
    )
    end = valuation.flat(allowed.wacc, 2025, timing="end")
    assert valuation.present_value(untaxed.set_index("year")["revenue_requirement_keur"], end) == pytest.approx(100)


def test_what_a_customer_pays():
    requirement = pd.DataFrame({"year": [2026, 2027], "revenue_requirement_keur": [120.0, 60.0]})
    found = valuation.rates_impact(
        requirement, 1000, savings=years([24], 2026), sales_mwh=years([4000, 4000], 2026), revenue_keur=years([960, 1200], 2026)
    )
    assert found["per_customer"].tolist() == pytest.approx([96, 60])
    assert found["per_customer_month"].tolist() == pytest.approx([8, 5])
    assert found["per_mwh"].tolist() == pytest.approx([24, 15])
    assert found["change_percent"].tolist() == pytest.approx([10, 5])
    with pytest.raises(errors.ParameterError, match="customers: 2027: is missing or not above 0"):
        valuation.rates_impact(requirement, years([1000], 2026))
    average = valuation.Regulation(0.4, 0.1, 0.08, 0.3, "average")
    additions = pd.DataFrame({"year": [2026], "capex_keur": [100.0], "lifetime_yr": [10.0]})
    assert valuation.revenue_requirement(additions, None, average, last_year=2026)["rate_base_keur"].item() == 95
    with pytest.raises(errors.ParameterError) as caught:
        valuation.Regulation(1.2, 0.1, -0.1, 1.0, "closing")
    assert len(caught.value.problems) == 4


def test_assumptions_give_rate_capital_and_regulation():
    given = dict(tables.assumptions().set_index("assumption")["value"])
    assert valuation.discount(given, 2025).bands == ((0, 0.04),)
    assert valuation.capital(given) == valuation.Capital(0.04, 40.0)
    assert valuation.regulation(given).wacc == pytest.approx(0.4 * 0.06 + 0.6 * 0.035)
