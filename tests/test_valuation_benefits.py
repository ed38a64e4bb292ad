"""Benefits by stream from metrics and prices, declared benefits, cost tests: by hand, by identities, and what must be refused."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gridplan import errors, valuation
from gridplan.valuation import _benefits, _prices

FEW = settings(max_examples=15, deadline=None)
MONEY = valuation.Money("EUR", 2024, "Germany CPI")
CAPITAL = valuation.Capital(0.04, 40)
STUDY = Path(__file__).parents[1] / "data" / "oberrhein"
FLAT = valuation.flat(0.04, 2025)


def read(name: str) -> pd.DataFrame:
    return pd.read_csv(STUDY / f"{name}.csv", keep_default_na=False)


def prices(**values) -> pd.DataFrame:
    """One price of 2025 for each role, in the first unit."""
    named = dict.fromkeys(valuation.ROLES, 1.0) | values
    rows = [
        {"item": role, "year": 2025, "value": value, "unit": next(iter(valuation.ROLES[role])), "source": "test", "evidence": "M"}
        | ({} if role in _prices.NO_MONEY else {"price_year": 2024, "currency": "EUR"})
        for role, value in named.items()
    ]
    return pd.DataFrame(rows)


def metrics() -> pd.DataFrame:
    """Ten rows: an option of two groups in one area, 2025 and 2030; quantities that a group does not have are empty."""
    rows = []
    for year, cut in ((2025, 10.0), (2030, 20.0)):
        for option, on in (("none", 0), ("voltvar", 1), ("voltvar+smart_inverters", 2)):
            own = {"load_mwh": 1000 - on * cut, "losses_mwh": 30 - on, "peak_mw": 2 - 0.1 * on, "operations": 100 + 50 * on}
            own |= {"curtailed_mwh": 8 - 2 * on, "reinforcement_keur": (0 if year == 2025 else 400) * (1 - 0.5 * on)}
            rows.append({"group": "voltage", "option": option, "year": year, "failed_h": 0.0} | own)
        for option, cost in (("none", 50.0), ("flisr", 50.0 - 2 * cut)):
            rows.append(
                {"group": "restoration", "option": option, "year": year, "interruption_cost_keur": cost, "saidi_min": 30.0}
            )
    return pd.DataFrame(rows).assign(area="A", scenario="reference")


def worth(frame=None, table=None, **options) -> pd.DataFrame:
    options = {"money": MONEY, "deferred": CAPITAL} | options
    return valuation.benefits(metrics() if frame is None else frame, prices() if table is None else table, **options)


def cell(found: pd.DataFrame, option: str, year: int, stream: str) -> float:
    rows = found[(found["option"] == option) & (found["year"] == year) & (found["stream"] == stream)]
    return rows["benefit_keur"].item()


def flows(**streams) -> pd.DataFrame:
    return pd.DataFrame([{"stream": name, "year": 2025, "value_keur": value} for name, value in streams.items()])


# --- benefits ---------------------------------------------------------------------------------------------------------------


def test_every_stream_by_hand():
    table = prices(
        wholesale_energy=80, retail_energy=250, loss_energy=70, curtailed_energy=40, capacity=60000, switching_operation=2,
        carbon_value=200, carbon_in_energy=60, emission_factor=0.3,
    )  # fmt: skip
    found = worth(table=table)
    # Halfway at 2027.5; in 2027 two fifths of the way from 10 to 20 MWh.
    assert cell(found, "voltvar", 2027, "energy") == pytest.approx(14 * 80 / 1000)
    assert cell(found, "voltvar", 2027, "lost_revenue") == pytest.approx(-14 * 250 / 1000)
    assert cell(found, "voltvar", 2027, "bill_savings") == pytest.approx(14 * 250 / 1000)
    assert cell(found, "voltvar", 2027, "losses") == pytest.approx(0.07)
    assert cell(found, "voltvar", 2025, "peak_capacity") == pytest.approx(0.1 * 60)
    assert cell(found, "voltvar", 2025, "curtailment") == pytest.approx(2 * 40 / 1000)
    assert cell(found, "voltvar", 2025, "switching") == pytest.approx(-50 * 2 / 1000)
    assert cell(found, "voltvar", 2025, "carbon") == pytest.approx((10 + 1 + 2) * 0.3 * (200 - 60) / 1000)
    assert cell(found, "flisr", 2028, "interruption_cost") == pytest.approx(2 * 16)
    charge = valuation.capital_recovery(0.04, 40) / 1.04
    assert cell(found, "voltvar", 2030, "reinforcement") == pytest.approx(200 * charge)
    assert cell(found, "voltvar+smart_inverters", 2030, "reinforcement") == pytest.approx(400 * charge)
    assert "none" not in set(found["option"])
    assert sorted(found["year"].unique()) == list(range(2025, 2031))
    assert not found.duplicated([*_benefits.KEY, "stream"]).any()
    assert set(found.loc[found["group"] == "restoration", "stream"]) == {"interruption_cost"}


def test_transfers_add_up_to_nought_and_streams_to_the_option():
    found = worth()
    moved = found[found["stream"].isin(valuation.TRANSFERS)].groupby(_benefits.KEY)["benefit_keur"].sum()
    assert moved.abs().max() == 0
    total = valuation.by_option(found)
    assert total["benefit_keur"].sum() == pytest.approx(found["benefit_keur"].sum())
    assert len(total) == 5 * 6
    assert (total.loc[total["option"] == "none", "benefit_keur"] == 0).all()
    assert len(valuation.by_option(found, scenario="reference")) == 5 * 6
    losses = valuation.by_option(found, ["losses"])
    assert losses.loc[losses["group"] == "restoration", "benefit_keur"].tolist() == [0.0] * 12
    with pytest.raises(errors.ParameterError, match="'fast' has no benefits"):
        valuation.by_option(found, scenario="fast")
    with pytest.raises(errors.ParameterError, match="did you mean 'losses'"):
        valuation.by_option(found, ["loses"])


@pytest.mark.parametrize("timing", sorted(valuation.TIMINGS))
@pytest.mark.parametrize("delay", [1, 4, 9])
def test_the_annual_cost_of_deferred_capital_is_the_value_of_building_it_later_for_ever(timing, delay):
    """Second computation: 250 kEUR every 20 years from 2026 on, against the same from 2026 + delay on, over a thousand years."""
    rate, life = 0.05, 20
    discount = valuation.flat(rate, 2026, timing=timing)
    when = np.arange(2026, 3026, life)
    chain = [250 * float(valuation.discount_factors(when + late, discount).sum()) for late in (0, delay)]
    spent = {year: (250.0, 250.0 if year >= 2026 + delay else 0.0) for year in range(2026, 2037)}
    rows = [
        {"area": "A", "group": "flexibility", "option": option, "scenario": "s", "year": year, "reinforcement_keur": own}
        for year, both in spent.items()
        for option, own in zip(("none", "storage"), both, strict=True)
    ]
    found = worth(pd.DataFrame(rows), deferred=valuation.Capital(rate, life))
    value = valuation.present_value(found.set_index("year")["benefit_keur"], discount)
    assert value == pytest.approx(chain[0] - chain[1], rel=1e-9)
    dated = worth(pd.DataFrame(rows), deferred=valuation.Capital(rate, life, "dated")).set_index("year")["benefit_keur"]
    assert dated[2026] == 250
    assert dated[2026 + delay] == -250
    assert dated.sum() == pytest.approx(0)


@pytest.mark.parametrize("column", ["load_mwh", "reinforcement_keur", "failed_h", "interruption_cost_keur"])
def test_what_failed_is_never_a_benefit_of_nought(column):
    frame = metrics()
    option = "flisr" if column == "interruption_cost_keur" else "voltvar"
    at = frame.index[(frame["option"] == option) & (frame["year"] == 2030)][0]
    frame.loc[at, column] = np.nan if column != "failed_h" else 3.0
    with pytest.raises(errors.ParameterError, match=f"'{option}', reference 2030: ({column} is missing|3 h of the year failed)"):
        worth(frame)
    why = valuation.unavailable(frame)
    assert why[["option", "year"]].to_numpy().tolist() == [[option, 2030]]
    left = worth(frame, on_failure="unavailable")
    assert option not in set(left["option"])
    whole = worth()
    pd.testing.assert_frame_equal(left, whole[whole["option"] != option].reset_index(drop=True))


def test_without_a_known_state_of_today_nothing_of_the_group_has_a_benefit():
    frame = metrics()
    frame.loc[(frame["option"] == "none") & (frame["group"] == "voltage") & (frame["year"] == 2025), "losses_mwh"] = np.nan
    assert set(worth(frame, on_failure="unavailable")["group"]) == {"restoration"}
    frame.loc[frame["option"] == "none", "failed_h"] = 1.0
    assert worth(frame[frame["group"] == "voltage"].reset_index(drop=True), on_failure="unavailable").empty


def test_faulty_metrics_are_refused():
    frame = metrics()
    with pytest.raises(errors.ParameterError, match="has no option 'none'"):
        worth(frame[frame["option"] != "none"])
    with pytest.raises(errors.ParameterError, match=r"'voltvar', reference: has no row of 2030"):
        worth(frame[~((frame["option"] == "voltvar") & (frame["year"] == 2030))])
    with pytest.raises(errors.ParameterError, match="stands in an earlier row already"):
        worth(pd.concat([frame, frame.head(1)], ignore_index=True))
    with pytest.raises(errors.ParameterError, match="column 'scenario': is missing"):
        worth(frame.drop(columns="scenario"))
    with pytest.raises(errors.ParameterError, match="inf is not a number"):
        worth(frame.assign(load_mwh=np.inf))
    with pytest.raises(errors.ParameterError, match="nothing that can be valued"):
        worth(frame[_benefits.KEY])
    with pytest.raises(errors.ParameterError) as caught:
        worth(on_failure="ignore", deferred=valuation.Capital(0.04, 40, "yearly"))
    assert len(caught.value.problems) == 2


def test_areas_and_scenarios_do_not_mix_and_scenarios_may_have_years_of_their_own():
    one = metrics()
    other = one[one["group"] == "voltage"].assign(area="B", load_mwh=lambda f: 2 * f["load_mwh"])
    fast = one.assign(scenario="fast", year=one["year"].replace(2030, 2035))
    found = worth(pd.concat([one, other, fast], ignore_index=True))
    own = found[(found["scenario"] == "reference") & (found["option"] == "voltvar") & (found["stream"] == "energy")]
    a, b = (own[own["area"] == area]["benefit_keur"].to_numpy() for area in "AB")
    assert b == pytest.approx(2 * a)
    assert found[found["scenario"] == "fast"]["year"].max() == 2035
    alone = worth(one)
    part = found[(found["scenario"] == "reference") & (found["area"] == "A")].reset_index(drop=True)
    pd.testing.assert_frame_equal(part, alone)


@FEW
@given(st.floats(0, 3), st.floats(0, 300))
def test_benefits_are_linear_in_quantities_and_prices(factor, price):
    frame = metrics()
    base = worth(table=prices(wholesale_energy=price))
    none = frame[frame["option"] == "none"].set_index(["group", "year"])["load_mwh"]
    today = pd.Series([none[key] for key in zip(frame["group"], frame["year"], strict=True)])
    scaled = worth(frame.assign(load_mwh=today + factor * (frame["load_mwh"] - today)), prices(wholesale_energy=price))
    own, want = (f[f["stream"] == "energy"]["benefit_keur"].to_numpy() for f in (scaled, base))
    assert own == pytest.approx(factor * want, abs=1e-9)


def test_a_second_computation_row_by_row():
    """The same from random metrics of three areas and two scenarios, with plain loops and none of the module's code."""
    random = np.random.default_rng(3)
    names = ["load_mwh", "losses_mwh", "peak_mw", "curtailed_mwh", "operations", "reinforcement_keur"]
    keys = [(a, o, s, y) for a in "ABC" for o in ("none", "x", "x+y") for s in "uv" for y in (2025, 2028, 2035)]
    frame = pd.DataFrame(random.uniform(0, 100, (len(keys), 6)), columns=names)
    frame = pd.DataFrame(keys, columns=["area", "option", "scenario", "year"]).join(frame).assign(group="voltage")
    price = dict(zip(valuation.ROLES, random.uniform(1, 100, len(valuation.ROLES)), strict=True))
    found = worth(frame.sample(frac=1, random_state=1), prices(**price))
    data = frame.set_index(["area", "option", "scenario", "year"])
    per_unit = {
        "losses": ("losses_mwh", price["loss_energy"] / 1000),
        "energy": ("load_mwh", price["wholesale_energy"] / 1000),
        "bill_savings": ("load_mwh", price["retail_energy"] / 1000),
        "lost_revenue": ("load_mwh", -price["retail_energy"] / 1000),
        "peak_capacity": ("peak_mw", price["capacity"] / 1000),
        "curtailment": ("curtailed_mwh", price["curtailed_energy"] / 1000),
        "switching": ("operations", price["switching_operation"] / 1000),
        "reinforcement": ("reinforcement_keur", 0.04 * 1.04**40 / (1.04**40 - 1) / 1.04),
    }
    tonne = (price["carbon_value"] - price["carbon_in_energy"]) * price["emission_factor"] / 1000
    assert len(found) == 3 * 2 * 2 * 11 * 9
    for row in found.itertuples():
        low, high = (2025, 2028) if row.year <= 2028 else (2028, 2035)
        share = (row.year - low) / (high - low)
        saved = {
            name: sum(
                weight
                * (
                    data.at[(row.area, "none", row.scenario, year), name]
                    - data.at[(row.area, row.option, row.scenario, year), name]
                )
                for year, weight in ((low, 1 - share), (high, share))
            )
            for name in names
        }
        if row.stream == "carbon":
            want = tonne * (saved["load_mwh"] + saved["losses_mwh"] + saved["curtailed_mwh"])
        else:
            want = saved[per_unit[row.stream][0]] * per_unit[row.stream][1]
        assert abs(row.benefit_keur - want) < 1e-9, row


