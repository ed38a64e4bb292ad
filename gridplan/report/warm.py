"""Kernels that need not import gridplan: each is a fork of a process that has done nothing but import.

A batch makes many reports, and every kernel would spend seconds on the same imports. On Linux the process that runs notebooks
keeps one such process (:func:`start`); Jupyter starts a stand-in (:func:`stand_in`) in place of a kernel, which asks it for a
fork, lives as long as that, and passes on its exit code. When the stand-in is ended, so is its kernel; when the process that
imports is gone, the stand-in becomes an ordinary kernel.

This file is also a script, and imports the standard library alone, so that a stand-in costs nothing.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import selectors
import signal
import socket
import subprocess
import sys
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

SOCKET = "warm"
DRAWING = ("gridplan.figures", "gridplan.explorers")
"""Modules that ask while they are imported whether they are in a kernel; they are left to it."""

BACKEND = "module://matplotlib_inline.backend_inline"  # what a kernel tells matplotlib before it is imported
STREAMS = (1, 2)


def is_possible() -> bool:
    """Whether this system can fork a process that has imported gridplan, and wait for it: Linux."""
    return sys.platform == "linux" and hasattr(os, "pidfd_open")


def start(folder: Path) -> subprocess.Popen[bytes]:
    """Start the process that imports; it ends when its standard input closes.

    Parameters
    ----------
    folder
        Folder of this user alone, for its socket.
    """
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(folder / SOCKET))
        listener.listen()
        return subprocess.Popen(  # noqa: S603 - this interpreter and this file
            [sys.executable, "-P", __file__, "serve", str(listener.fileno())],
            stdin=subprocess.PIPE,
            pass_fds=[listener.fileno()],
            env={"MPLBACKEND": BACKEND, **os.environ},
        )


def specify(folder: Path, place: Path, modules: Sequence[str]) -> None:
    """Write a kernel specification ``python3`` that starts a stand-in.

    Parameters
    ----------
    folder
        Folder to write to; Jupyter finds the specification when it is on ``JUPYTER_PATH``.
    place
        Folder that was given to :func:`start`.
    modules
        What is to be imported before the fork.
    """
    spec = folder / "kernels" / "python3"
    spec.mkdir(parents=True)
    program = [sys.executable, "-I", "-S", __file__, "stand-in", str(place / SOCKET), ",".join(modules)]
    content = {"argv": [*program, "-f", "{connection_file}"], "display_name": "Python 3", "language": "python"}
    (spec / "kernel.json").write_text(json.dumps(content), "utf-8")


# --- in place of a kernel -----------------------------------------------------------------------------------------------------


def stand_in(place: str, modules: str, arguments: Sequence[str]) -> int:
    """Ask for a kernel, wait for its end and return its exit code.

    Parameters
    ----------
    place
        Socket of the process that imports.
    modules
        What to import, joined by commas.
    arguments
        Of the kernel.
    """
    with socket.socket(socket.AF_UNIX) as server:
        try:
            server.connect(place)
        except OSError:
            os.execv(sys.executable, [sys.executable, "-m", "ipykernel_launcher", *arguments])  # noqa: S606 - an ordinary kernel
        names = [name for name in modules.split(",") if name]
        wish = {"arguments": arguments, "modules": names, "env": dict(os.environ), "cwd": str(Path.cwd())}
        socket.send_fds(server, [b"{"], STREAMS)
        server.sendall(json.dumps(wish).encode()[1:] + b"\n")
        with server.makefile("r", encoding="utf-8") as answers:
            answer = answers.readline()
    return int(answer) if answer else 1


# --- the process that imports -------------------------------------------------------------------------------------------------


def serve(listener: socket.socket) -> None:
    """Fork a kernel for each stand-in that asks for one, until standard input closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with selectors.DefaultSelector() as selector:
        selector.register(listener, selectors.EVENT_READ)
        selector.register(sys.stdin, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select():
                if key.fileobj is sys.stdin:
                    _end_all(selector)
                elif key.fileobj is listener:
                    _begin(listener.accept()[0], selector)
                elif key.fd in selector.get_map():
                    _finish(selector, *key.data)


def _begin(stand: socket.socket, selector: selectors.BaseSelector) -> None:
    """Import what is asked for and fork."""
    try:
        start_of_it, streams, _, _ = socket.recv_fds(stand, 1, len(STREAMS))
        with stand.makefile("rb") as rest:
            wish = json.loads(start_of_it + rest.readline())
    except (OSError, ValueError):  # it was ended while it asked
        stand.close()
        return
    for name in wish["modules"]:
        with contextlib.suppress(Exception):  # the notebook says what it cannot import
            importlib.import_module(name)
    pid = os.fork()
    if not pid:
        held = [key.fd for key in selector.get_map().values() if key.fd]
        _become_kernel(wish, streams, [*held, stand.fileno()])
    for stream in streams:
        os.close(stream)
    process = os.pidfd_open(pid)
    for source in (stand, process):
        selector.register(source, selectors.EVENT_READ, (pid, process, stand))


def _become_kernel(wish: Mapping[str, Any], streams: Sequence[int], held: Sequence[int]) -> None:
    """Turn a fork into the kernel that the stand-in would have been; does not return."""
    code = 1
    try:
        os.setsid()
        signal.signal(signal.SIGINT, signal.default_int_handler)
        for fd in held:
            os.close(fd)
        for fd, own in zip((os.open(os.devnull, os.O_RDONLY), *streams), (0, *STREAMS), strict=True):
            os.dup2(fd, own)
            os.close(fd)
        os.environ.clear()
        os.environ.update(wish["env"], JPY_PARENT_PID=str(os.getppid()))
        os.chdir(wish["cwd"])
        if "numpy" in sys.modules:
            sys.modules["numpy"].random.seed()  # each kernel draws its own, as if it had imported numpy itself
        sys.argv = ["ipykernel_launcher", *wish["arguments"]]
        importlib.import_module("ipykernel.kernelapp").launch_new_instance()
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:  # noqa: BLE001 - nothing may go back to where it was forked
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _finish(selector: selectors.BaseSelector, pid: int, process: int, stand: socket.socket) -> None:
    """End a kernel whose stand-in has gone, or tell the stand-in how its kernel has ended."""
    os.kill(pid, signal.SIGKILL)  # what has ended by itself stays as it is until it is waited for
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    for source in (stand, process):
        selector.unregister(source)
    with contextlib.suppress(OSError):
        stand.sendall(f"{code if code >= 0 else 128 - code}\n".encode())
    stand.close()
    os.close(process)


def _end_all(selector: selectors.BaseSelector) -> None:
    for pid in {key.data[0] for key in selector.get_map().values() if key.data}:
        os.kill(pid, signal.SIGKILL)
    os._exit(0)


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve(socket.socket(fileno=int(sys.argv[2])))
    sys.exit(stand_in(sys.argv[2], sys.argv[3], sys.argv[4:]))
