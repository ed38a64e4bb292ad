"""The options of each group, simulated in one future."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pandas as pd
from pandapower.auxiliary import pandapowerNet
from threadpoolctl import threadpool_limits

from gridplan import futures, needs, network, performance, reliability
from gridplan.applications import OperatingCase, _changed, _flexible, flexibility, monitoring, voltage, voltvar
from gridplan.applications import restoration as restoring
from gridplan.applications.voltvar import _summary
from gridplan.assess import _options, _outages, _restoration, _tasks
from gridplan.assess._measure import HOURS, measure
from gridplan.assess._tasks import Task
from gridplan.powerflow import Limits, PowerFlow, Profiles
from gridplan.powerflow._model import Model
from gridplan.study import Study

_OUTAGE = ["customers", "saifi", "saidi_min", "maifi_e", "ens_mwh", "interruption_cost_keur"]
_METER = {"kind": "meter", "quantity": "v", "availability_percent": 97.0, "delay_min": 15}
_CASES = 16  # years kept at once; a year of quarter-hours takes some 15 MB
_WEIGHTS = (0.5, 1.0)
"""Of gain to cost, by which a conventional plan is sought: large measures first; only if that leaves something, small ones."""


@dataclass(frozen=True, eq=False)
class Shared:
    """What the tasks of a table have in common; what is derived from it is computed once in each process.

    Parameters
    ----------
    study, net
        The study and its network.
    """

    study: Study
    net: pandapowerNet

    def __reduce__(self) -> tuple:
        return Shared, (self.study, self.net)

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
        """Network and powers of a year; every how many-th step. Groups read the same tables for it, so they share it."""
        cases = self.once("cases", dict)
        if (scenario, year) not in cases:
            cases[scenario, year] = self._whole(study, scenario, year)
            if len(cases) > _CASES:
                cases.pop(next(iter(cases)))
        net, profiles = cases[scenario, year]
        thin = Profiles(profiles.time[::every], profiles.shapes.iloc[::every], profiles.elements)
        return OperatingCase(net, thin, self.place, performance.limits(study.assumptions))

    def _whole(self, study: Study, scenario: str, year: int) -> tuple[pandapowerNet, Profiles]:
        if not scenario:
            return self.net, futures.profiles(study, self.net)
        future = futures.case(study, self.net, scenario, year)
        return future.net, future.profiles


def bases(task: Task) -> tuple[str, ...]:
    """Names of what a task takes from the base year."""
    return {"restoration": ("restoration",), "voltage": ("meters",), _tasks.JOINT: ("restoration", "meters")}.get(task.group, ())


def basis(shared: Shared, task: Task, name: str) -> object:
    """Make what tasks like one take from the base year, by its name."""
    study = _tasks.narrowed(shared.study, task)
    make = {"restoration": today, "meters": meters}[name]
    with threadpool_limits(1, user_api="blas"):  # a sum shared out among threads has other last bits
        return shared.once(name, lambda: make(shared, study))


def evaluate(shared: Shared, task: Task, known: Mapping[str, object] | None = None) -> pd.DataFrame:
    """Evaluate every option of a task: one row a year, option and area; `known` is by :func:`basis` if it was made elsewhere."""
    for name, value in (known or {}).items():
        shared.once(name, lambda value=value: value)
    study = _tasks.narrowed(shared.study, task)
    work = {"restoration": of_restoration, "voltage": of_voltage, "flexibility": of_flexibility, _tasks.JOINT: of_all}
    with threadpool_limits(1, user_api="blas"):
        return work[task.group](shared, study, task).assign(group=task.group)


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


def of_restoration(shared: Shared, study: Study, task: Task) -> pd.DataFrame:
    """Return indices and cost of interruptions, by option and area of the customers."""
    case = shared.case(study, task.scenario, task.years[0], 1)
    return restored(shared, study, case, (task.options, task.areas)).assign(year=task.years[0])


def restored(
    shared: Shared, study: Study, case: OperatingCase, what: tuple[tuple[str, ...], tuple[str, ...] | None]
) -> pd.DataFrame:
    """Return the rows of options of the restoration group, in service in some areas, on one case."""
    options, covered = what
    base = shared.once("restoration", lambda: today(shared, study))
    model = reliability.prepare(case.net, _outages.outages(study, case.net, case.profiles), case.areas)
    given = _outages.with_calibration(model.outages, base.calibration)
    put = _restoration.services(study.assumptions, base.devices, covered)
    table = restoring.evaluate(model, given, put, _outages.interruption_costs(study), options=options)
    table = table[(table["area"] != restoring.ALL) & ((table["area"] != restoring.OUTSIDE) | (table["customers"] > 0))]
    return table[["area", "option", *_OUTAGE]].reset_index(drop=True)


# --- voltage -------------------------------------------------------------------------------------------------------------------


def meters(shared: Shared, study: Study) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Sensors of today, and those with the meters that monitoring adds, placed in the base year where they help most."""
    case = shared.case(study, "", study.base_year, 4)
    today, count = sensors_of(study), int(study.assumptions["monitored_stations"])
    return today, with_meters(study, today, monitoring.curve(case, today, meter_of(study), points=count))


