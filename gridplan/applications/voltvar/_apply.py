"""The voltage group in service: taps, inverters, or both, never worse than less of them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from gridplan import powerflow
from gridplan.applications._case import OperatingCase
from gridplan.applications._run import Models
from gridplan.applications.voltvar._inverters import inverters
from gridplan.applications.voltvar._optimise import optimise
from gridplan.applications.voltvar._settings import Settings
from gridplan.applications.voltvar._summary import Series, series

Option = tuple[str, ...]


def apply(case: OperatingCase, settings: Settings | None = None) -> OperatingCase:
    """Put volt-var optimisation, smart inverters or both in service in some areas.

    Both together are found by turns: powers of the inverters, positions for them, then powers at these positions. What is
    returned is the best by :func:`score` of the case as it stands, each alone and both together, so an application in service
    never makes the objective worse; where it would, it changes nothing.

    Parameters
    ----------
    case
        Case; not changed.
    settings
        What is in service and where; volt-var optimisation in all areas if not given.

    Returns
    -------
    OperatingCase
        With its schedule and profiles written out.

    Raises
    ------
    ParameterError
        As of :func:`optimise` and :func:`inverters`.
    """
    settings = settings or Settings()
    wanted = (*(("taps",) if settings.taps else ()), *(("inverters",) if settings.inverters is not None else ()))
    return options(case, settings)[wanted]


def options(case: OperatingCase, settings: Settings) -> dict[Option, OperatingCase]:
    """Every subset of what `settings` puts in service, each as :func:`apply` returns it.

    Returns
    -------
    dict[tuple[str, ...], OperatingCase]
        By ``()``, ``("taps",)``, ``("inverters",)``, ``("taps", "inverters")``, as far as `settings` has them.
    """
    models = Models(case.net, case.profiles, powerflow.Options())
    found, scores = {(): case}, {(): score(case, settings, models)}

    def keep(option: Option, new: OperatingCase, rivals: list[Option]) -> None:
        value = score(new, settings, models if new.profiles is case.profiles else None)
        best = min(rivals, key=lambda name: scores[name])
        better = value < scores[best]
        found[option], scores[option] = (new, value) if better else (found[best], scores[best])

    if settings.taps:
        keep(("taps",), optimise(case, settings, models=models).case, [()])
    if settings.inverters is not None:
        alone = inverters(case, settings.inverters, areas=settings.areas).case
        keep(("inverters",), alone, [()])
        if settings.taps:
            placed = replace(case, schedule=optimise(alone, settings).case.schedule)
            both = inverters(placed, settings.inverters, areas=settings.areas).case
            keep(("taps", "inverters"), both, [(), ("taps",), ("inverters",)])
    return found


def score(case: OperatingCase, settings: Settings, models: Models | None = None) -> tuple[int, int, float]:
    """How good a case is, to be compared from left to right; less is better.

    Parameters
    ----------
    case, settings
        The case, and the areas and objective that count.
    models
        Models of the network and profiles of the case, to share between calls.

    Returns
    -------
    tuple[int, int, float]
        Steps without a solution; distance of the worst bus of any area from the voltage limits of the case, summed over the steps
        [1e-6 pu]; and the objective over the covered areas and what no area holds: energy taken less energy generated [MWh] (so
        that curtailed energy counts), losses [MWh], or highest power [MW].
    """
    return judged(series(case, models), case, settings)


def judged(found: Series, case: OperatingCase, settings: Settings) -> tuple[int, int, float]:
    """Judge a simulated case, see :func:`score`."""
    limits = case.limits
    covered = settings.covers(case.areas["area"])
    counted = np.array([name in covered for name in found.names[:-1]] + [True])
    failed = np.isnan(found.net_mw).any(axis=0)
    low, high = found.low[:-1, ~failed].min(axis=0), found.high[:-1, ~failed].max(axis=0)
    outside = np.maximum(np.maximum(limits.vm_min_pu - low, high - limits.vm_max_pu), 0.0)
    losses = found.losses_mw[counted][:, ~failed].sum(axis=0)
    power = losses + found.net_mw[counted][:, ~failed].sum(axis=0)
    value = {"losses": losses.sum() * found.step_h, "energy": power.sum() * found.step_h, "peak": power.max(initial=-np.inf)}
    return int(failed.sum()), int(np.ceil(outside * 1e6 - 1e-3).sum()), float(value[settings.objective])
