"""Run one notebook with papermill, in a process of its own.

The runner starts this file as a script, so that working directory, time limit and kernel are this process's alone. A job (JSON,
one line) comes in on standard input; events (JSON, one a line) go out on standard output; when standard input closes, the
runner is gone and everything here ends.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
import threading
from pathlib import Path
from typing import IO, Any

import papermill
import psutil
from papermill.engines import NBClientEngine, papermill_engines
from traitlets.config import Config

SOCKETS = "gp-"  # start of the name of the folder of sockets
SOCKET_NAME = 12  # room for the name of a socket
SOCKET_PATH = 104  # longest path of a socket on macOS; Linux allows 108


class _State:
    """What the watching threads and the run share."""

    cell: int | None = None
    timed_out = False


def run(job: dict[str, Any], events: IO[str]) -> None:
    """Execute the notebook of a job and say how it ended; the events are `cell`, then `done` or `failed`."""
    state = _State()
    papermill_engines.register("gridplan", _engine(state, events))
    if job["timeout_s"] is not None:
        watch = threading.Timer(job["timeout_s"], _end_kernel, [state])
        watch.daemon = True
        watch.start()
    with tempfile.TemporaryDirectory(prefix=SOCKETS, ignore_cleanup_errors=True) as sockets:
        os.environ["JUPYTER_RUNTIME_DIR"] = sockets
        try:
            _execute(job, _transport(sockets))
        except papermill.PapermillExecutionError as fault:
            _send(events, failed="cell", cell=fault.cell_index, ename=fault.ename, evalue=fault.evalue, traceback=fault.traceback)
        except Exception as fault:  # noqa: BLE001 - whatever it is, the runner must hear of it
            kind = "timeout" if state.timed_out else "write" if isinstance(fault, OSError) else "kernel"
            _send(events, failed=kind, cell=state.cell, ename=type(fault).__name__, evalue=str(fault), traceback=[])
        else:
            _send(events, done=True)


def _execute(job: dict[str, Any], config: Config) -> None:
    papermill.execute_notebook(
        job["source"],
        job["target"],
        engine_name="gridplan",
        kernel_name="python3",
        cwd=job["cwd"],
        progress_bar=False,
        store_widget_state=False,
        config=config,
    )


def _transport(sockets: str) -> Config:
    """Use sockets in the file system where there are such: no port that two runs could take at once or that others can reach.

    Their place is named: left to itself, jupyter_client puts them into the notebook's folder under names that all runs share.
    """
    file = Path(sockets, "kernel.json")
    if os.name == "posix" and len(sockets) + SOCKET_NAME < SOCKET_PATH:
        ipc = {"transport": "ipc", "ip": str(file.with_name("kernel"))}
        return Config({"KernelManager": {"connection_file": str(file), **ipc}})
    return Config({"KernelManager": {"connection_file": str(file)}})


def _engine(state: _State, events: IO[str]) -> type[NBClientEngine]:
    """Papermill's own engine, telling which cell runs."""

    class Engine(NBClientEngine):
        @classmethod
        def execute_managed_notebook(cls, nb_man: Any, kernel_name: str, **kwargs: Any) -> None:
            start = nb_man.cell_start

            def cell_start(cell: Any, cell_index: int | None = None, **rest: Any) -> None:
                state.cell = cell_index
                _send(events, cell=cell_index, of=len(nb_man.nb.cells))
                start(cell, cell_index, **rest)

            nb_man.cell_start = cell_start
            super().execute_managed_notebook(nb_man, kernel_name, **kwargs)

    return Engine


def _end_kernel(state: _State) -> None:
    state.timed_out = True
    _kill_children()


def _kill_children() -> list[psutil.Process]:
    children = psutil.Process().children(recursive=True)
    for child in children:
        try:
            child.kill()
        except psutil.NoSuchProcess:  # it has ended by itself meanwhile
            continue
    return children


def _end_with_runner() -> None:
    sys.stdin.read()
    psutil.wait_procs(_kill_children(), timeout=3)
    sockets = Path(os.environ.get("JUPYTER_RUNTIME_DIR", ""))
    if sockets.name.startswith(SOCKETS):
        shutil.rmtree(sockets, ignore_errors=True)
    os._exit(3)


def _send(events: IO[str], **event: Any) -> None:
    events.write(json.dumps(event) + "\n")
    events.flush()


def main() -> None:
    """Read the job and run it; what the kernel writes to its own standard output goes where errors go."""
    events = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    job = json.loads(sys.stdin.readline())
    Path(job["target"]).unlink(missing_ok=True)
    threading.Thread(target=_end_with_runner, daemon=True).start()
    run(job, events)
    events.flush()
    os._exit(0)  # the kernel is gone; nothing is left to wait for but the thread that waits for the runner


if __name__ == "__main__":
    main()
