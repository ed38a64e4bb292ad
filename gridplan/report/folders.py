"""Folders of runs: made under a passing name, given their own in one step, cleared when the process that made them is gone."""

from __future__ import annotations

import contextlib
import json
import os
import platform
import shutil
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psutil

from gridplan.errors import ReportError

STALE_S = 86_400.0
"""Age from which the folder of a run is taken for abandoned, where nothing tells whether its process lives [s]."""

LAST_STEP_S = 60.0
"""Age from which a finished folder that never got its name is taken for abandoned [s]."""

OWNER = "process.json"
MANIFEST = "manifest.json"
REMOVED = ".removed"


def owner() -> dict[str, Any]:
    """Say which process a folder belongs to; its time of birth tells it from a later one of the same number."""
    return {"host": platform.node(), "pid": os.getpid(), "born": psutil.Process().create_time()}


def is_gone(owned_by: Mapping[str, Any]) -> bool | None:
    """Whether the process of an owner record has ended; None where that cannot be told from here."""
    try:
        if owned_by["host"] == platform.node():
            process = psutil.Process(owned_by["pid"])
            dead = process.status() == psutil.STATUS_ZOMBIE  # killed, and its parent has not noticed yet
            return dead or abs(process.create_time() - owned_by["born"]) > 2.0
    except psutil.NoSuchProcess:
        return True
    except (KeyError, TypeError, psutil.AccessDenied):  # no record that could be relied on
        return None
    return None


def remove_stale(parent: Path) -> list[Path]:
    """Remove what killed runs left behind in the folder of a notebook; return what was removed."""
    gone = [part for part in parent.glob("*.part") if part.is_dir() and not part.is_symlink() and is_stale(part)]
    for part in gone:
        with contextlib.suppress(OSError):  # under another name, what its kernel may still write comes nowhere
            remove(part)
    return gone


def is_stale(part: Path) -> bool:
    """Whether a run is over: its process on this machine is gone, or, where none is on record, nothing changed for long."""
    try:
        over = is_gone(json.loads((part / OWNER).read_text("utf-8")))
    except (OSError, ValueError):
        over = None
    if over is not None:
        return over
    try:
        age = time.time() - max(f.stat().st_mtime for f in [part, *part.rglob("*")])
    except OSError:  # it is being moved or removed at this moment
        return False
    finished = (part / MANIFEST).exists() and not (part / OWNER).exists()  # killed just before it got its name
    return age > (LAST_STEP_S if finished else STALE_S)


def make(parent: Path, name: str, suffix: str = "") -> Path:
    """Make a folder that did not exist, with a number in its name where needed."""
    parent.mkdir(parents=True, exist_ok=True)
    for n in range(1, 1000):
        folder = parent / (name + (f"-{n}" if n > 1 else "") + suffix)
        with contextlib.suppress(FileExistsError):
            folder.mkdir()
            return folder
    raise FileExistsError(f"{parent / name} and 999 more exist")


def publish(part: Path, parent: Path, name: str) -> Path:
    """Give a finished folder its name, in one step."""
    for n in range(1, 1000):
        folder = parent / (name + (f"-{n}" if n > 1 else ""))
        if not folder.exists():
            with contextlib.suppress(FileExistsError):
                return part.rename(folder)
    raise FileExistsError(f"{parent / name} and 999 more exist")


def remove(folder: Path) -> None:
    """Remove a published folder so that no half of it is ever seen: it loses its name first, in one step."""
    shutil.rmtree(folder.rename(folder.with_name(folder.name + REMOVED)), ignore_errors=True)


def write_json(file: Path, content: Mapping[str, Any]) -> None:
    """Write a dictionary as a JSON file."""
    file.write_text(json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n", "utf-8")


def replace_text(file: Path, content: str) -> None:
    """Replace a file in one step; who opens it sees the old content or the new, never half of it."""
    fresh = _beside(file)
    try:
        fresh.write_text(content, "utf-8", newline="\n")
        fresh.replace(file)
    finally:
        fresh.unlink(missing_ok=True)


def point_latest(page: Path, latest: Path) -> Path:
    """Replace the newest page in one step; a copy, since links need rights on Windows and break when a folder is sent on."""
    fresh = _beside(latest)
    try:
        shutil.copyfile(page, fresh)
        fresh.replace(latest)
    except OSError as fault:
        raise ReportError(
            f"{page} is complete, but {latest} could not be replaced: {fault}", fault="write", kept=page.parent
        ) from fault
    finally:
        fresh.unlink(missing_ok=True)
    return latest


def _beside(file: Path) -> Path:
    return file.with_name(f".{file.name}.{os.getpid()}-{threading.get_ident()}.part")


def remove_abandoned_files(out: Path) -> None:
    """Remove half-written files of processes that are gone; :func:`point_latest` and :func:`replace_text` name them."""
    for file in out.glob(".*.part"):
        process = file.suffixes[-2].strip(".").partition("-")[0] if len(file.suffixes) > 1 else ""
        dead = process.isdigit() and not psutil.pid_exists(int(process))
        with contextlib.suppress(OSError):
            if file.is_file() and (dead or time.time() - file.stat().st_mtime > STALE_S):
                file.unlink()
