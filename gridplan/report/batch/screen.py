"""What a terminal shows of a batch: one line for each run that is under way, and a line for each that has ended."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.text import Text

from gridplan.report.batch._file import Job
from gridplan.report.batch._index import FAULTS
from gridplan.report.batch._result import Result, Summary


class Screen:
    """Shows the progress of a batch on the error stream; where nobody watches, only a line for each run that has ended.

    Parameters
    ----------
    count
        Number of runs.
    console
        Where to write; by default the error stream.
    """

    def __init__(self, count: int, console: Console | None = None) -> None:
        self._console = console or Console(stderr=True, highlight=False)
        columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        self._bars = Progress(*columns, console=self._console, transient=True, disable=not self._console.is_interactive)
        self._all = self._bars.add_task("all runs", total=count)
        self._tasks: dict[str, TaskID] = {}

    def __enter__(self) -> Screen:
        self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bars.stop()

    def show(self, kind: str, job: Job, content: Any) -> None:
        """Show one event of a batch."""
        if kind == "start":
            self._leave(job)
            self._tasks[job.name] = self._bars.add_task(f"  {_safe(job.name)}", total=None)
        elif kind == "cell" and job.name in self._tasks:
            done, of = content
            self._bars.update(self._tasks[job.name], completed=done, total=of)
        elif kind == "retry":
            self._say(f"again     {job.name}: {content}", "yellow")
        elif kind == "end":
            self._leave(job)
            self._bars.advance(self._all)
            self._say(*_line(content))

    def _leave(self, job: Job) -> None:
        task = self._tasks.pop(job.name, None)
        if task is not None:
            self._bars.remove_task(task)

    def _say(self, text: str, style: str) -> None:
        self._console.print(Text(_safe(text), style=style), soft_wrap=True)

    @staticmethod
    def told(summary: Summary) -> Iterator[str]:
        """Yield what is to be said at the end."""
        for result in summary.results:
            if result.outcome == "failed":
                yield f"\n{result.job.name}:\n{result.message}"
        yield from summary.notes
        if summary.hook_fault:
            yield summary.hook_fault
        complete = sum(r.outcome == "complete" for r in summary.results)
        seconds = (summary.ended - summary.started).total_seconds()
        yield f"{complete} of {len(summary.results)} runs complete in {seconds:.0f} s"


def _line(result: Result) -> tuple[str, str]:
    if result.outcome == "complete":
        return f"complete  {result.job.name}, {result.seconds:.0f} s", "green"
    return f"{result.outcome:9} {result.job.name}, {result.seconds:.0f} s: {FAULTS.get(result.fault, result.fault)}", "red"


def _safe(text: str) -> str:
    return "".join(c if c.isprintable() or c == "\n" else ascii(c)[1:-1] for c in text)
