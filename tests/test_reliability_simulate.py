"""Monte Carlo of years against closed forms of the compound Poisson process and against the analytic expectation."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, stats

from gridplan import errors, valuation
from gridplan.reliability._simulate import Sampling, simulate

CUSTOMERS = 1000
NAMES = ["event", "state", "weight", "stage", "control", "duration_h", "customer_class", "customers", "p_avg_mw", "p_peak_mw"]


def case() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Two faults, a transient fault and a planned outage; two loading states, two classes."""
    events = pd.DataFrame(
        {
            "event": [0, 1, 2, 3],
            "kind": ["fault", "fault", "transient", "planned"],
            "area": ["A", "A", "B", "B"],
            "rate_per_yr": [0.8, 0.3, 2.0, 5.0],
        }
    )
    parts = [
        (0, "upstream", "manual", 0.75, 400),
        (0, "transfer", "remote", 0.05, 100),  # 3 minutes: momentary
        (0, "repair", "", 4.0, 50),
        (1, "repair", "", 6.0, 200),
        (2, "reclosing", "", 0.0, 500),
        (3, "planned", "", 3.0, 30),
    ]
    rows = [
        (
            event,
            state,
            weight,
            stage,
            control,
            hours,
            name,
            round(share * customers),
            load * share * customers / 1000,
            2e-3 * customers,
        )
        for event, stage, control, hours, customers in parts
        for state, weight, load in ((0, 0.3, 1.0), (1, 0.7, 2.0))
        for name, share in (("residential", 0.9), ("commercial", 0.1))
    ]
    return events, pd.DataFrame(rows, columns=NAMES)


def expected(events: pd.DataFrame, rows: pd.DataFrame) -> dict[str, float]:
    """The analytic indices, as the core defines them."""
    both = rows.merge(events, on="event")
    rate = both["rate_per_yr"] * both["weight"]
    fault, long = both["kind"] == "fault", both["duration_h"] * 60 >= 5
    unplanned = both["kind"] != "planned"
    return {
        "saifi": (rate * both["customers"])[fault & long].sum() / CUSTOMERS,
        "saidi_min": (60 * rate * both["customers"] * both["duration_h"])[fault & long].sum() / CUSTOMERS,
        "maifi_e": (rate * both["customers"])[unplanned & ~(fault & long)].sum() / CUSTOMERS,
        "ens_mwh": (rate * both["p_avg_mw"] * both["duration_h"])[fault].sum(),
    }


def voll() -> valuation.CostSet:
    return valuation.cost_set(valuation.bundled(), "Germany VoLL, mean")


@pytest.mark.parametrize("repair", ["constant", "exponential", "lognormal"])
def test_means_are_those_of_the_model(repair):
    events, rows = case()
    found = simulate(events, rows, CUSTOMERS, costs=voll(), sampling=Sampling(40_000, seed=3, repair=repair, repair_cv=0.8))
    summary = found.summary().set_index("quantity")
    want = expected(events, rows)
    want["cost_k"] = valuation.expected_cost(events, rows, voll())["cost_k_per_yr"].item()
    for name, value in want.items():
        row = summary.loc[name]
        assert abs(row["mean"] - value) < 4 * row["mean_error"], name
        assert row["mean_error"] < 0.02 * value
    assert found.drawn["faults"].mean() == pytest.approx(0.8 + 0.3 + 2.0, rel=0.02)


def test_variance_of_a_compound_poisson_year():
    """Var = rate E[x^2]; with exponential repair x = a + b F has E[x^2] = a^2 + 2 a b + 2 b^2."""
    events, rows = case()
    minutes = {0: (60 * 0.75 * 400 / CUSTOMERS, 60 * 4 * 50 / CUSTOMERS), 1: (0.0, 60 * 6 * 200 / CUSTOMERS)}
    rates = {0: 0.8, 1: 0.3}
    square = {"constant": lambda a, b: (a + b) ** 2, "exponential": lambda a, b: a * a + 2 * a * b + 2 * b * b}
    cv = 0.6
    square["lognormal"] = lambda a, b: a * a + 2 * a * b + (1 + cv**2) * b * b
    for repair, second in square.items():
        want = sum(rates[event] * second(*minutes[event]) for event in rates)
        years = simulate(events, rows, CUSTOMERS, sampling=Sampling(100_000, seed=5, repair=repair, repair_cv=cv)).drawn
        assert years["saidi_min"].var(ddof=1) == pytest.approx(want, rel=0.05), repair


