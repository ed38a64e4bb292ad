"""The column dictionary and what is built from it: checks of input tables, labels, the data dictionary, safe CSV text.

`columns.csv` in the package names every column of every table of a study: its type, unit, range, allowed values and meaning. A
column ``*_p`` stands for any number of columns whose names end in ``_p``. :func:`check` reports every problem of every table at
once, each with the row as a spreadsheet shows it and the cell as it was found.

Rules that one row of the dictionary cannot express and that :func:`check` keeps as well: a key occurs once; the times of a key
are in equal steps; a name that refers to another table is found there; a profile ``<name>_q`` has its ``<name>_p``.
"""

from gridplan.tables._bundled import bundled
from gridplan.tables._cells import frame
from gridplan.tables._checks import check, convert, schema
from gridplan.tables._csv import escape_formula, read_csv, to_csv, unescape_formula
from gridplan.tables._dictionary import assumptions, columns, describe, dictionary_markdown, label, names, near, unit

__all__ = [
    "assumptions",
    "bundled",
    "check",
    "columns",
    "convert",
    "describe",
    "dictionary_markdown",
    "escape_formula",
    "frame",
    "label",
    "names",
    "near",
    "read_csv",
    "schema",
    "to_csv",
    "unescape_formula",
    "unit",
]
