"""Make the runs of a batch, whatever happens to each; then tidy up, write index and summary, and tell."""

from __future__ import annotations

import contextlib
import os
import queue
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from gridplan.errors import ReportError
from gridplan.report import archive, folders, history, keyfigures
from gridplan.report.batch import _index
from gridplan.report.batch._file import Batch, Job
from gridplan.report.batch._job import as_json
from gridplan.report.batch._lock import only_one
from gridplan.report.batch._places import Cluster, Event, Place, Processes
from gridplan.report.batch._result import Result, Summary

INFRASTRUCTURE = {"kernel", "worker", "lost"}
"""Faults that another try may cure; a notebook that raises or hangs is never among them."""

INDEX = "index.html"
SUMMARY = "batch.json"
HOOK_S = 120.0
"""Limit of a notification command [s]."""


@dataclass(frozen=True)
class Options:
    """Where the runs of a batch take place and who watches.

    Parameters
    ----------
    workers
        Processes at once, in place of the number in the file.
    scheduler
        Address of a Dask scheduler whose workers make the runs; None for processes of this machine.
    wait_s
        How long to wait for another batch in the same folder [s].
    on_event
        Called with (kind, run, content) as things happen: ``start`` and the place, ``cell`` and (done, of), ``retry`` and why,
        ``end`` and the result.
    """

    workers: int | None = None
    scheduler: str | None = None
    wait_s: float = 0.0
    on_event: Callable[[str, Job, Any], None] = field(default=lambda _kind, _job, _content: None)


def run(batch: Batch, options: Options = Options()) -> Summary:
    """Make every run of a batch; each is published or fails on its own.

    Parameters
    ----------
    batch
        What :func:`read_runs` gives.
    options
        Where the runs take place, and who watches.

    Returns
    -------
    Summary
        How each run ended; the same stands in ``batch.json`` and on ``index.html`` in the folder of all reports. Where the batch
        was stopped (``KeyboardInterrupt``), what had not ended is ``stopped``.

    Raises
    ------
    ReportError
        Another batch runs in the same folder, the folder cannot be written, or no scheduler answers; nothing was run.
    """
    began = datetime.now(UTC)
    with only_one(batch.out, [job.name for job in batch.jobs], wait_s=options.wait_s) as stale:
        notes = [stale] if stale else []
        _clear(batch.out)
        results, stopped = _make_all(batch, options)
        summary = Summary(batch.title, began, datetime.now(UTC), tuple(results), stopped=stopped, notes=tuple(notes))
        return _finish(batch, summary)


def _clear(out: Path) -> None:
    """Remove what killed runs and batches left half made or half removed."""
    for notebook in (f for f in out.glob("*") if f.is_dir() and not f.is_symlink()):
        folders.remove_stale(notebook)
        folders.remove_abandoned_files(notebook)
        for place in (notebook, notebook / history.FAILED):
            for half in place.glob(f"*{folders.REMOVED}"):
                shutil.rmtree(half, ignore_errors=True)
    folders.remove_abandoned_files(out)


def _make_all(batch: Batch, options: Options) -> tuple[list[Result], bool]:
    """Return a result for every run in the order of the file, and whether the batch was stopped."""
    events: queue.Queue[Event] = queue.Queue()
    done: dict[int, Result] = {}
    stopped = False
    place = _place(batch, options, events)
    try:
        for number, job in enumerate(batch.jobs):
            place.submit(number, _sent(batch, job))
        _follow(batch, place, events, done, options)
    except KeyboardInterrupt:
        stopped = True
    finally:
        place.close()
    _clear(batch.out)
    unfinished = Result(outcome="stopped", message="the batch was stopped before this run had ended")
    return [replace(done.get(n, unfinished), job=job) for n, job in enumerate(batch.jobs)], stopped


def _place(batch: Batch, options: Options, events: queue.Queue[Event]) -> Place:
    if options.scheduler:
        return Cluster(options.scheduler, events)
    return Processes(max(1, min(options.workers or batch.workers, len(batch.jobs))), events)


def _sent(batch: Batch, job: Job) -> dict[str, Any]:
    sent = {"notebook": job.notebook, "study": job.study, "out": batch.out, "choices": job.choices, "parameters": job.parameters}
    return as_json(sent)


def _follow(batch: Batch, place: Place, events: queue.Queue[Event], done: dict[int, Result], options: Options) -> None:
    """Take events until every run has ended; what infrastructure broke is tried again as often as the run allows."""
    attempts = dict.fromkeys(range(len(batch.jobs)), 1)
    while len(done) < len(batch.jobs):
        kind, number, content = _next(events)
        if kind == "broken":
            raise ReportError(f"the batch cannot go on: {content}")
        job = batch.jobs[number]
        if kind != "end":
            options.on_event(kind, job, content)
        elif content.get("fault") in INFRASTRUCTURE and attempts[number] <= job.choices["retries"]:
            attempts[number] += 1
            options.on_event("retry", job, content["message"])
            place.submit(number, _sent(batch, job))
        else:
            done[number] = Result.of(job, content, attempts[number])
            options.on_event("end", job, done[number])


