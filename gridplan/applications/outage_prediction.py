"""Outage prediction: meters that lose supply say so, and the outage is known before a customer calls.

It shortens the detection of faults, never below what detects them today, and weighted by the share of outages that a meter
reports. Where it is known how long it takes until a customer reports the outage of a single station, its repair is over earlier
by as much as the meters are faster.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from gridplan.applications import _restoration
from gridplan.applications._case import OperatingCase
from gridplan.applications._rates import by_element
from gridplan.errors import ParameterError, Problem

NAME = "outage_prediction"

__all__ = ["Settings", "apply"]


@dataclass(frozen=True, eq=False)
class Settings:
    """Where outages are predicted, and how fast.

    Parameters
    ----------
    last_gasp_detect_min
        Time [min] from the fault until meters say so and the device is predicted.
    meter_coverage
        Share of the faults that enough meters report [1].
    areas
        Areas covered; None: everywhere, faults outside the areas included.
    call_min
        Time [min] until a customer reports the outage of a single station, which no telecontrol sees; it is a part of the
        station's `repair_h`. None: that time is not known, and the outages of stations stay as they are.
    """

    last_gasp_detect_min: float = _restoration.default("last_gasp_detect_min")
    meter_coverage: float = _restoration.default("meter_coverage")
    areas: tuple[str, ...] | None = None
    call_min: float | None = None

    def __post_init__(self) -> None:
        problems = []
        if not 0 <= self.meter_coverage <= 1:
            problems.append(Problem("meter_coverage", f"{self.meter_coverage} is not from 0 to 1"))
        for name in ("last_gasp_detect_min", "call_min"):
            value = getattr(self, name)
            if value is not None and not value >= 0:
                problems.append(Problem(name, f"{value} is below 0 [min]"))
        if problems:
            raise ParameterError("outage_prediction settings", problems)


def apply(case: OperatingCase, settings: Settings | None = None) -> OperatingCase:
    """Put outage prediction in service.

    Parameters
    ----------
    case
        Case with an outage model; not changed.
    settings
        Where; everywhere if not given.

    Returns
    -------
    OperatingCase
        With shorter `detect_min` in its restoration times, and shorter `repair_h` of stations.

    Raises
    ------
    ParameterError
        The case has no outage model, or an area does not exist.
    """
    settings = settings or Settings()
    outages = _restoration.outages_of(case, NAME)
    _restoration.check_areas(case, settings.areas, NAME)
    share, gasp = settings.meter_coverage, settings.last_gasp_detect_min
    times = _detected(outages.restoration, settings.areas, share, gasp)
    rates = outages.rates
    if settings.call_min is not None:
        rates = _stations(case, settings.areas, share * max(settings.call_min - gasp, 0.0) / 60)
    return replace(case, outages=replace(outages, restoration=times, rates=rates))


def _detected(table: pd.DataFrame, areas: tuple[str, ...] | None, share: float, gasp: float) -> pd.DataFrame:
    """Restoration times with the mean time until a meter or what detects faults today says so."""
    table = table if areas is None else _restoration.area_rows(table, areas)
    today = table["detect_min"].to_numpy(float)
    mean = share * np.minimum(today, gasp) + (1 - share) * today
    inside = np.ones(len(table), bool) if areas is None else table["area"].isin(areas).to_numpy()
    return table.assign(detect_min=np.where(inside, mean, today))


def _stations(case: OperatingCase, areas: tuple[str, ...] | None, saved_h: float) -> pd.DataFrame:
    """Failure rates with the repair of stations over earlier by `saved_h`."""
    rates = case.outages.rates
    if saved_h <= 0 or not (rates["element"] == "station").any():
        return rates
    rates = by_element(case, areas, ("station",))
    inside = rates.pop("covered").to_numpy(bool)
    earlier = np.maximum(rates["repair_h"].to_numpy(float) - saved_h, 0.0)
    return rates.assign(repair_h=np.where(inside, earlier, rates["repair_h"].to_numpy(float)))
