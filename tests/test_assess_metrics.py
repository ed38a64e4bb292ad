"""The metrics table: what its rows say, its cache, and that it is the same wherever it is made."""

import io
import os
import signal
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pandapower.auxiliary import pandapowerNet
from typer.testing import CliRunner

import gridplan
from gridplan import assess, cli, errors, network, powerflow, tables
from gridplan.assess import _additivity, _groups, _run, _tasks
from gridplan.study import Study, read_study, write_study

STUDY = Path(__file__).parents[1] / "data" / "oberrhein"
STEPS = 96 * 2
SMALL = {
    "restoration": ("remote_control", "flisr"),
    "voltage": ("monitoring", "voltvar"),
    "flexibility": ("storage", "der_management"),
}
SERIAL = assess.Execution("serial")
PLACE = {"scenarios": ["reference"], "years": [2025, 2035]}
ALONE = {"restoration": "flisr", "voltage": "voltvar", "flexibility": "der_management"}


def shortened(study: Study) -> Study:
    """The first days of June, which have sun and load."""
    start = 152 * 96
    cut = {
        name: study.tables[name].iloc[start : start + STEPS].reset_index(drop=True)
        for name in ("profiles", "technology_profiles")
    }
    return replace(study, tables={**study.tables, **cut})


@pytest.fixture(scope="module")
def study():
    return shortened(gridplan.read_study(STUDY))


@pytest.fixture(scope="module")
def net(study):
    return network.load(study)


@pytest.fixture(scope="module")
def table(study, net):
    return assess.metrics(
        study, net, scenarios=["reference"], years=[2025, 2035], settings=assess.Settings(SMALL), execution=SERIAL
    )


def test_a_row_for_every_area_option_and_year_that_the_dictionary_accepts(study, table):
    areas = 4
    assert len(table) == areas * 2 * sum(2 ** len(names) for names in SMALL.values())
    assert not table.duplicated(list(assess.KEY)).any()
    first = table.groupby(["group", "scenario", "year"], sort=False)["option"].first()
    assert (first == assess.NONE).all()
    checked = tables.check({"metrics": pd.read_csv(io.StringIO(table.to_csv(index=False)), dtype=str, keep_default_na=False)})
    assert len(checked["metrics"]) == len(table)


def test_each_group_fills_its_own_columns(table):
    for group, columns in assess.COLUMNS.items():
        rows = table[table["group"] == group]
        assert rows[list(columns)].notna().all().all()
        others = set(table.columns) - set(columns) - set(assess.KEY)
        assert rows[sorted(others)].isna().all().all()


@pytest.mark.parametrize(
    ("group", "alone"), [("restoration", "flisr"), ("voltage", "voltvar"), ("flexibility", "der_management")]
)
def test_an_option_alone_is_that_of_the_batch_to_the_last_bit(study, net, table, group, alone):
    settings = assess.Settings({group: (alone,)})
    single = assess.metrics(study, net, **PLACE, settings=settings, execution=SERIAL)
    same = table[(table["group"] == group) & table["option"].isin([assess.NONE, alone])].reset_index(drop=True)
    pd.testing.assert_frame_equal(single, same, check_exact=True)


def test_more_applications_never_lose_more_minutes_nor_need_more_reinforcement(table):
    for column, group in (("saidi_min", "restoration"), ("outside_h", "flexibility"), ("reinforcement_keur", "flexibility")):
        sums = table[table["group"] == group].groupby(["year", "option"])[column].sum()
        for (year, option), value in sums.items():
            for other in sums[year].index:
                if set(assess.members(other)) < set(assess.members(option)):
                    assert value <= sums[year, other] + 1e-9


def test_with_volt_var_less_energy_is_taken_and_with_monitoring_less_still(table):
    energy = table[table["group"] == "voltage"].assign(taken=lambda rows: rows["load_mwh"] + rows["losses_mwh"])
    energy = energy.pivot_table(index="year", columns="option", values="taken", aggfunc="sum")
    assert (energy["voltvar"] < energy["none"]).all()
    assert (energy["monitoring+voltvar"] <= energy["voltvar"]).all()
    assert (energy["monitoring"] == energy["none"]).all()


def test_sums_of_the_areas_are_the_balance_of_the_network(study, net):
    task = _tasks.Task("voltage", "", (2025,), ("none",), 4)
    shared = _groups.Shared(study, net)
    case = shared.case(_tasks.narrowed(study, task), "", 2025, 4)
    found = assess.measure(case)
    flow = powerflow.run(case.net, case.profiles)
    drawn = flow.steps["slack_mw"].mean() * 8760
    assert (found["load_mwh"] + found["losses_mwh"] - found["generation_mwh"]).sum() == pytest.approx(drawn, rel=1e-6)
    assert found["losses_mwh"].sum() == pytest.approx(flow.steps["losses_mw"].mean() * 8760, rel=1e-6)