def test_nothing_is_changed():
    frame, table = metrics(), prices()
    copies = frame.copy(), table.copy()
    worth(frame, table)
    pd.testing.assert_frame_equal(frame, copies[0])
    pd.testing.assert_frame_equal(table, copies[1])


# --- prices -----------------------------------------------------------------------------------------------------------------


def path(table: pd.DataFrame, years, role: str = "wholesale_energy", **items) -> pd.DataFrame:
    return valuation.price_paths(table, years, MONEY, items={role: items.get("item", role)})


def test_a_price_is_given_between_held_or_escalated_and_says_so():
    row = {"item": "wholesale_energy", "unit": "per kWh", "price_year": 2024, "currency": "EUR", "source": "x", "evidence": "V"}
    table = pd.DataFrame(
        [row | {"year": 2025, "value": 0.08}, row | {"year": 2030, "value": 0.06, "source": "y", "evidence": "M"}]
    )
    found = path(table, [2025, 2027, 2030, 2032])
    assert found["value"].tolist() == pytest.approx([80, 72, 60, 60])
    assert found["how"].tolist() == ["given", "between", "given", "held"]
    assert found["unit"].unique().tolist() == ["per MWh"]
    assert found.loc[1, ["source", "evidence"]].tolist() == ["x; y", "M"]
    grows = {"item": "wholesale_energy_escalation", "unit": "%/yr", "source": "x", "evidence": "M"}
    more = pd.concat([table, pd.DataFrame([grows | {"year": 2025, "value": 2.0}, grows | {"year": 2032, "value": -1.0}])])
    found = path(more, [2028, 2031, 2032, 2033])
    assert found["value"].tolist() == pytest.approx([68, 60 * 1.02, 60 * 1.02 * 0.99, 60 * 1.02 * 0.99**2])
    assert found["how"].tolist() == ["between", "escalated", "escalated", "escalated"]


