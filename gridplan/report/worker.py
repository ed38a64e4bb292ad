"""Run notebooks with papermill, one after the other, in a process of their own.

The runner starts this file as a script, so that working directory, time limit and kernel are this process's alone. Jobs (JSON,
one a line) come in on standard input; events (JSON, one a line) go out on standard output; when standard input closes, the
runner is gone and everything here ends.
"""

from __future__ import annotations

import ast
import importlib.util
import json
import os
import queue
import shutil
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import IO, Any

import psutil

# jsonschema would build a grammar of international addresses, for longer than all else here takes; notebooks hold none.
sys.modules.setdefault("rfc3987_syntax", None)

import papermill  # noqa: E402
from papermill.engines import NBClientEngine, papermill_engines  # noqa: E402
from traitlets.config import Config  # noqa: E402


def _beside(name: str) -> Any:
    """Load a module of this folder alone: as part of its package it would bring pandas and more, which nothing here needs."""
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


warm = _beside("warm")
SOCKETS = "gp-"  # start of the name of the folder of sockets
SOCKET_NAME = 12  # room for the name of a socket
SOCKET_PATH = 104  # longest path of a socket on macOS; Linux allows 108


class _State:
    """What the watching threads and the run share."""

    cell: int | None = None
    timed_out = False


class _Warm:
    """The process from which kernels are forked; None before the first is asked for."""

    process: subprocess.Popen[bytes] | None = None
    place: Path = Path()

    def specify(self, folder: Path, modules: list[str]) -> None:
        """Let Jupyter start stand-ins of kernels for a run, with the process behind them if it is not there yet."""
        if self.process is None or self.process.poll() is not None:
            self.place = Path(tempfile.mkdtemp(prefix=SOCKETS))
            self.process = warm.start(self.place)
        warm.specify(folder, self.place, modules)
        os.environ["JUPYTER_PATH"] = str(folder)


def run(job: dict[str, Any], events: IO[str], warmed: _Warm) -> None:
    """Execute the notebook of a job and say how it ended; the events are `cell`, then `done` or `failed`."""
    state = _State()
    papermill_engines.register("gridplan", _engine(state, events))
    watch = threading.Timer(job["timeout_s"] or threading.TIMEOUT_MAX, _end_kernel, [state])
    watch.daemon = True
    watch.start()
    with tempfile.TemporaryDirectory(prefix=SOCKETS, ignore_cleanup_errors=True) as sockets:
        os.environ["JUPYTER_RUNTIME_DIR"] = sockets
        try:
            if job["warm"] and warm.is_possible():
                warmed.specify(Path(sockets), _computing(job["source"]))
            _execute(job, _transport(sockets))
        except papermill.PapermillExecutionError as fault:
            _send(events, failed="cell", cell=fault.cell_index, ename=fault.ename, evalue=fault.evalue, traceback=fault.traceback)
        except Exception as fault:  # noqa: BLE001 - whatever it is, the runner must hear of it
            kind = "timeout" if state.timed_out else "write" if isinstance(fault, OSError) else "kernel"
            _send(events, failed=kind, cell=state.cell, ename=type(fault).__name__, evalue=str(fault), traceback=[])
        else:
            watch.cancel()
            _send(events, done=True)


def _computing(source: str) -> list[str]:
    """Return what a notebook imports of gridplan, but for what draws; what cannot be read is for the kernel to tell."""
    cells = [c for c in json.loads(Path(source).read_text("utf-8"))["cells"] if c["cell_type"] == "code"]
    found: list[str] = []
    for cell in cells:
        try:
            parts = ast.walk(ast.parse("".join(cell["source"])))
        except SyntaxError:  # IPython's own commands, or a slip
            continue
        for part in parts:
            if isinstance(part, ast.Import):
                found += [name.name for name in part.names]
            elif isinstance(part, ast.ImportFrom) and not part.level:
                found += [part.module, *(f"{part.module}.{name.name}" for name in part.names)]
    wanted = [name for name in found if name.split(".")[0] == "gridplan" and not name.startswith(warm.DRAWING)]
    return list(dict.fromkeys(wanted))


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


def _listen(jobs: queue.Queue[str], warmed: _Warm) -> None:
    """Hand on the jobs that come in; end everything when none can come any more."""
    for line in sys.stdin:
        jobs.put(line)
    psutil.wait_procs(_kill_children(), timeout=3)
    for sockets in (Path(os.environ.get("JUPYTER_RUNTIME_DIR", "")), warmed.place):
        if sockets.name.startswith(SOCKETS):
            shutil.rmtree(sockets, ignore_errors=True)
    os._exit(3)


def _send(events: IO[str], **event: Any) -> None:
    events.write(json.dumps(event) + "\n")
    events.flush()


def _log_to(file: str) -> None:
    """Send what this process and its kernels write by themselves, also to standard output, to the log of the run."""
    with Path(file).open("ab") as log:
        for stream in (1, 2):
            os.dup2(log.fileno(), stream)


def main() -> None:
    """Run the notebooks that are asked for, until standard input closes."""
    events = os.fdopen(os.dup(1), "w", encoding="utf-8")
    jobs: queue.Queue[str] = queue.Queue()
    warmed = _Warm()
    threading.Thread(target=_listen, args=(jobs, warmed), daemon=True).start()
    while True:
        job = json.loads(jobs.get())
        _log_to(job["log"])
        Path(job["target"]).unlink(missing_ok=True)
        run(job, events, warmed)


if __name__ == "__main__":
    main()
