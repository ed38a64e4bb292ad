"""A roadmap as it stands in a year, simulated: areas with different options, all groups at once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd
from dask.tokenize import tokenize
from pandapower.auxiliary import pandapowerNet

from gridplan import network, reliability
from gridplan.applications import OperatingCase, voltage
from gridplan.applications import restoration as restoring
from gridplan.assess import _cache, _groups, _options, _outages, _restoration, _run, _tasks
from gridplan.assess._tasks import JOINT, Settings, Task
from gridplan.errors import ParameterError, Problem
from gridplan.study import Study

ROADMAP = "roadmap"
"""Name of the option that is the roadmap itself."""
GROUP = "all groups"

Mix = tuple[tuple[str, str, str], ...]  # area, group, option


@dataclass(frozen=True)
class Moment:
    """The options in service in one year of one scenario."""

    scenario: str
    year: int
    mix: Mix
    every: int

    @property
    def task(self) -> Task:
        """The task whose content this depends on."""
        return Task(JOINT, self.scenario, (self.year,), (ROADMAP,), self.every)


def replay(
    study: Study,
    chosen: pd.DataFrame,
    *,
    scenarios: Iterable[str] | None = None,
    years: Iterable[int] | None = None,
    settings: Settings | None = None,
    execution: _run.Execution | None = None,
) -> pd.DataFrame:
    """Simulate the options of a plan as they stand in each year, under every scenario.

    All groups act at once and every area has its own options: flexibility first, then the voltage group with the powers that it
    leaves, then restoration in that topology. Areas with the same option of a group are simulated together; where areas on one
    transformer have different options, the one put in service last sets its taps.

    Parameters
    ----------
    study
        The study; its network is read.
    chosen
        `area`, `group`, `option`, `year`, such as :attr:`gridplan.roadmap.Roadmap.options`.
    scenarios, years
        As for :func:`gridplan.assess.metrics`; by default all scenarios (no scenario: no row), and its years in which the plan
        has options.
    settings, execution
        As for :func:`gridplan.assess.metrics`; `settings.applications` is not looked at.

    Returns
    -------
    pd.DataFrame
        One row per area, scenario and year, with nothing in service (`option` ``none``) and as the plan stands (``roadmap``):
        `area`, `group` (``all groups``), `option`, `scenario`, `year` and the columns of the metrics. The conventional
        reinforcement is not planned again: `reinforcement_keur` is not among them.

    Raises
    ------
    ParameterError
        Years without options, an option of an unknown application, or a scenario or year that is unknown.
    """
    net = network.load(study)
    execution, settings = execution or _run.Execution(), settings or Settings()
    if years is None:
        known = set(chosen["year"].astype(int))
        years = [year for _, year in _tasks.wanted(study, scenarios, None) if year in known]
    pairs = _tasks.wanted(study, scenarios, sorted(set(years)))
    _refuse(chosen, {year for _, year in pairs})
    work = _moments(study, chosen, pairs, settings.every)
    found = _evaluated(_groups.Shared(study, net), list(dict.fromkeys(work.values())), execution)
    rows = []
    for (scenario, year, option), moment in work.items():
        rows.append(found[moment].assign(scenario=scenario, year=year, option=option, group=GROUP))
    table = pd.concat(rows, ignore_index=True) if rows else pd.DataFrame(columns=list(_run.KEY))
    names = [name for names in _run.COLUMNS.values() for name in names if name != "reinforcement_keur"]
    return table.reindex(columns=[*_run.KEY, *dict.fromkeys(names)])


def _refuse(chosen: pd.DataFrame, years: set[int]) -> None:
    problems = [Problem("chosen", f"has no options in {year}") for year in sorted(years - set(chosen["year"].astype(int)))]
    for group, option in sorted(set(zip(chosen["group"], chosen["option"], strict=True))):
        unknown = [name for name in _options.members(option) if name not in _options.GROUPS.get(group, ())]
        problems += [Problem("chosen", f"'{name}' is no application of the group '{group}'") for name in unknown]
    if problems:
        raise ParameterError("replay", problems)


def _moments(study: Study, chosen: pd.DataFrame, pairs: list[tuple[str, int]], every: int) -> dict[tuple[str, int, str], Moment]:
    """Return what is to be simulated, by scenario, year and option; the base year is the same in all scenarios."""
    work = {}
    for scenario, year in pairs:
        own = chosen[(chosen["year"] == year) & (chosen["option"] != _options.NONE)]
        mix = tuple(sorted(zip(own["area"], own["group"], own["option"], strict=True)))
        place = "" if year == study.base_year else scenario
        work[scenario, year, _options.NONE] = Moment(place, year, (), every)
        work[scenario, year, ROADMAP] = Moment(place, year, mix, every)
    return work


def _evaluated(shared: _groups.Shared, work: list[Moment], execution: _run.Execution) -> dict[Moment, pd.DataFrame]:
    """Return the result of each moment, from the cache or made now."""
    contents = _tasks.keys(shared.study, shared.net, [moment.task for moment in work]) if execution.cache else {}
    own = Path(__file__).read_bytes()  # the content of a task does not hold this file
    keys = {moment: tokenize(own, contents[moment.task], moment) for moment in work} if execution.cache else {}
    found = {moment: _cache.load(execution.cache, keys[moment]) if keys else None for moment in work}
    missing = [moment for moment in work if found[moment] is None]
    done = len(work) - len(missing)
    execution.tell(done, len(work))
    with _run._pool(execution, len(missing)) as pool:
        for moment, table in pool(simulate, shared, missing):
            if keys:
                _cache.store(execution.cache, keys[moment], table)
            found[moment] = table
            done += 1
            execution.tell(done, len(work))
    return found


def simulate(shared: _groups.Shared, moment: Moment) -> pd.DataFrame:
    """Simulate one moment: one row an area."""
    study = _tasks.narrowed(shared.study, moment.task)
    start = shared.case(study, moment.scenario, moment.year, moment.every)
    case, moved = start, None
    for option, areas in _parts(moment.mix, "flexibility", start):
        joint = _groups.flexible(study, case, ((option,), areas))[option]
        moved = _summed(moved, joint.summary)
        case = joint.case
    before = case
    regulated = _regulated(shared, study, before, moment.mix)
    table = _groups.measured({ROADMAP: regulated}, start).drop(columns="option")
    table = _moved(table, moved, _groups.HOURS / (len(start.profiles.time) * start.profiles.step_h))
    if "restoration" not in _tasks.groups(study):
        return table
    if moved is None:  # nothing moved powers: the outage model sees every step, as in the table
        before = shared.case(study, moment.scenario, moment.year, 1)
    outage = _restored(shared, study, _placed(before, regulated.case, start), moment.mix)
    return table.merge(outage, on="area", how="outer")


def _regulated(shared: _groups.Shared, study: Study, before: OperatingCase, mix: Mix) -> voltage.Voltage:
    """Put the options of the voltage group in service, one after the other; return the last, which holds them all."""
    found = _groups.voltages(shared, study, before, ((_options.NONE,), None))[_options.NONE]  # loads follow the voltage
    for option, areas in _parts(mix, "voltage", before):
        settings = voltage.Settings(*_groups.margins(shared, study, before, areas), areas=areas)
        found = voltage.evaluate(found.case, settings, (option,))[option]
    return found


def _parts(mix: Mix, group: str, case: OperatingCase) -> list[tuple[str, tuple[str, ...] | None]]:
    """Return the options of a group with the areas that have them (None: all), those of fewest areas last."""
    every = set(case.areas["area"])
    areas: dict[str, list[str]] = {}
    for area, own, option in mix:
        if own == group:
            areas.setdefault(option, []).append(area)
    ordered = sorted(areas.items(), key=lambda part: (-len(part[1]), part[0]))
    return [(option, None if set(names) == every else tuple(names)) for option, names in ordered]


def _summed(known: pd.DataFrame | None, summary: pd.DataFrame) -> pd.DataFrame:
    """Add up what options of several areas move."""
    own = summary.set_index("area")[["shifted_mwh", "stored_mwh"]]
    return own if known is None else known.add(own, fill_value=0.0)


def _moved(table: pd.DataFrame, moved: pd.DataFrame | None, scale: float) -> pd.DataFrame:
    if moved is None:
        return table.assign(shifted_mwh=0.0, stored_mwh=0.0)
    return table.join(moved * scale, on="area")


def _placed(before: OperatingCase, case: OperatingCase, start: OperatingCase) -> OperatingCase:
    """Return the powers of a case in the topology of another, as the outage model wants them."""
    switch = case.net.switch.loc[start.net.switch.index, start.net.switch.columns]
    return replace(before, net=pandapowerNet(dict(before.net.items()) | {"switch": switch}))


def _restored(shared: _groups.Shared, study: Study, case: OperatingCase, mix: Mix) -> pd.DataFrame:
    """Return interruptions with each application of restoration in service in its own areas."""
    base = shared.once("restoration", lambda: _groups.today(shared, study))
    model = reliability.prepare(case.net, _outages.outages(study, case.net, case.profiles), case.areas)
    areas = _covered(mix)
    put = {name: _restoration.services(study.assumptions, base.devices, own)[name] for name, own in areas.items()}
    option = "+".join(areas) or _options.NONE
    given = _outages.with_calibration(model.outages, base.calibration)
    table = restoring.evaluate(model, given, put, _outages.interruption_costs(study), options=[option])
    table = table[(table["area"] != restoring.ALL) & ((table["area"] != restoring.OUTSIDE) | (table["customers"] > 0))]
    return table[["area", *_groups._OUTAGE]].reset_index(drop=True)


def _covered(mix: Mix) -> dict[str, tuple[str, ...]]:
    """Return the areas of each application of restoration, in the order in which they are put in service."""
    own = [(name, area) for area, group, option in mix if group == "restoration" for name in _options.members(option)]
    names = [name for name in _options.GROUPS["restoration"] if any(name == used for used, _ in own)]
    return {name: tuple(area for used, area in own if used == name) for name in names}
