"""The options of each group, simulated in one future."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pandas as pd
from pandapower.auxiliary import pandapowerNet

from gridplan import futures, network, needs, performance, reliability
from gridplan.applications import OperatingCase, _flexible, flexibility, monitoring, voltage, voltvar
from gridplan.applications import restoration as restoring
from gridplan.assess import _options, _outages, _restoration, _tasks
from gridplan.assess._measure import measure
from gridplan.assess._tasks import Task
from gridplan.powerflow import Profiles
from gridplan.study import Study

_OUTAGE = ["customers", "saifi", "saidi_min", "maifi_e", "ens_mwh", "interruption_cost_keur"]
_METER = {"kind": "meter", "quantity": "v", "availability_percent": 97.0, "delay_min": 15}
_SEARCH = needs.Search(weights=(1.0,), exact=0)


@dataclass(frozen=True, eq=False)
class Shared:
    """What the tasks of a table have in common; what is derived from it is computed once in each process.

    Parameters
    ----------
    study, net
        The study and its network.
    areas
        Areas in service; None is all of them, and so it is in a table.
    """

    study: Study
    net: pandapowerNet
    areas: tuple[str, ...] | None = None

    def __reduce__(self) -> tuple:
        return Shared, (self.study, self.net, self.areas)

    @cached_property
    def place(self) -> pd.DataFrame:
        """Columns `bus`, `area`."""
        return network.areas(self.net, self.study.tables.get("areas"))

    @cached_property
    def _made(self) -> dict:
        return {}

    def once(self, name: str, make: Callable[[], object]) -> object:
        """Return what was made under a name, or make it."""
        if name not in self._made:
            self._made[name] = make()
        return self._made[name]

    def case(self, study: Study, scenario: str, year: int, every: int) -> OperatingCase:
        """Network and powers of a year; every how many-th step."""
        if scenario:
            future = futures.case(study, self.net, scenario, year)
            net, profiles = future.net, future.profiles
        else:
            net, profiles = self.net, futures.profiles(study, self.net)
        thin = Profiles(profiles.time[::every], profiles.shapes.iloc[::every], profiles.elements)
        return OperatingCase(net, thin, self.place, performance.limits(study.assumptions))


def evaluate(shared: Shared, task: Task) -> pd.DataFrame:
    """Evaluate every option of a task: one row a year, option and area."""
    study = _tasks.narrowed(shared.study, task)
    rows = {"restoration": restoration, "voltage": of_voltage, "flexibility": of_flexibility}[task.group](shared, study, task)
    return rows.assign(group=task.group)


# --- restoration ---------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class _Today:
    """Outage model of the base year: what it takes to meet the history, and where devices stand."""

    calibration: reliability.Calibration
    devices: dict[str, tuple[int, ...]]


def today(shared: Shared, study: Study) -> _Today:
    """Calibrate the outage model and place devices, both in the base year."""
    case = shared.case(study, "", study.base_year, 1)
    model = reliability.prepare(case.net, _outages.outages(study, case.net, case.profiles), shared.place)
    scaled = _outages.calibrated(study, model)
    return _Today(scaled, _restoration.devices(model, _outages.with_calibration(model.outages, scaled), study.assumptions))


def restoration(shared: Shared, study: Study, task: Task) -> pd.DataFrame:
    """Indices and cost of interruptions, by option and area of the customers."""
    case = shared.case(study, task.scenario, task.years[0], 1)
    return restored(shared, study, case, task.options).assign(year=task.years[0])


def restored(shared: Shared, study: Study, case: OperatingCase, options: tuple[str, ...]) -> pd.DataFrame:
    """Options of the restoration group on one case."""
    base = shared.once("restoration", lambda: today(shared, study))
    model = reliability.prepare(case.net, _outages.outages(study, case.net, case.profiles), case.areas)
    given = _outages.with_calibration(model.outages, base.calibration)
    put = _restoration.services(study.assumptions, base.devices, shared.areas)
    table = restoring.evaluate(model, given, put, _outages.interruption_costs(study), options=options)
    table = table[(table["area"] != restoring.ALL) & ((table["area"] != restoring.OUTSIDE) | (table["customers"] > 0))]
    return table[["area", "option", *_OUTAGE]].reset_index(drop=True)


# --- voltage -------------------------------------------------------------------------------------------------------------------


def meters(shared: Shared, study: Study) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Sensors of today, and those with the meters that monitoring adds, placed in the base year where they help most."""
    case = shared.case(study, "", study.base_year, 4)
    sensors = study.tables.get("sensors", pd.DataFrame(columns=monitoring.SENSORS))
    template = pd.DataFrame([_METER | {"sd_percent": study.assumptions["station_meter_sd_percent"]}])
    count = int(study.assumptions["monitored_stations"])
    curve = monitoring.curve(case, sensors, template, points=count)
    stations = [int(name.rsplit(" ", 1)[1]) for name in curve["sensor"][1:]]
    return sensors, pd.concat([sensors, monitoring.meters(stations, template)], ignore_index=True)


def margins(shared: Shared, study: Study, case: OperatingCase) -> tuple[float, float]:
    """Distance from the voltage limits [pu] without and with monitoring."""
    sensors, more = shared.once("meters", lambda: meters(shared, study))
    if shared.areas is not None:
        buses = case.areas.loc[case.areas["area"].isin(shared.areas), "bus"]
        added = more.iloc[len(sensors) :]
        more = pd.concat([sensors, added[added["bus"].isin(buses)]], ignore_index=True)
    tables = [monitoring.margins(case, table) for table in (sensors, more)]
    own = tables[0]["area"].isin(tables[0]["area"] if shared.areas is None else shared.areas)
    return tuple(float(table.loc[own, "margin_pu"].max()) for table in tables)


