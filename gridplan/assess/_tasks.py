"""What is to be evaluated: applications, options and the pieces of work."""

from __future__ import annotations

import functools
import hashlib
import importlib.resources
import itertools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd
from dask.tokenize import tokenize
from pandapower.auxiliary import pandapowerNet

from gridplan import futures
from gridplan.errors import ParameterError, Problem, suggest
from gridplan.study import Study

#: Applications whose effects interact, by group; the order is that of their names in an option.
GROUPS: dict[str, tuple[str, ...]] = {
    "restoration": ("fault_indicators", "remote_control", "flisr", "outage_prediction", "predictive_maintenance"),
    "voltage": ("monitoring", "voltvar", "smart_inverters", "reconfiguration"),
    "flexibility": ("managed_demand", "storage", "der_management"),
}
#: The option of a group with nothing in service.
NONE = "none"
TODAY = "today"  # scenario of a study that has none

#: Tables that every group depends on, those of the scenario only, and those of each group.
_COMMON = ("areas", "assignments", "assumptions", "customers", "profiles", "customer_classes", "technologies")
_FUTURE = ("scenarios", "adoption", "load_growth", "placements", "technology_profiles")
_OWN = {
    "restoration": ("outage_rates", "switchgear", "restoration", "interruption_costs", "price_index", "exchange_rates"),
    "voltage": ("load_models", "sensors"),
    "flexibility": ("flexibility",),
}


@dataclass(frozen=True)
class Settings:
    """What is evaluated, and how finely.

    Parameters
    ----------
    applications
        By group, the applications of which every combination is an option; by default all that gridplan knows.
    every
        Every how many steps of the profiles one is simulated; the others are taken to be like it. At quarter-hours, 4 takes one
        step an hour.
    """

    applications: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: dict(GROUPS))
    every: int = 4

    def __post_init__(self) -> None:
        problems = [] if self.every >= 1 else [Problem("every", f"{self.every} is below 1")]
        for group, names in self.applications.items():
            if group not in GROUPS:
                problems.append(Problem("applications", f"group {group!r} is unknown; {suggest(group, GROUPS)}"))
                continue
            unknown = [name for name in names if name not in GROUPS[group]]
            problems += [Problem(group, f"application {name!r} is unknown; {suggest(name, GROUPS[group])}") for name in unknown]
        if problems:
            raise ParameterError("settings", problems)


@dataclass(frozen=True)
class Task:
    """A piece of work: every option of a group in one year of one scenario."""

    group: str
    scenario: str
    year: int
    options: tuple[str, ...]
    every: int


def options(group: str, applications: Iterable[str] | None = None) -> list[str]:
    """Return every combination of the applications of a group by name, that with none of them first.

    Parameters
    ----------
    group
        ``restoration``, ``voltage`` or ``flexibility``.
    applications
        Those to combine; all of the group if not given.

    Examples
    --------
    >>> options("voltage", ["voltvar", "smart_inverters"])
    ['none', 'voltvar', 'smart_inverters', 'voltvar+smart_inverters']
    """
    chosen = GROUPS[group] if applications is None else [name for name in GROUPS[group] if name in set(applications)]
    subsets = itertools.chain.from_iterable(itertools.combinations(chosen, size) for size in range(len(chosen) + 1))
    return ["+".join(subset) or NONE for subset in subsets]


def members(option: str) -> tuple[str, ...]:
    """Return the applications of an option.

    Examples
    --------
    >>> members("voltvar+smart_inverters"), members("none")
    (('voltvar', 'smart_inverters'), ())
    """
    return () if option == NONE else tuple(option.split("+"))


def tasks(study: Study, settings: Settings, scenarios: Iterable[str] | None, years: Iterable[int] | None) -> list[Task]:
    """List the pieces of work, those that take longest first."""
    groups = [group for group in ("flexibility", "voltage", "restoration") if settings.applications.get(group)]
    whole = {group: tuple(options(group, settings.applications[group])) for group in groups}
    return [
        Task(group, scenario, year, whole[group], settings.every)
        for group in groups
        for scenario, year in _futures(study, scenarios, years)
    ]


def _futures(study: Study, scenarios: Iterable[str] | None, years: Iterable[int] | None) -> list[tuple[str, int]]:
    if not futures.given(study):
        return [(TODAY, study.base_year)]
    chosen = [study.base_year, *futures.horizon(study)] if years is None else list(years)
    known = list(study.table("scenarios")["scenario"])
    names = known if scenarios is None else list(scenarios)
    wrong = [Problem("scenarios", f"{name!r} is unknown; {suggest(name, known)}") for name in names if name not in known]
    if wrong:
        raise ParameterError("metrics", wrong)
    return [(name, int(year)) for name in names for year in chosen]


def keys(study: Study, net: pandapowerNet, work: Iterable[Task]) -> dict[Task, str]:
    """Return a name for the content that each task depends on: equal content, equal name."""
    tokens = {name: tokenize(table) for name, table in study.tables.items()}
    common = (_code(), _network(net), study.base_year, tokenize(study.assumptions.register), _pick(tokens, _COMMON))
    return {task: tokenize(task, common, _pick(tokens, _OWN[task.group]), _future(study, task.scenario)) for task in work}


def _pick(tokens: Mapping[str, str], names: Iterable[str]) -> list[tuple[str, str | None]]:
    return [(name, tokens.get(name)) for name in names]


def _future(study: Study, scenario: str) -> str:
    """Token of what the scenario says; rows of other scenarios do not count."""
    found = {name: study.tables[name] for name in _FUTURE if name in study.tables}
    return tokenize(
        [(name, table[table["scenario"] == scenario] if "scenario" in table else table) for name, table in found.items()]
    )


def _network(net: pandapowerNet) -> str:
    frames = {key: value for key, value in net.items() if isinstance(value, pd.DataFrame) and not key.startswith(("_", "res_"))}
    return tokenize(
        [(key, frames[key].astype(object).where(frames[key].notna(), None).to_dict("list")) for key in sorted(frames)]
    )


@functools.cache
def _code() -> str:
    """Hash of the package's own files: a result never outlives the code that made it."""
    digest = hashlib.sha256()
    root = Path(str(importlib.resources.files("gridplan")))
    for path in sorted(p for p in root.rglob("*") if p.suffix in {".py", ".csv"}):
        digest.update(path.relative_to(root).as_posix().encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()
