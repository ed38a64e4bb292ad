"""What a choice of switches is worth: the loss of a year by group of events, computed once for each state of control.

The loss is the sum over the devices that can trip. What happens below a device depends only on the switches below it and on the
ties that reach there, so that a further switch asks only for the groups in which it lies.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from gridplan.applications.placement import _kernel
from gridplan.reliability import CONTROLS, Model, Outages, _cost, _faults, _model, _restore
from gridplan.valuation import CostSet

AUTOMATIC, REMOTE, MANUAL = range(3)


@dataclass(frozen=True, eq=False)
class Group:
    """Events below one device that trips, and what of their restoration does not depend on the choice."""

    patterns: _restore.Patterns
    recloses: np.ndarray
    starts: np.ndarray
    ends: np.ndarray
    mask: np.ndarray
    pattern: np.ndarray
    rate: np.ndarray
    first: np.ndarray
    rows: np.ndarray
    candidates: frozenset[int]


@dataclass(eq=False)
class Evaluator:
    """Loss of a year for choices of switches; what was computed is remembered.

    Parameters
    ----------
    model, outages
        As for :func:`gridplan.reliability.indices`.
    control
        Control that chosen switches get: ``remote`` or ``automatic``.
    candidates
        Switches that may be chosen.
    costs
        Costs of interruptions; None: the loss is in customer minutes.
    area
        Areas whose customers count; None: all.
    """

    model: Model
    outages: Outages
    control: str
    candidates: list[int]
    costs: CostSet | None = None
    area: tuple[str, ...] | None = None
    spent: int = 0
    known: dict[tuple[int, frozenset[int], bool], float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.year = _model.year(self.model, self.outages)
        self.target = CONTROLS.index(self.control)
        self.edge = {int(s): int(e) for e, s in enumerate(self.model.topology.switches)}
        self.candidates = [s for s in self.candidates if s in self.edge and self.year.gear.klass[self.edge[s]] > self.target]
        self.classes = (AUTOMATIC, REMOTE) if self.target == AUTOMATIC else (REMOTE,)
        count = len(self.model.topology.tree.parent)
        self._work = _restore.Work(*(np.zeros(count, np.int64) for _ in range(5)), *(np.zeros(count, bool) for _ in range(2)))
        self.units, self.values = self._units(), self._values()
        self.groups = self._groups()
        self.of = {s: [g for g, group in enumerate(self.groups) if s in group.candidates] for s in self.candidates}

    def loss(self, chosen: Iterable[int], *, relaxed: bool = False) -> float:
        """Loss of a year with these switches, less what no switch changes.

        Parameters
        ----------
        chosen
            Switches.
        relaxed
            Without limits of ties and with every candidate tie in place: never more than the true loss.
        """
        chosen = frozenset(chosen)
        return sum(self._of_group(g, chosen & group.candidates, relaxed) for g, group in enumerate(self.groups))

    def change(self, chosen: frozenset[int], switch: int, *, relaxed: bool = False) -> float:
        """By how much a further switch lowers the loss; only the groups in which it lies are looked at."""
        more, gain = chosen | {switch}, 0.0
        for g in self.of[switch]:
            own = self.groups[g].candidates
            gain += self._of_group(g, chosen & own, relaxed) - self._of_group(g, more & own, relaxed)
        return gain

    def bound(self, chosen: frozenset[int], switch: int) -> float:
        """Most that a further switch can lower the true loss."""
        more, gain = chosen | {switch}, 0.0
        for g in self.of[switch]:
            own = self.groups[g].candidates
            gain += self._of_group(g, chosen & own, False) - self._of_group(g, more & own, True)
        return gain

    def _of_group(self, g: int, chosen: frozenset[int], relaxed: bool) -> float:
        key = (g, chosen, relaxed)
        if key not in self.known:
            self.spent += 1
            group = self.groups[g]
            reach = (group.patterns.top, group.ends, group.starts[:-1], self._mask(group, chosen, relaxed))
            events = (group.pattern, group.rate, group.first)
            self.known[key] = _kernel.loss(events, reach, self.units, self.values[group.rows])
        return self.known[key]

    def _mask(self, group: Group, chosen: frozenset[int], relaxed: bool) -> np.ndarray:
        """Ways back of every pattern, state and section of a group."""
        model, gear = self.model, self.year.gear
        klass = gear.klass.copy()
        klass[[self.edge[s] for s in chosen]] = self.target
        mask, tree = group.mask.copy(), model.topology.tree
        for c in self.classes:
            own = np.where(klass <= c, 0, _restore.NOBODY)
            if not (own == 0).any() and not relaxed:
                continue
            control = _restore.Control(own, gear.protects)
            broken = np.where(own[group.patterns.broken] == 0, group.patterns.broken, -1)
            patterns = group.patterns._replace(broken=np.where(group.patterns.broken < 0, -1, broken))
            if relaxed:
                chosen_ = (c, group.recloses)
                _kernel.relaxed(tree, own, control, patterns, chosen_, self._ties[c], self._work, (group.starts, mask))
                continue
            mask |= _model._restored(model, patterns, (gear, own), c, group.starts)[0]
        return mask

    @cached_property
    def _ties(self) -> dict[int, np.ndarray]:
        """By class, whether a section is at a tie that can be closed now or if its switches are chosen."""
        tree, klass = self.model.topology.tree, self.year.gear.klass.copy()
        klass[[self.edge[s] for s in self.candidates]] = self.target
        found = {}
        for c in self.classes:
            has = np.zeros(len(tree.parent), bool)
            for t, (a, b) in enumerate(zip(tree.tie_a, tree.tie_b, strict=True)):
                doors = tree.tie_edge[tree.tie_edge_ptr[t] : min(tree.tie_edge_ptr[t] + 2, tree.tie_edge_ptr[t + 1])]
                if (klass[doors] <= c).all():
                    has[[a, b]] = True
            found[c] = has
        return found

    def _groups(self) -> list[Group]:
        """Faults by the section below which they leave everything without supply."""
        tree, year = self.model.topology.tree, self.year
        kinds = np.asarray(year.events.kind)
        faults = np.flatnonzero(kinds == _faults.FAULT)
        tops = year.patterns.top[year.events.pattern[faults]]
        sections = {s: self._sections(self.edge[s]) for s in self.candidates}
        groups = []
        for top in np.unique(tops):
            inside = frozenset(s for s, places in sections.items() if any(top <= x < tree.last[top] for x in places))
            if inside:
                groups.append(self._group(faults[tops == top], inside))
        return groups

    def _group(self, rows: np.ndarray, candidates: frozenset[int]) -> Group:
        year, tree = self.year, self.model.topology.tree
        which, pattern = np.unique(year.events.pattern[rows], return_inverse=True)
        patterns = _restore.Patterns(*(array[which] for array in year.patterns))
        ends = tree.last[patterns.top]
        starts = np.concatenate([[0], np.cumsum(ends - patterns.top)])
        width = np.concatenate([np.arange(a, a + n) for a, n in zip(year.reach.start[which], ends - patterns.top, strict=True)])
        free = sum((1 << c) | (8 << c) for c in self.classes)
        mask = year.reach.mask[:, width] & np.uint8(0xFF ^ free)
        edge = tree.parent_edge[patterns.top]
        recloses = (edge < 0) | year.gear.recloses[edge]
        first = np.empty((len(rows), 64), np.int8)
        _kernel.first_ways(year.events.times[rows], first)
        rate = year.events.rate[rows]
        return Group(patterns, recloses, starts, ends, np.ascontiguousarray(mask), pattern, rate, first, rows, candidates)

    def _sections(self, edge: int) -> list[int]:
        """Sections at a switch; for the switches of a tie, also those at both ends of the tie."""
        tree = self.model.topology.tree
        found = [int(tree.edge_a[edge]), int(tree.edge_b[edge])]
        for place in np.flatnonzero(tree.tie_edge == edge):
            tie = int(np.searchsorted(tree.tie_edge_ptr, place, side="right")) - 1
            found += [int(tree.tie_a[tie]), int(tree.tie_b[tie])]
        return found

    def _units(self) -> np.ndarray:
        """Return what is interrupted, by quantity, state (with its weight) and section."""
        supplied, states = self.model.supplied, self.model.states
        weight = states["weight"].to_numpy(float)
        counts = np.ones(len(supplied.rows), bool)
        if self.area is not None:
            area = supplied.rows["bus"].map(self.model.areas.set_index("bus")["area"])
            counts = area.isin(self.area).to_numpy()
        amount = _cost.amounts(supplied, self.costs) * counts
        self.names = [""] if self.costs is None else sorted(set(supplied.rows["customer_class"].astype(str)))
        units = np.zeros((len(self.names), len(weight), len(self.model.topology.tree.parent)))
        for q, name in enumerate(self.names):
            here = (
                np.ones(len(counts), bool)
                if self.costs is None
                else (supplied.rows["customer_class"].astype(str) == name).to_numpy()
            )
            for state in range(len(weight)):
                np.add.at(units[q, state], supplied.section[here], weight[state] * amount[state, here])
        return units

    def _values(self) -> np.ndarray:
        """Loss of one unit by event, way back and quantity: minutes of sustained interruption, or thousands of currency."""
        times = self.year.events.times
        if self.costs is not None:
            return _cost.unit_costs(times, self.costs, self.names) / 1000.0
        sustained = np.isfinite(times) & (times > self.outages.momentary_min / 60 + 1e-9)
        return np.where(sustained, 60 * times, 0.0)[..., None]
