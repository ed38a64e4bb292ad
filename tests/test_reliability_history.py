"""The outage log against hand calculation and IEEE 1366, and the calibration against closed forms."""

import doctest
import math
from pathlib import Path

import numpy as np
import pandapower
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gridplan import errors, tables
from gridplan.reliability import _calibrate, _history
from gridplan.reliability._calibrate import calibrate, plausible_factors
from gridplan.reliability._history import daily_indices, threshold, yearly_indices

STUDY = Path(__file__).parents[1] / "data" / "oberrhein"
FEW = settings(max_examples=20, deadline=None)


def log(rows) -> pd.DataFrame:
    """An outage log of (start, customers, minutes, planned)."""
    frame = pd.DataFrame(rows, columns=["start", "customers", "duration_min", "planned"])
    return frame.assign(start=pd.to_datetime(frame["start"], format="ISO8601"), area="A", cause="")


def test_examples_in_the_docstrings():
    assert doctest.testmod(_history).failed == 0
    assert doctest.testmod(_calibrate).failed == 0


def test_threshold_by_hand():
    """Daily SAIDI of 1, 2, 4, 8 min: logs 0, 1, 2, 3 times ln 2; mean 1.5 ln 2, sample deviation sqrt(5/3) ln 2."""
    values = pd.Series([1.0, 0.0, 2.0, 4.0, 0.0, 8.0], index=pd.date_range("2024-03-01", periods=6))
    found = threshold(values)
    assert found.alpha == pytest.approx(1.5 * math.log(2))
    assert found.beta == pytest.approx(math.sqrt(5 / 3) * math.log(2))
    assert found.minutes == pytest.approx(2 ** (1.5 + 2.5 * math.sqrt(5 / 3)))
    assert (found.days, found.years, found.provisional) == (4, 1, True)


def test_threshold_takes_the_last_five_years():
    days = pd.date_range("2015-01-01", "2024-12-31")
    values = pd.Series(np.where(days.year < 2020, 1000.0, 1.0) * (1 + days.dayofyear / 400), index=days)
    found = threshold(values)
    assert found.years == 5
    assert not found.provisional
    assert found.alpha == pytest.approx(np.log(values[days.year >= 2020]).mean())


def test_a_lognormal_utility_has_the_major_event_days_that_the_standard_expects():
    """IEEE 1366-2012, table B.2: k = 2.5 gives a probability of 0.00621, 2.3 major event days a year."""
    random = np.random.default_rng(1)
    years = pd.date_range("2000-01-01", "2199-12-31")
    values = pd.Series(random.lognormal(-3.0, 1.8, len(years)), index=years)
    limit = threshold(values[years.year < 2005])
    assert limit.minutes == pytest.approx(math.exp(-3.0 + 2.5 * 1.8), rel=0.2)
    exact = _history.Threshold(-3.0, 1.8, 1826, 5)
    share = (values > exact.minutes).mean()
    assert share == pytest.approx(0.00621, abs=3 * math.sqrt(0.00621 / len(values)))
    assert 365 * share == pytest.approx(2.3, abs=0.3)


def test_indices_of_a_day_by_hand():
    rows = [
        ("2024-05-01 23:50", 200, 60.0, False),  # its minutes after midnight belong to 1 May too
        ("2024-05-01 23:50", 100, 90.0, False),  # second step of the same restoration: other customers
        ("2024-05-02 08:00", 500, 5.0, False),  # five minutes: momentary
        ("2024-05-02 09:00", 50, 240.0, True),
        ("2024-05-03 09:00", 10, 5.1, False),
    ]
    daily = daily_indices(log(rows), 1000)
    assert len(daily) == 366
    assert daily.loc["2024-05-01", "saifi"] == pytest.approx(0.3)
    assert daily.loc["2024-05-01", "saidi_min"] == pytest.approx((200 * 60 + 100 * 90) / 1000)
    assert daily.loc["2024-05-02"].tolist() == pytest.approx([0.0, 0.0, 12.0, 0.5])
    assert daily.loc["2024-05-03", "saidi_min"] == pytest.approx(0.051)
    assert daily.loc["2024-05-04"].eq(0).all()


