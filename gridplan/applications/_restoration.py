"""What the applications of the restoration group share: defaults, the areas of switches, new tables of outages."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import cache

import pandas as pd
from pandapower.auxiliary import pandapowerNet

from gridplan import tables
from gridplan.applications._case import OperatingCase
from gridplan.errors import ParameterError, Problem, suggest
from gridplan.network import display_name
from gridplan.network.topology import ENDS, SWITCH_LETTER
from gridplan.reliability import Outages

ANY = "*"


@cache
def _assumptions() -> pd.Series:
    return tables.assumptions().set_index("assumption")["value"]


def default(assumption: str) -> float:
    """Value of an assumption where no study says otherwise."""
    return float(_assumptions()[assumption])


def outages_of(case: OperatingCase, application: str) -> Outages:
    """Outage model of a case.

    Raises
    ------
    ParameterError
        The case has none.
    """
    if case.outages is None:
        remedy = "give the case failure rates, restoration times and customers"
        raise ParameterError(application, [Problem("case", "it has no outage model", remedy=remedy)])
    return case.outages


def check_areas(case: OperatingCase, areas: tuple[str, ...] | None, application: str) -> None:
    """Refuse areas that the case does not have."""
    known = sorted(set(case.areas["area"]))
    unknown = [Problem("areas", f"'{name}' is no area; {suggest(name, known)}") for name in areas or () if name not in known]
    if unknown:
        raise ParameterError(application, unknown)


def switch_areas(net: pandapowerNet, areas: pd.DataFrame) -> pd.DataFrame:
    """Areas of the switches: those of both ends of what a switch joins, so that a tie between two areas belongs to both.

    Returns
    -------
    pd.DataFrame
        `switch`, `area`; a switch without an area has no row.
    """
    area = areas.set_index("bus")["area"]
    parts = [pd.Series(net.switch["bus"].to_numpy(), index=net.switch.index)]
    couplers = net.switch[net.switch["et"] == "b"]
    parts.append(pd.Series(couplers["element"].to_numpy(), index=couplers.index))
    for table, letter in SWITCH_LETTER.items():
        own = net.switch[net.switch["et"] == letter]
        ends = ENDS[table] if len(own) else ()
        parts += [pd.Series(net[table][end].reindex(own["element"]).to_numpy(), index=own.index) for end in ends]
    every = pd.concat(parts).map(area).dropna()
    frame = pd.DataFrame({"switch": every.index.to_numpy(), "area": every.to_numpy()})
    return frame.drop_duplicates().sort_values(["switch", "area"], ignore_index=True)


def covered(net: pandapowerNet, areas: pd.DataFrame, chosen: tuple[str, ...] | None) -> set[int]:
    """Switches of the chosen areas; all switches if no areas are chosen."""
    if chosen is None:
        return {int(switch) for switch in net.switch.index}
    table = switch_areas(net, areas)
    return {int(switch) for switch in table.loc[table["area"].isin(chosen), "switch"]}


def checked_switches(case: OperatingCase, switches: Iterable[int], application: str, unfit: Mapping[int, str]) -> list[int]:
    """Switches as whole numbers.

    Parameters
    ----------
    case, switches, application
        Where they are used.
    unfit
        Why a switch cannot be used, by switch.

    Raises
    ------
    ParameterError
        A switch is not in the network or cannot be used; all are named.
    """
    chosen, known = [int(switch) for switch in switches], set(case.net.switch.index)
    problems = [
        Problem("switches", f"switch {number} is not in the network; {suggest(str(number), map(str, sorted(known)))}")
        for number in chosen
        if number not in known
    ]
    problems += [
        Problem(display_name(case.net, "switch", number), unfit[number], remedy="choose another switch")
        for number in chosen
        if number in known and number in unfit
    ]
    if problems:
        raise ParameterError(application, problems)
    return chosen


def devices(net: pandapowerNet, outages: Outages) -> pd.DataFrame:
    """Device and control of every switch of a network, by switch: `device`, `control`."""
    kind = net.switch["type"].astype(str).str.upper() if "type" in net.switch else pd.Series("", index=net.switch.index)
    device = kind.map({"CB": "breaker", "LBS": "switch", "LS": "disconnector", "DS": "disconnector"}).fillna("switch")
    frame = pd.DataFrame({"device": device.astype(object), "control": "manual"}, index=net.switch.index)
    if outages.switchgear is not None and len(outages.switchgear):
        given = outages.switchgear.drop_duplicates("switch").set_index("switch")
        for column in ("device", "control"):
            if column in given:
                values = given[column].reindex(frame.index)
                frame[column] = values.where(values.notna(), frame[column])
    return frame


def with_switchgear(outages: Outages, switches: Iterable[int], column: str, value: object, why: str) -> Outages:
    """Outage model with one property of some switches changed; switches without a row get one."""
    chosen = sorted({int(switch) for switch in switches})
    if not chosen:
        return outages
    table = outages.switchgear
    table = pd.DataFrame({"switch": pd.Series(dtype="int64")}) if table is None else table.copy()
    missing = [switch for switch in chosen if switch not in set(table["switch"])]
    table = table.reset_index(drop=True).reindex(range(len(table) + len(missing)))
    table["switch"] = [*table["switch"].iloc[: len(table) - len(missing)].astype("int64"), *missing]
    changed = table["switch"].isin(chosen)
    texts = {"source": why, "evidence": "V-computed", "note": ""}
    for name, text in {column: value, **{name: text for name, text in texts.items() if name in table}}.items():
        values = table[name].astype(object) if name in table else pd.Series(None, index=table.index, dtype=object)
        values[changed] = text
        table[name] = values.infer_objects()
    return replace(outages, switchgear=table)


def area_rows(restoration: pd.DataFrame, areas: Iterable[str]) -> pd.DataFrame:
    """Restoration times with a row of their own for each of some areas, wherever there is one for all areas."""
    general = restoration[restoration["area"] == ANY]
    own = set(zip(restoration["area"], restoration["control"], strict=True))
    parts = [restoration]
    for area in areas:
        fresh = general[[(area, control) not in own for control in general["control"]]]
        parts.append(fresh.assign(area=area))
    return pd.concat([part for part in parts if len(part)], ignore_index=True)
