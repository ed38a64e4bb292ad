"""Options of the group and their evaluation."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

import pandas as pd

from gridplan.applications import _flexible, demand, der_management, storage
from gridplan.applications._case import OperatingCase
from gridplan.applications._flexible import Applied, State
from gridplan.applications.voltvar._summary import series
from gridplan.errors import ParameterError, Problem, suggest

APPLICATIONS = ("managed_demand", "storage", "der_management")
"""Applications of the group, in the order of their names in an option."""
NONE = "none"
_METRICS = ["load_mwh", "losses_mwh", "curtailed_mwh", "shifted_mwh", "stored_mwh", "peak_mw", "outside_h", "failed_h"]
_ORDER = ("storage", "managed_demand", "der_management")


@dataclass(frozen=True, eq=False)
class Settings:
    """How the applications of the group work.

    Parameters
    ----------
    flexibility
        Table `flexibility`.
    units
        Batteries, see :class:`gridplan.applications.storage.Settings`; those of :func:`gridplan.applications.storage.sized` if
        not given.
    areas
        Areas covered; None is all of them.
    rule, reactive
        As for :class:`gridplan.applications.der_management.Settings`.
    peak
        Whether storage and shifting lower the yearly peaks too.
    """

    flexibility: pd.DataFrame
    units: pd.DataFrame | None = None
    areas: tuple[str, ...] | None = None
    rule: Literal["least", "pro rata"] = "least"
    reactive: bool = False
    peak: bool = True


@dataclass(frozen=True, eq=False)
class Joint(Applied):
    """One option of the group, against nothing in service; see :class:`gridplan.applications._flexible.Applied`.

    Parameters
    ----------
    option
        Its name: the applications joined by ``+``, or ``none``.
    members
        Applications that are used, in the order in which they act: the best combination of those of the option.
    """

    option: str
    members: tuple[str, ...]

    @cached_property
    def objective(self) -> tuple[float, float, float, float]:
        """Hours without a solution and hours outside limits, summed over the areas [h], energy curtailed [MWh], and the sum of
        the areas' peaks [MW]: compared in this order.
        """  # noqa: D205
        areas, total = self.summary.iloc[:-1], self.summary.iloc[-1]
        values = (total["failed_h"], self.state.hours, total["curtailed_mwh"], areas["peak_after_mw"].sum())
        return tuple(round(float(value), 9) for value in values)

    @cached_property
    def metrics(self) -> pd.DataFrame:
        """What the table `metrics` holds of an option.

        One row an area, and last one named ``all`` for the whole network: `area`, `load_mwh` (storage included), `losses_mwh`,
        `curtailed_mwh`, `shifted_mwh`, `stored_mwh` [MWh], `peak_mw` (load and losses less generation) [MW], `outside_h`,
        `failed_h` [h]. Energy, losses and peak are missing if any step has no solution.
        """
        found, hours = series(self.case, self.state.models), self.state.result.step_h
        load, losses, net = found.net_mw + found.generation_mw, found.losses_mw, found.net_mw + found.losses_mw
        names = [*found.names[:-1], _flexible.ALL]  # what no area holds counts for the network only
        energy = pd.DataFrame({"load_mwh": load.sum(axis=1), "losses_mwh": losses.sum(axis=1)}, index=names) * hours
        energy["peak_mw"] = net.max(axis=1)
        energy.loc[_flexible.ALL] = [load.sum() * hours, losses.sum() * hours, net.sum(axis=0).max()]
        table = self.summary.rename(columns={"outside_after_h": "outside_h"}).set_index("area").join(energy)
        return table[_METRICS].reset_index()


def evaluate(case: OperatingCase, settings: Settings, options: Iterable[str] | None = None) -> dict[str, Joint]:
    """Evaluate options of the group on one case; what they have in common is computed once.

    Parameters
    ----------
    case
        Case with nothing of the group in service; not changed.
    settings
        How the applications work.
    options
        Names, such as ``storage+der_management``; all combinations if not given. The result of one is the same in any company.

    Raises
    ------
    ParameterError
        An option, an area, the table or a unit is wrong.
    NetworkError
        The network holds voltage-controlled generators.
    """
    names = _names() if options is None else list(options)
    wrong = [Problem("options", f"{name!r} is unknown; {suggest(name, _names())}") for name in names if name not in _names()]
    if wrong:
        raise ParameterError("evaluate", wrong)
    start = _flexible.simulate(case)
    units = settings.units if settings.units is not None else storage.sized(case, settings.flexibility, start)
    known = {(): Joint(case, start, (case, start), {"": "nothing is in service"}, NONE, ())}
    return {name: _best(name, (case, start), known, (settings, units)) for name in names}


def _names() -> list[str]:
    subsets = itertools.chain.from_iterable(itertools.combinations(APPLICATIONS, size) for size in range(len(APPLICATIONS) + 1))
    return ["+".join(subset) or NONE for subset in subsets]


def _best(name: str, before: tuple[OperatingCase, State], known: dict[tuple[str, ...], Joint], given: tuple) -> Joint:
    """Best combination of the applications of an option."""
    own = [member for member in _ORDER if name != NONE and member in name.split("+")]
    subsets = itertools.chain.from_iterable(itertools.combinations(own, size) for size in range(len(own) + 1))
    found = [_sequence(subset, before, known, given) for subset in subsets]
    best = min(found, key=lambda joint: (joint.objective, len(joint.members)))
    named = replace(best, option=name)
    named.__dict__.update(summary=best.summary, objective=best.objective)  # computed already
    return named


def _sequence(
    members: tuple[str, ...], before: tuple[OperatingCase, State], known: dict[tuple[str, ...], Joint], given: tuple
) -> Joint:
    """Applications one after the other, each on the case that the one before it leaves."""
    if members not in known:
        earlier = _sequence(members[:-1], before, known, given)
        after = _applied(members[-1], earlier.case, earlier.state, given)
        known[members] = Joint(after.case, after.state, before, after.reasons, "+".join(members), members)
    return known[members]


def _applied(
    member: str, case: OperatingCase, state: State, given: tuple[Settings, pd.DataFrame]
) -> storage.Outcome | demand.Outcome | der_management.Outcome:
    settings, units = given
    if member == "storage":
        return storage.evaluate(case, storage.Settings(units, settings.areas, settings.peak), state)
    if member == "managed_demand":
        return demand.evaluate(case, demand.Settings(settings.flexibility, settings.areas, peak=settings.peak), state)
    chosen = der_management.Settings(settings.flexibility, settings.areas, settings.rule, settings.reactive)
    return der_management.evaluate(case, chosen, state)


def compare(options: Mapping[str, Joint]) -> pd.DataFrame:
    """Objective of each option.

    Returns
    -------
    pd.DataFrame
        `option`, `members` (used, in the order in which they act), `failed_h` [h], `objective_h` [h], `curtailed_mwh` [MWh],
        `shifted_mwh` [MWh], `stored_mwh` [MWh], `peak_after_mw` (of the whole network) [MW], `left` (violations).
    """
    rows = []
    for name, joint in options.items():
        total = joint.summary.set_index("area").loc[_flexible.ALL]
        row = {
            "option": name,
            "members": ", ".join(joint.members),
            "failed_h": joint.objective[0],
            "objective_h": joint.objective[1],
        }
        row |= {column: float(total[column]) for column in ("curtailed_mwh", "shifted_mwh", "stored_mwh", "peak_after_mw")}
        rows.append(row | {"left": len(joint.left)})
    return pd.DataFrame(rows)
