"""Processes of this machine that do the work: forks of one that has imported gridplan, where the system can do that."""

from __future__ import annotations

import contextlib
import functools
import logging
import multiprocessing
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

from gridplan.errors import ParameterError, Problem

if TYPE_CHECKING:
    from distributed import LocalCluster

_ENVIRONMENT = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
_ENVIRONMENT |= {"MALLOC_TRIM_THRESHOLD_": str(2 << 30), "MALLOC_MMAP_THRESHOLD_": str(1 << 30)}
"""Environment of a worker on this machine. It keeps the memory of a year's voltages for the next year instead of giving it back
to the system, which took as long as a third of the computing."""

_IMPORTED = ["gridplan.assess", "distributed.nanny", "gridplan.assess._forked"]


@functools.cache
def warm() -> str:
    """Let a process import what workers need, while this one goes on; return how workers are started.

    Returns
    -------
    str
        ``forkserver``: each is a fork of that process; ``spawn`` where the system cannot fork, so that each imports by itself.
    """
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return "spawn"
    from multiprocessing import forkserver  # noqa: PLC0415 - made for systems that can fork

    with _environment():
        multiprocessing.set_forkserver_preload(_IMPORTED)
        forkserver.ensure_running()
    return "forkserver"


@contextlib.contextmanager
def _environment() -> Iterator[None]:
    """Give processes that start meanwhile their environment, and take it back, since Dask leaves it behind."""
    before = dict(os.environ)
    os.environ.update(_ENVIRONMENT)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


@contextlib.contextmanager
def cluster(workers: int | None, count: int) -> Iterator[LocalCluster]:
    """Start processes on this machine: so many, or one a core, but not more than there are pieces of work.

    Raises
    ------
    ParameterError
        No process starts.
    """
    import dask  # noqa: PLC0415 - this module is imported before anything that takes time

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    settings = {"distributed.nanny.pre-spawn-environ": _ENVIRONMENT, "distributed.worker.multiprocessing-method": warm()}
    with _environment(), dask.config.set(settings), _started(min(workers or cores, count)) as made:
        yield made


def _started(number: int) -> LocalCluster:
    from distributed import LocalCluster  # noqa: PLC0415 - takes a second to load

    try:
        return LocalCluster(n_workers=number, threads_per_worker=1, dashboard_address="127.0.0.1:0", silence_logs=logging.ERROR)
    except RuntimeError as error:
        remedy = "call it under `if __name__ == '__main__':` if this is a script of yours, or take scheduler='serial'"
        raise ParameterError("execution", [Problem("scheduler", f"no process starts: {error}", remedy=remedy)]) from error
