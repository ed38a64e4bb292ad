"""The metrics table: work handed out, cached, put together."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
from pandapower.auxiliary import pandapowerNet

from gridplan import network, workers
from gridplan.assess import _cache, _groups, _tasks
from gridplan.assess._options import GROUPS
from gridplan.assess._tasks import Settings, Task
from gridplan.errors import GridplanError, InputError, NetworkError, ParameterError, Problem
from gridplan.study import Study, read_study

if TYPE_CHECKING:
    from distributed import Client

KEY = ("area", "group", "option", "scenario", "year")
"""Columns that together say what a row of the table is about."""

COLUMNS = {
    "restoration": ("customers", "saifi", "saidi_min", "maifi_e", "ens_mwh", "interruption_cost_keur"),
    "voltage": (
        "load_mwh",
        "generation_mwh",
        "losses_mwh",
        "peak_mw",
        "outside_h",
        "failed_h",
        "operations",
        "curtailed_mwh",
    ),
    "flexibility": (
        "load_mwh",
        "generation_mwh",
        "losses_mwh",
        "peak_mw",
        "outside_h",
        "failed_h",
        "operations",
        "curtailed_mwh",
        "shifted_mwh",
        "stored_mwh",
        "reinforcement_keur",
    ),
}
"""Columns that each group fills; they are empty in the rows of the others."""

_ALL = tuple(dict.fromkeys(name for names in COLUMNS.values() for name in names))


@dataclass(frozen=True)
class Execution:
    """Where the work is done, and what is kept of it.

    Parameters
    ----------
    scheduler
        Address of a Dask scheduler (``tcp://host:8786``), ``local`` for a cluster of processes on this machine that ends with
        the work, or ``serial`` for this process alone. The result is the same.
    workers
        Processes of a ``local`` cluster; one a core if not given.
    cache
        Folder of earlier results; None keeps nothing.
    on_task
        Called before the first and after each piece of work with the number done and the number of all, for a progress bar.
    """

    scheduler: str = "local"
    workers: int | None = None
    cache: Path | None = None
    on_task: Callable[[int, int], None] | None = None

    def __post_init__(self) -> None:
        problems = []
        if self.workers is not None and self.workers < 1:
            problems.append(Problem("workers", f"{self.workers} is below 1"))
        if self.scheduler not in {"local", "serial"} and "://" not in self.scheduler:
            found = f"{self.scheduler!r} is neither 'local', 'serial' nor an address such as tcp://host:8786"
            problems.append(Problem("scheduler", found))
        if problems:
            raise ParameterError("execution", problems)

    def tell(self, done: int, count: int) -> None:
        """Report progress."""
        if self.on_task:
            self.on_task(done, count)


def metrics(
    study: Study,
    net: pandapowerNet | None = None,
    *,
    scenarios: Iterable[str] | None = None,
    years: Iterable[int] | None = None,
    settings: Settings | None = None,
    execution: Execution | None = None,
) -> pd.DataFrame:
    """Evaluate every option of every group in every area, scenario and year.

    A row is an area with the option in service **in every area at once**, and nothing of the other groups; it holds that area's
    part. Within a group, combinations of applications are simulated as such, so that nothing is counted twice. Between groups
    effects are taken to add up, and areas to be independent: :func:`additivity` measures how far both are from the truth. The
    benefit of an option is the difference to the row whose option is ``none``.

    Parameters
    ----------
    study
        Study; one without scenarios is evaluated as it stands.
    net
        Its network; read if not given.
    scenarios, years
        Futures to evaluate; by default all scenarios, in the base year and every fifth year to the last.
    settings
        Applications and steps.
    execution
        Where, and with which cache; by default a process on each core and no cache.

    Returns
    -------
    pd.DataFrame
        One row per `area`, `group`, `option` (``none`` first), `scenario` and `year`. The restoration group fills `customers`
        [1], `saifi` [1/yr], `saidi_min` [min/yr], `maifi_e` [1/yr], `ens_mwh` [MWh/yr] and `interruption_cost_keur` [thousands
        of the study's currency a year]; the others fill `load_mwh`, `generation_mwh`, `losses_mwh` [MWh/yr], `peak_mw` [MW],
        `outside_h`, `failed_h` [h/yr], `operations` [1/yr] and `curtailed_mwh` [MWh/yr]; flexibility also `shifted_mwh`,
        `stored_mwh` [MWh/yr] and `reinforcement_keur`, the capital cost of the conventional plan of the years evaluated up to and
        including this one, not discounted [thousands]; it is missing from the year on in which the plan leaves a violation, and
        where the study has no table `measures`. What is built outside the areas (transformers) is shared by load. Other cells
        are empty.

    Raises
    ------
    ParameterError, StudyError, NetworkError, NotConverged
        Something given is wrong, or a piece of work cannot be done. All that can be is done first and kept in the cache, so that
        a study that was mended goes on from there; the message names every piece that could not.
    """
    net = network.load(study) if net is None else net
    execution, settings = execution or Execution(), settings or Settings()
    pairs = _tasks.wanted(study, scenarios, years)
    work = _tasks.tasks(study, settings, pairs)
    found = evaluated(_groups.Shared(study, net), work, execution)
    return _joined(found, pairs)


def evaluated(shared: _groups.Shared, work: list[Task], execution: Execution) -> dict[Task, pd.DataFrame]:
    """Return the result of each task, from the cache or made now.

    Raises
    ------
    ParameterError, StudyError, NetworkError, NotConverged
        Tasks that cannot be done, all of them, after the others are done and kept.
    """
    keys = _tasks.keys(shared.study, shared.net, work) if execution.cache else {}
    found = {task: _cache.load(execution.cache, keys[task]) for task in work} if execution.cache else dict.fromkeys(work)
    missing, faults = [task for task in work if found[task] is None], {}
    done = len(work) - len(missing)
    execution.tell(done, len(work))
    with _pool(execution, len(missing), _Bases(_groups.bases, _groups.basis)) as pool:
        for task, table in pool(_groups.evaluate, shared, missing):
            if isinstance(table, GridplanError):
                faults[_place(task)] = table
            elif execution.cache:
                _cache.store(execution.cache, keys[task], table)
            found[task] = table
            done += 1
            execution.tell(done, len(work))
    if faults:
        raise _together("metrics", faults, len(work), kept=execution.cache is not None)
    return found


def _place(task: Task) -> str:
    years = ", ".join(str(year) for year in task.years)
    return f"{task.group} group, {task.scenario + ' ' if task.scenario else ''}{years}"


def _together(subject: str, faults: Mapping[str, GridplanError], count: int, *, kept: bool) -> GridplanError:
    """One error for all faults; what several have in common is said once."""
    where: dict[Problem, list[str]] = {}
    for place, fault in faults.items():
        for problem in fault.problems if isinstance(fault, InputError) else [Problem("power flow", str(fault))]:
            where.setdefault(problem, []).append(place)
    problems = []
    for problem, places in where.items():
        more = f" and {len(places) - 3} more" if len(places) > 3 else ""
        problems.append(replace(problem, where=f"{problem.where} ({'; '.join(places[:3])}{more})"))
    kinds = {type(fault) for fault in faults.values()}
    kind = kinds.pop() if len(kinds) == 1 else NetworkError
    rest = f"{len(faults)} of {count} pieces of work; " + ("the others are kept" if kept else "nothing is kept without a cache")
    if issubclass(kind, InputError):
        return kind(f"{subject}, {rest},", problems)
    return kind("\n".join([f"{subject}, {rest}:", *(f"  - {problem}" for problem in problems)]))


def fleet(studies: Sequence[str | Path], *, settings: Settings | None = None, execution: Execution | None = None) -> pd.DataFrame:
    """Evaluate many studies, each whole on one worker: the feeders of a large utility, one study a network.

    Parameters
    ----------
    studies
        Study folders or workbooks, readable where the workers run.
    settings, execution
        As for :func:`metrics`.

    Returns
    -------
    pd.DataFrame
        As :func:`metrics`, with the folder in the column `study`; in the order of `studies`.

    Raises
    ------
    ParameterError
        No study is given.
    ParameterError, StudyError, NetworkError, NotConverged
        Studies that cannot be evaluated, all of them, after the others are.
    """
    execution = execution or Execution()
    names = [str(path) for path in studies]
    if not names:
        raise ParameterError("fleet", [Problem("studies", "is empty", remedy="give the folder of at least one study")])
    tables: dict[str, pd.DataFrame] = {}
    faults: dict[str, GridplanError] = {}
    execution.tell(0, len(names))
    with _pool(execution, len(names)) as pool:
        for name, table in pool(_whole, (settings or Settings(), execution.cache), names):
            if isinstance(table, GridplanError):
                faults[name] = table
            else:
                tables[name] = table.assign(study=name)
            execution.tell(len(tables) + len(faults), len(names))
    if faults:
        raise _together("fleet", faults, len(names), kept=execution.cache is not None)
    joined = pd.concat([tables[name] for name in names], ignore_index=True)
    return joined[["study", *(column for column in joined if column != "study")]]


def _whole(given: tuple[Settings, Path | None], path: str) -> pd.DataFrame:
    settings, cache = given
    return metrics(read_study(path), settings=settings, execution=Execution("serial", cache=cache))


def _joined(found: dict[Task, pd.DataFrame], pairs: list[tuple[str, int]]) -> pd.DataFrame:
    """One table, in the order of groups, scenarios, years, options and areas; the base year stands in every scenario."""
    rows = []
    for task, table in found.items():
        for scenario, year in pairs:
            own = table[table["year"] == year]
            if len(own) and (task.scenario == scenario or (not task.scenario and year == task.years[0])):
                rows.append(own.assign(scenario=scenario))
    table = pd.concat(rows, ignore_index=True).drop_duplicates(list(KEY), ignore_index=True)
    order = {name: number for number, name in enumerate(dict.fromkeys(scenario for scenario, _ in pairs))}
    groups = {name: number for number, name in enumerate(GROUPS)}
    options = {(task.group, name): number for task in found for number, name in enumerate(task.options)}
    table["option_number"] = [options[pair] for pair in zip(table["group"], table["option"], strict=True)]
    ranks = pd.DataFrame({"group": table["group"].map(groups), "scenario": table["scenario"].map(order)})
    ranks = ranks.join(table[["year", "option_number", "area"]])
    place = ranks.sort_values(list(ranks), kind="stable").index
    return table.loc[place].reindex(columns=[*KEY, *_ALL]).reset_index(drop=True).astype({"year": "int64"})


Pool = Callable[[Callable[..., pd.DataFrame], Any, Sequence[Any]], Iterator[tuple[Any, "pd.DataFrame | GridplanError"]]]


@dataclass(frozen=True)
class _Bases:
    """What several items need, which one worker makes for all: names by item, and how a name is made."""

    names: Callable[[Any], tuple[str, ...]]
    make: Callable[[Any, Any, str], object]


@contextlib.contextmanager
def _pool(execution: Execution, count: int, bases: _Bases | None = None) -> Iterator[Pool]:
    """Something that applies a function to the shared inputs and each item, and yields items with results as they come.

    What gridplan has to say of an item stands in place of its result; any other error ends the work.
    """
    if execution.scheduler == "serial" or count == 0:
        yield _serial
        return
    with _client(execution, count) as client:
        yield lambda function, shared, items: _spread(client, function, (shared, bases), items)


def _serial(
    function: Callable[..., pd.DataFrame], shared: Any, items: Sequence[Any]
) -> Iterator[tuple[Any, pd.DataFrame | GridplanError]]:
    for item in items:
        try:
            yield item, function(shared, item)
        except GridplanError as error:
            yield item, error


def _spread(
    client: Client, function: Callable[..., pd.DataFrame], given: tuple[Any, _Bases | None], items: Sequence[Any]
) -> Iterator[tuple[Any, pd.DataFrame | GridplanError]]:
    """Hand out the items; what a worker had when it died is given to another."""
    from distributed import as_completed  # noqa: PLC0415 - loaded where it is used

    shared, bases = given
    place, made, waiting = client.scatter(shared, broadcast=True, hash=False), {}, {}
    for number, item in enumerate(items):
        names = bases.names(item) if bases else ()
        for name in names:
            if name not in made:
                made[name] = client.submit(bases.make, place, item, name, pure=False, priority=1)
        more = [{name: made[name] for name in names}] if names else []
        waiting[client.submit(function, place, item, *more, pure=False, priority=-number)] = item
    for future in as_completed(waiting, loop=client.loop):
        error = future.exception()
        if error is not None and not isinstance(error, GridplanError):
            raise error
        yield waiting[future], future.result() if error is None else error


@contextlib.contextmanager
def _client(execution: Execution, count: int) -> Iterator[Client]:
    from distributed import Client  # noqa: PLC0415 - takes a second to load

    if execution.scheduler != "local":
        with Client(execution.scheduler, set_as_default=False) as client:
            yield client
        return
    with workers.cluster(execution.workers, count) as cluster, Client(cluster, set_as_default=False) as client:
        yield client