def test_money_is_moved_by_the_rate_of_its_year_and_then_the_index():
    found = path(valuation.bundled("prices"), [2030], "carbon_value", item="carbon_value EPA 2023 2 %")
    assert found["value"].item() == pytest.approx(230 / 1.1422 * 119.3 / 100.0)
    assert (found["currency"].item(), found["price_year"].item()) == ("EUR", 2024)
    pounds = path(valuation.bundled("prices"), [2027], "carbon_value", item="carbon_value UK 2023 central")
    between = 268.97 + (294.5 - 268.97) * 3 / 6
    assert pounds["value"].item() == pytest.approx(between / 0.8528 * 119.3 / 110.2)


def test_money_in_the_metrics_is_moved_to_the_price_level_too():
    moved = valuation.Money("EUR", 2024, "Germany CPI", levels={"interruption_cost_keur": 2017})
    plain, found = worth(), worth(money=moved)
    want = cell(plain, "flisr", 2028, "interruption_cost") * 119.3 / 96.4
    assert cell(found, "flisr", 2028, "interruption_cost") == pytest.approx(want)
    assert cell(found, "voltvar", 2030, "reinforcement") == cell(plain, "voltvar", 2030, "reinforcement")
    with pytest.raises(errors.ParameterError, match="column 'reinforcement_keur': index 'Germany CPI' has no value of 1990"):
        worth(money=valuation.Money("EUR", 2024, "Germany CPI", levels={"reinforcement_keur": 1990}))
    with pytest.raises(errors.ParameterError, match="did you mean 'interruption_cost_keur'"):
        worth(money=valuation.Money("EUR", 2024, levels={"interruption_cost": 2017}))


