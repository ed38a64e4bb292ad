"""Where further sensors help most."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from gridplan.applications._case import OperatingCase
from gridplan.applications.monitoring import _model
from gridplan.applications.monitoring._model import COLUMNS, Model, Settings
from gridplan.errors import ParameterError, Problem


def meters(buses: Sequence[int], template: pd.DataFrame) -> pd.DataFrame:
    """Put the same meter at several stations.

    Parameters
    ----------
    buses
        Stations.
    template
        One row a quantity of the meter: `kind`, `quantity`, `sd_percent`, `availability_percent`, `delay_min`.

    Returns
    -------
    pd.DataFrame
        Rows of a `sensors` table; `sensor` is ``meter at bus 7``.
    """
    parts = [
        template.assign(sensor=f"{template['kind'].iloc[0]} at bus {bus}", element="bus", element_id=int(bus), bus=int(bus))
        for bus in buses
    ]
    return pd.concat(parts, ignore_index=True)[COLUMNS] if parts else pd.DataFrame(columns=COLUMNS)


def place(
    case: OperatingCase,
    sensors: pd.DataFrame,
    candidates: pd.DataFrame,
    count: int,
    *,
    settings: Settings | None = None,
) -> pd.DataFrame:
    """Add sensors one after the other, each time the one that lowers the largest voltage error most.

    Greedy: each choice is the best with those before it, which need not be the best set of that size.

    Parameters
    ----------
    case, sensors
        As of :func:`errors`.
    candidates
        Rows of a `sensors` table; the rows of one name are placed together.
    count
        How many to add at most.
    settings
        Steps looked at and pseudo-measurements.

    Returns
    -------
    pd.DataFrame
        One row a sensor added, and a first one without: `sensors_added`, `sensor`, `vm_error_pu` (largest of all buses at 95 %
        [pu]), `vm_sd_pu` (root mean square of the buses [pu]).

    Raises
    ------
    ParameterError
        See :func:`check`; or there are no candidates.
    """
    settings = settings or Settings()
    sensors, candidates = _model.check(sensors, case.net), _model.check(candidates, case.net)
    if not len(candidates):
        raise ParameterError("place", [Problem("candidates", "no sensor to choose from", remedy="give at least one")])
    states = [_State.of(model, case, sensors, candidates) for model in _model.models(case, settings)]
    names, left = candidates["sensor"].to_numpy(), list(dict.fromkeys(candidates["sensor"]))
    table = [_row(states, 0, "")]
    while left and len(table) <= count:
        trials = [np.max([state.after(names == name) for state in states], axis=0) for name in left]
        best = int(np.argmin([trial.max() + 1e-9 * trial.mean() for trial in trials]))
        chosen = left.pop(best)
        states = [state.taken(names == chosen) for state in states]
        table.append(_row(states, len(table), chosen))
    return pd.DataFrame(table)


def curve(
    case: OperatingCase, sensors: pd.DataFrame, template: pd.DataFrame, *, points: int = 12, settings: Settings | None = None
) -> pd.DataFrame:
    """Voltage error against the number of stations with a meter, the most useful first.

    Parameters
    ----------
    case, sensors, settings
        As of :func:`place`.
    template
        As of :func:`meters`; the stations are the buses with load.
    points
        How many stations at most.

    Returns
    -------
    pd.DataFrame
        As of :func:`place`, and `share_percent`, the share of the stations that have a meter [%].
    """
    loads = case.net.load[case.net.load["in_service"].astype(bool)]
    stations = sorted(set(loads["bus"]) & set(case.areas["bus"]))
    table = place(case, sensors, meters(stations, template), points, settings=settings)
    return table.assign(share_percent=100 * table["sensors_added"] / max(1, len(stations)))


def _row(states: list[_State], number: int, name: str) -> dict[str, object]:
    sd = np.sqrt(np.max([state.variance for state in states], axis=0))
    error = float(sd.max() * _model.default("sigmas"))
    return {"sensors_added": number, "sensor": name, "vm_error_pu": error, "vm_sd_pu": float(np.sqrt((sd**2).mean()))}


class _State:
    """Covariance of one step, and what each candidate would see of it."""

    def __init__(self, model: Model, covariance: np.ndarray, rows: np.ndarray, noise: np.ndarray) -> None:
        self.model, self.covariance, self.rows, self.noise = model, covariance, rows, noise
        voltage = model.to_v @ covariance
        self.variance = np.maximum(np.einsum("ij,ij->i", voltage, model.to_v), 0.0)
        self._cross = voltage @ rows.T
        self._seen = rows @ covariance @ rows.T

    @classmethod
    def of(cls, model: Model, case: OperatingCase, sensors: pd.DataFrame, candidates: pd.DataFrame) -> _State:
        covariance = _model.posterior(model, *_model.readings(model, case, sensors))
        return cls(model, covariance, *_model.readings(model, case, candidates))

    def after(self, chosen: np.ndarray) -> np.ndarray:
        """Variance of the voltages with some readings more."""
        use = np.flatnonzero(chosen & np.isfinite(self.noise))
        if not len(use):
            return self.variance
        inner = self._seen[np.ix_(use, use)] + np.diag(self.noise[use])
        cross = self._cross[:, use]
        return np.maximum(self.variance - np.einsum("ij,ji->i", cross, np.linalg.solve(inner, cross.T)), 0.0)

    def taken(self, chosen: np.ndarray) -> _State:
        """Return the state with some readings more."""
        use = np.flatnonzero(chosen & np.isfinite(self.noise))
        if not len(use):
            return self
        reach = self.covariance @ self.rows[use].T
        inner = self._seen[np.ix_(use, use)] + np.diag(self.noise[use])
        return _State(self.model, self.covariance - reach @ np.linalg.solve(inner, reach.T), self.rows, self.noise)