def test_years_with_and_without_major_event_days():
    """Six years of the same three small days; a storm in the sixth, judged by the five years before it."""
    small = [
        (f"{year}-02-0{day}", 100, minutes, False) for year in range(2019, 2025) for day, minutes in ((1, 10), (2, 20), (3, 40))
    ]
    storm = [("2024-11-20 16:00", 800, 600.0, False)]
    found = yearly_indices(log([*small, *storm]), 1000).set_index("year")
    logs = np.log([1.0, 2.0, 4.0] * 5)
    limit = math.exp(logs.mean() + 2.5 * logs.std(ddof=1))
    last = found.loc[2024]
    assert last["med_threshold_min"] == pytest.approx(limit)
    assert last["major_event_days"] == 1
    assert not last["provisional"]
    assert last["saidi_min"] == pytest.approx(7 + 480)
    assert last["saidi_without_med_min"] == pytest.approx(7)
    assert last["saifi_without_med"] == pytest.approx(0.3)
    assert last["caidi_without_med_min"] == pytest.approx(7 / 0.3)
    assert found["provisional"].tolist() == [True] * 5 + [False]
    assert found["threshold_years"].tolist() == [0, 1, 2, 3, 4, 5]
    assert found.loc[2019:2023, "major_event_days"].eq(0).all()


def test_customers_may_change_from_year_to_year():
    rows = [("2023-01-01", 100, 60.0, False), ("2024-01-01", 100, 60.0, False)]
    found = yearly_indices(log(rows), pd.Series({2023: 1000, 2024: 2000}))
    assert found["saidi_min"].tolist() == pytest.approx([6.0, 3.0])
    with pytest.raises(errors.ParameterError, match="for 2024"):
        yearly_indices(log(rows), pd.Series({2023: 1000}))
    with pytest.raises(errors.ParameterError, match="for 2023"):
        yearly_indices(log(rows), 0)


def test_a_log_that_is_empty_or_wrong_is_refused():
    with pytest.raises(errors.StudyError, match="no rows"):
        yearly_indices(log([]), 1000)
    with pytest.raises(errors.StudyError, match="-3"):
        yearly_indices(log([("2024-01-01", 100, -3.0, False)]), 1000)
    with pytest.raises(errors.StudyError, match="planned"):
        yearly_indices(log([("2024-01-01", 100, 3.0, False)]).drop(columns="planned"), 1000)
    with pytest.raises(errors.ParameterError, match="missing or below 0"):
        threshold(pd.Series([1.0, np.nan], index=pd.date_range("2024-01-01", periods=2)))


@FEW
@given(st.lists(st.tuples(st.integers(0, 1500), st.integers(1, 900), st.floats(0.1, 2000)), min_size=1, max_size=40))
def test_days_add_up_to_years(events):
    start = pd.Timestamp("2020-01-01")
    rows = [(start + pd.Timedelta(days=day, hours=13), customers, minutes, False) for day, customers, minutes in events]
    history = log(rows)
    found = yearly_indices(history, 1000)
    total = sum(c * m for _, c, m in events if m > 5) / 1000
    assert found["saidi_min"].sum() == pytest.approx(total, rel=1e-9, abs=1e-12)
    assert found["saifi"].sum() + found["momentary_per_yr"].sum() == pytest.approx(sum(c for _, c, _ in events) / 1000)
    assert (found["saidi_without_med_min"] <= found["saidi_min"] + 1e-12).all()


def test_the_bundled_study_says_what_every_switch_is():
    net = pandapower.from_json(STUDY / "network.json")
    gear = pd.read_csv(STUDY / "switchgear.csv").set_index("switch")
    assert gear.index.sort_values().equals(net.switch.index.sort_values())
    assert gear["device"].map({"breaker": "CB", "switch": "LBS"}).reindex(net.switch.index).equals(net.switch["type"])
    assert gear["control"].value_counts().to_dict() == {"manual": 311, "remote": 11}
    remote = net.switch.loc[gear.index[gear["control"] == "remote"]]
    assert set(remote.loc[remote["type"] == "LBS", "bus"]) == {132, 147, 190}
    assert set(gear["evidence"]) == {"M"}


def test_the_bundled_history_is_a_target():
    history = tables.check({"reliability_history": pd.read_csv(STUDY / "reliability_history.csv")})["reliability_history"]
    recent = history[history["year"] >= 2013]
    assert 0.2 < recent["saifi"].mean() < 0.35
    assert 10 < recent["saidi_min"].mean() < 16
    assert set(history["evidence"]) == {"2nd"}


def radial(rates: pd.DataFrame, restoration: pd.DataFrame) -> dict[str, float]:
    """Closed form of one line that everyone hangs on: half is switched, half waits; sustained from 5 minutes on."""
    rate = 10.0 * rates["failures_per_km_yr"].iloc[0] + rates["failures_per_yr"].iloc[1]
    row = restoration.iloc[0]
    switched = row["detect_min"] + row["locate_min"] + 10 * row["patrol_min_per_km"] + row["isolate_min"]
    times = [switched, 60.0 * rates["repair_h"].iloc[0]]
    return {"saifi": rate * sum(t >= 5 for t in times) / 2, "saidi_min": rate * sum(t for t in times if t >= 5) / 2}


