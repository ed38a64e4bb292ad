"""Where fault indicators save most of the patrol."""

from __future__ import annotations

import numpy as np

from gridplan.reliability import Model, Outages, _faults, _model


def indicators(
    model: Model, outages: Outages | None = None, *, most: int = 10, candidates: tuple[int, ...] | None = None
) -> tuple[int, ...]:
    """Choose switches for fault indicators, one after the other.

    Each indicator divides a stretch that the crew would have to search. The next one goes where it shortens most the expected
    search, weighted with the customers that the fault interrupts: sum of rate x customers x length of the stretch. What it saves
    in minutes is for :func:`gridplan.reliability.indices` to say.

    Parameters
    ----------
    model
        From :func:`gridplan.reliability.prepare`.
    outages
        The state to start from; that of the model if not given.
    most
        Largest number of indicators.
    candidates
        Switches to choose from; all if not given.

    Returns
    -------
    tuple[int, ...]
        Switches in the order in which they are chosen; fewer than `most` where no further one shortens the search.
    """
    outages = outages or model.outages
    year, tree = _model.year(model, outages), model.topology.tree
    weight = _weights(model, year)
    bounding = (year.gear.indicator | year.gear.protects).copy()
    allowed = np.isin(model.topology.switches, model.net.switch.index if candidates is None else list(candidates))
    chosen: list[int] = []
    while len(chosen) < most:
        gain, section = _best(tree, weight, model.km, bounding, allowed)
        if not gain > 0:
            break
        edge = int(tree.parent_edge[section])
        bounding[edge] = True
        chosen.append(int(model.topology.switches[edge]))
    return tuple(chosen)


def _weights(model: Model, year: _model.Year) -> np.ndarray:
    """Rate x customers interrupted of the faults in each section [1/yr]."""
    tree, supplied = model.topology.tree, model.supplied
    count = len(tree.parent)
    customers = np.bincount(supplied.section, weights=supplied.rows["customers"].to_numpy(float), minlength=count)
    below = np.r_[0.0, np.cumsum(customers)]
    top = year.patterns.top[year.events.pattern]
    hit = below[tree.last[top]] - below[top]
    faults = np.asarray(year.events.kind) == _faults.FAULT
    first = year.patterns.first[year.events.pattern]
    return np.bincount(first[faults], weights=(year.events.rate * hit)[faults], minlength=count)


def _best(tree, weight: np.ndarray, km: np.ndarray, bounding: np.ndarray, allowed: np.ndarray) -> tuple[float, int]:
    """Gain of the best further indicator [customer km/yr], and the section below it."""
    edge, count = tree.parent_edge, len(tree.parent)
    own_w, own_km = weight.copy(), km.astype(float).copy()
    open_above = (edge >= 0) & ~bounding[edge]
    for s in range(count - 1, -1, -1):  # children come after their parents
        if open_above[s]:
            own_w[tree.parent[s]] += own_w[s]
            own_km[tree.parent[s]] += own_km[s]
    head = np.arange(count)
    for s in range(count):
        if open_above[s]:
            head[s] = head[tree.parent[s]]
    rest_w, rest_km = own_w[head] - own_w, own_km[head] - own_km
    gain = np.where(open_above & allowed[edge], own_w * rest_km + rest_w * own_km, -1.0)
    best = int(np.argmax(gain)) if count else 0
    return (float(gain[best]), best) if count else (0.0, 0)