def test_a_step_without_solution_is_failed_and_outside_and_leaves_no_sums(study, net):
    shared = _groups.Shared(study, net)
    case = shared.case(study, "", 2025, 4)
    heavy = case.profiles.shapes.copy()
    heavy.iloc[3] *= 100
    found = assess.measure(replace(case, profiles=powerflow.Profiles(case.profiles.time, heavy, case.profiles.elements)))
    assert (found["failed_h"] == 8760 / len(heavy)).all()
    assert (found["outside_h"] >= found["failed_h"]).all()
    assert found[["load_mwh", "losses_mwh", "generation_mwh", "peak_mw"]].isna().all().all()


# --- cache ---------------------------------------------------------------------------------------------------------------------


def changed(study: Study, name: str, **values: object) -> Study:
    """The study with some cells of a table changed; `row` says where."""
    table = study.tables[name].copy()
    where = values.pop("row", slice(None))
    for column, value in values.items():
        table.loc[where, column] = value
    return replace(study, tables={**study.tables, name: table})


@pytest.mark.parametrize(
    ("name", "column", "touched"),
    [
        ("outage_rates", "repair_h", {"restoration"}),
        ("sensors", "sd_percent", {"voltage"}),
        ("flexibility", "participation", {"flexibility"}),
        ("measures", "capex_keur", {"flexibility"}),
        ("customers", "customers", {"restoration", "voltage", "flexibility"}),
        ("projects", "capex_keur", set()),
    ],
)
def test_a_changed_table_touches_only_the_groups_that_read_it(study, net, name, column, touched):
    work = _tasks.tasks(study, assess.Settings(), _tasks.wanted(study, None, None))
    column = column if column in study.tables[name] else study.tables[name].select_dtypes("number").columns[0]
    value = 2 if pd.api.types.is_integer_dtype(study.tables[name][column]) else 0.25
    before, after = _tasks.keys(study, net, work), _tasks.keys(changed(study, name, **{column: value}), net, work)
    assert {task.group for task in work if before[task] != after[task]} == touched


def test_a_change_in_one_scenario_leaves_the_others_and_the_base_year(study, net):
    work = _tasks.tasks(study, assess.Settings(), _tasks.wanted(study, None, None))
    growth = study.tables["load_growth"]
    column = growth.select_dtypes("float").columns[0]
    other = changed(study, "load_growth", row=growth["scenario"] == "slow", **{column: 9.0})
    before, after = _tasks.keys(study, net, work), _tasks.keys(other, net, work)
    assert {task.scenario for task in work if before[task] != after[task]} == {"slow"}


def test_a_task_cannot_read_what_its_key_leaves_out(study):
    task = _tasks.Task("voltage", "slow", (2030,), ("none",), 4)
    own = _tasks.narrowed(study, task)
    assert "outage_rates" not in own.tables
    assert set(own.tables["adoption"]["scenario"]) == {"slow"}
    with pytest.raises(errors.StudyError, match="remote_switches"):
        own.assumptions["remote_switches"]


def test_what_was_done_before_a_crash_is_not_done_again(study, net, tmp_path, monkeypatch):
    settings = assess.Settings({"restoration": ("flisr",), "voltage": ("voltvar",)})
    known = {"scenarios": ["reference"], "years": [2025, 2030], "settings": settings}

    def stop(done: int, count: int) -> None:
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        assess.metrics(study, net, **known, execution=assess.Execution("serial", cache=tmp_path, on_task=stop))
    made, evaluate = [], _groups.evaluate
    monkeypatch.setattr(_groups, "evaluate", lambda shared, task: made.append(task) or evaluate(shared, task))
    resumed = assess.metrics(study, net, **known, execution=assess.Execution("serial", cache=tmp_path))
    assert len(made) == 2
    again = assess.metrics(study, net, **known, execution=assess.Execution("serial", cache=tmp_path))
    assert len(made) == 2
    pd.testing.assert_frame_equal(resumed, again, check_exact=True)
    pd.testing.assert_frame_equal(resumed, assess.metrics(study, net, **known, execution=SERIAL), check_exact=True)


