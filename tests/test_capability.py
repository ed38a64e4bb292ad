"""Levels of capabilities from statements."""

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gridplan import capability
from gridplan.errors import ParameterError, StudyError

MARKS = {"source": "test", "evidence": "M"}


def tables(scores: list[list[float]], target: int = 3) -> tuple[pd.DataFrame, pd.DataFrame]:
    """One capability whose level n has statements with the n-th scores."""
    own = pd.DataFrame([{"capability": "data", "label": "Data", "domain": "WAM", "target_level": target}]).assign(**MARKS)
    rows = [
        (n, f"{n}.{k}", score, "paper" if score == 1 else "") for n, part in enumerate(scores, 1) for k, score in enumerate(part)
    ]
    said = pd.DataFrame(rows, columns=["level", "statement", "score", "proof"]).assign(capability="data", **MARKS)
    return own, said


def level(scores: list[list[float]], **choice: float) -> int:
    return int(capability.levels(*tables(scores), **choice).level[0])


def test_a_level_is_reached_at_a_mean_of_0_70_and_with_those_below_it():
    assert level([[0.69], [1], [1]]) == 0
    assert level([[0.70], [1, 0.4], [0.6]]) == 2
    assert level([[1], [0.5], [1]]) == 1
    assert level([[1], [1], [1], [1], [1]]) == 5
    assert level([[0.6], [0.6], [0.6]], reached_at=0.5) == 3


@given(st.lists(st.floats(0, 1), min_size=5, max_size=5), st.integers(0, 4))
@settings(max_examples=20, deadline=None)
def test_a_better_score_never_lowers_the_level(scores, at):
    better = [*scores[:at], 1.0, *scores[at + 1 :]]
    assert level([[s] for s in better]) >= level([[s] for s in scores])


def test_a_gap_says_what_the_next_level_lacks_and_what_is_not_proven():
    row = capability.levels(*tables([[1, 0.8], [0.9, 0.1], [0]])).iloc[0]
    assert (row.level, row.gap_levels, row.next_statement) == (1, 2, "2.1")
    assert row.next_score == pytest.approx(0.5)
    assert (row.proof, row.unproven) == ("paper", 1)


def test_the_heat_map_has_the_eight_domains_in_order():
    table = capability.heat(capability.levels(*tables([[1], [0], [0]])))
    assert table.domain.tolist() == ["SMR", "OS", "GO", "WAM", "TECH", "CUST", "VCI", "SE"]
    assert table.set_index("domain").loc["WAM", ["capabilities", "level", "gap_levels"]].tolist() == [1, 1, 2]
    assert table.set_index("domain").loc["SE", "capabilities"] == 0


def test_scale_and_domains_name_their_source():
    assert capability.scale().level.tolist() == [0, 1, 2, 3, 4, 5]
    for table in (capability.scale(), capability.domains(), capability.defaults()):
        assert (table.source.str.len() > 10).all()


def test_a_level_without_a_statement_and_wrong_figures_are_named():
    own, said = tables([[1], [1], [1]])
    with pytest.raises(StudyError, match=r"capabilities.csv, row 2: capability 'data' has no statement at level 3"):
        capability.levels(own, said[said.level < 3])
    with pytest.raises(StudyError, match=r"maturity.csv, row 2, column 'score': 1.4 is above 1"):
        capability.levels(own, said.assign(score=1.4))
    with pytest.raises(ParameterError, match="reached_at: 0 is not above 0"):
        capability.levels(own, said, reached_at=0)