def test_published_carbon_values():
    """EPA 2023 in dollars of 2020 (the planning reference's table), UK 2023 in pounds of 2022."""
    table = valuation.bundled("prices")
    dollars = valuation.Money("USD", 2020)
    want = {"2.5 %": (120, 140), "2 %": (190, 230), "1.5 %": (340, 380)}
    for rate, values in want.items():
        named = {"carbon_value": f"carbon_value EPA 2023 {rate}"}
        assert tuple(valuation.price_paths(table, [2020, 2030], dollars, items=named)["value"]) == values
    named = {"carbon_value": "carbon_value IWG 2021 3 %"}
    assert valuation.price_paths(table, [2020], dollars, items=named)["value"].item() == 51


def test_faulty_prices_are_refused():
    table = prices()
    with pytest.raises(errors.ParameterError, match="begins in 2025, after 2024"):
        path(table, [2024])
    with pytest.raises(errors.ParameterError, match=r"row 2.*'per kW/yr' is no unit of wholesale_energy"):
        path(table.assign(unit="per kW/yr"), [2025])
    with pytest.raises(errors.ParameterError, match="has no currency or no price year"):
        path(table.assign(currency=""), [2025])
    with pytest.raises(errors.ParameterError, match="exchange rate of CHF: has no value of 2024"):
        path(table.assign(currency="CHF"), [2025])
    with pytest.raises(errors.ParameterError, match="index 'Germany CPI' has no value of 1990"):
        path(table.assign(price_year=1990), [2025])
    with pytest.raises(errors.ParameterError, match="there is none"):
        path(table, [])
    with pytest.raises(errors.StudyError, match="already"):
        path(pd.concat([table, table], ignore_index=True), [2025])
    with pytest.raises(errors.ParameterError, match="has no item 'carbon_value'"):
        worth(table=table[table["item"] != "carbon_value"])
    with pytest.raises(errors.ParameterError, match="did you mean 'carbon_value'"):
        worth(items={"carbon_valu": "x"})
    left = worth(table=table[table["item"] != "carbon_value"], items={"carbon_value": None})
    assert "carbon" not in set(left["stream"])
    assert "losses" in set(left["stream"])


