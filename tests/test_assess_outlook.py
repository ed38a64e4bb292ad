"""What the futures ask, and the conventional plan behind the metrics, kept like them."""

from dataclasses import replace

import pandas as pd
import pytest
import test_assess_metrics as small

from gridplan import assess, futures, performance
from gridplan.study import Assumptions

net = small.net
YEARS = [2025, 2035]


@pytest.fixture(scope="module")
def study():
    """Two days of June, with a planning band so narrow that measures are needed."""
    whole = small.shortened(small.gridplan.read_study(small.STUDY))
    start = whole.assumptions.register
    narrow = start.assign(value=start["value"].mask(start["assumption"] == "vm_max_pu", 1.035))
    return replace(whole, assumptions=Assumptions(narrow))


def test_the_conventional_plan_is_that_of_the_metrics(study, net):
    settings = assess.Settings({"flexibility": ("storage",)}, every=4)
    table = assess.metrics(study, net, scenarios=["reference"], years=YEARS, settings=settings, execution=small.SERIAL)
    plan = assess.conventional(study, net, "reference", YEARS, settings=settings, execution=small.SERIAL)
    none = table[table["option"] == "none"].groupby("year")["reinforcement_keur"].sum()
    built = plan.steps.groupby("year")["capex_keur"].sum().reindex(YEARS, fill_value=0.0).cumsum()
    assert none.to_dict() == pytest.approx(built.to_dict())
    assert built.iloc[-1] > 0


def test_what_was_made_before_is_read_and_a_damaged_file_made_again(study, net, tmp_path):
    kept, settings = assess.Execution("serial", cache=tmp_path), assess.Settings(every=24)
    first = assess.conventional(study, net, "reference", [2035], settings=settings, execution=kept)
    files = sorted(tmp_path.iterdir())
    assert [file.name.split("-")[0] for file in files] == ["left", "steps"]
    again = assess.conventional(study, net, "reference", [2035], settings=settings, execution=kept)
    assert len(first.steps) > 0
    pd.testing.assert_frame_equal(again.steps[["element_id", "capex_keur"]], first.steps[["element_id", "capex_keur"]])
    files[0].unlink()
    made = assess.conventional(study, net, "reference", [2035], settings=settings, execution=kept)
    assert made.steps["capex_keur"].to_numpy() == pytest.approx(first.steps["capex_keur"].to_numpy())


def test_the_outlook_is_that_of_every_case(study, net, tmp_path):
    kept = assess.Execution("serial", cache=tmp_path)
    limits = performance.limits(study.assumptions)
    direct = performance.outlook(futures.cases(study, net, years=YEARS), limits).set_index(["scenario", "year"])
    for _ in range(2):  # made, then read
        found = assess.outlook(study, net, YEARS, execution=kept).set_index(["scenario", "year"])
        pd.testing.assert_frame_equal(found.reindex(direct.index), direct, check_dtype=False)
