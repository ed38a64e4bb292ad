"""What is to be evaluated, and on what it depends: pieces of work and the content that each reads."""

from __future__ import annotations

import functools
import hashlib
import importlib.metadata
import importlib.resources
import itertools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd
from dask.tokenize import tokenize
from pandapower.auxiliary import pandapowerNet

from gridplan import futures
from gridplan.assess._options import GROUPS, options
from gridplan.errors import ParameterError, Problem, suggest
from gridplan.study import Assumptions, Study

JOINT = "all groups"
"""Name of the group of a task that puts every group in service at once."""
TODAY = "today"
"""Name of the scenario in the table of a study that has none."""

_COMMON = ("areas", "assignments", "profiles", "customers", "customer_classes")
_FUTURE = ("scenarios", "adoption", "load_growth", "placements", "technologies", "technology_profiles")
_OWN = {
    "restoration": (
        "outage_rates",
        "restoration",
        "switchgear",
        "reliability_history",
        "interruption_costs",
        "exchange_rates",
        "price_indices",
    ),
    "voltage": ("load_models", "sensors"),
    "flexibility": ("flexibility", "measures"),
}
_OWN[JOINT] = tuple(itertools.chain.from_iterable(_OWN.values()))
_NEEDED = {
    "restoration": ("outage_rates", "restoration", "interruption_costs", "customers"),
    "voltage": (),
    "flexibility": ("flexibility",),
}
_LIMITS = ("vm_min_pu", "vm_max_pu", "line_loading_max_percent", "trafo_loading_max_percent")
_ASSUMED = {
    "restoration": (
        "remote_switches",
        "indicator_switches",
        "last_gasp_detect_min",
        "customer_call_min",
        "meter_coverage",
        "pf_interval_months",
        "inspection_interval_months",
        "detection_probability",
    ),
    "voltage": ("monitored_stations", "station_meter_sd_percent"),
    "flexibility": (),
}
_ASSUMED[JOINT] = tuple(itertools.chain.from_iterable(_ASSUMED.values()))
_NO_PHYSICS = {
    *("figures", "explorers", "report", "cli.py", "workers.py", "columns.csv", "scoring", "roadmap", "robustness"),
    *("gaps", "architecture", "communications", "capability", "planning"),
    *("assess/__init__.py", "assess/_additivity.py", "assess/_cache.py", "assess/_forked.py", "assess/_outlook.py"),
    *("assess/_replay.py", "assess/_run.py", "assess/_studies.py", "assess/_views.py"),
}
"""Files and folders of the package that no task reads."""
_LIBRARIES = ("pandapower", "numpy", "scipy", "numba", "highspy", "pandas")


@dataclass(frozen=True)
class Settings:
    """What is evaluated, and how finely.

    Parameters
    ----------
    applications
        By group, the applications of which every combination is an option; by default all of the groups for which the study has
        tables (see :func:`groups`).
    every
        Every how many steps of the profiles one is simulated; the others are taken to be like it. At quarter-hours, 4 takes one
        step an hour.
    """

    applications: Mapping[str, tuple[str, ...]] | None = None
    every: int = 4

    def __post_init__(self) -> None:
        problems = [] if self.every >= 1 else [Problem("every", f"{self.every} is below 1")]
        for group, names in (self.applications or {}).items():
            if group not in GROUPS:
                problems.append(Problem("applications", f"group {group!r} is unknown; {suggest(group, GROUPS)}"))
                continue
            unknown = [name for name in names if name not in GROUPS[group]]
            problems += [Problem(group, f"application {name!r} is unknown; {suggest(name, GROUPS[group])}") for name in unknown]
        if problems:
            raise ParameterError("settings", problems)


@dataclass(frozen=True)
class Task:
    """A piece of work: options of a group in some years of one scenario.

    Parameters
    ----------
    group
        Group of applications.
    scenario
        Scenario; empty for the base year, in which all are alike.
    years
        Years; more than one only where a later year depends on an earlier one.
    options
        Names of the options.
    every
        As in :class:`Settings`.
    areas
        Areas in which options are in service; None is all of them, as in a table.
    plan
        Whether the conventional plan is made.
    """

    group: str
    scenario: str
    years: tuple[int, ...]
    options: tuple[str, ...]
    every: int
    areas: tuple[str, ...] | None = None
    plan: bool = True


def groups(study: Study) -> list[str]:
    """Return the groups of applications for which a study has the tables.

    Restoration takes `outage_rates`, `restoration`, `interruption_costs` and `customers`; flexibility takes `flexibility`, and
    `measures` for the reinforcement avoided; the voltage group needs the network and its profiles only.
    """
    return [group for group in GROUPS if all(len(study.tables.get(name, ())) for name in _NEEDED[group])]