@pytest.mark.parametrize("table", [read("prices"), valuation.bundled("prices")], ids=["study", "package"])
def test_the_bundled_prices_serve_every_role(table):
    items = {"carbon_value": "carbon_value UBA 3.1"} if "carbon_value" not in set(table["item"]) else {}
    found = worth(table=table, items=items)
    assert set(found["stream"]) == set(valuation.STREAMS)
    assert (table["source"].str.len() > 10).all()
    for role, unit in (("wholesale_energy", "per MWh"), ("capacity", "per MW/yr")):
        assert path(table, [2025], role)["unit"].item() == unit
    assert 40 < path(table, [2025])["value"].item() < 150
    assert 0.01 < path(table, [2040], "emission_factor")["value"].item() < 0.4


# --- the plan, declared benefits, cost tests --------------------------------------------------------------------------------


def test_a_plan_earns_what_the_options_in_service_earn():
    found = worth()
    chosen = pd.DataFrame(
        {"area": "A", "group": "voltage", "option": ["none", "voltvar", "voltvar+smart_inverters"], "year": [2026, 2027, 2028]}
    )
    plan = valuation.in_service(found, chosen)
    for option, year in (("voltvar", 2027), ("voltvar+smart_inverters", 2028)):
        own = plan[(plan["year"] == year) & (plan["stream"] == "energy")]
        assert own["value_keur"].item() == pytest.approx(cell(found, option, year, "energy"))
    assert set(plan["year"]) == {2027, 2028}
    with pytest.raises(errors.ParameterError, match="two options are in service"):
        valuation.in_service(found, chosen.assign(year=2027))
    with pytest.raises(errors.ParameterError, match="'voltvar', 2050: has no benefits"):
        valuation.in_service(found, chosen.assign(year=[2026, 2050, 2028]))
    with pytest.raises(errors.ParameterError, match="'fast' has no benefits"):
        valuation.in_service(found, chosen, scenario="fast")


