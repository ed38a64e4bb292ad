"""Grid needs: what is outside its limits, when, how often, why, and what energy hangs on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
from pandapower.auxiliary import pandapowerNet

from gridplan import network, powerflow
from gridplan.needs import _tree
from gridplan.powerflow import Limits, Profiles

COLUMNS = [
    "scenario",
    "year",
    "element",
    "element_id",
    "name",
    "area",
    "kind",
    "hours",
    "events",
    "worst",
    "worst_time",
    "cause",
    "judged_by",
    "energy_at_risk_mwh",
]
OVERLOADS = {"line": "line overload", "trafo": "transformer overload", "trafo3w": "transformer overload"}
REVERSE = "reverse-flow overload"
_CHUNK = 8760  # steps whose voltages and loadings are held at once
_UNJUDGED = {
    "no solution": "the power flow has no solution in these steps, so nothing in them could be judged",
    "no supply": "the bus has no path to a source in the normal switching state",
    "no rating": "the element has no rating, so its loading cannot be judged",
}


def find(
    net: pandapowerNet,
    profiles: Profiles,
    limits: Limits,
    *,
    year: int | None = None,
    scenario: str | None = None,
    areas: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Everything that is outside its limits over the steps of some profiles.

    An overload in steps in which more is generated than consumed behind the element is a need of its own
    (``reverse-flow overload``). Energy at risk [1]_ is, of an overload, the energy above the limit (loading above it times the
    rating, so strictly MVAh); of a voltage, the energy consumed at the bus in these steps, and for an overvoltage also that
    fed in there; of steps without a solution, all that the network consumes in them.

    Parameters
    ----------
    net
        Network; not changed.
    profiles
        Powers over time.
    limits
        Voltage band and highest loadings.
    year, scenario
        Written into the table.
    areas
        Columns `bus`, `area`; the feeders of the network if not given.

    Returns
    -------
    pd.DataFrame
        One row an element and kind: `scenario`, `year`, `element`, `element_id`, `name`, `area` (missing above the feeders),
        `kind` (undervoltage, overvoltage, line overload, transformer overload, reverse-flow overload, and no solution, no
        supply, no rating for what cannot be judged), `hours` [h], `events` (unbroken runs of steps), `worst` [pu or %],
        `worst_time`, `cause` (load, generation, voltage, reverse flow; none where it cannot be judged), `judged_by` (the state
        at the worst step from which the cause follows), `energy_at_risk_mwh` [MWh]. Empty if nothing is wrong.

    Notes
    -----
    The cause of a voltage need: ``voltage`` if the supply bus bar of the feeder is outside the same limit in the same step, or
    the feeder's balance cannot explain it; else ``load`` for an undervoltage while the feeder consumes, ``generation`` for an
    overvoltage while it feeds back. In a meshed network what lies behind an element is found along the shortest ways.

    References
    ----------
    .. [1] Australian distribution annual planning reports use the term for the energy above a rating; general knowledge,
       not checked at a source.
    """
    outline = powerflow.violations(powerflow.run(net, profiles, keep="statistics", limits=limits))
    if outline.empty:
        return _table([], year, scenario)
    readings = _read(net, profiles, outline)
    context = _context(net, profiles, limits, areas)
    rows: list[dict[str, Any]] = []
    for row in outline.itertuples():
        if row.kind in _UNJUDGED:
            rows.append(_unjudged(row, readings, context))
        elif row.element == "bus":
            rows.append(_voltage(row, readings, context))
        else:
            rows += _overload(row, readings, context)
    return _table(rows, year, scenario)


