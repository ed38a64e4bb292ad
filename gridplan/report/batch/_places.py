"""Where runs take place: processes of this machine, or a Dask cluster. Both tell what happens through one queue of events.

An event is (kind, job number, content): ``start`` with the place, ``cell`` with (done, of), ``end`` with the answer of a run.
"""

from __future__ import annotations

import json
import queue
import subprocess
import threading
from collections.abc import Mapping
from typing import Any, Protocol

from gridplan.errors import ReportError
from gridplan.report import processes
from gridplan.report.batch import _job
from gridplan.report.driver import GRACE_S

Event = tuple[str, int, Any]
PAGE_S = 600.0
"""What a run may take after its time limit for its page, PDF and archive before its process is ended [s]."""

CONNECT_S = 20.0
LOST = "the process that made the run ended without a word"


class Place(Protocol):
    """Something that makes runs."""

    def submit(self, number: int, job: Mapping[str, Any]) -> None:
        """Take a job; its events follow."""

    def close(self) -> None:
        """End everything that still runs."""


class Processes:
    """Runs in processes of this machine, each of which makes one run after the other.

    Parameters
    ----------
    workers
        Processes at once.
    events
        Where to tell what happens.
    """

    def __init__(self, workers: int, events: queue.Queue[Event]) -> None:
        self._events, self._jobs = events, queue.Queue[tuple[int, Mapping[str, Any]] | None]()
        self._open = True
        self._running: dict[int, subprocess.Popen[str]] = {}
        self._threads = [threading.Thread(target=self._serve, args=(n,), daemon=True) for n in range(workers)]
        for thread in self._threads:
            thread.start()

    def submit(self, number: int, job: Mapping[str, Any]) -> None:
        """Take a job for the next process that is free."""
        self._jobs.put((number, job))

    def close(self) -> None:
        """End every process, its kernel with it."""
        self._open = False
        for _ in self._threads:
            self._jobs.put(None)
        for process in list(self._running.values()):
            processes.end(process)
        for thread in self._threads:
            thread.join(timeout=10)

    def _serve(self, place: int) -> None:
        """Make the runs of one process; a process that was lost is started anew for the next run."""
        process = None
        try:
            while self._open and (item := self._jobs.get()) is not None:
                number, job = item
                if process is not None and process.poll() is not None:
                    processes.end(process)  # it was lost: nothing is left but what it held open
                    process = None
                process = self._running[place] = process or _start()
                self._events.put(("start", number, f"process {process.pid}"))
                self._events.put(("end", number, self._make(process, number, job)))
        except Exception as fault:  # noqa: BLE001 - told to the one who waits for the events
            self._events.put(("broken", -1, f"{type(fault).__name__}: {fault}"))
        finally:
            if process is not None:
                processes.end(process)

    def _make(self, process: subprocess.Popen[str], number: int, job: Mapping[str, Any]) -> dict[str, Any]:
        limit, late = job["choices"]["timeout_s"], threading.Event()

        def stop() -> None:
            late.set()
            processes.kill_tree(process.pid)

        watch = threading.Timer(limit + GRACE_S + PAGE_S, stop) if limit is not None else None
        try:
            if watch:
                watch.daemon = True
                watch.start()
            process.stdin.write(json.dumps(job) + "\n")
            process.stdin.flush()
            for line in process.stdout:
                event = json.loads(line)
                if "end" in event:
                    return event["end"]
                self._events.put(("cell", number, (event["cell"], event["of"])))
        except (BrokenPipeError, ValueError):  # it ended while we wrote, or in the middle of a line
            pass
        finally:
            if watch:
                watch.cancel()
        if late.is_set():
            return {
                "outcome": "failed",
                "fault": "timeout",
                "message": f"the run and its page took longer than {limit:g} s by far",
            }
        return {"outcome": "failed", "fault": "lost", "message": f"{LOST} (exit code {process.wait()})"}


def _start() -> subprocess.Popen[str]:
    return processes.start(["-c", f"import sys; {processes.SPARED}; from {_job.__name__} import main; main()"])


class Cluster:
    """Runs on the workers of a Dask cluster that see the same folders as this machine.

    Parameters
    ----------
    address
        Address of the scheduler, ``tcp://host:8786``.
    events
        Where to tell what happens.

    Raises
    ------
    ReportError
        No scheduler answers there.
    """

    TOPIC = "gridplan-batch"

    def __init__(self, address: str, events: queue.Queue[Event]) -> None:
        from distributed import Client  # noqa: PLC0415 - takes a second, and few need it

        self._events = events
        try:
            self._client = Client(address, timeout=CONNECT_S, set_as_default=False)
        except (OSError, ValueError, TimeoutError) as fault:
            raise ReportError(f"no Dask scheduler answers at {address}: {fault}; start one with `dask scheduler`") from fault
        self._client.subscribe_topic(self.TOPIC, lambda event: self._events.put(tuple(event[1])))
        self._futures: dict[int, Any] = {}

    def submit(self, number: int, job: Mapping[str, Any]) -> None:
        """Send a job to the cluster."""
        self._futures[number] = future = self._client.submit(_on_worker, self.TOPIC, number, dict(job), pure=False, retries=0)
        future.add_done_callback(lambda done: self._events.put(("end", number, _answer(done))))

    def close(self) -> None:
        """Take back what has not begun; what runs on a worker goes on until its time limit."""
        self._client.unsubscribe_topic(self.TOPIC)
        for future in self._futures.values():
            if not future.done():
                future.cancel(force=True)
        self._client.close()


def _on_worker(topic: str, number: int, job: Mapping[str, Any]) -> dict[str, Any]:
    from distributed import get_worker  # noqa: PLC0415 - only on a worker

    worker = get_worker()
    worker.log_event(topic, ("start", number, worker.address))
    return _job.make(job, lambda done, of: worker.log_event(topic, ("cell", number, (done, of))))


def _answer(future: Any) -> dict[str, Any]:
    if future.status == "finished":
        return future.result()
    fault = future.exception() if future.status == "error" else None
    words = f"the cluster lost the run ({type(fault).__name__}: {fault})" if fault else "the run was cancelled"
    return {"outcome": "failed", "fault": "lost", "message": words}
