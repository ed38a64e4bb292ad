"""Fault indicators: the crew searches only between the indicators.

An indicator at a switch tells on which side of it the fault lies. It shortens the search along the lines and nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from gridplan.applications import _restoration
from gridplan.applications._case import OperatingCase

NAME = "fault_indicators"

__all__ = ["Settings", "apply"]


@dataclass(frozen=True, eq=False)
class Settings:
    """Where indicators are.

    Parameters
    ----------
    switches
        Switches that get an indicator, as far as they are in the areas;
        :func:`gridplan.applications.placement.curve` finds the best.
    areas
        Areas covered; None: all.
    """

    switches: tuple[int, ...]
    areas: tuple[str, ...] | None = None


def apply(case: OperatingCase, settings: Settings) -> OperatingCase:
    """Put fault indicators in service.

    Parameters
    ----------
    case
        Case with an outage model; not changed.
    settings
        Where.

    Returns
    -------
    OperatingCase
        With `fault_indicator` set in its switchgear.

    Raises
    ------
    ParameterError
        The case has no outage model, or an area or switch does not exist.
    """
    outages = _restoration.outages_of(case, NAME)
    _restoration.check_areas(case, settings.areas, NAME)
    inside = _restoration.covered(case.net, case.areas, settings.areas)
    switches = [switch for switch in _restoration.checked_switches(case, settings.switches, NAME, {}) if switch in inside]
    return replace(
        case, outages=_restoration.with_switchgear(outages, switches, "fault_indicator", True, "Application: fault indicators")
    )
