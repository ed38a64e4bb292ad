"""Fault location, isolation and service restoration: what is under remote control is switched by itself.

It automates only what is remotely controlled: the switches of today, and those of :mod:`gridplan.applications.remote_control` if
that is put in service before it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from gridplan.applications import _restoration
from gridplan.applications._case import OperatingCase
from gridplan.errors import ParameterError, Problem

NAME = "flisr"

__all__ = ["Settings", "apply"]


@dataclass(frozen=True, eq=False)
class Settings:
    """Where switching is automatic.

    Parameters
    ----------
    areas
        Areas covered; None: all.
    switches
        Only these of the remotely controlled switches; None: all of them in the areas.
    """

    areas: tuple[str, ...] | None = None
    switches: tuple[int, ...] | None = None


def apply(case: OperatingCase, settings: Settings | None = None) -> OperatingCase:
    """Let the control centre isolate faults and restore supply by itself.

    Parameters
    ----------
    case
        Case with an outage model; not changed.
    settings
        Where; all remotely controlled switches if not given.

    Returns
    -------
    OperatingCase
        With `control` set to ``automatic`` for remotely controlled switches. Where there is none, nothing changes.

    Raises
    ------
    ParameterError
        The case has no outage model or no times of automatic control, or an area or switch does not exist.
    """
    settings = settings or Settings()
    outages = _restoration.outages_of(case, NAME)
    _restoration.check_areas(case, settings.areas, NAME)
    today = _restoration.devices(case.net, outages)
    inside = _restoration.covered(case.net, case.areas, settings.areas)
    if settings.switches is not None:
        inside &= set(_restoration.checked_switches(case, settings.switches, NAME, {}))
    switches = [int(switch) for switch in today.index[today["control"] == "remote"] if switch in inside]
    if not switches:
        return case
    table = outages.restoration
    if not ((table["area"] == _restoration.ANY) & (table["control"] == "automatic")).any():
        remedy = "add a row with area '*' and control 'automatic' to the table restoration"
        raise ParameterError(NAME, [Problem("restoration", "it has no times of automatic control", remedy=remedy)])
    return replace(case, outages=_restoration.with_switchgear(outages, switches, "control", "automatic", "Application: FLISR"))
