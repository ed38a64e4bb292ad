"""Availability of things in series and in parallel, and of a whole network between two of its sites."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import numpy as np
import pandas as pd

from gridplan.errors import ParameterError, Problem, suggest

Element = tuple[str, object]  # ("link", row) or ("site", name)
MOST_TERMS = 200_000


def series(availabilities: Iterable[float]) -> float:
    """Availability of elements that are all needed: the product of theirs [1].

    Examples
    --------
    >>> round(series([0.99, 0.999]), 5)
    0.98901
    """
    return float(np.prod([*availabilities]))


def parallel(availabilities: Iterable[float], *, common_cause: float = 0.0) -> float:
    """Availability of elements of which one is enough [1]_.

    Parameters
    ----------
    availabilities
        Of the elements [1].
    common_cause
        Share of the unavailability of the best element that takes down all at once (beta factor) [1]. Each element keeps its own
        availability; what is left of it fails independently.

    Returns
    -------
    float
        1 - U_c - (1 - U_c) * product of the independent parts, where U_c = beta * lowest unavailability [1].

    References
    ----------
    .. [1] R. Billinton, R. N. Allan, Reliability Evaluation of Engineering Systems, 2nd ed., 1992, ch. 4; beta factor:
       IEC 61508-6, annex D.

    Examples
    --------
    >>> round(parallel([0.99, 0.99]), 6), round(parallel([0.99, 0.99], common_cause=1.0), 6)
    (0.9999, 0.99)
    """
    down = 1 - np.asarray([*availabilities], dtype=float)
    shared = common_cause * down.min()
    if shared >= 1:
        return 0.0
    own = 1 - (1 - down) / (1 - shared)
    return float((1 - shared) * (1 - own.prod()))


def two_terminal(
    links: pd.DataFrame, from_site: str, to_site: str, *, sites: Mapping[str, float] | None = None, most_terms: int = MOST_TERMS
) -> float:
    """Exact probability that two sites of a small network are connected, links and sites failing independently.

    Along a working path the events "the first element fails", "the first works and the second fails", ... exclude each other, so
    the probability is the sum of theirs, each found in the same way without the failed element [1]_.

    Parameters
    ----------
    links
        Columns `from_site`, `to_site`, `availability` [1].
    from_site, to_site
        The sites to be connected.
    sites
        Availability of sites [1]; 1 for those not named.
    most_terms
        How many paths may be followed before it gives up.

    Raises
    ------
    ParameterError
        A site is on no link, or the network is too large to be enumerated.

    References
    ----------
    .. [1] W. P. Dotson, J. O. Gobien, A new analysis technique for probabilistic graphs, IEEE Trans. Circuits and Systems 26(10),
       1979.
    """
    known = set(links["from_site"]) | set(links["to_site"])
    wrong = [
        Problem(f"site '{name}'", "is on no link", remedy=suggest(name, sorted(known)))
        for name in (from_site, to_site)
        if name not in known
    ]
    if wrong:
        raise ParameterError("availability between two sites", wrong)
    chance: dict[Element, float] = {("link", at): float(value) for at, value in enumerate(links["availability"])}
    chance |= {("site", name): float(value) for name, value in (sites or {}).items()}
    around: dict[str, list[tuple[str, int]]] = {}
    for at, (one, other) in enumerate(zip(links["from_site"], links["to_site"], strict=True)):
        around.setdefault(one, []).append((other, at))
        around.setdefault(other, []).append((one, at))
    total = 0.0
    for terms, part in enumerate(_disjoint_terms(around, chance, (from_site, to_site)), 1):
        total += part
        if terms > most_terms:
            what = f"has more than {most_terms} disjoint events between {from_site} and {to_site}"
            raise ParameterError("network", [Problem("links", what, remedy="take out links that do not matter")])
    return total


def _disjoint_terms(
    around: Mapping[str, list[tuple[str, int]]], chance: Mapping[Element, float], ends: tuple[str, str]
) -> Iterator[float]:
    """Yield the probabilities of events that exclude each other and together are "connected"."""
    waiting: list[tuple[frozenset[Element], frozenset[Element], float]] = [(frozenset(), frozenset(), 1.0)]
    while waiting:
        sure, failed, weight = waiting.pop()
        path = _path(around, ends, failed)
        if path is None:
            continue
        kept = weight
        for element in path:
            p = 1.0 if element in sure else chance.get(element, 1.0)
            if p < 1 and kept > 0:
                waiting.append((sure, failed | {element}, kept * (1 - p)))
            sure, kept = sure | {element}, kept * p
        yield kept


def _path(around: Mapping[str, list[tuple[str, int]]], ends: tuple[str, str], failed: frozenset[Element]) -> list[Element] | None:
    """Return the elements of a path with fewest links that avoids what failed, or None."""
    start, end = ends
    if ("site", start) in failed or ("site", end) in failed:
        return None
    came: dict[str, tuple[str, int] | None] = {start: None}
    layer = [start]
    while layer and end not in came:
        following = []
        for here in layer:
            for other, link in around[here]:
                if other not in came and ("link", link) not in failed and ("site", other) not in failed:
                    came[other] = (here, link)
                    following.append(other)
        layer = following
    if end not in came:
        return None
    path: list[Element] = [("site", end)]
    here = end
    while (step := came[here]) is not None:
        here = step[0]
        path += [("link", step[1]), ("site", here)]
    return path
