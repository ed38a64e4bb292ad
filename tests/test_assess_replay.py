"""A roadmap simulated again: where one option is in service everywhere it is the table's own row; elsewhere areas differ."""

from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

import gridplan
from gridplan import assess, errors, network
from gridplan.study import Assumptions

STUDY = Path(__file__).parents[1] / "data" / "oberrhein"
STEPS = 96
YEAR = 2035
OPTIONS = {"restoration": "remote_control+flisr", "voltage": "monitoring+voltvar"}
SMALL = {group: tuple(option.split("+")) for group, option in OPTIONS.items()}
SERIAL = assess.Execution("serial")
MINUTES, ENERGY = ["saidi_min", "saifi", "ens_mwh", "interruption_cost_keur"], ["load_mwh", "losses_mwh", "peak_mw", "operations"]


@pytest.fixture(scope="module")
def study():
    """The bundled study with the first days of June, which have sun and load, and few devices to place."""
    whole = gridplan.read_study(STUDY)
    register = whole.assumptions.register
    few = {"remote_switches": 2.0, "indicator_switches": 1.0, "monitored_stations": 2.0}
    values = register["assumption"].map(few).fillna(register["value"])
    start = 152 * 96
    cut = {
        name: whole.tables[name].iloc[start : start + STEPS].reset_index(drop=True)
        for name in ("profiles", "technology_profiles")
    }
    return replace(whole, tables={**whole.tables, **cut}, assumptions=Assumptions(register.assign(value=values)))


@pytest.fixture(scope="module")
def net(study):
    return network.load(study)


@pytest.fixture(scope="module")
def table(study, net):
    settings = assess.Settings(SMALL)
    found = assess.metrics(study, net, scenarios=["reference"], years=[YEAR], settings=settings, execution=SERIAL)
    return found.set_index(["group", "option", "area"]).sort_index()


def chosen(areas, **options) -> pd.DataFrame:
    rows = [(area, group, option, YEAR) for group, option in options.items() for area in areas]
    return pd.DataFrame(rows, columns=["area", "group", "option", "year"])


def replayed(study, plan, execution=SERIAL) -> pd.DataFrame:
    found = assess.replay(study, plan, scenarios=["reference"], execution=execution)
    return found.set_index(["option", "area"]).sort_index()


@pytest.fixture(scope="module")
def areas(table):
    return sorted(table.index.unique("area"))


def test_one_option_everywhere_is_the_row_of_the_table_and_is_kept(study, table, areas, tmp_path):
    """Restoration looks at the powers before the voltage group: both groups at once must be the rows of each alone."""
    told = []
    execution = assess.Execution("serial", cache=tmp_path, on_task=lambda done, count: told.append((done, count)))
    found = replayed(study, chosen(areas, **OPTIONS), execution)
    assert told == [(0, 2), (1, 2), (2, 2)]
    for group, columns in (("restoration", MINUTES), ("voltage", ENERGY)):
        for name, option in ((assess.ROADMAP, OPTIONS[group]), (assess.NONE, assess.NONE)):
            row = table.loc[(group, option), columns]
            pd.testing.assert_frame_equal(found.loc[name, columns], row, rtol=1e-9, check_names=False)
    told.clear()
    pd.testing.assert_frame_equal(replayed(study, chosen(areas, **OPTIONS), execution), found)
    assert told == [(2, 2)]


def test_an_option_in_one_area_leaves_the_customers_of_the_others_as_they_are(study, table, areas):
    found = replayed(study, chosen(areas[-1:], restoration=OPTIONS["restoration"]))
    now, then = found.loc[assess.NONE, "saidi_min"], found.loc[assess.ROADMAP, "saidi_min"]
    assert then[areas[:-1]].to_numpy() == pytest.approx(now[areas[:-1]].to_numpy(), rel=0.02)  # ties may serve them better
    assert then[areas[-1]] < now[areas[-1]]
    own = table.loc[("restoration", OPTIONS["restoration"], areas[-1]), "saidi_min"]
    change = table.loc[("restoration", assess.NONE, areas[-1]), "saidi_min"] - own
    assert abs(then[areas[-1]] - own) < 0.1 * change


def test_no_scenario_is_no_replay(study, areas):
    assert assess.replay(study, chosen(areas, **OPTIONS), scenarios=[]).empty


def test_an_unknown_application_is_refused_by_name(study):
    with pytest.raises(errors.ParameterError, match="'teleport' is no application of the group 'voltage'"):
        assess.replay(study, chosen(["S1-F1"], voltage="teleport"), scenarios=["reference"])
