"""What happens in a distribution network after a fault, told switch by switch: a second opinion on `gridplan.reliability`.

Written from the rules in words and on another plan than the module: no sections, no tree, no sums over subtrees. A network is
a plain graph of terminals in which switches are opened and closed one after another, and after every operation a search from
the sources finds who has supply. Slow and simple on purpose; nothing here imports gridplan.

`enumerate_faults` tells the story of every fault once and weighs it with its rate, which is exact. `simulate` draws faults in
the order of time (exponential times to failure, a draw for every protective device that has to trip, a draw for the loading
of that hour) and writes down what each customer saw, year by year. Faults that overlap are told each on its own.
"""

import itertools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

import networkx as nx
import numpy as np
import pandapower as pp
import pandas as pd

CLASSES = ("automatic", "remote", "manual")
PROTECTIVE = {"breaker", "recloser", "fuse"}
DEVICE_OF_TYPE = {"CB": "breaker", "LBS": "switch", "LS": "disconnector", "DS": "disconnector"}
HAIR = 1e-6  # what a limit that was broken before the fault may move by [pu, %]


@dataclass(frozen=True)
class Device:
    """A switch: where it sits, what it can do, and whether it is closed in normal operation."""

    ends: tuple
    kind: str
    control: str
    success: float
    indicator: bool
    closed: bool


@dataclass(frozen=True)
class Grid:
    """Terminals (buses, lines, transformers), the switches and solid joints between them, and where supply comes from."""

    joints: dict  # terminal -> list of (terminal, switch or None)
    devices: dict[int, Device]
    sources: tuple
    length_km: dict


@dataclass(frozen=True)
class Fault:
    """Something that fails: the terminals it takes with it, how often, and how long the repair takes [h]."""

    element: str
    element_id: int
    places: tuple
    rate: float
    repair_h: float
    switch: int | None = None  # a switch that has failed can neither trip nor be opened


@dataclass(frozen=True)
class Stage:
    """Minutes of one class of control."""

    detect_min: float = 0.0
    locate_min: float = 0.0
    patrol_min_per_km: float = 0.0
    isolate_min: float = 0.0
    transfer_min: float = 0.0

    def hours(self, km: float) -> tuple[float, float]:
        """Hours from the fault until upstream customers are back, and until transferred ones are."""
        located = self.detect_min + self.locate_min + self.patrol_min_per_km * km
        return (located + self.isolate_min) / 60, (located + self.transfer_min) / 60


@dataclass(frozen=True)
class Story:
    """One way in which a fault may go: its rate [1/yr] and how long each bus is dark [h]."""

    fault: Fault
    rate: float
    tripped: int | None
    hours: dict[int, float]
    stage: dict[int, str]
    p_mw: dict[int, float] = field(default_factory=dict)  # of every bus in that loading state


def grid_of(net: pp.pandapowerNet, switchgear: pd.DataFrame | None = None) -> Grid:
    """The graph of a pandapower network; switchgear: `switch`, `device`, `control`, `success`, `fault_indicator`."""
    given = {} if switchgear is None else switchgear.set_index("switch").to_dict("index")
    joints: dict = {("bus", int(bus)): [] for bus in net.bus.index[net.bus.in_service]}
    devices, at_end, pairs = {}, {}, []
    for at, row in net.switch.iterrows():
        kind = {"b": "bus", "l": "line", "t": "trafo"}[row.et]
        ends = (("bus", int(row.bus)), (kind, int(row.element)))
        own = given.get(at, {})
        devices[int(at)] = Device(
            ends,
            own.get("device", DEVICE_OF_TYPE.get(row.type, "switch")),
            own.get("control", "manual"),
            float(own.get("success", 1.0)),
            bool(own.get("fault_indicator", False)),
            bool(row.closed),
        )
        if kind == "bus":
            pairs.append((ends, int(at)))
        else:
            at_end[ends] = int(at)
    for table, columns in (("line", ("from_bus", "to_bus")), ("trafo", ("hv_bus", "lv_bus"))):
        for at, row in net[table][net[table].in_service].iterrows():
            joints[(table, int(at))] = []
            places = [(("bus", int(row[column])), (table, int(at))) for column in columns]
            pairs += [(place, at_end.get(place)) for place in places]
    for (a, b), switch in pairs:
        joints[a].append((b, switch))
        joints[b].append((a, switch))
    sources = tuple(("bus", int(bus)) for bus in net.ext_grid.bus[net.ext_grid.in_service])
    length = {("line", int(at)): float(km) for at, km in net.line.length_km.items()}
    return Grid(joints, devices, sources, length)


