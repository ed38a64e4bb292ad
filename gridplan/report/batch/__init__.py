"""Many reports in one go, unattended: ``runs.toml`` says which, every run is published or fails on its own.

::

    read_runs(file) -> Batch          the file checked whole, lists taken apart into single runs
    run(batch, options) -> Summary    the runs made, an index page and a summary written, a command called

Folders under ``out``, beside those of :mod:`gridplan.report.runner`::

    index.html    the runs of the last batch, their key figures and how they changed, and earlier runs
    batch.json    the same for programs
    .batch.lock   held while a batch runs; .batch.json beside it says by whom
"""

from gridplan.report.batch._file import EACH, WHOLE, Batch, Job, read_runs
from gridplan.report.batch._result import BUSY, COMPLETE, FAILED, NOT_STARTED, STOPPED, UNTOLD, Result, Summary
from gridplan.report.batch._run import Options, run

__all__ = [
    "BUSY",
    "COMPLETE",
    "EACH",
    "FAILED",
    "NOT_STARTED",
    "STOPPED",
    "UNTOLD",
    "WHOLE",
    "Batch",
    "Job",
    "Options",
    "Result",
    "Summary",
    "read_runs",
    "run",
]