def test_declared_benefits_come_when_what_brings_them_is_in_service():
    row = {"kind": "project", "area": "", "stream": "operating_saving", "unit": "k/yr", "first_year_offset_yr": 1}
    row |= {"source": "test", "evidence": "M"}
    table = pd.DataFrame(
        [
            row | {"benefit": "reading", "item": "meters", "value": 3.0},
            row | {"benefit": "calls", "item": "meters", "area": "B", "value": 2.0, "unit": "per customer/yr"},
            row | {"benefit": "other", "item": "never built", "value": 9.0},
        ]
    )
    delivered = pd.DataFrame({"kind": "project", "item": "meters", "area": ["A", "B"], "year": [2027, 2029]})
    found = valuation.declared(table, delivered, last_year=2031, customers=pd.Series({"A": 100, "B": 500}))
    reading, calls = (found[found["benefit"] == name].set_index("year")["declared_keur"] for name in ("reading", "calls"))
    assert reading.to_dict() == dict.fromkeys(range(2028, 2032), 3.0)
    assert calls.to_dict() == {2030: 1.0, 2031: 1.0}
    assert "other" not in set(found["benefit"])
    with pytest.raises(errors.ParameterError, match=r"row 3.*is per customer; give the number"):
        valuation.declared(table, delivered, last_year=2031)
    with pytest.raises(errors.StudyError, match="'kEUR' is not allowed"):
        valuation.declared(table.assign(unit="kEUR"), delivered, last_year=2031)
    study = valuation.declared(
        read("declared_benefits"),
        pd.DataFrame({"kind": ["application"], "item": ["flisr"], "area": [""], "year": [2026]}),
        last_year=2030,
    )
    assert study.empty


#: A year of a programme: 300 saved in energy, 200 of bills, 40 of carbon, 30 of interruptions; the utility spends 100 and pays
#: 20 of the 50 that participants spend.
PROGRAMME = {
    "energy": 300.0, "lost_revenue": -200.0, "bill_savings": 200.0, "carbon": 40.0, "interruption_cost": 30.0,
    "utility_capex": -100.0, "participant_cost": -50.0, "incentive_paid": -20.0, "incentive_received": 20.0,
}  # fmt: skip