def reach(grid: Grid, start: Iterable, passes: Callable[[int], bool]) -> set:
    """Every terminal joined to the start by solid joints and by switches that let pass."""
    seen, queue = set(start), list(start)
    while queue:
        for there, switch in grid.joints[queue.pop()]:
            if there not in seen and (switch is None or passes(switch)):
                seen.add(there)
                queue.append(there)
    return seen


def path_to_source(grid: Grid, place: tuple) -> list[int]:
    """Closed switches between a terminal and its source in normal operation, the nearest first."""
    graph = nx.Graph()
    graph.add_nodes_from(grid.joints)
    for here, joints in grid.joints.items():
        graph.add_edges_from((here, there, {"at": at}) for there, at in joints if at is None or grid.devices[at].closed)
    for source in grid.sources:
        if nx.has_path(graph, place, source):
            path = nx.shortest_path(graph, place, source)
            found = [graph.edges[pair]["at"] for pair in itertools.pairwise(path)]
            return [switch for switch in found if switch is not None]
    return []


def tripping(grid: Grid, fault: Fault, kinds: set[str] = PROTECTIVE) -> list[int]:
    """Protective devices that see the fault current, the nearest first (of two sides: what interrupts both)."""
    seen = [[at for at in path_to_source(grid, place) if at != fault.switch] for place in fault.places]
    return min(([at for at in path if grid.devices[at].kind in kinds] for path in seen), key=len)


def outcomes(grid: Grid, devices: list[int]) -> Iterator[tuple[float, int | None, tuple[int, ...]]]:
    """What protection may do: probability, the device that trips (None: the source's own), those that failed before."""
    left, failed = 1.0, ()
    for switch in devices:
        success = grid.devices[switch].success
        if left * success > 0:
            yield left * success, switch, failed
        left, failed = left * (1 - success), (*failed, switch)
    if left > 0:
        yield left, None, failed