def test_a_damaged_result_is_made_again(study, net, tmp_path):
    settings = assess.Settings({"voltage": ("voltvar",)})
    known = {"scenarios": ["reference"], "years": [2025], "settings": settings}
    first = assess.metrics(study, net, **known, execution=assess.Execution("serial", cache=tmp_path))
    (file,) = tmp_path.glob("*.csv")
    file.write_bytes(b"")
    again = assess.metrics(study, net, **known, execution=assess.Execution("serial", cache=tmp_path))
    pd.testing.assert_frame_equal(first, again, check_exact=True)


# --- elsewhere -----------------------------------------------------------------------------------------------------------------


def test_two_workers_of_which_one_is_killed_make_the_same_table(tiny):
    from distributed import LocalCluster

    paths, killed = [tiny(name) for name in "abcdef"], threading.Event()
    settings = assess.Settings({"voltage": ("voltvar",)}, every=1)
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address="127.0.0.1:0", silence_logs=50) as cluster:

        def kill(done: int, count: int) -> None:
            if done == 1 and not killed.is_set():
                os.kill(next(iter(cluster.workers.values())).pid, signal.SIGKILL)
                killed.set()

        made = assess.fleet(paths, settings=settings, execution=assess.Execution(cluster.scheduler_address, on_task=kill))
    assert killed.is_set()
    pd.testing.assert_frame_equal(made, assess.fleet(paths, settings=settings, execution=SERIAL), check_exact=True)


def test_a_fleet_is_the_tables_of_its_studies(tiny):
    paths = [tiny("a"), tiny("b")]
    settings = assess.Settings({"voltage": ("voltvar",)}, every=1)
    steps = []
    made = assess.fleet(
        paths, settings=settings, execution=assess.Execution("serial", on_task=lambda done, count: steps.append((done, count)))
    )
    assert steps == [(0, 2), (1, 2), (2, 2)]
    single = assess.metrics(read_study(paths[1]), settings=settings, execution=SERIAL)
    own = made[made["study"] == str(paths[1])].drop(columns="study").reset_index(drop=True)
    pd.testing.assert_frame_equal(own, single, check_exact=True)
    assert set(single["scenario"]) == {"today"}


def test_the_command_writes_a_table_that_a_study_accepts(tmp_path, study, monkeypatch):
    folder = write_study(study, tmp_path / "short")
    out = tmp_path / "metrics.csv"
    monkeypatch.setattr(_tasks, "GROUPS", {"voltage": ("voltvar",)})
    arguments = ["metrics", "--study", str(folder), "--out", str(out), "--scheduler", "serial", "--fresh"]
    done = CliRunner().invoke(cli.app, [*arguments, "--scenario", "slow", "--year", "2025"])
    assert done.exit_code == 0, done.output
    assert "rows written" in done.output
    assert set(pd.read_csv(out)["scenario"]) == {"slow"}


# --- additivity ----------------------------------------------------------------------------------------------------------------


def test_additivity_compares_what_is_added_with_what_is_simulated(study, net):
    found = assess.additivity(study, net, scenario="reference", year=2035, settings=assess.Settings(every=8), execution=SERIAL)
    assert np.allclose(found["added"] - found["joint"], found["error"])
    groups = found[found["check"] == "groups"]
    assert set(groups["quantity"]) == {name for names in _additivity.QUANTITIES.values() for name in names}
    saidi = groups[groups["quantity"] == "saidi_min"]
    assert (saidi["joint"] < saidi["none"]).all()
    alone = found[(found["check"] == "areas") & (found["quantity"] == "curtailed_mwh")]
    assert (alone["joint"] >= 0).all()


# --- errors --------------------------------------------------------------------------------------------------------------------


def test_errors_name_everything_that_is_wrong(study, net):
    with pytest.raises(errors.ParameterError) as caught:
        assess.Settings({"restoration": ("flisrr",), "volts": ("voltvar",)}, every=0)
    for text in ("flisr", "voltage", "below 1"):
        assert text in str(caught.value)
    with pytest.raises(errors.ParameterError) as caught:
        assess.metrics(study, net, scenarios=["refrence", "slow"], years=[2035, 2060], execution=SERIAL)
    for text in ("refrence", "reference", "2060", "2040"):
        assert text in str(caught.value)
    with pytest.raises(errors.ParameterError, match="tcp://"):
        assess.Execution("cluster:8786", workers=0)
    with pytest.raises(errors.ParameterError, match="is empty"):
        assess.fleet([])


def test_a_study_without_scenarios_has_no_other_year(tiny):
    study = read_study(tiny())
    with pytest.raises(errors.ParameterError, match="no scenarios"):
        assess.metrics(study, years=[2030], execution=SERIAL)
    with pytest.raises(errors.ParameterError, match="restoration"):
        assess.additivity(study, execution=SERIAL)
    with pytest.raises(errors.StudyError, match="outage_rates"):
        assess.metrics(study, settings=assess.Settings({"restoration": ("flisr",)}), execution=SERIAL)