def test_cost_tests_by_hand():
    """The equations of the California Standard Practice Manual, chapters 2 to 5, with one year and no discounting."""
    found = valuation.cost_tests(flows(**PROGRAMME), FLAT).set_index("test")
    want = {"UCT": (300, 120), "TRC": (300, 150), "SCT": (370, 150), "RIM": (300, 320), "PCT": (220, 50)}
    for test, (gains, spent) in want.items():
        row = found.loc[test]
        assert (row["pv_benefits_keur"], row["pv_costs_keur"], row["npv_keur"]) == pytest.approx((gains, spent, gains - spent)), (
            test
        )
        assert row["bcr"] == pytest.approx(gains / spent)
        assert row["pv_declared_keur"] == 0


@FEW
@given(
    st.dictionaries(
        st.sampled_from(sorted(set(PROGRAMME) - {"bill_savings", "incentive_received"})), st.floats(1, 500), min_size=3
    )
)
def test_total_resource_is_what_those_who_pay_and_those_who_take_part_have_together(sizes):
    """An identity of the manual: what one pays the other receives, so TRC = RIM + PCT; and no transfer moves TRC or SCT."""
    values = {name: size * np.sign(PROGRAMME[name]) for name, size in sizes.items()}
    moved = {"lost_revenue": "bill_savings", "incentive_paid": "incentive_received"}
    values |= {other: -values[name] for name, other in moved.items() if name in values}
    found = valuation.cost_tests(flows(**values), FLAT).set_index("test")["npv_keur"]
    assert found["TRC"] == pytest.approx(found["RIM"] + found["PCT"], abs=1e-6)
    without = {name: value for name, value in values.items() if name not in {*moved, *moved.values()}} or {"energy": 0.0}
    bare = valuation.cost_tests(flows(**without), FLAT).set_index("test")["npv_keur"]
    assert found[["TRC", "SCT"]].tolist() == pytest.approx(bare[["TRC", "SCT"]].tolist(), abs=1e-6)


def test_a_benefit_below_nought_is_a_cost_and_a_residual_value_lowers_it():
    found = valuation.cost_test_streams(flows(losses=-5.0, utility_capex=-100.0, residual_value=30.0), FLAT)
    own = found[found["test"] == "UCT"].set_index("stream")["side"]
    assert own.to_dict() == {"losses": "cost", "utility_capex": "cost", "residual_value": "cost"}
    row = valuation.cost_tests(flows(losses=-5.0, utility_capex=-100.0, residual_value=30.0), FLAT).set_index("test").loc["UCT"]
    assert (row["pv_benefits_keur"], row["pv_costs_keur"]) == pytest.approx((0, 75))


def test_declared_benefits_are_counted_apart():
    extra = pd.DataFrame({"stream": ["operating_saving", "societal_benefit"], "year": 2025, "declared_keur": [30.0, 7.0]})
    plain = valuation.cost_tests(flows(**PROGRAMME), FLAT).set_index("test")
    found = valuation.cost_tests(flows(**PROGRAMME), FLAT, declared=extra).set_index("test")
    same = ["pv_benefits_keur", "pv_costs_keur", "npv_keur", "bcr"]
    pd.testing.assert_frame_equal(found[same], plain[same])
    assert found["pv_declared_keur"].to_dict() == pytest.approx({"UCT": 30, "TRC": 30, "SCT": 37, "RIM": 30, "PCT": 0})
    assert found.loc["SCT", "bcr_with_declared"] == pytest.approx(407 / 150)
    assert found.loc["SCT", "npv_with_declared_keur"] == pytest.approx(257)


def test_a_test_of_the_jurisdiction_is_more_rows():
    table = valuation.bundled("cost_tests")
    own = table[table["test"] == "UCT"].assign(test="JST", source="Order 12-345")
    own.loc[own["stream"].isin(["carbon"]), "side"] = "benefit"
    found = valuation.cost_tests(flows(**PROGRAMME), FLAT, mapping=pd.concat([table, own], ignore_index=True)).set_index("test")
    assert list(found.index) == ["UCT", "TRC", "SCT", "RIM", "PCT", "JST"]
    assert found.loc["JST", "npv_keur"] == pytest.approx(found.loc["UCT", "npv_keur"] + 40)


