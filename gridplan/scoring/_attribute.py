"""From what combinations of projects bring to a value of each project, without counting anything twice."""

from __future__ import annotations

from collections.abc import Callable
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
    total, at = pd.DataFrame(0.0, index=names, columns=wide.columns), list(wide.columns).index(by)
    for _, options in wide.groupby(level=["area", "group"]):
        needed = [needs.get(key, frozenset()) for key in options.index]
        members = sorted(frozenset().union(*needed))
        worth = _game(options.to_numpy(), [sum(1 << members.index(m) for m in need) for need in needed], len(members), by=at)
        for place, member in enumerate(members):
            total.loc[member] += SHARES[how](worth, 1 << place)
    long = total.rename_axis("project").reset_index().melt("project", var_name="criterion", value_name="value")
    return long.assign(at=long["project"].map(names.index)).sort_values(["at", "criterion"], ignore_index=True).drop(columns="at")


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


def _game(values: np.ndarray, needed: list[int], size: int, *, by: int) -> np.ndarray:
    """Return what each set of projects brings, one row a set: that of its best option, or nothing.

    Sets are numbers whose bits say which of the projects are in them.
    """
    order = sorted((at for at in range(len(values)) if values[at, by] > 0), key=lambda at: -values[at, by])
    ranked = np.vstack([values[order], np.zeros(values.shape[1])])
    best = np.full(1 << size, len(order))
    for rank, at in reversed(list(enumerate(order))):
        best[needed[at]] = rank
    for place in range(size):  # a set has what the set without one of its projects has
        pairs = best.reshape(-1, 2, 1 << place)
        np.minimum(pairs[:, 1], pairs[:, 0], out=pairs[:, 1])
    return ranked[best]


def _shapley(worth: np.ndarray, own: int) -> np.ndarray:
    n = len(worth).bit_length() - 1
    others = np.flatnonzero(~np.arange(len(worth)) & own)
    weights = np.array([factorial(k) * factorial(n - k - 1) / factorial(n) for k in range(n)])
    return weights[np.bitwise_count(others)] @ (worth[others | own] - worth[others])


def _alone(worth: np.ndarray, own: int) -> np.ndarray:
    return worth[own] - worth[0]


def _lost(worth: np.ndarray, own: int) -> np.ndarray:
    return worth[-1] - worth[-1 - own]


SHARES: dict[str, Callable[[np.ndarray, int], np.ndarray]] = {"shapley": _shapley, "alone": _alone, "lost": _lost}
"""Ways of sharing by their names."""
