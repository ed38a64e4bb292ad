"""The outage model of a study: brought to its history, its options in any combination."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import gridplan
from gridplan import assess, errors, figures, futures, network, reliability
from gridplan.applications import placement

STUDY = Path(__file__).parents[1] / "data" / "oberrhein"


@pytest.fixture(scope="module")
def study():
    return gridplan.read_study(STUDY)


@pytest.fixture(scope="module")
def today(study):
    net = network.load(study)
    return assess.reliability_today(study, net, network.areas(net), futures.profiles(study, net))


def test_options_are_all_combinations_and_none_comes_first():
    names = assess.options("restoration")
    assert len(names) == len(set(names)) == 32
    assert names[0] == assess.NONE
    assert assess.members("fault_indicators+flisr") == ("fault_indicators", "flisr")


def test_the_model_meets_the_mean_of_the_last_ten_years_of_the_history(study, today):
    history = study.table("reliability_history")
    last = history[history["year"] > history["year"].max() - 10]
    assert today.result.system["saidi_min"] == pytest.approx(last["saidi_min"].mean(), rel=1e-6)
    assert today.result.system["saifi"] == pytest.approx(last["saifi"].mean(), rel=1e-6)


def test_without_calibration_the_tables_are_used_as_they_are(study, today):
    assert assess.calibrated(study, today.model, apply=False).factors == {"rates": 1.0, "times": 1.0}


def test_the_outage_log_says_what_is_observed_where_the_study_has_no_yearly_history(study):
    assert assess.logged(study).empty
    random, served = np.random.default_rng(1), study.table("customers")["customers"].sum()
    days = pd.date_range("2015-01-01", "2024-12-31", freq="7D")
    log = pd.DataFrame({"start": days, "planned": False, "duration_min": 60.0})
    log["customers"] = random.integers(50, 500, len(days))
    log.loc[len(days) - 1, ["customers", "duration_min"]] = [served, 600.0]  # a storm in the last year
    own = replace(study, tables={k: v for k, v in study.tables.items() if k != "reliability_history"} | {"outage_history": log})
    years = assess.logged(own)
    assert years["major_event_days"].iloc[-1] == 1
    assert years["saidi_min"].iloc[-1] - years["saidi_without_med_min"].iloc[-1] == pytest.approx(600.0)
    mean = (log["customers"] * 60.0).iloc[:-1].sum() / served / 10
    assert assess.observed(own)["saidi_min"] == pytest.approx(mean, rel=0.05)  # other years may have major days of their own
    table = figures.restoration.major_days(years)
    assert (
        table.title == f"{years['major_event_days'].sum()} major event days hold {_share(years):.0f} % of the minutes of 10 years"
    )
    assert "no outage log" in figures.restoration.major_days(assess.logged(study)).markdown


def _share(years) -> float:
    return 100 * (1 - years["saidi_without_med_min"].sum() / years["saidi_min"].sum())


def test_a_loading_keeps_the_energy_of_every_load(study, today):
    net = today.model.net
    profiles = futures.profiles(study, net)
    table = reliability.loading(net, profiles)
    shapes = profiles.elements[profiles.elements["element"] == "load"].set_index("element_id")["shape_p"]
    mean = profiles.shapes[shapes].mean().to_numpy() * (net.load["p_mw"] * net.load["scaling"]).reindex(shapes.index).to_numpy()
    found = (table["weight"] * table["p_mw"]).groupby(table["load"]).sum().reindex(shapes.index).to_numpy()
    assert found == pytest.approx(mean, rel=1e-9)
    with pytest.raises(errors.ParameterError, match="sum of 1"):
        reliability.loading(net, profiles, {"all": 0.5})


def test_what_stages_and_areas_say_adds_up_to_the_system(today):
    stages = reliability.stages(today.result)["customer_minutes"].sum()
    system = today.result.system
    assert stages == pytest.approx(system["saidi_min"] * system["customers"], rel=1e-9)
    assert assess.cost_by_class(today.result, today.costs)["interruption_cost_keur"].sum() == pytest.approx(
        today.cost_k, rel=1e-9
    )
    worth = reliability.stage_worth(today.model, today.result.outages, today.costs)
    assert worth["saved_min"].between(0, system["saidi_min"]).all()
    assert worth["cost_saved_keur"].between(0, today.cost_k).all()
    assert "cost_saved_keur" not in reliability.stage_worth(today.model, today.result.outages)


def test_no_application_makes_minutes_worse_and_all_together_are_best(study, today):
    outages = today.result.outages
    curve = placement.curve(today.model, outages, most=1, search=placement.Search(effort=0))
    put = assess.services(study.assumptions, assess.devices(today.model, outages, study.assumptions, curve))
    table = assess.restoration(today.model, outages, today.costs, put)
    minutes = table.set_index("option")["saidi_min"]
    assert (minutes <= minutes["As today"] + 1e-9).all()
    assert minutes["All together"] == minutes.min()
    alone = assess.restoration(today.model, outages, today.costs, put, ["flisr"])
    assert alone["saidi_min"].iloc[0] == minutes["FLISR"]


def test_ties_that_carry_everything_never_lose_more_minutes(today):
    free = replace(today.model.outages, transfers=False)
    model = reliability.prepare(today.model.net, free, today.model.areas)
    assert reliability.totals(model)["saidi_min"] <= reliability.totals(today.model)["saidi_min"] + 1e-9
    ties = reliability.ties(today.result)
    assert ties["full_percent"].between(0, 100).all()
    assert len(ties) == 6
    states = reliability.bound_by_state(today.result)
    share = (states["weight"] * states["tried"] * states["bound_percent"]).sum() / (states["weight"] * states["tried"]).sum()
    assert share == pytest.approx(100 - (ties["tried"] * ties["full_percent"]).sum() / ties["tried"].sum())
