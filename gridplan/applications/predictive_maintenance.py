"""Predictive maintenance: failures that announce themselves are found by inspection and mended as planned work.

Of the failures that come from wear, an inspection every I months catches min(1, P-F interval / I) while they announce themselves,
times the probability of seeing them [1]_ [2]_.

References
----------
.. [1] J. Moubray, Reliability-centered Maintenance, 2nd ed., Butterworth-Heinemann, 1997, chapter 7: the P-F interval.
.. [2] NAVAIR 00-25-403, Guidelines for the Naval Aviation Reliability-Centered Maintenance Process: inspection interval from the
   P-F interval and the probability of detection.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from gridplan.applications import _restoration
from gridplan.applications._case import OperatingCase
from gridplan.applications._rates import by_element
from gridplan.errors import ParameterError, Problem, suggest

NAME = "predictive_maintenance"
ELEMENTS = ("line", "trafo", "trafo3w", "bus", "switch", "station")

__all__ = ["Settings", "apply", "caught"]


@dataclass(frozen=True, eq=False)
class Settings:
    """What is inspected where.

    Parameters
    ----------
    pf_interval_months
        Time [months] from when a failure can be seen coming to the failure.
    inspection_interval_months
        Time [months] between inspections; 0 for continuous monitoring.
    detection_probability
        Probability [1] that an inspection sees what can be seen.
    areas
        Areas covered; None: everywhere, elements outside the areas included.
    elements
        Kinds of element covered: ``line``, ``trafo``, ``trafo3w``, ``bus``, ``switch``, ``station``.
    planned
        Whether a failure that is caught is mended in a planned outage; if not, without one.
    """

    pf_interval_months: float = _restoration.default("pf_interval_months")
    inspection_interval_months: float = _restoration.default("inspection_interval_months")
    detection_probability: float = _restoration.default("detection_probability")
    areas: tuple[str, ...] | None = None
    elements: tuple[str, ...] = ELEMENTS
    planned: bool = True

    def __post_init__(self) -> None:
        wrong = [name for name in self.elements if name not in ELEMENTS]
        problems = [Problem("elements", f"{name!r} cannot be inspected; {suggest(name, ELEMENTS)}") for name in wrong]
        problems += _out_of_range(self.pf_interval_months, self.inspection_interval_months, self.detection_probability)
        if problems:
            raise ParameterError("predictive_maintenance settings", problems)


def caught(pf_interval_months: float, inspection_interval_months: float, detection_probability: float) -> float:
    """Share of the failures from wear that inspection prevents [1].

    Parameters
    ----------
    pf_interval_months
        Time [months] from when a failure can be seen coming to the failure.
    inspection_interval_months
        Time [months] between inspections; 0 for continuous monitoring.
    detection_probability
        Probability [1] that an inspection sees it.

    Raises
    ------
    ParameterError
        A time is below 0, or the probability not from 0 to 1.

    Examples
    --------
    >>> caught(12, 24, 0.7), caught(6, 1, 0.8)
    (0.35, 0.8)
    """
    problems = _out_of_range(pf_interval_months, inspection_interval_months, detection_probability)
    if problems:
        raise ParameterError("predictive maintenance", problems)
    seen = 1.0 if inspection_interval_months <= pf_interval_months else pf_interval_months / inspection_interval_months
    return seen * detection_probability


def _out_of_range(pf_interval_months: float, inspection_interval_months: float, detection_probability: float) -> list[Problem]:
    times = {"pf_interval_months": pf_interval_months, "inspection_interval_months": inspection_interval_months}
    problems = [Problem(name, f"{value} is below 0 [months]") for name, value in times.items() if not value >= 0]
    if not 0 <= detection_probability <= 1:
        problems.append(Problem("detection_probability", f"{detection_probability} is not from 0 to 1"))
    return problems


def apply(case: OperatingCase, settings: Settings | None = None) -> OperatingCase:
    """Put predictive maintenance in service.

    Parameters
    ----------
    case
        Case with an outage model; not changed.
    settings
        What is inspected where; everything everywhere if not given.

    Returns
    -------
    OperatingCase
        With lower failure rates, and planned outages in place of the failures that are caught. Rates without `wear_share` stay.

    Raises
    ------
    ParameterError
        The case has no outage model, an area does not exist, or a figure is out of range.
    """
    settings = settings or Settings()
    outages = _restoration.outages_of(case, NAME)
    _restoration.check_areas(case, settings.areas, NAME)
    if "wear_share" not in outages.rates or not outages.rates["element"].isin(settings.elements).any():
        return case
    rates = by_element(case, settings.areas, settings.elements)
    found = caught(settings.pf_interval_months, settings.inspection_interval_months, settings.detection_probability)
    share = np.where(rates.pop("covered"), rates["wear_share"].fillna(0.0).to_numpy(float) * found, 0.0)
    return replace(case, outages=replace(outages, rates=_less(rates, share, settings.planned)))


def _less(rates: pd.DataFrame, share: np.ndarray, planned: bool) -> pd.DataFrame:
    """Rates with this share of the failures prevented, and done as planned work."""
    rates = rates.copy()
    for tail in ("_per_km_yr", "_per_yr"):
        if f"failures{tail}" not in rates:
            continue
        failures = rates[f"failures{tail}"].to_numpy(float)
        rates[f"failures{tail}"] = failures * (1 - share)
        if planned:
            before = rates[f"planned{tail}"].to_numpy(float) if f"planned{tail}" in rates else np.full(len(rates), np.nan)
            more = np.nan_to_num(failures * share)
            rates[f"planned{tail}"] = np.where(more > 0, np.nan_to_num(before) + more, before)
    if planned:
        work = rates["planned_h"].to_numpy(float) if "planned_h" in rates else np.full(len(rates), np.nan)
        rates["planned_h"] = np.where(np.isnan(work) & (share > 0), rates["repair_h"].to_numpy(float), work)
    return rates