def sensors_of(study: Study) -> pd.DataFrame:
    """Return the sensors in place; none where the study names none."""
    return study.tables.get("sensors", pd.DataFrame(columns=monitoring.SENSORS))


def meter_of(study: Study) -> pd.DataFrame:
    """Return the meter that monitoring adds to a station, as a row of sensors."""
    return pd.DataFrame([_METER | {"sd_percent": study.assumptions["station_meter_sd_percent"]}])


def with_meters(study: Study, today: pd.DataFrame, curve: pd.DataFrame) -> pd.DataFrame:
    """Return sensors with meters at the stations of a curve of :func:`gridplan.applications.monitoring.curve`."""
    stations = [int(name.rsplit(" ", 1)[1]) for name in curve["sensor"][1:]]
    added = monitoring.meters(stations, meter_of(study))
    return pd.concat([table for table in (today, added) if len(table)], ignore_index=True) if stations else today


def margins(shared: Shared, study: Study, case: OperatingCase, covered: tuple[str, ...] | None) -> tuple[float, float]:
    """Distance from the voltage limits [pu] that the areas covered need without and with monitoring in them."""
    sensors, more = shared.once("meters", lambda: meters(shared, study))
    if covered is not None:
        buses = case.areas.loc[case.areas["area"].isin(covered), "bus"]
        added = more.iloc[len(sensors) :]
        parts = [table for table in (sensors, added[added["bus"].isin(buses)]) if len(table)]
        more = pd.concat(parts, ignore_index=True) if parts else sensors
    models = monitoring.models(case, monitoring.Settings())
    tables = [monitoring.margins(case, table, models=models).set_index("area")["margin_pu"] for table in (sensors, more)]
    without, with_monitoring = (float(table[list(covered or table.index)].max()) for table in tables)
    return without, min(without, with_monitoring)


def of_voltage(shared: Shared, study: Study, task: Task) -> pd.DataFrame:
    """Energy, losses, peak and violations, by option and area."""
    case = shared.case(study, task.scenario, task.years[0], task.every)
    found = voltages(shared, study, case, (task.options, task.areas))
    return measured(found, case).assign(year=task.years[0])


def voltages(
    shared: Shared, study: Study, case: OperatingCase, what: tuple[tuple[str, ...], tuple[str, ...] | None]
) -> Mapping[str, voltage.Voltage]:
    """Options of the voltage group in some areas of a case, its loads dependent on the voltage where customers are known."""
    options, covered = what
    settings = voltage.Settings(*margins(shared, study, case, covered), areas=covered)
    if {"customers", "customer_classes"} <= set(study.tables):
        tables = study.table("customers"), study.table("customer_classes"), study.tables.get("load_models")
        case = voltvar.with_load_models(case, *tables)
    return voltage.evaluate(case, settings, options)


