"""Find measures that cure a year: candidates, greedy choice, thinning out, and the proof for small cases."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from gridplan.needs import _actions, _estimate
from gridplan.needs._actions import Action
from gridplan.needs._judge import State, Year
from gridplan.needs._tree import Hop

Actions = tuple[Action, ...]
Judge = Callable[[Year, Actions], bool]
_CHEAP = 0.05  # kEUR; so that what costs nothing can be weighed too
_GAIN = 1e-6
_STILL = 0.5


@dataclass(frozen=True, eq=False)
class Cure:
    """What was found for one year.

    Parameters
    ----------
    actions
        Measures, in the order of their choice.
    proofs
        For each, the violation that returns without it (None: it was not thinned out because something is left).
    left
        Violations that remain (table of :func:`gridplan.powerflow.violations`).
    proven
        Whether every cheaper combination of the candidates was tried and failed.
    """

    actions: Actions
    proofs: dict[Action, str | None]
    left: pd.DataFrame
    proven: bool


def cure(year: Year, search: Any) -> Cure:
    """Cheapest measures that leave no violation in any step of a year, as far as they can be found."""
    left = year.verify(())
    if not _curable(left):
        return Cure((), {}, left, proven=left.empty)
    start = year.state(())
    pool = _pool(start, year)
    found = [_greedy(year, search, weight) for weight in search.weights]
    cured = [actions for actions in found if not _curable(year.verify(actions))]
    if not cured:
        actions = min(found, key=lambda a: (len(year.verify(a)), cost(a)))
        return Cure(actions, dict.fromkeys(actions), year.verify(actions), proven=False)
    cheapest = min((_thin(year, actions, pool) for actions in dict.fromkeys(cured)), key=cost)
    actions, proven = _exact(year, pool, cheapest, search.exact)
    proofs = {action: _proof(year, actions, action) for action in actions}
    return Cure(actions, proofs, year.verify(actions), proven)


def _curable(left: pd.DataFrame) -> bool:
    """Whether a table holds violations that measures can be aimed at."""
    return bool((~left["kind"].isin(["no solution", "no supply", "no rating"])).any())


def cost(actions: Actions) -> float:
    """Sum of the costs [kEUR]."""
    return sum(action.capex_keur for action in actions)


def with_action(actions: Actions, action: Action) -> Actions:
    """Add a measure, in place of another one at the same place."""
    return (*(a for a in actions if a.slot != action.slot), action)


def _greedy(year: Year, search: Any, weight: float) -> Actions:
    """Build, again and again, what lowers the excess most for its cost, until the whole year holds.

    What would cure everything at once is kept in mind, and built if going on in small steps becomes dearer.
    """
    actions: Actions = ()
    at_once: Actions | None = None
    while len(actions) < search.steps:
        if year.state(actions).excess == 0:
            year.verify(actions)
            if year.state(actions).excess == 0:
                return actions
        best, cures = _next(year, actions, search, weight)
        at_once = min((a for a in (at_once, cures) if a is not None), key=cost, default=None)
        if at_once is not None and (best is None or cost(best) >= cost(at_once)):
            if holds(year, at_once):
                return at_once
            at_once = None
        if best is None:
            return actions
        actions = best
    return actions


def _next(year: Year, actions: Actions, search: Any, weight: float) -> tuple[Actions | None, Actions | None]:
    """Measures with the largest gain for their cost, and the cheapest that would cure everything at once."""
    state = year.state(actions)
    options, cures = [], []
    for action in _shortlist(year, actions, search.shortlist):
        new = with_action(actions, action)
        gain = state.excess - year.state(new).excess
        if gain > _GAIN * state.excess:
            options.append((gain / max(cost(new) - cost(actions), _CHEAP) ** weight, action))
        if year.state(new).excess == 0:
            cures.append(new)
    ordered = [action for _, action in sorted(options, key=lambda option: -option[0])]
    best = _together(year, actions, ordered) if ordered else _undone(year, actions)
    return best, min(cures, key=cost, default=None)


def _undone(year: Year, actions: Actions) -> Actions | None:
    """Without the measure that does most harm, if one does; new critical steps may show that a tap went too far."""
    options = [_without(actions, action) for action in actions]
    best = min(options, key=lambda option: year.state(option).excess, default=actions)
    return best if year.state(best).excess < year.state(actions).excess * (1 - _GAIN) else None


def _together(year: Year, actions: Actions, options: list[Action]) -> Actions:
    """Build the best option, and with it the next ones that still bring half of what they would bring alone."""
    new = with_action(actions, options[0])
    if options[0].element != "line":
        return new
    start = year.state(actions).excess
    for action in options[1:]:
        if action.element == "line" and action.slot not in {a.slot for a in new} and year.state(new).excess > 0:
            alone = start - year.state(with_action(actions, action)).excess
            candidate = with_action(new, action)
            if year.state(new).excess - year.state(candidate).excess > _STILL * alone:
                new = candidate
    return new


def _shortlist(year: Year, actions: Actions, length: int) -> list[Action]:
    """Candidates worth a power flow: those without an estimate, and the best by estimate, both per cost and as such."""
    state = year.state(actions)
    built, there = {action.slot: action for action in actions}, set(actions)
    options = [a for listed in _pool(state, year).values() for a in listed if a not in there]
    replaced = [built[a.slot].capex_keur if a.slot in built else 0.0 for a in options]
    extra = np.maximum(np.array([a.capex_keur for a in options]) - replaced, _CHEAP)
    gain = _estimate.estimates(state, options, built, year)
    best = [int(at) for at in np.argsort(-gain / extra, kind="stable") if gain[at] > 0]
    places, groups, each = set(), Counter(), []
    for at in best:
        group = f"{options[at].kind}{_feeder(year, options[at])}"
        if options[at].slot not in places:
            places.add(options[at].slot)
            groups[group] += 1
            each += [at] if groups[group] <= max(length // 3, 1) else []  # otherwise taps, which cost little, fill the list
    largest = sorted(best, key=lambda at: -gain[at])[: max(length // 3, 1)]
    chosen = [*np.flatnonzero(np.isnan(gain)).tolist(), *each, *largest]
    return [options[at] for at in dict.fromkeys(chosen)]


def _feeder(year: Year, action: Action) -> str | None:
    return year.area_of_line.get(action.element_id) if action.kind == _actions.PARALLEL else ""


def _pool(state: State, year: Year) -> dict[tuple, list[Action]]:
    """All candidates for the violations of a state, by place."""
    slots: dict[tuple, list[Action]] = {}
    for action in dict.fromkeys(_candidates(state, year)):
        slots.setdefault(action.slot, []).append(action)
    return slots


def _candidates(state: State, year: Year) -> Iterator[Action]:
    """Measures on the ways to what is outside its limits."""
    found = state.violations
    lines, trafos = set(), set()
    for element, number, _ in found:
        if element == "bus":
            hops = state.supply.tree.path(number)
            lines |= {hop.element_id for hop in hops if hop.element == "line"}
            trafos |= {hop.element_id for hop in hops if hop.element == "trafo"}
        elif element == "line":
            lines.add(number)
    overloaded = {number for element, number, _ in found if element == "trafo"}
    present = set(year.net.trafo.index)  # what this year's measures added is no place for another one
    for line in sorted(lines & set(year.net.line.index)):
        yield from year.possible(_actions.line_actions, line)
    for trafo in sorted(trafos & present):
        yield from year.possible(_actions.tap_actions, trafo)
    for trafo in sorted(overloaded & present):
        yield from year.possible(_actions.transformer_actions, trafo)
    yield from _rerouted(state, year, found)


def _rerouted(state: State, year: Year, found: dict[tuple[str, int, str], tuple[float, float]]) -> Iterator[Action]:
    """Regulators and new feeder sections on the way to the worst violation of each feeder."""
    supply, worst = state.supply, {}
    for (element, number, kind), (excess, _) in found.items():
        bus = number if element == "bus" else _lower(state, element, number)
        if bus in supply.areas:
            key = (supply.areas[bus], kind)
            worst[key] = max(worst.get(key, (0.0, -1)), (excess, bus))
    added = supply.lines.keys() - year.supplies.present.lines.keys()
    for (area, kind), (_, bus) in sorted(worst.items()):
        path = [hop for hop in supply.tree.path(bus) if hop.element != "line" or hop.element_id not in added]
        yield from _actions.feeder_actions(supply.net, path, supply.bars[area], year.choice, year.places)
        if kind != "overload":
            for hop in _regulated(state, path, kind):
                yield from _actions.regulator_actions(year.net, _as_it_was(hop, year), year.choice, boost=kind == "undervoltage")


def _as_it_was(hop: Hop, year: Year) -> Hop:
    """Put a line that this year's regulator moved to a bus of its own back where it was: the regulator may be replaced."""
    if hop.upper in year.net.bus.index:
        return hop
    ends = year.net.line.loc[hop.element_id, ["from_bus", "to_bus"]]
    return replace(hop, upper=int(ends[ends != hop.lower].iloc[0]))


