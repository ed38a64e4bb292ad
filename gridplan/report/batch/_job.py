"""One run of a batch, wherever it takes place: in a process of this machine or on a worker of a cluster.

As a program (:func:`main`), this module makes runs one after the other: jobs (JSON, one a line) come in on standard input, events
go out on standard output, and when standard input closes, everything ends.
"""

from __future__ import annotations

import json
import os
import queue
import sys
import threading
import time
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import psutil

from gridplan.errors import GridplanError, InputError, ReportError
from gridplan.report import archive, runner
from gridplan.report.driver import Driver

OnCell = Callable[[int, int], None]


def make(job: Mapping[str, Any], on_cell: OnCell = lambda _done, _of: None, *, driver: Driver | None = None) -> dict[str, Any]:
    """Make one run and say how it ended; whatever goes wrong is an answer, not an exception.

    Parameters
    ----------
    job
        `notebook`, `study`, `parameters`, `out` and `choices`, as JSON can hold them.
    on_cell
        Called with (cells done, cells in all).
    driver
        Process that runs the notebook, where it is kept for several runs.

    Returns
    -------
    dict
        `outcome`, `seconds`, and `folder`, `page`, `archive` of a complete run or `fault` and `message` of a failed one.
    """
    began = time.monotonic()
    try:
        answer = _made(job, on_cell, driver)
    except ReportError as fault:
        answer = {"outcome": "failed", "fault": fault.fault or "report", "message": str(fault), "folder": fault.kept}
    except InputError as fault:
        answer = {"outcome": "failed", "fault": "input", "message": str(fault)}
    except GridplanError as fault:
        answer = {"outcome": "failed", "fault": "report", "message": str(fault)}
    except Exception:  # noqa: BLE001 - one run that fails in a way nobody thought of does not end the others
        answer = {"outcome": "failed", "fault": "internal", "message": traceback.format_exc()}
    return {**answer, "seconds": round(time.monotonic() - began, 1)}


def _made(job: Mapping[str, Any], on_cell: OnCell, driver: Driver | None) -> dict[str, Any]:
    choices = job["choices"]
    options = runner.RunOptions(
        status=choices["status"],
        classification=choices["classification"],
        timeout_s=choices["timeout_s"],
        pdf=choices["pdf"],
        keep_inputs=choices["keep_inputs"],
        on_cell=on_cell,
    )
    where = {"study": job["study"], "out": job["out"], "driver": driver}
    run = runner.render(job["notebook"], parameters=job["parameters"], options=options, **where)
    packed = archive.pack(run.folder) if choices["archive"] else None
    return {"outcome": "complete", "folder": str(run.folder), "page": str(run.page), "archive": str(packed) if packed else None}


def main() -> None:
    """Make runs until standard input closes; what else is written to standard output goes where errors go."""
    events = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    jobs: queue.Queue[str] = queue.Queue()
    driver = Driver(keep=True)
    threading.Thread(target=_listen, args=(jobs, driver), daemon=True).start()

    def send(**event: Any) -> None:
        events.write(json.dumps(event) + "\n")
        events.flush()

    while True:
        job = json.loads(jobs.get())
        send(end=make(job, lambda done, of: send(cell=done, of=of), driver=driver))


def _listen(jobs: queue.Queue[str], driver: Driver) -> None:
    for line in sys.stdin:
        jobs.put(line)
    driver.close()
    own = psutil.Process().children(recursive=True)
    for child in own:  # the notebook's process ends its kernel itself, but not if it hangs
        try:
            child.kill()
        except psutil.NoSuchProcess:
            continue
    os._exit(0)


def as_json(value: Any) -> Any:
    """Return paths as texts, so that a job can be sent to another process."""
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, Mapping):
        return {k: as_json(v) for k, v in value.items()}
    return [as_json(v) for v in value] if isinstance(value, list | tuple) else value
