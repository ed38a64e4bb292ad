"""From a notebook and a study to one offline page: parameters checked, notebook run, page written, origin recorded.

::

    render(notebook, *, study, parameters=None, out="reports", options=RunOptions()) -> Run

A run either publishes a whole folder or nothing: a failed one leaves every earlier report as it was. :class:`PageExporter` is
also nbconvert's exporter ``gridplan``, and so stands in JupyterLab under File > Save and Export Notebook As.
"""

from gridplan.report.exporter import PageExporter
from gridplan.report.parameters import Parameter, gather, read_parameters
from gridplan.report.runner import Run, RunOptions, render

__all__ = ["PageExporter", "Parameter", "Run", "RunOptions", "gather", "read_parameters", "render"]
