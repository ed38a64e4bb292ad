"""Differences of two tables, row by row and cell by cell."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from gridplan import tables

COLUMNS = ["change", "row", "column", "before", "after"]


def changed_rows(before: pd.DataFrame, after: pd.DataFrame, keys: Sequence[str] = ()) -> pd.DataFrame:
    """Find what differs between two tables of texts.

    Parameters
    ----------
    before, after
        The tables. Numbers that are written differently (``1`` and ``1.0``) are the same.
    keys
        Columns that together identify a row. Where they do not, rows are compared as wholes.

    Returns
    -------
    DataFrame
        One row per cell that changed, and one per row that was added or removed: `change` (``changed``, ``added``, ``removed``),
        `row` (the key; empty where there is none), `column` (empty for whole rows), `before`, `after`.
    """
    keys = [k for k in keys if k in before and k in after]
    if not keys or before.duplicated(keys).any() or after.duplicated(keys).any():
        return _whole_rows(before, after)
    old, new = before.set_index(keys), after.set_index(keys)
    gone, fresh = old.index.difference(new.index, sort=False), new.index.difference(old.index, sort=False)
    rows = [
        *_cells(old, new, keys),
        *(("removed", _key(keys, k), "", _row(old.loc[k]), "") for k in gone),
        *(("added", _key(keys, k), "", "", _row(new.loc[k])) for k in fresh),
        *(("removed", "every row", c, "", "") for c in old.columns.difference(new.columns, sort=False)),
        *(("added", "every row", c, "", "") for c in new.columns.difference(old.columns, sort=False)),
    ]
    return pd.DataFrame(rows, columns=COLUMNS)


def _cells(old: pd.DataFrame, new: pd.DataFrame, keys: Sequence[str]) -> list[tuple[str, str, str, str, str]]:
    """Return the cells that changed in rows that are in both tables."""
    shared = old.index.intersection(new.index, sort=False)
    columns = [c for c in old.columns if c in new.columns]
    a, b = old.loc[shared, columns].to_numpy(dtype=object), new.loc[shared, columns].to_numpy(dtype=object)
    places = [(r, c) for r, c in zip(*np.nonzero(a != b), strict=True) if not _same(a[r, c], b[r, c])]
    return [("changed", _key(keys, shared[r]), columns[c], str(a[r, c]), str(b[r, c])) for r, c in places]


def _whole_rows(before: pd.DataFrame, after: pd.DataFrame) -> pd.DataFrame:
    """Return rows that only one table has, as often as it has them more than the other."""
    old, new = (pd.Series([_row(r) for _, r in t.iterrows()], dtype=object).value_counts(sort=False) for t in (before, after))
    more = new.sub(old, fill_value=0).astype(int) if len(old) or len(new) else pd.Series(dtype=int)
    rows = []
    for row, count in more[more != 0].items():
        kind = ("added", "", "", "", row) if count > 0 else ("removed", "", "", row, "")
        rows += [kind] * abs(count)
    return pd.DataFrame(rows, columns=COLUMNS)


def _same(a: object, b: object) -> bool:
    try:
        return float(str(a)) == float(str(b))
    except ValueError:
        return str(a) == str(b)


def _key(keys: Sequence[str], value: object) -> str:
    values = value if isinstance(value, tuple) else (value,)
    return ", ".join(f"{k} {v}" for k, v in zip(keys, values, strict=True))


def _row(row: pd.Series) -> str:
    return ", ".join(f"{name} {value}" for name, value in row.items() if str(value))


def keys_of(table: str) -> list[str]:
    """Return the key columns of a table of the dictionary, ``index`` of a table of network elements, else nothing."""
    known = tables.columns()
    found = known.loc[(known["table"] == table) & (known["key"] == "yes"), "column"].tolist()
    return found or (["key"] if table.endswith(".toml") else ["index"] if ": " in table else [])


# --- the roadmap ------------------------------------------------------------------------------------------------------------


def is_roadmap(table: pd.DataFrame) -> bool:
    """Whether a result says when which project starts."""
    return {"project", "start_year"} <= set(table.columns)


def roadmap_changes(before: pd.DataFrame, after: pd.DataFrame) -> pd.DataFrame:
    """Find which projects of a roadmap moved, came in or fell out.

    Parameters
    ----------
    before, after
        Columns `project` and `start_year`, and `area` where a project is delivered area by area. An empty year is none.

    Returns
    -------
    DataFrame
        `project`, `area` (if given), `change` (``earlier``, ``later``, ``added``, ``dropped``), `before_yr`, `after_yr`, and
        `moved_yr`, how many years later it starts.
    """
    keys = ["project", *(["area"] if "area" in before and "area" in after else [])]
    both = _starts(before, keys).merge(_starts(after, keys), on=keys, how="outer", suffixes=("_before", "_after"), sort=False)
    old, new = both.pop("start_before"), both.pop("start_after")
    moved = new - old
    choices = [old.isna(), new.isna(), moved < 0, moved > 0]
    change = np.select(choices, ["added", "dropped", "earlier", "later"], default="")
    out = both.assign(change=change, before_yr=old.astype("Int64"), after_yr=new.astype("Int64"), moved_yr=moved.astype("Int64"))
    return out[out["change"] != ""].reset_index(drop=True)


def _starts(table: pd.DataFrame, keys: Sequence[str]) -> pd.DataFrame:
    years = pd.to_numeric(table["start_year"], errors="coerce")
    found = table.assign(start=years)[[*keys, "start"]].dropna(subset=["start"])
    return found.groupby(list(keys), as_index=False, sort=False)["start"].min()
