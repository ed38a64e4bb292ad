"""Value functions: from a raw value in the unit of its criterion to 0 (worst) to 100 (best) points."""

from __future__ import annotations

import numpy as np
import pandas as pd

from gridplan.scoring._inputs import checked, points_of


def values(criteria: pd.DataFrame, alternatives: pd.DataFrame) -> pd.DataFrame:
    """Return what each raw value is worth on the scale of its criterion.

    A value function runs from 0 points at the worse to 100 points at the better end of `low` and `high` [1]_. ``linear`` is a
    straight line; ``exponential`` bends with the constant `parameter` (in the unit of the criterion; positive saves the first
    steps from the worse end most, negative the last); ``piecewise`` joins `points`. Beyond the ends the column `beyond` says
    what happens: ``clip`` (0 or 100 points; the result marks it), ``extend`` (the function goes on, piecewise with its last
    slope) or ``refuse`` (an error).

    Parameters
    ----------
    criteria
        Table `criteria`.
    alternatives
        Table `alternatives`: `project`, `criterion`, `value`, one row for every pair.

    Returns
    -------
    pd.DataFrame
        `project`, `criterion`, `value` (raw, in the unit of the criterion), `value_points`, `clipped`.

    Raises
    ------
    StudyError
        The tables do not hold what they must; a value is missing or refused. All problems at once.

    References
    ----------
    .. [1] C. W. Kirkwood, Strategic Decision Making, Duxbury 1997, ch. 4 (exponential single-dimensional value functions).
    """
    own, raw = checked(criteria, alternatives)
    return points_table(own, raw)


def points_table(own: pd.DataFrame, raw: pd.DataFrame) -> pd.DataFrame:
    """Return the table of :func:`values` from checked criteria and a project x criterion frame."""
    points = points_matrix(own, raw)
    low, high = (own.set_index("criterion")[end].to_numpy() for end in ("low", "high"))
    clip = (own["beyond"] == "clip").to_numpy() & ((raw.to_numpy() < low) | (raw.to_numpy() > high))
    return pd.DataFrame(
        {
            "project": np.repeat(raw.index.to_numpy(), raw.shape[1]),
            "criterion": np.tile(raw.columns.to_numpy(), len(raw)),
            "value": raw.to_numpy().ravel(),
            "value_points": points.to_numpy().ravel(),
            "clipped": clip.ravel(),
        }
    )


def points_matrix(own: pd.DataFrame, raw: pd.DataFrame) -> pd.DataFrame:
    """Return points in the shape of `raw`."""
    columns = {row["criterion"]: _points(row, raw[row["criterion"]].to_numpy(float)) for _, row in own.iterrows()}
    return pd.DataFrame(columns, index=raw.index)


def _points(row: pd.Series, raw: np.ndarray) -> np.ndarray:
    low, high = row["low"], row["high"]
    inside = np.clip(raw, low, high) if row["beyond"] == "clip" else raw
    if row["shape"] == "piecewise":
        return _piecewise(inside, *points_of(row["points"]).T)
    way = (inside - low) if row["direction"] == "more" else (high - inside)
    if row["shape"] == "linear":
        return 100 * way / (high - low)
    return 100 * np.expm1(-way / row["parameter"]) / np.expm1(-(high - low) / row["parameter"])


def _piecewise(raw: np.ndarray, knots: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Join points by straight lines; beyond the ends with the slope of the last piece."""
    first, last = ((points[i + 1] - points[i]) / (knots[i + 1] - knots[i]) for i in (0, -2))
    inside = np.interp(raw, knots, points)
    return inside + first * np.minimum(raw - knots[0], 0) + last * np.maximum(raw - knots[-1], 0)
