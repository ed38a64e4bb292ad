"""One thing at a time: what moves a result most."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd

from gridplan.errors import ParameterError, Problem
from gridplan.robustness._distributions import Draws, checked, planned, quantile
from gridplan.robustness._inputs import default

Measure = Callable[[Draws], np.ndarray | pd.Series]


def tornado(
    measure: Measure,
    uncertain: pd.DataFrame,
    scenario_weights: Mapping[str, float],
    *,
    ends: tuple[float, float] | None = None,
) -> pd.DataFrame:
    """Move each uncertainty alone from its low to its high end, the others as planned, and sort by the swing of the result.

    Parameters
    ----------
    measure
        What is looked at: takes draws and returns one number a sample, such as
        ``lambda draws: evaluate(plan, terms, uncertain, draws).money["npv_keur"]``.
    uncertain
        Table `uncertainties`.
    scenario_weights
        Probability of each scenario of the plan; more than one get a row of their own, each being certain in turn.
    ends
        Probabilities of less at the low and the high end; by default 0.1 and 0.9.

    Returns
    -------
    pd.DataFrame
        `uncertainty`, `setting_low`, `setting_high` (its two values, in words; for scenarios those with the lowest and the
        highest result), `result_low`, `result_high` (the results there), `result_planned`, `swing` (largest less smallest of
        the three).

    Raises
    ------
    StudyError
        The table does not hold what it must.
    ParameterError
        `ends` are not two probabilities that rise.
    """
    low, high = (default("tornado_low"), default("tornado_high")) if ends is None else ends
    if not 0 <= low < high <= 1:
        raise ParameterError("tornado", [Problem("ends", f"{low:g} and {high:g} are not two probabilities that rise")])
    rows = checked(uncertain).drop_duplicates("uncertainty")
    settings = np.array([quantile(row, np.array([low, high])) for _, row in rows.iterrows()]).reshape(len(rows), 2)
    result = np.asarray(measure(_one_at_a_time(planned(uncertain, scenario_weights), settings)), float)
    if not np.isfinite(result).all():
        raise ParameterError("tornado", [Problem("measure", "returns no finite number for some setting")])
    pairs = result[1 : 1 + 2 * len(rows)].reshape(-1, 2)
    table = pd.DataFrame(
        {
            "uncertainty": rows["uncertainty"].tolist(),
            "setting_low": [f"{value:.3g}" for value in settings[:, 0]],
            "setting_high": [f"{value:.3g}" for value in settings[:, 1]],
            "result_low": pairs[:, 0],
            "result_high": pairs[:, 1],
        }
    )
    if len(scenario_weights) > 1:
        table.loc[len(table)] = _scenario_row(list(scenario_weights), result[1 + 2 * len(rows) :])
    table["result_planned"] = result[0]
    three = table[["result_low", "result_high", "result_planned"]].to_numpy(float)
    table["swing"] = np.ptp(three, axis=1)
    return table.sort_values(["swing", "uncertainty"], ascending=[False, True], ignore_index=True)


def _one_at_a_time(base: Draws, settings: np.ndarray) -> Draws:
    """Return the plan, then each uncertainty at its low and its high end, then each scenario alone."""
    n, m = len(settings), base.mix.shape[1]
    values = np.repeat(base.settings.to_numpy(float), 1 + 2 * n + m, axis=0)
    for at, (low, high) in enumerate(settings):
        values[1 + 2 * at, at], values[2 + 2 * at, at] = low, high
    mix = np.repeat(base.mix.to_numpy(float), 1 + 2 * n + m, axis=0)
    mix[1 + 2 * n :] = np.eye(m)
    return Draws(pd.DataFrame(values, columns=base.settings.columns), pd.DataFrame(mix, columns=base.mix.columns))


def _scenario_row(scenarios: Sequence[str], results: np.ndarray) -> list[object]:
    worst, best = int(results.argmin()), int(results.argmax())
    return ["scenario", scenarios[worst], scenarios[best], results[worst], results[best]]