def measured(options: Mapping[str, voltage.Voltage], start: OperatingCase) -> pd.DataFrame:
    """Measure each different case once; switches operated and energy cut count against the start."""
    different = {id(joint.case): joint for joint in options.values()}
    known = {key: _against(start, joint.case, measure(joint.case, found=joint.series)) for key, joint in different.items()}
    return pd.concat([known[id(joint.case)].assign(option=name) for name, joint in options.items()], ignore_index=True)


def _against(start: OperatingCase, case: OperatingCase, table: pd.DataFrame) -> pd.DataFrame:
    """Add to what a case measures the switches operated and the energy cut against the start."""
    switched = _switched(start, case).reindex(table["area"]).to_numpy(float)
    before, after = (_generated(one).reindex(table["area"]).to_numpy(float) for one in (start, case))
    cut = np.where(np.abs(before - after) < 1e-9, 0.0, before - after)
    return table.assign(operations=table["operations"] + switched, curtailed_mwh=cut)


def _generated(case: OperatingCase) -> pd.Series:
    """Energy of the generators of each area [MWh/yr]."""
    power = _flexible.powers(case, "sgen").drop(columns=_flexible.ALL)
    return power.mean() * HOURS


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
    found = {year: flexible(study, case, (task.options, task.areas)) for year, case in cases.items()}
    rows = []
    for year, joints in found.items():
        known = _measured(joints)
        scale = HOURS / (len(cases[year].profiles.time) * cases[year].profiles.step_h)
        for name, joint in joints.items():
            own = joint.summary.set_index("area")[["curtailed_mwh", "shifted_mwh", "stored_mwh"]] * scale
            rows.append(known[id(joint.case)].join(own, on="area").assign(option=name, year=year))
    table = pd.concat(rows, ignore_index=True)
    if "measures" not in study.tables or not task.plan:
        return table.assign(reinforcement_keur=np.nan)
    return table.merge(_reinforced(study, found), on=["area", "option", "year"])


def _measured(joints: Mapping[str, flexibility.Joint]) -> dict[int, pd.DataFrame]:
    """Measure each different case once; of one that differs from the start in few steps only, these."""
    start = next(iter(joints.values())).before
    base = _summary.series(start[0], start[1].models)
    known = {}
    for joint in {id(joint.case): joint for joint in joints.values()}.values():
        steps, models, found = joint.state.changed, joint.state.models, base
        if not _changed.few(joint.case, steps):
            found = _summary.series(joint.case, models)
        elif len(steps):
            found = _summary.series(_changed.part(joint.case, steps), models)
            found = _changed.joined(base, found, steps, len(joint.case.profiles.time))
        known[id(joint.case)] = measure(joint.case, joint.state, found)
    return known


def flexible(
    study: Study, case: OperatingCase, what: tuple[tuple[str, ...], tuple[str, ...] | None]
) -> Mapping[str, flexibility.Joint]:
    """Options of the flexibility group in some areas of a case."""
    options, covered = what
    return flexibility.evaluate(case, flexibility.Settings(study.table("flexibility"), areas=covered), options)


def _reinforced(study: Study, found: Mapping[int, Mapping[str, flexibility.Joint]]) -> pd.DataFrame:
    """Cost of the conventional plan up to each year, by option and area."""
    years, done = sorted(found), {}
    options = list(found[years[0]])
    plans: dict[tuple[int, ...], needs.Plan | None] = {}
    for option in options:
        # Until something is outside its limits nothing is built, and no plan needs to look.
        joints = list(itertools.dropwhile(lambda pair: _sound(pair[1]), ((year, found[year][option]) for year in years)))
        key = tuple(id(joint.case) for _, joint in joints)
        if key not in plans:
            cases = {year: needs.Situation(joint.case.net, joint.case.profiles, _known(joint)) for year, joint in joints}
            limits = found[years[0]][option].case.limits
            plans[key] = planned(cases, limits, study.table("measures")) if cases else None
        done[option] = plans[key]
    weights = _load_shares(found[years[0]][options[0]].case)
    return pd.concat([_cost(done, option, years, weights) for option in options], ignore_index=True)


