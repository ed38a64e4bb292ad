"""Distributions of results, and how probable it is that a target is met."""

from __future__ import annotations

import numpy as np
import pandas as pd

from gridplan.errors import ParameterError, Problem, suggest
from gridplan.robustness._evaluate import Outcome

MONEY = ("npv_keur", "benefit_keur", "capex_keur", "opex_keur")
SENSES = ("at least", "at most")
QUANTILES = {"p05": 0.05, "p25": 0.25, "p50": 0.5, "p75": 0.75, "p95": 0.95}


def distribution(outcome: Outcome) -> pd.DataFrame:
    """Return mean, spread and quantiles of every result over the samples.

    Parameters
    ----------
    outcome
        From :func:`gridplan.robustness.evaluate`.

    Returns
    -------
    pd.DataFrame
        `quantity` (a column of the outcome), `year` (missing for present values), `mean`, `mean_error` (standard error of the
        mean), `deviation`, `p05`, `p25`, `p50`, `p75`, `p95`, `samples`; in the unit of the quantity.
    """
    rows = [_row(name, None, outcome.money[name].to_numpy()) for name in MONEY]
    for year, own in outcome.kpis.groupby("year"):
        rows += [_row(name, int(year), own[name].to_numpy()) for name in own.columns.drop(["sample", "year"])]
    return pd.DataFrame(rows).astype({"year": "Int64"})


def _row(name: str, year: int | None, values: np.ndarray) -> dict[str, object]:
    deviation = float(values.std(ddof=1)) if len(values) > 1 else 0.0
    spread = {"mean": values.mean(), "mean_error": deviation / np.sqrt(len(values)), "deviation": deviation}
    ends = dict(zip(QUANTILES, np.quantile(values, list(QUANTILES.values())), strict=True))
    return {"quantity": name, "year": year} | spread | ends | {"samples": len(values)}


def probabilities(outcome: Outcome, targets: pd.DataFrame) -> pd.DataFrame:
    """Return how probable it is that each target is met, and that all of them are.

    Parameters
    ----------
    outcome
        From :func:`gridplan.robustness.evaluate`.
    targets
        `kpi` (a KPI, or a column of `Outcome.money` such as ``npv_keur``), `year` (missing for present values), `sense` (``at
        least`` or ``at most``), `value`.

    Returns
    -------
    pd.DataFrame
        The targets with `probability_percent` [%] and its standard error `probability_error_percent` [%]; the last row, with the
        KPI ``all``, says how often all are met together.

    Raises
    ------
    ParameterError
        A target names what the outcome does not hold; all problems at once.
    """
    met = _met(outcome, targets)
    share = np.array([*(m.mean() for m in met), np.all(met, axis=0).mean()])
    joint = pd.DataFrame({"kpi": ["all"], "year": [pd.NA], "sense": [""], "value": [np.nan]})
    table = pd.concat([targets[["kpi", "year", "sense", "value"]].astype(object), joint.astype(object)], ignore_index=True)
    error = np.sqrt(share * (1 - share) / len(outcome.money))
    table = table.astype({"kpi": str, "sense": str, "value": float, "year": "Int64"})
    return table.assign(probability_percent=100 * share, probability_error_percent=100 * error)


def _met(outcome: Outcome, targets: pd.DataFrame) -> list[np.ndarray]:
    """Return per target in which samples it is met."""
    kpis = outcome.kpis.set_index("year")
    names, problems, met = [*MONEY, *kpis.columns.drop("sample")], [], []
    for at, row in enumerate(targets.itertuples()):
        where = f"target {at + 1}"
        if row.kpi not in names:
            problems.append(Problem(where, f"'{row.kpi}' is no result", remedy=suggest(str(row.kpi), names)))
        elif row.kpi not in MONEY and row.year not in kpis.index:
            problems.append(Problem(where, f"{row.year} is no year of the plan", remedy="give a year of its horizon"))
        elif row.sense not in SENSES:
            problems.append(Problem(where, f"'{row.sense}' is not allowed", remedy=suggest(str(row.sense), SENSES)))
        elif not np.isfinite(row.value):
            problems.append(Problem(where, f"{row.value} is no number"))
        else:
            found = outcome.money[row.kpi] if row.kpi in MONEY else kpis.loc[row.year, row.kpi]
            found = np.atleast_1d(np.asarray(found, float))
            met.append(found >= row.value if row.sense == "at least" else found <= row.value)
    if problems:
        raise ParameterError("targets", problems)
    if not met:
        raise ParameterError("targets", [Problem("targets", "are none", remedy="give at least one row")])
    return met
