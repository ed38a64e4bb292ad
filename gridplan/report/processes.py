"""Processes that work for this one: apart from its terminal, and never left behind."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import IO

import psutil

SPARED = "sys.modules.setdefault('rfc3987_syntax', None)"
"""For programs that only read notebooks: jsonschema would build a grammar of addresses for longer than all the rest takes."""


def start(
    arguments: Sequence[str], *, errors: IO[bytes] | None = None, environment: Mapping[str, str] | None = None
) -> subprocess.Popen[str]:
    """Start this interpreter with pipes for its input and output, in a session of its own: Ctrl+C reaches only this process.

    Parameters
    ----------
    arguments
        Behind the interpreter; the working directory is not on its path for modules.
    errors
        Where its error stream goes; by default to that of this process.
    environment
        In place of this process's.
    """
    apart = {"start_new_session": True} if os.name == "posix" else {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}
    return subprocess.Popen(  # noqa: S603 - this interpreter and code of this package
        [sys.executable, "-P", *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=errors,
        env=environment,
        text=True,
        encoding="utf-8",
        **apart,
    )


def end(process: subprocess.Popen[str]) -> None:
    """Let a process end by itself and its children with it, as it does when its input closes; then end what is left."""
    with contextlib.suppress(OSError, ValueError):  # it has ended already
        process.stdin.close()
    try:
        process.wait(timeout=5)
    except subprocess.TimeoutExpired:
        kill_tree(process.pid)
        process.wait()
    with contextlib.suppress(OSError, ValueError):
        process.stdout.close()


def kill_tree(pid: int) -> None:
    """End a process and all below it at once."""
    with contextlib.suppress(psutil.NoSuchProcess):
        process = psutil.Process(pid)
        for one in [*process.children(recursive=True), process]:
            with contextlib.suppress(psutil.NoSuchProcess):
                one.kill()
