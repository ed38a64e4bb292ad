"""From what combinations of projects bring to a value of each project, without counting anything twice."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations
from math import factorial

import numpy as np
import pandas as pd

from gridplan.errors import ParameterError, Problem, StudyError, suggest

LARGEST = 14
"""Projects that one area and group may wait for: every subset is looked at."""


def attribute(values: pd.DataFrame, enablers: pd.DataFrame, *, by: str, how: str = "shapley") -> pd.DataFrame:
    """Share what options bring among the projects that they need.

    An option gives nothing until the last of its projects is there, so a project has no value of its own. For each area and
    group, every set of its projects has a value: that of the best option (by the criterion `by`) whose projects are all in the
    set. ``shapley`` gives each project the mean of what it adds over all orders in which the projects may come [1]_: the shares
    of all projects sum to the value of all of them together. ``alone`` is what a project brings without any other, ``lost`` what
    would be missing without it; these do not sum to the whole.

    Parameters
    ----------
    values
        `area`, `group`, `option`, `criterion`, `value`: what an option brings against none in service, one row for every
        criterion; simulated, as present value or quantity over the horizon.
    enablers
        `area`, `group`, `option`, `project`: the projects that an option needs. An option without a row is there already, and
        what it brings belongs to no project.
    by
        Criterion by which the best option of a set is chosen; more of it is better.
    how
        ``shapley``, ``alone`` or ``lost``.

    Returns
    -------
    pd.DataFrame
        `project`, `criterion`, `value`, as a table `alternatives`.

    Raises
    ------
    StudyError
        An option has no value of a criterion, or waits for too many projects; all problems at once.
    ParameterError
        `by` or `how` is not known.

    References
    ----------
    .. [1] L. S. Shapley, "A value for n-person games", Contributions to the Theory of Games II, Princeton 1953.

    Examples
    --------
    >>> values = pd.DataFrame({"area": "A", "group": "g", "option": ["flisr"], "criterion": "kEUR", "value": [90.0]})
    >>> needs = pd.DataFrame({"area": "A", "group": "g", "option": "flisr", "project": ["adms", "radio", "switches"]})
    >>> attribute(values, needs, by="kEUR")["value"].tolist()
    [30.0, 30.0, 30.0]
    """
    wide = _wide(values, enablers, by, how)
    needs = enablers.groupby(["area", "group", "option"])["project"].agg(frozenset)
    names = list(dict.fromkeys(enablers["project"]))
    total = pd.DataFrame(0.0, index=names, columns=wide.columns)
    for _, options in wide.groupby(level=["area", "group"]):
        needed = [needs.get(key, frozenset()) for key in options.index]
        members = sorted(frozenset().union(*needed))
        worth = _game(options.to_numpy(), needed, list(wide.columns).index(by))
        for member in members:
            total.loc[member] += SHARES[how](worth, member, [m for m in members if m != member])
    long = total.rename_axis("project").reset_index().melt("project", var_name="criterion", value_name="value")
    return long.assign(at=long["project"].map(names.index)).sort_values(["at", "criterion"], ignore_index=True).drop(columns="at")


Worth = Callable[[frozenset[str]], np.ndarray]


def _wide(values: pd.DataFrame, enablers: pd.DataFrame, by: str, how: str) -> pd.DataFrame:
    """Return values by option and criterion, or raise with every problem."""
    criteria = list(dict.fromkeys(values["criterion"]))
    asked = [("by", by, criteria), ("how", how, list(SHARES))]
    problems = [
        Problem(n, f"'{given}' is not known", remedy=suggest(given, known)) for n, given, known in asked if given not in known
    ]
    if problems:
        raise ParameterError("attribute", problems)
    wide = values.pivot_table(index=["area", "group", "option"], columns="criterion", values="value", sort=False)[criteria]
    gaps = [(key, c) for key, row in wide.iterrows() for c in criteria if not np.isfinite(row[c])]
    found = [Problem("values", f"'{key[2]}' in '{key[0]}' has no value of '{c}'", remedy="add the row") for key, c in gaps]
    many = enablers.groupby(["area", "group"])["project"].nunique()
    for (area, group), count in many[many > LARGEST].items():
        what = f"'{group}' in '{area}' waits for {count} projects; at most {LARGEST} can be shared among"
        found.append(Problem("enablers", what, remedy="join projects that always come together"))
    if found:
        raise StudyError("attribute", found)
    return wide


def _game(values: np.ndarray, needed: list[frozenset[str]], by: int) -> Worth:
    """Return what says what a set of projects brings: the row of its best option, or nothing."""
    known: dict[frozenset[str], np.ndarray] = {}

    def worth(there: frozenset[str]) -> np.ndarray:
        if there not in known:
            open_ = [row for row, need in zip(values, needed, strict=True) if need <= there and row[by] > 0]
            known[there] = max(open_, key=lambda row: row[by]) if open_ else np.zeros(values.shape[1])
        return known[there]

    return worth


def _shapley(worth: Worth, member: str, others: list[str]) -> np.ndarray:
    n, own = len(others) + 1, frozenset([member])
    share = 0.0
    for size in range(n):
        weight = factorial(size) * factorial(n - size - 1) / factorial(n)
        share = share + weight * sum(worth(frozenset(s) | own) - worth(frozenset(s)) for s in combinations(others, size))
    return share


def _alone(worth: Worth, member: str, others: list[str]) -> np.ndarray:  # noqa: ARG001 - the signature of a share
    return worth(frozenset([member])) - worth(frozenset())


def _lost(worth: Worth, member: str, others: list[str]) -> np.ndarray:
    return worth(frozenset([member, *others])) - worth(frozenset(others))


SHARES: dict[str, Callable[[Worth, str, list[str]], np.ndarray]] = {"shapley": _shapley, "alone": _alone, "lost": _lost}
"""Ways of sharing by their names."""