def _lower(state: State, element: str, number: int) -> int:
    """Bus behind an overloaded element."""
    behind = [hop.lower for hop in state.supply.tree.above.values() if (hop.element, hop.element_id) == (element, number)]
    return behind[0] if behind else -1


def _regulated(state: State, path: list, kind: str) -> list:
    """Lines at whose upstream end a regulator may stand: the head, the first bus that is outside, and one half-way between."""
    single = state.supply.tree.single - {("line", a.element_id) for a in state.actions if a.kind == _actions.PARALLEL}
    lines = [hop for hop in path if hop.element == "line" and (hop.element, hop.element_id) in single]
    excess = (state.low if kind == "undervoltage" else state.high).sum(axis=0)
    outside = [i for i, hop in enumerate(lines) if excess[state.position[hop.lower]] > 0]
    if not outside:
        return []
    return [lines[i] for i in sorted({0, outside[0] // 2, outside[0]})]


def _thin(year: Year, actions: Actions, pool: dict[tuple, list[Action]]) -> Actions:
    """Take away what is not needed, make smaller what may be smaller, dearest first; then take away until all is needed.

    Judged by the critical steps; if the whole year then shows others, all of it again with them.
    """
    judge = _holds_when_critical
    while True:
        known = len(year.critical)
        thinner = _thinner(year, actions, pool, judge)
        if holds(year, thinner):
            return thinner
        judge = judge if len(year.critical) > known else holds


def _thinner(year: Year, actions: Actions, pool: dict[tuple, list[Action]], judge: Judge) -> Actions:
    for action in sorted(actions, key=lambda a: -a.capex_keur):
        actions = _smaller(actions, action, pool, lambda new: judge(year, new))
    while True:
        dearest = sorted(actions, key=lambda a: -a.capex_keur)
        needless = next((a for a in dearest if judge(year, _without(actions, a))), None)
        if needless is None:
            return actions
        actions = _without(actions, needless)


def _without(actions: Actions, action: Action) -> Actions:
    return tuple(a for a in actions if a is not action)


def _smaller(actions: Actions, action: Action, pool: dict[tuple, list[Action]], enough: Callable[[Actions], bool]) -> Actions:
    """Do without a measure or with the cheapest smaller one at its place, if that is enough."""
    if enough(_without(actions, action)):
        return _without(actions, action)
    cheaper = [a for a in pool.get(action.slot, []) if a.capex_keur < action.capex_keur]
    for option in sorted(cheaper, key=lambda a: a.capex_keur):
        new = tuple(option if a is action else a for a in actions)
        if enough(new):
            return new
    return actions


def _holds_when_critical(year: Year, actions: Actions) -> bool:
    return year.state(actions).excess == 0


def holds(year: Year, actions: Actions) -> bool:
    """Whether no step of the year is outside limits: first the critical steps, then all."""
    return _holds_when_critical(year, actions) and not _curable(year.verify(actions)) and _solved(year, actions)


def _solved(year: Year, actions: Actions) -> bool:
    return not (year.verify(actions)["kind"] == "no solution").any()


def _proof(year: Year, actions: Actions, action: Action) -> str | None:
    """Violation that returns when a measure is taken away."""
    without = _without(actions, action)
    if year.state(without).excess == 0:
        year.verify(without)  # makes the step in which it returns critical
    state = year.state(without)
    if state.failed:
        return "no solution of the power flow"
    found = state.violations
    if not found:
        return None
    key = max(found, key=lambda k: found[k][0])
    return state.describe(key, found[key][1])


def _exact(year: Year, pool: dict[tuple, list[Action]], actions: Actions, budget: int) -> tuple[Actions, bool]:
    """Try every cheaper combination, the cheapest first, if there are not too many of them."""
    combinations = _cheaper(pool, cost(actions), budget)
    if combinations is None:
        return actions, False
    for combination in combinations:
        if holds(year, combination):
            return combination, True
    return actions, True


def _cheaper(pool: dict[tuple, list[Action]], bound: float, budget: int) -> list[Actions] | None:
    """List combinations of at most one measure a place that cost less than `bound`, by cost; None if more than `budget`."""
    found: list[tuple[float, Actions]] = [(0.0, ())]
    for options in pool.values():
        grown = [
            (total + action.capex_keur, (*chosen, action))
            for total, chosen in found
            for action in options
            if total + action.capex_keur < bound - 1e-9
        ]
        found += grown
        if len(found) > budget:
            return None
    return [chosen for _, chosen in sorted(found, key=lambda item: item[0])]
