"""One batch at a time in a folder of reports, and word of one that did not end as it should."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from gridplan.errors import ReportError
from gridplan.report import folders

LOCK = ".batch.lock"
RECORD = ".batch.json"


@contextlib.contextmanager
def only_one(out: Path, names: Sequence[str], *, wait_s: float = 0.0) -> Iterator[str]:
    """Hold the lock of a folder of reports.

    The operating system frees the lock of a process that ends, however it ends; the record beside it says that it did not end by
    itself.

    Parameters
    ----------
    out
        Folder of all reports.
    names
        Reports that this batch makes, for those who find its record.
    wait_s
        How long to wait for another batch [s].

    Yields
    ------
    str
        What is to be said about an earlier batch that was killed; empty if there is none.

    Raises
    ------
    ReportError
        Another batch runs there, or the folder cannot be written.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
        lock = FileLock(out / LOCK, timeout=wait_s)
        lock.acquire()
    except Timeout:
        remedy = "start again when it has ended, or wait for it with --wait"
        raise ReportError(f"{_who(out)}; nothing was run; {remedy}", fault="batch") from None
    except OSError as fault:
        raise ReportError(f"cannot write to {out}: {fault}; give another folder with --out", fault="write") from fault
    try:
        if _runs(out):  # the lock file was deleted under its holder
            raise ReportError(f"{_who(out)}; nothing was run", fault="batch")
        stale = _killed(out)
        record = {**folders.owner(), "started": datetime.now(UTC).isoformat(timespec="seconds"), "reports": list(names)}
        with contextlib.suppress(OSError):  # a full disk is told by the runs themselves
            folders.replace_text(out / RECORD, json.dumps(record))
        yield stale
        (out / RECORD).unlink(missing_ok=True)
    finally:
        lock.release()


def _runs(out: Path) -> bool:
    record = _record(out)
    return bool(record) and record["pid"] != os.getpid() and folders.is_gone(record) is False


def _record(out: Path) -> dict[str, Any] | None:
    try:
        record = json.loads((out / RECORD).read_text("utf-8"))
        _ = record["pid"], record["host"], record["started"]
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError):
        return {}
    return record


def _who(out: Path) -> str:
    record = _record(out)
    if not record:
        return f"another batch runs in {out}"
    return f"another batch runs in {out} since {record['started']} (process {record['pid']} on {record['host']})"


def _killed(out: Path) -> str:
    """Tell of a batch whose record is still there though its lock is free: it was killed, or its machine went down."""
    record = _record(out)
    if record is None:
        return ""
    if not record:
        return "an earlier batch left a record that cannot be read; its lock was stale and is taken over"
    return (
        f"the batch of {record['started']} (process {record['pid']} on {record['host']}) was killed before its end; "
        "its lock was stale and is taken over, what it left half made is removed"
    )
