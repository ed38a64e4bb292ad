"""Regret of plans over futures, and decisions that are the same in all of them."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gridplan import robustness
from gridplan.errors import InputError, ParameterError


def said(call):
    with pytest.raises(InputError) as caught:
        call()
    return str(caught.value)


def results(grid):
    return pd.DataFrame(
        [(p, f, float(v)) for p, row in grid.items() for f, v in row.items()], columns=["plan", "future", "result"]
    )


def test_the_regret_of_a_textbook_table_and_the_plan_that_minimises_the_largest():
    grid = {
        "bonds": {"up": 40, "same": 45, "down": 5},
        "shares": {"up": 70, "same": 30, "down": -13},
        "mixed": {"up": 53, "same": 45, "down": -5},
    }
    found = robustness.regret(results(grid))
    lost = found.table.pivot_table(index="plan", columns="future", values="regret")
    assert lost.loc["bonds"].to_dict() == {"up": 30, "same": 0, "down": 0}
    assert lost.loc["shares"].to_dict() == {"up": 0, "same": 15, "down": 18}
    assert lost.loc["mixed"].to_dict() == {"up": 17, "same": 0, "down": 10}
    assert found.choice == "mixed"
    assert found.plans.set_index("plan")["regret_max"].to_dict() == {"mixed": 17, "shares": 18, "bonds": 30}
    assert found.plans.set_index("plan")["best_in"].to_dict() == {"mixed": 1, "shares": 1, "bonds": 2}


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.lists(st.integers(-50, 50), min_size=3, max_size=3), min_size=1, max_size=5), st.sampled_from(["more", "less"])
)
def test_regret_is_never_negative_and_nothing_for_the_best(grid, better):
    given_ = results({f"p{i}": dict(enumerate(row)) for i, row in enumerate(grid)})
    found = robustness.regret(given_, better=better)
    assert (found.table["regret"] >= 0).all()
    assert (found.table.groupby("future")["regret"].min() == 0).all()
    best = np.max(grid, axis=0) if better == "more" else np.min(grid, axis=0)
    smallest = min(np.abs(best - row).max() for row in np.array(grid))
    assert found.plans["regret_max"].iloc[0] == pytest.approx(smallest)


def test_results_that_are_no_table_of_plans_and_futures_are_refused():
    table = results({"a": {"x": 1, "y": 2}, "b": {"x": np.nan}})
    message = said(lambda: robustness.regret(table))
    assert "plan 'b' has 0 results in 'y'" in message
    assert "nan is no finite number" in message
    with pytest.raises(ParameterError, match="better"):
        robustness.regret(results({"a": {"x": 1}}), better="higher")


def test_decisions_that_are_the_same_in_every_future_and_those_that_wait():
    def starts(**years):
        return pd.DataFrame({"project": list(years), "start_year": list(years.values())})

    found = robustness.decisions(
        {"slow": starts(gis=2026, adms=2026, ami=2030), "fast": starts(gis=2026, adms=2028, ami=2029, derms=2031)}, now=2026
    )
    assert found["decision"].tolist() == [
        "start in every future",
        "start in some futures",
        "in every future, later",
        "in some futures, later",
    ]
    assert found["project"].tolist() == ["gis", "adms", "ami", "derms"]
    assert found.set_index("project").loc["derms", ["futures", "of_futures", "in_futures"]].tolist() == [1, 2, "fast"]
    with pytest.raises(ParameterError):
        robustness.decisions({}, now=2026)