def first_years(needs: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """When each need first appears.

    Parameters
    ----------
    needs
        Tables of :func:`find`, one a year and scenario, in any order.

    Returns
    -------
    pd.DataFrame
        One row an element and kind (and scenario): `scenario`, `element`, `element_id`, `name`, `area`, `kind`, `first_year`,
        `last_year`, `hours_first` and `hours_last` [h] in them, `worst` [pu or %] of all years, `cause` in the first year.
    """
    keys = ["scenario", "element", "element_id", "name", "area", "kind"]
    columns = [*keys, "first_year", "last_year", "hours_first", "hours_last", "worst", "cause"]
    filled = [table for table in needs if len(table)]
    if not filled:
        return pd.DataFrame(columns=columns)
    every = pd.concat([table.astype({"scenario": object, "area": object}) for table in filled], ignore_index=True)
    every = every.sort_values("year", kind="stable")
    every["low"] = every["worst"].where(every["kind"] == "undervoltage")
    groups = every.groupby(keys, dropna=False, sort=False)
    found = groups.agg(
        first_year=("year", "first"),
        last_year=("year", "last"),
        hours_first=("hours", "first"),
        hours_last=("hours", "last"),
        low=("low", "min"),
        high=("worst", "max"),
        cause=("cause", "first"),
    ).reset_index()
    found["worst"] = found["low"].fillna(found["high"])
    return found[columns].sort_values(["scenario", "first_year", "element", "element_id"], ignore_index=True)


@dataclass(frozen=True, eq=False)
class _Readings:
    """Values over time of what is outside limits, by (element, element_id), and whether each step has a solution."""

    series: dict[tuple[str, int], np.ndarray]
    buses: dict[int, np.ndarray]
    converged: np.ndarray


@dataclass(frozen=True, eq=False)
class _Context:
    """What a need is judged by."""

    net: pandapowerNet
    profiles: Profiles
    limits: Limits
    tree: _tree.Tree
    area: dict[int, str]
    head: dict[str, int]

    def powers(self, buses: frozenset[int], steps: slice = slice(None)) -> tuple[np.ndarray, np.ndarray]:
        """Load (with storage that charges) and generation of some buses over time [MW]; each (steps,)."""
        load = self._sum("load", buses, steps) + self._sum("storage", buses, steps)
        return load, self._sum("sgen", buses, steps) + float(_static(self.net, "gen", buses).sum())

    def _sum(self, element: str, buses: frozenset[int], steps: slice) -> np.ndarray:
        power = _static(self.net, element, buses)
        driven = self.profiles.elements[self.profiles.elements["element"] == element].set_index("element_id")["shape_p"]
        still = power[~power.index.isin(driven.index)].sum()
        by_shape = power[power.index.isin(driven.index)].groupby(driven.reindex(power.index)).sum()
        return self.profiles.shapes[by_shape.index].iloc[steps].to_numpy(float) @ by_shape.to_numpy(float) + float(still)


def _static(net: pandapowerNet, element: str, buses: frozenset[int]) -> pd.Series:
    table = net[element]
    used = table[table["in_service"].astype(bool) & table["bus"].isin(buses)]
    return (used["p_mw"] * used["scaling"]).astype(float)


def _context(net: pandapowerNet, profiles: Profiles, limits: Limits, areas: pd.DataFrame | None) -> _Context:
    given = network.areas(net, areas)
    area = dict(zip(given["bus"], given["area"], strict=True))
    heads = network.feeder_heads(net)
    bars = {area.get(first): bar for first, bar in zip(heads["first_bus"][::-1], heads["bus"][::-1], strict=True)}
    return _Context(net, profiles, limits, _tree.build(net), area, bars)


def _read(net: pandapowerNet, profiles: Profiles, outline: pd.DataFrame) -> _Readings:
    """Solve once more, part by part, and keep what the needs are about."""
    wanted = sorted({(e, int(i)) for e, i in zip(outline["element"], outline["element_id"], strict=True) if i >= 0})
    heads = set(network.feeder_heads(net)["bus"]) | set(network.topology.source_buses(net))
    steps = len(profiles.time)
    edges = [*range(0, max(steps - 1, 1), _CHUNK), steps]
    parts, bars, solved = [], [], []
    for start, end in pairwise(edges):
        shapes = profiles.shapes.iloc[start:end]
        result = powerflow.run(net, Profiles(profiles.time[start:end], shapes, profiles.elements))
        parts.append(np.column_stack([np.empty((end - start, 0)), *(_series(result, *key) for key in wanted)]))
        bars.append(result.vm_pu[sorted(heads)].to_numpy(float))
        solved.append(result.converged)
    values = dict(zip(wanted, np.vstack(parts).T, strict=True))
    return _Readings(values, dict(zip(sorted(heads), np.vstack(bars).T, strict=True)), np.concatenate(solved))


def _series(result: powerflow.PowerFlow, element: str, element_id: int) -> np.ndarray:
    table = result.vm_pu if element == "bus" else getattr(result, f"{element}_loading_percent")
    return table[element_id].to_numpy(float)


def _unjudged(row: Any, readings: _Readings, context: _Context) -> dict[str, Any]:
    mask = readings.converged if row.kind != "no solution" else ~readings.converged
    energy = np.nan
    if row.kind == "no solution":
        energy = _energy(context, context.powers(frozenset(context.net.bus.index))[0], mask)
    values = {"kind": row.kind, "worst": np.nan, "at": int(np.argmax(mask)), "cause": None}
    return _need(row, context, mask, judged_by=_UNJUDGED[row.kind], energy_at_risk_mwh=energy, **values)


def _voltage(row: Any, readings: _Readings, context: _Context) -> dict[str, Any]:
    low = row.kind == "undervoltage"
    vm = readings.series["bus", row.element_id]
    limit = context.limits.vm_min_pu if low else context.limits.vm_max_pu
    mask = vm < limit if low else vm > limit
    at = int(np.nanargmin(vm) if low else np.nanargmax(vm))
    cause, judged_by = _voltage_cause(row, readings, context, at)
    load, generation = context.powers(frozenset({row.element_id}))
    energy = _energy(context, load if low else load + generation, mask)
    values = {"kind": row.kind, "worst": float(vm[at]), "at": at, "cause": cause}
    return _need(row, context, mask, judged_by=judged_by, energy_at_risk_mwh=energy, **values)


def _voltage_cause(row: Any, readings: _Readings, context: _Context, at: int) -> tuple[str, str]:
    low = row.kind == "undervoltage"
    area = context.area.get(row.element_id)
    bar = context.head[area] if area in context.head else context.tree.source(row.element_id)
    hop = context.tree.above.get(row.element_id)
    own = context.tree.below[hop.element, hop.element_id] if hop else frozenset({row.element_id})
    buses = own if area is None else frozenset(bus for bus, name in context.area.items() if name == area)
    load, generation = (float(power[0]) for power in context.powers(buses, slice(at, at + 1)))
    reference = float(readings.buses[bar][at])
    where = f"feeder {area}" if area is not None else "behind the bus"
    words = f"{where}: load {load:.2f} MW, generation {generation:.2f} MW; {network.display_name(context.net, 'bus', bar)} at "
    words += f"{reference:.3f} pu"
    outside = reference < context.limits.vm_min_pu if low else reference > context.limits.vm_max_pu
    if outside and bar != row.element_id:
        return "voltage", words
    if low:
        return ("load" if load > generation else "voltage"), words
    return ("generation" if generation > load else "voltage"), words


def _overload(row: Any, readings: _Readings, context: _Context) -> list[dict[str, Any]]:
    """Forward and reverse overloads of one element, as two needs."""
    loading = readings.series[row.element, row.element_id]
    limits = context.limits
    limit = limits.line_loading_max_percent if row.element == "line" else limits.trafo_loading_max_percent
    load, generation = context.powers(context.tree.below.get((row.element, row.element_id), frozenset()))
    reverse, over = generation > load, loading > limit
    rating = _tree.rating_mva(context.net, row.element, row.element_id)
    above = (loading - limit) / 100.0 * rating
    needs = []
    for kind, cause, mask in (
        (OVERLOADS[row.element], "load", over & ~reverse),
        (REVERSE, "reverse flow", over & reverse),
    ):
        if mask.any():
            at = int(np.argmax(np.where(mask, loading, -np.inf)))
            words = f"behind it: load {load[at]:.2f} MW, generation {generation[at]:.2f} MW"
            values = {"kind": kind, "worst": float(loading[at]), "at": at, "cause": cause}
            energy = _energy(context, above, mask)
            needs.append(_need(row, context, mask, judged_by=words, energy_at_risk_mwh=energy, **values))
    return needs


def _energy(context: _Context, power: np.ndarray, mask: np.ndarray) -> float:
    return float(power[mask].sum() * context.profiles.step_h)


def _need(row: Any, context: _Context, mask: np.ndarray, *, at: int, **values: Any) -> dict[str, Any]:
    element, number = row.element, int(row.element_id)
    return {
        "element": element,
        "element_id": number,
        "name": network.display_name(context.net, element, number) if number >= 0 else element,
        "area": area_of(context.tree, context.area, element, number),
        "hours": float(mask.sum() * context.profiles.step_h),
        "events": int((np.diff(mask.astype(np.int8), prepend=0) == 1).sum()),
        "worst_time": context.profiles.time[at],
        **values,
    }


def area_of(tree: _tree.Tree, area: dict[int, str], element: str, element_id: int) -> str | None:
    """Area that an element belongs to: of a bus its own, of a branch that of the buses behind it; None above the feeders."""
    if element == "bus":
        return area.get(element_id)
    names = {area.get(bus) for bus in tree.below.get((element, element_id), ())}
    return names.pop() if len(names) == 1 else None


def _table(rows: list[dict[str, Any]], year: int | None, scenario: str | None) -> pd.DataFrame:
    table = pd.DataFrame(rows, columns=COLUMNS)
    table["scenario"], table["year"] = scenario, year
    whole = {"element_id": int, "events": int} | ({} if year is None else {"year": int})
    return table.astype(whole).sort_values(["kind", "energy_at_risk_mwh"], ascending=[True, False], ignore_index=True)
