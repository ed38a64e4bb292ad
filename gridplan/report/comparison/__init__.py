"""What changed between two runs: inputs row by row, parameters, versions, key figures, roadmap and results, as tables and a page.

::

    compare(before, after, *, out="reports/compare") -> Comparison

Both are folders of runs, pages of them, or archives; nothing is run again.
"""

from gridplan.report.comparison._compare import Comparison, compare, differences
from gridplan.report.comparison._tables import changed_rows, roadmap_changes

__all__ = ["Comparison", "changed_rows", "compare", "differences", "roadmap_changes"]
