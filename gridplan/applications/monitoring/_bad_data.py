"""Whether a gross error of a sensor is found."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy import stats

from gridplan.applications._case import OperatingCase
from gridplan.applications.monitoring import _model
from gridplan.applications.monitoring._model import Settings

_CRITICAL = 1e-6  # share of the variance of a reading below which nothing else confirms it


def detection(
    case: OperatingCase, sensors: pd.DataFrame, settings: Settings | None = None, *, gross_error_sds: float | None = None
) -> pd.DataFrame:
    """Find the probability that a gross error of each sensor is detected.

    Parameters
    ----------
    case, sensors, settings
        As of :func:`errors`; the first step looked at counts.
    gross_error_sds
        Size of the error in standard deviations of the reading.

    Returns
    -------
    pd.DataFrame
        One row a reading: `sensor`, `quantity`, `redundancy` (share of the variance of the reading that its residual has: 0 is a
        critical reading, whose error no test can find), `detected_percent` (largest normalised residual beyond the threshold
        [%]), `chi_square_percent` (chi-square test of all residuals at 95 % confidence [%]).

    Notes
    -----
    With a gross error b the normalised residual has mean b sqrt(S) / sigma and variance 1, S being the redundancy; the sum of
    weighted squares is a noncentral chi-square with b^2 S / sigma^2 and as many degrees of freedom as there are readings, because
    the pseudo-measurements determine the state by themselves.

    References
    ----------
    A. Abur, A. Gomez Exposito, Power System State Estimation: Theory and Implementation, Marcel Dekker 2004, chapter 5.
    """
    settings, sensors = settings or Settings(), _model.check(sensors, case.net)
    size = _model.default("gross_error_sds") if gross_error_sds is None else gross_error_sds
    model = _model.models(case, settings)[0]
    rows, variance = _model.readings(model, case, sensors)
    covariance = _model.posterior(model, rows, variance)
    explained = np.einsum("ij,jk,ik->i", rows, covariance, rows, optimize=True)
    share = np.clip(1 - np.where(np.isfinite(variance), explained / variance, 1.0), 0.0, 1.0)
    mean, threshold = size * np.sqrt(share), _model.default("bad_data_threshold")
    found = stats.norm.sf(threshold - mean) + stats.norm.cdf(-threshold - mean)
    count = int(np.isfinite(variance).sum())
    whole = stats.ncx2.sf(stats.chi2.ppf(0.95, count), count, np.maximum(mean**2, 1e-12)) if count else np.zeros(len(sensors))
    critical = share < _CRITICAL
    return pd.DataFrame(
        {
            "sensor": sensors["sensor"].to_numpy(),
            "quantity": sensors["quantity"].to_numpy(),
            "redundancy": np.where(critical, 0.0, share),
            "detected_percent": np.where(critical, 0.0, 100 * found),
            "chi_square_percent": np.where(critical, 0.0, 100 * whole),
        }
    )
