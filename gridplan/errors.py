"""The errors that gridplan raises.

All of them derive from one, so that a caller can catch what gridplan says and let everything else pass::

    GridplanError
    ├── InputError            something given is wrong; holds every problem found, not only the first
    │   ├── StudyError        a study folder, workbook or table
    │   ├── NetworkError      a network file, code or element
    │   └── ParameterError    a report parameter or an argument
    ├── NotConverged          a power flow without a solution where one is needed
    └── ReportError           a notebook run or its page failed; an earlier report is untouched
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong with an input.

    Parameters
    ----------
    where
        File, table or element that holds the fault, as the analyst knows it: ``customers.csv``, ``line 12``.
    what
        What was found and what is allowed, in one clause: ``-1 is below 0 [km]``.
    row
        Row of the file as a spreadsheet shows it (the header is row 1), if the fault is in a row.
    column
        Column of the table, if the fault is in one.
    remedy
        What to do next, starting with a verb, if it is not plain from `what`.
    """

    where: str
    what: str
    row: int | None = None
    column: str | None = None
    remedy: str | None = None

    def __str__(self) -> str:
        place = [self.where]
        if self.row is not None:
            place.append(f"row {self.row}")
        if self.column is not None:
            place.append(f"column '{self.column}'")
        tail = f"; {self.remedy}" if self.remedy else ""
        return f"{', '.join(place)}: {self.what}{tail}"


class GridplanError(Exception):
    """Anything gridplan itself has to say; the base of its errors."""


class InputError(GridplanError):
    """Something given to gridplan is wrong; every problem is in `problems` and in the message.

    Parameters
    ----------
    subject
        What was being read, as the start of the message: ``study data/oberrhein``.
    problems
        All problems found, in the order in which they should be mended.
    """

    def __init__(self, subject: str, problems: Iterable[Problem]) -> None:
        self.subject = subject
        self.problems = tuple(problems)
        count = len(self.problems)
        head = f"{subject} has {count} problem{'s' if count != 1 else ''}:"
        super().__init__("\n".join([head, *(f"  - {problem}" for problem in self.problems)]))

    def __reduce__(self) -> tuple[type[InputError], tuple[str, tuple[Problem, ...]]]:
        """Keep subject and problems through a process pool."""
        return type(self), (self.subject, self.problems)


class StudyError(InputError):
    """A study folder, workbook or table does not hold what it must."""


class NetworkError(InputError):
    """A network cannot be read, or is not fit for a power flow."""


class ParameterError(InputError):
    """A parameter is unknown, of the wrong type or out of range."""


class NotConverged(GridplanError):  # noqa: N818 - the field's own word
    """A power flow found no solution where one is needed."""


class ReportError(GridplanError):
    """A report could not be made; what was published before is untouched.

    Parameters
    ----------
    message
        What went wrong, where, and what is left.
    fault
        ``cell`` (it raised), ``timeout``, ``kernel`` (it died), ``worker`` (the process around it died), ``write`` (a file could
        not be written), ``batch`` (another one runs) or nothing.
    kept
        Folder with what the run left, if there is one.
    """

    def __init__(self, message: str, *, fault: str = "", kept: object = None) -> None:
        super().__init__(message)
        self.fault = fault
        self.kept = None if kept is None else str(kept)


def suggest(name: str, known: Iterable[str]) -> str:
    """Say which known name was probably meant, or list the known ones.

    Parameters
    ----------
    name
        The name as given.
    known
        The names that exist.

    Returns
    -------
    str
        ``did you mean 'length_km'?``, or ``known: a, b, c`` when nothing is near.

    Examples
    --------
    >>> suggest("lenght_km", ["length_km", "bus"])
    "did you mean 'length_km'?"
    >>> suggest("zz", ["length_km", "bus"])
    'known: length_km, bus'
    """
    names = [str(k) for k in known]
    near = difflib.get_close_matches(str(name), names, n=1, cutoff=0.6)
    if near:
        return f"did you mean '{near[0]}'?"
    shown = ", ".join(names[:20]) + (f", ... ({len(names)} in all)" if len(names) > 20 else "")
    return f"known: {shown}" if names else "none is known"