def of_voltage(shared: Shared, study: Study, task: Task) -> pd.DataFrame:
    """Energy, losses, peak and violations, by option and area."""
    case = shared.case(study, task.scenario, task.years[0], task.every)
    found = voltages(shared, study, case, task.options)
    return _measured({name: joint.case for name, joint in found.items()}, case).assign(year=task.years[0])


def voltages(shared: Shared, study: Study, case: OperatingCase, options: tuple[str, ...]) -> Mapping[str, voltage.Voltage]:
    """Options of the voltage group on one case, its loads dependent on the voltage where customers are known."""
    without, with_monitoring = margins(shared, study, case)
    settings = voltage.Settings(without, min(without, with_monitoring), shared.areas)
    if {"customers", "customer_classes"} <= set(study.tables):
        tables = study.table("customers"), study.table("customer_classes"), study.tables.get("load_models")
        case = voltvar.with_load_models(case, *tables)
    return voltage.evaluate(case, settings, options)


def _measured(cases: Mapping[str, OperatingCase], start: OperatingCase) -> pd.DataFrame:
    """Measure each different case once; switching operations and what generation is cut count against the start."""
    known: dict[int, pd.DataFrame] = {}
    for case in [*cases.values()]:
        known.setdefault(id(case), None)
    for case in cases.values():
        if known[id(case)] is None:
            known[id(case)] = measure(case)
    rows = []
    for name, case in cases.items():
        table = known[id(case)].copy()
        table["operations"] += _switched(start, case).reindex(table["area"]).to_numpy(float)
        rows.append(table.assign(option=name))
    return pd.concat(rows, ignore_index=True)


def _switched(start: OperatingCase, case: OperatingCase) -> pd.Series:
    """Switches that are in another position, by area of the line: operated once."""
    old, new = start.net.switch["closed"].astype(bool), case.net.switch["closed"].astype(bool)
    lines = start.net.switch.loc[(old != new.reindex(old.index)) & (start.net.switch["et"] == "l"), "element"]
    area = performance.line_areas(start.net, start.areas).set_index("line")["area"]
    counts = area.reindex(lines).value_counts()
    return counts.reindex(sorted(start.areas["area"].unique()), fill_value=0)


# --- flexibility ---------------------------------------------------------------------------------------------------------------


def of_flexibility(shared: Shared, study: Study, task: Task) -> pd.DataFrame:
    """Energy, peak and violations with what was cut, shifted and stored, and the conventional plan, by option, year and area."""
    cases = {year: shared.case(study, task.scenario, year, task.every) for year in task.years}
    found = {year: flexible(shared, study, case, task.options) for year, case in cases.items()}
    rows = []
    for year, joints in found.items():
        known = {id(joint.case): measure(joint.case, joint.state) for joint in joints.values()}
        scale = 8760.0 / (len(cases[year].profiles.time) * cases[year].profiles.step_h)
        for name, joint in joints.items():
            own = joint.summary.set_index("area")[["curtailed_mwh", "shifted_mwh", "stored_mwh"]] * scale
            rows.append(known[id(joint.case)].join(own, on="area").assign(option=name, year=year))
    table = pd.concat(rows, ignore_index=True)
    if "measures" not in study.tables:
        return table.assign(reinforcement_keur=np.nan)
    return table.merge(_reinforced(study, found), on=["area", "option", "year"])


def flexible(shared: Shared, study: Study, case: OperatingCase, options: tuple[str, ...]) -> Mapping[str, flexibility.Joint]:
    """Options of the flexibility group on one case."""
    settings = flexibility.Settings(study.table("flexibility"), areas=shared.areas)
    return flexibility.evaluate(case, settings, options)


def _reinforced(study: Study, found: Mapping[int, Mapping[str, flexibility.Joint]]) -> pd.DataFrame:
    """Cost of the conventional plan up to each year, by option and area."""
    years, done = sorted(found), {}
    options = list(next(iter(found.values())))
    plans: dict[tuple[int, ...], needs.Plan] = {}
    for option in options:
        key = tuple(id(found[year][option].case) for year in years)
        if key not in plans:
            cases = {year: found[year][option].case for year in years}
            plans[key] = needs.reinforce(cases, next(iter(cases.values())).limits, study.table("measures"), search=_SEARCH)
        done[option] = plans[key]
    weights = measure_shares(found[years[0]][options[0]].case)
    return pd.concat([_cost(done, option, years, weights) for option in options], ignore_index=True)


def measure_shares(case: OperatingCase) -> pd.Series:
    """Share of each area in the load, for what is built outside the areas."""
    load = flexible_load(case)
    return load / load.sum() if load.sum() > 0 else load * 0 + 1 / len(load)


def flexible_load(case: OperatingCase) -> pd.Series:
    """Energy of the loads of each area."""
    return _flexible.powers(case, "load").drop(columns=_flexible.ALL).sum()


def _cost(plans: Mapping[str, needs.Plan], option: str, years: list[int], weights: pd.Series) -> pd.DataFrame:
    """Cumulated cost of the cheapest plan of an option and of those inside it, which it can be operated like."""
    inside = [name for name in plans if set(_options.members(name)) <= set(_options.members(option))]
    plan = min((plans[name] for name in inside), key=lambda one: (len(one.left), one.total_keur))
    rows = []
    for year in years:
        steps = plan.steps[plan.steps["year"] <= year]
        own = steps.groupby("area")["capex_keur"].sum().reindex(weights.index, fill_value=0.0)
        own += weights * (steps["capex_keur"].sum() - own.sum())
        known = plan.left.empty or year < plan.left["year"].min()
        rows.append(pd.DataFrame({"area": own.index, "reinforcement_keur": own.to_numpy() if known else np.nan, "year": year}))
    return pd.concat(rows, ignore_index=True).assign(option=option)
