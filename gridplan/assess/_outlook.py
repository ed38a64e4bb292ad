"""What the futures ask of the network, and what conventional measures cost: kept in the cache like the metrics."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import pandas as pd
from pandapower.auxiliary import pandapowerNet

from gridplan import futures, network, performance
from gridplan.assess import _cache, _groups, _tasks
from gridplan.assess._run import Execution
from gridplan.assess._tasks import Settings, Task
from gridplan.study import Study

NONE = ("none",)


@dataclass(frozen=True, eq=False)
class Conventional:
    """The conventional plan of a scenario.

    Parameters
    ----------
    steps, left
        As of :class:`gridplan.needs.Plan`: the measures, and what they do not cure.
    """

    steps: pd.DataFrame
    left: pd.DataFrame


def conventional(
    study: Study,
    net: pandapowerNet | None,
    scenario: str,
    years: Iterable[int],
    *,
    settings: Settings | None = None,
    execution: Execution | None = None,
) -> Conventional:
    """Return the conventional plan behind `reinforcement_keur` of the metrics, with nothing in service.

    Parameters
    ----------
    study, net
        The study, with `measures` and scenarios, and its network (read if not given).
    scenario, years
        Scenario, and years in which needs are cured.
    settings, execution
        As for :func:`gridplan.assess.metrics`: with the same years and the same `every` the plan is the same.

    Returns
    -------
    Conventional
        From the cache, if it was made before.
    """
    every, cache = (settings or Settings()).every, (execution or Execution()).cache
    net = network.load(study) if net is None else net
    task = Task("flexibility", scenario, tuple(sorted(set(years))), NONE, every)
    key = _tasks.keys(study, net, [task])[task]
    found = [_cache.load(cache, f"{part}-{key}") for part in ("steps", "left")]
    if any(table is None for table in found):
        found = list(_planned(study, net, task))
        for part, table in zip(("steps", "left"), found, strict=True):
            _cache.store(cache, f"{part}-{key}", table)
    return Conventional(*found)


def _planned(study: Study, net: pandapowerNet, task: Task) -> tuple[pd.DataFrame, pd.DataFrame]:
    shared = _groups.Shared(study, net)
    cases = {year: shared.case(study, _scenario(study, task.scenario, year), year, task.every) for year in task.years}
    plan = _groups.planned(cases, performance.limits(study.assumptions), study.table("measures"))
    return plan.steps, plan.left


def _scenario(study: Study, scenario: str, year: int) -> str:
    return "" if year == study.base_year else scenario


def outlook(study: Study, net: pandapowerNet | None, years: Iterable[int], *, execution: Execution | None = None) -> pd.DataFrame:
    """Return the worst of voltage and loading in every scenario and year, every step a power flow.

    Parameters
    ----------
    study, net
        The study, with scenarios, and its network (read if not given).
    years
        Years to judge.
    execution
        For its cache.

    Returns
    -------
    pd.DataFrame
        As :func:`gridplan.performance.outlook`.
    """
    cache, asked = (execution or Execution()).cache, sorted(set(years))
    net = network.load(study) if net is None else net
    tasks = [Task("voltage", name, tuple(asked), NONE, 1) for name in study.table("scenarios")["scenario"]]
    keys, limits = _tasks.keys(study, net, tasks), performance.limits(study.assumptions)
    rows = []
    for task in tasks:
        table = _cache.load(cache, f"outlook-{keys[task]}")
        if table is None:
            table = performance.outlook(futures.cases(study, net, [task.scenario], years=asked), limits)
            _cache.store(cache, f"outlook-{keys[task]}", table)
        rows.append(table)
    return pd.concat(rows, ignore_index=True)