def wanted(study: Study, scenarios: Iterable[str] | None, years: Iterable[int] | None) -> list[tuple[str, int]]:
    """Scenarios and years of a table, checked.

    Raises
    ------
    ParameterError
        A scenario or a year is unknown; all of them are named.
    """
    if not futures.given(study):
        return _without_scenarios(study, scenarios, years)
    table = study.table("scenarios").set_index("scenario")["horizon_year"].astype(int)
    names = list(table.index if scenarios is None else scenarios)
    problems = [Problem("scenarios", f"{name!r} is unknown; {suggest(name, table.index)}") for name in names if name not in table]
    chosen = [study.base_year, *futures.horizon(study)] if years is None else [int(year) for year in years]
    for name in names:
        last = table.get(name, max(table))
        late = [year for year in chosen if not study.base_year <= year <= last]
        problems += [Problem("years", f"{year} is not from {study.base_year} to {last}, those of '{name}'") for year in late]
    if problems:
        raise ParameterError("metrics", problems)
    return [(name, year) for name in dict.fromkeys(names) for year in sorted(set(chosen))]


def _without_scenarios(study: Study, scenarios: Iterable[str] | None, years: Iterable[int] | None) -> list[tuple[str, int]]:
    given = [*(scenarios or ()), *(year for year in years or () if year != study.base_year)]
    problems = [Problem("scenarios", f"{name!r}: the study has no scenarios, only {study.base_year}") for name in given]
    if problems:
        raise ParameterError("metrics", problems)
    return [(TODAY, study.base_year)]


def tasks(study: Study, settings: Settings, pairs: Iterable[tuple[str, int]]) -> list[Task]:
    """List the pieces of work, those that take longest first."""
    chosen = settings.applications or {group: GROUPS[group] for group in groups(study)}
    whole = {group: tuple(options(group, chosen[group])) for group in chosen if chosen[group]}
    places = [("" if year == study.base_year else name, year) for name, year in pairs]
    found = []
    if "flexibility" in whole:
        years = {name: tuple(year for other, year in pairs if other == name) for name, _ in pairs}
        work = {("" if own == (study.base_year,) else name, own) for name, own in years.items()}
        found += [Task("flexibility", *place, whole["flexibility"], settings.every) for place in sorted(work)]
    for group in ("voltage", "restoration"):
        if group in whole:
            later = sorted(dict.fromkeys(places), key=lambda place: -place[1])
            found += [Task(group, name, (year,), whole[group], settings.every) for name, year in later]
    return found


def narrowed(study: Study, task: Task) -> Study:
    """Return the study with only what a task may read, so that its result can depend on nothing else."""
    names = [*_COMMON, *_OWN[task.group], *(_FUTURE if task.scenario else ())]
    kept = {name: _of_scenario(study.tables[name], task.scenario) for name in names if name in study.tables}
    register = study.assumptions.register
    used = register[register["assumption"].isin([*_LIMITS, *_ASSUMED[task.group]])]
    return replace(study, tables=kept, assumptions=Assumptions(used))


def _of_scenario(table: pd.DataFrame, scenario: str) -> pd.DataFrame:
    return table[table["scenario"] == scenario].reset_index(drop=True) if "scenario" in table else table


def keys(study: Study, net: pandapowerNet, work: Iterable[Task]) -> dict[Task, str]:
    """Return a name for the content that each task depends on: equal content, equal name."""
    common = (_code(), _network(net), study.base_year, study.currency)
    tokens = {name: tokenize(table) for name, table in study.tables.items() if "scenario" not in table}
    return {task: tokenize(task, common, _content(narrowed(study, task), tokens)) for task in work}


def _content(study: Study, tokens: Mapping[str, str]) -> list[object]:
    tables = [(name, tokens.get(name) or tokenize(table)) for name, table in sorted(study.tables.items())]
    register = study.assumptions.register
    return [tables, sorted(zip(register["assumption"], register["value"], strict=True))]


def _network(net: pandapowerNet) -> str:
    frames = {key: value for key, value in net.items() if isinstance(value, pd.DataFrame) and not key.startswith(("_", "res_"))}
    return tokenize(
        [(key, frames[key].astype(object).where(frames[key].notna(), None).to_dict("list")) for key in sorted(frames)]
    )


@functools.cache
def _code() -> str:
    """Hash of the package's physics and of the libraries under it: a result never outlives the code that made it."""
    digest = hashlib.sha256(repr([(name, importlib.metadata.version(name)) for name in _LIBRARIES]).encode())
    root = Path(str(importlib.resources.files("gridplan")))
    for path in sorted(p for p in root.rglob("*") if p.suffix in {".py", ".csv"}):
        place = path.relative_to(root)
        if place.parts[0] not in _NO_PHYSICS and place.as_posix() not in _NO_PHYSICS:
            digest.update(place.as_posix().encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()