@dataclass
class State:
    """The network at one moment after a fault."""

    grid: Grid
    fault: Fault
    tripped: int | None
    failed: tuple[int, ...]
    opened: set[int] = field(default_factory=set)
    dead_sources: set = field(default_factory=set)

    def __post_init__(self) -> None:
        """The protection has just acted."""
        self.opened = {at for at, device in self.grid.devices.items() if not device.closed}
        if self.tripped is not None:
            self.opened.add(self.tripped)
        else:
            joined = reach(self.grid, self.fault.places, self.is_closed)
            self.dead_sources = {source for source in self.grid.sources if source in joined}

    def is_closed(self, switch: int) -> bool:
        return switch not in self.opened

    def live(self) -> set:
        """Every terminal with supply."""
        return reach(self.grid, [source for source in self.grid.sources if source not in self.dead_sources], self.is_closed)

    def operable(self, switch: int, control: str) -> bool:
        """Whether this class of control can open or close the switch; blown fuses and failed devices are for the crew."""
        device = self.grid.devices[switch]
        if device.kind == "none" or switch == self.fault.switch:
            return False
        by_hand = switch in self.failed or (switch == self.tripped and device.kind == "fuse")
        return CLASSES.index("manual" if by_hand else device.control) <= CLASSES.index(control)

    def isolate(self, control: str) -> set:
        """Open the nearest switches around the fault that this class can operate: the zone that stays dark."""
        zone = reach(self.grid, self.fault.places, lambda at: self.is_closed(at) and not self.operable(at, control))
        for switch, device in self.grid.devices.items():
            if (device.ends[0] in zone) != (device.ends[1] in zone):
                self.opened.add(switch)
        return zone

    def restore_upstream(self, zone: set, control: str) -> None:
        """Close again what tripped, unless it now holds the fault off."""
        if self.tripped is None:
            self.dead_sources -= {source for source in self.dead_sources if source not in zone}
            return
        device = self.grid.devices[self.tripped]
        if not zone & set(device.ends) and (device.kind != "fuse" or control == "manual"):
            self.opened.discard(self.tripped)

    def usable_ties(self, piece: set, live: set, control: str) -> list[int]:
        """Normally open switches of this class between the piece and what has supply."""
        ends = {at: device.ends for at, device in self.grid.devices.items() if not device.closed and at in self.opened}
        between = [at for at, (a, b) in ends.items() if (a in piece and b in live) or (b in piece and a in live)]
        return [at for at in between if self.operable(at, control)]

    def parts_from(self, tie: int, piece: set, control: str) -> list[set]:
        """What the piece is made of if every switch of this class in it were open, the nearest to the tie first."""
        start = next(end for end in self.grid.devices[tie].ends if end in piece)
        parts, queue, seen = [], [start], set()
        while queue:
            here = queue.pop(0)
            if here in seen:
                continue
            part = reach(self.grid, [here], lambda at: self.is_closed(at) and not self.operable(at, control))
            seen |= part
            parts.append(part)
            borders = {at for place in part for _, at in self.grid.joints[place] if at is not None and self.is_closed(at)}
            for switch in sorted(borders):
                queue += [end for end in self.grid.devices[switch].ends if end not in seen]
        return parts


Carries = Callable[[State, set], bool]


def always(_state: State, _live: set) -> bool:
    """Ties carry everything."""
    return True


def _with(state: State, tie: int, parts: list[set]) -> State:
    """The state with the tie closed on these parts and every switch around them open."""
    inside = set().union(*parts)
    after = State(state.grid, state.fault, state.tripped, state.failed)
    after.opened, after.dead_sources = set(state.opened), set(state.dead_sources)
    for switch, device in state.grid.devices.items():
        if (device.ends[0] in inside) != (device.ends[1] in inside):
            after.opened.add(switch)
    after.opened.discard(tie)
    return after


def _close(state: State, tie: int, piece: set, control: str, carries: Carries) -> tuple[State, list[set], bool]:
    """Close the tie on as many parts as it carries; also which parts they are, and whether they are all."""
    parts = state.parts_from(tie, piece, control)
    for count in range(len(parts), 0, -1):
        after = _with(state, tie, parts[:count])
        if carries(after, reach(after.grid, parts[0], after.is_closed)):
            return after, parts[:count], count == len(parts)
    return state, [], False


def transfer(state: State, zone: set, control: str, carries: Carries, power: Callable[[set], float]) -> State:
    """Close ties until nothing more can be had: the first by number that carries all of its piece, else what carries most."""
    while True:
        live = state.live()
        dark = set(state.grid.joints) - live - zone
        piece_of = {}
        while dark:
            piece = reach(state.grid, [next(iter(dark))], state.is_closed)
            dark -= piece
            piece_of |= dict.fromkeys(state.usable_ties(piece, live, control), piece)
        tried = [_close(state, tie, piece_of[tie], control, carries) for tie in sorted(piece_of)]
        carried = [one for one in tried if one[1]]
        if not carried:
            return state
        whole = next((one for one in carried if one[2]), None)
        state = (whole or max(carried, key=lambda one: round(power(set().union(*one[1])), 9)))[0]


