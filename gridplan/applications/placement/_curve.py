"""Gain against the number of switches, the plan of each area, and what a choice does to the outage model."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import pandas as pd

from gridplan import reliability
from gridplan.applications import _restoration
from gridplan.applications.placement._evaluate import Evaluator
from gridplan.applications.placement._indicators import indicators
from gridplan.applications.placement._search import Exact, Greedy, exchanged
from gridplan.errors import ParameterError, Problem, suggest
from gridplan.network import display_name
from gridplan.reliability import Model, Outages
from gridplan.valuation import CostSet

Kind = Literal["remote", "automatic", "indicator"]
KINDS = {
    "remote": ("control", "remote"),
    "automatic": ("control", "automatic"),
    "indicator": ("fault_indicator", True),
}
"""What a switch can be equipped with, and what that sets in its row of `switchgear`."""

_RANK = {"manual": 0, "remote": 1, "automatic": 2}


@dataclass(frozen=True, eq=False)
class Search:
    """What is searched for, and how.

    Parameters
    ----------
    candidates
        Switches to choose from; all that are not equipped yet if not given.
    costs
        Costs of interruptions, which are then what is made smallest; None: customer minutes.
    areas
        Areas whose customers count and whose switches are candidates; None: all.
    effort
        Evaluations of the events below one device that a proof may take for each number of switches; 0 for no proof.
    shortlist
        Best candidates that are tried in exchange for a chosen one.
    """

    candidates: tuple[int, ...] | None = None
    costs: CostSet | None = None
    areas: tuple[str, ...] | None = None
    effort: int = 500
    shortlist: int = 6


def curve(
    model: Model, outages: Outages | None = None, *, most: int = 10, kind: Kind = "remote", search: Search | None = None
) -> pd.DataFrame:
    """Find the best switches to equip, for every number of them.

    Parameters
    ----------
    model
        From :func:`gridplan.reliability.prepare`.
    outages
        The state to start from; that of the model if not given.
    most
        Largest number of switches.
    kind
        What they are equipped with: remote or automatic control, or a fault indicator.
    search
        What is searched for, and how.

    Returns
    -------
    pd.DataFrame
        One row a number: `k`, `switches` (a tuple), `names`, `saidi_min` [min/yr], `saifi` [1/yr], `saved_min` (SAIDI saved)
        [min/yr], `customer_minutes` [min/yr], `gain` (of the objective against none: customer minutes a year, or thousands of the
        currency of the costs a year), `gain_bound` (no choice of this number gains more; missing for indicators),
        `gain_gap_percent` (of the gain to its bound) [%], `proven_best`, `nested` (contains the choice of the number before).

    Raises
    ------
    ParameterError
        `kind` is unknown, `most` below 0, or a candidate or area is not in the network.
    """
    outages, search = outages or model.outages, search or Search()
    candidates = _candidates(model, outages, kind, search, most)
    if kind == "indicator":
        return _indicator_curve(model, outages, candidates, most)
    found = _choices(Evaluator(model, outages, kind, candidates, search.costs, search.areas), model, most, search)
    return _table(model, outages, kind, found)


def equipped(model: Model, outages: Outages, switches: Iterable[int], kind: Kind = "remote") -> Outages:
    """Return an outage model with some more switches equipped; what has more already keeps it.

    Parameters
    ----------
    model, outages
        As for :func:`curve`.
    switches
        Switches to equip.
    kind
        With what.
    """
    column, value = KINDS[kind]
    wanted = [int(s) for s in switches]
    if column == "control":
        today = _restoration.devices(model.net, outages)["control"].map(_RANK)
        wanted = [s for s in wanted if today[s] < _RANK[str(value)]]
    return _restoration.with_switchgear(outages, wanted, column, value, "gridplan, placement of automation")


def plan(
    model: Model, outages: Outages | None = None, *, per_area: int = 3, kind: Kind = "remote", search: Search | None = None
) -> tuple[int, ...]:
    """Choose the best few switches of each area, for the customers of that area.

    Parameters
    ----------
    model, outages, kind, search
        As for :func:`curve`; the areas of `search`, or all.
    per_area
        Number of switches in each area. A tie chosen for two areas counts in both.

    Returns
    -------
    tuple[int, ...]
        Switches in order of number.
    """
    search = search or Search()
    names = search.areas or tuple(sorted(model.areas["area"].unique()))
    chosen: set[int] = set()
    for name in names:
        own = curve(model, outages, most=per_area, kind=kind, search=replace(search, areas=(name,)))
        chosen.update(own["switches"].iloc[-1])
    return tuple(sorted(chosen))


def places(model: Model, table: pd.DataFrame) -> pd.DataFrame:
    """Return where the switches of a curve stand, and from which number on each is chosen.

    Parameters
    ----------
    model
        As for :func:`curve`.
    table
        From :func:`curve`.

    Returns
    -------
    pd.DataFrame
        `switch`, `name`, `bus`, `k`: of the switches of the last row, in the order in which they come in.
    """
    last = table["switches"].iloc[-1]
    first = {s: int(table.loc[[s in chosen for chosen in table["switches"]], "k"].min()) for s in last}
    rows = [(s, display_name(model.net, "switch", s), int(model.net.switch.at[s, "bus"]), first[s]) for s in last]
    return pd.DataFrame(rows, columns=["switch", "name", "bus", "k"]).sort_values("k", ignore_index=True)


def _candidates(model: Model, outages: Outages, kind: str, search: Search, most: int) -> list[int]:
    """Switches to choose from; refuses what does not exist."""
    names, known = sorted(set(model.areas["area"])), model.net.switch.index
    problems = [] if kind in KINDS else [Problem("kind", f"{kind!r} is unknown; {suggest(kind, KINDS)}")]
    if most < 0:
        problems.append(Problem("most", f"{most} is below 0"))
    problems += [Problem("areas", f"'{a}' is no area; {suggest(a, names)}") for a in search.areas or () if a not in names]
    given = search.candidates if search.candidates is not None else ()
    problems += [
        Problem("candidates", f"switch {s} is not in the network; {suggest(str(s), map(str, known))}")
        for s in given
        if s not in known
    ]
    if problems:
        raise ParameterError("placement", problems)
    table = _restoration.devices(model.net, outages)
    table = table[~table["device"].isin(("fuse", "none"))]
    if kind != "indicator":
        table = table[table["control"].map(_RANK) < _RANK[kind]]
    inside = _restoration.covered(model.net, model.areas, search.areas)
    allowed = set(known) if search.candidates is None else set(given)
    return [int(s) for s in table.index if s in inside and s in allowed]


Choice = tuple[tuple[int, ...], float, float, bool]


def _choices(evaluator: Evaluator, model: Model, most: int, search: Search) -> dict[str, list]:
    """For each number of switches: the choice, its gain, the bound on the gain, whether it is proven best."""
    switch = model.net.switch["closed"].astype(bool)
    greedy = Greedy(evaluator, [s for s in evaluator.candidates if not switch[s]])
    exact = Exact(evaluator, search.effort)
    base = evaluator.loss(())
    sets: list[frozenset[int]] = [frozenset()]
    floors, proofs = [base], [True]
    for k in range(1, min(most, len(evaluator.candidates)) + 1):
        start = _next(evaluator, greedy, sets)
        start = exchanged(evaluator, start, greedy.ranked(start), search.shortlist)
        best, floor, proven = exact.lowest(k, start)
        greedy.moved(sets[-1], best)
        sets.append(best)
        floors.append(floor)
        proofs.append(proven)
    minutes = evaluator if evaluator.costs is None else None
    return {
        "switches": [tuple(sorted(s)) for s in sets],
        "gain": [base - evaluator.loss(s) for s in sets],
        "gain_bound": [base - floor for floor in floors],
        "proven": proofs,
        "minutes": [minutes],
    }


def _next(evaluator: Evaluator, greedy: Greedy, sets: Sequence[frozenset[int]]) -> frozenset[int]:
    """Best choice that has one switch more than the last, or a tie and a switch more than the one before."""
    single = greedy.more(sets[-1])
    if len(sets) < 2:
        return single
    target = evaluator.loss(sets[-2]) - evaluator.loss(single)
    return greedy.pair(sets[-2], target) or single


def _table(model: Model, outages: Outages, kind: Kind, found: dict[str, list]) -> pd.DataFrame:
    """One row a number of switches, each with the indices of the whole model."""
    rows = [reliability.totals(model, equipped(model, outages, chosen, kind)) for chosen in found["switches"]]
    table = pd.DataFrame({"k": range(len(rows)), "switches": found["switches"]})
    table["names"] = [", ".join(display_name(model.net, "switch", s) for s in chosen) for chosen in table["switches"]]
    table["saidi_min"], table["saifi"] = [row["saidi_min"] for row in rows], [row["saifi"] for row in rows]
    table["saved_min"] = table["saidi_min"].iloc[0] - table["saidi_min"]
    table["customer_minutes"] = [row["saidi_min"] * row["customers"] for row in rows]
    table["gain"] = found.get("gain", table["customer_minutes"].iloc[0] - table["customer_minutes"])
    bound = np.array(found.get("gain_bound", [np.nan] * len(rows)), float)
    table["gain_bound"] = np.maximum(bound, table["gain"])
    gap = table["gain_bound"] - table["gain"]
    table["gain_gap_percent"] = np.where(
        gap <= 1e-9 * bound, 0.0, 100 * gap / table["gain_bound"].where(table["gain_bound"] > 0, 1.0)
    )
    table["proven_best"] = found.get("proven", [False] * len(rows))
    before = [(), *table["switches"].iloc[:-1]]
    table["nested"] = [set(a) <= set(b) for a, b in zip(before, table["switches"], strict=True)]
    return table


def _indicator_curve(model: Model, outages: Outages, candidates: list[int], most: int) -> pd.DataFrame:
    order = indicators(model, outages, most=most, candidates=tuple(candidates))
    return _table(model, outages, "indicator", {"switches": [order[:k] for k in range(len(order) + 1)]})
