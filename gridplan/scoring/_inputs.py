"""The tables of a scoring, checked together, and gridplan's own figures."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from gridplan import tables
from gridplan.errors import Problem, StudyError

BUNDLED = ("criteria", "defaults", "random_index", "spend_classes")


def bundled(name: str) -> pd.DataFrame:
    """Return a table that comes with gridplan, with source and evidence in each row.

    Parameters
    ----------
    name
        ``criteria`` (to start from; a utility has its own), ``defaults``, ``random_index`` (of the consistency ratio) or
        ``spend_classes`` (which test applies to which spend).

    Raises
    ------
    ParameterError
        There is no such table.
    """
    return tables.bundled("gridplan.scoring", name, known=BUNDLED)


def default(name: str) -> float:
    """Return one of gridplan's own figures."""
    return float(tables.bundled("gridplan.scoring", "defaults").set_index("name").loc[name, "value"])


def checked(criteria: pd.DataFrame, alternatives: pd.DataFrame | None = None) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return typed criteria and a project x criterion frame of raw values; raise one error with every problem."""
    given = {"criteria": criteria} | ({} if alternatives is None else {"alternatives": alternatives})
    typed, problems = tables.convert(given)
    if not problems:
        problems = list(_criteria_problems(typed["criteria"]))
        if alternatives is not None:
            problems += _alternative_problems(typed["criteria"], typed["alternatives"])
    if problems:
        raise StudyError("scoring", problems)
    own = typed["criteria"].assign(
        shape=typed["criteria"]["shape"].replace("", "linear"), beyond=typed["criteria"]["beyond"].replace("", "clip")
    )
    if alternatives is None:
        return own, pd.DataFrame()
    wide = typed["alternatives"].pivot_table(index="project", columns="criterion", values="value", sort=False)
    return own, wide[own["criterion"].tolist()]


def points_of(text: str) -> np.ndarray:
    """Return the points ``raw:value`` of a piecewise value function as two columns."""
    return np.array([[float(part) for part in point.split(":")] for point in text.split("|")])


def _criteria_problems(criteria: pd.DataFrame) -> Iterator[Problem]:
    """Yield what one row of the dictionary cannot say of a criterion."""
    if criteria.empty:
        yield Problem("criteria.csv", "has no criterion", remedy="add at least one row")
    for at, row in criteria.iterrows():
        for column, what, remedy in _row_problems(row):
            yield Problem("criteria.csv", what, row=int(at) + 2, column=column, remedy=remedy)


def _row_problems(row: pd.Series) -> Iterator[tuple[str, str, str | None]]:
    if not row["low"] < row["high"]:
        yield "high", f"{row['high']:g} is not above the low end {row['low']:g}", "give the worst and the best value that count"
    if row["shape"] == "exponential" and not (np.isfinite(row["parameter"]) and row["parameter"] != 0):
        yield "parameter", "is empty or 0", "give the constant of the exponential shape, in the unit of the criterion"
    if row["shape"] == "piecewise" and (what := _points_problem(row)):
        yield "points", what, "give raw:points|raw:points, from the low to the high end, points from 0 to 100"


def _points_problem(row: pd.Series) -> str:
    try:
        points = points_of(row["points"])
        raw, value = points.T
    except ValueError:
        return f"'{row['points']}' cannot be read"
    if len(points) < 2 or not (np.diff(raw) > 0).all():
        return "are not at least two points with rising raw values"
    if raw[0] != row["low"] or raw[-1] != row["high"]:
        return f"run from {raw[0]:g} to {raw[-1]:g}, not from {row['low']:g} to {row['high']:g}"
    steps = np.diff(value) * (1 if row["direction"] == "more" else -1)
    if (steps < 0).any() or {value[0], value[-1]} != {0.0, 100.0}:
        return f"do not run from 0 to 100 with '{row['direction']}' as the better direction"
    return ""


def _alternative_problems(criteria: pd.DataFrame, alternatives: pd.DataFrame) -> list[Problem]:
    """Return values that are missing, without a criterion, or outside a range that must hold them."""
    names = criteria["criterion"].tolist()
    wide = alternatives.pivot_table(index="project", columns="criterion", values="value", sort=False).reindex(columns=names)
    problems = [
        Problem("alternatives.csv", f"project '{project}' has no value of '{name}'", remedy="add a row; nothing is taken as 0")
        for project, row in wide.isna().iterrows()
        for name in row.index[row]
    ]
    if alternatives.empty:
        problems.append(Problem("alternatives.csv", "has no project", remedy="add rows project, criterion, value"))
    strict = criteria[criteria["beyond"] == "refuse"].set_index("criterion")
    for at, row in alternatives[alternatives["criterion"].isin(strict.index)].iterrows():
        low, high = strict.loc[row["criterion"], ["low", "high"]]
        if not low <= row["value"] <= high:
            what = f"{row['value']:g} is outside {low:g} to {high:g} of '{row['criterion']}'"
            remedy = "widen the range of the criterion, or let it clip"
            problems.append(Problem("alternatives.csv", what, row=int(at) + 2, column="value", remedy=remedy))
    return problems
