"""The voltage group: combinations, their objective, and what monitoring is worth."""

import itertools
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from pandapower.auxiliary import pandapowerNet

from gridplan import errors, network
from gridplan.applications import OperatingCase, _flexible, reconfiguration, voltage, voltvar
from gridplan.applications.voltvar._summary import series
from gridplan.applications.voltvar._table import Table
from gridplan.powerflow import Limits, Profiles


@pytest.fixture(scope="module")
def case():
    """MV Oberrhein over a day with more sun than load at noon; its loads draw less at a lower voltage."""
    net = network.open("pandapower:mv_oberrhein")
    time = pd.date_range("2025-06-01", periods=24, freq="h", name="time")
    sun = [max(0.0, 1.3 - abs(hour - 12) / 4) for hour in range(24)]
    shapes = pd.DataFrame({"sun": sun, "load": [0.3 + 0.02 * hour for hour in range(24)]}, index=time)
    rows = [("load", n, "load", "load") for n in net.load.index] + [("sgen", n, "sun", "sun") for n in net.sgen.index]
    elements = pd.DataFrame(rows, columns=["element", "element_id", "shape_p", "shape_q"])
    net.load["const_z_p_percent"], net.load["const_i_p_percent"] = 40.0, 30.0
    return OperatingCase(net, Profiles(time, shapes, elements), network.areas(net), Limits(0.95, 1.05))


@pytest.fixture(scope="module")
def settings():
    return voltage.Settings(0.012, 0.004, switching=reconfiguration.Settings(rounds=2))


@pytest.fixture(scope="module")
def found(case, settings):
    return voltage.evaluate(case, settings)


def test_every_combination_is_there_and_nothing_in_service_is_the_case_itself(case, found):
    assert len(found) == 16
    assert found["none"].case is case


def test_more_in_service_is_never_worse(found):
    known = {}
    for small, large in itertools.permutations(found, 2):
        members = [set() if name == "none" else set(name.split("+")) for name in (small, large)]
        if members[0] < members[1] and len(members[1] - members[0]) == 1:
            objective = "energy" if "voltvar" in members[1] else "losses"
            case = found[small].case
            if (id(case), objective) not in known:
                known[id(case), objective] = voltvar.score(case, voltvar.Settings(objective=objective))
            *hours, size = found[large].score
            assert (*hours, size * (1 - 1e-9)) <= known[id(case), objective]  # solved in other blocks, to the tolerance


def test_an_option_alone_is_that_of_the_set(case, settings, found):
    name = "monitoring+voltvar+smart_inverters"
    alone = voltage.evaluate(case, settings, [name])[name]
    assert alone.score == found[name].score
    assert alone.members == found[name].members


def test_monitoring_is_worth_the_margin_that_volt_var_optimisation_gives_up(case, found):
    without = voltvar.optimise(case, voltvar.Settings(margin_pu=0.012))
    nearer = voltvar.optimise(case, voltvar.Settings(margin_pu=0.004))
    for name, schedule in (("voltvar", without), ("monitoring+voltvar", nearer)):
        own = found[name].case.schedule["trafo.tap_pos"]
        assert voltvar.score(found[name].case, voltvar.Settings()) == pytest.approx(
            voltvar.score(schedule.case, voltvar.Settings())
        )
        assert (own.to_numpy() == schedule.case.schedule["trafo.tap_pos"].to_numpy()).all()
    assert found["monitoring"].case is found["none"].case
    assert found["monitoring+voltvar"].score < found["voltvar"].score


def test_margins_share_what_is_solved_and_differ_in_nothing_else(case):
    with pytest.raises(errors.ParameterError, match="margin_pu"):
        voltvar.schedules(case, [voltvar.Settings(), voltvar.Settings(objective="losses")])


