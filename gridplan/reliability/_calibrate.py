"""Scaling of failure rates and times until the model meets the utility's historical SAIFI and SAIDI."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from gridplan import tables
from gridplan.errors import NotConverged, ParameterError, Problem

RATES = ["failures_per_km_yr", "failures_per_yr", "momentary_per_km_yr", "momentary_per_yr"]
"""Columns of `outage_rates` that the rate factor scales; planned outages are not faults."""

TIMES = ["detect_min", "locate_min", "patrol_min_per_km", "isolate_min", "transfer_min"]
"""Columns of `restoration` that the time factor scales, with `repair_h` of `outage_rates`."""

_ROUNDS = 50
_TOLERANCE = 1e-9

Assess = Callable[[pd.DataFrame, pd.DataFrame], Mapping[str, float]]


@dataclass(frozen=True, eq=False)
class Calibration:
    """Scaled tables, and how far they had to be scaled.

    Parameters
    ----------
    rates, restoration
        Tables `outage_rates` and `restoration`, scaled.
    rate_factor, time_factor
        Factors on failure rates and on times [1].
    report
        `quantity` (SAIFI, SAIDI), `model` (before), `target`, `calibrated`, `factor`, `factor_low`, `factor_high` (plausible
        range), `plausible`, `remark`.
    """

    rates: pd.DataFrame
    restoration: pd.DataFrame
    rate_factor: float
    time_factor: float
    report: pd.DataFrame

    @property
    def factors(self) -> dict[str, float]:
        """Factors on `rates` and `times` [1]."""
        return {"rates": self.rate_factor, "times": self.time_factor}

    @property
    def remarks(self) -> tuple[str, ...]:
        """What a reader must know: a factor outside the plausible range."""
        return tuple(remark for remark in self.report["remark"] if remark)


def plausible_factors() -> pd.DataFrame:
    """Return the plausible ranges of the factors, with source and evidence.

    Returns
    -------
    pd.DataFrame
        Indexed by `factor` (rates, times): `low`, `high` [1], `source`, `evidence`.
    """
    return tables.bundled("gridplan.reliability", "calibration", missing=True).set_index("factor")


def calibrate(
    assess: Assess,
    rates: pd.DataFrame,
    restoration: pd.DataFrame,
    target: Mapping[str, float],
    *,
    plausible: pd.DataFrame | None = None,
) -> Calibration:
    """Scale failure rates and times so that the model meets historical SAIFI and SAIDI.

    One factor scales all failure rates, one all times (stages of the restoration and repair). Both are found by repeating the
    model with the factors of the round before: SAIFI follows the rates, CAIDI the times, exactly so as long as no interruption
    crosses the border between momentary and sustained. Nothing is scaled by element: the history of a system says nothing of
    that.

    Parameters
    ----------
    assess
        Function of the two tables that returns the model's ``saifi`` [1/yr] and ``saidi_min`` [min/yr]:
        ``lambda r, t: reliability.totals(model, replace(outages, rates=r, restoration=t))``.
    rates, restoration
        Tables `outage_rates` and `restoration`; not changed.
    target
        ``saifi`` [1/yr], ``saidi_min`` [min/yr], or both; what is absent is not met and its factor stays 1.
    plausible
        Ranges outside which a remark warns, as :func:`plausible_factors`.

    Raises
    ------
    ParameterError
        A target is not above 0, or the model has no interruptions to scale.
    NotConverged
        No factors were found that meet the target.
    """
    goal = _goal(target)
    before = _state(assess, rates, restoration)
    bad = [name for name in goal if not before[name] > 0]
    if bad:
        what = f"the model has {' and '.join(f'{name} {before[name]:g}' for name in bad)}; no factor meets the target"
        raise ParameterError("calibration", [Problem("model", what, remedy="give failure rates and times above 0")])
    factors, now = _search(assess, rates, restoration, goal, before)
    report = _report(before, goal, now, factors, plausible_factors() if plausible is None else plausible)
    return Calibration(*_tables(rates, restoration, factors), factors["rates"], factors["times"], report)


def _search(
    assess: Assess, rates: pd.DataFrame, restoration: pd.DataFrame, goal: Mapping[str, float], now: Mapping[str, float]
) -> tuple[dict[str, float], Mapping[str, float]]:
    """Return factors that meet the goal, and what the model says with them."""
    factors = {"rates": 1.0, "times": 1.0}
    for _ in range(_ROUNDS):
        steps = _steps(now, goal)
        if max(abs(step - 1.0) for step in steps.values()) < _TOLERANCE:
            return factors, now
        factors = {name: factors[name] * step for name, step in steps.items()}
        now = _state(assess, *_tables(rates, restoration, factors))
        if not all(now[name] > 0 for name in goal):
            break
    said = f"SAIFI {now['saifi']:.4g} and SAIDI {now['saidi_min']:.4g} min do not settle on {dict(goal)}"
    raise NotConverged(
        f"calibration: {said}: the model does not follow its rates and times. Look for interruptions that cross the border "
        "between momentary and sustained"
    )


def _tables(rates: pd.DataFrame, restoration: pd.DataFrame, factors: Mapping[str, float]) -> tuple[pd.DataFrame, pd.DataFrame]:
    faults, times = factors["rates"], factors["times"]
    return _scaled(_scaled(rates, RATES, faults), ["repair_h"], times), _scaled(restoration, TIMES, times)


def _goal(target: Mapping[str, float]) -> dict[str, float]:
    known = ("saifi", "saidi_min")
    problems = [
        Problem("target", f"'{name}' is no target", remedy="give saifi, saidi_min or both")
        for name in target
        if name not in known
    ]
    problems += [
        Problem("target", f"{name} {target[name]} is not above 0") for name in known if name in target and not target[name] > 0
    ]
    if not target:
        problems.append(Problem("target", "is empty", remedy="give saifi, saidi_min or both"))
    if problems:
        raise ParameterError("calibration", problems)
    return {name: float(target[name]) for name in known if name in target}


def _state(assess: Assess, rates: pd.DataFrame, restoration: pd.DataFrame) -> dict[str, float]:
    found = assess(rates, restoration)
    return {name: float(found[name]) for name in ("saifi", "saidi_min")}


def _steps(now: Mapping[str, float], goal: Mapping[str, float]) -> dict[str, float]:
    """Factors that would meet the goal if SAIFI followed the rates and SAIDI rates and times."""
    rates = goal["saifi"] / now["saifi"] if "saifi" in goal else 1.0
    times = goal["saidi_min"] / now["saidi_min"] / rates if "saidi_min" in goal else 1.0
    return {"rates": rates, "times": times}


def _scaled(table: pd.DataFrame, columns: list[str], factor: float) -> pd.DataFrame:
    return table.assign(**{name: pd.to_numeric(table[name]) * factor for name in columns if name in table})


def _report(
    before: Mapping[str, float],
    goal: Mapping[str, float],
    now: Mapping[str, float],
    factors: Mapping[str, float],
    ranges: pd.DataFrame,
) -> pd.DataFrame:
    rows = []
    for name, quantity, factor in (("saifi", "SAIFI", "rates"), ("saidi_min", "SAIDI", "times")):
        low, high = float(ranges.at[factor, "low"]), float(ranges.at[factor, "high"])
        value, fits = factors[factor], low * (1 - 1e-6) <= factors[factor] <= high * (1 + 1e-6)
        said = "failure rates" if factor == "rates" else "restoration and repair times"
        remark = (
            f"{said} had to be multiplied by {value:.3g}, outside the plausible {low:g} to {high:g}: look for what is missing"
        )
        rows.append(
            {
                "quantity": quantity,
                "model": before[name],
                "target": goal.get(name, np.nan),
                "calibrated": now[name],
                "factor": value,
                "factor_low": low,
                "factor_high": high,
                "plausible": fits,
                "remark": "" if fits else remark,
            }
        )
    return pd.DataFrame(rows)