def patrol_km(grid: Grid, fault: Fault, tripped: int | None, failed: tuple[int, ...]) -> float:
    """Kilometres of line that a patrol cannot rule out: up to the nearest indicator or protection that has not failed."""

    def passes(switch: int) -> bool:
        device = grid.devices[switch]
        telling = (device.kind in PROTECTIVE and switch not in failed) or device.indicator
        return device.closed and switch != tripped and (switch == fault.switch or not telling)

    return sum(grid.length_km.get(place, 0.0) for place in reach(grid, fault.places, passes))


def tell(
    grid: Grid,
    fault: Fault,
    outcome: tuple,
    stages: dict[str, Stage],
    carries: Carries = always,
    power: Callable[[set], float] = len,
) -> Story:
    """What every bus sees of one fault: dark until the first crew, remote or automatic, that brings it back, or repair."""
    probability, tripped, failed = outcome
    before = reach(grid, grid.sources, lambda at: grid.devices[at].closed)
    dark = {place for place in before - State(grid, fault, tripped, failed).live() if place[0] == "bus"}
    hours = dict.fromkeys((place[1] for place in dark), fault.repair_h)
    stage = dict.fromkeys(hours, "repair")
    for control, times in stages.items():
        upstream_h, transfer_h = times.hours(patrol_km(grid, fault, tripped, failed))
        state = State(grid, fault, tripped, failed)
        zone = state.isolate(control)
        state.restore_upstream(zone, control)
        upstream = state.live()
        after = transfer(state, zone, control, carries, power).live()
        for place in dark & after:
            back = (upstream_h, "upstream") if place in upstream else (transfer_h, "transfer")
            if back[0] < hours[place[1]]:
                hours[place[1]], stage[place[1]] = back
    return Story(fault, fault.rate * probability, tripped, hours, stage)


def transient(grid: Grid, fault: Fault, outcome: tuple) -> Story:
    """A fault that is gone when a breaker or recloser closes again: everybody below it blinks."""
    probability, tripped, failed = outcome
    before = reach(grid, grid.sources, lambda at: grid.devices[at].closed)
    dark = before - State(grid, fault, tripped, failed).live()
    return Story(fault, fault.rate * probability, tripped, {place[1]: 0.0 for place in dark if place[0] == "bus"}, {})


class PowerFlow:
    """Whether the switched network is within limits, by pandapower, once per state of the switches."""

    def __init__(self, net: pp.pandapowerNet, limits: object) -> None:
        self.net, self.limits, self.known = pp.pandapowerNet(net), limits, {}
        self.normal = {at: bool(closed) for at, closed in net.switch.closed.items()}
        self._run(self.normal)
        self.before = self._values()

    def _run(self, closed: dict[int, bool]) -> None:
        self.net.switch["closed"] = pd.Series(closed)
        pp.runpp(self.net, init="flat", calculate_voltage_angles=False, numba=False)

    def _values(self) -> dict[str, pd.Series]:
        columns = {"bus": "vm_pu", "line": "loading_percent", "trafo": "loading_percent"}
        return {kind: self.net[f"res_{kind}"][column].copy() for kind, column in columns.items()}

    def __call__(self, state: State, piece: set) -> bool:
        key = (frozenset(state.opened), frozenset(state.dead_sources), min(piece))
        if key not in self.known:
            self.known[key] = self._fits(state, piece)
        return self.known[key]

    def _fits(self, state: State, piece: set) -> bool:
        """Everything that hangs on the source that now feeds the piece."""
        closed = {at: state.is_closed(at) for at in self.normal}
        fed = reach(state.grid, piece, state.is_closed)
        try:
            self._run(closed)
        except pp.LoadflowNotConverged:
            return False
        at = {kind: [place[1] for place in fed if place[0] == kind] for kind in ("bus", "line", "trafo")}
        return self._voltages(at["bus"]) and self._loadings(at)

    def _voltages(self, buses: list[int]) -> bool:
        now, before = self.net.res_bus.vm_pu[buses], self.before["bus"][buses]
        low = np.minimum(self.limits.vm_min_pu, before.fillna(self.limits.vm_min_pu) - HAIR)
        high = np.maximum(self.limits.vm_max_pu, before.fillna(self.limits.vm_max_pu) + HAIR)
        return bool((now.notna() & (now >= low) & (now <= high)).all())

    def _loadings(self, at: dict[str, list[int]]) -> bool:
        fits = True
        for kind, allowed in (("line", self.limits.line_loading_max_percent), ("trafo", self.limits.trafo_loading_max_percent)):
            now = self.net[f"res_{kind}"].loading_percent[at[kind]].fillna(0.0)
            before = self.before[kind][at[kind]].fillna(0.0)
            fits &= bool((now <= np.maximum(allowed, before + HAIR)).all())
        return fits


