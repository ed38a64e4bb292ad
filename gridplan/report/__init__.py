"""From a notebook and a study to one offline page: parameters checked, notebook run, page written, origin recorded.

::

    render(notebook, *, study, parameters=None, out="reports", options=RunOptions()) -> Run
    batch.read_runs(file) -> Batch;  batch.run(batch) -> Summary      many of them, unattended
    compare(before, after, *, out="reports/compare") -> Comparison    what changed between two runs
    archive.pack(run) -> Path;  archive.verify(file) -> Verification  one file with everything, and its hashes checked

A run either publishes a whole folder or nothing: a failed one leaves every earlier report as it was. :class:`PageExporter` is
also nbconvert's exporter ``gridplan``, and so stands in JupyterLab under File > Save and Export Notebook As.
"""

from gridplan.report import archive, batch
from gridplan.report.comparison import Comparison, compare
from gridplan.report.exporter import PageExporter
from gridplan.report.parameters import Parameter, gather, read_parameters
from gridplan.report.runner import Run, RunOptions, render

__all__ = [
    "Comparison",
    "PageExporter",
    "Parameter",
    "Run",
    "RunOptions",
    "archive",
    "batch",
    "compare",
    "gather",
    "read_parameters",
    "render",
]
