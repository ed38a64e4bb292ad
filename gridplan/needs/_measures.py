"""The table of standard equipment and measures: checks, and the next coarser standard."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd
from pandapower.auxiliary import pandapowerNet

from gridplan.errors import InputError, Problem, suggest

CONDUCTOR = ["vn_kv", "r_ohm_per_km", "x_ohm_per_km", "c_nf_per_km", "max_i_ka"]
TRANSFORMER = ["sn_mva", "vn_hv_kv", "vn_lv_kv", "vk_percent", "vkr_percent", "pfe_kw", "i0_percent", "capex_keur"]
NEEDED = {
    "cable": CONDUCTOR,
    "overhead line": CONDUCTOR,
    "transformer": TRANSFORMER,
    "regulator": ["vn_kv", "sn_mva", "vk_percent", "vkr_percent", "tap_step_percent", "tap_max", "capex_keur"],
    "tap change": ["capex_keur"],
    "feeder bay": ["vn_kv", "detour", "capex_keur"],
}
"""Columns that a row of each kind must fill."""

COSTS = ["new_keur_per_km", "replace_keur_per_km", "capex_keur"]
_TEXT = ["measure", "kind", "source", "evidence"]
_NUMBERS = list(dict.fromkeys([column for columns in NEEDED.values() for column in columns] + COSTS))
_ZERO_ALLOWED = {"c_nf_per_km", "pfe_kw", "i0_percent", "vkr_percent", *COSTS}
_SIZE = {"cable": "max_i_ka", "overhead line": "max_i_ka", "transformer": "sn_mva", "regulator": "sn_mva"}
_LEVEL = {"cable": ["vn_kv"], "overhead line": ["vn_kv"], "transformer": ["vn_hv_kv", "vn_lv_kv"], "regulator": ["vn_kv"]}


def checked(measures: pd.DataFrame, net: pandapowerNet | None = None) -> pd.DataFrame:
    """Return a table of measures that holds what it must.

    Parameters
    ----------
    measures
        Columns `measure`, `kind` (cable, overhead line, transformer, regulator, tap change, feeder bay), the electrical data
        that the kind needs, `new_keur_per_km` (of a line beside or away from an existing one) and `replace_keur_per_km` (in
        place of it) [kEUR/km], `capex_keur` [kEUR] of the others, `detour` (length of a route over the straight line) [1] of
        a feeder bay, `source`, `evidence`.
    net
        Network that the conductors must help.

    Raises
    ------
    InputError
        With every problem of the table: missing columns and values, negative costs, repeated names, no conductor that could
        help a line of the network.
    """
    problems = [Problem("measures", "is missing", column=name) for name in _TEXT if name not in measures]
    if not problems:
        table = measures.reindex(columns=dict.fromkeys([*measures.columns, *_NUMBERS])).reset_index(drop=True)
        problems = [*_missing_columns(measures), *_row_problems(table)]
        if net is not None and not problems:
            problems = list(_no_larger(table, net))
    if problems:
        raise InputError("table 'measures'", problems)
    return table


def coarser(measures: pd.DataFrame) -> pd.DataFrame:
    """Return the next coarser standard: of each kind and voltage the smallest size is dropped, unless it is the only one.

    Parameters
    ----------
    measures
        Table of measures.

    Examples
    --------
    >>> table = pd.DataFrame({"measure": ["a", "b"], "kind": "cable", "vn_kv": 20.0, "max_i_ka": [0.2, 0.3]})
    >>> coarser(table)["measure"].tolist()
    ['b']
    """
    dropped = []
    for kind, level in _LEVEL.items():
        own = measures[measures["kind"] == kind]
        for _, rows in own.groupby(level) if len(own) else ():
            if rows[_SIZE[kind]].min() < rows[_SIZE[kind]].max():
                dropped += list(rows.index[rows[_SIZE[kind]] == rows[_SIZE[kind]].min()])
    return measures.drop(index=dropped).reset_index(drop=True)


def _missing_columns(measures: pd.DataFrame) -> Iterator[Problem]:
    kinds = [kind for kind in measures["kind"].unique() if kind in NEEDED]
    for name in dict.fromkeys(column for kind in kinds for column in NEEDED[kind]):
        if name not in measures:
            yield Problem("measures", "is missing", column=name)


def _row_problems(table: pd.DataFrame) -> Iterator[Problem]:
    twice = table["measure"].duplicated()
    for position, row in table.iterrows():
        at = {"where": "measures", "row": int(position) + 2}
        if row["kind"] not in NEEDED:
            yield Problem(what=f"'{row['kind']}' is no kind of measure; {suggest(str(row['kind']), NEEDED)}", column="kind", **at)
            continue
        if twice[position]:
            yield Problem(what=f"'{row['measure']}' stands in an earlier row too", column="measure", remedy="rename it", **at)
        for name in NEEDED[row["kind"]]:
            if name in table and pd.isna(row[name]):
                yield Problem(what=f"is empty; a {row['kind']} needs it", column=name, **at)
        yield from _bad_numbers(row, at)
        if row["kind"] in {"cable", "overhead line"} and row[COSTS[:2]].isna().all():
            what = "neither new_keur_per_km nor replace_keur_per_km is given, so it can never be built"
            yield Problem(what=what, remedy="fill one of them, or remove the row", **at)


def _bad_numbers(row: pd.Series, at: dict) -> Iterator[Problem]:
    for name in _NUMBERS:
        value = pd.to_numeric(row.get(name), errors="coerce")
        if pd.isna(value):
            if not pd.isna(row.get(name)):
                yield Problem(what=f"{row[name]!r} is not a number", column=name, **at)
        elif value < 0 or (value == 0 and name not in _ZERO_ALLOWED):
            bound = "below 0" if name in _ZERO_ALLOWED else "not above 0"
            unit = " [kEUR]" if name in COSTS else ""
            yield Problem(what=f"{value:g} is {bound}{unit}", column=name, **at)


def _no_larger(table: pd.DataFrame, net: pandapowerNet) -> Iterator[Problem]:
    conductors = table[table["kind"].isin(["cable", "overhead line"])]
    kv = net.line["from_bus"].map(net.bus["vn_kv"])
    for level, rows in conductors.groupby("vn_kv"):
        present = net.line.loc[kv == level, "max_i_ka"].min()
        largest = rows["max_i_ka"].max()
        if pd.notna(present) and rows["new_keur_per_km"].isna().all() and largest <= present:
            what = f"no conductor for {level:g} kV carries more than the {present:g} kA of the smallest line present"
            yield Problem("measures", f"{what} (largest {largest:g} kA)", column="max_i_ka", remedy="add a larger standard size")
