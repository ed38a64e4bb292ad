"""The metrics table: work handed out, cached, put together."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
from pandapower.auxiliary import pandapowerNet

from gridplan import network
from gridplan.assess import _cache, _groups, _tasks
from gridplan.assess._tasks import Settings
from gridplan.errors import ParameterError, Problem
from gridplan.study import Study, read_study

if TYPE_CHECKING:
    from distributed import Client

#: Columns that say what a row is about.
KEY = ("area", "group", "option", "scenario", "year")


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
        Called after each piece of work with the number done and the number of all, for a progress bar.
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

    Within a group, combinations of applications are simulated as such, so that nothing is counted twice; between groups
    effects are taken to add up, and :func:`additivity` measures how far that is from the truth.

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
        One row per `area`, `group`, `option`, `scenario` and `year` with all columns of :data:`METRICS`, as they are with this
        option of this group in service and nothing of the other groups. The benefit of an option is the difference to the row
        whose option is ``none``.

    Raises
    ------
    ParameterError, StudyError, NetworkError
        Something given is wrong.
    """
    net = network.load(study) if net is None else net
    execution = execution or Execution()
    work = _tasks.tasks(study, settings or Settings(), scenarios, years)
    keys = _tasks.keys(study, net, work)
    found = {task: _cache.load(execution.cache, keys[task]) for task in work}
    missing = [task for task in work if found[task] is None]
    done = len(work) - len(missing)
    with _pool(execution, len(missing)) as pool:
        for task, table in pool(_groups.evaluate, (study, net), missing):
            _cache.store(execution.cache, keys[task], table)
            found[task] = table
            done += 1
            if execution.on_task:
                execution.on_task(done, len(work))
    return _joined([found[task].assign(group=task.group, scenario=task.scenario, year=task.year) for task in work])


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
    """
    execution = execution or Execution()
    names = [str(path) for path in studies]
    tables: dict[str, pd.DataFrame] = {}
    with _pool(execution, len(names)) as pool:
        for name, table in pool(_whole, (settings or Settings(), execution.cache), names):
            tables[name] = table.assign(study=name)
            if execution.on_task:
                execution.on_task(len(tables), len(names))
    joined = pd.concat([tables[name] for name in names], ignore_index=True)
    return joined[["study", *(column for column in joined if column != "study")]]


def _whole(given: tuple[Settings, Path | None], path: str) -> pd.DataFrame:
    settings, cache = given
    return metrics(read_study(path), settings=settings, execution=Execution("serial", cache=cache))


def _joined(parts: list[pd.DataFrame]) -> pd.DataFrame:
    table = pd.concat(parts, ignore_index=True)
    return table[[*KEY, *(column for column in table if column not in KEY)]]


Pool = Callable[[Callable[..., pd.DataFrame], Any, Sequence[Any]], Iterator[tuple[Any, pd.DataFrame]]]


@contextlib.contextmanager
def _pool(execution: Execution, count: int) -> Iterator[Pool]:
    """Something that applies a function to the shared inputs and each item, and yields items with results as they come."""
    if execution.scheduler == "serial" or count == 0:
        yield _serial
        return
    with _client(execution, count) as client:
        yield lambda function, shared, items: _spread(client, function, shared, items)


def _serial(function: Callable[..., pd.DataFrame], shared: Any, items: Sequence[Any]) -> Iterator[tuple[Any, pd.DataFrame]]:
    for item in items:
        yield item, function(shared, item)


def _spread(
    client: Client, function: Callable[..., pd.DataFrame], shared: Any, items: Sequence[Any]
) -> Iterator[tuple[Any, pd.DataFrame]]:
    """Hand out the items; what a worker had when it died is given to another."""
    from distributed import as_completed  # noqa: PLC0415 - loaded where it is used

    place = client.scatter(shared, broadcast=True, hash=False)
    waiting = {
        client.submit(function, place, item, pure=False, retries=2, priority=-number): item for number, item in enumerate(items)
    }
    for future in as_completed(waiting):
        yield waiting[future], future.result()


@contextlib.contextmanager
def _client(execution: Execution, count: int) -> Iterator[Client]:
    from distributed import Client, LocalCluster  # noqa: PLC0415 - takes a second to load

    if execution.scheduler != "local":
        with Client(execution.scheduler, set_as_default=False) as client:
            yield client
        return
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    workers = min(execution.workers or cores, count)
    with (
        LocalCluster(n_workers=workers, threads_per_worker=1, dashboard_address=None) as cluster,
        Client(cluster, set_as_default=False) as client,
    ):
        yield client
