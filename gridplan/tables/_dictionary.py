"""The column dictionary: what every column of every table means, and its readers."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import resources

import pandas as pd

from gridplan.errors import ParameterError, Problem, suggest
from gridplan.tables._bundled import bundled


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

    @property
    def regex(self) -> str:
        """Regular expression of the whole column name; the star of a pattern stands for at least one character."""
        return f"^{re.escape(self.column).replace(re.escape('*'), '.+')}$"

    def matches(self, column: str) -> bool:
        """Whether `column` of a table is described by this row."""
        return re.match(self.regex, column) is not None


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
    return {table: tuple(rows) for table, rows in found.items()}


def columns() -> pd.DataFrame:
    """Return the column dictionary: one row per table and column, all cells text.

    Returns
    -------
    pd.DataFrame
        `table`, `column`, `type` (str, int, float, bool, datetime), `unit`, `key`, `required`, `low`, `high`, `allowed`
        (separated by ``|``), `refers_to`, `label`, `description`.
    """
    return _dictionary().copy()


def assumptions() -> pd.DataFrame:
    """Return gridplan's own assumptions: `assumption`, `value`, `unit`, `low`, `high`, `source`, `evidence`, `note`.

    A study may give another value between `low` and `high` in its table of the same name.
    """
    return bundled("gridplan", "assumptions")


def names() -> list[str]:
    """Return the names of all tables in the dictionary."""
    return list(specs())


def match(column: str, table: str) -> Spec | None:
    """Return the row of the dictionary that describes a column of a table; an exact name goes before a pattern."""
    rows = [row for row in specs()[table] if row.matches(column)]
    return min(rows, key=lambda row: row.pattern, default=None)


def near(name: str, known: Iterable[str]) -> str:
    """Suggest a known name as :func:`gridplan.errors.suggest` does, without regard to capitals."""
    given = {k.lower(): k for k in known}
    return f"did you mean '{given[name.lower()]}'?" if name.lower() in given else suggest(name, given.values())


def known_table(table: str) -> str:
    """Return the name of a table, or raise a ParameterError that suggests the nearest one."""
    if table not in specs():
        raise ParameterError("column dictionary", [Problem(f"table '{table}'", "does not exist", remedy=near(table, specs()))])
    return table


@functools.cache
def spec(column: str, table: str | None = None) -> Spec:
    """Return the dictionary row of a column.

    Parameters
    ----------
    column
        Name of the column; ``house_p`` finds the row ``*_p``.
    table
        Table to look in; by default the results, then the first table that has the column.

    Raises
    ------
    ParameterError
        The table or the column is not in the dictionary; the message suggests the nearest name.
    """
    places = sorted(specs(), key=lambda name: name != "results") if table is None else [known_table(table)]
    rows = [row for place in places if (row := match(column, place))]
    if rows:
        return min(rows, key=lambda row: row.pattern)
    known = dict.fromkeys(row.column for place in places for row in specs()[place])
    where = f"column '{column}'" + (f" of table '{table}'" if table else "")
    raise ParameterError("column dictionary", [Problem(where, "does not exist", remedy=near(column, known))])


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
    need = {"yes": "yes", "no": "no", "filled": "no, but without empty cells"}
    rows = [row for name in (specs() if table is None else [known_table(table)]) for row in specs()[name]]
    return pd.DataFrame(
        {
            "table": [row.table for row in rows],
            "column": [row.column for row in rows],
            "type": [row.type for row in rows],
            "unit": [row.unit for row in rows],
            "required": [need[row.required] + (" (key)" if row.key else "") for row in rows],
            "allowed": [_range(row) for row in rows],
            "description": [row.description for row in rows],
        }
    )


def dictionary_markdown() -> str:
    """Return the data dictionary as a Markdown page, one section per table."""
    parts = [
        "# Data dictionary",
        "Every table and column of a study. Generated from `gridplan/columns.csv` by `gridplan dictionary`; change it there.",
        "A table is a file `<table>.csv` or `<table>.csv.gz` in the study folder, or a sheet `<table>` of a study workbook; "
        "`study` is the section `[study]` of `study.toml`, or a sheet of rows `key`, `value`. "
        "A column `*_p` stands for any number of columns that end in `_p`. Key columns together identify a row. "
        "`results` is no input: it names the columns of the tables in a report.",
    ]
    parts += [f"## {table}\n\n{_markdown(rows.drop(columns='table'))}" for table, rows in describe().groupby("table", sort=False)]
    own = "## gridplan's own assumptions\n\nThe table `assumptions` of a study may override a value, in its unit and range."
    return "\n\n".join([*parts, own, _markdown(assumptions())]) + "\n"


def _markdown(frame: pd.DataFrame) -> str:
    """Return a frame as a Markdown table."""
    cells = [[str(cell).replace("|", r"\|").replace("*", r"\*") for cell in row] for row in frame.itertuples(index=False)]
    rows = [list(frame), ["---"] * frame.shape[1], *cells]
    return "\n".join(re.sub(" +", " ", f"| {' | '.join(row)} |") for row in rows)
