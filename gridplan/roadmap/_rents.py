"""A bound by prices: what states of the shared projects can bring when budgets, staff and order have a price, not a limit.

A Lagrangian relaxation. Every row that ties projects to each other (a limit in a year, a wait, an exclusion, a target) has a
price; what is left is one problem for each project, tied only by the states. A start then has a cost. It is turned into a *rent*
for each year of service, so that all rents from a year on are never more than the cheapest start for service from then on. With
rents the value of a year depends on the state of that year alone: in each block the option that is worth most above its rents,
less the rents of the shared projects. The best chain of states over the years is found by dynamic programming; its value is a
bound on every plan of these states, whatever the prices.

Where a rent is more than the project brings in a year, the relaxed problem leaves the project out in that year and pays nothing,
and the bound is too high. The rent of a year therefore has a *cap*; what a cap cuts off is due in earlier years. Prices and caps
are moved along subgradients (Polyak, 1969) until the bound no longer falls.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp
from numba import njit

from gridplan.roadmap._model import Model
from gridplan.roadmap._objective import Weights
from gridplan.roadmap._program import Program
from gridplan.roadmap._solver import Cut
from gridplan.roadmap._states import States

NEG = -1e12  # value of a state or an option that cannot be
PAIRS = 4  # pairs of live states that are looked at one by one, for each state that there is
INERTIA = 0.8  # part of the last direction that is kept
REACH = 0.02  # share by which a bound is expected to fall at most when a step is measured
BELOW = 0.003  # share below what a node must promise that a step aims at: steps that aim at a value never quite get there
ALONE = 0.7  # share of the most that a project can add to its block, as the least cap of its rents
CUT = 20.0  # the objective as a whole over the price of a cut that matters
FAR = 1e9  # cost of service from a year in which it is impossible


class Terms(NamedTuple):
    """A model, its states and an objective in flat arrays.

    Attributes
    ----------
    low, high, steps, mandatory
        Of projects.
    gain
        Objective of starts, project x start.
    at, row, factor
        Rows that a start enters, and how much: entries `at[p * years + s]` to the next.
    side
        Right sides of all rows: those of starts, then targets.
    scale
        Price of a row that matters, to bring steps to one measure; at last that of caps.
    shared, takes
        Shared projects; which states take them, state x shared project.
    share
        Part of the rent of a project that one block bears.
    pattern, places
        States as the kinds that blocks of a sort ask for, sort x state; number of these kinds.
    sort, options
        Of each block its sort, and where its options begin.
    kinds, ready, value, local_at, local
        Of each option: its kinds as a pattern, its first year, its value by year, the projects that it needs beside shared ones.
    target_year, target
        Year of each target; what each option adds to its row.
    """

    low: np.ndarray
    high: np.ndarray
    steps: np.ndarray
    mandatory: np.ndarray
    gain: np.ndarray
    at: np.ndarray
    row: np.ndarray
    factor: np.ndarray
    side: np.ndarray
    scale: np.ndarray
    shared: np.ndarray
    takes: np.ndarray
    share: np.ndarray
    pattern: np.ndarray
    places: np.ndarray
    sort: np.ndarray
    options: np.ndarray
    kinds: np.ndarray
    ready: np.ndarray
    value: np.ndarray
    local_at: np.ndarray
    local: np.ndarray
    target_year: np.ndarray
    target: np.ndarray


class Live(NamedTuple):
    """Live states, those of a year by number after those of the year before; where those of each year begin, and their number."""

    state: np.ndarray
    at: np.ndarray


class Dual(NamedTuple):
    """Prices of rows, and caps of rents, project x year."""

    prices: np.ndarray
    caps: np.ndarray


def terms(states: States, weight: Weights) -> Terms:
    """Flatten the states of a model and an objective."""
    model = states.model
    rows = [*_limits(model), *_waits(model), *_sets(model)]
    ranges = sum(float((table.max(axis=0) - table.min(axis=0)).sum()) for table in weight.options)
    size = ranges + float(np.abs(weight.starts).max(axis=1).sum()) + 1e-9
    scale = [size / (row.size or max(len(model.waits) + len(model.sets), 1)) for row in rows]
    column = [p * model.horizon + s for row in rows for p, s, _ in row.entries]
    number = [n for n, row in enumerate(rows) for _ in row.entries]
    factor = [factor for row in rows for _, _, factor in row.entries]
    matrix = sp.csr_matrix((factor, (column, number)), shape=(len(model.names) * model.horizon, len(rows)))
    year, target, most = _targets(model)
    return Terms(
        model.low.astype(np.int64),
        model.high.astype(np.int64),
        model.steps.astype(np.int64),
        model.mandatory.astype(np.bool_),
        np.ascontiguousarray(weight.starts, dtype=float),
        matrix.indptr.astype(np.int64),
        matrix.indices.astype(np.int64),
        matrix.data.astype(float),
        np.r_[[row.side for row in rows], most],
        np.r_[scale, size / np.maximum(np.abs(target).sum(axis=1), 1e-9), size / len(model.blocks)],
        states.shared.astype(np.int64),
        states.takes.astype(float),
        states.share.astype(float),
        *_sorts(states),
        *_options(states, weight),
        year,
        target,
    )


def with_cuts(given: Terms, program: Program, cuts: Sequence[Cut]) -> Terms:
    """Return terms with cuts of the linear program as further rows of starts."""
    at = {column: p * given.gain.shape[1] + s for (p, s), column in program.start.items()}
    old, targets = sp.csr_matrix((given.factor, given.row, given.at)), len(given.target_year)
    rows = len(given.side) - targets
    column = [at[int(one)] for cut in cuts for one in cut.columns]
    number = [n for n, cut in enumerate(cuts) for _ in cut.columns]
    factor = np.concatenate([cut.factors for cut in cuts])
    shape = (len(given.at) - 1, len(cuts))
    matrix = sp.hstack(
        [sp.csr_matrix(old, shape=(shape[0], rows)), sp.csr_matrix((factor, (column, number)), shape=shape)]
    ).tocsr()
    typical = np.full(len(cuts), given.scale[-1] * len(given.sort) / CUT)
    return given._replace(
        at=matrix.indptr.astype(np.int64),
        row=matrix.indices.astype(np.int64),
        factor=matrix.data,
        side=np.r_[given.side[:rows], np.ones(len(cuts)), given.side[rows:]],
        scale=np.r_[given.scale[:rows], typical, given.scale[rows:]],
    )


def padded(prices: np.ndarray, given: Terms) -> np.ndarray:
    """Return prices with none for rows that have come since."""
    last = len(prices) - len(given.target_year)
    return np.r_[prices[:last], np.zeros(len(given.side) - len(prices)), prices[last:]]


class _Row(NamedTuple):
    """A row of starts: its name in the program, (project, start, factor), right side; of a limit what there is in all years."""

    name: tuple
    entries: list[tuple[int, int, float]]
    side: float
    size: float = 0.0


def _limits(model: Model) -> Iterator[_Row]:
    for limit in model.limits:
        use, amount = limit.held
        for t in range(model.horizon):
            users = [(int(p), int(s)) for p, s in np.argwhere(use[:, :, t]) if model.low[p] <= s <= model.high[p]]
            entries = [(p, s, float(use[p, s, t])) for p, s in users]
            yield _Row(("limit", limit.kind, limit.name, t), entries, float(amount[t]), float(limit.amount.sum()))


def _waits(model: Model) -> Iterator[_Row]:
    for one, other, offset in model.waits:
        for s in model.starts(one):
            after = [(one, z, 1.0) for z in model.starts(one) if z <= s]
            yield _Row(("wait", one, other, s), after + [(other, z, -1.0) for z in model.starts(other) if z <= s - offset], 0.0)


def _sets(model: Model) -> Iterator[_Row]:
    for name, members in model.sets:
        yield _Row(("set", name), [(p, s, 1.0) for p in members for s in model.starts(p)], 1.0)


def _targets(model: Model) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return year, factor of each option and right side of each target, all as "at most"."""
    count = sum(len(block.options) for block in model.blocks)
    year, rows, side = [], [np.zeros((0, count))], []
    for row in model.targets.itertuples():
        t, sign = int(row.year - model.years[0]), 1.0 if row.sense == "at most" else -1.0
        year.append(t)
        rows.append(sign * np.concatenate([block.kpis[row.kpi][:, t] for block in model.blocks])[None, :])
        side.append(sign * float(row.value))
    return np.array(year, dtype=np.int64), np.concatenate(rows), np.array(side, dtype=float)