RATES = pd.DataFrame(
    {
        "element": ["line", "trafo"],
        "failures_per_km_yr": [0.02, np.nan],
        "failures_per_yr": [np.nan, 0.01],
        "repair_h": [4.0, 4.0],
    }
).assign(planned_per_yr=0.1, planned_h=2.0)
TIMES = pd.DataFrame(
    {
        "area": ["*"],
        "control": ["manual"],
        "detect_min": [5.0],
        "locate_min": [20.0],
        "patrol_min_per_km": [1.0],
        "isolate_min": [5.0],
    }
).assign(transfer_min=12.0)


def test_calibration_meets_both_targets_exactly():
    """SAIFI 0.21, SAIDI 0.21 x (40 + 240) / 2 = 29.4 min; half the interruptions and the same minutes: rates 1/2, times 2."""
    before = radial(RATES, TIMES)
    assert (before["saifi"], before["saidi_min"]) == pytest.approx((0.21, 29.4))
    found = calibrate(radial, RATES, TIMES, {"saifi": 0.105, "saidi_min": 29.4})
    assert (found.rate_factor, found.time_factor) == pytest.approx((0.5, 2.0))
    after = radial(found.rates, found.restoration)
    assert (after["saifi"], after["saidi_min"]) == pytest.approx((0.105, 29.4))
    assert found.rates["planned_per_yr"].tolist() == [0.1, 0.1]
    assert found.rates["planned_h"].tolist() == [2.0, 2.0]
    assert found.restoration["transfer_min"].item() == pytest.approx(24.0)
    assert RATES["failures_per_km_yr"].iloc[0] == 0.02
    assert TIMES["detect_min"].item() == 5.0
    assert found.remarks == ()
    assert found.report["calibrated"].tolist() == pytest.approx([0.105, 29.4])


def test_calibration_says_how_far_it_had_to_go():
    found = calibrate(radial, RATES, TIMES, {"saifi": 0.84, "saidi_min": 4 * 29.4})
    assert found.rate_factor == pytest.approx(4.0)
    assert found.time_factor == pytest.approx(1.0)
    assert len(found.remarks) == 1
    assert "multiplied by 4, outside the plausible 0.5 to 2" in found.remarks[0]
    assert found.report["plausible"].tolist() == [False, True]
    wide = calibrate(radial, RATES, TIMES, {"saifi": 0.84}, plausible=plausible_factors().assign(high=10.0))
    assert wide.remarks == ()
    assert wide.time_factor == 1.0
    assert math.isnan(wide.report["target"].iloc[1])


def test_one_target_alone():
    found = calibrate(radial, RATES, TIMES, {"saidi_min": 14.7})
    assert (found.rate_factor, found.time_factor) == pytest.approx((1.0, 0.5))


@FEW
@given(st.floats(0.3, 3.0), st.floats(0.3, 3.0))
def test_calibration_undoes_any_scaling(rate, time):
    goal = radial(
        RATES.assign(
            **{name: RATES[name] * rate for name in ("failures_per_km_yr", "failures_per_yr")}, repair_h=RATES["repair_h"] * time
        ),
        TIMES.assign(**{name: TIMES[name] * time for name in ("detect_min", "locate_min", "patrol_min_per_km", "isolate_min")}),
    )
    found = calibrate(radial, RATES, TIMES, goal)
    assert (found.rate_factor, found.time_factor) == pytest.approx((rate, time), rel=1e-6)


def test_a_target_beyond_the_momentary_border():
    """Below a time factor of 1/8 the switched half is momentary: SAIFI halves, and the rates must double."""
    found = calibrate(radial, RATES, TIMES, {"saifi": 0.21, "saidi_min": 0.21 * 12})
    assert (found.rate_factor, found.time_factor) == pytest.approx((2.0, 0.05))
    assert radial(found.rates, found.restoration)["saidi_min"] == pytest.approx(2.52)


def test_a_model_that_does_not_follow_its_times_is_a_failure():
    def stuck(rates, restoration):
        return radial(rates, restoration) | {"saidi_min": 30.0}

    with pytest.raises(errors.NotConverged, match="border between momentary and sustained"):
        calibrate(stuck, RATES, TIMES, {"saifi": 0.21, "saidi_min": 20.0})


def test_targets_that_make_no_sense_are_refused():
    with pytest.raises(errors.ParameterError) as caught:
        calibrate(radial, RATES, TIMES, {"saifi": 0.0, "caidi_min": 60.0})
    assert len(caught.value.problems) == 2
    with pytest.raises(errors.ParameterError, match="is empty"):
        calibrate(radial, RATES, TIMES, {})
    with pytest.raises(errors.ParameterError, match="no factor meets"):
        calibrate(radial, RATES.assign(failures_per_km_yr=0.0, failures_per_yr=0.0), TIMES, {"saifi": 0.1})
    ranges = plausible_factors()
    assert (ranges["evidence"] == "M").all()