def planned(cases: Mapping[int, needs.Case], limits: Limits, measures: pd.DataFrame) -> needs.Plan:
    """Conventional plan, sought quickly: the first that leaves nothing, otherwise the one that leaves least."""
    found = []
    for weight in _WEIGHTS:
        search = needs.Search(weights=(weight,), exact=0, shortlist=14)
        found.append(needs.reinforce(cases, limits, measures, search=search))
        if found[-1].left.empty:
            return found[-1]
    return min(found, key=lambda plan: (len(plan.left), plan.total_keur))


def _known(joint: flexibility.Joint) -> tuple[Model, PowerFlow] | None:
    """Model and power flows of an option; none where taps or banks move, which a plan of fixed ones cannot begin with."""
    return None if joint.case.schedule else (joint.state.models.full, joint.state.result)


def _sound(joint: flexibility.Joint) -> bool:
    """Whether every step has a solution inside the limits, and every element is supplied and rated."""
    result = joint.state.result
    loadings = (getattr(result, f"{name}_loading_percent").to_numpy() for name in ("line", "trafo", "trafo3w"))
    known = np.isfinite(result.vm_pu.to_numpy()).all() and all(np.isfinite(table).all() for table in loadings)
    return bool(known and not joint.state.outside.to_numpy().any())


def _load_shares(case: OperatingCase) -> pd.Series:
    """Share of each area in the load, for what is built outside the areas."""
    load = _flexible.powers(case, "load").drop(columns=_flexible.ALL).sum()
    return load / load.sum() if load.sum() > 0 else load * 0 + 1 / len(load)


def _cost(plans: Mapping[str, needs.Plan | None], option: str, years: list[int], weights: pd.Series) -> pd.DataFrame:
    """Cumulated cost of the cheapest plan of an option and of those inside it, which it can be operated like."""
    inside = [name for name in plans if set(_options.members(name)) <= set(_options.members(option))]
    if any(plans[name] is None for name in inside):
        rows = [pd.DataFrame({"area": weights.index, "reinforcement_keur": 0.0, "year": year}) for year in years]
        return pd.concat(rows, ignore_index=True).assign(option=option)
    plan = min((plans[name] for name in inside), key=lambda one: (len(one.left), one.total_keur))
    rows = []
    for year in years:
        steps = plan.steps[plan.steps["year"] <= year]
        own = steps.groupby("area")["capex_keur"].sum().reindex(weights.index, fill_value=0.0)
        own += weights * (steps["capex_keur"].sum() - own.sum())
        known = plan.left.empty or year < plan.left["year"].min()
        rows.append(pd.DataFrame({"area": own.index, "reinforcement_keur": own.to_numpy() if known else np.nan, "year": year}))
    return pd.concat(rows, ignore_index=True).assign(option=option)


# --- everything at once --------------------------------------------------------------------------------------------------------


def of_all(shared: Shared, study: Study, task: Task) -> pd.DataFrame:
    """Everything in service at once, in the columns of all groups.

    First flexibility, whose programs know no other group; then the voltage group with the powers that it leaves; then restoration
    with these powers in that topology.
    """
    start = shared.case(study, task.scenario, task.years[0], task.every)
    full = {group: _options.options(group)[-1] for group in _options.GROUPS}
    moved = flexible(study, start, ((full["flexibility"],), task.areas))[full["flexibility"]]
    found = voltages(shared, study, moved.case, ((_options.NONE, full["voltage"]), task.areas))
    case = found[full["voltage"]].case
    table = measured({task.options[0]: found[full["voltage"]]}, start)
    own = moved.summary.set_index("area")[["shifted_mwh", "stored_mwh"]]
    scale = HOURS / (len(start.profiles.time) * start.profiles.step_h)
    table = table.join(own * scale, on="area")
    if "restoration" not in _tasks.groups(study):
        return table.assign(year=task.years[0])
    switch = case.net.switch.loc[start.net.switch.index, start.net.switch.columns]
    placed = replace(moved.case, net=pandapowerNet(dict(moved.case.net.items()) | {"switch": switch}))
    outage = restored(shared, study, placed, ((full["restoration"],), task.areas)).drop(columns="option")
    return table.merge(outage, on="area").assign(year=task.years[0])