def test_one_piece_of_work_that_cannot_be_done_stops_no_other(study, net, tmp_path, monkeypatch):
    settings = assess.Settings({"voltage": ("voltvar",)})
    known = {"scenarios": ["reference"], "years": [2025, 2030, 2035], "settings": settings}
    made, evaluate = [], _groups.evaluate

    def failing(shared, task):
        made.append(task)
        if task.years[0] != 2030:
            return evaluate(shared, task)
        raise errors.NetworkError("the network", [errors.Problem("loading state 'peak 1 %'", "has no power-flow solution")])

    monkeypatch.setattr(_groups, "evaluate", failing)
    with pytest.raises(errors.NetworkError, match="1 of 3 pieces") as caught:
        assess.metrics(study, net, **known, execution=assess.Execution("serial", cache=tmp_path))
    assert "voltage group, reference 2030" in str(caught.value)
    assert "peak 1 %" in str(caught.value)
    assert len(made) == 3
    monkeypatch.setattr(_groups, "evaluate", lambda shared, task: made.append(task) or evaluate(shared, task))
    mended = assess.metrics(study, net, **known, execution=assess.Execution("serial", cache=tmp_path))
    assert [task.years for task in made[3:]] == [(2030,)]
    assert set(mended["year"]) == {2025, 2030, 2035}


def test_what_several_pieces_of_work_have_in_common_is_said_once():
    missing = errors.StudyError("study x", [errors.Problem("outage_rates", "is missing")])
    lost = errors.NotConverged("step 3 has no power-flow solution")
    both = _run._together("metrics", {"a": missing, "b": missing, "c": missing, "d": missing}, 9, kept=True)
    assert isinstance(both, errors.StudyError)
    assert len(both.problems) == 1
    assert "(a; b; c and 1 more)" in str(both)
    mixed = _run._together("metrics", {"a": missing, "b": lost}, 9, kept=False)
    assert isinstance(mixed, errors.NetworkError)
    assert "step 3" in str(mixed)
    assert "nothing is kept" in str(mixed)
    assert isinstance(_run._together("metrics", {"b": lost}, 9, kept=True), errors.NotConverged)


def test_a_loading_state_without_a_power_flow_leaves_the_other_groups(study, net, tmp_path):
    heavy = pandapowerNet(dict(net.items()) | {"load": net.load.assign(p_mw=net.load["p_mw"] * 7)})
    settings = assess.Settings({"restoration": ("flisr",), "voltage": ("monitoring",)}, every=16)
    with pytest.raises(errors.GridplanError, match="restoration group, 2025"):
        assess.metrics(study, heavy, years=[2025], settings=settings, execution=assess.Execution("serial", cache=tmp_path))
    (kept,) = tmp_path.glob("*.csv")
    voltage = pd.read_csv(kept)
    assert (voltage["group"] == "voltage").all()
    failed = voltage["failed_h"] > 0
    assert (voltage["load_mwh"].isna() == failed).all()  # a failure is never "no violation"


SAME_BITS = """
import sys
from threadpoolctl import threadpool_info
from gridplan import network, study
from gridplan.assess import _groups, _tasks

def counts():
    return [one["num_threads"] for one in threadpool_info() if one["user_api"] == "blas"]

own = study.read_study(sys.argv[1])
tasks = [_tasks.Task("voltage", "reference", (2035,), ("none", "smart_inverters"), 2)]
tasks += [_tasks.Task("flexibility", "reference", (2035,), ("none", "der_management"), 2, plan=False)]
shared, inside, evaluate = _groups.Shared(own, network.load(own)), [], _groups.of_voltage
_groups.of_voltage = lambda *given: inside.append(counts()) or evaluate(*given)
for task in tasks:
    print(_groups.evaluate(shared, task).to_csv(index=False))
assert not [count for count in inside[0] if count != 1], inside
print(max(counts(), default=1), file=sys.stderr)
"""


def test_the_threads_of_linear_algebra_change_no_bit(study, tmp_path):
    folder = write_study(study, tmp_path / "short")
    made = [
        subprocess.run(
            [sys.executable, "-c", SAME_BITS, str(folder)],
            env=os.environ | {"OPENBLAS_NUM_THREADS": str(threads)},
            capture_output=True,
            text=True,
            check=True,
        )
        for threads in (1, 2)
    ]
    assert [one.stderr.split()[-1] for one in made] == ["1", str(min(2, os.cpu_count()))]  # set back afterwards
    assert made[0].stdout == made[1].stdout
