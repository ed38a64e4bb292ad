"""What the organisation can do: levels from 0 to 5 by statements, under the eight domains of the Smart Grid Maturity Model.

Domain codes and level names are the model's; every statement is gridplan's or the utility's own. A level counts as reached when
the mean score of its statements is high enough, and so is that of every level below.
"""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from gridplan import tables
from gridplan.errors import ParameterError, Problem, StudyError

TOP = 5


def _bundled(name: str) -> pd.DataFrame:
    return tables.bundled("gridplan.capability", name)


def domains() -> pd.DataFrame:
    """Return the eight domains: `domain`, `label`, `concern`, `source`, `evidence`."""
    return _bundled("domains")


def scale() -> pd.DataFrame:
    """Return the six levels: `level`, `label`, `statement`, `source`, `evidence`."""
    return _bundled("levels")


def defaults() -> pd.DataFrame:
    """Return gridplan's figures: `name`, `value`, `unit`, `source`, `evidence`, `note`."""
    return _bundled("defaults")


def levels(
    capabilities: pd.DataFrame, maturity: pd.DataFrame, *, reached_at: float | None = None, checked: bool = False
) -> pd.DataFrame:
    """Return the level of each capability and what it lacks to its target.

    Parameters
    ----------
    capabilities, maturity
        Tables of a study.
    reached_at
        Mean score at which a level counts as reached [1]; by default 0.70 as in the compass survey of the model [1]_.
    checked
        Whether the columns of the tables were checked against the dictionary already.

    Returns
    -------
    pd.DataFrame
        One row a capability: `capability`, `label`, `domain`, `level`, `target_level`, `gap_levels` (0 at or above the target),
        `next_score` (mean score of the next level; missing at the top) [1], `next_statement` (the statement of the next level
        with the lowest score), `proof` (of the statements that hold, separated by ``; ``), `unproven` (statements scored as
        true without proof).

    Raises
    ------
    StudyError
        The tables do not hold what they must, or a level of a capability up to its target has no statement.
    ParameterError
        `reached_at` is not above 0 and at most 1.

    References
    ----------
    .. [1] Software Engineering Institute, Smart Grid Maturity Model 1.2, CMU/SEI-2011-TR-025, 2011.
    """
    bar = float(defaults().set_index("name").loc["level_reached_at", "value"]) if reached_at is None else reached_at
    if not 0 < bar <= 1:
        raise ParameterError("capability levels", [Problem("reached_at", f"{bar:g} is not above 0 and at most 1")])
    typed = {"capabilities": capabilities, "maturity": maturity}
    typed, problems = (typed, []) if checked else tables.convert(typed)
    problems = problems or list(_unstated(typed["capabilities"], typed["maturity"]))
    if problems:
        raise StudyError("capabilities", problems)
    said = typed["maturity"]
    rows = [_row(row, said[said["capability"] == row.capability], bar) for row in typed["capabilities"].itertuples()]
    return pd.DataFrame(rows)


def _unstated(capabilities: pd.DataFrame, maturity: pd.DataFrame) -> Iterator[Problem]:
    """Yield capabilities whose target cannot be judged."""
    for at, row in capabilities.iterrows():
        own = set(maturity.loc[maturity["capability"] == row["capability"], "level"])
        if missing := [level for level in range(1, int(row["target_level"]) + 1) if level not in own]:
            what = f"capability '{row['capability']}' has no statement at level {missing[0]}"
            yield Problem("capabilities.csv", what, row=int(at) + 2, remedy="add one to the table 'maturity'")


def _row(capability, said: pd.DataFrame, bar: float) -> dict[str, object]:
    """Return the level of one capability."""
    scores = said.groupby("level")["score"].mean()
    level = 0
    while level < TOP and scores.get(level + 1, 0.0) >= bar - 1e-12:
        level += 1
    following = said[said["level"] == level + 1].sort_values("score", kind="stable")
    holds = said[(said["score"] >= bar) & (said["level"] <= level)]
    return {
        "capability": capability.capability,
        "label": capability.label,
        "domain": capability.domain,
        "level": level,
        "target_level": int(capability.target_level),
        "gap_levels": max(0, int(capability.target_level) - level),
        "next_score": float(scores.get(level + 1, float("nan"))),
        "next_statement": following["statement"].iloc[0] if len(following) else "",
        "proof": "; ".join(dict.fromkeys(text for text in holds["proof"] if text)),
        "unproven": int((holds["proof"] == "").sum()),
    }


def heat(found: pd.DataFrame) -> pd.DataFrame:
    """Return the table behind a heat map: one row a domain, in the order of the model.

    Parameters
    ----------
    found
        From :func:`levels`.

    Returns
    -------
    pd.DataFrame
        `domain`, `label`, `capabilities`, `level` (the lowest of its capabilities), `level_mean`, `target_level` (mean),
        `gap_levels` (the sum). Levels are missing for a domain without a capability.
    """
    groups = found.groupby("domain")
    table = groups.agg(
        capabilities=("capability", "size"),
        level=("level", "min"),
        level_mean=("level", "mean"),
        target_level=("target_level", "mean"),
        gap_levels=("gap_levels", "sum"),
    )
    joined = domains()[["domain", "label"]].merge(table, on="domain", how="left")
    return joined.fillna({"capabilities": 0, "gap_levels": 0}).astype({"capabilities": int, "gap_levels": int})


__all__ = ["defaults", "domains", "heat", "levels", "scale"]
