"""The restoration group: every combination of its applications, none of them ever worse than with fewer applications.

A further remotely controlled switch may make the choice of transfers worse where the ties' capacity binds: more can be asked of a
tie, and the nearest is served first. In service, an operator leaves such a switch alone. So a combination is as good as the best
of the combinations inside it, by construction.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from dataclasses import replace

import pandas as pd

from gridplan import reliability
from gridplan.applications._case import OperatingCase
from gridplan.powerflow import Profiles
from gridplan.reliability import Model, Outages

ORDER = ("fault_indicators", "remote_control", "flisr", "outage_prediction", "predictive_maintenance")
"""Order in which applications are put in service: FLISR automates what is remotely controlled by then."""

Put = Callable[[OperatingCase], OperatingCase]

__all__ = ["ORDER", "case_of", "options"]


def case_of(model: Model, outages: Outages | None = None) -> OperatingCase:
    """Operating case for applications that only change the outage model; it has no powers over time.

    Parameters
    ----------
    model, outages
        As for :func:`gridplan.reliability.indices`.
    """
    time = pd.DatetimeIndex(["2000-01-01"], name="time")  # profiles have at least one step
    elements = pd.DataFrame(columns=["element", "element_id", "shape_p", "shape_q"])
    nothing = Profiles(time, pd.DataFrame(index=time), elements)
    return OperatingCase(model.net, nothing, model.areas, outages=outages or model.outages)


def options(model: Model, outages: Outages | None, put: Mapping[str, Put]) -> dict[tuple[str, ...], Outages]:
    """Outage model of every combination of some applications.

    Parameters
    ----------
    model, outages
        The state to start from.
    put
        What each application does to a case, by its name in :data:`ORDER`; only these are combined.

    Returns
    -------
    dict[tuple[str, ...], Outages]
        By the applications in service, in the order of :data:`ORDER`; smaller combinations first. Where a combination would lose
        more customer minutes than one inside it, it is operated like that one.
    """
    names = [name for name in ORDER if name in put]
    found = {(): outages or model.outages}
    minutes = {(): _minutes(model, found[()])}
    for size in range(1, len(names) + 1):
        for option in itertools.combinations(names, size):
            own = _in_service(model, found[()], [put[name] for name in option])
            inside = min(itertools.combinations(option, size - 1), key=lambda less: minutes[less])
            value = _minutes(model, own)
            better = value <= minutes[inside]
            found[option], minutes[option] = (own, value) if better else (found[inside], minutes[inside])
    return found


def _in_service(model: Model, outages: Outages, put: list[Put]) -> Outages:
    case = case_of(model, outages)
    for each in put:
        case = each(case)
    return replace(outages, rates=case.outages.rates, restoration=case.outages.restoration, switchgear=case.outages.switchgear)


def _minutes(model: Model, outages: Outages) -> float:
    return float(reliability.totals(model, outages)["saidi_min"])
