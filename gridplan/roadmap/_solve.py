"""Solve a roadmap: plans without a solver, a search from the best of them, the program from there, ties by rule."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

import numpy as np

from gridplan.roadmap import _greedy, _plan
from gridplan.roadmap._branch import compiled, search
from gridplan.roadmap._choices import Choices, refuse
from gridplan.roadmap._model import NEVER, Model, build
from gridplan.roadmap._objective import Weights, by_rule, spent, weights
from gridplan.roadmap._order import pack
from gridplan.roadmap._portfolio import Portfolio
from gridplan.roadmap._program import load, point, read, write
from gridplan.roadmap._relax import relaxation
from gridplan.roadmap._result import Roadmap, answer, no_answer
from gridplan.roadmap._solver import Effort, Run, run
from gridplan.roadmap._states import states

Floors = tuple[tuple[Weights, float], ...]
LARGE = 800  # possible starts from which on the search goes over the states of the shared projects
ROUNDS = 12  # of the search for the highest ratio
SEARCH = 0.05  # share of the time limit for the search over orders; turned into a number of tries, so that it is repeatable
TABLES = 0.08  # share of the time limit that is kept for the tables of the answer
SAME = 1e-6  # values nearer to each other than this, as a share, are the same
TIES = 1e-3  # gap above which ties are not settled: plans nearer to the best may be hidden in it


@dataclass(frozen=True)
class Found:
    """The best plan of a search with its options, value and bound."""

    starts: np.ndarray
    options: list[np.ndarray]
    value: float
    bound: float

    @property
    def gap(self) -> float:
        """Distance of value and bound as a share of the value."""
        return max(self.bound - self.value, 0.0) / max(abs(self.value), 1e-9)


def solve(given: Portfolio, choices: Choices) -> Roadmap:
    """Return the best roadmap: which project starts when, what it brings, and how sure it is that none is better.

    Parameters
    ----------
    given
        From :func:`portfolio`.
    choices
        Years, discount rate, objective, limits of the search.

    Returns
    -------
    Roadmap
        Its `status` is ``optimal`` (proved within `gap_percent`), ``time limit`` (the best found, with its gap) or
        ``infeasible``; then `relaxations` say the smallest change after which a roadmap exists. The time limit holds for
        the search and the tables, but for what one step of the search cannot be stopped in; the first plans by rule, and what is
        compiled for them once on a machine, come before it.

    Notes
    -----
    Small problems go to the solver as they are. From 800 possible starts on, and where areas share projects that a budget
    pays for, a branch and bound over the states of those projects finds plan and bound. A search that ends by its gap takes
    the same steps each time: the same tables give the same roadmap. One that ends by its time limit gives the best plan that
    this machine found by then; plan and bound hold, but another run may find others. Ties are settled by rule where the plan
    is proved within 0.1 %.

    Raises
    ------
    ParameterError
        A choice makes no sense.
    """
    refuse(choices, given.kpis)
    begin = time.monotonic()
    model = build(given, choices)
    weight = weights(model, choices.objective)
    greedy = _greedy.plans(model, weight)
    known = _search(model, weight, list(greedy.values()))
    if _large(model) and (shared := states(model)) is not None:
        compiled(shared, weight)
    clock = Clock(time.monotonic() + (1 - TABLES) * choices.time_limit_s)  # not from `begin`: code may have been compiled since
    found = _ratio(model, weight, known, clock) if choices.per_cost else _best(model, weight, known, clock)
    if found is None:
        left = replace(choices, time_limit_s=max(clock.left(), TABLES * choices.time_limit_s))
        return no_answer(given, model, relaxation(given, left), seconds=time.monotonic() - begin)
    final = _settled(model, found, clock) if not choices.per_cost else found
    return answer(given, model, final, greedy, seconds=time.monotonic() - begin)


def _large(model: Model) -> bool:
    """Return whether the search over states is to be tried."""
    return (model.high - model.low + 1).clip(min=0).sum() >= LARGE


@dataclass(frozen=True)
class Clock:
    """Time at which a search must end."""

    end: float

    def left(self, share: float = 1.0) -> float:
        """Return a share of the seconds that are left, a tenth of one at least."""
        return max((self.end - time.monotonic()) * share, 0.1)


def _search(model: Model, weight: Weights, known: list[np.ndarray]) -> list[np.ndarray]:
    """Return plans, the best by the search over orders among them; those that miss a target or break a rule are left out."""
    packed = pack(model, weight)
    order = _greedy.enablers(packed)
    rest = [unit for unit in _greedy.useful(model, weight) if unit not in order]
    cells = sum(block.benefit.size for block in model.blocks)
    share = SEARCH / 10 if _large(model) else SEARCH  # the search over states seeks plans of its own
    tries = int(min(share * model.choices.time_limit_s / (1e-8 * cells + 5e-6), 1500 * (len(order) + len(rest)))) + 1
    better, _ = packed.improve(order, rest, tries) if order or rest else (packed.place([]), 0.0)
    idle = np.full(len(model.names), NEVER)
    return [plan for plan in [idle, *known, better] if not _plan.broken(model, plan)]


def _best(
    model: Model, weight: Weights, known: list[np.ndarray], clock: Clock, *, floors: Floors = (), options: bool = True
) -> Found | None:
    """Return the best plan that the solver finds from the best of the known ones; None if there is none."""
    choices = model.choices
    if not floors and _large(model):
        found = _by_states(model, weight, known, clock)
        if found is not None:
            return found
    program = write(model, whole_options=bool(floors) or len(model.targets) > 0, floors=floors)
    start = _warm(model, weight, known, floors) if options else None
    values = None if start is None else point(program, *start)
    effort = Effort(clock.left(), choices.gap_percent / 100, choices.threads)
    result = run(program, load(program, weight), effort, start=values)
    if result.values is None and start is None:
        return None
    return _better(model, weight, result, None if result.values is None else read(program, result.values), start)


def _by_states(model: Model, weight: Weights, known: list[np.ndarray], clock: Clock) -> Found | None:
    """Return the best plan of the search over states; None if there are no states or no plan to begin with."""
    start, shared = _warm(model, weight, known, ()), states(model)
    if start is None or shared is None:
        return None
    value = _plan.value(model, *start, weight)
    plan, bound = search(shared, weight, value, seconds=clock.left())
    best = start if plan is None else plan
    value = _plan.value(model, *best, weight)
    near = bound <= value + SAME * max(abs(value), 1.0)
    return Found(*best, value, value if near else bound)


def _warm(model: Model, weight: Weights, known: list[np.ndarray], floors: Floors) -> tuple[np.ndarray, list[np.ndarray]] | None:
    """Return the best known plan that meets every target and floor."""
    best, top = None, -np.inf
    for starts in known:
        options = _plan.choose(model, starts, weight)
        value = _plan.value(model, starts, options, weight)
        kept = all(_plan.value(model, starts, options, other) >= floor - 1e-9 for other, floor in floors)
        if value > top and kept and _plan.targets_met(model, options).all():
            best, top = (starts, options), value
    return best


def _better(model: Model, weight: Weights, result: Run, one: tuple | None, other: tuple | None) -> Found:
    """Return the better of two plans; options of the solver are replaced by the best ones where nothing speaks against it."""
    plans = [plan for plan in (one, other) if plan is not None]
    if one is not None and not len(model.targets):
        plans.append((one[0], _plan.choose(model, one[0], weight)))
    values = [_plan.value(model, *plan, weight) for plan in plans]
    best = int(np.argmax(values))
    return Found(*plans[best], values[best], max(result.bound, values[best]))


def _ratio(model: Model, weight: Weights, known: list[np.ndarray], clock: Clock) -> Found | None:
    """Return the plan with the highest gain per present value of cost (Dinkelbach's method).

    Each round maximises the gain less the best ratio so far times the cost. If no plan is above zero by more than u, no ratio is
    better by more than u over the least cost of any plan.
    """
    cost, best, ratio = spent(model), None, 0.0
    none = [np.zeros(model.horizon, int) for _ in model.blocks]
    base = _plan.value(model, np.full(len(model.names), NEVER), none, weight)
    least = np.min(model.cost[model.cost > 0], initial=np.inf)
    for _ in range(ROUNDS):
        found = _best(model, weight.less(cost, ratio), known, clock)
        if found is None:
            return best
        price = _plan.value(model, found.starts, found.options, cost)
        above = found.value - base
        if best is not None:
            best = replace(best, bound=ratio + max(found.bound - base, 0.0) / least)
        if price <= 1e-9 or above <= 1e-7 * max(abs(base), 1.0):
            return best or Found(found.starts, found.options, 0.0, 0.0)
        ratio, known = ratio + above / price, [*known, found.starts]
        best = Found(found.starts, found.options, ratio, np.inf)
    return best


def _settled(model: Model, found: Found, clock: Clock) -> Found:
    """Return the plan that the secondary objective prefers among those as good, then the one that the rule prefers."""
    choices, primary = model.choices, weights(model, model.choices.objective)
    if found.gap > max(choices.gap_percent / 100, 1e-6) + 1e-9 or (choices.secondary is None and found.gap > TIES):
        return found
    floors, current = [], found
    if choices.secondary is not None:
        second = weights(model, choices.secondary)
        floors.append((primary, found.value - abs(found.value) * choices.tolerance_percent / 100))
        current = _best(model, second, [found.starts], clock, floors=tuple(floors)) or current
        level = _plan.value(model, current.starts, current.options, second)
        floors.append((second, level - 1e-7 * max(abs(level), 1.0)))
    else:
        floors.append((primary, found.value - 1e-7 * max(abs(found.value), 1.0)))
    short = Clock(min(clock.end, time.monotonic() + max(0.2 * choices.time_limit_s, 1.0)))
    last = _best(model, by_rule(model), [current.starts], short, floors=tuple(floors)) or current
    value = _plan.value(model, last.starts, last.options, primary)
    return Found(last.starts, last.options, value, max(found.bound, value))