def test_errors_name_what_is_wrong(case):
    with pytest.raises(errors.ParameterError, match="voltvar"):
        voltage.evaluate(case, options=["voltvars"])
    with pytest.raises(errors.ParameterError, match="without monitoring"):
        voltage.Settings(0.01, 0.02)


def test_what_the_options_share_is_what_each_case_gives_by_itself(case, found):
    places = sorted(case.areas["area"].unique())
    for option in {id(option.case): option for option in found.values()}.values():
        alone, state = series(option.case), _flexible.simulate(option.case)
        for name in ("net_mw", "losses_mw", "generation_mw", "low", "high", "mean"):
            assert getattr(option.series, name) == pytest.approx(getattr(alone, name), rel=1e-7, abs=1e-9)
        assert (option.series.outside == state.outside[places].to_numpy().T).all()
        assert (option.series.failed == ~state.result.converged).all()


def test_each_bus_counts_in_the_zone_that_feeds_it_whatever_its_area(found):
    case = found["reconfiguration"].case
    table = Table(case, voltvar.Settings())
    whole, at = series(case), np.arange(len(case.profiles.time))
    power = sum(zone.power[path, at] for zone, path in zip(table.zones, table.start, strict=True))
    assert len(table.zones) == 2
    assert power == pytest.approx((whole.net_mw + whole.losses_mw).sum(axis=0), rel=1e-9)
    owners = np.concatenate(table.layout.own)
    assert sorted(owners) == list(range(len(table.layout.area)))


@pytest.mark.parametrize("element", ["line", "trafo"])
def test_overloads_are_those_of_the_full_power_flow(case, element):
    steps = _flexible.simulate(case).result.steps[f"{element}_loading_max_percent"]
    limits = {"line_loading_max_percent": 1e3, "trafo_loading_max_percent": 1e3}
    limits[f"{element}_loading_max_percent"] = float(steps.median())
    tight = replace(case, limits=Limits(0.5, 1.5, **limits))
    outside = _flexible.simulate(tight).outside.drop(columns=_flexible.ALL).to_numpy().T
    assert 0 < outside.sum() < outside.size
    assert (series(tight).outside == outside).all()


@pytest.fixture(scope="module")
def sunny(case):
    """The same with its generators at work, whose inverters act by day."""
    sgen = case.net.sgen.assign(scaling=1.0)
    return replace(case, net=pandapowerNet(dict(case.net.items()) | {"sgen": sgen}))


def test_with_inverters_at_work_an_option_alone_is_that_of_the_set(sunny, settings):
    together = voltage.evaluate(sunny, settings, ["none", "voltvar", "smart_inverters", "voltvar+smart_inverters"])
    for name, option in together.items():
        alone = voltage.evaluate(sunny, settings, [name])[name]
        assert alone.score == option.score
        assert all(np.array_equal(a, b) for a, b in zip(_arrays(alone.series), _arrays(option.series), strict=True))
        for found, expected in zip(_arrays(option.series), _arrays(series(option.case)), strict=True):
            assert found == pytest.approx(expected, rel=1e-7, abs=1e-8), name


def _arrays(found):
    return [getattr(found, name) for name in ("net_mw", "losses_mw", "generation_mw", "low", "high", "mean", "outside")]


def test_steps_in_which_no_inverter_acts_are_taken_over(sunny, settings):
    """A table that knows them is the one that would be solved."""
    by_day = voltvar.inverters(sunny, settings.inverters)
    assert 0 < by_day.acting.sum() < len(by_day.acting), "the sun shines by day"
    before, own = Table(sunny, voltvar.Settings()), Table(by_day.case, voltvar.Settings())
    known = Table(by_day.case, voltvar.Settings(), known=(before, ~by_day.acting))
    for zone, other in zip(own.zones, known.zones, strict=True):
        assert (zone.solved == other.solved).all()
        for name in ("power", "losses", "low", "high", "set_point"):
            assert getattr(zone, name) == pytest.approx(getattr(other, name), rel=1e-7, abs=1e-8)
