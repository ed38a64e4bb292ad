"""Failure rates by element where an application covers only some areas."""

from __future__ import annotations

import pandas as pd

from gridplan.applications._case import OperatingCase
from gridplan.applications._restoration import ANY, covered, devices
from gridplan.performance import line_areas


def by_element(case: OperatingCase, areas: tuple[str, ...] | None, elements: tuple[str, ...]) -> pd.DataFrame:
    """Table of failure rates with a row for every element of some areas.

    Parameters
    ----------
    case
        Case with an outage model.
    areas
        Areas; None: everywhere, where the rows by kind serve as they are.
    elements
        Kinds of element that are covered.

    Returns
    -------
    pd.DataFrame
        The table `outage_rates`, and `covered`: whether the row is for elements of these kinds and areas. Rates and times of
        every element are those of before.
    """
    rates = case.outages.rates.reset_index(drop=True)
    if "element_id" not in rates:
        rates = rates.assign(element_id=pd.array([pd.NA] * len(rates), dtype="Int64"))
    if areas is None:
        return rates.assign(covered=rates["element"].isin(elements))
    members = _members(case, areas)
    own = {element: set(members.get(element, ())) for element in elements}
    number = pd.to_numeric(rates["element_id"], errors="coerce")
    inside = [n in own.get(element, ()) for element, n in zip(rates["element"], number, strict=True)]
    parts = [rates.assign(covered=inside)]
    for element in elements:
        general = rates[(rates["element"] == element) & number.isna()]
        given = set(number[rates["element"] == element].dropna().astype(int))
        fresh = sorted(own[element] - given)
        if len(general) and fresh:
            parts.append(_expanded(case, element, general, fresh))
    return pd.concat(parts, ignore_index=True)


def _expanded(case: OperatingCase, element: str, general: pd.DataFrame, numbers: list[int]) -> pd.DataFrame:
    """Rows of their own for some elements, from the rows by kind."""
    general = general.drop_duplicates("kind").set_index("kind", drop=False)
    keys = [[ANY] * len(numbers), *_kinds_of(case, element, numbers)]
    found = pd.Series([None] * len(numbers), dtype=object)
    for names in keys:
        named = pd.Series(names, dtype=object)
        found = named.where(named.isin(general.index), found)
    here = found.notna().to_numpy()
    rows = general.loc[found[here]].reset_index(drop=True)
    return rows.assign(element_id=pd.Series(numbers)[here].to_numpy(), covered=True)


def _kinds_of(case: OperatingCase, element: str, numbers: list[int]) -> list[list[str]]:
    """Names by which rates of an element are found, the most general first."""
    if element == "switch":
        return [devices(case.net, case.outages)["device"].reindex(numbers).astype(str).tolist()]
    if element in {"bus", "station"}:
        return []
    frame = case.net[element]
    return [frame[name].reindex(numbers).astype(str).tolist() for name in ("type", "std_type") if name in frame]


def _members(case: OperatingCase, areas: tuple[str, ...]) -> dict[str, list[int]]:
    """Elements of some areas, by kind; a switch belongs to the areas of both its ends, the breaker of a feeder to the feeder."""
    net, area = case.net, case.areas.set_index("bus")["area"]
    lines = line_areas(net, case.areas)
    own = {"line": lines.loc[lines["area"].isin(areas), "line"]}
    buses = pd.Index([bus for bus in net.bus.index if area.get(bus) in areas])
    own |= {"bus": buses, "station": buses[buses.isin(case.outages.customers["bus"])]}
    for table, column in (("trafo", "lv_bus"), ("trafo3w", "mv_bus")):
        if table in net:
            own[table] = net[table].index[net[table][column].map(area).isin(areas)]
    own["switch"] = covered(net, case.areas, areas)
    return {name: sorted(int(number) for number in numbers) for name, numbers in own.items()}
