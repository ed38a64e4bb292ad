"""How far two assumptions of the metrics table are from the truth: that groups add up, and that areas are independent."""

from __future__ import annotations

import pandas as pd
from pandapower.auxiliary import pandapowerNet

from gridplan import network
from gridplan.assess import _groups, _run, _tasks
from gridplan.assess._options import GROUPS, NONE, options
from gridplan.assess._tasks import JOINT, Settings, Task
from gridplan.errors import ParameterError, Problem
from gridplan.study import Study

QUANTITIES = {
    "restoration": ("saidi_min", "ens_mwh", "interruption_cost_keur"),
    "voltage": ("load_mwh", "losses_mwh", "peak_mw", "outside_h"),
    "flexibility": ("load_mwh", "losses_mwh", "peak_mw", "outside_h", "curtailed_mwh"),
}
"""What is compared, by group."""

COLUMNS = ["check", "group", "area", "customers", "quantity", "none", "added", "joint", "error", "error_percent"]


def additivity(
    study: Study,
    net: pandapowerNet | None = None,
    *,
    scenario: str | None = None,
    year: int | None = None,
    settings: Settings | None = None,
    execution: _run.Execution | None = None,
) -> pd.DataFrame:
    """Measure how much it errs to add up groups, and to take areas as independent, with every application in service.

    Groups: all groups at once (flexibility, then voltage with the powers it leaves, then restoration with these powers in that
    topology) against the sum of what each gives alone. Areas: each group in service in one area only against its row in the
    table, where it is in service in all areas.

    Parameters
    ----------
    study, net
        The study and its network.
    scenario, year
        The future looked at; the first scenario and the base year if not given.
    settings, execution
        As for :func:`gridplan.assess.metrics`; `settings.applications` is not looked at.

    Returns
    -------
    pd.DataFrame
        `check` (``groups`` or ``areas``), `group` (all groups, or the one looked at), `area`, its `customers`, `quantity` (a
        column of the metrics), and in its unit: `none` (nothing in service), `added` (what adding up groups, or the row of the
        table, says it becomes), `joint` (what it becomes when simulated), `error` (`added` less `joint`), and `error_percent`:
        the error as a share of the change from `none` to `joint` [%]; missing where nothing changes.

    Raises
    ------
    ParameterError
        The study lacks the tables of a group, or scenario or year is unknown.
    """
    missing = [group for group in GROUPS if group not in _tasks.groups(study)]
    if missing:
        raise ParameterError("additivity", [Problem(group, "the study has not the tables of this group") for group in missing])
    net = network.load(study) if net is None else net
    every = (settings or Settings()).every
    place = _place(study, scenario, year)
    areas = sorted(network.areas(net, study.tables.get("areas"))["area"].unique())
    work = _work(place, areas, every)
    shared = _groups.Shared(study, net)
    found = _run.evaluated(shared, list(work.values()), execution or _run.Execution())
    tables = {name: found[task].set_index(["option", "area"]) for name, task in work.items()}
    errors = pd.concat([_across_groups(tables, areas), _across_areas(tables, areas)], ignore_index=True)
    customers = tables["restoration", ""].loc[NONE, "customers"]
    return errors.assign(customers=errors["area"].map(customers))[COLUMNS]


def _place(study: Study, scenario: str | None, year: int | None) -> tuple[str, int]:
    names, years = (None if scenario is None else [scenario]), [study.base_year if year is None else year]
    name, chosen = _tasks.wanted(study, names, years)[0]
    return ("" if chosen == study.base_year else name), chosen


def _work(place: tuple[str, int], areas: list[str], every: int) -> dict[tuple[str, ...], Task]:
    """Tasks by group and area; the area is empty where the group is in service everywhere."""
    scenario, year = place
    work: dict[tuple[str, ...], Task] = {(JOINT, ""): Task(JOINT, scenario, (year,), (JOINT,), every)}
    for group in ("flexibility", "voltage", "restoration"):
        full = options(group)[-1]
        for area in ("", *areas):
            covered = (area,) if area else None
            work[group, area] = Task(group, scenario, (year,), (NONE, full), every, covered, plan=False)
    return work


def _across_groups(tables: dict[tuple[str, ...], pd.DataFrame], areas: list[str]) -> pd.DataFrame:
    """Compare all groups at once with the sum of what each changes."""
    rows = []
    for column in dict.fromkeys(name for names in QUANTITIES.values() for name in names):
        groups = [group for group, names in QUANTITIES.items() if column in names]
        for area in areas:
            base = [tables[group, ""].loc[(NONE, area), column] for group in groups]
            full = [tables[group, ""].loc[(options(group)[-1], area), column] for group in groups]
            added = base[0] + sum(after - before for after, before in zip(full, base, strict=True))
            joint = tables[JOINT, ""].loc[(JOINT, area), column]
            rows.append(_row("groups", JOINT, area, (column, base[0], added, joint)))
    return pd.DataFrame(rows)


def _across_areas(tables: dict[tuple[str, ...], pd.DataFrame], areas: list[str]) -> pd.DataFrame:
    """Compare the row of the table, all areas in service, with that area alone in service."""
    rows = []
    for group, names in QUANTITIES.items():
        full = options(group)[-1]
        for column in names:
            for area in areas:
                none, table = (tables[group, ""].loc[(option, area), column] for option in (NONE, full))
                alone = tables[group, area].loc[(full, area), column]
                rows.append(_row("areas", group, area, (column, none, table, alone)))
    return pd.DataFrame(rows)


def _row(check: str, group: str, area: str, values: tuple[str, float, float, float]) -> dict[str, object]:
    column, none, added, joint = values
    error, change = added - joint, abs(joint - none)
    error = 0.0 if abs(error) <= 1e-9 * max(1.0, abs(none)) else error  # what is left of sums of floating numbers
    percent = 100 * error / change if change > 1e-6 * max(1.0, abs(none)) else float("nan")
    row = {"check": check, "group": group, "area": area, "quantity": column, "none": none}
    return row | {"added": added, "joint": joint, "error": error, "error_percent": percent}
