"""The voltage group: monitoring, volt-var optimisation, smart inverters and reconfiguration, alone and together.

Monitoring changes nothing by itself: with it the schedule of taps may come nearer to the limits, because voltages are known
better. The topology of a reconfiguration is that of lowest losses over the year with nothing else in service; taps and
inverters are then found on it. An option is operated like the best of the combinations inside it, as
:func:`gridplan.applications.voltvar.score` judges: steps without a solution, distance from the voltage limits, then energy
taken if volt-var optimisation is in service, and else losses (a better topology raises the voltage, and with it what loads
draw; only volt-var optimisation sets out to lower that). So an application in service never makes the objective of the option
worse than it is without.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Literal

import numpy as np

from gridplan import powerflow
from gridplan.applications import _changed, reconfiguration, voltvar
from gridplan.applications._case import OperatingCase
from gridplan.applications._run import Models
from gridplan.applications.voltvar._apply import judged
from gridplan.applications.voltvar._optimise import scheduled
from gridplan.applications.voltvar._summary import Series, series
from gridplan.applications.voltvar._table import Table
from gridplan.errors import ParameterError, Problem, suggest
from gridplan.hosting import Control

APPLICATIONS = ("monitoring", "voltvar", "smart_inverters", "reconfiguration")
"""Applications of the group, in the order of their names in an option."""
NONE = "none"

__all__ = ["APPLICATIONS", "NONE", "Settings", "Voltage", "evaluate"]


@dataclass(frozen=True)
class Settings:
    """How the applications of the group work.

    Parameters
    ----------
    margin_pu, monitored_margin_pu
        Distance [pu] that volt-var optimisation keeps from the limits with the sensors of today, and with monitoring in service;
        see :func:`gridplan.applications.monitoring.margins`.
    areas
        Areas covered; None is all of them.
    inverters
        Curves of the smart inverters; those of IEEE 1547-2018, category B, if not given.
    operations_per_day
        Most changes of position a day of each transformer and capacitor bank; None: no limit.
    switching
        How reconfiguration searches.
    """

    margin_pu: float = voltvar.Settings.margin_pu
    monitored_margin_pu: float = voltvar.Settings.margin_pu
    areas: tuple[str, ...] | None = None
    inverters: Control = field(default_factory=lambda: Control(volt_var="B", volt_watt="B"))
    operations_per_day: int | None = voltvar.Settings.operations_per_day
    switching: reconfiguration.Settings = field(default_factory=lambda: reconfiguration.Settings(rounds=10))

    def __post_init__(self) -> None:
        if self.monitored_margin_pu > self.margin_pu:
            what = f"{self.monitored_margin_pu} is above {self.margin_pu}, the margin without monitoring [pu]"
            raise ParameterError("settings of the voltage group", [Problem("monitored_margin_pu", what)])


@dataclass(frozen=True, eq=False)
class Voltage:
    """One option of the group.

    Parameters
    ----------
    option
        Its name: the applications joined by ``+``, or ``none``.
    members
        The combination inside it as which it is operated.
    case
        Case with them in service.
    score
        Objective of the group; see :func:`gridplan.applications.voltvar.score`.
    models, series
        Admittances of its network, and what was simulated by area and step, for whoever goes on with the case.
    """

    option: str
    members: tuple[str, ...]
    case: OperatingCase
    score: tuple[int, int, float]
    models: Models = field(repr=False)
    series: Series = field(repr=False)


def evaluate(case: OperatingCase, settings: Settings | None = None, options: Iterable[str] | None = None) -> dict[str, Voltage]:
    """Evaluate options of the group on one case; what they have in common is computed once.

    Parameters
    ----------
    case
        Case with nothing of the group in service; not changed. Loads without a voltage dependence (see
        :func:`gridplan.applications.voltvar.with_load_models`) save nothing by a lower voltage but losses.
    settings
        How the applications work.
    options
        Names, such as ``monitoring+voltvar``; all combinations if not given. The result of one is the same in any company.

    Raises
    ------
    ParameterError
        An option or area is unknown, or no tap changer feeds the areas.
    """
    known = _subsets(APPLICATIONS)
    names = {"+".join(subset) or NONE: subset for subset in known}
    chosen = list(names) if options is None else list(options)
    wrong = [Problem("options", f"{name!r} is unknown; {suggest(name, names)}") for name in chosen if name not in names]
    if wrong:
        raise ParameterError("evaluate", wrong)
    found = _Found(case, settings or Settings())
    return {name: found.best(name, names[name]) for name in chosen}


def _subsets(members: Iterable[str]) -> list[tuple[str, ...]]:
    own = list(members)
    return list(itertools.chain.from_iterable(itertools.combinations(own, size) for size in range(len(own) + 1)))


def _powers(key: tuple[str, ...]) -> tuple[str, ...]:
    """Part of a combination that the powers and the topology depend on."""
    return tuple(name for name in key if name in {"smart_inverters", "reconfiguration"})


def _passive(powers: tuple[str, ...]) -> tuple[str, ...]:
    """Return the same without inverters."""
    return tuple(name for name in powers if name != "smart_inverters")


class _Found:
    """Combinations that were evaluated."""

    def __init__(self, case: OperatingCase, settings: Settings) -> None:
        self.settings, self.start = settings, case
        self._cases: dict[tuple, OperatingCase] = {}
        self._scores: dict[tuple, tuple[int, int, float]] = {}
        self._series: dict[tuple, Series] = {}
        self._acting: dict[tuple, np.ndarray] = {}
        self._schedules: dict[tuple, tuple[voltvar.Schedule, ...]] = {}
        self._tables: dict[tuple, Table | ParameterError] = {}
        self._first: dict[int, Models] = {}
        self._models: dict[tuple[int, int], tuple[OperatingCase, Models]] = {}

    def best(self, name: str, members: tuple[str, ...]) -> Voltage:
        """Best combination of some applications, the smallest of equals."""
        objective = "energy" if "voltvar" in members else "losses"
        candidates = [(self.score(part, objective), part) for part in _subsets(members)]
        score, inside = min(candidates, key=lambda pair: (pair[0], len(pair[1])))
        case = self.case(inside)
        return Voltage(name, inside, case, score, self._shared(case), self._simulated(self._key(inside)))

    def score(self, members: tuple[str, ...], objective: Literal["energy", "losses"]) -> tuple[int, int, float]:
        """Objective of a combination, all areas covered counted."""
        key = (self._key(members), objective)
        if key not in self._scores:
            found = self._simulated(key[0])
            self._scores[key] = judged(found, self.case(members), replace(self._of(members), objective=objective))
        return self._scores[key]

    def _simulated(self, key: tuple[str, ...]) -> Series:
        """Simulate a combination, once; where a schedule was or may be found, that has done so already."""
        if key not in self._series:
            case = self.case(key)
            if "voltvar" in key:
                found = self._scheduled(_powers(key))["monitoring" in key].series
                found = self._corrected(found, key) if "smart_inverters" in key else found
            elif isinstance(self._table(key), ParameterError):
                found = None
            else:
                found = self._table(key).before()
            self._series[key] = series(case, self._shared(case)) if found is None else found
        return self._series[key]

    def _corrected(self, found: Series | None, key: tuple[str, ...]) -> Series | None:
        """Replace, in a schedule at the powers that inverters have without it, the steps in which they act."""
        case, steps = self.case(key), np.flatnonzero(self._acting[key] | self._acting[_powers(key)])
        if found is None or not _changed.few(case, steps):
            return None
        if not len(steps):
            return found
        return _changed.joined(found, series(_changed.part(case, steps), self._shared(case)), steps, len(case.profiles.time))

    def case(self, members: tuple[str, ...]) -> OperatingCase:
        """Case with exactly these applications in service."""
        key = self._key(members)
        if key not in self._cases:
            self._cases[key] = self._made(key)
        return self._cases[key]

    def _key(self, members: tuple[str, ...]) -> tuple[str, ...]:
        """Return one name for combinations that act alike: monitoring only helps taps, and there may be no better topology."""
        without = set()
        if "voltvar" not in members or self.settings.monitored_margin_pu == self.settings.margin_pu:
            without.add("monitoring")
        if "reconfiguration" in members and self.topology is self.start:
            without.add("reconfiguration")
        return tuple(name for name in members if name not in without)

    def _made(self, key: tuple[str, ...]) -> OperatingCase:
        if not key:
            return self.start
        place = self.topology if "reconfiguration" in key else self.start
        if "voltvar" in key:
            # With inverters, taps are found at the powers of the inverters, and then the powers at these taps.
            place = replace(place, schedule=self._scheduled(_powers(key))["monitoring" in key].case.schedule)
        if "smart_inverters" not in key:
            return place
        covered, models = self.settings.areas, self._shared(place)
        found = voltvar.inverters(place, self.settings.inverters, areas=covered, models=models)
        self._acting[key] = found.acting
        return found.case

    def _scheduled(self, powers: tuple[str, ...]) -> tuple[voltvar.Schedule, ...]:
        """Schedules at the powers of a combination, with the margins without and with monitoring."""
        if powers not in self._schedules:
            table = self._table(powers)
            if isinstance(table, ParameterError):
                raise table
            if known := self._like(powers):
                self._scheduled(_passive(powers))
                table.adopt(*known)
            # Always in this order, so that an option alone is found as it is in company.
            self._schedules[powers] = tuple(scheduled(table, self._of(own)) for own in ((), ("monitoring",)))
        return self._schedules[powers]

    def _table(self, powers: tuple[str, ...]) -> Table | ParameterError:
        """Positions at the powers of a combination; the error if there is nothing to control."""
        if powers not in self._tables:
            case = self.case(powers)
            try:
                self._tables[powers] = Table(case, self._of(()), self._shared(case), self._like(powers))
            except ParameterError as error:
                self._tables[powers] = error
        return self._tables[powers]

    def _like(self, powers: tuple[str, ...]) -> tuple[Table, np.ndarray] | None:
        """Positions without the inverters, and the steps in which these do not act; nothing without inverters."""
        if "smart_inverters" not in powers:
            return None
        table, grid = self._table(_passive(powers)), self._shared(self.case(powers)).full.grid
        usable = isinstance(table, Table) and table.models.full.grid is grid
        return (table, ~self._acting[powers]) if usable else None

    @cached_property
    def topology(self) -> OperatingCase:
        """Case in the topology of lowest losses; the start itself if there is none better."""
        how = replace(self.settings.switching, areas=self.settings.areas)
        return reconfiguration.apply(self.start, how, models=self._shared)

    def _of(self, members: tuple[str, ...]) -> voltvar.Settings:
        own = self.settings
        margin = own.monitored_margin_pu if "monitoring" in members else own.margin_pu
        return voltvar.Settings(areas=own.areas, margin_pu=margin, operations_per_day=own.operations_per_day)

    def _shared(self, case: OperatingCase) -> Models:
        """Admittances of a network and its profiles; networks that differ in their generation only share them."""
        key, switches = (id(case.net), id(case.profiles)), id(case.net.switch)
        if key not in self._models:
            like = self._first.get(switches) or next(iter(self._first.values()), None)
            self._models[key] = (case, Models(case.net, case.profiles, powerflow.Options(), like=like))
            self._first.setdefault(switches, self._models[key][1])
        return self._models[key][1]
