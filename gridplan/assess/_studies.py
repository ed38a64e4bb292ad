"""Single questions about the applications of the voltage group, for one future."""

from __future__ import annotations

import pandas as pd
from pandapower.auxiliary import pandapowerNet

from gridplan.applications import OperatingCase, monitoring, voltvar
from gridplan.assess import _groups, _tasks
from gridplan.study import Study


def operating_case(study: Study, net: pandapowerNet, scenario: str, year: int, *, every: int = 4) -> OperatingCase:
    """Return the network and its powers in one year of one scenario, with nothing in service, as the metrics table has it.

    Parameters
    ----------
    study, net
        Study and its network.
    scenario, year
        Which future; in the base year every scenario is the network as it stands.
    every
        Every how many steps of the profiles one is taken.

    Raises
    ------
    ParameterError
        Scenario or year is unknown.
    """
    name, chosen = _tasks.wanted(study, [scenario] if scenario else None, [year])[0]
    return _groups.Shared(study, net).case(study, "" if chosen == study.base_year else name, chosen, every)


def _dependent(study: Study, case: OperatingCase) -> OperatingCase:
    if not {"customers", "customer_classes"} <= set(study.tables):
        return case
    tables = study.table("customers"), study.table("customer_classes"), study.tables.get("load_models")
    return voltvar.with_load_models(case, *tables)


def cvr(study: Study, case: OperatingCase) -> pd.DataFrame:
    """CVR factor of volt-var optimisation in each area, against taps as they stand.

    Parameters
    ----------
    study
        Study with the customers whose load models count.
    case
        Case with nothing in service.

    Returns
    -------
    pd.DataFrame
        One row an area and one for the network: `area`, `vm_mean_before_pu`, `vm_mean_pu` [pu], `vm_reduction_percent` [%],
        `energy_saved_mwh` (of the steps of the case) [MWh], `energy_saved_percent` [%], `cvr_factor` [1], `expected_cvr`
        (``2 z + i`` of the loads of the area, by energy, at 1 pu [1]).
    """
    case = _dependent(study, case)
    schedule = voltvar.optimise(case, voltvar.Settings())
    table = voltvar.summary(schedule.case, case).set_index("area")
    before = voltvar.summary(case).set_index("area")["vm_mean_pu"]
    table = table.assign(vm_mean_before_pu=before, expected_cvr=_expected(case))
    columns = ["vm_mean_before_pu", "vm_mean_pu", "vm_reduction_percent", "energy_saved_mwh", "energy_saved_percent"]
    return table.dropna(subset=["expected_cvr"])[[*columns, "cvr_factor", "expected_cvr"]].reset_index()


def _expected(case: OperatingCase) -> pd.Series:
    """Return 2 z + i of the loads by area and of the network, weighted by energy."""
    load = case.net.load[case.net.load["in_service"].astype(bool)]
    mean = case.profiles.shapes.mean()
    rows = case.profiles.elements[case.profiles.elements["element"] == "load"].set_index("element_id")["shape_p"]
    energy = load["p_mw"] * load["scaling"] * rows.reindex(load.index).map(mean).fillna(1.0)
    factor = (2 * load["const_z_p_percent"] + load["const_i_p_percent"]) / 100
    area = load["bus"].map(case.areas.set_index("bus")["area"])
    found = (energy * factor).groupby(area).sum() / energy.groupby(area).sum()
    return pd.concat([found, pd.Series({"network": (energy * factor).sum() / energy.sum()})])


def sensor_curve(study: Study, case: OperatingCase) -> pd.DataFrame:
    """Return the voltage error against the number of stations with a meter, as :func:`gridplan.applications.monitoring.curve`."""
    count = int(study.assumptions["monitored_stations"])
    return monitoring.curve(case, _groups.sensors_of(study), _groups.meter_of(study), points=count)


def known_sections(study: Study, case: OperatingCase, curve: pd.DataFrame) -> pd.DataFrame:
    """Say what voltages and loadings can be relied on, with the sensors of today and with those that monitoring adds.

    Parameters
    ----------
    study, case
        Study and future.
    curve
        From :func:`sensor_curve`.

    Returns
    -------
    pd.DataFrame
        One row a state and area: `series` (``today`` or ``monitoring``), `area`, `margin_pu` (that volt-var optimisation keeps
        from the limits [pu]), `lines`, `known_percent` (line sections whose loading is known well enough for a transfer [%]),
        `loading_error_percent` (median of its 95 % errors [% of the rating]).
    """
    today = _groups.sensors_of(study)
    states = {"today": today, "monitoring": _groups.with_meters(study, today, curve)}
    rows = []
    for name, sensors in states.items():
        margin = monitoring.margins(case, sensors).set_index("area")["margin_pu"]
        flows = monitoring.flows(case, sensors).dropna(subset=["area"]).groupby("area")
        error = "loading_error_percent"
        table = flows.agg(lines=("line", "size"), known_percent=("known", "mean"), **{error: (error, "median")})
        table["known_percent"] *= 100
        rows.append(table.join(margin).reset_index().assign(series=name))
    columns = ["series", "area", "margin_pu", "lines", "known_percent", "loading_error_percent"]
    return pd.concat(rows, ignore_index=True)[columns]