def test_distribution_of_faults_and_of_years_without_any():
    events, rows = case()
    years = simulate(events, rows, CUSTOMERS, sampling=Sampling(50_000, seed=2))
    quiet = (years.drawn["saidi_min"] == 0).mean()
    assert quiet == pytest.approx(math.exp(-1.1), abs=4 * math.sqrt(0.22 / 50_000))
    counts = np.bincount(years.drawn["faults"], minlength=12)[:12]
    want = 50_000 * stats.poisson.pmf(np.arange(12), 3.1)
    assert (np.abs(counts - want) < 5 * np.sqrt(want) + 1).all()


def test_probability_of_missing_a_target_in_closed_form():
    """One fault of 0.4 a year that interrupts everyone for 2 h: SAIDI is 120 min times a Poisson number."""
    events = pd.DataFrame({"event": [0], "kind": ["fault"], "area": ["A"], "rate_per_yr": [0.4]})
    rows = pd.DataFrame([(0, 0, 1.0, "repair", "", 2.0, "residential", CUSTOMERS, 1.0, 2.0)], columns=NAMES)
    years = simulate(events, rows, CUSTOMERS, sampling=Sampling(30_000, seed=9, repair="constant"))
    for target, faults in ((0.0, 0), (119.0, 0), (120.0, 1), (300.0, 2)):
        share, error = years.missed("saidi_min", target)
        want = stats.poisson.sf(faults, 0.4)
        assert error == pytest.approx(math.sqrt(share * (1 - share) / 30_000))
        assert abs(share - want) < 4 * error, target
    share, error = years.missed("saidi_min", 1e9)
    assert (share, error) == (0.0, 1 / 30_001)
    assert years.summary(quantiles=[0.5, 0.999])["p50"].iloc[1] == 0.0
    # 99.5 % of the years have two faults at most: the quantile is a multiple of 120.
    assert years.summary(quantiles=[0.98])["p98"].iloc[1] == stats.poisson.ppf(0.98, 0.4) * 120
    with pytest.raises(errors.ParameterError, match="did you mean 'saidi_min'"):
        years.missed("saidi_m", 1.0)


def test_cost_of_a_random_repair_time_is_the_integral_over_the_cost_function():
    events = pd.DataFrame({"event": [0], "kind": ["fault"], "area": ["A"], "rate_per_yr": [1.0]})
    rows = pd.DataFrame([(0, 0, 1.0, "repair", "", 3.0, "commercial", 10, 0.05, 0.2)], columns=NAMES)
    costs = valuation.cost_set(valuation.bundled(), "RBTS 1987")
    grid = np.linspace(0, 60, 60_001)
    density = stats.expon(scale=3.0).pdf(grid)
    want = 0.2 * integrate.simpson(valuation.unit_cost(costs, "commercial", grid) * density, x=grid)
    found = (
        simulate(events, rows, 10, costs=costs, sampling=Sampling(100_000, seed=4)).summary().set_index("quantity").loc["cost_k"]
    )
    assert abs(found["mean"] - want) < 4 * found["mean_error"]
    # Not the cost of the mean time: the function is not linear.
    assert abs(0.2 * valuation.unit_cost(costs, "commercial", 3.0).item() - want) > 10 * found["mean_error"]