def test_what_a_test_says_nothing_of_is_refused():
    with pytest.raises(errors.ParameterError, match="test 'TRC' has no row for the stream 'resilience'"):
        valuation.cost_tests(flows(resilience=4.0), FLAT)
    with pytest.raises(errors.ParameterError, match=r"transfers of test 'TRC' leave -20\.0 kEUR"):
        valuation.cost_tests(flows(energy=300.0, incentive_paid=-20.0), FLAT)
    with pytest.raises(errors.StudyError, match=r"'side'.*'gain' is not allowed"):
        valuation.cost_tests(flows(energy=1.0), FLAT, mapping=valuation.bundled("cost_tests").assign(side="gain"))


def test_every_test_decides_on_every_stream():
    table = valuation.bundled("cost_tests")
    streams = {*valuation.STREAMS, *valuation.COSTS, "incentive_paid", "incentive_received", "participant_cost"}
    for test, own in table.groupby("test"):
        assert streams <= set(own["stream"]), test
    named = valuation.streams()
    assert set(named["stream"]) == set(table["stream"])
    transfers = set(table.loc[table["side"] == "transfer", "stream"])
    assert set(named.loc[named["kind"] == "transfer", "stream"]) == transfers >= set(valuation.TRANSFERS)
    assert set(read("declared_benefits")["stream"]) <= set(table["stream"])


def test_from_metrics_to_cost_tests_end_to_end():
    """The plan of a small study: benefits of the options in service and costs of the projects, every year in one table."""
    found = worth(table=read("prices"))
    chosen = pd.DataFrame({"area": "A", "group": "restoration", "option": "flisr", "year": range(2027, 2031)})
    projects = pd.DataFrame(
        {"project": ["adms"], "capex_keur": [40.0], "opex_keur_per_yr": [2.0], "duration_yr": [2.0], "lifetime_yr": [8.0]}
    )
    spent = valuation.project_flows(projects, last_year=2030, starts=2025)
    plan = pd.concat([valuation.in_service(found, chosen), spent], ignore_index=True)[["stream", "year", "value_keur"]]
    tests = valuation.cost_tests(plan, FLAT).set_index("test")
    gains = sum(2 * cut * 1.04 ** -(year - 2025) for year, cut in zip(range(2027, 2031), (14, 16, 18, 20), strict=True))
    cost = 20 + 20 / 1.04 + sum(2 * 1.04**-t for t in range(2, 6)) - 20 * 1.04**-6
    assert tests.loc["SCT", "pv_benefits_keur"] == pytest.approx(gains)
    assert tests.loc["SCT", "pv_costs_keur"] == pytest.approx(cost)
    assert tests.loc["UCT", "bcr"] == 0
    economics = valuation.project_economics(projects, FLAT, last_year=2030)
    assert economics["pv_cost_keur"].item() == pytest.approx(cost)
    allowed = valuation.Regulation(0.4, 0.06, 0.035, 0.3)
    additions = valuation.plant_additions(projects, last_year=2030, starts=2025)
    assert additions.to_numpy().tolist() == [["adms", 2027, 40.0, 8.0]]
    requirement = valuation.revenue_requirement(additions, None, allowed, last_year=2030)
    saved = valuation.ratepayer_savings(pd.concat([plan, flows(energy=3.0, lost_revenue=-4.0)]))
    assert saved.to_dict() == {2025: -1.0}
    rates = valuation.rates_impact(requirement, 100.0, savings=saved.reindex(range(2025, 2031), fill_value=0.5))
    assert rates.loc[0, "net_keur"] == pytest.approx(5 + 40 * allowed.wacc + 40 * 0.4 * 0.06 * 3 / 7 - 0.5)
    with pytest.raises(errors.ParameterError, match="'JST' is not in the mapping"):
        valuation.ratepayer_savings(plan, test="JST")
