"""Cells as a file or sheet holds them, and their conversion to the types of the dictionary."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from gridplan.errors import Problem
from gridplan.tables._dictionary import Spec

SHOWN = 5  # equal problems in one column that are listed one by one; of more, the first three and a count
LARGEST_WHOLE = 2.0**53  # beyond it a float, and so a spreadsheet, no longer holds every whole number
MOMENT = r"\d{4}-\d{2}-\d{2}(?:[ T]\d{2}:\d{2}(?::\d{2})?)?"
NUMBER = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
BOOLEANS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
KINDS = {"float": "number", "int": "whole number", "bool": "yes or no", "datetime": "date and time", "str": "text"}
NOT_FINITE = {"nan", "na", "n/a", "#n/a", "null", "none", "inf", "infinity", "-"}

Words = tuple[str, str | None]
"""What is wrong with a cell or row, and what to do about it where that is not plain."""


def blank(cell: Any) -> bool:
    """Whether a cell holds nothing: empty or spaces in a file, None, NaN or NaT in a frame."""
    return not cell.strip() if isinstance(cell, str) else bool(pd.isna(cell))


def line_feeds(text: str) -> str:
    """Return text with one kind of line break."""
    return text.replace("\r\n", "\n").replace("\r", "\n")


def as_text(cell: Any) -> str:
    """Return a cell as a person would type it: a spreadsheet keeps every number as a float and a moment with a rounding error."""
    if isinstance(cell, bool | np.bool_):
        return str(bool(cell)).lower()
    if isinstance(cell, float) and cell.is_integer() and abs(cell) <= LARGEST_WHOLE:
        return str(int(cell))
    if isinstance(cell, dt.datetime):
        return pd.Timestamp(cell).round("s").isoformat(sep=" ")
    return line_feeds(str(cell)).strip()


def grouped(where: str, labels: Iterable[int], words: Callable[[int], Words], column: str | None = None) -> list[Problem]:
    """Return problems for rows with the same fault: each while they are few, else the first three and a count."""
    rows = sorted({int(label) for label in labels})
    shown = rows if len(rows) <= SHOWN else rows[:3]
    problems = []
    for label in shown:
        what, remedy = words(label)
        problems.append(Problem(where, what, row=label + 2, column=column, remedy=remedy))
    if len(rows) > len(shown):
        more = f"the same in {len(rows) - 3} more rows, the last of them row {rows[-1] + 2}"
        problems.append(Problem(where, more, row=rows[3] + 2, column=column))
    return problems


def frame(rows: Sequence[Sequence[Any]], where: str) -> tuple[pd.DataFrame | None, list[Problem]]:
    """Turn the rows of a file or sheet, heading first, into a frame of cells as found.

    Empty rows are left out; the row labels keep counting them, so that label + 2 is the row that a spreadsheet shows.

    Returns
    -------
    tuple
        The frame (None when there is no heading) and the problems of its shape: columns without a heading, rows too long.
    """
    head = [as_text(cell) for cell in rows[0]] if rows else []
    while head and not head[-1]:
        head.pop()
    if not head:
        return None, [Problem(where, "has no heading in row 1", remedy="give the column names there")]
    width = len(head)
    body = [row if len(row) == width else [*row[:width], *[""] * (width - len(row))] for row in rows[1:]]
    long = [at for at, row in enumerate(rows[1:]) if len(row) > width and not all(map(blank, row[width:]))]
    empty = [at for at, row in enumerate(body) if blank(row[0]) and all(map(blank, row))]
    found = pd.DataFrame(body, columns=head, dtype=object)
    found = found.drop(index=empty) if empty else found  # either step copies a long table
    words = (f"has more cells than the {width} of the heading", "put text that holds the separator in quotation marks")
    problems = grouped(where, long, lambda _: words)
    for at, name in enumerate(head):
        if not name and not found.iloc[:, at].map(blank).all():
            problems.append(Problem(where, f"column {at + 1} has no heading", row=1, remedy="name the column or delete it"))
    return found if all(head) else found.loc[:, [bool(name) for name in head]], problems


def _number(cell: Any) -> float:
    """Return the number in a cell, NaN if there is none."""
    if isinstance(cell, str):
        return float(cell) if re.fullmatch(NUMBER, cell.strip(), re.ASCII) else np.nan
    is_number = isinstance(cell, int | float | np.number) and not isinstance(cell, bool | np.bool_)
    return float(cell) if is_number else np.nan


def _floats(cells: pd.Series) -> np.ndarray:
    if pd.api.types.is_numeric_dtype(cells) and not pd.api.types.is_bool_dtype(cells):
        return cells.to_numpy(dtype=float, na_value=np.nan)
    objects = cells.to_numpy(dtype=object)
    try:
        # The quick way for long columns: every cell text and a number. float() would also read 1_000 and digits of other scripts.
        joined = "".join(objects)
        if joined.isascii() and "_" not in joined:
            return objects.astype(float)
    except (TypeError, ValueError):
        pass  # a number, a blank or a word is among them: cell by cell
    return np.array([_number(cell) for cell in objects], dtype=float)


def _to_float(cells: pd.Series) -> pd.Series:
    numbers = _floats(cells)
    return pd.Series(np.where(np.isfinite(numbers), numbers, np.nan), index=cells.index)


def _to_int(cells: pd.Series) -> pd.Series:
    numbers = _floats(cells)
    whole = (np.rint(numbers) == numbers) & (np.abs(numbers) <= LARGEST_WHOLE)
    values = np.where(whole, numbers, 0).astype("int64")
    return pd.Series(pd.arrays.IntegerArray(values, ~whole), index=cells.index)


def _to_bool(cells: pd.Series) -> pd.Series:
    found = [BOOLEANS.get(as_text(cell).lower()) for cell in cells]
    return pd.Series(pd.array(found, dtype="boolean"), index=cells.index)


def _to_datetime(cells: pd.Series) -> pd.Series:
    if isinstance(cells.dtype, np.dtype) and cells.dtype.kind == "M":
        return cells.astype("datetime64[ns]")
    texts = pd.Series([as_text(cell) for cell in cells], index=cells.index, dtype=object)
    readable = texts.str.fullmatch(MOMENT).astype(bool)
    return pd.to_datetime(texts.where(readable), format="ISO8601", errors="coerce").astype("datetime64[ns]")


def _to_str(cells: pd.Series) -> pd.Series:
    return pd.Series([None if blank(cell) else as_text(cell) for cell in cells], index=cells.index, dtype=object)


CONVERTERS = {"float": _to_float, "int": _to_int, "bool": _to_bool, "datetime": _to_datetime, "str": _to_str}


def unreadable(row: Spec, cell: Any) -> Words:
    """Say why a cell cannot be read as the type of its column, and how it should be written."""
    found = as_text(cell)
    if row.type == "bool":
        return f"'{found}' is neither yes nor no", "write true or false"
    what = f"'{found}' is no {KINDS[row.type]}{row.in_unit}"
    if row.type == "datetime":
        return what, "write local standard time as 2026-01-31 13:45, without a zone"
    return what, _number_remedy(found, optional=row.required == "no")


def _number_remedy(found: str, *, optional: bool) -> str | None:
    if found.lower().lstrip("+-") in NOT_FINITE or found == "-":
        return "leave the cell empty if the value is not known" if optional else "give a finite number"
    if re.fullmatch(r"[+-]?[1-9]\d{0,2}(,\d{3})+", found):
        return f"write {found.replace(',', '')}, or a decimal point if a fraction is meant"
    if re.fullmatch(r"[+-]?\d+,\d+", found):
        return f"write {found.replace(',', '.')} with a decimal point"
    if re.fullmatch(r"[+-]?\d{1,3}([ '.,\u2019\u00a0\u202f]\d{3})+([.,]\d+)?", found):
        return "leave out thousands separators and write a decimal point"
    return None
