"""CSV files as spreadsheets write them, and CSV text that is safe to open in one."""

from __future__ import annotations

import csv
import gzip
import io
import re
import zlib
from pathlib import Path
from typing import Any

import pandas as pd

from gridplan.errors import Problem
from gridplan.tables._cells import NUMBER, Words, as_text, frame, grouped, line_feeds
from gridplan.tables._dictionary import match

FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
COMMA = r"[+-]?\d+,\d+"
THOUSANDS = r"[+-]?[1-9]\d{0,2}(,\d{3})+"


def runs_as_formula(cell: Any) -> bool:
    """Whether a spreadsheet would take a text cell for a formula; plain numbers and a lone dash are harmless."""
    if not (isinstance(cell, str) and cell.startswith(FORMULA)):
        return False
    return cell != "-" and not re.fullmatch(NUMBER, cell, re.ASCII)


def escape_formula(cell: Any) -> Any:
    """Return a cell with an apostrophe before text that a spreadsheet would run; anything else as it is.

    Text that looks escaped already gets one more, so that taking one away (:func:`unescape_formula`) always gives the original.
    """
    return f"'{cell}" if isinstance(cell, str) and runs_as_formula(cell.lstrip("'")) else cell


def unescape_formula(cell: Any) -> Any:
    """Return a cell without the apostrophe that :func:`escape_formula` gave it."""
    escaped = isinstance(cell, str) and cell.startswith("'") and runs_as_formula(cell.lstrip("'"))
    return cell[1:] if escaped else cell


def to_csv(frame: pd.DataFrame) -> str:
    """Return a table as CSV text that is safe to open in a spreadsheet.

    Text cells and headings that start with ``= + - @``, a tab or a line break get a leading apostrophe, which makes a spreadsheet
    show them instead of running them (OWASP, CSV injection). Line breaks within cells become line feeds. Numbers are untouched.
    The index is left out.
    """
    safe = frame.copy()
    for position, kind in enumerate(frame.dtypes):
        if not (pd.api.types.is_numeric_dtype(kind) or pd.api.types.is_datetime64_any_dtype(kind)):
            safe.isetitem(position, frame.iloc[:, position].astype(object).map(_safe))
    return safe.rename(columns=_safe).to_csv(index=False, lineterminator="\n")


def _safe(cell: Any) -> Any:
    # A lone carriage return would not be put in quotation marks, and end the row for every reader.
    return escape_formula(line_feeds(cell)) if isinstance(cell, str) else cell


def read_csv(path: Path, table: str) -> tuple[pd.DataFrame | None, list[Problem]]:
    """Read a ``.csv`` or ``.csv.gz`` file of a table as cells of text.

    UTF-8 with or without byte-order mark; separated by comma, semicolon or tab, whichever gives more known columns. Where the
    separator is no comma, decimal commas are taken as such, unless they might be thousands separators; then they stay as found.

    Parameters
    ----------
    path
        File to read.
    table
        Table of the dictionary that it holds.

    Returns
    -------
    tuple
        The cells, labelled so that label + 2 is the row that a spreadsheet shows (None if there are none), and the problems.
    """
    try:
        rows, separator = _rows(_content(path), table)
    except _Unreadable as fault:
        return None, [Problem(path.name, fault.what, row=fault.row, remedy=fault.remedy)]
    cells, problems = frame(rows, path.name)
    if cells is not None and separator != ",":
        cells, mixed = _decimal_points(cells, table, path.name)
        problems += mixed
    return cells, problems


class _Unreadable(Exception):  # noqa: N818 - turned into a Problem above
    def __init__(self, what: str, remedy: str, row: int | None = None) -> None:
        self.what, self.remedy, self.row = what, remedy, row


def _content(path: Path) -> str:
    try:
        raw = path.read_bytes()
        if path.suffix == ".gz":
            raw = gzip.decompress(raw)
    except (OSError, EOFError, zlib.error) as error:
        raise _Unreadable(f"cannot be read: {error}", "write the file again") from error
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        what = f"is not UTF-8 text: byte 0x{raw[error.start]:02X}"
        raise _Unreadable(what, "save it as 'CSV UTF-8'", row=raw.count(b"\n", 0, error.start) + 1) from error


def _rows(content: str, table: str) -> tuple[list[list[str]], str]:
    def known(separator: str) -> int:
        head = next(csv.reader(io.StringIO(content, newline=""), delimiter=separator), [])
        return sum(match(name.strip(), table) is not None for name in head)

    reader = None
    try:
        separator = max(",;\t", key=known)
        reader = csv.reader(io.StringIO(content, newline=""), delimiter=separator, strict=True)
        rows = list(reader)
    except csv.Error as error:
        row = reader.line_num if reader else 1
        raise _Unreadable(f"cannot be read: {error}", "check the quotation marks near this line", row=row) from error
    if "'" in content:
        rows = [[unescape_formula(cell) for cell in row] for row in rows]
    return rows, separator


def _decimal_points(cells: pd.DataFrame, table: str, where: str) -> tuple[pd.DataFrame, list[Problem]]:
    """Return number columns with decimal points, if any of their commas can only be a decimal comma."""
    numeric = [name for name in cells.columns.unique() if (row := match(name, table)) and row.type in ("int", "float")]
    texts = {name: cells[name].str.strip() for name in numeric if isinstance(cells[name], pd.Series)}
    comma = {name: column.str.fullmatch(COMMA).astype(bool) for name, column in texts.items()}
    if not any((comma[name] & ~column.str.fullmatch(THOUSANDS).astype(bool)).any() for name, column in texts.items()):
        return cells, []
    problems: list[Problem] = []
    for name, column in texts.items():
        points = column.index[column.str.fullmatch(NUMBER).astype(bool) & column.str.contains(".", regex=False)]

        def words(at: int, column: pd.Series = column) -> Words:
            return (
                f"'{as_text(column[at])}' has a decimal point where other cells of the file have a decimal comma",
                "use one sign",
            )

        problems += grouped(where, points, words, name)
    changed = {name: column.where(~comma[name], column.str.replace(",", ".")) for name, column in texts.items()}
    return cells.assign(**changed), problems