def _next(events: queue.Queue[Event]) -> Event:
    while True:
        with contextlib.suppress(queue.Empty):
            return events.get(timeout=1.0)  # a wait without limit would not hear Ctrl+C on Windows


# --- after ------------------------------------------------------------------------------------------------------------------


def _finish(batch: Batch, summary: Summary) -> Summary:
    """Tidy up and write what tells of the batch; a fault here is noted, and leaves every report as it is."""
    notes = list(summary.notes)
    past = history.runs(batch.out)
    with _noting(notes, "a newest page could not be mended"):
        mended = history.repair_latest(past, batch.out)
        notes.extend(f"the newest page {file.name} was not that of the newest run, and was replaced" for file in mended)
    removed = tuple(_retain(batch, past, notes))
    results = tuple(_with_figures(result, past) for result in summary.results)
    unreadable = [f"{p.folder.relative_to(batch.out).as_posix()}: {p.message}" for p in past if p.outcome == "unreadable"]
    summary = replace(summary, results=results, notes=(*notes, *unreadable), removed=removed, out=batch.out)
    summary = _written(batch, summary, past)
    fault = _tell(batch, summary)
    return _summarised(batch, replace(summary, hook_fault=fault)) if fault else summary


@contextlib.contextmanager
def _noting(notes: list[str], words: str) -> Iterator[None]:
    """Turn a fault of writing into a note: what was made before it stands."""
    try:
        yield
    except (OSError, ReportError) as fault:
        notes.append(f"{words}: {fault}")


def _retain(batch: Batch, past: Sequence[history.Past], notes: list[str]) -> Iterator[Path]:
    """Remove runs beyond those that each report keeps."""
    for job in batch.jobs:
        for folder in history.superseded(past, job.report, job.choices["keep"]):
            try:
                folders.remove(folder)
            except OSError as fault:
                notes.append(f"{folder.name} could not be removed: {fault}")
                continue
            archive.default_target(folder).unlink(missing_ok=True)
            yield folder


def _with_figures(result: Result, past: Sequence[history.Past]) -> Result:
    """Add a run's key figures, and how much each rose since the last complete run of the same report."""
    mine = next((p for p in past if str(p.folder) == result.folder), None)
    if mine is None or result.outcome != "complete":
        return result
    before = history.previous(past, mine)
    paired = keyfigures.pairs(before.key_figures if before else [], mine.key_figures)
    figures = [
        {**now, "before": old["number"] if old else None, "change": keyfigures.change(old, now)} for old, now in paired if now
    ]
    return replace(result, key_figures=tuple(figures), since=before.started if before else "")


def _written(batch: Batch, summary: Summary, past: Sequence[history.Past]) -> Summary:
    """Write index and summary; where the disk is full, the old ones stay, and the summary that is returned says so."""
    notes = list(summary.notes)
    with _noting(notes, f"{INDEX} could not be written, the one there is older than this batch"):
        folders.replace_text(batch.out / INDEX, _index.page(summary, past))
        summary = replace(summary, index=batch.out / INDEX)
    return _summarised(batch, replace(summary, notes=tuple(notes)))


def _summarised(batch: Batch, summary: Summary) -> Summary:
    notes = list(summary.notes)
    with _noting(notes, f"{SUMMARY} could not be written, the one there is older than this batch"):
        folders.replace_text(batch.out / SUMMARY, summary.as_json())
        summary = replace(summary, file=batch.out / SUMMARY)
    return replace(summary, notes=tuple(notes))


def _tell(batch: Batch, summary: Summary) -> str:
    """Call the notification command and return what went wrong; what it is told stands in its environment."""
    command = batch.on_success if summary.outcome == "complete" else batch.on_failure
    if not command:
        return ""
    program = [shutil.which(command[0]) or command[0], *command[1:]]
    environment = {**os.environ, **_environment(batch, summary)}
    try:
        # the program and arguments of runs.toml, without a shell
        done = subprocess.run(  # noqa: S603
            program, env=environment, timeout=HOOK_S, check=False, stdin=subprocess.DEVNULL, cwd=batch.file.parent
        )
        fault = f"exit code {done.returncode}" if done.returncode else ""
    except (OSError, ValueError, subprocess.TimeoutExpired) as problem:
        fault = str(problem)
    return f"the command {command[0]} failed: {fault}" if fault else ""


def _environment(batch: Batch, summary: Summary) -> Mapping[str, str]:
    failed = [r for r in summary.results if r.outcome != "complete"]
    return {
        "GRIDPLAN_OUTCOME": summary.outcome,
        "GRIDPLAN_TITLE": _clean(batch.title),
        "GRIDPLAN_RUNS": str(len(summary.results)),
        "GRIDPLAN_FAILED": str(len(failed)),
        "GRIDPLAN_FAILED_REPORTS": " ".join(_clean(r.job.name) for r in failed),
        "GRIDPLAN_MESSAGE": _clean("\n".join(f"{r.job.name}: {r.message}" for r in failed))[:8000],
        "GRIDPLAN_INDEX": str(batch.out / INDEX),
        "GRIDPLAN_SUMMARY": str(batch.out / SUMMARY),
    }


def _clean(text: str) -> str:
    return "".join(c for c in text if c.isprintable() or c == "\n")
