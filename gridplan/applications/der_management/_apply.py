"""The application: settings, the case with curtailment written into it, and what it did."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd

from gridplan import network
from gridplan.applications import _flexible
from gridplan.applications._case import OperatingCase
from gridplan.applications._flexible import Applied, State
from gridplan.applications._sensitivities import Network, zones
from gridplan.applications.der_management import _controls, _cure
from gridplan.errors import ParameterError, Problem, suggest

RULES = ("least", "pro rata")
_CHUNK = 1_000_000  # quantities times steps held at once
_WHY = {
    "undervoltage": "less generation lowers voltages further; curtailment cannot help",
    "": "the controllable generation of the areas covered cannot bring it inside its limit, so nothing is cut for it",
}


@dataclass(frozen=True, eq=False)
class Settings:
    """How generation is managed.

    Parameters
    ----------
    flexibility
        Table `flexibility`: its rows with action ``curtail`` say which share of which plants can be controlled, and the power
        factor of their inverters.
    areas
        Areas covered; None is all of them, and what lies outside the areas.
    rule
        ``least`` curtailment in all; or ``pro rata``, where all plants of an area are cut by the same share of what they could
        give, which is fairer and costs more energy.
    reactive
        Whether inverters help with reactive power, up to the power factor of the table, before energy is cut.
    rounds
        Linearisations of a step, at most.
    """

    flexibility: pd.DataFrame
    areas: tuple[str, ...] | None = None
    rule: Literal["least", "pro rata"] = "least"
    reactive: bool = False
    rounds: int = 25

    def __post_init__(self) -> None:
        problems = [] if self.rule in RULES else [Problem("rule", f"{self.rule!r} is unknown; {suggest(self.rule, RULES)}")]
        if self.rounds < 1:
            problems.append(Problem("rounds", f"{self.rounds} is below 1"))
        if problems:
            raise ParameterError("settings", problems)
        _flexible.checked(self.flexibility)


class _Cut(NamedTuple):
    """Share cut and reactive power [Mvar] drawn of each plant in some steps, (plants, steps) each."""

    table: pd.DataFrame
    steps: np.ndarray
    share: np.ndarray
    drawn: np.ndarray
    settled: np.ndarray


@dataclass(frozen=True, eq=False)
class Outcome(Applied):
    """What active management has done; see :class:`gridplan.applications._flexible.Applied` for `summary` and `left`."""

    _cut: _Cut | None = field(repr=False)

    @cached_property
    def plants(self) -> pd.DataFrame:
        """Plants that are cut or help with reactive power, one row each.

        Returns
        -------
        pd.DataFrame
            `element_id`, `name`, `bus`, `area`, `technology`, `available_mwh` (of the whole period) [MWh], `curtailed_mwh` [MWh],
            `curtailed_percent` [%], `hours` (with less than available) [h], `reactive_mvarh` (drawn in addition) [Mvarh].
        """
        return _plants(self.before[0], self._cut)


def apply(case: OperatingCase, settings: Settings) -> OperatingCase:
    """Case in which generation is curtailed as little as keeps every limit that can be kept.

    Parameters
    ----------
    case
        Case; not changed.
    settings
        How generation is managed.

    Raises
    ------
    ParameterError
        The table or an area is wrong.
    NetworkError
        The network holds voltage-controlled generators.
    """
    return evaluate(case, settings).case


def evaluate(case: OperatingCase, settings: Settings, state: State | None = None) -> Outcome:
    """Apply, and say what was cut and what remains.

    Parameters
    ----------
    case, settings
        As for :func:`apply`.
    state
        Power flows of `case`, if they are known.

    Returns
    -------
    Outcome
        Every step of the new case is verified by a full power flow: `left` says what is outside limits in it.
    """
    before = state or _flexible.simulate(case)
    areas, table = _flexible.check_areas(case, settings.areas), _flexible.checked(settings.flexibility)
    members = _flexible.members(case, table, "sgen", "curtail", areas)
    steps = before.steps
    if not len(steps) or members.empty:
        return _outcome((case, before), (case, before), None)
    linear = Network(case, before.models)
    members = members[linear.position(members["bus"].to_numpy()) >= 0]
    cut = _cut(case, linear, members, steps, settings)
    after = _written(case, cut)
    state = before if after is case else _flexible.simulate(after, before, changed=cut.steps)
    return _outcome((case, before), (after, state), cut)


def _cut(case: OperatingCase, linear: Network, members: pd.DataFrame, steps: np.ndarray, settings: Settings) -> _Cut:
    zone = zones(case, linear)
    shares, drawn, settled = [], [], []
    for part in np.array_split(steps, len(steps) * len(linear.high) // _CHUNK + 1):
        given = _controls.plants(case, members, part)
        controls = _controls.Controls(linear, given, pro_rata=settings.rule == "pro rata", reactive=settings.reactive)
        cured = _cure.cure(linear, part, controls, zone, rounds=settings.rounds)
        at = np.searchsorted(controls.place, linear.position(members["bus"].to_numpy()))
        share = members["participation"].to_numpy(float)[:, None] * controls.shares(cured.values)[at]
        shares.append(np.where(given.power.real > 0, share, 0.0))
        turn = np.tan(np.arccos(members["cos_phi"].fillna(1.0).to_numpy(float)))[:, None]
        capability = (
            np.where(given.power.real > 0, given.power.real, 0.0) * members["participation"].to_numpy(float)[:, None] * turn
        )
        total = np.zeros_like(controls.available.real)
        np.add.at(total, at, capability)
        own = np.divide(capability, total[at], out=np.zeros_like(capability), where=total[at] > 0)
        drawn.append(own * controls.drawn(cured.values)[at])
        settled.append(cured.settled)
    return _Cut(members, steps, np.hstack(shares), np.hstack(drawn), np.concatenate(settled))


def _written(case: OperatingCase, cut: _Cut) -> OperatingCase:
    """Case with the powers of the plants that are cut or turned."""
    touched = (cut.share > 0).any(axis=1) | (cut.drawn != 0).any(axis=1)
    if not touched.any():
        return case
    own = case.net.sgen.loc[cut.table.index]
    turned = (cut.drawn != 0).any(axis=1)
    net, reference = case.net, own["q_mvar"].to_numpy(float)
    if turned.any():
        reference = np.where(turned & (reference == 0), own["p_mw"].to_numpy(float), reference)
        net = _flexible.changed_net(net, "sgen", net.sgen.assign(q_mvar=net.sgen["q_mvar"].astype(float)))
        net.sgen.loc[cut.table.index, "q_mvar"] = reference
    shapes = {}
    rows = np.flatnonzero(touched)
    active, reactive = (_flexible.factors(case.profiles, cut.table[name].iloc[rows]) for name in ("shape_p", "shape_q"))
    for at, row in enumerate(rows):
        kept = np.ones(len(case.profiles.time))
        kept[cut.steps] -= cut.share[row]
        values = active[:, at] * kept, reactive[:, at] * kept
        if turned[row]:
            given = values[1] * own["q_mvar"].iloc[row] / reference[row]
            given[cut.steps] -= cut.drawn[row] / (reference[row] * own["scaling"].iloc[row])
            values = values[0], given
        shapes[int(cut.table.index[row])] = values
    changed = OperatingCase(net, case.profiles, case.areas, case.limits, case.schedule) if net is not case.net else case
    return _flexible.rewritten(changed, "sgen", shapes)


def _outcome(before: tuple[OperatingCase, State], after: tuple[OperatingCase, State], cut: _Cut | None) -> Outcome:
    reasons = dict(_WHY)
    if cut is not None and not cut.settled.all():
        reasons[""] += f"; {(~cut.settled).sum()} steps did not come to rest, allow more rounds"
    return Outcome(*after, before, reasons, cut)


def _plants(case: OperatingCase, cut: _Cut | None) -> pd.DataFrame:
    columns = [
        "name",
        "bus",
        "area",
        "technology",
        "available_mwh",
        "curtailed_mwh",
        "curtailed_percent",
        "hours",
        "reactive_mvarh",
    ]
    if cut is None:
        return pd.DataFrame(columns=["element_id", *columns])
    touched = np.flatnonzero((cut.share > 0).any(axis=1) | (cut.drawn != 0).any(axis=1))
    table, step_h = cut.table.iloc[touched], case.profiles.step_h
    own = case.net.sgen.loc[table.index]
    size = (own["p_mw"] * own["scaling"]).to_numpy(float)
    power = _flexible.factors(case.profiles, table["shape_p"]) * size
    frame = table[["bus", "area", "technology"]].copy()
    frame.insert(0, "name", [network.display_name(case.net, "sgen", number) for number in table.index])
    frame["available_mwh"] = power.sum(axis=0) * step_h
    frame["curtailed_mwh"] = (power[cut.steps].T * cut.share[touched]).sum(axis=1) * step_h
    frame["curtailed_percent"] = 100 * frame["curtailed_mwh"] / frame["available_mwh"]
    frame["hours"] = (cut.share[touched] > 1e-9).sum(axis=1) * step_h
    frame["reactive_mvarh"] = cut.drawn[touched].sum(axis=1) * step_h
    return frame[columns].reset_index().sort_values("curtailed_mwh", ascending=False, ignore_index=True)
