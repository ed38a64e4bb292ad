"""The process that runs notebooks, from the runner's side: started, followed, kept for the next run or ended."""

from __future__ import annotations

import json
import os
import subprocess
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from gridplan.report import processes

GRACE_S = 20.0
"""What a worker gets after its time limit to write down what it has."""

_WORKER = Path(__file__).with_name("worker.py")
OnCell = Callable[[int, int], None]


class Driver:
    """Runs notebooks in a process of its own, each in a kernel of its own.

    Parameters
    ----------
    keep
        Whether the process stays for the next run, if a run went well. What it imported need not be imported again, and on Linux
        its kernels start with gridplan imported (:mod:`gridplan.report.warm`). Such a driver is to be closed.
    """

    def __init__(self, *, keep: bool = False) -> None:
        self._keep = keep
        self._worker: subprocess.Popen[str] | None = None

    def __enter__(self) -> Driver:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the process, and the kernel that may still run below it."""
        if self._worker is not None:
            processes.end(self._worker)
            self._worker = None

    def run(self, job: Mapping[str, Any], on_cell: OnCell) -> dict[str, Any]:
        """Run one notebook; neither its kernel nor, unless it is kept, the process outlives this call.

        Parameters
        ----------
        job
            `source` and `target` (notebooks), `cwd`, `log` (file for what is written to the error stream), `timeout_s`.
        on_cell
            Called with (cells done, cells in all).

        Returns
        -------
        dict
            The last event: `done`, or `failed` with what went wrong, and the last `cell`.
        """
        worker, limit = self._ready(job), job["timeout_s"]
        backstop = threading.Timer(limit + GRACE_S, processes.kill_tree, [worker.pid]) if limit is not None else None
        last: dict[str, Any] = {}
        try:
            if backstop:
                backstop.start()
            worker.stdin.write(json.dumps({**job, "warm": self._keep}) + "\n")
            worker.stdin.flush()
            last = _follow(worker, on_cell)
        except BrokenPipeError:  # it ended before it read its job; its own words are in the log
            last = _no_word(worker)
        finally:
            if backstop:
                backstop.cancel()
            if not (self._keep and last.get("done")):
                self.close()
        return last

    def _ready(self, job: Mapping[str, Any]) -> subprocess.Popen[str]:
        if self._worker is not None and self._worker.poll() is not None:
            self.close()
        if self._worker is None:
            environment = {**os.environ, "GRIDPLAN_REPORT": "1", "PYTHONUNBUFFERED": "1", "PYDEVD_DISABLE_FILE_VALIDATION": "1"}
            with Path(job["log"]).open("wb") as log:
                self._worker = processes.start([str(_WORKER)], errors=log, environment=environment)
        return self._worker


def _follow(worker: subprocess.Popen[str], on_cell: OnCell) -> dict[str, Any]:
    last: dict[str, Any] = {}
    for line in worker.stdout:
        event = json.loads(line)
        if "of" in event:
            on_cell(event["cell"], event["of"])
        last = {**last, **event}
        if "done" in event:
            on_cell(last.get("of", 0), last.get("of", 0))
        if "done" in event or "failed" in event:
            return last
    return {**last, **_no_word(worker)}


def _no_word(worker: subprocess.Popen[str]) -> dict[str, Any]:
    return {"failed": "worker", "ename": "WorkerEnded", "evalue": f"exit code {worker.wait()}", "traceback": []}
