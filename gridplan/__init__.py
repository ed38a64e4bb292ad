"""Grid modernisation planning: network physics, IT/OT architecture, a budgeted roadmap and a filing-grade report.

Functions live at ``gridplan.<module>.<function>``; only :func:`read_study` and the errors are also here.
"""

from gridplan.errors import (
    GridplanError,
    InputError,
    NetworkError,
    NotConverged,
    ParameterError,
    Problem,
    ReportError,
    StudyError,
)
from gridplan.study import Study, read_study

__version__ = "0.1.0"

__all__ = [
    "GridplanError",
    "InputError",
    "NetworkError",
    "NotConverged",
    "ParameterError",
    "Problem",
    "ReportError",
    "Study",
    "StudyError",
    "read_study",
]
