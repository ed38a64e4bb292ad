"""The metrics table as a reader compares it: the whole network, each application alone and all together, and what they gain."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from gridplan.assess._options import GROUPS, NONE, members, options

WORDS = {
    "fault_indicators": "Fault indicators",
    "remote_control": "Remote control",
    "flisr": "FLISR",
    "outage_prediction": "Outage prediction",
    "predictive_maintenance": "Predictive maintenance",
    "monitoring": "Monitoring",
    "voltvar": "Volt-var optimisation",
    "smart_inverters": "Smart inverters",
    "reconfiguration": "Reconfiguration",
    "managed_demand": "Managed demand",
    "storage": "Storage",
    "der_management": "DER management",
}
"""Applications in words."""

_PER_CUSTOMER = ("saifi", "saidi_min", "maifi_e")
_OF_ALL = ("failed_h",)
_KEY = ["group", "option", "scenario", "year"]


def in_words(option: str, group: str) -> str:
    """Name an option as a reader does."""
    own = members(option)
    if not own:
        return "As today"
    return "All together" if set(own) == set(GROUPS[group]) else " + ".join(WORDS[name] for name in own)


def totals(metrics: pd.DataFrame) -> pd.DataFrame:
    """Return the metrics of the whole network.

    Parameters
    ----------
    metrics
        From :func:`gridplan.assess.metrics`, or a utility's own.

    Returns
    -------
    pd.DataFrame
        The columns of `metrics` without the area: indices per customer weighted by the customers, the rest summed: `peak_mw` is
        the sum of the areas' peaks and `outside_h` counts hours of areas. `energy_taken_mwh` is added: consumed and lost.
    """
    numbers = [name for name in metrics if name not in {"area", *_KEY}]
    table = metrics.copy()
    weighted = [name for name in _PER_CUSTOMER if name in table]
    table[weighted] = table[weighted].mul(table["customers"], axis=0)
    groups = table.groupby(_KEY, sort=False)
    summed = groups[numbers].sum(min_count=1)
    summed[weighted] = summed[weighted].div(summed["customers"], axis=0)
    for name in set(_OF_ALL) & set(numbers):
        summed[name] = groups[name].max()
    return summed.assign(energy_taken_mwh=summed["load_mwh"] + summed["losses_mwh"]).reset_index()


def alone_and_together(metrics: pd.DataFrame, group: str, scenario: str, year: int) -> pd.DataFrame:
    """Return the network with nothing, each application alone, and all applications of a group in service.

    Returns
    -------
    pd.DataFrame
        Rows of :func:`totals`, `option` in words.
    """
    table = totals(metrics)
    table = table[(table["group"] == group) & (table["scenario"] == scenario) & (table["year"] == year)].set_index("option")
    present = [name for name in options(group) if name in table.index]
    shown = [name for name in present if len(members(name)) < 2]
    shown += [present[-1]] if len(members(present[-1])) > 1 else []
    table = table.loc[shown].reset_index()
    return table.assign(option=[in_words(name, group) for name in table["option"]])


def gains(metrics: pd.DataFrame) -> pd.DataFrame:
    """Return what each option changes: the row with nothing of its group in service less its own.

    Returns
    -------
    pd.DataFrame
        As `metrics`, which may be :func:`totals`; numbers are gains, positive where the option lowers a value. `customers` stays.
    """
    keys = [name for name in ("area", "group", "scenario", "year") if name in metrics]
    numbers = [name for name in metrics if name not in {"area", "customers", *_KEY}]
    none = metrics[metrics["option"] == NONE].set_index(keys)[numbers]
    base = none.reindex(pd.MultiIndex.from_frame(metrics[keys])).to_numpy(float)
    return metrics.assign(**{name: base[:, n] - metrics[name].to_numpy(float) for n, name in enumerate(numbers)})


def overlap(metrics: pd.DataFrame, scenario: str, year: int, shown: Mapping[str, tuple[str, str]]) -> pd.DataFrame:
    """Compare the sum of what applications gain alone with what they gain together.

    Parameters
    ----------
    metrics
        The table.
    scenario, year
        The future looked at.
    shown
        What to compare: name -> group and column of :func:`totals`.

    Returns
    -------
    pd.DataFrame
        `series`, `singles`, `joint`: gains as a share of the value with nothing in service [%].
    """
    rows = []
    for series, (group, column) in shown.items():
        table = alone_and_together(metrics, group, scenario, year)[column]
        base = table.iloc[0]
        gain = 100 * (base - table) / base if base else table * 0.0
        rows.append({"series": series, "singles": gain.iloc[1:-1].sum(), "joint": gain.iloc[-1]})
    return pd.DataFrame(rows)


def chosen(metrics: pd.DataFrame, scenario: str, year: int, in_service: Mapping[str, tuple[str, ...]]) -> pd.DataFrame:
    """Return the rows that stand for applications in service area by area.

    Parameters
    ----------
    metrics
        The table.
    scenario, year
        The future looked at.
    in_service
        Applications by area; areas without an entry have none.

    Returns
    -------
    pd.DataFrame
        One row an area and group.
    """
    own = metrics[(metrics["scenario"] == scenario) & (metrics["year"] == year)]
    rows = []
    for (area, group), part in own.groupby(["area", "group"], sort=False):
        names = [name for name in GROUPS[group] if name in in_service.get(area, ())]
        rows.append(part[part["option"] == ("+".join(names) or NONE)])
    return pd.concat(rows, ignore_index=True)


def single_gains(metrics: pd.DataFrame, group: str) -> pd.DataFrame:
    """Return what each application of a group alone, and all together, gain by area, in one future.

    Parameters
    ----------
    metrics
        Rows of one scenario and year.
    group
        Group of applications.

    Returns
    -------
    pd.DataFrame
        Rows of :func:`gains` with `energy_taken_mwh`, `option` in words.
    """
    own = metrics[metrics["group"] == group]
    own = own.assign(energy_taken_mwh=own["load_mwh"] + own["losses_mwh"])
    names = [name for name in dict.fromkeys(own["option"]) if len(members(name)) == 1]
    names += [name for name in dict.fromkeys(own["option"]) if set(members(name)) == set(GROUPS[group])]
    table = gains(own)
    table = table[table["option"].isin(names)]
    return table.assign(option=[in_words(name, group) for name in table["option"]]).reset_index(drop=True)


_PATHS = {
    "SAIDI saved [min/yr]": ("restoration", "saidi_min"),
    "Energy saved [MWh/yr]": ("voltage", "energy_taken_mwh"),
    "Hours outside avoided [h/yr]": ("flexibility", "outside_h"),
    "Reinforcement avoided": ("flexibility", "reinforcement_keur"),
}


def gain_paths(metrics: pd.DataFrame, currency: str = "") -> pd.DataFrame:
    """Return what all applications of a group gain together over the years of every scenario.

    Parameters
    ----------
    metrics
        From :func:`gridplan.assess.metrics`.
    currency
        Currency of the study.

    Returns
    -------
    pd.DataFrame
        `scenario`, `year`, `series`, `gain`.
    """
    table, rows = gains(totals(metrics)), []
    for series, (group, column) in _PATHS.items():
        own = table[table["group"] == group]
        own = own[own["option"] == own["option"].iloc[-1]] if len(own) else own
        if own[column].notna().any():
            name = f"{series} [k{currency}]" if column.endswith("_keur") else series
            rows.append(own[["scenario", "year"]].assign(series=name, gain=own[column]))
    return pd.concat(rows, ignore_index=True)


def topology_losses(metrics: pd.DataFrame) -> pd.DataFrame:
    """Return losses with nothing of the voltage group in service, and what reconfiguration alone saves of them.

    Returns
    -------
    pd.DataFrame
        `scenario`, `year`, `losses_mwh`, `losses_saved_mwh` [MWh/yr].
    """
    table = totals(metrics)
    own = table[table["group"] == "voltage"].set_index(["scenario", "year"])
    none, other = (own.loc[own["option"] == name, "losses_mwh"] for name in (NONE, "reconfiguration"))
    return pd.DataFrame({"losses_mwh": none, "losses_saved_mwh": none - other}).reset_index()


def flexibility_table(metrics: pd.DataFrame, scenario: str, year: int) -> pd.DataFrame:
    """Return what the options of the flexibility group do in the whole network.

    Returns
    -------
    pd.DataFrame
        `option` (in words), `outside_h` (summed over the areas), `net_peak_mw` (sum of the areas' peaks), `curtailed_mwh`,
        `shifted_mwh`, `stored_mwh`, `reinforcement_keur`, `avoided_keur`.
    """
    table = totals(metrics)
    table = table[(table["group"] == "flexibility") & (table["scenario"] == scenario) & (table["year"] == year)]
    table = table.assign(option=[in_words(name, "flexibility") for name in table["option"]])
    table = table.assign(
        net_peak_mw=table["peak_mw"], avoided_keur=table["reinforcement_keur"].iloc[0] - table["reinforcement_keur"]
    )
    columns = ["option", "outside_h", "net_peak_mw", "curtailed_mwh", "shifted_mwh", "stored_mwh"]
    return table[[*columns, "reinforcement_keur", "avoided_keur"]].reset_index(drop=True)


def additivity_totals(errors: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of :func:`gridplan.assess.additivity` summed over the areas; indices per customer weighted by customers.

    Returns
    -------
    pd.DataFrame
        `check`, `group`, `quantity`, `none`, `added`, `joint`, `error`, `error_percent` (share of the change).
    """
    keys, numbers = ["check", "group", "quantity"], ["none", "added", "joint", "error"]
    weight = errors["customers"].where(errors["quantity"].isin(_PER_CUSTOMER), 1.0)
    table = (
        errors.assign(weight=weight, **errors[numbers].mul(weight, axis=0)).groupby(keys, sort=False)[[*numbers, "weight"]].sum()
    )
    rows = table.index.get_level_values("quantity").isin(_PER_CUSTOMER)
    table.loc[rows, numbers] = table.loc[rows, numbers].div(table.loc[rows, "weight"], axis=0)
    change = (table["joint"] - table["none"]).abs()
    table["error_percent"] = (100 * table["error"] / change).where(change > 1e-6 * table["none"].abs().clip(lower=1.0))
    return table.drop(columns="weight").reset_index()
