"""Remote control: chosen switches are operated from the control centre instead of by hand."""

from __future__ import annotations

from dataclasses import dataclass, replace

from gridplan.applications import _restoration
from gridplan.applications._case import OperatingCase

NAME = "remote_control"
UNFIT = {"fuse": "a fuse has no drive", "none": "it is a solid joint"}

__all__ = ["Settings", "apply"]


@dataclass(frozen=True, eq=False)
class Settings:
    """Which switches are under remote control.

    Parameters
    ----------
    switches
        Switches that get remote control, as far as they are in the areas;
        :func:`gridplan.applications.placement.curve` finds the best.
    areas
        Areas covered; None: all.
    """

    switches: tuple[int, ...]
    areas: tuple[str, ...] | None = None


def apply(case: OperatingCase, settings: Settings) -> OperatingCase:
    """Put switches under remote control.

    Parameters
    ----------
    case
        Case with an outage model; not changed.
    settings
        Which.

    Returns
    -------
    OperatingCase
        With `control` set to ``remote`` in its switchgear; switches that are automatic stay so.

    Raises
    ------
    ParameterError
        The case has no outage model, an area or switch does not exist, or a switch is a fuse or a solid joint.
    """
    outages = _restoration.outages_of(case, NAME)
    _restoration.check_areas(case, settings.areas, NAME)
    today = _restoration.devices(case.net, outages)
    unfit = {int(switch): UNFIT[device] for switch, device in today["device"].items() if device in UNFIT}
    inside = _restoration.covered(case.net, case.areas, settings.areas)
    switches = [
        switch
        for switch in _restoration.checked_switches(case, settings.switches, NAME, unfit)
        if switch in inside and today.at[switch, "control"] == "manual"
    ]
    return replace(
        case, outages=_restoration.with_switchgear(outages, switches, "control", "remote", "Application: remote control")
    )