NAMES = ("sustained", "momentary", "sustained_h", "dark_h", "ens_mwh")


def seen_by(story: Story, bus: int, momentary_min: float) -> tuple[float, ...]:
    """What one occurrence means for the customers of a bus, in the order of NAMES."""
    hours = story.hours[bus]
    long = hours * 60 > momentary_min
    return float(long), float(not long), hours * long, hours, hours * story.p_mw.get(bus, 0.0)


def enumerate_faults(groups: list[list[Story]], buses: list[int], momentary_min: float) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Expected year by bus, and the variance of a year by bus (every story is a Poisson process of its own)."""
    row = {bus: at for at, bus in enumerate(buses)}
    mean, variance = np.zeros((2, len(buses), len(NAMES)))
    for story in itertools.chain.from_iterable(groups):
        for bus in story.hours:
            if bus in row:
                values = np.array(seen_by(story, bus, momentary_min))
                mean[row[bus]] += story.rate * values
                variance[row[bus]] += story.rate * values**2
    return pd.DataFrame(mean, buses, list(NAMES)), pd.DataFrame(variance, buses, list(NAMES))


def simulate(
    groups: list[list[Story]], buses: list[int], years: int, momentary_min: float, rng: np.random.Generator
) -> dict[str, np.ndarray]:
    """Years x buses of what customers saw; one group of stories per failing element.

    Every element fails after exponential times; which of its stories happens (who trips, how loaded) is drawn at that moment.
    """
    column = {bus: at for at, bus in enumerate(buses)}
    seen = np.zeros((len(NAMES), years, len(buses)))
    for stories in groups:
        rates = np.array([story.rate for story in stories])
        effects = [
            [(column[bus], seen_by(story, bus, momentary_min)) for bus in story.hours if bus in column] for story in stories
        ]
        clock = rng.exponential(1 / rates.sum())
        while clock < years:
            happens = rng.choice(len(stories), p=rates / rates.sum())
            for at, values in effects[happens]:
                seen[:, int(clock), at] += values
            clock += rng.exponential(1 / rates.sum())
    return dict(zip(NAMES, seen, strict=True))


def split(grid: Grid, fault: Fault) -> list[Fault]:
    """A normally open switch that fails: one fault at both its sides, or two if neither side's protection cuts off the other."""
    if grid.devices[fault.switch].closed:
        return [fault]
    one, other = (chain(grid, place, fault.switch) for place in fault.places)
    if one[0] in other or other[0] in one:
        return [fault]
    return [Fault("switch", fault.element_id, (place,), fault.rate, fault.repair_h, fault.switch) for place in fault.places]


def chain(grid: Grid, place: tuple, failed: int | None) -> list:
    """What may interrupt a fault at one place, the nearest first, the source at last."""
    joined = reach(grid, [place], lambda at: grid.devices[at].closed)
    devices = [at for at in path_to_source(grid, place) if at != failed and grid.devices[at].kind in PROTECTIVE]
    return devices + [source for source in grid.sources if source in joined]
