"""What scenarios come to, and how two of them differ."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd
from pandapower.auxiliary import pandapowerNet

from gridplan import network
from gridplan.errors import ParameterError, Problem
from gridplan.futures import _case, _profiles, _rollout
from gridplan.futures._inputs import NAMED, Inputs, check
from gridplan.powerflow import Profiles
from gridplan.study import Study

_ADDED = ["technology", "customer_class"]
_VALUES = ["units", "rated_mw", "peak_mw", "energy_mwh"]
_TOTALS = {
    "load_max_mw": ("highest demand", "MW", 1.0),
    "net_load_max_mw": ("highest net load", "MW", 1.0),
    "net_load_min_mw": ("lowest net load", "MW", 1.0),
    "reverse_hours": ("time with more feed-in than demand", "h", 1.0),
    "load_mwh": ("demand of the year", "GWh", 1e-3),
    "generation_mwh": ("generation of the year", "GWh", 1e-3),
}


def adoption(
    study: Study, net: pandapowerNet, scenarios: Iterable[str] | None = None, *, years: Iterable[int] | None = None
) -> pd.DataFrame:
    """Units, power and energy by scenario, year, technology and class of customer.

    Parameters
    ----------
    study, net
        As for :func:`case`.
    scenarios
        Names; all of the study if not given.
    years
        Years wanted; all of each scenario if not given.

    Returns
    -------
    pd.DataFrame
        `scenario`, `year`, `technology`, `customer_class` (``named`` for units whose place is named), `adoption_percent`, `units`
        (with those of the base year), `added_units`, `rated_mw`, `peak_mw` and `energy_mwh` of what is added. A class without
        customers has a row with zeros.
    """
    inputs, base = check(study, net), _profiles.profiles(study, net)
    pairs = _case.wanted(inputs, scenarios, years)
    return pd.concat([_one_year(inputs, net, base, scenario=name, year=year) for name, year in pairs], ignore_index=True)


def _one_year(inputs: Inputs, net: pandapowerNet, base: Profiles, *, scenario: str, year: int) -> pd.DataFrame:
    sums = _valued(inputs, net, base, _rollout.placed(inputs, scenario, year)).groupby(_ADDED, sort=False).sum(numeric_only=True)
    rows = _rollout.levels(inputs, scenario, year)
    named = sums[sums.index.get_level_values("customer_class") == NAMED].reset_index()[[*_ADDED, "units"]]
    rows = pd.concat([rows, named.assign(added_units=named["units"])], ignore_index=True) if len(named) else rows
    values = sums[["rated_mw", "peak_mw", "energy_mwh"]].reindex(pd.MultiIndex.from_frame(rows[_ADDED])).fillna(0.0)
    return pd.concat([rows, values.reset_index(drop=True)], axis=1).assign(scenario=scenario, year=year)[
        ["scenario", "year", *rows.columns, *values.columns]
    ]


def _valued(inputs: Inputs, net: pandapowerNet, base: Profiles, units: pd.DataFrame) -> pd.DataFrame:
    """Units by bus and class with their share of the power and energy of the element that carries them."""
    carried = _case.elements(inputs, net, base, units).set_index(["technology", "bus"])
    one = carried[["rated_mw", "peak_mw", "energy_mwh"]].div(carried["units"], axis=0)
    values = one.reindex(pd.MultiIndex.from_frame(units[["technology", "bus"]])).mul(units["units"].to_numpy(), axis=0)
    return pd.concat([units, values.reset_index(drop=True)], axis=1)


def by_area(study: Study, net: pandapowerNet, scenario: str, years: Iterable[int] | None = None) -> pd.DataFrame:
    """Units, power and energy by area; an area that gets nothing is there, with the reason.

    Parameters
    ----------
    study, net
        As for :func:`case`; areas are those of the table ``areas``, or the feeders of the network.
    scenario
        Name of the scenario.
    years
        Years wanted; the last of the scenario if not given.

    Returns
    -------
    pd.DataFrame
        `area`, `year`, `technology`, `customers` (of all classes), `added_units`, `rated_mw`, `peak_mw`, `energy_mwh`, `remark`
        (empty, or why nothing is added). Buses outside every area are collected under ``no area``.
    """
    inputs, base = check(study, net), _profiles.profiles(study, net)
    chosen = [inputs.years(scenario)[-1]] if years is None else list(years)
    area = network.areas(net, study.tables.get("areas")).set_index("bus")["area"]
    customers = inputs.customers.groupby(inputs.customers["bus"].map(area).fillna("no area"))["customers"].sum()
    rows = inputs.adoption[inputs.adoption["scenario"] == scenario]
    named = inputs.placements.loc[inputs.placements["scenario"] == scenario, "technology"]
    names = sorted({*area, *customers.index})
    full = pd.MultiIndex.from_product([names, sorted({*rows["technology"], *named})], names=["area", "technology"])
    parts = []
    for year in chosen:
        units = _valued(inputs, net, base, _rollout.placed(inputs, scenario, inputs.year(scenario, year)))
        sums = units.groupby([units["bus"].map(area).fillna("no area"), "technology"])[_VALUES].sum()
        parts.append(sums.reindex(full.union(sums.index), fill_value=0.0).rename_axis(full.names).reset_index().assign(year=year))
    table = pd.concat(parts, ignore_index=True).rename(columns={"units": "added_units"}).astype({"added_units": int})
    table["customers"] = table["area"].map(customers).fillna(0).astype(int)
    classes = {technology: set(given) for technology, given in rows.groupby("technology")["customer_class"]}
    here = inputs.customers[inputs.customers["customers"] > 0]
    present = here.groupby(here["bus"].map(area).fillna("no area"))["customer_class"].agg(set).to_dict()
    table["remark"] = [
        _remark(row.added_units, classes.get(row.technology, set()), present.get(row.area, set())) for row in table.itertuples()
    ]
    return table[["area", "year", "technology", "customers", "added_units", "rated_mw", "peak_mw", "energy_mwh", "remark"]]


def _remark(units: int, classes: set[str], present: set[str]) -> str:
    """Say why nothing is added, if so."""
    if units:
        return ""
    if not classes:
        return "nothing is added: no place here is named by this year"
    if not present:
        return "nothing is added: the area has no customers"
    if not classes & present:
        return f"nothing is added: the area has no {' or '.join(sorted(classes))} customers"
    return "nothing is added by this year"


def difference(study: Study, net: pandapowerNet, a: str, b: str, *, years: Iterable[int] | None = None) -> pd.DataFrame:
    """Compare what two scenarios come to, in words.

    Parameters
    ----------
    study, net
        As for :func:`case`.
    a, b
        Names of the scenarios.
    years
        Years wanted; the last that both cover if not given.

    Returns
    -------
    pd.DataFrame
        `year`, `what`, `unit`, `value_a`, `value_b`, `difference` (b less a), `reading`: the row as a sentence.
    """
    inputs = check(study, net)
    chosen = [min(inputs.years(name)[-1] for name in (a, b))] if years is None else list(years)
    if a == b:
        raise ParameterError("difference", [Problem("b", f"'{b}' is compared with itself", remedy="choose two scenarios")])
    totals = _case.envelope(study, net, [a, b], years=chosen).set_index(["scenario", "year"])
    added = (
        adoption(study, net, [a, b], years=chosen).groupby(["scenario", "year", "technology"])[["added_units", "rated_mw"]].sum()
    )
    rows = []
    for year in chosen:
        for column, (what, unit, factor) in _TOTALS.items():
            rows.append((year, what, unit, *(factor * totals.loc[(name, year), column] for name in (a, b))))
        for technology, row in inputs.technologies.iterrows():
            values = [float(added["added_units"].get((name, year, technology), 0)) for name in (a, b)]
            rows.append((year, f"{row['label']} added since {inputs.base_year}", row["unit_name"], *values))
    table = pd.DataFrame(rows, columns=["year", "what", "unit", "value_a", "value_b"])
    table["difference"] = table["value_b"] - table["value_a"]
    return table.assign(reading=[_reading(row, a, b) for row in table.itertuples()])


def _reading(row: tuple, a: str, b: str) -> str:
    digits = 1 if row.unit in {"MW", "GWh"} else 0
    if round(row.difference, digits) == 0:
        return f"{row.year}, {row.what}: {_number(row.value_a, digits)} {row.unit} in both"
    side = "more" if row.difference > 0 else "less"
    relative = f", {row.difference / abs(row.value_a):+.0%}" if row.value_a else ""
    size = f"{_number(abs(row.difference), digits)} {row.unit} {side} in {b} than in {a}"
    return f"{row.year}, {row.what}: {size} ({_number(row.value_b, digits)} and {_number(row.value_a, digits)}{relative})"


def _number(value: float, digits: int) -> str:
    return f"{value:,.{digits}f}".replace(",", "\u2009")


def assumption_difference(study: Study, a: str, b: str) -> pd.DataFrame:
    """List the assumptions in which two scenarios differ.

    Parameters
    ----------
    study
        As for :func:`check`.
    a, b
        Names of the scenarios.

    Returns
    -------
    pd.DataFrame
        `table`, `subject` (technology, class, year), `assumption`, `value_a`, `value_b` as text; blank where one has no such
        row.
    """
    inputs = check(study)
    keys = {"adoption": _ADDED, "load_growth": ["customer_class", "from_year"], "placements": ["year", "bus", "technology"]}
    words = {"title", "description", "source", "evidence", "note", "scenario"}
    parts = [_unequal("scenarios", *(inputs.scenario(name).drop(words, errors="ignore").to_frame().T for name in (a, b)))]
    for table, key in keys.items():
        frame = getattr(inputs, table)
        values = [name for name in frame if name not in words and name not in key]
        both = [frame[frame["scenario"] == name].set_index(key)[values] for name in (a, b)]
        parts.append(_unequal(table, *both))
    return pd.concat(parts, ignore_index=True)


def _unequal(table: str, a: pd.DataFrame, b: pd.DataFrame) -> pd.DataFrame:
    if table == "scenarios":
        a, b = a.set_axis(["scenario"]), b.set_axis(["scenario"])
    rows = []
    for subject in [*a.index, *(name for name in b.index if name not in a.index)]:
        for column in a.columns:
            pair = [_cell(frame, subject, column) for frame in (a, b)]
            if pair[0] != pair[1]:
                words = subject if isinstance(subject, str) else ", ".join(str(part) for part in subject)
                rows.append((table, words, column, *pair))
    return pd.DataFrame(rows, columns=["table", "subject", "assumption", "value_a", "value_b"])


def _cell(frame: pd.DataFrame, subject: object, column: str) -> str:
    if subject not in frame.index:
        return ""
    value = frame.loc[subject, column]
    return f"{value:g}" if isinstance(value, float) else str(value)
