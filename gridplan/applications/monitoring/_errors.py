"""How well voltages and flows are known: by bus, by area, by line section; what is observable without pseudo-measurements."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from gridplan.applications._case import OperatingCase
from gridplan.applications.monitoring import _model
from gridplan.applications.monitoring._model import Model, Settings
from gridplan.performance import line_areas

_RANK = 1e-8  # singular values below this share of the largest are zero


def apply(case: OperatingCase, settings: Settings | None = None) -> OperatingCase:  # noqa: ARG001 - as every application
    """Return the case as it is: sensors change what is known, not what happens.

    Parameters
    ----------
    case
        Case.
    settings
        Not used.
    """
    return case


def errors(
    case: OperatingCase, sensors: pd.DataFrame, settings: Settings | None = None, *, models: Sequence[Model] | None = None
) -> pd.DataFrame:
    """Find the expected error of the estimated voltage of each bus.

    Parameters
    ----------
    case
        Case; not changed.
    sensors
        See :func:`check`.
    settings
        Steps looked at and pseudo-measurements.
    models
        From :func:`models` with these settings, to share between calls.

    Returns
    -------
    pd.DataFrame
        One row a supplied bus: `bus`, `area` (missing outside areas), `vm_sd_pu` (standard deviation [pu], the largest of the
        steps), `vm_error_pu` (not exceeded with 95 % confidence [pu]).

    Raises
    ------
    ParameterError
        See :func:`check`.
    NotConverged
        A step looked at has no solution.

    References
    ----------
    A. Abur, A. Gomez Exposito, Power System State Estimation: Theory and Implementation, Marcel Dekker 2004: the covariance of
    weighted least squares is the inverse of the gain matrix.
    """
    sensors = _model.check(sensors, case.net)
    found = _model.models(case, settings or Settings()) if models is None else models
    spread = np.max([voltage_sd(model, *_model.readings(model, case, sensors)) for model in found], axis=0)
    place = found[0].place
    place = place[place >= 0]
    area = case.areas.set_index("bus")["area"].reindex(place.index)
    table = pd.DataFrame({"bus": place.index, "area": area.to_numpy(), "vm_sd_pu": spread[place.to_numpy()]})
    return table.assign(vm_error_pu=table["vm_sd_pu"] * _model.default("sigmas"))


def voltage_sd(model: Model, rows: np.ndarray, variance: np.ndarray) -> np.ndarray:
    """Return the standard deviation of the voltage of each internal bus [pu]."""
    covariance = _model.posterior(model, rows, variance)
    return np.sqrt(np.maximum(np.einsum("ij,jk,ik->i", model.to_v, covariance, model.to_v, optimize=True), 0.0))


def by_area(error: pd.DataFrame) -> pd.DataFrame:
    """Summarise the errors of the buses of each area.

    Parameters
    ----------
    error
        Of :func:`errors`.

    Returns
    -------
    pd.DataFrame
        One row an area: `area`, `buses`, `vm_sd_pu` (root mean square of the buses [pu]), `vm_error_pu` (largest at 95 % [pu]),
        `worst_bus`.
    """
    groups = error.dropna(subset=["area"]).groupby("area", sort=True)
    table = groups.agg(buses=("bus", "size"), vm_error_pu=("vm_error_pu", "max"))
    table.insert(1, "vm_sd_pu", groups["vm_sd_pu"].agg(lambda sd: float(np.sqrt((sd**2).mean()))))
    table["worst_bus"] = error.loc[groups["vm_error_pu"].idxmax(), "bus"].to_numpy()
    return table.reset_index()


def margins(
    case: OperatingCase, sensors: pd.DataFrame, settings: Settings | None = None, *, models: Sequence[Model] | None = None
) -> pd.DataFrame:
    """Distance that volt-var optimisation has to keep from the voltage limits, because voltages are not known better.

    Parameters
    ----------
    case, sensors, settings, models
        As of :func:`errors`.

    Returns
    -------
    pd.DataFrame
        One row an area: `area`, `margin_pu`, the largest error of a bus of the area at 95 % confidence [pu].
    """
    table = by_area(errors(case, sensors, settings, models=models))
    return table[["area", "vm_error_pu"]].rename(columns={"vm_error_pu": "margin_pu"})


def flows(case: OperatingCase, sensors: pd.DataFrame, settings: Settings | None = None) -> pd.DataFrame:
    """Say how well the loading of each line section is known, for the decision to transfer load over it.

    Parameters
    ----------
    case, sensors, settings
        As of :func:`errors`.

    Returns
    -------
    pd.DataFrame
        One row a line that carries current: `line`, `area`, `loading_error_percent` (not exceeded with 95 % confidence [% of
        the rating], the largest of the steps), `known` (within `settings.flow_tolerance_percent`). A line without a rating is
        not known.
    """
    settings, sensors = settings or Settings(), _model.check(sensors, case.net)
    sd = pd.concat([_flow_sd(m, *_model.readings(m, case, sensors)) for m in _model.models(case, settings)], axis=1).max(axis=1)
    area = line_areas(case.net, case.areas).set_index("line")["area"].reindex(sd.index)
    error = sd.to_numpy() * _model.default("sigmas")
    table = pd.DataFrame({"line": sd.index, "area": area.to_numpy(), "loading_error_percent": error})
    return table.assign(known=error <= settings.flow_tolerance_percent)


def _flow_sd(model: Model, rows: np.ndarray, variance: np.ndarray) -> pd.Series:
    """Return the standard deviation of the loading of each line that carries current [%]: along the current and across it."""
    covariance, found, net = _model.posterior(model, rows, variance), {}, model.net
    rating = net.line["max_i_ka"] * net.line["df"] * net.line["parallel"]
    for line in net.line.index:
        one = _model.branch_current(model, "line", line, net.line.at[line, "from_bus"])
        if one is None:
            continue
        _, by_state, place = one
        # The larger axis of the error ellipse of the complex current: near zero current no direction is special.
        parts = np.vstack([by_state.real, by_state.imag])
        spread = np.sqrt(np.linalg.eigvalsh(parts @ covariance @ parts.T)[-1].clip(0))
        kiloampere = rating.at[line]
        found[line] = 100 * spread * _model.kiloampere(model, place) / kiloampere if kiloampere > 0 else np.inf
    return pd.Series(found, dtype=float).rename_axis("line")


def observability(case: OperatingCase, sensors: pd.DataFrame, settings: Settings | None = None) -> pd.DataFrame:
    """Say what the readings alone determine, without pseudo-measurements; buses without load or plant count as known.

    Parameters
    ----------
    case, sensors, settings
        As of :func:`errors`.

    Returns
    -------
    pd.DataFrame
        One row an area: `area`, `buses`, `observable_buses` (whose voltage the readings determine), `observable_percent`,
        `observable` (all of them).
    """
    settings, sensors = settings or Settings(), _model.check(sensors, case.net)
    model = _model.models(case, settings)[0]
    rows, variance = _model.readings(model, case, sensors)
    seen = observed(model, rows[np.isfinite(variance)])
    place = model.place.reindex(case.areas["bus"]).to_numpy()
    table = case.areas.assign(seen=np.where(place >= 0, seen[np.maximum(place, 0)], False))
    result = table.groupby("area", sort=True)["seen"].agg(buses="size", observable_buses="sum").reset_index()
    result["observable_buses"] = result["observable_buses"].astype(int)
    result["observable_percent"] = 100 * result["observable_buses"] / result["buses"]
    return result.assign(observable=result["observable_buses"] == result["buses"])


def observed(model: Model, rows: np.ndarray) -> np.ndarray:
    """Return whether the readings determine the voltage of each internal bus: whether its row lies in their row space."""
    free = model.prior > 0
    root = np.sqrt(model.prior[free])
    voltage, wanted = rows[:, free] * root, model.to_v[:, free] * root
    size = np.linalg.norm(voltage, axis=1, keepdims=True)
    voltage = voltage[size[:, 0] > 0] / size[size[:, 0] > 0]
    if not len(voltage):
        return np.zeros(len(wanted), bool)
    _, singular, basis = np.linalg.svd(voltage, full_matrices=False)
    basis = basis[singular > _RANK * singular[0]]
    rest = wanted - (wanted @ basis.T) @ basis
    return np.linalg.norm(rest, axis=1) <= 1e-6 * np.linalg.norm(wanted, axis=1)