def test_a_plain_loop_over_the_same_year_agrees():
    """The same process written as a loop: events, states, interruptions, one after the other."""
    events, rows = case()
    random = np.random.default_rng(11)
    years, saidi = 4000, []
    costs = valuation.cost_set(valuation.bundled(), "ICE 1.0", basis="per_event")
    groups = dict(list(rows.groupby("event")))
    states = {event: {state: list(own.itertuples()) for state, own in part.groupby("state")} for event, part in groups.items()}
    hours_of = {name: [] for name in rows["customer_class"].unique()}
    for year in range(years):
        minutes = 0.0
        for event in events[events["kind"] == "fault"].itertuples():
            for _ in range(random.poisson(event.rate_per_yr)):
                factor = random.exponential()
                for row in states[event.event][int(random.random() > 0.3)]:
                    hours = row.duration_h * (factor if row.stage == "repair" else 1.0)
                    minutes += 60 * hours * row.customers * (row.duration_h * 60 >= 5) / CUSTOMERS
                    hours_of[row.customer_class].append((year, row.customers, hours))
        saidi.append(minutes)
    cost = np.zeros(years)
    for name, parts in hours_of.items():
        at, size, hours = (np.array(part) for part in zip(*parts, strict=True))
        np.add.at(cost, at, size * valuation.unit_cost(costs, name, hours) / 1000)
    faults = events[events["kind"] == "fault"]
    fast = simulate(faults, rows[rows["event"] < 2], CUSTOMERS, costs=costs, sampling=Sampling(40_000, seed=1)).drawn
    for slow, quick in ((saidi, fast["saidi_min"]), (cost, fast["cost_k"])):
        error = math.hypot(np.std(slow) / math.sqrt(years), quick.std() / math.sqrt(len(quick)))
        assert abs(np.mean(slow) - quick.mean()) < 4 * error
        assert stats.ks_2samp(slow, quick).pvalue > 1e-4


def test_the_seed_decides():
    events, rows = case()
    one, same, other = (simulate(events, rows, CUSTOMERS, sampling=Sampling(500, seed=s)).drawn for s in (1, 1, 2))
    pd.testing.assert_frame_equal(one, same)
    assert not one.equals(other)


@settings(max_examples=15, deadline=None)
@given(
    st.lists(st.tuples(st.floats(0.01, 3.0), st.floats(0.1, 10.0), st.integers(1, 500)), min_size=1, max_size=6),
    st.integers(0, 99),
)
def test_means_agree_on_random_events(parts, seed):
    events = pd.DataFrame(
        {"event": range(len(parts)), "kind": "fault", "area": "A", "rate_per_yr": [rate for rate, _, _ in parts]},
    )
    stages = ["repair", "upstream"]
    rows = pd.DataFrame(
        [(n, 0, 1.0, stages[n % 2], "", h, "residential", c, c / 1e3, c / 1e3) for n, (_, h, c) in enumerate(parts)],
        columns=NAMES,
    )
    found = simulate(events, rows, CUSTOMERS, sampling=Sampling(5000, seed=seed)).summary().set_index("quantity")
    for name, value in expected(events, rows).items():
        assert abs(found.loc[name, "mean"] - value) <= 5 * found.loc[name, "mean_error"] + 1e-12


def test_no_faults_no_minutes():
    events, rows = case()
    years = simulate(events.assign(rate_per_yr=0.0), rows, CUSTOMERS, costs=voll(), sampling=Sampling(20)).drawn
    assert years.eq(0).all().all()
    assert len(years) == 20
    empty = simulate(
        events[events["kind"] == "planned"], rows[rows["event"] == 3], CUSTOMERS, costs=voll(), sampling=Sampling(20)
    )
    assert empty.drawn.eq(0).all().all()


def test_what_is_wrong_is_refused_at_once():
    events, rows = case()
    with pytest.raises(errors.ParameterError) as caught:
        simulate(events.assign(rate_per_yr=-1.0), rows.drop(columns="stage"), 0)
    assert len(caught.value.problems) == 3
    with pytest.raises(errors.ParameterError, match="p_peak_mw"):
        costs = valuation.cost_set(valuation.bundled(), "RBTS 1987")
        simulate(events, rows.drop(columns="p_peak_mw"), CUSTOMERS, costs=costs)
    with pytest.raises(errors.ParameterError) as caught:
        Sampling(years=0, repair="weibul", repair_cv=-1)
    assert len(caught.value.problems) == 3
