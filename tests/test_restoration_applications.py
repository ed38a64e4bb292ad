"""Applications of the restoration group: each changes its own stage on what it covers, and none makes anything worse."""

import doctest
import itertools
from dataclasses import fields, replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_placement import areas, network, outages, prepared

from gridplan import errors, reliability, valuation
from gridplan.applications import (
    fault_indicators,
    flisr,
    outage_prediction,
    predictive_maintenance,
    remote_control,
    restoration,
)

FEW = settings(max_examples=3, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))

COSTS = valuation.cost_set(valuation.bundled(), "ICE 1.0", basis="per_event")
BASES = {
    "per_event": COSTS,
    "per_avg_kw": valuation.cost_set(valuation.bundled(), "ICE 1.0", basis="per_avg_kw"),
    "per_peak_kw": valuation.cost_set(valuation.bundled(), "RBTS 1987"),
    "per_unserved_kwh": valuation.cost_set(valuation.bundled(), "Germany VoLL, mean"),
}


def members(option: str) -> tuple[str, ...]:
    return () if option == restoration.NONE else tuple(option.split("+"))


def services(net, names=None) -> dict:
    """Every application at every third switch of the areas named."""
    switches = tuple(int(s) for s in net.switch.index[::3])
    watch = predictive_maintenance.Settings(6, 12, 0.7, areas=names)
    return {
        "fault_indicators": lambda case: fault_indicators.apply(case, fault_indicators.Settings(switches, names)),
        "remote_control": lambda case: remote_control.apply(case, remote_control.Settings(switches, names)),
        "flisr": lambda case: flisr.apply(case, flisr.Settings(names)),
        "outage_prediction": lambda case: outage_prediction.apply(case, outage_prediction.Settings(1.5, 0.8, names, 20.0)),
        "predictive_maintenance": lambda case: predictive_maintenance.apply(case, watch),
    }


def model_of(seed=4, buses=10, **more) -> reliability.Model:
    """As for placement, with wear, planned work, stations and a few remote switches."""
    net = network(seed, buses)
    given = outages(net, seed, **more)
    station = pd.DataFrame([{"element": "station", "kind": "*", "failures_per_yr": 0.02, "repair_h": 5.0}])
    rates = pd.concat([given.rates, station], ignore_index=True).assign(wear_share=0.5, planned_h=2.0)
    gear = pd.DataFrame({"switch": [2, 3, 4], "device": "switch", "control": ["remote", "remote", "manual"]})
    return reliability.prepare(net, replace(given, rates=rates, switchgear=gear), areas(net))


def changed(before: reliability.Outages, after: reliability.Outages) -> set[str]:
    return {field.name for field in fields(before) if getattr(before, field.name) is not getattr(after, field.name)}


@pytest.mark.parametrize(
    ("name", "tables"),
    [
        ("fault_indicators", {"switchgear"}),
        ("remote_control", {"switchgear"}),
        ("flisr", {"switchgear"}),
        ("outage_prediction", {"restoration", "rates"}),
        ("predictive_maintenance", {"rates"}),
    ],
)
def test_each_changes_only_its_own_tables_and_nothing_given(name, tables):
    model = model_of()
    case = restoration.case_of(model)
    before = {table: getattr(case.outages, table).copy() for table in ("rates", "restoration", "switchgear", "customers")}
    new = services(model.net)[name](case)
    assert changed(case.outages, new.outages) == tables
    assert new.net is case.net
    for table, frame in before.items():
        pd.testing.assert_frame_equal(getattr(case.outages, table), frame)


@pytest.mark.parametrize(
    ("name", "column"), [("fault_indicators", "fault_indicator"), ("remote_control", "control"), ("flisr", "control")]
)
def test_devices_change_in_the_areas_covered_only(name, column):
    model = model_of()
    case = restoration.case_of(model)
    gear = services(model.net, ("one",))[name](case).outages.switchgear.set_index("switch")
    today = case.outages.switchgear.set_index("switch")
    value = {"fault_indicators": True, "remote_control": "remote", "flisr": "automatic"}[name]
    kept = gear.drop(columns=[column, "device"]).dropna(how="all")
    assert set(gear.index[gear[column] == value]) - set(today.index[today.get(column) == value] if column in today else ())
    own = set(model.areas.loc[model.areas["area"] == "one", "bus"])
    for switch in gear.index:
        row = model.net.switch.loc[switch]
        ends = {int(row["bus"]), *model.net.line.loc[row["element"], ["from_bus", "to_bus"]]}
        if not ends & own:
            was = today[column].get(switch) if column in today else None
            assert pd.isna(gear.at[switch, column]) or gear.at[switch, column] == was
    assert (gear["device"].reindex(today.index) == today["device"]).all()
    assert kept.index.isin(today.index).all()


