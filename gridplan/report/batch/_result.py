"""How the runs of a batch ended, for people, programs and schedulers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from gridplan.report.batch._file import Job

COMPLETE, NOT_STARTED, BUSY, FAILED, UNTOLD, STOPPED = 0, 1, 3, 4, 5, 130
"""Exit codes: every run complete; nothing run (an error of the file or folder); another batch runs; at least one run failed;
all complete, but index, summary or notification failed; stopped. 2 is a usage error."""


@dataclass(frozen=True)
class Result:
    """How one run ended.

    Parameters
    ----------
    job
        What was to be run.
    outcome
        ``complete``, ``failed`` or ``stopped``.
    fault
        Of a failed one: ``cell`` (the notebook raised), ``timeout``, ``kernel``, ``worker``, ``lost``, ``write``, ``input``
        (parameters or study), ``report`` or ``internal``.
    message
        What is to be said about it.
    attempts
        How often it was tried.
    seconds
        Duration of the last attempt [s].
    folder, page, archive
        Its files; of a failed run the folder of what it left.
    key_figures
        Each with `number`, `before` and `change`.
    since
        When the run was made with which `change` compares; empty if there is none.
    """

    job: Job | None = None
    outcome: str = "complete"
    fault: str = ""
    message: str = ""
    attempts: int = 0
    seconds: float = 0.0
    folder: str | None = None
    page: str | None = None
    archive: str | None = None
    key_figures: tuple[Mapping[str, Any], ...] = ()
    since: str = ""

    @classmethod
    def of(cls, job: Job, answer: Mapping[str, Any], attempts: int) -> Result:
        """Take what a run answered."""
        known = ("outcome", "fault", "message", "seconds", "folder", "page", "archive")
        return cls(job, attempts=attempts, **{k: answer[k] for k in known if k in answer})


@dataclass(frozen=True)
class Summary:
    """How a batch ended.

    Parameters
    ----------
    title
        Title of the batch.
    started, ended
        UTC.
    results
        One for each run, in the order of the file.
    stopped
        Whether it was stopped before its end.
    notes
        What else is to be said: a stale lock, earlier runs that cannot be read, files that could not be written.
    removed
        Folders of runs beyond those that are kept.
    out
        Folder of all reports.
    index, file
        Index page and summary, if they could be written.
    hook_fault
        Why the notification failed; empty if it did not.
    """

    title: str
    started: datetime
    ended: datetime
    results: tuple[Result, ...]
    stopped: bool = False
    notes: tuple[str, ...] = ()
    removed: tuple[Path, ...] = ()
    out: Path = field(default=Path())
    index: Path | None = None
    file: Path | None = None
    hook_fault: str = ""

    @property
    def outcome(self) -> str:
        """``complete`` if every run is; else ``stopped`` or ``failed``."""
        if self.stopped:
            return "stopped"
        return "complete" if all(r.outcome == "complete" for r in self.results) else "failed"

    @property
    def exit_code(self) -> int:
        """What a scheduler is told."""
        if self.outcome != "complete":
            return STOPPED if self.stopped else FAILED
        return COMPLETE if self.index and self.file and not self.hook_fault else UNTOLD

    def as_json(self) -> str:
        """Return the summary as JSON; paths are relative to the folder of all reports."""
        content = {
            "format": 1,
            "title": self.title,
            "outcome": self.outcome,
            "started": self.started.isoformat(timespec="seconds"),
            "ended": self.ended.isoformat(timespec="seconds"),
            "seconds": round((self.ended - self.started).total_seconds(), 1),
            "runs": [self._run(result) for result in self.results],
            "removed": [self._shown(folder) for folder in self.removed],
            "notes": list(self.notes),
            "notification": self.hook_fault or None,
        }
        return json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n"

    def _run(self, result: Result) -> dict[str, Any]:
        job = result.job
        return {
            "report": job.report,
            "notebook": job.notebook.name,
            "study": job.study.name,
            "parameters": dict(job.parameters),
            "outcome": result.outcome,
            "fault": result.fault or None,
            "message": result.message or None,
            "attempts": result.attempts,
            "seconds": result.seconds,
            **{key: self._shown(getattr(result, key)) for key in ("folder", "page", "archive")},
            "since": result.since or None,
            "key_figures": [dict(figure) for figure in result.key_figures],
        }

    def _shown(self, path: str | Path | None) -> str | None:
        if path is None:
            return None
        path = Path(path)
        return path.relative_to(self.out).as_posix() if path.is_relative_to(self.out) else path.name