def _sorts(states: States) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return states as patterns of the kinds of each sort, numbers of these kinds, and the sort of each block."""
    every = [int(np.bitwise_or.reduce(kinds)) for kinds in states.open_kinds]
    sorts = sorted(set(every))
    pattern = np.array([_pattern(np.arange(states.count), bits) for bits in sorts], dtype=np.int64)
    return pattern, np.array([bits.bit_count() for bits in sorts]), np.array([sorts.index(bits) for bits in every])


def _pattern(states: np.ndarray, kinds: int) -> np.ndarray:
    """Return states by some kinds alone, these numbered from 0."""
    bits = [k for k in range(kinds.bit_length()) if kinds >> k & 1]
    return sum(((states >> k & 1) << place for place, k in enumerate(bits)), np.zeros_like(states))


def _options(states: States, weight: Weights) -> tuple:
    blocks = states.model.blocks
    every = [int(np.bitwise_or.reduce(kinds)) for kinds in states.open_kinds]
    kinds = [_pattern(np.asarray(own, dtype=np.int64), bits) for own, bits in zip(states.open_kinds, every, strict=True)]
    local = [projects for block in states.local for projects in block]
    return (
        np.cumsum([0, *(len(block.options) for block in blocks)]),
        np.concatenate(kinds),
        np.concatenate([block.ready for block in blocks]).astype(np.int64),
        np.concatenate(weight.options).astype(float),
        np.cumsum([0, *map(len, local)]),
        np.concatenate([np.zeros(0, np.int64), *local]).astype(np.int64),
    )


def first_dual(states: States, weight: Weights, program: Program, prices: np.ndarray) -> Dual:
    """Return prices and caps from those of the rows of the linear program; prices of nothing if that has none."""
    model, rows = states.model, program.names | program.links
    prices = prices if len(prices) else np.zeros(len(program.row_low))
    names = [row.name for part in (_limits, _waits, _sets) for row in part(model)]
    names += [("target", row.kpi, int(row.year), row.sense) for row in model.targets.itertuples()]
    own = np.array([prices[rows[name]] if name in rows else 0.0 for name in names])
    caps = ALONE * _alone(states, weight)
    asked = np.zeros_like(caps)
    for name, row in program.links.items():
        if name[0] == "ask" and isinstance(name[2], int):
            asked[name[2], name[3]] += max(prices[row], 0.0)
    caps = np.maximum(caps, asked)
    caps[states.shared] = np.inf
    return Dual(np.abs(own), caps)


def _alone(states: States, weight: Weights) -> np.ndarray:
    """Return the most that each project can add to its block, project x year."""
    found = np.zeros((len(states.model.names), states.model.horizon))
    for kinds, local, table in zip(states.open_kinds, states.local, weight.options, strict=True):
        needs = [frozenset(projects.tolist()) for projects in local]
        for o, need in enumerate(needs):
            for p in need:
                without = [i for i, other in enumerate(needs) if other <= need - {p} and kinds[i] | kinds[o] == kinds[o]]
                if without:
                    found[p] = np.maximum(found[p], (table[o] - table[without].max(axis=0)) / states.share[p])
    return found


@njit(cache=True, nogil=True)
def service(prices: np.ndarray, given: Terms) -> tuple:
    """Least cost of service from each year on and the start that it is for, project x year; after the last year: never."""
    count, years = given.gain.shape
    cost = np.full((count, years + 1), FAR)
    first = np.full((count, years + 1), -1)
    for p in range(count):
        for s in range(given.low[p], given.high[p] + 1):
            own = -given.gain[p, s]
            for i in range(given.at[p * years + s], given.at[p * years + s + 1]):
                own += prices[given.row[i]] * given.factor[i]
            t = s + given.steps[p]
            if own < cost[p, t]:
                cost[p, t], first[p, t] = own, s
        for t in range(1, years + 1):
            if cost[p, t - 1] <= cost[p, t]:
                cost[p, t], first[p, t] = cost[p, t - 1], first[p, t - 1]
        if not given.mandatory[p] and cost[p, years] > 0.0:
            cost[p, years], first[p, years] = 0.0, -1
    return cost, first


@njit(cache=True, nogil=True)
def rents(cost: np.ndarray, caps: np.ndarray) -> tuple:
    """Rent of each year, and the year for whose cost all rents from a year on are enough, project x year."""
    count, years = caps.shape
    rent = np.empty((count, years))
    paid = np.empty((count, years + 1), np.int64)
    for p in range(count):
        sum_, paid[p, years] = cost[p, years], years
        for t in range(years - 1, -1, -1):
            if sum_ + caps[p, t] < cost[p, t]:
                rent[p, t], paid[p, t] = caps[p, t], paid[p, t + 1]
                sum_ += caps[p, t]
            else:
                rent[p, t], paid[p, t] = cost[p, t] - sum_, t
                sum_ = cost[p, t]
    return rent, paid


@njit(cache=True, nogil=True)
def option_values(rent: np.ndarray, prices: np.ndarray, given: Terms) -> np.ndarray:
    """Value of each option in each year above its rents and the prices of targets, option x year."""
    own, first = given.value.copy(), len(prices) - len(given.target_year)
    for k in range(len(given.target_year)):
        own[:, given.target_year[k]] -= prices[first + k] * given.target[k]
    for o in range(len(own)):
        for k in range(given.local_at[o], given.local_at[o + 1]):
            p = given.local[k]
            for t in range(own.shape[1]):
                own[o, t] -= given.share[p] * rent[p, t]
        own[o, : given.ready[o]] = NEG
    return own


@njit(cache=True, nogil=True)
def pattern_values(own: np.ndarray, given: Terms) -> np.ndarray:
    """Worth of all blocks of a sort together with some kinds open, sort x pattern x year."""
    most, years = 1 << given.places.max(), own.shape[1]
    sums, worth = np.zeros((len(given.places), most, years)), np.empty((most, years))
    for b in range(len(given.sort)):
        places = given.places[given.sort[b]]
        count = 1 << places
        worth[:count] = NEG
        for o in range(given.options[b], given.options[b + 1]):
            for t in range(years):
                worth[given.kinds[o], t] = max(worth[given.kinds[o], t], own[o, t])
        for place in range(places):
            for i in range(count):
                less = i ^ (1 << place)
                if less < i:
                    for t in range(years):
                        worth[i, t] = max(worth[i, t], worth[less, t])
        for i in range(count):
            for t in range(years):
                sums[given.sort[b], i, t] += worth[i, t]
    return sums


@njit(cache=True, nogil=True)
def state_values(sums: np.ndarray, rent: np.ndarray, live: Live, given: Terms) -> np.ndarray:
    """Value of each live state: of its blocks, less the rents of the shared projects."""
    found = np.zeros(len(live.state))
    for t in range(len(live.at) - 1):
        for i in range(live.at[t], live.at[t + 1]):
            for g in range(len(given.places)):
                found[i] += sums[g, given.pattern[g, live.state[i]], t]
            for j in range(len(given.shared)):
                found[i] -= rent[given.shared[j], t] * given.takes[live.state[i], j]
    return found


@njit(cache=True, nogil=True)
def spread(row: np.ndarray, up: bool) -> None:
    """Give each state the largest value among the states that are part of it, or of which it is part."""
    size = 1
    while size < len(row):
        for begin in range(0, len(row), 2 * size):
            for i in range(begin, begin + size):
                if up:
                    row[i + size] = max(row[i + size], row[i])
                else:
                    row[i] = max(row[i], row[i + size])
        size *= 2


@njit(cache=True, nogil=True)
def reach(value: np.ndarray, live: Live, one: int, t: int, row: np.ndarray) -> np.ndarray:
    """Largest value among the states of the year `one` that each state of the year before or after it can be linked with."""
    begin, end, here = live.at[one], live.at[one + 1], live.at[t]
    found = np.full(live.at[t + 1] - here, NEG)
    if len(found) * (end - begin) > PAIRS * len(row):
        row[:] = NEG
        for i in range(begin, end):
            row[live.state[i]] = value[i]
        spread(row, one < t)
        for j in range(len(found)):
            found[j] = row[live.state[here + j]]
        return found
    for j in range(len(found)):
        for i in range(begin, end):
            both = live.state[i] & live.state[here + j]
            if both == live.state[min(i, here + j)]:
                found[j] = max(found[j], value[i])
    return found


@njit(cache=True, nogil=True)
def chains(value: np.ndarray, live: Live, count: int) -> tuple:
    """Best chain up to each live state, and from each on, of all `count` states; both hold the value of the state itself."""
    ahead, back, row, years = value.copy(), value.copy(), np.empty(count), len(live.at) - 1
    for t in range(1, years):
        ahead[live.at[t] : live.at[t + 1]] += reach(ahead, live, t - 1, t, row)
    for t in range(years - 2, -1, -1):
        back[live.at[t] : live.at[t + 1]] += reach(back, live, t + 1, t, row)
    return ahead, back


@njit(cache=True, nogil=True)
def best_chain(back: np.ndarray, live: Live) -> np.ndarray:
    """State of each year in the best chain; every state is part of the next."""
    found = np.zeros(len(live.at) - 1, np.int64)
    for t in range(len(found)):
        best, before = -np.inf, found[t - 1] if t else 0
        for i in range(live.at[t], live.at[t + 1]):
            if (live.state[i] & before) == before and back[i] > best:
                best, found[t] = back[i], live.state[i]
    return found


@njit(cache=True, nogil=True)
def best_option(b: int, t: int, pattern: int, own: np.ndarray, given: Terms) -> int:
    """Option of a block that is worth most in a year with some kinds open; -1 if none is ready."""
    found, most = -1, NEG
    for o in range(given.options[b], given.options[b + 1]):
        if (given.kinds[o] & pattern) == given.kinds[o] and own[o, t] > most:
            found, most = o, own[o, t]
    return found


@njit(cache=True, nogil=True)
def asked(chain: np.ndarray, own: np.ndarray, given: Terms, slope: np.ndarray) -> np.ndarray:
    """How far a chain takes each project in each year; its options leave the rows of targets in `slope`."""
    years, first = len(chain), len(given.side) - len(given.target_year)
    found = np.zeros(given.gain.shape)
    for t in range(years):
        for j in range(len(given.shared)):
            found[given.shared[j], t] = given.takes[chain[t], j]
        for b in range(len(given.sort)):
            o = best_option(b, t, given.pattern[given.sort[b], chain[t]], own, given)
            if o >= 0:
                for k in range(given.local_at[o], given.local_at[o + 1]):
                    found[given.local[k], t] += given.share[given.local[k]]
                for k in range(len(given.target_year)):
                    if given.target_year[k] == t:
                        slope[first + k] -= given.target[k, o]
    return found


@njit(cache=True, nogil=True)
def start(p: int, s: int, part: float, given: Terms, slope: np.ndarray) -> None:
    """Take a part of a start from the rows that it enters."""
    if s >= 0:
        at = p * given.gain.shape[1] + s
        for i in range(given.at[at], given.at[at + 1]):
            slope[given.row[i]] -= part * given.factor[i]


@njit(cache=True, nogil=True)
def slopes(taken: np.ndarray, first: np.ndarray, paid: np.ndarray, given: Terms, slope: np.ndarray) -> np.ndarray:
    """Take what is started from the rows in `slope`; return how the bound moves with each cap."""
    count, years = taken.shape
    found = np.zeros((count, years))
    for p in range(count):
        start(p, first[p, years], 1.0, given, slope)
        due = 0.0
        for t in range(years):
            if paid[p, t] == t:
                due = taken[p, t]
            else:
                found[p, t] = due - taken[p, t]
            one, other = first[p, paid[p, t]], first[p, paid[p, t + 1]]
            if taken[p, t] > 0.0 and one != other:
                start(p, one, taken[p, t], given, slope)
                start(p, other, -taken[p, t], given, slope)
    return found


@njit(cache=True, nogil=True)
def bound(prices: np.ndarray, caps: np.ndarray, live: Live, given: Terms) -> tuple:
    """Bound on all plans of live states, bound on those through each state, and how the first moves with prices and caps."""
    cost, first = service(prices, given)
    rent, paid = rents(cost, caps)
    own = option_values(rent, prices, given)
    value = state_values(pattern_values(own, given), rent, live, given)
    ahead, back = chains(value, live, len(given.takes))
    constant = (prices * given.side).sum() - cost[:, -1].sum()
    slope = given.side.copy()
    taken = asked(best_chain(back, live), own, given, slope)
    along = slopes(taken, first, paid, given, slope)
    return back[: live.at[1]].max() + constant, ahead + back - value + constant, slope, along


@njit(cache=True, nogil=True)
def descend(begin: Dual, live: Live, given: Terms, least: float, effort: tuple) -> tuple:
    """Move prices and caps until the bound is at `least` or the effort is over.

    The effort is how many bounds are tried, after how many without a better one the step is shortened, and the first step as a
    share of Polyak's. Returns the lowest bound, its prices and caps, and the lowest bound through each live state.
    """
    tries, patience, step = effort
    prices, caps = begin.prices.copy(), begin.caps.copy()
    best, held, capped = np.inf, prices.copy(), caps.copy()
    lowest = np.full(len(live.state), np.inf)
    scale, cap_scale = given.scale[:-1], given.scale[-1]
    way, cap_way, idle = np.zeros(len(prices)), np.zeros(caps.shape), 0
    for _ in range(tries):
        found, through, slope, along = bound(prices, caps, live, given)
        lowest = np.minimum(lowest, through)
        if found < best - 1e-9 * abs(found):
            idle = 0 if found < best - 1e-4 * (best - least) else idle
            best, held, capped = found, prices.copy(), caps.copy()
        else:
            idle += 1
            if idle >= patience:
                step, idle = step * 0.7, 0
                prices, caps = held.copy(), capped.copy()
                way[:], cap_way[:] = 0.0, 0.0
        if best <= least:
            break
        for i in range(len(prices)):
            if prices[i] <= 0.0 and slope[i] > 0.0:
                slope[i] = 0.0
        way = slope * scale + INERTIA * way
        cap_way = along * cap_scale + INERTIA * cap_way
        length = (way * way).sum() + (cap_way * cap_way).sum()
        if length < 1e-18 * best * best:
            break
        far = step * (found - max(least - BELOW * abs(least), best - REACH * abs(best))) / length
        prices = np.maximum(prices - far * scale * way, 0.0)
        caps = np.maximum(caps - far * cap_scale * cap_way, 0.0)
    return best, Dual(held, capped), lowest


def living(alive: np.ndarray) -> Live:
    """Return live states from those of each year, year x state."""
    return Live(np.nonzero(alive)[1], np.r_[0, np.cumsum(alive.sum(axis=1))])


@njit(cache=True, nogil=True)
def linked(live: Live, keep: np.ndarray, count: int) -> tuple:
    """Keep some live states, of all `count`, as far as a chain of those kept passes through; also return which they are."""
    value = np.where(keep, 0.0, NEG)
    ahead, back = chains(value, live, count)
    on = ahead + back > 0.5 * NEG
    at = np.zeros(len(live.at), np.int64)
    for t in range(len(at) - 1):
        at[t + 1] = at[t] + on[live.at[t] : live.at[t + 1]].sum()
    return Live(live.state[on], at), on


@njit(cache=True, nogil=True)
def best_split(live: Live, through: np.ndarray, kinds: int, top: float) -> tuple:
    """Year and kind by which live states are best split into open and not yet, and the bounds of both; year -1: one chain.

    It is the split for which the bounds of both parts fall most.
    """
    size = max(abs(top), 1e-9)
    found, most = (-1, -1, NEG, NEG), -1.0
    for t in range(len(live.at) - 1):
        for k in range(kinds):
            one, other = NEG, NEG
            for i in range(live.at[t], live.at[t + 1]):
                if live.state[i] >> k & 1:
                    one = max(one, through[i])
                else:
                    other = max(other, through[i])
            if one > NEG and other > NEG:
                score = (min(max(top - one, 0.0) / size, 0.1) + 1e-4) * (min(max(top - other, 0.0) / size, 0.1) + 1e-4)
                if score > most:
                    found, most = (t, k, one, other), score
    return found