def test_flisr_automates_only_what_is_under_remote_control_by_then():
    model = model_of()
    case = restoration.case_of(model)
    alone = flisr.apply(case).outages.switchgear.set_index("switch")["control"]
    assert set(alone.index[alone == "automatic"]) == {2, 3}
    after = flisr.apply(remote_control.apply(case, remote_control.Settings((4, 5)))).outages.switchgear.set_index("switch")[
        "control"
    ]
    assert set(after.index[after == "automatic"]) == {2, 3, 4, 5}
    chosen = flisr.apply(case, flisr.Settings(switches=(3, 4))).outages.switchgear.set_index("switch")["control"]
    assert set(chosen.index[chosen == "automatic"]) == {3}
    bare = replace(case, outages=replace(case.outages, switchgear=None))
    assert flisr.apply(bare) is bare


def test_detection_is_a_mean_and_never_slower_than_today():
    model = model_of()
    case = restoration.case_of(model)
    times = outage_prediction.apply(case, outage_prediction.Settings(2.0, 0.25)).outages.restoration.set_index("control")
    # Manual control waits 5 minutes today, remote control 3, automatic control 0.3.
    assert times["detect_min"].to_dict() == pytest.approx({"manual": 0.25 * 2 + 0.75 * 5, "remote": 2.75, "automatic": 0.3})
    slow = outage_prediction.apply(case, outage_prediction.Settings(60.0, 1.0, call_min=30.0)).outages
    pd.testing.assert_series_equal(slow.restoration["detect_min"], case.outages.restoration["detect_min"])
    pd.testing.assert_series_equal(slow.rates["repair_h"], case.outages.rates["repair_h"])
    own = outage_prediction.apply(case, outage_prediction.Settings(2.0, 1.0, ("one",))).outages.restoration
    manual = own[own["control"] == "manual"].set_index("area")["detect_min"]
    assert manual.to_dict() == {"*": 5.0, "one": 2.0}


def test_meters_tell_of_stations_before_customers_do():
    model = model_of()
    given = outage_prediction.Settings(2.0, 0.5, call_min=26.0)
    case = outage_prediction.apply(restoration.case_of(model), given)
    station = case.outages.rates.set_index("element").loc["station"]
    assert station["repair_h"] == pytest.approx(5.0 - 0.5 * 24 / 60)
    own = outage_prediction.apply(restoration.case_of(model), replace(given, areas=("one",))).outages
    points = reliability.indices(model, own).load_points.set_index("bus")["sustained_h"]
    today = reliability.indices(model, replace(own, rates=model.outages.rates)).load_points.set_index("bus")["sustained_h"]
    inside = model.areas.set_index("bus")["area"].reindex(points.index) == "one"
    assert (today - points)[inside].to_numpy() == pytest.approx(0.02 * 0.2)
    assert (today - points)[~inside].to_numpy() == pytest.approx(0.0)


def test_maintenance_turns_failures_from_wear_into_planned_work():
    model = model_of()
    case = restoration.case_of(model)
    rates = predictive_maintenance.apply(case, predictive_maintenance.Settings(6, 12, 0.8)).outages.rates.set_index("element")
    # Half of the failures come from wear; half of these are looked at in time; four fifths of these are seen.
    assert rates.loc["line", "failures_per_km_yr"] == pytest.approx(0.1 * (1 - 0.5 * 0.5 * 0.8))
    assert rates.loc["line", "planned_per_km_yr"] == pytest.approx(0.1 * 0.5 * 0.5 * 0.8)
    only = predictive_maintenance.Settings(6, 12, 0.8, elements=("switch",), planned=False)
    rates = predictive_maintenance.apply(case, only).outages.rates.set_index("element")
    assert rates.loc["line", "failures_per_km_yr"] == 0.1
    assert rates.loc["switch", "failures_per_yr"] == pytest.approx(0.01 * 0.8)
    assert "planned_per_yr" not in rates


def test_maintenance_in_all_areas_is_that_in_each_of_them():
    model = model_of()
    case = restoration.case_of(model)
    whole = predictive_maintenance.apply(case).outages
    parts = predictive_maintenance.apply(case, predictive_maintenance.Settings(areas=("one", "two"))).outages
    one = predictive_maintenance.apply(case, predictive_maintenance.Settings(areas=("one",))).outages
    results = [reliability.totals(model, each) for each in (case.outages, one, parts, whole)]
    today, first, both, every = (result["saidi_min"] for result in results)
    assert today > first > both
    assert both == pytest.approx(every)  # nothing that fails lies outside the areas but the source bus, which has no rate
    assert results[2]["planned_saidi_min"] == pytest.approx(results[3]["planned_saidi_min"])


def test_the_share_caught():
    assert not doctest.testmod(predictive_maintenance).failed
    assert predictive_maintenance.caught(3, 0, 0.9) == 0.9  # continuous monitoring
    assert predictive_maintenance.caught(0, 12, 0.9) == 0


