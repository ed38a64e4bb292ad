"""The column dictionary: what every column of every table means, and its readers."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from importlib import resources

import pandas as pd

from gridplan.errors import ParameterError, Problem, suggest


@dataclass(frozen=True)
class Spec:
    """One row of the column dictionary.

    `required` is ``yes`` (the column is there and every cell filled), ``filled`` (the column may be absent; if it is there every
    cell is filled) or ``no``. `key` columns together identify a row. `column` may be a pattern such as ``*_p``.
    """

    table: str
    column: str
    type: str
    unit: str
    key: bool
    required: str
    low: float | None
    high: float | None
    allowed: tuple[str, ...]
    refers_to: str
    label: str
    description: str

    @property
    def pattern(self) -> bool:
        """Whether this row stands for any number of columns."""
        return "*" in self.column

    @property
    def in_unit(self) -> str:
        """The unit as the tail of a sentence or label, blank for numbers without one."""
        return f" [{self.unit}]" if self.unit not in ("", "1") else ""

    def matches(self, column: str) -> bool:
        """Whether `column` of a table is described by this row."""
        return fnmatchcase(column, self.column) if self.pattern else column == self.column


@functools.cache
def _dictionary() -> pd.DataFrame:
    with resources.files("gridplan").joinpath("columns.csv").open(encoding="utf-8") as file:
        return pd.read_csv(file, dtype=str, keep_default_na=False)


@functools.cache
def specs() -> dict[str, tuple[Spec, ...]]:
    found: dict[str, list[Spec]] = {}
    for row in _dictionary().to_dict("records"):
        row["key"] = row["key"] == "yes"
        row["low"], row["high"] = (float(row[end]) if row[end] else None for end in ("low", "high"))
        row["allowed"] = tuple(row["allowed"].split("|")) if row["allowed"] else ()
        found.setdefault(row["table"], []).append(Spec(**row))
    return {table: tuple(specs) for table, specs in found.items()}


def columns() -> pd.DataFrame:
    """Return the column dictionary: one row per table and column, all cells text.

    Returns
    -------
    pd.DataFrame
        `table`, `column`, `type` (str, int, float, bool, datetime), `unit`, `key`, `required`, `low`, `high`, `allowed`
        (separated by ``|``), `refers_to`, `label`, `description`.
    """
    return _dictionary().copy()


def names() -> list[str]:
    """Return the names of all tables in the dictionary."""
    return list(specs())


def spec(column: str, table: str | None = None) -> Spec:
    """Return the dictionary row of a column.

    Parameters
    ----------
    column
        Name of the column; ``house_p`` finds the row ``*_p``.
    table
        Table to look in; by default the first table that has the column.

    Raises
    ------
    ParameterError
        The table or the column is not in the dictionary; the message suggests the nearest name.
    """
    found = specs()
    if table is not None and table not in found:
        raise ParameterError("column dictionary", [Problem(f"table '{table}'", "does not exist", remedy=suggest(table, found))])
    rows = [s for name in ([table] if table else found) for s in found[name]]
    # Exact names come before patterns, so that a column that happens to end in _p keeps its own meaning.
    for row in sorted(rows, key=lambda s: s.pattern):
        if row.matches(column):
            return row
    where = f"column '{column}'" + (f" of table '{table}'" if table else "")
    raise ParameterError(
        "column dictionary", [Problem(where, "does not exist", remedy=suggest(column, (s.column for s in rows)))]
    )


def label(column: str, table: str | None = None) -> str:
    """Return the label of a column for an axis or a table head, with its unit: ``Station load [MW]``.

    Raises
    ------
    ParameterError
        The column is not in the dictionary.

    Examples
    --------
    >>> label("customer_class")
    'Customer class'
    """
    row = spec(column, table)
    name = f" {column[: -len(row.column) + 1]}" if row.pattern else ""
    return f"{row.label}{name}{row.in_unit}"


def unit(column: str, table: str | None = None) -> str:
    """Return the unit of a column, ``1`` for a number without one, blank for text.

    Raises
    ------
    ParameterError
        The column is not in the dictionary.
    """
    return spec(column, table).unit


def _range(row: Spec) -> str:
    if row.allowed:
        return ", ".join(row.allowed)
    ends = [f"from {row.low:g}" if row.low is not None else "", f"to {row.high:g}" if row.high is not None else ""]
    if row.refers_to:
        ends.append(f"found in {row.refers_to}")
    return " ".join(end for end in ends if end)


def describe(table: str | None = None) -> pd.DataFrame:
    """Return the dictionary for people to read.

    Parameters
    ----------
    table
        Only this table; by default all.

    Returns
    -------
    pd.DataFrame
        One row per column: `table`, `column`, `type`, `unit`, `required`, `allowed`, `description`; key columns are marked in
        `required`.
    """
    rows = [s for name, specs in specs().items() if table in (None, name) for s in specs]
    need = {"yes": "yes", "no": "no", "filled": "no, but without empty cells"}
    return pd.DataFrame(
        [
            (s.table, s.column, s.type, s.unit, need[s.required] + (" (key)" if s.key else ""), _range(s), s.description)
            for s in rows
        ],
        columns=["table", "column", "type", "unit", "required", "allowed", "description"],
    )


def dictionary_markdown() -> str:
    """Return the data dictionary as a Markdown page, one section per table."""
    parts = [
        "# Data dictionary",
        "Every table and column of a study. Generated from `gridplan/columns.csv` by `gridplan dictionary`; change it there.",
        "A table is a file `<table>.csv` or `<table>.csv.gz` in the study folder, or a sheet `<table>` of a study workbook; "
        "`study` is the section `[study]` of `study.toml`, or a sheet of rows `key`, `value`. "
        "A column `*_p` stands for any number of columns that end in `_p`. Key columns together identify a row.",
    ]
    for table, rows in describe().groupby("table", sort=False):
        body = rows.drop(columns="table").map(lambda cell: str(cell).replace("|", "\\|"))
        lines = [f"| {' | '.join(row)} |" for row in [list(body), ["---"] * body.shape[1], *body.to_numpy().tolist()]]
        parts.append(f"## {table}\n\n" + "\n".join(re.sub(r" +", " ", line) for line in lines))
    return "\n\n".join(parts) + "\n"
