"""Where boxes and wires of an architecture diagram go: rows of zones, columns of domains, right-angled wires in channels.

Systems through which others talk (a bus, a demilitarised zone) become bars across the page, so that a flow over them is two
short wires. Every other flow is one wire: down from a box into the gutter between two rows, along it on a track of its own, and
on through free cells or through a channel between two columns. Nothing overlaps; crossings are few, and only at right angles.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import pandas as pd

ZONES = ("market", "enterprise", "demilitarised", "operation", "station", "field", "process")
DOMAINS = ("generation", "transmission", "distribution", "DER", "customer")
DMZ_LEVEL = 3.5
LINES = 3  # rows of boxes that a zone should not exceed
SLOTS = 9  # places for wires along a box
BOX, LINE, BAR = 84.0, 46.0, 24.0  # width and height of a box, height of a bar [px of a printed page]
TRACK, EDGE = 5.5, 7.0  # distance of wires, and of a wire from a box

Span = tuple[float, float]


@dataclass(frozen=True)
class Rectangle:
    """A box, a bar, a zone or a domain on the page; y grows downwards."""

    x0: float
    x1: float
    y0: float
    y1: float


@dataclass(frozen=True)
class Wire:
    """A wire from a to b, b a bar or a box; `points` begin at a."""

    a: str
    b: str
    points: tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Diagram:
    """Everything on the page, by name."""

    boxes: Mapping[str, Rectangle]
    bars: Mapping[str, Rectangle]
    zones: Mapping[str, Rectangle]
    domains: Mapping[str, Rectangle]
    wires: tuple[Wire, ...]
    width: float
    height: float


def diagram(systems: pd.DataFrame, pairs: Iterable[tuple[str, str]], bars: Sequence[str]) -> Diagram:
    """Place systems and lead a wire for every pair.

    Parameters
    ----------
    systems
        `system`, `domain`, `zone`, `purdue_level`.
    pairs
        Names of two systems, each pair once; of two with a bar the bar stands last.
    bars
        Systems drawn as bars.
    """
    pairs = [*dict.fromkeys(pairs)]
    grid = _improved(_placed(systems, bars), pairs)
    paths = _Router(grid).lead(pairs)
    return _drawn(grid, paths)


# --- places -------------------------------------------------------------------------------------------------------------------


@dataclass
class Grid:
    """Cells by name, (column, level); a bar has a level only."""

    cells: dict[str, tuple[int, int]]
    bars: dict[str, int]
    levels: list[tuple[str, bool]]  # zone, and whether it is a bar
    columns: list[str]  # domain of each column

    def level(self, name: str) -> int:
        return self.bars[name] if name in self.bars else self.cells[name][1]


def zone_of(systems: pd.DataFrame) -> pd.Series:
    """Return the row in which each system is drawn."""
    return systems["zone"].mask(systems["purdue_level"].astype(float) == DMZ_LEVEL, "demilitarised")


def _placed(systems: pd.DataFrame, bars: Sequence[str]) -> Grid:
    table = pd.DataFrame({"system": systems["system"], "domain": systems["domain"], "zone": zone_of(systems)})
    boxes = table[~table["system"].isin(bars)]
    count = boxes.groupby(["domain", "zone"]).size()
    widest = count.groupby("domain").max()
    columns = [name for name in DOMAINS for _ in range(math.ceil(widest.get(name, 0) / LINES))] or ["distribution"]
    grid = Grid({}, {}, [], columns)
    for zone in ZONES:
        for name in table.loc[(table["zone"] == zone) & table["system"].isin(bars), "system"]:
            grid.bars[name] = len(grid.levels)
            grid.levels.append((zone, True))
        here = boxes[boxes["zone"] == zone]
        lines = 0
        for domain, group in here.groupby("domain", sort=False):
            own = [number for number, name in enumerate(columns) if name == domain]
            for number, name in enumerate(group["system"]):
                grid.cells[name] = (own[number % len(own)], len(grid.levels) + number // len(own))
            lines = max(lines, math.ceil(len(group) / len(own)))
        grid.levels += [(zone, False)] * lines
    return grid


def _improved(grid: Grid, pairs: Sequence[tuple[str, str]]) -> Grid:
    """Exchange boxes, and move them to free cells, as long as that shortens the wires."""
    around: dict[str, list[str]] = {name: [] for name in grid.cells}
    for a, b in pairs:
        for one, other in ((a, b), (b, a)):
            if one in around:
                around[one].append(other)
    own = _alternatives(grid)
    improving = True
    while improving:
        improving = False
        for name in grid.cells:
            for cell in own[name]:
                improving |= _exchange(grid, around, name, cell)
    return grid


def _alternatives(grid: Grid) -> dict[str, list[tuple[int, int]]]:
    """Return the cells of the same domain and zone for every box."""
    found = {}
    for name, (column, level) in grid.cells.items():
        columns = [c for c, domain in enumerate(grid.columns) if domain == grid.columns[column]]
        lines = [n for n, row in enumerate(grid.levels) if row == grid.levels[level]]
        found[name] = list(itertools.product(columns, lines))
    return found


def _exchange(grid: Grid, around: Mapping[str, list[str]], name: str, cell: tuple[int, int]) -> bool:
    old = grid.cells[name]
    if cell == old:
        return False
    there = next((other for other, place in grid.cells.items() if place == cell), None)
    concerned = [name] if there is None else [name, there]
    before = sum(_length(grid, around, one) for one in concerned)
    grid.cells[name] = cell
    if there is not None:
        grid.cells[there] = old
    if sum(_length(grid, around, one) for one in concerned) < before - 1e-9:
        return True
    grid.cells[name] = old
    if there is not None:
        grid.cells[there] = cell
    return False


def _length(grid: Grid, around: Mapping[str, list[str]], name: str) -> float:
    column, level = grid.cells[name]
    total = 0.0
    for other in around[name]:
        rows = abs(level - grid.level(other))
        total += 1.2 * rows
        if other in grid.cells:
            across = abs(column - grid.cells[other][0])
            total += across + (0.5 if rows == 0 and across > 1 else 0)
    return total


# --- routes -------------------------------------------------------------------------------------------------------------------


@dataclass
class Path:
    """A wire before it has coordinates: slots at its ends, verticals, and stretches along gutters."""

    a: str
    b: str
    start: tuple[int, int] | None = None  # column and slot at a
    end: tuple[int, int] | None = None  # at b; None for a bar reached from a channel
    channel: tuple[int, int] | None = None  # channel and track
    gutters: list[int] = field(default_factory=list)
    beside: int | None = None  # number among wires between neighbours
    up: bool = False


class _Router:
    """Leads wires one after the other; remembers which slots and tracks are taken."""

    def __init__(self, grid: Grid) -> None:
        self.grid = grid
        self.full = set(grid.cells.values())
        self.taken: set[tuple[int, int, int]] = set()  # column, slot, gutter
        self.tracks: dict[int, list[list[Span]]] = {c: [] for c in range(len(grid.columns) + 1)}
        self.neighbours: dict[frozenset[str], int] = {}

    def lead(self, pairs: Sequence[tuple[str, str]]) -> list[Path]:
        """Return a path for every pair, the shortest first."""
        ordered = sorted(pairs, key=self._span)
        return [self._one(a, b) for a, b in ordered]

    def _span(self, pair: tuple[str, str]) -> tuple[float, float]:
        a, b = pair
        rows = abs(self.grid.level(a) - self.grid.level(b))
        across = 0 if b in self.grid.bars else abs(self.grid.cells[a][0] - self.grid.cells[b][0])
        return (across > 0, rows + across)

    def _one(self, a: str, b: str) -> Path:
        if b in self.grid.bars:
            return self._to_bar(a, b)
        if self.grid.level(a) > self.grid.level(b):
            a, b = b, a
        (ca, i), (cb, j) = self.grid.cells[a], self.grid.cells[b]
        if i == j:
            return self._beside(a, b)
        if ca == cb and not self._blocked(ca, i, j):
            slot = self._slot(ca, range(i + 1, j + 1), SLOTS // 2)
            return Path(a, b, (ca, slot), (cb, slot))
        if j == i + 1 or not self._blocked(cb, i, j):
            start = self._slot(ca, [i + 1], self._towards(ca, cb))
            return Path(a, b, (ca, start), (cb, self._slot(cb, range(i + 1, j + 1), self._towards(cb, ca))), gutters=[i + 1])
        if not self._blocked(ca, i, j):
            start = self._slot(ca, range(i + 1, j + 1), self._towards(ca, cb))
            return Path(a, b, (ca, start), (cb, self._slot(cb, [j], self._towards(cb, ca))), gutters=[j])
        channel = self._channel(ca, cb, (i + 0.5, j - 0.5))
        start = self._slot(ca, [i + 1], self._towards(ca, channel[0] - 0.5))
        end = self._slot(cb, [j], self._towards(cb, channel[0] - 0.5))
        return Path(a, b, (ca, start), (cb, end), channel, [i + 1, j])

    def _beside(self, a: str, b: str) -> Path:
        if self.grid.cells[a][0] > self.grid.cells[b][0]:
            a, b = b, a
        (ca, i), (cb, _) = self.grid.cells[a], self.grid.cells[b]
        if all((c, i) not in self.full for c in range(ca + 1, cb)):
            key = frozenset((a, b))
            self.neighbours[key] = self.neighbours.get(key, -1) + 1
            return Path(a, b, beside=self.neighbours[key])
        gutter = min((i + 1, i), key=lambda g: sum(1 for taken in self.taken if taken[2] == g))
        start = self._slot(ca, [gutter], self._towards(ca, cb))
        return Path(a, b, (ca, start), (cb, self._slot(cb, [gutter], self._towards(cb, ca))), gutters=[gutter], up=gutter == i)

    def _to_bar(self, a: str, bar: str) -> Path:
        (ca, i), j = self.grid.cells[a], self.grid.bars[bar]
        up = j < i
        low, high = (j, i) if up else (i, j)
        if not self._blocked(ca, low, high):
            slot = self._slot(ca, range(low + 1, high + 1), SLOTS // 2)
            return Path(a, bar, (ca, slot), (ca, slot), up=up)
        channel = self._channel(ca, ca, (low + 0.5, high - 0.5))
        gutter = i if up else i + 1
        start = self._slot(ca, [gutter], self._towards(ca, channel[0] - 0.5))
        return Path(a, bar, (ca, start), None, channel, [gutter], up=up)

    def _blocked(self, column: int, i: int, j: int) -> bool:
        return any((column, level) in self.full for level in range(i + 1, j))

    def _towards(self, column: float, other: float) -> int:
        """Return the slot that looks to another column."""
        return round((SLOTS - 1) * (0.5 + 0.38 * max(-1.0, min(1.0, (other - column) / 1.5))))

    def _slot(self, column: int, gutters: Iterable[int], wanted: int) -> int:
        """Take the free slot nearest to the one wanted."""
        gutters = list(gutters)
        free = [s for s in range(SLOTS) if not any((column, s, gutter) in self.taken for gutter in gutters)]
        slot = min(free or range(SLOTS), key=lambda s: (abs(s - wanted), s))
        self.taken |= {(column, slot, gutter) for gutter in gutters}
        return slot

    def _channel(self, ca: int, cb: int, span: Span) -> tuple[int, int]:
        """Take the channel with the least detour and room, and a track in it."""
        detour = {c: abs(c - 0.5 - ca) + abs(c - 0.5 - cb) + 0.2 * len(self.tracks[c]) for c in self.tracks}
        channel = min(detour, key=lambda c: (detour[c], c))
        for number, spans in enumerate(self.tracks[channel]):
            if all(span[1] < low or high < span[0] for low, high in spans):
                spans.append(span)
                return channel, number
        self.tracks[channel].append([span])
        return channel, len(self.tracks[channel]) - 1


# --- coordinates --------------------------------------------------------------------------------------------------------------


@dataclass
class Stretch:
    """A piece of a wire along a gutter: its ends, and whether the wire leaves each upwards."""

    path: int
    gutter: int
    x: Span
    up: tuple[bool, bool]
    track: int = 0


def _drawn(grid: Grid, paths: list[Path]) -> Diagram:
    left, channels = _columns(grid, paths)
    stretches = [
        _stretch(grid, paths, number, n, left, channels) for number, path in enumerate(paths) for n in range(len(path.gutters))
    ]
    heights = {}
    for gutter in range(len(grid.levels) + 1):
        own = [stretch for stretch in stretches if stretch.gutter == gutter]
        heights[gutter] = _tracks(own)
    top = _rows(grid, heights)
    width = left[-1] + BOX + _channel_width(len(grid.columns), paths)
    track_y = {(s.path, s.gutter): top[s.gutter][0] + EDGE + TRACK * s.track for s in stretches}
    boxes = {
        name: Rectangle(left[c], left[c] + BOX, top[level][1], top[level][1] + LINE) for name, (c, level) in grid.cells.items()
    }
    bars = {name: Rectangle(0, width, top[level][1], top[level][1] + BAR) for name, level in grid.bars.items()}
    wires = tuple(
        Wire(path.a, path.b, _points(path, {**boxes, **bars}, left, channels, {g: track_y[number, g] for g in path.gutters}))
        for number, path in enumerate(paths)
    )
    end = top[len(grid.levels)][1]
    return Diagram(boxes, bars, _zones(grid, top, width), _domains(grid, left, end), wires, width, end)


def _channel_width(channel: int, paths: list[Path]) -> float:
    tracks = {path.channel[1] for path in paths if path.channel and path.channel[0] == channel}
    return 2 * EDGE + TRACK * max(len(tracks) - 1, 0)


def _columns(grid: Grid, paths: list[Path]) -> tuple[list[float], dict[int, float]]:
    """Return the left edge of every column, and the place of the first track in every channel."""
    left, first, x = [], {}, 0.0
    for column in range(len(grid.columns) + 1):
        first[column] = x + EDGE
        x += _channel_width(column, paths)
        left.append(x)
        x += BOX
    return left[:-1], first


def _slot_x(left: Sequence[float], place: tuple[int, int]) -> float:
    return left[place[0]] + BOX * (place[1] + 1) / (SLOTS + 1)


def _channel_x(first: Mapping[int, float], place: tuple[int, int]) -> float:
    return first[place[0]] + TRACK * place[1]


def _stretch(grid: Grid, paths: list[Path], number: int, n: int, left: Sequence[float], channels: Mapping[int, float]) -> Stretch:
    """Return the n-th stretch of a path along a gutter."""
    path = paths[number]
    places = [_slot_x(left, path.start)]
    places += [_channel_x(channels, path.channel)] if path.channel else []
    places += [_slot_x(left, path.end)] if path.end else []
    same_row = path.b in grid.cells and grid.level(path.a) == grid.level(path.b)
    up = not path.up if n == 0 else True
    ends = (up, up if same_row else not up)
    x0, x1 = places[n], places[n + 1]
    return (
        Stretch(number, path.gutters[n], (x0, x1), ends) if x0 <= x1 else Stretch(number, path.gutters[n], (x1, x0), ends[::-1])
    )


def _tracks(own: list[Stretch]) -> int:
    """Give every stretch of a gutter a track, few crossings first; return the number of tracks."""
    tracks: list[list[Span]] = []
    for stretch in sorted(own, key=lambda s: s.x):
        low, high = stretch.x[0] - TRACK, stretch.x[1] + TRACK
        for number, spans in enumerate(tracks):
            if all(high <= a or b <= low for a, b in spans):
                stretch.track = number
                break
        else:
            stretch.track = len(tracks)
            tracks.append([])
        tracks[stretch.track].append(stretch.x)
    improving = True
    while improving:
        improving = any(_swapped(own, a, b) for a, b in itertools.combinations(range(len(tracks)), 2))
    return len(tracks)


def _swapped(own: list[Stretch], a: int, b: int) -> bool:
    """Exchange two tracks if that lessens the crossings."""
    before = _crossings(own)
    _swap(own, a, b)
    if _crossings(own) < before:
        return True
    _swap(own, a, b)
    return False


def _swap(own: list[Stretch], a: int, b: int) -> None:
    for stretch in own:
        stretch.track = {a: b, b: a}.get(stretch.track, stretch.track)


def _crossings(own: list[Stretch]) -> int:
    """Count where the ends of one stretch cross another in the same gutter."""
    total = 0
    for one, other in itertools.permutations(own, 2):
        for x, up in zip(one.x, one.up, strict=True):
            inside = other.x[0] < x < other.x[1]
            total += inside and ((up and other.track < one.track) or (not up and other.track > one.track))
    return total


def _rows(grid: Grid, tracks: Mapping[int, int]) -> dict[int, tuple[float, float]]:
    """Return, for every level, the top of the gutter above it and its own top."""
    y, found = 0.0, {}
    for level in range(len(grid.levels) + 1):
        start = y
        y += 2 * EDGE + TRACK * max(tracks[level] - 1, 0)
        if 0 < level < len(grid.levels) and grid.levels[level][0] != grid.levels[level - 1][0]:
            y += EDGE
        found[level] = (start, y)
        if level < len(grid.levels):
            y += BAR if grid.levels[level][1] else LINE
    return found


def _points(
    path: Path,
    shapes: Mapping[str, Rectangle],
    left: Sequence[float],
    channels: Mapping[int, float],
    track_y: Mapping[int, float],
) -> tuple[tuple[float, float], ...]:
    a, b = shapes[path.a], shapes[path.b]
    if path.beside is not None:
        y = (a.y0 + a.y1) / 2 + (8 * ((path.beside + 1) // 2) * (-1) ** path.beside)
        return ((a.x1, y), (b.x0, y))
    x0 = _slot_x(left, path.start)
    same_row = a.y0 == b.y0
    y0 = a.y0 if path.up else a.y1
    y1 = (b.y0 if path.up else b.y1) if same_row else (b.y1 if path.up else b.y0)
    points = [(x0, y0)]
    if path.gutters:
        points.append((x0, track_y[path.gutters[0]]))
    if path.channel:
        x = _channel_x(channels, path.channel)
        points.append((x, track_y[path.gutters[0]]))
        points.append((x, track_y[path.gutters[1]] if len(path.gutters) > 1 else y1))
    if path.end:
        x1 = _slot_x(left, path.end)
        if path.gutters:
            points.append((x1, track_y[path.gutters[-1]]))
        points.append((x1, y1))
    return tuple(points)


def _zones(grid: Grid, top: Mapping[int, tuple[float, float]], width: float) -> dict[str, Rectangle]:
    found = {}
    for zone in dict.fromkeys(zone for zone, _ in grid.levels):
        own = [level for level, (name, _) in enumerate(grid.levels) if name == zone]
        last = max(own)
        end = top[last][1] + (BAR if grid.levels[last][1] else LINE)
        found[zone] = Rectangle(0, width, top[min(own)][1] - EDGE / 2, end + EDGE / 2)
    return found


def _domains(grid: Grid, left: Sequence[float], end: float) -> dict[str, Rectangle]:
    found = {}
    for domain in dict.fromkeys(grid.columns):
        own = [column for column, name in enumerate(grid.columns) if name == domain]
        found[domain] = Rectangle(left[min(own)], left[max(own)] + BOX, 0, end)
    return found