@FEW
@given(st.integers(0, 10_000), st.booleans())
def test_no_application_makes_any_combination_worse_anywhere(seed, free):
    """With ties that do not carry everything this holds by construction, else by itself."""
    model = model_of(seed, 9, transfers=not free)
    put = services(model.net)
    table = restoration.evaluate(model, None, put, COSTS)
    minutes = table.pivot_table(index="option", columns="area", values="saidi_min")
    assert len(minutes) == 32
    for option, less in itertools.product(minutes.index, minutes.index):
        if set(members(less)) < set(members(option)):
            assert (minutes.loc[option] <= minutes.loc[less] + 1e-9).all()
    if free:
        assert (table.loc[table["area"] != "all", "operated_as"] == table.loc[table["area"] != "all", "option"]).all()


def test_an_option_is_what_its_outage_model_says_and_its_cost_that_of_every_interruption():
    """Where every area is operated as the option says, the rows are those of its own outage model, added up in another way."""
    model = model_of(3, 12, transfers=False)
    put = services(model.net)
    table = restoration.evaluate(model, None, put, COSTS).set_index(["option", "area"])
    for option in ("none", "remote_control", "fault_indicators+flisr", "+".join(restoration.ORDER)):
        case = restoration.case_of(model)
        for name in members(option):
            case = put[name](case)
        result = reliability.indices(model, case.outages)
        pd.testing.assert_series_equal(
            reliability.totals(model, restoration.in_service(model, None, option, put)), result.system, check_names=False
        )
        whole = table.loc[(option, "all")]
        for name in ("customers", "saifi", "saidi_min", "maifi_e", "ens_mwh", "planned_saidi_min"):
            assert whole[name] == pytest.approx(result.system[name], rel=1e-12, abs=1e-15), name
        cost = valuation.expected_cost(result.events, result.interruptions, COSTS)["cost_k_per_yr"].sum()
        assert whole["interruption_cost_keur"] == pytest.approx(cost, rel=1e-12)
        areas_ = result.by_area.set_index("area")
        assert table.loc[(option, "one"), "saidi_min"] == pytest.approx(areas_.at["one", "saidi_min"])


@pytest.mark.parametrize("basis", BASES)
def test_cost_by_customer_is_that_of_all_interruptions(basis):
    model = model_of(5, 12, transfers=True)
    costs, result = BASES[basis], reliability.indices(model)
    by_fault = valuation.expected_cost(result.events, result.interruptions, costs, by="customer_class").set_index(
        "customer_class"
    )
    by_customer = reliability.customer_costs(result, costs).groupby("customer_class")["interruption_cost_keur"].sum()
    assert len(by_customer) == 2
    for name, cost in by_customer.items():
        assert cost == pytest.approx(by_fault.at[name, "cost_k_per_yr"], rel=1e-12)


def test_an_option_is_the_same_in_any_company_and_in_any_order_of_names():
    model = model_of(6, 10)
    put = services(model.net)
    every = restoration.evaluate(model, None, put, COSTS).set_index(["option", "area"])
    few = restoration.evaluate(model, None, put, COSTS, options=["flisr+remote_control", "none"])
    assert list(dict.fromkeys(few["option"])) == ["remote_control+flisr", "none"]
    few = few.set_index(["option", "area"])
    pd.testing.assert_frame_equal(few, every.loc[few.index])
    with pytest.raises(errors.ParameterError, match=r"'flsr' is no application to put in service; did you mean 'flisr'"):
        restoration.evaluate(model, None, put, COSTS, options=["flsr", "none"])
    with pytest.raises(errors.ParameterError, match="'flisr' is no application"):
        restoration.in_service(model, None, "flisr", {})


def test_what_is_wrong_is_named():
    model = prepared(1)
    case = restoration.case_of(model)
    with pytest.raises(errors.ParameterError, match="no outage model"):
        flisr.apply(replace(case, outages=None))
    with pytest.raises(errors.ParameterError, match="'thre' is no area"):
        outage_prediction.apply(case, outage_prediction.Settings(areas=("thre",)))
    with pytest.raises(errors.ParameterError, match=r"switch 999 is not in the network[\s\S]*switch -1 is not"):
        fault_indicators.apply(case, fault_indicators.Settings((999, -1)))
    fuse = replace(case.outages, switchgear=pd.DataFrame({"switch": [3], "device": ["fuse"]}))
    with pytest.raises(errors.ParameterError, match="a fuse has no drive"):
        remote_control.apply(replace(case, outages=fuse), remote_control.Settings((3,)))
    slow = replace(case.outages, restoration=case.outages.restoration.query("control != 'automatic'"))
    slow = replace(slow, switchgear=pd.DataFrame({"switch": [3], "control": ["remote"]}))
    with pytest.raises(errors.ParameterError, match="no times of automatic control"):
        flisr.apply(replace(case, outages=slow))
    for wrong in ((1.0, 1.5), (-1.0, 0.5)):
        with pytest.raises(errors.ParameterError, match=r"is not from 0 to 1|is below 0"):
            outage_prediction.Settings(*wrong)
    with pytest.raises(errors.ParameterError, match=r"pf_interval_months.*below 0"):
        predictive_maintenance.Settings(np.nan, 12, 0.5)
    with pytest.raises(errors.ParameterError, match="'lines' cannot be inspected; did you mean 'line'"):
        predictive_maintenance.Settings(elements=("lines",))
