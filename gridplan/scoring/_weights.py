"""Weights of criteria: given, by swing, or from comparisons in pairs (AHP)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from gridplan import tables
from gridplan.errors import ParameterError, Problem, StudyError, suggest
from gridplan.scoring._inputs import bundled, checked, default


@dataclass(frozen=True, eq=False)
class Comparison:
    """Weights from comparisons in pairs, with what says whether they hang together.

    Parameters
    ----------
    weights
        `criterion`, `weight`.
    lambda_max
        Largest eigenvalue of the matrix of comparisons [1].
    consistency_index
        (lambda_max - n) / (n - 1) [1].
    random_index
        Mean consistency index of random matrices of that size [1].
    consistency_ratio
        Consistency index over random index [1]; 0 for up to two criteria.
    limit
        Largest consistency ratio that is accepted [1].
    doubtful
        `criterion`, `other`, `given`, `implied` (ratio of the weights), the pair that fits least first.
    """

    weights: pd.DataFrame
    lambda_max: float
    consistency_index: float
    random_index: float
    consistency_ratio: float
    limit: float
    doubtful: pd.DataFrame

    @property
    def consistent(self) -> bool:
        """Whether the consistency ratio is within its limit."""
        return self.consistency_ratio <= self.limit


def direct(criteria: pd.DataFrame) -> pd.DataFrame:
    """Return the weights as the table gives them.

    Parameters
    ----------
    criteria
        Table `criteria` with its column `weight`.

    Returns
    -------
    pd.DataFrame
        `criterion`, `weight` [1].

    Raises
    ------
    StudyError
        A weight is missing, or they do not sum to 1; the message says the sum.
    """
    own, _ = checked(criteria)
    rows = _filled(own, "weight")
    return weights_checked(rows, own)


def swing(criteria: pd.DataFrame) -> pd.DataFrame:
    """Return weights from swings: how much it is worth to go from the low to the high end of each criterion.

    The most valuable swing gets 100 points, the others their share of it; the weights are the points over their sum [1]_. So a
    weight belongs to the range of its criterion: another range asks for other points.

    Parameters
    ----------
    criteria
        Table `criteria` with its column `swing_points`.

    Returns
    -------
    pd.DataFrame
        `criterion`, `weight` [1].

    Raises
    ------
    StudyError
        Points are missing, or all are 0.

    References
    ----------
    .. [1] D. von Winterfeldt, W. Edwards, Decision Analysis and Behavioral Research, Cambridge 1986, ch. 8.
    """
    own, _ = checked(criteria)
    rows = _filled(own, "swing_points")
    if not rows["swing_points"].sum() > 0:
        raise StudyError(
            "weights", [Problem("criteria.csv", "are all 0", column="swing_points", remedy="give the largest swing 100")]
        )
    return pd.DataFrame({"criterion": rows["criterion"], "weight": rows["swing_points"] / rows["swing_points"].sum()})


def _filled(own: pd.DataFrame, column: str) -> pd.DataFrame:
    empty = own.index[own[column].isna()]
    if len(empty):
        remedy = "fill in every row; 0 for a criterion that is not to count"
        raise StudyError(
            "weights", [Problem("criteria.csv", "is empty", row=int(at) + 2, column=column, remedy=remedy) for at in empty]
        )
    return own[["criterion", column]]


def weights_checked(weights: pd.DataFrame, own: pd.DataFrame) -> pd.DataFrame:
    """Return `criterion`, `weight` in the order of the criteria, or raise a StudyError with every problem."""
    missing = [f"has no column '{name}'" for name in ("criterion", "weight") if name not in weights]
    if missing:
        raise StudyError("weights", [Problem("weights", what, remedy="give criterion, weight") for what in missing])
    names, given = own["criterion"].tolist(), weights["criterion"].tolist()
    problems = [Problem("weights", f"'{n}' is no criterion", remedy=suggest(n, names)) for n in given if n not in names]
    problems += [
        Problem("weights", f"criterion '{n}' has no weight", remedy="give it one; 0 for none") for n in names if n not in given
    ]
    problems += [Problem("weights", f"criterion '{n}' occurs twice") for n in dict.fromkeys(given) if given.count(n) > 1]
    number = weights["weight"].to_numpy(float)
    if not (number >= 0).all():
        problems += [Problem("weights", f"{w:g} is not a weight of at least 0") for w in number[~(number >= 0)]]
    elif abs(number.sum() - 1) > default("weight_tolerance"):
        problems.append(
            Problem(
                "weights", f"sum to {number.sum():.10g}, not to 1", remedy="divide each by the sum, or mend the one that is wrong"
            )
        )
    if problems:
        raise StudyError("weights", problems)
    return weights.set_index("criterion")["weight"].reindex(names).rename_axis("criterion").reset_index()


def matrix(comparisons: pd.DataFrame, criteria: list[str] | None = None) -> pd.DataFrame:
    """Return the matrix of comparisons in pairs.

    Parameters
    ----------
    comparisons
        Table `comparisons`: `criterion`, `other`, `ratio` (how many times as important the first is), each pair once.
    criteria
        Criteria that must be compared, in this order; by default those of the table.

    Returns
    -------
    pd.DataFrame
        Square, reciprocal, criteria as index and columns.

    Raises
    ------
    StudyError
        A pair is missing, given twice with ratios that are not each other's inverse, or compares a criterion with itself.
    """
    rows = tables.check({"comparisons": comparisons})["comparisons"]
    found = list(dict.fromkeys([*rows["criterion"], *rows["other"]]))
    names = found if criteria is None else criteria
    problems = [Problem("comparisons.csv", f"'{n}' is no criterion", remedy=suggest(n, names)) for n in found if n not in names]
    frame = pd.DataFrame(np.nan, names, names)
    np.fill_diagonal(frame.to_numpy(), 1.0)
    for at, row in rows.iterrows():
        one, other, ratio = row["criterion"], row["other"], row["ratio"]
        if one not in names or other not in names:
            continue
        if one == other or abs(frame.loc[one, other] - ratio) > 1e-3 * ratio:
            what = f"'{one}' against '{other}': {ratio:g} does not fit {frame.loc[one, other]:g} given before"
            problems.append(Problem("comparisons.csv", what, row=int(at) + 2, remedy="give each pair once"))
        frame.loc[one, other], frame.loc[other, one] = ratio, 1 / ratio
    gaps = [(a, b) for i, a in enumerate(names) for b in names[i + 1 :] if np.isnan(frame.loc[a, b])]
    problems += [Problem("comparisons.csv", f"'{a}' is not compared with '{b}'", remedy="add the pair") for a, b in gaps]
    if problems:
        raise StudyError("comparisons", problems)
    return frame


def ahp(pairs: pd.DataFrame, *, limit: float | None = None, accept: bool = False) -> Comparison:
    """Return weights from comparisons in pairs by the analytic hierarchy process.

    The weights are the principal eigenvector of the matrix of comparisons [1]_.

    Parameters
    ----------
    pairs
        Square matrix from :func:`matrix`: how many times as important the row's criterion is as the column's.
    limit
        Largest consistency ratio [1]; by default 0.10.
    accept
        Whether to return weights whose consistency ratio is above the limit; `Comparison.consistent` then says so.

    Returns
    -------
    Comparison

    Raises
    ------
    StudyError
        The matrix is not square, positive and reciprocal, or has more criteria than random indices exist for.
    ParameterError
        The comparisons contradict each other too much; the message names the worst pair.

    References
    ----------
    .. [1] T. L. Saaty, The Analytic Hierarchy Process, McGraw-Hill 1980.

    Examples
    --------
    >>> names = ["safety", "reliability", "cost"]
    >>> pairs = pd.DataFrame([[1, 3, 5], [1 / 3, 1, 3], [1 / 5, 1 / 3, 1]], names, names)
    >>> found = ahp(pairs)
    >>> found.weights["weight"].round(4).tolist(), round(found.consistency_ratio, 4)
    ([0.637, 0.2583, 0.1047], 0.0332)
    """
    _refuse_matrix(pairs)
    A, n = pairs.to_numpy(float), len(pairs)
    eigenvalues, vectors = np.linalg.eig(A)
    top = int(np.argmax(eigenvalues.real))
    weight = np.abs(vectors[:, top].real) / np.abs(vectors[:, top].real).sum()
    index = max((float(eigenvalues[top].real) - n) / (n - 1), 0.0) if n > 1 else 0.0
    random = _random_index(n)
    found = Comparison(
        weights=pd.DataFrame({"criterion": list(pairs.index), "weight": weight}),
        lambda_max=float(eigenvalues[top].real),
        consistency_index=index,
        random_index=random,
        consistency_ratio=index / random if random else 0.0,
        limit=default("consistency_limit") if limit is None else limit,
        doubtful=_doubtful(pairs, weight),
    )
    if not (found.consistent or accept):
        raise _contradiction(found)
    return found


def _random_index(n: int) -> float:
    return 0.0 if n < 3 else float(bundled("random_index").set_index("criteria").loc[n, "random_index"])


def _refuse_matrix(pairs: pd.DataFrame) -> None:
    problems = []
    if list(pairs.index) != list(pairs.columns) or pairs.empty:
        problems.append("is not square with the same criteria as rows and columns")
    else:
        A = pairs.to_numpy(float)
        if not (np.isfinite(A) & (A > 0)).all():
            problems.append("holds a comparison that is not above 0")
        elif not np.allclose(A * A.T, 1, rtol=1e-2):
            problems.append("is not reciprocal: a comparison is not the inverse of its counterpart")
    largest = int(bundled("random_index")["criteria"].max())
    if len(pairs) > largest:
        problems.append(f"compares {len(pairs)} criteria; random indices exist for at most {largest}, group the criteria")
    if problems:
        raise StudyError("comparisons", [Problem("matrix", what) for what in problems])


def _doubtful(pairs: pd.DataFrame, weight: np.ndarray) -> pd.DataFrame:
    upper, other = np.triu_indices(len(pairs), 1)
    rows = pd.DataFrame(
        {
            "criterion": pairs.index.to_numpy()[upper],
            "other": pairs.index.to_numpy()[other],
            "given": pairs.to_numpy(float)[upper, other],
            "implied": weight[upper] / weight[other],
        }
    )
    misfit = np.abs(np.log(rows["given"] / rows["implied"]))
    return rows.loc[misfit.sort_values(ascending=False, kind="stable").index].reset_index(drop=True)


def _contradiction(found: Comparison) -> ParameterError:
    worst = found.doubtful.iloc[0]
    what = f"consistency ratio {found.consistency_ratio:.3f} is above {found.limit:g}"
    remedy = (
        f"look again at '{worst['criterion']}' against '{worst['other']}': {worst['given']:.3g} is given, "
        f"the others imply {worst['implied']:.3g}"
    )
    return ParameterError("comparisons", [Problem("matrix", what, remedy=remedy)])
